//! What does an `<eventlog>` section ask for? Checks every key and handler and
//! makes a plan; opens no file, socket or stream. The old environment variables
//! are read by `environment.rs`.

mod address;
pub(crate) mod environment;
mod keys;
#[cfg(test)]
mod tests;

use super::Error;
use super::zconfig::Section;
use crate::eventlog::plan::{
    FilePlan, HandlerPlan, Period, Plan, Rotation, Rule, Stream, SyslogPlan, Target, Unit,
};
use crate::eventlog::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, Layout, Style, level};
use crate::messages::eventlog::{IgnoredHandler, Problem};
use crate::vocabulary::Level;
use keys::Keys;
use std::path::{Path, PathBuf};

const SYSLOG_FORMAT: &str = "%(name)s %(message)s";

/// Handlers of other platforms and services, which have no effect here.
const IGNORED: [&str; 3] = ["win32-eventlog", "http-logger", "email-notifier"];

/// The keys of every handler.
const COMMON: [&str; 6] =
    ["level", "format", "dateformat", "style", "arbitrary-fields", "formatter"];

/// What the paths and names in a configuration depend on.
struct Surroundings<'a> {
    /// Where relative paths start: the folder that the command was given in.
    base: &'a Path,
    /// Replaces a leading `~`.
    home: &'a dyn Fn(&Path) -> PathBuf,
    /// The text of the hosts file.
    hosts: &'a dyn Fn() -> String,
}

impl Surroundings<'_> {
    fn path(&self, written: &str) -> PathBuf {
        self.base.join((self.home)(Path::new(written)))
    }
}

/// The plan that an `<eventlog>` or `<logger>` section describes. `base` is the
/// absolute directory that relative paths count from, `home` expands a `~`.
pub(crate) fn read(
    section: &Section,
    base: &Path,
    home: &dyn Fn(&Path) -> PathBuf,
) -> Result<Plan, Error> {
    plan(section, &Surroundings { base, home, hosts: &address::hosts_file })
}

fn plan(section: &Section, surroundings: &Surroundings<'_>) -> Result<Plan, Error> {
    // A logger's name and whether it propagates mattered where a program had
    // several; there is one here.
    let known: &[&str] =
        if section.kind == "logger" { &["level", "name", "propagate"] } else { &["level"] };
    let keys = Keys::of(section, &[known])?;
    keys.boolean("propagate", true)?;
    let mut plan = Plan {
        level: keys.get("level", level::parse)?.unwrap_or(Level::INFO),
        handlers: Vec::new(),
        warnings: Vec::new(),
    };
    for handler in &section.sections {
        match handler.kind.as_str() {
            "logfile" => plan.handlers.push(logfile(handler, surroundings)?),
            "syslog" => plan.handlers.push(syslog(handler, surroundings)?),
            kind if IGNORED.contains(&kind) => {
                plan.warnings.push(format!("{}: {}", handler.place, IgnoredHandler(kind)));
            }
            kind => {
                let problem = Problem::UnknownHandler(kind.to_owned());
                return Err(Error::at(&handler.place, problem));
            }
        }
    }
    Ok(plan)
}

fn logfile(section: &Section, surroundings: &Surroundings<'_>) -> Result<HandlerPlan, Error> {
    let own = ["path", "max-size", "old-files", "when", "interval", "delay", "encoding"];
    let keys = Keys::of_handler(section, &[&COMMON, &own])?;
    let path = match keys.text("path") {
        None => return Err(Error::at(&section.place, Problem::NoPath)),
        Some("") => return Err(keys.blame("path", Problem::EmptyPath)),
        Some(path) => path,
    };
    let delay = keys.boolean("delay", false)?;
    let settings = RotationSettings::read(&keys)?;
    let target = match path {
        "STDOUT" => Target::Stream(Stream::Stdout),
        "STDERR" => Target::Stream(Stream::Stderr),
        file => Target::File(FilePlan {
            path: surroundings.path(file),
            delay,
            rotation: settings.rotation(&keys)?,
        }),
    };
    if let Target::Stream(_) = target {
        if let Some(key) = settings.asked_for() {
            return Err(keys.blame(key, Problem::RotatedStream(path.to_owned())));
        }
        if delay {
            return Err(keys.blame("delay", Problem::DelayedStream(path.to_owned())));
        }
        if keys.text("encoding").is_some_and(|encoding| !encoding.is_empty()) {
            return Err(keys.blame("encoding", Problem::EncodedStream(path.to_owned())));
        }
    }
    handler(&keys, DEFAULT_FORMAT, target)
}

fn syslog(section: &Section, surroundings: &Surroundings<'_>) -> Result<HandlerPlan, Error> {
    let keys = Keys::of_handler(section, &[&COMMON, &["address", "facility"]])?;
    let address = |text: &str| address::parse(text, surroundings);
    let plan = SyslogPlan {
        address: match keys.get("address", address)? {
            Some(address) => address,
            None => address::local_default(),
        },
        facility: keys.get("facility", address::facility)?.unwrap_or(address::USER),
    };
    handler(&keys, SYSLOG_FORMAT, Target::Syslog(plan))
}

/// What all handlers have in common.
fn handler(keys: &Keys<'_>, format: &str, target: Target) -> Result<HandlerPlan, Error> {
    let style = keys.get("style", style)?.unwrap_or(Style::Classic);
    let arbitrary_fields = keys.boolean("arbitrary-fields", false)?;
    let date = keys.text("dateformat").unwrap_or(DEFAULT_DATE_FORMAT);
    // The default is written in the classic style, whatever the style is.
    let (format, style) = match keys.text("format") {
        Some(written) => (written, style),
        None => (format, Style::Classic),
    };
    let layout = Layout::parse(format, style, arbitrary_fields, date).map_err(|problem| {
        let key = if problem == Problem::DateFormat { "dateformat" } else { "format" };
        keys.blame(key, problem)
    })?;
    Ok(HandlerPlan {
        level: keys.get("level", level::parse)?.unwrap_or(Level::NOTSET),
        layout,
        target,
    })
}

fn style(text: &str) -> Result<Style, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "classic" => Ok(Style::Classic),
        "format" => Ok(Style::Format),
        "template" => Ok(Style::Template),
        "safe-template" => Ok(Style::SafeTemplate),
        _ => Err(Problem::Style(text.to_owned())),
    }
}

/// The keys of a `<logfile>` that say when it is put aside. Zero, and nothing,
/// is no wish.
struct RotationSettings {
    max_size: u64,
    old_files: u32,
    when: Option<Unit>,
    interval: u32,
}

impl RotationSettings {
    fn read(keys: &Keys<'_>) -> Result<RotationSettings, Error> {
        Ok(RotationSettings {
            max_size: keys.get("max-size", size)?.unwrap_or(0),
            old_files: keys.count("old-files")?,
            when: keys.get("when", when)?.flatten(),
            interval: keys.count("interval")?,
        })
    }

    /// A key that asks for rotation.
    fn asked_for(&self) -> Option<&'static str> {
        [
            (self.max_size > 0, "max-size"),
            (self.old_files > 0, "old-files"),
            (self.when.is_some(), "when"),
            (self.interval > 0, "interval"),
        ]
        .into_iter()
        .find_map(|(is_set, key)| is_set.then_some(key))
    }

    fn rotation(&self, keys: &Keys<'_>) -> Result<Option<Rotation>, Error> {
        let Some(key) = self.asked_for() else {
            return Ok(None);
        };
        if self.old_files == 0 {
            return Err(keys.blame(key, Problem::NoOldFiles));
        }
        let rule = match (self.max_size, self.when) {
            (0, None) => return Err(keys.blame(key, Problem::NoRotationRule)),
            (0, Some(unit)) => Rule::Time(Period { unit, interval: self.interval.max(1) }),
            (size, None) => Rule::Size(size),
            (_, Some(_)) => return Err(keys.blame("when", Problem::TwoRotationRules)),
        };
        Ok(Some(Rotation { old_files: self.old_files, rule }))
    }
}

/// A number of bytes, or of KB, MB or GB of 1024 each.
fn size(text: &str) -> Result<u64, Problem> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
        .into_iter()
        .find_map(|(suffix, unit)| lower.strip_suffix(suffix).map(|number| (number, unit)))
        .unwrap_or((&lower, 1_u64));
    let number: Option<u64> = number.trim().parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| Problem::Size(text.to_owned()))
}

/// None for an empty value, which asks for no rotation by time.
fn when(text: &str) -> Result<Option<Unit>, Problem> {
    match text.to_ascii_uppercase().as_bytes() {
        [] => Ok(None),
        b"S" => Ok(Some(Unit::Second)),
        b"M" => Ok(Some(Unit::Minute)),
        b"H" => Ok(Some(Unit::Hour)),
        b"D" => Ok(Some(Unit::Day)),
        b"MIDNIGHT" => Ok(Some(Unit::Midnight)),
        [b'W', day @ b'0'..=b'6'] => Ok(Some(Unit::Weekday(day - b'0'))),
        _ => Err(Problem::When(text.to_owned())),
    }
}
