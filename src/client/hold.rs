//! Requests that are held open until the thing has happened: sent, followed to
//! their outcome, and asked anew where the other end is older or has not heard
//! us. The peer is not trusted. Single questions are in `ask`.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::ask::{ANSWER_LIMIT, LONGEST_REPLY, PAUSE, is_turned_away};
use super::watcher::{Watcher, Woken};
use super::{Client, Exit, complain};
use crate::messages::client::Complain;
use crate::messages::supervisor::{EXITING_NOW, LaunchError};
use crate::protocol::{Line, Outcome, Status};
use crate::quote::Clean;
use crate::sys::{clock, descriptor, poll};

/// How often it is looked whether a supervisor that holds a request still answers.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// The request that changes nothing.
pub(super) const WAIT: &str = "wait\n";
/// Between two questions to a supervisor that cannot hold a request.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// After the outcome the supervisor may take so long to be gone itself.
const ENDING_LIMIT: Duration = Duration::from_secs(2);

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

    fn ended(watcher: &Watcher, held: Held) -> Wait {
        Wait { held, dots: watcher.dots() }
    }
}

impl Client {
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
                return Ok(Some(Wait::ended(&watcher, held)));
            }
            let _ = poll::poll(&mut [], Some(PAUSE));
            match self.send(line)? {
                Some(new) if is_early => lines = new,
                Some(_) => return Err(self.puzzled(&[])),
                None => return Ok(Some(Wait::ended(&watcher, held))),
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
        Wait::ended(&watcher, held)
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
                return Ok(Wait::ended(&watcher, held));
            }
            let next = clock::monotonic().after(POLL_INTERVAL);
            match watcher.wait_until(next) {
                Woken::Ready => {}
                Woken::Interrupted => return Ok(Wait::ended(&watcher, Held::Interrupted)),
                Woken::TimedOut => return Ok(Wait::ended(&watcher, Held::TimedOut)),
            }
        }
    }
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
                    lines.ending |= reply == EXITING_NOW;
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
