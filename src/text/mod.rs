//! Help as text: loops over the option table and over command rows that the
//! caller passes in. Says nothing that is not in a table, but for the frame.

use crate::config::options::{OPTIONS, Opt};

/// The columns of the list of commands.
const COLUMN: usize = 15;
const COLUMNS_A_LINE: usize = 5;

/// What `-h` prints for a role: purpose, usage, options, remark.
pub(crate) fn options(program: &str, purpose: &str, usage: &str, remark: &str) -> String {
    let mut text = format!("{program} -- {purpose}\n\nUsage: {program} {usage}\n\n");
    for option in OPTIONS.iter().filter(|option| option.is_for_command_line()) {
        text.push_str(&option_line(option));
        text.push('\n');
    }
    text.push_str("\nOnly in the configuration file:\n");
    for option in OPTIONS.iter().filter(|option| !option.is_for_command_line()) {
        text.push_str(&key_line(option));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(remark);
    text
}

/// `-b/--backoff-limit SECONDS -- summary (default 10)`
fn option_line(option: &Opt) -> String {
    let short = option.short.map(|letter| format!("-{letter}"));
    let long = (!option.key.is_empty()).then(|| format!("--{}", option.key));
    let names: Vec<String> = [short, long].into_iter().flatten().collect();
    told(&names.join("/"), option)
}

/// `hang-around yes/no -- summary (default off)`
fn key_line(option: &Opt) -> String {
    told(option.key, option)
}

fn told(names: &str, option: &Opt) -> String {
    let argument = option.argument.map_or(String::new(), |argument| format!(" {argument}"));
    let default = match option.default {
        "" => String::new(),
        default => format!(" (default {default})"),
    };
    format!("{names}{argument} -- {}{default}", option.help)
}

/// The list that `help` prints: sorted, row by row.
pub(crate) fn command_list(names: &mut Vec<&str>) -> String {
    const TITLE: &str = "Documented commands (type help <topic>):";
    names.sort_unstable();
    let mut text = format!("\n{TITLE}\n{}\n", "=".repeat(TITLE.len()));
    for row in names.chunks(COLUMNS_A_LINE) {
        let line: String = row.iter().map(|name| format!("{name:COLUMN$} ")).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `name [arg] -- summary.` and the lines below it, indented under the summary.
pub(crate) fn topic(name: &str, argument: &str, lines: &[&str]) -> String {
    let blank = if argument.is_empty() { "" } else { " " };
    let head = format!("{name}{blank}{argument} -- ");
    let indent = " ".repeat(head.len());
    head + &lines.join(&format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_list_has_rows_of_five_in_columns_of_fifteen() {
        let mut names = vec!["fg", "EOF", "foreground", "help", "kill", "logreopen"];
        assert_eq!(
            command_list(&mut names),
            "\nDocumented commands (type help <topic>):\n\
             ========================================\n\
             EOF             fg              foreground      help            kill\n\
             logreopen\n"
        );
    }

    #[test]
    fn a_topic_continues_under_its_summary() {
        let text = topic(
            "start",
            "",
            &["Start the daemon process.", "If it is already running, do nothing."],
        );
        assert_eq!(
            text,
            "start -- Start the daemon process.\n         If it is already running, do nothing."
        );
    }

    #[test]
    fn an_option_is_told_in_one_line_of_a_terminal() {
        for option in OPTIONS.iter().filter(|option| option.is_for_command_line()) {
            assert!(option_line(option).len() <= 100, "{}", option.key);
        }
        let backoff = OPTIONS.iter().find(|option| option.key == "backoff-limit");
        assert_eq!(
            backoff.map(option_line).as_deref(),
            Some(
                "-b/--backoff-limit SECONDS -- a shorter life is a quick exit; give up after so \
                 many (default 10)"
            )
        );
    }
}
