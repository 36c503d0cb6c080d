//! Files put aside by size, by time and on request.

use super::{DAY, Folder, NOW, bare, by_size, here, stamp};
use crate::eventlog::plan::{Period, Rotation, Rule, Unit};
use crate::vocabulary::Level;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn by_time(unit: Unit, interval: u32, old_files: u32) -> Option<Rotation> {
    Some(Rotation { old_files, rule: Rule::Time(Period { unit, interval }) })
}

/// Makes the file look as if it had last been written at `time`.
fn date_back(path: &Path, time: Duration) {
    let file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + time).unwrap();
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
    let old: Vec<String> =
        (1..folder.names().len()).rev().map(|number| format!("log.{number}")).collect();
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
    for (record, passed) in [("one", 0), ("two", 1), ("three", 2), ("four", 3), ("five", 9)] {
        log.write(Level::INFO, &record, NOW + passed * hour);
    }
    let first = format!("log.{}", stamp(NOW, c"%Y-%m-%d_%H"));
    let second = format!("log.{}", stamp(NOW + 2 * hour, c"%Y-%m-%d_%H"));
    assert_eq!(folder.names(), ["log", &first, &second]);
    assert_eq!(folder.all_text(&[&first, &second, "log"]), "one\ntwo\nthree\nfour\nfive\n");
    assert_eq!(folder.text(&first), "one\ntwo\n");
    assert_eq!(folder.text("log"), "five\n");
}

#[test]
fn rotation_at_midnight_names_the_day_that_ended_and_keeps_the_newest() {
    let folder = Folder::new();
    let mut log = bare(&folder.file("log"), by_time(Unit::Midnight, 1, 2));
    let noon = here().at(NOW.as_secs()).unwrap().midnight(0).unwrap() + 12 * 3600;
    for day in 0..5 {
        log.write(Level::INFO, &day, Duration::from_secs(noon) + day * DAY);
    }
    let name =
        |day: u32| format!("log.{}", stamp(Duration::from_secs(noon) + day * DAY, c"%Y-%m-%d"));
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
    assert_eq!(folder.all_text(&[&third, &fourth, &fifth, "log"]), "three\nfour\nfive\n");
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
