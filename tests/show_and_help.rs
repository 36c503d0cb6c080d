use crate::harness::{Output, Sandbox, binary};

const LABEL: usize = 14;

/// The labels of `show options`, in their order.
fn labels(output: &Output) -> Vec<&str> {
    output.stdout.lines().skip(1).filter_map(|line| line.split(':').next()).collect()
}

/// spec A.13: the header, then a line an option, in the original's order, with
/// values in the original's notation.
#[test]
fn show_prints_the_options_in_the_layout_that_users_know() {
    let sandbox = Sandbox::with_runner("program sleep 100\nuser root\nexit-codes");
    let output = sandbox.zd(&["show"]).exits(0);
    let mut lines = output.stdout.lines();
    assert_eq!(lines.next(), Some("zdctl/zdrun options:"));
    for line in lines {
        let (label, value) = line.split_once(':').expect("a label");
        let padded = format!("{:LABEL$}{}", format!("{label}:"), value.trim_start());
        let is_long = label.len() >= LABEL;
        assert!(line == padded || (is_long && value.starts_with(' ')), "{line:?}");
    }
    let order = [
        "schemafile",
        "configfile",
        "zdrun",
        "python",
        "program",
        "backofflimit",
        "daemon",
        "forever",
        "sockname",
        "exitcodes",
        "user",
        "umask",
        "directory",
        "logfile",
        "transcript",
    ];
    let known: Vec<&str> =
        labels(&output).into_iter().filter(|label| order.contains(label)).collect();
    assert_eq!(known, order);
    for line in [
        "program:      ['sleep', '100']",
        "umask:        0o22",
        "user:         'root'",
        "directory:    None",
        "exitcodes:    []",
        "daemon:       True",
    ] {
        assert!(output.stdout.lines().any(|told| told == line), "no {line:?} in {output:?}");
    }
    assert_eq!(sandbox.zd(&["show", "options"]).exits(0).stdout, output.stdout);
}

/// spec A.13: the other topics; an unknown one is an error that names the known.
#[test]
fn show_tells_about_the_binary_too() {
    let sandbox = Sandbox::with_runner("program sleep 100");
    let python = sandbox.zd(&["show", "python"]).exits(0);
    let expected = ["version", "platform", "executable", "arguments", "directory", "program"];
    let told: Vec<&str> = python.stdout.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(told, expected);
    let python = python.says(&format!("version:      {}\n", env!("CARGO_PKG_VERSION")));
    let python =
        python.says(&format!("executable:   '{}'", binary().canonicalize().unwrap().display()));
    let typed =
        format!("arguments:    ['{}', '-C', 'app.conf', 'show', 'python']", binary().display());
    let python = python.says(&typed);
    let options = sandbox.zd(&["show", "options"]).exits(0);
    let all = sandbox.zd(&["show", "all"]).exits(0);
    let same = all.stdout.replace("'all'", "'python'");
    assert_eq!(same, format!("{}\n{}", options.stdout, python.stdout));
    let unknown = sandbox.zd(&["show", "bogus"]).exits(1);
    assert_eq!(unknown.stdout, "unknown topic 'bogus'; expected options, python or all\n");
}

/// spec A.14: the documents' list, to the byte.
#[test]
fn help_lists_the_commands_in_rows() {
    let sandbox = Sandbox::new();
    let expected = "
Documented commands (type help <topic>):
========================================
EOF             fg              foreground      help            kill
logreopen       logtail         quit            reload          reopen_transcript
restart         shell           show            start           status
stop            wait

";
    assert_eq!(sandbox.run(&["help"]).exits(0).stdout, expected);
}

/// "`help X` for each command": by construction, from the list that help prints;
/// and each of them is dispatched and not unknown.
#[test]
fn every_listed_command_has_help_and_can_be_run() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(&["help"]).exits(0).stdout;
    let names: Vec<&str> = list.lines().skip(3).flat_map(str::split_whitespace).collect();
    assert_eq!(names.len(), 17);
    for name in names {
        let output = sandbox.run(&["help", name]).exits(0);
        let first = output.stdout.lines().next().unwrap_or_default();
        let (head, summary) = first.split_once(" -- ").expect("name [arg] -- summary");
        assert_eq!(head.split(' ').next(), Some(name), "{output:?}");
        assert!(summary.ends_with(['.', ',', ';']), "{output:?}");
        for line in output.stdout.lines().skip(1) {
            let indent = line.len() - line.trim_start().len();
            assert_eq!(indent, first.len() - summary.len(), "{output:?}");
        }
        let run = sandbox.run(&[name]);
        assert!(!run.stdout.contains("Unknown syntax"), "{run:?}");
    }
    let start =
        "start -- Start the daemon process.\n         If it is already running, do nothing.\n";
    assert_eq!(sandbox.run(&["help", "start"]).exits(0).stdout, start);
    assert_eq!(sandbox.run(&["help", "no", "such"]).exits(0).stdout, "*** No help on no\n");
}

/// spec B.6: "by construction": what `show` knows as an option, `-h` documents,
/// and what `-h` documents can be given.
#[test]
fn the_help_text_and_the_options_agree() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["-h"]).exits(0);
    let text = &help.stdout;
    assert!(text.contains("[options] [action [arguments]]"), "{help:?}");
    assert!(text.contains("\n-b/--backoff-limit SECONDS -- "), "{help:?}");
    let told: Vec<&str> = text.lines().filter(|line| line.contains(" -- ")).skip(1).collect();
    // Each setting that `show` lists stands there once, by its key.
    let show = sandbox.run(&["show"]).exits(0);
    let flat = |text: &str| text.replace(['-', '_'], "");
    let keys: Vec<String> = told.iter().filter_map(|line| key_of(line)).map(flat_owned).collect();
    let abbreviated = [("sockname", "socketname"), ("starttest", "starttestprogram")];
    for label in
        labels(&show).into_iter().filter(|label| !["schemafile", "configfile"].contains(label))
    {
        let label = flat(label);
        let key = abbreviated
            .iter()
            .find(|(short, _)| *short == label)
            .map_or(label.as_str(), |(_, key)| key);
        assert_eq!(keys.iter().filter(|told| *told == key).count(), 1, "{key} in {help:?}");
    }
    // Each option that is listed is one: a wrong use of it is another complaint.
    for line in &told {
        let names = line.split(" -- ").next().unwrap_or_default();
        let names = names.split(' ').next().unwrap_or_default();
        for name in names.split('/').filter(|name| name.starts_with('-')) {
            let output = sandbox.run(&[name]);
            assert!(!output.stderr.contains("not recognized"), "{output:?}");
        }
    }
    let of_zdrun = sandbox.run(&["zdrun", "-h"]).exits(0);
    let of_zdrun = of_zdrun.says("[options] [program [program-arguments]]").says("backoff-limit");
    assert!(told.iter().all(|line| of_zdrun.stdout.contains(line)), "{of_zdrun:?}");
}

fn flat_owned(key: &str) -> String {
    key.replace('-', "")
}

/// `-b/--backoff-limit SECONDS -- …` and `hang-around yes/no -- …`
fn key_of(line: &str) -> Option<&str> {
    let names = line.split(" -- ").next()?;
    let names = names.split(' ').next()?;
    let long = names.rsplit('/').next()?;
    Some(long.trim_start_matches('-'))
}

/// Every help text is the one in `tests/golden/help.txt`, so that a change of
/// wording is a visible difference. `ZDAEMON_WRITE_GOLDEN` writes it anew.
#[test]
fn every_help_text_is_the_one_in_the_golden_file() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(&["help"]).exits(0).stdout;
    let names: Vec<&str> = list.lines().skip(3).flat_map(str::split_whitespace).collect();
    let mut text = String::new();
    for arguments in [vec!["-h"], vec!["zdrun", "-h"], vec!["help"]]
        .into_iter()
        .chain(names.iter().map(|name| vec!["help", *name]))
    {
        let output = sandbox.run(&arguments).exits(0);
        let told = output.stdout.replace(&binary().display().to_string(), "zdaemon");
        text.push_str(&format!("$ zdaemon {}\n{told}\n", arguments.join(" ")));
    }
    crate::harness::assert_golden("help.txt", include_str!("golden/help.txt"), &text);
}
