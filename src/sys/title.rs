//! The words that `ps` and the like show of this process: the kernel keeps only
//! the place where they were put when it was executed, and others may be written
//! there. Decides no word.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static PLACE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Where the arguments stand: one behind the other, each with a NUL at its end.
///
/// # Safety
///
/// Each is NUL-terminated, writable, and there for as long as the process.
pub(super) unsafe fn remember(words: &[*mut libc::c_char]) {
    let Some(first) = words.first() else { return };
    let mut length = 0;
    for word in words {
        if *word != first.wrapping_add(length) {
            break;
        }
        // SAFETY: the caller promises that it is NUL-terminated.
        length += unsafe { CStr::from_ptr(*word) }.count_bytes() + 1;
    }
    PLACE.store(first.cast(), Ordering::Relaxed);
    LENGTH.store(length, Ordering::Relaxed);
}

/// Shows these words instead of the arguments, as far as they fit there. Nobody
/// may use the arguments themselves any more.
pub(crate) fn show_as(words: &[OsString]) {
    let (place, length) = (PLACE.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    if place.is_null() {
        return;
    }
    let mut bytes = Vec::new();
    for word in words {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(0);
    }
    bytes.resize(length, 0);
    // A NUL at the end tells the kernel that there is no more.
    if let Some(last) = bytes.last_mut() {
        *last = 0;
    }
    // SAFETY: `remember` was given so many bytes, writable and there for ever; these
    // are as many, and elsewhere.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}
