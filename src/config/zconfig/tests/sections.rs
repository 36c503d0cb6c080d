//! Sections, and `<environment>`, the one whose names are no keys.

use super::*;

#[test]
fn types_and_names_of_sections_are_lower_cased() {
    let root = section("<Runner Main>\n<LOGFILE>\n</LogFile>\n</RUNNER  >");
    let runner = &root.sections[0];
    assert_eq!((runner.kind.as_str(), runner.name.as_deref()), ("runner", Some("main")));
    let logfile = &runner.sections[0];
    assert_eq!((logfile.kind.as_str(), logfile.name.as_deref()), ("logfile", None));
    assert_eq!((runner.place.line, logfile.place.line), (1, 2));
}

#[test]
fn the_empty_form_opens_and_closes_a_section() {
    let root = section("<a/>\n<a x/>\n<a y />\nb c");
    let names: Vec<_> = root.sections.iter().map(|section| section.name.as_deref()).collect();
    assert_eq!(names, [None, Some("x"), Some("y")]);
    assert_eq!(pairs(&root), [("b", "c")]);
}

#[test]
fn keys_belong_to_the_innermost_open_section() {
    let root = section("a 1\n<s>\nb 2\n<t>\nc 3\n</t>\nd 4\n</s>\ne 5");
    assert_eq!(pairs(&root), [("a", "1"), ("e", "5")]);
    assert_eq!(pairs(&root.sections[0]), [("b", "2"), ("d", "4")]);
    assert_eq!(pairs(&root.sections[0].sections[0]), [("c", "3")]);
}

#[test]
fn nothing_may_follow_a_section_start() {
    assert_error("<a> # x", 1, "malformed section start");
    assert_error("<a", 1, "malformed section start");
    assert_error("<", 1, "malformed section start");
}

#[test]
fn a_header_is_a_type_and_at_most_a_name() {
    for header in ["<>", "</>", "< a>", "<a b c>", "<a(b)>", "<a (b>", "<(>", "< />"] {
        let what = if header == "</>" { "section end" } else { "section header" };
        assert_error(header, 1, &format!("malformed {what}"));
    }
}

#[test]
fn a_section_end_is_its_type_alone() {
    assert_error("<a>\n</a> x", 2, "malformed section end");
    assert_error("<a>\n</a", 2, "malformed section end");
    assert_error("<a b>\n</a b>", 2, "malformed section end");
    assert_error("<a>\n</ a>", 2, "malformed section end");
}

#[test]
fn a_section_end_without_a_section_is_an_error() {
    assert_error("a b\n</a>", 2, "unexpected section end");
    assert_error("<a/>\n</a>", 2, "unexpected section end");
}

#[test]
fn a_section_end_of_another_type_names_the_open_section() {
    assert_eq!(
        error("<a>\n<b>\n</a>\n</b>"),
        "/etc/app/z.conf:3: unbalanced section end; expected </b> for the section of line 2"
    );
}

#[test]
fn an_unclosed_section_is_an_error_where_it_starts() {
    assert_eq!(
        error("a b\n<runner x>\nc d\n"),
        "/etc/app/z.conf:2: unclosed sections not allowed; \
         expected </runner> before the end of this file"
    );
}

#[test]
fn a_section_name_stands_once_in_a_container_whatever_the_type() {
    let what = "section names must not be re-used within the same container:'x'";
    assert_error("<a x/>\n<b X/>", 2, what);
    assert_error("<o>\n<a x>\n</a>\n<a x>\n</a>\n</o>", 4, what);
    section("<a x>\n<a x/>\n</a>\n<b>\n<a x/>\n</b>\n<a/>\n<a/>");
}

#[test]
fn a_hundred_sections_may_be_nested_and_no_more() {
    let nested = |n| "<a>\n".repeat(n) + &"</a>\n".repeat(n);
    section(nested(100));
    assert_error(nested(101), 101, "more than 100 sections inside each other");
    assert_error("<a>\n".repeat(1_000_000), 101, "more than 100 sections inside each other");
}

#[test]
fn names_in_environment_are_kept_verbatim() {
    let root = section("<Environment e>\nLang C\n_X 1\n1y %\nLang.ü a=b\nEMPTY\n</environment>");
    let expected = [("Lang", "C"), ("_X", "1"), ("1y", "%"), ("Lang.ü", "a=b"), ("EMPTY", "")];
    assert_eq!(pairs(&root.sections[0]), expected);
}

#[test]
fn a_section_inside_environment_has_keys_again() {
    let root = section("<environment>\n<x>\nA b\n</x>\nA b\n</environment>");
    assert_eq!(pairs(&root.sections[0].sections[0]), [("a", "b")]);
    assert_eq!(pairs(&root.sections[0]), [("A", "b")]);
}

#[test]
fn an_environment_name_with_an_equals_sign_is_an_error() {
    let what = "an environment variable's name cannot contain '=': 'A=b'";
    assert_error("<environment>\nA=b c\n</environment>", 2, what);
}
