//! The two clocks: monotonic for every decision, wall for stamps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::vocabulary::Mono;

/// Now, on the clock that nobody can set.
pub(crate) fn monotonic() -> Mono {
    // SAFETY: an all-zero timespec is a valid value of that plain C struct.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `now` is valid for writes for the length of the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    if result != 0 {
        return Mono(Duration::ZERO);
    }
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Mono(Duration::new(seconds, nanos))
}

/// Now, in the clock ticks since boot by which `/proc` tells start times.
pub(crate) fn boot_ticks() -> u64 {
    // SAFETY: an all-zero timespec is a valid value of that plain C struct.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `now` is valid for writes for the length of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let frequency = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * frequency + nanos * frequency / 1_000_000_000
}

/// Now, since the Unix epoch; zero where the clock stands before it.
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}
