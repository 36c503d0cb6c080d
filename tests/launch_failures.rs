//! A launch that cannot work says why on the caller's standard error, has a
//! status that tells, and leaves nothing behind: no process, no file, no socket.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use nix::fcntl::{Flock, FlockArg};

use crate::harness::{Output, Sandbox, binary, is_root, skip, wait_until, without_forks};

/// A start that comes as far as the supervisor and no further.
#[track_caller]
fn fails(sandbox: &Sandbox, why: &str) -> Output {
    let before = sandbox.visible_files();
    let failed = sandbox.zd(&["start"]).exits(1).complains(why);
    assert!(failed.stdout.ends_with("\ndaemon manager not running\n"), "{failed:?}");
    leaves_nothing(sandbox, &before);
    assert_eq!(sandbox.zd(&["status"]).exits(3).stdout, "daemon manager not running\n");
    failed
}

/// A start that is an error of the command line or the configuration.
#[track_caller]
fn is_refused(sandbox: &Sandbox, why: &str) -> Output {
    let before = sandbox.visible_files();
    let refused = sandbox.zd(&["start"]).exits(2).complains(why);
    let help = format!("\nFor help, use {} -h\n", binary().display());
    assert!(refused.stderr.ends_with(&help), "{refused:?}");
    assert_eq!(refused.stdout, "");
    leaves_nothing(sandbox, &before);
    refused
}

#[track_caller]
fn leaves_nothing(sandbox: &Sandbox, before: &[String]) {
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    sandbox.holds_only(&before);
}

/// "can't find program 'x' on PATH ['/bin', …]", "can't stat program './x'"
#[test]
fn a_program_that_is_not_there_is_named() {
    let sandbox = Sandbox::with_runner("program no-such-program");
    let mut command = sandbox.command(binary());
    command.args(["-C", "app.conf", "start"]).env("PATH", "/bin:/no/such");
    let failed = sandbox.finish(&mut command).exits(1);
    let why = "Error: can't find program 'no-such-program' on PATH ['/bin', '/no/such']\n";
    assert_eq!(failed.stderr, why);
    sandbox.holds_only(&["app.conf"]);

    let failed = fails(&Sandbox::with_runner("program ./no-such"), "");
    assert_eq!(failed.stderr, "Error: can't stat program './no-such'\n");
}

/// "no permission to run program './x'"; a directory is no program either.
#[test]
fn a_program_that_is_not_executable_is_named() {
    let sandbox = Sandbox::with_runner("program ./plain");
    sandbox.file("plain", "#!/bin/sh\n");
    let failed = fails(&sandbox, "");
    assert_eq!(failed.stderr, "Error: no permission to run program './plain'\n");
    let failed = fails(&Sandbox::with_runner("program /tmp"), "");
    assert_eq!(failed.stderr, "Error: no permission to run program '/tmp'\n");
}

/// "exec's errno": what only the kernel can refuse is told with its reason.
#[test]
fn a_program_that_the_kernel_refuses_is_told_with_its_errno() {
    let sandbox = Sandbox::logged("program ./bad\nbackoff-limit 3");
    let path = sandbox.script("bad", "");
    let errors = [
        ("#!/no/such/interpreter\n", "[Errno 2] No such file or directory"),
        ("\x7fnot an executable\n", "[Errno 8] Exec format error"),
    ];
    for (content, errno) in errors {
        without_forks(|| fs::write(&path, content)).expect("a program");
        sandbox.file("events.log", "");
        fails(&sandbox, &format!("/bad': {errno}\n"));
        // It is not tried again, however often that may be.
        assert!(sandbox.events().contains("exit status 127; exiting now\n"));
        assert!(!sandbox.events().contains("to avoid rapid restarts"), "{}", sandbox.events());
    }
}

/// "directory": missing with its parent, or not a directory.
#[test]
fn a_directory_that_cannot_be_is_a_configuration_error() {
    for directory in ["/no/such/directory", "/dev/null"] {
        let sandbox = Sandbox::with_runner(&format!("program sleep 1000\ndirectory {directory}"));
        is_refused(&sandbox, &format!("{directory} is not an existing directory"));
    }
}

/// Also by root, who may create nothing there either.
#[test]
fn a_directory_that_cannot_be_created_is_told() {
    let sandbox = Sandbox::with_runner("program sleep 1000\ndirectory /proc/no-such-process");
    let told = "Error: unable to create directory /proc/no-such-process: [Errno ";
    for action in ["start", "fg"] {
        let refused = sandbox.zd(&[action]).exits(2);
        assert!(refused.stderr.starts_with(told), "{refused:?}");
    }
    sandbox.assert_clean(&["app.conf"]);
}

/// A directory that is there and that the program's user may not enter.
#[test]
fn a_directory_that_may_not_be_entered_is_told() {
    if !is_root() {
        return skip("only root can give the program another user");
    }
    let sandbox = Sandbox::with_runner(
        "program sleep 1000\ndirectory closed\nuser nobody\nsocket-name open/zdsock",
    );
    fs::create_dir(sandbox.path("closed")).expect("a directory");
    fs::set_permissions(sandbox.path("closed"), Permissions::from_mode(0o700)).expect("a mode");
    fs::create_dir(sandbox.path("open")).expect("a directory");
    fs::set_permissions(sandbox.path("open"), Permissions::from_mode(0o777)).expect("a mode");
    let closed = sandbox.path("closed");
    let failed = fails(&sandbox, "");
    let why = "[Errno 13] Permission denied";
    let expected = format!("Error: unable to change to directory {}: {why}\n", closed.display());
    assert_eq!(failed.stderr, expected);
    assert_eq!(fs::read_dir(sandbox.path("open")).expect("open").count(), 0);
}

/// "username 'x' not found", "uid '99999' not found"
#[test]
fn an_unknown_user_is_an_error_at_its_line() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nuser no-such-user");
    is_refused(&sandbox, "/app.conf:3: username 'no-such-user' not found\n");
    let sandbox = Sandbox::with_runner("program sleep 1000\nuser 4294967");
    is_refused(&sandbox, "/app.conf:3: uid '4294967' not found\n");
}

/// "Unopenable transcript: report before daemonizing"
#[test]
fn a_transcript_that_cannot_be_opened_is_told() {
    let sandbox = Sandbox::with_runner("program sleep 1000\ntranscript folder");
    fs::create_dir(sandbox.path("folder")).expect("a directory");
    let failed = fails(&sandbox, "");
    let expected = format!(
        "Error: unable to open transcript {}: [Errno 21] Is a directory\n",
        sandbox.path("folder").display()
    );
    assert_eq!(failed.stderr, expected);

    let sandbox = Sandbox::with_runner("program sleep 1000\ntranscript no/such/folder/out");
    fails(&sandbox, "no/such/folder/out: [Errno 2] No such file or directory\n");
    let sandbox = Sandbox::with_runner("program sleep 1000\ntranscript /no/such/folder/out");
    is_refused(&sandbox, "/no/such/folder/out");
}

/// "report `socket path too long` with exit 2", whatever is asked for.
#[test]
fn a_socket_path_that_is_too_long_is_told_by_every_command() {
    let name = "x".repeat(120);
    let sandbox = Sandbox::with_runner(&format!("program sleep 1000\nsocket-name {name}"));
    is_refused(&sandbox, "Error: socket path too long: ");
    for command in ["status", "stop", "kill", "wait", "reopen_transcript"] {
        sandbox.zd(&[command]).exits(2).complains("Error: socket path too long: ");
    }
}

/// What is not a socket is not ours to remove.
#[test]
fn a_file_at_the_sockets_place_stays_there() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    sandbox.file("zdsock", "precious");
    let failed = fails(&sandbox, "");
    let socket = sandbox.path("zdsock");
    let why = "something else has this name";
    assert_eq!(
        failed.stderr,
        format!("Error: unable to create socket {}: {why}\n", socket.display())
    );
    assert_eq!(sandbox.read("zdsock"), "precious");
}

/// Answers `replies` in turn at the sandbox's socket, one a connection, and the
/// last one ever after; a request `end` ends it.
fn foreign_manager(sandbox: &Sandbox, replies: &'static [&'static str]) -> JoinHandle<()> {
    let listener = UnixListener::bind(sandbox.path("zdsock")).expect("a socket");
    thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a client");
            let mut request = [0; 64];
            let count = stream.read(&mut request).unwrap_or(0);
            if &request[..count] == b"end\n" {
                return;
            }
            let reply = replies.get(turn).or(replies.last()).expect("a reply");
            let _ = stream.write_all(reply.as_bytes());
        }
    })
}

#[track_caller]
fn is_still_there(sandbox: &Sandbox, manager: JoinHandle<()>) {
    assert_eq!(sandbox.visible_files(), ["app.conf", "zdsock"]);
    assert_eq!(sandbox.hidden_files(), Vec::<String>::new());
    assert_eq!(sandbox.processes(), []);
    sandbox.request("end");
    manager.join().expect("a good end");
}

const STATUS: &str = "status=stopped\nshould_be_up=0\napplication=0\nmanager=1\nargs=['x']\n";

/// "Another zrdun is already up using socket": a manager that holds none of our
/// locks, as 5.2.1 has it, and that came while we were launching.
#[test]
fn a_foreign_daemon_manager_keeps_its_socket() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    // The launch waits for its turn, and finds a socket that was not there before.
    let directory = fs::File::open(sandbox.path("")).expect("the sandbox");
    let turn = Flock::lock(directory, FlockArg::LockExclusive).expect("a lock");
    let start = sandbox.zd_background(&["start"]);
    wait_until("there is a supervisor", || sandbox.processes().len() == 2);
    let manager = foreign_manager(&sandbox, &[STATUS]);
    drop(turn);
    let failed = start.output().exits(1);
    let socket = sandbox.path("zdsock");
    let told = format!("Error: Another zrdun is already up using socket '{}':\n", socket.display());
    assert!(failed.stderr.starts_with(&told), "{failed:?}");
    assert!(failed.stderr.contains("status=stopped\n"), "{failed:?}");
    assert_eq!(failed.stdout, "\ndaemon manager not running\n");
    is_still_there(&sandbox, manager);
}

/// `zdrun` is a manager itself, and never the second one.
#[test]
fn zdrun_beside_a_foreign_daemon_manager_says_so() {
    let sandbox = Sandbox::new();
    let manager = foreign_manager(&sandbox, &[STATUS]);
    let failed = sandbox.run(&["zdrun", "sleep", "1000"]).exits(1);
    let socket = sandbox.path("zdsock");
    let told = format!("Another zrdun is already up using socket '{}':\n", socket.display());
    assert_eq!(failed.stderr, format!("Error: {told}{STATUS}"));
    assert_eq!(failed.stdout, "");
    sandbox.file("app.conf", "");
    is_still_there(&sandbox, manager);
}

/// "with the last lines of the transcript where the program died"
#[test]
fn a_program_that_dies_at_once_is_told_with_its_last_words() {
    let sandbox = Sandbox::with_runner("program ./dies\nbackoff-limit 1\ntranscript out");
    sandbox.script("dies", "seq 1 20; echo the database is locked >&2; exit 3");
    sandbox.file("out", "old lines\n");
    let failed = fails(&sandbox, "the program (pid ");
    assert!(failed.stderr.contains(") ended before it was up: exit status 3\n"), "{failed:?}");
    let last: String = (12..=20).map(|number| format!("  {number}\n")).collect();
    let last = format!("exit status 3\n{last}  the database is locked\n");
    assert!(failed.stderr.contains(&last), "{failed:?}");
    assert!(failed.stderr.ends_with("restarting too frequently; quit\n"), "{failed:?}");
    assert!(!failed.stderr.contains("old lines"), "{failed:?}");
}

/// "300 launches of a program that exits at once: no exit missed, every answer
/// true, no process left", in small; `ci/load` has it in large.
#[test]
fn twenty_launches_of_programs_that_exit_at_once_leave_nothing() {
    let sandbox = Sandbox::with_runner("program true\nbackoff-limit 1");
    for round in 0..20 {
        let (program, status) = [("true", 0), ("false", 1)][round % 2];
        let failed = sandbox.zd(&["-p", program, "start"]).exits(1);
        assert_eq!(failed.stdout, "\ndaemon manager not running\n");
        let told = format!("ended before it was up: exit status {status}\n");
        assert!(failed.stderr.contains(&told), "{failed:?}");
        wait_until("the end of all", || sandbox.processes().is_empty());
        sandbox.holds_only(&["app.conf"]);
    }
}
