//! Processes: fork, sessions, signals to them, reaping, how they ended.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{check, lodger, retry};
use crate::vocabulary::{Ended, Pid, Signal};

pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

/// Duplicates this process, which has one thread: the child may do anything.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: no thread is ever started, so no lock can be left taken in the child.
    let pid = check(unsafe { libc::fork() })?;
    Ok(Pid::new(pid).map_or(Fork::Child, Fork::Parent))
}

/// Ends this process at once: no destructor, no buffered output.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: _exit does not return and touches no memory.
    unsafe { libc::_exit(libc::c_int::from(status)) }
}

/// The name that `ps` and the like show for this process, cut to 15 bytes.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

pub(crate) fn own_pid() -> i32 {
    // SAFETY: getpid cannot fail and touches no memory.
    unsafe { libc::getpid() }
}

pub(crate) fn start_session() -> io::Result<()> {
    // SAFETY: setsid takes nothing and touches no memory.
    check(unsafe { libc::setsid() }).map(drop)
}

/// The session that a process belongs to.
pub(crate) fn session_of(pid: Pid) -> io::Result<Pid> {
    // SAFETY: getsid takes an integer and touches no memory.
    let session = check(unsafe { libc::getsid(pid.get()) })?;
    Pid::new(session).ok_or_else(|| io::Error::other("the session is not visible from here"))
}

pub(crate) fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory.
    check(unsafe { libc::kill(pid.get(), signal.0) }).map(drop)
}

/// Signals every process of the group that `leader` leads.
pub(crate) fn kill_group(leader: Pid, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory; a `Pid` is never
    // 1 or less when negated into "everybody", as it names a child of ours.
    check(unsafe { libc::kill(-leader.get(), signal.0) }).map(drop)
}

/// Whether a signal could not be sent because there is no such process.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

pub(crate) fn is_alive(pid: Pid) -> bool {
    match kill(pid, Signal(0)) {
        Ok(()) => true,
        Err(error) => error.raw_os_error() == Some(libc::EPERM),
    }
}

/// Sets the file mode creation mask and gives back the old one.
#[allow(clippy::useless_conversion)] // mode_t has 16 bits on some systems
pub(crate) fn set_umask(mask: u32) -> u32 {
    // SAFETY: umask takes an integer, cannot fail and touches no memory.
    u32::from(unsafe { libc::umask(mask as libc::mode_t) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    Child(Pid, Ended),
    /// There are children, and all of them live.
    NoneEnded,
    NoChildren,
}

/// Collects one ended child, whichever, without waiting.
pub(crate) fn reap() -> Reaped {
    let mut status = 0;
    // SAFETY: `status` is valid for writes for the length of the call.
    let result = retry(|| unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) });
    match result.map(Pid::new) {
        Ok(Some(pid)) => {
            lodger::left(pid);
            Reaped::Child(pid, ended(status))
        }
        Ok(None) => Reaped::NoneEnded,
        Err(_) => Reaped::NoChildren,
    }
}

/// Waits for the end of one child.
pub(crate) fn wait_for(pid: Pid) -> io::Result<Ended> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes for the length of the call.
    retry(|| unsafe { libc::waitpid(pid.get(), &raw mut status, 0) })?;
    Ok(ended(status))
}

fn ended(status: libc::c_int) -> Ended {
    if libc::WIFSIGNALED(status) {
        let signal = Signal(libc::WTERMSIG(status));
        Ended::Signalled { signal, core: libc::WCOREDUMP(status) }
    } else {
        Ended::Exited(libc::WEXITSTATUS(status))
    }
}

/// Our living children with a number below `end`, found without `/proc`: the
/// kernel is asked for each.
pub(crate) fn living_children(end: i32) -> impl Iterator<Item = Pid> {
    (2..end).filter(|number| is_living_child(*number)).filter_map(Pid::new)
}

fn is_living_child(number: i32) -> bool {
    // SAFETY: an all-zero siginfo_t is a valid value of that plain C struct.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let id = libc::id_t::try_from(number).unwrap_or(0);
    // SAFETY: `info` is valid for writes for the length of the call.
    let is_child = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, flags) } == 0;
    // SAFETY: waitid leaves the zero for a child that lives, else sets the pid.
    is_child && unsafe { info.si_pid() } == 0
}

/// Makes orphans among our descendants our children. False where the kernel
/// has no such thing.
pub(crate) fn become_subreaper() -> bool {
    // SAFETY: this option of prctl takes an integer and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 }
}

/// A descriptor that becomes readable when the process, which need not be a
/// child, ends. An error where the kernel (before 5.3) has no such thing.
pub(crate) fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.get(), 0) };
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    check(fd)?;
    // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals the process that the descriptor of `open_pidfd` stands for.
pub(crate) fn kill_through(pidfd: &OwnedFd, signal: Signal) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: pidfd_send_signal takes integers and a pointer that may be null.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal.0, none, 0) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
