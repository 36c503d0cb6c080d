//! Where a program's output goes: every byte into the transcript, through
//! renames, reopenings and a full disk.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;

use crate::harness::{
    Sandbox, binary, count, is_alive, may_unshare, send_signal, skip, wait_until,
};

/// "append": standard output and error, behind what is there, in their order.
#[test]
fn output_and_errors_are_appended_in_their_order() {
    let sandbox = Sandbox::with_runner("program ./speaks\ntranscript out\nsettle-time 0");
    sandbox.script("speaks", "echo one; echo two >&2; echo three; exec sleep 1000");
    sandbox.file("out", "before\n");
    let expected = "before\none\ntwo\nthree\n";
    sandbox.zd(&["start"]).exits(0);
    wait_until("the output", || sandbox.read("out").len() >= expected.len());
    assert_eq!(sandbox.read("out"), expected);
    sandbox.zd(&["stop"]).exits(0);
    sandbox.zd(&["start"]).exits(0);
    wait_until("more", || sandbox.read("out") == format!("{expected}one\ntwo\nthree\n"));
    sandbox.zd(&["stop"]).exits(0);
    sandbox.holds_only(&["app.conf", "out", "speaks"]);
}

/// What a program says last is there when `stop` returns, that of its start
/// test too.
#[test]
fn the_last_words_are_in_the_transcript_when_the_program_is_gone() {
    let sandbox =
        Sandbox::with_runner("program ./talks\ntranscript out\nstart-test-program ./test");
    sandbox.script("test", "echo tested; [ -e up ]");
    let body = "trap 'seq 10000 20000; echo the end; exit 0' TERM\n\
                echo $$ > up; while :; do sleep 0.02; done";
    sandbox.script("talks", body);
    sandbox.zd(&["start"]).exits(0);
    sandbox.zd(&["stop"]).exits(0);
    let text = sandbox.read("out");
    assert!(text.starts_with("tested\n"), "{text:.80}");
    assert_eq!(text.lines().filter(|line| line.parse::<u32>().is_ok()).count(), 10_001);
    assert!(text.ends_with("20000\nthe end\n"));
}

/// "Nothing lost: none across 200 reopenings under load"
#[test]
fn two_hundred_reopenings_under_load_lose_no_line() {
    let sandbox = Sandbox::with_runner("program ./counts\ntranscript out\nsettle-time 0");
    let body = "i=0; until [ -e enough ]; do i=$((i+1)); echo $i; done; echo $i > last";
    sandbox.script("counts", body);
    sandbox.zd(&["start"]).exits(0);
    let supervisor = sandbox.supervisor();
    for round in 0..200 {
        // Each file gets something, or the rename would not be under load.
        wait_until("output", || fs::metadata(sandbox.path("out")).is_ok_and(|f| f.len() > 0));
        fs::rename(sandbox.path("out"), sandbox.path(&format!("out.{round}"))).expect("a rename");
        assert_eq!(sandbox.request("reopen_transcript"), "");
        assert!(sandbox.path("out").exists(), "a new file is there with the reply");
    }
    sandbox.file("enough", "");
    wait_until("the supervisor's end", || !is_alive(supervisor));
    let old = (0..200).map(|round| sandbox.read(&format!("out.{round}")));
    let all: String = old.chain([sandbox.read("out")]).collect();
    let last = sandbox.wait_for_number("last");
    assert!(all.lines().map(str::to_string).eq((1..=last).map(|number| number.to_string())));
}

/// "USR2 reopens logs", and so does the client's command, which is silent.
#[test]
fn both_ways_to_reopen_make_a_new_file() {
    let sandbox = Sandbox::logged("program sleep 1000\ntranscript out\nsettle-time 0");
    sandbox.zd(&["start"]).exits(0);
    for (round, how) in ["command", "USR2"].iter().enumerate() {
        fs::rename(sandbox.path("out"), sandbox.path("old")).expect("a rename");
        fs::rename(sandbox.path("events.log"), sandbox.path("old.log")).expect("a rename");
        if *how == "command" {
            assert_eq!(sandbox.zd(&["reopen_transcript"]).exits(0).stdout, "");
        } else {
            send_signal(sandbox.supervisor(), Signal::SIGUSR2);
        }
        sandbox.wait_for_event("reopened transcript and event log\n");
        assert!(sandbox.path("out").exists(), "{round}: {how}");
    }
    // The program has no handler for USR2 and died from it.
    sandbox.wait_for_event("terminated by SIGUSR2\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// The old file goes on where the new one cannot be opened, and that is logged.
#[test]
fn a_reopening_that_fails_keeps_the_old_file() {
    let sandbox = Sandbox::logged("program ./counts\ntranscript sub/out\nsettle-time 0");
    fs::create_dir(sandbox.path("sub")).expect("a directory");
    sandbox.script("counts", "trap 'echo HUP' HUP; echo up; while :; do sleep 0.02; done");
    sandbox.zd(&["start"]).exits(0);
    sandbox.wait_for_text("sub/out", "up\n");
    fs::rename(sandbox.path("sub"), sandbox.path("moved")).expect("a rename");
    sandbox.zd(&["reopen_transcript"]).exits(0);
    sandbox.wait_for_event("unable to reopen ");
    assert!(sandbox.events().contains("/sub/out: [Errno 2] No such file or directory\n"));
    sandbox.zd(&["kill", "HUP"]).exits(0);
    sandbox.wait_for_text("moved/out", "up\nHUP\n");
    sandbox.zd(&["stop"]).exits(0);
}

/// "`/dev/null` is handed to the program directly": no pipe, no copying.
#[test]
fn without_a_transcript_the_program_has_dev_null_itself() {
    for transcript in ["", "transcript /dev/null"] {
        let sandbox =
            Sandbox::with_runner(&format!("program sleep 1000\nsettle-time 0\n{transcript}"));
        let pid = sandbox.zd(&["start"]).exits(0).pid();
        for descriptor in 0..3 {
            let target = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).expect("a link");
            assert_eq!(target, Path::new("/dev/null"));
        }
        let hidden = sandbox.hidden_files();
        assert!(!hidden.iter().any(|name| name.contains("output")), "{hidden:?}");
        sandbox.zd(&["stop"]).exits(0);
    }
}

/// "set umask before opening the transcript": the first file as well as the next.
#[test]
fn the_umask_holds_for_the_transcript_from_the_first_file_on() {
    let sandbox =
        Sandbox::with_runner("program sleep 1000\nsettle-time 0\ntranscript out\numask 077");
    sandbox.zd(&["start"]).exits(0);
    let mode = || fs::metadata(sandbox.path("out")).expect("it").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::remove_file(sandbox.path("out")).expect("a removal");
    sandbox.zd(&["reopen_transcript"]).exits(0);
    assert_eq!(mode(), 0o600);
    sandbox.zd(&["stop"]).exits(0);
}

/// "relative to `directory`"
#[test]
fn a_relative_transcript_is_in_the_programs_directory() {
    let sandbox = Sandbox::with_runner("program pwd\ntranscript out\ndirectory sub\nexit-codes 0");
    sandbox.zd(&["start"]).exits(1);
    let expected = format!("{}\n", sandbox.path("sub").display());
    assert_eq!(sandbox.read("sub/out"), expected);
    assert_eq!(sandbox.visible_files(), ["app.conf", "sub"]);
}

/// "Where the disk is full the program keeps running, what had to be dropped is
/// counted in the transcript, and writing resumes by itself"
#[test]
fn a_full_disk_stops_nobody_and_what_is_missing_is_counted() {
    if !may_unshare("-m") {
        return skip("a file system cannot be mounted here");
    }
    let sandbox = Sandbox::logged("program ./fills\ntranscript disk/out\nsettle-time 0");
    fs::create_dir(sandbox.path("disk")).expect("a directory");
    let body = "echo first\ncat /dev/zero > disk/rest 2> reason\n\
                seq 100000 120000; touch filled\n\
                until [ -e more ]; do sleep 0.02; done; rm disk/rest\n\
                seq 200000 200100; touch written; exec sleep 1000";
    sandbox.script("fills", body);
    let mount = "mount -t tmpfs -o size=64k tmpfs disk && exec \"$0\" -C app.conf start";
    let binary = binary().display().to_string();
    sandbox.run_program("unshare", &["-m", "sh", "-c", mount, &binary]).exits(0);
    let disk = format!("/proc/{}/root{}", sandbox.supervisor(), sandbox.path("disk/out").display());
    let transcript = || fs::read_to_string(&disk).unwrap_or_default();
    wait_until("a program that went on", || sandbox.path("filled").exists());
    sandbox.wait_for_event("unable to write to transcript ");
    assert!(sandbox.events().contains("[Errno 28] No space left on device; dropping output"));
    sandbox.file("more", "");
    wait_until("the last line", || transcript().ends_with("200100\n"));
    let text = transcript();
    let parts: Vec<&str> = text.split("\nzdaemon: ").collect();
    let missing: usize =
        parts[1..].iter().map(|part| number_before(part, " bytes of output")).sum();
    let notices: usize =
        text.lines().filter(|line| line.starts_with("zdaemon: ")).map(|line| line.len() + 2).sum();
    let total = "first\n".len() + 7 * (20_001 + 101);
    assert!(missing > 0, "{text:.200}");
    assert_eq!(text.len() - notices + missing, total);
    let told = format!("transcript works again; {missing} bytes of output were dropped\n");
    sandbox.wait_for_event(&told);
    assert_eq!(count(&sandbox.events(), "unable to write to transcript"), 1);
    sandbox.zd(&["stop"]).exits(0);
}

/// What the transcript holds of a program that wrote the numbers from 1000000 on,
/// and how much it says is missing: each byte in its place, or counted there.
#[track_caller]
fn missing_of_numbers(text: &str, end: u64) -> usize {
    let all: String = (1_000_000..end).map(|number| format!("{number}\n")).collect();
    let (mut rest, mut missing) = (all.as_str(), 0);
    for (index, part) in text.split("\nzdaemon: ").enumerate() {
        let mut kept = part;
        if index > 0 {
            let (count, after) =
                part.split_once(" bytes of output are missing here\n").expect("it");
            let count: usize = count.parse().expect("a number");
            (kept, missing) = (after, missing + count);
            rest = &rest[count..];
        }
        assert!(rest.starts_with(kept), "{kept:.40} where {rest:.40} was written");
        rest = &rest[kept.len()..];
    }
    assert_eq!(rest, "");
    missing
}

/// "loss is counted exactly, resumes each time", also when the supervisor is
/// killed while the disk is full
#[test]
fn a_disk_that_is_filled_and_freed_ten_times_loses_what_is_counted_and_no_more() {
    if !may_unshare("-m") {
        return skip("a file system cannot be mounted here");
    }
    let sandbox = Sandbox::logged("program ./counts\ntranscript disk/out\nsettle-time 0");
    fs::create_dir(sandbox.path("disk")).expect("a directory");
    let body = "next=1000000; mkfifo words; exec 3<>words; while read -r count <&3; do\n\
                seq $next $((next + count - 1)); next=$((next + count)); echo $next >reached; done";
    sandbox.script("counts", body);
    let mount = "mount -t tmpfs -o size=1m tmpfs disk && exec \"$0\" -C app.conf start";
    let binary = binary().display().to_string();
    let started = sandbox.run_program("unshare", &["-m", "sh", "-c", mount, &binary]).exits(0);
    let program = started.pid();
    let disk = format!("/proc/{program}/root{}", sandbox.path("disk").display());
    let (mut next, mut all) = (1_000_000, String::new());
    let mut write = |count: u64| {
        wait_until("the program listens", || sandbox.path("words").exists());
        sandbox.file("words", &format!("{count}\n"));
        next += count;
        wait_until("a program that goes on", || sandbox.read("reached") == format!("{next}\n"));
        next
    };
    for round in 0..10 {
        let mut rest = fs::File::create(format!("{disk}/rest")).expect("a file");
        while rest.write_all(&[0; 4096]).is_ok() {}
        drop(rest);
        // More than the pipe can hold.
        let begun = Instant::now();
        write(400_000);
        assert!(begun.elapsed() < A_MOMENT, "the program waited for {:?}", begun.elapsed());
        // As soon as there is room, what waits there has to fit into less than all of it.
        wait_until("a small pipe", || pipe_size(program) <= 64 * 1024);
        if round == 5 {
            let supervisor = sandbox.supervisor();
            send_signal(supervisor, Signal::SIGKILL);
            wait_until("it is gone", || !is_alive(supervisor));
            let start =
                format!("cd {} && exec \"$0\" -C app.conf start", sandbox.path("").display());
            let enter = ["-t", &program.to_string(), "-m", "sh", "-c", &start, &binary];
            assert_eq!(sandbox.run_program("nsenter", &enter).exits(0).pid(), program);
        }
        fs::remove_file(format!("{disk}/rest")).expect("a removal");
        let last = format!("{}\n", write(1000) - 1);
        let text = || fs::read_to_string(format!("{disk}/out")).unwrap_or_default();
        wait_until("it works again", || text().ends_with(&last));
        all += &text();
        // As a rotation does that copies and truncates.
        fs::File::create(format!("{disk}/out")).expect("the transcript");
    }
    let missing = missing_of_numbers(&all, write(0));
    assert!(missing > 10 * 1_000_000, "{missing}");
    let events = sandbox.events();
    let told = events.split("transcript works again; ").skip(1);
    let told: usize = told.map(|rest| number_before(rest, " bytes of output")).sum();
    assert_eq!(told, missing);
    assert_eq!(count(&events, "unable to write to transcript"), 10);
    sandbox.zd(&["stop"]).exits(0);
}

/// Nothing stalls for longer, even on a busy machine.
const A_MOMENT: Duration = Duration::from_secs(5);

/// How much the program's output may hold that nobody has read. A shell uses
/// another standard output now and then.
fn pipe_size(program: i32) -> i32 {
    let output = fs::OpenOptions::new().write(true).open(format!("/proc/{program}/fd/2"));
    fcntl(output.expect("a pipe"), FcntlArg::F_GETPIPE_SZ).expect("a size")
}

fn number_before(text: &str, end: &str) -> usize {
    text.split(end).next().and_then(|number| number.parse().ok()).expect("a number")
}
