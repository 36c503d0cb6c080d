//! The supervisor's state and what it can do: carry out the machine's actions,
//! answer requests, take notice of ended children. All of it lives in one
//! struct that a later version can write out and read back. Does not wait.

use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::claim::Claim;
use super::control::{After, Answer, Waiting};
use super::machine::{Action, Event, Machine, Note, Phase, Policy, Reply, Tell, Up, Wish};
use super::output::{Change, Output};
use super::pid_file::PidFile;
use super::readiness::{Readiness, Verdict};
use super::stray;
use crate::eventlog::EventLog;
use crate::instance::Identity;
use crate::messages::supervisor::{ControlReply, LogMessage, WaiterNote};
use crate::procfs;
use crate::protocol::{self, Hold, Outcome, REQUESTS, Report, Request};
use crate::sys::process::{self, Reaped};
use crate::sys::signal::Caught;
use crate::sys::spawn::{self, Command, ExecOutcome, Executed, Session, Streams};
use crate::sys::clock;
use crate::vocabulary::{Ended, Mono, Pid, Signal};

/// How often strays that are not our children are looked for while they are
/// being removed.
const STRAY_CHECK: Duration = Duration::from_millis(100);
/// How often an adopted program is looked at where the kernel has no pidfd.
const ADOPTED_CHECK: Duration = Duration::from_secs(1);

/// What is started, and how.
pub(super) struct Recipe {
    pub(super) command: Command,
    pub(super) file: PathBuf,
    pub(super) words: Vec<OsString>,
    /// The start test, or why it cannot be run.
    pub(super) test: Option<Result<Command, io::Error>>,
    pub(super) test_words: Vec<OsString>,
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
    /// The last exec failed, which has been told.
    refused: bool,
    last_spawn: Option<(Mono, Duration)>,
    last_exit: Option<(Ended, Duration)>,
}

/// A program that an earlier supervisor started.
pub(super) struct Adopted {
    identity: Identity,
    pub(super) end: Option<OwnedFd>,
}

/// A line for clients that wait.
pub(super) enum Announcement {
    Note(Waiting, String),
    Tell(Waiting, Outcome),
}

pub(super) struct Core {
    pub(super) recipe: Recipe,
    pub(super) machine: Machine,
    pub(super) readiness: Readiness,
    pub(super) program: Program,
    pub(super) output: Option<Output>,
    /// What the program gets as standard input, and as output without transcript.
    pub(super) null: File,
    pub(super) attached: bool,
    pub(super) log: EventLog,
    pub(super) claim: Claim,
    pub(super) pid_file: Option<PidFile>,
    pub(super) subreaper: bool,
    /// Whether somebody waits for the program to be up.
    pub(super) audience: bool,
    pub(super) announcements: Vec<Announcement>,
    pub(super) reply: Option<Reply>,
    /// When strays that are not our children are looked for again.
    pub(super) check_at: Option<Mono>,
    pub(super) test_complained: bool,
    pub(super) finished: Option<u8>,
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
        let held = spawn::fork_held(&self.recipe.command, streams, session).and_then(|held| {
            // Recorded before it is let go: a supervisor that dies here leaves
            // no program, one that dies later leaves a recorded one.
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
                self.program.last_spawn = Some((now, clock::wall()));
                self.say(&LogMessage::Spawned(pid));
                self.step(now, Event::Spawned(pid));
            }
            Err(error) => {
                self.say(&LogMessage::CannotFork(&error));
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
        self.program.adopted = Some(Adopted { identity: Identity::of(pid), end });
        self.program.last_spawn = Some((now, clock::wall()));
        self.say(&LogMessage::Adopted(pid));
        self.step(now, Event::Adopt(pid));
    }

    /// The exec's outcome, as far as it is known.
    pub(super) fn look_at_exec(&mut self, now: Mono) {
        let Some(outcome) = self.program.exec.as_ref().map(ExecOutcome::read) else { return };
        match outcome {
            Executed::NotYet => return,
            Executed::Yes => {
                self.program.exec = None;
                self.step(now, Event::Executed);
                if self.recipe.policy.tested && self.machine.program().is_some() {
                    self.readiness = Readiness::begin(now);
                }
            }
            Executed::No(error) => {
                self.program.exec = None;
                self.program.refused = true;
                let path = self.recipe.file.clone();
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
        let _ = process::kill(pid, signal);
        if signal == Signal::TERM {
            // A stopped process gets SIGTERM only once it goes on.
            let _ = process::kill(pid, Signal::CONT);
        }
    }

    /// A child's number is its own until we reap it; that of an adopted
    /// program may have gone to somebody else.
    fn is_still_the_program(&self, pid: Pid) -> bool {
        self.program.adopted.as_ref().is_none_or(|adopted| {
            adopted.identity.pid == pid && Identity::of(pid).start == adopted.identity.start
        })
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

    fn cleared(&mut self, now: Mono) {
        if matches!(self.machine.phase(), Phase::Clearing { .. }) {
            self.step(now, Event::Cleared);
        }
    }

    fn child_ended(&mut self, now: Mono, pid: Pid, ended: Ended) {
        if self.machine.program() == Some(pid) {
            self.say(&LogMessage::ChildReaped { pid, known: true });
            return self.program_ended(now, ended);
        }
        match self.readiness.ended(now, pid, ended == Ended::Exited(0)) {
            Verdict::Passed => {
                self.say(&LogMessage::TestSucceeded);
                self.step(now, Event::TestPassed);
            }
            Verdict::Failed => self.say(&LogMessage::TestFailed),
            Verdict::NotATest => self.say(&LogMessage::ChildReaped { pid, known: false }),
        }
    }

    pub(super) fn program_ended(&mut self, now: Mono, ended: Ended) {
        self.look_at_exec(now);
        self.program.exec = None;
        self.program.last_exit = Some((ended, clock::wall()));
        self.copy_output(true);
        self.abandon_test();
        let _ = self.claim.set_program(None);
        self.step(now, Event::Ended(ended));
    }

    fn abandon_test(&mut self) {
        if let Some(pid) = self.readiness.abandon() {
            let _ = process::kill_group(pid, Signal::KILL);
        }
    }

    /// Moves output into the transcript: one chunk, or all that is there.
    pub(super) fn copy_output(&mut self, all: bool) {
        let Some(output) = &mut self.output else { return };
        let change = if all { output.drain() } else { output.copy() };
        match change {
            Change::None => {}
            Change::Failed(error) => {
                let message = LogMessage::TranscriptFailed { path: output.path(), error: &error };
                self.log.write(message.level(), &message, clock::wall());
            }
            Change::Resumed { dropped } => self.say(&LogMessage::TranscriptResumed { dropped }),
        }
    }

    pub(super) fn run_due_test(&mut self, now: Mono) {
        if !self.readiness.is_due(now) {
            return;
        }
        let streams = streams(self.attached, &self.null, self.output.as_ref());
        let held = match &self.recipe.test {
            Some(Ok(test)) => spawn::fork_held(test, streams, Session::Own),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
            None => return,
        };
        match held {
            Ok(held) => self.readiness = Readiness::Testing { pid: held.release().0 },
            Err(error) => {
                self.readiness = Readiness::retry(now);
                if !self.test_complained {
                    self.test_complained = true;
                    let words = std::mem::take(&mut self.recipe.test_words);
                    let message = LogMessage::TestNotRunnable { words: &words, error: &error };
                    self.say(&message);
                    self.tell_waiters(&message);
                    self.recipe.test_words = words;
                }
            }
        }
    }

    fn stray_origin(&self) -> stray::Origin {
        stray::Origin {
            supervisor: process::own_pid(),
            leader: self.program.leader,
            adopted: self.must_look_for_strays(),
        }
    }

    /// Whether strays may exist that do not become our children.
    fn must_look_for_strays(&self) -> bool {
        (self.program.adopted.is_some() || !self.subreaper) && procfs::is_there()
    }

    fn clear_strays(&mut self, now: Mono) {
        let has_children = process::reap();
        if let Reaped::Child(pid, ended) = has_children {
            self.child_ended(now, pid, ended);
            return self.clear_strays(now);
        }
        let look = self.must_look_for_strays();
        if has_children == Reaped::NoChildren && !look {
            return self.cleared(now);
        }
        let origin = self.stray_origin();
        let log = &mut self.log;
        let found = stray::signal(origin, Signal::TERM, |pid, name| {
            let message = LogMessage::StrayTerminated { pid, name };
            log.write(message.level(), &message, clock::wall());
        });
        if look && found == 0 && has_children == Reaped::NoChildren {
            return self.cleared(now);
        }
        self.check_at = look.then(|| now.after(STRAY_CHECK));
    }

    fn kill_strays(&mut self) {
        let origin = self.stray_origin();
        let (log, announcements) = (&mut self.log, &mut self.announcements);
        stray::signal(origin, Signal::KILL, |pid, name| {
            let message = LogMessage::StrayKilled { pid, name };
            log.write(message.level(), &message, clock::wall());
            announcements.push(Announcement::Note(Waiting::ForDown, message.to_string()));
        });
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

    fn tell(&mut self, tell: Tell) {
        let told = match tell {
            Tell::Up(pid) => {
                self.say(&LogMessage::Up(pid));
                Announcement::Tell(Waiting::ForUp, Outcome::Up(pid))
            }
            Tell::Late => Announcement::Tell(Waiting::ForUp, Outcome::Late),
            Tell::Down { for_good } => {
                if for_good {
                    self.announcements.push(Announcement::Tell(Waiting::ForUp, Outcome::Down));
                }
                Announcement::Tell(Waiting::ForDown, Outcome::Down)
            }
        };
        self.announcements.push(told);
    }

    fn note(&mut self, note: Note) {
        let limit = self.recipe.policy.start_timeout;
        let message = match note {
            Note::ProgramEnded { pid, ended, exiting } => {
                if !self.program.refused {
                    self.tell_waiters(&WaiterNote::EndedEarly { pid, ended });
                    self.tell_tail();
                }
                LogMessage::ProgramEnded { pid, ended, exiting }
            }
            Note::BackingOff { seconds } => LogMessage::BackingOff { seconds },
            Note::GaveUp => LogMessage::GaveUp,
            Note::StopTimedOut(pid) => LogMessage::StopTimedOut(pid),
            Note::StartTimedOut => LogMessage::StartTimedOut(limit),
            Note::Terminated(signal) => LogMessage::Terminated(signal),
            Note::StraysLeft => LogMessage::StraysLeft,
            // Each one is told of by name when it is signalled.
            Note::StraysKilled => return,
        };
        match note {
            Note::GaveUp => self.tell_waiters(&message),
            Note::BackingOff { seconds } => self.tell_waiters(&WaiterNote::NextAttempt { seconds }),
            Note::StopTimedOut(_) => self.announcements.push(Announcement::Note(Waiting::ForDown, message.to_string())),
            Note::ProgramEnded { .. }
            | Note::StartTimedOut
            | Note::Terminated(_)
            | Note::StraysKilled
            | Note::StraysLeft => {}
        }
        self.say(&message);
    }

    /// Tells those who wait for the program to be up.
    fn tell_waiters(&mut self, what: &dyn Display) {
        if self.audience {
            self.announcements.push(Announcement::Note(Waiting::ForUp, what.to_string()));
        }
    }

    /// The last lines that a program wrote which did not come up.
    fn tell_tail(&mut self) {
        const LINES: usize = 10;
        let Some(output) = self.output.as_ref().filter(|_| self.audience) else { return };
        let text = String::from_utf8_lossy(output.tail()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            self.tell_waiters(&WaiterNote::OutputLine(line));
        }
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

    /// A signal to the supervisor, other than the end of a child.
    pub(super) fn signalled(&mut self, now: Mono, caught: Caught) {
        let signal = caught.signal;
        if signal == Signal::TERM || signal == Signal::INT {
            let delivered = caught.from_terminal && self.attached;
            let how = super::machine::Terminate { signal, delivered };
            return self.step(now, Event::Terminate(how));
        }
        if signal == Signal::USR2 {
            self.reopen();
        }
        let delivered = caught.from_terminal && self.attached;
        if let Some(pid) = self.machine.program().filter(|_| !delivered) {
            if self.is_still_the_program(pid) && process::kill(pid, signal).is_ok() {
                self.say(&LogMessage::Forwarded { signal, pid });
            }
        }
    }

    /// The end of everything but the connections.
    pub(super) fn finish(&mut self) {
        self.copy_output(true);
        self.abandon_test();
        if process::reap() != Reaped::NoChildren {
            self.say(&LogMessage::StraysLeft);
        }
        self.say(&LogMessage::Exiting);
        if let Some(file) = &self.pid_file {
            file.remove();
        }
        self.claim.release();
    }

    fn report(&self) -> Report<'_> {
        let (now, wall) = (clock::monotonic(), clock::wall());
        let until = |at: Mono| at.since(now);
        let epoch = |at: Mono| (wall + until(at)).as_secs_f64();
        let phase = self.machine.phase();
        let (delay, next) = match phase {
            Phase::BackingOff { until } | Phase::Clearing { respawn_at: until, .. } => {
                (Some(epoch(until)), Some(until))
            }
            Phase::Stopping { kill_at, .. } => (kill_at.map(epoch), None),
            Phase::Idle
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { .. }
            | Phase::Finished => (None, None),
        };
        let program = self.machine.program();
        let since = self.program.last_spawn.filter(|_| program.is_some());
        Report {
            now: wall.as_secs_f64(),
            should_be_up: self.machine.wish() == Wish::Up,
            delay,
            backoff: self.machine.backoff(),
            last_spawn: self.program.last_spawn.map(|(_, wall)| wall.as_secs_f64()),
            program,
            testing: matches!(phase, Phase::Running { up: Up::Testing, .. }),
            supervisor: process::own_pid(),
            backoff_limit: self.recipe.policy.backoff_limit,
            file: &self.recipe.file,
            words: &self.recipe.words,
            uptime: since.map_or(0.0, |(since, _)| now.since(since).as_secs_f64()),
            restarts: self.machine.restarts(),
            last_exit: self.program.last_exit.map(|(ended, at)| (ended, at.as_secs_f64())),
            readiness: readiness_of(phase),
            next_attempt: next
                .filter(|_| self.machine.wish() == Wish::Up)
                .map(|at| until(at).as_secs_f64()),
        }
    }

    fn request(&mut self, what: &'static str, uid: u32, event: Event) {
        self.say(&LogMessage::Requested { what, uid });
        self.reply = None;
        self.step(clock::monotonic(), event);
    }

    fn send_signal(&mut self, argument: Option<&[u8]>, uid: u32, reply: &mut String) {
        let argument = argument.unwrap_or(b"15");
        let number = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok());
        let outcome = match (number, self.machine.program()) {
            (None, _) => ControlReply::BadSignal(argument),
            (Some(_), None) => ControlReply::NotRunning,
            (Some(number), Some(pid)) => {
                self.say(&LogMessage::Requested { what: "kill", uid });
                match process::kill(pid, Signal(number)) {
                    Ok(()) => ControlReply::Signalled(number),
                    Err(error) => {
                        let failed = ControlReply::KillFailed { signal: number, error: &error };
                        let _ = writeln!(reply, "{failed}");
                        return;
                    }
                }
            }
        };
        let _ = writeln!(reply, "{outcome}");
    }

    /// Whether a request that waits for the program to be up may go at once.
    fn is_up(&self) -> Option<Pid> {
        match self.machine.phase() {
            Phase::Running { pid, up: Up::Yes, .. } => Some(pid),
            Phase::Idle
            | Phase::BackingOff { .. }
            | Phase::Spawning
            | Phase::Executing { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Finished => None,
        }
    }

    fn held(&self, hold: Hold, waiting: Waiting, reply: &mut String) -> After {
        if hold == Hold::No {
            return After::Close;
        }
        let done = match waiting {
            Waiting::ForUp => self.is_up().map(Outcome::Up),
            Waiting::ForDown => {
                (self.machine.phase() == Phase::Idle).then_some(Outcome::Down)
            }
        };
        match done {
            Some(outcome) => {
                let _ = writeln!(reply, "{outcome}");
                After::Close
            }
            None => After::Hold(waiting),
        }
    }
}

impl Answer for Core {
    fn answer(&mut self, request: Request<'_>, uid: u32, reply: &mut String) -> After {
        let (hold, waiting) = match request {
            Request::Start(hold) => {
                self.request("start", uid, Event::Start);
                (hold, Waiting::ForUp)
            }
            Request::Restart(hold) => {
                self.request("restart", uid, Event::Restart);
                (hold, Waiting::ForUp)
            }
            Request::Stop(hold) => {
                self.request("stop", uid, Event::Stop);
                (hold, Waiting::ForDown)
            }
            Request::Exit(hold) => {
                self.request("exit", uid, Event::Exit);
                (hold, Waiting::ForDown)
            }
            Request::Wait => {
                if self.machine.program().is_none() {
                    let _ = writeln!(reply, "{}", Outcome::Down);
                    return After::Close;
                }
                return After::Hold(Waiting::ForDown);
            }
            Request::Kill(argument) => {
                self.send_signal(argument, uid, reply);
                return After::Close;
            }
            Request::Status => {
                let _ = write!(reply, "{}", self.report());
                return After::Close;
            }
            Request::ReopenTranscript => {
                self.reopen();
                return After::Close;
            }
            Request::Help => {
                for (request, what) in REQUESTS {
                    let _ = writeln!(reply, "{request:20} {what}");
                }
                return After::Close;
            }
            Request::Empty => {
                let _ = writeln!(reply, "{}", ControlReply::Empty);
                return After::Close;
            }
            Request::Unknown(word) => {
                let _ = writeln!(reply, "{}", ControlReply::Unknown(word));
                return After::Close;
            }
        };
        if let Some(made) = self.reply.take() {
            let _ = writeln!(reply, "{}", reply_text(made));
        }
        self.held(hold, waiting, reply)
    }
}

fn reply_text(reply: Reply) -> ControlReply<'static> {
    match reply {
        Reply::Started => ControlReply::Started,
        Reply::AlreadyStarted => ControlReply::AlreadyStarted,
        Reply::SentTerm => ControlReply::SentTerm,
        Reply::AlreadyStopped => ControlReply::AlreadyStopped,
        Reply::WillRestart => ControlReply::WillRestart,
        Reply::WillExit => ControlReply::WillExit,
        Reply::ExitingNow => ControlReply::ExitingNow,
    }
}

fn readiness_of(phase: Phase) -> protocol::Readiness {
    match phase {
        Phase::Idle | Phase::BackingOff { .. } | Phase::Clearing { .. } | Phase::Finished => {
            protocol::Readiness::Down
        }
        Phase::Spawning | Phase::Executing { .. } | Phase::Running { up: Up::Settling { .. }, .. } => {
            protocol::Readiness::Settling
        }
        Phase::Running { up: Up::Testing, .. } => protocol::Readiness::Testing,
        Phase::Running { up: Up::Yes, .. } => protocol::Readiness::Ready,
        Phase::Stopping { .. } => protocol::Readiness::Stopping,
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
