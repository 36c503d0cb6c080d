//! The supervisor's loop. Its order is fixed: wait; read the clock; see that our
//! files are there; take the signals; reap all children; output; control socket;
//! deadlines. Reaping comes before anything that signals, so that a number we
//! signal is never somebody else's. While nothing happens it makes no system call.

use std::os::fd::AsFd;
use std::time::Duration;

use super::control::{Control, SEATS};
use super::core::Core;
use super::machine::Event;
use super::outbox::Waiting;
use super::output::Output;
use crate::instance::Survivor;
use crate::launch::Purpose;
use crate::protocol::Outcome;
use crate::sys::poll::{Watch, poll};
use crate::sys::signal::{Caught, SelfPipe};
use crate::sys::{clock, heap, stack};
use crate::vocabulary::{Mono, Signal};

/// Signals, output, exec outcome and end of an adopted program stand before
/// the listener and the seats.
const OWN_WATCHES: usize = 4;
const ALL_WATCHES: usize = OWN_WATCHES + 1 + SEATS;

pub(super) struct Supervisor {
    pub(super) core: Box<Core>,
    pub(super) control: Control,
    pub(super) signals: SelfPipe,
    /// It has once had nothing to wait for but events.
    pub(super) settled: bool,
}

impl Supervisor {
    /// Runs to the end; the exit status of the supervisor.
    pub(super) fn run(mut self: Box<Self>, survivor: Survivor, purpose: Purpose) -> u8 {
        self.core.allocations_before = heap::allocations();
        let mut now = clock::monotonic();
        self.core.audience = self.control.anyone_waits(Waiting::ForUp);
        match (survivor, purpose) {
            (Survivor::Program(pid), _) => self.core.adopt(now, pid),
            (Survivor::Strays(leader), _) => self.core.inherit_strays(now, leader),
            (Survivor::None | Survivor::Doubtful(_), Purpose::Run) => {
                self.core.step(now, Event::Begin);
            }
            (Survivor::None | Survivor::Doubtful(_), Purpose::Stop) => {}
        }
        if purpose == Purpose::Stop {
            self.core.step(now, Event::Stop);
            self.core.reply = None;
        }
        loop {
            self.announce(now);
            if let Some(status) = self.core.finished {
                return self.finish(now, status);
            }
            now = self.turn();
        }
    }

    /// Waits for something to happen and sees to it; when that was. It sleeps on this
    /// frame, so neither it nor the larger ones below are inlined: what they need of
    /// the stack is not kept while nothing happens.
    #[inline(never)]
    fn turn(&mut self) -> Mono {
        let mut watches = [Watch::IDLE; ALL_WATCHES];
        self.watch(&mut watches);
        let timeout = match self.deadline() {
            _ if self.signals.is_pending() => Some(Duration::ZERO),
            deadline => deadline.map(|deadline| deadline.since(clock::monotonic())),
        };
        if timeout.is_none() && !std::mem::replace(&mut self.settled, true) {
            stack::give_back();
        }
        let polled = poll(&mut watches, timeout);
        let now = clock::monotonic();
        if polled.is_err() {
            return now;
        }
        let [signals, output, exec, adopted, clients @ ..] = &watches;
        if signals.is_ready() {
            self.signals.empty();
        }
        // Not for every line of a program that talks much.
        let is_due = self.core.machine.deadline().is_some_and(|at| at <= now);
        if is_due || signals.is_ready() || clients.iter().any(Watch::is_ready) {
            self.keep_files();
        }
        self.take_signals(now);
        if exec.is_ready() {
            self.core.look_at_exec(now);
        }
        if adopted.is_ready() {
            self.core.look_at_adopted();
        }
        if output.is_ready() || self.core.is_output_due(now) {
            self.core.copy_output(Some(now));
        }
        self.control.serve(now, clients, &mut *self.core);
        self.pass_deadlines(now);
        now
    }

    #[inline(never)]
    fn keep_files(&mut self) {
        if let Some(listener) = self.core.keep_files() {
            self.control.listen_on(listener);
        }
    }

    fn watch(&self, watches: &mut [Watch; ALL_WATCHES]) {
        let [signals, output, exec, adopted, clients @ ..] = watches;
        *signals = Watch::readable(self.signals.fd());
        if let Some(captured) = self.core.output.as_ref().filter(|output| output.is_watching()) {
            *output = Watch::readable(captured.reader());
        }
        if let Some(outcome) = &self.core.program.exec {
            *exec = Watch::readable(outcome.fd());
        }
        if self.core.machine.program().is_some() {
            if let Some(end) = self.core.program.adopted.as_ref().and_then(|a| a.end.as_ref()) {
                *adopted = Watch::readable(end.as_fd());
            }
        }
        self.control.watch(clients);
    }

    #[inline(never)]
    fn deadline(&self) -> Option<Mono> {
        let core = &self.core;
        let output = core.output.as_ref().and_then(Output::deadline);
        let rules = [core.machine.deadline(), core.readiness.deadline(), core.check_at];
        rules.into_iter().chain([self.control.deadline(), output]).flatten().min()
    }

    #[inline(never)]
    fn take_signals(&mut self, now: Mono) {
        let none = Caught { signal: Signal(0), from_terminal: false };
        let mut caught = [none; 8];
        let mut count = 0;
        for (place, signal) in caught.iter_mut().zip(self.signals.take()) {
            *place = signal;
            count += 1;
        }
        let caught = caught.get(..count).unwrap_or(&[]);
        // What the terminal has sent to the program too is not sent on, so it need
        // not wait for the reaping; and the program may have ended of it already,
        // which is then no end of its own.
        self.pass_on(now, caught, true);
        if caught.iter().any(|caught| caught.signal == Signal::CHLD) {
            self.core.reap(now);
        }
        self.pass_on(now, caught, false);
    }

    fn pass_on(&mut self, now: Mono, caught: &[Caught], delivered: bool) {
        for caught in caught.iter().filter(|caught| caught.signal != Signal::CHLD) {
            if self.core.is_delivered(*caught) == delivered {
                self.core.signalled(now, *caught);
            }
        }
    }

    fn pass_deadlines(&mut self, now: Mono) {
        self.core.check(now);
        self.core.run_due_test(now);
        if self.core.machine.deadline().is_some_and(|at| at <= now) {
            self.core.step(now, Event::Deadline);
        }
    }

    /// Passes on to waiting clients what the last turn brought.
    fn announce(&mut self, now: Mono) {
        self.control.announce(now, &mut *self.core);
        self.core.audience = self.control.anyone_waits(Waiting::ForUp);
    }

    fn finish(mut self: Box<Self>, now: Mono, status: u8) -> u8 {
        self.core.finish();
        self.announce(now);
        self.control.tell_last(Waiting::ForUp, Outcome::Gone(status));
        self.control.tell_last(Waiting::ForDown, Outcome::Down);
        // The connections close with the process: their end tells that it is gone.
        std::mem::forget(self);
        status
    }
}
