//! What has to be there before a program or a supervisor can be started, and
//! the fork that becomes the supervisor.

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::ask::{Held, Wait};
use super::{Client, Exit, complain};
use crate::config::merge;
use crate::instance::{self, Survivor};
use crate::launch::{Launch, Mode, Purpose};
use crate::messages::client::{Complain, exit};
use crate::messages::supervisor::LaunchError;
use crate::protocol::Outcome;
use crate::sys::identity;
use crate::sys::process::{self, Fork};
use crate::users::User;
use crate::vocabulary::Pid;

/// How often a launch is tried again that met a supervisor which was just
/// ending.
const ATTEMPTS: usize = 5;

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
        let again = match purpose {
            Purpose::Run => "start wait\n",
            Purpose::Stop => "stop wait\n",
        };
        let mut wait = Wait::NOBODY;
        for _ in 0..ATTEMPTS {
            wait = self.launch_once(words, user.clone(), limit, purpose)?;
            if wait.held != Held::Outcome(Outcome::Rival) {
                return Ok(wait);
            }
            match self.hold(again, Some(limit))? {
                Some(waited) if waited.held != Held::Closed => return Ok(waited),
                _ => {}
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
        let cannot = |error: std::io::Error| {
            complain(&Complain::CannotLaunch(&error));
            exit::FAILED
        };
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        let launch = self.launch_plan(words, user, Mode::Detached(theirs), purpose);
        match process::fork().map_err(cannot)? {
            Fork::Child => {
                drop(ours);
                process::exit_now((self.become_supervisor)(launch))
            }
            Fork::Parent(pid) => {
                drop(launch);
                let wait = self.follow(ours, Some(limit));
                if wait.held == Held::Closed {
                    // It was killed, or lives and could not tell us.
                    let request = match purpose {
                        Purpose::Run => "start wait\n",
                        Purpose::Stop => "stop wait\n",
                    };
                    if let Some(told) = self.hold(request, Some(limit))? {
                        return Ok(told);
                    }
                }
                if matches!(
                    wait.held,
                    Held::Closed | Held::Outcome(Outcome::Gone(_) | Outcome::Rival)
                ) {
                    process::wait_for(pid).map_err(cannot)?;
                }
                Ok(wait)
            }
        }
    }

    /// Turns this process into the supervisor; at the prompt, a child of it.
    pub(super) fn supervise_here(&self, words: &[OsString]) -> Result<Exit, Exit> {
        let user = self.user()?;
        self.create_directories(user.as_ref())?;
        let launch = self.launch_plan(words, user, Mode::Attached, Purpose::Run);
        if !self.at_prompt {
            return Ok((self.become_supervisor)(launch));
        }
        self.in_child(|| (self.become_supervisor)(launch))
    }

    fn launch_plan(
        &self,
        words: &[OsString],
        user: Option<User>,
        mode: Mode,
        purpose: Purpose,
    ) -> Launch {
        Launch {
            settings: self.settings.clone(),
            words: words.to_vec(),
            environment: merge::merged_environment(&self.settings),
            base: self.base.clone(),
            user,
            mode,
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

fn create_directory(path: &Path, user: Option<&User>) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir(path)?;
    match user.filter(|_| identity::effective_uid() == 0) {
        Some(user) => identity::give_to(path, user.uid, user.gid),
        None => Ok(()),
    }
}
