//! How plain data goes from one process of this binary to another of the same
//! binary: fields one after the other, texts and lists with their length before
//! them. No names and no versions, because both sides are one file. Reads and
//! writes nothing itself.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);

    /// Takes one value from the front; none if it is not whole.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// Makes a struct of wire fields one, in the order that is written here; `(0)`
/// for one that wraps a single value.
macro_rules! wire_struct {
    ($name:ident(0)) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $crate::wire::Wire::put(&self.0, out);
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                $crate::wire::Wire::take(from).map($name)
            }
        }
    };
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::wire::Wire::put(&self.$field, out);)*
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                Some($name { $($field: $crate::wire::Wire::take(from)?),* })
            }
        }
    };
}
pub(crate) use wire_struct;

/// Makes an enum one, each variant with the number that is written here.
macro_rules! wire_enum {
    ($name:ident { $($number:literal: $variant:ident $(($($value:ident),+))?),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $(($($value),+))? => {
                        out.push($number);
                        $($($crate::wire::Wire::put($value, out);)+)?
                    })*
                }
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                match <u8 as $crate::wire::Wire>::take(from)? {
                    $($number => {
                        $($(let $value = $crate::wire::Wire::take(from)?;)+)?
                        Some($name::$variant $(($($value),+))?)
                    })*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use wire_enum;

macro_rules! wire_number {
    ($($number:ty),*) => {
        $(impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_ne_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$number>::from_ne_bytes(*bytes))
            }
        })*
    };
}
wire_number!(u8, u32, u64, i32);

impl Wire for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        usize::try_from(u64::take(from)?).ok()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        u8::take(from).map(|byte| byte != 0)
    }
}

impl Wire for char {
    fn put(&self, out: &mut Vec<u8>) {
        u32::from(*self).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        char::from_u32(u32::take(from)?)
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let seconds = u64::take(from)?;
        let nanos = u32::take(from).filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    bytes.len().put(out);
    out.extend_from_slice(bytes);
}

fn take_bytes(from: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::take(from)?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes.to_vec())
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        String::from_utf8(take_bytes(from)?).ok()
    }
}

impl Wire for OsString {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        take_bytes(from).map(OsString::from_vec)
    }
}

impl Wire for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_os_str().as_bytes(), out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        OsString::take(from).map(PathBuf::from)
    }
}

impl Wire for CString {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.to_bytes(), out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        CString::new(take_bytes(from)?).ok()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        // A value takes a byte at least, so a false length asks for little memory.
        let count = usize::take(from).filter(|count| *count <= from.len())?;
        // No more room than is needed: a supervisor keeps some of it for years.
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(T::take(from)?);
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Shape {
        Dot,
        Line(u32),
    }
    wire_enum!(Shape { 0: Dot, 1: Line(length) });

    #[derive(Debug, PartialEq)]
    struct All {
        name: OsString,
        shapes: Vec<Shape>,
        span: Option<Duration>,
        fill: char,
        date: CString,
    }
    wire_struct!(All { name, shapes, span, fill, date });

    fn all() -> All {
        All {
            name: OsString::from_vec(b"a\xff\nb".to_vec()),
            shapes: vec![Shape::Dot, Shape::Line(7)],
            span: Some(Duration::new(3, 5)),
            fill: 'ß',
            date: c"%H".into(),
        }
    }

    #[test]
    fn what_was_put_is_taken_again() {
        let mut bytes = Vec::new();
        all().put(&mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(All::take(&mut rest), Some(all()));
        assert_eq!(rest, []);
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let mut bytes = Vec::new();
        all().put(&mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(All::take(&mut bytes.get(..length).unwrap_or(&[])), None, "{length}");
        }
    }
}
