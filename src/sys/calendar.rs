//! How is a date written? The C library's strftime, given every field. Knows no
//! time zone: what could make the C library read its own is filled in before.

use std::ffi::CStr;

/// What a calendar and a clock show, counted as in C: years from 1900, months and
/// days of the year from 0, weekdays from Sunday, which is 0.
pub(crate) struct Fields<'a> {
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) weekday: i32,
    pub(crate) day_of_year: i32,
    pub(crate) is_dst: bool,
    /// Seconds to add to UTC.
    pub(crate) offset: i32,
    pub(crate) zone: &'a CStr,
}

/// `format` as strftime fills it in; empty if that is longer than `buffer`.
pub(crate) fn stamp<'a>(format: &CStr, fields: &Fields<'_>, buffer: &'a mut [u8]) -> &'a str {
    // SAFETY: an all-zero tm is a valid value of that plain C struct.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    time.tm_year = fields.year;
    time.tm_mon = fields.month;
    time.tm_mday = fields.day;
    time.tm_hour = fields.hour;
    time.tm_min = fields.minute;
    time.tm_sec = fields.second;
    time.tm_wday = fields.weekday;
    time.tm_yday = fields.day_of_year;
    time.tm_isdst = i32::from(fields.is_dst);
    time.tm_gmtoff = fields.offset.into();
    time.tm_zone = fields.zone.as_ptr();
    let (start, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `format` and the zone's name end in a zero byte and live through the
    // call, and `buffer` has the length given.
    let length = unsafe { libc::strftime(start, room, format.as_ptr(), &raw const time) };
    std::str::from_utf8(&buffer[..length]).unwrap_or_default()
}
