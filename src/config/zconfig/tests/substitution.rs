//! `$` in values.

use super::*;

#[test]
fn both_forms_of_a_defined_name_are_replaced_in_any_case() {
    let value = section("%define Home_Dir /srv\na $home_dir/x ${HOME_DIR}y$Home_dir").keys;
    assert_eq!(value[0].value, "/srv/x /srvy/srv");
}

#[test]
fn two_dollars_are_one_and_are_not_looked_at_again() {
    assert_eq!(pairs(&section("%define b c\na $$5 $$$$ $$b")), [("a", "$5 $$ $b")]);
    assert_eq!(pairs(&section("%define b $$c\n%define c d\na $b")), [("a", "$c")]);
}

#[test]
fn a_variable_of_the_environment_is_replaced_by_its_exact_name() {
    let host = Fake::default().variable("HOME", "/home/app").variable("X", "$HOME");
    assert_eq!(host.value("a $(HOME)/lib$(X)"), "/home/app/lib$HOME");
    assert_error_in(&host, "a $(home)", "/etc/app/z.conf:1: no replacement for 'home'");
    assert_error_in(&host, "a $HOME", "/etc/app/z.conf:1: no replacement for 'HOME'");
}

#[test]
fn names_are_not_substituted() {
    assert_error("%define a b\n$a x", 2, "value did not match regular expression: '$a'");
    let root = section("<environment>\n$A x\n</environment>\n<s $b/>");
    assert_eq!(pairs(&root.sections[0]), [("$A", "x")]);
    assert_eq!(root.sections[1].name.as_deref(), Some("$b"));
}

#[test]
fn every_wrong_dollar_has_its_text() {
    for (value, what) in [
        ("b $", "illegal lone '$' at end of source"),
        ("$1", "'$' not followed by '$' or name"),
        ("$ x", "'$' not followed by '$' or name"),
        ("$ä", "'$' not followed by '$' or name"),
        ("${", "'${' not followed by name"),
        ("${1}", "'${' not followed by name"),
        ("${a", "'${a' not followed by '}'"),
        ("${a-b}", "'${a' not followed by '}'"),
        ("$(", "'$(' not followed by name"),
        ("$(ls)$()", "no replacement for 'ls'"),
        ("$(a b)", "'$(a' not followed by ')'"),
        ("${IFS}", "no replacement for 'IFS'"),
    ] {
        assert_error(format!("\n\nkey {value}"), 3, what);
    }
}

#[test]
fn a_wrong_dollar_says_how_to_write_a_dollar() {
    let advice = "; a '$' that is meant as such is written '$$'";
    assert!(error("a $1").ends_with(advice));
    assert!(error("a ${b").ends_with(advice));
}

#[test]
fn a_text_that_doubles_with_each_line_does_not_take_all_memory() {
    let mut text = "%define a0 0123456789abcdef\n".to_owned();
    for number in 1..60 {
        let before = number - 1;
        text += &format!("%define a{number} $a{before}$a{before}\n");
    }
    let error = Fake::default().error(text);
    let why = "more than 1048576 bytes are put in where a '$' is written";
    assert!(error.ends_with(why), "{error}");
}
