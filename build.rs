//! Puts into the binary what its `--version` and `show` tell: the commit and
//! the target it was built from and for.

#![allow(clippy::print_stdout)] // how a build script talks to cargo

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    // The log of HEAD grows with every commit and checkout. A file that is not
    // there would have cargo build everything again each time.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    println!("cargo:rustc-env=ZDAEMON_COMMIT={}", commit.unwrap_or_else(|| "unknown".to_string()));
    let target = env::var("TARGET").unwrap_or_else(|_| "unknown".to_string());
    println!("cargo:rustc-env=ZDAEMON_TARGET={target}");
}

/// What git says; none where there is no repository or no git.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_string();
    output.status.success().then_some(said)
}
