//! The real binary, in sandboxes of its own: real processes, real sockets, real
//! files. `ZDAEMON_UNDER_TEST` names another binary to try.

#[allow(dead_code)] // no module uses all of it
mod harness;

/// Lengths and clocks at their ends.
mod clock;
/// The command line: options, their errors, and what needs no program.
mod command_line;
/// The configuration file: what it accepts, refuses and means.
mod config_file;
/// The control socket, byte for byte, and what clients may not do to others.
mod control_socket;
/// README.md: its commands, configurations, scripts and tables.
mod documentation;
/// The event log: its records, layouts, levels and handlers.
mod eventlog;
/// What happens when something runs out.
mod exhaustion;
/// `daemon off` and `fg`: programs in the caller's own terminal.
mod foreground;
/// Servers that lie, flood or say nothing; users who are none of ours.
mod hostile_peers;
/// What the program gets from us: descriptors, signals, umask, session and more.
mod inherited_state;
/// Launches that cannot work say why and leave nothing.
mod launch_failures;
/// Where event log records go: rotation, reopening, syslog, the old variables.
mod log_delivery;
/// `logtail`: the end of a file and what comes.
mod logtail;
/// What a cleaner of temporary files can do to an instance.
mod lost_files;
/// What memory the supervisor asks for once it runs: none.
mod memory;
/// One binary, several names: zdctl, zeoctl, zdrun, and the instance makers.
mod names;
/// One supervisor, one program, whatever is killed and whoever starts.
mod never_two;
/// What nothing costs: no polling, no memory, seen through strace.
mod no_polling;
/// Supervisors of 5.2.1, and kernels that lack what we use.
mod old_peers;
/// The file that tells init scripts the supervisor's pid.
mod pid_file;
/// What other users plant where root writes.
mod planted;
/// The prompt: sessions at a terminal and from a pipe.
mod prompt;
/// When a program counts as started.
mod readiness;
/// What happens when a program ends by itself, and `restart`.
mod restart_and_backoff;
/// What is so and what can be said: the layouts of `show` and `help`.
mod show_and_help;
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
