//! How does one write to a descriptor that others share, without waiting and
//! without changing the others' flags? Whole records and what to do when one
//! does not fit are the caller's business.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Writes as much of `bytes` as goes at once, in one `write`. `WouldBlock` when
/// the reader is behind; `O_NONBLOCK` would do, but it belongs to everybody who
/// has the stream. What is not a plain file gets at most `PIPE_BUF` bytes a
/// call, because only that much is sure to fit when `poll` says so. Another
/// writer can still take the room between the two calls: whoever must not wait
/// even then keeps the stream to itself.
pub(crate) fn write_now(stream: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    if !is_writable(stream)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let length = if bytes.len() <= libc::PIPE_BUF || is_plain_file(stream)? {
        bytes.len()
    } else {
        libc::PIPE_BUF
    };
    // SAFETY: `bytes` is readable for `length` bytes, and the descriptor is only
    // a number that the kernel checks.
    let written = unsafe { libc::write(stream.as_raw_fd(), bytes.as_ptr().cast(), length) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

fn is_writable(stream: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `asked` is one pollfd and lives through the call.
    match unsafe { libc::poll(&raw mut asked, 1, 0) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(false),
        _ if asked.revents & libc::POLLNVAL != 0 => Err(io::Error::from_raw_os_error(libc::EBADF)),
        _ => Ok(true),
    }
}

fn is_plain_file(stream: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: stat is plain data for which all zeroes is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` has room for what the kernel fills in.
    if unsafe { libc::fstat(stream.as_raw_fd(), &raw mut stat) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

#[cfg(test)]
mod tests {
    use super::write_now;
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_full_blocking_stream_is_an_error_and_not_a_wait() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut sent, piece) = (0, [b'x'; 10_000]);
        let error = loop {
            match write_now(ours.as_fd(), &piece) {
                Ok(length) => sent += length,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        drop(ours);
        let mut arrived = Vec::new();
        theirs.read_to_end(&mut arrived).unwrap();
        assert_eq!(arrived.len(), sent);
    }

    #[test]
    fn a_stream_whose_reader_is_gone_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert_eq!(
            write_now(ours.as_fd(), b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn a_plain_file_takes_a_long_record_in_one_write() {
        let path = std::env::temp_dir().join(format!("zdaemon-stream-{}", std::process::id()));
        let file = crate::sys::append::open(&path).unwrap();
        let written = write_now(file.as_fd(), &[b'x'; 100_000]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written, 100_000);
    }
}
