//! What a request on the control socket means: an event for the machine, a
//! report, a signal; and the text of the reply.

use std::fmt::Write as _;
use std::time::Duration;

use super::control::{After, Answer};
use super::core::Core;
use super::machine::{Event, Phase, Reply, Up, Wish};
use super::outbox::{Outbox, Waiting};
use crate::messages::supervisor::{ControlReply, LogMessage};
use crate::protocol::{self, Hold, Outcome, REQUESTS, Report, Request};
use crate::sys::{clock, heap, process};
use crate::vocabulary::{Mono, Pid, Signal};

impl Core {
    fn report(&self) -> Report<'_> {
        let (now, wall) = (clock::monotonic(), clock::wall());
        let until = |at: Mono| at.since(now);
        let epoch = |at: Mono| wall.saturating_add(until(at));
        let phase = self.machine.phase();
        let (delay, next) = match phase {
            Phase::BackingOff { until } | Phase::Clearing { respawn_at: until, .. } => {
                (Some(epoch(until)), Some(until))
            }
            Phase::Stopping { kill_at, .. } => (kill_at.map(epoch), None),
            Phase::Idle
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { .. }
            | Phase::Finished => (None, None),
        };
        let program = self.machine.program();
        let since = self.program.last_spawn.filter(|_| program.is_some());
        Report {
            now: wall,
            should_be_up: self.machine.wish() == Wish::Up,
            delay,
            backoff: self.machine.backoff(),
            last_spawn: self.program.last_spawn.map(|(_, wall)| wall),
            program,
            testing: matches!(phase, Phase::Running { up: Up::Testing, .. }),
            supervisor: process::own_pid(),
            backoff_limit: self.recipe.policy.backoff_limit,
            file: self.recipe.command.path(),
            words: self.recipe.command.words(),
            uptime: since.map_or(Duration::ZERO, |(since, _)| now.since(since)),
            restarts: self.machine.restarts(),
            last_exit: self.program.last_exit,
            readiness: readiness_of(phase),
            next_attempt: next.filter(|_| self.machine.wish() == Wish::Up).map(until),
            allocations: heap::allocations() - self.allocations_before,
        }
    }

    fn request(&mut self, what: &'static str, uid: u32, event: Event) {
        self.say(&LogMessage::Requested { what, uid });
        self.reply = None;
        self.step(clock::monotonic(), event);
    }

    fn send_signal(&mut self, argument: Option<&[u8]>, uid: u32, reply: &mut String) {
        let argument = argument.unwrap_or(b"15");
        let number = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok());
        let program = self.machine.program().filter(|pid| self.is_still_the_program(*pid));
        let outcome = match (number, program) {
            (None, _) => ControlReply::BadSignal(argument),
            (Some(_), None) => ControlReply::NotRunning,
            (Some(number), Some(pid)) => {
                self.say(&LogMessage::Requested { what: "kill", uid });
                match process::kill(pid, Signal(number)) {
                    Ok(()) => ControlReply::Signalled(number),
                    Err(error) => {
                        let failed = ControlReply::KillFailed { signal: number, error: &error };
                        let _ = writeln!(reply, "{failed}");
                        return;
                    }
                }
            }
        };
        let _ = writeln!(reply, "{outcome}");
    }

    /// Whether a request that waits for the program to be up may go at once.
    fn is_up(&self) -> Option<Pid> {
        match self.machine.phase() {
            Phase::Running { pid, up: Up::Yes, .. } => Some(pid),
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Finished => None,
        }
    }

    fn held(&self, hold: Hold, waiting: Waiting, reply: &mut String) -> After {
        if hold == Hold::No {
            return After::Close;
        }
        let done = match waiting {
            Waiting::ForUp => self.is_up().map(Outcome::Up),
            Waiting::ForDown => (self.machine.phase() == Phase::Idle).then_some(Outcome::Down),
        };
        match done {
            Some(outcome) => {
                let _ = writeln!(reply, "{outcome}");
                After::Close
            }
            None => After::Hold(waiting),
        }
    }
}

impl Answer for Core {
    fn news(&mut self) -> &mut Outbox {
        self.look_at_adopted();
        &mut self.outbox
    }

    fn is_over(&self) -> bool {
        self.finished.is_some()
    }

    fn answer(&mut self, request: Request<'_>, uid: u32, reply: &mut String) -> After {
        let (hold, waiting) = match request {
            Request::Start(hold) => {
                self.request("start", uid, Event::Start);
                (hold, Waiting::ForUp)
            }
            Request::Restart(hold) => {
                self.request("restart", uid, Event::Restart);
                (hold, Waiting::ForUp)
            }
            Request::Stop(hold) => {
                self.request("stop", uid, Event::Stop);
                (hold, Waiting::ForDown)
            }
            Request::Exit(hold) => {
                self.request("exit", uid, Event::Exit);
                (hold, Waiting::ForDown)
            }
            Request::Wait => {
                self.say(&LogMessage::Requested { what: "wait", uid });
                if self.machine.program().is_none() {
                    let _ = writeln!(reply, "{}", Outcome::Down);
                    return After::Close;
                }
                return After::Hold(Waiting::ForDown);
            }
            Request::Kill(argument) => {
                self.send_signal(argument, uid, reply);
                return After::Close;
            }
            Request::Status => {
                let _ = write!(reply, "{}", self.report());
                return After::Close;
            }
            Request::Report(line) => {
                let _ = writeln!(reply, "{}", self.report());
                return self.answer(Request::parse(line), uid, reply);
            }
            Request::ReopenTranscript => {
                self.reopen();
                return After::Close;
            }
            Request::Help => {
                for (request, what) in REQUESTS {
                    let _ = writeln!(reply, "{request:20} {what}");
                }
                return After::Close;
            }
            Request::Empty => {
                let _ = writeln!(reply, "{}", ControlReply::Empty);
                return After::Close;
            }
            Request::Unknown(word) => {
                let _ = writeln!(reply, "{}", ControlReply::Unknown(word));
                return After::Close;
            }
        };
        if let Some(made) = self.reply.take() {
            let _ = writeln!(reply, "{}", reply_text(made));
        }
        self.held(hold, waiting, reply)
    }
}

fn reply_text(reply: Reply) -> ControlReply<'static> {
    match reply {
        Reply::Started => ControlReply::Started,
        Reply::AlreadyStarted => ControlReply::AlreadyStarted,
        Reply::SentTerm => ControlReply::SentTerm,
        Reply::AlreadyStopped => ControlReply::AlreadyStopped,
        Reply::WillRestart => ControlReply::WillRestart,
        Reply::WillExit => ControlReply::WillExit,
        Reply::ExitingNow => ControlReply::ExitingNow,
    }
}

fn readiness_of(phase: Phase) -> protocol::Readiness {
    match phase {
        Phase::Idle | Phase::BackingOff { .. } | Phase::Clearing { .. } | Phase::Finished => {
            protocol::Readiness::Down
        }
        Phase::Spawning
        | Phase::Executing { .. }
        | Phase::Running { up: Up::Settling { .. }, .. } => protocol::Readiness::Settling,
        Phase::Running { up: Up::Testing, .. } => protocol::Readiness::Testing,
        Phase::Running { up: Up::Yes, .. } => protocol::Readiness::Ready,
        Phase::Stopping { .. } => protocol::Readiness::Stopping,
    }
}
