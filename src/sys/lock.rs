//! Locks on files that the kernel releases when their holder dies, and bounded
//! waiting for them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::check;
use super::signal::Alarm;

/// Takes the whole-directory lock that serialises launches, waiting at most
/// `limit`. It is released when every copy of the descriptor is closed.
pub(crate) fn lock_directory(directory: &File, limit: Duration) -> io::Result<()> {
    let _alarm = Alarm::after(limit)?;
    // SAFETY: flock takes two integers and touches no memory.
    check(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX) }).map(drop)
}

/// As `lock_directory`, but does not wait; false when somebody else has it.
pub(crate) fn try_lock_directory(directory: &File) -> bool {
    // SAFETY: flock takes two integers and touches no memory.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Takes the lock of one process over `file`; not inherited by children.
/// False when another process holds it. The process loses it as soon as it
/// closes any descriptor of that file, not only this one.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match set_lock(file, libc::F_SETLK) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// As `try_lock`, but waits for the holder to go, at most `limit`; then the
/// error is of kind `Interrupted`.
pub(crate) fn wait_for_lock(file: &File, limit: Duration) -> io::Result<()> {
    let _alarm = Alarm::after(limit)?;
    set_lock(file, libc::F_SETLKW)
}

fn set_lock(file: &File, command: libc::c_int) -> io::Result<()> {
    let request = whole_file();
    // SAFETY: F_SETLK and F_SETLKW read the flock struct, which outlives the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const request) }).map(drop)
}

fn whole_file() -> libc::flock {
    // SAFETY: an all-zero flock is a valid value of that plain C struct.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::F_WRLCK as _;
    request.l_whence = libc::SEEK_SET as _;
    request
}
