//! The way of the program's output into the transcript. The program holds both
//! ends of a FIFO, so that it outlives us without SIGPIPE and its bytes wait for
//! the next supervisor; we read our own end and append to the file. A disk that
//! takes nothing never stops the reading: what had to be dropped is counted and
//! told in the transcript itself. Does not watch, log or decide.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::sys::descriptor::{self, StandardStream, open_flags};

/// One read from the pipe at most; also the pipe's usual capacity.
const CHUNK: usize = 64 * 1024;
/// How much of the end of the output is kept for the user of a failed start.
const TAIL: usize = 1024;
/// How many chunks an end of the program is worth reading at once: more than
/// the pipe can hold, but not for ever if a stray keeps writing.
const DRAIN_CHUNKS: usize = 20;

/// A change of the transcript's state, to be logged.
#[derive(Debug)]
pub(crate) enum Change {
    None,
    Failed(io::Error),
    Resumed { dropped: u64 },
}

/// Pipe and file of a captured program.
pub(crate) struct Output {
    reader: OwnedFd,
    /// What the program gets as its standard output and error.
    writer: OwnedFd,
    /// Holds a copy of what is being written, while the original stays in the
    /// program's pipe until the transcript has it: if we are killed in between,
    /// the next supervisor finds it there. None where the kernel cannot copy.
    copy: Option<(OwnedFd, OwnedFd)>,
    path: PathBuf,
    file: File,
    /// Bytes that no write took since the file last worked.
    dropped: u64,
    buffer: Box<[u8]>,
    tail: Tail,
}

impl Output {
    /// Opens the transcript and the FIFO. Where the file system has no FIFOs, a
    /// pipe without a name serves, and dies with us. A FIFO that is there and
    /// cannot be opened may hold what a survivor has written.
    pub(crate) fn open(transcript: &Path, fifo: &Path) -> io::Result<Output> {
        let file = open_transcript(transcript)?;
        let (reader, writer) = match open_fifo(fifo) {
            Ok(ends) => ends,
            Err(error) if is_fifo(fifo) => return Err(error),
            Err(_) => descriptor::pipe()?,
        };
        descriptor::set_nonblocking(reader.as_fd())?;
        let output = Output {
            reader,
            writer,
            copy: descriptor::pipe().ok(),
            path: transcript.to_path_buf(),
            file,
            dropped: 0,
            buffer: vec![0; CHUNK].into_boxed_slice(),
            tail: Tail::new(),
        };
        output.take_standard_streams()?;
        Ok(output)
    }

    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    pub(crate) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Our own standard output and error go to the same file.
    fn take_standard_streams(&self) -> io::Result<()> {
        descriptor::redirect(self.file.as_fd(), StandardStream::Output)?;
        descriptor::redirect(self.file.as_fd(), StandardStream::Error)
    }

    /// Closes the file and opens its name again; on failure nothing changes.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = open_transcript(&self.path)?;
        self.take_standard_streams()
    }

    /// Copies what is in the pipe, one chunk at most. Never waits.
    pub(crate) fn copy(&mut self) -> Change {
        self.copy_chunk().1
    }

    /// Copies all that an ended program can have left in the pipe.
    pub(crate) fn drain(&mut self) -> Change {
        let mut last = Change::None;
        for _ in 0..DRAIN_CHUNKS {
            let (count, change) = self.copy_chunk();
            if !matches!(change, Change::None) {
                last = change;
            }
            if count == 0 {
                break;
            }
        }
        last
    }

    fn copy_chunk(&mut self) -> (usize, Change) {
        let peeked = self.peek();
        let count = match peeked {
            Some(count) => count,
            None => descriptor::read(self.reader.as_fd(), &mut self.buffer).unwrap_or(0),
        };
        let bytes = self.buffer.get(..count).unwrap_or(&[]);
        if bytes.is_empty() {
            return (0, Change::None);
        }
        self.tail.keep(bytes);
        let change = append(&mut self.file, &mut self.dropped, bytes);
        if peeked.is_some() {
            self.take_out(count);
        }
        (count, change)
    }

    /// Fills the buffer and leaves the bytes in the pipe; none if that cannot be
    /// done here.
    fn peek(&mut self) -> Option<usize> {
        let (read, write) = self.copy.as_ref()?;
        match descriptor::peek(self.reader.as_fd(), write.as_fd(), self.buffer.len()) {
            Ok(count) => {
                let room = self.buffer.get_mut(..count)?;
                let mut filled = 0;
                while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match descriptor::read(read.as_fd(), rest) {
                        Ok(count) if count > 0 => filled += count,
                        // What is left in the copy must not be taken for later bytes.
                        _ => {
                            self.copy = None;
                            return None;
                        }
                    }
                }
                Some(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => {
                self.copy = None;
                None
            }
        }
    }

    /// Removes from the pipe what the transcript has by now.
    fn take_out(&mut self, mut count: usize) {
        while let Some(room) = self.buffer.get_mut(..count).filter(|room| !room.is_empty()) {
            match descriptor::read(self.reader.as_fd(), room) {
                Ok(taken) if taken > 0 => count -= taken,
                _ => return,
            }
        }
    }

    /// The end of what the program wrote since `forget_tail`.
    pub(crate) fn tail(&self) -> &[u8] {
        self.tail.bytes.get(..self.tail.length).unwrap_or(&[])
    }

    pub(crate) fn forget_tail(&mut self) {
        self.tail.length = 0;
    }
}

/// Writes all of `bytes`, or counts what no write took. After a failure the
/// first thing to succeed is the line that says how much is missing.
fn append(file: &mut impl Write, dropped: &mut u64, bytes: &[u8]) -> Change {
    let missing = *dropped;
    if missing > 0 {
        let notice = write_notice(file, missing);
        if notice.is_err() {
            *dropped += bytes.len() as u64;
            return Change::None;
        }
        *dropped = 0;
    }
    match write_all(file, bytes) {
        Ok(()) if missing > 0 => Change::Resumed { dropped: missing },
        Ok(()) => Change::None,
        Err((written, error)) => {
            *dropped += (bytes.len() - written) as u64;
            Change::Failed(error)
        }
    }
}

fn write_notice(file: &mut impl Write, missing: u64) -> io::Result<()> {
    let mut line = [0; 96];
    let mut rest = line.as_mut_slice();
    writeln!(rest, "\nzdaemon: {missing} bytes of output are missing here")?;
    let unused = rest.len();
    let length = line.len() - unused;
    write_all(file, line.get(..length).unwrap_or(&[])).map_err(|(_, error)| error)
}

/// As `Write::write_all`, but tells how much was written before an error.
fn write_all(file: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err((written, io::Error::from(io::ErrorKind::WriteZero))),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

/// Without waiting for anybody: a FIFO that nobody reads is an error.
fn open_transcript(path: &Path) -> io::Result<File> {
    let flags = open_flags::NONBLOCK | open_flags::NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o666).custom_flags(flags).open(path)
}

/// The reading end for us and the end for the program, which reads and writes.
fn open_fifo(path: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    match descriptor::make_fifo(path, 0o600) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let flags = open_flags::NONBLOCK | open_flags::NOFOLLOW;
    let reader = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !reader.metadata()?.file_type().is_fifo() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    let writer =
        OpenOptions::new().read(true).write(true).custom_flags(open_flags::NOFOLLOW).open(path)?;
    Ok((reader.into(), writer.into()))
}

fn is_fifo(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// The last bytes of the output.
struct Tail {
    bytes: Box<[u8]>,
    length: usize,
}

impl Tail {
    fn new() -> Tail {
        Tail { bytes: vec![0; TAIL].into_boxed_slice(), length: 0 }
    }

    fn keep(&mut self, new: &[u8]) {
        let new = new.get(new.len().saturating_sub(TAIL)..).unwrap_or(new);
        let overflow = (self.length + new.len()).saturating_sub(TAIL);
        self.bytes.copy_within(overflow..self.length, 0);
        self.length -= overflow;
        if let Some(room) = self.bytes.get_mut(self.length..self.length + new.len()) {
            room.copy_from_slice(new);
            self.length += new.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full between two of its writes.
    struct Disk {
        room: usize,
        content: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= count;
            self.content.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_byte_is_in_the_transcript_or_counted_in_it() {
        let mut disk = Disk { room: 5, content: Vec::new() };
        let mut dropped = 0;
        assert!(matches!(append(&mut disk, &mut dropped, b"0123456789"), Change::Failed(_)));
        assert!(matches!(append(&mut disk, &mut dropped, b"abc"), Change::None));
        assert_eq!(dropped, 8);
        disk.room = 1000;
        let change = append(&mut disk, &mut dropped, b"xyz");
        assert!(matches!(change, Change::Resumed { dropped: 8 }));
        let text = String::from_utf8(disk.content).expect("text");
        assert_eq!(text, "01234\nzdaemon: 8 bytes of output are missing here\nxyz");
    }

    #[test]
    fn the_tail_is_the_last_bytes_whatever_the_pieces_were() {
        let mut tail = Tail::new();
        let all: Vec<u8> = (0..5000_u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 3, 700, 1024, 2000] {
            tail.length = 0;
            all.chunks(size).for_each(|piece| tail.keep(piece));
            assert_eq!(&tail.bytes[..tail.length], &all[all.len() - TAIL..], "{size}");
        }
    }
}
