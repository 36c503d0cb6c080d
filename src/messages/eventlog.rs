//! What the event log says: about its own configuration, about files it cannot
//! open, and, in the log itself, about records that it could not keep.

use super::errno::Errno;
use crate::quote::quoted;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an event log cannot be set up as it is asked for. The texts that zdaemon
/// always had come first in their sentence; what was expected follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    KeyName(String),
    UnknownKey {
        name: String,
        known: String,
    },
    RepeatedKey(String),
    UnknownHandler(String),
    NestedSection(String),
    NoPath,
    EmptyPath,
    LevelRange(i64),
    LevelName(String),
    Boolean(String),
    Count {
        key: &'static str,
        value: String,
    },
    Size(String),
    When(String),
    RotatedStream(String),
    DelayedStream(String),
    EncodedStream(String),
    NoOldFiles,
    NoRotationRule,
    TwoRotationRules,
    Style(String),
    UnknownField {
        name: String,
        known: String,
    },
    Placeholder {
        text: String,
        expected: &'static str,
    },
    DateFormat,
    Facility {
        name: String,
        known: String,
    },
    Address(String),
    UnknownHost(String),
    /// An environment variable instead of a line of a file is to blame.
    Variable {
        name: &'static str,
        problem: Box<Problem>,
    },
}

impl fmt::Display for Problem {
    #[rustfmt::skip]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::KeyName(name) => write!(f, "value did not match regular expression: {}", quoted(name))?,
            Problem::UnknownKey { name, .. } => write!(f, "{} is not a known key name", quoted(name))?,
            Problem::RepeatedKey(name) => write!(f, "{} does not support multiple values", quoted(name))?,
            Problem::UnknownHandler(kind) | Problem::NestedSection(kind) => write!(f, "unknown type name: {}", quoted(kind))?,
            Problem::NoPath => write!(f, "no values for 'path'; 1 required")?,
            Problem::EmptyPath => write!(f, "'path' is empty")?,
            Problem::LevelRange(number) => write!(f, "log level not in range: {number}")?,
            Problem::LevelName(name) => write!(f, "unknown log level: {}", quoted(name))?,
            Problem::Boolean(value) => write!(f, "not a valid boolean value: {}", quoted(value))?,
            Problem::Count { key, value } => write!(f, "invalid value for {key}: {}", quoted(value))?,
            Problem::Size(value) => write!(f, "invalid value for max-size: {}", quoted(value))?,
            Problem::When(value) => write!(f, "invalid value for when: {}", quoted(value))?,
            Problem::RotatedStream(stream) => write!(f, "cannot rotate {stream}")?,
            Problem::DelayedStream(stream) => write!(f, "cannot delay opening {stream}")?,
            Problem::EncodedStream(stream) => write!(f, "cannot specify encoding for {stream}")?,
            Problem::NoOldFiles => write!(f, "old-files must be set for log rotation")?,
            Problem::NoRotationRule => write!(f, "max-bytes or when must be set for log rotation")?,
            Problem::TwoRotationRules => write!(f, "can't set *both* max_bytes and when")?,
            Problem::Style(value) => write!(f, "unknown style: {}", quoted(value))?,
            Problem::UnknownField { name, .. } => write!(f, "unknown format field: {}", quoted(name))?,
            Problem::Placeholder { text, .. } => write!(f, "malformed format at {}", quoted(text))?,
            Problem::DateFormat => write!(f, "dateformat contains a zero byte")?,
            Problem::Facility { name, .. } => write!(f, "unknown syslog facility: {}", quoted(name))?,
            Problem::Address(value) => write!(f, "invalid syslog address: {}", quoted(value))?,
            Problem::UnknownHost(host) => write!(f, "unknown syslog host: {}", quoted(host))?,
            Problem::Variable { name, problem } => write!(f, "environment variable {name}: {problem}")?,
        }
        match self.expected() {
            Some(expected) => write!(f, "; expected {expected}"),
            None => Ok(()),
        }
    }
}

impl Problem {
    /// What should have stood there, where the first half does not say it.
    #[rustfmt::skip]
    fn expected(&self) -> Option<&str> {
        Some(match self {
            Problem::KeyName(_) => "a letter, then letters, digits, '-', '_' or '.'",
            Problem::UnknownKey { known, .. }
            | Problem::UnknownField { known, .. }
            | Problem::Facility { known, .. } => known,
            Problem::UnknownHandler(_) => "logfile or syslog",
            Problem::NestedSection(_) => "no section in a handler",
            Problem::EmptyPath => "a file, STDOUT or STDERR",
            Problem::LevelRange(_) => "0 to 50, or 100 to 300 or -300 to -1 on the old scale",
            Problem::LevelName(_) => "critical, error, warning, info, blather, debug, trace, all, notset or a number",
            Problem::Boolean(_) => "yes, no, on, off, true or false",
            Problem::Count { .. } => "a whole number, 0 or more",
            Problem::Size(_) => "a number of bytes, KB, MB or GB",
            Problem::When(_) => "S, M, H, D, MIDNIGHT or W0 (Monday) to W6 (Sunday)",
            Problem::Style(_) => "classic, format, template or safe-template",
            Problem::Placeholder { expected, .. } => expected,
            Problem::Address(_) => "a path with a slash, host:port, a port or [IPv6]:port",
            Problem::UnknownHost(_) => "an IP address or a name in /etc/hosts; no name service is asked",
            Problem::NoPath
            | Problem::RepeatedKey(_)
            | Problem::RotatedStream(_)
            | Problem::DelayedStream(_)
            | Problem::EncodedStream(_)
            | Problem::NoOldFiles
            | Problem::NoRotationRule
            | Problem::TwoRotationRules
            | Problem::DateFormat
            | Problem::Variable { .. } => return None,
        })
    }
}

/// A part of the configuration that has no effect here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IgnoredHandler<'a>(pub(crate) &'a str);

impl fmt::Display for IgnoredHandler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler {} is not supported and is ignored", self.0)
    }
}

/// A log file that cannot be opened, created or put aside, and why.
#[derive(Debug)]
pub(crate) struct CannotOpen {
    pub(crate) path: PathBuf,
    pub(crate) reason: io::Error,
}

impl fmt::Display for CannotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unable to open event log {}: {}", self.path.display(), Errno(&self.reason))
    }
}

impl std::error::Error for CannotOpen {}

/// What a handler of the event log writes on its own account.
#[derive(Debug)]
pub(crate) enum Notice<'a> {
    Lost { records: u64, reason: &'a io::Error },
    CannotRotate { path: &'a Path, reason: &'a io::Error },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Lost { records: 1, reason } => {
                write!(f, "1 record before this one was lost: {}", Errno(reason))
            }
            Notice::Lost { records, reason } => {
                write!(f, "{records} records before this one were lost: {}", Errno(reason))
            }
            Notice::CannotRotate { path, reason } => {
                write!(f, "unable to rotate {}: {}; writing on", path.display(), Errno(reason))
            }
        }
    }
}
