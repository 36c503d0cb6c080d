//! How the text of an option becomes its value, and how the value is shown
//! (in Python's notation, as users of `show` know it). Knows no option.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::words::split_words;
use crate::messages::options::Value as Complaint;
use crate::quote::{Quoted, QuotedList, quoted};

/// A typed option value; an error says what was expected.
pub(crate) trait Value {
    fn set(&mut self, text: &str) -> Result<(), String>;
    fn show(&self) -> String;
}

/// Words of a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(pub(crate) Vec<OsString>);

impl Value for Words {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let words = split_words(text).map_err(|error| error.to_string())?;
        self.0 = words.into_iter().map(OsString::from).collect();
        Ok(())
    }

    fn show(&self) -> String {
        if self.0.is_empty() { "None".to_string() } else { QuotedList(&self.0).to_string() }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Switch(pub(crate) bool);

impl Value for Switch {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let is_one_of = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        self.0 = is_one_of(["yes", "true", "on"]);
        if !self.0 && !is_one_of(["no", "false", "off"]) {
            return Err(Complaint::NotABoolean(text).to_string());
        }
        Ok(())
    }

    fn show(&self) -> String {
        if self.0 { "True".to_string() } else { "False".to_string() }
    }
}

/// A whole number, 0 or more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count(pub(crate) u32);

impl Value for Count {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let number = integer(text).ok_or_else(|| Complaint::NotAnInteger(text).to_string())?;
        self.0 = u32::try_from(number).map_err(|_| Complaint::Negative(text).to_string())?;
        Ok(())
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// Optional blanks and sign, decimal digits.
fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A length of time in seconds; fractions are allowed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Value for Seconds {
    fn set(&mut self, text: &str) -> Result<(), String> {
        self.0 = decimal(text.trim()).ok_or_else(|| Complaint::NotSeconds(text).to_string())?;
        Ok(())
    }

    fn show(&self) -> String {
        let fraction = format!(".{:09}", self.0.subsec_nanos());
        format!("{}{}", self.0.as_secs(), fraction.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Digits with or without a point, to the nanosecond.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits = whole.bytes().chain(fraction.bytes()).peekable();
    if digits.peek().is_none() || !digits.all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let places = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = places.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some(Duration::new(seconds, nanoseconds))
}

/// Exit statuses separated by commas; -1 stands for death by a signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExitCodes(pub(crate) Vec<i32>);

impl Value for ExitCodes {
    fn set(&mut self, text: &str) -> Result<(), String> {
        if text.trim().is_empty() {
            self.0.clear();
            return Ok(());
        }
        let codes = text.split(',').map(|code| code.trim().parse::<i32>());
        let codes: Result<Vec<i32>, _> = codes.collect();
        self.0 = codes.map_err(|_| Complaint::NotAnExitCode(text).to_string())?;
        Ok(())
    }

    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A file mode creation mask.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Umask(pub(crate) u32);

impl Value for Umask {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let digits = text.trim();
        let digits = digits.strip_prefix("0o").unwrap_or(digits);
        let is_octal =
            !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        if !is_octal {
            return Err(Complaint::NotOctal(text).to_string());
        }
        let mask = u32::from_str_radix(digits, 8).ok().filter(|mask| *mask <= 0o777);
        self.0 = mask.ok_or_else(|| Complaint::UmaskTooLarge(text).to_string())?;
        Ok(())
    }

    fn show(&self) -> String {
        format!("0o{:o}", self.0)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Text(pub(crate) Option<String>);

impl Value for Text {
    fn set(&mut self, text: &str) -> Result<(), String> {
        self.0 = (!text.is_empty()).then(|| text.to_string());
        Ok(())
    }

    fn show(&self) -> String {
        self.0.as_deref().map_or("None".to_string(), |text| quoted(text).to_string())
    }
}

/// A path as it was given; `paths` makes it absolute and checks it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilePath(pub(crate) Option<PathBuf>);

impl Value for FilePath {
    fn set(&mut self, text: &str) -> Result<(), String> {
        self.0 = (!text.is_empty()).then(|| PathBuf::from(text));
        Ok(())
    }

    fn show(&self) -> String {
        let path = self.0.as_ref().map(|path| Quoted(path.as_os_str().as_bytes()).to_string());
        path.unwrap_or_else(|| "None".to_string())
    }
}

/// Accepted so that old files work, and without any effect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignored(String);

impl Value for Ignored {
    fn set(&mut self, text: &str) -> Result<(), String> {
        self.0 = text.to_string();
        Ok(())
    }

    fn show(&self) -> String {
        if self.0.is_empty() { "None".to_string() } else { quoted(&self.0).to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<V: Value + Default>(text: &str) -> Result<String, String> {
        let mut value = V::default();
        value.set(text).map(|()| value.show())
    }

    #[test]
    fn booleans_are_six_words_in_any_case() {
        for (text, shown_as) in
            [("yes", "True"), ("ON", "True"), ("False", "False"), ("off", "False")]
        {
            assert_eq!(shown::<Switch>(text).as_deref(), Ok(shown_as));
        }
        assert!(
            shown::<Switch>("1").is_err_and(|e| e.starts_with("not a valid boolean value: '1'"))
        );
    }

    #[test]
    fn counts_take_signs_and_blanks_but_not_less_than_nothing() {
        assert_eq!(shown::<Count>(" +7 ").as_deref(), Ok("7"));
        assert!(shown::<Count>("-1").is_err_and(|e| e.contains("0 or more")));
        let literal = "invalid literal for int() with base 10: 'foo'";
        assert!(shown::<Count>("foo").is_err_and(|e| e.starts_with(literal)));
        assert!(shown::<Count>("99999999999").is_err());
    }

    #[test]
    fn seconds_take_fractions_but_no_words_that_floats_know() {
        assert_eq!(shown::<Seconds>("0.5").as_deref(), Ok("0.5"));
        assert_eq!(shown::<Seconds>("300").as_deref(), Ok("300"));
        assert_eq!(shown::<Seconds>(" 1. ").as_deref(), Ok("1"));
        assert_eq!(shown::<Seconds>(".0625").as_deref(), Ok("0.0625"));
        assert_eq!(shown::<Seconds>("1.00000000099").as_deref(), Ok("1"));
        for text in [
            "inf",
            "nan",
            "-1",
            "+1",
            "1.-1",
            "1.+1",
            "1e3",
            "",
            ".",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert!(shown::<Seconds>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exit_codes_are_separated_by_commas_and_may_be_none() {
        assert_eq!(shown::<ExitCodes>("0, 2,-1").as_deref(), Ok("[0, 2, -1]"));
        assert_eq!(shown::<ExitCodes>("  ").as_deref(), Ok("[]"));
        assert!(shown::<ExitCodes>("0 2").is_err());
        assert!(shown::<ExitCodes>("0,,2").is_err());
    }

    #[test]
    fn a_umask_is_octal_and_has_nine_bits() {
        assert_eq!(shown::<Umask>("022").as_deref(), Ok("0o22"));
        assert_eq!(shown::<Umask>("0o17").as_deref(), Ok("0o17"));
        for text in ["8", "-1", "", "0x1", "1000"] {
            assert!(shown::<Umask>(text).is_err(), "{text}");
        }
    }
}
