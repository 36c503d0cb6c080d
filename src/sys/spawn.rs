//! Starting a process that inherits exactly what it should: three descriptors,
//! no caught or blocked signal, a session of its own where asked for. Between
//! fork and exec only async-signal-safe calls are made: close, setsid, dup2,
//! sigaction, sigprocmask, read, execve, write, _exit. Everything that needs
//! memory is prepared before.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::process::{self, Fork};
use super::{check, descriptor, signal};
use crate::vocabulary::Pid;

/// The exit status of a child that could not execute its program.
pub(crate) const CANNOT_EXECUTE: u8 = 127;

/// A program ready to be executed any number of times without memory.
pub(crate) struct Command {
    path: CString,
    /// What the pointers below point into.
    _strings: [Vec<CString>; 2],
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

impl Command {
    /// `words` includes the name that the program is called by. An error where
    /// a word holds a NUL byte.
    pub(crate) fn new(
        path: &Path,
        words: &[OsString],
        environment: &[(OsString, OsString)],
    ) -> io::Result<Command> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let words: Vec<CString> =
            words.iter().map(|word| CString::new(word.as_bytes())).collect::<Result<_, _>>()?;
        let environment: Vec<CString> = environment
            .iter()
            .map(|(name, value)| {
                let mut entry = name.clone();
                entry.push("=");
                entry.push(value);
                CString::new(entry.into_vec())
            })
            .collect::<Result<_, _>>()?;
        // Moving a `Vec` or a `CString` does not move the text it owns.
        let pointers = |strings: &[CString]| {
            strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        let (argv, envp) = (pointers(&words), pointers(&environment));
        Ok(Command { path, _strings: [words, environment], argv, envp })
    }

    /// Replaces this process; comes back only with the error.
    pub(crate) fn execute(&self) -> io::Error {
        // SAFETY: `path` is NUL-terminated; both arrays end with a null pointer
        // and point into strings that `self` owns and never changes.
        unsafe { libc::execve(self.path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Whose session and process group a child belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    Own,
    Inherited,
}

/// The descriptors 0, 1 and 2 of a child; none inherits ours.
#[derive(Clone, Copy, Default)]
pub(crate) struct Streams<'a> {
    pub(crate) input: Option<BorrowedFd<'a>>,
    /// Both standard output and standard error.
    pub(crate) output: Option<BorrowedFd<'a>>,
}

/// A child that has been forked and waits to be let go.
pub(crate) struct Held {
    pub(crate) pid: Pid,
    gate: OwnedFd,
    outcome: OwnedFd,
}

/// The descriptor that tells how the exec went.
pub(crate) struct ExecOutcome(OwnedFd);

#[derive(Debug)]
pub(crate) enum Executed {
    NotYet,
    Yes,
    No(io::Error),
}

/// Forks a child that executes `command` once it is released, and leaves if we
/// die before that.
pub(crate) fn fork_held(
    command: &Command,
    streams: Streams<'_>,
    session: Session,
) -> io::Result<Held> {
    let (gate_read, gate_write) = descriptor::pipe()?;
    let (outcome_read, outcome_write) = descriptor::pipe()?;
    descriptor::set_nonblocking(outcome_read.as_fd())?;
    let blocked = signal::AllBlocked::now();
    match process::fork()? {
        Fork::Parent(pid) => {
            drop(blocked);
            Ok(Held { pid, gate: gate_write, outcome: outcome_read })
        }
        Fork::Child => {
            // Our copy would keep the gate from ever reporting its end.
            drop(gate_write);
            if session == Session::Own {
                let _ = process::start_session();
            }
            signal::reset_all();
            let mut go = [0];
            if !descriptor::read(gate_read.as_fd(), &mut go).is_ok_and(|count| count == 1) {
                process::exit_now(CANNOT_EXECUTE);
            }
            let error = match redirect(streams) {
                Ok(()) => command.execute(),
                Err(error) => error,
            };
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            let _ = descriptor::write(outcome_write.as_fd(), &errno.to_ne_bytes());
            process::exit_now(CANNOT_EXECUTE)
        }
    }
}

impl Held {
    /// Lets the child execute its program.
    pub(crate) fn release(self) -> (Pid, ExecOutcome) {
        let _ = descriptor::write(self.gate.as_fd(), &[1]);
        (self.pid, ExecOutcome(self.outcome))
    }
}

impl ExecOutcome {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Without waiting. The child's end closes by itself when the exec succeeds.
    pub(crate) fn read(&self) -> Executed {
        let mut errno = [0; 4];
        match descriptor::read(self.0.as_fd(), &mut errno) {
            Ok(4) => Executed::No(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
            Ok(_) => Executed::Yes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Executed::NotYet,
            Err(error) => Executed::No(error),
        }
    }
}

fn redirect(streams: Streams<'_>) -> io::Result<()> {
    if let Some(input) = streams.input {
        put(input.as_raw_fd(), 0)?;
    }
    if let Some(output) = streams.output {
        put(output.as_raw_fd(), 1)?;
        put(output.as_raw_fd(), 2)?;
    }
    Ok(())
}

fn put(fd: RawFd, standard: RawFd) -> io::Result<()> {
    // SAFETY: dup2 touches no memory and is async-signal-safe.
    check(unsafe { libc::dup2(fd, standard) }).map(drop)
}
