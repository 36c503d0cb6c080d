//! How does a record get out whole, or not at all? A part of a record that was
//! written before an error is taken back, and where that is impossible the rest
//! follows before anything else. Knows no format and no handler.

use super::plan::Stream;
use crate::sys;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;

/// Where bytes go, one `write` a call.
pub(super) trait Output {
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Removes the last `length` bytes that were written, or fails and changes
    /// nothing.
    fn take_back(&self, length: usize) -> io::Result<()>;
}

impl Output for File {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn take_back(&self, length: usize) -> io::Result<()> {
        // After appending, the position is where our bytes end. If the file goes
        // on, somebody else has appended since, and nothing can be cut off.
        let end = Seek::stream_position(&mut &*self)?;
        let found = self.metadata()?;
        match end.checked_sub(length as u64) {
            Some(start) if found.is_file() && found.len() == end => self.set_len(start),
            Some(_) | None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Output for Stream {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Stdout => sys::stream::write_now(io::stdout().as_fd(), bytes),
            Stream::Stderr => sys::stream::write_now(io::stderr().as_fd(), bytes),
        }
    }

    fn take_back(&self, _length: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Keeps the records of one output whole.
#[derive(Default)]
pub(super) struct Whole {
    /// The rest of a record of which a part is out.
    unfinished: Vec<u8>,
}

impl Whole {
    /// On an error, nothing of `record` is out. A record of which the rest must
    /// wait counts as written.
    pub(super) fn put(&mut self, output: &impl Output, record: &[u8]) -> io::Result<()> {
        if !self.unfinished.is_empty() {
            let (written, result) = write_all(output, &self.unfinished);
            self.unfinished.drain(..written);
            result?;
        }
        let (written, result) = write_all(output, record);
        if result.is_ok() || written == 0 || output.take_back(written).is_ok() {
            return result;
        }
        self.unfinished.extend_from_slice(&record[written..]);
        Ok(())
    }
}

/// How much is out, whether or not it is all.
fn write_all(output: &impl Output, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match output.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
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
            Small {
                taken: RefCell::default(),
                room: Cell::new(room),
                takes_back,
            }
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
            crate::sys::append::open(&path).unwrap(),
            crate::sys::append::open(&path).unwrap(),
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
}
