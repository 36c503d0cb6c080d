//! How is one value written: width, sign, digits, padding? The common ground of
//! printf's `%-8s` and the `{:<8}` of format strings. Parses nothing.

use std::fmt::{self, Display, Write as _};
use std::io::Write as _;

use crate::wire::{wire_enum, wire_struct};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
    /// Between the sign and the digits.
    AfterSign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// In quotes, with line ends and the like written as escapes.
    Quoted,
    Decimal,
    Hexadecimal,
    Octal,
    Binary,
    Fixed,
    Exponent,
    General,
    Percent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) fill: char,
    pub(super) align: Align,
    /// What stands before a number that is not negative.
    pub(super) plus: Option<char>,
    /// `0x` before a hexadecimal number, and zeros at the end kept.
    pub(super) alternate: bool,
    pub(super) width: usize,
    /// Of text: at most so many characters.
    pub(super) precision: Option<usize>,
    pub(super) kind: Kind,
    pub(super) upper: bool,
}

pub(super) enum Value<'a> {
    Text(&'a dyn Display),
    Integer(i64),
    Real(f64),
}

wire_struct!(Spec { fill, align, plus, alternate, width, precision, kind, upper });
wire_enum!(Align { 0: Left, 1: Right, 2: Center, 3: AfterSign });
wire_enum!(Kind {
    0: Text,
    1: Quoted,
    2: Decimal,
    3: Hexadecimal,
    4: Octal,
    5: Binary,
    6: Fixed,
    7: Exponent,
    8: General,
    9: Percent,
});

impl Spec {
    pub(super) const PLAIN: Spec = Spec {
        fill: ' ',
        align: Align::Right,
        plus: None,
        alternate: false,
        width: 0,
        precision: None,
        kind: Kind::Text,
        upper: false,
    };

    pub(super) fn put(&self, value: &Value<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let digits = match value {
            Value::Text(text) => {
                self.put_text(*text, out);
                start
            }
            Value::Integer(number) => {
                self.put_sign(*number < 0, out);
                self.put_integer(*number, out)
            }
            Value::Real(number) => {
                let digits = self.put_sign(*number < 0.0, out);
                self.put_real(number.abs(), out);
                digits
            }
        };
        if matches!(self.kind, Kind::Text | Kind::Quoted) {
            truncate(out, start, self.precision);
        }
        if self.upper {
            out[start..].make_ascii_uppercase();
        }
        self.pad(out, start, digits);
    }

    fn put_text(&self, text: &dyn Display, out: &mut Vec<u8>) {
        // Writing to memory fails only when `text` itself says so; what it had
        // to say until then stays.
        if self.kind == Kind::Quoted {
            out.push(b'\'');
            let _ = write!(Quoted(out), "{text}");
            out.push(b'\'');
        } else {
            let _ = write!(Plain(out), "{text}");
        }
    }

    /// Where the digits start.
    fn put_sign(&self, is_negative: bool, out: &mut Vec<u8>) -> usize {
        let sign = if is_negative { Some('-') } else { self.plus };
        out.extend(sign.map(|sign| sign as u8));
        out.len()
    }

    fn put_integer(&self, number: i64, out: &mut Vec<u8>) -> usize {
        let size = number.unsigned_abs();
        let prefix = match self.kind {
            Kind::Hexadecimal => "0x",
            Kind::Octal => "0o",
            Kind::Binary => "0b",
            Kind::Text | Kind::Quoted | Kind::Decimal => "",
            Kind::Fixed | Kind::Exponent | Kind::General | Kind::Percent => {
                let digits = out.len();
                self.put_real(size as f64, out);
                return digits;
            }
        };
        if self.alternate {
            out.extend_from_slice(prefix.as_bytes());
        }
        let digits = out.len();
        let least = if self.kind == Kind::Text { 0 } else { self.precision.unwrap_or(0) };
        let _ = match prefix {
            "0x" => write!(out, "{size:0least$x}"),
            "0o" => write!(out, "{size:0least$o}"),
            "0b" => write!(out, "{size:0least$b}"),
            _ => write!(out, "{size:0least$}"),
        };
        digits
    }

    fn put_real(&self, size: f64, out: &mut Vec<u8>) {
        let precision = self.precision.unwrap_or(6);
        let _ = match self.kind {
            Kind::Fixed => write!(out, "{size:.precision$}"),
            Kind::Percent => write!(out, "{:.precision$}%", size * 100.0),
            Kind::Exponent => {
                put_exponent(size, precision, out);
                Ok(())
            }
            Kind::General => {
                self.put_general(size, precision.max(1), out);
                Ok(())
            }
            Kind::Text | Kind::Quoted => write!(out, "{size:?}"),
            Kind::Decimal | Kind::Hexadecimal | Kind::Octal | Kind::Binary => {
                write!(out, "{:.0}", size.trunc())
            }
        };
    }

    /// `%g`: so many significant digits, as a fraction while that is readable.
    fn put_general(&self, size: f64, significant: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let exponent = put_exponent(size, significant - 1, out);
        let mut end = out.len();
        let places = i64::try_from(significant).unwrap_or(i64::MAX) - 1 - exponent;
        if exponent >= -4 && places >= 0 {
            out.truncate(start);
            let _ = write!(out, "{size:.*}", usize::try_from(places).unwrap_or(0));
            end = out.len();
        } else if let Some(length) = out[start..].iter().position(|byte| *byte == b'e') {
            end = start + length;
        }
        if self.alternate || !out[start..end].contains(&b'.') {
            return;
        }
        let kept = out[start..end].iter().rposition(|byte| *byte != b'0').unwrap_or(0);
        let kept = start + kept + usize::from(out[start + kept] != b'.');
        out.drain(kept..end);
    }

    fn pad(&self, out: &mut Vec<u8>, start: usize, digits: usize) {
        let length = String::from_utf8_lossy(&out[start..]).chars().count();
        let missing = self.width.saturating_sub(length);
        if missing == 0 {
            return;
        }
        let mut fill = [0; 4];
        let fill = self.fill.encode_utf8(&mut fill).as_bytes();
        let (before, from) = match self.align {
            Align::Left => (0, start),
            Align::Right => (missing, start),
            Align::Center => (missing / 2, start),
            Align::AfterSign => (missing, digits),
        };
        for _ in 0..before {
            out.extend_from_slice(fill);
        }
        out[from..].rotate_right(before * fill.len());
        for _ in before..missing {
            out.extend_from_slice(fill);
        }
    }
}

/// Writes `d.dddde+xx` and returns the exponent.
fn put_exponent(size: f64, precision: usize, out: &mut Vec<u8>) -> i64 {
    let start = out.len();
    let _ = write!(out, "{size:.precision$e}");
    let mark = out[start..].iter().position(|byte| *byte == b'e').unwrap_or(0) + start;
    let written = std::str::from_utf8(&out[mark + 1..]).unwrap_or_default();
    let exponent: i64 = written.parse().unwrap_or(0);
    out.truncate(mark);
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "e{sign}{:02}", exponent.abs());
    exponent
}

fn truncate(out: &mut Vec<u8>, start: usize, characters: Option<usize>) {
    let Some(characters) = characters else { return };
    let text = std::str::from_utf8(&out[start..]).unwrap_or_default();
    if let Some((length, _)) = text.char_indices().nth(characters) {
        out.truncate(start + length);
    }
}

/// Unlike the vector itself, does not panic when a `Display` reports an error.
struct Plain<'a>(&'a mut Vec<u8>);

impl fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

struct Quoted<'a>(&'a mut Vec<u8>);

impl fmt::Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\'' | '\\' | '\n' | '\r' | '\t' => {
                    write!(Plain(self.0), "{}", character.escape_default())?;
                }
                _ if character.is_control() => {
                    write!(Plain(self.0), "\\x{:02x}", u32::from(character))?;
                }
                _ => Plain(self.0).write_char(character)?,
            }
        }
        Ok(())
    }
}
