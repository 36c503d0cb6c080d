//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod cli;
mod client;
mod config;
mod eventlog;
mod instance;
mod launch;
mod messages;
mod procfs;
mod program;
mod protocol;
mod quote;
mod scaffold;
mod supervisor;
mod sys;
mod text;
mod users;
mod vocabulary;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::Parsed;
use crate::client::{Client, complain, help_text, print_line};
use crate::messages::client::{Complain, exit};

/// The bare version, as `--version` prints it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What this binary was built for and from.
pub(crate) const TARGET: &str = concat!(env!("ZDAEMON_TARGET"), " ", env!("ZDAEMON_COMMIT"));

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "zdaemon".into());
    let name = name.to_string_lossy().into_owned();
    let arguments: Vec<OsString> = arguments.collect();
    ExitCode::from(run_client(name, &arguments))
}

fn run_client(name: String, arguments: &[OsString]) -> u8 {
    let base = env::current_dir().unwrap_or_else(|_| "/".into());
    let usage = |why: &config::Error| {
        complain(&Complain::Usage { why, program: &name });
        exit::USAGE
    };
    let invocation = match cli::parse(arguments, &base) {
        Ok(Parsed::Run(invocation)) => invocation,
        Ok(Parsed::Help) => {
            print_line(&help_text(&name));
            return exit::DONE;
        }
        Ok(Parsed::Version) => {
            print_line(&VERSION);
            return exit::DONE;
        }
        Err(error) => return usage(&error),
    };
    match Client::new(name.clone(), invocation, base, supervisor::run) {
        Ok(mut client) => client.run(),
        Err(error) => usage(&error),
    }
}
