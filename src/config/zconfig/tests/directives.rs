//! `%define` and `%import`, and what is no directive.

use super::*;

#[test]
fn a_definition_is_substituted_when_it_is_read() {
    assert_eq!(
        pairs(&section("%define a 1\n%define b $a  2\n%define none\nx $b$none.")),
        [("x", "1  2.")]
    );
    assert_error("%define b $a\n%define a 1", 1, "no replacement for 'a'");
}

#[test]
fn a_name_must_be_defined_before_it_is_used() {
    assert_error("x $a\n%define a 1", 1, "no replacement for 'a'");
}

#[test]
fn a_name_defined_twice_with_the_same_value_is_accepted() {
    section("%define a 1\n%define A  1\n%define b $a\n%define b 1\n%define c $$\n%define c $$");
}

#[test]
fn a_redefined_name_with_another_value_is_an_error() {
    assert_eq!(
        error("%define a 1\n\n%define a 2"),
        "/etc/app/z.conf:3: cannot redefine 'a'; /etc/app/z.conf:1 gives it another value"
    );
    assert_error("%define a\n%define A x", 2, "cannot redefine 'A'");
}

#[test]
fn a_defined_name_has_letters_digits_and_underscores() {
    for name in ["1a", "a-b", "ä", "$a", "a=1", "("] {
        let expected = format!("not a substitution legal name: '{name}'");
        assert_error(format!("%define {name} x"), 1, &expected);
    }
    section("%define _ x\n%define _1 x\n%define aB2_ x");
}

#[test]
fn directives_without_their_argument_are_errors() {
    for name in ["define", "include", "import"] {
        assert_error(format!("%{name} "), 1, &format!("missing argument to %{name} directive"));
    }
}

#[test]
fn directives_are_lower_case_and_follow_the_percent_sign_at_once() {
    assert_error("%DEFINE a b", 1, "unknown directive: 'DEFINE'");
    assert_error("%foo", 1, "unknown directive: 'foo'");
    assert_error("%", 1, "missing or unrecognized directive");
    assert_error("% define a b", 1, "missing or unrecognized directive");
    assert_error("%(a", 1, "missing or unrecognized directive");
}

#[test]
fn an_import_is_accepted_and_ignored() {
    assert_eq!(pairs(&section("%import some.package\na b")), [("a", "b")]);
    assert_error("%import $nothing", 1, "no replacement for 'nothing'");
}
