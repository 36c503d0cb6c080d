//! Locks on files that the kernel releases when their holder dies: taking them,
//! and finding out who has them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::check;
use super::signal::Alarm;
use crate::vocabulary::Pid;

/// Takes the whole-directory lock that serialises launches, waiting at most
/// `limit`. It is released when every copy of the descriptor is closed.
pub(crate) fn lock_directory(directory: &File, limit: Duration) -> io::Result<()> {
    if try_lock_directory(directory) {
        return Ok(());
    }
    let _alarm = Alarm::after(limit)?;
    // SAFETY: flock takes two integers and touches no memory.
    check(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX) }).map(drop)
}

/// As `lock_directory`, but does not wait; false when somebody else has it.
pub(crate) fn try_lock_directory(directory: &File) -> bool {
    // SAFETY: flock takes two integers and touches no memory.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

pub(crate) fn unlock_directory(directory: &File) {
    // SAFETY: flock takes two integers and touches no memory.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_UN) };
}

/// What of a file a lock of one process is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Whole,
    /// One byte, which need not be there.
    Byte(u64),
}

/// Takes the lock of one process over `file`; not inherited by children.
/// False when another process holds it. The process loses it as soon as it
/// closes any descriptor of that file, not only this one.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match set_lock(file, libc::F_WRLCK, Span::Whole) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Takes such a lock where only reading is possible, as it is for directories.
/// It excludes nobody, but shows who has it.
pub(crate) fn mark(file: &File, span: Span) -> io::Result<()> {
    set_lock(file, libc::F_RDLCK, span)
}

/// Who has a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Process(Pid),
    /// A process that has no number here: on another host, or in another container.
    Elsewhere,
}

/// The other process that has a lock of its own over `span`, or one of them.
pub(crate) fn holder(file: &File, span: Span) -> Option<Holder> {
    let mut request = flock(libc::F_WRLCK, span);
    // SAFETY: F_GETLK reads and writes the flock struct, which outlives the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut request) }).ok()?;
    if libc::c_int::from(request.l_type) == libc::F_UNLCK {
        return None;
    }
    Some(Pid::new(request.l_pid).map_or(Holder::Elsewhere, Holder::Process))
}

fn set_lock(file: &File, kind: libc::c_int, span: Span) -> io::Result<()> {
    let request = flock(kind, span);
    // SAFETY: F_SETLK reads the flock struct, which outlives the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const request) }).map(drop)
}

fn flock(kind: libc::c_int, span: Span) -> libc::flock {
    // SAFETY: an all-zero flock is a valid value of that plain C struct.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind as _;
    request.l_whence = libc::SEEK_SET as _;
    if let Span::Byte(at) = span {
        // Half of the range, so that the end of the span is in range too.
        request.l_start = (at & (libc::off_t::MAX as u64 >> 1)) as libc::off_t;
        request.l_len = 1;
    }
    request
}
