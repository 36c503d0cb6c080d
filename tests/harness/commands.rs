//! Commands of a sandbox: run to their end or left in the background, and what
//! they gave back.

use std::fmt::{self, Debug};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{LIMIT, wait_at_most};

/// Runs what writes an executable. A child that another test is just forking
/// would have it open for writing too, and then nobody could execute it.
pub(crate) fn without_forks<T>(write: impl FnOnce() -> T) -> T {
    let _alone = FORK.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

fn spawn(command: &mut Command) -> Child {
    without_forks(|| command.spawn().expect("a command"))
}

static FORK: Mutex<()> = Mutex::new(());

/// What a command gave back.
pub(crate) struct Output {
    shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { shown, status, stdout, stderr } = self;
        write!(f, "\n{shown}\n{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

impl Output {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Asserts the exit status; gives itself back for more.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Output {
        assert_eq!(self.code(), code, "exit status of {self:?}");
        self
    }

    /// Asserts a piece of standard output.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Output {
        assert!(self.stdout.contains(text), "expected {text:?} on stdout of {self:?}");
        self
    }

    /// Asserts a piece of standard error.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Output {
        assert!(self.stderr.contains(text), "expected {text:?} on stderr of {self:?}");
        self
    }

    /// The number behind `pid=`.
    #[track_caller]
    pub(crate) fn pid(&self) -> i32 {
        let after = self.stdout.split("pid=").nth(1).unwrap_or_default();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no pid in {self:?}"))
    }
}

/// A command that still runs.
pub(crate) struct Background {
    pub(crate) child: Child,
    shown: String,
}

impl Background {
    pub(crate) fn of(command: &mut Command) -> Background {
        let shown = format!("{command:?}");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Background { child: spawn(command), shown }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Whether it has ended; does not wait.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    pub(crate) fn output(self) -> Output {
        wait_for_output(self.child, self.shown)
    }
}

/// Collects what a child says until it has ended, with a limit. The end of the
/// process counts, not that of its pipes, which a daemon may have inherited.
fn wait_for_output(mut child: Child, shown: String) -> Output {
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    let Some(status) = wait_at_most(LIMIT * 2, || child.try_wait().expect("a child")) else {
        let _ = child.kill();
        panic!("{shown} did not end within {:?}", LIMIT * 2);
    };
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader.map(|reader| reader.join().expect("a reader")).unwrap_or_default()
    };
    Output { shown, status, stdout: text(out), stderr: text(err) }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
