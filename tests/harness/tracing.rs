//! Watching, and disturbing, the system calls of a process with strace.

use std::path::Path;

use super::{Background, Sandbox, exists, wait_until};

/// Whether system calls can be watched here.
pub(crate) fn can_trace(sandbox: &Sandbox) -> bool {
    let arguments = ["-qq", "-o", "/dev/null", "true"];
    exists(Path::new("/usr/bin/strace")) && sandbox.run_program("strace", &arguments).code() == 0
}

/// Attaches strace to a process; what it sees goes into the file `trace`.
pub(crate) fn trace(sandbox: &Sandbox, pid: i32, expressions: &[&str]) -> Background {
    let mut strace = sandbox.command("strace");
    strace.args(["-qq", "-o", "trace", "-p", &pid.to_string()]).args(expressions);
    let strace = Background::of(&mut strace);
    wait_until("it is watched", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("TracerPid:\t{}", strace.pid()))
    });
    strace
}
