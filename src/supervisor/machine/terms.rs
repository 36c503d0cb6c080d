//! The terms that the rules are stated in: what is configured, what is wanted,
//! what is, what can happen and what can be done about it. No rule.

use std::time::Duration;

use crate::vocabulary::{Ended, Mono, Pid, Signal};

/// The settings that the rules depend on.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Seconds: a shorter life counts as quick, and so many quick ones are too
    /// many. Zero counts as one.
    pub(crate) backoff_limit: u32,
    pub(crate) forever: bool,
    /// -1 stands for every death by a signal.
    pub(crate) exit_codes: Vec<i32>,
    /// None: SIGKILL is never sent.
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) start_timeout: Duration,
    pub(crate) settle_time: Duration,
    /// A stopped program does not end the supervisor.
    pub(crate) hang_around: bool,
    /// A start test, not the settle time, tells when the program is up.
    pub(crate) tested: bool,
    /// The supervisor stands in for the program: its exit status is the
    /// program's.
    pub(crate) attached: bool,
}

impl Policy {
    pub(super) fn limit(&self) -> u32 {
        self.backoff_limit.max(1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) enum Wish {
    Up,
    /// No program, but the supervisor stays.
    Down,
    /// No program and no supervisor.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) enum Phase {
    Idle,
    BackingOff {
        until: Mono,
    },
    /// The driver was told to spawn and will say at once how that went.
    Spawning,
    /// Forked; whether the exec works is not known yet.
    Executing {
        pid: Pid,
        since: Mono,
        refused: bool,
    },
    Running {
        pid: Pid,
        since: Mono,
        up: Up,
    },
    Stopping {
        pid: Pid,
        kill_at: Option<Mono>,
    },
    /// The program is gone; what it left behind is being removed.
    Clearing {
        kill_at: Option<Mono>,
        respawn_at: Mono,
    },
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) enum Up {
    Settling { at: Mono },
    Testing,
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Begin,
    /// A program that an earlier supervisor left is taken over.
    Adopt(Pid),
    /// The program of an earlier supervisor is gone; what it left behind is not.
    Inherit,
    Spawned(Pid),
    SpawnFailed,
    Executed,
    NotExecuted,
    Ended(Ended),
    /// Nothing that the program started is alive.
    Cleared,
    TestPassed,
    Start,
    Stop,
    Restart,
    Exit,
    Terminate(Terminate),
    Deadline,
}

/// The supervisor itself was told to end by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminate {
    pub(crate) signal: Signal,
    /// The program has got the signal as well, from the terminal.
    pub(crate) delivered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Spawn,
    Kill(Pid, Signal),
    /// Ask everything that the program left behind to end; `Cleared` follows.
    ClearStrays,
    KillStrays,
    Reply(Reply),
    Tell(Tell),
    Note(Note),
    /// The supervisor ends with this exit status. Always the last action.
    Finish(u8),
}

/// The immediate answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Started,
    AlreadyStarted,
    SentTerm,
    AlreadyStopped,
    WillRestart,
    WillExit,
    ExitingNow,
}

/// What clients wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    Up(Pid),
    /// The program and what it left are gone; for good unless a spawn follows.
    Down {
        for_good: bool,
    },
    Late,
}

/// What the event log should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// By itself.
    ProgramEnded {
        pid: Pid,
        ended: Ended,
        exiting: bool,
    },
    /// As it was told to.
    ProgramStopped {
        pid: Pid,
        ended: Ended,
    },
    BackingOff {
        seconds: u32,
    },
    GaveUp,
    StopTimedOut(Pid),
    StartTimedOut,
    Terminated(Signal),
    StraysKilled,
    StraysLeft,
    /// Nothing may be killed, so the stop waits for them.
    StraysAwaited,
}

/// A short list of actions on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actions {
    items: [Option<Action>; 8],
    length: usize,
}

impl Actions {
    pub(super) fn new() -> Actions {
        Actions { items: [None; 8], length: 0 }
    }

    pub(super) fn push(&mut self, action: Action) {
        debug_assert!(self.length < self.items.len(), "more actions than one step can ask for");
        if let Some(slot) = self.items.get_mut(self.length) {
            *slot = Some(action);
            self.length += 1;
        }
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Action>, 8>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter().flatten()
    }
}
