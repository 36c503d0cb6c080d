//! Which permission bits new files do not get. Reads the mask; does not set it
//! for good.

use std::sync::{Mutex, PoisonError};

/// Two readers at once would each see the other's stand-in.
static ONE_READER: Mutex<()> = Mutex::new(());

/// The file mode creation mask. The kernel tells it only in exchange for
/// another, so for an instant it is 077: private rather than open.
#[allow(clippy::useless_conversion)] // mode_t has 16 bits on some systems
pub(crate) fn current() -> u32 {
    let _alone = ONE_READER.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: umask takes a plain number, cannot fail and touches no memory.
    let mask = unsafe { libc::umask(0o077) };
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    u32::from(mask)
}
