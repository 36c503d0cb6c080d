//! The real binary, in sandboxes of its own: real processes, real sockets, real
//! files. `ZDAEMON_UNDER_TEST` names another binary to try.

#[allow(dead_code)] // no module uses all of it
mod harness;

/// The control socket, byte for byte, and what clients may not do to others.
mod control_socket;
/// Servers that lie, flood or say nothing; users who are none of ours.
mod hostile_peers;
/// What the program gets from us: descriptors, signals, umask, session and more.
mod inherited_state;
/// One supervisor, one program, whatever is killed and whoever starts.
mod never_two;
/// What nothing costs: no polling, no memory, seen through strace.
mod no_polling;
/// The file that tells init scripts the supervisor's pid.
mod pid_file;
/// Signals to the supervisor.
mod signals;
/// Starting, stopping, and what the commands say and return.
mod start_stop;
/// `user`: who the program is, and whose the files are.
mod users;
