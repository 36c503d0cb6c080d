//! A child that lives in our memory until it executes its program, instead of in
//! a copy of it: copying costs a third of the time that starting a program takes,
//! here and in the faults of both sides afterwards. Unlike `vfork` we go on
//! meanwhile, so a child that hangs holds nobody up. There is one at a time, as
//! there is one stack for it; whoever finds it taken has to fork.
//!
//! The lodger shares `errno` with us, so none of its calls may fail but those
//! that `spawn` makes without it; it must not allocate, and finds nothing on our
//! stack.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::vocabulary::Pid;

const PAGE: usize = 4096;
const ROOM: usize = 4 * PAGE;

/// Has whole pages of its own, which are given back when it has left. Not aligned
/// to one itself: then all data would be, and need more pages.
#[repr(align(16))]
struct Stack(std::cell::UnsafeCell<[u8; ROOM + PAGE]>);

impl Stack {
    fn pages(&self) -> *mut u8 {
        let start = self.0.get().cast::<u8>();
        // SAFETY: there is a page more than `ROOM`.
        unsafe { start.add(start.align_offset(PAGE)) }
    }
}

// SAFETY: only the lodger touches it, and there is one at most: `LODGER` says so.
unsafe impl Sync for Stack {}

/// Behind the heap, which begins on the page of the other data.
#[unsafe(link_section = ".bss.zzz_stack")]
static STACK: Stack = Stack(std::cell::UnsafeCell::new([0; ROOM + PAGE]));
/// Its number, while it may still be in our memory; else 0. -1 while it moves in.
static LODGER: AtomicI32 = AtomicI32::new(0);

/// Starts `work`, which must not return, with a copy of `plan`. None where the
/// place is taken, or the kernel does not want to. All signals have to be blocked.
pub(super) fn take_in<P: Copy>(work: extern "C" fn(*mut c_void) -> c_int, plan: P) -> Option<Pid> {
    if !cfg!(target_arch = "x86_64")
        || LODGER.compare_exchange(0, -1, Ordering::SeqCst, Ordering::SeqCst).is_err()
    {
        return None;
    }
    let place = (ROOM - size_of::<P>()) & !63;
    // SAFETY: the place lies within the stack, which nobody uses now.
    let top = unsafe { STACK.pages().add(place) };
    // SAFETY: it is aligned for anything and has room for a plan.
    unsafe { top.cast::<P>().write(plan) };
    // SAFETY: the new process runs on a stack of its own, in memory that stays
    // until `left` is told that it is gone, and `work` keeps what this file's
    // head says.
    let pid = unsafe { libc::clone(work, top.cast(), libc::CLONE_VM | libc::SIGCHLD, top.cast()) };
    LODGER.store(pid.max(0), Ordering::SeqCst);
    Pid::new(pid)
}

/// This child has executed its program, or has ended.
pub(super) fn left(pid: Pid) {
    if LODGER.compare_exchange(pid.get(), 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        // SAFETY: these are whole pages of ours, which nobody uses any more.
        unsafe { libc::madvise(STACK.pages().cast(), ROOM, libc::MADV_DONTNEED) };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::sys::{descriptor, signal};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
    use std::sync::atomic::AtomicBool;

    static SEEN: AtomicBool = AtomicBool::new(false);

    #[derive(Clone, Copy)]
    struct Plan {
        gate: RawFd,
        ours: RawFd,
    }

    extern "C" fn tell_and_leave(plan: *mut c_void) -> c_int {
        // SAFETY: it is the copy of the plan.
        let plan = unsafe { *plan.cast::<Plan>() };
        // SAFETY: a copy of the number, which nobody else uses in this process.
        unsafe { libc::close(plan.ours) };
        // SAFETY: inherited, and open for as long as this process lives.
        let gate = unsafe { BorrowedFd::borrow_raw(plan.gate) };
        let _ = descriptor::read(gate, &mut [0]);
        SEEN.store(true, Ordering::SeqCst);
        // SAFETY: _exit does not return and touches no memory.
        unsafe { libc::_exit(0) }
    }

    #[test]
    fn a_lodger_lives_in_our_memory_and_there_is_one_at_a_time() {
        let (read, write) = descriptor::pipe().expect("a pipe");
        let plan = Plan { gate: read.as_fd().as_raw_fd(), ours: write.as_fd().as_raw_fd() };
        let blocked = signal::AllBlocked::now();
        let pid = take_in(tell_and_leave, plan).expect("a child");
        assert!(take_in(tell_and_leave, plan).is_none());
        drop(blocked);
        assert!(!SEEN.load(Ordering::SeqCst));
        drop(write);
        // SAFETY: waitpid gets no place to write to.
        unsafe { libc::waitpid(pid.get(), std::ptr::null_mut(), 0) };
        assert!(SEEN.load(Ordering::SeqCst));
        left(pid);
        assert_eq!(LODGER.load(Ordering::SeqCst), 0);
    }
}
