//! Somebody, such as a cleaner of temporary files, removes what belongs to an
//! instance while it lives. Nothing is forgotten, and nothing is done twice.

use std::fs;
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::harness::{Background, Sandbox, exists, is_alive, send_signal, wait_until};

const SOCKET: &str = "zdsock";
const RECORD: &str = ".zdsock.instance";
const FIFO: &str = ".zdsock.output";
/// Everything that can be lost, in every combination.
const LOSSES: [&[&str]; 5] =
    [&[SOCKET], &[RECORD], &[SOCKET, RECORD], &[FIFO], &[SOCKET, RECORD, FIFO]];
const LINES: &str = "program sleep 1000\ntranscript out.log\nsettle-time 0";
const FILES: [&str; 3] = ["app.conf", "events.log", "out.log"];

fn started() -> (Sandbox, i32, i32) {
    let sandbox = Sandbox::logged(LINES);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let supervisor = sandbox.supervisor();
    (sandbox, program, supervisor)
}

fn lose(sandbox: &Sandbox, files: &[&str]) {
    for file in files {
        fs::remove_file(sandbox.path(file)).expect("a file to lose");
    }
}

fn is_complete(sandbox: &Sandbox) -> bool {
    exists(&sandbox.path(SOCKET)) && exists(&sandbox.path(RECORD))
}

/// The supervisor, the program and no other, and both as they were.
#[track_caller]
fn assert_unchanged(sandbox: &Sandbox, supervisor: i32, program: i32) {
    let mut pids: Vec<i32> = sandbox.processes().into_iter().map(|(pid, _)| pid).collect();
    pids.sort_unstable();
    let mut expected = [supervisor, program];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    assert_eq!((sandbox.supervisor(), sandbox.program()), (supervisor, program));
}

/// "`status` keeps telling the truth meanwhile", and puts back what is missing.
#[test]
fn status_tells_the_truth_whatever_was_removed() {
    for files in LOSSES {
        let (sandbox, program, supervisor) = started();
        lose(&sandbox, files);
        let status = sandbox.zd(&["status"]).exits(0);
        assert_eq!(status.stdout, format!("program running; pid={program}\n"), "{files:?}");
        assert!(is_complete(&sandbox), "{files:?}: {:?}", sandbox.hidden_files());
        assert_unchanged(&sandbox, supervisor, program);
        for file in files.iter().filter(|file| **file != FIFO) {
            let told = format!("/{file} had been removed; put back\n");
            assert_eq!(sandbox.events().matches(&told).count(), 1, "{}", sandbox.events());
        }
        sandbox.stop(&FILES);
        assert!(!is_alive(program));
    }
}

/// "Never two", when `start` comes first, and many of them.
#[test]
fn start_makes_no_second_program_whatever_was_removed() {
    for files in LOSSES {
        let (sandbox, program, supervisor) = started();
        lose(&sandbox, files);
        let starts: Vec<Background> = (0..4).map(|_| sandbox.zd_background(&["start"])).collect();
        for start in starts {
            let told = format!("daemon process already running; pid={program}\n");
            assert_eq!(start.output().exits(0).stdout, told, "{files:?}");
        }
        assert_unchanged(&sandbox, supervisor, program);
        sandbox.stop(&FILES);
    }
}

/// "Stopped means gone", when `stop` comes first.
#[test]
fn stop_stops_whatever_was_removed() {
    for files in LOSSES {
        let (sandbox, program, supervisor) = started();
        lose(&sandbox, files);
        sandbox.stop(&FILES);
        assert!(!is_alive(program), "{files:?}");
        // Its connections end a moment before it does.
        wait_until("the daemon manager is gone", || !is_alive(supervisor));
        sandbox.zd(&["status"]).exits(3);
    }
}

/// What was removed and put back belongs to whoever comes after the supervisor:
/// the record that was put back is as good as the first, and so is its lock.
#[test]
fn a_supervisor_killed_after_its_files_were_put_back_leaves_a_known_program() {
    for files in LOSSES {
        let (sandbox, program, supervisor) = started();
        lose(&sandbox, files);
        sandbox.zd(&["status"]).exits(0);
        send_signal(supervisor, Signal::SIGKILL);
        wait_until("the supervisor is gone", || !is_alive(supervisor));
        sandbox.zd(&["status"]).exits(4).says(&format!("still running, pid={program}\n"));
        sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={program}\n"));
        assert_unchanged(&sandbox, sandbox.supervisor(), program);
        sandbox.stop(&FILES);
    }
}

/// A program that crashes is started again only when that is on record.
#[test]
fn a_program_that_crashes_beside_a_lost_record_is_recorded_anew() {
    let (sandbox, program, supervisor) = started();
    lose(&sandbox, &[SOCKET, RECORD]);
    send_signal(program, Signal::SIGKILL);
    wait_until("both are put back", || is_complete(&sandbox));
    wait_until("it is started again", || ![0, program].contains(&sandbox.program()));
    let next = sandbox.program();
    assert!(sandbox.read(RECORD).contains(&format!(" program={next}@")));
    assert_unchanged(&sandbox, supervisor, next);
    sandbox.stop(&FILES);
}

/// "A wedged supervisor gives clients a clear error and exit status within a
/// bounded time", also when nothing but the kernel's lock tells that it is there.
#[test]
fn a_stopped_supervisor_without_files_is_not_called_gone() {
    let (sandbox, program, supervisor) = started();
    send_signal(supervisor, Signal::SIGSTOP);
    lose(&sandbox, &[SOCKET, RECORD]);
    let commands = [("status", 4), ("start", 4), ("stop", 4)];
    let running = commands.map(|(command, code)| (sandbox.zd_background(&[command]), code));
    let socket = sandbox.path(SOCKET);
    let told = format!(
        "Error: the daemon manager (pid {supervisor}) runs and does not listen on {}\n",
        socket.display()
    );
    for (command, code) in running {
        let output = command.output().exits(code);
        assert_eq!((output.stderr.as_str(), output.stdout.as_str()), (told.as_str(), ""));
    }
    assert!(is_alive(program));
    send_signal(supervisor, Signal::SIGCONT);
    sandbox.zd(&["status"]).exits(0).says(&format!("program running; pid={program}\n"));
    sandbox.stop(&FILES);
}

/// "Only what we created is removed", nor is anything else put aside.
#[test]
fn what_took_the_sockets_place_stays_and_is_told_once() {
    let (sandbox, program, supervisor) = started();
    lose(&sandbox, &[SOCKET, RECORD]);
    let theirs = UnixListener::bind(sandbox.path(SOCKET)).expect("another socket");
    for _ in 0..2 {
        send_signal(supervisor, Signal::SIGCHLD);
        wait_until("the record is put back", || exists(&sandbox.path(RECORD)));
        lose(&sandbox, &[RECORD]);
    }
    drop(theirs);
    sandbox.wait_for_event("unable to put back ");
    lose(&sandbox, &[SOCKET]);
    sandbox.zd(&["status"]).exits(0).says(&format!("program running; pid={program}\n"));
    assert_eq!(sandbox.events().matches("unable to put back ").count(), 1, "{}", sandbox.events());
    sandbox.stop(&FILES);
}

/// "No byte that the program wrote is lost", though the pipe has lost its name.
#[test]
fn what_waits_in_a_removed_pipe_reaches_the_transcript() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\ntranscript out.log");
    let body = "lines() { i=$1; while [ $i -lt $2 ]; do echo line $i; i=$((i + 1)); done; }\n\
                until_there() { while [ ! -e $1 ]; do sleep 0.02; done; }\n\
                until_there killed; lines 0 100; echo done >written\n\
                until_there adopted; lines 100 200; exec sleep 1000";
    sandbox.script("program", body);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let supervisor = sandbox.supervisor();
    lose(&sandbox, &[FIFO]);
    send_signal(supervisor, Signal::SIGKILL);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    sandbox.file("killed", "");
    wait_until("it has written", || sandbox.read("written") == "done\n");
    assert_eq!(sandbox.zd(&["start"]).exits(0).pid(), program);
    sandbox.file("adopted", "");
    let expected: String = (0..200).map(|number| format!("line {number}\n")).collect();
    wait_until("the last line", || sandbox.read("out.log").ends_with("line 199\n"));
    assert_eq!(sandbox.read("out.log"), expected);
    sandbox.stop(&["adopted", "app.conf", "killed", "out.log", "program", "written"]);
}
