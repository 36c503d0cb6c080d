//! The instance maker: writes the directories, configuration files and scripts
//! that a supervised program needs. Two front doors: `mkzeoinst` for a ZEO
//! server, `mkinstance` for any program. Starts nothing.

mod arguments;
mod engine;
mod instance;
mod shell;
mod zeo;

#[cfg(test)]
mod tests;

use crate::messages::scaffold::{Complaint, Message};
use crate::sys;
use crate::users::{self, User};
use arguments::{InstanceArguments, ZeoArguments};
use engine::{make, say, unable};
use instance::Instance;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeo::Zeo;

/// Why a front door ends before it is done.
#[derive(Debug)]
enum Stop {
    /// To standard output; exit status 0.
    Help(Message),
    /// The command line is to blame, and this is wrong with it; 2.
    Usage(Complaint),
    /// The command line is too short or too long; 2.
    Form(Message),
    /// The system is to blame; 1.
    Failed(Complaint),
}

/// `mkzeoinst HOME [PORT]`; `args` are what follows the program's name. Gives
/// the exit status: 0, 1 for what the system refused, 2 for a bad command line.
pub(crate) fn mkzeoinst(
    program_name: &str,
    args: &[OsString],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let made = make_zeo(program_name, args, out, err);
    exit_status(made, program_name, "", out, err)
}

/// `zdaemon mkinstance HOME -- PROGRAM…`; `args` are what follows
/// `mkinstance`. The exit status is that of [`mkzeoinst`].
pub(crate) fn mkinstance(
    program_name: &str,
    args: &[OsString],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let made = make_instance(program_name, args, out);
    exit_status(made, program_name, " mkinstance", out, err)
}

fn make_zeo(
    program_name: &str,
    args: &[OsString],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Stop> {
    let cwd = current_directory()?;
    let ZeoArguments { home, address } = arguments::zeo(basename(program_name), args, &cwd)?;
    let path = env::var_os("PATH").unwrap_or_default();
    let runzeo = find_program("runzeo", &path, &cwd);
    let is_new = !Path::new(&home).join("etc/zeoctl.conf").exists();
    if runzeo.is_none() && is_new {
        // Nobody may be listening; the instance is made all the same.
        let _ = writeln!(err, "{}", Message::NoRunzeo);
    }
    let zeo = Zeo {
        address,
        runzeo: runzeo.unwrap_or_else(|| "runzeo".to_owned()),
        zdaemon: own_path(program_name, &cwd)?,
        home,
    };
    make(Path::new(&zeo.home), &zeo.files(), sys::umask::current(), out)?;
    say(out, &Message::AllDone)
}

fn make_instance(program_name: &str, args: &[OsString], out: &mut dyn Write) -> Result<(), Stop> {
    let cwd = current_directory()?;
    let InstanceArguments { home, name, user, words } =
        arguments::instance(basename(program_name), args, &cwd)?;
    let owner = user.as_deref().map(users::find).transpose();
    let owner = owner.map_err(|why| Stop::Usage(Complaint::NoSuchUser(why)))?;
    let instance = Instance { home, name, user, words, zdaemon: own_path(program_name, &cwd)? };
    let home = Path::new(&instance.home);
    make(home, &instance.files(), sys::umask::current(), out)?;
    if let Some(owner) = owner {
        give(home, &owner, out)?;
    }
    say(out, &Message::AllDone)
}

/// The supervisor opens its files after it became `owner`, who must be able to
/// make them. Only root can give, and only what is root's.
fn give(home: &Path, owner: &User, out: &mut dyn Write) -> Result<(), Stop> {
    for path in [home.join("log"), home.join("var")] {
        let status = fs::metadata(&path).map_err(|e| unable("examine", &path, e))?;
        if status.uid() == 0 && owner.uid != 0 && sys::identity::effective_uid() == 0 {
            sys::place::give_to(&path, owner.uid, owner.gid)
                .map_err(|e| unable("give away", &path, e))?;
            say(out, &Message::Gave { path, user: owner.name.clone() })?;
        }
    }
    Ok(())
}

fn exit_status(
    made: Result<(), Stop>,
    program_name: &str,
    action: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let program = basename(program_name);
    let (told, status) = match made {
        Ok(()) => (Ok(()), 0),
        Err(Stop::Help(help)) => (writeln!(out, "{help}"), 0),
        Err(Stop::Form(usage)) => (writeln!(err, "{usage}"), 2),
        Err(Stop::Usage(message)) => {
            (writeln!(err, "Error: {message}\nFor help, use {program}{action} -h"), 2)
        }
        Err(Stop::Failed(message)) => (writeln!(err, "{program}{action}: {message}"), 1),
    };
    if told.is_ok() { status } else { status.max(1) }
}

fn basename(program_name: &str) -> &str {
    program_name.rsplit('/').next().unwrap_or(program_name)
}

fn current_directory() -> Result<PathBuf, Stop> {
    env::current_dir().map_err(|e| unable("find", Path::new("the current directory"), e))
}

/// Where the running binary is, for scripts; without /proc or its like, where
/// the shell must have found it.
fn own_path(program_name: &str, cwd: &Path) -> Result<String, Stop> {
    let path = match env::current_exe() {
        Ok(path) => path,
        Err(_) if program_name.contains('/') => arguments::absolute(Path::new(program_name), cwd),
        Err(error) => {
            let search = env::var_os("PATH").unwrap_or_default();
            match find_program(program_name, &search, cwd) {
                Some(found) => PathBuf::from(found),
                None => return Err(unable("find", Path::new(program_name), error)),
            }
        }
    };
    arguments::writable("the path of this program", &path).map_err(Stop::Failed)
}

/// The absolute path of the first executable file `name` on the search path
/// `path`; one whose name no configuration can hold is passed over.
fn find_program(name: &str, path: &OsStr, cwd: &Path) -> Option<String> {
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|f| f.is_file() && f.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(path)
        .map(|directory| arguments::absolute(&directory, cwd).join(name))
        .filter(is_program)
        .find_map(|path| arguments::writable("program", &path).ok())
}
