//! The file that a program's output is appended to: opened, opened again under
//! its name, written, and asked what it holds. Decides nothing about what is
//! written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::iter;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::delivery::Place;
use crate::sys::descriptor::{self, StandardStream, open_flags};
use crate::sys::place::{self, Access};

/// How much is compared at once.
const BLOCK: usize = 1024;

pub(super) struct Transcript {
    path: PathBuf,
    pub(super) file: File,
    /// Device and inode, once they were needed.
    identity: Option<(u64, u64)>,
}

impl Transcript {
    pub(super) fn open(path: &Path) -> io::Result<Transcript> {
        let transcript = Transcript { path: path.to_path_buf(), file: open(path)?, identity: None };
        transcript.take_standard_streams()?;
        Ok(transcript)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the file and opens its name again; on failure nothing changes.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        self.identity = None;
        self.take_standard_streams()
    }

    /// Our own standard output and error go to the same file.
    fn take_standard_streams(&self) -> io::Result<()> {
        descriptor::redirect(self.file.as_fd(), StandardStream::Output)?;
        descriptor::redirect(self.file.as_fd(), StandardStream::Error)
    }

    /// None for what has no length, such as a terminal.
    pub(super) fn place(&mut self) -> Option<Place> {
        let size = self.file.seek(SeekFrom::End(0)).ok()?;
        let (device, inode) = match self.identity {
            Some(known) => known,
            None => {
                let found = self.file.metadata().ok()?;
                *self.identity.insert((found.dev(), found.ino()))
            }
        };
        Some(Place { device, inode, size })
    }

    /// Opens the file of this identity for reading: the transcript itself, or one
    /// beside it that was the transcript before a rotation.
    pub(super) fn find(&self, device: u64, inode: u64) -> Option<(File, u64)> {
        let here = |directory: &&Path| !directory.as_os_str().is_empty();
        let directory = self.path.parent().filter(here).unwrap_or(Path::new("."));
        let beside = fs::read_dir(directory).into_iter().flatten().flatten();
        let beside = beside.filter(|entry| entry.ino() == inode).map(|entry| entry.path());
        iter::once(self.path.clone()).chain(beside).find_map(|path| {
            let file =
                OpenOptions::new().read(true).custom_flags(open_flags::NONBLOCK).open(path).ok()?;
            let found = file.metadata().ok()?;
            let same = found.is_file() && (found.dev(), found.ino()) == (device, inode);
            same.then_some((file, found.len()))
        })
    }
}

/// Whether the `count` bytes at `at` are those that `expected` copies, which is
/// told how many come before.
pub(super) fn holds(
    file: &File,
    at: u64,
    count: u64,
    expected: impl Fn(u64, &mut [u8]) -> io::Result<()>,
) -> bool {
    let (mut found, mut wanted) = ([0; BLOCK], [0; BLOCK]);
    let mut before = 0;
    while before < count {
        let length = usize::try_from(count - before).unwrap_or(BLOCK).min(BLOCK);
        let (found, wanted) = (&mut found[..length], &mut wanted[..length]);
        let read = file.read_exact_at(found, at + before);
        if read.is_err() || expected(before, wanted).is_err() || found != wanted {
            return false;
        }
        before += length as u64;
    }
    true
}

fn open(path: &Path) -> io::Result<File> {
    place::open(path, Access::Append, 0o666)
}
