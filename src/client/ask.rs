//! Asking a running supervisor: one question and its answer. The peer is not
//! trusted: replies are bounded in size and time, and nothing in them is
//! evaluated. Requests that are held open are in `hold`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{Client, Exit, complain};
use crate::instance::holder::{self, Summoned};
use crate::messages::client::{Complain, exit};
use crate::messages::supervisor::{LaunchError, SUPERSEDED};
use crate::protocol::Status;
use crate::sys::{clock, identity, poll, socket};
use crate::vocabulary::Pid;

/// How long a supervisor may take to answer a question.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest reply that is read.
pub(super) const LONGEST_REPLY: usize = 4 << 20;
/// As much is shown of a reply that is not understood.
const LONGEST_QUOTE: usize = 100;
/// Before whoever gave no answer is asked again.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

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
        let connected = match fs::symlink_metadata(path) {
            // Found out at less cost than by a socket of our own.
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => socket::connect(path, ANSWER_LIMIT),
        };
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
    pub(super) fn puzzled(&self, reply: &[u8]) -> Exit {
        let line = reply.split(|byte| *byte == b'\n').next().unwrap_or(reply);
        let line = line.get(..LONGEST_QUOTE).unwrap_or(line);
        complain(&Complain::NoStatus { socket: &self.paths.socket, reply: line });
        exit::UNCLEAR
    }

    pub(super) fn silent(&self) -> Exit {
        let seconds = ANSWER_LIMIT.as_secs();
        complain(&Complain::Silent { socket: &self.paths.socket, seconds });
        exit::UNCLEAR
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether the supervisor gave our seat away before it had read our request.
pub(super) fn is_turned_away(reply: &[u8]) -> bool {
    let line = reply.strip_suffix(b"\n").unwrap_or(reply);
    line == SUPERSEDED.as_bytes()
}

/// The process that a status names, if the program runs.
pub(super) fn program_of(status: Option<&Status>) -> Option<Pid> {
    status.and_then(|status| status.program)
}
