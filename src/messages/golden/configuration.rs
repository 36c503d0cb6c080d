//! What can be wrong with a configuration: examples.

use super::{examples, missing};
use crate::messages::options::{Layout, User, Value};
use crate::messages::syntax::{Directive, Dollar, Quoting, Structure};
use std::io;
use std::path::Path;

fn error() -> &'static io::Error {
    Box::leak(Box::new(missing()))
}

#[rustfmt::skip]
pub(super) fn values() -> String {
    examples!("values", Value<'static>, |m| m.to_string(),
        Value::NotABoolean(_) => Value::NotABoolean("1"),
        Value::NotAnInteger(_) => Value::NotAnInteger("foo"),
        Value::Negative(_) => Value::Negative("-1"),
        Value::NotSeconds(_) => Value::NotSeconds("soon"),
        Value::NotOctal(_) => Value::NotOctal("9"),
        Value::UmaskTooLarge(_) => Value::UmaskTooLarge("1000"),
        Value::NotAnExitCode(_) => Value::NotAnExitCode("0 2"),
        Value::NoDirectory(_) => Value::NoDirectory("/no/such/sock"),
        Value::NotADirectory(_) => Value::NotADirectory("/no/such"),
    )
}

#[rustfmt::skip]
pub(super) fn layout() -> String {
    examples!("sections and keys", Layout<'static>, |m| m.to_string(),
        Layout::CannotOpen { .. } => Layout::CannotOpen { path: "/x", error: error() },
        Layout::UnknownKey(_) => Layout::UnknownKey("nosuch"),
        Layout::MultipleValues(_) => Layout::MultipleValues("umask"),
        Layout::NoProgram => Layout::NoProgram,
        Layout::NoRunner => Layout::NoRunner,
        Layout::UnknownSection(_) => Layout::UnknownSection("zeo"),
        Layout::TooMany(_) => Layout::TooMany("runner"),
        Layout::TooManyValues(_) => Layout::TooManyValues("A"),
        Layout::OverrideNotConsumed(_) => Layout::OverrideNotConsumed("x/y=z"),
        Layout::OverrideWithoutValue(_) => Layout::OverrideWithoutValue("x/y"),
        Layout::OverrideEmptyPart(_) => Layout::OverrideEmptyPart("x//y=z"),
    )
}

#[rustfmt::skip]
pub(super) fn user() -> String {
    examples!("users", User<'static>, |m| m.to_string(),
        User::OnlyRoot => User::OnlyRoot,
        User::NameNotFound(_) => User::NameNotFound("x"),
        User::UidNotFound(_) => User::UidNotFound("99999"),
        User::Unreadable { .. } => User::Unreadable { path: "/etc/passwd", error: error() },
    )
}

#[rustfmt::skip]
pub(super) fn structure() -> String {
    examples!("lines of a file", Structure<'static>, |m| m.to_string(),
        Structure::NotUtf8 { .. } => Structure::NotUtf8 { byte: 0xff },
        Structure::Nul => Structure::Nul,
        Structure::NotAPair => Structure::NotAPair,
        Structure::KeyName(_) => Structure::KeyName("1foo"),
        Structure::EnvironmentName(_) => Structure::EnvironmentName("A=1"),
        Structure::SectionStart => Structure::SectionStart,
        Structure::SectionHeader => Structure::SectionHeader,
        Structure::SectionEnd => Structure::SectionEnd,
        Structure::UnexpectedEnd => Structure::UnexpectedEnd,
        Structure::UnbalancedEnd { .. } => Structure::UnbalancedEnd { open: "runner", since: 1 },
        Structure::Unclosed(_) => Structure::Unclosed("runner"),
        Structure::NestedTooDeep { .. } => Structure::NestedTooDeep { most: 20 },
        Structure::NameReused { .. } => Structure::NameReused { name: "x", earlier: "/x:1".into() },
    )
}

#[rustfmt::skip]
pub(super) fn directives() -> String {
    examples!("directives", Directive<'static>, |m| m.to_string(),
        Directive::Missing => Directive::Missing,
        Directive::Unknown(_) => Directive::Unknown("foo"),
        Directive::NoArgument(_) => Directive::NoArgument("define"),
        Directive::DefineName(_) => Directive::DefineName("1a"),
        Directive::Redefined { .. } => Directive::Redefined { name: "a", earlier: "/x:1".into() },
        Directive::Scheme(_) => Directive::Scheme("http://x"),
        Directive::Url(_) => Directive::Url("file:x"),
        Directive::Circle(_) => Directive::Circle(Path::new("/x")),
        Directive::TooDeep { .. } => Directive::TooDeep { most: 20 },
        Directive::TooManyFiles { .. } => Directive::TooManyFiles { most: 1000 },
        Directive::Unreadable { .. } => Directive::Unreadable { path: Path::new("/x"), error: missing() },
    )
}

#[rustfmt::skip]
pub(super) fn dollars() -> String {
    examples!("dollar signs", Dollar<'static>, |m| m.to_string(),
        Dollar::AtEnd => Dollar::AtEnd,
        Dollar::Alone => Dollar::Alone,
        Dollar::NoName { .. } => Dollar::NoName { open: '{' },
        Dollar::NotClosed { .. } => Dollar::NotClosed { open: '{', name: "a", close: '}' },
        Dollar::Undefined(_) => Dollar::Undefined("a"),
        Dollar::NotInEnvironment(_) => Dollar::NotInEnvironment("A"),
        Dollar::TooMuch { .. } => Dollar::TooMuch { most: 1_048_576 },
    )
}

#[rustfmt::skip]
pub(super) fn quoting() -> String {
    examples!("quotes", Quoting, |m| m.to_string(),
        Quoting::Unclosed(_) => Quoting::Unclosed('\''),
        Quoting::TrailingBackslash => Quoting::TrailingBackslash,
    )
}
