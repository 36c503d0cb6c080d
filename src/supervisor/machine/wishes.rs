//! The rules for what others ask: start, stop, restart, exit, and a signal to
//! the supervisor itself. Each changes the wish; the phase follows as it can.

use super::terms::{Action, Actions, Phase, Reply, Terminate, Up, Wish};
use super::{Machine, Note};
use crate::vocabulary::{Mono, Pid, Signal};

impl Machine {
    pub(super) fn start(&mut self, now: Mono, out: &mut Actions) {
        if self.terminated || self.phase == Phase::Finished {
            return out.push(Action::Reply(Reply::ExitingNow));
        }
        match self.phase {
            Phase::Idle | Phase::BackingOff { .. } => {
                self.wish_up(now);
                out.push(Action::Reply(Reply::Started));
                self.spawn(out);
            }
            // The stop came before the fork, and this before it too.
            Phase::Spawning if self.wish != Wish::Up => {
                self.wish_up(now);
                out.push(Action::Reply(Reply::Started));
            }
            Phase::Stopping { .. } => {
                self.wish_up(now);
                self.start_by = None;
                out.push(Action::Reply(Reply::Started));
            }
            Phase::Clearing { kill_at, .. } => {
                self.wish_up(now);
                self.phase = Phase::Clearing { kill_at, respawn_at: now };
                out.push(Action::Reply(Reply::Started));
                // The strays have had their time, and may not be killed.
                if kill_at.is_none() {
                    self.strays_are_late(now, now, out);
                }
            }
            Phase::Running { up: Up::Yes, .. } | Phase::Finished => {
                self.backoff = 0;
                out.push(Action::Reply(Reply::AlreadyStarted));
            }
            Phase::Spawning | Phase::Executing { .. } | Phase::Running { .. } => {
                self.backoff = 0;
                // It may be late already, and whoever asks now waits too.
                self.start_by.get_or_insert(now.after(self.policy.start_timeout));
                out.push(Action::Reply(Reply::AlreadyStarted));
            }
        }
    }

    fn wish_up(&mut self, now: Mono) {
        self.wish = Wish::Up;
        self.backoff = 0;
        self.exit_status = 0;
        self.start_by = Some(now.after(self.policy.start_timeout));
    }

    pub(super) fn stop(
        &mut self,
        now: Mono,
        wish: Wish,
        sent: Reply,
        already: Reply,
        out: &mut Actions,
    ) {
        if self.wish != Wish::Gone {
            self.wish = wish;
        }
        self.backoff = 0;
        self.start_by = None;
        match self.phase {
            Phase::Executing { pid, .. }
            | Phase::Running { pid, .. }
            | Phase::Stopping { pid, .. } => {
                out.push(Action::Reply(sent));
                self.terminate_program(now, pid, Signal::TERM, out);
            }
            Phase::Idle => {
                out.push(Action::Reply(already));
                self.end_without_program(out);
            }
            Phase::BackingOff { .. } => {
                out.push(Action::Reply(already));
                self.after_end(now, now, out);
            }
            Phase::Spawning => out.push(Action::Reply(sent)),
            Phase::Clearing { .. } | Phase::Finished => out.push(Action::Reply(already)),
        }
    }

    fn end_without_program(&mut self, out: &mut Actions) {
        match self.wish {
            Wish::Gone => self.finish(out),
            Wish::Up | Wish::Down => self.become_idle(out),
        }
    }

    pub(super) fn restart(&mut self, now: Mono, out: &mut Actions) {
        if self.terminated {
            return out.push(Action::Reply(Reply::ExitingNow));
        }
        match self.phase {
            Phase::Executing { pid, .. }
            | Phase::Running { pid, .. }
            | Phase::Stopping { pid, .. } => {
                self.wish_up(now);
                // The start timeout counts from the end of the old process.
                self.start_by = None;
                out.push(Action::Reply(Reply::WillRestart));
                self.terminate_program(now, pid, Signal::TERM, out);
            }
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Clearing { .. }
            | Phase::Finished => self.start(now, out),
        }
    }

    pub(super) fn terminate(&mut self, now: Mono, how: Terminate, out: &mut Actions) {
        out.push(Action::Note(Note::Terminated(how.signal)));
        self.wish = Wish::Gone;
        self.terminated = true;
        self.start_by = None;
        if self.policy.attached && how.signal == Signal::INT {
            self.exit_status = 130;
        }
        match self.phase {
            Phase::Executing { pid, .. } | Phase::Running { pid, .. } => {
                self.phase = Phase::Stopping { pid, kill_at: self.kill_at(now) };
                if !how.delivered {
                    out.push(Action::Kill(pid, how.signal));
                }
            }
            Phase::Idle => self.finish(out),
            // What was left beside a respawn must go now.
            Phase::BackingOff { .. } => self.after_end(now, now, out),
            Phase::Spawning | Phase::Stopping { .. } | Phase::Clearing { .. } | Phase::Finished => {
            }
        }
    }

    pub(super) fn terminate_program(
        &mut self,
        now: Mono,
        pid: Pid,
        signal: Signal,
        out: &mut Actions,
    ) {
        self.phase = Phase::Stopping { pid, kill_at: self.kill_at(now) };
        out.push(Action::Kill(pid, signal));
    }

    pub(super) fn kill_at(&self, now: Mono) -> Option<Mono> {
        self.policy.stop_timeout.map(|timeout| now.after(timeout))
    }
}
