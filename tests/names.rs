use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::harness::{
    Output, Sandbox, binary, exists, is_alive, is_root, send_signal, skip, wait_for, wait_until,
    without_forks,
};

/// The binary under another name.
fn called(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = sandbox.path(name);
    if !exists(&path) {
        symlink(binary(), &path).expect("a symlink to the binary");
    }
    path
}

/// spec B.5: the control tool has four names, and `zdaemon` is each of them with
/// a word in front.
#[test]
fn the_control_tool_answers_to_each_of_its_names() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let pid = sandbox.zd(&["start"]).exits(0).pid();
    for name in ["zdaemon", "zdctl", "zdctl.py", "zeoctl"] {
        let path = called(&sandbox, name);
        let status = sandbox.run_program(path, &["-C", "app.conf", "status"]).exits(0);
        assert_eq!(status.stdout, format!("program running; pid={pid}\n"));
        let status = sandbox.run(&[name, "-C", "app.conf", "status"]).exits(0);
        assert_eq!(status.stdout, format!("program running; pid={pid}\n"));
        let wrong = sandbox.run_program(Path::new("./").join(name), &["-q"]).exits(2);
        let expected = format!("Error: option -q not recognized\nFor help, use ./{name} -h\n");
        assert_eq!(wrong.stderr, expected);
    }
    sandbox.run_program(called(&sandbox, "zdctl"), &["-C", "app.conf", "stop"]).exits(0);
}

/// spec C.8: `zeoctl` expects other programs' sections in its file, also after a
/// `reload` with options; the other names do not.
#[test]
fn zeoctl_skips_foreign_sections() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "zeo.conf",
        "%define INSTANCE /x\n<zeo>\n  address 9999\n</zeo>\n<filestorage 1>\n  path $INSTANCE/y\n\
         </filestorage>\n<runner>\n  program sleep 1\n</runner>\n",
    );
    let zdctl =
        sandbox.run_program(called(&sandbox, "zdctl"), &["-C", "zeo.conf", "show"]).exits(2);
    zdctl.complains("zeo.conf:2: unknown type name: 'zeo'");
    sandbox.run_program(called(&sandbox, "zeoctl"), &["-C", "zeo.conf", "status"]).exits(3);
    sandbox.run(&["zeoctl", "-C", "zeo.conf", "status"]).exits(3);
    let reloaded = sandbox.run(&["zeoctl", "-C", "zeo.conf", "reload", "-f"]).exits(0);
    assert!(reloaded.stdout.starts_with("Configuration reloaded from "), "{reloaded:?}");
}

/// spec B.5: `zdrun` supervises its words, in the background by default, at an
/// absolute socket name, and accepts the control tool's options.
#[test]
fn zdrun_supervises_the_words_that_follow_it() {
    let sandbox = Sandbox::with_runner("program sleep 1001\nsettle-time 0");
    for (name, more) in [("zdrun", ""), ("zdrun.py", ""), ("", "zdrun")] {
        let path = if name.is_empty() { binary() } else { called(&sandbox, name) };
        let arguments = ["-C", "app.conf", "-l", "x", "-T", "9", "-i", "sleep", "1002", "-x"];
        let role = (!more.is_empty()).then_some(more);
        let arguments: Vec<&str> =
            role.into_iter().chain(arguments).take(9 + role.iter().count()).collect();
        let output = sandbox.run_program(path, &arguments).exits(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
        assert_eq!(sandbox.status_value("args").as_deref(), Some("['sleep', '1002']"));
        let warned = sandbox.zd(&["status"]).exits(0);
        warned.says("WARNING! zdrun is managing a different program!\nour program   = ['sleep', '1001']\ndaemon's args = ['sleep', '1002']\n");
        sandbox.zd(&["stop"]).exits(0);
    }
    assert!(!exists(&sandbox.path("zdsock")));
}

/// B.5 IMPROVE: without words the configured program is run; without both it is
/// a usage error.
#[test]
fn zdrun_falls_back_to_the_configured_program() {
    let sandbox = Sandbox::with_runner("program sleep 1003\nsettle-time 0");
    sandbox.run(&["zdrun", "-C", "app.conf"]).exits(0);
    assert_eq!(sandbox.status_value("args").as_deref(), Some("['sleep', '1003']"));
    sandbox.zd(&["stop"]).exits(0);
    let output = sandbox.run(&["zdrun"]).exits(2);
    output.complains("Error: no program specified (use positional args)\nFor help, use ");
    let output = sandbox.run(&["zdrun", "/no/such/program"]);
    assert_ne!(output.code(), 0);
    output.complains("Error: can't stat program '/no/such/program'");
    let help = sandbox.run(&["zdrun", "-h"]).exits(0);
    help.says("[options] [program [program-arguments]]");
}

/// B.5: with `daemon off` the caller is the daemon manager, and its exit status
/// the program's.
#[test]
fn zdrun_with_daemon_off_stays_and_ends_with_the_program() {
    let sandbox = Sandbox::with_runner("program true\ndaemon off\nexit-codes 7");
    let output =
        sandbox.run(&["zdrun", "-C", "app.conf", "sh", "-c", "echo told; exit 7"]).exits(7);
    assert_eq!(output.stdout, "told\n");
    let waiting = sandbox.background(&["zdrun", "-C", "app.conf", "sleep", "1000"]);
    wait_until("the program", || sandbox.program() != 0);
    assert_eq!(sandbox.supervisor(), waiting.pid());
    send_signal(waiting.pid(), Signal::SIGTERM);
    waiting.output();
    assert!(!exists(&sandbox.path("zdsock")));
}

/// B.5: "ignores `-u` (no privilege drop! fix)".
#[test]
fn zdrun_honours_the_user() {
    if !is_root() {
        return skip("only root may become another user");
    }
    let sandbox = Sandbox::with_runner("program true\nsettle-time 0\nsocket-name run/sock");
    fs::create_dir(sandbox.path("run")).expect("a folder");
    let all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(sandbox.path("run"), all).expect("open to all");
    sandbox.run(&["zdrun", "-C", "app.conf", "-u", "nobody", "sleep", "1000"]).exits(0);
    let status = fs::read_to_string(format!("/proc/{}/status", sandbox.program())).expect("proc");
    let uids = status.lines().find(|line| line.starts_with("Uid:")).expect("uids");
    let nobody = nix::unistd::User::from_name("nobody").expect("passwd").expect("nobody").uid;
    assert!(uids.split_whitespace().skip(1).all(|uid| uid == nobody.to_string()), "{uids}");
    sandbox.zd(&["-u", "nobody", "stop"]).exits(0);
}

/// The shells that control scripts run under.
fn shells(sandbox: &Sandbox) -> Vec<Vec<&'static str>> {
    let all = [vec!["sh"], vec!["dash"], vec!["busybox", "sh"]];
    let is_there = |shell: &Vec<&str>| {
        let mut command = sandbox.command(shell[0]);
        command.args(&shell[1..]).args(["-c", ":"]);
        without_forks(|| command.status()).is_ok_and(|status| status.success())
    };
    let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(is_there);
    for shell in missing {
        skip(&format!("no {}", shell.join(" ")));
    }
    there
}

#[track_caller]
fn control(sandbox: &Sandbox, shell: &[&str], script: &Path, action: &str) -> Output {
    let script = script.display().to_string();
    let mut arguments = shell[1..].to_vec();
    arguments.extend([script.as_str(), action]);
    sandbox.run_program(shell[0], &arguments)
}

/// The second that a program has to stay up is not the point here.
fn without_settling(sandbox: &Sandbox, config: &str) {
    let text = sandbox.read(config).replace("<runner>", "<runner>\nsettle-time 0");
    sandbox.file(config, &text);
}

/// Issue 3 part 5: "control script that works copied or symlinked into an init
/// directory", with LSB exit statuses.
#[track_caller]
fn control_script_works(sandbox: &Sandbox, script: &Path) {
    for shell in shells(sandbox) {
        let run = |action: &str| control(sandbox, &shell, script, action);
        run("status").exits(3);
        let pid = run("start").exits(0).pid();
        assert!(is_alive(pid));
        run("start").exits(0).says("daemon process already running");
        run("status").exits(0).says(&format!("program running; pid={pid}\n"));
        let again = run("restart").exits(0).pid();
        assert!(again != pid && !is_alive(pid));
        run("stop").exits(0).says("daemon process stopped\n");
        assert!(!is_alive(again));
        run("stop").exits(0);
        run("status").exits(3).says("daemon manager not running\n");
    }
}

/// Issue 3 part 5: `mkinstance` end to end; a second run changes nothing.
#[test]
fn an_instance_of_any_program_is_made_and_controlled() {
    let sandbox = Sandbox::new();
    let home = sandbox.path("srv/app one").display().to_string();
    let arguments = [
        "mkinstance",
        &home,
        "--name=app",
        "--",
        "sh",
        "-c",
        "echo \"$0 costs $1\"; exec sleep 1000",
        "it's",
        "$5",
    ];
    let output = sandbox.run(&arguments).exits(0);
    for line in ["Created directory ", "Wrote file ", "All done.\n"] {
        assert!(output.stdout.contains(line), "{output:?}");
    }
    for file in ["etc/app.conf", "etc/app.logrotate", "etc/app.service", "bin/appctl", "log", "var"]
    {
        assert!(exists(&Path::new(&home).join(file)), "{file}");
    }
    let again = sandbox.run(&arguments).exits(0);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("All done.\n", ""));

    without_settling(&sandbox, "srv/app one/etc/app.conf");
    let script = Path::new(&home).join("bin/appctl");
    control_script_works(&sandbox, &script);
    let told = wait_for("the program's output", || {
        fs::read_to_string(Path::new(&home).join("log/app.out"))
            .ok()
            .filter(|text| !text.is_empty())
    });
    assert!(told.starts_with("it's costs $5\n"), "{told:?}");

    // As an init script: copied, and linked.
    fs::create_dir(sandbox.path("init.d")).expect("an init directory");
    without_forks(|| fs::copy(&script, sandbox.path("init.d/copied"))).expect("a copy");
    symlink(&script, sandbox.path("init.d/linked")).expect("a link");
    for name in ["init.d/copied", "init.d/linked"] {
        sandbox.run_program(sandbox.path(name), &["start"]).exits(0);
        sandbox.run_program(sandbox.path(name), &["reload"]).exits(0).says("restarted");
        sandbox.run_program(sandbox.path(name), &["stop"]).exits(0);
        sandbox.run_program(sandbox.path(name), &["try-restart"]).exits(0);
        sandbox.run_program(sandbox.path(name), &["status"]).exits(3);
    }
}

/// Issue 3: "an instance's control script, copied into an init directory, […]
/// as root with `user`".
#[test]
fn an_instance_made_by_root_for_a_user_runs_as_that_user() {
    if !is_root() {
        return skip("only root may become another user");
    }
    let sandbox = Sandbox::new();
    let program = ["--", "sh", "-c", "id -un; exec sleep 1000"];
    let make = ["mkinstance", "srv", "--name", "app", "--user", "daemon"];
    let made = sandbox.run(&[&make[..], &program[..]].concat()).exits(0);
    for folder in ["log", "var"] {
        made.stdout
            .lines()
            .find(|line| {
                line.starts_with("Gave ") && line.ends_with(&format!("/{folder} to daemon"))
            })
            .unwrap_or_else(|| panic!("{folder} is not given away: {made:?}"));
    }
    without_settling(&sandbox, "srv/etc/app.conf");
    fs::create_dir(sandbox.path("init.d")).expect("an init directory");
    let copy = sandbox.path("init.d/app");
    without_forks(|| fs::copy(sandbox.path("srv/bin/appctl"), &copy)).expect("a copy");
    control_script_works(&sandbox, &copy);
    wait_until("the program's output", || sandbox.read("srv/log/app.out").starts_with("daemon\n"));
    for file in ["srv/log/app.out", "srv/log/app.log"] {
        let owner = fs::metadata(sandbox.path(file)).expect("a log").uid();
        assert_eq!(owner, fs::metadata(sandbox.path("srv/var")).expect("a folder").uid(), "{file}");
    }
}

/// "Never overwrites; a second run […] says what differs."
#[test]
fn what_was_edited_in_an_instance_is_kept_and_told() {
    let sandbox = Sandbox::new();
    sandbox.run(&["mkinstance", "srv", "--name", "app", "--", "sleep", "1000"]).exits(0);
    sandbox.file("srv/etc/app.conf", "# mine\n");
    let path = sandbox.path("srv/etc/app.conf");
    let again =
        sandbox.run(&["mkinstance", "srv", "--name", "app", "--", "sleep", "1000"]).exits(0);
    let expected =
        format!("Warning: not overwriting existing file {}\nAll done.\n", path.display());
    assert_eq!(again.stdout, expected);
    assert_eq!(sandbox.read("srv/etc/app.conf"), "# mine\n");
    sandbox.run(&["mkinstance"]).exits(2).complains("Usage: ");
    sandbox.run(&["mkinstance", "srv"]).exits(2).complains("Usage: ");
    sandbox
        .run(&["mkinstance", "-q", "srv"])
        .exits(2)
        .complains("Error: option -q not recognized\n");
    sandbox.run(&["mkinstance", "-h"]).exits(0).says("HOME");
}

/// spec G.1: `mkzeoinst HOME [PORT]`, with a stand-in for the ZEO server.
#[test]
fn a_zeo_instance_is_made_and_controlled() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("tools")).expect("a folder");
    sandbox.script("tools/runzeo", "echo \"$@\"; exec sleep 1000");
    let search = format!("{}:{}", sandbox.path("tools").display(), std::env::var("PATH").unwrap());
    let make = |name: &str, arguments: &[&str]| {
        let mut command = sandbox.command(called(&sandbox, name));
        sandbox.finish(command.args(arguments).env("PATH", &search))
    };
    let home = sandbox.path("zeo");
    let output = make("mkzeoinst", &["zeo", "10001"]).exits(0);
    let lines: Vec<String> = ["", "/etc", "/var", "/log", "/bin"]
        .map(|part| format!("Created directory {}{part}\n", home.display()))
        .into();
    assert!(output.stdout.starts_with(&lines.concat()), "{output:?}");
    assert!(output.stdout.ends_with("bin/zeoctl to 755\nAll done.\n"), "{output:?}");
    assert_eq!(make("mkzeoinst.py", &["zeo", "10001"]).exits(0).stdout, "All done.\n");
    let config = sandbox.read("zeo/etc/zeo.conf");
    assert!(config.contains("  address 10001\n"), "{config}");
    let config = sandbox.read("zeo/etc/zeoctl.conf");
    assert!(config.contains(&format!(
        "program {}/runzeo -C {}/etc/zeo.conf\n",
        sandbox.path("tools").display(),
        home.display()
    )));
    without_settling(&sandbox, "zeo/etc/zeoctl.conf");
    let script = home.join("bin/zeoctl");
    control_script_works(&sandbox, &script);
    for (arguments, text) in [
        (&[][..], "Usage: mkzeoinst home [port]\n"),
        (&["a", "1", "2"], "Usage: mkzeoinst home [port]\n"),
        (&["a", "0"], "Error: invalid port '0'"),
        (&["a", "x"], "Error: invalid port 'x'"),
        (&["-q"], "Error: option -q not recognized\nFor help, use mkzeoinst -h\n"),
    ] {
        make("mkzeoinst", arguments).exits(2).complains(text);
    }
    make("mkzeoinst", &["-h"]).exits(0).says("home [port]");
    make("mkzeoinst", &["/dev/null/x"]).exits(1).complains("unable to create directory");
    assert!(!exists(&sandbox.path("a")));
}
