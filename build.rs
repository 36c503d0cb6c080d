//! Puts into the binary what its `--version` and `show` tell: the commit and
//! the target it was built from and for.

#![allow(clippy::print_stdout)] // how a build script talks to cargo

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=src");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = commit.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    println!("cargo:rustc-env=ZDAEMON_COMMIT={}", commit.unwrap_or_else(|| "unknown".to_string()));
    let target = env::var("TARGET").unwrap_or_else(|_| "unknown".to_string());
    println!("cargo:rustc-env=ZDAEMON_TARGET={target}");
}
