//! What does a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3` say about a time?
//! Such rules are values of TZ, and the last line of a zone's file.

use super::civil::{self, Date, SECONDS_A_DAY};
use super::{Clock, Name, Span};

/// What a summer time without days of its own keeps to, in every C library.
const USUAL_DAYS: &[u8] = b",M3.2.0,M11.1.0";

const SECONDS_AN_HOUR: i32 = 60 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eventlog) struct Rule {
    standard: Clock,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summer {
    clock: Clock,
    begin: Change,
    end: Change,
}

/// When clocks are changed, by the clocks as they were until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    /// Seconds from the beginning of the day, up to a week before or after it.
    time: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// 1 to 365; the 29th of February is not counted.
    UsualYear(i32),
    /// 0 to 365.
    Year(i32),
    /// Month 1 to 12, week 1 to 4 or 5 for the last one, weekday 0 for Sunday to 6.
    Week(i32, i32, i32),
}

impl Rule {
    /// None if the text is anything else than one rule.
    pub(super) fn parse(text: &[u8]) -> Option<Rule> {
        let mut rest = Rest(text);
        let name = rest.name()?;
        let standard = Clock { offset: -rest.time(24)?, is_dst: false, name };
        if rest.0.is_empty() {
            return Some(Rule { standard, summer: None });
        }
        let name = rest.name()?;
        let offset = match rest.0.first() {
            None | Some(b',') => standard.offset + SECONDS_AN_HOUR,
            Some(_) => -rest.time(24)?,
        };
        if rest.0.is_empty() {
            rest = Rest(USUAL_DAYS);
        }
        let clock = Clock { offset, is_dst: true, name };
        let summer = Summer { clock, begin: rest.change()?, end: rest.change()? };
        rest.0.is_empty().then_some(Rule { standard, summer: Some(summer) })
    }

    pub(in crate::eventlog) fn span_at(&self, at: i64) -> Span {
        let Some(summer) = &self.summer else {
            return Span::always(self.standard);
        };
        let year = Date::of(at.div_euclid(SECONDS_A_DAY)).year;
        // Of changes at the same time, the one of the later year is the last, so
        // that a summer time from New Year to New Year has no gap.
        let mut last = (i64::MIN, i64::MIN, false);
        let mut until = i64::MAX;
        for year in year - 2..=year + 2 {
            let begin = summer.begin.at(year) - i64::from(self.standard.offset);
            let end = summer.end.at(year) - i64::from(summer.clock.offset);
            for (time, is_end) in [(begin, false), (end, true)] {
                if time <= at {
                    last = last.max((time, year, is_end));
                } else {
                    until = until.min(time);
                }
            }
        }
        let (since, _, is_standard) = last;
        Span { since, until, clock: if is_standard { self.standard } else { summer.clock } }
    }
}

impl Change {
    /// When this is in `year`, as if the clocks until then showed UTC.
    fn at(self, year: i64) -> i64 {
        let new_year = civil::first_of_january(year);
        let day = match self.day {
            Day::UsualYear(day) => {
                new_year + i64::from(day) - 1 + i64::from(day >= 60 && civil::is_leap(year))
            }
            Day::Year(day) => new_year + i64::from(day),
            Day::Week(month, week, weekday) => {
                let month = i64::from(month);
                let first = Date { year, month, day: 1 }.days();
                let next = match month {
                    12 => civil::first_of_january(year + 1),
                    _ => Date { year, month: month + 1, day: 1 }.days(),
                };
                let day = first + (i64::from(weekday) - civil::weekday(first)).rem_euclid(7);
                let day = day + 7 * (i64::from(week) - 1);
                if day < next { day } else { day - 7 }
            }
        };
        day * SECONDS_A_DAY + i64::from(self.time)
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.0.iter().take_while(|byte| belongs(**byte)).count();
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// At least three letters, or what else a name consists of in `<` and `>`.
    fn name(&mut self) -> Option<Name> {
        let name = if self.skip(b'<').is_some() {
            let name = self.take_while(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
            self.skip(b'>')?;
            name
        } else {
            self.take_while(|b| b.is_ascii_alphabetic())
        };
        (name.len() >= 3).then(|| Name::from_bytes(name))
    }

    fn number(&mut self, least: i32, most: i32) -> Option<i32> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
        (least..=most).contains(&number).then_some(number)
    }

    /// `[+-]hours[:minutes[:seconds]]`, in seconds.
    fn time(&mut self, most_hours: i32) -> Option<i32> {
        let is_negative = self.skip(b'-').is_some();
        if !is_negative {
            let _ = self.skip(b'+');
        }
        let mut seconds = self.number(0, most_hours)? * SECONDS_AN_HOUR;
        for unit in [60, 1] {
            if self.skip(b':').is_none() {
                break;
            }
            seconds += self.number(0, 59)? * unit;
        }
        Some(if is_negative { -seconds } else { seconds })
    }

    /// A comma, a day, and a time if it is not two o'clock.
    fn change(&mut self) -> Option<Change> {
        self.skip(b',')?;
        let day = match self.0.first()? {
            b'J' => {
                self.skip(b'J')?;
                Day::UsualYear(self.number(1, 365)?)
            }
            b'M' => {
                self.skip(b'M')?;
                let month = self.number(1, 12)?;
                self.skip(b'.')?;
                let week = self.number(1, 5)?;
                self.skip(b'.')?;
                Day::Week(month, week, self.number(0, 6)?)
            }
            _ => Day::Year(self.number(0, 365)?),
        };
        let time = if self.skip(b'/').is_some() { self.time(167)? } else { 2 * SECONDS_AN_HOUR };
        Some(Change { day, time })
    }
}
