//! Whole logs in a folder of their own, under simulated wall time.

mod local;
mod rotation;

use super::local::Zone;
use super::plan::{
    Address, Facility, FilePlan, HandlerPlan, Plan, Rotation, Rule, Stream, SyslogPlan, Target,
};
use super::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, EventLog, Layout, Style};
use crate::vocabulary::Level;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const NOW: Duration = Duration::from_millis(1_795_182_833_045);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Removed with everything in it at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zdaemon-eventlog-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Everything in files whose name begins with `log`, oldest first.
    fn all_text(&self, names: &[&str]) -> String {
        names.iter().map(|name| self.text(name)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn handler(format: &str, target: Target) -> HandlerPlan {
    let layout = Layout::parse(format, Style::Classic, false, DEFAULT_DATE_FORMAT).unwrap();
    HandlerPlan { level: Level::NOTSET, layout, target }
}

fn file(path: &Path, rotation: Option<Rotation>) -> FilePlan {
    FilePlan { path: path.to_owned(), delay: false, rotation }
}

fn opened(handlers: Vec<HandlerPlan>) -> EventLog {
    let plan = Plan { level: Level::INFO, handlers, warnings: Vec::new() };
    EventLog::open(Some(plan), NOW).unwrap()
}

/// A log of bare messages in `path`.
fn bare(path: &Path, rotation: Option<Rotation>) -> EventLog {
    opened(vec![handler("%(message)s", Target::File(file(path, rotation)))])
}

fn by_size(most: u64, old_files: u32) -> Option<Rotation> {
    Some(Rotation { old_files, rule: Rule::Size(most) })
}

/// The zone of whoever runs the tests, as the logs under test have it.
fn here() -> Zone {
    Zone::new(std::env::var_os("TZ").as_deref())
}

fn stamp(time: Duration, format: &std::ffi::CStr) -> String {
    here().at(time.as_secs()).unwrap().stamp(format, &mut [0; 64]).to_owned()
}

#[test]
fn a_record_looks_as_it_always_did() {
    let folder = Folder::new();
    let path = folder.file("log");
    let mut log = opened(vec![handler(DEFAULT_FORMAT, Target::File(file(&path, None)))]);
    log.write(Level::INFO, &"daemon manager started", NOW);
    let time = stamp(NOW, c"%Y-%m-%dT%H:%M:%S");
    assert_eq!(folder.text("log"), format!("------\n{time} INFO root daemon manager started\n"));
}

#[test]
fn the_log_and_each_handler_have_a_level() {
    let folder = Folder::new();
    let mut errors = handler("%(message)s", Target::File(file(&folder.file("errors"), None)));
    errors.level = Level::ERROR;
    let all = handler("%(message)s", Target::File(file(&folder.file("all"), None)));
    let mut log = opened(vec![errors, all]);
    for level in [Level::DEBUG, Level::INFO, Level::ERROR] {
        log.write(level, &level.0, NOW);
    }
    assert_eq!(folder.text("all"), "20\n40\n");
    assert_eq!(folder.text("errors"), "40\n");
}

#[test]
fn a_log_without_handlers_discards_everything() {
    opened(Vec::new()).write(Level::CRITICAL, &"nobody reads this", NOW);
}

#[test]
fn without_a_plan_warnings_go_to_standard_error_as_bare_text() {
    let log = EventLog::open(None, NOW).unwrap();
    assert_eq!(log.level, Level::WARNING);
    let [handler] = log.handlers.as_slice() else { panic!("one handler") };
    assert!(matches!(handler.sink, super::Sink::Stream(Stream::Stderr, _)));
    assert_eq!(handler.layout, Layout::parse("%(message)s", Style::Classic, false, "").unwrap());
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let folder = Folder::new();
    let fifo = folder.file("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [folder.0.clone(), folder.file("none/log"), fifo] {
        let plan = Plan {
            level: Level::INFO,
            handlers: vec![handler("", Target::File(file(&path, None)))],
            warnings: Vec::new(),
        };
        let error = EventLog::open(Some(plan), NOW).map(drop).unwrap_err().to_string();
        let start = format!("unable to open event log {}: ", path.display());
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn an_existing_file_is_appended_to() {
    let folder = Folder::new();
    fs::write(folder.file("log"), "before\n").unwrap();
    bare(&folder.file("log"), None).write(Level::INFO, &"after", NOW);
    assert_eq!(folder.text("log"), "before\nafter\n");
}

#[test]
fn a_moved_file_is_made_anew_when_the_log_is_reopened() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), None);
    log.write(Level::INFO, &"one", NOW);
    fs::rename(folder.file("log"), folder.file("moved")).unwrap();
    log.write(Level::INFO, &"two", NOW);
    log.reopen(NOW).unwrap();
    log.write(Level::INFO, &"three", NOW);
    assert_eq!(folder.text("moved"), "one\ntwo\n");
    assert_eq!(folder.text("log"), "three\n");
}

#[test]
fn a_file_that_cannot_be_reopened_is_named_and_written_on() {
    let folder = Folder::new();
    let paths = [folder.file("log"), folder.file("other")];
    let mut log =
        opened(paths.iter().map(|p| handler("%(message)s", Target::File(file(p, None)))).collect());
    for path in &paths {
        fs::rename(path, path.with_extension("moved")).unwrap();
    }
    fs::create_dir(&paths[0]).unwrap();
    let error = log.reopen(NOW).unwrap_err();
    assert_eq!(error.path, paths[0]);
    log.write(Level::INFO, &"still there", NOW);
    assert_eq!(folder.text("log.moved"), "still there\n");
    assert_eq!(folder.text("other"), "still there\n", "the other file was reopened");
}

#[test]
fn a_delayed_file_is_opened_by_its_first_record_and_again_after_reopen() {
    let folder = Folder::new();
    let plan = FilePlan { delay: true, ..file(&folder.file("log"), None) };
    let mut log = opened(vec![handler("%(message)s", Target::File(plan))]);
    log.reopen(NOW).unwrap();
    assert!(folder.names().is_empty());
    log.write(Level::INFO, &"one", NOW);
    fs::rename(folder.file("log"), folder.file("moved")).unwrap();
    log.reopen(NOW).unwrap();
    assert_eq!(folder.names(), ["moved"]);
    log.write(Level::INFO, &"two", NOW);
    assert_eq!(folder.text("log"), "two\n");
}

#[test]
fn lost_records_are_counted_and_the_next_one_says_how_many() {
    let folder = Folder::new();
    let plan = FilePlan { delay: true, ..file(&folder.file("sub/log"), None) };
    let mut log = opened(vec![handler("%(levelname)s %(message)s", Target::File(plan))]);
    log.write(Level::INFO, &"one", NOW);
    log.write(Level::INFO, &"two", NOW);
    fs::create_dir(folder.file("sub")).unwrap();
    log.write(Level::INFO, &"three", NOW);
    log.write(Level::INFO, &"four", NOW);
    let text = folder.text("sub/log");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("WARNING 2 records before this one were lost: [Errno 2] No such"),
        "{text}"
    );
    assert_eq!(lines[1..], ["INFO three", "INFO four"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_records_and_stops_nothing() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/dev/full", folder.file("log")).unwrap();
    let mut log = bare(&folder.file("log"), by_size(10, 1));
    log.write(Level::INFO, &"one", NOW);
    fs::remove_file(folder.file("log")).unwrap();
    log.reopen(NOW).unwrap();
    log.write(Level::INFO, &"two", NOW);
    assert!(
        folder
            .text("log.1")
            .starts_with("1 record before this one was lost: [Errno 28] No space left")
    );
    assert_eq!(folder.text("log"), "two\n");
}

#[test]
fn syslog_packets_have_a_priority_and_end_in_a_zero_byte() {
    let folder = Folder::new();
    let peer = UnixDatagram::bind(folder.file("socket")).unwrap();
    let address = Address::Local(folder.file("socket"));
    let target = Target::Syslog(SyslogPlan { address, facility: Facility(1) });
    let mut log = opened(vec![handler("%(name)s %(message)s", target)]);
    log.write(Level::ERROR, &"help", NOW);
    let mut packet = [0; 64];
    let length = peer.recv(&mut packet).unwrap();
    assert_eq!(&packet[..length], b"<11>root help\0");
}

#[test]
fn records_use_the_buffer_of_the_one_before() {
    let folder = Folder::new();
    let mut log = opened(vec![handler(
        DEFAULT_FORMAT,
        Target::File(file(&folder.file("log"), by_size(1_000_000, 1))),
    )]);
    let before = (log.buffer.as_ptr(), log.buffer.capacity());
    for number in 0..1000 {
        log.write(Level::INFO, &number, NOW);
    }
    assert_eq!((log.buffer.as_ptr(), log.buffer.capacity()), before);
}
