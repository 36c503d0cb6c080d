//! Programs in the caller's own terminal: `daemon off`, which supervises there,
//! and `fg`, which only runs.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{
    Sandbox, Terminal, binary, count, is_alive, may_unshare, send_signal, skip, wait_for,
    wait_until,
};

/// "a terminal ^C reaches the program anyway": what the terminal sends to both
/// is not forwarded, what somebody sends to the supervisor is; ^C ends both,
/// with the status of an interrupt.
#[test]
fn keys_at_the_terminal_are_not_forwarded_and_an_interrupt_ends_both() {
    let sandbox = Sandbox::with_runner(
        "program ./asks\ndaemon off\n<eventlog>\n<logfile>\npath event.log\n</logfile>\n</eventlog>",
    );
    let body = "trap 'echo quit >>signals' QUIT; trap 'exit 0' INT; echo ready\n\
                while :; do sleep 0.02; done";
    sandbox.script("asks", body);
    let Some(terminal) = Terminal::zdctl(&sandbox, &["-C", "app.conf", "start"]) else {
        return skip("no setsid command to give a process a terminal");
    };
    let mut terminal = terminal.with_prompt("ready\n");
    terminal.is_prompted();
    terminal.types("\x1c");
    wait_until("the key", || sandbox.read("signals") == "quit\n");
    send_signal(sandbox.supervisor(), Signal::SIGQUIT);
    wait_until("the signal", || sandbox.read("signals") == "quit\nquit\n");
    wait_until("the log", || sandbox.read("event.log").contains("forwarded SIGQUIT"));
    assert_eq!(count(&sandbox.read("event.log"), "forwarded SIGQUIT"), 1);
    terminal.types("\x03");
    assert_eq!(terminal.ends().code(), Some(130));
    sandbox.holds_only(&["app.conf", "asks", "event.log", "signals", "zdctl"]);
}

/// "`daemon off`: exit with the program's exit status"
#[test]
fn a_start_with_daemon_off_lasts_as_long_as_the_program() {
    let sandbox = Sandbox::with_runner("program ./ends\ndaemon off");
    sandbox.script(
        "ends",
        "echo out; echo err >&2; touch up; until [ -e end ]; do sleep 0.02; done; exit 2",
    );
    let mut start = sandbox.zd_background(&["start"]);
    wait_until("the program", || sandbox.path("up").exists());
    assert!(!start.has_ended());
    assert_eq!(sandbox.supervisor(), start.pid());
    let status = sandbox.zd(&["status"]).exits(0);
    assert_eq!(status.stdout, format!("program running; pid={}\n", sandbox.program()));
    sandbox.file("end", "");
    let ended = start.output().exits(2);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
    sandbox.holds_only(&["app.conf", "end", "ends", "up"]);
}

/// "the program's status when it gives up": unlisted ones, and deaths by signal.
#[test]
fn a_supervisor_that_gives_up_passes_the_programs_status_on() {
    let ends = [("exit 7", 7), ("exit 0", 0), ("kill -SEGV $$", 139), ("kill -KILL $$", 137)];
    for (how, status) in ends {
        let sandbox = Sandbox::with_runner("program ./ends\ndaemon off\nbackoff-limit 1");
        sandbox.script("ends", how);
        sandbox.zd(&["start"]).exits(status);
        sandbox.holds_only(&["app.conf", "ends"]);
    }
}

/// "not found: the reason, exit 2": nothing was started, nothing is left.
#[test]
fn a_program_that_cannot_be_found_ends_the_foreground_at_once() {
    let sandbox = Sandbox::with_runner("program ./no-such\ndaemon off");
    let failed = sandbox.zd(&["start"]).exits(2);
    assert_eq!(failed.stderr, "Error: can't stat program './no-such'\n");
    assert_eq!(failed.stdout, "");
    sandbox.holds_only(&["app.conf"]);
}

/// A program that tells which signals it got, and then ends with 0.
fn telling() -> Sandbox {
    let sandbox = Sandbox::with_runner("program ./tells\ndaemon off");
    let traps: String = ["HUP", "QUIT", "USR1", "USR2"]
        .map(|name| format!("trap 'echo {name} >> got' {name}\n"))
        .concat();
    let ends = "trap 'echo TERM >> got; exit 0' TERM\ntrap 'echo INT >> got; exit 0' INT\n";
    sandbox.script("tells", &format!("{traps}{ends}echo $$ > up; while :; do sleep 0.02; done"));
    sandbox
}

/// "TERM/INT forwarded (exit 0/130)"; "HUP, QUIT, USR1 are forwarded. USR2 is
/// forwarded and reopens logs"
#[test]
fn signals_to_the_foreground_reach_the_program() {
    for (last, status) in [(Signal::SIGTERM, 0), (Signal::SIGINT, 130)] {
        let sandbox = telling();
        let start = sandbox.zd_background(&["start"]);
        let program = sandbox.wait_for_number("up");
        for signal in [Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2] {
            send_signal(start.pid(), signal);
            let name = signal.as_str().trim_start_matches("SIG");
            sandbox.wait_for_text("got", &format!("{name}\n"));
        }
        assert!(is_alive(program));
        send_signal(start.pid(), last);
        start.output().exits(status);
        let name = last.as_str().trim_start_matches("SIG");
        assert_eq!(sandbox.read("got"), format!("HUP\nQUIT\nUSR1\nUSR2\n{name}\n"));
        sandbox.holds_only(&["app.conf", "got", "tells", "up"]);
    }
}

/// A stop from elsewhere is an orderly end too.
#[test]
fn a_stop_ends_the_foreground_with_0() {
    let sandbox = Sandbox::with_runner("program sleep 1000\ndaemon off\nsettle-time 0");
    let start = sandbox.zd_background(&["start"]);
    wait_until("the program", || sandbox.program() > 0);
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "\ndaemon process stopped\n");
    start.output().exits(0);
    sandbox.holds_only(&["app.conf"]);
}

/// The command that makes the binary the first process of a pid namespace.
fn as_pid_1(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command("unshare");
    command.args(["-p", "-f", "--mount-proc", "--kill-child"]).arg(binary());
    command.args(["-C", "app.conf", "start"]);
    command
}

/// "fit for containers and PID 1: reaps orphans, exits with the program's status"
#[test]
fn as_pid_1_it_reaps_orphans_and_passes_the_status_on() {
    if !may_unshare("-p") {
        return skip("a pid namespace cannot be made here");
    }
    let sandbox = Sandbox::with_runner("program ./parent\ndaemon off\nexit-codes 5");
    // The shell in the middle ends at once, so its child is nobody's but ours.
    let body = "(sh -c 'echo $$ > orphan; until [ -e go ]; do sleep 0.02; done' &)\n\
                until [ -s orphan ]; do sleep 0.02; done\n\
                grep PPid: /proc/$(cat orphan)/status > parent-of-orphan\n\
                touch go\n\
                while [ -e /proc/$(cat orphan) ]; do sleep 0.02; done\n\
                exit 5";
    sandbox.script("parent", body);
    let ended = sandbox.finish(&mut as_pid_1(&sandbox)).exits(5);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    assert_eq!(sandbox.read("parent-of-orphan"), "PPid:\t1\n");
    sandbox.holds_only(&["app.conf", "go", "orphan", "parent", "parent-of-orphan"]);
}

/// A container's stop: SIGTERM to PID 1, which has no default action there.
#[test]
fn as_pid_1_it_obeys_sigterm() {
    if !may_unshare("-p") {
        return skip("a pid namespace cannot be made here");
    }
    let sandbox = Sandbox::with_runner("program ./deep\ndaemon off");
    sandbox.script("deep", "setsid sleep 1000 &\necho $$ > up; while :; do sleep 0.02; done");
    let container = crate::harness::Background::of(&mut as_pid_1(&sandbox));
    assert!(sandbox.wait_for_number("up") > 1);
    let supervisor = wait_for("the supervisor from outside", || {
        let name = binary().display().to_string();
        let processes = sandbox.processes();
        processes.iter().find(|(_, line)| line.starts_with(&name)).map(|(pid, _)| *pid)
    });
    send_signal(supervisor, Signal::SIGTERM);
    container.output().exits(0);
    sandbox.holds_only(&["app.conf", "deep", "up"]);
}

/// "prints program+args joined by single spaces; inherited stdio; the program's
/// status (128+sig)"
#[test]
fn fg_runs_the_program_here_and_gives_its_status_back() {
    let sandbox = Sandbox::with_runner("program sh -c");
    for action in ["fg", "foreground"] {
        let ran = sandbox.zd(&[action, "echo out; echo err >&2; exit 7"]).exits(7);
        assert!(ran.stdout.starts_with("sh -c "), "{ran:?}");
        assert!(ran.stdout.ends_with("\nout\n"), "{ran:?}");
        assert_eq!(ran.stderr, "err\n");
    }
    sandbox.zd(&["fg", "exit 0"]).exits(0);
    sandbox.zd(&["fg", "kill -TERM $$"]).exits(143);
    let interrupted = sandbox.zd(&["fg", "kill -INT $$"]).exits(130);
    assert!(interrupted.stdout.ends_with("\n\n"), "{interrupted:?}");
    let simple = sandbox.zd(&["-p", "echo hello world", "fg", "again"]).exits(0);
    assert_eq!(simple.stdout, "echo hello world again\nhello world again\n");
    sandbox.holds_only(&["app.conf"]);
}

/// "caller's cwd (NOT `directory`), caller's umask (NOT `umask`), `<environment>`
/// applied"
#[test]
fn fg_keeps_the_callers_directory_and_umask() {
    let sandbox = Sandbox::new();
    let runner = "<runner>\nprogram sh -c 'pwd; umask; echo $$GREETING'\numask 077\n\
                  directory sub\n</runner>\n<environment>\nGREETING hello\n</environment>\n";
    sandbox.file("app.conf", runner);
    let umask = sandbox.run_program("sh", &["-c", "umask"]).stdout;
    let ran = sandbox.zd(&["fg"]).exits(0);
    let here = sandbox.path("");
    let here = here.display().to_string();
    let expected = format!("{}\n{umask}hello\n", here.trim_end_matches('/'));
    assert!(ran.stdout.ends_with(&expected), "{ran:?}");
}

/// "127 with `can't exec …`"
#[test]
fn fg_says_why_a_program_cannot_be_run() {
    let sandbox = Sandbox::with_runner("program no-such-program");
    let failed = sandbox.zd(&["fg"]).exits(127);
    let why = "[Errno 2] No such file or directory\n";
    assert_eq!(failed.stderr, format!("can't exec 'no-such-program': {why}"));
    assert_eq!(failed.stdout, "no-such-program\n");
    sandbox.file("plain", "");
    let failed = sandbox.zd(&["-p", "./plain", "fg"]).exits(127);
    assert_eq!(failed.stderr, "can't exec './plain': [Errno 13] Permission denied\n");
}

/// "To run the program in the foreground, please stop it first."
#[test]
fn fg_runs_no_second_copy() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    sandbox.zd(&["start"]).exits(0);
    let refused = sandbox.zd(&["fg"]).exits(0);
    let why = "To run the program in the foreground, please stop it first.\n";
    assert_eq!(refused.stdout, why);
    sandbox.zd(&["stop"]).exits(0);
}
