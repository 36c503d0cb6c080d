//! What the event log says about itself: examples.

use super::{examples, missing};
use crate::messages::eventlog::{CannotOpen, IgnoredHandler, Notice, Problem};
use std::path::Path;

#[rustfmt::skip]
pub(super) fn problems() -> String {
    examples!("event log configuration", Problem, |m| m.to_string(),
        Problem::KeyName(_) => Problem::KeyName("1x".into()),
        Problem::UnknownKey { .. } => Problem::UnknownKey { name: "x".into(), known: "one of: a, b".into() },
        Problem::RepeatedKey(_) => Problem::RepeatedKey("path".into()),
        Problem::UnknownHandler(_) => Problem::UnknownHandler("x".into()),
        Problem::NestedSection(_) => Problem::NestedSection("x".into()),
        Problem::NoPath => Problem::NoPath,
        Problem::EmptyPath => Problem::EmptyPath,
        Problem::LevelRange(_) => Problem::LevelRange(51),
        Problem::LevelName(_) => Problem::LevelName("x".into()),
        Problem::Boolean(_) => Problem::Boolean("1".into()),
        Problem::Count { .. } => Problem::Count { key: "old-files", value: "x".into() },
        Problem::Size(_) => Problem::Size("x".into()),
        Problem::When(_) => Problem::When("x".into()),
        Problem::RotatedStream(_) => Problem::RotatedStream("STDOUT".into()),
        Problem::DelayedStream(_) => Problem::DelayedStream("STDOUT".into()),
        Problem::EncodedStream(_) => Problem::EncodedStream("STDERR".into()),
        Problem::NoOldFiles => Problem::NoOldFiles,
        Problem::NoRotationRule => Problem::NoRotationRule,
        Problem::TwoRotationRules => Problem::TwoRotationRules,
        Problem::Style(_) => Problem::Style("x".into()),
        Problem::UnknownField { .. } => Problem::UnknownField { name: "x".into(), known: "one of: a, b".into() },
        Problem::Placeholder { .. } => Problem::Placeholder { text: "%(".into(), expected: "a name" },
        Problem::DateFormat => Problem::DateFormat,
        Problem::Facility { .. } => Problem::Facility { name: "x".into(), known: "one of: a, b".into() },
        Problem::Address(_) => Problem::Address("x:y".into()),
        Problem::UnknownHost(_) => Problem::UnknownHost("x".into()),
        Problem::Variable { .. } => Problem::Variable { name: "ZSYSLOG", problem: Box::new(Problem::NoPath) },
    )
}

#[rustfmt::skip]
pub(super) fn notices() -> String {
    let error: &'static std::io::Error = Box::leak(Box::new(missing()));
    let mut text = String::from("== event log ==\n");
    for notice in [
        Notice::Lost { records: 1, reason: error },
        Notice::Lost { records: 2, reason: error },
        Notice::CannotRotate { path: Path::new("/x"), reason: error },
    ] {
        match notice {
            Notice::Lost { .. } | Notice::CannotRotate { .. } => {}
        }
        text.push_str(&format!("{notice}\n"));
    }
    text.push_str(&format!("{}\n", IgnoredHandler("http-logger")));
    text.push_str(&format!("{}\n", CannotOpen { path: "/x".into(), reason: missing() }));
    text
}
