use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{
    Output, Sandbox, Terminal, assert_golden, binary, is_alive, send_signal, skip, wait_until,
    without_forks,
};

const SESSION: &str = include_str!("golden/session.txt");
const PROMPT: &str = "zdctl> ";

const CONFIG: &str = "program ./server\nexit-codes 0, 2, -1\ntranscript out\nlogfile out\n\
                      start-test-program ./await-ready\nbackoff-limit 3";

/// Each command of the prompt, in a session. `wait` comes after a `kill` that
/// ends the daemon manager too.
const COMMANDS: &[&str] = &[
    "help",
    "help start",
    "? status",
    "status",
    "start",
    "",
    "status",
    "start again",
    "restart",
    "status -x",
    "fg",
    "kill CONT",
    "kill ded",
    "logreopen",
    "reopen_transcript",
    "show bogus",
    "!echo  'a  b'",
    "shell echo hello",
    "bogus command",
    "reload",
    "reload -b foo",
    "",
    "reload extra",
    "reload -f",
    "kill",
    "wait",
    "stop",
    "fg once",
    "foreground once",
];

/// A program that ignores SIGUSR2 as soon as it counts as started.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::with_runner(CONFIG);
    let once = "[ \"$1\" = once ] && echo once && exit 0";
    sandbox.script("server", &format!("{once}\ntrap '' USR2\n: >ready\nexec sleep 1000"));
    sandbox.script("await-ready", "until rm ready 2>/dev/null; do sleep 0.01; done");
    sandbox
}

/// Numbers of processes and the folder differ from run to run, and a busy
/// machine prints dots.
fn normal(sandbox: &Sandbox, text: &str) -> String {
    let mut result = String::new();
    let folder = sandbox.path("").display().to_string();
    let text = text.replace(&folder, "/srv/app/");
    for line in
        text.lines().filter(|line| line.is_empty() || !line.trim_matches(['.', ' ']).is_empty())
    {
        let mut line = line.to_string();
        for before in ["pid=", "kill(", "to process "] {
            if let Some((head, tail)) = line.clone().split_once(before) {
                let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
                line = format!("{head}{before}PID{tail}");
            }
        }
        result.push_str(&line);
        result.push('\n');
    }
    result
}

/// A session at a terminal, or a reason why there can be none here.
fn terminal(sandbox: &Sandbox, arguments: &[&str]) -> Option<Terminal> {
    let terminal = Terminal::zdctl(sandbox, arguments);
    if terminal.is_none() {
        skip("no setsid command to give a process a terminal");
    }
    terminal
}

/// "A pseudo-terminal session with every command of the prompt": the whole
/// screen, in the shape of the documents.
#[test]
fn a_session_at_a_terminal_looks_as_in_the_documents() {
    let sandbox = prepared();
    let Some(mut terminal) = terminal(&sandbox, &["-C", "app.conf"]) else { return };
    for line in COMMANDS {
        terminal.command(line);
    }
    let (status, _) = terminal.last("quit\n");
    assert_eq!(status.code(), Some(0));
    assert_golden("session.txt", SESSION, &normal(&sandbox, &terminal.screen()));
}

/// Runs commands from a pipe; both streams come in one text.
fn piped(sandbox: &Sandbox, arguments: &[&str], commands: &str) -> Output {
    let script = sandbox.file("commands", commands);
    let mut command = sandbox.command("sh");
    command.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg("./zdctl").args(arguments);
    command.stdin(std::fs::File::open(script).expect("commands"));
    sandbox.finish(&mut command)
}

fn link_zdctl(sandbox: &Sandbox) {
    std::os::unix::fs::symlink(binary(), sandbox.path("zdctl")).expect("a symlink");
}

/// "the same commands through a pipe": the same answers, without prompt,
/// greeting and echo.
#[test]
fn the_same_commands_from_a_pipe_give_the_same_answers_without_prompts() {
    let sandbox = prepared();
    link_zdctl(&sandbox);
    let script: String = COMMANDS.iter().chain(&["quit"]).map(|line| format!("{line}\n")).collect();
    let output = piped(&sandbox, &["-C", "app.conf"], &(script + "status\n")).exits(0);
    let answers = SESSION.split(PROMPT).skip(1);
    let expected: String =
        answers.map(|answer| answer.split_once('\n').map_or("", |(_, rest)| rest)).collect();
    let told = normal(&sandbox, &output.stdout);
    for (told, expected) in told.lines().zip(expected.lines()) {
        assert_eq!(told, expected, "{output:?}");
    }
    assert_eq!(told.lines().count(), expected.lines().count(), "{output:?}");
}

/// A command that reads standard input gets the lines behind it.
#[test]
fn a_command_in_a_pipe_may_read_the_lines_that_follow_it() {
    let sandbox = prepared();
    link_zdctl(&sandbox);
    let output = piped(&sandbox, &[], "!read x; echo \"got $x\"\nthis line\n!echo end");
    assert_eq!(output.exits(0).stdout, "got this line\nend\n");
}

/// spec A.19: the greeting, the prompt option, and `-i` after an action.
#[test]
fn the_prompt_is_the_option_s_and_comes_after_an_action_with_i() {
    let sandbox = Sandbox::with_runner("program sleep 'a b' # \nprompt ready>>\nsettle-time 0");
    let Some(terminal) = terminal(&sandbox, &["-C", "app.conf", "-i", "help", "stop"]) else {
        return;
    };
    let mut terminal = terminal.with_prompt("ready>> ");
    let screen = terminal.is_prompted().screen();
    let (before, after) = screen.split_once("program: ").expect("a greeting");
    assert!(before.contains("\nstop -- Stop the daemon process"), "{screen}");
    assert!(after.ends_with("\ndaemon manager not running\nready>> "), "{screen}");
    let (status, rest) = terminal.last("\x04");
    assert_eq!((status.code(), rest.as_str()), (Some(0), "\n"));
}

/// spec A.20: a blank line before any command shows the status.
#[test]
fn a_blank_line_repeats_the_last_command_and_is_status_at_first() {
    let sandbox = prepared();
    let Some(mut terminal) = terminal(&sandbox, &["-C", "app.conf"]) else { return };
    assert_eq!(terminal.command(""), "daemon manager not running\n");
    assert_eq!(terminal.command("!echo x"), "x\n");
    assert_eq!(terminal.command("   "), "x\n");
    assert_eq!(terminal.command(""), "x\n");
    let (status, rest) = terminal.last("EOF\n");
    assert_eq!((status.code(), rest.as_str()), (Some(0), "EOF\n\n"));
}

/// "^C drops the line, never the shell", nor does it at a command that runs.
#[test]
fn an_interrupt_drops_the_line_or_the_command_and_not_the_prompt() {
    let sandbox = prepared();
    sandbox.file("out", "one\ntwo\n");
    let Some(mut terminal) = terminal(&sandbox, &["-C", "app.conf"]) else { return };
    terminal.is_prompted();
    terminal.types("start nonsense");
    terminal.shows("zdctl> start nonsense");
    terminal.types("\x03");
    terminal.shows("nonsense^C\nzdctl> ");
    assert_eq!(terminal.command("status"), "daemon manager not running\n");
    terminal.types("logtail\n");
    terminal.shows("one\ntwo\n");
    terminal.types("\x03");
    terminal.shows("one\ntwo\n^C\nzdctl> ");
    // `exec`: a shell may lose an interrupt between its fork and the child's exec.
    terminal.types("!echo began; exec sleep 1000\n");
    terminal.shows("\nbegan\n");
    // A shell may lose an interrupt while it is just starting a command.
    let sleeps = || sandbox.processes().iter().any(|(_, line)| line.starts_with("sleep 1000"));
    wait_until("the shell's command", sleeps);
    terminal.types("\x03");
    terminal.shows("\nbegan\n^C\nzdctl> ");
    terminal.types("fg\n");
    terminal.shows("./server\n");
    wait_until("the program", sleeps);
    terminal.types("\x03");
    terminal.shows("./server\n^C\nzdctl> ");
    let (status, rest) = terminal.last("quit\n");
    assert_eq!((status.code(), rest.as_str()), (Some(0), "quit\ndaemon manager not running\n"));
}

/// "^C drops the line, never the shell", whenever it comes: also at the moment
/// between the end of a command and the next prompt.
#[test]
fn no_interrupt_at_any_moment_ends_the_session() {
    let sandbox = prepared();
    link_zdctl(&sandbox);
    let mut command = sandbox.command("./zdctl");
    command.args(["-C", "app.conf"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = without_forks(|| command.spawn()).expect("zdctl");
    let pid = i32::try_from(child.id()).expect("a pid");
    let mut input = child.stdin.take().expect("a pipe");
    let answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut answers = answers.lines().map_while(Result::ok).filter(|line| !line.is_empty());
    for round in 0..100 {
        let line = if round % 2 == 0 { "status" } else { "!echo daemon" };
        input.write_all(format!("{line}\n").as_bytes()).expect("a session that lives");
        let answer = answers.next().unwrap_or_else(|| panic!("the session ended in round {round}"));
        // The interrupt may have dropped the beginning of this line.
        assert!(answer.starts_with("daemon") || answer.starts_with("*** Unknown"), "{answer}");
        send_signal(pid, Signal::SIGINT);
    }
    drop(input);
    assert_eq!(child.wait().expect("zdctl").code(), Some(0));
}

/// An interrupt at the prompt is none for the program that was started there.
#[test]
fn an_interrupt_and_the_end_of_the_session_do_not_reach_the_program() {
    let sandbox = prepared();
    let Some(mut terminal) = terminal(&sandbox, &["-C", "app.conf"]) else { return };
    terminal.command("start");
    let pid = sandbox.program();
    terminal.types("\x03");
    terminal.shows("^C\nzdctl> ");
    let (_, rest) = terminal.last("quit\n");
    assert_eq!(rest, "quit\ndaemon process and daemon manager still running\n");
    drop(terminal);
    assert!(is_alive(pid) && sandbox.program() == pid);
    sandbox.zd(&["stop"]).exits(0);
}

/// spec A.17: a daemon manager without a program is stopped by `quit`.
#[test]
fn quit_stops_a_daemon_manager_without_a_program() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0\nhang-around on");
    link_zdctl(&sandbox);
    let output =
        piped(&sandbox, &["-C", "app.conf"], "start\nstop\nstatus\nquit\nstatus\n").exits(0);
    let (_, rest) = output.stdout.split_once("daemon process stopped\n").expect("a stop");
    assert_eq!(
        rest,
        "daemon manager running; daemon process not running\n\
         daemon process not running; stopping daemon manager\ndaemon manager stopped\n"
    );
    assert_eq!(sandbox.zd(&["status"]).exits(3).stdout, "daemon manager not running\n");
}

/// spec A.16: `reload` takes the file as it is now; what fails keeps the old.
#[test]
fn reload_takes_new_settings_or_keeps_the_old() {
    let sandbox = Sandbox::with_runner("program sleep 1\numask 027");
    link_zdctl(&sandbox);
    let mut command = Command::new("./zdctl");
    command.current_dir(sandbox.path("")).args(["-C", "app.conf"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = without_forks(|| command.spawn()).expect("zdctl");
    let mut input = child.stdin.take().expect("a pipe");
    let edit = |umask: &str| {
        format!("!printf '<runner>\\nprogram x\\numask {umask}\\n</runner>\\n' >app.conf\n")
    };
    let script = [
        "show\n".to_string(),
        edit("026"),
        "reload\nshow\n".into(),
        edit("9"),
        "reload 2>/dev/null\nshow\n".into(),
        edit("025"),
        "reload -m 024\nshow\n".into(),
        "reload -C nosuch\nshow\n".into(),
    ];
    input.write_all(script.concat().as_bytes()).expect("commands");
    drop(input);
    let output = child.wait_with_output().expect("zdctl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("umask:        ").or(line.strip_prefix("Configuration "))
        })
        .map(|line| line.split(" from ").next().unwrap_or(line))
        .collect();
    let expected = [
        "0o27",
        "reloaded",
        "0o26",
        "not reloaded",
        "0o26",
        "reloaded",
        "0o24",
        "not reloaded",
        "0o24",
    ];
    assert_eq!(told, expected);
}

/// spec A.19: `default-to-interactive false` makes an action necessary, unless
/// `-i` asks for the prompt.
#[test]
fn without_default_to_interactive_an_action_is_required() {
    let sandbox = Sandbox::with_runner("program sleep 1\ndefault-to-interactive false");
    let output = sandbox.zd(&[]).exits(2);
    output.complains("Error: either -i or an action argument is required\nFor help, use ");
    sandbox.zd(&["-i"]).exits(0);
}

/// "Errors never terminate the shell; a usage failure inside an action must not
/// exit the process."
#[test]
fn a_failing_command_does_not_end_the_session() {
    let sandbox = Sandbox::new();
    link_zdctl(&sandbox);
    let script = "start\nfg\nstatus x\nlogtail\nreload -q\n!exit 9\nnonsense\n!echo alive\n";
    let output = piped(&sandbox, &[], script).exits(0);
    assert!(output.stdout.ends_with("*** Unknown syntax: nonsense\nalive\n"), "{output:?}");
    let output = piped(&sandbox, &["-p", "/no/such/program"], "start\n!echo alive\n").exits(0);
    assert!(output.stdout.ends_with("daemon manager not running\nalive\n"), "{output:?}");
}
