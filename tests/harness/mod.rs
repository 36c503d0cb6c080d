//! What every test of the binary stands on: a folder of its own, commands run in
//! it, waiting for events with a limit, and nothing left behind at the end.

mod commands;
mod life;
mod terminal;
pub(crate) mod tracing;

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use self::commands::{Background, Output, without_forks};
pub(crate) use self::life::{binary_for_all, may_unshare, wait_until_interruptible};
pub(crate) use terminal::Terminal;

/// Marks every process of a sandbox, so that none can escape it unseen.
const MARK: &str = "ZDAEMON_TEST_SANDBOX";

/// How long anything may take; far more than it does on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn binary() -> PathBuf {
    std::env::var_os("ZDAEMON_UNDER_TEST")
        .map_or_else(|| env!("CARGO_BIN_EXE_zdaemon").into(), PathBuf::from)
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether the program is on PATH or where root's programs are.
pub(crate) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

/// Says why a test cannot run here, past the capture of the test runner, so that
/// `ci/check` sees it and counts it.
#[track_caller]
pub(crate) fn skip(why: &str) {
    let place = std::panic::Location::caller();
    let _ = writeln!(std::io::stderr(), "skipped test at {place}: {why}");
}

/// A folder with a socket, a configuration and everything that runs in it.
pub(crate) struct Sandbox {
    path: PathBuf,
    mark: String,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(format!("zdaemon-test-{mark}"));
        fs::create_dir_all(&path).expect("a folder for the test");
        let path = path.canonicalize().expect("the folder's real name");
        Sandbox { path, mark }
    }

    /// With `app.conf` holding these lines in `<runner>`.
    pub(crate) fn with_runner(lines: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.file("app.conf", &format!("<runner>\n{lines}\n</runner>\n"));
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file for the test");
        path
    }

    /// An executable shell script.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let text = format!("#!/bin/sh\n{body}\n");
        let path = without_forks(|| self.file(name, &text));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable");
        path
    }

    /// The text of a file, empty while it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A command of the sandbox, not yet run: any program.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).env(MARK, &self.mark).stdin(Stdio::null());
        command
    }

    /// Runs any program to its end.
    pub(crate) fn run_program(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Output {
        let mut command = self.command(program);
        command.args(arguments);
        self.finish(&mut command)
    }

    /// Runs the binary with these arguments to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_program(binary(), arguments)
    }

    /// Runs `-C app.conf` and these arguments.
    pub(crate) fn zd(&self, arguments: &[&str]) -> Output {
        self.run(&[&["-C", "app.conf"], arguments].concat())
    }

    pub(crate) fn finish(&self, command: &mut Command) -> Output {
        Background::of(command).output()
    }

    /// Starts the binary in the background.
    pub(crate) fn background(&self, arguments: &[&str]) -> Background {
        let mut command = self.command(binary());
        Background::of(command.args(arguments))
    }

    /// One value of the long status.
    pub(crate) fn status_value(&self, key: &str) -> Option<String> {
        let output = self.zd(&["status", "-l"]);
        let mut lines = output.stdout.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_string)
    }

    /// The program's pid, 0 while there is none.
    pub(crate) fn program(&self) -> i32 {
        self.status_value("application").and_then(|pid| pid.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn supervisor(&self) -> i32 {
        self.status_value("manager").and_then(|pid| pid.parse().ok()).unwrap_or(0)
    }

    /// Started, with `lines` in `<runner>`, and settled at once.
    pub(crate) fn started(lines: &str) -> Sandbox {
        let sandbox = Sandbox::with_runner(&format!("{lines}\nsettle-time 0"));
        sandbox.zd(&["start"]).exits(0);
        sandbox
    }

    /// Stops what runs here, and asserts that nothing but `files` is left.
    #[track_caller]
    pub(crate) fn stop(&self, files: &[&str]) {
        self.zd(&["stop"]).exits(0);
        self.assert_clean(files);
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self, files: &[&str]) {
        assert_eq!(self.visible_files(), files);
        assert_eq!(self.hidden_files(), Vec::<String>::new());
    }

    /// A connection to the control socket; reading from it has a limit.
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path("zdsock")).expect("the control socket");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream
    }

    /// The whole reply to these bytes, after which nothing more is sent.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        // Whoever refuses a request need not read it to its end.
        let _ = stream.write_all(request.as_ref());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        rest_of(&mut stream)
    }

    /// The living processes of this sandbox, with their command lines.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("{MARK}={}", self.mark);
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| has_mark(*pid, &mark)).map(|pid| (pid, command_line(pid))).collect()
    }

    /// What `ls` without options shows, sorted.
    pub(crate) fn visible_files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.path).expect("the sandbox").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    pub(crate) fn hidden_files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.path).expect("the sandbox").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with('.')).collect()
    }
}

fn has_mark(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A process that is just ending gets the time for it.
        let end = Instant::now() + Duration::from_secs(5);
        while !self.processes().is_empty() && Instant::now() < end && !thread::panicking() {
            thread::yield_now();
        }
        let left = self.processes();
        for (pid, _) in &left {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(*pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        let _ = fs::remove_dir_all(&self.path);
        assert!(left.is_empty() || thread::panicking(), "the test left processes: {left:?}");
    }
}

/// Waits until `condition` gives something, and panics with `what` when it
/// takes too long.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_a_while(condition).unwrap_or_else(|| panic!("waited {LIMIT:?} in vain: {what}"))
}

/// As `wait_for`, for callers that have more to say when it takes too long.
pub(crate) fn wait_a_while<T>(condition: impl FnMut() -> Option<T>) -> Option<T> {
    wait_at_most(LIMIT, condition)
}

/// The one place where tests wait: for a condition, never just for time.
fn wait_at_most<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(value) = condition() {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

pub(crate) fn send_signal(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("a process to signal");
}

/// The number of lines in a text that hold this piece.
pub(crate) fn count(text: &str, piece: &str) -> usize {
    text.lines().filter(|line| line.contains(piece)).count()
}

/// What still comes over a connection, up to its end.
pub(crate) fn rest_of(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // That is how the end looks when not all we sent was read.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            panic!("no end of the reply {:?}: {error}", String::from_utf8_lossy(&bytes))
        }
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// Whether a file is there.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Asserts that a text is the one of `tests/golden/NAME`; with
/// `ZDAEMON_WRITE_GOLDEN` set, writes that file anew instead.
#[track_caller]
pub(crate) fn assert_golden(name: &str, golden: &str, now: &str) {
    if std::env::var_os("ZDAEMON_WRITE_GOLDEN").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        return fs::write(path, now).expect("a golden file to write");
    }
    for (number, (now, golden)) in now.lines().zip(golden.lines()).enumerate() {
        assert_eq!(now, golden, "line {} of tests/golden/{name}", number + 1);
    }
    assert_eq!(now.lines().count(), golden.lines().count(), "lines of tests/golden/{name}");
}
