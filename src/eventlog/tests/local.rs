//! Local time by rules, and by a zone's file that changes, goes or is none.

use super::{DAY, Folder, NOW, bare};
use crate::eventlog::local::Zone;
use crate::eventlog::zone::tests::file_of;
use crate::vocabulary::Level;
use std::ffi::{CStr, OsStr};
use std::fs;

fn zone(tz: &str) -> Zone {
    Zone::new(Some(OsStr::new(tz)))
}

fn shown(zone: &Zone, time: u64, format: &CStr) -> String {
    zone.at(time).unwrap().stamp(format, &mut [0; 64]).to_owned()
}

const ALL: &CStr = c"%Y-%m-%d %H:%M:%S %z %a %j";

#[test]
fn a_stamp_shows_every_field_of_local_time() {
    let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
    // 2026-10-25 00:59:59 UTC and the second after it.
    assert_eq!(shown(&berlin, 1_792_889_999, ALL), "2026-10-25 02:59:59 +0200 Sun 298");
    assert_eq!(shown(&berlin, 1_792_890_000, ALL), "2026-10-25 02:00:00 +0100 Sun 298");
    assert_eq!(shown(&zone("<-03>3"), 0, ALL), "1969-12-31 21:00:00 -0300 Wed 365");
    assert_eq!(shown(&zone(""), 4_102_444_799, ALL), "2099-12-31 23:59:59 +0000 Thu 365");
    assert_eq!(shown(&zone("UTC0"), 95_617_584_000, ALL), "5000-01-01 00:00:00 +0000 Wed 001");
    assert_eq!(shown(&zone("/nowhere"), 0, c"%H %Z"), "00 UTC");
}

#[test]
fn the_name_of_the_zone_and_the_seconds_are_those_of_the_time_shown() {
    let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_eq!(shown(&berlin, 1_792_889_999, c"%Z %s"), "CEST 1792889999");
    assert_eq!(shown(&berlin, 1_792_890_000, c"%Z%%Z%%%Z%s%n"), "CET%Z%CET1792890000\n");
    assert_eq!(shown(&zone("<+03>-3"), 0, c"%Z"), "+03");
}

#[test]
fn a_stamp_longer_than_its_buffer_is_empty() {
    let utc = zone("");
    let time = utc.at(0).unwrap();
    assert_eq!(time.stamp(c"%Y-%m-%d", &mut [0; 8]), "");
}

#[test]
fn times_beyond_the_calendar_have_no_local_time() {
    for time in [u64::MAX, i64::MAX.unsigned_abs()] {
        assert!(zone("").at(time).is_none());
    }
    let far_east = zone("XXX-24");
    let last = far_east.at(67_767_976_233_532_799).unwrap();
    assert_eq!(last.midnight(1), None);
    last.stamp(c"%c", &mut [0; 64]);
}

#[test]
fn a_midnight_is_a_midnight_and_the_next_one_is_a_day_later() {
    for tz in ["UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+14>-14", "<-12>12", "NST3:30NDT"] {
        let zone = zone(tz);
        for time in (1_767_225_600..1_798_761_600).step_by(7013) {
            let now = zone.at(time).unwrap();
            let (today, tomorrow) = (now.midnight(0).unwrap(), now.midnight(1).unwrap());
            assert!(today <= time && time < tomorrow, "{tz} {time}: {today} {tomorrow}");
            assert_eq!(shown(&zone, today, c"%H:%M:%S"), "00:00:00", "{tz} {time}");
            assert_eq!(shown(&zone, tomorrow, c"%H:%M:%S"), "00:00:00", "{tz} {time}");
            assert_eq!(shown(&zone, today, c"%F"), shown(&zone, time, c"%F"));
            assert_eq!(zone.at(tomorrow).unwrap().weekday(), (now.weekday() + 1) % 7);
        }
    }
}

#[test]
fn a_day_whose_midnight_is_left_out_begins_when_the_clocks_are_put_forward() {
    let place = zone("<-03>3<-02>,M10.3.0/0,M2.3.0/0");
    // 2026-10-17 12:00:00 UTC; the clocks go from 00:00 to 01:00 that night.
    let midnight = place.at(1_792_238_400).unwrap().midnight(1).unwrap();
    assert_eq!(shown(&place, midnight - 1, c"%F %T"), "2026-10-17 23:59:59");
    assert_eq!(shown(&place, midnight, c"%F %T"), "2026-10-18 01:00:00");
}

#[test]
fn a_changed_zone_counts_once_the_answer_has_run_out_or_the_log_is_reopened() {
    let folder = Folder::new();
    let path = folder.file("localtime");
    let clocks = [(3600, false, "ONE"), (7200, false, "TWO")];
    let others = [(10_800, false, "OTHER")];
    fs::write(&path, file_of(b'2', &[(500, 1)], &clocks, "")).unwrap();
    let zone = zone(path.to_str().unwrap());
    let name = |time| shown(&zone, time, c"%Z");
    assert_eq!(name(100), "ONE");
    fs::write(&path, file_of(b'2', &[], &others, "")).unwrap();
    assert_eq!(name(499), "ONE", "the file is not read again");
    assert_eq!(name(500), "OTHER", "the answer had run out");
    fs::write(&path, file_of(b'2', &[], &clocks, "")).unwrap();
    assert_eq!(name(600), "OTHER");
    zone.forget();
    assert_eq!(name(600), "ONE");
}

#[test]
fn looking_ahead_over_a_change_does_not_read_the_file_each_time() {
    let folder = Folder::new();
    let path = folder.file("localtime");
    let clocks = [(3600, false, "ONE"), (7200, false, "TWO")];
    fs::write(&path, file_of(b'2', &[(500, 1)], &clocks, "")).unwrap();
    let zone = zone(path.to_str().unwrap());
    let names = || [100, 600, 100, 600].map(|time| shown(&zone, time, c"%Z"));
    assert_eq!(names(), ["ONE", "TWO", "ONE", "TWO"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(names(), ["ONE", "TWO", "ONE", "TWO"]);
}

#[test]
fn a_zone_that_is_gone_stays_as_it_was_until_the_log_is_reopened() {
    let folder = Folder::new();
    let path = folder.file("localtime");
    let clocks = [(3600, false, "ONE"), (7200, false, "TWO")];
    let bytes = file_of(b'2', &[(500, 1)], &clocks, "");
    fs::write(&path, &bytes).unwrap();
    let zone = zone(path.to_str().unwrap());
    let name = |time| shown(&zone, time, c"%Z");
    assert_eq!(name(499), "ONE");
    fs::remove_file(&path).unwrap();
    assert_eq!(name(500), "ONE");
    assert_eq!(zone.at(500).unwrap().midnight(1), Some(24 * 3600 - 3600));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(name(559), "ONE");
    assert_eq!(name(560), "TWO", "it is tried again after a minute");
    fs::remove_file(&path).unwrap();
    zone.forget();
    assert_eq!(name(700), "UTC");
}

#[test]
fn what_is_no_file_of_a_zone_is_utc_and_nothing_to_wait_for() {
    let folder = Folder::new();
    let fifo = folder.file("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::write(folder.file("text"), "TZ=Europe/Berlin\n".repeat(9)).unwrap();
    for path in [fifo, folder.file("text"), folder.0.clone(), "/dev/zero".into()] {
        let zone = zone(path.to_str().unwrap());
        assert_eq!(shown(&zone, 0, c"%H %Z"), "00 UTC", "{}", path.display());
    }
}

#[test]
fn a_reopened_log_asks_for_the_zone_again() {
    let folder = Folder::new();
    let path = folder.file("localtime");
    fs::write(&path, file_of(b'2', &[], &[(3600, false, "ONE")], "")).unwrap();
    let mut log = bare(&folder.file("log"), None);
    log.zone = zone(path.to_str().unwrap());
    log.write(Level::INFO, &"one", NOW);
    assert_eq!(shown(&log.zone, NOW.as_secs(), c"%Z"), "ONE");
    fs::write(&path, file_of(b'2', &[], &[(7200, false, "TWO")], "")).unwrap();
    log.reopen(NOW + DAY).unwrap();
    assert_eq!(shown(&log.zone, NOW.as_secs(), c"%Z"), "TWO");
}
