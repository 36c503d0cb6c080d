//! The long-lived parent of one program. `setup` makes it, `driver` runs it:
//! poll, reap, output, control socket, deadlines, in that order for ever.
//! `machine` and `readiness` are its rules, pure; the others do one thing each.
//! Parses no configuration and talks to no terminal.

mod claim;
mod control;
mod core;
mod driver;
mod keeping;
mod machine;
mod outbox;
mod output;
mod pid_file;
mod readiness;
mod remains;
mod requests;
mod setup;
mod start_test;
mod stray;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use self::setup::{run, run_launched};
