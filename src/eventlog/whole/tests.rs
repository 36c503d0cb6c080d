//! Against an output that is as small as it is told to be.

use super::{Output, Whole};
use std::cell::{Cell, RefCell};
use std::io;

/// Takes `room` bytes, at most 4 a write.
struct Small {
    taken: RefCell<Vec<u8>>,
    room: Cell<usize>,
    takes_back: bool,
}

impl Small {
    fn new(room: usize, takes_back: bool) -> Small {
        Small { taken: RefCell::default(), room: Cell::new(room), takes_back }
    }

    fn text(&self) -> String {
        String::from_utf8(self.taken.borrow().clone()).unwrap()
    }
}

impl Output for Small {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(4).min(self.room.get());
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.borrow_mut().extend_from_slice(&bytes[..length]);
        self.room.set(self.room.get() - length);
        Ok(length)
    }

    fn take_back(&self, length: usize) -> io::Result<()> {
        if !self.takes_back {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let kept = self.taken.borrow().len() - length;
        self.taken.borrow_mut().truncate(kept);
        self.room.set(self.room.get() + length);
        Ok(())
    }
}

#[test]
fn a_record_in_several_writes_is_whole() {
    let (output, mut whole) = (Small::new(100, false), Whole::default());
    whole.put(&output, b"first record\n").unwrap();
    assert_eq!(output.text(), "first record\n");
}

#[test]
fn a_part_of_a_record_is_taken_back() {
    let (output, mut whole) = (Small::new(10, true), Whole::default());
    assert!(whole.put(&output, b"first record\n").is_err());
    assert_eq!(output.text(), "");
    whole.put(&output, b"second\n").unwrap();
    assert_eq!(output.text(), "second\n");
}

#[test]
fn what_cannot_be_taken_back_is_completed_before_the_next_record() {
    let (output, mut whole) = (Small::new(10, false), Whole::default());
    whole.put(&output, b"first record\n").unwrap();
    assert!(whole.put(&output, b"second\n").is_err());
    output.room.set(1);
    assert!(whole.put(&output, b"third\n").is_err());
    output.room.set(100);
    whole.put(&output, b"fourth\n").unwrap();
    assert_eq!(output.text(), "first record\nfourth\n");
}

#[test]
fn bytes_are_taken_back_from_a_file_only_while_they_are_its_last() {
    let path = std::env::temp_dir().join(format!("zdaemon-whole-{}", std::process::id()));
    let (ours, theirs) = (
        crate::eventlog::file::open_for_append(&path).unwrap(),
        crate::eventlog::file::open_for_append(&path).unwrap(),
    );
    Output::write(&ours, b"kept\ntorn").unwrap();
    ours.take_back(4).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept\n");
    Output::write(&ours, b"torn").unwrap();
    Output::write(&theirs, b"other").unwrap();
    assert!(ours.take_back(4).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept\ntornother");
    std::fs::remove_file(&path).unwrap();
}
