//! Where the README's blocks are played: a sandbox with its own `/srv`, `/etc`
//! and `/usr/local/bin`, whose paths are put in place of the page's and taken
//! out of what the commands say.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use super::page::Block;
use crate::harness::{Output, Sandbox, binary};

/// The page's folders that exist in the sandbox.
const FOLDERS: [&str; 4] = ["/srv/", "/etc/", "/usr/local/bin", "/run/"];

/// Stands in for the page's `/srv/app/server`: says so when it is up, and
/// again when it gets SIGUSR1.
const SERVER: &str = "trap 'echo again' USR1\necho ready\nwhile :; do sleep 1000 & wait $!; done";

/// Stands in for the cargo that runs this test; `ci/first-steps` uses the real one.
const CARGO: &str = r#"case "$*" in
'run --release -- '*) shift 3; exec zdaemon "$@" ;;
'build --release' | 'build --release --target '*)
    mkdir -p target/release && cp "$(command -v zdaemon)" target/release/zdaemon ;;
test) ;;
*) echo "this cargo knows no '$*'" >&2; exit 1 ;;
esac"#;

pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
}

impl Stage {
    pub(super) fn new() -> Stage {
        let stage = Stage { sandbox: Sandbox::new() };
        for folder in ["srv/app", "etc/init.d", "etc/logrotate.d", "usr/local/bin", "run", "stubs"]
        {
            fs::create_dir_all(stage.sandbox.path(folder)).expect("a folder");
        }
        symlink(binary(), stage.sandbox.path("usr/local/bin/zdaemon")).expect("a link");
        stage.sandbox.script("srv/app/server", SERVER);
        stage.sandbox.script("stubs/cargo", CARGO);
        stage.sandbox.script("stubs/rustup", "[ \"$1 $2\" = 'target add' ]");
        stage
    }

    /// Where the page's commands are typed.
    pub(super) fn home(&self) -> PathBuf {
        self.sandbox.path("srv/app")
    }

    /// The page's text with the sandbox's paths.
    pub(super) fn placed(&self, text: &str) -> String {
        let root = self.sandbox.path("");
        let root = root.to_string_lossy();
        let root = root.trim_end_matches('/');
        FOLDERS
            .iter()
            .fold(text.to_string(), |text, folder| text.replace(folder, &format!("{root}{folder}")))
    }

    /// The file that the page means, be it relative or absolute.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        match name.strip_prefix('/') {
            Some(name) => self.sandbox.path(name),
            None => self.home().join(name),
        }
    }

    /// Lays a block into its file: as the whole, or, where a `+` follows the
    /// name, as more of it.
    pub(super) fn lay(&self, block: &Block) -> PathBuf {
        let name = block.file.trim_end_matches(" +");
        let (path, text) = (self.file(name), self.placed(&block.text));
        let text = match fs::read_to_string(&path) {
            Ok(before) if block.file.ends_with('+') && text.starts_with('<') => before + &text,
            Ok(before) if block.file.ends_with('+') => {
                before.replace("</runner>", &format!("{text}</runner>"))
            }
            _ => text,
        };
        fs::write(&path, text).expect("a file");
        path
    }

    /// Runs a line or a script as somebody would who stands in `/srv/app`.
    pub(super) fn shell(&self, shell: &[&str], text: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let first = self.sandbox.path("usr/local/bin");
        let stubs = self.sandbox.path("stubs");
        let mut command = self.sandbox.command(shell[0]);
        command.args(&shell[1..]).arg("-c").arg(text).current_dir(self.home());
        command.env("PATH", format!("{}:{}:{path}", first.display(), stubs.display()));
        command.env("LC_ALL", "C");
        self.sandbox.finish(&mut command)
    }

    /// Plays the commands of a console block and compares what they say.
    pub(super) fn console(&self, text: &str) {
        for command in text.split("$ ").skip(1) {
            let (line, expected) = command.split_once('\n').unwrap_or((command, ""));
            let output = self.shell(&["sh"], &format!("exec 2>&1\n{}", self.placed(line)));
            let root = self.sandbox.path("");
            let said = output.stdout.replace(root.to_string_lossy().trim_end_matches('/'), "");
            assert_eq!(normal(&said), normal(expected), "what `{line}` says: {output:?}");
        }
    }

    /// Stops whatever has a control socket.
    pub(super) fn stop_all(&self) {
        for socket in sockets(&self.sandbox.path("")) {
            let socket = socket.to_string_lossy();
            let output = self.sandbox.run(&["-s", &socket, "-p", "none", "stop"]);
            output.exits(0).says("daemon process stopped");
        }
    }
}

fn sockets(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(sockets(&entry.path()));
        } else if kind.is_socket() {
            found.push(entry.path());
        }
    }
    found
}

/// Without dots, blank lines and process ids, which differ from run to run.
fn normal(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches(". ").trim_end());
    lines.filter(|line| !line.is_empty() && *line != ".").map(without_pids).collect()
}

fn without_pids(line: &str) -> String {
    let mut line = line.to_string();
    for before in ["pid=", "pid ", "process ", "kill("] {
        let Some(at) = line.find(before).map(|at| at + before.len()) else { continue };
        let digits = line[at..].chars().take_while(char::is_ascii_digit).count();
        if digits > 0 {
            line.replace_range(at..at + digits, "N");
        }
    }
    line
}
