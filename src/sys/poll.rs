//! Waiting for descriptors, with an end.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::check;

/// One descriptor to wait for; an idle watch waits for nothing.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Watch(libc::pollfd);

impl Watch {
    pub(crate) const IDLE: Watch = Watch(libc::pollfd { fd: -1, events: 0, revents: 0 });

    pub(crate) fn readable(fd: BorrowedFd<'_>) -> Watch {
        Watch(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    pub(crate) fn writable(fd: BorrowedFd<'_>) -> Watch {
        Watch(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 })
    }

    /// Waits only for the other end to close or fail.
    pub(crate) fn hang_up(fd: BorrowedFd<'_>) -> Watch {
        Watch(libc::pollfd { fd: fd.as_raw_fd(), events: 0, revents: 0 })
    }

    /// Also true for a hang-up or an error: a pipe at its end reports just that.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until a watch is ready or the timeout, rounded up to milliseconds, has
/// passed; none waits for ever. A signal ends the wait with nothing ready.
pub(crate) fn poll(watches: &mut [Watch], timeout: Option<Duration>) -> io::Result<()> {
    let milliseconds = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // The kernel refuses more watches than the process may have descriptors,
    // even if most of them are idle.
    let count = watches.iter().rposition(|watch| watch.0.fd >= 0).map_or(0, |last| last + 1);
    let count = count as libc::nfds_t;
    // SAFETY: `Watch` is a transparent pollfd; the slice has at least `count` of them.
    let result = unsafe { libc::poll(watches.as_mut_ptr().cast(), count, milliseconds) };
    match check(result) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            watches.iter_mut().for_each(|watch| watch.0.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}
