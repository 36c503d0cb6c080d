//! How is a date written? As C's strftime does in the C locale, without asking
//! for anything: what the clocks show is given. What strftime does not know
//! stays as it is.

use super::zone::civil::{Date, first_of_january, weekday};
use std::io::{self, Write};

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Weekdays, and most months, are shortened to so many letters.
const SHORT: usize = 3;

/// What the clocks of a place show.
pub(super) struct Shown<'a> {
    /// Since 1970.
    pub(super) day: i64,
    /// Of the day.
    pub(super) second: i64,
    /// Seconds that the clocks are ahead of UTC.
    pub(super) offset: i64,
    pub(super) zone: &'a [u8],
    /// Seconds since 1970, in UTC.
    pub(super) time: i64,
}

/// What a directive is replaced by.
enum Means {
    Text(&'static str),
    /// Filled up to this width with the character.
    Number(i64, usize, char),
    Zone,
    /// `+0100`
    Offset,
    /// Other directives.
    Several(&'static [u8]),
    Nothing,
}

impl Shown<'_> {
    /// `format` filled in; empty if that is longer than `buffer`.
    pub(super) fn stamp<'a>(&self, format: &[u8], buffer: &'a mut [u8]) -> &'a str {
        let room = buffer.len();
        let mut rest = &mut *buffer;
        if self.put(format, &mut rest).is_err() {
            return "";
        }
        let length = room - rest.len();
        std::str::from_utf8(&buffer[..length]).unwrap_or_default()
    }

    fn put(&self, format: &[u8], out: &mut &mut [u8]) -> io::Result<()> {
        let mut bytes = format.iter();
        while let Some(byte) = bytes.next() {
            let directive = bytes.as_slice().first().filter(|_| *byte == b'%');
            match directive.map_or(Means::Nothing, |letter| self.meaning(*letter)) {
                Means::Nothing => {
                    out.write_all(&[*byte])?;
                    continue;
                }
                Means::Text(text) => out.write_all(text.as_bytes())?,
                Means::Number(number, width, '0') => write!(out, "{number:0width$}")?,
                Means::Number(number, width, _) => write!(out, "{number:width$}")?,
                Means::Zone => out.write_all(self.zone)?,
                Means::Offset => self.put_offset(out)?,
                Means::Several(format) => self.put(format, out)?,
            }
            bytes.next();
        }
        Ok(())
    }

    fn put_offset(&self, out: &mut &mut [u8]) -> io::Result<()> {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs() / 60;
        write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }

    fn meaning(&self, letter: u8) -> Means {
        let date = Date::of(self.day);
        let (hour, weekday) = (self.second / 3600, weekday(self.day));
        let two = |number| Means::Number(number, 2, '0');
        match letter {
            b'%' => Means::Text("%"),
            b'n' => Means::Text("\n"),
            b't' => Means::Text("\t"),
            b'A' => Means::Text(name(&DAYS, weekday)),
            b'a' => Means::Text(&name(&DAYS, weekday)[..SHORT]),
            b'B' => Means::Text(name(&MONTHS, date.month - 1)),
            b'b' | b'h' => Means::Text(&name(&MONTHS, date.month - 1)[..SHORT]),
            b'p' => Means::Text(if hour < 12 { "AM" } else { "PM" }),
            b'C' => two(date.year.div_euclid(100)),
            b'd' => two(date.day),
            b'e' => Means::Number(date.day, 2, ' '),
            b'G' => Means::Number(self.week().0, 1, '0'),
            b'g' => two(self.week().0.rem_euclid(100)),
            b'V' => two(self.week().1),
            b'H' => two(hour),
            b'I' => two((hour + 11) % 12 + 1),
            b'j' => Means::Number(self.day_of_year() + 1, 3, '0'),
            b'm' => two(date.month),
            b'M' => two(self.second / 60 % 60),
            b'S' => two(self.second % 60),
            b's' => Means::Number(self.time, 1, '0'),
            b'U' => two((self.day_of_year() + 7 - weekday) / 7),
            b'W' => two((self.day_of_year() + 7 - (weekday + 6) % 7) / 7),
            b'u' => Means::Number((weekday + 6) % 7 + 1, 1, '0'),
            b'w' => Means::Number(weekday, 1, '0'),
            b'y' => two(date.year.rem_euclid(100)),
            b'Y' => Means::Number(date.year, 1, '0'),
            b'z' => Means::Offset,
            b'Z' => Means::Zone,
            b'c' => Means::Several(b"%a %b %e %H:%M:%S %Y"),
            b'D' | b'x' => Means::Several(b"%m/%d/%y"),
            b'F' => Means::Several(b"%Y-%m-%d"),
            b'R' => Means::Several(b"%H:%M"),
            b'r' => Means::Several(b"%I:%M:%S %p"),
            b'T' | b'X' => Means::Several(b"%H:%M:%S"),
            _ => Means::Nothing,
        }
    }

    /// 0 for the first of January.
    fn day_of_year(&self) -> i64 {
        self.day - first_of_january(Date::of(self.day).year)
    }

    /// The week of ISO 8601 and the year it belongs to: those of its Thursday.
    fn week(&self) -> (i64, i64) {
        let thursday = self.day + 3 - (weekday(self.day) + 6) % 7;
        let year = Date::of(thursday).year;
        (year, (thursday - first_of_january(year)) / 7 + 1)
    }
}

fn name(names: &[&'static str], number: i64) -> &'static str {
    usize::try_from(number).ok().and_then(|number| names.get(number)).unwrap_or(&"???")
}

#[cfg(test)]
mod tests {
    use super::Shown;
    use crate::eventlog::zone::civil::SECONDS_A_DAY;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn utc(time: i64, format: &str) -> String {
        let (day, second) = (time.div_euclid(SECONDS_A_DAY), time.rem_euclid(SECONDS_A_DAY));
        let shown = Shown { day, second, offset: 0, zone: b"UTC", time };
        shown.stamp(format.as_bytes(), &mut [0; 512]).to_string()
    }

    #[test]
    fn what_strftime_does_not_know_stays() {
        assert_eq!(utc(0, "%Q %! %é 100%% 5%"), "%Q %! %é 100% 5%");
        assert_eq!(utc(0, ""), "");
    }

    #[test]
    fn an_offset_has_a_sign_and_hours_and_minutes() {
        for (offset, text) in [(-12_600, "-0330"), (20_700, "+0545"), (-60, "-0001"), (0, "+0000")]
        {
            let shown = Shown { day: 0, second: 0, offset, zone: b"", time: 0 };
            assert_eq!(shown.stamp(b"%z", &mut [0; 8]), text);
        }
    }

    /// The `date` of GNU answers for the C library.
    #[test]
    fn every_directive_is_filled_in_as_date_does() {
        let format = "%A %a %B %b %C %c %D %d %e %F %G %g %H %h %I %j %M %m %p %R %r %S %s %T \
                      %U %u %V %W %w %X %x %Y %y %Z %z %%";
        let days = (-800..80_000).step_by(13);
        let times: Vec<i64> = days.map(|day| day * SECONDS_A_DAY + day * 7919 % 86_400).collect();
        let date = Command::new("date")
            .args(["-u", "-f", "-", &format!("+{format}")])
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut date) = date else { return };
        let lines: String = times.iter().map(|time| format!("@{time}\n")).collect();
        let mut input = date.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = date.wait_with_output().unwrap();
        if writer.join().unwrap().is_err() || !output.status.success() {
            return; // another `date`, which reads no lines
        }
        let answer = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answer.lines().count(), times.len());
        for (time, answer) in times.iter().zip(answer.lines()) {
            assert_eq!(utc(*time, format), answer, "{time}");
        }
    }
}
