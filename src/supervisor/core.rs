//! The supervisor's state and what it can do: carry out the machine's actions,
//! answer requests, take notice of ended children. All of it lives in one
//! struct that a later version can write out and read back. Does not wait.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::claim::Claim;
use super::machine::{Action, Event, Machine, Phase, Policy, Reply, Up};
use super::outbox::Outbox;
use super::output::{Change, Output};
use super::pid_file::PidFile;
use super::readiness::{Readiness, Verdict};
use super::start_test::StartTest;
use super::stray::Numbers;
use crate::eventlog::EventLog;
use crate::instance::Identity;
use crate::messages::supervisor::{LogMessage, Stray};
use crate::sys::clock;
use crate::sys::poll::{Watch, poll};
use crate::sys::process::{self, Reaped};
use crate::sys::signal::Caught;
use crate::sys::spawn::{self, Command, ExecOutcome, Executed, Session, Streams};
use crate::vocabulary::{Ended, Mono, Pid, Signal};

/// How often an adopted program is looked at where the kernel has no pidfd.
pub(super) const ADOPTED_CHECK: Duration = Duration::from_secs(1);

/// What is started, and how.
pub(super) struct Recipe {
    pub(super) command: Command,
    /// Most programs have none.
    pub(super) test: Option<Box<StartTest>>,
    pub(super) policy: Policy,
}

/// The program's process beyond what the machine knows of it.
#[derive(Default)]
pub(super) struct Program {
    /// How the exec went, until that is known.
    pub(super) exec: Option<ExecOutcome>,
    /// The program that was last there.
    pub(super) leader: Option<Pid>,
    /// Set while the program is not our child.
    pub(super) adopted: Option<Adopted>,
    /// How far strays are looked for where there is no `/proc`.
    pub(super) numbers: Numbers,
    /// What it left behind and was sent SIGKILL.
    pub(super) killed: Vec<Identity>,
    /// The last exec failed, which has been told.
    pub(super) refused: bool,
    /// None can be spawned, which has been told.
    held_back: bool,
    pub(super) last_spawn: Option<(Mono, Duration)>,
    pub(super) last_exit: Option<(Ended, Duration)>,
}

/// A program that an earlier supervisor started.
pub(super) struct Adopted {
    identity: Identity,
    pub(super) end: Option<OwnedFd>,
    /// What it had started when it was told to end.
    pub(super) family: Vec<Identity>,
}

impl Adopted {
    /// Whether the process of its number is still that program.
    fn is_the_same(&self) -> bool {
        if let Some(end) = &self.end {
            let mut watches = [Watch::readable(end.as_fd())];
            if poll(&mut watches, Some(Duration::ZERO)).is_ok() {
                return !watches.iter().any(Watch::is_ready);
            }
        }
        Identity::of(self.identity.pid).start == self.identity.start
    }
}

pub(super) struct Core {
    pub(super) recipe: Recipe,
    pub(super) machine: Machine,
    pub(super) readiness: Readiness,
    /// A start test that was killed and has not been reaped yet.
    pub(super) killed_test: Option<Pid>,
    pub(super) program: Program,
    pub(super) output: Option<Output>,
    /// What the program gets as standard input, and as output without transcript.
    pub(super) null: File,
    pub(super) attached: bool,
    pub(super) log: EventLog,
    pub(super) claim: Claim,
    /// Files are missing that cannot be put back, which has been told.
    pub(super) incomplete: bool,
    pub(super) pid_file: Option<PidFile>,
    pub(super) subreaper: bool,
    /// Whether somebody waits for the program to be up.
    pub(super) audience: bool,
    pub(super) outbox: Outbox,
    pub(super) reply: Option<Reply>,
    /// When strays that are not our children are looked for again.
    pub(super) check_at: Option<Mono>,
    pub(super) finished: Option<u8>,
    /// How often memory had been asked for when the loop began.
    pub(super) allocations_before: u64,
}

impl Core {
    pub(super) fn say(&mut self, message: &LogMessage<'_>) {
        self.log.write(message.level(), message, clock::wall());
    }

    /// Feeds an event to the machine and carries out what it asks for.
    pub(super) fn step(&mut self, now: Mono, event: Event) {
        for action in self.machine.step(now, event) {
            self.apply(now, action);
        }
    }

    fn apply(&mut self, now: Mono, action: Action) {
        match action {
            Action::Spawn => self.spawn(now),
            Action::Kill(pid, signal) => self.kill(pid, signal),
            Action::ClearStrays => self.clear_strays(now),
            Action::KillStrays => self.kill_strays(),
            Action::Reply(reply) => self.reply = Some(reply),
            Action::Tell(tell) => self.tell(tell),
            Action::Note(note) => self.note(note),
            Action::Finish(status) => self.finished = Some(status),
        }
    }

    fn spawn(&mut self, now: Mono) {
        if let Some(output) = &mut self.output {
            output.forget_tail();
        }
        let session = if self.attached { Session::Inherited } else { Session::Own };
        let streams = streams(self.attached, &self.null, self.output.as_ref());
        // Recorded before it is let go: a supervisor that dies here leaves no
        // program, one that dies later leaves a recorded one.
        let record = self.claim.keep_record();
        let held = record.and_then(|_| {
            let held = spawn::take_in_held(&self.recipe.command, streams, session)?;
            self.claim.set_program(Some(held.pid))?;
            Ok(held)
        });
        match held {
            Ok(held) => {
                let (pid, exec) = held.release();
                self.program.exec = Some(exec);
                self.program.leader = Some(pid);
                self.program.adopted = None;
                self.program.refused = false;
                self.program.killed.clear();
                self.program.held_back = false;
                self.program.last_spawn = Some((now, clock::wall()));
                self.say(&LogMessage::Spawned(pid));
                self.step(now, Event::Spawned(pid));
            }
            Err(error) => {
                if !std::mem::replace(&mut self.program.held_back, true) {
                    self.say(&LogMessage::CannotFork(&error));
                }
                self.tell_waiters(&LogMessage::CannotFork(&error));
                self.step(now, Event::SpawnFailed);
            }
        }
    }

    pub(super) fn adopt(&mut self, now: Mono, pid: Pid) {
        self.program.leader = Some(pid);
        let end = process::open_pidfd(pid).ok();
        if end.is_none() {
            self.check_at = Some(now.after(ADOPTED_CHECK));
        }
        // As recorded: what it was known to be is certain, and cannot fail to be read.
        let identity = self.claim.program().unwrap_or_else(|| Identity::of(pid));
        self.program.adopted = Some(Adopted { identity, end, family: Vec::new() });
        self.program.last_spawn = Some((now, clock::wall()));
        self.say(&LogMessage::Adopted(pid));
        self.step(now, Event::Adopt(pid));
    }

    /// Removes what a program left behind that an earlier supervisor started,
    /// before another one is started.
    pub(super) fn inherit_strays(&mut self, now: Mono, leader: Pid) {
        self.program.leader = Some(leader);
        let identity = Identity { pid: leader, start: None };
        self.program.adopted = Some(Adopted { identity, end: None, family: Vec::new() });
        self.step(now, Event::Inherit);
    }

    /// The exec's outcome, as far as it is known.
    pub(super) fn look_at_exec(&mut self, now: Mono) {
        let Some(outcome) = self.program.exec.as_ref().map(ExecOutcome::read) else { return };
        match outcome {
            Executed::NotYet => {}
            Executed::Yes => {
                self.program.exec = None;
                self.step(now, Event::Executed);
                if matches!(self.machine.phase(), Phase::Running { up: Up::Testing, .. }) {
                    self.readiness = Readiness::begin(now);
                }
            }
            Executed::No(error) => {
                self.program.exec = None;
                self.program.refused = true;
                let path = self.recipe.command.path().to_path_buf();
                let message = LogMessage::CannotExecute { path: &path, error: &error };
                self.say(&message);
                self.tell_waiters(&message);
                self.step(now, Event::NotExecuted);
            }
        }
    }

    fn kill(&mut self, pid: Pid, signal: Signal) {
        if !self.is_still_the_program(pid) {
            return;
        }
        self.remember_family(pid);
        self.claim.see_program();
        let _ = process::kill(pid, signal);
        if signal == Signal::TERM {
            // A stopped process gets SIGTERM only once it goes on.
            let _ = process::kill(pid, Signal::CONT);
        }
    }

    /// A child's number is its own until we reap it; that of an adopted
    /// program may have gone to somebody else.
    pub(super) fn is_still_the_program(&self, pid: Pid) -> bool {
        let adopted = self.program.adopted.as_ref();
        adopted.is_none_or(|adopted| adopted.identity.pid == pid && adopted.is_the_same())
    }

    /// Collects every child that has ended.
    pub(super) fn reap(&mut self, now: Mono) {
        loop {
            match process::reap() {
                Reaped::Child(pid, ended) => self.child_ended(now, pid, ended),
                Reaped::NoneEnded => return,
                Reaped::NoChildren => {
                    if !self.must_look_for_strays() {
                        self.cleared(now);
                    }
                    return;
                }
            }
        }
    }

    pub(super) fn cleared(&mut self, now: Mono) {
        if matches!(self.machine.phase(), Phase::Clearing { .. }) {
            let _ = self.claim.set_program(None);
            self.step(now, Event::Cleared);
        }
    }

    pub(super) fn child_ended(&mut self, now: Mono, pid: Pid, ended: Ended) {
        if self.machine.program() == Some(pid) {
            self.say(&LogMessage::ChildReaped { pid, known: true });
            return self.program_ended(now, ended);
        }
        if self.killed_test == Some(pid) {
            self.say(&LogMessage::ChildReaped { pid, known: false });
            self.killed_test = None;
            return self.clear_strays(now);
        }
        match self.readiness.ended(now, pid, ended == Ended::Exited(0)) {
            Verdict::Passed => {
                self.say(&LogMessage::TestSucceeded);
                self.step(now, Event::TestPassed);
            }
            Verdict::Failed => {
                self.say(&LogMessage::TestFailed);
                if let Some(error) = self.recipe.test.as_mut().and_then(|test| test.refusal()) {
                    self.tell_of_test(&error);
                }
            }
            Verdict::NotATest => self.say(&LogMessage::ChildReaped { pid, known: false }),
        }
    }

    pub(super) fn program_ended(&mut self, now: Mono, ended: Ended) {
        self.claim.see_program();
        self.look_at_exec(now);
        self.program.exec = None;
        self.program.last_exit = Some((ended, clock::wall()));
        self.copy_output(None);
        self.abandon_test();
        self.step(now, Event::Ended(ended));
    }

    fn abandon_test(&mut self) {
        if let Some(pid) = self.readiness.abandon() {
            // The group too, once the child leads one.
            let _ = process::kill_group(pid, Signal::KILL);
            let _ = process::kill(pid, Signal::KILL);
            self.killed_test = Some(pid);
        }
    }

    pub(super) fn is_output_due(&self, now: Mono) -> bool {
        self.output.as_ref().and_then(Output::deadline).is_some_and(|at| at <= now)
    }

    /// Moves output into the transcript: a turn's share, or all that is there.
    pub(super) fn copy_output(&mut self, turn: Option<Mono>) {
        let Some(output) = &mut self.output else { return };
        let Change { resumed, failed } = match turn {
            Some(now) => output.copy(now),
            None => output.drain(),
        };
        if resumed > 0 {
            let message = LogMessage::TranscriptResumed { dropped: resumed };
            self.log.write(message.level(), &message, clock::wall());
        }
        if let Some(error) = failed {
            let message = LogMessage::TranscriptFailed { path: output.path(), error: &error };
            self.log.write(message.level(), &message, clock::wall());
        }
    }

    pub(super) fn run_due_test(&mut self, now: Mono) {
        if !self.readiness.is_due(now) {
            return;
        }
        let streams = streams(self.attached, &self.null, self.output.as_ref());
        let Some(test) = &mut self.recipe.test else { return };
        match test.spawn(streams) {
            Ok(pid) => self.readiness = Readiness::Testing { pid },
            Err(error) => {
                self.readiness = Readiness::retry(now);
                self.tell_of_test(&error);
            }
        }
    }

    /// It cannot be run; that is told once, however often it is tried.
    fn tell_of_test(&mut self, error: &io::Error) {
        let Some(test) = &mut self.recipe.test else { return };
        if !test.complains_first() {
            return;
        }
        let words = test.words.clone();
        let message = LogMessage::TestNotRunnable { words: &words, error };
        self.say(&message);
        self.tell_waiters(&message);
    }

    pub(super) fn reopen(&mut self) {
        if let Some(output) = &mut self.output {
            if let Err(error) = output.reopen() {
                let message = LogMessage::CannotReopen { path: output.path(), error: &error };
                self.log.write(message.level(), &message, clock::wall());
            }
        }
        if let Err(error) = self.log.reopen(clock::wall()) {
            self.log.write(crate::vocabulary::Level::ERROR, &error, clock::wall());
        }
        self.say(&LogMessage::Reopened);
    }

    /// Whether the terminal has sent the signal to the program as well.
    pub(super) fn is_delivered(&self, caught: Caught) -> bool {
        caught.from_terminal && self.attached
    }

    /// A signal to the supervisor, other than the end of a child.
    pub(super) fn signalled(&mut self, now: Mono, caught: Caught) {
        let signal = caught.signal;
        if signal == Signal::TERM || signal == Signal::INT {
            let how = super::machine::Terminate { signal, delivered: self.is_delivered(caught) };
            return self.step(now, Event::Terminate(how));
        }
        if signal == Signal::USR2 {
            self.reopen();
        }
        if let Some(pid) = self.machine.program().filter(|_| !self.is_delivered(caught)) {
            if self.is_still_the_program(pid) && process::kill(pid, signal).is_ok() {
                self.say(&LogMessage::Forwarded { signal, pid });
            }
        }
    }

    /// The end of everything but the connections.
    pub(super) fn finish(&mut self) {
        self.copy_output(None);
        self.abandon_test();
        if self.leaves_strays() {
            self.say(&LogMessage::Stray(Stray::Left));
        }
        self.say(&LogMessage::Exiting);
        if let Some(file) = &self.pid_file {
            file.remove();
        }
        let _ = self.claim.set_program(None);
        self.claim.release();
    }
}

/// What a child gets as its standard descriptors. In the foreground: ours.
fn streams<'a>(attached: bool, null: &'a File, output: Option<&'a Output>) -> Streams<'a> {
    if attached {
        return Streams::default();
    }
    let output = output.map_or(null.as_fd(), Output::writer);
    Streams { input: Some(null.as_fd()), output: Some(output) }
}
