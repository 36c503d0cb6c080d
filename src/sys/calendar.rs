//! What do the calendar and the clock on the wall of this place show? Local
//! time, time stamps, midnights. Reads no clock: points in time are whole
//! seconds since 1970 and come from the caller.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;

/// A point in time, as people here write it.
pub(crate) struct LocalTime(libc::tm);

impl LocalTime {
    /// Fails for times far beyond any calendar.
    pub(crate) fn at(seconds: u64) -> io::Result<LocalTime> {
        let Ok(time) = seconds.try_into() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut fields = MaybeUninit::zeroed();
        // SAFETY: both pointers are good for the call; the zone's name, which
        // the result points to, is never freed by the C library.
        let result = unsafe { libc::localtime_r(&raw const time, fields.as_mut_ptr()) };
        if result.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: all zeroes is a tm, and localtime_r has filled it in.
        Ok(LocalTime(unsafe { fields.assume_init() }))
    }

    /// `format` as strftime fills it in; empty if that is longer than `buffer`.
    pub(crate) fn stamp<'a>(&self, format: &CStr, buffer: &'a mut [u8]) -> &'a str {
        // SAFETY: `format` ends in a zero byte, `buffer` has the length given.
        let length = unsafe {
            libc::strftime(
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                format.as_ptr(),
                &raw const self.0,
            )
        };
        std::str::from_utf8(&buffer[..length]).unwrap_or_default()
    }

    /// 0 for Monday to 6 for Sunday.
    pub(crate) fn weekday(&self) -> u8 {
        u8::try_from((self.0.tm_wday + 6) % 7).unwrap_or(0)
    }

    /// When the day begins that is `days` after this one, whatever clocks are
    /// put forward or back in between.
    pub(crate) fn midnight(&self, days: i32) -> io::Result<u64> {
        let mut fields = self.0;
        fields.tm_sec = 0;
        fields.tm_min = 0;
        fields.tm_hour = 0;
        fields.tm_mday = fields.tm_mday.saturating_add(days);
        fields.tm_isdst = -1;
        // SAFETY: `fields` is a tm of our own.
        let time = unsafe { libc::mktime(&raw mut fields) };
        u64::try_from(time).map_err(|_| io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::LocalTime;

    fn written(seconds: u64) -> String {
        LocalTime::at(seconds).unwrap().stamp(c"%Y-%m-%d %H:%M:%S", &mut [0; 64]).to_owned()
    }

    #[test]
    fn a_midnight_is_a_midnight_and_the_next_one_is_a_day_later() {
        let now = LocalTime::at(1_795_182_833).unwrap();
        let (today, tomorrow) = (now.midnight(0).unwrap(), now.midnight(1).unwrap());
        assert!(today <= 1_795_182_833 && 1_795_182_833 < tomorrow);
        assert_eq!(written(today)[11..].to_owned(), "00:00:00");
        assert_eq!(written(tomorrow)[11..].to_owned(), "00:00:00");
        assert_eq!(LocalTime::at(tomorrow).unwrap().weekday(), (now.weekday() + 1) % 7);
    }

    #[test]
    fn a_stamp_longer_than_its_buffer_is_empty() {
        assert_eq!(LocalTime::at(0).unwrap().stamp(c"%Y-%m-%d", &mut [0; 8]), "");
    }

    #[test]
    fn times_beyond_the_calendar_are_errors() {
        assert!(LocalTime::at(u64::MAX).is_err());
        assert!(LocalTime::at(i64::MAX.unsigned_abs()).is_err());
    }
}
