//! One command from start to exit status: what the user typed is looked up in
//! the table, the supervisor is asked or launched, and what happened is printed.
//! Supervises nothing itself.

mod ask;
mod commands;
mod foreground;
mod hold;
mod launching;
mod prompt;
mod show;
mod start_stop;
mod tail;
mod watcher;

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cli::Invocation;
use crate::config::options::Settings;
use crate::config::{Error, merge};
use crate::instance::Paths;
use crate::launch::{Launch, Mode};
use crate::messages::client::{Complain, Say, exit};
use crate::messages::options::CommandLine;
use crate::protocol::Status;
use crate::sys::poll;
use crate::users::{self, User};

pub(crate) use self::commands::{help_text, supervisor_help_text};
pub(crate) use self::launching::{Begun, Early};

/// The exit status of a command.
pub(crate) type Exit = u8;

/// Turns the calling process into a supervisor; gives back its exit status.
pub(crate) type Supervise = fn(Box<Launch>, Mode) -> u8;

pub(crate) struct Client {
    /// The program's name as it was typed.
    pub(crate) name: String,
    pub(crate) invocation: Invocation,
    pub(crate) settings: Settings,
    paths: Paths,
    /// The absolute directory that the command was given in.
    base: PathBuf,
    supervise: Supervise,
    /// The arguments as they were typed.
    typed: Vec<OsString>,
    early: Cell<Option<Early>>,
    /// The next status is the first of its command, and may warn.
    warns: Cell<bool>,
    /// At the prompt: errors end a command and not the process.
    at_prompt: bool,
}

impl Client {
    pub(crate) fn new(
        name: String,
        invocation: Invocation,
        base: PathBuf,
        supervise: Supervise,
        typed: Vec<OsString>,
        early: Option<Early>,
    ) -> Result<Client, Error> {
        let settings = merge::load(&invocation.given, &base)?;
        let paths = Paths::new(settings.socket_name.0.as_deref().unwrap_or(Path::new("/")));
        let client = Client {
            name,
            invocation,
            settings,
            paths,
            base,
            supervise,
            typed,
            early: Cell::new(early),
            warns: Cell::new(false),
            at_prompt: false,
        };
        client.warn_of_settings();
        Ok(client)
    }

    fn warn_of_settings(&self) {
        for warning in self.settings.event_log.iter().flat_map(|plan| &plan.warnings) {
            self.complain(&Complain::Note(warning));
        }
        if self.settings.program.0.iter().any(|word| word == "#") {
            self.complain(&Complain::LoneHash);
        }
    }

    /// Runs what the command line asks for.
    pub(crate) fn run(&mut self) -> Exit {
        let words = self.invocation.words.clone();
        let interactive = self.invocation.interactive;
        if words.is_empty() && !interactive {
            if !self.settings.default_to_interactive.0 {
                return self.usage(&CommandLine::ActionOrInteractiveRequired);
            }
            return self.prompt();
        }
        if words.is_empty() {
            return self.prompt();
        }
        let status = self.one_command(&words);
        drop(self.early.take());
        if interactive { self.prompt() } else { status }
    }

    /// The role of `zdrun`: the words are the program, and this process or a
    /// child of it is its supervisor.
    pub(crate) fn supervise(&mut self) -> Exit {
        if !self.invocation.words.is_empty() {
            self.settings.program.0 = std::mem::take(&mut self.invocation.words);
        }
        if self.settings.program.0.is_empty() {
            return self.usage(&CommandLine::ProgramRequiredPositionally);
        }
        start_stop::supervise(self)
    }

    /// The command line as it was typed.
    fn typed(&self) -> Vec<OsString> {
        [self.name.clone().into()].into_iter().chain(self.typed.iter().cloned()).collect()
    }

    /// Runs one command, given as words.
    fn one_command(&mut self, words: &[OsString]) -> Exit {
        let Some((first, rest)) = words.split_first() else { return exit::DONE };
        let line = words.join(OsStr::new(" "));
        if line.as_bytes().trim_ascii().is_empty() {
            return show::status(self, &[]);
        }
        let (name, rest) = match shorthand(first) {
            Some((name, argument)) => {
                let argument = (!argument.is_empty()).then_some(argument);
                (name.to_string(), argument.into_iter().chain(rest.iter().cloned()).collect())
            }
            None => (first.to_string_lossy().into_owned(), rest.to_vec()),
        };
        let Some(command) = commands::find(&name) else {
            self.say(&Say::UnknownSyntax(&line.to_string_lossy()));
            return exit::USAGE;
        };
        self.warns.set(command.looks_first);
        (command.run)(self, &rest)
    }

    /// The supervisor may run something else than what is configured here; that is
    /// said once a command.
    fn warn_of_other_program(&self, status: &Status) {
        if !self.warns.replace(false) {
            return;
        }
        let ours = &self.settings.program.0;
        if let Some(theirs) = status.words.as_ref().filter(|theirs| !theirs.starts_with(ours)) {
            self.say(&Say::OtherProgram { ours, theirs });
        }
    }

    /// Prints a line for the user or script that reads our output.
    fn say(&self, what: &Say<'_>) {
        print_line(what);
    }

    fn complain(&self, what: &Complain<'_>) {
        complain(what);
    }

    fn usage(&self, why: &dyn Display) -> Exit {
        self.complain(&Complain::Usage { why, program: &self.name });
        exit::USAGE
    }

    /// Whom the program is to run as; none to stay who we are.
    fn user(&self) -> Result<Option<User>, Exit> {
        let Some(name) = &self.settings.user.0 else { return Ok(None) };
        users::to_become(name).map_err(|why| match self.settings.place("user") {
            Some(place) => self.usage(&Error::at(place, why)),
            None => self.usage(&why),
        })
    }

    /// The program's words with `more` behind them.
    fn program_words(&self, more: &[OsString]) -> Result<Vec<OsString>, Exit> {
        if self.settings.program.0.is_empty() {
            return Err(self.usage(&CommandLine::ProgramRequired));
        }
        Ok(self.settings.program.0.iter().chain(more).cloned().collect())
    }
}

/// `?topic` is help, `!command` is a shell.
fn shorthand(word: &OsStr) -> Option<(&'static str, OsString)> {
    let (first, rest) = word.as_bytes().split_first()?;
    let name = match first {
        b'?' => "help",
        b'!' => "shell",
        _ => return None,
    };
    Some((name, OsStr::from_bytes(rest).to_os_string()))
}

/// A reader that has gone away is no reason to fail.
pub(crate) fn print_line(what: &dyn Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}

pub(crate) fn complain(what: &Complain<'_>) {
    let _ = writeln!(io::stderr().lock(), "{what}");
}

/// Nothing to wait for but a signal or the passing of a time.
fn wait_for_signal(signals: &crate::sys::signal::SelfPipe, limit: std::time::Duration) -> bool {
    let mut watches = [poll::Watch::readable(signals.fd())];
    let _ = poll::poll(&mut watches, Some(limit));
    watches.iter().any(poll::Watch::is_ready)
}
