//! The long-lived parent of one program. `setup` makes it, `driver` runs it:
//! poll, reap, output, control socket, deadlines, in that order for ever.
//! `machine` and `readiness` are its rules, pure; the others do one thing each.
//! Parses no configuration and talks to no terminal.

mod claim;
mod control;
mod core;
mod driver;
mod machine;
mod output;
mod pid_file;
mod readiness;
mod setup;
mod stray;

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::config::options::Settings;
use crate::users::User;

pub(crate) use self::setup::run;

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
}

/// How the supervisor stands to whoever launched it.
pub(crate) enum Mode {
    /// A forked process of its own; the outcome is told over the socket.
    Detached(UnixStream),
    /// The launching process itself: same terminal, same session.
    Attached,
}
