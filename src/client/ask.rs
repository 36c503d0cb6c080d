//! Asking a running supervisor: one question and its answer, or a request that
//! is held open until the thing has happened. The peer is not trusted: replies
//! are bounded in size and time, and nothing in them is evaluated.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{Client, Exit, complain};
use crate::instance::holder::{self, Summoned};
use crate::messages::client::{Complain, exit};
use crate::messages::supervisor::{ControlReply, LaunchError};
use crate::protocol::{Line, Outcome, Status};
use crate::quote::Clean;
use crate::sys::clock;
use crate::sys::poll::{self, Watch};
use crate::sys::signal::SelfPipe;
use crate::sys::{descriptor, identity, socket};
use crate::vocabulary::{Mono, Pid, Signal};

/// How long a supervisor may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest reply that is read.
const LONGEST_REPLY: usize = 4 << 20;
/// As much is shown of a reply that is not understood.
const LONGEST_QUOTE: usize = 100;
/// How often it is looked whether a supervisor that holds a request still answers.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// Before whoever gave no answer is asked again.
const PAUSE: Duration = Duration::from_millis(10);
/// The request that changes nothing.
pub(super) const WAIT: &str = "wait\n";
/// Between two questions to a supervisor that cannot hold a request.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How a held request came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Outcome(Outcome),
    /// The connection ended without an outcome: the supervisor died, or is an
    /// old one that answers at once.
    Closed,
    /// It was ending already when it was asked, and is gone now.
    Refused,
    Interrupted,
    /// Our own patience ended.
    TimedOut,
}

/// A held request, and whether dots were printed meanwhile.
pub(super) struct Wait {
    pub(super) held: Held,
    pub(super) dots: u32,
}

impl Wait {
    /// Nobody was there to wait for.
    pub(super) const NOBODY: Wait = Wait { held: Held::Closed, dots: 0 };
}

impl Client {
    /// The state of the supervisor, if there is one. What cannot be told from
    /// "none" for sure is an error that has been printed.
    pub(super) fn status(&self) -> Result<Option<Status>, Exit> {
        Ok(self.status_and_trust()?.map(|(status, _)| status))
    }

    /// As `status`, and whether signals may be sent on the word of whoever
    /// answered: not when we are root and the other end is not.
    pub(super) fn status_and_trust(&self) -> Result<Option<(Status, bool)>, Exit> {
        let is_answer = |reply: &[u8]| !reply.is_empty();
        let Some((reply, trusted)) = self.question("status\n", is_answer)? else {
            return Ok(None);
        };
        match Status::parse(&reply) {
            Some(status) => {
                self.warn_of_other_program(&status);
                Ok(Some((status, trusted)))
            }
            None => Err(self.puzzled(&reply)),
        }
    }

    /// Sends a request that may have an empty reply.
    pub(super) fn request(&self, line: &str) -> Result<Option<String>, Exit> {
        let reply = self.question(line, |_| true)?;
        Ok(reply.map(|(reply, _)| String::from_utf8_lossy(&reply).into_owned()))
    }

    /// One question, its answer, and whether to trust it. Who has no seat for us,
    /// or ends without an answer, is asked again: then it is gone, or it answers,
    /// or it has had its time.
    fn question(
        &self,
        line: &str,
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<(Vec<u8>, bool)>, Exit> {
        let end = clock::monotonic().after(ANSWER_LIMIT);
        loop {
            let Some(mut stream) = self.connect()? else { return Ok(None) };
            let peer = socket::peer_uid(stream.as_fd());
            let trusted = peer.is_ok_and(|uid| uid == identity::effective_uid());
            let reply = match socket::ask(&mut stream, line.as_bytes(), LONGEST_REPLY, ANSWER_LIMIT)
            {
                Err(error) if is_time_out(&error) => return Err(self.silent()),
                reply => reply.unwrap_or_default(),
            };
            let is_heard = is_answer(&reply) && !is_turned_away(&reply);
            if is_heard || clock::monotonic() > end {
                return Ok(Some((reply, trusted)));
            }
            let _ = poll::poll(&mut [], Some(PAUSE));
        }
    }

    /// None where nobody listens.
    pub(super) fn connect(&self) -> Result<Option<UnixStream>, Exit> {
        let path = &self.paths.socket;
        if path.as_os_str().len() > socket::LONGEST_PATH {
            let longest = socket::LONGEST_PATH;
            return Err(self.usage(&LaunchError::SocketPathTooLong { path, longest }));
        }
        let connected = socket::connect(path, ANSWER_LIMIT);
        let stream = match connected {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                return self.summon();
            }
            Err(error) if is_time_out(&error) => return Err(self.silent()),
            Err(error) => {
                complain(&Complain::Unreachable { socket: path, error: &error });
                return Err(exit::UNCLEAR);
            }
        };
        Ok(Some(stream))
    }

    /// Nobody listens; but a supervisor may have lost its socket.
    fn summon(&self) -> Result<Option<UnixStream>, Exit> {
        match holder::summon(&self.paths, ANSWER_LIMIT) {
            Summoned::Nobody => Ok(None),
            Summoned::Listens(stream) => Ok(Some(stream)),
            Summoned::Silent(pid) => {
                complain(&Complain::SocketLost { socket: &self.paths.socket, pid });
                Err(exit::UNCLEAR)
            }
        }
    }

    /// Somebody is there, and what it says is no status.
    fn puzzled(&self, reply: &[u8]) -> Exit {
        let line = reply.split(|byte| *byte == b'\n').next().unwrap_or(reply);
        let line = line.get(..LONGEST_QUOTE).unwrap_or(line);
        complain(&Complain::NoStatus { socket: &self.paths.socket, reply: line });
        exit::UNCLEAR
    }

    fn silent(&self) -> Exit {
        let seconds = ANSWER_LIMIT.as_secs();
        complain(&Complain::Silent { socket: &self.paths.socket, seconds });
        exit::UNCLEAR
    }

    /// The state of the supervisor, and the wait for what it was asked to do then.
    /// No wait where it only told its state: an older one has to be asked anew.
    pub(super) fn hold_reported(
        &self,
        line: &str,
        limit: Option<Duration>,
    ) -> Result<Option<(Status, Option<Wait>)>, Exit> {
        let Ok(mut watcher) = Watcher::new(None) else { return Ok(None) };
        let end = watcher.began.after(ANSWER_LIMIT);
        loop {
            watcher.limit_to(ANSWER_LIMIT);
            let Some(mut lines) = self.send(&format!("report {line}"))? else { return Ok(None) };
            match read_report(&mut lines, &mut watcher) {
                Reported::State(status) => {
                    self.warn_of_other_program(&status);
                    let wait = self.hold_on(lines, watcher, line, limit)?;
                    return Ok(Some((status, wait)));
                }
                Reported::Nothing => return Ok(self.status()?.map(|status| (status, None))),
                Reported::Ended(Woken::TimedOut) => return Err(self.silent()),
                Reported::Ended(Woken::Interrupted) => return Err(self.interrupted()),
                Reported::Ended(Woken::Ready) => {}
            }
            if clock::monotonic() > end {
                return Err(self.puzzled(&[]));
            }
            let _ = poll::poll(&mut [], Some(PAUSE));
        }
    }

    /// As `hold`, where that was not waited for already.
    pub(super) fn hold_unless(
        &self,
        waited: Option<Wait>,
        line: &str,
        limit: Option<Duration>,
    ) -> Result<Option<Wait>, Exit> {
        waited.map_or_else(|| self.hold(line, limit), |wait| Ok(Some(wait)))
    }

    /// Sends `line` and waits for its outcome; a dot for each full second. Now and
    /// then it is looked whether the supervisor still answers.
    pub(super) fn hold(&self, line: &str, limit: Option<Duration>) -> Result<Option<Wait>, Exit> {
        let Ok(watcher) = Watcher::new(None) else { return Ok(None) };
        let Some(lines) = self.send(line)? else { return Ok(None) };
        self.hold_on(lines, watcher, line, limit)
    }

    /// Waits for the outcome of what was sent.
    fn hold_on(
        &self,
        mut lines: Lines,
        mut watcher: Watcher,
        line: &str,
        limit: Option<Duration>,
    ) -> Result<Option<Wait>, Exit> {
        let began = watcher.began;
        loop {
            let left = limit.map(|limit| began.after(limit).since(clock::monotonic()));
            watcher.limit_to(left.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL));
            let held = read_held(&mut lines, &mut watcher);
            if held == Held::TimedOut && left.is_none_or(|left| left > LOOK_INTERVAL) {
                self.status()?;
                continue;
            }
            let is_early = clock::monotonic().since(began) < ANSWER_LIMIT;
            // Whoever only waits must not begin anew: what it waits for may be over.
            let unheard = line != WAIT && (lines.turned_away || !lines.heard);
            if held != Held::Closed || !unheard {
                return Ok(Some(watcher.end(held)));
            }
            let _ = poll::poll(&mut [], Some(PAUSE));
            match self.send(line)? {
                Some(new) if is_early => lines = new,
                Some(_) => return Err(self.puzzled(&[])),
                None => return Ok(Some(watcher.end(held))),
            }
        }
    }

    fn send(&self, line: &str) -> Result<Option<Lines>, Exit> {
        let Some(mut stream) = self.connect()? else { return Ok(None) };
        // Whoever closes without listening to us may have said why.
        let _ = stream.write_all(line.as_bytes());
        Ok(Some(Lines::of(stream)))
    }

    /// Reads a held reply to its end.
    pub(super) fn follow(&self, stream: UnixStream, limit: Duration) -> Wait {
        let mut watcher = match Watcher::new(Some(limit)) {
            Ok(watcher) => watcher,
            Err(error) => {
                complain(&Complain::Error(&LaunchError::System(&error)));
                return Wait::NOBODY;
            }
        };
        let mut lines = Lines::of(stream);
        let held = read_held(&mut lines, &mut watcher);
        watcher.end(held)
    }

    /// For supervisors of 5.2.1, which answer at once: asks until `done`.
    pub(super) fn poll_until(
        &self,
        limit: Option<Duration>,
        done: impl Fn(Option<&Status>) -> Option<Held>,
    ) -> Result<Wait, Exit> {
        let Ok(mut watcher) = Watcher::new(limit) else {
            return Ok(Wait::NOBODY);
        };
        loop {
            if let Some(held) = done(self.status()?.as_ref()) {
                return Ok(watcher.end(held));
            }
            let next = clock::monotonic().after(POLL_INTERVAL);
            match watcher.wait_until(next) {
                Woken::Ready => {}
                Woken::Interrupted => return Ok(watcher.end(Held::Interrupted)),
                Woken::TimedOut => return Ok(watcher.end(Held::TimedOut)),
            }
        }
    }
}

/// After the outcome the supervisor may take so long to be gone itself.
const ENDING_LIMIT: Duration = Duration::from_secs(2);

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether the supervisor gave our seat away before it had read our request.
fn is_turned_away(reply: &[u8]) -> bool {
    let line = reply.strip_suffix(b"\n").unwrap_or(reply);
    line == ControlReply::Superseded.to_string().as_bytes()
}

/// What came before the reply proper.
enum Reported {
    State(Status),
    /// No state: the other end is older, or no supervisor at all.
    Nothing,
    /// It has not heard us, or our patience has ended.
    Ended(Woken),
}

fn read_report(lines: &mut Lines, watcher: &mut Watcher) -> Reported {
    let mut report = String::new();
    loop {
        match watcher.wait_quietly(&lines.stream) {
            Woken::Ready => {}
            ended @ (Woken::Interrupted | Woken::TimedOut) => return Reported::Ended(ended),
        }
        let at_end = lines.read_some().is_err();
        while let Some(line) = lines.next() {
            lines.heard = true;
            match Line::parse(&line) {
                Line::Other("") => {
                    let status = Status::parse(report.as_bytes());
                    return status.map_or(Reported::Nothing, Reported::State);
                }
                Line::Other(text) if report.len() < LONGEST_REPLY => {
                    lines.turned_away |= is_turned_away(text.as_bytes());
                    report.extend([text, "\n"]);
                }
                Line::Note(_) | Line::Error(_) | Line::Outcome(_) | Line::Other(_) => {
                    return Reported::Nothing;
                }
            }
        }
        if at_end {
            let unheard = lines.turned_away || !lines.heard && lines.received.is_empty();
            return if unheard { Reported::Ended(Woken::Ready) } else { Reported::Nothing };
        }
    }
}

/// Reads a held reply up to its outcome, or to the watcher's limit.
fn read_held(lines: &mut Lines, watcher: &mut Watcher) -> Held {
    let (mut outcome, mut at_end) = (None, false);
    loop {
        while let Some(line) = lines.next() {
            lines.heard = true;
            match Line::parse(&line) {
                Line::Note(note) => complain(&Complain::Note(&Clean(note).to_string())),
                Line::Error(why) => complain(&Complain::Error(&Clean(why))),
                Line::Outcome(told) => {
                    // The end of the connection still follows: then it is gone.
                    if outcome.replace(told).is_none() {
                        watcher.limit_to(ENDING_LIMIT);
                    }
                }
                Line::Other(reply) => {
                    lines.turned_away |= is_turned_away(reply.as_bytes());
                    lines.ending |= reply == ControlReply::ExitingNow.to_string();
                }
            }
        }
        if at_end && lines.ending && matches!(outcome, None | Some(Outcome::Gone(_))) {
            return Held::Refused;
        }
        if at_end || matches!(outcome, Some(Outcome::Up(_) | Outcome::Late)) {
            return outcome.map_or(Held::Closed, Held::Outcome);
        }
        match watcher.wait(Some(&lines.stream)) {
            Woken::Ready => at_end = lines.read_some().is_err(),
            Woken::Interrupted => return Held::Interrupted,
            Woken::TimedOut => return outcome.map_or(Held::TimedOut, Held::Outcome),
        }
    }
}

/// A held reply, line by line.
struct Lines {
    stream: UnixStream,
    received: Vec<u8>,
    /// Whether the other end has said anything.
    heard: bool,
    turned_away: bool,
    /// It was ending already when it was asked.
    ending: bool,
}

impl Lines {
    fn of(stream: UnixStream) -> Lines {
        Lines { stream, received: Vec::new(), heard: false, turned_away: false, ending: false }
    }

    /// An error is the end of the connection, or of our patience with it.
    fn read_some(&mut self) -> Result<(), ()> {
        let mut chunk = [0; 4096];
        match descriptor::read(self.stream.as_fd(), &mut chunk) {
            Ok(count) if count > 0 && self.received.len() < LONGEST_REPLY => {
                self.received.extend_from_slice(chunk.get(..count).unwrap_or(&[]));
                Ok(())
            }
            _ => Err(()),
        }
    }

    fn next(&mut self) -> Option<String> {
        let end = memchr::memchr(b'\n', &self.received)?;
        let line = self.received.drain(..=end).collect::<Vec<u8>>();
        Some(String::from_utf8_lossy(line.get(..end).unwrap_or(&[])).into_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Ready,
    Interrupted,
    TimedOut,
}

/// Waits, prints a dot for each full second, and minds ^C and the limit.
struct Watcher {
    signals: SelfPipe,
    began: Mono,
    end: Option<Mono>,
    dots: u32,
}

impl Watcher {
    fn new(limit: Option<Duration>) -> io::Result<Watcher> {
        let signals = SelfPipe::catch(&[Signal::INT])?;
        let began = clock::monotonic();
        let end = limit.map(|limit| began.after(limit));
        Ok(Watcher { signals, began, end, dots: 0 })
    }

    fn limit_to(&mut self, limit: Duration) {
        self.end = Some(clock::monotonic().after(limit));
    }

    fn wait(&mut self, stream: Option<&UnixStream>) -> Woken {
        loop {
            match self.wait_for(stream, None) {
                Some(woken) => return woken,
                None => self.print_due_dots(),
            }
        }
    }

    fn wait_until(&mut self, at: Mono) -> Woken {
        loop {
            match self.wait_for(None, Some(at)) {
                Some(woken) => return woken,
                None => self.print_due_dots(),
            }
            if clock::monotonic() >= at {
                return Woken::Ready;
            }
        }
    }

    /// Without dots.
    fn wait_quietly(&mut self, stream: &UnixStream) -> Woken {
        loop {
            if let Some(woken) = self.wait_once(Some(stream), None) {
                return woken;
            }
        }
    }

    /// None when nothing but time has passed.
    fn wait_for(&mut self, stream: Option<&UnixStream>, at: Option<Mono>) -> Option<Woken> {
        self.wait_once(stream, self.next_dot().into_iter().chain(at).min())
    }

    fn wait_once(&mut self, stream: Option<&UnixStream>, at: Option<Mono>) -> Option<Woken> {
        let now = clock::monotonic();
        if self.end.is_some_and(|end| end <= now) {
            return Some(Woken::TimedOut);
        }
        let next = self.end.into_iter().chain(at).min();
        let readable = stream.map_or(Watch::IDLE, |stream| Watch::readable(stream.as_fd()));
        let mut watches = [readable, Watch::readable(self.signals.fd())];
        let _ = poll::poll(&mut watches, next.map(|next| next.since(now)));
        let [stream, signals] = &watches;
        if signals.is_ready() {
            self.signals.empty();
            let _ = self.signals.take().count();
            return Some(Woken::Interrupted);
        }
        stream.is_ready().then_some(Woken::Ready)
    }

    fn next_dot(&self) -> Option<Mono> {
        Some(self.began.after(Duration::from_secs(u64::from(self.dots) + 1)))
    }

    fn print_due_dots(&mut self) {
        while self.next_dot().is_some_and(|at| at <= clock::monotonic()) {
            self.dots += 1;
            let mut out = io::stdout().lock();
            let _ = write!(out, ". ").and_then(|()| out.flush());
        }
    }

    fn end(self, held: Held) -> Wait {
        Wait { held, dots: self.dots }
    }
}

/// The process that a status names, if the program runs.
pub(super) fn program_of(status: Option<&Status>) -> Option<Pid> {
    status.and_then(|status| status.program)
}
