//! What the supervisor says: examples.

use super::{examples, missing};
use crate::messages::supervisor::{
    ControlReply, LaunchError, LogMessage, Stray as StrayMessage, WaiterNote,
};
use crate::vocabulary::{Ended, Pid, Signal};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

fn pid() -> Pid {
    Pid::new(123).expect("a pid")
}

fn error() -> &'static io::Error {
    Box::leak(Box::new(missing()))
}

fn words() -> &'static [OsString] {
    Box::leak(Box::new(["/bin".into(), "/usr/bin".into()]))
}

const KILLED: Ended = Ended::Signalled { signal: Signal::KILL, core: false };
const DUMPED: Ended = Ended::Signalled { signal: Signal::QUIT, core: true };

#[rustfmt::skip]
pub(super) fn records() -> String {
    use LogMessage::*;
    examples!("event log records, with their level", LogMessage<'static>, |m| format!("{} {m}", m.level().0),
        Daemonizing => Daemonizing,
        CurrentDirectory(_) => CurrentDirectory(Path::new("/x")),
        SupervisorStarted => SupervisorStarted,
        Spawned(_) => Spawned(pid()),
        Adopted(_) => Adopted(pid()),
        Up(_) => Up(pid()),
        ChildReaped { known: true, .. } => ChildReaped { pid: pid(), known: true },
        ChildReaped { known: false, .. } => ChildReaped { pid: pid(), known: false },
        ProgramEnded { ended: Ended::Exited(_), exiting: false, .. } => ProgramEnded { pid: pid(), ended: Ended::Exited(1), exiting: false },
        ProgramEnded { ended: Ended::Exited(_), exiting: true, .. } => ProgramEnded { pid: pid(), ended: Ended::Exited(0), exiting: true },
        ProgramEnded { ended: Ended::Signalled { core: false, .. }, .. } => ProgramEnded { pid: pid(), ended: KILLED, exiting: false },
        ProgramEnded { ended: Ended::Signalled { core: true, .. }, .. } => ProgramEnded { pid: pid(), ended: DUMPED, exiting: false },
        ProgramEnded { ended: Ended::Unknown, .. } => ProgramEnded { pid: pid(), ended: Ended::Unknown, exiting: false },
        BackingOff { .. } => BackingOff { seconds: 3 },
        GaveUp => GaveUp,
        CannotExecute { .. } => CannotExecute { path: Path::new("./x"), error: error() },
        CannotFork(_) => CannotFork(error()),
        StartTimedOut(_) => StartTimedOut(Duration::from_secs(300)),
        StopTimedOut(_) => StopTimedOut(pid()),
        Stray(StrayMessage::Terminated { .. }) => Stray(StrayMessage::Terminated { pid: pid(), name: "x" }),
        Stray(StrayMessage::Killed { .. }) => Stray(StrayMessage::Killed { pid: pid(), name: "x" }),
        Stray(StrayMessage::OutOfReach { .. }) => Stray(StrayMessage::OutOfReach { pid: pid(), name: "x", error: error() }),
        Stray(StrayMessage::Left) => Stray(StrayMessage::Left),
        Stray(StrayMessage::Awaited) => Stray(StrayMessage::Awaited),
        Terminated(_) => Terminated(Signal::TERM),
        Forwarded { .. } => Forwarded { signal: Signal::HUP, pid: pid() },
        Requested { .. } => Requested { what: "stop", uid: 0 },
        TestFailed => TestFailed,
        TestSucceeded => TestSucceeded,
        TestNotRunnable { .. } => TestNotRunnable { words: words(), error: error() },
        Reopened => Reopened,
        CannotReopen { .. } => CannotReopen { path: Path::new("/x"), error: error() },
        TranscriptFailed { .. } => TranscriptFailed { path: Path::new("/x"), error: error() },
        TranscriptResumed { .. } => TranscriptResumed { dropped: 7 },
        StaleSocket(_) => StaleSocket(Path::new("/x/zdsock")),
        PutBack(_) => PutBack(Path::new("/x/zdsock")),
        CannotPutBack { .. } => CannotPutBack { path: Path::new("/x/zdsock"), error: error() },
        NoSubreaper => NoSubreaper,
        Exiting => Exiting,
    )
}

#[rustfmt::skip]
pub(super) fn launch_errors() -> String {
    use LaunchError::*;
    examples!("why nothing is launched", LaunchError<'static>, |m| m.to_string(),
        CannotFindOnPath { .. } => CannotFindOnPath { program: b"x", path: words() },
        CannotStat { .. } => CannotStat { program: b"./x" },
        NoPermissionToRun { .. } => NoPermissionToRun { program: b"./x" },
        NulInWord => NulInWord,
        NotLaunched => NotLaunched,
        Unable { .. } => Unable { verb: "open transcript", path: Path::new("/x"), error: error() },
        UnableToSwitch { .. } => UnableToSwitch { user: "x", error: error() },
        SocketPathTooLong { .. } => SocketPathTooLong { path: Path::new("/x"), longest: 1 },
        NotASocket(_) => NotASocket(Path::new("/x/zdsock")),
        Rival { .. } => Rival { socket: Path::new("/x/zdsock"), status: "status=running" },
        HolderSilent { .. } => HolderSilent { socket: Path::new("/x/zdsock"), record: Path::new("/x/.zdsock") },
        Doubtful { .. } => Doubtful { pid: pid(), record: Path::new("/x/.zdsock") },
        ForeignRecord { .. } => ForeignRecord { path: Path::new("/x/.zdsock"), owner: 7 },
        System(_) => System(error()),
    )
}

pub(super) fn notes() -> String {
    examples!("notes for a client that waits", WaiterNote<'static>, |m| m.to_string(),
        WaiterNote::EndedEarly { .. } => WaiterNote::EndedEarly { pid: pid(), ended: Ended::Exited(1) },
        WaiterNote::OutputLine(_) => WaiterNote::OutputLine(b"a line of the transcript"),
        WaiterNote::NextAttempt { .. } => WaiterNote::NextAttempt { seconds: 2 },
    )
}

#[rustfmt::skip]
pub(super) fn replies() -> String {
    use ControlReply::*;
    examples!("replies on the control socket", ControlReply<'static>, |m| m.to_string(),
        Started => Started,
        AlreadyStarted => AlreadyStarted,
        SentTerm => SentTerm,
        AlreadyStopped => AlreadyStopped,
        WillRestart => WillRestart,
        WillExit => WillExit,
        ExitingNow => ExitingNow,
        Signalled(_) => Signalled(15),
        NotRunning => NotRunning,
        BadSignal(_) => BadSignal(b"foo"),
        KillFailed { .. } => KillFailed { signal: 999, error: error() },
        TooLong => TooLong,
        NotTerminated => NotTerminated,
        Empty => Empty,
        Unknown(_) => Unknown(b"foo"),
        Superseded => Superseded,
        NotPermitted => NotPermitted,
        IdleTooLong => IdleTooLong,
    )
}
