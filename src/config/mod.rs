//! From text to settings: what the configuration file, the command line and
//! the defaults say, who wins, and where each value came from. Does not open
//! logs, sockets or programs.

pub(crate) mod eventlog;
pub(crate) mod merge;
pub(crate) mod options;
pub(crate) mod paths;
mod scan;
pub(crate) mod values;
pub(crate) mod words;
pub(crate) mod zconfig;

use std::fmt;
use std::rc::Rc;

/// Where a line stands, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The absolute path of the file, as it is shown.
    pub(crate) file: Rc<str>,
    /// Counted from 1; 0 for what is no file.
    pub(crate) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Where an option's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(Place),
    /// The option as it was typed.
    CommandLine(String),
}

/// What is wrong with the configuration or the command line: one sentence, led
/// by `file:line: ` where a file is to blame. Always exit status 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    place: Option<Place>,
    text: String,
}

impl Error {
    pub(crate) fn new(message: impl fmt::Display) -> Error {
        Error { place: None, text: message.to_string() }
    }

    pub(crate) fn at(place: &Place, message: impl fmt::Display) -> Error {
        Error { place: Some(place.clone()), text: message.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}
