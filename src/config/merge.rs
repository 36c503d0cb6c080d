//! Who wins: defaults, then the file, then the command line; and where each
//! value came from. Reads the configuration file.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::options::{OPTIONS, Opt, Settings, index_of};
use super::zconfig::{self, Host, Key, Section};
use super::{Error, Origin, Place, eventlog, paths};
use crate::messages::options::{CommandLine, Layout};

/// What the command line says about the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) config_file: Option<PathBuf>,
    /// Skip what other programs keep in the same file.
    pub(crate) foreign_sections: bool,
    /// `section/key=value`
    pub(crate) overrides: Vec<String>,
    /// By place in `OPTIONS`: the option as it was typed, and its value.
    pub(crate) values: Vec<(usize, String, String)>,
}

/// The settings that follow from the command line and the file it names.
/// `base` is the directory that relative paths count from.
pub(crate) fn load(given: &Given, base: &Path) -> Result<Settings, Error> {
    let mut settings = Settings::defaults();
    if given.config_file.is_none() && !given.overrides.is_empty() {
        return Err(Error::new(CommandLine::OverridesWithoutFile));
    }
    if let Some(file) = &given.config_file {
        let path = base.join(paths::expand_home(file));
        let mut root = read_file(&path)?;
        apply_overrides(&mut root, &given.overrides)?;
        let program_given =
            given.values.iter().any(|(index, ..)| Some(*index) == index_of("program"));
        apply_file(&mut settings, &root, given.foreign_sections, program_given, base)?;
        settings.config_file = Some(path);
    }
    for (index, typed, value) in &given.values {
        let Some(field) = OPTIONS.get(*index).and_then(Opt::setting) else { continue };
        field(&mut settings)
            .set(value)
            .map_err(|why| Error::new(CommandLine::Invalid { option: typed, value, why: &why }))?;
        if let Some(origin) = settings.origins.get_mut(*index) {
            *origin = Origin::CommandLine(typed.clone());
        }
    }
    // The variables of the Zope documents count where its pid file is used.
    if settings.event_log.is_none() && settings.pid_file.0.is_some() {
        let variable = |name: &str| env::var(name).ok();
        settings.event_log =
            eventlog::environment::from_environment(variable, base, &paths::expand_home)?;
    }
    paths::resolve(&mut settings, base)?;
    Ok(settings)
}

struct Outside;

impl Host for Outside {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok()
    }
}

fn read_file(path: &Path) -> Result<Section, Error> {
    let shown = path.display().to_string();
    let text = fs::read(path)
        .map_err(|error| Error::new(Layout::CannotOpen { path: &shown, error: &error }))?;
    zconfig::parse(path, &text, &Outside)
}

/// Replaces all values of a key by the one that was given with `-X`.
fn apply_overrides(root: &mut Section, overrides: &[String]) -> Result<(), Error> {
    let mut seen = Vec::new();
    for spec in overrides {
        let (path, value) =
            spec.split_once('=').ok_or_else(|| Error::new(Layout::OverrideWithoutValue(spec)))?;
        let mut parts: Vec<String> =
            path.split('/').map(|part| part.trim().to_ascii_lowercase()).collect();
        if parts.iter().any(String::is_empty) {
            return Err(Error::new(Layout::OverrideEmptyPart(spec)));
        }
        let name = parts.pop().unwrap_or_default();
        let mut section = &mut *root;
        for part in &parts {
            section = section
                .sections
                .iter_mut()
                .find(|inner| inner.name.as_ref() == Some(part) || inner.kind == *part)
                .ok_or_else(|| Error::new(Layout::OverrideNotConsumed(spec)))?;
        }
        if parts.is_empty() {
            return Err(Error::new(Layout::OverrideNotConsumed(spec)));
        }
        let key = (parts, name.clone());
        if seen.contains(&key) {
            return Err(Error::new(Layout::MultipleValues(&name)));
        }
        seen.push(key);
        section.keys.retain(|key| key.name != name);
        let place = Place { file: format!("-X {spec}").into(), line: 0 };
        section.keys.push(Key { name, value: value.trim().to_string(), place });
    }
    Ok(())
}

fn apply_file(
    settings: &mut Settings,
    root: &Section,
    foreign: bool,
    program_given: bool,
    base: &Path,
) -> Result<(), Error> {
    if let Some(key) = root.keys.first().filter(|_| !foreign) {
        return Err(Error::at(&key.place, Layout::UnknownKey(&key.name)));
    }
    let mut log = None;
    let mut runner = None;
    for (index, section) in root.sections.iter().enumerate() {
        let kind = section.kind.as_str();
        match kind {
            "runner" => runner = Some(section),
            "environment" => settings.environment = read_environment(section)?,
            "eventlog" => log = Some(section),
            _ if foreign => continue,
            _ => return Err(Error::at(&section.place, Layout::UnknownSection(kind))),
        }
        if root.sections[..index].iter().any(|earlier| earlier.kind == kind) {
            return Err(Error::at(&section.place, Layout::TooMany(kind)));
        }
    }
    let Some(runner) = runner else { return Err(Error::at(&root.place, Layout::NoRunner)) };
    let own_log = apply_runner(settings, runner, program_given)?;
    let log = own_log.or(log);
    let read = |section| eventlog::read(section, base, &paths::expand_home);
    settings.event_log = log.map(read).transpose()?;
    Ok(())
}

/// Sets what the runner says; gives back its own event log section, if any.
fn apply_runner<'a>(
    settings: &mut Settings,
    runner: &'a Section,
    program_given: bool,
) -> Result<Option<&'a Section>, Error> {
    for (place, key) in runner.keys.iter().enumerate() {
        let (index, field) = OPTIONS
            .iter()
            .enumerate()
            .filter(|(_, option)| option.is_for_file() && option.key == key.name)
            .find_map(|(index, option)| Some((index, option.setting()?)))
            .ok_or_else(|| Error::at(&key.place, Layout::UnknownKey(&key.name)))?;
        if is_repeated(&runner.keys, place) {
            return Err(Error::at(&key.place, Layout::MultipleValues(&key.name)));
        }
        field(settings).set(&key.value).map_err(|why| Error::at(&key.place, why))?;
        if let Some(origin) = settings.origins.get_mut(index) {
            *origin = Origin::File(key.place.clone());
        }
    }
    if settings.program.0.is_empty() && !program_given {
        return Err(Error::at(&runner.place, Layout::NoProgram));
    }
    let mut log = None;
    for section in &runner.sections {
        let kind = section.kind.as_str();
        if !matches!(kind, "eventlog" | "logger") {
            return Err(Error::at(&section.place, Layout::UnknownSection(kind)));
        }
        if log.replace(section).is_some() {
            return Err(Error::at(&section.place, Layout::TooMany(kind)));
        }
    }
    Ok(log)
}

fn read_environment(section: &Section) -> Result<Vec<(OsString, OsString)>, Error> {
    if let Some(inner) = section.sections.first() {
        return Err(Error::at(&inner.place, Layout::UnknownSection(&inner.kind)));
    }
    let variables = section.keys.iter().enumerate().map(|(place, key)| {
        if is_repeated(&section.keys, place) {
            return Err(Error::at(&key.place, Layout::TooManyValues(&key.name)));
        }
        Ok((OsString::from(&key.name), OsString::from(&key.value)))
    });
    variables.collect()
}

/// Whether the key at this place has the name of an earlier one.
fn is_repeated(keys: &[Key], place: usize) -> bool {
    keys[..place].iter().any(|earlier| earlier.name == keys[place].name)
}

/// With this variable the original tells its own re-execution what it is.
const ROLE_OF_THE_ORIGINAL: &str = "DAEMON_MANAGER_MODE";

/// Whether `merged_environment` is that of this process.
pub(crate) fn keeps_environment(settings: &Settings) -> bool {
    settings.environment.is_empty() && env::var_os(ROLE_OF_THE_ORIGINAL).is_none()
}

/// The environment that the supervisor and all it starts will have.
pub(crate) fn merged_environment(settings: &Settings) -> Vec<(OsString, OsString)> {
    let mut merged: Vec<(OsString, OsString)> = env::vars_os().collect();
    merged.retain(|(name, _)| name != ROLE_OF_THE_ORIGINAL);
    for (name, value) in &settings.environment {
        merged.retain(|(other, _)| other != name);
        merged.push((name.clone(), value.clone()));
    }
    merged
}
