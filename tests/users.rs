use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{
    Output, Sandbox, binary, is_root, send_signal, skip, wait_until, without_forks,
};

/// Whom every system has.
const NOBODY: u32 = 65534;

const LOGS: &str = "transcript work/out.log\npid-file work/app.pid\n\
                    <eventlog>\n<logfile>\npath work/event.log\n</logfile>\n</eventlog>";

/// A sandbox whose `work` belongs to nobody, with everything in it.
fn with_work(lines: &str) -> Sandbox {
    with_work_for("sleep 1000", lines)
}

fn with_work_for(program: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::with_runner(&format!(
        "program {program}\nsettle-time 0\nsocket-name work/zdsock\n{lines}\n{LOGS}"
    ));
    let work = sandbox.path("work");
    fs::create_dir(&work).expect("a directory");
    chown(&work, Some(NOBODY), Some(NOBODY)).expect("root may");
    sandbox
}

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (found.uid(), found.gid())
}

fn status_words(pid: i32, key: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let words = line.unwrap_or_else(|| panic!("no {key} in {text}")).split_ascii_whitespace();
    words.map(str::to_string).collect()
}

#[track_caller]
fn assert_is(pid: i32, uid: u32, gid: u32, groups: &[u32]) {
    assert_eq!(status_words(pid, "Uid"), [uid; 4].map(|id| id.to_string()));
    assert_eq!(status_words(pid, "Gid"), [gid; 4].map(|id| id.to_string()));
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    assert_eq!(status_words(pid, "Groups"), groups);
}

/// "`user` = name or numeric uid": real, effective and saved ids, and none of
/// root's groups.
#[test]
fn program_and_supervisor_become_the_user() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    for user in ["nobody", "65534"] {
        let sandbox = with_work(&format!("user {user}"));
        let group = format!("--groups=0,4242 {}", binary().display());
        let start = format!("exec setpriv {group} -C app.conf start");
        sandbox.run_program("sh", &["-c", &start]).exits(0);
        for pid in [sandbox.program(), sandbox.supervisor()] {
            assert_is(pid, NOBODY, NOBODY, &[NOBODY]);
        }
        sandbox.zd(&["stop"]).exits(0);
    }
}

/// Whoever cannot become the user does nothing in its place as root.
#[test]
fn a_user_that_cannot_be_become_runs_and_shows_nothing() {
    if !is_root() {
        return skip("only root can become somebody else, and may be kept from it");
    }
    let sandbox = with_work_for("./ran", "user nobody\nlogfile log");
    sandbox.script("ran", "touch ran-as-root; exec sleep 1000");
    sandbox.file("log", "a line\n");
    for capability in ["setuid", "setgid"] {
        let without = format!("--bounding-set=-{capability}");
        for (action, status) in [("start", 1), ("fg", 127), ("logtail", 1)] {
            let binary = binary().to_string_lossy().into_owned();
            let words = [&without, &binary, "-C", "app.conf", action];
            let refused = sandbox.run_program("setpriv", &words).exits(status);
            let told = "Error: unable to become user nobody: [Errno 1] Operation not permitted\n";
            assert!(refused.stderr.contains(told), "{refused:?}");
            assert!(!refused.stdout.contains("a line"), "{refused:?}");
        }
    }
    assert_eq!(sandbox.processes(), []);
    assert!(!crate::harness::exists(&sandbox.path("ran-as-root")));
}

/// "setgroups(gids of groups listing the name)", in a name space with a passwd
/// and a group file of our own.
#[test]
fn the_user_gets_the_groups_that_list_it() {
    let sandbox =
        Sandbox::with_runner("program sleep 1000\nsettle-time 0\nuser app\nsocket-name run/zdsock");
    let unshared = ["--mount", "--propagation", "private", "true"];
    if !is_root() || sandbox.run_program("unshare", &unshared).code() != 0 {
        return skip("needs root and mount name spaces");
    }
    sandbox.file("passwd", "root:x:0:0::/:/bin/sh\napp:x:7001:7002:An app:/:/bin/sh\n");
    sandbox.file("group", "root:x:0:app\na:x:7003:b,app\nb:x:7004:apple\napp:x:7002:\n");
    let script = "mount --bind passwd /etc/passwd && mount --bind group /etc/group && \
                  exec \"$0\" -C app.conf start";
    let binary = binary().to_string_lossy().into_owned();
    let words = ["--mount", "--propagation", "private", "sh", "-c", script, &binary];
    sandbox.run_program("unshare", &words).exits(0);
    for pid in [sandbox.program(), sandbox.supervisor()] {
        assert_is(pid, 7001, 7002, &[0, 7002, 7003]);
    }
    assert_eq!(owner(&sandbox.path("run")), (7001, 7002));
    sandbox.zd(&["stop"]).exits(0);
}

/// "Event log, transcript and socket are created after the switch, so are
/// owned by the user."
#[test]
fn files_belong_to_the_user() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    let sandbox = with_work("user nobody\numask 077");
    sandbox.zd(&["start"]).exits(0);
    let hidden = [".zdsock.instance", ".zdsock.output"];
    for name in ["zdsock", "out.log", "event.log", "app.pid"].iter().chain(&hidden) {
        let path = sandbox.path("work").join(name);
        assert_eq!(owner(&path), (NOBODY, NOBODY), "{name}");
    }
    let mode = |name: &str| {
        fs::metadata(sandbox.path("work").join(name)).expect("a file").permissions().mode() & 0o777
    };
    assert_eq!((mode("out.log"), mode("event.log")), (0o600, 0o600));
    assert_eq!(mode("zdsock"), 0o700);
    // Root may ask and stop it.
    sandbox.zd(&["status"]).exits(0);
    sandbox.zd(&["kill", "CONT"]).exits(0).says("signal SIGCONT sent");
    sandbox.zd(&["stop"]).exits(0);
    let mut left: Vec<_> = fs::read_dir(sandbox.path("work"))
        .expect("the directory")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["event.log", "out.log"]);
}

/// "Missing directory/socket dir: one level, chowned to user:group when root"
#[test]
fn missing_directories_are_made_and_given_to_the_user() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    let sandbox = Sandbox::with_runner(
        "program sleep 1000\nsettle-time 0\nuser nobody\nsocket-name run/zdsock\ndirectory home\n\
         transcript out.log",
    );
    sandbox.zd(&["start"]).exits(0);
    for name in ["run", "home", "home/out.log", "run/zdsock"] {
        assert_eq!(owner(&sandbox.path(name)), (NOBODY, NOBODY), "{name}");
    }
    let mode = fs::metadata(sandbox.path("home")).expect("a directory").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    sandbox.zd(&["stop"]).exits(0);
    assert_eq!(sandbox.visible_files(), ["app.conf", "home", "run"]);
}

/// "parse once, fork": a configuration that only root can read.
#[test]
fn the_user_need_not_be_able_to_read_the_configuration() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    let sandbox = with_work("user nobody");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(sandbox.path("app.conf"), private).expect("our file");
    sandbox.zd(&["start"]).exits(0);
    let pid = sandbox.program();
    sandbox.zd(&["kill", "KILL"]).exits(0);
    wait_until("it is started again", || ![0, pid].contains(&sandbox.program()));
    assert_is(sandbox.program(), NOBODY, NOBODY, &[NOBODY]);
    sandbox.zd(&["stop"]).exits(0);
}

/// Where the user may not write, `start` says so and leaves nothing behind.
#[test]
fn a_directory_that_the_user_may_not_write_is_reported() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nuser nobody");
    sandbox.zd(&["start"]).exits(1).complains("[Errno 13] Permission denied");
    sandbox.assert_clean(&["app.conf"]);
}

/// The test is run by the same user.
#[test]
fn the_start_test_is_the_users_too() {
    if !is_root() {
        return skip("needs root to become somebody else");
    }
    let sandbox = with_work("user nobody\nstart-test-program id -u");
    sandbox.zd(&["start"]).exits(0);
    wait_until("its output", || sandbox.read("work/out.log") == "65534\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// Runs the binary as nobody (from root) or as ourselves.
fn as_ordinary_user(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    if !is_root() {
        return sandbox.run(arguments);
    }
    let copy = sandbox.path("work/zdaemon");
    without_forks(|| fs::copy(binary(), &copy)).expect("a copy");
    let copy = copy.to_string_lossy().into_owned();
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups", &copy];
    sandbox.run_program("setpriv", &[user.as_slice(), arguments].concat())
}

/// A sandbox in which an ordinary user can work, and that user's name.
fn for_ordinary_user() -> (Sandbox, String) {
    if is_root() {
        return (with_work(""), "nobody".to_string());
    }
    let sandbox = Sandbox::with_runner(&format!(
        "program sleep 1000\nsettle-time 0\nsocket-name work/zdsock\n{LOGS}"
    ));
    fs::create_dir(sandbox.path("work")).expect("a directory");
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    (sandbox, user.expect("we have a name").name)
}

/// "euid≠0: equal to that user → no-op"
#[test]
fn an_ordinary_user_may_name_itself() {
    let (sandbox, name) = for_ordinary_user();
    let start = as_ordinary_user(&sandbox, &["-C", "app.conf", "-u", &name, "start"]).exits(0);
    assert_eq!(start.stderr, "");
    let pid = sandbox.program();
    let uid = owner(&sandbox.path("work")).0;
    assert_eq!(status_words(pid, "Uid")[0], uid.to_string());
    sandbox.zd(&["stop"]).exits(0);
}

/// "different → usage error, exit 2"; so is a name that nobody has.
#[test]
fn an_ordinary_user_cannot_be_another() {
    let (sandbox, _) = for_ordinary_user();
    as_ordinary_user(&sandbox, &["-C", "app.conf", "-u", "root", "start"])
        .exits(2)
        .complains("Error: only root can use -u USER to change users");
    for (user, message) in [
        ("no-such-user", "Error: username 'no-such-user' not found"),
        ("3999999999", "Error: uid '3999999999' not found"),
    ] {
        sandbox.zd(&["-u", user, "start"]).exits(2).complains(message);
        as_ordinary_user(&sandbox, &["-C", "app.conf", "-u", user, "start"])
            .exits(2)
            .complains(message);
    }
    assert!(!crate::harness::exists(&sandbox.path("work/zdsock")));
}

/// Who is to be taken over is our own record's word and nobody else's.
#[test]
fn a_record_that_another_user_wrote_is_not_believed() {
    if !is_root() {
        return skip("only root can give a file away");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let program = sandbox.zd(&["start"]).exits(0).pid();
    send_signal(sandbox.supervisor(), Signal::SIGKILL);
    wait_until("it is gone", || sandbox.zd(&["status"]).code() == 4);
    let record = sandbox.path(".zdsock.instance");
    chown(&record, Some(NOBODY), None).expect("a foreign file");
    sandbox.zd(&["start"]).exits(1).complains("belongs to uid 65534; start it as that user");
    chown(&record, Some(0), None).expect("our own file");
    assert_eq!(sandbox.zd(&["start"]).exits(0).pid(), program);
    sandbox.zd(&["stop"]).exits(0);
}
