//! Random settings, programs, requests and waits: whatever happens, what the
//! supervisor promises holds. The walks are the same in every run.

use super::*;

const WALKS: u64 = 20_000;
const MOVES: u32 = 40;

/// No list of actions may come near to what the list can hold.
const MOST_ACTIONS: usize = 6;

/// xorshift64
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn once_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let bound = u64::try_from(from.len()).expect("small");
        from[usize::try_from(self.below(bound)).expect("small")]
    }

    fn length(&mut self) -> Duration {
        secs(self.pick(&[0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.5, 6.0, 11.0]))
    }

    fn end(&mut self) -> Ended {
        let signalled = killed_by(Signal::KILL);
        self.pick(&[
            Ended::Exited(0),
            Ended::Exited(1),
            Ended::Exited(1),
            signalled,
            Ended::Unknown,
        ])
    }

    fn request(&mut self) -> Event {
        let frequent = [Event::Start, Event::Stop, Event::Restart];
        let rare = [Event::Exit, TERMINATE, INTERRUPT, FROM_TERMINAL];
        if self.once_in(6) { self.pick(&rare) } else { self.pick(&frequent) }
    }

    fn policy(&mut self) -> Policy {
        Policy {
            backoff_limit: self.pick(&[0, 1, 2, 3, 10]),
            forever: self.once_in(2),
            exit_codes: self.pick(&[&[][..], &[0, 2], &[-1]]).to_vec(),
            stop_timeout: self.pick(&[None, Some(0.5), Some(3.0), Some(8.0)]).map(secs),
            start_timeout: secs(self.pick(&[0.5, 1.0, 4.0, 30.0])),
            settle_time: secs(self.pick(&[0.0, 0.4, 1.0, 5.0])),
            hang_around: self.once_in(2),
            tested: self.once_in(3),
            attached: self.once_in(3),
        }
    }

    fn life(&mut self) -> Life {
        let usual = Exec::Works;
        Life {
            exec: self.pick(&[
                usual,
                usual,
                usual,
                usual,
                Exec::Hangs,
                Exec::Refused,
                Exec::NoFork,
            ]),
            length: self.once_in(2).then(|| self.length()),
            end: self.end(),
            obeys: (!self.once_in(3)).then(|| self.length()),
            obedient_end: self.once_in(2).then(|| self.end()),
            strays: match self.below(4) {
                0 => Strays::Deaf,
                1 => Strays::Obey(self.length()),
                _ => Strays::None,
            },
            interrupted_by: [(); 2].map(|()| self.once_in(8).then(|| self.request())),
        }
    }
}

/// What the last request and the rules make of the wish.
#[derive(Debug, Clone, Copy)]
struct Expected {
    wish: Wish,
    terminated: bool,
    hang_around: bool,
}

impl Expected {
    fn after(self, event: Event, actions: &[Action]) -> Expected {
        let ended_for_good = actions.iter().any(|action| {
            let Action::Note(note) = action else { return false };
            *note == Note::GaveUp || matches!(note, Note::ProgramEnded { exiting: true, .. })
        });
        let stopped = if self.hang_around { Wish::Down } else { Wish::Gone };
        let wish = match event {
            Event::Start | Event::Restart if !self.terminated => Wish::Up,
            Event::Stop if self.wish != Wish::Gone => stopped,
            Event::Exit | Event::Terminate(_) => Wish::Gone,
            Event::Ended(_) if ended_for_good => Wish::Gone,
            Event::Start
            | Event::Stop
            | Event::Restart
            | Event::Begin
            | Event::Adopt(_)
            | Event::Inherit
            | Event::Spawned(_)
            | Event::SpawnFailed
            | Event::Executed
            | Event::NotExecuted
            | Event::Ended(_)
            | Event::Cleared
            | Event::TestPassed
            | Event::Deadline => self.wish,
        };
        let terminated = self.terminated || matches!(event, Event::Terminate(_));
        Expected { wish, terminated, ..self }
    }
}

fn is_request(event: Event) -> bool {
    matches!(event, Event::Start | Event::Stop | Event::Restart | Event::Exit)
}

struct Walk {
    dice: Dice,
    policy: Policy,
    world: World,
    expected: Expected,
    /// How much of the world's records has been looked at.
    told: usize,
    logged: usize,
    last_up: Option<Pid>,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut dice = Dice::new(seed);
        let policy = dice.policy();
        let lives: Vec<Life> = (0..6).map(|_| dice.life()).collect();
        let mut world = World::new(policy.clone(), &lives);
        if dice.once_in(3) {
            world.lag = dice.length();
        }
        let hang_around = policy.hang_around;
        let expected = Expected { wish: Wish::Up, terminated: false, hang_around };
        Walk { dice, policy, world, expected, told: 0, logged: 0, last_up: None }
    }

    fn begin(&mut self) {
        if self.dice.once_in(8) {
            let life = Life { exec: Exec::Works, ..self.dice.life() };
            self.world.adopt(life);
        } else {
            self.world.tell(Event::Begin);
        }
        self.look();
    }

    fn wait(&mut self, length: Duration) {
        let until = self.world.now.after(length);
        self.world.until(until.0.as_secs_f64());
    }

    fn advance(&mut self) {
        match self.dice.below(20) {
            0..=9 => {
                let length = self.dice.length();
                self.wait(length);
            }
            10..=14 => {
                let request = self.dice.request();
                self.world.tell(request);
            }
            15 => {
                self.world.tell(Event::TestPassed);
            }
            16 => {
                self.world.tell(Event::Deadline);
            }
            17 => {
                self.world.tell(Event::Executed);
            }
            18 if self.world.strays == Strays::None => {
                self.world.tell(Event::Cleared);
            }
            _ => {
                if self.world.program.is_some() {
                    let how = self.dice.end();
                    self.world.end_program(how);
                }
            }
        }
        self.look();
    }

    /// Checks what has been recorded since the last look.
    fn look(&mut self) {
        while let Some(told) = self.world.told.get(self.told).copied() {
            let end = self.logged + told.actions;
            let actions: Vec<Action> =
                self.world.log[self.logged..end].iter().map(|(_, action)| *action).collect();
            self.told += 1;
            self.logged = end;
            self.expected = self.expected.after(told.event, &actions);
            assert_eq!(told.wish, self.expected.wish, "after {:?}", told.event);
            self.check_actions(told.event, told.wish, &actions);
        }
        assert_eq!(self.logged, self.world.log.len(), "actions that no event led to");
        self.check_machine();
    }

    fn check_actions(&mut self, event: Event, wish: Wish, actions: &[Action]) {
        assert!(actions.len() <= MOST_ACTIONS, "{event:?}: {actions:?}");
        let replies = actions.iter().filter(|action| matches!(action, Action::Reply(_))).count();
        assert_eq!(replies, usize::from(is_request(event)), "{event:?}: {actions:?}");
        let spawns = actions.iter().filter(|action| **action == Action::Spawn).count();
        assert!(spawns == 0 || wish == Wish::Up, "{event:?}: spawns, but wishes {wish:?}");
        let down = Action::Tell(Tell::Down { for_good: true });
        assert!(spawns == 0 || !actions.contains(&down), "{event:?}: {actions:?}");
        for action in actions {
            if let Action::Tell(Tell::Up(pid)) = *action {
                assert_ne!(self.last_up, Some(pid), "up twice");
                self.last_up = Some(pid);
            }
        }
        if let Some(at) = actions.iter().position(|a| matches!(a, Action::Finish(_))) {
            assert_eq!(at + 1, actions.len(), "{event:?}: {actions:?}");
            // It ended as it should: what it left behind may be its purpose.
            let leaves_alone = matches!(event, Event::Ended(_));
            assert!(leaves_alone || self.world.strays == Strays::None, "strays are left behind");
        }
    }

    fn check_machine(&self) {
        let machine = &self.world.machine;
        let limit = self.policy.limit();
        assert!(machine.backoff() <= limit);
        assert_eq!(machine.restarts(), self.world.programs.saturating_sub(1));
        let longest = [
            Duration::from_secs(limit.into()),
            self.policy.start_timeout,
            self.policy.settle_time,
            self.policy.stop_timeout.unwrap_or_default(),
            STRAY_GRACE,
        ];
        let longest = longest.into_iter().max().expect("not empty");
        let horizon = self.world.now.after(longest);
        assert!(machine.deadline().is_none_or(|at| at <= horizon), "a deadline that is far off");
        if self.world.finished {
            assert_eq!((machine.phase(), machine.deadline()), (Phase::Finished, None));
        }
        let spawning = machine.phase() == Phase::Spawning;
        assert!(!spawning, "the driver has said how the spawn went");
    }

    /// However it got there: a start leads to a spawn once the program can die.
    fn start(&mut self) {
        let stopping = matches!(self.world.machine.phase(), Phase::Stopping { .. });
        let spawns = self.world.spawns().len();
        self.world.tell(Event::Start);
        self.look();
        if stopping && self.policy.stop_timeout.is_none() {
            self.world.heal_program();
        }
        self.wait(secs(200.0));
        self.look();
        let runs = self.world.program.is_some() || self.world.spawns().len() > spawns;
        assert!(runs || self.expected.terminated || self.world.finished, "a start without effect");
    }

    /// However it got there: a stop is done once the program can die.
    fn stop(&mut self) {
        let last = self.dice.pick(&[Event::Stop, Event::Exit, TERMINATE]);
        self.world.tell(last);
        self.look();
        if self.policy.stop_timeout.is_none() {
            self.world.heal_program();
            self.world.heal_strays();
        }
        self.wait(secs(200.0));
        self.look();
        let (phase, wish) = (self.world.machine.phase(), self.world.machine.wish());
        let idle = phase == Phase::Idle && wish == Wish::Down;
        assert!(self.world.finished || idle, "{phase:?} after a stop");
        assert_eq!(self.world.machine.deadline(), None);
        for event in [Event::Deadline, Event::Cleared, Event::Executed, Event::TestPassed] {
            assert_eq!(self.world.tell(event), [], "{event:?}");
        }
    }
}

fn walk(seed: u64) {
    let mut walk = Walk::new(seed);
    walk.begin();
    for _ in 0..MOVES {
        if walk.world.finished {
            break;
        }
        walk.advance();
    }
    if !walk.world.finished && walk.dice.once_in(4) {
        walk.start();
    }
    walk.stop();
}

#[test]
fn whatever_happens_there_is_one_program_at_most_and_every_stop_ends() {
    for seed in 1..=WALKS {
        let held = std::panic::catch_unwind(|| walk(seed));
        assert!(held.is_ok(), "walk {seed}; why is said above");
    }
}
