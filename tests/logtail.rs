use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Background, Sandbox, is_root, send_signal, skip, wait_until};

/// A `logtail` that runs, and what it has printed so far.
struct Tail {
    command: Background,
    told: Arc<Mutex<String>>,
}

impl Tail {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Tail {
        let mut command = sandbox.background(arguments);
        let mut pipe = command.child.stdout.take().expect("standard output");
        let told = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&told);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..count]);
                shared.lock().expect("no panic").push_str(&text);
            }
        });
        Tail { command, told }
    }

    fn text(&self) -> String {
        self.told.lock().expect("no panic").clone()
    }

    #[track_caller]
    fn has_told(&self, text: &str) {
        let told = &self.told;
        wait_until(&format!("{text:?} to be told"), || *told.lock().expect("no panic") == text);
    }

    /// ^C.
    #[track_caller]
    fn interrupt(self) {
        let before = self.text();
        send_signal(self.command.pid(), Signal::SIGINT);
        let told = Arc::clone(&self.told);
        self.command.output().exits(0);
        let end = format!("{before}\n");
        wait_until("a newline at the end", || *told.lock().expect("no panic") == end);
    }
}

fn append(sandbox: &Sandbox, name: &str, text: &str) {
    let mut file =
        OpenOptions::new().append(true).create(true).open(sandbox.path(name)).expect("a log");
    file.write_all(text.as_bytes()).expect("a written log");
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number}\n")).collect()
}

/// spec A.12: the last ten lines, then what comes; ^C ends it with a newline.
#[test]
fn logtail_prints_the_last_lines_and_follows() {
    let sandbox = Sandbox::with_runner("program true\nlogfile app.log");
    append(&sandbox, "app.log", &lines(0..30));
    let tail = Tail::start(&sandbox, &["-C", "app.conf", "logtail"]);
    tail.has_told(&lines(20..30));
    append(&sandbox, "app.log", "more\nwithout end");
    let expected = lines(20..30) + "more\nwithout end";
    tail.has_told(&expected);
    append(&sandbox, "app.log", " of line\n\u{fffd}\n");
    tail.has_told(&(expected + " of line\n\u{fffd}\n"));
    tail.interrupt();
}

/// spec A.12: a file named on the command line, a shorter one than ten lines,
/// without an end of line, or empty.
#[test]
fn logtail_takes_another_file_and_short_ones() {
    let sandbox = Sandbox::new();
    for text in ["", "one", "one\ntwo\n"] {
        sandbox.file("other.log", text);
        let tail = Tail::start(&sandbox, &["logtail", "other.log"]);
        append(&sandbox, "other.log", "+");
        tail.has_told(&format!("{text}+"));
        tail.interrupt();
    }
}

/// spec A.12: what was cut is told, and following goes on from the start.
#[test]
fn logtail_tells_that_a_file_was_truncated() {
    let sandbox = Sandbox::new();
    sandbox.file("app.log", "before\n");
    let tail = Tail::start(&sandbox, &["logtail", "app.log"]);
    tail.has_told("before\n");
    fs::write(sandbox.path("app.log"), "new\n").expect("a shorter file");
    tail.has_told("before\n==> File truncated <==\nnew\n");
    tail.interrupt();
}

/// A.12 IMPROVE: a rotation by rename loses nothing: what the old file still
/// got comes first, then the new one.
#[test]
fn logtail_follows_a_file_that_is_rotated() {
    let sandbox = Sandbox::new();
    sandbox.file("app.log", "old\n");
    let tail = Tail::start(&sandbox, &["logtail", "app.log"]);
    tail.has_told("old\n");
    for round in 0..2 {
        let before = tail.text();
        let rotated = format!("app.log.{round}");
        fs::rename(sandbox.path("app.log"), sandbox.path(&rotated)).expect("a rotated log");
        append(&sandbox, &rotated, "late\n");
        append(&sandbox, "app.log", "new\n");
        tail.has_told(&format!("{before}late\nnew\n"));
    }
    // Gone, and then there again.
    let before = tail.text();
    fs::remove_file(sandbox.path("app.log")).expect("a file to remove");
    append(&sandbox, "app.log", "again\n");
    tail.has_told(&format!("{before}again\n"));
    tail.interrupt();
}

/// What the configured user may not read, root does not show in its place.
#[test]
fn logtail_shows_what_the_user_may_read() {
    if !is_root() {
        return skip("only root can become somebody else");
    }
    let sandbox = Sandbox::with_runner("program true\nuser nobody");
    sandbox.file("readable", "a line\n");
    let secret = sandbox.file("secret", "a secret\n");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).expect("our own file");
    let output = sandbox.zd(&["logtail", "secret"]).exits(1);
    assert_eq!(output.stdout, "[Errno 13] Permission denied: 'secret'\n");
    let tail = Tail::start(&sandbox, &["-C", "app.conf", "logtail", "readable"]);
    tail.has_told("a line\n");
    let parent = tail.command.pid();
    let reader = sandbox.processes().into_iter().find(|(pid, _)| *pid != parent);
    send_signal(reader.expect("a child that reads").0, Signal::SIGINT);
    tail.has_told("a line\n\n");
    tail.command.output().exits(0);
}

/// spec A.12 and A.21: nothing to show is an error with a reason.
#[test]
fn logtail_without_a_file_is_an_error() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["logtail"]).exits(1);
    assert_eq!(output.stdout, "No default log file specified; use logtail <logfile>\n");
    let output = sandbox.run(&["logtail", "nosuch"]).exits(1);
    assert_eq!(output.stdout, "[Errno 2] No such file or directory: 'nosuch'\n");
    let output = sandbox.run(&["logtail", "."]).exits(1);
    assert_eq!(output.stdout, "[Errno 21] Is a directory: '.'\n");
}
