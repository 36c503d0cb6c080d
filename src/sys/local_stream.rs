//! How does one connect to a Unix stream socket without waiting for a peer that
//! does not accept?

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Connects to the socket at `path`, or fails at once; `WouldBlock` when too
/// many others wait there. What comes back never waits either.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    let (address, length) = address(path)?;
    // SAFETY: no pointers; the result is checked.
    let number = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if number == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else knows it.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    stream.set_nonblocking(true)?;
    // SAFETY: `address` lives through the call, and `length` is not more than
    // its size.
    let result = unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(stream)
}

fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: sockaddr_un is plain data for which all zeroes is a value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (slot, byte) in address.sun_path.iter_mut().zip(bytes) {
        *slot = *byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    Ok((address, length as libc::socklen_t))
}

#[cfg(test)]
mod tests {
    use super::connect;
    use std::io::ErrorKind;
    use std::path::Path;

    #[test]
    fn a_path_without_a_socket_or_too_long_for_one_is_an_error() {
        let missing = connect(Path::new("/nonexistent/socket")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let long = connect(Path::new(&"x".repeat(200))).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::InvalidInput);
    }
}
