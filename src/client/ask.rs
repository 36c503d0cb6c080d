//! Asking a running supervisor: one question and its answer, or a request that
//! is held open until the thing has happened. The peer is not trusted: replies
//! are bounded in size and time, and nothing in them is evaluated.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{Client, Exit, complain};
use crate::messages::client::{Complain, exit};
use crate::messages::supervisor::{ControlReply, LaunchError};
use crate::protocol::{Line, Outcome, Status};
use crate::sys::clock;
use crate::sys::poll::{self, Watch};
use crate::sys::signal::SelfPipe;
use crate::sys::{descriptor, identity, socket};
use crate::vocabulary::{Mono, Pid, Signal};

/// How long a supervisor may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest reply that is read.
const LONGEST_REPLY: u64 = 4 << 20;
/// As much is shown of a reply that is not understood.
const LONGEST_QUOTE: usize = 100;
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

impl Client {
    /// The state of the supervisor, if there is one. What cannot be told from
    /// "none" for sure is an error that has been printed.
    pub(super) fn status(&self) -> Result<Option<Status>, Exit> {
        Ok(self.status_and_trust()?.map(|(status, _)| status))
    }

    /// As `status`, and whether signals may be sent on the word of whoever
    /// answered: not when we are root and the other end is not.
    pub(super) fn status_and_trust(&self) -> Result<Option<(Status, bool)>, Exit> {
        let Some(mut stream) = self.connect()? else { return Ok(None) };
        let peer = socket::peer_uid(stream.as_fd());
        let trusted = peer.is_ok_and(|uid| uid == identity::effective_uid());
        match exchange(&mut stream, b"status\n") {
            // It ended before it could say anything.
            Ok(reply) if reply.is_empty() => Ok(None),
            Ok(reply) => match Status::parse(&reply) {
                Some(status) => Ok(Some((status, trusted))),
                None => Err(self.puzzled(&reply)),
            },
            Err(error) if is_time_out(&error) => Err(self.silent()),
            // It ended while we asked.
            Err(_) => Ok(None),
        }
    }

    /// Sends a request whose reply does not matter.
    pub(super) fn request(&self, line: &str) -> Result<Option<String>, Exit> {
        let Some(mut stream) = self.connect()? else { return Ok(None) };
        match exchange(&mut stream, line.as_bytes()) {
            Ok(reply) => Ok(Some(String::from_utf8_lossy(&reply).into_owned())),
            Err(error) if is_time_out(&error) => Err(self.silent()),
            Err(_) => Ok(None),
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
                return Ok(None);
            }
            Err(error) if is_time_out(&error) => return Err(self.silent()),
            Err(error) => {
                complain(&Complain::Unreachable { socket: path, error: &error });
                return Err(exit::UNCLEAR);
            }
        };
        Ok(Some(stream))
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

    /// Sends `line` and waits for its outcome; a dot for each full second.
    pub(super) fn hold(&self, line: &str, limit: Option<Duration>) -> Result<Option<Wait>, Exit> {
        let Some(mut stream) = self.connect()? else { return Ok(None) };
        if stream.write_all(line.as_bytes()).is_err() {
            return Ok(None);
        }
        Ok(Some(self.follow(stream, limit)))
    }

    /// Reads a held reply to its end.
    pub(super) fn follow(&self, stream: UnixStream, limit: Option<Duration>) -> Wait {
        let Ok(mut watcher) = Watcher::new(limit) else {
            return Wait { held: Held::Closed, dots: 0 };
        };
        let mut lines = Lines { stream, received: Vec::new() };
        let mut outcome = None;
        let mut is_ending = false;
        loop {
            match watcher.wait(Some(&lines.stream)) {
                Woken::Ready => {}
                Woken::Interrupted => return watcher.end(Held::Interrupted),
                Woken::TimedOut => {
                    return watcher.end(outcome.map_or(Held::TimedOut, Held::Outcome));
                }
            }
            let at_end = lines.read_some().is_err();
            while let Some(line) = lines.next() {
                match Line::parse(&line) {
                    Line::Note(note) => complain(&Complain::Note(note)),
                    Line::Error(why) => complain(&Complain::Error(&why)),
                    // The end of the connection still follows: then it is gone.
                    Line::Outcome(told) => {
                        outcome = Some(told);
                        watcher.limit_to(ENDING_LIMIT);
                    }
                    Line::Other(reply) => {
                        is_ending |= reply == ControlReply::ExitingNow.to_string();
                    }
                }
            }
            if at_end && is_ending && matches!(outcome, None | Some(Outcome::Gone(_))) {
                return watcher.end(Held::Refused);
            }
            if at_end || matches!(outcome, Some(Outcome::Up(_) | Outcome::Late)) {
                return watcher.end(outcome.map_or(Held::Closed, Held::Outcome));
            }
        }
    }

    /// For supervisors of 5.2.1, which answer at once: asks until `done`.
    pub(super) fn poll_until(
        &self,
        limit: Option<Duration>,
        done: impl Fn(Option<&Status>) -> Option<Held>,
    ) -> Result<Wait, Exit> {
        let Ok(mut watcher) = Watcher::new(limit) else {
            return Ok(Wait { held: Held::Closed, dots: 0 });
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

/// One question, one answer.
fn exchange(stream: &mut UnixStream, line: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    match stream.write_all(line) {
        // Whoever closes without listening to us may have said why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other?,
    }
    let mut reply = Vec::new();
    let end = clock::monotonic().after(ANSWER_LIMIT);
    let mut bounded = stream.take(LONGEST_REPLY);
    let mut chunk = [0; 4096];
    loop {
        match bounded.read(&mut chunk) {
            Ok(0) => return Ok(reply),
            Ok(count) => reply.extend_from_slice(chunk.get(..count).unwrap_or(&[])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(reply),
            Err(error) => return Err(error),
        }
        if clock::monotonic() > end {
            return Err(io::Error::from(ErrorKind::TimedOut));
        }
    }
}

struct Lines {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Lines {
    /// An error is the end of the connection, or of our patience with it.
    fn read_some(&mut self) -> Result<(), ()> {
        let mut chunk = [0; 4096];
        match descriptor::read(self.stream.as_fd(), &mut chunk) {
            Ok(count) if count > 0 && self.received.len() < LONGEST_REPLY as usize => {
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
        Ok(Watcher { signals, began, end: limit.map(|limit| began.after(limit)), dots: 0 })
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

    /// None when nothing but time has passed.
    fn wait_for(&mut self, stream: Option<&UnixStream>, at: Option<Mono>) -> Option<Woken> {
        let now = clock::monotonic();
        if self.end.is_some_and(|end| end <= now) {
            return Some(Woken::TimedOut);
        }
        let next = self.next_dot().into_iter().chain(self.end).chain(at).min();
        let readable = stream.map_or(Watch::IDLE, |stream| Watch::readable(stream.as_fd()));
        let mut watches = [readable, Watch::readable(self.signals.fd())];
        let _ = poll::poll(&mut watches, next.map(|next| next.since(now)));
        let [stream, signals] = &watches;
        if signals.is_ready() {
            let _ = self.signals.drain().count();
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
