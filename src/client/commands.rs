//! THE table of commands: what a user can type, what it means and what runs.
//! Dispatch and `help` are loops over it.

use std::ffi::OsString;

use super::{Client, Exit, foreground, print_line, prompt, show, start_stop, tail};
use crate::messages::client::{Say, exit};
use crate::text;

pub(super) struct Command {
    pub(super) name: &'static str,
    argument: &'static str,
    /// The summary, and what else there is to say, one line each.
    help: &'static [&'static str],
    /// Whether the supervisor is looked at first, to warn if it runs something
    /// else than what is configured.
    pub(super) looks_first: bool,
    pub(super) run: fn(&mut Client, &[OsString]) -> Exit,
}

#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    Command { name: "EOF", argument: "", looks_first: false, run: prompt::end_of_file, help: &[
        "To quit, type ^D or use the quit command."] },
    Command { name: "fg", argument: "[args]", looks_first: true, run: foreground::foreground, help: &[
        "Run the program in the foreground.",
        "The arguments are appended to the configured program.",
        "The exit status is the program's."] },
    Command { name: "foreground", argument: "[args]", looks_first: true, run: foreground::foreground, help: &[
        "Run the program in the foreground.",
        "The same as fg."] },
    Command { name: "help", argument: "[topic]", looks_first: false, run: help, help: &[
        "Print the list of commands, or help on one of them."] },
    Command { name: "kill", argument: "[sig]", looks_first: true, run: start_stop::kill, help: &[
        "Send signal sig to the daemon process.",
        "The default signal is SIGTERM; names and numbers will do."] },
    Command { name: "logreopen", argument: "", looks_first: true, run: tail::reopen_logs, help: &[
        "Reopen all log files.",
        "The daemon manager reopens the transcript and its event log;",
        "the daemon process gets SIGUSR2, which it must know to handle."] },
    Command { name: "logtail", argument: "[file]", looks_first: true, run: tail::tail, help: &[
        "Print the last lines of a log file, and what is added to it.",
        "The default is the logfile option. Stop it with ^C."] },
    Command { name: "quit", argument: "", looks_first: false, run: prompt::quit, help: &[
        "Leave the prompt.",
        "A daemon manager without a daemon process is stopped."] },
    Command { name: "reload", argument: "[options]", looks_first: false, run: prompt::reload, help: &[
        "Read the configuration again, with other options if given.",
        "A running daemon manager keeps its own."] },
    Command { name: "reopen_transcript", argument: "", looks_first: true, run: tail::reopen_transcript, help: &[
        "Reopen the transcript and the daemon manager's event log.",
        "For use after they have been renamed."] },
    Command { name: "restart", argument: "[args]", looks_first: true, run: start_stop::restart, help: &[
        "Stop the daemon process and start it again.",
        "If it is not running, just start it."] },
    Command { name: "shell", argument: "[cmd]", looks_first: false, run: foreground::shell, help: &[
        "Run a shell command, or an interactive shell.",
        "!cmd is short for it."] },
    Command { name: "show", argument: "[what]", looks_first: false, run: show::show, help: &[
        "Show the options (show options, the default),",
        "the program itself (show python), or both (show all)."] },
    Command { name: "start", argument: "", looks_first: true, run: start_stop::start, help: &[
        "Start the daemon process.",
        "If it is already running, do nothing."] },
    Command { name: "status", argument: "[-l]", looks_first: true, run: show::status, help: &[
        "Print the status of the daemon process.",
        "With -l, print the whole report of the daemon manager."] },
    Command { name: "stop", argument: "", looks_first: true, run: start_stop::stop, help: &[
        "Stop the daemon process and all that it started.",
        "If it is not running, do nothing."] },
    Command { name: "wait", argument: "", looks_first: true, run: start_stop::wait, help: &[
        "Wait for the daemon process to exit."] },
];

pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn help(client: &mut Client, arguments: &[OsString]) -> Exit {
    let topic = arguments.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if topic.is_empty() {
        let mut names = COMMANDS.iter().map(|command| command.name).collect();
        print_line(&text::command_list(&mut names));
        return exit::DONE;
    }
    match find(&topic) {
        Some(command) => print_line(&text::topic(command.name, command.argument, command.help)),
        None => client.say(&Say::NoHelp(&topic)),
    }
    exit::DONE
}

/// What `-h` prints.
pub(crate) fn help_text(program: &str) -> String {
    text::options(
        program,
        "run a program as a daemon and keep it running",
        "[options] [action [arguments]]",
        "Actions are words like start, stop and status; the action help lists them.\n\
         Without an action, or with -i, commands are read at a prompt.",
    )
}

/// What `-h` prints for `zdrun`.
pub(crate) fn supervisor_help_text(program: &str) -> String {
    text::options(
        program,
        "be the daemon manager of one program",
        "[options] [program [program-arguments]]",
        "Without program words the configured program is run.\n\
         Exit statuses: one of exit-codes when the program ended with it, 0 after a stop,\n\
         1 when the program ended too often too soon: a life shorter than backoff-limit\n\
         seconds is too short; each makes the next attempt wait one second longer, and\n\
         backoff-limit of them in a row are too many unless forever is on.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_unique_and_explained() {
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(COMMANDS.iter().all(|command| !command.help.is_empty()));
    }
}
