//! Where the process begins: `main` as the C library calls it. The standard
//! library's own start is left out, because it costs a mapping, an alternate
//! signal stack and some memory in every supervisor. What it does that we need
//! is here: closed standard descriptors are opened, SIGPIPE becomes an error of
//! the write, and buffered output is flushed at the end.

use std::ffi::{CStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;

use super::{descriptor, signal, title};

/// Makes `$run` what the process does; it gets the arguments, the name first,
/// and gives the exit status.
macro_rules! entry {
    ($run:path) => {
        #[allow(unsafe_code)]
        // SAFETY: the C library calls the one function of this name with the
        // argument count and vector.
        #[cfg_attr(not(test), unsafe(export_name = "main"))]
        #[cfg_attr(test, allow(dead_code))]
        extern "C" fn begin(
            count: ::std::ffi::c_int,
            vector: *const *mut ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            $crate::sys::entry::run(count, vector, $run)
        }
    };
}
pub(crate) use entry;

pub(crate) fn run(
    count: libc::c_int,
    vector: *const *mut libc::c_char,
    work: fn(Vec<OsString>) -> u8,
) -> libc::c_int {
    let _ = descriptor::fill_standard();
    let _ = signal::disarm_write_signals();
    let words = words(count, vector);
    // SAFETY: the kernel has put them on the stack that it made for us.
    unsafe { title::remember(&words) };
    let status = work(words.into_iter().map(copied).collect());
    let _ = io::stdout().flush();
    libc::c_int::from(status)
}

fn words(count: libc::c_int, vector: *const *mut libc::c_char) -> Vec<*mut libc::c_char> {
    let words = (0..usize::try_from(count).unwrap_or(0)).map_while(|index| {
        // SAFETY: the C library passes `count` pointers and a null one.
        let place = unsafe { vector.add(index) };
        // SAFETY: as above.
        let word = unsafe { *place };
        (!word.is_null()).then_some(word)
    });
    words.collect()
}

fn copied(word: *mut libc::c_char) -> OsString {
    // SAFETY: an argument is NUL-terminated, and nobody changes it meanwhile.
    OsString::from_vec(unsafe { CStr::from_ptr(word) }.to_bytes().to_vec())
}
