//! System calls behind types, one file a noun. The only place with `libc` and
//! `unsafe`. No policy, no messages, no retries other than those said here:
//! a call that a signal interrupts is repeated where nothing waits for it.

#![allow(unsafe_code)]

pub(crate) mod anew;
pub(crate) mod clock;
#[cfg(test)]
pub(crate) mod counting;
pub(crate) mod descriptor;
pub(crate) mod entry;
pub(crate) mod environment;
pub(crate) mod heap;
pub(crate) mod identity;
pub(crate) mod lock;
mod lodger;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stack;
pub(crate) mod title;
pub(crate) mod umask;

use std::io;

/// The one gate for `errno`: -1 becomes the error that it stands for.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats a call until it is not a signal that ends it.
fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        match check(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
