//! Lines and keys.

use super::*;

#[test]
fn blank_lines_and_comments_mean_nothing() {
    assert_eq!(pairs(&section("\n  \t\n# a b\n   # <x>\n")), []);
}

#[test]
fn a_number_sign_inside_a_value_is_data() {
    assert_eq!(pairs(&section("a b # c")), [("a", "b # c")]);
}

#[test]
fn a_key_ends_at_white_space_or_a_parenthesis() {
    let section = section("a  \t b  c \nfoo(x y\nkey\n");
    assert_eq!(pairs(&section), [("a", "b  c"), ("foo", "(x y"), ("key", "")]);
}

#[test]
fn keys_are_lower_cased_and_values_are_not() {
    assert_eq!(pairs(&section("Socket-Name A/B")), [("socket-name", "A/B")]);
    assert_eq!(pairs(&section("socket_name a")), [("socket_name", "a")]);
}

#[test]
fn a_key_may_repeat_and_keeps_its_order_and_place() {
    let section = section("a 1\nb 2\nA 3");
    assert_eq!(pairs(&section), [("a", "1"), ("b", "2"), ("a", "3")]);
    let lines: Vec<u32> = section.keys.iter().map(|key| key.place.line).collect();
    assert_eq!(lines, [1, 2, 3]);
}

#[test]
fn a_key_that_is_no_name_is_an_error() {
    for name in ["1foo", "-a", "a:b", "a=b", "ä", "_a"] {
        let expected = format!("value did not match regular expression: '{name}'");
        assert_error(format!("\n{name} x"), 2, &expected);
    }
}

#[test]
fn a_line_that_begins_with_a_parenthesis_is_an_error() {
    assert_error("(a b", 1, "malformed configuration data");
    assert_error(")", 1, "malformed configuration data");
}

#[test]
fn a_backslash_at_the_end_continues_nothing() {
    assert_eq!(pairs(&section("a b\\\nc d")), [("a", "b\\"), ("c", "d")]);
}

#[test]
fn carriage_returns_before_line_ends_are_dropped() {
    assert_eq!(pairs(&section("a b\r\n<c>\r\n</c>\r\nd\r\n")), [("a", "b"), ("d", "")]);
}

#[test]
fn a_byte_order_mark_is_accepted_at_the_start_only() {
    assert_eq!(pairs(&section("\u{feff}a b")), [("a", "b")]);
    assert_error("a b\n\u{feff}c d", 2, "value did not match regular expression: '\u{feff}c'");
}

#[test]
fn bytes_that_are_not_utf8_are_an_error_with_their_line() {
    assert_error(b"a b\nc \xe4 d\n", 2, "byte 0xe4 is not UTF-8 text");
    assert_error(b"a b\n\nc \xc3", 3, "byte 0xc3 is not UTF-8 text");
}

#[test]
fn a_nul_byte_is_an_error_with_its_line() {
    assert_error("a b\n# \0", 2, "a NUL byte is not allowed");
}
