//! What clients that wait are to be told at the end of a turn: lines and
//! outcomes, in their order. Holds them without asking for memory; what is more
//! than it holds is not told. Sends nothing.

use std::fmt::{self, Display, Write as _};

use crate::protocol::Outcome;

/// For all notes of one turn. A stop that kills many strays names each of them.
const TEXT: usize = 60 << 10;
const LETTERS: usize = 16;

/// What a held request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    ForUp,
    ForDown,
}

pub(crate) enum Letter<'a> {
    /// One a line.
    Notes(Waiting, &'a str),
    Tell(Waiting, Outcome),
}

/// Short, because room for all is kept for years.
enum Entry {
    /// From where to where in the text.
    Notes(Waiting, u32, u32),
    Tell(Waiting, Outcome),
}

pub(crate) struct Outbox {
    /// The texts of the notes; its capacity is never exceeded.
    text: String,
    entries: Vec<Entry>,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox { text: String::with_capacity(TEXT), entries: Vec::with_capacity(LETTERS) }
    }

    /// A note that does not fit is left out whole. One note after the other for the
    /// same clients is one entry.
    pub(super) fn note(&mut self, waiting: Waiting, what: &dyn Display) {
        let start = self.text.len();
        let written = writeln!(Bounded(&mut self.text), "{what}");
        let (from, to) = (start as u32, self.text.len() as u32);
        let is_full = self.entries.len() == LETTERS;
        match self.entries.last_mut() {
            _ if written.is_err() => self.text.truncate(start),
            Some(Entry::Notes(whom, _, end)) if *whom == waiting => *end = to,
            _ if is_full => self.text.truncate(start),
            _ => self.entries.push(Entry::Notes(waiting, from, to)),
        }
    }

    /// An outcome always has its place, if need be that of notes. Told once a turn:
    /// whoever waited for it is answered by the first.
    pub(super) fn tell(&mut self, waiting: Waiting, outcome: Outcome) {
        let is_told = |entry: &Entry| matches!(entry, Entry::Tell(whom, what) if (*whom, *what) == (waiting, outcome));
        if self.entries.iter().any(is_told) {
            return;
        }
        if self.entries.len() == LETTERS {
            let notes = self.entries.iter().rposition(|entry| matches!(entry, Entry::Notes(..)));
            self.entries.remove(notes.unwrap_or(LETTERS - 1));
        }
        self.entries.push(Entry::Tell(waiting, outcome));
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = Letter<'_>> {
        self.entries.iter().map(|entry| match entry {
            Entry::Notes(waiting, from, to) => {
                let text = self.text.get(*from as usize..*to as usize);
                Letter::Notes(*waiting, text.unwrap_or_default())
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
        for n in 0..LETTERS {
            outbox.note(Waiting::ForUp, &long);
            outbox.note(Waiting::ForDown, &n);
            outbox.note(Waiting::ForDown, &"too");
        }
        outbox.tell(Waiting::ForUp, Outcome::Down);
        let letters: Vec<Letter<'_>> = outbox.letters().collect();
        assert!(
            matches!(letters[0], Letter::Notes(Waiting::ForUp, text) if text.len() == TEXT / 2 + 1)
        );
        assert!(
            matches!(letters[1], Letter::Notes(Waiting::ForDown, text) if text.starts_with("0\ntoo\n1\n"))
        );
        assert!(letters.len() <= LETTERS);
        assert!(matches!(letters.last(), Some(Letter::Tell(Waiting::ForUp, Outcome::Down))));
        outbox.clear();
        assert_eq!(outbox.letters().count(), 0);
    }

    #[test]
    fn an_outcome_takes_the_place_of_notes_and_is_told_once() {
        let mut outbox = Outbox::new();
        for n in 0..LETTERS {
            outbox.note(Waiting::ForUp, &n);
            outbox.note(Waiting::ForDown, &n);
        }
        for _ in 0..LETTERS {
            outbox.tell(Waiting::ForDown, Outcome::Late);
            outbox.tell(Waiting::ForUp, Outcome::Down);
        }
        let is_outcome = |letter: &Letter<'_>| matches!(letter, Letter::Tell(..));
        assert_eq!(outbox.letters().count(), LETTERS);
        assert_eq!(outbox.letters().filter(is_outcome).count(), 2);
    }
}
