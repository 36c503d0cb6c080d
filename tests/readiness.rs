//! When does a program count as started? With a start test: when that passes.
//! Without: when it has stayed up for the settle time.

use nix::sys::signal::Signal;

use crate::harness::{
    Sandbox, count, is_alive, send_signal, wait_until, wait_until_interruptible, without_forks,
};
use crate::start_stop::without_dots;

/// A sleeping program with a start test of this shell text.
fn tested(lines: &str, test: &str) -> Sandbox {
    let sandbox =
        Sandbox::logged(&format!("program sleep 1000\nstart-test-program ./test\n{lines}"));
    sandbox.script("test", test);
    sandbox
}

/// "start test succeeds later": `start` returns when it does, not before.
#[test]
fn a_start_returns_when_the_start_test_passes() {
    let sandbox = tested("", "echo x >> tried; [ -e ready ]");
    let mut start = sandbox.zd_background(&["start"]);
    wait_until("a failed test", || sandbox.events().contains("start test failed\n"));
    assert!(!start.has_ended());
    assert_eq!(sandbox.status_value("testing").as_deref(), Some("1"));
    assert_eq!(sandbox.status_value("readiness").as_deref(), Some("testing"));
    sandbox.file("ready", "");
    let started = start.output().exits(0);
    let pid = started.pid();
    assert_eq!(without_dots(&started), format!("\ndaemon process started, pid={pid}\n"));
    assert!(sandbox.events().contains("start test succeeded\n"));
    assert_eq!(sandbox.status_value("testing").as_deref(), Some("0"));
    assert_eq!(sandbox.status_value("readiness").as_deref(), Some("ready"));
    let tried = sandbox.read("tried");
    let again = sandbox.zd(&["start"]).exits(0);
    assert_eq!(again.stdout, format!("daemon process already running; pid={pid}\n"));
    assert_eq!(sandbox.read("tried"), tried, "a passed test is not run again");
    sandbox.zd(&["stop"]).exits(0);
}

/// "start -T2, test never succeeds: `Program took too long to start`, exit 1;
/// manager and program keep running; another start says already running; stop
/// works"
#[test]
fn a_program_that_is_never_ready_is_reported_and_left_running() {
    let sandbox = tested("start-timeout 1", "exit 1");
    let late = sandbox.zd(&["start"]).exits(1);
    assert_eq!(without_dots(&late), "\nProgram took too long to start\n");
    let pid = sandbox.program();
    assert!(is_alive(pid));
    assert!(sandbox.events().contains("program is not up after 1 seconds (start-timeout)\n"));
    assert_eq!(sandbox.status_value("testing").as_deref(), Some("1"));
    let again = sandbox.zd(&["start"]).exits(0);
    assert_eq!(again.stdout, format!("daemon process already running; pid={pid}\n"));
    let restarted = sandbox.zd(&["restart"]).exits(1);
    assert_eq!(without_dots(&restarted), "\nProgram took too long to start\n");
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    sandbox.holds_only(&["app.conf", "events.log", "test"]);
}

/// "Test exec failure: treat as failed, retry, and log once"
#[test]
fn a_missing_start_test_is_told_once_and_tried_until_it_is_there() {
    let sandbox = Sandbox::logged("program sleep 1000\nstart-test-program ./test");
    let start = sandbox.zd_background(&["start"]);
    let told = "unable to run start test ['./test']: ";
    sandbox.wait_for_event(told);
    sandbox.script("test", "exit 0");
    let started = start.output().exits(0);
    assert_eq!(
        without_dots(&started),
        format!("\ndaemon process started, pid={}\n", started.pid())
    );
    assert_eq!(count(&started.stderr, told), 1, "{started:?}");
    assert_eq!(count(&sandbox.events(), told), 1, "{}", sandbox.events());
    sandbox.zd(&["stop"]).exits(0);
}

/// The same for a test that is there and that the kernel refuses.
#[test]
fn a_start_test_that_cannot_be_executed_is_told_once() {
    let sandbox =
        Sandbox::logged("program sleep 1000\nstart-test-program ./test\nstart-timeout 2.5");
    let path = sandbox.script("test", "");
    without_forks(|| std::fs::write(&path, "#!/no/such/interpreter\n")).expect("a script");
    let late = sandbox.zd(&["start"]).exits(1);
    assert_eq!(without_dots(&late), "\nProgram took too long to start\n");
    let told = "unable to run start test ['./test']: [Errno 2] No such file or directory";
    assert_eq!(count(&late.stderr, told), 1, "{late:?}");
    assert_eq!(count(&sandbox.events(), told), 1, "{}", sandbox.events());
    sandbox.zd(&["stop"]).exits(0);
}

/// "A hanging test is killed when the program exits, restarts, or the manager exits"
#[test]
fn a_hanging_start_test_is_gone_after_the_stop() {
    let sandbox = tested("", "sleep 1001 & echo $$ > testing; wait");
    let start = sandbox.zd_background(&["start"]);
    let test = sandbox.wait_for_number("testing");
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    assert!(!is_alive(test));
    let failed = start.output().exits(1);
    assert_eq!(without_dots(&failed), "\ndaemon manager not running\n");
    sandbox.holds_only(&["app.conf", "events.log", "test", "testing"]);
}

/// What a willful end leaves alone are the program's own children, not its test.
#[test]
fn a_hanging_start_test_does_not_outlive_a_program_that_ends_as_it_may() {
    let sandbox = Sandbox::logged("program ./ends\nstart-test-program ./test");
    sandbox.script("ends", "until [ -e end ]; do sleep 0.02; done; exit 0");
    sandbox.script("test", "trap '' TERM; sleep 1001 & echo $$ > testing; wait");
    let start = sandbox.zd_background(&["start"]);
    sandbox.wait_for_number("testing");
    sandbox.file("end", "");
    start.output().exits(1);
    wait_until("the end of the test", || sandbox.processes().is_empty());
    assert!(!sandbox.events().contains("left alone"), "{}", sandbox.events());
}

/// The next program gets a test of its own.
#[test]
fn a_program_that_dies_takes_its_start_test_along() {
    let sandbox = tested("", "echo $$ >> tests; [ -e ready ] || sleep 1001");
    let start = sandbox.zd_background(&["start"]);
    let first = sandbox.wait_for_number("tests");
    sandbox.file("ready", "");
    send_signal(sandbox.program(), Signal::SIGKILL);
    let started = start.output().exits(0);
    assert_eq!(
        without_dots(&started),
        format!("\ndaemon process started, pid={}\n", started.pid())
    );
    assert!(!is_alive(first));
    assert_eq!(sandbox.read("tests").lines().count(), 2);
    sandbox.zd(&["stop"]).exits(0);
}

/// "settle-time: when the program has stayed up for so long"
#[test]
fn a_program_that_ends_within_the_settle_time_was_not_started() {
    let sandbox = Sandbox::with_runner("program sleep 0.3\nsettle-time 100\nbackoff-limit 1");
    let failed = sandbox.zd(&["start"]).exits(1);
    assert_eq!(without_dots(&failed), "\ndaemon manager not running\n");
    assert!(failed.stderr.contains("ended before it was up: exit status 0\n"), "{failed:?}");
}

/// "0 = as soon as exec succeeded"; and a first death is no failure as long as
/// there are attempts left.
#[test]
fn a_start_waits_through_the_backoff_for_a_program_that_stays() {
    let sandbox = Sandbox::with_runner("program ./second\nsettle-time 0.3\nbackoff-limit 3");
    sandbox.script("second", "[ -e tried ] || { touch tried; exit 1; }; exec sleep 1000");
    let started = sandbox.zd(&["start"]).exits(0);
    assert_eq!(
        without_dots(&started),
        format!("\ndaemon process started, pid={}\n", started.pid())
    );
    assert!(started.stderr.contains("exit status 1\nnext attempt in 1 s\n"), "{started:?}");
    assert_eq!(sandbox.program(), started.pid());
    sandbox.zd(&["stop"]).exits(0);
}

/// "^C prints `^C`, no message, exit 130"; the program goes on.
#[test]
fn an_interrupted_start_claims_no_success() {
    let sandbox = tested("", "exit 1");
    let start = sandbox.zd_background(&["start"]);
    wait_until_interruptible(start.pid());
    sandbox.wait_for_event("start test failed\n");
    send_signal(start.pid(), Signal::SIGINT);
    let interrupted = start.output().exits(130);
    assert_eq!(without_dots(&interrupted), "^C\n");
    assert_eq!(interrupted.stderr, "");
    assert!(is_alive(sandbox.program()));
    sandbox.zd(&["stop"]).exits(0);
}
