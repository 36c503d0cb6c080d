//! The two clocks: monotonic for every decision, wall for stamps. They are read
//! by the system call itself and not through the page of code that the kernel
//! maps into every process (the vDSO): touching that costs each supervisor page
//! tables of its own, 8 KiB, for a saving of some 100 ns when it wakes up.

use std::time::Duration;

use crate::vocabulary::Mono;

/// Now, on the clock that nobody can set.
pub(crate) fn monotonic() -> Mono {
    Mono(read(libc::CLOCK_MONOTONIC))
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
    read(libc::CLOCK_REALTIME)
}

/// The call with 64 bits for each field. Where seconds have 32 bits it is one of
/// its own, with the same number on every such architecture but MIPS.
#[cfg(target_pointer_width = "64")]
const CLOCK_GETTIME: libc::c_long = libc::SYS_clock_gettime;
#[cfg(all(target_pointer_width = "32", target_arch = "mips"))]
const CLOCK_GETTIME: libc::c_long = 4403;
#[cfg(all(target_pointer_width = "32", not(target_arch = "mips")))]
const CLOCK_GETTIME: libc::c_long = 403;

fn read(clock: libc::clockid_t) -> Duration {
    let mut now: [i64; 2] = [0; 2];
    // SAFETY: the call writes two numbers of 64 bits, for which `now` has room.
    let result = unsafe { libc::syscall(CLOCK_GETTIME, clock, now.as_mut_ptr()) };
    if result == 0 { duration(now[0], now[1]) } else { read_by_library(clock) }
}

/// For kernels that do not have that call.
fn read_by_library(clock: libc::clockid_t) -> Duration {
    // SAFETY: an all-zero timespec is a valid value of that plain C struct.
    let mut now: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: `now` is valid for writes for the length of the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut now) };
    if result == 0 { duration(now.tv_sec, now.tv_nsec) } else { Duration::ZERO }
}

fn duration(seconds: impl TryInto<u64>, nanos: impl TryInto<u32>) -> Duration {
    match (seconds.try_into(), nanos.try_into()) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos),
        (Err(_), _) | (_, Err(_)) => Duration::ZERO,
    }
}
