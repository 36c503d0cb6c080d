//! Signals: their names here, catching them through a self-pipe, clean signal
//! state for what we start. The handler records the signal, wakes whoever polls
//! and restores `errno`; nothing else happens in it. The pipe is the kernel's
//! counter of events: one descriptor instead of two, no buffers in every idle
//! supervisor, and a write for which the kernel never lacks memory.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use super::{check, descriptor};
use crate::vocabulary::Signal;

/// The preferred name of a number stands before its synonyms.
const NAMES: &[(libc::c_int, &str)] = &[
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGABRT, "SIGIOT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCHLD, "SIGCLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGIO, "SIGPOLL"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSYS, "SIGSYS"),
];

impl Signal {
    pub(crate) const USR1: Signal = Signal(libc::SIGUSR1);
    pub(crate) const USR2: Signal = Signal(libc::SIGUSR2);
    pub(crate) const CHLD: Signal = Signal(libc::SIGCHLD);
    pub(crate) const CONT: Signal = Signal(libc::SIGCONT);
    pub(crate) const STOP: Signal = Signal(libc::SIGSTOP);
}

/// All names, one a signal, in the order of their numbers' usual listing.
fn real_time() -> [(libc::c_int, &'static str); 2] {
    [(libc::SIGRTMIN(), "SIGRTMIN"), (libc::SIGRTMAX(), "SIGRTMAX")]
}

/// `SIGTERM`, or `signal 40` for a number without a name.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().copied().chain(real_time()).find(|(number, _)| *number == self.0);
        match known {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// A signal as a user writes it: a number that has a name, or a name in any
/// case with or without `SIG`. The second part is how to call it back to the
/// user: synonyms keep the spelling that was asked for.
pub(crate) fn parse(text: &str) -> Option<(Signal, String)> {
    let mut known = NAMES.iter().copied().chain(real_time());
    if let Ok(number) = text.trim().parse::<i32>() {
        return known.find(|(n, _)| *n == number).map(|(n, name)| (Signal(n), name.to_string()));
    }
    let name = text.strip_prefix("Signals.").unwrap_or(text).to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    known.find(|(_, n)| **n == *name).map(|(number, _)| (Signal(number), name))
}

static PENDING: AtomicU64 = AtomicU64::new(0);
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// The signals whose handler is `record`, a bit each.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn record(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the call only gives the address of this thread's errno.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that address is valid for as long as the thread lives.
    let errno = unsafe { *place };
    // SAFETY: the kernel passes a valid siginfo to a SA_SIGINFO handler.
    let code = unsafe { (*info).si_code };
    let mut bits = 1_u64 << signal;
    if code == SI_KERNEL {
        bits |= 1_u64 << (signal + FROM_KERNEL);
    }
    PENDING.fetch_or(bits, Ordering::SeqCst);
    let wake = WAKE.load(Ordering::SeqCst);
    let one = 1_u64;
    // SAFETY: write is async-signal-safe; the number outlives the call; where it
    // is not taken nothing is lost, because the bits are already set.
    unsafe { libc::write(wake, (&raw const one).cast(), size_of::<u64>()) };
    // SAFETY: as above.
    unsafe { *place = errno };
}

/// The `si_code` of a signal that the terminal driver sent (Linux).
const SI_KERNEL: libc::c_int = 0x80;
/// Bit `n + FROM_KERNEL` says that signal n came from the kernel.
const FROM_KERNEL: libc::c_int = 32;

extern "C" fn ignore(_signal: libc::c_int) {}

/// Caught signals as something to poll for. One a process.
pub(crate) struct SelfPipe(OwnedFd);

/// A caught signal, and whether the terminal sent it to the whole foreground
/// group rather than a process to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) signal: Signal,
    pub(crate) from_terminal: bool,
}

impl SelfPipe {
    /// Catches `signals`, numbers up to 31, from now on. When this is dropped
    /// they stay caught and do nothing, so that a prompt has no moment between
    /// two commands in which an interrupt ends it.
    pub(crate) fn catch(signals: &[Signal]) -> io::Result<SelfPipe> {
        let counter = descriptor::event_counter()?;
        WAKE.store(counter.as_raw_fd(), Ordering::SeqCst);
        PENDING.store(0, Ordering::SeqCst);
        for signal in signals {
            CAUGHT.fetch_or(1 << signal.0, Ordering::SeqCst);
            let handler = record as extern "C" fn(_, _, _) as libc::sighandler_t;
            set_action(signal.0, handler, libc::SA_SIGINFO | libc::SA_RESTART)?;
        }
        Ok(SelfPipe(counter))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether something was caught that has not been taken.
    pub(crate) fn is_pending(&self) -> bool {
        PENDING.load(Ordering::SeqCst) != 0
    }

    /// Makes it unreadable until the next signal.
    pub(crate) fn empty(&self) {
        // Whatever was counted is read at once.
        let _ = descriptor::read(self.fd(), &mut [0; size_of::<u64>()]);
    }

    /// What was caught since the last call, each signal once.
    pub(crate) fn take(&self) -> impl Iterator<Item = Caught> + use<> {
        let bits = PENDING.swap(0, Ordering::SeqCst);
        (1..FROM_KERNEL).filter(move |n| bits & (1 << n) != 0).map(move |n| Caught {
            signal: Signal(n),
            from_terminal: bits & (1 << (n + FROM_KERNEL)) != 0,
        })
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        WAKE.store(-1 as RawFd, Ordering::SeqCst);
    }
}

/// Turns a signal that would end us into an error of the call that raised it
/// (SIGPIPE, SIGXFSZ). A handler, not "ignore", so that an exec undoes it.
pub(crate) fn disarm_write_signals() -> io::Result<()> {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        let handler = ignore as extern "C" fn(_) as libc::sighandler_t;
        set_action(signal, handler, libc::SA_RESTART)?;
    }
    Ok(())
}

/// Gives every signal that a self-pipe has caught its default action and
/// unblocks all: between fork and exec, in a process that began with
/// `reset_all`. Async-signal-safe.
pub(crate) fn reset_caught() {
    let caught = CAUGHT.load(Ordering::SeqCst);
    for signal in (1..FROM_KERNEL).filter(|n| caught & (1 << n) != 0) {
        let _ = set_action(signal, libc::SIG_DFL, 0);
    }
    set_mask(&empty_set());
}

/// Gives every signal its default action and unblocks all, whatever was
/// inherited. Async-signal-safe.
pub(crate) fn reset_all() {
    for signal in 1..=64 {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            let _ = set_action(signal, libc::SIG_DFL, 0);
        }
    }
    RESERVED.for_each(reset_reserved);
    set_mask(&empty_set());
}

/// Signals that C libraries keep for themselves and refuse to touch. Whoever
/// was started by glibc's posix_spawn inherits one of them ignored.
const RESERVED: std::ops::RangeInclusive<libc::c_int> = 32..=34;

fn reset_reserved(signal: libc::c_int) {
    // The kernel's own struct is shorter and begins with the handler; all
    // zeros mean the default action.
    let action = [0_u64; 20];
    let set_size: usize =
        if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 16 } else { 8 };
    let none = std::ptr::null_mut::<u8>();
    // SAFETY: `action` is longer than the kernel's sigaction on any architecture
    // and outlives the call; the old value is not asked for.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), none, set_size) };
}

/// Gives one signal its default action.
pub(crate) fn reset(signal: Signal) -> io::Result<()> {
    set_action(signal.0, libc::SIG_DFL, 0)
}

/// Ignores a signal; a program that is started inherits that.
pub(crate) fn set_ignored(signal: Signal) -> io::Result<()> {
    set_action(signal.0, libc::SIG_IGN, 0)
}

fn set_action(
    signal: libc::c_int,
    handler: libc::sighandler_t,
    flags: libc::c_int,
) -> io::Result<()> {
    // SAFETY: an all-zero sigaction is a valid value of that plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: `action` outlives the call; its handler is a function of this
    // file (async-signal-safe), SIG_DFL or SIG_IGN.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: an all-zero sigset is a valid value of that plain C type.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writes for the length of the call.
    unsafe { libc::sigemptyset(&raw mut set) };
    set
}

fn set_mask(set: &libc::sigset_t) {
    // SAFETY: `set` is a valid signal set.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set, std::ptr::null_mut()) };
}

/// Holds back every signal for as long as it lives.
pub(crate) struct AllBlocked(libc::sigset_t);

impl AllBlocked {
    pub(crate) fn now() -> AllBlocked {
        let mut all = empty_set();
        let mut before = empty_set();
        // SAFETY: `all` is valid for writes for the length of the call.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: both sets outlive the call.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
        AllBlocked(before)
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        set_mask(&self.0);
    }
}

/// Makes the call that blocks meanwhile fail with `Interrupted` after a time.
/// It repeats, so that one that fires before the call has begun does no harm.
pub(super) struct Alarm;

impl Alarm {
    pub(super) fn after(limit: Duration) -> io::Result<Alarm> {
        let handler = ignore as extern "C" fn(_) as libc::sighandler_t;
        set_action(libc::SIGALRM, handler, 0)?;
        Alarm::set(limit, Duration::from_millis(50))?;
        Ok(Alarm)
    }

    fn set(first: Duration, again: Duration) -> io::Result<()> {
        // SAFETY: an all-zero itimerval is a valid value of that plain C struct.
        let mut timer: libc::itimerval = unsafe { std::mem::zeroed() };
        timer.it_value.tv_sec = first.as_secs() as _;
        timer.it_value.tv_usec = first.subsec_micros() as _;
        timer.it_interval.tv_usec = again.subsec_micros() as _;
        // SAFETY: `timer` outlives the call; the old value is not asked for.
        let result =
            unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
        check(result).map(drop)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = Alarm::set(Duration::ZERO, Duration::ZERO);
        let _ = set_action(libc::SIGALRM, libc::SIG_DFL, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_number_and_by_name_in_any_spelling() {
        for text in ["1", "hup", "SigHup", "HUP", "Signals.SIGHUP"] {
            assert_eq!(parse(text), Some((Signal::HUP, "SIGHUP".to_string())), "{text}");
        }
        assert_eq!(parse("CLD"), Some((Signal::CHLD, "SIGCLD".to_string())));
        assert_eq!(parse("17"), Some((Signal(17), "SIGCHLD".to_string())));
    }

    #[test]
    fn numbers_without_a_name_are_no_signals() {
        for text in ["0", "32", "40", "65", "-9", "ded", "", "SIG_DFL", "99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_signal_without_a_name_shows_its_number() {
        assert_eq!(Signal(40).to_string(), "signal 40");
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
    }
}
