//! When a `<logfile>` is put aside.

use super::{assert_blames, file_with};
use crate::eventlog::plan::{Period, Rotation, Rule, Unit};

#[test]
fn sizes_have_units_of_1024() {
    for (written, bytes) in
        [("512", 512), ("1KB", 1024), ("2 kb", 2048), ("3mB", 3 << 20), ("1gb", 1 << 30)]
    {
        let rotation = file_with(&[("max-size", written), ("old-files", "3")]).unwrap().rotation;
        let expected = Rotation { old_files: 3, rule: Rule::Size(bytes) };
        assert_eq!(rotation, Some(expected), "{written}");
    }
    for wrong in ["big", "-1", "1TB", "kb", "", "99999999999999GB"] {
        assert_blames(file_with(&[("max-size", wrong)]), 12, "invalid value for max-size");
    }
}

#[test]
fn periods_have_a_unit_and_an_interval() {
    for (written, unit) in [
        ("S", Unit::Second),
        ("m", Unit::Minute),
        ("H", Unit::Hour),
        ("d", Unit::Day),
        ("midnight", Unit::Midnight),
        ("W0", Unit::Weekday(0)),
        ("w6", Unit::Weekday(6)),
    ] {
        let rotation = file_with(&[("when", written), ("old-files", "1")]).unwrap().rotation;
        let rule = Rule::Time(Period { unit, interval: 1 });
        assert_eq!(rotation, Some(Rotation { old_files: 1, rule }), "{written}");
    }
    let keys = [("when", "H"), ("interval", "6"), ("old-files", "4")];
    let rule = Rule::Time(Period { unit: Unit::Hour, interval: 6 });
    assert_eq!(file_with(&keys).unwrap().rotation, Some(Rotation { old_files: 4, rule }));
    for wrong in ["W7", "W", "noon", "1"] {
        assert_blames(file_with(&[("when", wrong)]), 12, "invalid value for when");
    }
    assert_blames(file_with(&[("interval", "-1")]), 12, "invalid value for interval: '-1'");
    assert_blames(file_with(&[("old-files", "x")]), 12, "invalid value for old-files: 'x'");
}

#[test]
fn rotation_needs_exactly_one_rule_and_a_number_of_old_files() {
    let no_old_files = "old-files must be set for log rotation";
    assert_blames(file_with(&[("max-size", "1kb")]), 12, no_old_files);
    assert_blames(file_with(&[("when", "D")]), 12, no_old_files);
    assert_blames(file_with(&[("interval", "2")]), 12, no_old_files);
    let no_rule = "max-bytes or when must be set for log rotation";
    assert_blames(file_with(&[("old-files", "2")]), 12, no_rule);
    let both = file_with(&[("max-size", "1kb"), ("old-files", "2"), ("when", "D")]);
    assert_blames(both, 14, "can't set *both* max_bytes and when");
    let none = file_with(&[("max-size", "0"), ("old-files", "0"), ("when", ""), ("interval", "0")]);
    assert_eq!(none.unwrap().rotation, None);
}
