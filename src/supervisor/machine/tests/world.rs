//! A driver in simulated time: carries the machine's actions out on programs
//! whose lives are written down beforehand, jumps to whatever is due next, and
//! records what was done when. Fails the test when an action is one that no
//! driver may ever be asked for.

use std::collections::VecDeque;

use super::*;

/// How one program is going to live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) exec: Exec,
    /// From its spawn to its end, if nobody signals it.
    pub(super) length: Option<Duration>,
    pub(super) end: Ended,
    /// From SIGTERM or SIGINT to its end; None is deaf.
    pub(super) obeys: Option<Duration>,
    /// How it ends when it obeys; None is by the signal.
    pub(super) obedient_end: Option<Ended>,
    pub(super) strays: Strays,
    /// What arrives between the wish to spawn it and the fork.
    pub(super) interrupted_by: [Option<Event>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exec {
    Works,
    Refused,
    Hangs,
    NoFork,
}

/// What a program leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strays {
    None,
    Obey(Duration),
    Deaf,
}

impl Life {
    /// Serves until it is told to end, and then does so by the signal, at once.
    pub(super) fn long() -> Life {
        Life {
            exec: Exec::Works,
            length: None,
            end: Ended::Exited(1),
            obeys: Some(Duration::ZERO),
            obedient_end: None,
            strays: Strays::None,
            interrupted_by: [None; 2],
        }
    }

    pub(super) fn of(seconds: f64, end: Ended) -> Life {
        Life { length: Some(secs(seconds)), end, ..Life::long() }
    }

    pub(super) fn crash() -> Life {
        Life::of(0.0, Ended::Exited(1))
    }

    pub(super) fn deaf() -> Life {
        Life { obeys: None, ..Life::long() }
    }

    pub(super) fn obeying_after(seconds: f64) -> Life {
        Life { obeys: Some(secs(seconds)), ..Life::long() }
    }

    pub(super) fn leaving(self, strays: Strays) -> Life {
        Life { strays, ..self }
    }
}

#[derive(Debug)]
pub(super) struct Program {
    pid: Pid,
    life: Life,
    ends_at: Option<Mono>,
    how: Ended,
}

/// An event that the machine was given, and what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) event: Event,
    /// How many actions of the log were asked for.
    pub(super) actions: usize,
    pub(super) wish: Wish,
}

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Mono,
    pub(super) program: Option<Program>,
    /// How many there were.
    pub(super) programs: u32,
    pub(super) strays: Strays,
    pub(super) told: Vec<Told>,
    pub(super) log: Vec<(Mono, Action)>,
    /// How much too late the driver wakes up each time.
    pub(super) lag: Duration,
    /// One life a spawn; the last one repeats.
    lives: Vec<Life>,
    spawns: usize,
    strays_gone_at: Option<Mono>,
    pub(super) finished: bool,
}

impl World {
    /// Nothing has happened yet.
    pub(super) fn new(policy: Policy, lives: &[Life]) -> World {
        World {
            machine: Machine::new(policy),
            now: Mono(Duration::ZERO),
            program: None,
            programs: 0,
            strays: Strays::None,
            told: Vec::new(),
            log: Vec::new(),
            lag: Duration::ZERO,
            lives: lives.to_vec(),
            spawns: 0,
            strays_gone_at: None,
            finished: false,
        }
    }

    pub(super) fn begin(policy: Policy, lives: &[Life]) -> World {
        let mut world = World::new(policy, lives);
        world.tell(Event::Begin);
        world
    }

    /// A program that was there before the supervisor.
    pub(super) fn adopt(&mut self, life: Life) -> Vec<Action> {
        let pid = Pid::new(9_999).expect("positive");
        let ends_at = life.length.map(|length| self.now.after(length));
        self.program = Some(Program { pid, life, ends_at, how: life.end });
        self.programs += 1;
        self.tell(Event::Adopt(pid))
    }

    /// Gives the machine an event, and the results of its actions; every action
    /// that this led to.
    pub(super) fn tell(&mut self, event: Event) -> Vec<Action> {
        let before = self.log.len();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let early = event == Event::Deadline
                && self.machine.deadline().is_none_or(|deadline| deadline > self.now);
            let actions: Vec<Action> = self.machine.step(self.now, event).into_iter().collect();
            assert!(!early || actions.is_empty(), "a deadline told too early led to {actions:?}");
            let wish = self.machine.wish();
            self.told.push(Told { event, actions: actions.len(), wish });
            for action in actions {
                self.carry_out(action, &mut events);
            }
        }
        let alive = self.program.as_ref().map(|program| program.pid);
        assert_eq!(self.machine.program(), alive, "after {event:?}");
        self.log.iter().skip(before).map(|(_, action)| *action).collect()
    }

    fn carry_out(&mut self, action: Action, events: &mut VecDeque<Event>) {
        let harmless = matches!(action, Action::Reply(_) | Action::Note(_));
        assert!(harmless || !self.finished, "{action:?} after the end");
        self.log.push((self.now, action));
        match action {
            Action::Spawn => self.spawn(events),
            Action::Kill(pid, signal) => self.kill(pid, signal),
            Action::ClearStrays => {
                assert!(self.program.is_none(), "the strays' parent is alive");
                self.strays_gone_at = match self.strays {
                    Strays::None => Some(self.now),
                    Strays::Obey(delay) => Some(self.now.after(delay)),
                    Strays::Deaf => None,
                };
            }
            Action::KillStrays => self.strays_gone_at = Some(self.now),
            Action::Finish(_) => {
                assert!(self.program.is_none(), "the supervisor leaves the program alone");
                self.finished = true;
            }
            Action::Tell(Tell::Up(pid)) => {
                assert_eq!(self.program.as_ref().map(|program| program.pid), Some(pid));
            }
            Action::Reply(_) | Action::Tell(Tell::Down { .. } | Tell::Late) | Action::Note(_) => {}
        }
    }

    fn spawn(&mut self, events: &mut VecDeque<Event>) {
        assert!(self.program.is_none(), "a second program");
        let life = self.lives[self.spawns.min(self.lives.len() - 1)];
        self.spawns += 1;
        events.extend(life.interrupted_by.into_iter().flatten());
        if life.exec == Exec::NoFork {
            return events.push_back(Event::SpawnFailed);
        }
        let number = i32::try_from(self.spawns).expect("few spawns");
        let pid = Pid::new(number).expect("positive");
        let mut program = Program { pid, life, ends_at: None, how: life.end };
        program.ends_at = life.length.map(|length| self.now.after(length));
        events.push_back(Event::Spawned(pid));
        match life.exec {
            Exec::Works => events.push_back(Event::Executed),
            Exec::Refused => {
                program.ends_at = Some(self.now);
                program.how = Ended::Exited(127);
                events.push_back(Event::NotExecuted);
            }
            Exec::Hangs | Exec::NoFork => {}
        }
        self.program = Some(program);
        self.programs += 1;
    }

    fn kill(&mut self, pid: Pid, signal: Signal) {
        let program = self.program.as_mut().expect("a signal to a process that is gone");
        assert_eq!(program.pid, pid, "a signal to another process");
        let deadly = Ended::Signalled { signal, core: false };
        let (delay, how) = if signal == Signal::KILL {
            (Some(Duration::ZERO), deadly)
        } else {
            (program.life.obeys, program.life.obedient_end.unwrap_or(deadly))
        };
        let Some(at) = delay.map(|delay| self.now.after(delay)) else { return };
        if program.ends_at.is_none_or(|ends_at| at < ends_at) {
            program.ends_at = Some(at);
            program.how = how;
        }
    }

    /// The program ends now, by itself or by a stranger's hand.
    pub(super) fn end_program(&mut self, how: Ended) -> Vec<Action> {
        let program = self.program.take().expect("a program");
        self.strays = self.strays.max(program.life.strays);
        self.tell(Event::Ended(how))
    }

    /// A deaf program hears after all, a second from now.
    pub(super) fn heal_program(&mut self) {
        if let Some(program) = &mut self.program {
            program.ends_at = Some(self.now.after(secs(1.0)));
        }
    }

    /// Deaf strays hear after all, those that are there and those to come.
    pub(super) fn heal_strays(&mut self) {
        if let Some(program) = &mut self.program {
            program.life.strays = Strays::None;
        }
        if self.strays != Strays::None {
            self.strays = Strays::Obey(secs(1.0));
            self.strays_gone_at = Some(self.now.after(secs(1.0)));
        }
    }

    fn next(&self) -> Option<Mono> {
        if self.finished {
            return None;
        }
        let end = self.program.as_ref().and_then(|program| program.ends_at);
        [end, self.strays_gone_at, self.machine.deadline()].into_iter().flatten().min()
    }

    /// Lets everything happen that is due until then.
    pub(super) fn until(&mut self, seconds: f64) {
        let until = Mono(secs(seconds));
        let mut turns = 0;
        while let Some(due) = self.next().filter(|due| *due <= until) {
            if due > self.now {
                self.now = due.after(self.lag);
                turns = 0;
            }
            turns += 1;
            assert!(turns < 20, "the driver is kept busy");
            self.turn();
        }
        self.now = self.now.max(until);
    }

    /// The driver's order: ends first, deadlines last.
    fn turn(&mut self) {
        let ended = self.program.as_ref().filter(|p| p.ends_at.is_some_and(|at| at <= self.now));
        if let Some(how) = ended.map(|program| program.how) {
            self.end_program(how);
        } else if self.strays_gone_at.is_some_and(|at| at <= self.now) {
            self.strays_gone_at = None;
            self.strays = Strays::None;
            self.tell(Event::Cleared);
        } else {
            self.tell(Event::Deadline);
            let next = self.machine.deadline();
            assert!(next.is_none_or(|at| at > self.now), "overdue after the deadline was told");
        }
    }

    /// At which seconds each action was asked for that `wanted` picks.
    pub(super) fn times(&self, wanted: impl Fn(Action) -> bool) -> Vec<f64> {
        let picked = self.log.iter().filter(|(_, action)| wanted(*action));
        picked.map(|(at, _)| at.0.as_secs_f64()).collect()
    }

    pub(super) fn times_of(&self, wanted: Action) -> Vec<f64> {
        self.times(|action| action == wanted)
    }

    pub(super) fn spawns(&self) -> Vec<f64> {
        self.times_of(Action::Spawn)
    }

    pub(super) fn kills(&self, signal: Signal) -> Vec<f64> {
        self.times(|action| matches!(action, Action::Kill(_, sent) if sent == signal))
    }

    /// When the supervisor ended, and its exit status.
    pub(super) fn finish(&self) -> Option<(f64, u8)> {
        let (at, action) = self.log.last()?;
        if let Action::Finish(status) = *action {
            return Some((at.0.as_secs_f64(), status));
        }
        None
    }
}
