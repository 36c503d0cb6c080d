//! When something runs out (descriptors, processes, memory, room on `/run`, the
//! length of files) the supervisor keeps control: it answers, tries again, says so
//! once, and goes on by itself when there is enough again.

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{
    Output, Sandbox, binary, count, has_program, is_alive, is_root, may_unshare, rest_of,
    send_signal, skip, wait_until,
};

/// Sets a limit of a running process; what it may raise again stays as it is.
fn limit(sandbox: &Sandbox, pid: i32, what: &str) {
    sandbox.run_program("prlimit", &["--pid", &pid.to_string(), what]).exits(0);
}

/// The lowest number that no descriptor of the process has.
fn free_descriptor(pid: i32) -> usize {
    let open = |number: &usize| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    (0..).find(|number| !open(number)).expect("a number")
}

/// How often a process has gone to sleep, and its processor time in ticks.
fn sleeps_and_ticks(pid: i32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    (switches.and_then(|number| number.trim().parse().ok()).expect("a number"), ticks)
}

/// One descriptor is enough for all clients, one after the other, and a silent one
/// does not keep it.
#[test]
fn with_one_descriptor_left_every_command_is_answered() {
    let sandbox = Sandbox::started("program sleep 1000\ntranscript out.log");
    let (supervisor, program) = (sandbox.supervisor(), sandbox.program());
    limit(&sandbox, supervisor, &format!("--nofile={}:", free_descriptor(supervisor) + 1));
    let mut silent = sandbox.connect();
    for _ in 0..3 {
        sandbox.zd(&["status"]).exits(0).says(&format!("program running; pid={program}\n"));
    }
    assert_eq!(rest_of(&mut silent), "Command superseded by new command\n");
    sandbox.stop(&["app.conf", "out.log"]);
}

/// "Never stuck", and nothing costs: the kernel goes on telling that a client
/// waits, and nobody can let it in.
#[test]
fn with_no_descriptor_left_the_supervisor_sleeps_and_serves_when_it_can() {
    let sandbox = Sandbox::started("program sleep 1000");
    let supervisor = sandbox.supervisor();
    let before = limit_of_descriptors(supervisor);
    limit(&sandbox, supervisor, &format!("--nofile={}:", free_descriptor(supervisor)));
    let mut client = sandbox.connect();
    client.write_all(b"status\n").expect("a request");
    let (sleeps, ticks) = sleeps_and_ticks(supervisor);
    // It sleeps a quarter of a second between two attempts; a second has 100 ticks.
    wait_until("it tries and sleeps", || sleeps_and_ticks(supervisor).0 >= sleeps + 4);
    let used = sleeps_and_ticks(supervisor).1 - ticks;
    assert!(used < 20, "{used} ticks for four attempts");
    limit(&sandbox, supervisor, &format!("--nofile={before}:"));
    assert!(rest_of(&mut client).contains("status=running\n"));
    sandbox.stop(&["app.conf"]);
}

fn limit_of_descriptors(pid: i32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a living process");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_ascii_whitespace().next()).expect("a limit").to_string()
}

/// A program that was taken over is not known by its number alone, and what else
/// is known of it must need no descriptor.
#[test]
fn an_adopted_program_is_stopped_with_one_descriptor_left() {
    let sandbox = Sandbox::started("program sleep 1000");
    let program = sandbox.program();
    send_signal(sandbox.supervisor(), Signal::SIGKILL);
    wait_until("the supervisor is gone", || sandbox.zd(&["status"]).code() == 4);
    sandbox.zd(&["start"]).exits(0).says(&format!("already running; pid={program}\n"));
    let supervisor = sandbox.supervisor();
    limit(&sandbox, supervisor, &format!("--nofile={}:", free_descriptor(supervisor) + 1));
    sandbox.stop(&["app.conf"]);
    assert!(!is_alive(program));
}

/// Whatever a start runs out of: it says why, and leaves nothing.
#[test]
fn a_start_with_too_few_descriptors_says_so_and_leaves_nothing() {
    let sandbox = Sandbox::with_runner("program sleep 1000\ntranscript out.log\nsettle-time 0");
    let start = |number: usize| {
        let mut command = sandbox.command("prlimit");
        command.arg(format!("--nofile={number}:")).arg(binary());
        sandbox.finish(command.args(["-C", "app.conf", "-z", ".", "start"]))
    };
    let mut refused = 0;
    // With more it comes to be, and waits until it can fork.
    for number in 5..12 {
        let output = start(number);
        if output.code() != 0 {
            refused += 1;
            assert!(output.stderr.contains("[Errno 24] Too many open files"), "{output:?}");
            assert_eq!(sandbox.hidden_files(), Vec::<String>::new(), "{number}: {output:?}");
            assert_eq!(sandbox.processes(), [], "{number}");
        }
        sandbox.zd(&["stop"]).exits(0);
    }
    assert!(refused > 2, "{refused} starts were refused");
}

/// A sandbox whose `work` belongs to a user that has no other process.
fn lonely(lines: &str) -> Sandbox {
    let sandbox = Sandbox::logged(lines);
    for file in ["", "app.conf"] {
        chown(sandbox.path(file), Some(LONELY), Some(LONELY)).expect("root may");
    }
    sandbox
}

const LONELY: u32 = 61_234;

/// A command of that user.
fn as_lonely(sandbox: &Sandbox, command: &[&str]) -> Output {
    let ids = [format!("--reuid={LONELY}"), format!("--regid={LONELY}")];
    let mut run = sandbox.command("setpriv");
    sandbox.finish(run.args(ids).arg("--clear-groups").args(command))
}

/// Root itself may not everywhere.
fn limit_lonely(sandbox: &Sandbox, pid: i32, what: &str) {
    as_lonely(sandbox, &["prlimit", "--pid", &pid.to_string(), what]).exits(0);
}

/// "No processes (RLIMIT_NPROC): the supervisor keeps control, retries with
/// backoff, says so once, recovers by itself."
#[test]
fn a_program_that_cannot_be_forked_is_tried_again_until_it_can() {
    if !is_root() {
        return skip("needs root to become a user without other processes");
    }
    let sandbox = lonely("program sleep 1000\nsettle-time 0\nbackoff-limit 1\nforever true");
    let binary = binary().display().to_string();
    let start = [&binary, "-C", "app.conf", "start"];
    let refused = as_lonely(&sandbox, &[&["prlimit", "--nproc=1:"], &start[..]].concat()).exits(1);
    let told = "Error: unable to launch a daemon manager: [Errno 11] Resource temporarily";
    assert!(refused.stderr.starts_with(told), "{refused:?}");
    sandbox.holds_only(&["app.conf"]);

    let program = as_lonely(&sandbox, &start).exits(0).pid();
    let supervisor = sandbox.supervisor();
    limit_lonely(&sandbox, supervisor, "--nproc=1:");
    send_signal(program, Signal::SIGKILL);
    sandbox.wait_for_event("unable to fork: [Errno 11]");
    sandbox.zd(&["status"]).exits(3).says("daemon manager running; daemon process not running");
    for _ in 0..3 {
        // Each is an attempt of its own.
        assert_eq!(sandbox.request("start"), "Application started\n");
    }
    assert_eq!(count(&sandbox.events(), "unable to fork"), 1, "{}", sandbox.events());
    limit_lonely(&sandbox, supervisor, "--nproc=1000:");
    wait_until("it runs again", || sandbox.program() != 0);
    sandbox.stop(&["app.conf", "events.log"]);
}

/// A shell in a mount namespace of its own, where `run` is a small file system.
fn with_small_run(sandbox: &Sandbox, options: &str, script: &str) -> Output {
    let script = format!("mount -t tmpfs -o {options} tmpfs run || exit 99\n{script}");
    let binary = binary().display().to_string();
    sandbox.run_program("unshare", &["-m", "sh", "-c", &script, &binary])
}

const ON_RUN: &str = "program sleep 1000\ntranscript out.log\nsettle-time 0\n\
                      socket-name run/zdsock\nbackoff-limit 1\nforever true";

fn with_run() -> Option<Sandbox> {
    if !may_unshare("-m") {
        skip("a file system cannot be mounted here");
        return None;
    }
    let sandbox = Sandbox::logged(ON_RUN);
    fs::create_dir(sandbox.path("run")).expect("a directory");
    Some(sandbox)
}

/// "Full `/run`": no room for the record, for the socket, or for neither.
#[test]
fn a_start_on_a_full_run_says_so_and_leaves_nothing() {
    let Some(sandbox) = with_run() else { return };
    let start = "\"$0\" -C app.conf start; code=$?; ls -A run >left; exit $code";
    // One inode is the directory's own.
    let full = "head -c 100000 /dev/zero >run/full 2>/dev/null\n";
    let cases = [("size=64k,nr_inodes=1", ""), ("size=64k,nr_inodes=2", ""), ("size=64k", full)];
    for (options, fill) in cases {
        let failed = with_small_run(&sandbox, options, &format!("{fill}{start}")).exits(1);
        assert!(failed.stderr.contains("[Errno 28] No space left on device"), "{failed:?}");
        assert!(failed.stderr.contains("/run/"), "{failed:?}");
        let expected = if fill.is_empty() { "" } else { "full\n" };
        assert_eq!(sandbox.read("left"), expected, "{options}");
        assert_eq!(sandbox.processes(), []);
    }
}

/// The program's pipe needs no name of its own.
#[test]
fn a_run_without_room_for_the_pipe_is_room_enough() {
    let Some(sandbox) = with_run() else { return };
    let script = "\"$0\" -C app.conf start && \"$0\" -C app.conf status && ls -A run >left\n\
                  \"$0\" -C app.conf stop && ls -A run >>left";
    with_small_run(&sandbox, "size=64k,nr_inodes=3", script).exits(0);
    assert_eq!(sandbox.read("left"), ".zdsock.instance\nzdsock\n");
}

/// What was removed cannot be put back, and the program is not started without a
/// record; as soon as there is room, both are done.
#[test]
fn a_run_that_fills_up_is_told_once_and_recovered_from() {
    let Some(sandbox) = with_run() else { return };
    let start = "touch run/full; \"$0\" -C app.conf start";
    let started = with_small_run(&sandbox, "size=64k,nr_inodes=5", start).exits(0);
    let (program, supervisor) = (started.pid(), the_supervisor(&sandbox, started.pid()));
    let inside = |script: &str| {
        let mut command = sandbox.command("nsenter");
        command.args(["-m", "-t", &supervisor.to_string(), "sh", "-c"]);
        command.arg(format!("cd {} && {script}", sandbox.path("").display())).arg(binary());
        sandbox.finish(&mut command)
    };
    inside("rm run/.zdsock.instance").exits(0);
    send_signal(program, Signal::SIGKILL);
    sandbox.wait_for_event("/run/.zdsock.instance: [Errno 28] No space left on device");
    for _ in 0..3 {
        inside("\"$0\" -C app.conf status").exits(3).says("daemon manager running; ");
    }
    let told = "unable to put back ";
    assert_eq!(count(&sandbox.events(), told), 1, "{}", sandbox.events());
    inside("rm run/full").exits(0);
    wait_until("it runs again", || inside("\"$0\" -C app.conf status").code() == 0);
    inside("\"$0\" -C app.conf stop").exits(0);
    assert!(!is_alive(supervisor));
}

fn the_supervisor(sandbox: &Sandbox, program: i32) -> i32 {
    let mut pids = sandbox.processes().into_iter().map(|(pid, _)| pid);
    pids.find(|pid| *pid != program).expect("a supervisor")
}

/// RLIMIT_FSIZE: SIGXFSZ kills nobody, what no file takes is counted, and writing
/// goes on when it may.
#[test]
fn a_limit_of_file_lengths_is_like_a_full_disk() {
    let sandbox = Sandbox::logged("program ./writes\ntranscript out.log\nsettle-time 0");
    sandbox.script(
        "writes",
        "until [ -e go ]; do sleep 0.02; done; head -c 5000 /dev/zero\n\
         until [ -e more ]; do sleep 0.02; done; echo the end; exec sleep 1000",
    );
    let program = sandbox.zd(&["start"]).exits(0).pid();
    let supervisor = sandbox.supervisor();
    let length = |name: &str| fs::metadata(sandbox.path(name)).map_or(0, |found| found.len());
    let room = length("events.log") + 1000;
    limit(&sandbox, supervisor, &format!("--fsize={room}:"));
    sandbox.file("go", "");
    sandbox.wait_for_event("[Errno 27] File too large; dropping output");
    sandbox.zd(&["status"]).exits(0).says(&format!("program running; pid={program}\n"));
    limit(&sandbox, supervisor, "--fsize=100000000:");
    sandbox.file("more", "");
    let told = format!("\nzdaemon: {} bytes of output are missing here\nthe end\n", 5000 - room);
    wait_until("the rest", || sandbox.read("out.log").ends_with(&told));
    sandbox.stop(&["app.conf", "events.log", "go", "more", "out.log", "writes"]);

    let mut start = Command::new("sh");
    start.arg("-c").arg("prlimit --fsize=0: \"$0\" -C app.conf start 2>&1 | cat");
    sandbox.file("events.log", "");
    start.arg(binary()).current_dir(sandbox.path(""));
    let failed = sandbox.finish(&mut start).says("[Errno 27] File too large");
    assert!(failed.stdout.contains("\ndaemon manager not running\n"), "{failed:?}");
    sandbox.holds_only(&["app.conf", "events.log", "go", "more", "out.log", "writes"]);
}

/// "No memory (RLIMIT_AS, at start)": whatever the limit, there is a supervisor
/// with its program, or none, and the next start works.
#[test]
fn a_start_with_too_little_memory_leaves_no_process_and_no_obstacle() {
    if !has_program("prlimit") {
        return skip("needs prlimit");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\ntranscript out.log\nsettle-time 0");
    for kilobytes in (400..6000).step_by(400) {
        let mut command = sandbox.command("prlimit");
        command.arg(format!("--as={}:", kilobytes * 1000)).arg(binary());
        let start = sandbox.finish(command.args(["-C", "app.conf", "start"]));
        let status = sandbox.zd(&["status"]);
        if start.code() == 0 && status.code() == 3 {
            // What is enough for the supervisor may be too little for the program.
            status.says("daemon manager running; daemon process not running\n");
        } else if start.code() == 0 {
            assert_eq!(status.exits(0).pid(), start.pid(), "{kilobytes}");
        } else {
            status.exits(3);
            assert_eq!(sandbox.processes(), [], "{kilobytes}: {start:?}");
            sandbox.zd(&["start"]).exits(0);
        }
        sandbox.zd(&["stop"]).exits(0);
    }
    sandbox.assert_clean(&["app.conf", "out.log"]);
}
