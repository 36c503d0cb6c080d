//! What Unix sockets need beyond the standard library: a bounded connect, a
//! bounded question and answer, the identity of the peer.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{check, clock};

/// The longest path, in bytes, that a Unix socket can be bound to.
pub(crate) const LONGEST_PATH: usize =
    size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// A timeout of zero would be none.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// Connects, waiting at most `limit` for a listener whose queue is full.
pub(crate) fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let address = address_of(path.as_os_str())?;
    // SAFETY: socket takes integers and touches no memory.
    let fd =
        check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    stream.set_write_timeout(Some(limit))?;
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_un and `length` its size.
    check(unsafe { libc::connect(fd, (&raw const address).cast(), length) })?;
    Ok(stream)
}

/// Sends a question and reads the answer up to the end of the connection, its
/// first `most` bytes. All of that takes `limit` at most, however slowly the
/// peer speaks; then the error is `WouldBlock`.
pub(crate) fn ask(
    stream: &mut UnixStream,
    question: &[u8],
    most: usize,
    limit: Duration,
) -> io::Result<Vec<u8>> {
    let end = clock::monotonic().after(limit);
    stream.set_write_timeout(Some(limit.max(SHORTEST_TIMEOUT)))?;
    match stream.write_all(question) {
        // Whoever closes without listening to us may have said why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other?,
    }
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    while reply.len() < most {
        let left = end.since(clock::monotonic());
        if left.is_zero() {
            return Err(io::Error::from(ErrorKind::WouldBlock));
        }
        stream.set_read_timeout(Some(left.max(SHORTEST_TIMEOUT)))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => reply.extend_from_slice(chunk.get(..count).unwrap_or(&[])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    reply.truncate(most);
    Ok(reply)
}

fn address_of(path: &OsStr) -> io::Result<libc::sockaddr_un> {
    let bytes = path.as_bytes();
    if bytes.len() > LONGEST_PATH || bytes.contains(&0) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: an all-zero sockaddr_un is a valid value of that plain C struct.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok(address)
}

/// The user that the process at the other end had when it connected or listened.
pub(crate) fn peer_uid(fd: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: an all-zero ucred is a valid value of that plain C struct.
    let mut peer: libc::ucred = unsafe { zeroed() };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` is valid for writes of `length` bytes.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    })?;
    Ok(peer.uid)
}
