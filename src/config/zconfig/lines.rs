//! What one line is, by its first character, and which names it may hold. Looks
//! at no other line and substitutes nothing.

use super::super::scan::word_length;
use crate::messages::syntax::Structure;

/// A line without the white space around it, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Empty, or a comment.
    Nothing,
    /// `<kind name>`, or the empty `<kind name/>`.
    Start {
        kind: &'a str,
        name: Option<&'a str>,
        empty: bool,
    },
    End {
        kind: &'a str,
    },
    /// `%name argument`; the name is empty if a blank or nothing follows `%`.
    Directive {
        name: &'a str,
        argument: &'a str,
    },
    /// The name is not empty, the value can be.
    Pair {
        name: &'a str,
        value: &'a str,
    },
}

/// The text of a file without its byte order mark. An error comes with the
/// line that has the bad byte.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, (u32, Structure<'static>)> {
    let line_of = |offset: usize| {
        let before = bytes.iter().take(offset).filter(|byte| **byte == b'\n').count();
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        (line_of(offset), Structure::NotUtf8 { byte })
    })?;
    if let Some(offset) = memchr::memchr(0, bytes) {
        return Err((line_of(offset), Structure::Nul));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

pub(super) fn classify(line: &str) -> Result<Line<'_>, Structure<'static>> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(end) = line.strip_prefix("</") {
        return section_end(end);
    }
    if let Some(start) = line.strip_prefix('<') {
        return section_start(start);
    }
    if let Some(directive) = line.strip_prefix('%') {
        let (name, argument) = name_and_rest(directive);
        return Ok(Line::Directive { name, argument });
    }
    match name_and_rest(line) {
        ("", _) => Err(Structure::NotAPair),
        (name, value) => Ok(Line::Pair { name, value }),
    }
}

/// The bytes that a name begins with: white space and parentheses end it
/// everywhere.
fn name_length(text: &str) -> usize {
    word_length(text, |byte| matches!(byte, b'(' | b')'))
}

fn is_name(text: &str) -> bool {
    name_length(text) == text.len()
}

fn name_and_rest(text: &str) -> (&str, &str) {
    let (name, rest) = text.split_at(name_length(text));
    (name, rest.trim_start())
}

fn section_end(end: &str) -> Result<Line<'_>, Structure<'static>> {
    let kind = end.strip_suffix('>').ok_or(Structure::SectionEnd)?.trim_end();
    if kind.is_empty() || !is_name(kind) {
        return Err(Structure::SectionEnd);
    }
    Ok(Line::End { kind })
}

fn section_start(start: &str) -> Result<Line<'_>, Structure<'static>> {
    let header = start.strip_suffix('>').ok_or(Structure::SectionStart)?;
    let (header, empty) = match header.strip_suffix('/') {
        Some(header) => (header, true),
        None => (header, false),
    };
    let (kind, name) = name_and_rest(header);
    let name = name.trim_end();
    if kind.is_empty() || !is_name(name) {
        return Err(Structure::SectionHeader);
    }
    let name = Some(name).filter(|name| !name.is_empty());
    Ok(Line::Start { kind, name, empty })
}

/// The name of a key, lower-cased.
pub(super) fn key_name(name: &str) -> Result<String, Structure<'_>> {
    let rest = name.strip_prefix(|c: char| c.is_ascii_alphabetic());
    let follows = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if rest.is_some_and(|rest| rest.chars().all(follows)) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(Structure::KeyName(name))
    }
}

/// The name of a variable of the environment, as it is.
pub(super) fn environment_name(name: &str) -> Result<String, Structure<'_>> {
    if name.contains('=') {
        return Err(Structure::EnvironmentName(name));
    }
    Ok(name.to_owned())
}
