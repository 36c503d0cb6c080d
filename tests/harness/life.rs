//! What the tests of a program's life have in common: an event log to wait for,
//! commands in the background, requests past the client.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::{Background, LIMIT, Sandbox, binary, is_root, wait_until, without_forks};

impl Sandbox {
    /// With these lines in `<runner>` and every event, as bare text, in `events.log`.
    pub(crate) fn logged(lines: &str) -> Sandbox {
        let log = "<eventlog>\nlevel debug\n<logfile>\npath events.log\nformat %(message)s\n\
                   </logfile>\n</eventlog>";
        Sandbox::with_runner(&format!("{lines}\n{log}"))
    }

    pub(crate) fn events(&self) -> String {
        self.read("events.log")
    }

    #[track_caller]
    pub(crate) fn wait_for_event(&self, text: &str) {
        self.wait_for_text("events.log", text);
    }

    /// Waits until a file holds this text.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, name: &str, text: &str) {
        wait_until(&format!("{text:?} in {name}"), || self.read(name).contains(text));
    }

    /// Waits until a file holds a whole line that is a number.
    #[track_caller]
    pub(crate) fn wait_for_number(&self, name: &str) -> i32 {
        let number = || self.read(name).strip_suffix('\n')?.parse().ok();
        super::wait_for(&format!("a number in {name}"), number)
    }

    /// `-C app.conf` and these arguments, in the background.
    pub(crate) fn zd_background(&self, arguments: &[&str]) -> Background {
        self.background(&[&["-C", "app.conf"], arguments].concat())
    }

    /// The state that the long status tells under `readiness`.
    #[track_caller]
    pub(crate) fn wait_for_readiness(&self, state: &str) {
        wait_until(state, || self.status_value("readiness").as_deref() == Some(state));
    }

    /// Asks the supervisor without the client in between.
    pub(crate) fn request(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.path("zdsock")).expect("the control socket");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.write_all(format!("{line}\n").as_bytes()).expect("a request");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        reply
    }

    /// Asserts that only these files are here, hidden ones too, and no process.
    #[track_caller]
    pub(crate) fn holds_only(&self, files: &[&str]) {
        assert_eq!(self.visible_files(), files);
        assert_eq!(self.hidden_files(), Vec::<String>::new());
        assert_eq!(self.processes(), []);
    }
}

/// Waits until a process has taken over the handling of ^C.
#[track_caller]
pub(crate) fn wait_until_interruptible(pid: i32) {
    const SIGINT: u64 = 1 << 1;
    wait_until("a handler for SIGINT", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
        caught.and_then(|hex| u64::from_str_radix(hex, 16).ok()).is_some_and(|set| set & SIGINT > 0)
    });
}

/// Whether a namespace of this kind can be made: by root, and not in every container.
pub(crate) fn may_unshare(kind: &str) -> bool {
    is_root() && Sandbox::new().run_program("unshare", &[kind, "-f", "true"]).code() == 0
}

/// The binary where everybody can execute it.
pub(crate) fn binary_for_all(sandbox: &Sandbox) -> String {
    let copy = sandbox.path("zdaemon");
    without_forks(|| std::fs::copy(binary(), &copy)).expect("a copy");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).expect("for all");
    copy.to_string_lossy().into_owned()
}
