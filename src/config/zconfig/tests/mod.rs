//! A host in memory and the ways to ask it; the whole grammar in one example.
//! The rules are in the files beside this one.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::*;

mod directives;
mod include;
mod lines;
mod sections;
mod substitution;

/// Files and variables in memory.
#[derive(Default)]
struct Fake {
    files: HashMap<String, Vec<u8>>,
    variables: HashMap<String, String>,
}

impl Fake {
    fn file(mut self, path: &str, text: impl Into<Vec<u8>>) -> Fake {
        self.files.insert(path.to_owned(), text.into());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Fake {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn parse(&self, text: impl AsRef<[u8]>) -> Result<Section, Error> {
        parse(Path::new("/etc/app/z.conf"), text.as_ref(), self)
    }

    fn section(&self, text: impl AsRef<[u8]>) -> Section {
        self.parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self, text: impl AsRef<[u8]>) -> String {
        self.parse(text).expect_err("the text was accepted").to_string()
    }

    fn value(&self, text: &str) -> String {
        let section = self.section(text);
        section.keys.last().expect("a key").value.clone()
    }
}

impl Host for Fake {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = path.to_str().and_then(|path| self.files.get(path));
        file.cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn section(text: impl AsRef<[u8]>) -> Section {
    Fake::default().section(text)
}

fn error(text: impl AsRef<[u8]>) -> String {
    Fake::default().error(text)
}

fn pairs(section: &Section) -> Vec<(&str, &str)> {
    section.keys.iter().map(|key| (key.name.as_str(), key.value.as_str())).collect()
}

/// The error must name this line of the file and begin with this text.
#[track_caller]
fn assert_error(text: impl AsRef<[u8]>, line: u32, expected: &str) {
    assert_error_in(&Fake::default(), text, &format!("/etc/app/z.conf:{line}: {expected}"));
}

#[track_caller]
fn assert_error_in(host: &Fake, text: impl AsRef<[u8]>, expected: &str) {
    let error = host.error(text);
    let end = error.strip_prefix(expected).unwrap_or_else(|| panic!("{error}"));
    assert!(end.is_empty() || end.starts_with(';'), "{error}");
}

#[test]
fn the_example_of_the_grammar_is_read() {
    let host = Fake::default()
        .variable("HOME", "/home/app")
        .file("/etc/app/limits.inc", "backoff-limit 5\n");
    let root = host.section(include_str!("example.conf"));
    let [runner, environment] = root.sections.as_slice() else { panic!("{root:?}") };
    let program = "/srv/app/bin/server -c \"two words\"   # not a comment";
    assert_eq!(
        pairs(runner),
        [
            ("program", program),
            ("socket-name", "/srv/app/run/zdsock"),
            ("directory", "/srv/app"),
            ("exit-codes", "0, 2"),
            ("umask", "027"),
            ("backoff-limit", "5"),
        ]
    );
    assert_eq!(pairs(&runner.sections[0].sections[0]), [("path", "run/ev.log")]);
    let expected = [("LD_LIBRARY_PATH", "/home/app/lib"), ("PRICE", "$5"), ("EMPTY", "")];
    assert_eq!(pairs(environment), expected);
}
