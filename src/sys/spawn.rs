//! Starting a process that inherits exactly what it should: three descriptors,
//! no caught or blocked signal, a session of its own where asked for. Between
//! fork and exec only async-signal-safe calls are made: close, setsid, dup2,
//! sigaction, sigprocmask, read, execve, write, _exit. Everything that needs
//! memory is prepared before. A program, and a supervisor that is begun early,
//! are lodgers; the others have a copy of our memory.

use std::ffi::{CString, OsString};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
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
struct Strings {
    /// What the pointers point into: moving a `CString` does not move its text.
    _owned: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Strings {
    /// An error where a text holds a NUL byte.
    fn new(texts: impl Iterator<Item = Vec<u8>>) -> io::Result<Strings> {
        let owned = texts.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Strings { _owned: owned, pointers })
    }

    fn of(words: &[OsString]) -> io::Result<Strings> {
        Strings::new(words.iter().map(|word| word.as_bytes().to_vec()))
    }
}

impl Command {
    /// `words` includes the name that the program is called by. An error where
    /// a word holds a NUL byte.
    pub(crate) fn new(path: &Path, words: &[OsString]) -> io::Result<Command> {
        Ok(Command { path: CString::new(path.as_os_str().as_bytes())?, argv: Strings::of(words)? })
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

/// Where a process that executes this binary anew finds the socket to whoever
/// started it.
const INHERITED: RawFd = 3;

/// Executes this binary anew in a session of its own, without copying this
/// process first. An error where the binary cannot be found: there is no
/// `/proc`.
pub(crate) fn spawn_self(
    words: &[OsString],
    environment: &[(OsString, OsString)],
    socket: BorrowedFd<'_>,
) -> io::Result<Pid> {
    let argv = Strings::of(words)?;
    let envp = Strings::new(
        environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
    )?;
    let plan = SpawnPlan::new(socket)?;
    let mut pid = 0;
    // SAFETY: the plan is initialised, all texts are NUL-terminated, both arrays
    // end with a null pointer, and everything lives through the call.
    let errno = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            c"/proc/self/exe".as_ptr(),
            &raw const plan.actions,
            &raw const plan.attributes,
            argv.pointers.as_ptr().cast(),
            envp.pointers.as_ptr().cast(),
        )
    };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    Pid::new(pid).ok_or_else(|| io::Error::from(io::ErrorKind::Other))
}

/// As `spawn_self`, but we go on meanwhile, and the environment is ours as it is.
/// Nobody tells if the exec fails: the process ends with `CANNOT_EXECUTE`, and its
/// end of the socket closes. None where that cannot be had.
pub(crate) fn spawn_self_meanwhile(words: &[OsString], socket: BorrowedFd<'_>) -> Option<Pid> {
    // The child looks at them until it executes, whenever that is.
    let argv = ManuallyDrop::new(Strings::of(words).ok()?);
    let plan = Anew { argv: argv.pointers.as_ptr(), socket: socket.as_raw_fd() };
    let _blocked = signal::AllBlocked::now();
    lodger::take_in(execute_anew, plan)?.ok()
}

#[derive(Clone, Copy)]
struct Anew {
    argv: *const *const libc::c_char,
    socket: RawFd,
}

extern "C" fn execute_anew(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `take_in` passes the copy of a plan, which stays where it is.
    let plan = unsafe { &*plan.cast::<Anew>() };
    let _ = process::start_session();
    signal::reset_caught();
    // A descriptor that is put onto itself would stay one that an exec closes.
    let is_in_place = plan.socket == INHERITED;
    // SAFETY: fcntl takes integers here and touches no memory.
    if !is_in_place || unsafe { libc::fcntl(INHERITED, libc::F_SETFD, 0) } == 0 {
        let _ = put(plan.socket, INHERITED);
        // SAFETY: the path is NUL-terminated; the array ends with a null pointer, and
        // whoever made the plan keeps it and its texts for ever.
        let _ = unsafe { execute(c"/proc/self/exe".as_ptr(), plan.argv) };
    }
    process::exit_now(CANNOT_EXECUTE)
}

/// What `posix_spawn` is told to do between the two.
struct SpawnPlan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl SpawnPlan {
    fn new(socket: BorrowedFd<'_>) -> io::Result<SpawnPlan> {
        // SAFETY: an all-zero value of this plain C struct may be initialised.
        let mut actions: libc::posix_spawn_file_actions_t = unsafe { std::mem::zeroed() };
        // SAFETY: an all-zero value of this plain C struct may be initialised.
        let mut attributes: libc::posix_spawnattr_t = unsafe { std::mem::zeroed() };
        // SAFETY: valid for writes; initialised once.
        spawn_result(unsafe { libc::posix_spawn_file_actions_init(&raw mut actions) })?;
        // SAFETY: valid for writes; initialised once.
        spawn_result(unsafe { libc::posix_spawnattr_init(&raw mut attributes) })?;
        let mut plan = SpawnPlan { actions, attributes };
        // SAFETY: initialised above.
        spawn_result(unsafe {
            libc::posix_spawn_file_actions_adddup2(
                &raw mut plan.actions,
                socket.as_raw_fd(),
                INHERITED,
            )
        })?;
        // SAFETY: initialised above.
        spawn_result(unsafe { libc::posix_spawnattr_setflags(&raw mut plan.attributes, SETSID) })?;
        Ok(plan)
    }
}

impl Drop for SpawnPlan {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
        // SAFETY: initialised by `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.attributes) };
    }
}

/// `POSIX_SPAWN_SETSID`, which not every version of our C bindings names.
const SETSID: libc::c_short = 0x80;

fn spawn_result(errno: libc::c_int) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}

/// The socket of `spawn_self`, in the process that it started.
pub(crate) fn inherited_socket() -> io::Result<UnixStream> {
    // SAFETY: F_SETFD takes an int and touches no memory.
    check(unsafe { libc::fcntl(INHERITED, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, and nothing of ours has been opened yet.
    Ok(unsafe { OwnedFd::from_raw_fd(INHERITED) }.into())
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
        Some(taken_in) => taken_in,
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
