//! A program that ends by itself is restarted, later each time, until it is
//! given up or has ended as it may; and `restart`.

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, count, is_alive, send_signal, wait_for, wait_until};
use crate::start_stop::without_dots;

/// A program that crashes at once, so many times as `limit` allows.
#[track_caller]
fn is_given_up_after(limit: usize) {
    let sandbox = Sandbox::logged(&format!("program ./crash\nbackoff-limit {limit}"));
    sandbox.script("crash", "exit 7");
    let failed = sandbox.zd(&["start"]).exits(1);
    assert_eq!(without_dots(&failed), "\ndaemon manager not running\n");
    assert!(failed.stderr.ends_with("restarting too frequently; quit\n"), "{failed:?}");
    let events = sandbox.events();
    assert_eq!(count(&events, "spawned process pid="), limit, "{events}");
    assert_eq!(count(&events, ": exit status 7"), limit, "{events}");
    for seconds in 1..limit {
        assert!(failed.stderr.contains(&format!("next attempt in {seconds} s\n")), "{failed:?}");
        assert_eq!(count(&events, &format!("sleep {seconds} to avoid rapid restarts")), 1);
    }
    assert!(!events.contains(&format!("sleep {limit} to")), "{events}");
    assert!(events.ends_with("restarting too frequently; quit\nExiting\n"), "{events}");
    sandbox.holds_only(&["app.conf", "crash", "events.log"]);
}

/// "Limit 1: quits at first quick death"
#[test]
fn a_crash_loop_with_limit_1_is_one_crash() {
    is_given_up_after(1);
}

/// "Limit 3: t=0,1,3 then quit"
#[test]
fn a_crash_loop_with_limit_3_is_given_up_at_the_third_crash() {
    is_given_up_after(3);
}

/// "forever: backoff = limit"
#[test]
fn a_crash_loop_goes_on_for_ever_if_it_may() {
    let sandbox = Sandbox::logged("program ./crash\nbackoff-limit 1\nforever on\nsettle-time 0");
    sandbox.script("crash", "echo x >> runs; exit 7");
    sandbox.zd(&["start"]).exits(0);
    wait_until("three runs", || sandbox.read("runs").len() >= 6);
    let events = sandbox.events();
    assert!(count(&events, "sleep 1 to avoid rapid restarts") >= 2, "{events}");
    assert!(!events.contains("too frequently"), "{events}");
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    sandbox.holds_only(&["app.conf", "crash", "events.log", "runs"]);
}

/// A supervisor whose program is down until its next attempt; so too the number
/// of its first program.
fn backing_off() -> (Sandbox, i32) {
    let sandbox = Sandbox::logged("program sleep 1000\nsettle-time 0\nbackoff-limit 60");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    // The second wait is two seconds, which is time enough for one command.
    send_signal(pid, Signal::SIGKILL);
    let second =
        wait_for("another program", || Some(sandbox.program()).filter(|p| ![0, pid].contains(p)));
    send_signal(second, Signal::SIGKILL);
    sandbox.wait_for_event("sleep 2 to avoid rapid restarts");
    (sandbox, second)
}

/// "kill by signal -> respawn"; "`start` during backoff: spawn at once"
#[test]
fn a_start_during_the_backoff_starts_at_once() {
    let (sandbox, dead) = backing_off();
    let status = sandbox.zd(&["status"]).exits(3);
    assert_eq!(status.stdout, "daemon manager running; daemon process not running\n");
    assert_eq!(sandbox.status_value("should_be_up").as_deref(), Some("1"));
    let started = sandbox.zd(&["start"]).exits(0);
    assert_eq!(started.stdout, format!("\ndaemon process started, pid={}\n", started.pid()));
    assert_ne!(started.pid(), dead);
    assert_eq!(sandbox.status_value("backoff").as_deref(), Some("0"));
    assert_eq!(sandbox.status_value("restarts").as_deref(), Some("2"));
    assert_eq!(sandbox.status_value("last_exit").as_deref(), Some("terminated by SIGKILL"));
    sandbox.zd(&["stop"]).exits(0);
}

/// "stop during backoff: the manager ends immediately"
#[test]
fn a_stop_during_the_backoff_ends_the_supervisor() {
    let (sandbox, _) = backing_off();
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    assert_eq!(count(&sandbox.events(), "spawned process"), 2, "{}", sandbox.events());
    sandbox.holds_only(&["app.conf", "events.log"]);
}

/// "restart while backing off: exactly `start`"
#[test]
fn a_restart_during_the_backoff_is_a_start() {
    let (sandbox, _) = backing_off();
    let started = sandbox.zd(&["restart"]).exits(0);
    assert_eq!(started.stdout, format!("\ndaemon process started, pid={}\n", started.pid()));
    sandbox.zd(&["stop"]).exits(0);
}

/// A program that ends when the file `end` is there, with `status` or by the
/// signal `-status`; what the supervisor then logs and whether it has ended.
fn ends_with(lines: &str, how: &str) -> Sandbox {
    let sandbox = Sandbox::logged(&format!("program ./ends\nsettle-time 0\n{lines}"));
    sandbox.script("ends", &format!("while [ ! -e end ]; do sleep 0.02; done; {how}"));
    sandbox.zd(&["start"]).exits(0);
    let supervisor = sandbox.supervisor();
    sandbox.file("end", "");
    wait_until("the supervisor's end", || !is_alive(supervisor));
    sandbox.holds_only(&["app.conf", "end", "ends", "events.log"]);
    sandbox
}

/// "exit status in exit-codes: the manager ends"; looked at before the backoff.
#[test]
fn a_listed_exit_status_is_final() {
    for (lines, how, told) in [
        ("backoff-limit 1", "exit 0", "exit status 0; exiting now"),
        ("forever on", "exit 2", "exit status 2; exiting now"),
        ("exit-codes 5, 6", "exit 6", "exit status 6; exiting now"),
        ("exit-codes -1", "kill -KILL $$", "terminated by SIGKILL; exiting now"),
    ] {
        let events = ends_with(lines, how).events();
        assert!(events.contains(told) && !events.contains("too frequently"), "{events}");
    }
}

/// An empty list: even exit status 0 is an unwanted end.
#[test]
fn an_unlisted_exit_status_is_not_final() {
    let events = ends_with("exit-codes\nbackoff-limit 1", "exit 0").events();
    assert!(events.contains("exit status 0\nrestarting too frequently; quit\n"), "{events}");
}

/// "a killed program counts as one that ended by itself"
#[test]
fn a_program_that_obeys_the_kill_command_ends_by_its_own_will() {
    let sandbox = Sandbox::logged("program ./obeys\nsettle-time 0");
    sandbox.script("obeys", "trap 'exit 0' TERM; echo $$ > up; while :; do sleep 0.02; done");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    sandbox.wait_for_number("up");
    let supervisor = sandbox.supervisor();
    sandbox.zd(&["kill"]).exits(0);
    wait_until("the supervisor's end", || !is_alive(supervisor));
    assert!(sandbox.events().contains(&format!("pid {pid}: exit status 0; exiting now\n")));
    sandbox.holds_only(&["app.conf", "events.log", "obeys", "up"]);
}

/// "restart: exit code ignored because killing; respawn at once"
#[test]
fn a_restart_does_not_mind_how_the_program_ends() {
    let sandbox = Sandbox::logged("program ./obeys\nsettle-time 0\nbackoff-limit 1");
    sandbox.script("obeys", "trap 'exit 0' TERM; echo $$ > up; while :; do sleep 0.02; done");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    assert_eq!(sandbox.wait_for_number("up"), pid);
    let restarted = sandbox.zd(&["restart"]).exits(0);
    let told = format!("\ndaemon process restarted, pid={}\n", restarted.pid());
    assert_eq!(without_dots(&restarted), told);
    let events = sandbox.events();
    assert!(events.contains(&format!("pid {pid}: exit status 0\n")), "{events}");
    assert!(!events.contains("exiting now") && !events.contains("rapid restarts"), "{events}");
    sandbox.zd(&["stop"]).exits(0);
}

/// "a slow stop eats start-timeout: start counting when the old pid is gone"
#[test]
fn the_start_timeout_of_a_restart_counts_from_the_end_of_the_old_program() {
    let sandbox = Sandbox::logged("program ./slow\nstart-test-program true\nstart-timeout 1");
    sandbox.script(
        "slow",
        "trap 'sleep 1.2; exit 0' TERM; echo $$ > up; while :; do sleep 0.02; done",
    );
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    assert_eq!(sandbox.wait_for_number("up"), pid);
    let restarted = sandbox.zd(&["restart"]).exits(0);
    let told = format!("\ndaemon process restarted, pid={}\n", restarted.pid());
    assert_eq!(without_dots(&restarted), told);
    sandbox.zd(&["stop"]).exits(0);
}

/// "restart: manager gone: 1" (5.2.1: 0)
#[test]
fn a_restart_that_fails_says_so_by_its_exit_status() {
    let sandbox = Sandbox::logged("program ./once\nbackoff-limit 1\nsettle-time 0.2");
    sandbox.script("once", "[ ! -e used ] || exit 9; touch used; exec sleep 1000");
    sandbox.zd(&["start"]).exits(0);
    let failed = sandbox.zd(&["restart"]).exits(1);
    assert_eq!(without_dots(&failed), "\ndaemon manager not running\n");
    assert!(failed.stderr.contains("ended before it was up: exit status 9\n"), "{failed:?}");
    sandbox.holds_only(&["app.conf", "events.log", "once", "used"]);
}

/// "TERM and INT stop the program and end; HUP, QUIT, USR1 are forwarded"
#[test]
fn a_supervisor_told_to_end_stops_its_program_first() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let sandbox = Sandbox::logged("program sleep 1000\nsettle-time 0");
        let pid = sandbox.zd(&["start"]).exits(0).pid();
        let supervisor = sandbox.supervisor();
        send_signal(supervisor, signal);
        wait_until("the supervisor's end", || !is_alive(supervisor));
        assert!(!is_alive(pid));
        let told = format!("daemon manager killed by {signal}\n");
        assert!(sandbox.events().contains(&told), "{}", sandbox.events());
        sandbox.holds_only(&["app.conf", "events.log"]);
    }
}
