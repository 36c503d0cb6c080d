use crate::harness::{Sandbox, is_alive};

/// "the program runs, can be asked about and stopped"
#[test]
fn a_program_is_started_asked_about_and_stopped() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let started = sandbox.zd(&["start"]).exits(0);
    let pid = started.pid();
    assert_eq!(started.stdout, format!("\ndaemon process started, pid={pid}\n"));
    let status = sandbox.zd(&["status"]).exits(0);
    assert_eq!(status.stdout, format!("program running; pid={pid}\n"));
    let again = sandbox.zd(&["start"]).exits(0);
    assert_eq!(again.stdout, format!("daemon process already running; pid={pid}\n"));
    let stopped = sandbox.zd(&["stop"]).exits(0);
    assert_eq!(stopped.stdout, "\ndaemon process stopped\n");
    assert!(!is_alive(pid));
    assert_eq!(sandbox.zd(&["status"]).exits(3).stdout, "daemon manager not running\n");
    assert_eq!(sandbox.zd(&["stop"]).exits(0).stdout, "daemon manager not running\n");
    assert_eq!(sandbox.visible_files(), ["app.conf"]);
    assert_eq!(sandbox.hidden_files(), Vec::<String>::new());
}
