//! Local time: what the clocks here show, and when a day begins. Asks the zone's
//! file only for times that the last two answers do not hold for, so a zone that
//! is changed meanwhile counts from the next clock change on, or from `forget`.

use super::stamp::Shown;
use super::zone::civil::{self, SECONDS_A_DAY};
use super::zone::{self, Clock, FURTHEST_OFFSET, Setting, Span};
use crate::sys::descriptor::open_flags;
use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Beyond this the C library has no years left.
const LAST_SECOND: i64 = 67_767_976_233_532_799;
/// For so many seconds clocks are taken to go on as they did, when no file can
/// be read.
const PATIENCE: i64 = 60;
/// More changes than this in two days are nobody's clocks.
const MOST_CHANGES: usize = 64;

const NOTHING_KNOWN: Span = Span { since: 0, until: 0, clock: Clock::UTC };

/// Where we are, as the C library would be told.
pub(super) struct Zone {
    setting: Setting,
    /// The last two answers, the latest first.
    known: Cell<[Span; 2]>,
}

impl Zone {
    /// `variable` is the value of TZ, if it is set.
    pub(super) fn new(variable: Option<&OsStr>) -> Zone {
        Zone { setting: Setting::of(variable), known: Cell::new([NOTHING_KNOWN; 2]) }
    }

    /// From now on only what the zone's file says then is true.
    pub(super) fn forget(&self) {
        self.known.set([NOTHING_KNOWN; 2]);
    }

    /// None for times far beyond any calendar. `seconds` count from 1970.
    pub(super) fn at(&self, seconds: u64) -> Option<LocalTime<'_>> {
        let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds <= LAST_SECOND)?;
        let span = self.find(seconds).unwrap_or_else(|| self.go_on(seconds));
        Some(LocalTime { zone: self, seconds, clock: span.clock })
    }

    fn find(&self, at: i64) -> Option<Span> {
        let [latest, other] = self.known.get();
        if latest.holds(at) {
            return Some(latest);
        }
        let span = if other.holds(at) { other } else { self.look_up(at)? };
        self.known.set([span, latest]);
        Some(span)
    }

    fn look_up(&self, at: i64) -> Option<Span> {
        match &self.setting {
            Setting::Rule(rule) => Some(rule.span_at(at)),
            Setting::Files(files) => files.iter().find_map(|path| read(path, at)),
        }
    }

    /// What is taken to hold when the zone cannot be read.
    fn go_on(&self, at: i64) -> Span {
        let [latest, _] = self.known.get();
        let span = Span { since: at, until: at + PATIENCE, ..latest };
        self.known.set([span, latest]);
        span
    }

    /// The first time at which the clocks show `shown`, which is given as if they
    /// showed UTC, or later, if that hour was left out.
    fn first(&self, shown: i64, usual: Clock) -> i64 {
        let mut at = shown - i64::from(FURTHEST_OFFSET);
        for _ in 0..MOST_CHANGES {
            let Some(span) = self.find(at) else { break };
            let time = (shown - i64::from(span.clock.offset)).max(span.since);
            if time < span.until {
                return time;
            }
            at = span.until;
        }
        shown - i64::from(usual.offset)
    }
}

/// What the file at `path` says about a time; none if it describes no zone. A
/// FIFO is no file of a zone and nothing to wait for.
fn read(path: &Path, at: i64) -> Option<Span> {
    let flags = open_flags::NONBLOCK | open_flags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    zone::span_at(at, &|position: u64, into: &mut [u8]| file.read_at(into, position).unwrap_or(0))
}

/// A point in time, as people here write it.
pub(super) struct LocalTime<'a> {
    zone: &'a Zone,
    seconds: i64,
    clock: Clock,
}

impl LocalTime<'_> {
    /// What the clocks show, in seconds, as if they showed UTC.
    fn shown(&self) -> i64 {
        self.seconds + i64::from(self.clock.offset)
    }

    fn today(&self) -> i64 {
        self.shown().div_euclid(SECONDS_A_DAY)
    }

    /// 0 for Monday to 6 for Sunday.
    pub(super) fn weekday(&self) -> u8 {
        u8::try_from((civil::weekday(self.today()) + 6) % 7).unwrap_or(0)
    }

    /// When the day begins that is `days` after this one, whatever clocks are
    /// put forward or back in between.
    pub(super) fn midnight(&self, days: i64) -> Option<u64> {
        let day = self.today().checked_add(days)?;
        let shown = day.checked_mul(SECONDS_A_DAY).filter(|shown| *shown <= LAST_SECOND)?;
        u64::try_from(self.zone.first(shown, self.clock)).ok()
    }

    /// `format` as strftime fills it in; empty if that is longer than `buffer`.
    pub(super) fn stamp<'a>(&self, format: &CStr, buffer: &'a mut [u8]) -> &'a str {
        let shown = Shown {
            day: self.today(),
            second: self.shown().rem_euclid(SECONDS_A_DAY),
            offset: i64::from(self.clock.offset),
            zone: self.clock.name.as_c_str().to_bytes(),
            time: self.seconds,
        };
        shown.stamp(format.to_bytes(), buffer)
    }
}
