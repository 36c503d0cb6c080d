//! Programs in the caller's own terminal: `fg` and `shell`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{Client, Exit, complain, print_line};
use crate::config::merge;
use crate::messages::client::{Complain, Say, exit};
use crate::messages::supervisor::{CannotExecute, LaunchError};
use crate::program;
use crate::quote::joined;
use crate::sys::process::{self, Fork};
use crate::sys::spawn::{CANNOT_EXECUTE, Command};
use crate::sys::{environment, identity, signal};
use crate::users::User;
use crate::vocabulary::{Ended, Signal};

pub(super) fn foreground(client: &mut Client, arguments: &[OsString]) -> Exit {
    match client.status() {
        Ok(Some(status)) if status.program.is_some() => {
            client.say(&Say::StopFirst);
            return exit::DONE;
        }
        Ok(_) => {}
        Err(status) => return status,
    }
    run_in_terminal(client, arguments).unwrap_or_else(|status| status)
}

fn run_in_terminal(client: &Client, arguments: &[OsString]) -> Result<Exit, Exit> {
    let words = client.program_words(arguments)?;
    let user = client.user()?;
    client.create_directories(user.as_ref())?;
    print_line(&joined(&words));
    client.in_child(|| {
        if !user.as_ref().is_none_or(becomes) {
            return CANNOT_EXECUTE;
        }
        execute(client, &words)
    })
}

/// Turns this process into one of the user, or says why that cannot be.
pub(super) fn becomes(user: &User) -> bool {
    let result = identity::become_user(user.uid, user.gid, &user.groups);
    if let Err(error) = &result {
        complain(&Complain::Error(&LaunchError::UnableToSwitch { user: &user.name, error }));
    }
    result.is_ok()
}

pub(super) fn shell(client: &mut Client, arguments: &[OsString]) -> Exit {
    let command = arguments.join(std::ffi::OsStr::new(" "));
    let words = if command.is_empty() {
        vec![env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())]
    } else {
        vec!["/bin/sh".into(), "-c".into(), command]
    };
    client.in_child(|| execute(client, &words)).unwrap_or_else(|status| status)
}

/// Replaces this process by the program; comes back with a status if it cannot.
fn execute(client: &Client, words: &[OsString]) -> Exit {
    environment::replace(&merge::merged_environment(&client.settings));
    let first = words.first().cloned().unwrap_or_default();
    let found = program::find(&first, env::var_os("PATH").as_deref(), &client.base);
    let path = found.unwrap_or_else(|_| first.clone().into());
    let error = match Command::new(&path, words) {
        Ok(command) => command.execute(),
        Err(error) => error,
    };
    let why = CannotExecute { path: Path::new(&first), error: &error };
    complain(&Complain::Note(&why.to_string()));
    CANNOT_EXECUTE
}

impl Client {
    /// Runs `work` in a child that has the terminal's signals to itself, and
    /// gives back its exit status.
    pub(super) fn in_child(&self, work: impl FnOnce() -> u8) -> Result<Exit, Exit> {
        let cannot = |error: io::Error| {
            complain(&Complain::CannotLaunch(&error));
            exit::FAILED
        };
        // Before the fork: an interrupt must not find us without it. It stays
        // ignored: a prompt goes on with catching it, anyone else ends.
        signal::set_ignored(Signal::INT).map_err(cannot)?;
        signal::set_ignored(Signal::QUIT).map_err(cannot)?;
        match process::fork() {
            Ok(Fork::Child) => {
                signal::reset_all();
                process::exit_now(work())
            }
            Ok(Fork::Parent(pid)) => {
                let ended = process::wait_for(pid).map_err(cannot);
                signal::reset(Signal::QUIT).map_err(cannot)?;
                let ended = ended?;
                if matches!(ended, Ended::Signalled { signal: Signal::INT, .. }) {
                    print_line(&"");
                }
                Ok(ended.shell_status())
            }
            Err(error) => Err(cannot(error)),
        }
    }
}
