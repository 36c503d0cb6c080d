use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, count, is_alive, send_signal, wait_until};

/// Tells of every signal; SIGTERM, SIGINT and SIGQUIT end it.
const TELLER: &str = "\
for s in HUP USR1 USR2; do trap \"echo got $s\" $s; done
for s in TERM INT QUIT; do trap \"echo got $s; exit 7\" $s; done
echo ready
while :; do sleep 1000 & wait $!; done";

const LOGGED: &str = "program ./program\ntranscript out.log\nsettle-time 0\n\
                      <eventlog>\n<logfile>\npath event.log\n</logfile>\n</eventlog>";

/// What stays after a program with a transcript and an event log.
const FILES: [&str; 4] = ["app.conf", "event.log", "out.log", "program"];

/// A started program that has reached its loop.
fn started(body: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::with_runner(&format!("{LOGGED}\n{more}"));
    sandbox.script("program", body);
    sandbox.zd(&["start"]).exits(0);
    wait_until("the program is ready", || sandbox.read("out.log").contains("ready"));
    sandbox
}

/// Waits for the end of supervisor and program, and asserts that nothing is left.
#[track_caller]
fn assert_all_gone(sandbox: &Sandbox, supervisor: i32, program: i32) {
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    assert!(!is_alive(program), "the program outlived its supervisor");
    sandbox.assert_clean(&FILES);
    sandbox.zd(&["status"]).exits(3);
}

/// "TERM/INT: behave like `stop` but with the received signal, then remove
/// socket and pid file"
#[test]
fn the_supervisor_ends_the_program_with_the_signal_that_it_got() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let sandbox = started(TELLER, "pid-file app.pid");
        let (program, supervisor) = (sandbox.program(), sandbox.supervisor());
        send_signal(supervisor, signal);
        assert_all_gone(&sandbox, supervisor, program);
        let name = signal.as_str();
        assert_eq!(sandbox.read("out.log"), format!("ready\ngot {}\n", &name[3..]));
        let log = sandbox.read("event.log");
        assert!(log.contains(&format!("daemon manager killed by {name}\n")), "{log}");
        assert!(log.ends_with("Exiting\n"), "{log}");
        assert_eq!(count(&log, "spawned process"), 1, "{log}");
    }
}

/// "SIGKILL after stop-timeout"; a second SIGTERM changes nothing.
#[test]
fn a_program_that_ignores_the_end_of_its_supervisor_is_killed() {
    let body = "trap 'echo got TERM' TERM\necho ready\nwhile :; do sleep 1000 & wait $!; done";
    let sandbox = started(body, "stop-timeout 1");
    let (program, supervisor) = (sandbox.program(), sandbox.supervisor());
    send_signal(supervisor, Signal::SIGTERM);
    wait_until("the program got it", || sandbox.read("out.log").contains("got TERM"));
    // Nor does a start keep a supervisor that is told to end.
    assert_eq!(sandbox.ask("start\n"), "Exiting now\n");
    send_signal(supervisor, Signal::SIGTERM);
    assert_all_gone(&sandbox, supervisor, program);
    assert_eq!(count(&sandbox.read("out.log"), "got TERM"), 1);
    let log = sandbox.read("event.log");
    let killed = format!("pid {program}: terminated by SIGKILL");
    assert!(log.contains("did not end within stop-timeout") && log.contains(&killed), "{log}");
}

/// "HUP, QUIT, USR1: forward"
#[test]
fn other_signals_are_forwarded_to_the_program() {
    let sandbox = started(TELLER, "backoff-limit 3\nforever true");
    let (program, supervisor) = (sandbox.program(), sandbox.supervisor());
    for signal in [Signal::SIGHUP, Signal::SIGUSR1] {
        send_signal(supervisor, signal);
        let told = format!("got {}", &signal.as_str()[3..]);
        wait_until(&told, || sandbox.read("out.log").contains(&told));
        let logged = format!("forwarded {signal} to pid {program}");
        wait_until(&logged, || sandbox.read("event.log").contains(&logged));
    }
    assert_eq!((sandbox.program(), sandbox.supervisor()), (program, supervisor));
    // This one ends it, which is the program's own doing: it is started again.
    send_signal(supervisor, Signal::SIGQUIT);
    wait_until("another program", || ![0, program].contains(&sandbox.program()));
    assert!(sandbox.read("out.log").contains("got QUIT"));
    assert_eq!(sandbox.supervisor(), supervisor);
    sandbox.stop(&FILES);
}

/// "USR2: forward and reopen our event log and transcript"
#[test]
fn usr2_reopens_the_logs_and_is_forwarded() {
    let sandbox = started(TELLER, "");
    let supervisor = sandbox.supervisor();
    for name in ["out.log", "event.log"] {
        fs::rename(sandbox.path(name), sandbox.path(&format!("{name}.1"))).expect("a log");
    }
    send_signal(supervisor, Signal::SIGUSR2);
    wait_until("the new transcript", || sandbox.read("out.log") == "got USR2\n");
    wait_until("the new event log", || sandbox.read("event.log").contains("forwarded SIGUSR2"));
    assert_eq!(sandbox.read("out.log.1"), "ready\n");
    assert!(!sandbox.read("event.log.1").contains("SIGUSR2"));
    sandbox.zd(&["stop"]).exits(0);
    assert!(sandbox.read("event.log").contains("Exiting"));
}

/// A program that ends at once, between two attempts.
fn backing_off() -> Sandbox {
    let sandbox = Sandbox::with_runner(&format!("{LOGGED}\nbackoff-limit 5\nforever true"));
    sandbox.script("program", "echo attempt; exit 1");
    sandbox.zd(&["start"]).exits(0);
    wait_until("it backs off for long", || {
        sandbox.status_value("backoff").is_some_and(|backoff| backoff == "2")
    });
    sandbox
}

/// A signal while there is no program.
#[test]
fn a_supervisor_that_backs_off_ends_at_once() {
    let sandbox = backing_off();
    let supervisor = sandbox.supervisor();
    send_signal(supervisor, Signal::SIGTERM);
    assert_all_gone(&sandbox, supervisor, supervisor);
}

/// As above: there is nobody to forward them to.
#[test]
fn a_supervisor_that_backs_off_survives_other_signals() {
    let sandbox = backing_off();
    let supervisor = sandbox.supervisor();
    for signal in [Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2] {
        send_signal(supervisor, signal);
        assert_eq!(sandbox.supervisor(), supervisor);
    }
    wait_until("USR2 reopened the logs", || sandbox.read("event.log").contains("reopened"));
    let attempts = count(&sandbox.read("out.log"), "attempt");
    wait_until("the next attempt", || count(&sandbox.read("out.log"), "attempt") > attempts);
    sandbox.stop(&FILES);
}
