//! `%include`.

use super::*;

#[test]
fn an_included_file_is_found_from_the_file_that_names_it() {
    let host = Fake::default()
        .file("/etc/app/sub/b.inc", "b 1\n%include c.inc\n%include ../d.inc")
        .file("/etc/app/sub/c.inc", "c 2")
        .file("/etc/app/d.inc", "d 3");
    let root = host.section("a 0\n%include sub/b.inc\ne 4");
    assert_eq!(pairs(&root), [("a", "0"), ("b", "1"), ("c", "2"), ("d", "3"), ("e", "4")]);
    assert_eq!(root.keys[2].place.to_string(), "/etc/app/sub/c.inc:1");
}

#[test]
fn absolute_paths_and_file_urls_are_included() {
    let host = Fake::default().file("/x/a b.inc", "a 1").variable("D", "/x").file("/y%2", "a 2");
    for target in [
        "/x/a b.inc",
        "$(D)/a b.inc",
        "/x/../x/./a b.inc",
        "../../x/a b.inc",
        "file:///x/a%20b.inc",
        "FILE:/x/a b.inc",
        "file://localhost/x/y/../a b.inc",
    ] {
        assert_eq!(host.value(&format!("%include {target}")), "1", "{target}");
    }
    assert_eq!(host.value("%include file:///y%2"), "2");
    assert_eq!(host.value("%include /y%2"), "2");
}

#[test]
fn other_urls_are_not_included() {
    for target in ["http://host/x", "package:a:b", "c:x"] {
        let expected = format!("unable to include '{target}'");
        assert_error(format!("%include {target}"), 1, &expected);
    }
    for target in ["file:x", "file://host/x", "file:"] {
        let what = format!("unable to include '{target}'; expected file:///path");
        assert_error(format!("%include {target}"), 1, &what);
    }
    let host = Fake::default().file("/etc/app/a:b", "a 1");
    assert_eq!(host.value("%include ./a:b"), "1");
}

#[test]
fn what_is_included_in_a_section_joins_it() {
    let host = Fake::default().file("/etc/app/b", "B 1\n<t n>\n</t>").file("/etc/app/e", "E 1");
    let root = host
        .section("<s>\na 0\n%include b\nc 2\n</s>\n<environment>\n%include e\nF 2\n</environment>");
    assert_eq!(pairs(&root.sections[0]), [("a", "0"), ("b", "1"), ("c", "2")]);
    assert_eq!(root.sections[0].sections[0].place.to_string(), "/etc/app/b:2");
    assert_eq!(pairs(&root.sections[1]), [("E", "1"), ("F", "2")]);
}

#[test]
fn a_section_closes_in_the_file_where_it_opened() {
    let host = Fake::default().file("/etc/app/open", "\n<s>").file("/etc/app/close", "</s>");
    assert_error_in(&host, "%include open\n</s>", "/etc/app/open:2: unclosed sections not allowed");
    assert_error_in(&host, "<s>\n%include close", "/etc/app/close:1: unexpected section end");
}

#[test]
fn names_are_shared_by_all_files_in_reading_order() {
    let host = Fake::default().file("/etc/app/b", "%define b $a.\nb $b");
    let root = host.section("%define a 1\n%include b\n%include b\nc $b");
    assert_eq!(pairs(&root), [("b", "1."), ("b", "1."), ("c", "1.")]);
    assert_eq!(
        host.error("%define a 1\n%define b 2\n%include b"),
        "/etc/app/b:1: cannot redefine 'b'; /etc/app/z.conf:2 gives it another value"
    );
}

#[test]
fn files_that_include_each_other_in_a_circle_are_an_error() {
    let host = Fake::default().file("/etc/app/b", "\n%include sub/../z.conf");
    assert_error_in(
        &host,
        "%include b",
        "/etc/app/b:2: unable to include '/etc/app/z.conf': \
         it is being read already and would include itself",
    );
    assert_error_in(
        &host.file("/etc/app/c", "%include ./c"),
        "%include c",
        "/etc/app/c:1: unable to include '/etc/app/c': \
         it is being read already and would include itself",
    );
}

#[test]
fn twenty_files_may_include_each_other_and_no_more() {
    let chain = |length| {
        (1..length).fold(Fake::default(), |host, n| {
            host.file(&format!("/etc/app/{n}"), format!("%include {}", n + 1))
        })
    };
    let host = chain(20).file("/etc/app/20", "a end");
    assert_eq!(host.value("%include 1"), "end");
    let host = chain(21).file("/etc/app/21", "a end");
    assert_error_in(
        &host,
        "%include 1",
        "/etc/app/20:1: more than 20 files that include each other",
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_where_it_is_named() {
    assert_eq!(
        error("\n%include x"),
        "/etc/app/z.conf:2: error opening file /etc/app/x: \
         [Errno 2] No such file or directory: '/etc/app/x'"
    );
}

#[test]
fn what_is_wrong_in_an_included_file_is_reported_there() {
    let host = Fake::default().file("/etc/app/b", b"a 1\n\xff").file("/etc/app/c", "\n\n1 x");
    assert_error_in(&host, "%include b", "/etc/app/b:2: byte 0xff is not UTF-8 text");
    assert_error_in(
        &host,
        "%include c",
        "/etc/app/c:3: value did not match regular expression: '1'",
    );
}

#[test]
fn files_that_include_the_next_one_twice_are_not_read_without_end() {
    let twice = |number: u32| format!("%include {number}\n%include {number}\n");
    let host = (1..20).fold(Fake::default(), |host, number| {
        host.file(&format!("/etc/app/{number}"), twice(number + 1))
    });
    let error = host.file("/etc/app/20", "").error(twice(1));
    assert!(error.ends_with("more than 1000 files are included"), "{error}");
}
