//! zdaemon: runs any program as a Unix daemon and keeps it running.
//!
//! One binary, three parts. A *client* parses, asks or launches the supervisor,
//! waits for the event and says what happened. A *supervisor* is a copy of a client
//! that has done nothing yet, or this binary executed anew; a client hands it a
//! `launch`: one thread, one poll, and nothing in memory that only a client needs.
//! The *program* leads a session of its own below it.
//!
//! The life of a `start`: a supervisor is begun, and while it lets go of what it has
//! inherited `cli` reads the arguments and `config` the file; `client::start_stop`
//! finds nobody at the socket and hands over the launch; the supervisor
//! (`supervisor::run_launched`) claims the instance, opens log, transcript and
//! socket, starts the program held back, records it and lets it go;
//! `supervisor::machine` says when it is up; the outcome goes back over the
//! socket pair that the client reads.

#![cfg_attr(not(test), no_main)]

mod cli;
mod client;
mod config;
mod eventlog;
#[cfg(test)]
mod fuzz;
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
mod version;
mod vocabulary;
mod wire;

use std::env;
use std::ffi::OsString;
use std::io;
use std::mem::ManuallyDrop;
use std::path::Path;

use crate::cli::{Invocation, Parsed};
use crate::client::{Begun, Client, Early, complain, print_line};
use crate::messages::client::{Complain, exit};
use crate::sys::anew;

/// What this process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Control,
    /// The S1 documents' `zoectl`: the file is shared with other programs.
    ZeoControl,
    Supervisor,
    /// Started by a client that has a launch for it.
    Launched,
    ZeoInstanceMaker,
    InstanceMaker,
}

/// By which name, as the program's own or as its first argument, a role is
/// reached.
const ROLES: &[(&str, Role)] = &[
    ("zdaemon", Role::Control),
    ("zdctl", Role::Control),
    ("zdctl.py", Role::Control),
    ("zeoctl", Role::ZeoControl),
    ("zdrun", Role::Supervisor),
    ("zdrun.py", Role::Supervisor),
    (launch::SUPERVISOR_NAME, Role::Launched),
    ("mkzeoinst", Role::ZeoInstanceMaker),
    ("mkzeoinst.py", Role::ZeoInstanceMaker),
    ("mkinstance", Role::InstanceMaker),
];

sys::entry::entry!(begin_as);

fn begin_as(mut arguments: Vec<OsString>) -> u8 {
    let name = if arguments.is_empty() { "zdaemon".into() } else { arguments.remove(0) };
    let name = name.to_string_lossy().into_owned();
    let called = Path::new(&name).file_name().unwrap_or_default().to_string_lossy();
    let mut role = role_called(&called).unwrap_or(Role::Control);
    let first = arguments.first().map(|word| word.to_string_lossy().into_owned());
    if let Some(named) =
        first.and_then(|first| role_called(&first)).filter(|_| role == Role::Control)
    {
        role = named;
        arguments.remove(0);
    }
    work_of(role)(name, arguments)
}

fn role_called(name: &str) -> Option<Role> {
    ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

/// Functions and not calls: what one role needs is not on the stack of another,
/// least of all of a supervisor, which keeps its stack for years.
fn work_of(role: Role) -> fn(String, Vec<OsString>) -> u8 {
    match role {
        Role::Launched => |name, arguments| {
            // Their memory serves what it keeps.
            drop((name, arguments));
            supervisor::run_launched(anew::inherited_socket())
        },
        Role::ZeoInstanceMaker => |name, arguments| {
            scaffold::mkzeoinst(&name, &arguments, &mut io::stdout(), &mut io::stderr())
        },
        Role::InstanceMaker => |name, arguments| {
            scaffold::mkinstance(&name, &arguments, &mut io::stdout(), &mut io::stderr())
        },
        Role::Control => |name, arguments| run_client(name, arguments, &CONTROL),
        Role::ZeoControl => |name, arguments| run_client(name, arguments, &ZEO_CONTROL),
        Role::Supervisor => |name, arguments| run_client(name, arguments, &SUPERVISOR),
    }
}

/// In what the roles of a client differ.
struct Part {
    work: fn(&mut Client) -> u8,
    help: fn(&str) -> String,
    foreign_sections: bool,
}

const CONTROL: Part = Part { work: Client::run, help: client::help_text, foreign_sections: false };
const ZEO_CONTROL: Part = Part { foreign_sections: true, ..CONTROL };
const SUPERVISOR: Part =
    Part { work: Client::supervise, help: client::supervisor_help_text, foreign_sections: false };

fn run_client(name: String, arguments: Vec<OsString>, part: &Part) -> u8 {
    match Early::begin(&arguments) {
        Begun::Client(early) => be_client(name, arguments, part, early),
        Begun::Supervisor(socket) => {
            drop((name, arguments));
            supervisor::run_launched(Ok(socket))
        }
    }
}

/// Not inlined for the reason that `work_of` gives.
#[inline(never)]
fn be_client(name: String, arguments: Vec<OsString>, part: &Part, early: Option<Early>) -> u8 {
    let base = env::current_dir().unwrap_or_else(|_| "/".into());
    let usage = |why: &config::Error| {
        complain(&Complain::Usage { why, program: &name });
        exit::USAGE
    };
    let mut invocation: Invocation = match cli::parse(&arguments, &base) {
        Ok(Parsed::Run(invocation)) => invocation,
        Ok(Parsed::Help) => {
            print_line(&(part.help)(&name));
            return exit::DONE;
        }
        Ok(Parsed::Version) => {
            print_line(&version::NUMBER);
            return exit::DONE;
        }
        Err(error) => return usage(&error),
    };
    invocation.given.foreign_sections |= part.foreign_sections;
    match Client::new(name.clone(), invocation, base, supervisor::run, arguments, early) {
        // The process ends with its work: nobody has to take the client apart.
        Ok(client) => (part.work)(&mut ManuallyDrop::new(client)),
        Err(error) => usage(&error),
    }
}
