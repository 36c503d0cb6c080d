use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use nix::unistd::{Pid, getpgid, getsid};

use crate::harness::{Background, Sandbox, binary, skip, wait_for, wait_until};

/// One line of `/proc/PID/status`.
fn status_line(pid: i32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.map(str::trim).unwrap_or_else(|| panic!("no {key} in {text}")).to_string()
}

/// The open descriptors, with what they are, of a process that waits for
/// something: until then its loader may have a library open.
pub(crate) fn descriptors(pid: i32) -> Vec<(i32, String)> {
    wait_until("it sleeps", || status_line(pid, "State").starts_with('S'));
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a living process").flatten();
    let mut found: Vec<(i32, String)> = entries
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, target.display().to_string()))
        })
        .collect();
    found.sort();
    found
}

fn environment(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).expect("a living process");
    bytes
        .split(|b| *b == 0)
        .filter(|e| !e.is_empty())
        .map(|e| String::from_utf8_lossy(e).into_owned())
        .collect()
}

#[track_caller]
fn assert_clean_signals(pid: i32) {
    for key in ["SigBlk", "SigIgn", "SigCgt"] {
        assert_eq!(status_line(pid, key), "0000000000000000", "{key} of {pid}");
    }
}

/// Waits for the process of a sandbox with this command line.
fn process(sandbox: &Sandbox, command: &str) -> i32 {
    let find = || sandbox.processes().into_iter().find(|(_, line)| line.trim() == command);
    wait_for(command, find).0
}

/// A sandbox whose start test hangs, with the pids of program and test.
fn with_test(lines: &str) -> (Sandbox, Background, [i32; 2]) {
    let sandbox = Sandbox::with_runner(&format!(
        "program sleep 1000\nstart-test-program sleep 2000\n{lines}"
    ));
    let start = sandbox.background(&["-C", "app.conf", "start"]);
    let pids = [process(&sandbox, "sleep 1000"), process(&sandbox, "sleep 2000")];
    (sandbox, start, pids)
}

fn end(sandbox: &Sandbox, start: Background, files: &[&str]) {
    sandbox.stop(files);
    start.output().exits(1);
}

/// Wraps `start` so that bash does `before` first.
fn start_from_bash(sandbox: &Sandbox, before: &str, action: &str) -> Command {
    let script = format!("{before}; exec \"$0\" -C app.conf {action}");
    let mut command = sandbox.command("bash");
    command.args(["-c", &script]).arg(binary());
    command
}

fn has(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

const MORE_DESCRIPTORS: &str = "exec 3</dev/null 9>>more 150</dev/zero 1000</dev/null";

/// "fds 0, 1, 2 only", whatever the launcher had open; no input to take away.
#[test]
fn the_program_has_three_descriptors() {
    if !has("bash", &["-c", "ulimit -n 2000"]) {
        return skip("needs bash");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0\ntranscript out.log");
    sandbox.finish(&mut start_from_bash(&sandbox, MORE_DESCRIPTORS, "start")).exits(0);
    let found = descriptors(sandbox.program());
    let numbers: Vec<i32> = found.iter().map(|(fd, _)| *fd).collect();
    assert_eq!(numbers, [0, 1, 2], "{found:?}");
    assert_eq!(found[0].1, "/dev/null");
    assert_eq!(found[1].1, found[2].1);
    let supervisors = descriptors(sandbox.supervisor());
    let more = |(_, name): &&(i32, String)| name.ends_with("/more") || name == "/dev/zero";
    assert_eq!(supervisors.iter().find(more), None, "{supervisors:?}");
    sandbox.stop(&["app.conf", "more", "out.log"]);
}

/// "With no transcript the program gets `/dev/null` itself."
#[test]
fn a_program_without_transcript_has_no_pipe() {
    let sandbox = Sandbox::started("program sleep 1000");
    let null = |fd| (fd, "/dev/null".to_string());
    assert_eq!(descriptors(sandbox.program()), [null(0), null(1), null(2)]);
    sandbox.stop(&["app.conf"]);
}

/// The same in the foreground, where the three are the caller's.
#[test]
fn the_foreground_program_has_the_callers_three_descriptors() {
    if !has("bash", &["-c", "ulimit -n 2000"]) {
        return skip("needs bash");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0\ndaemon off");
    let mut command = start_from_bash(&sandbox, MORE_DESCRIPTORS, "start");
    let out = fs::File::create(sandbox.path("out")).expect("a file");
    let mut supervisor = command.stdout(out).spawn().expect("a command");
    let program = process(&sandbox, "sleep 1000");
    let found = descriptors(program);
    let numbers: Vec<i32> = found.iter().map(|(fd, _)| *fd).collect();
    assert_eq!(numbers, [0, 1, 2], "{found:?}");
    assert!(found[1].1.ends_with("/out"), "{found:?}");
    assert_clean_signals(program);
    sandbox.stop(&["app.conf", "more", "out"]);
    assert!(supervisor.wait().expect("a child").success());
}

/// The start test's output goes to the transcript, and it has nothing else.
#[test]
fn the_start_test_has_three_descriptors() {
    let (sandbox, start, [program, test]) = with_test("transcript out.log");
    let found = descriptors(test);
    assert_eq!(found, descriptors(program));
    assert_eq!(found.len(), 3, "{found:?}");
    end(&sandbox, start, &["app.conf", "out.log"]);
}

/// "empty signal mask, default dispositions", whatever the launcher had.
#[test]
fn the_program_and_its_test_have_clean_signals() {
    let unclean = ["--ignore-signal=HUP,PIPE,USR1,CHLD", "--block-signal=TERM,ALRM,CHLD"];
    if !has("env", &[unclean.as_slice(), &["true"]].concat()) {
        return skip("needs env of coreutils 8.31");
    }
    let lines = "program sleep 1000\nsettle-time 0\nstart-test-program sleep 2000";
    let sandbox = Sandbox::with_runner(lines);
    let mut command = sandbox.command("env");
    command.args(unclean).arg(binary()).args(["-C", "app.conf", "start"]);
    let start = Background::of(&mut command);
    for line in ["sleep 1000", "sleep 2000"] {
        let pid = process(&sandbox, line);
        assert_clean_signals(pid);
    }
    end(&sandbox, start, &["app.conf"]);
}

/// "umask, directory"
#[test]
fn umask_and_directory_are_the_configured_ones() {
    let (sandbox, start, pids) = with_test("umask 027\ndirectory work");
    for pid in pids {
        assert_eq!(status_line(pid, "Umask"), "0027");
        let directory = fs::read_link(format!("/proc/{pid}/cwd")).expect("a living process");
        assert_eq!(directory, sandbox.path("work"));
    }
    end(&sandbox, start, &["app.conf", "work"]);
}

/// "umask 022" unless told otherwise, and the launcher's directory.
#[test]
fn umask_and_directory_have_their_defaults() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    sandbox
        .run_program(
            "sh",
            &["-c", "umask 077; exec \"$0\" -C app.conf start", &binary().to_string_lossy()],
        )
        .exits(0);
    let pid = sandbox.program();
    assert_eq!(status_line(pid, "Umask"), "0022");
    let directory = fs::read_link(format!("/proc/{pid}/cwd")).expect("a living process");
    assert_eq!(directory, sandbox.path(""));
    sandbox.stop(&["app.conf"]);
}

/// "The program leads a session of its own."
#[test]
fn the_program_leads_a_session_of_its_own() {
    let (sandbox, start, [program, test]) = with_test("");
    let supervisor = sandbox.supervisor();
    for pid in [supervisor, program, test] {
        let id = Pid::from_raw(pid);
        assert_eq!((getsid(Some(id)), getpgid(Some(id))), (Ok(id), Ok(id)), "{pid}");
        // The seventh field is the controlling terminal.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
        let rest = stat.rsplit(')').next().unwrap_or_default();
        assert_eq!(rest.split_ascii_whitespace().nth(4), Some("0"), "{stat}");
    }
    end(&sandbox, start, &["app.conf"]);
}

/// "merged over the inherited environment"; "never leak internal markers".
#[test]
fn the_environment_is_the_launchers_with_the_configured_on_top() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "app.conf",
        "<runner>\nprogram sleep 1000\nstart-test-program sleep 2000\n</runner>\n\
         <environment>\nOURS configured value\nBOTH configured\nEmpty\n</environment>\n",
    );
    let mut command = sandbox.command(binary());
    command.env("BOTH", "inherited").env("THEIRS", "a=b").env("DAEMON_MANAGER_MODE", "1");
    command.args(["-C", "app.conf", "start"]);
    let start = Background::of(&mut command);
    let mut expected: Vec<String> = std::env::vars()
        .filter(|(name, _)| !["BOTH", "THEIRS", "OURS", "Empty"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let added = ["OURS=configured value", "BOTH=configured", "Empty=", "THEIRS=a=b"];
    expected.extend(added.map(str::to_string));
    expected.sort();
    for line in ["sleep 1000", "sleep 2000"] {
        let mut found = environment(process(&sandbox, line));
        found.retain(|entry| !entry.starts_with("ZDAEMON_TEST_SANDBOX="));
        found.sort();
        assert_eq!(found, expected, "of {line}");
    }
    end(&sandbox, start, &["app.conf"]);
}

/// The supervisor, too, holds nothing of the launcher's: a terminal or a mount
/// point can be left.
#[test]
fn the_supervisor_lets_go_of_the_launchers_streams() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let out = fs::File::create(sandbox.path("out")).expect("a file");
    let mut command = sandbox.command(binary());
    command.args(["-C", "app.conf", "start"]).stderr(out.try_clone().expect("a file")).stdout(out);
    assert!(command.status().expect("a command").success());
    let inode = fs::metadata(sandbox.path("out")).expect("a file").ino();
    for pid in [sandbox.supervisor(), sandbox.program()] {
        wait_until("only the client held it", || {
            let open = descriptors(pid).into_iter().map(|(fd, _)| format!("/proc/{pid}/fd/{fd}"));
            open.filter_map(|path| fs::metadata(path).ok()).all(|found| found.ino() != inode)
        });
    }
    sandbox.stop(&["app.conf", "out"]);
}
