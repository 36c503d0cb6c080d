//! What of a program is left when it has ended, or was never our child: its
//! strays, and the end of an adopted one. Carries out; the machine decides.

use std::os::fd::AsFd;

use super::core::{ADOPTED_CHECK, Core};
use super::machine::Phase;
use super::output::Output;
use super::stray;
use crate::messages::supervisor::{LogMessage, Stray};
use crate::procfs;
use crate::sys::clock;
use crate::sys::poll::{Watch, poll};
use crate::sys::process::{self, Reaped};
use crate::vocabulary::{Ended, Mono, Pid};

/// How often strays that are not our children are looked for while they are
/// being removed.
const STRAY_CHECK: std::time::Duration = std::time::Duration::from_millis(100);

impl Core {
    fn stray_origin(&self) -> stray::Origin<'_> {
        stray::Origin {
            supervisor: process::own_pid(),
            leader: self.program.leader,
            adopted: self.must_look_for_strays(),
            family: self.program.adopted.as_ref().map_or(&[], |adopted| &adopted.family),
            output: self.output.as_ref().and_then(Output::file_id),
            numbers: self.program.numbers,
        }
    }

    /// The family of a program that is not our child falls apart with its end,
    /// so it is remembered before.
    pub(super) fn remember_family(&mut self, program: Pid) {
        let Some(adopted) = &mut self.program.adopted else { return };
        let origin = stray::Origin {
            supervisor: program.get(),
            leader: Some(program),
            adopted: true,
            family: &[],
            output: None,
            numbers: stray::Numbers::default(),
        };
        adopted.family = stray::find(origin).iter().map(stray::Stray::identity).collect();
    }

    /// The end of a program that is not our child, which nobody else keeps for us
    /// to see: its number is free at once.
    pub(super) fn look_at_adopted(&mut self) {
        let adopted = self.program.adopted.as_ref().filter(|_| self.machine.program().is_some());
        let Some(end) = adopted.and_then(|adopted| adopted.end.as_ref()) else { return };
        let mut watches = [Watch::readable(end.as_fd())];
        let _ = poll(&mut watches, Some(std::time::Duration::ZERO));
        if watches.iter().any(Watch::is_ready) {
            self.program_ended(clock::monotonic(), Ended::Unknown);
        }
    }

    /// Whether strays may exist that do not become our children.
    pub(super) fn must_look_for_strays(&self) -> bool {
        (self.program.adopted.is_some() || !self.subreaper) && procfs::is_there()
    }

    /// Asks what the program left behind to end. A start test that is just
    /// being killed is waited for first: with it, nothing may be left.
    pub(super) fn clear_strays(&mut self, now: Mono) {
        if !matches!(self.machine.phase(), Phase::Clearing { .. }) {
            return;
        }
        let has_children = process::reap();
        if let Reaped::Child(pid, ended) = has_children {
            self.child_ended(now, pid, ended);
            return self.clear_strays(now);
        }
        let look = self.must_look_for_strays();
        if has_children == Reaped::NoChildren && !look {
            return self.cleared(now);
        }
        if self.killed_test.is_some() {
            return;
        }
        self.program.numbers = stray::Numbers::default();
        let found = stray::terminate(self.stray_origin());
        for (stray, sent) in &found {
            let (pid, name) = (stray.pid, stray.name());
            self.say(&LogMessage::Stray(match sent {
                Ok(()) => Stray::Terminated { pid, name },
                Err(error) => Stray::OutOfReach { pid, name, error },
            }));
        }
        if look && found.is_empty() && has_children == Reaped::NoChildren {
            return self.cleared(now);
        }
        self.check_at = look.then(|| now.after(STRAY_CHECK));
    }

    /// Whether anything lives that the program started. A start test that is
    /// just being killed is no such thing.
    pub(super) fn leaves_strays(&self) -> bool {
        loop {
            match process::reap() {
                Reaped::Child(..) => {}
                Reaped::NoChildren => return false,
                Reaped::NoneEnded => break,
            }
        }
        let test = self.recipe.test.as_ref().and_then(|test| test.leader).map(Pid::get);
        let is_left = |stray: &stray::Stray| stray.stat.map(|stat| stat.session) != test;
        !procfs::is_there() || stray::find(self.stray_origin()).iter().any(is_left)
    }

    /// One that outlives its first SIGKILL gets more, and is told of once.
    pub(super) fn kill_strays(&mut self) {
        for (stray, sent) in stray::kill(self.stray_origin()) {
            let (pid, name) = (stray.pid, stray.name());
            if self.program.killed.contains(&stray.identity()) {
                continue;
            }
            self.program.killed.push(stray.identity());
            let message = LogMessage::Stray(match &sent {
                Ok(()) => Stray::Killed { pid, name },
                Err(error) => Stray::OutOfReach { pid, name, error },
            });
            self.say(&message);
            self.tell_all(&message);
        }
        self.program.numbers.widen();
    }

    /// What no signal and no descriptor tells: the end of a program that is not
    /// our child, and of its strays.
    pub(super) fn check(&mut self, now: Mono) {
        if self.check_at.is_none_or(|at| now < at) {
            return;
        }
        self.check_at = None;
        if let Some(pid) = self.machine.program() {
            if self.program.adopted.as_ref().is_none_or(|adopted| adopted.end.is_some()) {
                return;
            }
            if self.is_still_the_program(pid) && process::is_alive(pid) {
                self.check_at = Some(now.after(ADOPTED_CHECK));
            } else {
                self.program_ended(now, Ended::Unknown);
            }
        } else if matches!(self.machine.phase(), Phase::Clearing { .. }) {
            if stray::find(self.stray_origin()).is_empty() {
                self.cleared(now);
            } else {
                self.check_at = Some(now.after(STRAY_CHECK));
            }
        }
    }
}
