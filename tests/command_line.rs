use crate::harness::{Output, Sandbox, binary, exists};

/// The whole of standard error for a wrong command line; exit status 2, nothing
/// on standard output, nothing started.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], what: &str) {
    let output = sandbox.run(arguments).exits(2);
    let expected = format!("Error: {what}\nFor help, use {} -h\n", binary().display());
    assert_eq!(output.stderr, expected, "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    assert!(!exists(&sandbox.path("zdsock")), "something was started by {output:?}");
}

#[track_caller]
fn shown(output: &Output, label: &str) -> String {
    let mut lines = output.stdout.lines();
    let value = lines.find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {label} in {output:?}")).trim().to_string()
}

/// B.1: the texts of a wrong command line, to the byte.
#[test]
fn a_wrong_command_line_is_refused_with_the_text_that_users_know() {
    let sandbox = Sandbox::new();
    for (arguments, what) in [
        (&["-q", "start"][..], "option -q not recognized"),
        (&["-dqf", "start"], "option -q not recognized"),
        (&["--bogus", "start"], "option --bogus not recognized"),
        (&["--hang-around", "start"], "option --hang-around not recognized"),
        (&["--s", "start"], "option --s not a unique prefix"),
        (&["--st=5", "start"], "option --st not a unique prefix"),
        (&["-p"], "option -p requires argument"),
        (&["--program"], "option --program requires argument"),
        (&["-dfp"], "option -p requires argument"),
        (&["--help=x"], "option --help must not have an argument"),
        (&["--forever=yes"], "option --forever must not have an argument"),
        (&["-p", "true", "-b", "5", "-b", "6", "start"], "conflicting command line option '-b'"),
        (
            &["-b5", "--backoff-limit=6", "start"],
            "conflicting command line option '--backoff-limit'",
        ),
        (&["-C", "a", "-C", "b", "start"], "conflicting command line option '-C'"),
        (&["-p", "true", "-p", "true x", "start"], "conflicting command line option '-p'"),
        (&["start"], "no program specified; use -p or -C"),
        (&["restart"], "no program specified; use -p or -C"),
        (&["fg"], "no program specified; use -p or -C"),
        (&["foreground", "x"], "no program specified; use -p or -C"),
    ] {
        refused(&sandbox, arguments, what);
    }
}

/// "every option's bad value gives `Error:` with the option", in the option's
/// own spelling, short or long.
#[test]
fn every_option_refuses_a_bad_value() {
    let int = |text| format!("invalid literal for int() with base 10: '{text}'");
    let sandbox = Sandbox::new();
    let seconds = |text| format!("'{text}' is no length of time; expected seconds, 0 or more");
    for (short, long, value, why) in [
        ("-p", "--program", "'x", "unbalanced quote".to_string()),
        ("-b", "--backoff-limit", "foo", int("foo")),
        ("-x", "--exit-codes", "0 2", int("0 2")),
        ("-m", "--umask", "9", "invalid literal for int() with base 8: '9'".into()),
        ("-T", "--start-timeout", "foo", seconds("foo")),
        ("", "--stop-timeout", "-1", seconds("-1")),
        ("", "--settle-time", "x", seconds("x")),
        ("", "--start-test-program", "\"x", "unbalanced quote".into()),
    ] {
        for option in [short, long].into_iter().filter(|option| !option.is_empty()) {
            let output = sandbox.run(&[option, value, "-p", "sleep 5", "start"]).exits(2);
            let shown =
                if value.contains('\'') { format!("\"{value}\"") } else { format!("'{value}'") };
            let expected = format!("Error: invalid value for {option} {shown}: {why}");
            assert!(output.stderr.starts_with(&expected), "expected {expected:?} in {output:?}");
            let help = format!("\nFor help, use {} -h\n", binary().display());
            assert!(output.stderr.ends_with(&help), "{output:?}");
        }
    }
    refused(
        &sandbox,
        &["-p", "true", "-s", "/no/such/place/sock", "start"],
        "The directory named as part of the path /no/such/place/sock does not exist.",
    );
    let what = "/no/such/place is not an existing directory";
    refused(&sandbox, &["-p", "true", "-z", "/no/such/place", "start"], what);
}

/// B.1, B.6: whoever may not become another user is told so.
#[test]
fn an_unknown_or_forbidden_user_is_refused() {
    let sandbox = Sandbox::new();
    if !crate::harness::is_root() {
        let what = "only root can use -u USER to change users";
        return refused(&sandbox, &["-p", "true", "-u", "root", "start"], what);
    }
    refused(&sandbox, &["-p", "true", "-u", "no-such", "start"], "username 'no-such' not found");
    refused(&sandbox, &["-p", "true", "-u", "99999", "start"], "uid '99999' not found");
}

/// B.1: an earlier bad option wins over help, help over a later one.
#[test]
fn help_and_version_act_where_they_stand_and_need_no_configuration() {
    let sandbox = Sandbox::new();
    for arguments in [&["-h"][..], &["--help"], &["-h", "-q"], &["-C", "nosuch", "--he"]] {
        let output = sandbox.run(arguments).exits(0);
        assert!(output.stdout.contains("Usage: ") && output.stderr.is_empty(), "{output:?}");
    }
    for arguments in [&["--version"][..], &["--vers"], &["-C", "nosuch", "--version", "-q"]] {
        let output = sandbox.run(arguments).exits(0);
        assert_eq!(output.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
    }
    refused(&sandbox, &["-q", "-h"], "option -q not recognized");
    refused(
        &sandbox,
        &["-b", "-h"],
        "invalid value for -b '-h': invalid literal for int() with \
             base 10: '-h'; expected a whole number",
    );
}

/// B.1: bundles, values in the same word, cut long names.
#[test]
fn options_may_be_bundled_and_cut() {
    let sandbox = Sandbox::new();
    sandbox.file("conf", "<runner>\nprogram sleep 1\ndaemon off\n</runner>\n");
    for arguments in [
        &["-dfCconf", "-b5", "show"][..],
        &["-dfC", "conf", "-b", "5", "show"],
        &["--dae", "--fore", "--configuration=conf", "--back=+5", "show"],
        &["--daemon", "--forever", "--conf", "conf", "--backoff-limit", "5", "--", "show"],
    ] {
        let output = sandbox.run(arguments).exits(0);
        assert_eq!(shown(&output, "daemon"), "True", "{output:?}");
        assert_eq!(shown(&output, "forever"), "True", "{output:?}");
        assert_eq!(shown(&output, "backofflimit"), "5", "{output:?}");
        assert_eq!(shown(&output, "program"), "['sleep', '1']", "{output:?}");
    }
    let output = sandbox.run(&["-p=x", "show"]).exits(0);
    assert_eq!(shown(&output, "program"), "['=x']");
}

/// B.3: the command line beats the file; the same thing twice is no conflict.
#[test]
fn the_command_line_beats_the_file_and_may_repeat_itself() {
    let sandbox = Sandbox::with_runner("program sleep 1\nbackoff-limit 3\nexit-codes 7\numask 077");
    let dotted = sandbox.path("./app.conf").display().to_string();
    let output = sandbox.zd(&[
        "-C",
        "./app.conf",
        "-C",
        &dotted,
        "-b",
        "5",
        "--backoff-limit=+5",
        "-x",
        "",
        "-x",
        "",
        "-s",
        "sock",
        "-s",
        "./sock",
        "-f",
        "-f",
        "-d",
        "-p",
        "sleep  2",
        "-p",
        "sleep 2",
        "-S",
        "a",
        "-S",
        "b",
        "-m",
        "22",
        "-m",
        "022",
        "show",
    ]);
    let output = output.exits(0);
    for (label, value) in [
        ("backofflimit", "5"),
        ("exitcodes", "[]"),
        ("program", "['sleep', '2']"),
        ("umask", "0o22"),
    ] {
        assert_eq!(shown(&output, label), value);
    }
}

/// B.1: whatever follows the action is the program's, also what looks like an
/// option or `--`.
#[test]
fn options_end_at_the_action() {
    let sandbox = Sandbox::new();
    let echo = |arguments: &[&str]| sandbox.run(&[&["-p", "echo a"], arguments].concat()).exits(0);
    let output = echo(&["fg", "-C", "x", "--", "-h", "two  words"]);
    assert_eq!(output.stdout, "echo a -C x -- -h two  words\na -C x -- -h two  words\n");
    assert_eq!(echo(&["--", "fg", "--version"]).stdout, "echo a --version\na --version\n");
}

/// A.0: what needs no program works without one; what the original joined by
/// accident is an unknown action.
#[test]
fn commands_that_need_no_program_work_without_one() {
    let sandbox = Sandbox::new();
    for (arguments, status, text) in [
        (&["help"][..], 0, "Documented commands"),
        (&["help", "start"], 0, "start -- Start the daemon process."),
        (&["?"], 0, "Documented commands"),
        (&["?stop"], 0, "stop -- "),
        (&["?", "stop"], 0, "stop -- "),
        (&["help", "nosuch"], 0, "*** No help on nosuch\n"),
        (&["show"], 0, "program:      None"),
        (&["status"], 3, "daemon manager not running\n"),
        (&[""], 3, "daemon manager not running\n"),
        (&["status", "-x"], 1, "status argument must be absent or -l\n"),
        (&["stop"], 0, "daemon manager not running\n"),
        (&["wait"], 0, "\ndaemon process stopped\ndaemon manager not running\n"),
        (&["kill"], 0, "daemon process not running\n"),
        (&["kill", "ded"], 0, "invalid signal 'ded'\n"),
        (&["reopen_transcript"], 0, "daemon manager not running\n"),
        (&["logreopen"], 0, "daemon manager not running\ndaemon process not running\n"),
        (&["quit"], 0, "daemon manager not running\n"),
        (&["EOF"], 0, "\n"),
        (&["shell", "echo", "hi", "there"], 0, "hi there\n"),
        (&["!echo", "$((1+1))"], 0, "2\n"),
        (&["shell", "exit 7"], 7, ""),
        (&["reload"], 0, "Configuration reloaded without a config file\n"),
        (&["bogus", "x  y"], 2, "*** Unknown syntax: bogus x  y\n"),
        (&["status-l"], 2, "*** Unknown syntax: status-l\n"),
        (&["START"], 2, "*** Unknown syntax: START\n"),
    ] {
        let output = sandbox.run(arguments).exits(status);
        assert!(output.stderr.is_empty(), "{output:?}");
        let whole = text.ends_with('\n');
        let fits = if whole { output.stdout == text } else { output.stdout.contains(text) };
        assert!(fits, "expected {text:?} in {output:?}");
    }
    assert!(sandbox.visible_files().is_empty());
}
