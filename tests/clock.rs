//! Lengths and clocks at their ends. That the wall clock decides nothing is shown
//! by `ci/clock`, in a machine of its own.

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, count, may_unshare, send_signal, skip, wait_until};

/// "Nothing that arrives may make the supervisor exit", nor may what it has to add
/// up: these deadlines are after the end of time.
#[test]
fn timeouts_longer_than_time_overflow_nothing() {
    let sandbox = Sandbox::with_runner(
        "program ./program\nsettle-time 0\nstop-timeout 18446744073709500000\n\
         start-timeout 18446744073709500000",
    );
    sandbox.script(
        "program",
        "trap 'touch termed; [ ! -e obey ] || exit 0' TERM\necho $$ >up\nwhile :; do sleep 0.02; done",
    );
    let program = sandbox.zd(&["start"]).exits(0).pid();
    assert_eq!(sandbox.wait_for_number("up"), program);
    let supervisor = sandbox.supervisor();
    let restart = sandbox.zd_background(&["restart"]);
    wait_until("it is told to stop", || sandbox.path("termed").exists());
    let status = sandbox.zd(&["status", "-l"]).exits(0);
    assert!(status.stdout.contains("readiness=stopping\n"), "{status:?}");
    send_signal(program, Signal::SIGKILL);
    let next = restart.output().exits(0).pid();
    assert_eq!((sandbox.supervisor(), sandbox.program()), (supervisor, next));
    sandbox.file("obey", "");
    sandbox.stop(&["app.conf", "obey", "program", "termed", "up"]);
}

/// A machine that has been up for 68 years: its seconds no longer fit 31 bits.
#[test]
fn a_life_across_two_to_the_31_seconds_is_like_any_other() {
    if !may_unshare("-T") {
        return skip("needs a time namespace");
    }
    let sandbox = Sandbox::logged("program ./program\nsettle-time 0.5\nbackoff-limit 3");
    sandbox.script("program", "[ -e fails ] && exit 1; exec sleep 1000");
    let up = std::fs::read_to_string("/proc/uptime").expect("/proc");
    let seconds: u64 = up.split('.').next().and_then(|text| text.parse().ok()).expect("seconds");
    let offset = ((1_u64 << 31) - 2 - seconds).to_string();
    let script = "set -e\n\
                  $0 -C app.conf start; $0 -C app.conf restart; $0 -C app.conf status\n\
                  $0 -C app.conf stop; touch fails; ! $0 -C app.conf start; rm fails\n\
                  $0 -C app.conf start; kill -9 $($0 -C app.conf status -l | sed -n s/^manager=//p)\n\
                  $0 -C app.conf start; $0 -C app.conf stop";
    let mut life = sandbox.command("unshare");
    life.args(["-T", "-f", "--monotonic", &offset, "--boottime", &offset, "sh", "-c", script]);
    let life = sandbox.finish(life.arg(crate::harness::binary())).exits(0);
    assert_eq!(count(&life.stdout, "daemon process started, pid="), 2, "{life:?}");
    assert_eq!(count(&life.stdout, "daemon process already running; pid="), 1, "{life:?}");
    let events = sandbox.events();
    for text in ["sleep 1 to avoid", "sleep 2 to avoid", "restarting too frequently"] {
        assert_eq!(count(&events, text), 1, "{text} in {events}");
    }
    sandbox.assert_clean(&["app.conf", "events.log", "program"]);
}
