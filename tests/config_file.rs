use std::fs;

use crate::harness::{Output, Sandbox, binary, exists, skip, wait_until};

/// The one form of a complaint: where, what, and how to get help; exit status 2,
/// and nothing has been started or made.
#[track_caller]
fn complaint(sandbox: &Sandbox, output: Output, place: &str, what: &str) {
    let expected = format!("Error: {}{what}", place.replace("DIR", &directory(sandbox)));
    let output = output.exits(2);
    assert!(output.stderr.starts_with(&expected), "expected {expected:?} in {output:?}");
    let help = format!("\nFor help, use {} -h\n", binary().display());
    assert!(output.stderr.ends_with(&help), "no offer of help in {output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    assert!(!exists(&sandbox.path("zdsock")), "something was started by {output:?}");
}

/// Each text is a whole file that `start` refuses with this complaint of `line`.
#[track_caller]
fn refused(files: &[(&str, usize, &str)]) {
    let sandbox = Sandbox::new();
    for (text, line, what) in files {
        sandbox.file("app.conf", text);
        complaint(&sandbox, sandbox.zd(&["start"]), &format!("DIR/app.conf:{line}: "), what);
    }
}

fn directory(sandbox: &Sandbox) -> String {
    sandbox.path("").display().to_string().trim_end_matches('/').to_string()
}

/// What `show options` says behind a label.
fn shown(output: &Output, label: &str) -> String {
    let mut lines = output.stdout.lines();
    let value = lines.find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {label} in {output:?}")).trim().to_string()
}

#[track_caller]
fn program_of(text: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.file("app.conf", text);
    shown(&sandbox.zd(&["show"]).exits(0), "program")
}

/// Key, good value, label in `show`, value in `show`.
const GOOD: &[(&str, &str, &str, &str)] = &[
    ("program", "sleep 10", "program", "['sleep', '10']"),
    ("python", "/no/such/python", "python", "'/no/such/python'"),
    ("zdrun", "/no/such/zdrun.py", "zdrun", "'/no/such/zdrun.py'"),
    ("socket-name", "run/sock", "sockname", "'DIR/run/sock'"),
    ("daemon", "OFF", "daemon", "False"),
    ("forever", "Yes", "forever", "True"),
    ("hang-around", "true", "hang_around", "True"),
    ("default-to-interactive", "no", "default_to_interactive", "False"),
    ("directory", "sub", "directory", "'DIR/sub'"),
    ("backoff-limit", "+7", "backofflimit", "7"),
    ("exit-codes", "1, 3 ,-1", "exitcodes", "[1, 3, -1]"),
    ("start-test-program", "true 'a b'", "starttest", "['true', 'a b']"),
    ("start-timeout", "17", "starttimeout", "17"),
    ("stop-timeout", "0", "stoptimeout", "0"),
    ("settle-time", "0.25", "settletime", "0.25"),
    ("user", "nobody", "user", "'nobody'"),
    ("umask", "0o27", "umask", "0o27"),
    ("logfile", "app.log", "logfile", "'DIR/app.log'"),
    ("transcript", "~/out", "transcript", "'/home/of/test/out'"),
    ("pid-file", "app.pid", "pidfile", "'DIR/app.pid'"),
    ("prompt", "ready>", "prompt", "'ready>'"),
];

/// "All `<runner>` keys": each good value arrives, and no key is left out here.
#[test]
fn every_runner_key_takes_a_good_value() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("home/out")).expect("a home");
    let home = sandbox.path("home").display().to_string();
    let mut labels = vec!["schemafile", "configfile", "interactive"];
    sandbox.file("app.conf", "<runner>\nprogram true\n</runner>\n");
    let plain = sandbox.zd(&["show"]).exits(0).stdout;
    for (key, value, label, expected) in GOOD {
        let program = if *key == "program" { "" } else { "program true\n" };
        let upper = key.to_uppercase();
        sandbox.file("app.conf", &format!("<runner>\n{program}{upper} {value}\n</runner>\n"));
        let mut command = sandbox.command(binary());
        command.args(["-C", "app.conf", "show"]).env("HOME", &home);
        let output = sandbox.finish(&mut command).exits(0);
        let expected = expected.replace("DIR", &directory(&sandbox));
        assert_eq!(shown(&output, label), expected.replace("/home/of/test", &home), "{key}");
        let others = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with(label)).map(str::to_string).collect()
        };
        assert_eq!(others(&output.stdout), others(&plain), "{key} changed another option");
        labels.push(label);
    }
    let output = sandbox.zd(&["show"]).exits(0);
    let told = output.stdout.lines().skip(1).filter_map(|line| line.split(':').next());
    let untested: Vec<&str> = told.filter(|label| !labels.contains(label)).collect();
    assert_eq!(untested, Vec::<&str>::new(), "keys without a good value in this test");
}

/// "`~user` at the start": the home of that user; what nobody is called stays.
#[test]
fn a_tilde_and_a_name_are_the_home_of_that_user() {
    let sandbox = Sandbox::new();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let root = passwd.lines().find(|line| line.starts_with("root:"));
    let Some(home) = root.and_then(|line| line.split(':').nth(5)) else {
        return skip("root has no home here");
    };
    let nobodys = format!("'{}/~no-such-user'", directory(&sandbox));
    let cases = [("~root/out", format!("'{home}/out'")), ("~no-such-user", nobodys)];
    for (given, expected) in cases {
        sandbox.file("app.conf", &format!("<runner>\nprogram true\nlogfile {given}\n</runner>\n"));
        assert_eq!(shown(&sandbox.zd(&["show"]).exits(0), "logfile"), expected);
    }
}

/// "every option's bad value gives `Error:` with the option or file and line, exit 2"
#[test]
fn every_runner_key_refuses_a_bad_value() {
    let int = |text: &str| format!("invalid literal for int() with base 10: '{text}'");
    let octal = |text: &str| format!("invalid literal for int() with base 8: '{text}'");
    let no_directory =
        |path: &str| format!("The directory named as part of the path {path} does not exist.");
    let boolean = |text: &str| format!("not a valid boolean value: '{text}'");
    let bad = [
        ("program sleep 'a b", "unbalanced quote".to_string()),
        ("program sleep \"a b", "unbalanced quote".to_string()),
        ("program sleep \\", "a backslash at the end quotes nothing".to_string()),
        ("program", "no values for 'program'; 1 required".to_string()),
        ("start-test-program 'x", "unbalanced quote".to_string()),
        ("socket-name /no/such/sock", no_directory("/no/such/sock")),
        ("daemon 1", boolean("1")),
        ("forever maybe", boolean("maybe")),
        ("hang-around", boolean("")),
        ("default-to-interactive y", boolean("y")),
        ("directory /no/such/place", "/no/such/place is not an existing directory".into()),
        ("directory /dev/null", "/dev/null is not an existing directory".into()),
        ("backoff-limit foo", int("foo")),
        ("backoff-limit -1", "'-1' is out of range".into()),
        ("backoff-limit 1.5", int("1.5")),
        ("exit-codes 0 2", int("0 2")),
        ("exit-codes 0,,2", int("0,,2")),
        ("start-timeout -3", "'-3' is no length of time".into()),
        ("stop-timeout soon", "'soon' is no length of time".into()),
        ("settle-time 1e3", "'1e3' is no length of time".into()),
        ("umask 8", octal("8")),
        ("umask -1", octal("-1")),
        ("umask 1000", "'1000' is out of range".into()),
        ("logfile /no/such/log", no_directory("/no/such/log")),
        ("transcript /no/such/log", no_directory("/no/such/log")),
        ("nosuch x", "'nosuch' is not a known key name".into()),
        ("socket_name x", "'socket_name' is not a known key name".into()),
        ("1foo x", "value did not match regular expression: '1foo'".into()),
    ];
    let sandbox = Sandbox::new();
    for (line, what) in &bad {
        let program = if line.starts_with("program") { "" } else { "program true" };
        sandbox.file("app.conf", &format!("<runner>\n{program}\n{line}\n</runner>\n"));
        // What is missing is told at the section.
        let number = if *line == "program" { 1 } else { 3 };
        let place = format!("DIR/app.conf:{number}: ");
        complaint(&sandbox, sandbox.zd(&["start"]), &place, what);
    }
}

/// "`user NAME`": who is not in the passwd file cannot be become, and the line
/// that asks for it is told.
#[test]
fn an_unknown_user_is_refused_at_its_line() {
    if !crate::harness::is_root() {
        return crate::harness::skip("only root may become anybody");
    }
    let sandbox = Sandbox::with_runner("program true\nuser no-such-user");
    let output = sandbox.zd(&["start"]);
    complaint(&sandbox, output, "DIR/app.conf:3: ", "username 'no-such-user' not found");
    sandbox.file("app.conf", "<runner>\nprogram true\nuser 99999\n</runner>\n");
    complaint(&sandbox, sandbox.zd(&["start"]), "DIR/app.conf:3: ", "uid '99999' not found");
}

/// spec C.1 to C.3 and C.6: lines, sections and keys.
#[test]
fn malformed_sections_and_lines_are_refused_with_their_line() {
    refused(&[
        ("<runner>\nprogram x\n</runner> more\n", 3, "malformed section end"),
        ("<runner> more\nprogram x\n</runner>\n", 1, "malformed section start"),
        ("<runner a b>\nprogram x\n</runner>\n", 1, "malformed section header"),
        ("<runner\nprogram x\n</runner>\n", 1, "malformed section start"),
        ("</runner>\n", 1, "unexpected section end"),
        ("<runner>\nprogram x\n</eventlog>\n", 3, "unbalanced section end"),
        ("<runner>\nprogram x\n", 1, "unclosed sections not allowed"),
        ("<runner>\n(program x\n</runner>\n", 2, "malformed configuration data"),
        ("# nothing\n", 1, "no values for section type 'runner'; 1 required"),
        ("<runner/>\n", 1, "no values for 'program'; 1 required"),
        ("program x\n<runner>\nprogram x\n</runner>\n", 1, "'program' is not a known key name"),
        ("<runner>\nprogram x\nprogram x\n</runner>\n", 3, "'program' does not support multiple"),
        (
            "<runner>\nprogram x\n</runner>\n<runner>\nprogram x\n</runner>\n",
            4,
            "too many instances of 'runner' section",
        ),
        ("<runner>\nprogram x\n</runner>\n<eventlog/>\n<eventlog/>\n", 5, "too many instances of"),
        (
            "<runner a>\nprogram x\n</runner>\n<environment A>\n</environment>\n",
            4,
            "section names must not be re-used within the same container:'a'",
        ),
        ("<runner>\nprogram x\n<filter>\n</filter>\n</runner>\n", 3, "unknown type name: 'filter'"),
    ]);
}

/// spec C.4 and C.5: directives and substitution.
#[test]
fn bad_directives_and_substitutions_are_refused_with_their_line() {
    refused(&[
        ("%\n", 1, "missing or unrecognized directive"),
        ("\n%foo x\n", 2, "unknown directive: 'foo'"),
        ("%define\n", 1, "missing argument to %define directive"),
        ("%define 1a x\n", 1, "not a substitution legal name: '1a'"),
        ("%define a x\n%define A y\n", 2, "cannot redefine 'A'"),
        ("%include\n", 1, "missing argument to %include directive"),
        ("%include http://x/y\n", 1, "unable to include"),
        ("%include nosuch.conf\n", 1, "error opening file "),
        ("%include .\n", 1, "error opening file "),
        ("%include app.conf\n", 1, "unable to include"),
        ("<runner>\nprogram $FOO\n</runner>\n", 2, "no replacement for 'FOO'"),
        ("<runner>\nprogram $(ZD_NOT_SET)\n</runner>\n", 2, "no replacement for 'ZD_NOT_SET'"),
        ("<runner>\nprogram x$\n</runner>\n", 2, "illegal lone '$' at end of source"),
        ("<runner>\nprogram $1\n</runner>\n", 2, "'$' not followed by '$' or name"),
        ("<runner>\nprogram ${1}\n</runner>\n", 2, "'${' not followed by name"),
        ("<runner>\nprogram ${a\n</runner>\n", 2, "'${a' not followed by '}'"),
        ("<runner>\nprogram $(A\n</runner>\n", 2, "'$(A' not followed by ')'"),
    ]);
}

/// spec C.9: the environment section.
#[test]
fn a_bad_environment_section_is_refused_with_its_line() {
    let runner = "<runner>\nprogram x\n</runner>\n";
    for (lines, line, what) in [
        ("A 1\nA 2", 6, "too many values for 'A'"),
        ("A=1 2", 5, "an environment variable's name cannot contain '='"),
        ("<x>\n</x>", 5, "unknown type name: 'x'"),
    ] {
        refused(&[(&format!("{runner}<environment>\n{lines}\n</environment>\n"), line, what)]);
    }
}

/// spec C.1: what is no text is told with its line, a BOM and CRLF do no harm.
#[test]
fn bytes_that_are_no_text_are_refused_and_bom_and_crlf_are_accepted() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("app.conf"), b"<runner>\n# ok\nprogram \xff\n</runner>\n")
        .expect("file");
    let what = "byte 0xff is not UTF-8 text";
    complaint(&sandbox, sandbox.zd(&["start"]), "DIR/app.conf:3: ", what);
    let text = "\u{feff}<runner>\r\n  program sleep 1  \r\n</runner>\r\n";
    assert_eq!(program_of(text), "['sleep', '1']");
}

/// spec C.5: a file that cannot be read is told, whatever the reason.
#[test]
fn a_missing_file_is_an_error() {
    let sandbox = Sandbox::new();
    for (file, number, reason) in
        [("nosuch", 2, "No such file or directory"), (".", 21, "Is a directory")]
    {
        let output = sandbox.run(&["-C", file, "start"]);
        let what = format!("[Errno {number}] {reason}: ");
        assert!(output.stderr.contains(&what), "{output:?}");
        complaint(&sandbox, output, "error opening file DIR/", "");
    }
}

/// spec C.14: the example that covers the grammar.
#[test]
fn the_example_of_the_documents_is_understood() {
    let sandbox = Sandbox::new();
    let home = directory(&sandbox);
    sandbox.file("limits.inc", "backoff-limit 4\n");
    let text = include_str!("../src/config/zconfig/tests/example.conf").replace("/srv/app", &home);
    sandbox.file("app.conf", &text);
    let output = sandbox.zd(&["show"]).exits(0).complains("a word '#'");
    let program = format!("['{home}/bin/server', '-c', 'two words', '#', 'not', 'a', 'comment']");
    for (label, expected) in [
        ("program", program.as_str()),
        ("sockname", &format!("'{home}/run/zdsock'")),
        ("directory", &format!("'{home}'")),
        ("exitcodes", "[0, 2]"),
        ("umask", "0o27"),
        ("backofflimit", "4"),
        ("configfile", &format!("'{home}/app.conf'")),
    ] {
        assert_eq!(shown(&output, label), expected);
    }
}

/// spec C.4: names, environment variables and dollar signs in values.
#[test]
fn names_and_variables_are_substituted_once() {
    let text = "%define A one\n%define b ${a}-two\n%define A one\n%import some.package\n\
                <RUNNER Main>\nPROGRAM $B $$A $(ZDAEMON_TEST_SANDBOX) \\$$x\n</Runner >\n";
    let sandbox = Sandbox::new();
    sandbox.file("app.conf", text);
    let mut command = sandbox.command(binary());
    command.args(["-C", "app.conf", "show"]);
    let output = sandbox.finish(&mut command).exits(0);
    let mark = shown(&output, "program");
    assert!(mark.starts_with("['one-two', '$A', '") && mark.ends_with("', '$x']"), "{mark}");
}

/// spec C.4: an include counts from the file that it stands in.
#[test]
fn an_included_file_is_found_beside_the_including_one_and_blamed_by_its_own_lines() {
    let sandbox = Sandbox::with_runner("%include sub/inner.inc");
    fs::create_dir(sandbox.path("sub")).expect("a folder");
    sandbox.file("sub/inner.inc", "%include deep.inc\n");
    sandbox.file("sub/deep.inc", "program sleep 3\n");
    let output = sandbox.zd(&["show"]).exits(0);
    assert_eq!(shown(&output, "program"), "['sleep', '3']");
    sandbox.file("sub/deep.inc", "\nprogram x\numask 9\n");
    complaint(&sandbox, sandbox.zd(&["start"]), "DIR/sub/deep.inc:3: ", "invalid literal");
}

/// J.1: "quotes and spaces aren't handled" is over; what has none is untouched.
#[test]
fn program_words_are_grouped_as_in_a_shell() {
    for (value, expected) in [
        ("sh -c 'echo \"hi  there\"'", r#"['sh', '-c', 'echo "hi  there"']"#),
        (r#"a"b c"'d e'f\ g"#, "['ab cd ef g']"),
        (r#"x "" ''"#, "['x', '', '']"),
        (r"x a*b ~ ; | > `c`", "['x', 'a*b', '~', ';', '|', '>', '`c`']"),
    ] {
        let config = format!("<runner>\nprogram {value}\n</runner>\n");
        assert_eq!(program_of(&config), expected, "{value}");
    }
}

/// spec C.8: typing errors are told by default; files that are shared with
/// others are accepted with `-S`.
#[test]
fn sections_of_other_programs_are_refused_unless_they_are_expected() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "app.conf",
        "instancehome /x\n<zeo>\n  address 9999\n</zeo>\n<filestorage 1>\n  path x\n</filestorage>\n\
         <runner>\n  program sleep 5\n</runner>\n",
    );
    let what = "'instancehome' is not a known key name";
    complaint(&sandbox, sandbox.zd(&["start"]), "DIR/app.conf:1: ", what);
    let output = sandbox.run(&["-S", "schema.xml", "-C", "app.conf", "show"]).exits(0);
    assert_eq!(shown(&output, "program"), "['sleep', '5']");
    sandbox.file("app.conf", "<zeo>\n<x>\n</zeo>\n");
    let output = sandbox.run(&["-S", "schema.xml", "-C", "app.conf", "show"]);
    complaint(&sandbox, output, "DIR/app.conf:3: ", "unbalanced section end");
}

/// B.4: an override replaces what the file says, in the section that it names.
#[test]
fn an_override_replaces_the_file_s_value_or_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "app.conf",
        "<runner main>\nprogram sleep 5\numask 077\n<eventlog>\nlevel info\n</eventlog>\n</runner>\n",
    );
    for (spec, label, expected) in [
        ("runner/umask=027", "umask", "0o27"),
        ("MAIN/Umask=027", "umask", "0o27"),
        ("main/backoff-limit = 3", "backofflimit", "3"),
        ("runner/program=$HOME 'a b'", "program", "['$HOME', 'a b']"),
    ] {
        let output = sandbox.zd(&["-X", spec, "show"]).exits(0);
        assert_eq!(shown(&output, label), expected, "{spec}");
    }
    sandbox.zd(&["-X", "runner/eventlog/level=debug", "show"]).exits(0);
    for (arguments, place, what) in [
        (vec!["nosuch/umask=1"], "", "not all command line options were consumed"),
        (vec!["umask=1"], "", "not all command line options were consumed"),
        (vec!["runner/umask"], "", "invalid configuration specifier"),
        (vec!["runner//umask=1"], "", "'//' is not allowed in an option path"),
        (vec!["runner/umask=1", "runner/umask=2"], "", "'umask' does not support multiple values"),
        (vec!["runner/umask=9"], "-X runner/umask=9: ", "invalid literal for int() with base 8"),
        (vec!["runner/nosuch=9"], "-X runner/nosuch=9: ", "'nosuch' is not a known key name"),
        (vec!["runner/eventlog/level=9x"], "-X runner/eventlog/level=9x: ", "unknown log level"),
    ] {
        let mut line: Vec<&str> = arguments.iter().flat_map(|spec| ["-X", spec]).collect();
        line.push("start");
        complaint(&sandbox, sandbox.zd(&line), place, what);
    }
    let what = "configuration overrides (-X) cannot be used without a configuration file";
    complaint(&sandbox, sandbox.run(&["-X", "runner/umask=1", "start"]), "", what);
}

/// "directory, umask, environment, transcript": what the keys do to the program.
#[test]
fn the_program_lives_with_what_its_configuration_says() {
    let sandbox = Sandbox::new();
    sandbox.script("show-all", "pwd; umask; echo \"$COLOUR|$EMPTY|$PRICE|$1\"; exec sleep 1000");
    sandbox.file(
        "app.conf",
        "<runner>\nprogram ./show-all 'two  words'\ndirectory work\numask 027\ntranscript out\n\
         settle-time 0\npid-file work/pid\nhang-around on\n</runner>\n\
         <environment>\nCOLOUR  deep blue\nEMPTY\nPRICE $$5\n</environment>\n",
    );
    sandbox.zd(&["-X", "runner/umask=026", "start"]).exits(0);
    let expected = format!("{}/work\n0026\ndeep blue||$5|two  words\n", directory(&sandbox));
    wait_until("the program to tell", || sandbox.read("work/out") == expected);
    assert_eq!(sandbox.read("work/pid"), format!("{}\n", sandbox.supervisor()));
    sandbox.zd(&["stop"]).exits(0);
    let status = sandbox.zd(&["status"]).exits(3);
    assert_eq!(status.stdout, "daemon manager running; daemon process not running\n");
    let quit = sandbox.zd(&["quit"]).exits(0);
    assert!(quit.stdout.ends_with("daemon manager stopped\n"), "{quit:?}");
}
