//! The plain values that rules, messages and system calls share: process ids,
//! signals, how a process ended, monotonic time, severity. No system call;
//! signal names are `sys::signal`'s, because numbers differ between platforms.

use std::fmt;
use std::num::NonZeroI32;
use std::time::Duration;

/// The id of one process: always positive, so that no group, no "every
/// process" and no "none" can be signalled by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pid(NonZeroI32);

impl Pid {
    pub(crate) fn new(number: i32) -> Option<Pid> {
        NonZeroI32::new(number).filter(|n| n.get() > 0).map(Pid)
    }

    pub(crate) fn get(self) -> i32 {
        self.0.get()
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A signal by number. The constants have the same number on every Unix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Signal(pub(crate) i32);

impl Signal {
    pub(crate) const HUP: Signal = Signal(1);
    pub(crate) const INT: Signal = Signal(2);
    pub(crate) const QUIT: Signal = Signal(3);
    pub(crate) const KILL: Signal = Signal(9);
    pub(crate) const TERM: Signal = Signal(15);
}

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It exited with this status, 0 to 255.
    Exited(i32),
    Signalled {
        signal: Signal,
        core: bool,
    },
    /// It is gone, and its parent was somebody else (an adopted program).
    Unknown,
}

impl Ended {
    /// The exit status a shell would give: 128 + n for signal n.
    pub(crate) fn shell_status(self) -> u8 {
        match self {
            Ended::Exited(status) => u8::try_from(status).unwrap_or(u8::MAX),
            Ended::Signalled { signal, .. } => u8::try_from(128 + signal.0).unwrap_or(u8::MAX),
            Ended::Unknown => 1,
        }
    }
}

/// `exit status 1`, `terminated by SIGTERM (core dumped)`
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(status) => write!(f, "exit status {status}"),
            Ended::Signalled { signal, core } => {
                let core = if *core { " (core dumped)" } else { "" };
                write!(f, "terminated by {signal}{core}")
            }
            Ended::Unknown => f.write_str("exit status unknown"),
        }
    }
}

/// A point in monotonic time, counted from an arbitrary start. All decisions
/// are made in it; wall time is for stamps only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Hash))]
pub(crate) struct Mono(pub(crate) Duration);

impl Mono {
    pub(crate) fn after(self, length: Duration) -> Mono {
        Mono(self.0.saturating_add(length))
    }

    /// The time from `earlier` to `self`, zero if it is the other way round.
    pub(crate) fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// How much a record of the event log matters: 0 to 50, higher is graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(pub(crate) u8);

impl Level {
    pub(crate) const NOTSET: Level = Level(0);
    pub(crate) const DEBUG: Level = Level(10);
    pub(crate) const INFO: Level = Level(20);
    pub(crate) const WARNING: Level = Level(30);
    pub(crate) const ERROR: Level = Level(40);
    pub(crate) const CRITICAL: Level = Level(50);
}
