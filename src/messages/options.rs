//! What is wrong with an option, wherever it was given: on the command line or
//! in the file.

use std::fmt;
use std::io;

use super::errno::Errno;
use crate::quote::quoted;

/// The command line as such.
#[derive(Debug)]
pub(crate) enum CommandLine<'a> {
    NotRecognized(&'a str),
    NotUnique(&'a str),
    NeedsArgument(&'a str),
    NoArgumentAllowed(&'a str),
    Invalid { option: &'a str, value: &'a str, why: &'a str },
    Conflicting(&'a str),
    NotText(&'a str),
    OverridesWithoutFile,
    ActionOrInteractiveRequired,
    ProgramRequired,
    ProgramRequiredPositionally,
    NoActionWithReload,
}

impl fmt::Display for CommandLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandLine::NotRecognized(option) => write!(f, "option {option} not recognized"),
            CommandLine::NotUnique(option) => write!(f, "option {option} not a unique prefix"),
            CommandLine::NeedsArgument(option) => write!(f, "option {option} requires argument"),
            CommandLine::NoArgumentAllowed(option) => {
                write!(f, "option {option} must not have an argument")
            }
            CommandLine::Invalid { option, value, why } => {
                write!(f, "invalid value for {option} {}: {why}", quoted(value))
            }
            CommandLine::Conflicting(option) => {
                write!(f, "conflicting command line option {}", quoted(option))
            }
            CommandLine::NotText(option) => {
                write!(f, "the value of option {option} is not UTF-8 text")
            }
            CommandLine::OverridesWithoutFile => f.write_str(
                "configuration overrides (-X) cannot be used without a configuration file",
            ),
            CommandLine::ActionOrInteractiveRequired => {
                f.write_str("either -i or an action argument is required")
            }
            CommandLine::ProgramRequired => f.write_str("no program specified; use -p or -C"),
            CommandLine::ProgramRequiredPositionally => {
                f.write_str("no program specified (use positional args)")
            }
            CommandLine::NoActionWithReload => {
                f.write_str("positional arguments are not allowed here")
            }
        }
    }
}

/// A value that does not fit its option.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    NotABoolean(&'a str),
    NotAnInteger(&'a str),
    Negative(&'a str),
    NotSeconds(&'a str),
    NotOctal(&'a str),
    UmaskTooLarge(&'a str),
    NotAnExitCode(&'a str),
    NoDirectory(&'a str),
    NotADirectory(&'a str),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::NotABoolean(text) => write!(
                f,
                "not a valid boolean value: {}; expected yes, true, on, no, false or off",
                quoted(text)
            ),
            Value::NotAnInteger(text) => write!(
                f,
                "invalid literal for int() with base 10: {}; expected a whole number",
                quoted(text)
            ),
            Value::Negative(text) => {
                write!(f, "{} is out of range; expected 0 or more", quoted(text))
            }
            Value::NotSeconds(text) => {
                write!(f, "{} is no length of time; expected seconds, 0 or more", quoted(text))
            }
            Value::NotOctal(text) => write!(
                f,
                "invalid literal for int() with base 8: {}; expected digits 0 to 7",
                quoted(text)
            ),
            Value::UmaskTooLarge(text) => {
                write!(f, "{} is out of range; expected 0 to 0777", quoted(text))
            }
            Value::NotAnExitCode(text) => write!(
                f,
                "invalid literal for int() with base 10: {}; expected whole numbers separated by commas",
                quoted(text)
            ),
            Value::NoDirectory(path) => {
                write!(f, "The directory named as part of the path {path} does not exist.")
            }
            Value::NotADirectory(path) => write!(f, "{path} is not an existing directory"),
        }
    }
}

/// The configuration's sections and keys.
#[derive(Debug)]
pub(crate) enum Layout<'a> {
    CannotOpen { path: &'a str, error: &'a io::Error },
    UnknownKey(&'a str),
    MultipleValues(&'a str),
    NoProgram,
    NoRunner,
    UnknownSection(&'a str),
    TooMany(&'a str),
    TooManyValues(&'a str),
    OverrideNotConsumed(&'a str),
    OverrideWithoutValue(&'a str),
    OverrideEmptyPart(&'a str),
}

impl fmt::Display for Layout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::CannotOpen { path, error } => {
                write!(f, "error opening file {path}: {}: {}", Errno(error), quoted(path))
            }
            Layout::UnknownKey(key) => write!(f, "{} is not a known key name", quoted(key)),
            Layout::MultipleValues(key) => {
                write!(f, "{} does not support multiple values", quoted(key))
            }
            Layout::NoProgram => f.write_str("no values for 'program'; 1 required"),
            Layout::NoRunner => f.write_str("no values for section type 'runner'; 1 required"),
            Layout::UnknownSection(kind) => write!(f, "unknown type name: {}", quoted(kind)),
            Layout::TooMany(kind) => write!(f, "too many instances of {} section", quoted(kind)),
            Layout::TooManyValues(key) => write!(f, "too many values for {}", quoted(key)),
            Layout::OverrideNotConsumed(spec) => {
                write!(f, "not all command line options were consumed: no section for -X {spec}")
            }
            Layout::OverrideWithoutValue(spec) => write!(
                f,
                "invalid configuration specifier: {}; expected section/key=value",
                quoted(spec)
            ),
            Layout::OverrideEmptyPart(spec) => {
                write!(f, "'//' is not allowed in an option path: {}", quoted(spec))
            }
        }
    }
}

/// Whom to become.
#[derive(Debug)]
pub(crate) enum User<'a> {
    OnlyRoot,
    NameNotFound(&'a str),
    UidNotFound(&'a str),
    Unreadable { path: &'a str, error: &'a io::Error },
}

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            User::OnlyRoot => f.write_str("only root can use -u USER to change users"),
            User::NameNotFound(name) => write!(f, "username {} not found", quoted(name)),
            User::UidNotFound(uid) => write!(f, "uid {} not found", quoted(uid)),
            User::Unreadable { path, error } => {
                write!(f, "unable to read {path}: {}", Errno(error))
            }
        }
    }
}
