//! What are the levels called, and which numbers stand for them? Both scales:
//! today's 0 to 50 and the -300 to 300 of old configurations.

use crate::messages::eventlog::Problem;
use crate::vocabulary::Level;
use std::fmt;

const BLATHER: Level = Level(15);
const TRACE: Level = Level(5);

const NAMES: [(&str, Level); 13] = [
    ("critical", Level::CRITICAL),
    ("fatal", Level::CRITICAL),
    ("panic", Level::CRITICAL),
    ("error", Level::ERROR),
    ("warning", Level::WARNING),
    ("warn", Level::WARNING),
    ("problem", Level::WARNING),
    ("info", Level::INFO),
    ("blather", BLATHER),
    ("debug", Level::DEBUG),
    ("trace", TRACE),
    ("all", Level(1)),
    ("notset", Level::NOTSET),
];

/// The level that `text` names, in any case, or gives as a number.
pub(crate) fn parse(text: &str) -> Result<Level, Problem> {
    if let Some(level) = named(text) {
        return Ok(level);
    }
    let number: i64 = text.parse().map_err(|_| Problem::LevelName(text.to_owned()))?;
    match number {
        0..=50 => Ok(Level(u8::try_from(number).unwrap_or(0))),
        -300..=-1 | 100..=300 => Ok(from_severity(number)),
        _ => Err(Problem::LevelRange(number)),
    }
}

/// The level that `text` names, or the severity that it gives as a number on
/// the old scale, where 0 is INFO.
pub(crate) fn parse_severity(text: &str) -> Result<Level, Problem> {
    match named(text) {
        Some(level) => Ok(level),
        None => text.parse().map(from_severity).map_err(|_| Problem::LevelName(text.to_owned())),
    }
}

fn named(text: &str) -> Option<Level> {
    NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

fn from_severity(severity: i64) -> Level {
    match severity {
        300.. => Level::CRITICAL,
        200.. => Level::ERROR,
        100.. => Level::WARNING,
        0.. => Level::INFO,
        -100.. => BLATHER,
        -200.. => Level::DEBUG,
        _ => TRACE,
    }
}

/// A level as records show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown(pub(crate) Level);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Level::CRITICAL => f.write_str("CRITICAL"),
            Level::ERROR => f.write_str("ERROR"),
            Level::WARNING => f.write_str("WARNING"),
            Level::INFO => f.write_str("INFO"),
            Level::DEBUG => f.write_str("DEBUG"),
            Level(number) => write!(f, "Level {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, parse, parse_severity};
    use crate::messages::eventlog::Problem;
    use crate::vocabulary::Level;

    #[test]
    fn names_in_any_case_and_numbers_are_levels() {
        for (text, number) in [
            ("critical", 50),
            ("FATAL", 50),
            ("Panic", 50),
            ("error", 40),
            ("warn", 30),
            ("warning", 30),
            ("problem", 30),
            ("info", 20),
            ("blather", 15),
            ("debug", 10),
            ("trace", 5),
            ("all", 1),
            ("notset", 0),
            ("0", 0),
            ("17", 17),
            ("50", 50),
        ] {
            assert_eq!(parse(text), Ok(Level(number)), "{text}");
        }
    }

    #[test]
    fn the_old_scale_is_understood_outside_of_0_to_50() {
        for (text, number) in [
            ("300", 50),
            ("200", 40),
            ("199", 30),
            ("100", 30),
            ("-1", 15),
            ("-100", 15),
            ("-101", 10),
            ("-200", 10),
            ("-201", 5),
            ("-300", 5),
        ] {
            assert_eq!(parse(text), Ok(Level(number)), "{text}");
        }
    }

    #[test]
    fn numbers_between_the_scales_and_unknown_names_are_errors() {
        for number in [51, 99, 301, -301] {
            assert_eq!(parse(&number.to_string()), Err(Problem::LevelRange(number)));
        }
        assert_eq!(parse("loud"), Err(Problem::LevelName("loud".to_owned())));
        assert!(Problem::LevelRange(51).to_string().starts_with("log level not in range: 51"));
    }

    #[test]
    fn a_severity_counts_from_info_and_has_no_bounds() {
        for (text, number) in [("0", 20), ("50", 20), ("1000", 50), ("-5000", 5), ("debug", 10)] {
            assert_eq!(parse_severity(text), Ok(Level(number)), "{text}");
        }
        assert!(parse_severity("").is_err());
    }

    #[test]
    fn levels_without_a_name_of_their_own_are_shown_as_numbers() {
        let shown: Vec<String> =
            [50, 40, 30, 20, 10, 15].iter().map(|n| Shown(Level(*n)).to_string()).collect();
        assert_eq!(shown, ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "Level 15"]);
    }
}
