//! The control socket: many clients at once, none of whom can delay another or
//! the supervisor. A fixed table of connections, bounded requests, replies that
//! never block, an idle limit, and only root and our own user let in. What a
//! request means is its caller's business.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use super::outbox::{Letter, Outbox, Waiting};
use crate::messages::supervisor::ControlReply;
use crate::protocol::{LONGEST_REQUEST, Outcome, Request};
use crate::sys::poll::{self, Watch};
use crate::sys::{descriptor, identity, socket};
use crate::vocabulary::Mono;

/// So many clients are served at once.
pub(crate) const SEATS: usize = 64;
/// Descriptors that clients leave for everything else, where the limit of the
/// process is low; but some clients there must be.
const RESERVED: usize = 24;
const FEWEST_SEATS: usize = 4;
/// When no client can be let in for want of descriptors or memory, the next try
/// comes after so long: the kernel goes on telling that one waits.
const DEAF_TIME: Duration = Duration::from_millis(250);
/// One more than the longest request, to see that one is too long.
const LINE: usize = LONGEST_REQUEST + 1;
/// A client that neither asks nor takes its reply for so long is let go.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Of so many seats one is kept for those who ask and go: clients that wait may
/// take the others.
const ASKERS_SHARE: usize = 4;

/// What happens to a connection after its request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Close,
    Hold(Waiting),
}

/// Who answers requests; the reply's text goes into `reply`.
pub(crate) trait Answer {
    fn answer(&mut self, request: Request<'_>, uid: u32, reply: &mut String) -> After;

    /// What has happened by now and was not announced yet.
    fn news(&mut self) -> &mut Outbox;

    /// It has come to its end. Whoever asks now hears nothing, and asks again: then
    /// nobody is there, which is the truth.
    fn is_over(&self) -> bool;
}

struct Connection {
    stream: UnixStream,
    uid: u32,
    /// Bytes of the request so far, at the seat's place in the arena.
    received: usize,
    waiting: Option<Waiting>,
    /// Being closed: only what is left of the reply is to be sent.
    closing: bool,
    /// What a slow client has not taken yet.
    unsent: Vec<u8>,
    idle_until: Mono,
}

pub(crate) struct Control {
    listener: UnixListener,
    /// Never more than were reserved: as many as were ever taken at once.
    seats: Vec<Option<Connection>>,
    /// The number of seats that the limit of descriptors allows.
    usable: usize,
    /// Until when nobody is let in, because nobody can be.
    deaf_until: Option<Mono>,
    /// The seats' request buffers; pages that nobody uses cost nothing.
    arena: Box<[u8]>,
    /// The text of the reply that is being made.
    reply: String,
}

impl Control {
    /// Ready for replies of as many bytes without asking for memory.
    pub(crate) fn new(listener: UnixListener, longest_reply: usize) -> Control {
        Control {
            deaf_until: None,
            listener,
            seats: Vec::with_capacity(SEATS),
            usable: descriptor::limit().saturating_sub(RESERVED).clamp(FEWEST_SEATS, SEATS),
            arena: vec![0; SEATS * LINE].into_boxed_slice(),
            reply: String::with_capacity(longest_reply),
        }
    }

    /// The socket has been made anew; whoever has a seat keeps it.
    pub(crate) fn listen_on(&mut self, listener: UnixListener) {
        self.listener = listener;
    }

    /// Gives a seat to the client that launched us and waits for the outcome.
    pub(crate) fn seat_launcher(&mut self, stream: UnixStream, now: Mono) {
        let _ = stream.set_nonblocking(true);
        let mut connection = Connection::new(stream, identity::effective_uid(), now);
        connection.waiting = Some(Waiting::ForUp);
        self.seats.push(Some(connection));
    }

    /// The listener's watch, then one a seat.
    pub(crate) fn watch(&self, watches: &mut [Watch]) {
        let seats =
            self.seats.iter().map(|seat| seat.as_ref().map_or(Watch::IDLE, Connection::watch));
        let listener = match self.deaf_until {
            None => Watch::readable(self.listener.as_fd()),
            Some(_) => Watch::IDLE,
        };
        let all = [listener].into_iter().chain(seats);
        watches.iter_mut().zip(all).for_each(|(watch, wanted)| *watch = wanted);
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        let seats = self.seats.iter().flatten().filter_map(Connection::deadline);
        seats.chain(self.deaf_until).min()
    }

    /// Serves whoever is ready. `watches` as `watch` filled them. Not inlined into
    /// the frame that the supervisor sleeps on.
    #[inline(never)]
    pub(crate) fn serve(&mut self, now: Mono, watches: &[Watch], who: &mut dyn Answer) {
        let ready = |index: usize| watches.get(index).is_some_and(Watch::is_ready);
        for seat in 0..self.seats.len() {
            if ready(seat + 1) {
                self.serve_seat(seat, now, who);
            }
        }
        self.let_idle_go(now);
        if ready(0) || self.deaf_until.is_some_and(|until| until <= now) {
            self.accept(now, who);
        }
    }

    /// A flood of newcomers does not keep us from our other work: the rest of it
    /// is for the next turn.
    fn accept(&mut self, now: Mono, who: &mut dyn Answer) {
        self.deaf_until = None;
        for _ in 0..SEATS {
            let Some(stream) = self.accept_one(now, who) else { return };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            let Ok(uid) = socket::peer_uid(stream.as_fd()) else { continue };
            let mut connection = Connection::new(stream, uid, now);
            if uid != 0 && uid != identity::effective_uid() {
                connection.say(&ControlReply::NotPermitted, &mut self.reply);
                continue;
            }
            let Some(seat) = self.free_seat(now, who) else { continue };
            if let Some(place) = self.seats.get_mut(seat) {
                *place = Some(connection);
            }
            // Most clients have already sent their request.
            self.serve_seat(seat, now, who);
        }
    }

    /// A client that waits to be let in. One that cannot be costs a silent client
    /// its seat, and where there is none, all of them a pause.
    fn accept_one(&mut self, now: Mono, who: &mut dyn Answer) -> Option<UnixStream> {
        let mut has_made_room = false;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Some(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // Without descriptors the kernel does not even look for a client.
                Err(_) if !poll::is_readable(self.listener.as_fd()) => return None,
                Err(_) if !has_made_room && self.supersede(now, who).is_some() => {
                    has_made_room = true;
                }
                Err(_) => {
                    self.deaf_until = Some(now.after(DEAF_TIME));
                    return None;
                }
            }
        }
    }

    /// An empty seat, or that of a silent client: there is one, as not all are let
    /// wait for events.
    fn free_seat(&mut self, now: Mono, who: &mut dyn Answer) -> Option<usize> {
        if let Some(seat) = self.seats.iter().position(Option::is_none) {
            return Some(seat);
        }
        if self.seats.len() < self.usable {
            self.seats.push(None);
            return Some(self.seats.len() - 1);
        }
        self.supersede(now, who)
    }

    /// Sends the client away that has been silent the longest; its seat.
    fn supersede(&mut self, now: Mono, who: &mut dyn Answer) -> Option<usize> {
        loop {
            let silent = self.seats.iter().enumerate().filter_map(|(index, seat)| {
                seat.as_ref().filter(|c| c.waiting.is_none()).map(|c| (c.idle_until, index))
            });
            let (_, index) = silent.min()?;
            // What it has asked since we looked is still answered.
            self.serve_seat(index, now, who);
            let place = self.seats.get_mut(index)?;
            let Some(connection) = place else { return Some(index) };
            if connection.waiting.is_none() {
                connection.say(&ControlReply::Superseded, &mut self.reply);
                *place = None;
                return Some(index);
            }
        }
    }

    /// Whether one more client may wait for an event.
    fn may_hold(&self) -> bool {
        let waiting = self.seats.iter().flatten().filter(|client| client.waiting.is_some());
        waiting.count() < self.usable - self.usable / ASKERS_SHARE
    }

    fn serve_seat(&mut self, seat: usize, now: Mono, who: &mut dyn Answer) {
        if who.is_over() {
            return;
        }
        // Whoever begins to wait only now must not hear what happened before.
        self.announce(now, who);
        let may_hold = self.may_hold();
        let Some(place) = self.seats.get_mut(seat) else { return };
        let Some(connection) = place else { return };
        let line = self.arena.get_mut(seat * LINE..(seat + 1) * LINE).unwrap_or(&mut []);
        if connection.serve(line, now, who, &mut self.reply, may_hold) == Fate::Leaves {
            *place = None;
        }
    }

    fn let_idle_go(&mut self, now: Mono) {
        for seat in &mut self.seats {
            let Some(connection) = seat else { continue };
            if connection.deadline().is_some_and(|deadline| deadline <= now) {
                if !connection.closing {
                    connection.say(&ControlReply::IdleTooLong, &mut self.reply);
                }
                *seat = None;
            }
        }
    }

    pub(crate) fn anyone_waits(&self, waiting: Waiting) -> bool {
        self.seats.iter().flatten().any(|connection| connection.waiting == Some(waiting))
    }

    /// Passes on what has happened to those who wait for it.
    pub(crate) fn announce(&mut self, now: Mono, who: &mut dyn Answer) {
        let news = who.news();
        for letter in news.letters() {
            match letter {
                Letter::Notes(waiting, notes) => self.note(waiting, notes),
                Letter::Tell(waiting, outcome) => self.tell(waiting, outcome, now),
            }
        }
        news.clear();
    }

    /// Sends lines to everybody who waits for something.
    fn note(&mut self, waiting: Waiting, notes: &str) {
        for connection in self.seats.iter_mut().flatten() {
            if connection.waiting == Some(waiting) {
                for note in notes.lines() {
                    self.reply.clear();
                    let _ = writeln!(self.reply, "note={note}");
                    connection.send(&self.reply);
                }
            }
        }
    }

    /// Ends the wait of all who waited for that.
    fn tell(&mut self, waiting: Waiting, outcome: Outcome, now: Mono) {
        for seat in &mut self.seats {
            let Some(connection) = seat else { continue };
            if connection.waiting == Some(waiting)
                && connection.conclude(outcome, now) == Fate::Leaves
            {
                *seat = None;
            }
        }
    }

    /// The last words before the supervisor ends. Connections stay open until
    /// the process is gone, so that their end of file means just that.
    pub(crate) fn tell_last(&mut self, waiting: Waiting, outcome: Outcome) {
        for connection in self.seats.iter_mut().flatten() {
            if connection.waiting == Some(waiting) {
                connection.waiting = None;
                let mut line = [0; 32];
                connection.send(outcome_line(outcome, &mut line));
            }
        }
    }
}

fn outcome_line(outcome: Outcome, buffer: &mut [u8; 32]) -> &str {
    let mut rest = buffer.as_mut_slice();
    let _ = writeln!(rest, "{outcome}");
    let unused = rest.len();
    let length = buffer.len() - unused;
    buffer.get(..length).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or("\n")
}

/// Whether the connection is gone. Otherwise it is only not the moment, or the
/// kernel has no memory just now; the idle limit ends what never gets better.
fn is_final(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Leaves,
}

impl Connection {
    fn new(stream: UnixStream, uid: u32, now: Mono) -> Connection {
        Connection {
            stream,
            uid,
            received: 0,
            waiting: None,
            closing: false,
            unsent: Vec::new(),
            idle_until: now.after(IDLE_LIMIT),
        }
    }

    fn watch(&self) -> Watch {
        if !self.unsent.is_empty() {
            Watch::writable(self.stream.as_fd())
        } else if self.waiting.is_some() {
            Watch::hang_up(self.stream.as_fd())
        } else {
            Watch::readable(self.stream.as_fd())
        }
    }

    /// Waiting for an event may take any time; all else may not.
    fn deadline(&self) -> Option<Mono> {
        (self.waiting.is_none() || !self.unsent.is_empty()).then_some(self.idle_until)
    }

    fn serve(
        &mut self,
        line: &mut [u8],
        now: Mono,
        who: &mut dyn Answer,
        reply: &mut String,
        may_hold: bool,
    ) -> Fate {
        if !self.unsent.is_empty() {
            return self.send_rest();
        }
        if self.waiting.is_some() {
            return Fate::Leaves;
        }
        let free = line.get_mut(self.received..).unwrap_or(&mut []);
        let count = match self.stream.read(free) {
            Ok(count) => count,
            Err(error) if is_final(&error) => return Fate::Leaves,
            Err(_) => return Fate::Stays,
        };
        self.received += count;
        let text = line.get(..self.received).unwrap_or(&[]);
        let Some(end) = memchr::memchr(b'\n', text) else {
            return match count {
                _ if self.received > LONGEST_REQUEST => self.refuse(&ControlReply::TooLong, reply),
                0 if self.received == 0 => Fate::Leaves,
                0 => self.refuse(&ControlReply::NotTerminated, reply),
                _ => Fate::Stays,
            };
        };
        reply.clear();
        self.idle_until = now.after(IDLE_LIMIT);
        let request = Request::parse(text.get(..end).unwrap_or(&[]));
        let after = who.answer(request, self.uid, reply);
        self.send(reply);
        match after {
            After::Hold(waiting) if may_hold => self.waiting = Some(waiting),
            // Whom we cannot let wait will ask again.
            After::Hold(_) | After::Close => self.closing = true,
        }
        self.fate()
    }

    fn refuse(&mut self, why: &ControlReply<'_>, reply: &mut String) -> Fate {
        self.say(why, reply);
        self.closing = true;
        self.fate()
    }

    fn fate(&self) -> Fate {
        if self.closing && self.unsent.is_empty() { Fate::Leaves } else { Fate::Stays }
    }

    fn say(&mut self, what: &ControlReply<'_>, reply: &mut String) {
        reply.clear();
        let _ = writeln!(reply, "{what}");
        self.send(reply);
    }

    /// Sends what the client takes now and keeps the rest for later.
    fn send(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while self.unsent.is_empty() && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_final(&error) => return self.closing = true,
                Err(_) => break,
            }
        }
        self.unsent.extend_from_slice(bytes);
    }

    fn send_rest(&mut self) -> Fate {
        match self.stream.write(&self.unsent) {
            Ok(count) => drop(self.unsent.drain(..count)),
            Err(error) if is_final(&error) => return Fate::Leaves,
            Err(_) => {}
        }
        self.fate()
    }

    fn conclude(&mut self, outcome: Outcome, now: Mono) -> Fate {
        let mut line = [0; 32];
        self.send(outcome_line(outcome, &mut line));
        self.waiting = None;
        self.closing = true;
        self.idle_until = now.after(IDLE_LIMIT);
        self.fate()
    }
}
