//! What do the clocks of a place show at a time, and until when does that hold?
//! Answers from a zone's rule or file, whose bytes the caller fetches; keeps
//! nothing and needs neither heap nor much stack. The C library's own answer
//! would cost the supervisor a mapping of the file, and so page tables.

pub(super) mod civil;
mod rule;
mod setting;
#[cfg(test)]
pub(super) mod tests;
mod tzif;

pub(super) use setting::Setting;
pub(super) use tzif::span_at;

use std::ffi::CStr;

/// Nobody's clock is further from UTC: what is, is no zone.
pub(super) const FURTHEST_OFFSET: i32 = 26 * 60 * 60;

/// A time in which the clocks of a place are not changed; in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: i64,
    /// The first second that does not belong to it.
    pub(super) until: i64,
    pub(super) clock: Clock,
}

impl Span {
    fn always(clock: Clock) -> Span {
        Span { since: i64::MIN, until: i64::MAX, clock }
    }

    pub(super) fn holds(&self, at: i64) -> bool {
        self.since <= at && at < self.until
    }
}

/// How the clocks are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// Seconds to add to UTC.
    pub(super) offset: i32,
    /// Whether this is summer time, or what counts as such.
    pub(super) is_dst: bool,
    pub(super) name: Name,
}

impl Clock {
    pub(super) const UTC: Clock =
        Clock { offset: 0, is_dst: false, name: Name(*b"UTC\0\0\0\0\0\0\0\0\0\0\0\0\0") };
}

/// The abbreviation of a clock's setting, followed by zero bytes. All that are
/// in use have six letters at most; longer ones are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name([u8; 16]);

impl Name {
    /// What stands in `bytes` before any zero byte.
    fn from_bytes(bytes: &[u8]) -> Name {
        let mut name = [0; 16];
        let used = bytes.iter().take_while(|byte| **byte != 0).take(name.len() - 1);
        for (to, from) in name.iter_mut().zip(used) {
            *to = *from;
        }
        Name(name)
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}
