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
    // The kernel refuses more watches than the process may have descriptors, even
    // if most of them are idle.
    let (places, count) = idle_last(watches);
    // SAFETY: `Watch` is a transparent pollfd; the slice has at least `count` of them.
    let result =
        unsafe { libc::poll(watches.as_mut_ptr().cast(), count as libc::nfds_t, milliseconds) };
    let result = check(result);
    back_in_place(watches, places, count);
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            watches.iter_mut().for_each(|watch| watch.0.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Puts the idle watches behind the others; where those stood, a bit each, and
/// their number.
fn idle_last(watches: &mut [Watch]) -> (u128, usize) {
    debug_assert!(watches.len() <= 128, "more watches than bits");
    let (mut places, mut count) = (0, 0);
    for index in 0..watches.len() {
        if watches.get(index).is_some_and(|watch| watch.0.fd >= 0) {
            places |= 1 << index;
            watches.swap(index, count);
            count += 1;
        }
    }
    (places, count)
}

/// Undoes that: idle watches are all alike.
fn back_in_place(watches: &mut [Watch], places: u128, mut count: usize) {
    for index in (0..watches.len()).rev() {
        if places & 1 << index != 0 {
            count -= 1;
            watches.swap(index, count);
        }
    }
}

/// Without waiting.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut watch = [Watch::readable(fd)];
    poll(&mut watch, Some(Duration::ZERO)).is_ok() && watch.iter().any(Watch::is_ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::descriptor::pipe;
    use std::os::fd::AsFd;

    #[test]
    fn each_watch_learns_of_its_own_descriptor() {
        let (readable, _full) = pipe().expect("a pipe");
        let (_, writable) = pipe().expect("a pipe");
        let mut watches = [Watch::IDLE; 9];
        watches[1] = Watch::readable(readable.as_fd());
        watches[3] = Watch::writable(writable.as_fd());
        watches[6] = Watch::readable(readable.as_fd());
        watches[8] = Watch::hang_up(writable.as_fd());
        poll(&mut watches, Some(Duration::ZERO)).expect("a poll");
        let ready: Vec<usize> = (0..9).filter(|index| watches[*index].is_ready()).collect();
        // The reading end of the second pipe is closed.
        assert_eq!(ready, [3, 8]);
    }
}
