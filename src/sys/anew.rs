//! This binary executed anew, as a process that has nothing of this one's memory
//! and an environment of its own: how it is started, and the socket that it finds.
//! What is said over that is not known here.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use super::check;
use super::spawn::Strings;
use crate::vocabulary::Pid;

/// Where a process that executes this binary anew finds the socket to whoever
/// started it.
const INHERITED: RawFd = 3;

/// Executes this binary anew in a session of its own, without copying this
/// process first. An error where the binary cannot be found: there is no
/// `/proc`.
pub(crate) fn spawn(
    words: &[OsString],
    environment: &[(OsString, OsString)],
    socket: BorrowedFd<'_>,
) -> io::Result<Pid> {
    let argv = Strings::of(words)?;
    let envp = Strings::new(
        environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
    )?;
    let plan = SpawnPlan::new(socket)?;
    let mut pid = 0;
    // SAFETY: the plan is initialised, all texts are NUL-terminated, both arrays
    // end with a null pointer, and everything lives through the call.
    let errno = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            c"/proc/self/exe".as_ptr(),
            &raw const plan.actions,
            &raw const plan.attributes,
            argv.pointers.as_ptr().cast(),
            envp.pointers.as_ptr().cast(),
        )
    };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    Pid::new(pid).ok_or_else(|| io::Error::from(io::ErrorKind::Other))
}

/// What `posix_spawn` is told to do between the two.
struct SpawnPlan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl SpawnPlan {
    fn new(socket: BorrowedFd<'_>) -> io::Result<SpawnPlan> {
        // SAFETY: an all-zero value of this plain C struct may be initialised.
        let mut actions: libc::posix_spawn_file_actions_t = unsafe { std::mem::zeroed() };
        // SAFETY: an all-zero value of this plain C struct may be initialised.
        let mut attributes: libc::posix_spawnattr_t = unsafe { std::mem::zeroed() };
        // SAFETY: valid for writes; initialised once.
        spawn_result(unsafe { libc::posix_spawn_file_actions_init(&raw mut actions) })?;
        // SAFETY: valid for writes; initialised once.
        spawn_result(unsafe { libc::posix_spawnattr_init(&raw mut attributes) })?;
        let mut plan = SpawnPlan { actions, attributes };
        // SAFETY: initialised above.
        spawn_result(unsafe {
            libc::posix_spawn_file_actions_adddup2(
                &raw mut plan.actions,
                socket.as_raw_fd(),
                INHERITED,
            )
        })?;
        // SAFETY: initialised above.
        spawn_result(unsafe { libc::posix_spawnattr_setflags(&raw mut plan.attributes, SETSID) })?;
        Ok(plan)
    }
}

impl Drop for SpawnPlan {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.attributes) };
    }
}

/// `POSIX_SPAWN_SETSID`, which not every version of our C bindings names.
const SETSID: libc::c_short = 0x80;

fn spawn_result(errno: libc::c_int) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

/// The socket of `spawn`, in the process that it started.
pub(crate) fn inherited_socket() -> io::Result<UnixStream> {
    // SAFETY: F_SETFD takes an int and touches no memory.
    check(unsafe { libc::fcntl(INHERITED, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, and nothing of ours has been opened yet.
    Ok(unsafe { OwnedFd::from_raw_fd(INHERITED) }.into())
}
