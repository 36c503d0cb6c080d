//! Expected texts are what Python's logging module gives for the same format.

use super::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, Layout, Record, Style};
use crate::eventlog::level::Shown;
use crate::messages::eventlog::Problem;
use crate::vocabulary::Level;
use std::fmt;
use std::time::Duration;

fn rendered_with(layout: &Layout, message: &dyn fmt::Display) -> String {
    let record = Record {
        level: Shown(Level::INFO),
        message,
        at: Duration::from_millis(1_795_182_833_045),
        opened: Duration::from_millis(1_795_182_831_545),
        process: 321,
        asctime: "2026-11-20T13:53:53",
    };
    let mut out = Vec::new();
    layout.render(&record, &mut out);
    String::from_utf8(out).unwrap()
}

fn parsed(text: &str, style: Style) -> Result<Layout, Problem> {
    Layout::parse(text, style, false, DEFAULT_DATE_FORMAT)
}

fn rendered(text: &str, style: Style) -> String {
    rendered_with(&parsed(text, style).unwrap(), &"a\nmessage")
}

#[test]
fn the_default_record_has_a_separator_time_level_name_and_message() {
    assert_eq!(
        rendered_with(&parsed(DEFAULT_FORMAT, Style::Classic).unwrap(), &"daemon manager started"),
        "------\n2026-11-20T13:53:53 INFO root daemon manager started"
    );
}

#[test]
fn classic_placeholders_follow_printf() {
    for (format, expected) in [
        ("%(levelname)-8s|", "INFO    |"),
        ("%(levelname)8s|", "    INFO|"),
        ("%(levelname)08s|", "    INFO|"),
        ("%(levelname).2s|", "IN|"),
        ("%(levelname)-5.1s|", "I    |"),
        ("%(msecs)03d", "045"),
        ("%(msecs)d %(msecs)s", "45 45.0"),
        ("%(process)d %(thread)5d|%(process)-5d|", "321   321|321  |"),
        ("%(process)+d|%(process)- 6d|", "+321| 321  |"),
        ("%(process)x %(process)#X %(process)#o %(process).5d", "141 0X141 0o501 00321"),
        ("%(levelno)s %(lineno)ld", "20 0"),
        ("%(created)f", "1795182833.045000"),
        ("%(created).1f %(created)s", "1795182833.0 1795182833.045"),
        ("%(created)e %(created)G", "1.795183e+09 1.79518E+09"),
        ("%(relativeCreated)d %(relativeCreated)g", "1500 1500"),
        ("%(relativeCreated)08.1f", "001500.0"),
        ("%(message)r", "'a\\nmessage'"),
        ("100%% %(name)s", "100% root"),
        ("%(processName)s %(threadName)s", "MainProcess MainThread"),
        ("%(module)s %(filename)s %(pathname)s %(funcName)s", "zdaemon zdaemon zdaemon zdaemon"),
        ("a\\tb\\nc\\r\\f\\b", "a\tb\nc\r\x0c\x08"),
    ] {
        assert_eq!(rendered(format, Style::Classic), expected, "{format}");
    }
}

#[test]
fn format_placeholders_follow_format_strings() {
    for (format, expected) in [
        ("{levelname:<8}|{levelname:>6}|{levelname:^7}|", "INFO    |  INFO| INFO  |"),
        ("{levelname:*^8}|{levelname:8}|{levelname:.3}", "**INFO**|INFO    |INF"),
        ("{msecs:03.0f} {msecs}", "045 45.0"),
        ("{process:>6}|{process:6}|{process:<6}|{process:06d}", "   321|   321|321   |000321"),
        ("{process:+} {process:#x} {process:b} {process:=+6}", "+321 0x141 101000001 +  321"),
        ("{process:#08x} {process:.1f} {levelno:%}", "0x000141 321.0 2000.000000%"),
        ("{created:.3g} {created:.2e}", "1.8e+09 1.80e+09"),
        ("{message!r}", "'a\\nmessage'"),
        ("{{{name}}}", "{root}"),
    ] {
        assert_eq!(rendered(format, Style::Format), expected, "{format}");
    }
}

#[test]
fn templates_take_a_name_with_or_without_braces() {
    let format = "$levelname ${name}s $$5 $process.";
    assert_eq!(rendered(format, Style::Template), "INFO roots $5 321.");
    assert_eq!(rendered(format, Style::SafeTemplate), "INFO roots $5 321.");
    assert_eq!(
        rendered("$foo ${bar} $ ${levelname", Style::SafeTemplate),
        "$foo ${bar} $ ${levelname"
    );
}

#[test]
fn an_unknown_field_is_an_error_that_names_it_and_the_known_ones() {
    for (text, style) in
        [("%(foo)s", Style::Classic), ("{foo}", Style::Format), ("$foo", Style::Template)]
    {
        let problem = parsed(text, style).unwrap_err();
        assert!(matches!(&problem, Problem::UnknownField { name, .. } if name == "foo"), "{text}");
        assert!(problem.to_string().ends_with("lineno, message"));
        let layout = Layout::parse(text, style, true, "").unwrap();
        assert_eq!(rendered_with(&layout, &""), text, "stands for itself when it is allowed");
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    for (text, style) in [
        ("%s", Style::Classic),
        ("%", Style::Classic),
        ("%(message", Style::Classic),
        ("%(message)", Style::Classic),
        ("%(message)d", Style::Classic),
        ("%(levelno)q", Style::Classic),
        ("%(levelno)*d", Style::Classic),
        ("%(created)x", Style::Classic),
        ("%(levelno)99999d", Style::Classic),
        ("%(message)%", Style::Classic),
        ("{", Style::Format),
        ("}", Style::Format),
        ("{message", Style::Format),
        ("{message:d}", Style::Format),
        ("{message:+}", Style::Format),
        ("{message!x}", Style::Format),
        ("{process:s}", Style::Format),
        ("{process:.2d}", Style::Format),
        ("{created:d}", Style::Format),
        ("{process:5000}", Style::Format),
        ("$", Style::Template),
        ("${message", Style::Template),
        ("$1", Style::Template),
    ] {
        let result = parsed(text, style);
        assert!(matches!(result, Err(Problem::Placeholder { .. })), "{text}: {result:?}");
    }
    let date = Layout::parse("", Style::Classic, false, "\0");
    assert_eq!(date, Err(Problem::DateFormat));
}

#[test]
fn characters_are_counted_and_not_bytes() {
    let layout = parsed("%(message)5s|%(message).2s|", Style::Classic).unwrap();
    assert_eq!(rendered_with(&layout, &"äöü"), "  äöü|äö|");
}

#[test]
fn the_date_format_is_asked_for_only_where_it_is_used() {
    assert!(parsed("%(message)s", Style::Classic).unwrap().date_format().is_none());
    assert_eq!(
        parsed("%(asctime)s", Style::Classic).unwrap().date_format(),
        Some(c"%Y-%m-%dT%H:%M:%S")
    );
}

#[test]
fn a_message_that_cannot_be_shown_does_not_panic() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    assert_eq!(rendered_with(&parsed("<%(message)s>", Style::Classic).unwrap(), &Broken), "<half>");
}
