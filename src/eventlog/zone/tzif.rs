//! What does a compiled zone, a file in the format of RFC 8536, say about a
//! time? Fetches the few bytes that it needs, at most 128 at once, in about as
//! many steps as the number of clock changes has binary digits, whatever the
//! file says. Leap seconds are not counted.

use super::rule::Rule;
use super::{Clock, FURTHEST_OFFSET, Name, Span};

const HEADER: u64 = 44;
const TYPE: u64 = 6;
/// Twice the longest line that a zone has ever ended in.
const LONGEST_FOOTER: usize = 128;

/// Fills a buffer with the bytes from a position on and says how many there
/// are; they are fewer at the end of the file.
pub(in crate::eventlog) trait Fetch: Fn(u64, &mut [u8]) -> usize {}

impl<F: Fn(u64, &mut [u8]) -> usize> Fetch for F {}

/// The span that `at` lies in; none if this is no file of a zone.
pub(in crate::eventlog) fn span_at(at: i64, fetch: &impl Fetch) -> Option<Span> {
    let first = Table::new(0, 4, fetch)?;
    if first.version == 0 {
        let (span, _) = first.span_at(at, fetch)?;
        return Some(span);
    }
    let table = Table::new(first.end(), 8, fetch)?;
    let (span, is_last) = table.span_at(at, fetch)?;
    let rule = if is_last { footer(table.end(), fetch) } else { None };
    Some(rule.map_or(span, |rule| {
        let ruled = rule.span_at(at);
        Span { since: ruled.since.max(span.since), ..ruled }
    }))
}

/// The rule for the time after the last change in the table.
fn footer(position: u64, fetch: &impl Fetch) -> Option<Rule> {
    let mut buffer = [0; LONGEST_FOOTER];
    let length = fetch(position, &mut buffer);
    let line = buffer.get(..length)?.strip_prefix(b"\n")?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    Rule::parse(&line[..end])
}

/// A header and where the lists behind it are.
struct Table {
    version: u8,
    /// Bytes of a time.
    width: u8,
    /// Where the times of the changes begin.
    times: u64,
    changes: u64,
    types: u64,
    letters: u64,
    /// Bytes of what comes behind the letters.
    others: u64,
}

impl Table {
    fn new(position: u64, width: u8, fetch: &impl Fetch) -> Option<Table> {
        let header: [u8; HEADER as usize] = exactly(position, fetch)?;
        if !header.starts_with(b"TZif") {
            return None;
        }
        let count = |number: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&header[20 + 4 * number..][..4]);
            u64::from(u32::from_be_bytes(bytes))
        };
        let (is_utc, is_standard, leap_seconds) = (count(0), count(1), count(2));
        Some(Table {
            version: header[4],
            width,
            times: position + HEADER,
            changes: count(3),
            types: count(4),
            letters: count(5),
            others: leap_seconds * (u64::from(width) + 4) + is_standard + is_utc,
        })
    }

    fn kinds_at(&self) -> u64 {
        self.times + self.changes * u64::from(self.width)
    }

    fn types_at(&self) -> u64 {
        self.kinds_at() + self.changes
    }

    fn letters_at(&self) -> u64 {
        self.types_at() + self.types * TYPE
    }

    fn end(&self) -> u64 {
        self.letters_at() + self.letters + self.others
    }

    /// The span, and whether it follows the last change.
    fn span_at(&self, at: i64, fetch: &impl Fetch) -> Option<(Span, bool)> {
        let (mut passed, mut undecided) = (0, self.changes);
        let (mut since, mut until) = (i64::MIN, i64::MAX);
        while passed < undecided {
            let middle = passed + (undecided - passed) / 2;
            let time = self.time(middle, fetch)?;
            if time <= at {
                (passed, since) = (middle + 1, time);
            } else {
                (undecided, until) = (middle, time);
            }
        }
        let kind = match passed.checked_sub(1) {
            Some(change) => exactly::<1>(self.kinds_at() + change, fetch)?[0],
            None => 0,
        };
        let clock = self.clock(u64::from(kind), fetch)?;
        Some((Span { since, until, clock }, passed == self.changes))
    }

    fn time(&self, change: u64, fetch: &impl Fetch) -> Option<i64> {
        let position = self.times + change * u64::from(self.width);
        match self.width {
            4 => Some(i64::from(i32::from_be_bytes(exactly(position, fetch)?))),
            _ => Some(i64::from_be_bytes(exactly(position, fetch)?)),
        }
    }

    fn clock(&self, kind: u64, fetch: &impl Fetch) -> Option<Clock> {
        if kind >= self.types {
            return None;
        }
        let [a, b, c, d, is_dst, name] = exactly(self.types_at() + kind * TYPE, fetch)?;
        let offset = i32::from_be_bytes([a, b, c, d]);
        let left = self.letters.checked_sub(u64::from(name))?;
        if offset.unsigned_abs() > FURTHEST_OFFSET.unsigned_abs() {
            return None;
        }
        let mut letters = [0; 16];
        let room = letters.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        fetch(self.letters_at() + u64::from(name), &mut letters[..room]);
        Some(Clock { offset, is_dst: is_dst != 0, name: Name::from_bytes(&letters) })
    }
}

fn exactly<const LENGTH: usize>(position: u64, fetch: &impl Fetch) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    (fetch(position, &mut bytes) == LENGTH).then_some(bytes)
}
