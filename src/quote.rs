//! Literals as zdaemon's users know them: strings in Python's notation, written
//! for messages and status reports, and such lists read back without being
//! evaluated. Strings are bytes; what is not UTF-8 is shown as `\udcXX`.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// `'text'`; with double quotes where the text has single ones only.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

/// `'text'` for something that is a `str`.
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text.as_bytes())
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |byte| self.0.contains(&byte);
        let quote = if has(b'\'') && !has(b'"') { '"' } else { '\'' };
        write!(f, "{quote}")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    c if c == quote => write!(f, "\\{c}")?,
                    c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\udc{byte:02x}")?;
            }
        }
        write!(f, "{quote}")
    }
}

/// A text from a peer, as it is but for what would command a terminal.
pub(crate) struct Clean<'a>(pub(crate) &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        for piece in self.0.split_inclusive(commands) {
            let mut plain = piece.chars();
            match plain.next_back() {
                Some(c) if commands(c) => write!(f, "{}\\x{:02x}", plain.as_str(), u32::from(c))?,
                _ => f.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// A string of bytes, however it is kept.
pub(crate) trait Word {
    fn bytes(&self) -> &[u8];
}

impl Word for OsString {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Word for CString {
    fn bytes(&self) -> &[u8] {
        self.to_bytes()
    }
}

/// `['sleep', '100']`
pub(crate) struct QuotedList<'a, W>(pub(crate) &'a [W]);

impl<W: Word> fmt::Display for QuotedList<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, word) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Quoted(word.bytes()))?;
        }
        f.write_str("]")
    }
}

/// Reads `['a', "b"]`; none if it is anything else.
pub(crate) fn parse_list(text: &str) -> Option<Vec<OsString>> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, after) = parse_string(rest)?;
        words.push(word);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => {}
            None => return None,
        }
    }
    Some(words)
}

/// One string literal at the start of `text`, and what follows it.
fn parse_string(text: &str) -> Option<(OsString, &str)> {
    let quote = *text.as_bytes().first().filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let mut bytes = Vec::new();
    let mut rest = text.get(1..)?;
    loop {
        let plain = rest.bytes().position(|byte| byte == b'\\' || byte == quote)?;
        bytes.extend_from_slice(rest.get(..plain)?.as_bytes());
        let (end, after) = (rest.as_bytes().get(plain)?, rest.get(plain + 1..)?);
        if *end == quote {
            return Some((OsString::from_vec(bytes), after));
        }
        rest = parse_escape(after, &mut bytes)?;
    }
}

/// What follows a backslash; gives back what follows the escape.
fn parse_escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let rest = text.get(c.len_utf8()..)?;
    let digits = match c {
        'n' => return Some(push(bytes, b'\n', rest)),
        'r' => return Some(push(bytes, b'\r', rest)),
        't' => return Some(push(bytes, b'\t', rest)),
        '\\' | '\'' | '"' => return Some(push(bytes, u8::try_from(c).ok()?, rest)),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let number = u32::from_str_radix(rest.get(..digits)?, 16).ok()?;
    match char::from_u32(number) {
        Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None if (0xdc80..=0xdcff).contains(&number) => bytes.push((number & 0xff) as u8),
        None => return None,
    }
    rest.get(digits..)
}

fn push<'a>(bytes: &mut Vec<u8>, byte: u8, rest: &'a str) -> &'a str {
    bytes.push(byte);
    rest
}

/// The words joined by single blanks, for people.
pub(crate) fn joined(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| OsStr::to_string_lossy(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_look_as_python_shows_them() {
        let shown = |bytes: &[u8]| Quoted(bytes).to_string();
        assert_eq!(shown(b"ded"), "'ded'");
        assert_eq!(shown(b"it's"), "\"it's\"");
        assert_eq!(shown(b"it's \"x\""), "'it\\'s \"x\"'");
        assert_eq!(shown(b"a\\b\n\x01\xff"), "'a\\\\b\\n\\x01\\udcff'");
        assert_eq!(shown("\u{e4}".as_bytes()), "'\u{e4}'");
    }

    #[test]
    fn a_list_comes_back_as_it_was_written() {
        let words: Vec<OsString> = [&b"sleep"[..], b"it's", b"\xff\n", b"", b"a \"b\" 'c' \\"]
            .iter()
            .map(|bytes| OsString::from_vec(bytes.to_vec()))
            .collect();
        assert_eq!(parse_list(&QuotedList(&words).to_string()), Some(words));
        assert_eq!(parse_list("[]"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_list_of_strings_is_refused_rather_than_evaluated() {
        for text in
            ["__import__('os').system('x')", "['a'", "['a' 'b']", "[1]", "['\\q']", "['\\x4"]
        {
            assert_eq!(parse_list(text), None, "{text}");
        }
    }
}
