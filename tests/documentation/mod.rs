//! README.md is true: every block of it is played, and its tables are those of
//! the binary.

mod page;
mod stage;
mod tables;

use std::fs;
use std::os::unix::fs::chown;

use nix::sys::signal::Signal;

use self::page::{Block, Section, section, sections};
use self::stage::Stage;
use crate::harness::{Sandbox, has_program, is_root, send_signal, skip, wait_until};

/// The sections that have a test of their own below.
const PLAYED: [&str; 14] = [
    "Try it",
    "Install",
    "First configuration",
    "Crashes and restarts",
    "Is it up?",
    "Stopping",
    "The transcript and its rotation",
    "The event log",
    "Another user",
    "An init script",
    "Containers",
    "The prompt",
    "Instances",
    "Old Zope and ZEO installations",
];

/// "every command in this file is run by a test"
#[test]
fn every_block_of_the_readme_is_played_by_a_test() {
    let with_blocks = sections().into_iter().filter(|section| !section.blocks.is_empty());
    let titles: Vec<String> = with_blocks.map(|section| section.title).collect();
    assert_eq!(titles, PLAYED);
}

/// The configuration files of the first section, which all others start from.
fn stage_with_first_files() -> Stage {
    let stage = Stage::new();
    for block in section("First configuration").blocks {
        if block.kind == "conf" && !block.file.ends_with('+') {
            stage.lay(&block);
        }
    }
    stage
}

/// Plays a section's blocks one after the other.
fn play(title: &str) {
    let stage = stage_with_first_files();
    for block in &section(title).blocks {
        match block.kind.as_str() {
            "console" => stage.console(&block.text),
            "conf" => start_for_real(&stage, block),
            "sh" => drop(
                stage.shell(&["sh"], &format!("set -e\n{}", stage.placed(&block.text))).exits(0),
            ),
            kind => panic!("nobody plays blocks of the kind '{kind}'"),
        }
    }
    stage.stop_all();
}

/// A configuration is only shown to be good by a program that runs with it.
fn start_for_real(stage: &Stage, block: &Block) {
    stage.stop_all();
    let file = stage.lay(block);
    let file = file.to_string_lossy();
    let start = format!("exec zdaemon -C {file} --settle-time 0 start");
    stage.shell(&["sh"], &start).exits(0).says("daemon process started");
    stage.shell(&["sh"], &format!("exec zdaemon -C {file} stop")).exits(0);
    let _ = fs::remove_file(stage.file("app.out"));
}

/// "On a machine with only cargo and a C linker, this starts a daemon"
#[test]
fn the_first_commands_of_the_readme_start_a_daemon() {
    play("Try it");
}

#[test]
fn the_install_commands_of_the_readme_put_the_binary_in_its_place() {
    let stage = Stage::new();
    fs::rename(stage.sandbox.path("usr/local/bin/zdaemon"), stage.sandbox.path("stubs/zdaemon"))
        .expect("out of the way");
    for block in section("Install").blocks {
        stage.shell(&["sh"], &format!("set -e\n{}", stage.placed(&block.text))).exits(0);
    }
    let installed = stage.sandbox.path("usr/local/bin/zdaemon");
    stage.sandbox.run_program(installed, &["--version"]).exits(0);
}

/// "Put four lines into a file"
#[test]
fn the_first_configuration_of_the_readme_has_four_lines_and_works() {
    assert_eq!(section("First configuration").blocks[0].text.lines().count(), 4);
    play("First configuration");
}

#[test]
fn the_readme_tells_the_truth_about_crashes() {
    play("Crashes and restarts");
}

#[test]
fn the_readme_tells_the_truth_about_start_tests() {
    play("Is it up?");
}

#[test]
fn the_readme_tells_the_truth_about_stopping() {
    play("Stopping");
}

/// "Rename the file and say `reopen_transcript` to begin a new one"
#[test]
fn the_readme_tells_the_truth_about_the_transcript() {
    let stage = stage_with_first_files();
    let blocks = section("The transcript and its rotation").blocks;
    let console: Vec<&Block> = blocks.iter().filter(|block| block.kind == "console").collect();
    assert_eq!(console.len(), 1);
    stage.console(&console[0].text);
    stage.stop_all();
}

/// The stanza makes the real logrotate begin a new transcript.
#[test]
fn the_logrotate_stanza_of_the_readme_begins_a_new_transcript() {
    if !has_program("logrotate") {
        return skip("logrotate is not installed");
    }
    let stage = stage_with_first_files();
    let blocks = section("The transcript and its rotation").blocks;
    let stanza = blocks.iter().find(|block| block.kind == "logrotate").expect("a stanza");
    let stanza = stage.lay(stanza);
    stage.shell(&["sh"], &stage.placed("zdaemon -C /etc/app.conf start")).exits(0);
    let said = |file: &str| stage.sandbox.read(&format!("srv/app/{file}"));
    wait_until("the first output", || said("server.out") == "ready\n");
    let rotate =
        format!("logrotate --force --state {}/state {}", stage.home().display(), stanza.display());
    let rotate = format!("PATH=$PATH:/usr/sbin:/sbin; {rotate}");
    let output = stage.shell(&["sh"], &rotate).exits(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    assert_eq!(said("server.out.1"), "ready\n");
    let pid = stage.shell(&["sh"], &stage.placed("zdaemon -C /etc/app.conf status")).pid();
    send_signal(pid, Signal::SIGUSR1);
    wait_until("output in the new transcript", || said("server.out") == "again\n");
    stage.stop_all();
}

#[test]
fn the_event_log_of_the_readme_works() {
    play("The event log");
}

/// "the daemon manager and the program become `user`"
#[test]
fn the_configuration_of_the_readme_with_a_user_runs_as_that_user() {
    if !is_root() {
        return skip("only root can become another user");
    }
    let stage = Stage::new();
    let nobody = nix::unistd::User::from_name("nobody").expect("users").expect("nobody");
    chown(stage.home(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).expect("a new owner");
    let Section { blocks, .. } = section("Another user");
    assert!(blocks[0].text.contains(" app\n"));
    let file = stage.lay(&blocks[0]);
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace(" app\n", " nobody\n")).expect("the file");
    let command = |action| stage.placed(&format!("exec zdaemon -C /etc/app.conf {action}"));
    let pid = stage.shell(&["sh"], &command("start")).exits(0).pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let uid = nobody.uid.to_string();
    let uids = status.lines().find(|line| line.starts_with("Uid:")).expect("user ids");
    assert!(uids.split_whitespace().skip(1).all(|word| word == uid), "{uids}");
    stage.shell(&["sh"], &command("stop")).exits(0);
}

/// "Exit statuses are LSB's"
fn init_script_keeps_to_lsb(shell: &[&str]) {
    if !has_program(shell[0]) {
        return skip(&format!("{} is not installed", shell[0]));
    }
    let stage = stage_with_first_files();
    let blocks = section("An init script").blocks;
    assert_eq!(blocks.len(), 1);
    let script = stage.lay(&blocks[0]);
    let conf = stage.file("/etc/app.conf");
    let text = fs::read_to_string(&conf).expect("the file");
    fs::write(conf, text.replace("</runner>", "settle-time 0\n</runner>")).expect("the file");
    let exits = |action: &str| {
        let line = format!("exec {} {} {action}", shell.join(" "), script.display());
        stage.shell(shell, &line).code()
    };
    let actions = [
        ("status", 3),
        ("try-restart", 0),
        ("status", 3),
        ("start", 0),
        ("start", 0),
        ("status", 0),
        ("restart", 0),
        ("force-reload", 0),
        ("try-restart", 0),
        ("status", 0),
        ("stop", 0),
        ("stop", 0),
        ("status", 3),
        ("", 2),
        ("dance", 2),
    ];
    for (step, (action, expected)) in actions.iter().enumerate() {
        assert_eq!(exits(action), *expected, "step {step}: {action}");
    }
}

#[test]
fn the_init_script_of_the_readme_keeps_to_lsb_under_sh() {
    init_script_keeps_to_lsb(&["sh"]);
}

#[test]
fn the_init_script_of_the_readme_keeps_to_lsb_under_dash() {
    init_script_keeps_to_lsb(&["dash"]);
}

#[test]
fn the_init_script_of_the_readme_keeps_to_lsb_under_busybox() {
    init_script_keeps_to_lsb(&["busybox", "sh"]);
}

/// The image's command stays in the foreground and ends in order when the
/// container is stopped.
#[test]
fn the_container_of_the_readme_runs_in_the_foreground_and_stops() {
    let stage = Stage::new();
    let blocks = section("Containers").blocks;
    let [conf, image] = blocks.as_slice() else { panic!("two blocks") };
    let server = format!(" {}", stage.file("/srv/app/server").display());
    let inside = |text: &str| stage.placed(text).replace(" /server", &server);
    fs::write(stage.file("/app.conf"), inside(&conf.text)).expect("the file");
    let command = image.text.lines().find_map(|line| line.strip_prefix("CMD ")).expect("a CMD");
    let words: Vec<&str> = command.split('"').skip(1).step_by(2).collect();
    assert_eq!(words, ["/zdaemon", "-C", "/app.conf", "start"]);
    let conf = stage.file("/app.conf").display().to_string();
    let container = stage.sandbox.background(&["-C", &conf, "start"]);
    let status = |sandbox: &Sandbox| sandbox.run(&["-C", &conf, "status"]).code();
    wait_until("the program runs", || status(&stage.sandbox) == 0);
    // It has said that it is ready by the time that it waits.
    wait_until("the program waits", || {
        stage.sandbox.processes().iter().any(|(_, line)| line.starts_with("sleep 1000"))
    });
    send_signal(container.pid(), Signal::SIGTERM);
    assert_eq!(container.output().exits(0).stdout, "ready\n");
    assert_eq!(status(&stage.sandbox), 3);
}

/// "Commands can come from a pipe or a file as well; then there is no prompt"
#[test]
fn the_prompt_takes_the_commands_of_the_readme_from_a_pipe() {
    play("The prompt");
}

#[test]
fn the_instance_of_the_readme_is_made_started_and_stopped() {
    play("Instances");
}

#[test]
fn the_other_names_of_the_readme_are_the_tools_that_it_says() {
    let stage = Stage::new();
    let old = section("Old Zope and ZEO installations");
    for block in &old.blocks {
        stage.shell(&["sh"], &format!("set -e\n{}", stage.placed(&block.text))).exits(0);
    }
    for name in ["zdctl", "zdrun", "zeoctl", "mkzeoinst"] {
        let help = stage.shell(&["sh"], &format!("exec {name} -h")).exits(0);
        assert!(help.stdout.contains(name), "{help:?}");
    }
    for name in
        old.rows.iter().flat_map(|row| page::quoted(&row[0])).filter(|name| name != "zdaemon")
    {
        if name.starts_with("SIG") {
            continue;
        }
        stage.sandbox.run(&[&name, "-h"]).exits(0);
    }
}
