//! What the supervisor says: in the event log, to the client that launched it,
//! and over the control socket.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::errno::Errno;
use crate::quote::{Quoted, QuotedList};
use crate::vocabulary::{Ended, Level, Pid, Signal};

/// One record of the event log. Texts that 5.2.1 has too keep its words.
#[derive(Debug)]
pub(crate) enum LogMessage<'a> {
    Daemonizing,
    CurrentDirectory(&'a Path),
    SupervisorStarted,
    Spawned(Pid),
    Adopted(Pid),
    Up(Pid),
    ChildReaped { pid: Pid, known: bool },
    ProgramEnded { pid: Pid, ended: Ended, exiting: bool },
    BackingOff { seconds: u32 },
    GaveUp,
    CannotExecute { path: &'a Path, error: &'a io::Error },
    CannotFork(&'a io::Error),
    StartTimedOut(Duration),
    StopTimedOut(Pid),
    Stray(Stray<'a>),
    Terminated(Signal),
    Forwarded { signal: Signal, pid: Pid },
    Requested { what: &'a str, uid: u32 },
    TestFailed,
    TestSucceeded,
    TestNotRunnable { words: &'a [OsString], error: &'a io::Error },
    Reopened,
    CannotReopen { path: &'a Path, error: &'a io::Error },
    TranscriptFailed { path: &'a Path, error: &'a io::Error },
    TranscriptResumed { dropped: u64 },
    StaleSocket(&'a Path),
    PutBack(&'a Path),
    CannotPutBack { path: &'a Path, error: &'a io::Error },
    NoSubreaper,
    Exiting,
}

impl LogMessage<'_> {
    pub(crate) fn level(&self) -> Level {
        match self {
            LogMessage::ChildReaped { .. } | LogMessage::TestFailed | LogMessage::TestSucceeded => {
                Level::DEBUG
            }
            LogMessage::Daemonizing
            | LogMessage::CurrentDirectory(_)
            | LogMessage::SupervisorStarted
            | LogMessage::Spawned(_)
            | LogMessage::Adopted(_)
            | LogMessage::Up(_)
            | LogMessage::ProgramEnded { .. }
            | LogMessage::BackingOff { .. }
            | LogMessage::Forwarded { .. }
            | LogMessage::Requested { .. }
            | LogMessage::Reopened
            | LogMessage::Stray(Stray::Terminated { .. })
            | LogMessage::Terminated(_)
            | LogMessage::Exiting => Level::INFO,
            LogMessage::StartTimedOut(_)
            | LogMessage::StopTimedOut(_)
            | LogMessage::Stray(
                Stray::Killed { .. } | Stray::OutOfReach { .. } | Stray::Left | Stray::Awaited,
            )
            | LogMessage::TranscriptResumed { .. }
            | LogMessage::StaleSocket(_)
            | LogMessage::PutBack(_)
            | LogMessage::NoSubreaper => Level::WARNING,
            LogMessage::CannotExecute { .. }
            | LogMessage::CannotFork(_)
            | LogMessage::CannotPutBack { .. }
            | LogMessage::CannotReopen { .. }
            | LogMessage::TranscriptFailed { .. }
            | LogMessage::TestNotRunnable { .. } => Level::ERROR,
            LogMessage::GaveUp => Level::CRITICAL,
        }
    }
}

impl fmt::Display for LogMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogMessage::Daemonizing => f.write_str("daemonizing the process"),
            LogMessage::CurrentDirectory(path) => {
                write!(f, "set current directory: {}", Quoted(path.as_os_str().as_bytes()))
            }
            LogMessage::SupervisorStarted => f.write_str("daemon manager started"),
            LogMessage::Spawned(pid) => write!(f, "spawned process pid={pid}"),
            LogMessage::Adopted(pid) => {
                write!(f, "adopted process pid={pid}, which an earlier daemon manager left running")
            }
            LogMessage::Up(pid) => write!(f, "process pid={pid} is up"),
            LogMessage::ChildReaped { pid, known } => {
                write!(f, "{} process {pid} exited", if *known { "controlled" } else { "unknown" })
            }
            LogMessage::ProgramEnded { pid, ended, exiting } => {
                write!(f, "pid {pid}: {ended}{}", if *exiting { "; exiting now" } else { "" })
            }
            LogMessage::BackingOff { seconds } => {
                write!(f, "sleep {seconds} to avoid rapid restarts")
            }
            LogMessage::GaveUp => f.write_str("restarting too frequently; quit"),
            LogMessage::CannotExecute { path, error } => {
                write!(f, "{}", CannotExecute { path, error })
            }
            LogMessage::CannotFork(error) => {
                write!(f, "unable to fork: {}", Errno(error))
            }
            LogMessage::StartTimedOut(limit) => {
                write!(f, "program is not up after {} seconds (start-timeout)", limit.as_secs())
            }
            LogMessage::StopTimedOut(pid) => {
                write!(f, "pid {pid} did not end within stop-timeout; sending SIGKILL")
            }
            LogMessage::Stray(stray) => stray.fmt(f),
            LogMessage::Terminated(signal) => write!(f, "daemon manager killed by {signal}"),
            LogMessage::Forwarded { signal, pid } => write!(f, "forwarded {signal} to pid {pid}"),
            LogMessage::Requested { what, uid } => write!(f, "{what} requested by uid {uid}"),
            LogMessage::TestFailed => f.write_str("start test failed"),
            LogMessage::TestSucceeded => f.write_str("start test succeeded"),
            LogMessage::TestNotRunnable { words, error } => {
                write!(f, "unable to run start test {}: {}", QuotedList(words), Errno(error))
            }
            LogMessage::Reopened => f.write_str("reopened transcript and event log"),
            LogMessage::CannotReopen { path, error } => {
                write!(f, "unable to reopen {}: {}", path.display(), Errno(error))
            }
            LogMessage::TranscriptFailed { path, error } => write!(
                f,
                "unable to write to transcript {}: {}; dropping output until it works again",
                path.display(),
                Errno(error)
            ),
            LogMessage::TranscriptResumed { dropped } => {
                write!(f, "transcript works again; {dropped} bytes of output were dropped")
            }
            LogMessage::StaleSocket(path) => {
                write!(f, "Unlinking stale socket {}; sleep 1", path.display())
            }
            LogMessage::PutBack(path) => {
                write!(f, "{} had been removed; put back", path.display())
            }
            LogMessage::CannotPutBack { path, error } => {
                write!(f, "unable to put back {}: {}", path.display(), Errno(error))
            }
            LogMessage::NoSubreaper => f.write_str(
                "this kernel has no subreapers: daemons that the program starts are not tracked",
            ),
            LogMessage::Exiting => f.write_str("Exiting"),
        }
    }
}

/// Processes that the program left behind.
#[derive(Debug)]
pub(crate) enum Stray<'a> {
    Terminated {
        pid: Pid,
        name: &'a str,
    },
    Killed {
        pid: Pid,
        name: &'a str,
    },
    /// Not ours to signal.
    OutOfReach {
        pid: Pid,
        name: &'a str,
        error: &'a io::Error,
    },
    Left,
    /// Nothing may be killed.
    Awaited,
}

impl fmt::Display for Stray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stray::Terminated { pid, name } => {
                write!(f, "pid {pid} ({name}) was left behind by the program; sending SIGTERM")
            }
            Stray::Killed { pid, name } => {
                write!(f, "pid {pid} ({name}) was left behind by the program; sending SIGKILL")
            }
            Stray::OutOfReach { pid, name, error } => write!(
                f,
                "pid {pid} ({name}) was left behind by the program and cannot be signalled: {}",
                Errno(error)
            ),
            Stray::Left => {
                f.write_str("processes that the program started are still alive; left alone")
            }
            Stray::Awaited => f.write_str(
                "waiting for processes that the program left behind; stop-timeout 0 spares them",
            ),
        }
    }
}

/// `can't exec './x': [Errno 2] No such file or directory`
pub(crate) struct CannotExecute<'a> {
    pub(crate) path: &'a Path,
    pub(crate) error: &'a io::Error,
}

impl fmt::Display for CannotExecute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Quoted(self.path.as_os_str().as_bytes());
        write!(f, "can't exec {path}: {}", Errno(self.error))
    }
}

/// Why a supervisor does not come to be. What the user is told after `Error: `.
#[derive(Debug)]
pub(crate) enum LaunchError<'a> {
    CannotFindOnPath {
        program: &'a [u8],
        path: &'a [OsString],
    },
    CannotStat {
        program: &'a [u8],
    },
    NoPermissionToRun {
        program: &'a [u8],
    },
    NulInWord,
    /// It was called by the name of a launched supervisor, and nobody launched it.
    NotLaunched,
    Unable {
        verb: &'a str,
        path: &'a Path,
        error: &'a io::Error,
    },
    UnableToSwitch {
        user: &'a str,
        error: &'a io::Error,
    },
    SocketPathTooLong {
        path: &'a Path,
        longest: usize,
    },
    NotASocket(&'a Path),
    Rival {
        socket: &'a Path,
        status: &'a str,
    },
    HolderSilent {
        socket: &'a Path,
        record: &'a Path,
    },
    Doubtful {
        pid: Pid,
        record: &'a Path,
    },
    ForeignRecord {
        path: &'a Path,
        owner: u32,
    },
    System(&'a io::Error),
}

impl fmt::Display for LaunchError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::CannotFindOnPath { program, path } => {
                write!(f, "can't find program {} on PATH {}", Quoted(program), QuotedList(path))
            }
            LaunchError::CannotStat { program } => {
                write!(f, "can't stat program {}", Quoted(program))
            }
            LaunchError::NoPermissionToRun { program } => {
                write!(f, "no permission to run program {}", Quoted(program))
            }
            LaunchError::NotLaunched => {
                f.write_str("this name is for supervisors that zdaemon itself launches")
            }
            LaunchError::NulInWord => {
                f.write_str("a NUL byte cannot be part of a program word or the environment")
            }
            LaunchError::Unable { verb, path, error } => {
                write!(f, "unable to {verb} {}: {}", path.display(), Errno(error))
            }
            LaunchError::UnableToSwitch { user, error } => {
                write!(f, "unable to become user {user}: {}", Errno(error))
            }
            LaunchError::SocketPathTooLong { path, longest } => write!(
                f,
                "socket path too long: {} has {} bytes, at most {longest} are possible",
                path.display(),
                path.as_os_str().len()
            ),
            LaunchError::NotASocket(path) => write!(
                f,
                "unable to create socket {}: something else has this name",
                path.display()
            ),
            LaunchError::Rival { socket, status } => write!(
                f,
                "Another zrdun is already up using socket {}:\n{status}",
                Quoted(socket.as_os_str().as_bytes())
            ),
            LaunchError::HolderSilent { socket, record } => write!(
                f,
                "another daemon manager holds {} but does not listen on {}",
                record.display(),
                socket.display()
            ),
            LaunchError::Doubtful { pid, record } => write!(
                f,
                "process {pid} may be the program of an earlier daemon manager, and there is no \
                 /proc to tell; stop it, or remove {} if it is another",
                record.display()
            ),
            LaunchError::ForeignRecord { path, owner } => write!(
                f,
                "{} belongs to uid {owner}; start it as that user, or remove the file",
                path.display()
            ),
            LaunchError::System(error) => write!(f, "{}", Errno(error)),
        }
    }
}

/// What a client that waits for the program to be up is told meanwhile.
#[derive(Debug)]
pub(crate) enum WaiterNote<'a> {
    EndedEarly { pid: Pid, ended: Ended },
    OutputLine(&'a [u8]),
    NextAttempt { seconds: u32 },
}

impl fmt::Display for WaiterNote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaiterNote::EndedEarly { pid, ended } => {
                write!(f, "the program (pid {pid}) ended before it was up: {ended}")
            }
            WaiterNote::OutputLine(line) => {
                write!(f, "  {}", Path::new(OsStr::from_bytes(line)).display())
            }
            WaiterNote::NextAttempt { seconds } => write!(f, "next attempt in {seconds} s"),
        }
    }
}

/// By these two a client knows that it has to ask anew.
pub(crate) const SUPERSEDED: &str = "Command superseded by new command";
pub(crate) const EXITING_NOW: &str = "Exiting now";

/// The text of a reply on the control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ControlReply<'a> {
    Started,
    AlreadyStarted,
    SentTerm,
    AlreadyStopped,
    WillRestart,
    WillExit,
    ExitingNow,
    Signalled(i32),
    NotRunning,
    BadSignal(&'a [u8]),
    KillFailed { signal: i32, error: &'a io::Error },
    TooLong,
    NotTerminated,
    Empty,
    Unknown(&'a [u8]),
    Superseded,
    NotPermitted,
    IdleTooLong,
}

impl fmt::Display for ControlReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlReply::Started => f.write_str("Application started"),
            ControlReply::AlreadyStarted => f.write_str("Application already started"),
            ControlReply::SentTerm => f.write_str("Sent SIGTERM"),
            ControlReply::AlreadyStopped => f.write_str("Application already stopped"),
            ControlReply::WillRestart => f.write_str("Sent SIGTERM; will restart later"),
            ControlReply::WillExit => f.write_str("Sent SIGTERM; will exit later"),
            ControlReply::ExitingNow => f.write_str(EXITING_NOW),
            ControlReply::Signalled(number) => write!(f, "Signal {number} sent"),
            ControlReply::NotRunning => f.write_str("Application not running"),
            ControlReply::BadSignal(text) => write!(f, "Bad signal {}", Quoted(text)),
            ControlReply::KillFailed { signal, error } => {
                write!(f, "Kill {signal} failed: {}", Errno(error))
            }
            ControlReply::TooLong => f.write_str("Command exceeds 10 KB"),
            ControlReply::NotTerminated => f.write_str("Command not terminated by newline"),
            ControlReply::Empty => f.write_str("Empty command"),
            ControlReply::Unknown(word) => {
                write!(f, "Unknown command {}; 'help' for a list", Quoted(word))
            }
            ControlReply::Superseded => f.write_str(SUPERSEDED),
            ControlReply::NotPermitted => {
                f.write_str("Not permitted: neither root nor the user of this daemon manager")
            }
            ControlReply::IdleTooLong => f.write_str("No command within 10 seconds"),
        }
    }
}
