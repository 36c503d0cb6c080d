//! Does any text, however broken, make the readers of configuration panic or
//! hang? Random pieces of what they look for, from a fixed seed.

use std::io;
use std::path::Path;

use super::words::split_words;
use super::zconfig::{Host, Section, parse};

const TEXTS: usize = 100_000;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }

    /// Some texts are nearly tame, some nearly wild.
    fn text(&mut self, tame: &[&[u8]], wild: &[&[u8]]) -> Vec<u8> {
        let wildness = self.below(8);
        let mut text = Vec::new();
        for _ in 0..self.below(24) {
            let pieces = if self.below(8) < wildness { wild } else { tame };
            text.extend_from_slice(pieces[self.below(pieces.len())]);
        }
        text
    }
}

/// `b` and what is in it can be included, nothing else.
struct Little;

impl Host for Little {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/b") => Ok(b"%define a 1\nk $a\n<s>\n%include c\n</s>\n".to_vec()),
            Some("/c") => Ok(b"x y\n<a/>\n".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "E").then(|| "$(E)".to_owned())
    }
}

#[rustfmt::skip]
const LINES: &[&[u8]] = &[
    b"a b\n", b"B $a$$\r\n", b"# x\n", b"<a>\n", b"</a>\n", b"</a>\n", b"<a x>\n", b"<b y/>\n",
    b"<environment>\n", b"</environment>\n", b"%define a 1\n", b"%define d $a$a\n", b"%include b\n",
    b"%include file:///%63\n", b"%import x\n", b"c ${a}$(E)\n",
];

#[rustfmt::skip]
const SYNTAX: &[&[u8]] = &[
    b"\n", b" ", b"\t", b"a", b"B", b"1", b"<", b">", b"/", b"</", b"/>", b"a/>", b"(", b")", b"#", b"%",
    b"%define ", b"%include ", b"%include z\n", b"file:///", b"%2", b"$", b"$a", b"${", b"}", b"$(",
    b"=", b":", b"..", b"\\", b"\0", b"\xff", b"\xc3", b"\xa4", b"\xef\xbb\xbf", b"\xc2\xa0", b"\xe2\x80\xa8",
];

/// What must hold for whatever is accepted.
fn check(section: &Section) {
    for key in &section.keys {
        assert!(!key.name.is_empty() && !key.name.contains(char::is_whitespace), "{key:?}");
        let lower = key.name == key.name.to_lowercase();
        assert!(lower || section.kind == "environment", "{key:?}");
    }
    section.sections.iter().for_each(check);
}

#[test]
fn no_configuration_file_makes_the_parser_panic_or_hang() {
    let mut random = Random(0x5eed_0f2d_ae30_0001);
    let mut accepted = 0;
    for _ in 0..TEXTS {
        let text = random.text(LINES, SYNTAX);
        match parse(Path::new("/z"), &text, &Little) {
            Ok(root) => {
                check(&root);
                accepted += usize::from(!root.sections.is_empty());
            }
            Err(error) => assert!(error.to_string().starts_with('/'), "{error}"),
        }
    }
    assert!(accepted > TEXTS / 1000, "only {accepted} texts reached the parser's depths");
}

#[test]
fn no_command_makes_the_splitter_panic_or_hang() {
    let plain: &[&[u8]] = &[b"a", b"bc", b" ", b"$", b"#", "\u{e4}\u{a0}".as_bytes()];
    let quoting: &[&[u8]] = &[b"'", b"\"", b"\\", b"`", b"\n"];
    let mut random = Random(0x5eed_0f2d_ae30_0002);
    for _ in 0..TEXTS {
        let bytes = random.text(plain, quoting);
        let text = String::from_utf8(bytes).expect("every piece is UTF-8");
        let kept: usize = split_words(&text).unwrap_or_default().iter().map(String::len).sum();
        assert!(kept <= text.len(), "{text}");
    }
}
