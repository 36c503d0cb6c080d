//! The control socket, with nobody behind it who acts. Does any sequence of
//! bytes, in pieces of any size, make it panic, take memory without bound, answer
//! twice or keep a client for ever? Does it tell each what it waited for?

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::control::{After, Answer, Control, SEATS};
use super::outbox::{Outbox, Waiting};
use crate::fuzz::readers::REQUESTS;
use crate::fuzz::tests::Dice;
use crate::protocol::{LONGEST_REQUEST, Outcome, Request};
use crate::sys::poll::{Watch, poll};
use crate::sys::{clock, counting};

const CLIENTS: usize = 2_000;
/// What one turn may take: the replies that clients do not read at once.
const MEMORY: usize = 64 << 10;

/// Counts the questions; answers each with a line, and lets it wait if asked to.
struct Counter {
    asked: usize,
    holds: bool,
    /// So many answers are its last.
    last: usize,
    news: Outbox,
}

impl Answer for Counter {
    fn answer(&mut self, _: Request<'_>, _: u32, reply: &mut String) -> After {
        self.asked += 1;
        reply.push_str("answer\n");
        if self.holds { After::Hold(Waiting::ForDown) } else { After::Close }
    }

    fn news(&mut self) -> &mut Outbox {
        &mut self.news
    }

    fn is_over(&self) -> bool {
        self.asked >= self.last
    }
}

struct Server {
    path: PathBuf,
    control: Control,
    who: Counter,
}

impl Server {
    fn new(name: &str) -> Server {
        let path = std::env::temp_dir().join(format!("zdaemon-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        Server {
            path,
            control: Control::new(listener, 100),
            who: Counter { asked: 0, holds: false, last: usize::MAX, news: Outbox::new() },
        }
    }

    fn client(&self) -> UnixStream {
        let client = UnixStream::connect(&self.path).expect("a listener");
        client.set_nonblocking(true).expect("a socket");
        client
    }

    /// Serves whoever is ready, as the driver does, without waiting.
    fn turn(&mut self) {
        let mut watches = [Watch::IDLE; SEATS + 1];
        self.control.watch(&mut watches);
        poll(&mut watches, Some(Duration::ZERO)).expect("descriptors");
        let before = counting::taken();
        self.control.serve(clock::monotonic(), &watches, &mut self.who);
        let taken = counting::taken() - before;
        assert!(taken <= MEMORY, "{taken} bytes in one turn");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Sends the bytes in pieces; what came back, up to the end.
fn send(server: &mut Server, mut client: UnixStream, bytes: &[u8], dice: &mut Dice) -> String {
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = 1 << dice.below(16);
        let piece = rest.len().min(1 + dice.below(most));
        match client.write(&rest[..piece]) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // It has heard enough.
            Err(_) => break,
        }
        server.turn();
    }
    let _ = client.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    for _ in 0..4 {
        server.turn();
        match client.read_to_end(&mut reply) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => return String::from_utf8(reply).expect("an answer"),
        }
    }
    panic!("no end of the reply to {:?}", String::from_utf8_lossy(bytes));
}

/// What the bytes deserve: one answer, or the reason why there is none. Where
/// not all was listened to, the kernel may drop either.
fn check(bytes: &[u8], asked: usize, reply: &str) {
    let line = bytes.iter().position(|byte| *byte == b'\n');
    let answered = line.is_some_and(|end| end <= LONGEST_REQUEST);
    assert_eq!(asked, usize::from(answered), "{reply}");
    let is_heard = line.is_none_or(|end| end + 1 == bytes.len()) && bytes.len() <= LONGEST_REQUEST;
    let wanted = if answered {
        "answer\n"
    } else if bytes.is_empty() {
        ""
    } else if is_heard {
        "Command not terminated by newline\n"
    } else {
        "Command exceeds 10 KB\n"
    };
    assert!(reply == wanted || reply.is_empty() && !is_heard, "{reply:?}, not {wanted:?}");
}

#[test]
fn no_bytes_in_no_pieces_make_the_control_socket_panic_or_answer_twice() {
    let mut server = Server::new("fuzz");
    let mut dice = Dice(0x5eed_0f2d_ae30_0100);
    let mut answered = 0;
    for _ in 0..CLIENTS {
        let bytes = dice.broken(REQUESTS.corpus);
        let client = server.client();
        server.who.asked = 0;
        let reply = send(&mut server, client, &bytes, &mut dice);
        check(&bytes, server.who.asked, &reply);
        answered += server.who.asked;
    }
    assert!(answered > CLIENTS / 10, "only {answered} requests were whole");
}

/// What happened before somebody asked is no answer to the question, even if it
/// was not announced yet.
#[test]
fn who_begins_to_wait_is_not_told_what_happened_before() {
    let mut server = Server::new("news");
    server.who.holds = true;
    let mut early = server.client();
    early.write_all(b"wait\n").expect("a listener");
    server.turn();
    server.who.news.tell(Waiting::ForDown, Outcome::Down);
    let mut late = server.client();
    late.write_all(b"wait\n").expect("a listener");
    server.turn();
    server.control.announce(clock::monotonic(), &mut server.who);
    let mut bytes = [0; 100];
    let count = early.read(&mut bytes).expect("an answer");
    assert_eq!(&bytes[..count], b"answer\noutcome=down\n");
    let count = late.read(&mut bytes).expect("an answer");
    assert_eq!(&bytes[..count], b"answer\n");
}

/// Else it would be told of a supervisor that is no longer there when it hears it.
#[test]
fn who_asks_when_all_is_over_hears_nothing() {
    let mut server = Server::new("over");
    server.who.last = 1;
    let mut clients = [server.client(), server.client()];
    for client in &mut clients {
        client.write_all(b"status\n").expect("a listener");
    }
    server.turn();
    server.turn();
    let mut bytes = [0; 100];
    let [first, second] = &mut clients;
    assert_eq!(first.read(&mut bytes).expect("an answer"), b"answer\n".len());
    let nothing = second.read(&mut bytes).map_err(|error| error.kind());
    assert_eq!(nothing, Err(ErrorKind::WouldBlock));
}
