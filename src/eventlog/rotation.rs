//! When is a log file put aside, under which name, and which of the old ones
//! are kept? Renames nothing but older backups; the file itself is `file.rs`'s.

use super::local::Zone;
use super::plan::{Period, Unit};
use crate::sys::place;
use std::ffi::{CStr, OsStr};
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// When a period ends that runs at `from`; both in seconds since 1970.
pub(super) fn end(period: Period, from: u64, zone: &Zone) -> u64 {
    let days = match period.unit {
        Unit::Second | Unit::Minute | Unit::Hour | Unit::Day => None,
        Unit::Midnight => Some(period.interval),
        Unit::Weekday(day) => zone.at(from).map(|time| {
            let days_left = u32::from((day + 7 - time.weekday()) % 7) + 1;
            (period.interval - 1).saturating_mul(7).saturating_add(days_left)
        }),
    };
    days.and_then(|days| midnight(from, i64::from(days), zone))
        .unwrap_or_else(|| from.saturating_add(length(period)))
}

/// When the period began that ends at `end`.
fn start(period: Period, end: u64, zone: &Zone) -> u64 {
    let interval = i64::from(period.interval);
    let midnight = match period.unit {
        Unit::Second | Unit::Minute | Unit::Hour | Unit::Day => None,
        Unit::Midnight => midnight(end, -interval, zone),
        Unit::Weekday(_) => midnight(end, -7 * interval, zone),
    };
    midnight.unwrap_or_else(|| end.saturating_sub(length(period)))
}

fn midnight(from: u64, days: i64, zone: &Zone) -> Option<u64> {
    zone.at(from)?.midnight(days)
}

fn length(period: Period) -> u64 {
    let unit = match period.unit {
        Unit::Second => 1,
        Unit::Minute => MINUTE,
        Unit::Hour => HOUR,
        Unit::Day | Unit::Midnight => DAY,
        Unit::Weekday(_) => WEEK,
    };
    unit * u64::from(period.interval)
}

/// `path` with a dot and `suffix` after it.
fn suffixed(path: &Path, suffix: impl Display) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

/// Frees `path.1` by counting up the old files before the first missing one; of
/// more than `old_files`, the oldest goes.
pub(super) fn free_number(path: &Path, old_files: u32) -> io::Result<PathBuf> {
    let is_taken = |number: &u32| fs::symlink_metadata(suffixed(path, number)).is_ok();
    let taken = (1..old_files).take_while(is_taken).last().unwrap_or(0);
    for number in (1..=taken).rev() {
        place::rename(&suffixed(path, number), &suffixed(path, number + 1))?;
    }
    Ok(suffixed(path, 1))
}

/// A name of its own for the period that ends at `end`: `path.<stamp>`, and
/// `path.<stamp>.<n>` when there is an older file with this stamp.
pub(super) fn free_stamp(
    path: &Path,
    period: Period,
    end: u64,
    zone: &Zone,
) -> io::Result<PathBuf> {
    let (format, _) = stamp_format(period.unit);
    let mut buffer = [0; 64];
    let begin = zone.at(start(period, end, zone)).ok_or(io::ErrorKind::InvalidInput)?;
    let stamp = begin.stamp(format, &mut buffer).to_owned();
    let old = old_files(path, period.unit)?;
    let plain = suffixed(path, &stamp);
    Ok(match old.iter().rev().find(|old| old.stamp == stamp) {
        Some(last) => suffixed(&plain, last.number + 1),
        None => plain,
    })
}

/// Removes all but the newest `kept` files that time rotation has put aside.
pub(super) fn remove_oldest(path: &Path, unit: Unit, kept: u32) -> io::Result<()> {
    let old = old_files(path, unit)?;
    let surplus = old.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
    for file in &old[..surplus] {
        place::remove(&file.path)?;
    }
    Ok(())
}

/// The fields in this order say which file is older.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OldFile {
    stamp: String,
    number: u32,
    path: PathBuf,
}

/// What time rotation has put aside, oldest first.
fn old_files(path: &Path, unit: Unit) -> io::Result<Vec<OldFile>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some((stamp, number)) = stamp_of(&entry.file_name(), name, unit) {
            found.push(OldFile { stamp, number, path: entry.path() });
        }
    }
    found.sort();
    Ok(found)
}

/// The parts of `candidate` if it is `name.<stamp>` or `name.<stamp>.<n>`.
fn stamp_of(candidate: &OsStr, name: &OsStr, unit: Unit) -> Option<(String, u32)> {
    let (_, shape) = stamp_format(unit);
    let rest = candidate.to_str()?.strip_prefix(name.to_str()?)?.strip_prefix('.')?;
    let (stamp, rest) = rest.split_at_checked(shape.len())?;
    let fits = |(c, wanted): (char, char)| {
        if wanted == '0' { c.is_ascii_digit() } else { c == wanted }
    };
    if !stamp.chars().zip(shape.chars()).all(fits) {
        return None;
    }
    let number = match rest.strip_prefix('.') {
        Some(number) => number.parse().ok()?,
        None if rest.is_empty() => 0,
        None => return None,
    };
    Some((stamp.to_owned(), number))
}

/// What stands for the beginning of a period, and what that looks like.
fn stamp_format(unit: Unit) -> (&'static CStr, &'static str) {
    match unit {
        Unit::Second => (c"%Y-%m-%d_%H-%M-%S", "0000-00-00_00-00-00"),
        Unit::Minute => (c"%Y-%m-%d_%H-%M", "0000-00-00_00-00"),
        Unit::Hour => (c"%Y-%m-%d_%H", "0000-00-00_00"),
        Unit::Day | Unit::Midnight | Unit::Weekday(_) => (c"%Y-%m-%d", "0000-00-00"),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, HOUR, WEEK, end, stamp_of, start};
    use crate::eventlog::local::Zone;
    use crate::eventlog::plan::{Period, Unit};
    use std::ffi::OsStr;

    const NOW: u64 = 1_795_182_833;

    /// Has a summer time, which begins and ends in the periods below.
    fn here() -> Zone {
        Zone::new(Some(OsStr::new("CET-1CEST,M3.5.0,M11.5.0/3")))
    }

    fn hour_of(time: u64) -> String {
        here().at(time).unwrap().stamp(c"%H:%M:%S", &mut [0; 16]).to_owned()
    }

    #[test]
    fn plain_periods_are_counted_from_now() {
        for (unit, length) in
            [(Unit::Second, 1), (Unit::Minute, 60), (Unit::Hour, HOUR), (Unit::Day, DAY)]
        {
            let period = Period { unit, interval: 3 };
            assert_eq!(end(period, NOW, &here()), NOW + 3 * length);
            assert_eq!(start(period, NOW + 3 * length, &here()), NOW);
        }
    }

    #[test]
    fn midnight_is_the_next_one_and_with_an_interval_a_later_one() {
        let next = end(Period { unit: Unit::Midnight, interval: 1 }, NOW, &here());
        assert_eq!(hour_of(next), "00:00:00");
        assert!(NOW < next && next <= NOW + DAY + HOUR);
        let third = end(Period { unit: Unit::Midnight, interval: 3 }, NOW, &here());
        assert_eq!(hour_of(third), "00:00:00");
        assert!(next + 2 * DAY - HOUR <= third && third <= next + 2 * DAY + HOUR);
    }

    #[test]
    fn a_weekday_ends_at_its_midnight_within_a_week() {
        for day in 0..7 {
            let period = Period { unit: Unit::Weekday(day), interval: 1 };
            let end = end(period, NOW, &here());
            assert_eq!(hour_of(end), "00:00:00");
            assert_eq!(here().at(end).unwrap().weekday(), (day + 1) % 7);
            assert!(NOW < end && end <= NOW + WEEK + HOUR);
            assert_eq!(here().at(start(period, end, &here())).unwrap().weekday(), (day + 1) % 7);
        }
    }

    #[test]
    fn only_files_with_a_stamp_of_the_unit_count_as_old() {
        let parts = |name: &str| stamp_of(OsStr::new(name), OsStr::new("log"), Unit::Day);
        assert_eq!(parts("log.2026-11-20"), Some(("2026-11-20".to_owned(), 0)));
        assert_eq!(parts("log.2026-11-20.12"), Some(("2026-11-20".to_owned(), 12)));
        for name in ["log", "log.1", "log.2026-11-20_13", "log.2026-11-20.gz", "log2.2026-11-20"] {
            assert_eq!(parts(name), None, "{name}");
        }
    }
}
