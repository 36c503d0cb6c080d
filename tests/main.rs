//! The real binary, in sandboxes of its own: real processes, real sockets, real
//! files. `ZDAEMON_UNDER_TEST` names another binary to try.

#[allow(dead_code)] // no module uses all of it
mod harness;

/// `daemon off` and `fg`: programs in the caller's own terminal.
mod foreground;
/// Launches that cannot work say why and leave nothing.
mod launch_failures;
/// When a program counts as started.
mod readiness;
/// What happens when a program ends by itself, and `restart`.
mod restart_and_backoff;
/// Starting, stopping, and what the commands say and return.
mod start_stop;
/// What a program leaves behind, and when it is removed.
mod strays;
/// Where a program's output goes.
mod transcript;
