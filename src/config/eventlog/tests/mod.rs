//! Sections built by hand, since another module owns their syntax.

mod environment;
mod rotation;
mod syslog;

use super::{Surroundings, plan};
use crate::config::Place;
use crate::config::zconfig::{Key, Section};
use crate::eventlog::plan::{FilePlan, HandlerPlan, Plan, Stream, Target};
use crate::eventlog::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, Layout, Style};
use crate::vocabulary::Level;
use std::path::{Path, PathBuf};

const HOSTS: &str = "127.0.0.1 localhost\n# 10.0.0.1 loghost\n10.0.0.2 x Loghost # main\n";

fn home(path: &Path) -> PathBuf {
    path.strip_prefix("~").map_or(path.to_owned(), |rest| Path::new("/home/me").join(rest))
}

fn with_surroundings<T>(read: impl Fn(&Surroundings<'_>) -> T) -> T {
    read(&Surroundings { base: Path::new("/launch"), home: &home, hosts: &|| HOSTS.to_owned() })
}

fn place(line: u32) -> Place {
    Place { file: "/etc/z.conf".into(), line }
}

/// A section at line 10, its keys from line 11 on.
fn section(kind: &str, keys: &[(&str, &str)]) -> Section {
    let keys = keys.iter().zip(11..).map(|((name, value), line)| Key {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        place: place(line),
    });
    Section {
        kind: kind.to_owned(),
        name: None,
        keys: keys.collect(),
        sections: Vec::new(),
        place: place(10),
    }
}

fn log_of(keys: &[(&str, &str)], handlers: Vec<Section>) -> Result<Plan, String> {
    let mut log = section("eventlog", keys);
    log.sections = handlers;
    with_surroundings(|around| plan(&log, around)).map_err(|error| error.to_string())
}

/// What one handler with these keys is read as.
fn handler(kind: &str, keys: &[(&str, &str)]) -> Result<HandlerPlan, String> {
    log_of(&[], vec![section(kind, keys)]).map(|mut plan| plan.handlers.remove(0))
}

fn logfile(keys: &[(&str, &str)]) -> Result<HandlerPlan, String> {
    handler("logfile", keys)
}

/// The same for a file at `/log`, which stands in line 11.
fn file_with(keys: &[(&str, &str)]) -> Result<FilePlan, String> {
    match logfile(&[&[("path", "/log")], keys].concat())?.target {
        Target::File(plan) => Ok(plan),
        other @ (Target::Stream(_) | Target::Syslog(_)) => panic!("{other:?}"),
    }
}

fn classic(format: &str) -> Layout {
    Layout::parse(format, Style::Classic, false, DEFAULT_DATE_FORMAT).unwrap()
}

#[track_caller]
fn assert_blames<T: std::fmt::Debug>(result: Result<T, String>, line: u32, start: &str) {
    let error = result.unwrap_err();
    assert!(error.starts_with(&format!("/etc/z.conf:{line}: {start}")), "{error}");
}

#[test]
fn an_empty_section_is_a_log_at_info_that_discards() {
    let plan = Plan { level: Level::INFO, handlers: Vec::new(), warnings: Vec::new() };
    assert_eq!(log_of(&[], Vec::new()), Ok(plan));
}

#[test]
fn the_level_of_a_log_is_read_in_any_case() {
    assert_eq!(log_of(&[("LEVEL", "Debug")], Vec::new()).unwrap().level, Level::DEBUG);
    assert_blames(log_of(&[("level", "51")], Vec::new()), 11, "log level not in range: 51");
    assert_blames(log_of(&[("level", "loud")], Vec::new()), 11, "unknown log level: 'loud'");
}

#[test]
fn a_logger_may_have_a_name_and_an_eventlog_may_not() {
    let keys = [("name", "x"), ("propagate", "no")];
    let logger = section("logger", &keys);
    assert!(with_surroundings(|around| plan(&logger, around)).is_ok());
    assert_blames(log_of(&keys, Vec::new()), 11, "'name' is not a known key name");
    let wrong = section("logger", &[("propagate", "1")]);
    let result = with_surroundings(|around| plan(&wrong, around)).map_err(|e| e.to_string());
    assert_blames(result, 11, "not a valid boolean value: '1'");
}

#[test]
fn keys_that_are_unknown_or_repeated_or_no_keys_are_errors() {
    assert_blames(file_with(&[("colour", "red")]), 12, "'colour' is not a known key name");
    assert_blames(file_with(&[("Path", "/b")]), 12, "'path' does not support multiple values");
    assert_blames(file_with(&[("1foo", "")]), 12, "value did not match regular expression: '1foo'");
    assert_blames(handler("syslog", &[("path", "/x")]), 11, "'path' is not a known key name");
}

#[test]
fn unknown_handlers_and_sections_in_handlers_are_errors() {
    assert_blames(log_of(&[], vec![section("zeo", &[])]), 10, "unknown type name: 'zeo'");
    let mut outer = section("logfile", &[("path", "/log")]);
    outer.sections.push(section("syslog", &[]));
    assert_blames(log_of(&[], vec![outer]), 10, "unknown type name: 'syslog'");
}

#[test]
fn handlers_of_other_platforms_are_ignored_with_a_warning_each() {
    let kinds = ["win32-eventlog", "http-logger", "email-notifier"];
    let handlers = kinds.iter().map(|kind| section(kind, &[("anything", "goes")])).collect();
    let plan = log_of(&[], handlers).unwrap();
    assert!(plan.handlers.is_empty());
    let expected = kinds
        .map(|kind| format!("/etc/z.conf:10: the handler {kind} is not supported and is ignored"));
    assert_eq!(plan.warnings, expected);
}

#[test]
fn a_logfile_with_just_a_path_has_the_usual_defaults() {
    let rotation = None;
    let plan = FilePlan { path: PathBuf::from("/launch/var/z.log"), delay: false, rotation };
    let expected = HandlerPlan {
        level: Level::NOTSET,
        layout: classic(DEFAULT_FORMAT),
        target: Target::File(plan),
    };
    assert_eq!(logfile(&[("path", "var/z.log")]), Ok(expected));
}

#[test]
fn paths_may_start_at_home_and_must_be_given() {
    let path = |written| match logfile(&[("path", written)]).unwrap().target {
        Target::File(plan) => plan.path,
        other @ (Target::Stream(_) | Target::Syslog(_)) => panic!("{other:?}"),
    };
    assert_eq!(path("~/z.log"), Path::new("/home/me/z.log"));
    assert_eq!(path("/z.log"), Path::new("/z.log"));
    assert_blames(logfile(&[]), 10, "no values for 'path'; 1 required");
    assert_blames(logfile(&[("path", "")]), 11, "'path' is empty");
}

#[test]
fn standard_streams_take_no_file_settings() {
    for (name, stream) in [("STDOUT", Stream::Stdout), ("STDERR", Stream::Stderr)] {
        let plain = logfile(&[("path", name), ("delay", "no"), ("max-size", "0")]).unwrap();
        assert_eq!(plain.target, Target::Stream(stream));
        for (key, value) in
            [("max-size", "1kb"), ("old-files", "1"), ("when", "D"), ("interval", "1")]
        {
            let result = logfile(&[("path", name), (key, value)]);
            assert_blames(result, 12, &format!("cannot rotate {name}"));
        }
        let delayed = logfile(&[("path", name), ("delay", "on")]);
        assert_blames(delayed, 12, &format!("cannot delay opening {name}"));
        let encoded = logfile(&[("path", name), ("encoding", "utf-8")]);
        assert_blames(encoded, 12, &format!("cannot specify encoding for {name}"));
    }
}

#[test]
fn level_format_style_and_date_of_a_handler_are_read() {
    let plan = logfile(&[
        ("path", "/log"),
        ("level", "error"),
        ("style", "Format"),
        ("format", "{asctime} {message}"),
        ("dateformat", "%H"),
        ("formatter", "some.python.Class"),
        ("encoding", "latin-1"),
    ]);
    let plan = plan.unwrap();
    assert_eq!(plan.level, Level::ERROR);
    let layout = Layout::parse("{asctime} {message}", Style::Format, false, "%H").unwrap();
    assert_eq!(plan.layout, layout);
    for (style, format) in [("template", "$message"), ("safe-template", "$message $x")] {
        assert!(file_with(&[("style", style), ("format", format)]).is_ok(), "{style}");
    }
    assert!(file_with(&[("style", "template")]).is_ok(), "the default format fits every style");
}

#[test]
fn wrong_levels_formats_and_styles_are_blamed_on_their_line() {
    assert_blames(file_with(&[("level", "x")]), 12, "unknown log level: 'x'");
    assert_blames(file_with(&[("style", "x")]), 12, "unknown style: 'x'");
    assert_blames(file_with(&[("format", "%(x)s")]), 12, "unknown format field: 'x'");
    assert_blames(file_with(&[("format", "%s")]), 12, "malformed format at '%s'");
    assert_blames(file_with(&[("dateformat", "\0")]), 12, "dateformat contains a zero byte");
    assert!(file_with(&[("format", "%(x)s"), ("arbitrary-fields", "yes")]).is_ok());
    assert_blames(file_with(&[("arbitrary-fields", "1")]), 12, "not a valid boolean value: '1'");
}

#[test]
fn delay_is_a_boolean() {
    assert!(file_with(&[("delay", "TRUE")]).unwrap().delay);
    assert!(!file_with(&[("delay", "Off")]).unwrap().delay);
    assert_blames(file_with(&[("delay", "later")]), 12, "not a valid boolean value: 'later'");
}
