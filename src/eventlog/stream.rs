//! How does a record get to a descriptor that others share, without waiting and
//! without changing the flags that the others rely on? Whole records and what to
//! do when one does not fit are `whole.rs`'s.

#[cfg(test)]
mod tests;

use crate::sys::descriptor::{self, PIPE_BUF};
use crate::sys::poll::{Watch, poll};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Writes as much of `bytes` as goes at once, in one `write`; `WouldBlock` when
/// the reader is behind. What is not a plain file gets at most `PIPE_BUF` bytes
/// a call, because only that much is sure to fit when `poll` says so. Another
/// writer can still take the room between the two calls: whoever must not wait
/// even then has to keep the stream to itself.
pub(super) fn write_now(stream: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut watches = [Watch::writable(stream)];
    poll(&mut watches, Some(Duration::ZERO))?;
    if !watches.iter().all(Watch::is_ready) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    match bytes.split_at_checked(PIPE_BUF) {
        Some((first, _)) if !is_plain_file(stream)? => descriptor::write(stream, first),
        Some(_) | None => descriptor::write(stream, bytes),
    }
}

fn is_plain_file(stream: BorrowedFd<'_>) -> io::Result<bool> {
    File::from(stream.try_clone_to_owned()?).metadata().map(|found| found.is_file())
}
