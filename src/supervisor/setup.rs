//! From a launch to a running supervisor, or to a reason why not that the
//! launching client can show, with nothing left behind. The order matters:
//! signals first, then whoever we are to be, then files, and the socket last,
//! because whoever finds it may expect answers.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::claim::{Claim, Claimed, claim};
use super::control::Control;
use super::core::{Core, Program, Recipe};
use super::driver::Supervisor;
use super::machine::{Machine, Policy};
use super::outbox::Outbox;
use super::output::Output;
use super::pid_file::{self, PidFile};
use super::readiness::Readiness;
use super::start_test::StartTest;
use crate::eventlog::EventLog;
use crate::instance::{Paths, Survivor};
use crate::launch::{Launch, Mode};
use crate::messages::supervisor::{LaunchError, LogMessage};
use crate::program;
use crate::protocol::Outcome;
use crate::sys::descriptor::{self, StandardStream};
use crate::sys::signal::{self, SelfPipe};
use crate::sys::spawn::Command;
use crate::sys::{clock, identity, process, title};
use crate::users::User;
use crate::vocabulary::Signal;

/// What the supervisor catches; everything else has its default action.
const CAUGHT: [Signal; 7] = [
    Signal::CHLD,
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
];

/// The transcript that stands for "no transcript".
const NULL: &str = "/dev/null";

/// Why there is no supervisor.
enum Refusal {
    /// There is one already at the socket; what it says of itself.
    Rival {
        socket: PathBuf,
        status: String,
    },
    Because(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Refusal {
        Refusal::Because(why)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Because(LaunchError::System(&error).to_string())
    }
}

fn unable(verb: &str, path: &Path, error: &io::Error) -> String {
    LaunchError::Unable { verb, path, error }.to_string()
}

/// Becomes the supervisor that the client at the other end of the socket wants;
/// comes back with its exit status when it ends.
pub(crate) fn run_launched(socket: io::Result<UnixStream>) -> u8 {
    process::set_name(c"zdaemon");
    let received = socket.and_then(|mut stream| {
        // While the client may still find out what we are to do.
        let_go(Some(stream.as_fd()));
        let launch = Launch::receive(&mut stream)?;
        Ok((launch, Mode::Detached(stream)))
    });
    match received {
        Ok((launch, mode)) => begin(launch, mode),
        // The client does not need us.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
        Err(_) => {
            let _ = writeln!(io::stderr(), "Error: {}", LaunchError::NotLaunched);
            2
        }
    }
}

/// Becomes the supervisor of the instance; comes back with its exit status when
/// it ends. The launcher has been told whatever there is to tell.
pub(crate) fn run(launch: Box<Launch>, mode: Mode) -> u8 {
    let report = match &mode {
        Mode::Detached(stream) => Some(stream.as_fd()),
        Mode::Attached => None,
    };
    let_go(report);
    begin(launch, mode)
}

/// Of all that was inherited but the standard streams and `keep`.
fn let_go(keep: Option<BorrowedFd<'_>>) {
    signal::reset_all();
    descriptor::close_inherited(keep);
}

fn begin(mut launch: Box<Launch>, mode: Mode) -> u8 {
    title::show_as(&std::mem::take(&mut launch.shown_as));
    let attached = matches!(mode, Mode::Attached);
    let purpose = launch.purpose;
    let prepared = prepare(launch, attached);
    match (prepared, mode) {
        (Ok((mut supervisor, survivor)), mode) => {
            if let Mode::Detached(stream) = mode {
                supervisor.control.seat_launcher(stream, clock::monotonic());
            }
            supervisor.run(survivor, purpose)
        }
        (Err(refusal), mode) => refuse(refusal, mode),
    }
}

/// Tells the launcher why, and gives the exit status.
#[inline(never)]
fn refuse(refusal: Refusal, mode: Mode) -> u8 {
    let exit = match &refusal {
        Refusal::Rival { .. } => 1,
        Refusal::Because(_) => 2,
    };
    match (mode, refusal) {
        // The launcher turns to the rival instead.
        (Mode::Detached(mut stream), Refusal::Rival { .. }) => {
            let _ = writeln!(stream, "{}", Outcome::Rival);
        }
        (Mode::Detached(mut stream), Refusal::Because(why)) => {
            let lines: String = why.lines().map(|line| format!("error={line}\n")).collect();
            let _ = writeln!(stream, "{lines}{}", Outcome::Gone(exit));
        }
        (Mode::Attached, Refusal::Rival { socket, status }) => {
            let rival = LaunchError::Rival { socket: &socket, status: &status };
            let _ = write!(io::stderr(), "Error: {rival}");
        }
        (Mode::Attached, Refusal::Because(why)) => {
            let _ = writeln!(io::stderr(), "Error: {why}");
        }
    }
    exit
}

/// What is ours before anything else is opened.
struct Ownership {
    claim: Claim,
    survivor: Survivor,
    pid_file: Option<PidFile>,
}

impl Ownership {
    fn give_up(&mut self) {
        if let Some(file) = &self.pid_file {
            file.remove();
        }
        self.claim.release();
    }
}

/// On the heap, and in a function of its own, so that what is needed once takes
/// none of the stack that the loop stands on for years.
#[inline(never)]
fn prepare(launch: Box<Launch>, attached: bool) -> Result<(Box<Supervisor>, Survivor), Refusal> {
    signal::disarm_write_signals()?;
    let signals = SelfPipe::catch(&CAUGHT)?;
    if !attached {
        // An error means that it leads one already.
        let _ = process::start_session();
    }
    let mut ownership = take_ownership(&launch)?;
    let parts = match assemble(launch, &mut ownership, attached) {
        Ok(parts) => parts,
        Err(why) => {
            ownership.give_up();
            return Err(Refusal::Because(why));
        }
    };
    let survivor = ownership.survivor;
    Ok((build(parts, ownership, signals, attached), survivor))
}

#[inline(never)]
fn build(parts: Parts, ownership: Ownership, signals: SelfPipe, attached: bool) -> Box<Supervisor> {
    let mut core = Box::new(Core {
        machine: Machine::new(parts.recipe.policy.clone()),
        recipe: parts.recipe,
        readiness: Readiness::Off,
        killed_test: None,
        program: Program::default(),
        output: parts.output,
        null: parts.null,
        attached,
        log: parts.log,
        claim: ownership.claim,
        incomplete: false,
        pid_file: ownership.pid_file,
        subreaper: process::become_subreaper(),
        audience: false,
        outbox: Outbox::new(),
        reply: None,
        check_at: None,
        finished: None,
        allocations_before: 0,
    });
    if !core.subreaper {
        core.say(&LogMessage::NoSubreaper);
    }
    core.say(&LogMessage::SupervisorStarted);
    core.claim.launched();
    let control = Control::new(parts.listener, longest_reply(&core.recipe));
    Box::new(Supervisor { core, control, signals, settled: false })
}

/// The words of the program are in a status report; quoting makes four bytes of
/// one at most. The rest of it, and any other reply, is short.
fn longest_reply(recipe: &Recipe) -> usize {
    let words: usize = recipe.command.words().iter().map(|word| 4 * word.count_bytes() + 4).sum();
    2000 + 4 * recipe.command.path().as_os_str().len() + words
}

/// Claims the instance as the user we are to be, writes the pid file as the
/// user whose directory it is in, and becomes that user for good.
#[inline(never)]
fn take_ownership(launch: &Launch) -> Result<Ownership, Refusal> {
    let paths = Paths::new(&launch.socket);
    let claimed = match &launch.user {
        Some(user) => {
            let claim = || claim(paths, &launch.boot);
            identity::while_user(user.uid, user.gid, &user.groups, claim)
                .map_err(|error| Refusal::Because(unable_to_switch(user, &error)))?
        }
        None => claim(paths, &launch.boot),
    };
    let (claim, survivor) = match claimed? {
        Claimed::Ours(claim, survivor) => (claim, survivor),
        Claimed::Theirs(status) => {
            return Err(Refusal::Rival { socket: launch.socket.clone(), status });
        }
    };
    let mut ownership = Ownership { claim, survivor, pid_file: None };
    let pid_path = launch.pid_file.as_deref();
    let result = write_pid_file_and_switch(launch, pid_path, &mut ownership);
    if let Err(why) = result {
        ownership.give_up();
        return Err(Refusal::Because(why));
    }
    Ok(ownership)
}

fn write_pid_file_and_switch(
    launch: &Launch,
    pid_path: Option<&Path>,
    ownership: &mut Ownership,
) -> Result<(), String> {
    let write =
        |path: &Path| PidFile::write(path).map_err(|error| unable("write pid file", path, &error));
    let before = pid_path.filter(|path| pid_file::is_in_directory_of_root(path));
    ownership.pid_file = before.map(write).transpose()?;
    if let Some(user) = &launch.user {
        identity::become_user(user.uid, user.gid, &user.groups)
            .map_err(|error| unable_to_switch(user, &error))?;
    }
    if ownership.pid_file.is_none() {
        ownership.pid_file = pid_path.map(write).transpose()?;
    }
    Ok(())
}

fn unable_to_switch(user: &User, error: &io::Error) -> String {
    LaunchError::UnableToSwitch { user: &user.name, error }.to_string()
}

/// What a supervisor is made of, besides its claim.
struct Parts {
    recipe: Recipe,
    output: Option<Output>,
    null: File,
    log: EventLog,
    listener: UnixListener,
}

#[inline(never)]
fn assemble(
    mut launch: Box<Launch>,
    ownership: &mut Ownership,
    attached: bool,
) -> Result<Parts, String> {
    let null = OpenOptions::new().read(true).write(true).open(NULL);
    let null = null.map_err(|error| unable("open", Path::new(NULL), &error))?;
    if !attached {
        process::set_umask(launch.umask);
    }
    let mut log = EventLog::open(launch.event_log.take(), clock::wall())
        .map_err(|error| error.to_string())?;
    let mut say = |message: LogMessage<'_>| log.write(message.level(), &message, clock::wall());
    if !attached {
        say(LogMessage::Daemonizing);
        if let Some(directory) = &launch.directory {
            env::set_current_dir(directory)
                .map_err(|error| unable("change to directory", directory, &error))?;
            say(LogMessage::CurrentDirectory(directory));
        }
    }
    let transcript = launch.transcript.take();
    let recipe = recipe(launch, attached)?;
    let listening = ownership.claim.listen()?;
    if listening.replaced_stale {
        say(LogMessage::StaleSocket(&ownership.claim.paths().socket));
    }
    let transcript = transcript.as_deref();
    let output = if attached { None } else { open_output(transcript, &null, ownership)? };
    Ok(Parts { recipe, output, null, log, listener: listening.listener })
}

/// Detaches the standard streams: from now on nothing of ours and nothing of
/// the program reaches the launcher's terminal.
fn open_output(
    transcript: Option<&Path>,
    null: &File,
    ownership: &Ownership,
) -> Result<Option<Output>, String> {
    let paths = ownership.claim.paths();
    let path = transcript.unwrap_or(Path::new(NULL));
    // A survivor may still write to the FIFO of a supervisor that had one.
    let output = if path == Path::new(NULL) && !paths.output.exists() {
        for stream in [StandardStream::Output, StandardStream::Error] {
            descriptor::redirect(null.as_fd(), stream)
                .map_err(|error| unable("use", path, &error))?;
        }
        None
    } else {
        let program = match ownership.survivor {
            Survivor::Program(pid) => Some(pid),
            Survivor::None | Survivor::Strays(_) | Survivor::Doubtful(_) => None,
        };
        let output = Output::open(path, paths, ownership.claim.boot(), program);
        Some(output.map_err(|error| unable("open transcript", path, &error))?)
    };
    descriptor::redirect(null.as_fd(), StandardStream::Input)
        .map_err(|error| unable("use", Path::new(NULL), &error))?;
    Ok(output)
}

fn recipe(launch: Box<Launch>, attached: bool) -> Result<Recipe, String> {
    let launch = *launch;
    let first = launch.words.first().map(|word| word.as_os_str()).unwrap_or_default();
    let search = env::var_os("PATH");
    let file = program::find(first, search.as_deref(), &launch.base)?;
    let nul = |_| LaunchError::NulInWord.to_string();
    let command = Command::new(&file, &launch.words).map_err(nul)?;
    let tested = !launch.start_test.is_empty();
    let test = tested.then(|| {
        // Where we are by now: in `directory`.
        let here = env::current_dir().unwrap_or(launch.base);
        Box::new(StartTest::new(launch.start_test, here))
    });
    let policy = Policy {
        backoff_limit: launch.backoff_limit,
        forever: launch.forever,
        exit_codes: launch.exit_codes,
        stop_timeout: (!launch.stop_timeout.is_zero()).then_some(launch.stop_timeout),
        start_timeout: launch.start_timeout,
        settle_time: launch.settle_time,
        hang_around: launch.hang_around,
        tested,
        attached,
    };
    Ok(Recipe { command, test, policy })
}
