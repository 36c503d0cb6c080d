//! The rules of supervision: what to do next, given what was just seen. Knows
//! no clock, descriptor, process or text; the driver gives it the time and the
//! events and carries its actions out.
//!
//! What is wanted (`Wish`) and what is (`Phase`) are two variables. A program
//! that ends by itself is looked at first by its exit status (a listed one ends
//! the supervisor), then by how long it lived: under the backoff limit the next
//! spawn is delayed by one second more each time, and at the limit the
//! supervisor gives up, unless it is to go on for ever.
//!
//! | | Start | Stop, Exit, Terminate | Restart | Ended | Deadline |
//! |---|---|---|---|---|---|
//! | Idle | spawn | done | spawn | - | - |
//! | BackingOff | spawn now | clear strays | spawn now | - | spawn, or late |
//! | Spawning | already, or remembered | remembered | as Start | - | late |
//! | Executing | already | TERM, Stopping | TERM, Stopping | back off or give up | late |
//! | Running | already | TERM, Stopping | TERM, Stopping | by status and age | up, or late |
//! | Stopping | start after the end | TERM again, but a second Terminate: - | TERM again | clear strays | KILL |
//! | Clearing | start when clear | done when clear | start when clear | - | KILL strays, or late |
//! | Finished | exiting | exiting | exiting | - | - |

mod terms;
#[cfg(test)]
mod tests;
mod wishes;

use std::time::Duration;

pub(crate) use self::terms::{
    Action, Actions, Event, Note, Phase, Policy, Reply, Tell, Terminate, Up, Wish,
};
use crate::vocabulary::{Ended, Mono, Pid, Signal};

/// How long what the program left behind may take to obey SIGTERM before it is
/// killed, unless the stop timeout is shorter.
const STRAY_GRACE: Duration = Duration::from_secs(5);
/// Between two rounds of SIGKILL to what the program left behind.
const STRAY_KILL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    policy: Policy,
    wish: Wish,
    phase: Phase,
    /// Seconds that the last quick death was answered with.
    backoff: u32,
    /// Programs that there were, the adopted one too.
    spawns: u32,
    /// Until when it must be up, counted from the wish.
    start_by: Option<Mono>,
    exit_status: u8,
    /// A signal told the supervisor to end; no request takes that back.
    terminated: bool,
}

impl Machine {
    pub(crate) fn new(policy: Policy) -> Machine {
        Machine {
            policy,
            wish: Wish::Up,
            phase: Phase::Idle,
            backoff: 0,
            spawns: 0,
            start_by: None,
            exit_status: 0,
            terminated: false,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn wish(&self) -> Wish {
        self.wish
    }

    pub(crate) fn backoff(&self) -> u32 {
        self.backoff
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.spawns.saturating_sub(1)
    }

    /// The program's process, alive or not yet reaped.
    pub(crate) fn program(&self) -> Option<Pid> {
        match self.phase {
            Phase::Executing { pid, .. }
            | Phase::Running { pid, .. }
            | Phase::Stopping { pid, .. } => Some(pid),
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Clearing { .. }
            | Phase::Finished => None,
        }
    }

    /// When `Deadline` is due, if ever.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let phase = match self.phase {
            Phase::BackingOff { until } => Some(until),
            Phase::Running { up: Up::Settling { at }, .. } => Some(at),
            Phase::Stopping { kill_at, .. } | Phase::Clearing { kill_at, .. } => kill_at,
            Phase::Idle
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { up: Up::Testing | Up::Yes, .. }
            | Phase::Finished => None,
        };
        phase.into_iter().chain(self.late_at()).min()
    }

    /// A program that settles is not late: unless it ends, it is going to be up.
    fn late_at(&self) -> Option<Mono> {
        let settling = matches!(self.phase, Phase::Running { up: Up::Settling { .. }, .. });
        self.start_by.filter(|_| !settling)
    }

    pub(crate) fn step(&mut self, now: Mono, event: Event) -> Actions {
        let mut out = Actions::new();
        match event {
            Event::Begin => {
                self.start_by = Some(now.after(self.policy.start_timeout));
                self.spawn(&mut out);
            }
            Event::Adopt(pid) => {
                self.spawns += 1;
                self.run(pid, now, Up::Yes, &mut out);
            }
            Event::Inherit => {
                self.start_by = Some(now.after(self.policy.start_timeout));
                self.after_end(now, now, &mut out);
            }
            Event::Spawned(pid) => self.spawned(now, pid, &mut out),
            Event::SpawnFailed => {
                let wait = Duration::from_secs(self.policy.limit().into());
                self.after_end(now, now.after(wait), &mut out);
            }
            Event::Executed => self.executed(now, &mut out),
            Event::NotExecuted => {
                if let Phase::Executing { refused, .. } = &mut self.phase {
                    *refused = true;
                }
            }
            Event::Ended(ended) => self.ended(now, ended, &mut out),
            Event::Cleared => self.cleared(now, &mut out),
            Event::TestPassed => {
                if let Phase::Running { pid, since, up: Up::Testing } = self.phase {
                    self.run(pid, since, Up::Yes, &mut out);
                }
            }
            Event::Start => self.start(now, &mut out),
            Event::Stop => {
                let wish = if self.policy.hang_around { Wish::Down } else { Wish::Gone };
                self.stop(now, wish, Reply::SentTerm, Reply::AlreadyStopped, &mut out);
            }
            Event::Exit => {
                self.stop(now, Wish::Gone, Reply::WillExit, Reply::ExitingNow, &mut out);
            }
            Event::Restart => self.restart(now, &mut out),
            Event::Terminate(how) => self.terminate(now, how, &mut out),
            Event::Deadline => self.deadline_passed(now, &mut out),
        }
        out
    }

    fn spawn(&mut self, out: &mut Actions) {
        self.phase = Phase::Spawning;
        out.push(Action::Spawn);
    }

    fn spawned(&mut self, now: Mono, pid: Pid, out: &mut Actions) {
        self.phase = Phase::Executing { pid, since: now, refused: false };
        self.spawns += 1;
        // A stop that came between the decision and the fork.
        if self.wish != Wish::Up {
            self.terminate_program(now, pid, Signal::TERM, out);
        }
    }

    fn executed(&mut self, now: Mono, out: &mut Actions) {
        if let Phase::Executing { pid, since, refused: false } = self.phase {
            let up = if self.policy.tested {
                Up::Testing
            } else if self.policy.settle_time.is_zero() {
                Up::Yes
            } else {
                Up::Settling { at: now.after(self.policy.settle_time) }
            };
            self.run(pid, since, up, out);
        }
    }

    fn run(&mut self, pid: Pid, since: Mono, up: Up, out: &mut Actions) {
        self.phase = Phase::Running { pid, since, up };
        if up == Up::Yes {
            self.start_by = None;
            out.push(Action::Tell(Tell::Up(pid)));
        }
    }

    fn ended(&mut self, now: Mono, ended: Ended, out: &mut Actions) {
        match self.phase {
            Phase::Executing { pid, since, refused } => {
                if refused && self.spawns == 1 {
                    out.push(Action::Note(Note::ProgramEnded { pid, ended, exiting: true }));
                    self.fail(now, ended, out);
                } else {
                    self.ended_by_itself(now, pid, since, ended, out);
                }
            }
            Phase::Running { pid, since, .. } => self.ended_by_itself(now, pid, since, ended, out),
            Phase::Stopping { pid, .. } => {
                out.push(Action::Note(Note::ProgramStopped { pid, ended }));
                self.take_over_status(ended);
                self.after_end(now, now, out);
            }
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Clearing { .. }
            | Phase::Finished => {}
        }
    }

    fn ended_by_itself(
        &mut self,
        now: Mono,
        pid: Pid,
        since: Mono,
        ended: Ended,
        out: &mut Actions,
    ) {
        let listed = match ended {
            Ended::Exited(status) => self.policy.exit_codes.contains(&status),
            Ended::Signalled { .. } => self.policy.exit_codes.contains(&-1),
            Ended::Unknown => false,
        };
        out.push(Action::Note(Note::ProgramEnded { pid, ended, exiting: listed }));
        if listed {
            self.wish = Wish::Gone;
            self.exit_status = ended.shell_status();
            return self.finish(out);
        }
        let limit = self.policy.limit();
        if now.since(since) >= Duration::from_secs(limit.into()) {
            self.backoff = 0;
            return self.after_end(now, now, out);
        }
        self.backoff += 1;
        if self.backoff >= limit && !self.policy.forever {
            return self.give_up(now, ended, out);
        }
        self.backoff = self.backoff.min(limit);
        out.push(Action::Note(Note::BackingOff { seconds: self.backoff }));
        self.after_end(now, now.after(Duration::from_secs(self.backoff.into())), out);
    }

    fn give_up(&mut self, now: Mono, ended: Ended, out: &mut Actions) {
        out.push(Action::Note(Note::GaveUp));
        self.fail(now, ended, out);
    }

    fn fail(&mut self, now: Mono, ended: Ended, out: &mut Actions) {
        self.wish = Wish::Gone;
        // Nobody is told that it is late any more: it is not going to be up.
        self.start_by = None;
        self.exit_status = 1;
        if self.policy.attached {
            self.exit_status = ended.shell_status().max(1);
        }
        self.after_end(now, now, out);
    }

    /// In the foreground the program's own failure at the end of an orderly
    /// stop is passed on; its death by the very signal is not a failure.
    fn take_over_status(&mut self, ended: Ended) {
        if let (true, Wish::Gone, 0, Ended::Exited(_)) =
            (self.policy.attached, self.wish, self.exit_status, ended)
        {
            self.exit_status = ended.shell_status();
        }
    }

    fn after_end(&mut self, now: Mono, respawn_at: Mono, out: &mut Actions) {
        let grace = self.policy.stop_timeout.unwrap_or(STRAY_GRACE).min(STRAY_GRACE);
        self.phase = Phase::Clearing { kill_at: Some(now.after(grace)), respawn_at };
        out.push(Action::ClearStrays);
    }

    fn cleared(&mut self, now: Mono, out: &mut Actions) {
        let Phase::Clearing { respawn_at, .. } = self.phase else { return };
        match self.wish {
            Wish::Up => {
                out.push(Action::Tell(Tell::Down { for_good: false }));
                if self.start_by.is_none() {
                    self.start_by = Some(now.after(self.policy.start_timeout));
                }
                if respawn_at <= now {
                    self.spawn(out);
                } else {
                    self.phase = Phase::BackingOff { until: respawn_at };
                }
            }
            Wish::Down => self.become_idle(out),
            Wish::Gone => self.finish(out),
        }
    }

    fn become_idle(&mut self, out: &mut Actions) {
        self.phase = Phase::Idle;
        out.push(Action::Tell(Tell::Down { for_good: true }));
    }

    fn finish(&mut self, out: &mut Actions) {
        self.phase = Phase::Finished;
        self.start_by = None;
        out.push(Action::Finish(self.exit_status));
    }

    fn deadline_passed(&mut self, now: Mono, out: &mut Actions) {
        if self.late_at().is_some_and(|at| at <= now) {
            self.start_by = None;
            out.push(Action::Note(Note::StartTimedOut));
            out.push(Action::Tell(Tell::Late));
        }
        match self.phase {
            Phase::BackingOff { until } if until <= now => self.spawn(out),
            Phase::Running { pid, since, up: Up::Settling { at } } if at <= now => {
                self.run(pid, since, Up::Yes, out);
            }
            Phase::Stopping { pid, kill_at: Some(at) } if at <= now => {
                out.push(Action::Note(Note::StopTimedOut(pid)));
                out.push(Action::Kill(pid, Signal::KILL));
                let again = now.after(Duration::from_secs(self.policy.limit().into()));
                self.phase = Phase::Stopping { pid, kill_at: Some(again) };
            }
            Phase::Clearing { kill_at: Some(at), respawn_at } if at <= now => {
                self.strays_are_late(now, respawn_at, out);
            }
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Finished => {}
        }
    }

    /// Where nothing may be killed, a stop waits for what is left, and a
    /// respawn goes on beside it.
    fn strays_are_late(&mut self, now: Mono, respawn_at: Mono, out: &mut Actions) {
        if self.policy.stop_timeout.is_some() {
            let again = now.after(STRAY_KILL_INTERVAL);
            self.phase = Phase::Clearing { kill_at: Some(again), respawn_at };
            out.push(Action::Note(Note::StraysKilled));
            out.push(Action::KillStrays);
        } else if self.wish == Wish::Up {
            out.push(Action::Note(Note::StraysLeft));
            self.cleared(now, out);
        } else {
            out.push(Action::Note(Note::StraysAwaited));
            self.phase = Phase::Clearing { kill_at: None, respawn_at };
        }
    }
}
