//! How does a record get out whole, or not at all? A part of a record that was
//! written before an error is taken back, and where that is impossible the rest
//! follows before anything else. Knows no format and no handler.

#[cfg(test)]
mod tests;

use super::plan::Stream;
use super::stream::write_now;
use crate::sys::descriptor::StandardStream;
use std::fs::File;
use std::io::{self, Seek, Write};

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
            Stream::Stdout => write_now(StandardStream::Output.fd(), bytes),
            Stream::Stderr => write_now(StandardStream::Error.fd(), bytes),
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
