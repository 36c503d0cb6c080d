//! What must hold at every step and in every state, whatever happened before.
//! Each rule has a name, which is the first thing said when it is broken.

use super::super::*;
use super::Move;
use super::facts::{Exec, Facts, NOW, Process, State, TICK, pid, ticks};

macro_rules! rule {
    ($name:literal, $holds:expr) => {
        if !$holds {
            return Err(concat!("\"", $name, "\" is broken: ", stringify!($holds)).to_string());
        }
    };
}

/// One move, with all rules checked.
pub(super) fn step(before: &State, by: Move) -> Result<State, String> {
    let event = match by {
        Move::Pass(passed) => return Ok(before.later(passed)),
        Move::Tell(event) | Move::Stale(event) => event,
        Move::End(ended, _) => Event::Ended(ended),
    };
    let mut machine = before.machine.clone();
    let actions: Vec<Action> = machine.step(NOW, event).into_iter().collect();
    let mut after = State { machine, facts: before.facts };
    if let Move::Stale(_) = by {
        rule!("what comes too early or late changes nothing", actions.is_empty());
        rule!("what comes too early or late changes nothing", after.key() == before.key());
        return Ok(after);
    }
    let told = |why: String| format!("{why}; actions {actions:?}; {:?}", after.machine.phase());
    check_list(event, &actions).map_err(told)?;
    let mut facts = before.facts;
    let policy = &before.machine.policy;
    facts.happened(by, policy, &actions)?;
    for action in &actions {
        facts.done(*action, event, policy).map_err(told)?;
    }
    if facts.waits_from_now(event, &after.machine) {
        facts.for_up = true;
    }
    check_state(&after.machine, &facts).map_err(told)?;
    let late = |at: Mono| at > NOW;
    rule!("a deadline that was told is over", {
        event != Event::Deadline || after.machine.deadline().is_none_or(late)
    });
    after.facts = facts;
    Ok(after)
}

fn is_request(event: Event) -> bool {
    matches!(event, Event::Start | Event::Stop | Event::Restart | Event::Exit)
}

fn check_list(event: Event, actions: &[Action]) -> Result<(), String> {
    let replies = actions.iter().filter(|action| matches!(action, Action::Reply(_))).count();
    rule!("each request has one reply", replies == usize::from(is_request(event)));
    let end = actions.iter().position(|action| matches!(action, Action::Finish(_)));
    rule!("nothing is done after the end", end.is_none_or(|at| at + 1 == actions.len()));
    Ok(())
}

impl Facts {
    /// What the event itself changes.
    fn happened(&mut self, by: Move, policy: &Policy, actions: &[Action]) -> Result<(), String> {
        let event = match by {
            Move::End(ended, leaves) => {
                self.strays |= leaves;
                return self.ended(ended, policy, actions);
            }
            Move::Tell(event) | Move::Stale(event) => event,
            Move::Pass(_) => return Ok(()),
        };
        match event {
            Event::Begin | Event::Ended(_) | Event::TestPassed | Event::Deadline => {}
            Event::Inherit => self.strays = true,
            Event::Adopt(pid) => {
                self.programs = 1;
                self.process = Some(Process::new(pid, Exec::Works));
            }
            Event::Spawned(new) => {
                self.forking = false;
                self.last_pid = u8::from(new == pid(1));
                self.programs = self.programs.saturating_add(1).min(2);
                self.process = Some(Process::new(new, Exec::Pending));
            }
            Event::SpawnFailed => {
                self.forking = false;
                self.respawn_in = ticks(Duration::from_secs(policy.limit().into()));
            }
            Event::Executed => self.exec(Exec::Works),
            Event::NotExecuted => self.exec(Exec::Refused),
            Event::Cleared => {
                self.strays = false;
                self.clearing = None;
            }
            Event::Start | Event::Restart => self.asked_for(Wish::Up),
            Event::Stop if policy.hang_around => self.asked_for(Wish::Down),
            Event::Stop | Event::Exit => self.asked_for(Wish::Gone),
            Event::Terminate(how) => {
                self.wish = Wish::Gone;
                self.terminated = true;
                if let Some(process) = &mut self.process {
                    // The terminal has asked it.
                    process.asked = process.asked.or(how.delivered.then_some(0));
                }
            }
        }
        Ok(())
    }

    fn exec(&mut self, exec: Exec) {
        if let Some(process) = &mut self.process {
            process.exec = exec;
        }
    }

    /// "Desired state always reflects the last start, stop, restart command";
    /// but who was told to end, ends.
    fn asked_for(&mut self, wish: Wish) {
        let up = wish == Wish::Up;
        if up && (self.terminated || self.finished) {
            return;
        }
        if up && self.wish != Wish::Up {
            self.not_up_for = 0;
        }
        if up || self.wish != Wish::Gone {
            self.wish = wish;
        }
        self.quick_deaths = 0;
        if up {
            self.exit_status = 0;
            self.respawn_in = 0;
        } else if !self.forking {
            self.for_down = true;
        }
    }

    /// "exit-codes first", then the governor.
    fn ended(&mut self, ended: Ended, policy: &Policy, actions: &[Action]) -> Result<(), String> {
        let Some(process) = self.process.take() else { return Ok(()) };
        self.for_down = true;
        self.respawn_in = 0;
        if process.told_up {
            self.not_up_for = 0;
        }
        if process.asked.is_some() {
            return Ok(());
        }
        let listed = match ended {
            Ended::Exited(status) => policy.exit_codes.contains(&status),
            Ended::Signalled { .. } => policy.exit_codes.contains(&-1),
            Ended::Unknown => false,
        };
        let finishes = actions.iter().any(|action| matches!(action, Action::Finish(_)));
        rule!("a listed exit status, and no other, ends the supervisor", listed == finishes);
        let gave_up = actions.contains(&Action::Note(Note::GaveUp));
        let first_refused = process.exec == Exec::Refused && self.programs == 1;
        if listed {
            self.wish = Wish::Gone;
            self.exit_status = ended.shell_status();
            return Ok(());
        }
        let limit = policy.limit();
        let quick = process.age < ticks(Duration::from_secs(limit.into()));
        self.quick_deaths = if !quick {
            0
        } else if first_refused {
            self.quick_deaths
        } else {
            self.quick_deaths + 1
        };
        let too_many = quick && self.quick_deaths >= limit && !policy.forever;
        rule!("so many quick deaths are too many, and no fewer", too_many == gave_up);
        if too_many || first_refused {
            self.wish = Wish::Gone;
            self.exit_status = 1;
            return Ok(());
        }
        self.quick_deaths = self.quick_deaths.min(limit);
        self.respawn_in = ticks(Duration::from_secs(self.quick_deaths.into()));
        Ok(())
    }

    /// An action as the world takes it.
    fn done(&mut self, action: Action, event: Event, policy: &Policy) -> Result<(), String> {
        let harmless = matches!(action, Action::Reply(_) | Action::Note(_));
        rule!("nothing is done after the end", harmless || !self.finished);
        match action {
            Action::Spawn => {
                rule!("never two", self.process.is_none() && !self.forking);
                rule!("nothing is started against the wish", self.wish == Wish::Up);
                rule!("no respawn before its time", self.respawn_in == 0);
                let kept = !self.strays || policy.stop_timeout.is_none();
                rule!("no respawn beside strays", kept && self.clearing.is_none());
                rule!("who waits for the end is told", !self.for_down);
                self.forking = true;
            }
            Action::Kill(pid, signal) => {
                rule!("the terminal's signal is not sent again", event != FROM_TERMINAL);
                self.killed(pid, signal, policy)?;
            }
            Action::ClearStrays => {
                rule!("strays are cleared when the program is gone", self.process.is_none());
                self.clearing = Some(0);
            }
            Action::KillStrays => {
                let grace = policy.stop_timeout.map(|timeout| ticks(timeout.min(STRAY_GRACE)));
                let waited = self.clearing.zip(grace).is_some_and(|(asked, grace)| asked >= grace);
                rule!("strays have their time", waited);
            }
            Action::Tell(tell) => self.told(tell, policy)?,
            Action::Reply(reply) => self.replied(reply, event)?,
            Action::Finish(status) => {
                rule!("the end means that the program is gone", {
                    self.process.is_none() && !self.forking
                });
                let willful = matches!(event, Event::Ended(_));
                rule!("stopped means gone", willful || !self.strays);
                rule!("nobody ends unasked", self.wish == Wish::Gone);
                let status_is_right = policy.attached || status == self.exit_status;
                rule!("the exit status is the truth", status_is_right);
                self.finished = true;
                self.clearing = None;
                (self.for_up, self.for_down) = (false, false);
            }
            Action::Note(_) => {}
        }
        Ok(())
    }

    fn killed(&mut self, pid: Pid, signal: Signal, policy: &Policy) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Err("\"no signal to the dead\" is broken".to_string());
        };
        rule!("no signal to the dead", process.pid == pid);
        if signal == Signal::KILL {
            let waited = process.asked.zip(policy.stop_timeout.map(ticks));
            let in_vain = waited.is_some_and(|(asked, timeout)| asked >= timeout);
            rule!("SIGKILL only after the stop timeout", in_vain);
        } else {
            process.asked = Some(0);
        }
        Ok(())
    }

    fn told(&mut self, tell: Tell, policy: &Policy) -> Result<(), String> {
        match tell {
            Tell::Up(pid) => {
                let Some(process) = &mut self.process else {
                    return Err("\"up means up\" is broken: nothing lives".to_string());
                };
                let lives = process.pid == pid && process.exec == Exec::Works;
                rule!("up means up", lives && process.asked.is_none() && self.wish == Wish::Up);
                rule!("up is told once", !process.told_up);
                process.told_up = true;
                self.not_up_for = 0;
                self.for_up = false;
            }
            Tell::Late => {
                let timeout = ticks(policy.start_timeout);
                rule!("late means late", self.wish == Wish::Up && self.not_up_for >= timeout);
                self.for_up = false;
            }
            Tell::Down { for_good } => {
                rule!("down means down", self.process.is_none() && !self.forking);
                let gone = !self.strays || policy.stop_timeout.is_none() && !for_good;
                rule!("stopped means gone", gone);
                rule!("down for good is meant", for_good == (self.wish == Wish::Down));
                self.clearing = None;
                self.for_down = false;
                self.for_up &= !for_good;
            }
        }
        Ok(())
    }

    /// "true answers"
    fn replied(&self, reply: Reply, event: Event) -> Result<(), String> {
        let lives = self.process.is_some() || self.forking;
        let fits = match reply {
            Reply::Started => event != Event::Stop && event != Event::Exit && self.wish == Wish::Up,
            Reply::AlreadyStarted => lives && self.wish == Wish::Up,
            Reply::SentTerm => event == Event::Stop && lives,
            Reply::AlreadyStopped => event == Event::Stop && !lives,
            Reply::WillRestart => event == Event::Restart && lives,
            Reply::WillExit => event == Event::Exit && lives,
            Reply::ExitingNow => event == Event::Exit && !lives || self.terminated || self.finished,
        };
        rule!("replies are true", fits);
        Ok(())
    }

    /// Whether the client of this request is now waiting for the program.
    fn waits_from_now(&self, event: Event, machine: &Machine) -> bool {
        let up = matches!(machine.phase(), Phase::Running { up: Up::Yes, .. });
        matches!(event, Event::Start | Event::Restart) && !up && !self.finished
    }
}

/// What must be so between two events.
fn check_state(machine: &Machine, facts: &Facts) -> Result<(), String> {
    let policy = &machine.policy;
    let phase = machine.phase();
    rule!("the wish is the last command's", machine.wish() == facts.wish);
    let alive = facts.process.map(|process| process.pid);
    rule!("the status tells of the living", machine.program() == alive);
    rule!("a fork is waited for", facts.forking == (phase == Phase::Spawning));
    rule!("the end is the end", facts.finished == (phase == Phase::Finished));
    rule!("backoff counts quick deaths", machine.backoff() == facts.quick_deaths);
    if facts.finished || facts.forking {
        rule!("nothing is due after the end", !facts.finished || machine.deadline().is_none());
        return Ok(());
    }
    check_progress(machine, facts)?;
    let longest = [
        TICK * u32::from(ticks(Duration::from_secs(policy.limit().into()))),
        policy.start_timeout,
        policy.settle_time,
        policy.stop_timeout.unwrap_or_default(),
        STRAY_GRACE,
    ];
    let horizon = NOW.after(longest.into_iter().max().unwrap_or_default());
    rule!("no deadline is far off", machine.deadline().is_none_or(|at| at <= horizon));
    let settling_here = matches!(phase, Phase::Running { up: Up::Settling { .. }, .. });
    rule!("settling only without start test", !(settling_here && policy.tested));
    Ok(())
}

/// In every state it is clear what comes next, and that it comes.
fn check_progress(machine: &Machine, facts: &Facts) -> Result<(), String> {
    let phase = machine.phase();
    let kills = machine.policy.stop_timeout.is_some();
    let asked = facts.process.is_some_and(|process| process.asked.is_some());
    let fits = match phase {
        Phase::Idle => facts.wish == Wish::Down,
        Phase::BackingOff { until } => {
            let due = NOW.after(TICK * u32::from(facts.respawn_in));
            facts.wish == Wish::Up && until == due
        }
        Phase::Executing { .. } | Phase::Running { .. } => facts.wish == Wish::Up && !asked,
        Phase::Stopping { kill_at, .. } => asked && kill_at.is_some() == kills,
        Phase::Clearing { kill_at, .. } => {
            let bounded = kill_at.is_some() || !kills && facts.wish != Wish::Up;
            facts.clearing.is_some() && bounded
        }
        Phase::Spawning | Phase::Finished => true,
    };
    rule!("what is wanted is under way", fits);
    // A process that may not be killed can keep anybody waiting.
    let endless = matches!(phase, Phase::Stopping { .. }) && !kills;
    let bounded = machine.deadline().is_some() || endless || facts.wish != Wish::Up;
    rule!("every wait has an end", !facts.for_up || bounded);
    let down = phase == Phase::Idle && facts.for_down;
    rule!("who waits for the end is told", !down);
    Ok(())
}
