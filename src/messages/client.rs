//! What the client says to the person or script that called it. The texts that
//! scripts match are zdaemon 5.2.1's to the byte.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use super::errno::Errno;
use crate::quote::{Quoted, QuotedList, quoted};
use crate::vocabulary::{Pid, Signal};

/// Exit statuses of the client.
pub(crate) mod exit {
    /// It has happened, or was so already.
    pub(crate) const DONE: u8 = 0;
    /// It could not be done.
    pub(crate) const FAILED: u8 = 1;
    /// The command or the configuration is wrong.
    pub(crate) const USAGE: u8 = 2;
    /// `status`: the program does not run.
    pub(crate) const NOT_RUNNING: u8 = 3;
    /// The daemon manager cannot be asked, or lives no more while its program does.
    pub(crate) const UNCLEAR: u8 = 4;
    /// The user interrupted the wait.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// On standard output.
#[derive(Debug)]
pub(crate) enum Say<'a> {
    ProgramRunning(Pid),
    SupervisorWithoutProgram,
    SupervisorNotRunning,
    ProgramNotRunning,
    /// Only the program lives; its supervisor was killed.
    Unsupervised(Pid),
    Started(Pid),
    Restarted(Pid),
    Stopped,
    AlreadyRunning(Pid),
    TooLong,
    Killing {
        pid: Pid,
        signal: Signal,
    },
    SignalSent {
        name: &'a str,
        pid: Pid,
    },
    KillFailed(&'a io::Error),
    InvalidSignal(&'a str),
    BadStatusArgument,
    StopFirst,
    NoLogFile,
    LogFileError {
        path: &'a str,
        error: &'a io::Error,
    },
    Truncated,
    NoHelp(&'a str),
    UnknownSyntax(&'a str),
    UnknownShowTopic(&'a str),
    OtherProgram {
        ours: &'a [OsString],
        theirs: &'a [OsString],
    },
    Program(&'a str),
    Reloaded(Option<&'a Path>),
    NotReloaded,
    StoppingSupervisor,
    SupervisorStopped,
    BothRunning,
}

impl fmt::Display for Say<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Say::ProgramRunning(pid) => write!(f, "program running; pid={pid}"),
            Say::SupervisorWithoutProgram => {
                f.write_str("daemon manager running; daemon process not running")
            }
            Say::SupervisorNotRunning => f.write_str("daemon manager not running"),
            Say::ProgramNotRunning => f.write_str("daemon process not running"),
            Say::Unsupervised(pid) => {
                write!(f, "daemon manager not running; daemon process still running, pid={pid}")
            }
            Say::Started(pid) => write!(f, "daemon process started, pid={pid}"),
            Say::Restarted(pid) => write!(f, "daemon process restarted, pid={pid}"),
            Say::Stopped => f.write_str("daemon process stopped"),
            Say::AlreadyRunning(pid) => write!(f, "daemon process already running; pid={pid}"),
            Say::TooLong => f.write_str("Program took too long to start"),
            Say::Killing { pid, signal } => write!(f, "kill({pid}, {})", signal.0),
            Say::SignalSent { name, pid } => write!(f, "signal {name} sent to process {pid}"),
            Say::KillFailed(error) => write!(f, "Error: {}", Errno(error)),
            Say::InvalidSignal(text) => write!(f, "invalid signal {}", quoted(text)),
            Say::BadStatusArgument => f.write_str("status argument must be absent or -l"),
            Say::StopFirst => {
                f.write_str("To run the program in the foreground, please stop it first.")
            }
            Say::NoLogFile => f.write_str("No default log file specified; use logtail <logfile>"),
            Say::LogFileError { path, error } => write!(f, "{}: {}", Errno(error), quoted(path)),
            Say::Truncated => f.write_str("==> File truncated <=="),
            Say::NoHelp(topic) => write!(f, "*** No help on {topic}"),
            Say::UnknownSyntax(line) => write!(f, "*** Unknown syntax: {line}"),
            Say::UnknownShowTopic(topic) => {
                write!(f, "unknown topic {}; expected options, python or all", quoted(topic))
            }
            Say::OtherProgram { ours, theirs } => write!(
                f,
                "WARNING! zdrun is managing a different program!\n\
                 our program   = {}\ndaemon's args = {}",
                QuotedList(ours),
                QuotedList(theirs)
            ),
            Say::Program(words) => write!(f, "program: {words}"),
            Say::Reloaded(Some(file)) => {
                write!(f, "Configuration reloaded from {}", file.display())
            }
            Say::Reloaded(None) => f.write_str("Configuration reloaded without a config file"),
            Say::NotReloaded => f.write_str("Configuration not reloaded"),
            Say::StoppingSupervisor => {
                f.write_str("daemon process not running; stopping daemon manager")
            }
            Say::SupervisorStopped => f.write_str("daemon manager stopped"),
            Say::BothRunning => f.write_str("daemon process and daemon manager still running"),
        }
    }
}

/// On standard error.
pub(crate) enum Complain<'a> {
    /// The one form for whatever is wrong with the command or configuration.
    Usage {
        why: &'a dyn fmt::Display,
        program: &'a str,
    },
    Error(&'a dyn fmt::Display),
    /// Something that helps to understand what happened.
    Note(&'a str),
    Unreachable {
        socket: &'a Path,
        error: &'a io::Error,
    },
    /// The reply's first line, at most.
    NoStatus {
        socket: &'a Path,
        reply: &'a [u8],
    },
    Silent {
        socket: &'a Path,
        seconds: u64,
    },
    /// The supervisor is there, and its socket is not.
    SocketLost {
        socket: &'a Path,
        pid: Option<Pid>,
    },
    StillWaiting {
        what: &'a str,
        seconds: u64,
    },
    CannotLaunch(&'a io::Error),
    CannotCreate {
        path: &'a Path,
        error: &'a io::Error,
    },
    LoneHash,
}

impl fmt::Display for Complain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complain::Usage { why, program } => {
                write!(f, "Error: {why}\nFor help, use {program} -h")
            }
            Complain::Error(why) => write!(f, "Error: {why}"),
            Complain::Note(note) => f.write_str(note),
            Complain::Unreachable { socket, error } => write!(
                f,
                "Error: unable to ask the daemon manager at {}: {}",
                socket.display(),
                Errno(error)
            ),
            Complain::NoStatus { socket, reply } => write!(
                f,
                "Error: whoever listens at {} does not tell a status, but {}",
                socket.display(),
                Quoted(reply)
            ),
            Complain::Silent { socket, seconds } => write!(
                f,
                "Error: the daemon manager at {} does not answer; waited {seconds} seconds",
                socket.display()
            ),
            Complain::SocketLost { socket, pid } => {
                f.write_str("Error: the daemon manager ")?;
                match pid {
                    Some(pid) => write!(f, "(pid {pid}) runs")?,
                    None => f.write_str("runs on another host or in another container")?,
                }
                write!(f, " and does not listen on {}", socket.display())
            }
            Complain::StillWaiting { what, seconds } => {
                write!(f, "Error: {what} did not happen within {seconds} seconds")
            }
            Complain::CannotLaunch(error) => {
                write!(f, "Error: unable to launch a daemon manager: {}", Errno(error))
            }
            Complain::CannotCreate { path, error } => {
                write!(f, "Error: unable to create directory {}: {}", path.display(), Errno(error))
            }
            Complain::LoneHash => f.write_str(
                "Note: the program has a word '#'; text after a value is part of it, not a comment",
            ),
        }
    }
}
