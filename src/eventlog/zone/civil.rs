//! Which day is that? The Gregorian calendar, for all years before and after
//! its beginning alike. Days are counted from the first of January 1970.

pub(in crate::eventlog) const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// The calendar repeats itself after so many days, which are 400 years.
const ERA: i64 = 146_097;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eventlog) struct Date {
    pub(in crate::eventlog) year: i64,
    /// 1 to 12.
    pub(in crate::eventlog) month: i64,
    /// 1 to 31.
    pub(in crate::eventlog) day: i64,
}

impl Date {
    pub(in crate::eventlog) fn of(days: i64) -> Date {
        // Years begin in March here, so that a leap day is a year's last day.
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months = (5 * day_of_year + 2) / 153;
        let month = if months < 10 { months + 3 } else { months - 9 };
        Date {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * months + 2) / 5 + 1,
        }
    }

    pub(in crate::eventlog) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let months = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let day_of_year = (153 * months + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * ERA + day_of_era - 719_468
    }
}

pub(in crate::eventlog) fn first_of_january(year: i64) -> i64 {
    Date { year, month: 1, day: 1 }.days()
}

/// 0 for Sunday to 6 for Saturday.
pub(in crate::eventlog) fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::{Date, ERA, is_leap, weekday};

    #[test]
    fn every_day_of_three_eras_follows_the_one_before() {
        let mut date = Date { year: 1600, month: 1, day: 1 };
        for days in date.days()..date.days() + 3 * ERA {
            assert_eq!((Date::of(days), date.days()), (date, days));
            let length = match date.month {
                2 => 28 + i64::from(is_leap(date.year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date.day += 1;
            if date.day > length {
                date = Date { day: 1, month: date.month + 1, ..date };
            }
            if date.month > 12 {
                date = Date { month: 1, year: date.year + 1, ..date };
            }
        }
    }

    #[test]
    fn known_days_have_their_dates_and_weekdays() {
        for (days, (year, month, day), day_of_week) in [
            (0, (1970, 1, 1), 4),
            (-1, (1969, 12, 31), 3),
            (20_777, (2026, 11, 20), 5),
            (-719_528, (0, 1, 1), 6),
            (-719_529, (-1, 12, 31), 5),
        ] {
            assert_eq!(Date::of(days), Date { year, month, day });
            assert_eq!(weekday(days), day_of_week, "{year}-{month}-{day}");
        }
    }
}
