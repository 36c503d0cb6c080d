//! A log file: appended to, put aside by size or time, closed and opened again
//! on request. Decides by the times it is given and sets no timer.

use super::local::Zone;
use super::plan::{FilePlan, Rotation, Rule};
use super::rotation;
use super::whole::Whole;
use crate::sys::place::{self, Access};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

pub(super) struct LogFile {
    plan: FilePlan,
    /// None only before the first record of a delayed file.
    file: Option<File>,
    whole: Whole,
    /// When the running period ends, in seconds since 1970, if time matters.
    period_end: Option<u64>,
    /// The last rotation failed, and that was said.
    is_stuck: bool,
}

impl LogFile {
    /// `now` is wall time since 1970. The first period counts from the last
    /// change of a file that is there already, so that restarts do not put off
    /// its rotation.
    pub(super) fn open(plan: FilePlan, now: Duration, zone: &Zone) -> io::Result<LogFile> {
        let mut log = LogFile {
            plan,
            file: None,
            whole: Whole::default(),
            period_end: None,
            is_stuck: false,
        };
        let changed = fs::metadata(&log.plan.path).and_then(|found| found.modified());
        let since = changed.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        log.begin_period(since.unwrap_or(now), zone);
        if !log.plan.delay {
            log.file = Some(open_for_append(&log.plan.path)?);
        }
        Ok(log)
    }

    pub(super) fn path(&self) -> &Path {
        &self.plan.path
    }

    /// On an error nothing of `record` is in the file.
    pub(super) fn put(&mut self, record: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_for_append(&self.plan.path)?,
        };
        self.whole.put(self.file.insert(file), record)
    }

    /// Puts the file aside if a record of `length` bytes may not go into it any
    /// more. While that fails, records go on into the same file; only the first
    /// failure in a row is reported.
    pub(super) fn rotate_if_due(
        &mut self,
        length: usize,
        now: Duration,
        zone: &Zone,
    ) -> io::Result<()> {
        if !self.is_due(length, now, zone) {
            return Ok(());
        }
        let result = self.rotate(now, zone);
        let was_stuck = std::mem::replace(&mut self.is_stuck, result.is_err());
        if was_stuck { Ok(()) } else { result }
    }

    /// Closes the file and opens the same name again; a rotating file is put
    /// aside first. If that fails, the file stays open as it is.
    pub(super) fn reopen(&mut self, now: Duration, zone: &Zone) -> io::Result<()> {
        if !self.plan.delay {
            return self.rotate(now, zone);
        }
        self.put_aside(now, zone)?;
        self.file = None;
        self.next_period(now, zone)
    }

    fn is_due(&mut self, length: usize, now: Duration, zone: &Zone) -> bool {
        match self.plan.rotation.as_ref().map(|rotation| rotation.rule) {
            None => false,
            Some(Rule::Size(most)) => {
                let found = match &self.file {
                    Some(file) => file.metadata(),
                    None => fs::metadata(&self.plan.path),
                };
                found.is_ok_and(|found| {
                    found.len() > 0 && found.len().saturating_add(length as u64) >= most
                })
            }
            Some(Rule::Time(period)) => {
                // A clock that was put back must not put off rotation for years.
                let latest = rotation::end(period, now.as_secs(), zone);
                let end = self.period_end.map_or(latest, |end| end.min(latest));
                self.period_end = Some(end);
                now.as_secs() >= end
            }
        }
    }

    fn begin_period(&mut self, from: Duration, zone: &Zone) {
        if let Some(Rule::Time(period)) = self.plan.rotation.as_ref().map(|rotation| rotation.rule)
        {
            self.period_end = Some(rotation::end(period, from.as_secs(), zone));
        }
    }

    /// Opens the file anew, after it was put aside if it rotates.
    fn rotate(&mut self, now: Duration, zone: &Zone) -> io::Result<()> {
        let aside = self.put_aside(now, zone)?;
        match open_for_append(&self.plan.path) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                // Go on in the old file, and under its own name if that is free.
                if let Some(aside) = aside.filter(|_| fs::symlink_metadata(self.path()).is_err()) {
                    place::rename(&aside, self.path())?;
                }
                return Err(error);
            }
        }
        self.next_period(now, zone)
    }

    fn next_period(&mut self, now: Duration, zone: &Zone) -> io::Result<()> {
        self.begin_period(now, zone);
        match &self.plan.rotation {
            Some(Rotation { old_files, rule: Rule::Time(period) }) => {
                rotation::remove_oldest(&self.plan.path, period.unit, *old_files)
            }
            Some(Rotation { rule: Rule::Size(_), .. }) | None => Ok(()),
        }
    }

    /// Renames the file and says to what; none if there is nothing to keep, or
    /// if it is no plain file.
    fn put_aside(&self, now: Duration, zone: &Zone) -> io::Result<Option<PathBuf>> {
        let path = &self.plan.path;
        let Some(rotation) = &self.plan.rotation else {
            return Ok(None);
        };
        let is_worth_keeping = match fs::metadata(path) {
            Ok(found) => found.is_file() && found.len() > 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_worth_keeping {
            return Ok(None);
        }
        let aside = match rotation.rule {
            Rule::Size(_) => rotation::free_number(path, rotation.old_files)?,
            Rule::Time(period) => {
                let end =
                    self.period_end.unwrap_or_else(|| rotation::end(period, now.as_secs(), zone));
                rotation::free_stamp(path, period, end, zone)?
            }
        };
        place::rename(path, &aside)?;
        Ok(Some(aside))
    }
}

/// Opens or creates the file at `path`. A FIFO that nobody reads is an error and
/// no wait, and so is a directory; what can be full (a FIFO, a terminal) fails
/// with `WouldBlock` then.
pub(super) fn open_for_append(path: &Path) -> io::Result<File> {
    place::open(path, Access::Append, 0o666)
}
