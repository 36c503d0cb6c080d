use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::PathBuf;

use nix::sys::stat::Mode;

use crate::harness::{Sandbox, is_alive, is_root, skip, wait_until};

const STRANGER: Option<u32> = Some(64_321);

/// A sandbox with a directory of another user, a secret of root's, and these
/// lines in its configuration; none where there is but one user.
fn shared(lines: &str) -> Option<Sandbox> {
    if !is_root() {
        skip("needs root to be two users");
        return None;
    }
    let sandbox = Sandbox::with_runner(lines);
    fs::create_dir(sandbox.path("theirs")).expect("a directory");
    chown(sandbox.path("theirs"), STRANGER, STRANGER).expect("root may");
    sandbox.file("secret", "root's\n");
    Some(sandbox)
}

/// A link as the owner of the directory would plant it.
fn plant(sandbox: &Sandbox, target: &str, name: &str) -> PathBuf {
    let link = sandbox.path(name);
    symlink(sandbox.path(target), &link).expect("a link");
    lchown(&link, STRANGER, STRANGER).expect("root may");
    link
}

/// "Log and transcript files opened by root are not followed through links that
/// another user could have planted": at the end of a path, in the middle of it,
/// and by a second name for a file of root's.
#[test]
fn root_writes_no_log_through_what_another_user_planted() {
    let transcript = "program sleep 1000\nsettle-time 0\ntranscript theirs/log";
    let event_log = "program sleep 1000\nsettle-time 0\n\
        <eventlog>\n<logfile>\npath theirs/log\n</logfile>\n</eventlog>";
    for lines in [transcript, event_log] {
        let Some(sandbox) = shared(lines) else { return };
        let refused = |why: &str| {
            sandbox.zd(&["start"]).exits(1).complains(why);
            assert_eq!(sandbox.read("secret"), "root's\n");
            assert_eq!(sandbox.hidden_files(), Vec::<String>::new());
        };
        let link = plant(&sandbox, "secret", "theirs/log");
        refused("log is a link of uid 64321, which root does not follow");
        // A link of root's own is as good as a name.
        lchown(&link, Some(0), Some(0)).expect("root may");
        sandbox.zd(&["start"]).exits(0);
        sandbox.zd(&["stop"]).exits(0);
        sandbox.file("secret", "root's\n");
        fs::remove_file(&link).expect("the link");
        fs::hard_link(sandbox.path("secret"), &link).expect("a second name");
        refused("it has more names, and others can write to its directory");
        fs::remove_dir_all(sandbox.path("theirs")).expect("the directory");
        fs::create_dir(sandbox.path("ours")).expect("a directory");
        plant(&sandbox, "ours", "theirs");
        refused("theirs is a link of uid 64321, which root does not follow");
    }
}

/// The same when the name is opened again: the old file stays in use.
#[test]
fn a_reopening_does_not_follow_a_planted_link_either() {
    let lines = "program ./repeats\nsettle-time 0\ntranscript theirs/log";
    let Some(sandbox) = shared(lines) else { return };
    sandbox.script("repeats", "cat lines; exec sleep 1000");
    nix::unistd::mkfifo(&sandbox.path("lines"), Mode::S_IRWXU).expect("a FIFO");
    sandbox.zd(&["start"]).exits(0);
    fs::rename(sandbox.path("theirs/log"), sandbox.path("theirs/old")).expect("the transcript");
    plant(&sandbox, "secret", "theirs/log");
    sandbox.zd(&["reopen_transcript"]).exits(0);
    fs::write(sandbox.path("lines"), "after\n").expect("a line");
    wait_until("the line", || sandbox.read("theirs/old").ends_with("after\n"));
    assert_eq!(sandbox.read("secret"), "root's\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// What the kernel links in `/proc` is nobody's to plant.
#[test]
fn a_transcript_may_be_the_standard_output() {
    let sandbox = Sandbox::with_runner("program ./speaks\ntranscript /dev/stdout");
    sandbox.script("speaks", "echo spoken; exec sleep 1000");
    let script = "exec \"$0\" -C app.conf start >> heard";
    let binary = crate::harness::binary();
    sandbox.run_program("sh", &["-c", script, &binary.to_string_lossy()]).exits(0);
    sandbox.wait_for_text("heard", "spoken\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// The instance's own files, where the socket is in another user's directory.
#[test]
fn root_takes_no_record_and_no_output_that_another_user_planted() {
    let lines = "program ./speaks\nsettle-time 0\nsocket-name theirs/zdsock\ntranscript app.out";
    let Some(sandbox) = shared(lines) else { return };
    sandbox.script("speaks", "echo spoken; exec sleep 1000");
    let record = sandbox.path("theirs/.zdsock.instance");
    fs::hard_link(sandbox.path("secret"), &record).expect("a second name");
    let why = "it has more names, and others can write to its directory";
    sandbox.zd(&["start"]).exits(1).complains(why);
    assert_eq!(sandbox.read("secret"), "root's\n");
    fs::remove_file(&record).expect("the second name");
    let output = sandbox.path("theirs/.zdsock.output");
    nix::unistd::mkfifo(&output, Mode::S_IRWXU).expect("a FIFO");
    chown(&output, STRANGER, STRANGER).expect("root may");
    let reader = fs::OpenOptions::new().read(true).write(true).open(&output).expect("the FIFO");
    sandbox.zd(&["start"]).exits(0);
    sandbox.wait_for_text("app.out", "spoken\n");
    drop(reader);
    let pid = sandbox.program();
    sandbox.zd(&["stop"]).exits(0);
    assert!(!is_alive(pid));
}

/// Whatever stands in the record's place, no command waits for it.
#[test]
fn a_record_that_is_none_delays_nobody() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let record = sandbox.path(".zdsock.instance");
    nix::unistd::mkfifo(&record, Mode::S_IRWXU).expect("a FIFO");
    for (command, status) in [("status", 3), ("stop", 0), ("wait", 0)] {
        sandbox.zd(&[command]).exits(status).says("daemon manager not running");
    }
    sandbox.zd(&["start"]).exits(1).complains("Error: unable to read ");
    fs::remove_file(record).expect("the FIFO");
}
