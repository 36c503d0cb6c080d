//! The start test as something to run: looked for anew until it can be run, and
//! its trouble told once. When it runs, and what its end means, is the business
//! of `readiness`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::program;
use crate::sys::spawn::{self, Command, ExecOutcome, Executed, Session, Streams};
use crate::vocabulary::Pid;

pub(super) struct StartTest {
    pub(super) words: Vec<OsString>,
    /// Relative names count from here.
    base: PathBuf,
    /// None until it has been found, and again when it could not be executed.
    command: Option<Command>,
    /// How the exec of the running test went.
    exec: Option<ExecOutcome>,
    /// The test that ran last, which leads a session of its own.
    pub(super) leader: Option<Pid>,
    complained: bool,
}

impl StartTest {
    pub(super) fn new(words: Vec<OsString>, base: PathBuf) -> StartTest {
        let mut test =
            StartTest { words, base, command: None, exec: None, leader: None, complained: false };
        // If not now, then at the first run, which tells why.
        test.command = test.find().ok();
        test
    }

    fn find(&self) -> io::Result<Command> {
        let first = self.words.first().map(OsString::as_os_str).unwrap_or_default();
        let search = env::var_os("PATH");
        let file = program::find(first, search.as_deref(), &self.base).map_err(io::Error::other)?;
        Command::new(&file, &self.words)
    }

    pub(super) fn spawn(&mut self, streams: Streams<'_>) -> io::Result<Pid> {
        let command = match self.command.take() {
            Some(command) => command,
            None => self.find()?,
        };
        let held = spawn::fork_held(&command, streams, Session::Own);
        self.command = Some(command);
        let (pid, exec) = held?.release();
        self.exec = Some(exec);
        self.leader = Some(pid);
        Ok(pid)
    }

    /// Why the test that has just ended did not even begin, if that is so.
    pub(super) fn refusal(&mut self) -> Option<io::Error> {
        match self.exec.take()?.read() {
            Executed::No(error) => {
                self.command = None;
                Some(error)
            }
            Executed::Yes | Executed::NotYet => None,
        }
    }

    /// Whether its trouble has not been told yet; now it has.
    pub(super) fn complains_first(&mut self) -> bool {
        !std::mem::replace(&mut self.complained, true)
    }
}
