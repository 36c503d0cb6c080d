//! Rules and files of zones against what is written in them, and against the C
//! library, for every zone of this machine.

use super::rule::Rule;
use super::{Clock, Name, Span, span_at};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small TZif file: changes with the number of a clock, clocks, last line.
pub(in crate::eventlog) fn file_of(
    version: u8,
    changes: &[(i64, u8)],
    clocks: &[(i32, bool, &str)],
    rule: &str,
) -> Vec<u8> {
    let mut letters = Vec::new();
    let mut types = Vec::new();
    for (offset, is_dst, name) in clocks {
        types.extend(offset.to_be_bytes());
        types.extend([u8::from(*is_dst), u8::try_from(letters.len()).unwrap()]);
        letters.extend(name.bytes().chain([0]));
    }
    let mut bytes = Vec::new();
    for width in [4, 8] {
        bytes.extend(b"TZif");
        bytes.push(version);
        bytes.extend([0; 15]);
        for count in [0, 0, 0, changes.len(), clocks.len(), letters.len()] {
            bytes.extend(u32::try_from(count).unwrap().to_be_bytes());
        }
        for (time, _) in changes {
            bytes.extend(&time.to_be_bytes()[8 - width..]);
        }
        bytes.extend(changes.iter().map(|(_, kind)| kind));
        bytes.extend(types.iter().chain(&letters));
        if version == 0 {
            return bytes;
        }
    }
    bytes.extend(format!("\n{rule}\n").bytes());
    bytes
}

fn answer(bytes: &[u8], at: i64) -> Option<Span> {
    span_at(at, &|position: u64, into: &mut [u8]| {
        assert!(into.len() <= 128, "no more than that on the stack");
        let rest = usize::try_from(position).ok().and_then(|position| bytes.get(position..));
        let rest = rest.unwrap_or_default();
        let length = into.len().min(rest.len());
        into[..length].copy_from_slice(&rest[..length]);
        length
    })
}

/// As the reference below writes it.
fn shown(at: i64, clock: &Clock) -> String {
    let name = clock.name.as_c_str().to_str().unwrap();
    format!("{at} {} {} {name}\n", clock.offset, u8::from(clock.is_dst))
}

#[track_caller]
fn assert_rule(rule: &str, expected: &[(i64, &str)]) {
    let parsed = Rule::parse(rule.as_bytes()).unwrap();
    for (at, clock) in expected {
        let span = parsed.span_at(*at);
        assert_eq!(shown(*at, &span.clock), format!("{at} {clock}\n"), "{rule}");
        assert!(span.holds(*at), "{rule}: {at} in {span:?}");
    }
}

#[test]
fn a_rule_without_summer_time_always_holds() {
    assert_rule("UTC0", &[(i64::from(i32::MIN), "0 0 UTC"), (1 << 40, "0 0 UTC")]);
    assert_rule("<+03>-3", &[(0, "10800 0 +03")]);
    assert_rule("<-0330>+3:30:15", &[(0, "-12615 0 -0330")]);
    let span = Rule::parse(b"JST-9").unwrap().span_at(0);
    assert_eq!((span.since, span.until), (i64::MIN, i64::MAX));
}

#[test]
fn a_rule_changes_the_clocks_to_the_second() {
    // 2026-03-29 01:00:00 and 2026-10-25 01:00:00 UTC.
    let (spring, autumn) = (1_774_746_000, 1_792_890_000);
    let cet = "3600 0 CET";
    let cest = "7200 1 CEST";
    let expected = [(spring - 1, cet), (spring, cest), (autumn - 1, cest), (autumn, cet)];
    assert_rule("CET-1CEST,M3.5.0,M10.5.0/3", &expected);
    assert_rule("CET-1CEST-2,J88/2,J298/3:00:00", &expected);
    assert_rule("CET-1CEST,87,297/3", &expected);
    assert_rule("CET-1CEST,J87/26,J305/-165", &expected);
    let span = Rule::parse(b"CET-1CEST,M3.5.0,M10.5.0/3").unwrap().span_at(spring);
    assert_eq!((span.since, span.until), (spring, autumn));
}

#[test]
fn a_summer_time_without_days_has_those_of_the_united_states() {
    // 2026-03-08 07:00:00 and 2026-11-01 06:00:00 UTC.
    let (spring, autumn) = (1_772_953_200, 1_793_512_800);
    let (est, edt) = ("-18000 0 EST", "-14400 1 EDT");
    let expected = [(spring - 1, est), (spring, edt), (autumn - 1, edt), (autumn, est)];
    assert_rule("EST5EDT", &expected);
    assert_rule("EST5EDT4,M3.2.0/2,M11.1.0", &expected);
}

#[test]
fn a_leap_day_is_counted_by_the_day_of_the_year_alone() {
    // 2028-03-01 00:00:00 UTC.
    let march = 1_835_481_600;
    for rule in ["AAA0BBB,J60/0,J300", "AAA0BBB,60/0,J300"] {
        assert_rule(rule, &[(march - 1, "0 0 AAA"), (march, "3600 1 BBB")]);
    }
}

#[test]
fn a_summer_time_may_lie_across_new_year_or_never_end() {
    // 2026-01-01, 2026-07-01 and 2027-01-01, 00:00:00 UTC.
    let (new_year, july, next) = (1_767_225_600, 1_782_864_000, 1_798_761_600);
    let (nzst, nzdt) = ("43200 0 NZST", "46800 1 NZDT");
    let expected = [(new_year, nzdt), (july, nzst), (next - 1, nzdt), (next, nzdt)];
    assert_rule("NZST-12NZDT,M9.5.0,M4.1.0/3", &expected);
    let always: Vec<(i64, &str)> =
        (-7200..7200).step_by(60).map(|seconds| (next + seconds, "-14400 1 EDT")).collect();
    assert_rule("EST5EDT,0/0,J365/25", &always);
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in [
        "",
        "CET",
        "CE-1",
        "CET-",
        "CET-1,",
        "CET-25",
        "CET-1:60",
        "CET-1CEST,",
        "<CET-1",
        "<+0>3",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M1.1.1",
        "CET-1CEST,M3.6.0,M1.1.1",
        "CET-1 ",
        "CET-1CEST,M3.5.7,M1.1.1",
        "CET-1CEST,J0,J1",
        "CET-1CEST,J366,J1",
        "CET-1CEST,366,1",
        "CET-1CEST,1/168,2",
        "CET-1CEST,1,2,3",
        "CET-99999999999",
        "Europe/Berlin",
        "\0\0\0-1",
    ] {
        assert_eq!(Rule::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_file_holds_from_change_to_change_and_then_by_its_last_line() {
    let clocks = [(1200, false, "LMT"), (3600, false, "CET"), (7200, true, "CEST")];
    let changes = [(-1_000_000_000, 1), (100, 2), (200, 1)];
    let before = (i64::MIN, -1_000_000_000, "LMT");
    for (version, rule, last) in [
        (0, "", (200, i64::MAX, "CET")),
        (b'2', "", (200, i64::MAX, "CET")),
        (b'2', "<+05>-5", (200, i64::MAX, "+05")),
        (b'3', "CET-1CEST,M3.5.0,M10.5.0/3", (200, 7_520_400, "CET")),
        (b'2', "nonsense", (200, i64::MAX, "CET")),
    ] {
        let bytes = file_of(version, &changes, &clocks, rule);
        for (since, until, name) in [before, (-1_000_000_000, 100, "CET"), (100, 200, "CEST"), last]
        {
            for at in [since, since.saturating_add(1), until - 1] {
                let span = answer(&bytes, at).unwrap();
                assert_eq!((span.since, span.until), (since, until), "at {at} by {rule}");
                assert_eq!(span.clock.name, Name::from_bytes(name.as_bytes()));
            }
        }
    }
}

#[test]
fn what_is_no_file_of_a_zone_gives_no_answer() {
    let clocks = [(3600, false, "CET")];
    let good = file_of(b'2', &[(5, 0)], &clocks, "");
    assert!(answer(&good, 9).is_some());
    assert_eq!(answer(b"", 9), None);
    assert_eq!(answer(b"#!/bin/sh, and then something long enough for a header", 9), None);
    for length in 0..good.len() - 6 {
        assert_eq!(answer(&good[..length], 9), None, "cut to {length} bytes");
    }
    assert_eq!(answer(&file_of(b'2', &[(5, 1)], &clocks, ""), 9), None, "no such clock");
    assert_eq!(answer(&file_of(b'2', &[], &[], ""), 9), None, "no clock at all");
    assert_eq!(answer(&file_of(b'2', &[], &[(99_999, false, "XXX")], ""), 9), None);
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }

    /// From 1900 to 2100.
    fn time(&mut self) -> i64 {
        i64::try_from(self.next() % (4_102_444_800 + 2_208_988_800)).unwrap() - 2_208_988_800
    }
}

#[test]
fn no_broken_file_or_rule_makes_it_panic_or_answer_for_another_time() {
    let mut random = Random(0x5eed);
    let clocks = [(3600, false, "CET"), (7200, true, "CEST")];
    let rule = "CET-1CEST,M3.5.0/-167,J60/3";
    let good = file_of(b'2', &[(-5, 1), (100, 0), (1 << 33, 1)], &clocks, rule);
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len());
            bytes[place] = *b"\0\xff\x7f\x80\x01,.-+<>9JM\n/".get(random.below(20)).unwrap_or(&5);
        }
        for at in [random.time(), i64::MIN, 67_767_976_233_532_799] {
            if let Some(span) = answer(&bytes, at) {
                assert!(span.holds(at) || span.since >= span.until, "{at} in {span:?}");
            }
        }
    }
}

/// The C library's word for each `zone time` of the input.
const REFERENCE: &str = "
import os, sys, time
for line in sys.stdin:
    zone, at = line.split()
    if os.environ.get('TZ') != zone:
        os.environ['TZ'] = zone
        time.tzset()
    t = time.localtime(int(at))
    print(at, t.tm_gmtoff, t.tm_isdst, t.tm_zone)
";

const FOLDER: &str = "/usr/share/zoneinfo";

/// Zones in folder and below, but for those that count leap seconds.
fn zones(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.ends_with("right") && !path.ends_with("posix") {
            zones(&path, found);
        } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"TZif")) {
            found.push(path);
        }
    }
}

/// Of every `step`th zone, the seconds around each change that we know of and
/// `samples` others.
fn questions(step: usize, samples: usize) -> (String, String) {
    let mut random = Random(0x5eed);
    let mut paths = Vec::new();
    zones(Path::new(FOLDER), &mut paths);
    let (mut asked, mut answers) = (String::new(), String::new());
    for path in paths.iter().step_by(step) {
        let bytes = fs::read(path).unwrap();
        let zone = path.strip_prefix(FOLDER).unwrap().display();
        let mut times: Vec<i64> = (0..samples).map(|_| random.time()).collect();
        let mut at = -2_208_988_800;
        while at < 4_102_444_800 {
            let span = answer(&bytes, at).unwrap();
            assert!(span.holds(at), "{zone}: {at} in {span:?}");
            at = span.until;
            times.extend([at - 1, at, at.saturating_add(1)]);
        }
        for at in times.into_iter().filter(|at| at.unsigned_abs() < 1 << 50) {
            let span = answer(&bytes, at).unwrap();
            writeln!(asked, ":{zone} {at}").unwrap();
            answers.push_str(&shown(at, &span.clock));
        }
    }
    (asked, answers)
}

#[test]
fn zones_are_as_the_c_library_has_them() {
    let (asked, answers) = questions(7, 50);
    let python = Command::new("python3")
        .args(["-c", REFERENCE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let (Ok(mut python), false) = (python, asked.is_empty()) else {
        let why = "no python3, or no zones in /usr/share/zoneinfo";
        writeln!(std::io::stderr(), "skipped test at {}:{}: {why}", file!(), line!()).unwrap();
        return;
    };
    let mut input = python.stdin.take().unwrap();
    let all = asked.clone();
    let feeder = std::thread::spawn(move || input.write_all(all.as_bytes()));
    let output = python.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let reference = String::from_utf8(output.stdout).unwrap();
    let wrong: Vec<String> = (asked.lines().zip(answers.lines()).zip(reference.lines()))
        .filter(|((_, ours), theirs)| ours != theirs)
        .map(|((asked, ours), theirs)| format!("{asked}: ours {ours}, theirs {theirs}"))
        .collect();
    assert_eq!(answers.lines().count(), reference.lines().count());
    assert_eq!(wrong, Vec::<String>::new());
}
