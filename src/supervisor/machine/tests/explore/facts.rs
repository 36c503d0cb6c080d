//! What is so in the world around the machine, kept by its own book-keeping and
//! not by the machine's: which process lives since when, what it was asked,
//! what others wait for, what the last command was. And what can happen next.

use std::hash::Hash;

use super::super::*;
use super::Move;

/// All times are multiples of it.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// It is always now; what lies behind moves away from it.
pub(super) const NOW: Mono = Mono(Duration::from_secs(1000));

/// There are two numbers, so that a new process never has that of the last one.
pub(super) fn pid(number: u8) -> Pid {
    Pid::new(i32::from(number) + 1).expect("positive")
}

pub(super) fn ticks(length: Duration) -> u8 {
    u8::try_from(length.as_millis() / TICK.as_millis()).expect("short")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Exec {
    Pending,
    Works,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) exec: Exec,
    /// Ticks since its spawn, as far as they matter.
    pub(super) age: u8,
    /// Ticks since it was last asked to end.
    pub(super) asked: Option<u8>,
    pub(super) told_up: bool,
}

impl Process {
    pub(super) fn new(pid: Pid, exec: Exec) -> Process {
        Process { pid, exec, age: 0, asked: None, told_up: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    pub(super) forking: bool,
    pub(super) process: Option<Process>,
    pub(super) last_pid: u8,
    /// No, one, or more.
    pub(super) programs: u8,
    pub(super) strays: bool,
    /// Ticks since the strays were asked to end.
    pub(super) clearing: Option<u8>,
    pub(super) quick_deaths: u32,
    /// Ticks until the next spawn is allowed.
    pub(super) respawn_in: u8,
    /// Ticks since it was wanted or, later than that, was up.
    pub(super) not_up_for: u8,
    /// What the last command and the rules make of it.
    pub(super) wish: Wish,
    pub(super) terminated: bool,
    pub(super) exit_status: u8,
    /// Somebody waits for the program to be up, or to be gone.
    pub(super) for_up: bool,
    pub(super) for_down: bool,
    pub(super) finished: bool,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) machine: Machine,
    pub(super) facts: Facts,
}

impl State {
    pub(super) fn new(policy: &Policy) -> State {
        let facts = Facts {
            forking: false,
            process: None,
            last_pid: 0,
            programs: 0,
            strays: false,
            clearing: None,
            quick_deaths: 0,
            respawn_in: 0,
            not_up_for: 0,
            wish: Wish::Up,
            terminated: false,
            exit_status: 0,
            for_up: true,
            for_down: false,
            finished: false,
        };
        State { machine: Machine::new(policy.clone()), facts }
    }

    /// Equal for states from which the same can follow.
    pub(super) fn key(&self) -> impl Eq + Hash + use<> {
        let machine = &self.machine;
        // Only the first spawn is another than those that follow.
        let spawns = machine.spawns.min(2);
        let rules = (machine.wish, machine.phase, machine.backoff, spawns);
        (rules, machine.start_by, machine.exit_status, machine.terminated, self.facts)
    }

    /// What can happen: what others ask, what the processes do, time; and what
    /// cannot mean anything now.
    pub(super) fn moves(&self) -> Vec<Move> {
        let facts = &self.facts;
        let mut moves: Vec<Move> = [Event::Start, Event::Stop, Event::Restart, Event::Exit]
            .into_iter()
            .chain([TERMINATE, INTERRUPT])
            .chain(self.machine.policy.attached.then_some(FROM_TERMINAL))
            .map(Move::Tell)
            .collect();
        if facts.finished {
            return moves;
        }
        if facts.forking {
            let next = Event::Spawned(pid(1 - facts.last_pid));
            moves.extend([Move::Tell(next), Move::Tell(Event::SpawnFailed)]);
            return moves;
        }
        moves.extend([Move::Pass(1), Move::Pass(11)]);
        let due = self.machine.deadline().is_some_and(|at| at <= NOW);
        moves.push(if due { Move::Tell(Event::Deadline) } else { Move::Stale(Event::Deadline) });
        let cleared = Event::Cleared;
        let clearing = facts.clearing.is_some();
        moves.push(if clearing { Move::Tell(cleared) } else { Move::Stale(cleared) });
        self.process_moves(&mut moves);
        moves
    }

    fn process_moves(&self, moves: &mut Vec<Move>) {
        let exec = self.facts.process.map(|process| process.exec);
        let works = exec == Some(Exec::Works);
        let tested = self.machine.policy.tested && works;
        moves.push(if tested {
            Move::Tell(Event::TestPassed)
        } else {
            Move::Stale(Event::TestPassed)
        });
        match exec {
            Some(Exec::Pending) => {
                moves.extend([Event::Executed, Event::NotExecuted].map(Move::Tell));
            }
            Some(Exec::Refused) => {
                moves.push(Move::Stale(Event::Executed));
                return moves.push(Move::End(Ended::Exited(127), false));
            }
            None => return,
            Some(Exec::Works) => moves.push(Move::Stale(Event::Executed)),
        }
        let killed = killed_by(Signal::KILL);
        for ended in [Ended::Exited(0), Ended::Exited(1), killed, Ended::Unknown] {
            moves.extend([Move::End(ended, false), Move::End(ended, true)]);
        }
    }

    /// The same after so many ticks in which nothing happened.
    pub(super) fn later(&self, passed: u8) -> State {
        let State { mut machine, mut facts } = self.clone();
        let limit = machine.policy.limit();
        let length = TICK * u32::from(passed);
        let past = |since: Mono| {
            let oldest = Mono(NOW.0 - Duration::from_secs(limit.into()));
            Mono(since.0 - length).max(oldest)
        };
        // Overdue is as good as due.
        let next = |at: Mono| Mono(at.0 - length).max(NOW);
        machine.start_by = machine.start_by.map(next);
        machine.phase = match machine.phase {
            Phase::BackingOff { until } => Phase::BackingOff { until: next(until) },
            Phase::Executing { pid, since, refused } => {
                Phase::Executing { pid, since: past(since), refused }
            }
            Phase::Running { pid, since, up } => {
                let up =
                    if let Up::Settling { at } = up { Up::Settling { at: next(at) } } else { up };
                Phase::Running { pid, since: past(since), up }
            }
            Phase::Stopping { pid, kill_at } => Phase::Stopping { pid, kill_at: kill_at.map(next) },
            Phase::Clearing { kill_at, respawn_at } => {
                Phase::Clearing { kill_at: kill_at.map(next), respawn_at: next(respawn_at) }
            }
            phase @ (Phase::Idle | Phase::Spawning | Phase::Finished) => phase,
        };
        let timeout = machine.policy.stop_timeout.map_or(0, ticks);
        let grow = |age: u8, limit: u8| age.saturating_add(passed).min(limit);
        if let Some(process) = &mut facts.process {
            let quick = ticks(Duration::from_secs(limit.into()));
            process.age = grow(process.age, quick);
            process.asked = process.asked.map(|asked| grow(asked, timeout));
        }
        facts.clearing = facts.clearing.map(|asked| grow(asked, ticks(STRAY_GRACE)));
        facts.respawn_in = facts.respawn_in.saturating_sub(passed);
        facts.not_up_for = grow(facts.not_up_for, ticks(machine.policy.start_timeout));
        State { machine, facts }
    }
}
