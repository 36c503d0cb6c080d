//! THE table of options: every option of the command line and every key of
//! `<runner>` stands here once, with its default and its help. The parsers,
//! `show`, `--help` and the checks are loops over it. Pure: parses no file and
//! no argument vector, opens nothing.

use std::ffi::OsString;

use super::values::{
    Count, ExitCodes, FilePath, Ignored, Seconds, Switch, Text, Umask, Value, Words,
};
use super::{Origin, Place};
use crate::eventlog::plan::Plan;

/// Everything that is configurable, with its final value.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) program: Words,
    pub(crate) backoff_limit: Count,
    pub(crate) daemon: Switch,
    pub(crate) forever: Switch,
    pub(crate) socket_name: FilePath,
    pub(crate) exit_codes: ExitCodes,
    pub(crate) user: Text,
    pub(crate) umask: Umask,
    pub(crate) directory: FilePath,
    pub(crate) logfile: FilePath,
    pub(crate) transcript: FilePath,
    pub(crate) start_timeout: Seconds,
    pub(crate) stop_timeout: Seconds,
    pub(crate) settle_time: Seconds,
    pub(crate) start_test_program: Words,
    pub(crate) pid_file: FilePath,
    pub(crate) hang_around: Switch,
    pub(crate) default_to_interactive: Switch,
    pub(crate) prompt: Text,
    pub(crate) python: Ignored,
    pub(crate) zdrun: Ignored,
    /// Where each option's value comes from, by its place in `OPTIONS`.
    pub(crate) origins: Vec<Origin>,
    /// The file that was read.
    pub(crate) config_file: Option<std::path::PathBuf>,
    /// What `<environment>` adds, in its order.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// None: no event log is configured at all.
    pub(crate) event_log: Option<Plan>,
}

/// What an option does.
pub(crate) enum Means {
    Setting(fn(&mut Settings) -> &mut dyn Value),
    Configure,
    Schema,
    Override,
    Interactive,
    Help,
    Version,
}

/// Where an option may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Everywhere,
    FileOnly,
    CommandLineOnly,
}

pub(crate) struct Opt {
    /// The key in the file and the long option.
    pub(crate) key: &'static str,
    pub(crate) short: Option<char>,
    /// What the value is called; none for a flag of the command line.
    pub(crate) argument: Option<&'static str>,
    /// As it would be written in the file.
    pub(crate) default: &'static str,
    pub(crate) given: Given,
    /// What `show` calls it; empty where it does not show it.
    pub(crate) label: &'static str,
    pub(crate) help: &'static str,
    pub(crate) means: Means,
}

const fn command_line(
    key: &'static str,
    short: Option<char>,
    argument: Option<&'static str>,
    help: &'static str,
    means: Means,
) -> Opt {
    let given = Given::CommandLineOnly;
    Opt { key, short, argument, default: "", given, label: "", help, means }
}

const fn everywhere(
    key: &'static str,
    short: Option<char>,
    argument: Option<&'static str>,
    default: &'static str,
    label: &'static str,
    help: &'static str,
    field: fn(&mut Settings) -> &mut dyn Value,
) -> Opt {
    let means = Means::Setting(field);
    Opt { key, short, argument, default, given: Given::Everywhere, label, help, means }
}

const fn file_only(
    key: &'static str,
    argument: &'static str,
    default: &'static str,
    label: &'static str,
    help: &'static str,
    field: fn(&mut Settings) -> &mut dyn Value,
) -> Opt {
    let (argument, means) = (Some(argument), Means::Setting(field));
    Opt { key, short: None, argument, default, given: Given::FileOnly, label, help, means }
}

/// In the order in which `show` and `--help` list them.
#[rustfmt::skip]
pub(crate) const OPTIONS: &[Opt] = &[
    command_line("configure", Some('C'), Some("FILE"), "read this configuration file", Means::Configure),
    command_line("schema", Some('S'), Some("FILE"), "skip sections of other programs in the file", Means::Schema),
    command_line("", Some('X'), Some("SECTION/KEY=VALUE"), "override one key of the file", Means::Override),
    command_line("interactive", Some('i'), None, "read commands at a prompt, after the action if any", Means::Interactive),
    command_line("help", Some('h'), None, "print this text and exit", Means::Help),
    command_line("version", None, None, "print the version and exit", Means::Version),
    file_only("default-to-interactive", "yes/no", "on", "default_to_interactive", "whether no action means the prompt", |s| &mut s.default_to_interactive),
    file_only("zdrun", "PATH", "", "zdrun", "accepted for old files; no effect", |s| &mut s.zdrun),
    file_only("python", "PATH", "", "python", "accepted for old files; no effect", |s| &mut s.python),
    everywhere("program", Some('p'), Some("COMMAND"), "", "program", "the program and its arguments", |s| &mut s.program),
    everywhere("backoff-limit", Some('b'), Some("SECONDS"), "10", "backofflimit", "a shorter life is a quick exit; give up after so many", |s| &mut s.backoff_limit),
    everywhere("daemon", Some('d'), None, "on", "daemon", "detach from the terminal", |s| &mut s.daemon),
    everywhere("forever", Some('f'), None, "off", "forever", "never give up restarting", |s| &mut s.forever),
    everywhere("socket-name", Some('s'), Some("PATH"), "zdsock", "sockname", "the control socket; it names the instance", |s| &mut s.socket_name),
    everywhere("exit-codes", Some('x'), Some("LIST"), "0,2", "exitcodes", "exit statuses after which it is not restarted", |s| &mut s.exit_codes),
    everywhere("user", Some('u'), Some("USER"), "", "user", "run as this user (name or uid; root only)", |s| &mut s.user),
    everywhere("umask", Some('m'), Some("OCTAL"), "022", "umask", "file mode creation mask", |s| &mut s.umask),
    everywhere("directory", Some('z'), Some("PATH"), "", "directory", "working directory of the program", |s| &mut s.directory),
    everywhere("logfile", Some('l'), Some("PATH"), "", "logfile", "the file that logtail shows", |s| &mut s.logfile),
    everywhere("transcript", Some('t'), Some("PATH"), "/dev/null", "transcript", "the file for the program's output", |s| &mut s.transcript),
    everywhere("start-timeout", Some('T'), Some("SECONDS"), "300", "starttimeout", "how long start waits for the program to be up", |s| &mut s.start_timeout),
    everywhere("stop-timeout", None, Some("SECONDS"), "300", "stoptimeout", "from SIGTERM to SIGKILL; 0 = never SIGKILL", |s| &mut s.stop_timeout),
    everywhere("settle-time", None, Some("SECONDS"), "1", "settletime", "how long it must stay up to count as started", |s| &mut s.settle_time),
    everywhere("start-test-program", None, Some("COMMAND"), "", "starttest", "exits 0 when the program is usable", |s| &mut s.start_test_program),
    everywhere("pid-file", None, Some("PATH"), "", "pidfile", "the file for the daemon manager's pid", |s| &mut s.pid_file),
    file_only("prompt", "TEXT", "", "prompt", "the prompt instead of the name", |s| &mut s.prompt),
    file_only("hang-around", "yes/no", "off", "hang_around", "a stopped program leaves the daemon manager up", |s| &mut s.hang_around),
];

impl Opt {
    /// How to reach the setting, if the option is one.
    pub(crate) fn setting(&self) -> Option<fn(&mut Settings) -> &mut dyn Value> {
        match self.means {
            Means::Setting(field) => Some(field),
            Means::Configure
            | Means::Schema
            | Means::Override
            | Means::Interactive
            | Means::Help
            | Means::Version => None,
        }
    }

    pub(crate) fn is_for_file(&self) -> bool {
        self.given != Given::CommandLineOnly
    }

    pub(crate) fn is_for_command_line(&self) -> bool {
        self.given != Given::FileOnly
    }
}

/// The place of the option with this key in the table.
pub(crate) fn index_of(key: &str) -> Option<usize> {
    OPTIONS.iter().position(|option| option.key == key)
}

impl Settings {
    /// All defaults; every one is text that the option itself understands.
    pub(crate) fn defaults() -> Settings {
        let mut settings =
            Settings { origins: vec![Origin::Default; OPTIONS.len()], ..Settings::default() };
        for option in OPTIONS.iter().filter(|option| !option.default.is_empty()) {
            if let Means::Setting(field) = option.means {
                let result = field(&mut settings).set(option.default);
                debug_assert!(result.is_ok(), "the default of {} is no value of it", option.key);
            }
        }
        settings
    }

    pub(crate) fn origin(&self, key: &str) -> &Origin {
        index_of(key).and_then(|index| self.origins.get(index)).unwrap_or(&Origin::Default)
    }

    /// The line of the file that gave the option its value.
    pub(crate) fn place(&self, key: &str) -> Option<&Place> {
        match self.origin(key) {
            Origin::File(place) => Some(place),
            Origin::Default | Origin::CommandLine(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_options_share_a_name_a_letter_or_a_label() {
        let unique = |names: Vec<String>| {
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            sorted.len() == names.len()
        };
        assert!(unique(OPTIONS.iter().map(|o| o.key.to_string()).collect()));
        assert!(unique(OPTIONS.iter().filter_map(|o| o.short).map(String::from).collect()));
        let labels = OPTIONS.iter().map(|o| o.label.to_string()).filter(|l| !l.is_empty());
        assert!(unique(labels.collect()));
    }

    #[test]
    fn every_default_is_a_value_of_its_option_and_shows_itself() {
        let mut settings = Settings::defaults();
        for option in OPTIONS {
            let Means::Setting(field) = option.means else { continue };
            assert_eq!(field(&mut settings).set(option.default), Ok(()), "{}", option.key);
            assert!(!field(&mut settings).show().is_empty(), "{}", option.key);
        }
    }

    #[test]
    fn an_option_without_a_default_begins_as_if_it_were_set_to_nothing() {
        for option in OPTIONS.iter().filter(|option| option.default.is_empty()) {
            let Means::Setting(field) = option.means else { continue };
            let mut settings = Settings::default();
            let untouched = field(&mut settings).show();
            assert_eq!(field(&mut settings).set(""), Ok(()), "{}", option.key);
            assert_eq!(field(&mut settings).show(), untouched, "{}", option.key);
        }
    }

    #[test]
    fn every_option_can_be_given_somewhere_and_says_what_it_is_for() {
        for option in OPTIONS {
            assert!(!option.help.is_empty() && option.help.len() <= 60, "{}", option.key);
            assert!(option.short.is_some() || !option.key.is_empty());
        }
    }
}
