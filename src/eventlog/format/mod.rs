//! What does a record look like? A layout is a format that was taken apart when
//! the configuration was read; rendering it is pure and allocates nothing but
//! room in the output. The time stamp is made by the caller.

mod parse;
mod spec;
#[cfg(test)]
mod tests;

use super::level::Shown;
use crate::messages::eventlog::Problem;
use crate::wire::{Wire, wire_enum, wire_struct};
use spec::{Spec, Value};
use std::ffi::{CStr, CString};
use std::fmt::Display;
use std::time::Duration;

pub(crate) const DEFAULT_FORMAT: &str = "------\\n%(asctime)s %(levelname)s %(name)s %(message)s";
pub(crate) const DEFAULT_DATE_FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

/// How placeholders are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `%(field)-8s`
    Classic,
    /// `{field:<8}`
    Format,
    /// `$field`, `${field}`
    Template,
    /// The same, and what is not a known field stays as it is.
    SafeTemplate,
}

/// A format ready for use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pieces: Vec<Piece>,
    date: CString,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Field(Field, Spec),
}

/// What is known of one record.
pub(crate) struct Record<'a> {
    pub(crate) level: Shown,
    pub(crate) message: &'a dyn Display,
    /// Since 1970.
    pub(crate) at: Duration,
    /// When the log was opened, since 1970.
    pub(crate) opened: Duration,
    pub(crate) process: u32,
    /// `at` in the layout's date format.
    pub(crate) asctime: &'a str,
}

wire_struct!(Layout { pieces, date });
wire_enum!(Piece { 0: Literal(text), 1: Field(field, spec) });

impl Layout {
    /// Takes `text` apart. With `arbitrary_fields`, a field that nobody knows
    /// stands for itself instead of being an error.
    pub(crate) fn parse(
        text: &str,
        style: Style,
        arbitrary_fields: bool,
        date: &str,
    ) -> Result<Layout, Problem> {
        let pieces = parse::pieces(&unescape(text), style, arbitrary_fields)?;
        let date = CString::new(date).map_err(|_| Problem::DateFormat)?;
        Ok(Layout { pieces, date })
    }

    /// The layout of records without any decoration.
    pub(crate) fn bare() -> Layout {
        let message = Piece::Field(Field::Message, Spec::PLAIN);
        Layout { pieces: vec![message], date: CString::default() }
    }

    /// In which form `Record::asctime` is expected; none if it is not used.
    pub(crate) fn date_format(&self) -> Option<&CStr> {
        let is_time = |piece: &Piece| matches!(piece, Piece::Field(Field::Asctime, _));
        self.pieces.iter().any(is_time).then_some(&self.date)
    }

    /// Appends the record to `out`, without a newline.
    pub(crate) fn render(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Field(field, spec) => spec.put(&field.value(record), out),
            }
        }
    }
}

/// A configuration file has one line a value, so line ends and the like are
/// written with a backslash.
fn unescape(text: &str) -> String {
    [("\\n", "\n"), ("\\t", "\t"), ("\\b", "\x08"), ("\\f", "\x0c"), ("\\r", "\r")]
        .iter()
        .fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Asctime,
    Created,
    Msecs,
    RelativeCreated,
    LevelName,
    LevelNumber,
    Name,
    Process,
    ProcessName,
    Thread,
    ThreadName,
    Module,
    FileName,
    PathName,
    FunctionName,
    LineNumber,
    Message,
}

const FIELDS: [(&str, Field); 17] = [
    ("asctime", Field::Asctime),
    ("created", Field::Created),
    ("msecs", Field::Msecs),
    ("relativeCreated", Field::RelativeCreated),
    ("levelname", Field::LevelName),
    ("levelno", Field::LevelNumber),
    ("name", Field::Name),
    ("process", Field::Process),
    ("processName", Field::ProcessName),
    ("thread", Field::Thread),
    ("threadName", Field::ThreadName),
    ("module", Field::Module),
    ("filename", Field::FileName),
    ("pathname", Field::PathName),
    ("funcName", Field::FunctionName),
    ("lineno", Field::LineNumber),
    ("message", Field::Message),
];

/// What a field's value can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Text,
    Integer,
    Real,
}

/// By its place in the table.
impl Wire for Field {
    fn put(&self, out: &mut Vec<u8>) {
        FIELDS.iter().position(|(_, field)| field == self).unwrap_or(0).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        FIELDS.get(usize::take(from)?).map(|(_, field)| *field)
    }
}

impl Field {
    fn named(name: &str) -> Option<Field> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    fn class(self) -> Class {
        match self {
            Field::Created | Field::Msecs | Field::RelativeCreated => Class::Real,
            Field::LevelNumber | Field::Process | Field::Thread | Field::LineNumber => {
                Class::Integer
            }
            Field::Asctime
            | Field::LevelName
            | Field::Name
            | Field::ProcessName
            | Field::ThreadName
            | Field::Module
            | Field::FileName
            | Field::PathName
            | Field::FunctionName
            | Field::Message => Class::Text,
        }
    }

    /// There is one thread and no source line to show: such fields have fixed
    /// values, so that formats which name them go on working.
    fn value<'a>(self, record: &'a Record<'_>) -> Value<'a> {
        match self {
            Field::Asctime => Value::Text(&record.asctime),
            Field::Created => Value::Real(record.at.as_secs_f64()),
            Field::Msecs => Value::Real(f64::from(record.at.subsec_millis())),
            Field::RelativeCreated => {
                Value::Real((record.at.as_secs_f64() - record.opened.as_secs_f64()) * 1000.0)
            }
            Field::LevelName => Value::Text(&record.level),
            Field::LevelNumber => Value::Integer(i64::from(record.level.0.0)),
            Field::Name => Value::Text(&"root"),
            Field::Process | Field::Thread => Value::Integer(i64::from(record.process)),
            Field::ProcessName => Value::Text(&"MainProcess"),
            Field::ThreadName => Value::Text(&"MainThread"),
            Field::Module | Field::FileName | Field::PathName | Field::FunctionName => {
                Value::Text(&"zdaemon")
            }
            Field::LineNumber => Value::Integer(0),
            Field::Message => Value::Text(record.message),
        }
    }
}
