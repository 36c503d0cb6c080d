//! "After start-up the supervisor allocates no memory": it counts what it asks
//! for and tells in its report.

use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, send_signal, wait_until};

#[track_caller]
fn assert_none(sandbox: &Sandbox, after: &str) {
    assert_eq!(sandbox.status_value("allocations").as_deref(), Some("0"), "after {after}");
}

/// Ends the program by a signal, which no supervisor asked for, and waits for
/// the next one.
fn crash(sandbox: &Sandbox) {
    let pid = sandbox.program();
    send_signal(pid, Signal::SIGSEGV);
    wait_until("the next program", || ![0, pid].contains(&sandbox.program()));
}

#[test]
fn a_busy_life_takes_no_memory_after_the_start() {
    let sandbox = Sandbox::logged(
        "program sh -c 'echo started; echo oops >&2; exec sleep 1000'\nsettle-time 0\nforever on\n\
         backoff-limit 1\ntranscript out.log\npid-file zd.pid",
    );
    sandbox.zd(&["start"]).exits(0);
    assert_none(&sandbox, "the launch");
    crash(&sandbox);
    assert_none(&sandbox, "a crash and a respawn");
    sandbox.zd(&["reopen_transcript"]).exits(0);
    assert_none(&sandbox, "reopening the transcript");
    send_signal(sandbox.supervisor(), Signal::SIGUSR2);
    sandbox.wait_for_event("reopened transcript and event log");
    assert_none(&sandbox, "reopening the log");
    sandbox.zd(&["restart"]).exits(0);
    assert_none(&sandbox, "a restart that a client waited for");
    let clients: Vec<UnixStream> = (0..100).map(|_| sandbox.connect()).collect();
    sandbox.zd(&["status"]).exits(0);
    drop(clients);
    assert_none(&sandbox, "a hundred clients");
    sandbox.zd(&["kill", "USR1"]).exits(0);
    assert!(sandbox.ask("nonsense\n").starts_with("Unknown command"));
    sandbox.ask("help\n");
    assert_none(&sandbox, "requests of all kinds");
    sandbox.stop(&["app.conf", "events.log", "out.log"]);
}

#[test]
fn a_program_that_does_not_come_up_takes_no_memory() {
    let sandbox = Sandbox::logged(
        "program sh -c 'echo no luck; exit 1'\nforever on\nbackoff-limit 3600\ntranscript out.log\n\
         start-timeout 1",
    );
    sandbox.zd(&["start"]).exits(1).complains("no luck");
    assert_none(&sandbox, "quick exits and a backoff");
    sandbox.stop(&["app.conf", "events.log", "out.log"]);
}

#[test]
fn a_full_disk_takes_no_memory() {
    let sandbox = Sandbox::with_runner(
        "program sh -c 'echo full; exec sleep 1000'\nsettle-time 0\ntranscript /dev/full\n\
         <eventlog>\n<logfile>\npath /dev/full\n</logfile>\n</eventlog>",
    );
    sandbox.zd(&["start"]).exits(0);
    sandbox.zd(&["restart"]).exits(0);
    assert_none(&sandbox, "records and output that nothing takes");
    sandbox.stop(&["app.conf"]);
}
