//! The real binary, in sandboxes of its own: real processes, real sockets, real
//! files. `ZDAEMON_UNDER_TEST` names another binary to try.

#[allow(dead_code)] // no module uses all of it
mod harness;

/// The command line: options, their errors, and what needs no program.
mod command_line;
/// The configuration file: what it accepts, refuses and means.
mod config_file;
/// The event log: its records, layouts, levels and handlers.
mod eventlog;
/// Where event log records go: rotation, reopening, syslog, the old variables.
mod log_delivery;
/// `logtail`: the end of a file and what comes.
mod logtail;
/// One binary, several names: zdctl, zeoctl, zdrun, and the instance makers.
mod names;
/// The prompt: sessions at a terminal and from a pipe.
mod prompt;
/// What is so and what can be said: the layouts of `show` and `help`.
mod show_and_help;
/// Starting, stopping, and what the commands say and return.
mod start_stop;
