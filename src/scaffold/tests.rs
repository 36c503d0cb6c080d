use super::*;
use std::fs::Permissions;
use std::io;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of the test's own, with everything in its path that quoting can
/// get wrong.
struct Sandbox(PathBuf);

impl Sandbox {
    fn new() -> Sandbox {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("zdaemon-scaffold-{}-{number} it's 5% \"$HOME\" \\", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Sandbox(path)
    }

    fn home(&self) -> String {
        self.0.join("new/home").to_str().unwrap().to_owned()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join("new/home").join(path)).unwrap()
    }

    /// An executable that shows its arguments and ends with `status`. Another
    /// process writes it: a descriptor of ours might be inherited by a sibling
    /// test's child, and keep it from being executed.
    fn stand_in(&self, status: u8) -> String {
        let path = self.0.join("it's zdaemon").to_str().unwrap().to_owned();
        let text = format!("#!/bin/sh\nprintf '[%s]' \"$@\"\nexit {status}\n");
        let script = r#"printf %s "$1" >"$2" && chmod +x "$2""#;
        let done = Command::new("sh").args(["-c", script, "sh", &text, &path]).status().unwrap();
        assert!(done.success());
        path
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type FrontDoor = fn(&str, &[OsString], &mut dyn Write, &mut dyn Write) -> u8;

/// Exit status, standard output, standard error.
fn run(door: FrontDoor, args: &[&str]) -> (u8, String, String) {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = door("/usr/bin/mk", &args, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn instance_in(sandbox: &Sandbox, zdaemon: String) -> Instance {
    let words = ["/opt/my app/server", "-c", "it's", "", "a\\b", "$HOME", "#", "\"q\"", "%s"];
    Instance {
        home: sandbox.home(),
        name: "server".to_owned(),
        user: None,
        words: words.map(str::to_owned).to_vec(),
        zdaemon,
    }
}

fn make_quietly(home: &str, files: &[engine::File]) {
    make(Path::new(home), files, sys::umask::current(), &mut io::sink()).unwrap();
}

/// The shells that are here, as the words that run one.
fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["sh"], vec!["dash"], vec!["bash"], vec!["busybox", "sh"]];
    let is_here = |shell: &Vec<&str>| {
        let run = Command::new(shell[0]).args(&shell[1..]).args(["-c", ":"]).output();
        run.is_ok_and(|output| output.status.success())
    };
    all.into_iter().filter(is_here).collect()
}

fn run_script(shell: &[&str], script: &Path, args: &[&str]) -> Output {
    Command::new(shell[0]).args(&shell[1..]).arg(script).args(args).output().unwrap()
}

#[test]
fn a_new_zeo_instance_tells_each_step() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let parent = sandbox.0.join("new");
    let (status, out, _) = run(mkzeoinst, &[&home]);
    let script_mode = 0o777 & !sys::umask::current();
    let expected = format!(
        "Created directory {}
Created directory {home}
Created directory {home}/etc
Created directory {home}/var
Created directory {home}/log
Created directory {home}/bin
Wrote file {home}/etc/zeo.conf
Wrote file {home}/etc/zeoctl.conf
Wrote file {home}/bin/zeoctl
Changed mode for {home}/bin/zeoctl to {script_mode:o}
All done.
",
        parent.display()
    );
    assert_eq!((status, out), (0, expected));
    assert_eq!(mode(format!("{home}/etc/zeo.conf")), 0o666 & !sys::umask::current());
    assert_eq!(mode(format!("{home}/bin/zeoctl")), script_mode);
}

#[test]
fn a_second_run_on_an_intact_instance_prints_only_all_done() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let silence = (0, "All done.\n".to_owned(), String::new());
    assert_eq!(run(mkzeoinst, &[&home, "8100"]).0, 0);
    assert_eq!(run(mkzeoinst, &[&home, "8100"]), silence);
    let args = [&home, "--", "sleep", "100"];
    assert_eq!(run(mkinstance, &args).0, 0);
    assert_eq!(run(mkinstance, &args), silence);
}

#[test]
fn a_file_that_differs_is_named_and_kept() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    run(mkzeoinst, &[&home, "8100"]);
    let before = sandbox.read("etc/zeo.conf");
    let (status, out, _) = run(mkzeoinst, &[&home, "8200"]);
    let warning = format!("Warning: not overwriting existing file {home}/etc/zeo.conf\n");
    assert_eq!((status, out), (0, format!("{warning}All done.\n")));
    assert_eq!(sandbox.read("etc/zeo.conf"), before);
}

#[test]
fn blanks_around_the_text_make_no_difference() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    run(mkzeoinst, &[&home]);
    let text = format!("\n{}\n\n", sandbox.read("etc/zeo.conf").trim());
    fs::write(format!("{home}/etc/zeo.conf"), text).unwrap();
    assert_eq!(run(mkzeoinst, &[&home]).1, "All done.\n");
}

#[test]
fn a_blank_file_counts_as_missing() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    run(mkzeoinst, &[&home]);
    fs::write(format!("{home}/etc/zeo.conf"), " \n\t\n").unwrap();
    let (_, out, _) = run(mkzeoinst, &[&home]);
    assert_eq!(out, format!("Wrote file {home}/etc/zeo.conf\nAll done.\n"));
    assert!(sandbox.read("etc/zeo.conf").contains("<zeo>"));
}

#[test]
fn a_kept_script_gets_its_mode_back() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    run(mkinstance, &[&home, "--", "sleep"]);
    let script = format!("{home}/bin/sleepctl");
    fs::set_permissions(&script, Permissions::from_mode(0o600)).unwrap();
    let (_, out, _) = run(mkinstance, &[&home, "--", "sleep"]);
    let mode = 0o777 & !sys::umask::current();
    assert_eq!(out, format!("Changed mode for {script} to {mode:o}\nAll done.\n"));
}

#[test]
fn a_write_that_fails_leaves_no_file() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let draft = format!("{home}/etc/.zeo.conf.{}.new", std::process::id());
    fs::create_dir_all(draft).unwrap();
    let (status, _, err) = run(mkzeoinst, &[&home]);
    assert_eq!(status, 1);
    assert!(err.contains(&format!("mk: unable to write {home}/etc/zeo.conf: ")), "{err}");
    assert!(!Path::new(&home).join("etc/zeo.conf").exists());
}

#[test]
fn a_home_below_a_file_is_exit_status_1() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.0.join("new"), "a file").unwrap();
    let (status, out, err) = run(mkinstance, &[&sandbox.home(), "--", "sleep"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.starts_with("mk mkinstance: unable to create directory "), "{err}");
}

#[test]
fn output_that_nobody_takes_is_exit_status_1() {
    let sandbox = Sandbox::new();
    let args = [OsString::from(sandbox.home())];
    let mut full: &mut [u8] = &mut [];
    assert_eq!(mkzeoinst("mkzeoinst", &args, &mut full, &mut io::sink()), 1);
}

#[test]
fn the_words_of_the_program_come_back_from_a_shell() {
    let sandbox = Sandbox::new();
    let instance = instance_in(&sandbox, "/bin/zdaemon".to_owned());
    make_quietly(&instance.home, &instance.files());
    let config = sandbox.read("etc/server.conf");
    let line = config.lines().find_map(|line| line.trim().strip_prefix("program ")).unwrap();
    let script = format!("printf '%s\\n' {}", line.replace("$$", "$"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let words: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(words, instance.words);
}

#[test]
fn the_control_script_serves_every_action_of_an_init_system() {
    let sandbox = Sandbox::new();
    let instance = instance_in(&sandbox, sandbox.stand_in(0));
    make_quietly(&instance.home, &instance.files());
    let link = sandbox.0.join("link");
    std::os::unix::fs::symlink(format!("{}/bin/serverctl", instance.home), &link).unwrap();
    let asked = |action: &str| format!("[-C][{}/etc/server.conf]{action}", instance.home);
    let cases: [(&[&str], &str); 8] = [
        (&[], ""),
        (&["start", "a  b"], "[start][a  b]"),
        (&["stop"], "[stop]"),
        (&["status", "-l"], "[status][-l]"),
        (&["restart"], "[restart]"),
        (&["reload"], "[restart]"),
        (&["force-reload"], "[restart]"),
        (&["try-restart"], "[restart]"),
    ];
    for shell in shells() {
        for (args, action) in cases {
            let output = run_script(&shell, &link, args);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell:?} {args:?}");
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                asked(action),
                "{shell:?} {args:?}"
            );
            assert_eq!(output.status.code(), Some(0));
        }
    }
}

#[test]
fn try_restart_leaves_a_stopped_program_alone() {
    let sandbox = Sandbox::new();
    let instance = instance_in(&sandbox, sandbox.stand_in(3));
    make_quietly(&instance.home, &instance.files());
    let script = PathBuf::from(format!("{}/bin/serverctl", instance.home));
    for shell in shells() {
        let output = run_script(&shell, &script, &["try-restart"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{shell:?}");
        assert_eq!(run_script(&shell, &script, &["status"]).status.code(), Some(3));
    }
}

#[test]
fn zeoctl_hands_its_arguments_on() {
    let sandbox = Sandbox::new();
    let zeo = Zeo {
        home: sandbox.home(),
        address: "localhost:9999".to_owned(),
        runzeo: "runzeo".to_owned(),
        zdaemon: sandbox.stand_in(0),
    };
    make_quietly(&zeo.home, &zeo.files());
    let script = PathBuf::from(format!("{}/bin/zeoctl", zeo.home));
    for shell in shells() {
        let output = run_script(&shell, &script, &["kill", "a  b"]);
        let expected = format!("[-C][{}/etc/zeoctl.conf][kill][a  b]", zeo.home);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell:?}");
    }
    assert!(sandbox.read("etc/zeo.conf").contains("\n  address localhost:9999\n"));
    let dollars = sandbox.home().replace('$', "$$");
    assert!(sandbox.read("etc/zeo.conf").contains(&format!("\n%define INSTANCE {dollars}\n")));
    assert!(sandbox.read("etc/zeoctl.conf").contains(&format!("\n  directory {dollars}\n")));
}

#[test]
fn generated_scripts_are_valid_in_every_shell() {
    let sandbox = Sandbox::new();
    run(mkzeoinst, &[&sandbox.home()]);
    run(mkinstance, &[&sandbox.home(), "--name", "x", "--", "sleep"]);
    for shell in shells() {
        for name in ["bin/zeoctl", "bin/xctl"] {
            let script = PathBuf::from(sandbox.home()).join(name);
            let output = Command::new(shell[0]).args(&shell[1..]).arg("-n").arg(script).output();
            let output = output.unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{shell:?} {name}");
        }
    }
}

#[test]
fn the_unit_and_the_logrotate_stanza_quote_odd_paths() {
    let instance = Instance {
        home: "/srv/a b%\"$\\{".to_owned(),
        name: "web".to_owned(),
        user: Some("www".to_owned()),
        words: vec!["web".to_owned()],
        zdaemon: "/opt/$z/zdaemon".to_owned(),
    };
    let files = instance.files();
    let text = |path: &str| &files.iter().find(|file| file.path == path).unwrap().text;
    let unit = text("etc/web.service");
    assert!(unit.contains("\nPIDFile=/srv/a b%%\"$\\{/var/web.pid\n"), "{unit}");
    let start = r#"ExecStart="/opt/$z/zdaemon" -C "/srv/a b%%\"$$\\{/etc/web.conf" start"#;
    assert!(unit.contains(start), "{unit}");
    let stanza = text("etc/web.logrotate");
    assert!(stanza.contains("\n\"/srv/a b%?$??/log/web.out\" \"/srv"), "{stanza}");
    assert!(stanza.contains("\n        '/srv/a b%\"$\\{/bin/webctl' reopen_transcript "));
    assert!(text("etc/web.conf").contains("\n  user         www\n"));
}

#[test]
fn what_the_user_writes_to_is_given_to_it_if_root_makes_the_instance() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let (_, out, _) = run(mkinstance, &[&home, "--user", "daemon", "--", "sleep"]);
    let is_root = fs::metadata(&home).unwrap().uid() == 0;
    assert_eq!(out.contains("/var to daemon\n"), is_root, "{out}");
    let owner = fs::metadata(format!("{home}/var")).unwrap().uid();
    assert_eq!(owner == fs::metadata(&home).unwrap().uid(), !is_root);
    assert!(sandbox.read("etc/sleep.conf").contains("\n  user         daemon\n"));
}

#[test]
fn nothing_is_made_for_a_user_who_does_not_exist() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let (status, _, err) = run(mkinstance, &[&home, "--user", "no.such.user", "--", "sleep"]);
    assert_eq!(status, 2);
    assert!(err.contains("username 'no.such.user' not found"), "{err}");
    assert!(!Path::new(&home).exists());
}
