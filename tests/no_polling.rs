use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::tracing::{can_trace, trace};
use crate::harness::{Background, Sandbox, binary, count, is_alive, send_signal, skip, wait_until};

/// The calls that were seen; strace writes all of them before it ends.
fn end_trace(sandbox: &Sandbox, strace: Background) -> Vec<String> {
    if is_alive(strace.pid()) {
        send_signal(strace.pid(), Signal::SIGINT);
    }
    strace.output();
    let text = sandbox.read("trace");
    std::fs::remove_file(sandbox.path("trace")).expect("a trace");
    text.lines().filter(|line| !line.starts_with("---")).map(str::to_string).collect()
}

/// What the supervisor calls while nothing happens. Here time has to pass: it is
/// about what does not happen in it.
fn calls_of_an_idle_supervisor(sandbox: &Sandbox) -> Vec<String> {
    let strace = trace(sandbox, sandbox.supervisor(), &["-e", "trace=all"]);
    std::thread::sleep(Duration::from_millis(2500));
    end_trace(sandbox, strace)
}

/// Nothing but the call that it was found in.
#[track_caller]
fn assert_only_waits(lines: &[String]) {
    let is_wait = |line: &String| line.contains("poll(") || line.contains("resuming interrupted");
    assert!(lines.len() <= 1 && lines.iter().all(is_wait), "{lines:#?}");
}

/// "While nothing happens it makes no system call."
#[test]
fn an_idle_supervisor_makes_no_system_call() {
    let sandbox = Sandbox::with_runner(
        "program sleep 1000\nsettle-time 0.2\ntranscript out.log\nstart-test-program true",
    );
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.zd(&["start"]).exits(0);
    for _ in 0..3 {
        sandbox.zd(&["status"]).exits(0);
    }
    sandbox.zd(&["restart"]).exits(0);
    assert_only_waits(&calls_of_an_idle_supervisor(&sandbox));
    sandbox.stop(&["app.conf", "out.log"]);
}

/// The same for one that took a program over, which is not its child.
#[test]
fn an_idle_supervisor_of_an_adopted_program_makes_no_system_call() {
    let sandbox = Sandbox::started("program sleep 1000");
    if !can_trace(&sandbox) {
        sandbox.stop(&["app.conf"]);
        return skip("needs strace");
    }
    send_signal(sandbox.supervisor(), Signal::SIGKILL);
    wait_until("it is gone", || sandbox.zd(&["status"]).code() == 4);
    sandbox.zd(&["start"]).exits(0);
    assert_only_waits(&calls_of_an_idle_supervisor(&sandbox));
    sandbox.stop(&["app.conf"]);
}

/// "a lone line … without any waking when output stops", and nothing is kept.
#[test]
fn a_line_takes_few_calls_and_what_it_needed_is_given_back() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.script("program", "mkfifo go; read -r word <go; echo a line; exec sleep 1000");
    sandbox.zd(&["start"]).exits(0);
    wait_until("it listens", || sandbox.path("go").exists());
    let supervisor = sandbox.supervisor();
    let strace = trace(&sandbox, supervisor, &["-e", "trace=all"]);
    sandbox.file("go", "now\n");
    let maps = || std::fs::read_to_string(format!("/proc/{supervisor}/maps")).unwrap_or_default();
    wait_until("the line", || sandbox.read("out.log") == "a line\n");
    wait_until("nothing is mapped", || !maps().contains(".zdsock.pending"));
    std::thread::sleep(Duration::from_millis(1500));
    let lines = end_trace(&sandbox, strace);
    let polls = lines.iter().filter(|line| line.starts_with("poll(")).count();
    let clocks = lines.iter().filter(|line| line.starts_with("clock_gettime")).count();
    // One that lasts until the pause is long enough, one that lasts for ever; the
    // clock is read before and after each of them.
    assert!(polls <= 2 && clocks <= 4 && lines.len() - clocks <= 18, "{lines:#?}");
    assert_eq!(sandbox.read(".zdsock.pending"), "");
    sandbox.stop(&["app.conf", "go", "out.log", "program"]);
}

/// "Nothing polls": a waiting client sits in poll, and wakes for its dots only.
#[test]
fn a_waiting_client_sits_in_poll() {
    let sandbox = Sandbox::started("program sleep 1000");
    if !can_trace(&sandbox) {
        sandbox.stop(&["app.conf"]);
        return skip("needs strace");
    }
    let mut wait = sandbox.command("strace");
    wait.args(["-qq", "-o", "trace"]).arg(binary()).args(["-C", "app.conf", "wait"]);
    let wait = Background::of(&mut wait);
    wait_until("two dots", || count(&sandbox.read("trace"), "write(1, \". \", 2)") >= 2);
    sandbox.zd(&["stop"]).exits(0);
    let output = wait.output().exits(0);
    let dots = output.stdout.matches(". ").count();
    let trace = sandbox.read("trace");
    for call in ["nanosleep(", "select(", "pause("] {
        assert!(!trace.contains(call), "{call} in {trace}");
    }
    let connections = count(&trace, "connect(");
    // To look first, and to wait; that nobody is left is seen without one.
    assert!((2..=3).contains(&connections), "{connections} connections in {trace}");
    let polls = count(&trace, "poll(");
    assert!(polls <= dots + 4, "{polls} polls for {dots} dots in {trace}");
}

/// "Asks and waits over one connection": the state comes with the answer.
#[test]
fn a_restart_and_a_stop_take_one_connection() {
    let sandbox = Sandbox::started("program sleep 1000");
    if !can_trace(&sandbox) {
        sandbox.stop(&["app.conf"]);
        return skip("needs strace");
    }
    let strace = ["-qq", "-o", "trace", "-e", "trace=connect"];
    for action in ["restart", "stop"] {
        let mut command = sandbox.command("strace");
        command.args(strace).arg(binary()).args(["-C", "app.conf", action]);
        Background::of(&mut command).output().exits(0);
        assert_eq!(count(&sandbox.read("trace"), "connect("), 1, "{action}");
    }
    sandbox.stop(&["app.conf", "trace"]);
}

/// A program that says something, fails and is started again, whatever happens
/// to it; with a log of everything.
const BUSY: &str = "\
program ./program
transcript out.log
settle-time 0
backoff-limit 1
forever true
start-test-program true
<eventlog>
level debug
<logfile>
path event.log
</logfile>
</eventlog>";

/// "After start-up the supervisor allocates no memory."
#[test]
fn a_busy_supervisor_takes_no_memory() {
    let sandbox = Sandbox::with_runner(BUSY);
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    sandbox.script("program", "echo started; exec sleep 1000");
    sandbox.zd(&["start"]).exits(0);
    let strace = trace(&sandbox, sandbox.supervisor(), &["-e", "trace=%memory"]);
    for _ in 0..2 {
        for _ in 0..10 {
            sandbox.zd(&["status", "-l"]).exits(0);
        }
        sandbox.zd(&["reopen_transcript"]).exits(0);
        sandbox.zd(&["restart"]).exits(0);
        let program = sandbox.program();
        send_signal(program, Signal::SIGKILL);
        wait_until("it is started again", || ![0, program].contains(&sandbox.program()));
        assert_eq!(sandbox.ask("nonsense\n"), "Unknown command 'nonsense'; 'help' for a list\n");
    }
    let mut lines = end_trace(&sandbox, strace);
    // While output comes, a file is mapped; at most once at the end of the trace.
    let mapped = |line: &String| line.contains(", 69632, ") && line.contains("MAP_SHARED");
    let unmapped = |line: &String| line.contains(", 69632) ");
    let count_of = |is: &dyn Fn(&String) -> bool| lines.iter().filter(|line| is(line)).count();
    assert!(count_of(&mapped).abs_diff(count_of(&unmapped)) <= 1, "{lines:#?}");
    // What it gives back of its stack is no memory that it takes.
    let given_back = |line: &String| line.contains("MADV_DONTNEED");
    lines.retain(|line| !mapped(line) && !unmapped(line) && !given_back(line));
    assert_eq!(lines, Vec::<String>::new());
    assert!(count(&sandbox.read("event.log"), "spawned process") >= 5);
    sandbox.stop(&["app.conf", "event.log", "out.log", "program"]);
}
