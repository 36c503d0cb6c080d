//! Who learns what: the event log, and the clients that wait for the program to
//! be up or gone. Decides nothing.

use std::fmt::Display;

use super::core::Core;
use super::machine::{Note, Tell};
use super::outbox::Waiting;
use crate::messages::supervisor::{LogMessage, Stray, WaiterNote};
use crate::protocol::Outcome;

impl Core {
    pub(super) fn tell(&mut self, tell: Tell) {
        match tell {
            Tell::Up(pid) => {
                self.say(&LogMessage::Up(pid));
                self.outbox.tell(Waiting::ForUp, Outcome::Up(pid));
            }
            Tell::Late => self.outbox.tell(Waiting::ForUp, Outcome::Late),
            Tell::Down { for_good } => {
                if for_good {
                    self.outbox.tell(Waiting::ForUp, Outcome::Down);
                }
                self.outbox.tell(Waiting::ForDown, Outcome::Down);
            }
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        let limit = self.recipe.policy.start_timeout;
        let message = match note {
            Note::ProgramEnded { pid, ended, exiting } => {
                if !self.program.refused {
                    self.tell_waiters(&WaiterNote::EndedEarly { pid, ended });
                    self.tell_tail();
                }
                LogMessage::ProgramEnded { pid, ended, exiting }
            }
            Note::ProgramStopped { pid, ended } => {
                LogMessage::ProgramEnded { pid, ended, exiting: false }
            }
            Note::BackingOff { seconds } => LogMessage::BackingOff { seconds },
            Note::GaveUp => LogMessage::GaveUp,
            Note::StopTimedOut(pid) => LogMessage::StopTimedOut(pid),
            Note::StartTimedOut => LogMessage::StartTimedOut(limit),
            Note::Terminated(signal) => LogMessage::Terminated(signal),
            Note::StraysLeft => LogMessage::Stray(Stray::Left),
            Note::StraysAwaited => LogMessage::Stray(Stray::Awaited),
            // Each one is told of by name when it is signalled.
            Note::StraysKilled => return,
        };
        match note {
            Note::GaveUp => self.tell_waiters(&message),
            Note::BackingOff { seconds } => self.tell_waiters(&WaiterNote::NextAttempt { seconds }),
            Note::StopTimedOut(_) | Note::StraysAwaited => self.tell_all(&message),
            Note::ProgramEnded { .. }
            | Note::ProgramStopped { .. }
            | Note::StartTimedOut
            | Note::Terminated(_)
            | Note::StraysKilled
            | Note::StraysLeft => {}
        }
        self.say(&message);
    }

    /// Tells everybody who waits: also a `restart` wants to know what was killed.
    pub(super) fn tell_all(&mut self, what: &dyn Display) {
        self.tell_waiters(what);
        self.outbox.note(Waiting::ForDown, what);
    }

    /// Tells those who wait for the program to be up.
    pub(super) fn tell_waiters(&mut self, what: &dyn Display) {
        if self.audience {
            self.outbox.note(Waiting::ForUp, what);
        }
    }

    /// The last lines that a program wrote which did not come up.
    fn tell_tail(&mut self) {
        const LINES: usize = 10;
        let Some(output) = self.output.as_ref().filter(|_| self.audience) else { return };
        let text = output.tail().trim_ascii_end();
        let mut ends = memchr::memrchr_iter(b'\n', text);
        let last = ends.nth(LINES - 1).map_or(text, |end| text.get(end + 1..).unwrap_or(&[]));
        for line in last.split(|byte| *byte == b'\n').filter(|_| !last.is_empty()) {
            self.outbox.note(Waiting::ForUp, &WaiterNote::OutputLine(line));
        }
    }
}
