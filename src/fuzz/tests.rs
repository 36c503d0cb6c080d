//! The seeded runs: the same inputs each time.

use std::path::Path;

use super::readers::{Little, READERS, Reader};
use crate::config::zconfig::parse;
use crate::sys::counting;

/// How often each reader is tried.
const INPUTS: usize = 20_000;
const MADE_UP: usize = 50_000;
/// No input is made longer than this.
const LONGEST: usize = 64 << 10;

/// Marsaglia's xorshift64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    /// Somewhere in the bytes, and a piece that begins there.
    fn piece(&mut self, bytes: &[u8]) -> (usize, usize) {
        let from = self.below(bytes.len() + 1);
        let most = (bytes.len() - from).min(1 << self.below(8));
        (from, from + self.below(most + 1))
    }

    /// Breaks one of the texts a few times.
    pub(crate) fn broken(&mut self, corpus: &[&[u8]]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].to_vec();
        for _ in 0..=self.below(6) {
            self.break_once(&mut bytes, corpus);
            bytes.truncate(LONGEST);
        }
        bytes
    }

    fn break_once(&mut self, bytes: &mut Vec<u8>, corpus: &[&[u8]]) {
        let (from, to) = self.piece(bytes);
        match self.below(8) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes.truncate(from),
            2 => {
                let piece = bytes[from..to].repeat(1 << self.below(12));
                drop(bytes.splice(from..from, piece));
            }
            3 => {
                let other = corpus[self.below(corpus.len())];
                let (begin, end) = self.piece(other);
                drop(bytes.splice(from..to, other[begin..end].iter().copied()));
            }
            4 => {
                let odd: &[&[u8]] = &[
                    b"\0",
                    b"\xff",
                    b"\xc3",
                    b"\xef\xbb\xbf",
                    b"\xe2\x80\xa8",
                    b"\n",
                    b"\r\n",
                    b" ",
                    b"-1",
                    b"0",
                    b"4294967296",
                    b"18446744073709551616",
                    b"99999999999999999999999",
                    b"1e999",
                    b"nan",
                    b"'",
                    b"\"",
                    b"\\",
                    b"\\x",
                    b"$",
                    b"%",
                    b"=",
                    b",",
                    b"@",
                    b"(",
                ];
                drop(bytes.splice(from..to, odd[self.below(odd.len())].iter().copied()));
            }
            5 => {
                let (other, _) = self.piece(bytes);
                let piece = bytes[from..to].to_vec();
                drop(bytes.splice(other..other, piece));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

/// Tries one input, and gives the memory it took.
fn try_one(reader: &Reader, input: &[u8]) {
    let before = counting::taken();
    (reader.read)(input);
    let taken = counting::taken() - before;
    let bound = reader.for_itself + reader.per_byte * input.len();
    let shown = String::from_utf8_lossy(&input[..input.len().min(200)]);
    let (name, length) = (reader.name, input.len());
    assert!(taken <= bound, "{name}: {taken} bytes for {length} that begin with {shown:?}");
}

#[test]
fn nothing_that_a_stranger_sends_makes_a_reader_panic_or_take_much_memory() {
    for (number, reader) in (1..).zip(&READERS) {
        let mut dice = Dice(0x5eed_0f2d_ae30_0000 + number);
        reader.corpus.iter().for_each(|right| try_one(reader, right));
        for _ in 0..INPUTS {
            try_one(reader, &dice.broken(reader.corpus));
        }
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

/// Not broken but made up: of the pieces that the parser looks for, some texts
/// nearly tame, some nearly wild.
#[test]
fn no_text_made_of_the_pieces_of_a_configuration_makes_the_parser_panic_or_hang() {
    let mut dice = Dice(0x5eed_0f2d_ae30_0001);
    let [reader, ..] = &READERS;
    let mut accepted = 0;
    for _ in 0..MADE_UP {
        let wildness = dice.below(8);
        let mut text = Vec::new();
        for _ in 0..dice.below(24) {
            let pieces = if dice.below(8) < wildness { SYNTAX } else { LINES };
            text.extend_from_slice(pieces[dice.below(pieces.len())]);
        }
        try_one(reader, &text);
        let root = parse(Path::new("/z"), &text, &Little);
        accepted += usize::from(root.is_ok_and(|root| !root.sections.is_empty()));
    }
    assert!(accepted > MADE_UP / 1000, "only {accepted} texts reached the parser's depths");
}
