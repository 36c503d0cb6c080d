//! The real binary, in sandboxes of its own: real processes, real sockets, real
//! files. `ZDAEMON_UNDER_TEST` names another binary to try.

#[allow(dead_code)] // no module uses all of it
mod harness;

/// The control socket, byte for byte, and what clients may not do to others.
mod control_socket;
/// README.md: its commands, configurations, scripts and tables.
mod documentation;
/// `daemon off` and `fg`: programs in the caller's own terminal.
mod foreground;
/// Servers that lie, flood or say nothing; users who are none of ours.
mod hostile_peers;
/// What the program gets from us: descriptors, signals, umask, session and more.
mod inherited_state;
/// Launches that cannot work say why and leave nothing.
mod launch_failures;
/// One supervisor, one program, whatever is killed and whoever starts.
mod never_two;
/// What nothing costs: no polling, no memory, seen through strace.
mod no_polling;
/// The file that tells init scripts the supervisor's pid.
mod pid_file;
/// When a program counts as started.
mod readiness;
/// What happens when a program ends by itself, and `restart`.
mod restart_and_backoff;
/// Signals to the supervisor.
mod signals;
/// Starting, stopping, and what the commands say and return.
mod start_stop;
/// What a program leaves behind, and when it is removed.
mod strays;
/// Where a program's output goes.
mod transcript;
/// `user`: who the program is, and whose the files are.
mod users;
