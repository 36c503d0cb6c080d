use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::tracing::{can_trace, trace};
use crate::harness::{
    Background, Sandbox, binary, count, exists, is_alive, may_unshare, send_signal, skip, wait_for,
    wait_until,
};

const LINES: &str = "program sleep 1000\nsettle-time 0\n\
                     <eventlog>\n<logfile>\npath event.log\n</logfile>\n</eventlog>";
const FILES: [&str; 2] = ["app.conf", "event.log"];
const RECORD: &str = ".zdsock.instance";

/// A program whose supervisor was killed, and that program's pid.
fn bereaved(lines: &str) -> (Sandbox, i32) {
    let sandbox = Sandbox::with_runner(lines);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    kill_supervisor(&sandbox);
    (sandbox, program)
}

fn kill_supervisor(sandbox: &Sandbox) {
    let supervisor = sandbox.supervisor();
    send_signal(supervisor, Signal::SIGKILL);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
}

fn copies(sandbox: &Sandbox) -> Vec<i32> {
    let of_program = |(_, line): &(i32, String)| line.starts_with("sleep 1000");
    sandbox.processes().into_iter().filter(of_program).map(|(pid, _)| pid).collect()
}

/// "`status` names the state"; its exit status says that it is unclear.
#[test]
fn a_program_survives_its_supervisor_and_status_says_so() {
    let (sandbox, program) = bereaved(LINES);
    assert!(is_alive(program));
    let status = sandbox.zd(&["status"]).exits(4);
    let expected =
        format!("daemon manager not running; daemon process still running, pid={program}\n");
    assert_eq!(status.stdout, expected);
    // Nobody looks after it, and nothing that only asks changes that.
    assert_eq!(copies(&sandbox), [program]);
    sandbox.stop(&FILES);
}

/// "A supervisor that was killed is replaced by one that takes the still
/// running program over."
#[test]
fn start_takes_over_the_program_of_a_killed_supervisor() {
    let (sandbox, program) = bereaved(LINES);
    let start = sandbox.zd(&["start"]).exits(0);
    assert_eq!(start.stdout, format!("daemon process already running; pid={program}\n"));
    assert_eq!(copies(&sandbox), [program]);
    assert_eq!(sandbox.program(), program);
    let log = sandbox.read("event.log");
    assert!(log.contains(&format!("adopted process pid={program}, which")), "{log}");
    let stale = format!("Unlinking stale socket {}; sleep 1", sandbox.path("zdsock").display());
    assert!(log.contains(&stale), "{log}");
    assert_eq!(count(&log, "spawned process"), 1, "{log}");
    sandbox.stop(&FILES);
    assert!(!is_alive(program));
}

/// The end of a program that is not the supervisor's child.
#[test]
fn an_adopted_program_is_started_again_when_it_ends() {
    let (sandbox, program) = bereaved(LINES);
    sandbox.zd(&["start"]).exits(0);
    send_signal(program, Signal::SIGKILL);
    let next =
        wait_for("another program", || copies(&sandbox).into_iter().find(|pid| *pid != program));
    assert_eq!((copies(&sandbox), sandbox.program()), (vec![next], next));
    sandbox.stop(&FILES);
}

/// `restart` of an adopted program, and a second death of a supervisor.
#[test]
fn an_adopted_program_is_restarted_and_adopted_again() {
    let (sandbox, program) = bereaved(LINES);
    sandbox.zd(&["start"]).exits(0);
    kill_supervisor(&sandbox);
    sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={program}\n"));
    let next = sandbox.zd(&["restart"]).exits(0).says("daemon process restarted, pid=").pid();
    assert_eq!(copies(&sandbox), [next]);
    kill_supervisor(&sandbox);
    sandbox.zd(&["restart"]).exits(0);
    assert_eq!(copies(&sandbox).len(), 1);
    sandbox.stop(&FILES);
}

/// "After `stop` returns 0, nothing that the program started is alive", also
/// when there is no supervisor, and when the program ignores SIGTERM.
#[test]
fn stop_ends_a_program_without_supervisor_and_its_children() {
    let body = "trap '' TERM\nsleep 2000 &\nsetsid sleep 3000 &\necho ready\nsleep 1000";
    let lines = "program ./program\ntranscript out.log\nsettle-time 0\nstop-timeout 1";
    for adopt_first in [false, true] {
        let sandbox = Sandbox::with_runner(lines);
        sandbox.script("program", body);
        let program = sandbox.zd(&["start"]).exits(0).pid();
        wait_until("it is ready", || sandbox.processes().len() == 5);
        kill_supervisor(&sandbox);
        if adopt_first {
            sandbox.zd(&["start"]).exits(0);
        }
        let stop = sandbox.zd(&["stop"]).exits(0);
        assert!(stop.stdout.ends_with("\ndaemon process stopped\n"), "{stop:?}");
        assert!(!is_alive(program));
        sandbox.assert_clean(&["app.conf", "out.log", "program"]);
    }
}

/// A launch that fails leaves nothing behind, but does not forget the program
/// either that it was to take over.
#[test]
fn a_start_that_fails_beside_a_survivor_does_not_lose_it() {
    let (sandbox, program) = bereaved(LINES);
    sandbox.zd(&["-t", "no/such/folder/out.log", "start"]).exits(1).complains("out.log");
    sandbox.zd(&["status"]).exits(4).says(&format!("still running, pid={program}\n"));
    assert_eq!(sandbox.zd(&["start"]).exits(0).pid(), program);
    assert_eq!(copies(&sandbox), [program]);
    sandbox.zd(&["stop"]).exits(0);
    sandbox.assert_clean(&FILES);
}

/// "After `stop` returns 0, nothing that the program started is alive", also
/// when the supervisor that was asked is killed before it is done.
#[test]
fn a_stop_whose_supervisor_is_killed_meanwhile_still_stops_the_program() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\nstop-timeout 1");
    sandbox.script("program", LISTENS);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    assert_eq!(sandbox.wait_for_number("up"), program);
    let supervisor = sandbox.supervisor();
    let stop = sandbox.background(&["-C", "app.conf", "stop"]);
    wait_until("it is told to stop", || sandbox.read("termed") == "got it\n");
    send_signal(supervisor, Signal::SIGKILL);
    let stop = stop.output().exits(0);
    assert!(stop.stdout.ends_with("\ndaemon process stopped\n"), "{stop:?}");
    assert!(!is_alive(program));
    sandbox.assert_clean(&["app.conf", "program", "termed", "up"]);
}

/// Tells when it can be told to stop, and when it was.
const LISTENS: &str = "trap 'echo got it >termed' TERM\necho $$ >up\nwhile :; do sleep 0.02; done";

/// `restart` ends the old program, even if nobody has looked after it.
#[test]
fn a_restart_without_a_supervisor_restarts_the_program() {
    let (sandbox, program) = bereaved(LINES);
    let restarted = sandbox.zd(&["restart"]).exits(0);
    let expected = format!("\ndaemon process restarted, pid={}\n", restarted.pid());
    assert_eq!(restarted.stdout, expected);
    assert!(!is_alive(program));
    assert_eq!(copies(&sandbox), [restarted.pid()]);
    sandbox.stop(&FILES);
}

/// "true answers": the end of the supervisor is not that of the program.
#[test]
fn a_wait_whose_supervisor_is_killed_does_not_call_the_program_stopped() {
    let sandbox = Sandbox::with_runner(LINES);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let supervisor = sandbox.supervisor();
    let wait = sandbox.background(&["-C", "app.conf", "wait"]);
    wait_until("it waits", || count(&sandbox.read("event.log"), "wait requested") == 1);
    send_signal(supervisor, Signal::SIGKILL);
    let wait = wait.output().exits(4);
    let expected =
        format!("daemon manager not running; daemon process still running, pid={program}\n");
    assert!(wait.stdout.ends_with(&expected), "{wait:?}");
    sandbox.zd(&["wait"]).exits(4).says(&expected);
    sandbox.zd(&["stop"]).exits(0);
}

/// "true answers": a program that lives is not called absent.
#[test]
fn a_kill_without_supervisor_says_that_the_program_still_runs() {
    let (sandbox, program) = bereaved(LINES);
    let kill = sandbox.zd(&["kill"]).exits(4);
    let expected =
        format!("daemon manager not running; daemon process still running, pid={program}\n");
    assert_eq!(kill.stdout, expected);
    assert!(is_alive(program));
    sandbox.stop(&FILES);
}

/// A start that finds a supervisor which is just ending waits for its end and
/// then does what it was asked for.
#[test]
fn a_start_or_restart_while_the_supervisor_ends_makes_a_new_one() {
    let lines = LINES.replace("sleep 1000", "./program");
    let sandbox = Sandbox::with_runner(&lines);
    let body = "trap 'echo got it >termed; while [ ! -e go ]; do sleep 0.02; done; exit 1' TERM\n\
                echo $$ >up; while :; do sleep 0.02; done";
    sandbox.script("program", body);
    for command in ["start", "restart"] {
        let old = sandbox.zd(&["start"]).exits(0).pid();
        wait_until("it listens", || sandbox.wait_for_number("up") == old);
        let supervisor = sandbox.supervisor();
        send_signal(supervisor, Signal::SIGTERM);
        wait_until("it is told to stop", || sandbox.read("termed") == "got it\n");
        let start = sandbox.background(&["-C", "app.conf", command]);
        let asked = format!("{command} requested");
        wait_until("it is asked", || count(&sandbox.read("event.log"), &asked) > 0);
        sandbox.file("go", "");
        let new = start.output().exits(0).pid();
        assert_ne!(new, old);
        assert_eq!((sandbox.program(), is_alive(supervisor)), (new, false));
        sandbox.zd(&["stop"]).exits(0);
        fs::remove_file(sandbox.path("termed")).expect("the old one wrote it");
        fs::remove_file(sandbox.path("go")).expect("we wrote it");
    }
    sandbox.assert_clean(&["app.conf", "event.log", "program", "up"]);
}

/// "what it writes waits in the pipe until the next supervisor opens the other
/// end"
#[test]
fn no_line_is_lost_while_there_is_no_supervisor() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\ntranscript out.log");
    let body = "lines() { i=$1; while [ $i -lt $2 ]; do echo line $i; i=$((i + 1)); done; }\n\
                until_there() { while [ ! -e $1 ]; do sleep 0.02; done; }\n\
                lines 0 100; until_there killed; lines 100 200; echo done >written\n\
                until_there adopted; lines 200 300; exec sleep 1000";
    sandbox.script("program", body);
    let program = sandbox.zd(&["start"]).exits(0).pid();
    kill_supervisor(&sandbox);
    sandbox.file("killed", "");
    wait_until("it has written", || sandbox.read("written") == "done\n");
    sandbox.zd(&["start"]).exits(0);
    sandbox.file("adopted", "");
    let expected: String = (0..300).map(|number| format!("line {number}\n")).collect();
    wait_until("the last line", || sandbox.read("out.log").ends_with("line 299\n"));
    assert_eq!(sandbox.read("out.log"), expected);
    assert_eq!(sandbox.program(), program);
    sandbox.zd(&["stop"]).exits(0);
}

/// The same where the supervisor is killed between reading and writing: the
/// bytes leave the pipe only when the transcript has them.
#[test]
fn no_line_is_lost_when_the_supervisor_is_killed_while_it_copies() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    let body = "while [ ! -e go ]; do sleep 0.02; done\n\
                i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i + 1)); done; exec sleep 1000";
    sandbox.script("program", body);
    sandbox.zd(&["start"]).exits(0);
    let supervisor = sandbox.supervisor();
    let transcript = sandbox.path("out.log").display().to_string();
    let kill = ["-P", &transcript, "-e", "inject=write:signal=KILL:when=1"];
    let strace = trace(&sandbox, supervisor, &kill);
    sandbox.file("go", "");
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    strace.output();
    assert_eq!(sandbox.read("out.log"), "", "it was killed before it wrote");
    sandbox.zd(&["start"]).exits(0);
    let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
    wait_until("all lines", || sandbox.read("out.log") == expected);
    sandbox.zd(&["stop"]).exits(0);
}

/// Lets the supervisor go no further than this write to the transcript, which it
/// has made and not yet noted, and kills it there.
fn kill_after_write(sandbox: &Sandbox, supervisor: i32, until: impl Fn(&str) -> bool) {
    let transcript = sandbox.path("out.log").display().to_string();
    let halt = ["-P", &transcript, "-e", "trace=write", "-e", "inject=write:delay_exit=60000000"];
    let strace = trace(sandbox, supervisor, &halt);
    send_signal(supervisor, Signal::SIGCONT);
    sandbox.file("go", "");
    wait_until("it has written", || until(&sandbox.read("out.log")));
    send_signal(supervisor, Signal::SIGKILL);
    // Until then strace keeps the dead one for the rest of the pause.
    send_signal(strace.pid(), Signal::SIGKILL);
    strace.output();
    wait_until("it is gone", || !is_alive(supervisor));
}

/// "reaches the transcript once": also what a killed supervisor has written and
/// could not note any more.
#[test]
fn no_line_is_repeated_when_the_supervisor_is_killed_just_after_it_wrote() {
    let sandbox = Sandbox::with_runner("program ./program\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    let body = "while [ ! -e go ]; do sleep 0.02; done; seq 10000; exec sleep 1000";
    sandbox.script("program", body);
    sandbox.zd(&["start"]).exits(0);
    kill_after_write(&sandbox, sandbox.supervisor(), |text| !text.is_empty());
    sandbox.zd(&["start"]).exits(0);
    let expected: String = (1..=10_000).map(|number| format!("{number}\n")).collect();
    wait_until("all lines", || sandbox.read("out.log").len() >= expected.len());
    sandbox.zd(&["stop"]).exits(0);
    assert!(sandbox.read("out.log") == expected, "not each line once: {}", sandbox.read("out.log"));
}

/// The same of the notice that tells how much a full disk did not take.
#[test]
fn what_is_missing_is_told_once_when_the_supervisor_is_killed_just_after_it_told() {
    let sandbox = Sandbox::logged("program ./program\nsettle-time 0\ntranscript out.log");
    if !can_trace(&sandbox) {
        return skip("needs strace");
    }
    let body = "echo first; while [ ! -e begin ]; do sleep 0.02; done; echo second\n\
                while [ ! -e adopted ]; do sleep 0.02; done; echo third; exec sleep 1000";
    sandbox.script("program", body);
    sandbox.zd(&["start"]).exits(0);
    let supervisor = sandbox.supervisor();
    wait_until("a line", || sandbox.read("out.log") == "first\n");
    let transcript = sandbox.path("out.log").display().to_string();
    let full = ["-P", &transcript, "-e", "trace=write", "-e", "inject=write:error=ENOSPC"];
    let strace = trace(&sandbox, supervisor, &full);
    sandbox.file("begin", "");
    sandbox.wait_for_event("[Errno 28] No space left on device; dropping output");
    // It may not find out that there is room before it is watched again.
    send_signal(supervisor, Signal::SIGSTOP);
    send_signal(strace.pid(), Signal::SIGINT);
    strace.output();
    let missing = "\nzdaemon: 7 bytes of output are missing here\n";
    kill_after_write(&sandbox, supervisor, |text| text.ends_with(missing));
    sandbox.zd(&["start"]).exits(0);
    sandbox.file("adopted", "");
    sandbox.wait_for_text("out.log", "third");
    sandbox.zd(&["stop"]).exits(0);
    assert_eq!(sandbox.read("out.log"), format!("first\n{missing}third\n"));
    sandbox.wait_for_event("transcript works again; 7 bytes of output");
}

/// "Without `/proc`, a running program whose daemon manager was killed cannot be
/// recognised for certain. Then `start`, `stop` and `status` name the process and
/// refuse to guess."
#[test]
fn without_proc_a_program_without_supervisor_is_named_and_left_alone() {
    if !may_unshare("-m") {
        return skip("needs a mount namespace");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let script = "mount --make-rprivate / && mount -t tmpfs none /proc || exit 77\n\
                  \"$0\" -C app.conf start || exit\n\
                  read -r record <.zdsock.instance; record=${record#*supervisor=}\n\
                  supervisor=${record%%[!0-9]*}\n\
                  kill -KILL $supervisor; while kill -0 $supervisor; do sleep 0.02; done\n\
                  for word in status start stop restart; do\n\
                  \"$0\" -C app.conf $word; echo $word: $?; done; exit 0";
    let binary = binary().to_string_lossy().into_owned();
    let said = sandbox.run_program("unshare", &["-m", "sh", "-c", script, &binary]).exits(0);
    let program = said.pid();
    let doubt =
        format!("process {program} may be the program of an earlier daemon manager, and there");
    assert_eq!(count(&said.stderr, &doubt), 4, "{said:?}");
    for told in ["status: 4\n", "start: 1\n", "stop: 4\n", "restart: 1\n"] {
        assert!(said.stdout.contains(told), "{told} in {said:?}");
    }
    assert_eq!(copies(&sandbox), [program]);
    // As it was told.
    send_signal(program, Signal::SIGKILL);
    wait_until("it is gone", || !is_alive(program));
    sandbox.zd(&["start"]).exits(0);
    sandbox.stop(&["app.conf"]);
}

/// "However `start` is called, by however many at once, and whatever was
/// killed before"
#[test]
fn eight_starts_at_once_make_one_program() {
    let sandbox = Sandbox::with_runner(LINES);
    for round in 0..3 {
        let starts: Vec<Background> =
            (0..8).map(|_| sandbox.background(&["-C", "app.conf", "start"])).collect();
        let pids: Vec<i32> = starts.into_iter().map(|s| s.output().exits(0).pid()).collect();
        let copies = copies(&sandbox);
        assert_eq!(copies.len(), 1, "round {round}");
        assert_eq!(pids, [copies[0]; 8], "round {round}");
        let all = sandbox.processes();
        assert_eq!(all.len(), 2, "{all:?}");
        kill_supervisor(&sandbox);
    }
    sandbox.stop(&FILES);
}

/// `start` and `stop` from both sides: every answer is true and nothing is left.
#[test]
fn starts_and_stops_at_once_leave_one_program_or_none() {
    let sandbox = Sandbox::with_runner(LINES);
    for _ in 0..3 {
        let commands = ["start", "stop", "start", "restart", "stop", "start"];
        let running: Vec<Background> =
            commands.iter().map(|c| sandbox.background(&["-C", "app.conf", c])).collect();
        for command in running {
            let output = command.output();
            assert!([0, 1].contains(&output.code()), "{output:?}");
        }
        assert!(copies(&sandbox).len() <= 1);
    }
    sandbox.stop(&FILES);
}

/// The only child of a process, as soon as there is one.
fn child_of(parent: i32) -> Option<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    fs::read_to_string(path).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Who is to be killed: caught early, or found when the start is over.
fn child_or_supervisor(sandbox: &Sandbox, start: &mut Background) -> i32 {
    while !start.has_ended() {
        if let Some(child) = child_of(start.pid()) {
            return child;
        }
    }
    sandbox.supervisor()
}

/// "A supervisor killed at any instruction leaves either no program or a
/// recorded one."
#[test]
fn a_supervisor_killed_at_any_instant_leaves_no_second_program() {
    let sandbox = Sandbox::with_runner(LINES);
    let mut random: u64 = 0x2545_F491_4F6C_DD1D;
    for round in 0..30 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut start = sandbox.background(&["-C", "app.conf", "start"]);
        let supervisor = child_or_supervisor(&sandbox, &mut start);
        let at = Instant::now() + Duration::from_micros(random % 20_000);
        while Instant::now() < at {
            std::hint::spin_loop();
        }
        send_signal(supervisor, Signal::SIGKILL);
        start.output();
        // A child that was held back leaves by itself.
        wait_until("at most one process, and that is recorded", || {
            let left = sandbox.processes();
            let recorded = |pid: i32| sandbox.read(RECORD).contains(&format!(" program={pid}@"));
            left.is_empty() || left.len() == 1 && recorded(left[0].0)
        });
        if round % 2 == 0 {
            sandbox.zd(&["stop"]).exits(0);
            assert_eq!(sandbox.processes(), Vec::new(), "round {round}");
        }
    }
    sandbox.zd(&["start"]).exits(0);
    assert_eq!(copies(&sandbox).len(), 1);
    sandbox.stop(&FILES);
}

/// Replaces words of the record of a bereaved and then killed program.
fn forge_record(sandbox: &Sandbox, program: i32, change: impl Fn(&str) -> String) {
    send_signal(program, Signal::SIGKILL);
    wait_until("the program is gone", || !is_alive(program));
    let record = sandbox.read(RECORD);
    assert!(record.contains(&format!(" program={program}@")), "{record}");
    sandbox.file(RECORD, &change(&record));
}

/// "checks pid, start time and boot id": another process of the same number,
/// a record from another boot, and what is no record at all.
#[test]
fn a_process_that_is_not_the_recorded_one_is_left_alone() {
    for case in 0..4 {
        let (sandbox, program) = bereaved(LINES);
        let mut other = sandbox.command("sleep").arg("2000").spawn().expect("another process");
        let pid = i32::try_from(other.id()).expect("a pid");
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let start = rest.split_ascii_whitespace().nth(19).expect("the start time").to_string();
        forge_record(&sandbox, program, |record| {
            let (before, _) = record.split_once(" program=").expect("a program");
            let boot = before.split(' ').nth(1).expect("a boot");
            match case {
                0 => format!("{before} program={pid}@1\n"),
                1 => format!("{} program={pid}@{start}\n", before.replace(boot, "boot=earlier")),
                2 => format!("{before} program={pid}"),
                _ => "\0\u{1}garbage\n".repeat(1000),
            }
        });
        sandbox.zd(&["status"]).exits(3).says("daemon manager not running\n");
        sandbox.zd(&["stop"]).exits(0).says("daemon manager not running\n");
        let started = sandbox.zd(&["start"]).exits(0).pid();
        assert_ne!(started, pid, "case {case}");
        assert_eq!(copies(&sandbox), [started], "case {case}");
        sandbox.stop(&FILES);
        assert!(other.try_wait().expect("a child").is_none(), "case {case}: it was ended");
        other.kill().expect("alive");
        other.wait().expect("a child");
    }
}

/// The same forgery with the right start time is believed: the test above
/// would otherwise prove nothing.
#[test]
fn a_recorded_process_with_the_right_start_time_is_taken_over() {
    let (sandbox, program) = bereaved(LINES);
    let record = sandbox.read(RECORD);
    assert!(record.contains(&format!(" program={program}@")), "{record}");
    assert!(record.starts_with("zdaemon-instance-1 boot="), "{record}");
    sandbox.file(RECORD, &record);
    sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={program}\n"));
    sandbox.stop(&FILES);
}

/// "Only what we created is removed."
#[test]
fn a_foreign_file_at_the_sockets_place_is_not_removed() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    sandbox.file("zdsock", "precious");
    sandbox.zd(&["start"]).exits(1).complains("unable to create socket");
    assert_eq!(sandbox.read("zdsock"), "precious");
    sandbox.assert_clean(&["app.conf", "zdsock"]);
}

/// As above, at the end: another socket took the place of ours.
#[test]
fn a_socket_that_replaced_ours_is_not_removed() {
    let sandbox = Sandbox::started("program sleep 1000");
    let supervisor = sandbox.supervisor();
    fs::remove_file(sandbox.path("zdsock")).expect("our socket");
    let _theirs = UnixListener::bind(sandbox.path("zdsock")).expect("another socket");
    send_signal(supervisor, Signal::SIGTERM);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    sandbox.assert_clean(&["app.conf", "zdsock"]);
    assert!(exists(&sandbox.path("zdsock")));
}
