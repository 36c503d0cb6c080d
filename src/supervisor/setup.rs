//! From a launch to a running supervisor, or to a reason why not that the
//! launching client can show, with nothing left behind. The order matters:
//! signals first, then whoever we are to be, then files, and the socket last,
//! because whoever finds it may expect answers.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::claim::{Claim, Claimed, claim};
use super::control::Control;
use super::core::{Core, Program, Recipe};
use super::driver::Supervisor;
use super::machine::{Machine, Policy};
use super::output::Output;
use super::pid_file::{self, PidFile};
use super::readiness::Readiness;
use super::start_test::StartTest;
use crate::config::options::Settings;
use crate::eventlog::EventLog;
use crate::instance::{Paths, Survivor};
use crate::launch::{Launch, Mode};
use crate::messages::supervisor::{LaunchError, LogMessage};
use crate::program;
use crate::protocol::Outcome;
use crate::sys::descriptor::{self, StandardStream};
use crate::sys::signal::{self, SelfPipe};
use crate::sys::spawn::Command;
use crate::sys::{clock, identity, process};
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
    /// There is one already; what it says of itself.
    Rival(String),
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

/// Becomes the supervisor of the instance; comes back with its exit status when
/// it ends. The launcher has been told whatever there is to tell.
pub(crate) fn run(launch: Launch) -> u8 {
    let report = match &launch.mode {
        Mode::Detached(stream) => Some(stream.as_fd()),
        Mode::Attached => None,
    };
    if descriptor::fill_standard().is_ok() {
        descriptor::close_inherited(report);
    }
    let purpose = launch.purpose;
    let prepared = prepare(&launch);
    match (prepared, launch.mode) {
        (Ok((mut supervisor, survivor)), mode) => {
            if let Mode::Detached(stream) = mode {
                supervisor.control.seat_launcher(stream, clock::monotonic());
            }
            supervisor.run(survivor, purpose)
        }
        (Err(refusal), mode) => {
            let socket = launch.settings.socket_name.0.unwrap_or_default();
            refuse(refusal, mode, &socket)
        }
    }
}

/// Tells the launcher why, and gives the exit status.
fn refuse(refusal: Refusal, mode: Mode, socket: &Path) -> u8 {
    let status = match &refusal {
        Refusal::Rival(_) => 1,
        Refusal::Because(_) => 2,
    };
    match (mode, refusal) {
        // The launcher turns to the rival instead.
        (Mode::Detached(mut stream), Refusal::Rival(_)) => {
            let _ = writeln!(stream, "{}", Outcome::Rival);
        }
        (Mode::Detached(mut stream), Refusal::Because(why)) => {
            let lines: String = why.lines().map(|line| format!("error={line}\n")).collect();
            let _ = writeln!(stream, "{lines}{}", Outcome::Gone(status));
        }
        (Mode::Attached, Refusal::Rival(text)) => {
            let rival = LaunchError::Rival { socket, status: &text };
            let _ = write!(io::stderr(), "Error: {rival}");
        }
        (Mode::Attached, Refusal::Because(why)) => {
            let _ = writeln!(io::stderr(), "Error: {why}");
        }
    }
    status
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

fn prepare(launch: &Launch) -> Result<(Supervisor, Survivor), Refusal> {
    signal::reset_all();
    signal::disarm_write_signals()?;
    let signals = SelfPipe::catch(&CAUGHT)?;
    let attached = matches!(launch.mode, Mode::Attached);
    if !attached {
        process::start_session()?;
    }
    let paths = Paths::new(launch.settings.socket_name.0.as_deref().unwrap_or(Path::new("")));
    let mut ownership = take_ownership(launch, &paths)?;
    let parts = match assemble(launch, &mut ownership.claim, &paths, attached) {
        Ok(parts) => parts,
        Err(why) => {
            ownership.give_up();
            return Err(Refusal::Because(why));
        }
    };
    let control = Control::new(parts.listener);
    let survivor = ownership.survivor;
    let mut core = Core {
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
        pid_file: ownership.pid_file,
        subreaper: process::become_subreaper(),
        audience: false,
        announcements: Vec::with_capacity(16),
        reply: None,
        check_at: None,
        finished: None,
    };
    if !core.subreaper {
        core.say(&LogMessage::NoSubreaper);
    }
    core.say(&LogMessage::SupervisorStarted);
    core.claim.launched();
    Ok((Supervisor { core, control, signals }, survivor))
}

/// Claims the instance as the user we are to be, writes the pid file as the
/// user whose directory it is in, and becomes that user for good.
fn take_ownership(launch: &Launch, paths: &Paths) -> Result<Ownership, Refusal> {
    let claimed = match &launch.user {
        Some(user) => identity::while_user(user.uid, user.gid, &user.groups, || claim(paths))?,
        None => claim(paths),
    };
    let (claim, survivor) = match claimed? {
        Claimed::Ours(claim, survivor) => (claim, survivor),
        Claimed::Theirs(status) => return Err(Refusal::Rival(status)),
    };
    let mut ownership = Ownership { claim, survivor, pid_file: None };
    let pid_path = launch.settings.pid_file.0.as_deref();
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
        identity::become_user(user.uid, user.gid, &user.groups).map_err(|error| {
            LaunchError::UnableToSwitch { user: &user.name, error: &error }.to_string()
        })?;
    }
    if ownership.pid_file.is_none() {
        ownership.pid_file = pid_path.map(write).transpose()?;
    }
    Ok(())
}

/// What a supervisor is made of, besides its claim.
struct Parts {
    recipe: Recipe,
    output: Option<Output>,
    null: File,
    log: EventLog,
    listener: UnixListener,
}

fn assemble(
    launch: &Launch,
    claim: &mut Claim,
    paths: &Paths,
    attached: bool,
) -> Result<Parts, String> {
    let settings = &launch.settings;
    let null = OpenOptions::new().read(true).write(true).open(NULL);
    let null = null.map_err(|error| unable("open", Path::new(NULL), &error))?;
    if !attached {
        process::set_umask(settings.umask.0);
    }
    let mut log = EventLog::open(settings.event_log.clone(), clock::wall())
        .map_err(|error| error.to_string())?;
    let mut say = |message: LogMessage<'_>| log.write(message.level(), &message, clock::wall());
    if !attached {
        say(LogMessage::Daemonizing);
        if let Some(directory) = &settings.directory.0 {
            std::env::set_current_dir(directory)
                .map_err(|error| unable("change to directory", directory, &error))?;
            say(LogMessage::CurrentDirectory(directory));
        }
    }
    let recipe = recipe(launch, attached)?;
    let listening = claim.listen()?;
    if listening.replaced_stale {
        say(LogMessage::StaleSocket(&paths.socket));
    }
    let output = if attached { None } else { open_output(settings, &null, paths)? };
    Ok(Parts { recipe, output, null, log, listener: listening.listener })
}

/// Detaches the standard streams: from now on nothing of ours and nothing of
/// the program reaches the launcher's terminal.
fn open_output(settings: &Settings, null: &File, paths: &Paths) -> Result<Option<Output>, String> {
    let path = settings.transcript.0.as_deref().unwrap_or(Path::new(NULL));
    // A survivor may still write to the FIFO of a supervisor that had one.
    let output = if path == Path::new(NULL) && !paths.output.exists() {
        for stream in [StandardStream::Output, StandardStream::Error] {
            descriptor::redirect(null.as_fd(), stream)
                .map_err(|error| unable("use", path, &error))?;
        }
        None
    } else {
        let output = Output::open(path, &paths.output);
        Some(output.map_err(|error| unable("open transcript", path, &error))?)
    };
    descriptor::redirect(null.as_fd(), StandardStream::Input)
        .map_err(|error| unable("use", Path::new(NULL), &error))?;
    Ok(output)
}

fn recipe(launch: &Launch, attached: bool) -> Result<Recipe, String> {
    let settings = &launch.settings;
    let first = launch.words.first().map(|word| word.as_os_str()).unwrap_or_default();
    let file = program::find(first, &launch.environment, &launch.base)?;
    let nul = |_| LaunchError::NulInWord.to_string();
    let command = Command::new(&file, &launch.words, &launch.environment).map_err(nul)?;
    let test_words = &settings.start_test_program.0;
    let test = (!test_words.is_empty()).then(|| {
        // Where we are by now: in `directory`.
        let here = std::env::current_dir().unwrap_or_else(|_| launch.base.clone());
        StartTest::new(test_words, &launch.environment, here)
    });
    let stop_timeout = settings.stop_timeout.0;
    let policy = Policy {
        backoff_limit: settings.backoff_limit.0,
        forever: settings.forever.0,
        exit_codes: settings.exit_codes.0.clone(),
        stop_timeout: (!stop_timeout.is_zero()).then_some(stop_timeout),
        start_timeout: settings.start_timeout.0,
        settle_time: settings.settle_time.0,
        hang_around: settings.hang_around.0,
        tested: test.is_some(),
        attached,
    };
    Ok(Recipe { command, file, words: launch.words.clone(), test, policy })
}
