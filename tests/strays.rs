//! Stopped means gone: what a program leaves behind is removed with it, and
//! named where it had to be killed; a willful end leaves it alone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::{
    Output, Sandbox, binary, binary_for_all, count, exists, has_program, is_alive, is_root,
    may_unshare, send_signal, skip, wait_for, wait_until, without_forks,
};
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

/// A program whose children's children are daemons of their own, deaf to SIGTERM.
const DAEMONS: &str = "for name in a b c; do\n\
    (setsid sh -c \"(setsid sh -c 'trap \\\"\\\" TERM; echo \\$\\$ > $name; exec sleep 1001' &) &\" &)\n\
    done\n\
    exec sleep 1000";

/// "After `stop` returns 0, nothing that the program started is alive, and what
/// had to be killed is named": whoever runs it.
#[test]
fn deaf_daemons_of_a_program_are_gone_and_named_as_root_or_not() {
    for user in [None, Some(64_321)] {
        if user.is_some() && !is_root() {
            return skip("needs root to be two users");
        }
        let sandbox = Sandbox::logged("program ./parent\nsettle-time 0\nstop-timeout 0.2");
        sandbox.script("parent", DAEMONS);
        let stopped = as_user(&sandbox, user, &[], |sandbox| {
            ["a", "b", "c"].map(|name| stray(sandbox, name)).to_vec()
        });
        let (strays, output) = stopped;
        for pid in strays {
            assert!(!is_alive(pid));
            let told = format!("pid {pid} (sleep) was left behind by the program; sending SIGKILL");
            assert_eq!(count(&output.stderr, &told), 1, "{output:?}");
            assert_eq!(count(&sandbox.events(), &told), 1, "{}", sandbox.events());
        }
        assert_eq!(sandbox.processes(), []);
    }
}

/// Starts as `user` by way of these words, lets something happen, and stops; what
/// that gave and what the stop said.
fn as_user<T>(
    sandbox: &Sandbox,
    user: Option<u32>,
    by_way_of: &[&str],
    meanwhile: impl FnOnce(&Sandbox) -> T,
) -> (T, Output) {
    let program = binary_for_all(sandbox);
    let number = user.unwrap_or(0).to_string();
    let switch = ["setpriv", "--reuid", &number, "--regid", &number, "--clear-groups"];
    let switch = if user.is_some() { switch.as_slice() } else { &["env"] };
    if user.is_some() {
        std::os::unix::fs::chown(sandbox.path("."), user, user).expect("root may");
    }
    let run = |by_way_of: &[&str], action: &str| {
        let words = [switch, by_way_of, &["./zdaemon", "-C", "app.conf", action]].concat();
        sandbox.run_program(words[0], &words[1..])
    };
    run(by_way_of, "start").exits(0);
    let result = meanwhile(sandbox);
    let output = run(&[], "stop").exits(0);
    std::fs::remove_file(program).expect("the copy");
    (result, output)
}

/// "what had to be killed is named", and what cannot be killed too, once.
#[test]
fn a_stray_of_another_user_is_named_and_waited_for() {
    let sandbox = Sandbox::logged("program ./parent\nsettle-time 0\nstop-timeout 0.2");
    let become_root = sandbox.path("become");
    let tool = std::path::Path::new("/usr/bin/setpriv");
    if !is_root() || !exists(tool) {
        return skip("needs root, and setpriv to be two users");
    }
    without_forks(|| std::fs::copy(tool, &become_root)).expect("a copy");
    std::fs::set_permissions(&become_root, Permissions::from_mode(0o4755)).expect("our copy");
    let body = "./become --reuid 0 --regid 0 --clear-groups \\\n\
                sh -c 'echo $$ > roots; exec sleep 1001' &\nexec sleep 1000";
    sandbox.script("parent", body);
    let (pid, stopped) = as_user(&sandbox, Some(64_321), &[], |sandbox| {
        let pid = stray(sandbox, "roots");
        let events = sandbox.path("events.log");
        std::thread::spawn(move || {
            let times =
                || count(&std::fs::read_to_string(&events).unwrap_or_default(), "cannot be");
            // Asked to end, then killed.
            wait_until("it is told of", || times() == 2);
            send_signal(pid, Signal::SIGKILL);
        });
        pid
    });
    let told = format!(
        "pid {pid} (sleep) was left behind by the program and cannot be signalled: \
         [Errno 1] Operation not permitted\n"
    );
    assert_eq!(stopped.stderr, told);
    sandbox.holds_only(&["app.conf", "become", "events.log", "parent", "roots"]);
}

/// "a fork bomb of bounded size": by its own will, for root.
#[test]
fn a_large_deaf_family_is_removed() {
    let sandbox = Sandbox::logged("program ./tree 7\nsettle-time 0\nstop-timeout 0.2");
    let body = "trap '' TERM\nif [ $1 -gt 0 ]; then ./tree $(($1 - 1)) & ./tree $(($1 - 1)) & fi\n\
                echo x >> born; while :; do sleep 1000; done";
    sandbox.script("tree", body);
    sandbox.zd(&["start"]).exits(0);
    wait_until("255 processes", || sandbox.read("born").lines().count() == 255);
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert!(count(&stopped.stderr, "sending SIGKILL") >= 255, "{stopped:?}");
    sandbox.holds_only(&["app.conf", "born", "events.log", "tree"]);
}

/// "a fork bomb of bounded size": by the limit of its user, which each one that
/// is killed makes room under.
#[test]
fn a_fork_bomb_at_its_limit_is_removed() {
    if !is_root() {
        return skip("needs root to be a user without other processes");
    }
    let sandbox = Sandbox::with_runner("program ./bomb\nsettle-time 0\nstop-timeout 0.2");
    if !has_program("perl") {
        return skip("perl is not installed");
    }
    // Never without the limit.
    let body = "grep -q 'Max processes  *40 ' /proc/self/limits || exit 1\n\
                exec perl -e '$SIG{TERM} = \"IGNORE\"; \
                while () { defined fork or select undef, undef, undef, 0.001 }'";
    sandbox.script("bomb", body);
    as_user(&sandbox, Some(64_322), &["prlimit", "--nproc=40"], |sandbox| {
        wait_until("nearly the limit", || sandbox.processes().len() > 30);
    });
    sandbox.holds_only(&["app.conf", "bomb"]);
}

/// A stopped program cannot obey SIGTERM before it goes on.
#[test]
fn a_stopped_program_ends_as_well() {
    let sandbox = Sandbox::logged("program sleep 1000\nsettle-time 0");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    send_signal(pid, Signal::SIGSTOP);
    sandbox.zd(&["stop"]).exits(0);
    assert!(sandbox.events().contains(&format!("pid {pid}: terminated by SIGTERM")));
    sandbox.holds_only(&["app.conf", "events.log"]);
}

/// "Works without `/proc`": what is left is found by asking for each number.
#[test]
fn without_proc_nothing_is_left_either() {
    if !may_unshare("-m") {
        return skip("needs a mount namespace");
    }
    let sandbox = Sandbox::with_runner("program ./parent\nsettle-time 0\nstop-timeout 0.2");
    sandbox.script("parent", DAEMONS);
    let script = "mount --make-rprivate / && mount -t tmpfs none /proc || exit 77\n\
                  \"$0\" -C app.conf start && until [ -s a ] && [ -s b ] && [ -s c ]; do :; done\n\
                  exec \"$0\" -C app.conf stop";
    let binary = binary().to_string_lossy().into_owned();
    let stopped = sandbox.run_program("unshare", &["-m", "sh", "-c", script, &binary]).exits(0);
    for name in ["a", "b", "c"] {
        let pid = sandbox.wait_for_number(name);
        assert!(!is_alive(pid));
        let told = format!("pid {pid} (?) was left behind by the program; sending SIGKILL\n");
        assert!(stopped.stderr.contains(&told), "{stopped:?}");
    }
    sandbox.holds_only(&["a", "app.conf", "b", "c", "parent"]);
}

/// What an adopted program started is known by the output that it inherited,
/// where its session and its parents tell nothing any more. Who merely opened
/// that output is no stray.
#[test]
fn a_daemon_of_an_adopted_program_is_known_by_its_output() {
    let sandbox = Sandbox::with_runner("program ./parent\nsettle-time 0\ntranscript app.out");
    let body = "(setsid sh -c 'echo $$ > daemon; exec sleep 1001' &)\nexec sleep 1000";
    sandbox.script("parent", body);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let daemon = stray(&sandbox, "daemon");
    send_signal(sandbox.supervisor(), Signal::SIGKILL);
    let stranger = "exec 1>.zdsock.output 2>&1; exec sleep 1002";
    let mut stranger = sandbox.command("sh").args(["-c", stranger]).spawn().expect("a stranger");
    sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={program}"));
    sandbox.zd(&["stop"]).exits(0);
    assert!(!is_alive(daemon));
    assert!(stranger.try_wait().expect("a child").is_none(), "a stranger was ended");
    stranger.kill().expect("alive");
    stranger.wait().expect("a child");
    sandbox.holds_only(&["app.conf", "app.out", "daemon", "parent"]);
}
