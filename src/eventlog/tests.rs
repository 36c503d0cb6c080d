//! Whole logs in a folder of their own, under simulated wall time.

use super::plan::{
    Address, Facility, FilePlan, HandlerPlan, Period, Plan, Rotation, Rule, Stream, SyslogPlan,
    Target, Unit,
};
use super::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, EventLog, Layout, Style};
use crate::sys::calendar::LocalTime;
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
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
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
    HandlerPlan {
        level: Level::NOTSET,
        layout,
        target,
    }
}

fn file(path: &Path, rotation: Option<Rotation>) -> FilePlan {
    FilePlan {
        path: path.to_owned(),
        delay: false,
        rotation,
    }
}

fn opened(handlers: Vec<HandlerPlan>) -> EventLog {
    let plan = Plan {
        level: Level::INFO,
        handlers,
        warnings: Vec::new(),
    };
    EventLog::open(Some(plan), NOW).unwrap()
}

/// A log of bare messages in `path`.
fn bare(path: &Path, rotation: Option<Rotation>) -> EventLog {
    opened(vec![handler(
        "%(message)s",
        Target::File(file(path, rotation)),
    )])
}

fn by_size(most: u64, old_files: u32) -> Option<Rotation> {
    Some(Rotation {
        old_files,
        rule: Rule::Size(most),
    })
}

fn by_time(unit: Unit, interval: u32, old_files: u32) -> Option<Rotation> {
    Some(Rotation {
        old_files,
        rule: Rule::Time(Period { unit, interval }),
    })
}

fn stamp(time: Duration, format: &std::ffi::CStr) -> String {
    LocalTime::at(time.as_secs())
        .unwrap()
        .stamp(format, &mut [0; 64])
        .to_owned()
}

/// Makes the file look as if it had last been written at `time`.
fn date_back(path: &Path, time: Duration) {
    let file = fs::File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.set_modified(std::time::UNIX_EPOCH + time).unwrap();
}

#[test]
fn a_record_looks_as_it_always_did() {
    let folder = Folder::new();
    let path = folder.file("log");
    let mut log = opened(vec![handler(
        DEFAULT_FORMAT,
        Target::File(file(&path, None)),
    )]);
    log.write(Level::INFO, &"daemon manager started", NOW);
    let time = stamp(NOW, c"%Y-%m-%dT%H:%M:%S");
    assert_eq!(
        folder.text("log"),
        format!("------\n{time} INFO root daemon manager started\n")
    );
}

#[test]
fn the_log_and_each_handler_have_a_level() {
    let folder = Folder::new();
    let mut errors = handler(
        "%(message)s",
        Target::File(file(&folder.file("errors"), None)),
    );
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
    let [handler] = log.handlers.as_slice() else {
        panic!("one handler")
    };
    assert!(matches!(
        handler.sink,
        super::Sink::Stream(Stream::Stderr, _)
    ));
    assert_eq!(
        handler.layout,
        Layout::parse("%(message)s", Style::Classic, false, "").unwrap()
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let folder = Folder::new();
    let fifo = folder.file("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for path in [folder.0.clone(), folder.file("none/log"), fifo] {
        let plan = Plan {
            level: Level::INFO,
            handlers: vec![handler("", Target::File(file(&path, None)))],
            warnings: Vec::new(),
        };
        let error = EventLog::open(Some(plan), NOW)
            .map(drop)
            .unwrap_err()
            .to_string();
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
    let mut log = opened(
        paths
            .iter()
            .map(|p| handler("%(message)s", Target::File(file(p, None))))
            .collect(),
    );
    for path in &paths {
        fs::rename(path, path.with_extension("moved")).unwrap();
    }
    fs::create_dir(&paths[0]).unwrap();
    let error = log.reopen(NOW).unwrap_err();
    assert_eq!(error.path, paths[0]);
    log.write(Level::INFO, &"still there", NOW);
    assert_eq!(folder.text("log.moved"), "still there\n");
    assert_eq!(
        folder.text("other"),
        "still there\n",
        "the other file was reopened"
    );
}

#[test]
fn a_delayed_file_is_opened_by_its_first_record_and_again_after_reopen() {
    let folder = Folder::new();
    let plan = FilePlan {
        delay: true,
        ..file(&folder.file("log"), None)
    };
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
    let plan = FilePlan {
        delay: true,
        ..file(&folder.file("sub/log"), None)
    };
    let mut log = opened(vec![handler(
        "%(levelname)s %(message)s",
        Target::File(plan),
    )]);
    log.write(Level::INFO, &"one", NOW);
    log.write(Level::INFO, &"two", NOW);
    fs::create_dir(folder.file("sub")).unwrap();
    log.write(Level::INFO, &"three", NOW);
    log.write(Level::INFO, &"four", NOW);
    let text = folder.text("sub/log");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("WARNING 2 records before this one were lost: No such"),
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
            .starts_with("1 record before this one was lost: No space left")
    );
    assert_eq!(folder.text("log"), "two\n");
}

#[test]
fn rotation_by_size_counts_up_and_keeps_the_newest_old_files() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_size(10, 2));
    for record in ["aaaa", "bbb", "cccc", "dddd", "eeeeeeeeeeee", "ffff"] {
        log.write(Level::INFO, &record, NOW);
    }
    assert_eq!(folder.names(), ["log", "log.1", "log.2"]);
    assert_eq!(folder.text("log"), "ffff\n");
    assert_eq!(folder.text("log.1"), "eeeeeeeeeeee\n");
    assert_eq!(folder.text("log.2"), "dddd\n");
}

#[test]
fn rotation_by_size_loses_and_repeats_nothing() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_size(100, 50));
    let mut expected = String::new();
    for number in 0..500 {
        log.write(Level::INFO, &number, NOW);
        expected += &format!("{number}\n");
    }
    let old: Vec<String> = (1..folder.names().len())
        .rev()
        .map(|number| format!("log.{number}"))
        .collect();
    let mut names: Vec<&str> = old.iter().map(String::as_str).collect();
    names.push("log");
    assert!(names.len() > 15);
    assert_eq!(folder.all_text(&names), expected);
    assert!(names.iter().all(|name| folder.text(name).len() < 100));
}

#[test]
fn a_gap_among_the_old_files_saves_those_behind_it() {
    let folder = Folder::new();
    for (name, text) in [("log", "now\n"), ("log.1", "one\n"), ("log.3", "three\n")] {
        fs::write(folder.file(name), text).unwrap();
    }
    bare(&folder.file("log"), by_size(1, 3)).write(Level::INFO, &"new", NOW);
    let text = folder.all_text(&["log", "log.1", "log.2", "log.3"]);
    assert_eq!(text, "new\nnow\none\nthree\n");
}

#[test]
fn rotation_by_time_happens_with_the_first_record_after_the_period() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_time(Unit::Hour, 2, 5));
    let hour = Duration::from_secs(3600);
    for (record, passed) in [
        ("one", 0),
        ("two", 1),
        ("three", 2),
        ("four", 3),
        ("five", 9),
    ] {
        log.write(Level::INFO, &record, NOW + passed * hour);
    }
    let first = format!("log.{}", stamp(NOW, c"%Y-%m-%d_%H"));
    let second = format!("log.{}", stamp(NOW + 2 * hour, c"%Y-%m-%d_%H"));
    assert_eq!(folder.names(), ["log", &first, &second]);
    assert_eq!(
        folder.all_text(&[&first, &second, "log"]),
        "one\ntwo\nthree\nfour\nfive\n"
    );
    assert_eq!(folder.text(&first), "one\ntwo\n");
    assert_eq!(folder.text("log"), "five\n");
}

#[test]
fn rotation_at_midnight_names_the_day_that_ended_and_keeps_the_newest() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_time(Unit::Midnight, 1, 2));
    let noon = LocalTime::at(NOW.as_secs()).unwrap().midnight(0).unwrap() + 12 * 3600;
    for day in 0..5 {
        log.write(Level::INFO, &day, Duration::from_secs(noon) + day * DAY);
    }
    let name = |day: u32| {
        format!(
            "log.{}",
            stamp(Duration::from_secs(noon) + day * DAY, c"%Y-%m-%d")
        )
    };
    assert_eq!(folder.names(), ["log".to_owned(), name(2), name(3)]);
    assert_eq!(folder.all_text(&[&name(2), &name(3), "log"]), "2\n3\n4\n");
}

#[test]
fn a_period_counts_from_the_last_change_of_an_existing_file() {
    let folder = Folder::new();
    fs::write(folder.file("log"), "old\n").unwrap();
    date_back(&folder.file("log"), NOW - 3 * DAY);
    bare(&folder.file("log"), by_time(Unit::Day, 2, 2)).write(Level::INFO, &"new", NOW);
    let old = format!("log.{}", stamp(NOW - 3 * DAY, c"%Y-%m-%d"));
    assert_eq!(folder.all_text(&[&old, "log"]), "old\nnew\n");
    assert_eq!(folder.names(), ["log", &old]);
}

#[test]
fn a_file_with_the_same_stamp_is_not_overwritten() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_time(Unit::Day, 1, 3));
    for record in ["one", "two", "three", "four", "five"] {
        log.write(Level::INFO, &record, NOW);
        log.reopen(NOW).unwrap();
    }
    let name = format!("log.{}", stamp(NOW, c"%Y-%m-%d"));
    let [third, fourth, fifth] = [2, 3, 4].map(|number| format!("{name}.{number}"));
    assert_eq!(folder.names(), ["log", &third, &fourth, &fifth]);
    assert_eq!(
        folder.all_text(&[&third, &fourth, &fifth, "log"]),
        "three\nfour\nfive\n"
    );
}

#[test]
fn a_clock_that_was_put_back_does_not_put_off_rotation() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_time(Unit::Day, 1, 3));
    log.write(Level::INFO, &"one", NOW + 2 * DAY);
    log.write(Level::INFO, &"two", NOW - 100 * DAY);
    log.write(Level::INFO, &"three", NOW - 98 * DAY);
    assert_eq!(folder.text("log"), "three\n");
}

#[test]
fn reopening_a_rotating_file_puts_it_aside_unless_it_is_empty() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_size(1000, 3));
    log.write(Level::INFO, &"one", NOW);
    log.reopen(NOW).unwrap();
    log.reopen(NOW).unwrap();
    assert_eq!(folder.names(), ["log", "log.1"]);
    assert_eq!(folder.all_text(&["log.1", "log"]), "one\n");
}

#[test]
fn a_file_that_cannot_be_put_aside_is_written_on_and_says_so_once() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_size(5, 1));
    fs::create_dir_all(folder.file("log.1/full")).unwrap();
    for record in ["one", "two", "three"] {
        log.write(Level::INFO, &record, NOW);
    }
    let text = folder.text("log");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!([lines[0], lines[1], lines[3]], ["one", "two", "three"]);
    assert!(lines[2].starts_with("unable to rotate ") && lines[2].ends_with("; writing on"));
    fs::remove_dir_all(folder.file("log.1")).unwrap();
    log.write(Level::INFO, &"four", NOW);
    assert_eq!(folder.text("log"), "four\n");
}

#[test]
fn syslog_packets_have_a_priority_and_end_in_a_zero_byte() {
    let folder = Folder::new();
    let peer = UnixDatagram::bind(folder.file("socket")).unwrap();
    let address = Address::Local(folder.file("socket"));
    let target = Target::Syslog(SyslogPlan {
        address,
        facility: Facility(1),
    });
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
