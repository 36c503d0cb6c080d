//! File descriptors: pipes, FIFOs, standard streams, what is inherited.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{check, retry};

/// For `OpenOptionsExt::custom_flags`.
pub(crate) mod open_flags {
    pub(crate) const NONBLOCK: i32 = libc::O_NONBLOCK;
    pub(crate) const NOCTTY: i32 = libc::O_NOCTTY;
    pub(crate) const NOFOLLOW: i32 = libc::O_NOFOLLOW;
}

/// As much as a pipe takes whole, and at once when it takes anything.
pub(crate) const PIPE_BUF: usize = libc::PIPE_BUF;

/// A pipe whose ends do not outlive an exec.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    pipe_with(libc::O_CLOEXEC)
}

/// The same, and neither end ever waits.
pub(crate) fn nonblocking_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    pipe_with(libc::O_CLOEXEC | libc::O_NONBLOCK)
}

fn pipe_with(flags: libc::c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: `ends` has room for the two descriptors that the call writes.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    // SAFETY: the call succeeded, so ends[0] is open and nobody else's.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: the call succeeded, so ends[1] is open and nobody else's.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    Ok((read, write))
}

/// What is readable from a write of eight bytes on until it is read: once,
/// whatever was written. Never blocks, and does not outlive an exec.
pub(super) fn event_counter() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes two integers and touches no memory.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes no third argument and touches no memory.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    let wanted = flags | libc::O_NONBLOCK;
    // SAFETY: F_SETFL takes an int and touches no memory.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, wanted) }).map(drop)
}

/// One read; 0 is end of file. An interrupted read is repeated.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the pointer and the length are those of `buffer`.
    transfer(|| unsafe { libc::read(fd.as_raw_fd(), start, length) })
}

/// One write, possibly short. An interrupted write is repeated.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `bytes`.
    transfer(|| unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
}

/// The number of bytes that a call moved; repeated while a signal ends it.
pub(super) fn transfer(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Copies what waits in one pipe into another, at most `most` bytes, without
/// taking it out and without waiting.
pub(crate) fn peek(from: BorrowedFd<'_>, into: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
    // SAFETY: tee takes four numbers and touches no memory of ours.
    let count =
        unsafe { libc::tee(from.as_raw_fd(), into.as_raw_fd(), most, libc::SPLICE_F_NONBLOCK) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// How many bytes wait in a pipe.
pub(crate) fn waiting(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD stores an int at the address, which is that of `count`.
    check(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Makes a pipe hold this much, where the user may have such a one and no more is
/// in it already; how much it holds then.
pub(crate) fn resize_pipe(pipe: BorrowedFd<'_>, size: usize) -> io::Result<usize> {
    let wanted = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
    // SAFETY: F_SETPIPE_SZ takes an int and touches no memory.
    let size = check(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, wanted) })?;
    Ok(usize::try_from(size).unwrap_or(0))
}

pub(crate) fn make_fifo(path: &Path, mode: u32) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is NUL-terminated and lives through the call.
    retry(|| unsafe { libc::mkfifo(path.as_ptr(), mode) }).map(drop)
}

/// Makes one of the three standard descriptors a copy of `fd`.
pub(crate) fn redirect(fd: BorrowedFd<'_>, standard: StandardStream) -> io::Result<()> {
    // SAFETY: dup2 touches no memory; the standard descriptors are never owned
    // by an `OwnedFd` of ours, so nothing is closed behind an owner's back.
    retry(|| unsafe { libc::dup2(fd.as_raw_fd(), standard as RawFd) }).map(drop)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardStream {
    Input = 0,
    Output = 1,
    Error = 2,
}

impl StandardStream {
    pub(crate) fn fd(self) -> BorrowedFd<'static> {
        // SAFETY: descriptors 0 to 2 are opened at start-up by `fill_standard`
        // and only ever replaced, never closed.
        unsafe { BorrowedFd::borrow_raw(self as RawFd) }
    }
}

/// Opens `/dev/null` on each standard descriptor that the caller left closed,
/// so that no file of ours can end up as one of them.
pub(crate) fn fill_standard() -> io::Result<()> {
    for stream in [StandardStream::Input, StandardStream::Output, StandardStream::Error] {
        // SAFETY: F_GETFD takes no third argument and touches no memory.
        if unsafe { libc::fcntl(stream as RawFd, libc::F_GETFD) } == -1 {
            // SAFETY: the path is a NUL-terminated literal.
            check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
        }
    }
    Ok(())
}

/// Closes every descriptor above 2 except `keep`. To be called before anything
/// of ours but `keep` is open.
pub(crate) fn close_inherited(keep: Option<BorrowedFd<'_>>) {
    let keep = keep.map_or(-1, |fd| fd.as_raw_fd());
    let spans =
        if keep > 2 { [(3, keep - 1), (keep + 1, RawFd::MAX)] } else { [(3, RawFd::MAX), (1, 0)] };
    for (first, last) in spans.into_iter().filter(|(first, last)| first <= last) {
        if !close_span(first, last) {
            close_one_by_one(first, last);
        }
    }
}

fn close_span(first: RawFd, last: RawFd) -> bool {
    // SAFETY: close_range takes three integers; the caller promises that no
    // descriptor in the span has an owner.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) == 0 }
}

/// How many descriptors this process may have open.
pub(crate) fn limit() -> usize {
    // SAFETY: an all-zero rlimit is a valid value of that plain C struct.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: `limit` is valid for writes for the length of the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    if known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 1024 }
}

/// For kernels before 5.9.
fn close_one_by_one(first: RawFd, last: RawFd) {
    let end = RawFd::try_from(limit()).unwrap_or(65_536);
    for fd in first..=last.min(end.min(1 << 20)) {
        // SAFETY: closing a number that is not open does nothing; the caller
        // promises that no descriptor in the span has an owner.
        unsafe { libc::close(fd) };
    }
}
