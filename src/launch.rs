//! What a client hands over when it turns into a supervisor: plain data, so
//! that neither side needs to know the other.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::config::options::Settings;
use crate::users::User;

/// Everything that a supervisor needs to begin with.
pub(crate) struct Launch {
    pub(crate) settings: Settings,
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The directory that the command was given in.
    pub(crate) base: PathBuf,
    /// Whom to become; none to stay who we are.
    pub(crate) user: Option<User>,
    pub(crate) mode: Mode,
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

/// How the supervisor stands to whoever launched it.
pub(crate) enum Mode {
    /// A forked process of its own; the outcome is told over the socket.
    Detached(UnixStream),
    /// The launching process itself: same terminal, same session.
    Attached,
}
