//! What clients that wait are to be told at the end of a turn: lines and
//! outcomes, in their order. Holds them without asking for memory; what is more
//! than it holds is not told. Sends nothing.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use super::control::Waiting;
use crate::protocol::Outcome;

/// For all notes of one turn. A stop that kills many strays names each of them.
const TEXT: usize = 60 << 10;
const LETTERS: usize = 1024;

pub(super) enum Letter<'a> {
    Note(Waiting, &'a str),
    Tell(Waiting, Outcome),
}

enum Entry {
    Note(Waiting, Range<usize>),
    Tell(Waiting, Outcome),
}

pub(super) struct Outbox {
    /// The texts of the notes; its capacity is never exceeded.
    text: String,
    entries: Vec<Entry>,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox { text: String::with_capacity(TEXT), entries: Vec::with_capacity(LETTERS) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A note that does not fit is left out whole.
    pub(super) fn note(&mut self, waiting: Waiting, what: &dyn Display) {
        let start = self.text.len();
        let written = write!(Bounded(&mut self.text), "{what}");
        if written.is_err() || self.entries.len() == LETTERS {
            self.text.truncate(start);
            return;
        }
        self.entries.push(Entry::Note(waiting, start..self.text.len()));
    }

    /// An outcome always has its place: there are few in a turn.
    pub(super) fn tell(&mut self, waiting: Waiting, outcome: Outcome) {
        if self.entries.len() == LETTERS {
            self.entries.pop();
        }
        self.entries.push(Entry::Tell(waiting, outcome));
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = Letter<'_>> {
        self.entries.iter().map(|entry| match entry {
            Entry::Note(waiting, range) => {
                Letter::Note(*waiting, self.text.get(range.clone()).unwrap_or_default())
            }
            Entry::Tell(waiting, outcome) => Letter::Tell(*waiting, *outcome),
        })
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }
}

/// A text that does not grow beyond its capacity.
struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.0.capacity() - self.0.len() {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_and_outcomes_never_are() {
        let mut outbox = Outbox::new();
        let long = "x".repeat(TEXT / 2);
        for _ in 0..3 {
            outbox.note(Waiting::ForUp, &long);
        }
        (0..2 * LETTERS).for_each(|n| outbox.note(Waiting::ForDown, &n));
        outbox.tell(Waiting::ForUp, Outcome::Down);
        let letters: Vec<Letter<'_>> = outbox.letters().collect();
        assert_eq!(letters.len(), LETTERS.min(letters.len()));
        let notes = letters.iter().filter(|l| matches!(l, Letter::Note(Waiting::ForUp, _)));
        assert_eq!(notes.count(), 2);
        assert!(matches!(letters.last(), Some(Letter::Tell(Waiting::ForUp, Outcome::Down))));
        outbox.clear();
        assert!(outbox.is_empty());
    }
}
