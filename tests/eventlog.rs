use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, binary, count, send_signal, wait_until, without_forks};

/// A runner with these lines and an event log that holds these.
fn with_log(runner: &str, log: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!("<runner>\n{runner}\n</runner>\n<eventlog>\n{log}\n</eventlog>\n");
    sandbox.file("app.conf", &text);
    sandbox
}

/// Everything, a line a record, without times.
const PLAIN: &str = "level debug\n<logfile>\npath ev\nformat %(levelname)s %(message)s\n</logfile>";

/// Pids in the order of their appearance become A, B, C.
fn with_letters(text: &str) -> String {
    let mut pids: Vec<String> = Vec::new();
    let mut result = String::new();
    for line in text.lines() {
        let mut line = line.to_string();
        for before in ["pid=", "pid ", "process "] {
            let Some((head, tail)) = line.split_once(before) else { continue };
            let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            let pid = &tail[..tail.len() - rest.len()];
            if pid.is_empty() {
                continue;
            }
            if !pids.iter().any(|known| known == pid) {
                pids.push(pid.to_string());
            }
            let letter = pids.iter().zip('A'..).find(|(known, _)| *known == pid);
            line = format!("{head}{before}{}{rest}", letter.map_or('?', |(_, letter)| letter));
        }
        result.push_str(&line);
        result.push('\n');
    }
    result
}

#[track_caller]
fn logged(sandbox: &Sandbox, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    let folder = sandbox.path("").display().to_string();
    assert_eq!(with_letters(&sandbox.read("ev").replace(&folder, "DIR/")), expected);
}

/// spec F: the records of a life, with their levels.
#[test]
fn the_log_tells_the_life_of_a_program() {
    let sandbox = with_log("program sleep 1000\nsettle-time 0\nbackoff-limit 3", PLAIN);
    sandbox.zd(&["start"]).exits(0);
    sandbox.zd(&["kill", "KILL"]).exits(0);
    wait_until("the respawn", || count(&sandbox.read("ev"), "is up") == 2);
    sandbox.zd(&["restart"]).exits(0);
    sandbox.zd(&["reopen_transcript"]).exits(0);
    send_signal(sandbox.supervisor(), Signal::SIGUSR1);
    wait_until("the end of the program", || count(&sandbox.read("ev"), "SIGUSR1") == 2);
    sandbox.zd(&["stop"]).exits(0);
    let uid = nix::unistd::geteuid();
    let requested = |what| format!("INFO {what} requested by uid {uid}");
    logged(
        &sandbox,
        &[
            "INFO daemonizing the process",
            "INFO daemon manager started",
            "INFO spawned process pid=A",
            "INFO process pid=A is up",
            "DEBUG controlled process A exited",
            "INFO pid A: terminated by SIGKILL",
            "INFO sleep 1 to avoid rapid restarts",
            "INFO spawned process pid=B",
            "INFO process pid=B is up",
            &requested("restart"),
            "DEBUG controlled process B exited",
            "INFO pid B: terminated by SIGTERM",
            "INFO spawned process pid=C",
            "INFO process pid=C is up",
            "INFO reopened transcript and event log",
            "INFO forwarded SIGUSR1 to pid C",
            "DEBUG controlled process C exited",
            "INFO pid C: terminated by SIGUSR1",
            "INFO sleep 1 to avoid rapid restarts",
            &requested("stop"),
            "INFO Exiting",
        ],
    );
}

/// spec F: the records of programs that do not stay, and of their end.
#[test]
fn the_log_tells_why_a_program_did_not_stay() {
    let sandbox = with_log("program sh -c 'exit 3'\nbackoff-limit 1\ndirectory work", PLAIN);
    sandbox.zd(&["start"]).exits(1);
    let begin = [
        "INFO daemonizing the process",
        "INFO set current directory: 'DIR/work'",
        "INFO daemon manager started",
    ];
    let quick = ["INFO spawned process pid=A", "DEBUG controlled process A exited"];
    let end =
        ["INFO pid A: exit status 3", "CRITICAL restarting too frequently; quit", "INFO Exiting"];
    logged(&sandbox, &[&begin[..], &quick, &end].concat());

    fs::remove_file(sandbox.path("ev")).expect("a log to remove");
    sandbox.zd(&["-x", "3", "start"]).exits(1);
    let end = ["INFO pid A: exit status 3; exiting now", "INFO Exiting"];
    logged(&sandbox, &[&begin[..], &quick, &end].concat());

    fs::remove_file(sandbox.path("ev")).expect("a log to remove");
    sandbox.script("garbage", "exit 0");
    without_forks(|| sandbox.file("garbage", "#!/no/such/interpreter\n"));
    sandbox.zd(&["-p", "./garbage", "start"]).exits(1);
    let why = "garbage': [Errno 2] No such file or directory";
    assert_eq!(count(&sandbox.read("ev"), why), 1, "{}", sandbox.read("ev"));
}

/// spec F: a start test tells each of its results.
#[test]
fn the_log_tells_the_results_of_start_tests() {
    let sandbox = with_log("program sleep 1000\nstart-test-program ./test", PLAIN);
    sandbox.script("test", "test -e passed && exit 0\n: >passed\nexit 1");
    sandbox.zd(&["start"]).exits(0);
    sandbox.zd(&["stop"]).exits(0);
    let log = sandbox.read("ev");
    assert_eq!(count(&log, "DEBUG start test failed"), 1, "{log}");
    assert_eq!(count(&log, "DEBUG start test succeeded"), 1, "{log}");
}

/// spec F and D.10: a signal that ends the daemon manager is told, and at which
/// level a stop that needed SIGKILL is.
#[test]
fn the_log_tells_signals_and_hard_stops() {
    let runner = "program ./stubborn\nsettle-time 0\nstop-timeout 1\nstart-test-program test -e up";
    let sandbox = with_log(runner, PLAIN);
    sandbox.script("stubborn", "trap '' TERM\n: >up\nwhile :; do sleep 1000; done");
    sandbox.zd(&["start"]).exits(0);
    send_signal(sandbox.supervisor(), Signal::SIGTERM);
    wait_until("the end", || count(&sandbox.read("ev"), "INFO Exiting") == 1);
    let log = with_letters(&sandbox.read("ev"));
    for (line, times) in [
        ("INFO daemon manager killed by SIGTERM", 1),
        ("WARNING pid A did not end within stop-timeout; sending SIGKILL", 1),
        ("INFO pid A: terminated by SIGKILL", 1),
    ] {
        assert_eq!(count(&log, line), times, "{line} in {log}");
    }
    wait_until("the socket to go", || !sandbox.path("zdsock").exists());
}

/// spec C.7: the event log in the runner is the one, if there are two.
#[test]
fn an_event_log_in_the_runner_beats_the_one_beside_it() {
    for kind in ["eventlog", "logger"] {
        let inner = format!("<{kind} x>\n<logfile>\npath inner\n</logfile>\n</{kind}>");
        let outer = "<logfile>\npath outer\n</logfile>";
        let sandbox = with_log(&format!("program true\nbackoff-limit 1\n{inner}"), outer);
        sandbox.zd(&["start"]);
        assert!(sandbox.read("inner").contains("daemon manager started"));
        assert!(!sandbox.path("outer").exists());
    }
}

/// Whatever the C library thinks of names that are not its own.
#[test]
fn records_are_stamped_in_the_time_zone_of_whoever_starts() {
    for (zone, shown) in
        [("<+03>-3", "+0300 +03\n"), ("XST4:30", "-0430 XST\n"), ("", "+0000 UTC\n")]
    {
        let log = "<logfile>\npath ev\nformat %(asctime)s\ndateformat %z %Z\n</logfile>";
        let sandbox = with_log("program true\nbackoff-limit 1", log);
        let mut command = sandbox.command(binary());
        sandbox.finish(command.args(["-C", "app.conf", "start"]).env("TZ", zone));
        let text = sandbox.read("ev");
        assert!(text.starts_with(shown), "{zone}: {text}");
    }
}

/// spec C.11: the default layout to the byte, and the other ones.
#[test]
fn records_have_the_layout_that_was_asked_for() {
    let layouts = [
        "",
        "format %(levelname)-8s|%(name)s|%(levelno)03d|%(message)s",
        "style format\nformat [{levelname:>8}] {message}",
        "style template\nformat $$levelname/$${name} $$$$5 $$message",
        "style safe-template\nformat $$levelname $$nosuch $$message",
        "format %(asctime)s %(message)s\ndateformat %Y/%m",
        "format a\\tb\\n%(message)s",
        "format %(nosuch)s %(message)s\narbitrary-fields yes",
    ];
    let handlers: String = layouts
        .iter()
        .enumerate()
        .map(|(number, lines)| {
            format!("<logfile f{number}>\npath ev{number}\n{lines}\n</logfile>\n")
        })
        .collect();
    let sandbox = with_log("program true\nbackoff-limit 1", &handlers);
    sandbox.zd(&["start"]);
    let first = |number: usize, lines: usize| -> String {
        let text = sandbox.read(&format!("ev{number}"));
        text.split_inclusive('\n').take(lines).collect()
    };
    let (rule, record) = (first(0, 1), first(0, 2).split_off(7));
    assert_eq!(rule, "------\n");
    let (stamp, text) = record.split_at(19);
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(
        (shape.as_str(), text),
        ("0000-00-00T00:00:00", " INFO root daemonizing the process\n")
    );
    assert_eq!(first(1, 1), "INFO    |root|020|daemonizing the process\n");
    assert_eq!(first(2, 1), "[    INFO] daemonizing the process\n");
    assert_eq!(first(3, 1), "INFO/root $5 daemonizing the process\n");
    assert_eq!(first(4, 1), "INFO $nosuch daemonizing the process\n");
    assert_eq!(first(5, 1), format!("{} daemonizing the process\n", stamp[..7].replace('-', "/")));
    assert_eq!(first(6, 2), "a\tb\ndaemonizing the process\n");
    assert!(first(7, 1).ends_with(" daemonizing the process\n"));
}

/// spec C.10: several handlers at once, each with its level; all names and both
/// scales of levels.
#[test]
fn each_handler_keeps_the_records_of_its_level() {
    let levels = [
        ("debug", 3),
        ("trace", 3),
        ("all", 3),
        ("notset", 3),
        ("-200", 3),
        ("10", 3),
        ("", 3),
        ("info", 2),
        ("INFO", 2),
        ("20", 2),
        ("blather", 2),
        ("-100", 2),
        ("15", 2),
        ("warn", 1),
        ("warning", 1),
        ("problem", 1),
        ("30", 1),
        ("100", 1),
        ("error", 1),
        ("40", 1),
        ("200", 1),
        ("critical", 1),
        ("fatal", 1),
        ("panic", 1),
        ("50", 1),
        ("300", 1),
    ];
    let handlers: String = levels
        .iter()
        .enumerate()
        .map(|(number, (level, _))| {
            let level = if level.is_empty() { String::new() } else { format!("level {level}") };
            format!("<logfile>\npath ev{number}\n{level}\n</logfile>\n")
        })
        .collect();
    let sandbox =
        with_log("program true\nexit-codes\nbackoff-limit 1", &format!("level all\n{handlers}"));
    sandbox.zd(&["start"]);
    for (number, (level, kinds)) in levels.iter().enumerate() {
        let text = sandbox.read(&format!("ev{number}"));
        let seen = [" CRITICAL ", " INFO ", " DEBUG "].map(|kind| text.contains(kind));
        assert_eq!(seen.iter().filter(|seen| **seen).count(), *kinds, "{level:?}: {text}");
        assert!(seen.is_sorted_by(|a, b| a >= b), "{level:?}: {text}");
    }
}

/// spec C.11: STDOUT and STDERR are the caller's until the daemon manager is a
/// daemon, then the transcript; without a daemon, the caller's all the time.
#[test]
fn the_standard_streams_lead_to_the_caller_and_then_to_the_transcript() {
    let handler = |path| format!("<logfile>\npath {path}\nformat {path} %(message)s\n</logfile>");
    let log = format!("{}\n{}", handler("STDOUT"), handler("STDERR"));
    let runner = "program sh -c 'exit 3'\nbackoff-limit 1\ntranscript out\nsettle-time 0.2";
    let sandbox = with_log(runner, &log);
    let output = sandbox.zd(&["start"]).exits(1);
    assert_eq!(output.stdout, "STDOUT daemonizing the process\n\ndaemon manager not running\n");
    assert!(output.stderr.starts_with("STDERR daemonizing the process\n"), "{output:?}");
    assert_eq!(count(&output.stderr, "STDERR"), 1, "{output:?}");
    let after = sandbox.read("out");
    assert!(after.starts_with("STDOUT daemon manager started\nSTDERR daemon manager started\n"));
    assert_eq!((count(&after, "STDOUT Exiting"), count(&after, "STDERR Exiting")), (1, 1));

    let output = sandbox.zd(&["-X", "runner/daemon=off", "start"]);
    assert!(output.stdout.starts_with("STDOUT daemon manager started\n"), "{output:?}");
    assert!(output.stderr.starts_with("STDERR daemon manager started\n"), "{output:?}");
    assert!(output.stdout.ends_with("STDOUT Exiting\n"), "{output:?}");
}

/// spec C.10: "No eventlog at all → messages of WARNING and above go to the
/// mgr's stderr as bare text, i.e. into the transcript". An empty one is silent.
#[test]
fn without_an_event_log_grave_records_stand_in_the_transcript() {
    let sandbox =
        Sandbox::with_runner("program sh -c 'echo out; exit 3'\nbackoff-limit 1\ntranscript out");
    sandbox.zd(&["start"]).exits(1);
    assert_eq!(sandbox.read("out"), "out\nrestarting too frequently; quit\n");
    let sandbox = with_log("program sh -c 'echo out; exit 3'\nbackoff-limit 1\ntranscript out", "");
    sandbox.zd(&["start"]).exits(1);
    assert_eq!(sandbox.read("out"), "out\n");
}

/// spec C.13 and "unsupported handlers warned of once": by the command, not by
/// the daemon manager too, and the rest of the log works.
#[test]
fn an_unsupported_handler_is_warned_of_once() {
    let handlers = "<http-logger>\nurl http://x/\n</http-logger>\n<email-notifier x>\n</email-notifier>\n\
                    <win32-eventlog/>\n<logfile>\npath STDERR\n</logfile>";
    let sandbox = with_log("program sleep 1000\nsettle-time 0\ntranscript out", handlers);
    let output = sandbox.zd(&["start"]).exits(0);
    for (line, handler) in [(7, "http-logger"), (10, "email-notifier"), (12, "win32-eventlog")] {
        let place = format!("{}:{line}: ", sandbox.path("app.conf").display());
        let warning = format!("{place}the handler {handler} is not supported and is ignored\n");
        assert_eq!(output.stderr.matches(&warning).count(), 1, "{output:?}");
    }
    sandbox.zd(&["stop"]).exits(0);
    let transcript = sandbox.read("out");
    assert!(
        transcript.contains("Exiting") && !transcript.contains("not supported"),
        "{transcript}"
    );
    sandbox.file(
        "app.conf",
        "<runner>\nprogram true\n</runner>\n<eventlog>\n<nosuch/>\n</eventlog>\n",
    );
    sandbox.zd(&["status"]).exits(2).complains("app.conf:5: unknown type name: 'nosuch'");
}

/// "every `<logfile>` and `<syslog>` key has a test for a good and a bad value";
/// each bad one is an error with its line, told before anything is started.
#[test]
fn every_key_of_a_handler_takes_a_good_value_and_refuses_a_bad_one() {
    let cases = [
        ("logfile", "path ev", "path", "'path' is empty"),
        ("logfile", "level error", "level grave", "unknown log level: 'grave'"),
        ("logfile", "level -300", "level 51", "log level not in range: 51"),
        ("logfile", "format %(message)s", "format %(nosuch)s", "unknown format field: 'nosuch'"),
        ("logfile", "format x%%y", "format %(message", "malformed format at"),
        ("logfile", "dateformat %H", "dateformatt %H", "'dateformatt' is not a known key name"),
        ("logfile", "style classic", "style baroque", "unknown style: 'baroque'"),
        ("logfile", "arbitrary-fields on", "arbitrary-fields 1", "not a valid boolean value: '1'"),
        ("logfile", "formatter a.b.C", "formatters x", "'formatters' is not a known key name"),
        ("logfile", "max-size 5 kB\nold-files 2", "max-size 5TB", "invalid value for max-size"),
        ("logfile", "when MIDNIGHT\nold-files 1", "when NOON", "invalid value for when: 'NOON'"),
        ("logfile", "when w6\nold-files 1\ninterval 2", "interval x", "invalid value for interval"),
        ("logfile", "old-files 0", "old-files -1", "invalid value for old-files: '-1'"),
        ("logfile", "max-size 0", "max-size 5MB", "old-files must be set for log rotation"),
        ("logfile", "old-files 0", "old-files 3", "max-bytes or when must be set"),
        ("logfile", "delay true", "delay maybe", "not a valid boolean value: 'maybe'"),
        ("logfile", "encoding latin-1", "encodings x", "'encodings' is not a known key name"),
        ("syslog", "address 127.0.0.1:9", "address a:b", "invalid syslog address: 'a:b'"),
        ("syslog", "address /no/log", "address :0", "invalid syslog address: ':0'"),
        ("syslog", "facility LOCAL7", "facility local8", "unknown syslog facility: 'local8'"),
        ("syslog", "format %(message)s", "format %q", "malformed format at"),
        ("syslog", "level info", "level 301", "log level not in range: 301"),
        ("syslog", "style format", "style x", "unknown style: 'x'"),
    ];
    let sandbox = Sandbox::new();
    for (handler, good, bad, complaint) in cases {
        let has_path = handler == "syslog" || good.starts_with("path");
        for (lines, is_good) in [(good, true), (bad, false)] {
            let path = if has_path { "" } else { "path ev" };
            sandbox.file("app.conf", &format!(
                "<eventlog>\n<{handler}>\n{path}\n{lines}\n</{handler}>\n</eventlog>\n<runner>\nprogram true\n</runner>\n"
            ));
            let output = sandbox.zd(&["help"]);
            if is_good {
                output.exits(0);
            } else {
                let place = format!("Error: {}:4: ", sandbox.path("app.conf").display());
                let line = format!("{place}{complaint}");
                let output = output.exits(2);
                assert!(output.stderr.starts_with(&line), "expected {line:?} in {output:?}");
            }
        }
    }
}
