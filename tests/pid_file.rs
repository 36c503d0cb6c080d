use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, is_alive, is_root, send_signal, skip, wait_until};

const LINES: &str = "program sleep 1000\npid-file app.pid";

/// "`pid-file` holds the supervisor's pid"; "removed on exit".
#[test]
fn the_pid_file_holds_the_supervisors_pid_while_it_lives() {
    let sandbox = Sandbox::started(LINES);
    assert_eq!(sandbox.read("app.pid"), format!("{}\n", sandbox.supervisor()));
    let before = sandbox.read("app.pid");
    sandbox.zd(&["restart"]).exits(0);
    assert_eq!(sandbox.read("app.pid"), before);
    assert_eq!(sandbox.hidden_files().iter().filter(|name| name.contains("app.pid")).count(), 0);
    sandbox.stop(&["app.conf"]);
}

/// "kill -TERM $(cat pid-file)", as the boot scripts of old do.
#[test]
fn a_boot_script_stops_the_program_through_the_pid_file() {
    let sandbox = Sandbox::started(LINES);
    let (program, supervisor) = (sandbox.program(), sandbox.supervisor());
    sandbox.run_program("sh", &["-c", "kill -TERM $(cat app.pid)"]).exits(0);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    assert!(!is_alive(program));
    sandbox.assert_clean(&["app.conf"]);
}

/// "if it still holds our pid": another file, or other text in ours.
#[test]
fn a_pid_file_that_is_somebody_elses_is_kept() {
    for replace in [true, false] {
        let sandbox = Sandbox::started(LINES);
        if replace {
            fs::rename(sandbox.file("other", "1\n"), sandbox.path("app.pid")).expect("a file");
        } else {
            sandbox.file("app.pid", "1\n");
        }
        sandbox.stop(&["app.conf", "app.pid"]);
        assert_eq!(sandbox.read("app.pid"), "1\n");
    }
}

/// What a killed supervisor left behind is in nobody's way.
#[test]
fn a_stale_pid_file_is_replaced() {
    let sandbox = Sandbox::started(LINES);
    let supervisor = sandbox.supervisor();
    send_signal(supervisor, Signal::SIGKILL);
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    assert_eq!(sandbox.read("app.pid"), format!("{supervisor}\n"));
    sandbox.zd(&["start"]).exits(0);
    assert_eq!(sandbox.read("app.pid"), format!("{}\n", sandbox.supervisor()));
    sandbox.stop(&["app.conf"]);
}

/// "A launch that fails says why and leaves nothing behind."
#[test]
fn a_pid_file_that_cannot_be_written_is_reported() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    fs::create_dir(sandbox.path("app.pid")).expect("a directory");
    sandbox.zd(&["--pid-file", "app.pid", "start"]).exits(1).complains("unable to write pid file");
    sandbox.assert_clean(&["app.conf", "app.pid"]);
    fs::remove_dir(sandbox.path("app.pid")).expect("still empty");
}

/// A launch that is refused later takes the pid file back, and does not touch
/// that of the supervisor that is there.
#[test]
fn a_failed_launch_leaves_no_pid_file() {
    let sandbox = Sandbox::with_runner(&format!("{LINES}\ntranscript ."));
    sandbox.zd(&["start"]).exits(1).complains("unable to open transcript");
    sandbox.assert_clean(&["app.conf"]);
}

/// "before the user switch when started as root with a root-owned directory":
/// the user cannot remove it, and empties it instead.
#[test]
fn a_pid_file_in_roots_directory_is_emptied_at_the_end() {
    if !is_root() {
        return skip("needs root to give it up");
    }
    let sandbox = Sandbox::started(&format!("{LINES}\nuser nobody\nsocket-name run/zdsock"));
    let supervisor = sandbox.supervisor();
    assert_eq!(sandbox.read("app.pid"), format!("{supervisor}\n"));
    sandbox.zd(&["stop"]).exits(0);
    assert_eq!(sandbox.visible_files(), ["app.conf", "app.pid", "run"]);
    assert_eq!(sandbox.read("app.pid"), "");
    sandbox.zd(&["start"]).exits(0);
    assert_eq!(sandbox.read("app.pid"), format!("{}\n", sandbox.supervisor()));
    sandbox.zd(&["stop"]).exits(0);
}
