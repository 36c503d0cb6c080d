//! The stack's memory beyond what is in use: given back to the kernel.

/// Farther below this frame than anything that is live while the kernel works for
/// `give_back`: what a signal handler leaves there meanwhile is dead when it ends.
const MARGIN: usize = 512;
/// As far below as is looked for memory: more than a start-up ever needs.
const REACH: usize = 256 << 10;
/// A multiple of the page size of every machine that we know.
const PAGE: usize = 64 << 10;

/// Drops the pages below the running function that earlier, deeper calls have
/// touched. They are zeros when they are next needed.
#[inline(never)]
pub(crate) fn give_back() {
    let here = 0_u8;
    let size = page_size();
    let end = ((&raw const here as usize) - MARGIN) & !(size - 1);
    let start = end - REACH;
    // SAFETY: the range is below every frame that is live during the call, so
    // nothing that is still needed lies in it; what of it is not mapped is left
    // alone by the kernel.
    unsafe { libc::madvise(start as *mut libc::c_void, REACH, libc::MADV_DONTNEED) };
}

fn page_size() -> usize {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(PAGE)
}
