//! Stopped means gone: what a program leaves behind is removed with it, and
//! named where it had to be killed; a willful end leaves it alone.

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, count, is_alive, send_signal, skip, wait_for, wait_until};
use crate::start_stop::without_dots;

/// The pid that a stray has written into `name`, before it became `sleep`.
fn stray(sandbox: &Sandbox, name: &str) -> i32 {
    let pid = sandbox.wait_for_number(name);
    let called = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    wait_until("a sleeping stray", || called() == "sleep\n");
    pid
}

/// "After `stop` returns 0, nothing that the program started is alive": children
/// and grandchildren, in sessions of their own too.
#[test]
fn a_stop_ends_all_that_the_program_started() {
    let sandbox = Sandbox::logged("program ./parent\nsettle-time 0");
    let body = "sh -c 'echo $$ > child; exec sleep 1001' &\n\
                setsid sh -c 'echo $$ > own-session; exec sleep 1002' &\n\
                (setsid sh -c 'setsid sh -c \"echo \\$\\$ > orphan; exec sleep 1003\" & exit' &)\n\
                exec sleep 1000";
    sandbox.script("parent", body);
    sandbox.zd(&["start"]).exits(0);
    let strays = ["child", "own-session", "orphan"].map(|name| stray(&sandbox, name));
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(without_dots(&stopped), "\ndaemon process stopped\n");
    // What ends when it is asked to is not worth a word to the user.
    assert_eq!(stopped.stderr, "");
    for pid in strays {
        assert!(!is_alive(pid));
        let told = format!("pid {pid} (sleep) was left behind by the program; sending SIGTERM\n");
        assert!(sandbox.events().contains(&told), "{}", sandbox.events());
    }
    sandbox.holds_only(&["app.conf", "child", "events.log", "orphan", "own-session", "parent"]);
}

/// "what had to be killed is named"
#[test]
fn a_stray_deaf_to_sigterm_is_killed_and_named() {
    let sandbox = Sandbox::with_runner("program ./parent\nsettle-time 0\nstop-timeout 0.2");
    let body = "setsid sh -c 'trap \"\" TERM; echo $$ > deaf; exec sleep 1001' &\nexec sleep 1000";
    sandbox.script("parent", body);
    sandbox.zd(&["start"]).exits(0);
    let pid = stray(&sandbox, "deaf");
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(without_dots(&stopped), "\ndaemon process stopped\n");
    let told = format!("pid {pid} (sleep) was left behind by the program; sending SIGKILL\n");
    assert_eq!(stopped.stderr, told);
    sandbox.holds_only(&["app.conf", "deaf", "parent"]);
}

/// A supervisor that is killed while it waits for a deaf stray to end, and that
/// stray.
fn killed_while_clearing() -> (Sandbox, i32) {
    let sandbox = Sandbox::logged("program ./parent\nsettle-time 0\nstop-timeout 1");
    let body = "[ -e deaf ] && exec sleep 1002\n\
                sh -c 'trap \"\" TERM; echo $$ > deaf; exec sleep 1001' &\nexec sleep 1000";
    sandbox.script("parent", body);
    sandbox.zd(&["start"]).exits(0);
    let pid = stray(&sandbox, "deaf");
    sandbox.request("stop\n");
    let supervisor = sandbox.supervisor();
    sandbox.wait_for_event("sending SIGTERM");
    send_signal(supervisor, Signal::SIGKILL);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    assert!(is_alive(pid));
    (sandbox, pid)
}

/// "After `stop` returns 0, nothing that the program started is alive", also
/// where the first one to be told was killed over it.
#[test]
fn a_stop_ends_the_strays_of_a_killed_supervisor() {
    let (sandbox, pid) = killed_while_clearing();
    sandbox.zd(&["status"]).exits(3).says("daemon manager not running");
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert!(stopped.stdout.ends_with("\ndaemon process stopped\n"), "{stopped:?}");
    assert!(stopped.stderr.contains(&format!("pid {pid} (sleep) was left behind")), "{stopped:?}");
    assert!(!is_alive(pid));
    // Nothing was started to be stopped.
    assert_eq!(count(&sandbox.events(), "spawned process"), 1, "{}", sandbox.events());
    sandbox.holds_only(&["app.conf", "deaf", "events.log", "parent"]);
}

/// "Before a respawn the same is done"
#[test]
fn a_start_ends_the_strays_of_a_killed_supervisor_first() {
    let (sandbox, pid) = killed_while_clearing();
    sandbox.zd(&["start"]).exits(0);
    assert!(!is_alive(pid));
    sandbox.stop(&["app.conf", "deaf", "events.log", "parent"]);
}

/// A stopped stray cannot obey SIGTERM before it goes on.
#[test]
fn a_stopped_stray_ends_as_well() {
    let sandbox = Sandbox::with_runner("program ./parent\nsettle-time 0");
    sandbox.script("parent", "sh -c 'echo $$ > frozen; exec sleep 1001' &\nexec sleep 1000");
    sandbox.zd(&["start"]).exits(0);
    let pid = stray(&sandbox, "frozen");
    send_signal(pid, Signal::SIGSTOP);
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(stopped.stderr, "", "it needed no SIGKILL");
    assert!(!is_alive(pid));
    sandbox.holds_only(&["app.conf", "frozen", "parent"]);
}

/// "Before a respawn the same is done, so that a port held by a stray cannot
/// turn one crash into a loop": here it is a lock that only one may have.
#[test]
fn a_stray_that_holds_what_the_program_needs_is_removed_before_the_respawn() {
    let sandbox = Sandbox::logged("program ./server\nsettle-time 0\nbackoff-limit 3");
    if sandbox.run_program("sh", &["-c", "command -v flock"]).code() != 0 {
        return skip("flock is not installed");
    }
    let body = "exec 9>>port; flock -n 9 || { echo in use >> refused; exit 1; }\n\
                setsid sh -c 'echo $$ > holder; exec sleep 1001' &\n\
                echo $$ >> servers; exec sleep 1000 9>&-";
    sandbox.script("server", body);
    let first = sandbox.zd(&["start"]).exits(0).pid();
    let holder = stray(&sandbox, "holder");
    send_signal(first, Signal::SIGKILL);
    wait_until("a second server", || sandbox.read("servers").lines().count() == 2);
    let second = wait_for("its number", || Some(sandbox.program()).filter(|pid| *pid > 0));
    assert_ne!(first, second);
    assert!(!is_alive(holder));
    assert_eq!(sandbox.read("refused"), "");
    assert!(sandbox.events().contains(&format!("pid {holder} (sleep) was left behind")));
    sandbox.zd(&["stop"]).exits(0);
    assert_eq!(sandbox.processes(), []);
}

/// "After an exit whose code is in `exit-codes` strays are left alone and
/// logged: a program that daemonizes itself and exits 0 keeps working"
#[test]
fn a_program_that_ends_as_it_may_keeps_what_it_started() {
    let sandbox = Sandbox::logged("program ./daemonizes");
    sandbox.script("daemonizes", "setsid sh -c 'echo $$ > daemon; exec sleep 1001' & exit 0");
    let started = sandbox.zd(&["start"]).exits(1);
    assert_eq!(without_dots(&started), "\ndaemon manager not running\n");
    let pid = stray(&sandbox, "daemon");
    let told = "processes that the program started are still alive; left alone\n";
    assert!(sandbox.events().contains(told), "{}", sandbox.events());
    assert!(is_alive(pid));
    assert_eq!(sandbox.processes().len(), 1);
    assert_eq!(sandbox.hidden_files(), Vec::<String>::new());
    send_signal(pid, Signal::SIGTERM);
}

/// "stop-timeout 0 = never SIGKILL": then a stop waits for what is left.
#[test]
fn without_a_stop_timeout_no_stray_is_killed() {
    let sandbox = Sandbox::logged("program ./parent\nsettle-time 0\nstop-timeout 0");
    let body = "sh -c 'trap \"\" TERM; echo $$ > deaf; exec sleep 1001' &\nexec sleep 1000";
    sandbox.script("parent", body);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let pid = stray(&sandbox, "deaf");
    let mut stop = sandbox.zd_background(&["stop"]);
    sandbox.wait_for_event("was left behind by the program; sending SIGTERM\n");
    assert!(!is_alive(program) && is_alive(pid) && !stop.has_ended());
    send_signal(pid, Signal::SIGKILL);
    assert_eq!(without_dots(&stop.output().exits(0)), "\ndaemon process stopped\n");
    sandbox.holds_only(&["app.conf", "deaf", "events.log", "parent"]);
}
