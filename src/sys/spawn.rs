//! Starting a process that inherits exactly what it should: three descriptors,
//! no caught or blocked signal, a session of its own where asked for. Between
//! fork and exec only async-signal-safe calls are made: close, setsid, dup2,
//! sigaction, sigprocmask, read, execve, write, _exit. Everything that needs
//! memory is prepared before. The program is a lodger; the others have a copy of our
//! memory.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::process::{self, Fork};
use super::{check, descriptor, lodger, signal};
use crate::vocabulary::Pid;

/// The exit status of a child that could not execute its program.
pub(crate) const CANNOT_EXECUTE: u8 = 127;

/// A program ready to be executed any number of times without memory.
pub(crate) struct Command {
    path: CString,
    argv: Strings,
}

/// Texts as C functions expect a list of them.
pub(super) struct Strings {
    /// What the pointers point into: moving a `CString` does not move its text.
    owned: Vec<CString>,
    pub(super) pointers: Vec<*const libc::c_char>,
}

impl Strings {
    /// An error where a text holds a NUL byte.
    pub(super) fn new(texts: impl Iterator<Item = Vec<u8>>) -> io::Result<Strings> {
        let owned = texts.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Strings { owned, pointers })
    }

    pub(super) fn of(words: &[OsString]) -> io::Result<Strings> {
        Strings::new(words.iter().map(|word| word.as_bytes().to_vec()))
    }
}

impl Command {
    /// `words` includes the name that the program is called by. An error where
    /// a word holds a NUL byte.
    pub(crate) fn new(path: &Path, words: &[OsString]) -> io::Result<Command> {
        Ok(Command { path: CString::new(path.as_os_str().as_bytes())?, argv: Strings::of(words)? })
    }

    /// The file that is executed.
    pub(crate) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.to_bytes()))
    }

    pub(crate) fn words(&self) -> &[CString] {
        &self.argv.owned
    }

    /// Replaces this process, with its environment; comes back only with the
    /// error.
    pub(crate) fn execute(&self) -> io::Error {
        // SAFETY: `path` is NUL-terminated; the array ends with a null pointer
        // and points into texts that `self` owns and never changes.
        unsafe { execute(self.path.as_ptr(), self.argv.pointers.as_ptr()) }
    }
}

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

/// Without `errno`, which the caller may share with its parent.
///
/// # Safety
///
/// As for `execv`.
#[cfg(target_arch = "x86_64")]
unsafe fn execute(path: *const libc::c_char, argv: *const *const libc::c_char) -> io::Error {
    let result: i64;
    // SAFETY: this is the C library's own list, which we change nowhere now.
    let envp = unsafe { environ };
    // SAFETY: the system call gets what its caller promises, comes back only with
    // an error, and changes no other register than these.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") libc::SYS_execve => result,
            in("rdi") path,
            in("rsi") argv,
            in("rdx") envp,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    io::Error::from_raw_os_error(i32::try_from(-result).unwrap_or(libc::EIO))
}

/// # Safety
///
/// As for `execv`.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn execute(path: *const libc::c_char, argv: *const *const libc::c_char) -> io::Error {
    // SAFETY: the caller promises it.
    unsafe { libc::execve(path, argv, environ) };
    io::Error::last_os_error()
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
pub(crate) struct ExecOutcome {
    fd: OwnedFd,
    pid: Pid,
}

#[derive(Debug)]
pub(crate) enum Executed {
    NotYet,
    Yes,
    No(io::Error),
}

/// What a child needs to know between fork and exec: numbers and a place, so that
/// it may lie anywhere.
#[derive(Clone, Copy)]
struct Plan {
    command: *const Command,
    session: Session,
    input: Option<RawFd>,
    output: Option<RawFd>,
    /// Our end of the gate, of which the child has a copy.
    ours: RawFd,
    gate: RawFd,
    outcome: RawFd,
}

/// Forks a child that executes `command` once it is released, and leaves if we
/// die before that.
pub(crate) fn fork_held(
    command: &Command,
    streams: Streams<'_>,
    session: Session,
) -> io::Result<Held> {
    hold(command, streams, session, |plan| match process::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => become_program(plan),
    })
}

/// The same, without copying our memory where that can be. The command has to be
/// there for ever, as the child may look at it for any time.
pub(crate) fn take_in_held(
    command: &Command,
    streams: Streams<'_>,
    session: Session,
) -> io::Result<Held> {
    hold(command, streams, session, |plan| match lodger::take_in(begin, *plan) {
        Some(pid) => Ok(pid),
        None => match process::fork()? {
            Fork::Parent(pid) => Ok(pid),
            Fork::Child => become_program(plan),
        },
    })
}

fn hold(
    command: &Command,
    streams: Streams<'_>,
    session: Session,
    fork: impl FnOnce(&Plan) -> io::Result<Pid>,
) -> io::Result<Held> {
    let (gate_read, gate_write) = descriptor::pipe()?;
    // Four bytes into an empty pipe need no waiting.
    let (outcome_read, outcome_write) = descriptor::nonblocking_pipe()?;
    let plan = Plan {
        command,
        session,
        input: streams.input.map(|fd| fd.as_raw_fd()),
        output: streams.output.map(|fd| fd.as_raw_fd()),
        ours: gate_write.as_raw_fd(),
        gate: gate_read.as_raw_fd(),
        outcome: outcome_write.as_raw_fd(),
    };
    let blocked = signal::AllBlocked::now();
    let pid = fork(&plan);
    drop(blocked);
    Ok(Held { pid: pid?, gate: gate_write, outcome: outcome_read })
}

extern "C" fn begin(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `take_in` passes the copy of a plan, which stays where it is.
    become_program(unsafe { &*plan.cast::<Plan>() })
}

/// The child's part.
fn become_program(plan: &Plan) -> ! {
    // SAFETY: closing touches no memory. Our copy would keep the gate from ever
    // reporting its end.
    unsafe { libc::close(plan.ours) };
    if plan.session == Session::Own {
        let _ = process::start_session();
    }
    signal::reset_caught();
    // SAFETY: the child inherited it, and nobody closes it here.
    let gate = unsafe { BorrowedFd::borrow_raw(plan.gate) };
    // SAFETY: as above.
    let outcome = unsafe { BorrowedFd::borrow_raw(plan.outcome) };
    let mut go = [0];
    if !descriptor::read(gate, &mut go).is_ok_and(|count| count == 1) {
        process::exit_now(CANNOT_EXECUTE);
    }
    let error = match redirect(plan) {
        // SAFETY: whoever made the plan keeps the command for as long as we are here.
        Ok(()) => unsafe { &*plan.command }.execute(),
        Err(error) => error,
    };
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let _ = descriptor::write(outcome, &errno.to_ne_bytes());
    process::exit_now(CANNOT_EXECUTE)
}

impl Held {
    /// Lets the child execute its program.
    pub(crate) fn release(self) -> (Pid, ExecOutcome) {
        let _ = descriptor::write(self.gate.as_fd(), &[1]);
        (self.pid, ExecOutcome { fd: self.outcome, pid: self.pid })
    }
}

impl ExecOutcome {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Without waiting. The child's end closes by itself when the exec succeeds.
    pub(crate) fn read(&self) -> Executed {
        let mut errno = [0; 4];
        match descriptor::read(self.fd.as_fd(), &mut errno) {
            Ok(4) => Executed::No(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
            Ok(_) => {
                lodger::left(self.pid);
                Executed::Yes
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Executed::NotYet,
            Err(error) => Executed::No(error),
        }
    }
}

fn redirect(plan: &Plan) -> io::Result<()> {
    if let Some(input) = plan.input {
        put(input, 0)?;
    }
    if let Some(output) = plan.output {
        put(output, 1)?;
        put(output, 2)?;
    }
    Ok(())
}

fn put(fd: RawFd, standard: RawFd) -> io::Result<()> {
    // SAFETY: dup2 touches no memory and is async-signal-safe.
    check(unsafe { libc::dup2(fd, standard) }).map(drop)
}
