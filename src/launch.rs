//! What a client hands over to the supervisor that it launches: plain data, so
//! that neither side needs to know the other; and its way through a socket,
//! because a launched supervisor has nothing in its memory that only a client
//! needs.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::eventlog::Plan;
use crate::users::User;
use crate::wire::{Wire, wire_enum, wire_struct};

/// The name by which this binary, executed anew, knows that a launch awaits it.
pub(crate) const SUPERVISOR_NAME: &str = "zdaemon-supervisor";

/// No launch is longer: the arguments of a program have room in it many times.
const LONGEST: usize = 64 << 20;
/// The length of a launch, before it.
const HEAD: usize = size_of::<usize>();
/// Most are not longer, and then take no memory that would lie idle for years.
const USUAL: usize = 2 << 10;

/// Everything that a supervisor needs to begin with, besides its environment,
/// which is the program's too.
pub(crate) struct Launch {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    /// The words by which the supervisor is known among the processes.
    pub(crate) shown_as: Vec<OsString>,
    /// Names the time since the machine was started; empty where nobody knows.
    pub(crate) boot: String,
    /// The directory that the command was given in.
    pub(crate) base: PathBuf,
    /// Whom to become; none to stay who we are.
    pub(crate) user: Option<User>,
    pub(crate) socket: PathBuf,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) umask: u32,
    pub(crate) transcript: Option<PathBuf>,
    pub(crate) event_log: Option<Plan>,
    pub(crate) start_test: Vec<OsString>,
    pub(crate) backoff_limit: u32,
    pub(crate) forever: bool,
    pub(crate) exit_codes: Vec<i32>,
    /// Zero: SIGKILL is never sent.
    pub(crate) stop_timeout: Duration,
    pub(crate) start_timeout: Duration,
    pub(crate) settle_time: Duration,
    pub(crate) hang_around: bool,
    pub(crate) purpose: Purpose,
}

/// What a supervisor is launched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To start the program, or to take over one that runs.
    Run,
    /// To stop what an earlier supervisor left running, and to start nothing.
    Stop,
}

impl Purpose {
    /// What a supervisor that is there already is asked for instead.
    pub(crate) fn request(self) -> &'static str {
        match self {
            Purpose::Run => "start wait\n",
            Purpose::Stop => "stop wait\n",
        }
    }
}

wire_enum!(Purpose { 0: Run, 1: Stop });

wire_struct!(Launch {
    words,
    shown_as,
    boot,
    base,
    user,
    socket,
    pid_file,
    directory,
    umask,
    transcript,
    event_log,
    start_test,
    backoff_limit,
    forever,
    exit_codes,
    stop_timeout,
    start_timeout,
    settle_time,
    hang_around,
    purpose,
});

/// The number of bytes that were read; there may be room for more.
fn read_at_least(stream: &mut UnixStream, into: &mut [u8], least: usize) -> io::Result<usize> {
    let mut count = 0;
    while count < least {
        match stream.read(into.get_mut(count..).unwrap_or(&mut [])) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// How the supervisor stands to whoever launched it.
pub(crate) enum Mode {
    /// A process of its own; the outcome is told over the socket.
    Detached(UnixStream),
    /// The launching process itself: same terminal, same session.
    Attached,
}

impl Launch {
    /// Its length goes before it.
    pub(crate) fn send(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut bytes = vec![0; HEAD];
        self.put(&mut bytes);
        let length = bytes.len() - HEAD;
        if let Some(head) = bytes.first_chunk_mut() {
            *head = length.to_ne_bytes();
        }
        stream.write_all(&bytes)
    }

    #[inline(never)]
    pub(crate) fn receive(stream: &mut UnixStream) -> io::Result<Box<Launch>> {
        let (mut usual, mut long) = ([0; USUAL], Vec::new());
        let received = read_at_least(stream, &mut usual, HEAD)?;
        let (head, _) = usual.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
        let whole = HEAD.saturating_add(usize::from_ne_bytes(*head));
        if whole > LONGEST {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let bytes = if whole <= USUAL {
            usual.get_mut(..whole).unwrap_or(&mut [])
        } else {
            long.extend_from_slice(&usual);
            long.resize(whole, 0);
            long.as_mut_slice()
        };
        stream.read_exact(bytes.get_mut(received..).unwrap_or(&mut []))?;
        let launch = bytes.get(HEAD..).and_then(|mut fields| Launch::take(&mut fields));
        launch.map(Box::new).ok_or(io::ErrorKind::InvalidData.into())
    }
}
