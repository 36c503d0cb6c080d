//! Memory that is mapped, not allocated: that of a file, shared with whoever
//! opens the file after us, or nobody's. It may change behind our back, so no
//! reference to it is ever handed out. Knows nothing of what is stored in it.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::check;
use super::descriptor::transfer;

const WORD: usize = size_of::<u64>();

pub(crate) struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    /// The first `length` bytes of a file. What lies behind its end, or has no
    /// room on its disk, must not be touched.
    pub(crate) fn of_file(file: BorrowedFd<'_>, length: usize) -> io::Result<Mapping> {
        map(length, libc::MAP_SHARED, file.as_raw_fd())
    }

    pub(crate) fn of_nobody(length: usize) -> io::Result<Mapping> {
        map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    /// The number at this place, counted in words; zero outside.
    pub(crate) fn load(&self, word: usize) -> u64 {
        let Ok(place) = self.place(word * WORD..(word + 1) * WORD) else { return 0 };
        // SAFETY: `place` is within the mapping and aligned, as a mapping begins
        // at a page; volatile, because the kernel stores there too.
        unsafe { ptr::read_volatile(place.cast::<u64>()) }
    }

    /// Stores in the order of the calls, as far as this process can tell.
    pub(crate) fn store(&self, word: usize, value: u64) {
        let Ok(place) = self.place(word * WORD..(word + 1) * WORD) else { return };
        // SAFETY: as in `load`; nobody holds a reference to it.
        unsafe { ptr::write_volatile(place.cast::<u64>(), value) };
    }

    /// Copies what begins at `from`.
    pub(crate) fn copy_out(&self, from: usize, into: &mut [u8]) -> io::Result<()> {
        let place = self.place(from..from + into.len())?;
        // SAFETY: the source is within the mapping, the target is `into` and can
        // not overlap with it.
        unsafe { ptr::copy_nonoverlapping(place, into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// One write of these bytes, possibly short.
    pub(crate) fn write_to(&self, fd: BorrowedFd<'_>, bytes: Range<usize>) -> io::Result<usize> {
        let (length, place) = (bytes.len(), self.place(bytes)?);
        // SAFETY: the pointer and the length are within the mapping.
        transfer(|| unsafe { libc::write(fd.as_raw_fd(), place.cast(), length) })
    }

    /// One read into these bytes, possibly short.
    pub(crate) fn read_from(&self, fd: BorrowedFd<'_>, bytes: Range<usize>) -> io::Result<usize> {
        let (length, place) = (bytes.len(), self.place(bytes)?);
        // SAFETY: the pointer and the length are within the mapping.
        transfer(|| unsafe { libc::read(fd.as_raw_fd(), place.cast(), length) })
    }

    /// Moves what waits in a pipe, at most `most` bytes, to the place in `file`
    /// that the word tells, and stores the place behind them in the word: one
    /// system call, within which a process cannot be killed. Never waits.
    pub(crate) fn splice(
        &self,
        pipe: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        word: usize,
        most: usize,
    ) -> io::Result<usize> {
        let offset = self.place(word * WORD..(word + 1) * WORD)?.cast::<libc::loff_t>();
        let (pipe, file) = (pipe.as_raw_fd(), file.as_raw_fd());
        let flags = libc::SPLICE_F_NONBLOCK;
        let none = ptr::null_mut();
        // SAFETY: `offset` is an aligned place for a loff_t within the mapping.
        transfer(|| unsafe { libc::splice(pipe, none, file, offset, most, flags) })
    }

    fn place(&self, bytes: Range<usize>) -> io::Result<*mut u8> {
        if bytes.start > bytes.end || bytes.end > self.length {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: the range lies within the mapping.
        Ok(unsafe { self.start.add(bytes.start) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is what mmap gave us, and nobody has a pointer into it.
        let _ = check(unsafe { libc::munmap(self.start.cast(), self.length) });
    }
}

fn map(length: usize, flags: libc::c_int, fd: RawFd) -> io::Result<Mapping> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at a place of the kernel's choice touches nothing.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, fd, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(Mapping { start: start.cast(), length })
}

/// Gives a file room on its disk up to `length`, for good.
pub(crate) fn reserve(file: BorrowedFd<'_>, length: usize) -> io::Result<()> {
    let length = libc::off_t::try_from(length).unwrap_or(libc::off_t::MAX);
    // SAFETY: fallocate takes four numbers and touches no memory of ours.
    super::retry(|| unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) }).map(drop)
}

/// Whether room that a file has been given stays its own when it is written
/// again: true of file systems known to overwrite in place.
pub(crate) fn overwrites_in_place(file: BorrowedFd<'_>) -> bool {
    const TMPFS: u32 = 0x0102_1994;
    const EXT: u32 = 0xEF53;
    const XFS: u32 = 0x5846_5342;
    const OVERLAY: u32 = 0x794C_7630;
    // SAFETY: an all-zero statfs is a valid value of that plain C struct.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `found` is valid for writes for the length of the call.
    let result = super::retry(|| unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut found) });
    result.is_ok() && [TMPFS, EXT, XFS, OVERLAY].contains(&(found.f_type as u32))
}
