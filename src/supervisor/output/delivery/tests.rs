//! Are the rules right whenever the supervisor is killed? Walks every step of a
//! life with repeated lines, a full disk and pauses, kills it there, and again
//! in the life that follows, and reads the transcript in the end.

use std::collections::VecDeque;
use std::io;

use super::*;

const ROOM: usize = 16;
const BOOT_NUMBER: u64 = 77;

/// What happens to the supervisor from outside.
#[derive(Debug, Clone)]
enum Event {
    Written(&'static [u8]),
    /// So many bytes still fit on the disk.
    Room(usize),
    /// Output pauses for long.
    Pause,
}

/// All that a killed supervisor leaves.
#[derive(Debug, Clone)]
struct Left {
    words: [u64; WORDS],
    staged: Vec<u8>,
    pipe: VecDeque<u8>,
    disk: Vec<u8>,
    room: usize,
    inode: u64,
    to_come: VecDeque<Event>,
}

/// A supervisor at work, which is to be killed before a certain step.
struct World {
    left: Left,
    steps_to_live: usize,
    /// How much of a write is on the disk when it is killed in it.
    torn: usize,
    at_death: Option<Left>,
}

impl World {
    fn new(left: Left, steps_to_live: usize, torn: usize) -> World {
        World { left, steps_to_live, torn, at_death: None }
    }

    fn step(&mut self, torn: impl FnOnce(&mut Left)) {
        if self.steps_to_live == 0 && self.at_death.is_none() {
            let mut left = self.left.clone();
            torn(&mut left);
            self.at_death = Some(left);
        }
        self.steps_to_live = self.steps_to_live.saturating_sub(1);
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left.room);
        if count == 0 {
            self.step(|_| {});
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let torn = self.torn.min(count);
        self.step(|left| {
            left.room -= torn;
            left.disk.extend_from_slice(&bytes[..torn]);
        });
        self.left.room -= count;
        self.left.disk.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// What the kernel does in one call.
    fn splice(&mut self) -> bool {
        self.step(|_| {});
        let count = self.left.pipe.len().min(ROOM);
        self.left.staged = self.left.pipe.drain(..count).collect();
        self.left.words[END] += count as u64;
        count == ROOM
    }

    fn copy(&mut self, change: &mut Change) {
        if !is_settled(self) {
            change.add(deliver(self));
        }
        loop {
            clear(self);
            let more = self.splice();
            change.add(deliver(self));
            if !more {
                return;
            }
        }
    }

    fn begin(&mut self, change: &mut Change) {
        if is_ours(self, BOOT_NUMBER, START + ROOM as u64) {
            resume(self, change);
        } else {
            prepare(self, BOOT_NUMBER);
        }
    }

    /// Lives until nothing more happens.
    fn run(&mut self) -> Change {
        let mut change = Change::default();
        self.begin(&mut change);
        self.copy(&mut change);
        while let Some(event) = self.left.to_come.pop_front() {
            match event {
                Event::Written(bytes) => self.left.pipe.extend(bytes),
                Event::Room(room) => self.left.room = room,
                Event::Pause if is_settled(self) => {
                    self.step(|_| {});
                    self.left.words = [0; WORDS];
                    self.begin(&mut change);
                }
                Event::Pause => {}
            }
            self.copy(&mut change);
        }
        change
    }
}

impl Notes for World {
    fn load(&self, word: usize) -> u64 {
        self.left.words[word]
    }

    fn store(&mut self, word: usize, value: u64) {
        self.step(|_| {});
        self.left.words[word] = value;
    }
}

impl Medium for World {
    fn transcript(&mut self) -> Option<Place> {
        Some(Place { device: 1, inode: self.left.inode, size: self.left.disk.len() as u64 })
    }

    fn write_staged(&mut self, from: u64, to: u64) -> io::Result<usize> {
        let bytes = self.left.staged[(from - START) as usize..(to - START) as usize].to_vec();
        self.append(&bytes)
    }

    fn write_text(&mut self, text: &[u8]) -> io::Result<usize> {
        self.append(text)
    }

    fn find(&mut self, device: u64, inode: u64) -> Option<u64> {
        (device == 1 && inode == self.left.inode).then_some(self.left.disk.len() as u64)
    }

    fn holds_staged(&mut self, at: u64, from: u64, count: u64) -> bool {
        let (at, from, count) = (at as usize, (from - START) as usize, count as usize);
        self.left.disk[at..at + count] == self.left.staged[from..from + count]
    }

    fn holds_text(&mut self, at: u64, text: &[u8]) -> bool {
        self.left.disk[at as usize..].starts_with(text)
    }
}

/// A life with everything in it.
fn life() -> Left {
    let events = [
        Event::Written(b"tick\n"),
        Event::Written(b"tick\n"),
        Event::Pause,
        Event::Written(b"tick\ntick\ntick\ntick\ntick\ntick\ntick\n"),
        Event::Room(7),
        Event::Written(b"0123456789"),
        Event::Written(b"gone\ngone\ngone\ngone\ngone\n"),
        // Not enough for the notice.
        Event::Room(20),
        Event::Written(b"gone\n"),
        Event::Pause,
        Event::Written(b"gone too\n"),
        // Enough for both notices, not for what follows.
        Event::Room(90),
        Event::Written(b"abcdefghijklmno\n"),
        Event::Room(1000),
        Event::Written(b"tick\n"),
        Event::Pause,
        Event::Written(b"the end\n"),
    ];
    let (pipe, to_come) = (VecDeque::new(), events.into());
    let (words, staged, disk) = ([0; WORDS], Vec::new(), Vec::new());
    Left { words, staged, pipe, disk, room: 1000, inode: 5, to_come }
}

fn written(left: &Left) -> Vec<u8> {
    let bytes = left.to_come.iter().filter_map(|event| match event {
        Event::Written(bytes) => Some(*bytes),
        Event::Room(_) | Event::Pause => None,
    });
    bytes.flatten().copied().collect()
}

/// Each byte is in the transcript once and in its place, or counted there.
#[track_caller]
fn assert_exact(left: &Left, context: &str) {
    let text = String::from_utf8(left.disk.clone()).expect("text");
    let program = String::from_utf8(written(&life())).expect("text");
    let mut expected = program.as_str();
    for (number, part) in text.split("\nzdaemon: ").enumerate() {
        let mut kept = part;
        if number > 0 {
            let (missing, rest) =
                part.split_once(" bytes of output are missing here\n").expect("a whole notice");
            expected = &expected[missing.parse::<usize>().expect("a number")..];
            kept = rest;
        }
        assert!(expected.starts_with(kept), "{context}: {kept:?} in {text:?}");
        expected = &expected[kept.len()..];
    }
    assert_eq!(expected, "", "{context}: {text:?}");
}

#[test]
fn a_life_without_a_kill_is_exact_and_says_how_much_is_missing() {
    let mut world = World::new(life(), usize::MAX, 0);
    let change = world.run();
    assert_exact(&world.left, "no kill");
    let text = String::from_utf8(world.left.disk).expect("text");
    let counts = text.split("\nzdaemon: ").skip(1).map(|part| {
        part.split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("a number")
    });
    assert_eq!(change.resumed, counts.sum::<u64>());
    assert!(change.failed.is_some());
}

#[test]
fn whenever_it_is_killed_each_byte_is_there_once_or_counted_once() {
    let mut kills = 0;
    for torn in [0, 1, 6, usize::MAX] {
        for first in 0.. {
            let mut world = World::new(life(), first, torn);
            world.run();
            let Some(left) = world.at_death else { break };
            // The successor is killed as well: early, or not at all.
            for second in (0..40).chain([usize::MAX]) {
                let mut successor = World::new(left.clone(), second, torn);
                successor.run();
                let mut last = match successor.at_death {
                    Some(left) => World::new(left, usize::MAX, 0),
                    None => successor,
                };
                last.run();
                kills += 1;
                assert_exact(&last.left, &format!("killed at {first} ({torn}), {second}"));
            }
        }
    }
    assert!(kills > 40_000, "{kills}");
}

/// A world that dies in the write of its only line, with all of it on the disk.
fn killed_in_a_write() -> Left {
    for step in 0.. {
        let events = [Event::Written(b"a line\n")];
        let mut world = World::new(Left { to_come: events.into(), ..life() }, step, usize::MAX);
        world.run();
        let left = world.at_death.expect("a step at which the line is written");
        if !left.disk.is_empty() {
            return left;
        }
    }
    unreachable!()
}

fn after(left: Left) -> String {
    let mut world = World::new(left, usize::MAX, 0);
    world.run();
    String::from_utf8(world.left.disk).expect("text")
}

#[test]
fn what_cannot_be_told_is_rather_written_twice_than_never() {
    let left = killed_in_a_write();
    assert_eq!(after(left.clone()), "a line\n");
    // Another file has the name by now.
    let other = Left { inode: 6, disk: Vec::new(), ..left.clone() };
    assert_eq!(after(other), "a line\n");
    // Copied and truncated, and somebody else's line in the place of ours.
    assert_eq!(after(Left { disk: Vec::new(), ..left.clone() }), "a line\n");
    assert_eq!(after(Left { disk: b"another line\n".into(), ..left }), "another line\na line\n");
}

#[test]
fn what_an_earlier_boot_left_is_nobodys() {
    let mut left = killed_in_a_write();
    assert!(is_ours(&World::new(left.clone(), 0, 0), BOOT_NUMBER, START + ROOM as u64));
    assert!(!is_ours(&World::new(left.clone(), 0, 0), BOOT_NUMBER, START + 1), "not so long");
    left.words[BOOT] += 1;
    assert!(!is_ours(&World::new(left, 0, 0), BOOT_NUMBER, START + ROOM as u64));
}
