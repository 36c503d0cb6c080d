//! What is older than we are: supervisors of zdaemon 5.2.1, which answer at once
//! and do it later, and kernels that lack what we use.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;

use crate::harness::tracing::can_trace;
use crate::harness::{
    Background, Sandbox, binary, is_alive, send_signal, skip, wait_until, wait_until_interruptible,
};
use crate::hostile_peers::impostor_asked;

/// Two programs of such a supervisor, one after the other, and none.
const FIRST: u32 = 4_000_001;
const SECOND: u32 = 4_000_002;
const NONE: u32 = 0;

/// How often it is asked before something has happened.
const LATER: u32 = 3;

/// A supervisor of 5.2.1 with this program. It knows no `wait`, takes no notice of
/// what stands behind a word, and closes after each answer. Also how often it was
/// asked since it was last told something, which happens `LATER`, or never.
fn old_supervisor(sandbox: &Sandbox, program: u32, happens: bool) -> Arc<AtomicU32> {
    let asked = Arc::new(AtomicU32::new(0));
    let (shared, mut program, mut wanted) = (Arc::clone(&asked), program, program);
    impostor_asked(sandbox, move |stream, request| {
        let request = String::from_utf8_lossy(request).into_owned();
        let word = request.split_ascii_whitespace().next().unwrap_or_default();
        let (told, reply) = match word {
            "start" => (Some(FIRST), "Application started\n".to_string()),
            "restart" => (Some(SECOND), "Sent SIGTERM; will restart later\n".to_string()),
            "stop" => (Some(NONE), "Sent SIGTERM\n".to_string()),
            "status" => {
                if shared.fetch_add(1, Ordering::Relaxed) >= LATER && happens {
                    program = wanted;
                }
                (None, report(program, wanted))
            }
            _ => (None, format!("Unknown command '{word}'; 'help' for a list\n")),
        };
        if let Some(told) = told {
            wanted = told;
            shared.store(0, Ordering::Relaxed);
        }
        let _ = stream.write_all(reply.as_bytes());
    });
    asked
}

/// A status of 5.2.1.
fn report(program: u32, wanted: u32) -> String {
    let (running, up) = (if program == NONE { "stopped" } else { "running" }, wanted != NONE);
    format!(
        "status={running}\nnow=1700000000.1\nshould_be_up={}\ndelay=0\nbackoff=0\n\
         lasttime=1700000000.0\napplication={program}\ntesting=0\nmanager=4000000\n\
         backofflimit=10\nfilename='/bin/sleep'\nargs=['sleep', '1000']\n",
        u32::from(up)
    )
}

/// "A command returns when the thing has happened", whoever makes it happen.
#[test]
fn a_supervisor_that_answers_at_once_is_asked_until_it_has_happened() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let asked = old_supervisor(&sandbox, NONE, true);
    let has_waited = || assert!(asked.load(Ordering::Relaxed) > LATER, "it had not happened yet");
    let started = format!("\ndaemon process started, pid={FIRST}\n");
    sandbox.zd(&["start"]).exits(0).says(&started);
    has_waited();
    sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={FIRST}\n"));
    let restarted = format!("\ndaemon process restarted, pid={SECOND}\n");
    sandbox.zd(&["restart"]).exits(0).says(&restarted);
    has_waited();
    let mut wait = sandbox.zd_background(&["wait"]);
    wait_until("it waits", || asked.load(Ordering::Relaxed) > 3 * LATER);
    assert!(!wait.has_ended());
    sandbox.zd(&["stop"]).exits(0).says("\ndaemon process stopped\n");
    has_waited();
    wait.output().exits(0).says("\ndaemon process stopped\n");
    sandbox.zd(&["stop"]).exits(0).says("daemon process not running\n");
}

#[test]
fn waiting_for_a_supervisor_that_answers_at_once_can_be_interrupted() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let asked = old_supervisor(&sandbox, NONE, false);
    let start = sandbox.zd_background(&["start"]);
    wait_until("it waits", || asked.load(Ordering::Relaxed) > LATER);
    wait_until_interruptible(start.pid());
    send_signal(start.pid(), Signal::SIGINT);
    start.output().exits(130).says("^C\n");
}

/// "Waits have limits", even if nobody else keeps to them: what the supervisor may
/// take and a quarter of a minute more.
#[test]
fn a_supervisor_at_which_nothing_ever_happens_is_not_waited_for_for_ever() {
    let commands = [
        ("start", NONE, "the start"),
        ("restart", FIRST, "the start"),
        ("stop", FIRST, "the stop"),
    ];
    let waiting = commands.map(|(command, program, what)| {
        let sandbox = Sandbox::with_runner("program sleep 1000\nstart-timeout 1\nstop-timeout 1");
        old_supervisor(&sandbox, program, false);
        (sandbox.zd_background(&[command]), what, sandbox)
    });
    for (command, what, _sandbox) in waiting {
        let told = format!("Error: {what} did not happen within 16 seconds\n");
        command.output().exits(1).complains(&told);
    }
}

/// Runs a command, and all that comes of it, in a kernel that answers these system
/// calls in this way.
fn zd_in_a_kernel(sandbox: &Sandbox, calls: &str, error: &str, word: &str) -> Background {
    let mut strace = sandbox.command("strace");
    let only = format!("trace={calls}");
    let inject = format!("inject={calls}:error={error}");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &only, "-e", &inject]).arg(binary());
    Background::of(strace.args(["-C", "app.conf", word]))
}

/// "On kernels without pidfds, the end of a program that was taken over is noticed
/// within a second"
#[test]
fn without_pidfds_an_adopted_program_is_respawned_and_its_strays_are_gone() {
    let sandbox = Sandbox::with_runner("program ./parent\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.script("parent", "sleep 1001 & echo $! >stray\nexec sleep 1000");
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let stray = sandbox.wait_for_number("stray");
    send_signal(sandbox.supervisor(), Signal::SIGKILL);
    wait_until("it is gone", || sandbox.zd(&["status"]).code() == 4);
    let start = zd_in_a_kernel(&sandbox, "pidfd_open,pidfd_send_signal", "ENOSYS", "start");
    wait_until("it is adopted", || sandbox.zd(&["status"]).code() == 0);
    assert_eq!(sandbox.program(), program);
    send_signal(program, Signal::SIGKILL);
    wait_until("another one runs", || ![0, program].contains(&sandbox.program()));
    assert!(!is_alive(stray));
    sandbox.zd(&["stop"]).exits(0);
    start.output().exits(0);
    sandbox.holds_only(&["app.conf", "out.log", "parent", "stray"]);
}

/// "what the program left behind is found by its session only. The event log says
/// so."
#[test]
fn without_subreapers_the_strays_of_a_session_are_gone_and_the_log_says_what_is_not() {
    let sandbox = Sandbox::logged("program ./parent\nsettle-time 0");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.script("parent", "sleep 1001 & echo $! >stray\nexec sleep 1000");
    let start = zd_in_a_kernel(&sandbox, "prctl", "EINVAL", "start");
    let stray = sandbox.wait_for_number("stray");
    sandbox.wait_for_event("this kernel has no subreapers: daemons that the program starts");
    assert!(is_alive(stray));
    sandbox.zd(&["stop"]).exits(0);
    assert!(!is_alive(stray));
    start.output().exits(0);
    sandbox.holds_only(&["app.conf", "events.log", "parent", "stray"]);
}

/// Descriptors that nobody closes at once are closed one by one, before anything
/// of ours is open.
#[test]
fn without_close_range_nothing_is_inherited_either() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    let strace = "exec 9>>more; ulimit -n 300; exec strace -f -qq -o /dev/null -e trace=close_range \
                  -e inject=close_range:error=ENOSYS \"$0\" -C app.conf start";
    let mut start = sandbox.command("sh");
    let start = Background::of(start.args(["-c", strace]).arg(binary()));
    wait_until("it runs", || sandbox.zd(&["status"]).code() == 0);
    for pid in [sandbox.supervisor(), sandbox.program()] {
        let has_it = crate::inherited_state::descriptors(pid);
        assert!(!has_it.iter().any(|(_, name)| name.ends_with("/more")), "{has_it:?}");
    }
    sandbox.zd(&["stop"]).exits(0);
    start.output().exits(0);
    sandbox.holds_only(&["app.conf", "more", "out.log"]);
}

/// The way to the record, to a log and to the transcript is walked step by step where
/// the kernel cannot look for links on it.
#[test]
fn without_openat2_all_files_are_found_too() {
    let sandbox = Sandbox::logged("program ./says\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.script("says", "echo hello; exec sleep 1000");
    let start = zd_in_a_kernel(&sandbox, "openat2", "ENOSYS", "start");
    sandbox.wait_for_event("spawned process pid=");
    sandbox.wait_for_text("out.log", "hello\n");
    sandbox.zd(&["stop"]).exits(0);
    start.output().exits(0);
    sandbox.holds_only(&["app.conf", "events.log", "out.log", "says"]);
}

/// Where the kernel can neither move output nor look at it without taking it out,
/// each byte arrives all the same.
#[test]
fn output_that_the_kernel_cannot_move_is_copied() {
    for calls in ["splice", "splice,tee"] {
        let sandbox = Sandbox::with_runner("program ./writes\nsettle-time 0\ntranscript out.log");
        if !can_trace(&sandbox) {
            return skip("needs strace");
        }
        sandbox.script("writes", "echo first; seq 100000 149999; exec sleep 1000");
        let start = zd_in_a_kernel(&sandbox, calls, "EINVAL", "start");
        let numbers = (100_000..150_000).map(|number| format!("{number}\n"));
        let expected = format!("first\n{}", numbers.collect::<String>());
        wait_until("all lines", || sandbox.read("out.log").len() >= expected.len());
        assert!(sandbox.read("out.log") == expected, "{calls}: other bytes have arrived");
        wait_until("it runs", || sandbox.zd(&["status"]).code() == 0);
        sandbox.zd(&["stop"]).exits(0);
        start.output().exits(0);
        sandbox.holds_only(&["app.conf", "out.log", "writes"]);
    }
}
