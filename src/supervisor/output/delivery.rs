//! The rules by which staged output gets into the transcript exactly once,
//! whenever we are killed: what is written down before and after each write, and
//! what the next supervisor makes of it. Pure: memory, file and clock are
//! the caller's `Medium`.
//!
//! The numbers stand in words of the staging area. Two slots hold a `State`; one
//! word tells which of them counts, so that a state changes whole or not at all.
//! The kernel itself advances `END` when it moves bytes out of the pipe.

use std::io::{self, Write};

/// What makes an area ours, and of this layout.
const MAGIC_NUMBER: u64 = 0x7a64_6165_6d6f_6e31;
/// Where the staged bytes begin.
pub(super) const START: u64 = 4096;

const MAGIC: usize = 0;
/// Stands for the boot that the area belongs to.
const BOOT: usize = 1;
/// Where the staged bytes end.
pub(super) const END: usize = 2;
const CURRENT: usize = 3;
const SLOTS: usize = 8;
const SLOT: usize = 8;
/// So many words in all.
pub(super) const WORDS: usize = SLOTS + 2 * SLOT;

/// No write is under way, or none whose place is known.
const NOWHERE: u64 = u64::MAX;

/// The words of the area.
pub(super) trait Notes {
    fn load(&self, word: usize) -> u64;
    fn store(&mut self, word: usize, value: u64);
}

/// All that the rules work on.
pub(super) trait Medium: Notes {
    /// Which file the transcript is, and how long; none if it has no length.
    fn transcript(&mut self) -> Option<Place>;
    fn write_staged(&mut self, from: u64, to: u64) -> io::Result<usize>;
    fn write_text(&mut self, text: &[u8]) -> io::Result<usize>;
    /// Looks for the file that an earlier supervisor wrote to; how long it is.
    fn find(&mut self, device: u64, inode: u64) -> Option<u64>;
    /// Whether so many bytes of the file that was found are those that are staged.
    fn holds_staged(&mut self, at: u64, from: u64, count: u64) -> bool;
    fn holds_text(&mut self, at: u64, text: &[u8]) -> bool;
}

/// A file and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
}

/// What became of the transcript, to be logged.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// So many missing bytes have been told in the transcript: it works again.
    pub(crate) resumed: u64,
    /// The first failure since it last worked, which came after that.
    pub(crate) failed: Option<io::Error>,
}

impl Change {
    pub(super) fn add(&mut self, later: Change) {
        self.resumed += later.resumed;
        self.failed = later.failed.or(self.failed.take());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Up to here the staged bytes are in the transcript or counted as dropped.
    done: u64,
    /// Where the write under way begins in the transcript.
    base: u64,
    /// Bytes that no write took, and that no notice tells of yet.
    dropped: u64,
    /// The notice under way: of how many bytes it tells, how much of it is
    /// written. The number stays even if more are dropped meanwhile.
    telling: u64,
    told: u64,
    device: u64,
    inode: u64,
}

impl State {
    fn load(notes: &impl Notes) -> State {
        let slot = SLOTS + SLOT * usize::from(notes.load(CURRENT) == 1);
        let [done, base, dropped, telling, told, device, inode] =
            [0, 1, 2, 3, 4, 5, 6].map(|field| notes.load(slot + field));
        State { done, base, dropped, telling, told, device, inode }
    }

    fn commit(self, notes: &mut impl Notes) {
        let next = u64::from(notes.load(CURRENT) == 0);
        let slot = SLOTS + SLOT * usize::from(next == 1);
        let State { done, base, dropped, telling, told, device, inode } = self;
        let fields = [done, base, dropped, telling, told, device, inode];
        for (field, value) in fields.into_iter().enumerate() {
            notes.store(slot + field, value);
        }
        notes.store(CURRENT, next);
    }

    /// Whether bytes are missing that the transcript does not tell of.
    fn owes(&self) -> bool {
        self.dropped > 0 || self.telling > 0
    }

    /// A write of what comes next, notice or bytes, got so far.
    fn advance(&mut self, count: u64, change: &mut Change) {
        self.base = NOWHERE;
        if self.telling == 0 {
            self.done += count;
            return;
        }
        self.told += count;
        if self.told >= Notice::of(self.telling).text().len() as u64 {
            change.resumed += self.telling;
            (self.telling, self.told) = (0, 0);
        }
    }

    /// No write takes what is staged.
    fn drop_up_to(&mut self, end: u64) {
        self.base = NOWHERE;
        if self.told == 0 {
            self.dropped += self.telling;
            self.telling = 0;
        }
        self.dropped += end.saturating_sub(self.done);
        self.done = self.done.max(end);
    }
}

/// Makes an area of zeros ours. Until the last step it is nobody's.
pub(super) fn prepare(notes: &mut impl Notes, boot: u64) {
    notes.store(BOOT, boot);
    clear(notes);
    notes.store(MAGIC, MAGIC_NUMBER);
}

/// Whether an area of this size was left by one of us, since the machine started.
pub(super) fn is_ours(notes: &impl Notes, boot: u64, size: u64) -> bool {
    let within = |place| (START..=size).contains(&place);
    notes.load(MAGIC) == MAGIC_NUMBER
        && notes.load(BOOT) == boot
        && within(notes.load(END))
        && within(State::load(notes).done)
}

/// Makes room for the next bytes, when none is pending.
pub(super) fn clear(notes: &mut impl Notes) {
    let state = State { done: START, base: NOWHERE, ..State::load(notes) };
    // From here to the commit the end lies before what is done: nothing pends.
    notes.store(END, START);
    state.commit(notes);
}

/// Whether everything is done: no byte staged, none missing untold.
pub(super) fn is_settled(notes: &impl Notes) -> bool {
    let state = State::load(notes);
    !state.owes() && state.done >= notes.load(END)
}

/// Writes what is staged, and before it what is to be said of missing bytes.
pub(super) fn deliver(medium: &mut impl Medium) -> Change {
    let mut change = Change::default();
    let mut state = State::load(medium);
    let failing = state.owes();
    loop {
        let end = medium.load(END);
        if state.telling == 0 && state.dropped > 0 {
            (state.telling, state.dropped) = (state.dropped, 0);
        }
        if state.telling == 0 && state.done >= end {
            return change;
        }
        let place = medium.transcript();
        state.base = place.map_or(NOWHERE, |place| place.size);
        (state.device, state.inode) = place.map_or((0, 0), |place| (place.device, place.inode));
        state.commit(medium);
        let notice = Notice::of(state.telling);
        let written = if state.telling > 0 {
            medium.write_text(notice.from(state.told))
        } else {
            medium.write_staged(state.done, end)
        };
        match written.and_then(|count| u64::try_from(count).map_err(io::Error::other)) {
            Ok(count) if count > 0 => state.advance(count, &mut change),
            other => {
                let zero = || io::Error::from(io::ErrorKind::WriteZero);
                let first = !failing || change.resumed > 0;
                change.failed = first.then(|| other.err().unwrap_or_else(zero));
                state.drop_up_to(end);
                state.commit(medium);
                return change;
            }
        }
        state.commit(medium);
    }
}

/// Finds out how much of an interrupted write is in the transcript. A write may
/// be cut short, but what is there is the beginning; another writer's bytes at
/// its place mean that we cannot tell, and then bytes are rather repeated.
pub(super) fn resume(medium: &mut impl Medium, change: &mut Change) {
    let mut state = State::load(medium);
    let begun = state.base != NOWHERE;
    let found = begun.then(|| medium.find(state.device, state.inode)).flatten();
    if let Some(size) = found {
        // Shorter than it was: emptied by a rotation that copies and truncates.
        let at = if size < state.base { 0 } else { state.base };
        let notice = Notice::of(state.telling);
        let text = notice.from(state.told);
        let pending = match state.telling {
            0 => medium.load(END).saturating_sub(state.done),
            _ => text.len() as u64,
        };
        let count = pending.min(size - at);
        let is_there = match text.get(..usize::try_from(count).unwrap_or(0)) {
            Some(text) if state.telling > 0 => medium.holds_text(at, text),
            _ => medium.holds_staged(at, state.done, count),
        };
        if is_there {
            state.advance(count, change);
        }
    }
    state.base = NOWHERE;
    state.commit(medium);
}

/// The line that tells how much is missing.
struct Notice {
    line: [u8; 96],
    length: usize,
}

impl Notice {
    fn of(missing: u64) -> Notice {
        let mut notice = Notice { line: [0; 96], length: 0 };
        let mut rest = notice.line.as_mut_slice();
        // It has room for the longest number.
        let _ = writeln!(rest, "\nzdaemon: {missing} bytes of output are missing here");
        let unused = rest.len();
        notice.length = notice.line.len() - unused;
        notice
    }

    fn text(&self) -> &[u8] {
        self.line.get(..self.length).unwrap_or(&[])
    }

    fn from(&self, told: u64) -> &[u8] {
        self.text().get(usize::try_from(told).unwrap_or(0)..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests;
