//! What has to be there before a program or a supervisor can be started, and
//! the process that becomes the supervisor.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::hold::{Held, Wait};
use super::{Client, Exit, complain};
use crate::config::merge;
use crate::instance::{self, Survivor};
use crate::launch::{Launch, Mode, Purpose, SUPERVISOR_NAME};
use crate::messages::client::{Complain, exit};
use crate::messages::supervisor::LaunchError;
use crate::procfs;
use crate::protocol::Outcome;
use crate::sys::process::{self, Fork};
use crate::sys::{anew, environment, identity, place};
use crate::users::User;
use crate::vocabulary::Pid;

/// How often a launch is tried again that met a supervisor which was just
/// ending.
const ATTEMPTS: usize = 5;

/// A supervisor that was begun before the client knows what it is to do: as a copy
/// of a process that has not filled its memory yet. It gets itself ready meanwhile,
/// and waits for its launch; it ends without a word if none comes.
pub(crate) struct Early(Option<(Pid, UnixStream)>);

/// Which of the two a process is, once there are two.
pub(crate) enum Begun {
    /// None where nothing looks like a start, and where there can be no other
    /// process: it saves time and nothing else.
    Client(Option<Early>),
    /// Its end of the socket to the client.
    Supervisor(UnixStream),
}

impl Early {
    pub(crate) fn begin(arguments: &[OsString]) -> Begun {
        if arguments.iter().all(|word| word != "start") {
            return Begun::Client(None);
        }
        let Ok((ours, theirs)) = UnixStream::pair() else { return Begun::Client(None) };
        match process::fork() {
            Ok(Fork::Child) => {
                // The terminal is the client's from the very beginning.
                let _ = process::start_session();
                Begun::Supervisor(theirs)
            }
            Ok(Fork::Parent(pid)) => Begun::Client(Some(Early(Some((pid, ours))))),
            Err(_) => Begun::Client(None),
        }
    }
}

impl Drop for Early {
    /// Not needed: comes back when it is gone.
    fn drop(&mut self) {
        if let Some((pid, socket)) = self.0.take() {
            drop(socket);
            let _ = process::wait_for(pid);
        }
    }
}

impl Client {
    /// Launches a supervisor of `words` and waits until the program is up, or
    /// what was left of one is gone.
    pub(super) fn launch(
        &self,
        words: &[OsString],
        limit: Duration,
        purpose: Purpose,
    ) -> Result<Wait, Exit> {
        let user = self.user()?;
        self.create_directories(user.as_ref())?;
        let mut wait = Wait::NOBODY;
        for _ in 0..ATTEMPTS {
            wait = self.launch_once(words, user.clone(), limit, purpose)?;
            if wait.held != Held::Outcome(Outcome::Rival) {
                return Ok(wait);
            }
            match self.hold(purpose.request(), Some(limit))? {
                None | Some(Wait { held: Held::Closed | Held::Refused, .. }) => {}
                Some(waited) => return Ok(waited),
            }
        }
        Ok(wait)
    }

    fn launch_once(
        &self,
        words: &[OsString],
        user: Option<User>,
        limit: Duration,
        purpose: Purpose,
    ) -> Result<Wait, Exit> {
        let cannot = |error: io::Error| {
            complain(&Complain::CannotLaunch(&error));
            exit::FAILED
        };
        let launch = self.launch_plan(words, user, purpose);
        let early = self.early.take().filter(|_| merge::keeps_environment(&self.settings));
        let early = early.and_then(|mut early| early.0.take());
        let (pid, ours) = match early {
            Some((pid, mut ours)) => {
                let _ = launch.send(&mut ours);
                (pid, ours)
            }
            None => self.start_supervisor(launch).map_err(cannot)?,
        };
        let wait = self.follow(ours, limit);
        if wait.held == Held::Closed {
            // It was killed, or lives and could not tell us.
            if let Some(told) = self.hold(purpose.request(), Some(limit))? {
                return Ok(told);
            }
        }
        if matches!(wait.held, Held::Closed | Held::Outcome(Outcome::Gone(_) | Outcome::Rival)) {
            process::wait_for(pid).map_err(cannot)?;
        }
        Ok(wait)
    }

    /// A new process that has its launch, and our end of the socket to it. For a
    /// client that has filled its memory, or whose environment is not the program's.
    fn start_supervisor(&self, launch: Launch) -> io::Result<(Pid, UnixStream)> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let environment = merge::merged_environment(&self.settings);
        // The words have room for those that it will be shown as.
        let mut words = launch.shown_as.clone();
        words.insert(0, SUPERVISOR_NAME.into());
        if let Ok(pid) = anew::spawn(&words, &environment, theirs.as_fd()) {
            // If it ends before it has read this, its end of the socket closes.
            let _ = launch.send(&mut ours);
            return Ok((pid, ours));
        }
        // A copy of this process does as well.
        match process::fork()? {
            Fork::Child => {
                drop(ours);
                process::exit_now(self.become_supervisor(launch, Mode::Detached(theirs)))
            }
            Fork::Parent(pid) => Ok((pid, ours)),
        }
    }

    fn become_supervisor(&self, launch: Launch, mode: Mode) -> u8 {
        drop(self.early.take());
        environment::replace(&merge::merged_environment(&self.settings));
        (self.supervise)(Box::new(launch), mode)
    }

    /// Turns this process into the supervisor; at the prompt, a child of it.
    pub(super) fn supervise_here(&self, words: &[OsString]) -> Result<Exit, Exit> {
        let user = self.user()?;
        self.create_directories(user.as_ref())?;
        let launch = self.launch_plan(words, user, Purpose::Run);
        if !self.at_prompt {
            return Ok(self.become_supervisor(launch, Mode::Attached));
        }
        self.in_child(|| self.become_supervisor(launch, Mode::Attached))
    }

    fn launch_plan(&self, words: &[OsString], user: Option<User>, purpose: Purpose) -> Launch {
        let settings = &self.settings;
        Launch {
            words: words.to_vec(),
            shown_as: self.invocation.shown_as(&self.name),
            boot: procfs::boot_id(),
            base: self.base.clone(),
            user,
            socket: self.paths.socket.clone(),
            pid_file: settings.pid_file.0.clone(),
            directory: settings.directory.0.clone(),
            umask: settings.umask.0,
            transcript: settings.transcript.0.clone(),
            event_log: settings.event_log.clone(),
            start_test: settings.start_test_program.0.clone(),
            backoff_limit: settings.backoff_limit.0,
            forever: settings.forever.0,
            exit_codes: settings.exit_codes.0.clone(),
            stop_timeout: settings.stop_timeout.0,
            start_timeout: settings.start_timeout.0,
            settle_time: settings.settle_time.0,
            hang_around: settings.hang_around.0,
            purpose,
        }
    }

    /// The program that a killed supervisor left running. An error where that
    /// cannot be known, which has been told.
    pub(super) fn survivor(&self) -> Result<Option<Pid>, Exit> {
        Ok(match self.remains()? {
            Survivor::Program(pid) => Some(pid),
            Survivor::None | Survivor::Strays(_) | Survivor::Doubtful(_) => None,
        })
    }

    /// What a killed supervisor left running; nothing doubtful.
    pub(super) fn remains(&self) -> Result<Survivor, Exit> {
        let path = &self.paths.record;
        let unclear = |why: LaunchError<'_>| {
            complain(&Complain::Error(&why));
            exit::UNCLEAR
        };
        let record = instance::read_record(&self.paths)
            .map_err(|error| unclear(LaunchError::Unable { verb: "read", path, error: &error }))?;
        match record.map_or(Survivor::None, |record| instance::survivor(&record)) {
            found @ (Survivor::None | Survivor::Program(_) | Survivor::Strays(_)) => Ok(found),
            Survivor::Doubtful(pid) => Err(unclear(LaunchError::Doubtful { pid, record: path })),
        }
    }

    /// `directory` and the socket's directory, one level each, for the user
    /// that will work in them.
    pub(super) fn create_directories(&self, user: Option<&User>) -> Result<(), Exit> {
        let directories = [self.settings.directory.0.as_deref(), Some(self.paths.directory())];
        for path in directories.into_iter().flatten() {
            create_directory(path, user).map_err(|error| {
                complain(&Complain::CannotCreate { path, error: &error });
                exit::USAGE
            })?;
        }
        Ok(())
    }
}

fn create_directory(path: &Path, user: Option<&User>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir(path)?;
    match user.filter(|_| identity::effective_uid() == 0) {
        Some(user) => place::give_to(path, user.uid, user.gid),
        None => Ok(()),
    }
}
