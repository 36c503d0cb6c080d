//! The commands in the ordinary life of a program: what they print to the byte
//! and what they return. Where each line that scripts match is shown:
//!
//! | line | test |
//! |---|---|
//! | `program running; pid=N` | `a_program_is_started_asked_about_and_stopped` |
//! | `daemon manager running; daemon process not running` | `a_supervisor_that_hangs_around_says_that_it_has_no_program` |
//! | `daemon manager not running` | `a_program_is_started_asked_about_and_stopped` |
//! | `daemon process not running` | `a_supervisor_that_hangs_around_says_that_it_has_no_program` |
//! | `daemon process started, pid=N` | `a_program_is_started_asked_about_and_stopped` |
//! | `daemon process restarted, pid=N` | `a_restart_replaces_the_program_and_keeps_the_supervisor` |
//! | `daemon process stopped` | `a_program_is_started_asked_about_and_stopped` |
//! | `daemon process already running; pid=N` | `a_program_is_started_asked_about_and_stopped` |
//! | `Program took too long to start` | `readiness::a_program_that_is_never_ready_is_reported_and_left_running` |
//! | `kill(N, S)`, `signal SIGX sent to process N` | `kill_says_what_it_sends_and_to_whom` |
//! | `invalid signal 'x'` | `kill_refuses_what_is_no_signal` |
//! | `. ` dots | `a_dot_stands_for_each_second_of_waiting` |
//! | `Error: `, `For help, use … -h` | `a_usage_error_names_itself_and_the_help` |
//! | `WARNING! zdrun is managing a different program!` | `a_supervisor_of_another_program_is_warned_of` |
//! | `Unlinking stale socket …; sleep 1` | `a_stale_socket_is_replaced_and_told_of` |
//! | `Another zrdun is already up using socket …` | `launch_failures::a_foreign_daemon_manager_keeps_its_socket` |

use std::os::unix::net::UnixListener;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::tracing::can_trace;
use crate::harness::{
    Background, Output, Sandbox, binary, is_alive, is_root, send_signal, skip, wait_until,
    wait_until_interruptible, without_forks,
};

/// "the program runs, can be asked about and stopped"
#[test]
fn a_program_is_started_asked_about_and_stopped() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let started = sandbox.zd(&["start"]).exits(0);
    let pid = started.pid();
    assert_eq!(started.stdout, format!("\ndaemon process started, pid={pid}\n"));
    let status = sandbox.zd(&["status"]).exits(0);
    assert_eq!(status.stdout, format!("program running; pid={pid}\n"));
    let again = sandbox.zd(&["start"]).exits(0);
    assert_eq!(again.stdout, format!("daemon process already running; pid={pid}\n"));
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(stopped.stdout, "\ndaemon process stopped\n");
    assert!(!is_alive(pid));
    assert_eq!(sandbox.zd(&["status"]).exits(3).stdout, "daemon manager not running\n");
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "daemon manager not running\n");
    sandbox.holds_only(&["app.conf"]);
}

/// A supervisor is begun before it is known whether one is needed; nobody sees it.
#[test]
fn a_start_that_starts_nothing_outlives_the_supervisor_that_it_has_begun() {
    let sandbox = Sandbox::started("program sleep 1000");
    if !can_trace(&sandbox) {
        sandbox.stop(&["app.conf"]);
        return skip("needs strace");
    }
    let tried = [("-f", 0), ("-Xrunner/no-such-key=1", 2), ("--no-such-option", 2)];
    for (option, status) in tried {
        let mut start = sandbox.command("strace");
        start.args(["-q", "-f", "-o", "trace", "-e", "trace=execve", "-e", "signal=none"]);
        start.arg(binary()).args(["-C", "app.conf", option, "start"]);
        Background::of(&mut start).output().exits(status);
        let trace = sandbox.read("trace");
        let client = trace.split_whitespace().next().expect("a call");
        let ends = trace.lines().filter(|line| line.contains("+++ exited"));
        let ends: Vec<&str> = ends.filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(ends.last(), Some(&client), "{trace}");
        assert_eq!(ends.len(), 2, "{trace}");
    }
    sandbox.stop(&["app.conf", "trace"]);
}

/// `ps` tells which instance a supervisor is of, and nothing else of the command line that
/// started it, however that was.
#[test]
fn a_supervisor_is_shown_with_the_words_that_name_its_instance_and_no_secret() {
    let cases = [
        ("runner/prompt=sesame", ""),
        // Not of the environment that the client has.
        ("environment/PASSWORD=sesame", "<environment>\n  LANG C\n</environment>\n"),
    ];
    for (secret, environment) in cases {
        let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
        sandbox.file("app.conf", &(sandbox.read("app.conf") + environment));
        let socket = sandbox.path("other");
        let words = ["-X", secret, "-s", socket.to_str().expect("a path"), "start"];
        sandbox.zd(&words).exits(0);
        let shown = format!("{} -C app.conf -s {}", binary().display(), socket.display());
        let supervisors =
            sandbox.processes().into_iter().filter(|(_, line)| !line.starts_with("sleep"));
        let lines: Vec<String> = supervisors.map(|(_, line)| line.trim_end().to_string()).collect();
        assert_eq!(lines, [shown], "{secret}");
        sandbox.zd(&["-s", socket.to_str().expect("a path"), "stop"]).exits(0);
        sandbox.stop(&["app.conf"]);
    }
}

#[test]
fn a_supervisor_ends_without_a_word_if_its_client_is_killed_before_it_knows_what_to_do() {
    let sandbox = Sandbox::new();
    let endless = sandbox.path("endless.conf");
    nix::unistd::mkfifo(&endless, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut client = sandbox.command(binary());
    let client = Background::of(client.arg("-C").arg(&endless).arg("start"));
    wait_until("a supervisor waits", || sandbox.processes().len() == 2);
    send_signal(client.pid(), Signal::SIGKILL);
    let output = client.output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    wait_until("the supervisor is gone", || sandbox.processes().is_empty());
    sandbox.holds_only(&["endless.conf"]);
}

/// "`status -l` appends the raw report and an empty line"; any other argument is an error.
#[test]
fn the_long_status_appends_the_report() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    assert_eq!(sandbox.zd(&["status", "-l"]).exits(3).stdout, "daemon manager not running\n");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    let status = sandbox.zd(&["status", "-l"]).exits(0);
    let first = format!("program running; pid={pid}\nstatus=running\nnow=");
    assert!(status.stdout.starts_with(&first), "{status:?}");
    assert!(status.stdout.ends_with("allocations=0\n\n"), "{status:?}");
    let wrong = sandbox.zd(&["status", "-x"]).exits(1);
    assert_eq!(wrong.stdout, "status argument must be absent or -l\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// "hang-around": the supervisor outlives the stop, and every command tells the two apart.
#[test]
fn a_supervisor_that_hangs_around_says_that_it_has_no_program() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0\nhang-around on");
    sandbox.zd(&["start"]).exits(0);
    let supervisor = sandbox.supervisor();
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    let status = sandbox.zd(&["status"]).exits(3);
    assert_eq!(status.stdout, "daemon manager running; daemon process not running\n");
    for command in ["stop", "kill"] {
        let said = sandbox.zd(&[command]).exits(0);
        assert_eq!(said.stdout, "daemon process not running\n", "{command}");
    }
    let waited = sandbox.zd(&["wait"]).exits(0);
    let status = "daemon manager running; daemon process not running\n";
    assert_eq!(waited.stdout, format!("\ndaemon process stopped\n{status}"));
    let started = sandbox.zd(&["start"]).exits(0);
    assert_eq!(started.stdout, format!("\ndaemon process started, pid={}\n", started.pid()));
    assert_eq!(sandbox.supervisor(), supervisor);
    assert_eq!(sandbox.request("exit"), "Sent SIGTERM; will exit later\n");
    wait_until("the supervisor's end", || !is_alive(supervisor));
    sandbox.holds_only(&["app.conf"]);
}

/// "restart: wait until the pid is another one; the supervisor stays"
#[test]
fn a_restart_replaces_the_program_and_keeps_the_supervisor() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let first = sandbox.zd(&["restart"]).exits(0);
    assert_eq!(first.stdout, format!("\ndaemon process started, pid={}\n", first.pid()));
    let supervisor = sandbox.supervisor();
    let second = sandbox.zd(&["restart"]).exits(0);
    assert_eq!(second.stdout, format!("\ndaemon process restarted, pid={}\n", second.pid()));
    assert_ne!(first.pid(), second.pid());
    assert!(!is_alive(first.pid()) && is_alive(second.pid()));
    assert_eq!(sandbox.supervisor(), supervisor);
    sandbox.zd(&["stop"]).exits(0);
}

/// "Default SIGTERM; a decimal integer, or a name with or without SIG in any case"
#[test]
fn kill_says_what_it_sends_and_to_whom() {
    let sandbox = Sandbox::with_runner("program ./deaf\nsettle-time 0\nstop-timeout 0.1");
    sandbox.script("deaf", "trap '' TERM HUP USR2; touch up; while :; do sleep 1000; done");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    wait_until("the traps", || sandbox.path("up").exists());
    let spellings: [(&[&str], i32, &str); 5] = [
        (&["kill"], 15, "SIGTERM"),
        (&["kill", "1"], 1, "SIGHUP"),
        (&["kill", "hup"], 1, "SIGHUP"),
        (&["kill", "SigUsr2"], 12, "SIGUSR2"),
        (&["kill", "CLD"], 17, "SIGCLD"),
    ];
    for (words, number, name) in spellings {
        let expected = format!("kill({pid}, {number})\nsignal {name} sent to process {pid}\n");
        assert_eq!(sandbox.zd(words).exits(0).stdout, expected);
    }
    // What logreopen is: the transcript's reopening, which is silent, and USR2.
    let reopened = sandbox.zd(&["logreopen"]).exits(0);
    assert_eq!(reopened.stdout, format!("kill({pid}, 12)\nsignal SIGUSR2 sent to process {pid}\n"));
    assert_eq!(sandbox.zd(&["reopen_transcript"]).exits(0).stdout, "");
    assert_eq!(sandbox.program(), pid);
    sandbox.zd(&["stop"]).exits(0);
}

/// "invalid signal 'ded', exit 0, checked before the manager is asked"
#[test]
fn kill_refuses_what_is_no_signal() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    for wrong in ["ded", "0", "32", "40", "65", "-1", "SIG_IGN"] {
        let said = sandbox.zd(&["kill", wrong]).exits(0);
        assert_eq!(said.stdout, format!("invalid signal '{wrong}'\n"));
    }
    assert_eq!(sandbox.zd(&["kill"]).exits(0).stdout, "daemon process not running\n");
}

/// "nothing running: both messages, exit 0": rotation scripts run at any time.
#[test]
fn a_reopening_without_a_program_is_no_failure() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let reopened = sandbox.zd(&["reopen_transcript"]).exits(0);
    assert_eq!(reopened.stdout, "daemon manager not running\n");
    let reopened = sandbox.zd(&["logreopen"]).exits(0);
    assert_eq!(reopened.stdout, "daemon manager not running\ndaemon process not running\n");
}

/// "`wait` returns when the program is gone, and says how things stand then"
#[test]
fn wait_returns_when_the_program_is_gone() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let told = "\ndaemon process stopped\ndaemon manager not running\n";
    assert_eq!(sandbox.zd(&["wait"]).exits(0).stdout, told);
    sandbox.zd(&["start"]).exits(0);
    let mut waiting = sandbox.zd_background(&["wait"]);
    wait_until_interruptible(waiting.pid());
    assert!(!waiting.has_ended());
    sandbox.zd(&["stop"]).exits(0);
    let waited = waiting.output().exits(0);
    assert_eq!(without_dots(&waited), told);
}

/// "dots once a second of real waiting; the message on a line of its own"
#[test]
fn a_dot_stands_for_each_second_of_waiting() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 1.3");
    let started = sandbox.zd(&["start"]).exits(0);
    assert!(started.stdout.starts_with(". "), "{started:?}");
    let end = format!("\ndaemon process started, pid={}\n", started.pid());
    assert_eq!(without_dots(&started), end);
    sandbox.zd(&["stop"]).exits(0);
}

/// "usage errors: on stderr, exit 2"
#[test]
fn a_usage_error_names_itself_and_the_help() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let refused = sandbox.zd(&["-b", "1", "-b", "2", "start"]).exits(2);
    let program = crate::harness::binary();
    let help = format!("For help, use {} -h\n", program.display());
    assert_eq!(refused.stderr, format!("Error: conflicting command line option '-b'\n{help}"));
    assert_eq!(refused.stdout, "");
    let unknown = sandbox.zd(&["sart", "-x"]).exits(2);
    assert_eq!(unknown.stdout, "*** Unknown syntax: sart -x\n");
}

/// "if the manager's args do not start with our program: the warning"; more
/// arguments than we have are no difference.
#[test]
fn a_supervisor_of_another_program_is_warned_of() {
    let sandbox = Sandbox::with_runner("program sleep\nsettle-time 0");
    sandbox.zd(&["start", "1000"]).exits(0);
    let status = sandbox.zd(&["status"]).exits(0);
    assert!(!status.stdout.contains("WARNING"), "{status:?}");
    let status = sandbox.zd(&["-p", "sleep 7391", "status"]).exits(0);
    let warning = "WARNING! zdrun is managing a different program!\n\
                   our program   = ['sleep', '7391']\ndaemon's args = ['sleep', '1000']\n";
    assert_eq!(status.stdout, format!("{warning}program running; pid={}\n", status.pid()));
    sandbox.zd(&["stop"]).exits(0);
}

/// "a stale socket is replaced, and that is told"
#[test]
fn a_stale_socket_is_replaced_and_told_of() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let socket = sandbox.path("zdsock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    assert_eq!(sandbox.zd(&["status"]).exits(3).stdout, "daemon manager not running\n");
    let started = sandbox.zd(&["start"]).exits(0);
    let told = format!("Unlinking stale socket {}; sleep 1\n", socket.display());
    assert_eq!(started.stderr, told);
    sandbox.zd(&["stop"]).exits(0);
    sandbox.holds_only(&["app.conf"]);
}

/// "Never two. However `start` is called, by however many at once"
#[test]
fn eight_starts_at_once_make_one_program() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0.2");
    let starts: Vec<Background> = (0..8).map(|_| sandbox.zd_background(&["start"])).collect();
    let outputs: Vec<Output> = starts.into_iter().map(|start| start.output().exits(0)).collect();
    let pid = sandbox.program();
    assert!(pid > 0 && outputs.iter().all(|output| output.pid() == pid), "{outputs:?}");
    assert!(outputs.iter().all(|output| output.stderr.is_empty()), "{outputs:?}");
    let processes = sandbox.processes();
    assert_eq!(processes.len(), 2, "{processes:?}");
    sandbox.zd(&["stop"]).exits(0);
    sandbox.holds_only(&["app.conf"]);
}

/// "`stop; start` cannot race": whoever is told "stopped" may start at once.
#[test]
fn a_stop_can_be_followed_by_a_start_at_once() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    for _ in 0..10 {
        let started = sandbox.zd(&["start"]).exits(0);
        assert_eq!(started.stdout, format!("\ndaemon process started, pid={}\n", started.pid()));
        assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    }
    sandbox.holds_only(&["app.conf"]);
}

/// A program that ends when the file `may-end` is there, some time after SIGTERM.
fn slow_to_stop(lines: &str) -> Sandbox {
    let sandbox = Sandbox::logged(&format!("program ./slow\nsettle-time 0\n{lines}"));
    let body = "trap 'while [ ! -e may-end ]; do sleep 0.02; done; exit 0' TERM\n\
                echo $$ > up; while :; do sleep 0.02; done";
    sandbox.script("slow", body);
    sandbox
}

/// "`start` while the program is being stopped: wait for it to go, then start"
#[test]
fn a_start_during_a_stop_starts_when_the_old_program_is_gone() {
    let sandbox = slow_to_stop("");
    let old = sandbox.zd(&["start"]).exits(0).pid();
    assert_eq!(sandbox.wait_for_number("up"), old);
    let stop = sandbox.zd_background(&["stop"]);
    sandbox.wait_for_readiness("stopping");
    let start = sandbox.zd_background(&["start"]);
    sandbox.wait_for_event("start requested by uid");
    sandbox.file("may-end", "");
    let stopped = stop.output().exits(0);
    assert_eq!(without_dots(&stopped), "\ndaemon process stopped\n");
    let started = start.output().exits(0);
    let new = started.pid();
    assert_eq!(without_dots(&started), format!("\ndaemon process started, pid={new}\n"));
    assert!(new != old && !is_alive(old) && sandbox.program() == new);
    sandbox.zd(&["stop"]).exits(0);
}

/// "stop-timeout: SIGTERM, then SIGKILL", and the log says so.
#[test]
fn a_program_deaf_to_sigterm_is_killed_at_the_stop_timeout() {
    let sandbox = Sandbox::logged("program ./deaf\nsettle-time 0\nstop-timeout 0.2");
    sandbox.script("deaf", "trap '' TERM; echo $$ > up; while :; do sleep 1000; done");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    sandbox.wait_for_number("up");
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(without_dots(&stopped), "\ndaemon process stopped\n");
    let told = format!("pid {pid} did not end within stop-timeout; sending SIGKILL\n");
    assert!(stopped.stderr.contains(&told), "{stopped:?}");
    let events = sandbox.events();
    assert!(events.contains(&format!("pid {pid}: terminated by SIGKILL\n")), "{events}");
    sandbox.holds_only(&["app.conf", "deaf", "events.log", "up"]);
}

/// "stop-timeout 0 = never SIGKILL"; ^C ends the waiting and not the stop.
#[test]
fn a_stop_without_timeout_waits_and_can_be_interrupted() {
    let sandbox = slow_to_stop("stop-timeout 0");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    sandbox.wait_for_number("up");
    let stop = sandbox.zd_background(&["stop"]);
    wait_until_interruptible(stop.pid());
    sandbox.wait_for_readiness("stopping");
    send_signal(stop.pid(), Signal::SIGINT);
    let interrupted = stop.output().exits(130);
    assert!(interrupted.stdout.ends_with("^C\n"), "{interrupted:?}");
    assert!(!interrupted.stdout.contains("stopped"), "{interrupted:?}");
    assert!(is_alive(pid));
    let status = sandbox.zd(&["status"]).exits(0);
    assert_eq!(status.stdout, format!("program running; pid={pid}\n"));
    sandbox.file("may-end", "");
    let stopped = sandbox.zd(&["wait"]).exits(0);
    assert_eq!(without_dots(&stopped), "\ndaemon process stopped\ndaemon manager not running\n");
    assert!(!sandbox.events().contains("SIGKILL"), "{}", sandbox.events());
}

/// "socket present but not accessible: 4, message on stderr": an init script
/// must not believe that the program is stopped.
#[test]
fn a_socket_that_may_not_be_asked_is_not_taken_for_a_stopped_program() {
    const NOBODY: u32 = 65534;
    if !is_root() {
        return skip("only root can become another user");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let copy = || std::fs::copy(crate::harness::binary(), sandbox.path("zd"));
    without_forks(copy).expect("a copy");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    for action in ["status", "stop", "start", "restart", "kill", "wait", "fg"] {
        use std::os::unix::process::CommandExt;
        let mut command: Command = sandbox.command("./zd");
        command.args(["-C", "app.conf", action]).uid(NOBODY).gid(NOBODY);
        let refused = sandbox.finish(&mut command).exits(4);
        let why = "[Errno 13] Permission denied\n";
        let socket = sandbox.path("zdsock");
        let expected =
            format!("Error: unable to ask the daemon manager at {}: {why}", socket.display());
        assert_eq!((refused.stdout.as_str(), refused.stderr), ("", expected), "{action}");
    }
    assert!(is_alive(pid));
    sandbox.zd(&["stop"]).exits(0);
}

/// What was printed, the dots at its beginning taken off.
pub(crate) fn without_dots(output: &Output) -> &str {
    let mut text = output.stdout.as_str();
    while let Some(rest) = text.strip_prefix(". ") {
        text = rest;
    }
    text
}
