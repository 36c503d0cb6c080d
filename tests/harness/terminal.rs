//! A command at a terminal of its own: what is typed, what is shown.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::{Sandbox, binary, exists, wait_a_while, wait_for, wait_until, without_forks};

pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    prompt: String,
}

impl Terminal {
    /// Runs the binary as `zdctl` with a controlling terminal; none where there
    /// is no tool to give it one.
    pub(crate) fn zdctl(sandbox: &Sandbox, arguments: &[&str]) -> Option<Terminal> {
        let name = sandbox.path("zdctl");
        if !exists(&name) {
            symlink(binary(), &name).expect("a symlink to the binary");
        }
        let pair = without_forks(|| {
            let pair = nix::pty::openpty(None, None).expect("a terminal");
            for end in [&pair.master, &pair.slave] {
                fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("a flag");
            }
            pair
        });
        let slave = File::from(pair.slave);
        let stdio = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command = sandbox.command("setsid");
        command.args(["-c", "./zdctl"]).args(arguments);
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = without_forks(|| command.spawn()).ok()?;
        let keyboard = File::from(pair.master);
        let mut display = keyboard.try_clone().expect("a descriptor");
        let screen = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&screen);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = display.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..count]).replace('\r', "");
                shared.lock().expect("no panic").push_str(&text);
            }
        });
        let prompt = "zdctl> ".to_string();
        Some(Terminal { child, keyboard, screen, reader, prompt })
    }

    pub(crate) fn with_prompt(self, prompt: &str) -> Terminal {
        Terminal { prompt: prompt.to_string(), ..self }
    }

    pub(crate) fn screen(&self) -> String {
        self.screen.lock().expect("no panic").clone()
    }

    /// Waits until the prompt stands there and nothing has been typed.
    #[track_caller]
    pub(crate) fn is_prompted(&self) -> &Terminal {
        self.shows_behind(0, &self.prompt.clone());
        self
    }

    #[track_caller]
    fn shows_behind(&self, before: usize, end: &str) {
        let screen = &self.screen;
        wait_until(&format!("{end:?} at the end of the screen"), || {
            screen.lock().expect("no panic").get(before..).is_some_and(|new| new.ends_with(end))
        });
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let shown = wait_a_while(|| self.screen().contains(text).then_some(()));
        assert!(shown.is_some(), "no {text:?} on the screen: {:?}", self.screen());
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    /// Types a line at the prompt and waits for the next prompt; gives what was
    /// shown between the two.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> String {
        let before = self.is_prompted().screen().len();
        self.types(&format!("{line}\n"));
        let echo = format!("{line}\n");
        let prompt = self.prompt.clone();
        let screen = Arc::clone(&self.screen);
        wait_for(&format!("the prompt after {line:?}"), || {
            let screen = screen.lock().expect("no panic");
            let answer = screen.get(before..)?.strip_prefix(&echo)?;
            answer.strip_suffix(&prompt).map(str::to_string)
        })
    }

    /// Waits for the end and gives the exit status.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        wait_for("the end of the session", || self.child.try_wait().expect("a child"))
    }

    /// Types the last line and gives the exit status and what it showed.
    #[track_caller]
    pub(crate) fn last(&mut self, line: &str) -> (ExitStatus, String) {
        let before = self.is_prompted().screen().len();
        self.types(line);
        let status = self.ends();
        wait_until("the end of the screen", || self.reader.is_finished());
        (status, self.screen().get(before..).unwrap_or_default().to_string())
    }
}
