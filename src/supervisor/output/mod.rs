//! The way of the program's output into the transcript. The program holds both
//! ends of a FIFO, so that it outlives us without SIGPIPE and its bytes wait for
//! the next supervisor; on their way they lie in `staging`, so that each is
//! written once whenever we are killed. A disk that takes nothing never stops
//! the reading: what had to be dropped is counted and told in the transcript.
//! Does not watch, log or decide.

mod delivery;
mod gather;
mod staging;
mod tail;
mod transcript;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(crate) use self::delivery::Change;
use self::gather::{Rhythm, Taken};
use self::staging::Staging;
use self::tail::Tail;
use self::transcript::Transcript;
use crate::instance::Paths;
use crate::procfs::FileId;
use crate::sys::descriptor::{self, open_flags};
use crate::sys::identity::effective_uid;
use crate::vocabulary::{Mono, Pid};

/// What a pipe holds, and while there is load, if the user may have so much.
const USUAL_PIPE: usize = 64 * 1024;
const LARGE_PIPE: usize = 1024 * 1024;
/// How many chunks are taken in one turn, and at the end of the program: more
/// than the pipe can hold, but not for ever if somebody keeps writing.
const TURN_CHUNKS: usize = 17;
const DRAIN_CHUNKS: usize = 40;

/// Pipe and file of a captured program.
pub(crate) struct Output {
    reader: OwnedFd,
    /// What the program gets as its standard output and error.
    writer: OwnedFd,
    pipe_size: usize,
    /// More was asked for than a pipe usually holds.
    grown: bool,
    staging: Staging,
    transcript: Transcript,
    rhythm: Rhythm,
    tail: Tail,
    /// What came of taking over, to be told with the next change.
    news: Change,
}

impl Output {
    /// Opens the transcript and the FIFO. Where the file system has no FIFOs, a
    /// pipe without a name serves, and dies with us. A FIFO that is there and
    /// cannot be opened may hold what a survivor has written. `boot` names the time
    /// since the machine was started.
    pub(crate) fn open(
        transcript: &Path,
        paths: &Paths,
        boot: &str,
        survivor: Option<Pid>,
    ) -> io::Result<Output> {
        let transcript = Transcript::open(transcript)?;
        let removed = survivor.and_then(|program| open_removed_fifo(&paths.output, program));
        let (reader, writer) = match removed.map_or_else(|| open_fifo(&paths.output), Ok) {
            Ok(ends) => ends,
            Err(error) if is_our_fifo(&paths.output) => return Err(error),
            Err(_) => descriptor::pipe()?,
        };
        descriptor::set_nonblocking(reader.as_fd())?;
        let mut output = Output {
            reader,
            writer,
            pipe_size: USUAL_PIPE,
            grown: false,
            staging: Staging::new(&paths.pending, boot),
            transcript,
            rhythm: Rhythm::new(),
            tail: Tail::new(),
            news: Change::default(),
        };
        output.take_over();
        Ok(output)
    }

    /// Finds out what a killed supervisor had left to do, if there was one.
    fn take_over(&mut self) {
        if !self.staging.inherit() {
            return;
        }
        if let Some(mut desk) = self.staging.desk(&mut self.transcript) {
            delivery::resume(&mut desk, &mut self.news);
        }
        self.rhythm.wake();
        self.grown = true;
    }

    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    pub(crate) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    pub(crate) fn path(&self) -> &Path {
        self.transcript.path()
    }

    /// By which a process can be known that has inherited the program's output.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        let file = File::from(self.writer.try_clone().ok()?);
        file.metadata().ok().map(|found| (found.dev(), found.ino()))
    }

    /// Whether the pipe is to be watched just now.
    pub(crate) fn is_watching(&self) -> bool {
        self.rhythm.is_watching()
    }

    /// When to `copy` even if there is nothing in the pipe.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.rhythm.deadline()
    }

    /// Closes the file and opens its name again; on failure nothing changes.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.transcript.reopen()
    }

    /// Copies what is in the pipe, a turn's share at most. Never waits.
    pub(crate) fn copy(&mut self, now: Mono) -> Change {
        let mut change = mem::take(&mut self.news);
        match self.copy_chunks(TURN_CHUNKS, &mut change) {
            Ok(taken) => {
                self.rhythm.took(now, taken);
                self.follow_rhythm(taken);
            }
            Err(_) => self.rhythm.rest(now),
        }
        change
    }

    /// Copies all that an ended program can have left in the pipe.
    pub(crate) fn drain(&mut self) -> Change {
        let mut change = mem::take(&mut self.news);
        let is_empty = || descriptor::waiting(self.reader.as_fd()).is_ok_and(|count| count == 0);
        if self.staging.is_in_use() || !is_empty() {
            let _ = self.copy_chunks(DRAIN_CHUNKS, &mut change);
            self.rhythm.wake();
        }
        change
    }

    /// Uses more while there is load, and nothing while there is no output. What
    /// waits in the pipe has to fit into the transcript as soon as there is room
    /// for something, so while that takes nothing, little is left to wait.
    fn follow_rhythm(&mut self, taken: Taken) {
        let busy = taken.more || !self.rhythm.is_watching();
        let loaded = self.grown && !self.rhythm.is_quiet() || busy;
        self.resize_pipe(loaded && !taken.unsettled);
        if self.rhythm.is_quiet() {
            self.staging.give_back();
        }
    }

    fn resize_pipe(&mut self, grown: bool) {
        if grown == self.grown {
            return;
        }
        let size = if grown { LARGE_PIPE } else { USUAL_PIPE };
        match descriptor::resize_pipe(self.reader.as_fd(), size) {
            Ok(size) => self.pipe_size = size,
            // It holds too much just now.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return,
            Err(_) => self.pipe_size = USUAL_PIPE,
        }
        // Tried once in a burst, whether the user may have so much or not.
        self.grown = grown;
    }

    fn copy_chunks(&mut self, most: usize, change: &mut Change) -> io::Result<Taken> {
        self.staging.begin()?;
        if !self.staging.is_settled() {
            self.deliver(change);
        }
        let (mut bytes, mut more) = (0, true);
        for _ in 0..most {
            let count;
            (count, more) = self.staging.take(self.reader.as_fd())?;
            bytes += count;
            self.keep_tail(count);
            self.deliver(change);
            self.staging.delivered(self.reader.as_fd());
            if !more {
                break;
            }
        }
        Ok(Taken { bytes, more, pipe: self.pipe_size, unsettled: !self.staging.is_settled() })
    }

    fn deliver(&mut self, change: &mut Change) {
        if let Some(mut desk) = self.staging.desk(&mut self.transcript) {
            change.add(delivery::deliver(&mut desk));
        }
    }

    fn keep_tail(&mut self, count: usize) {
        self.staging.copy_end(count, self.tail.make_room(count));
    }

    /// The end of what the program wrote since `forget_tail`.
    pub(crate) fn tail(&self) -> &[u8] {
        self.tail.bytes()
    }

    pub(crate) fn forget_tail(&mut self) {
        self.tail.forget();
    }
}

fn is_our_fifo(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| found.file_type().is_fifo() && found.uid() == effective_uid())
}

/// The reading end for us and the end for the program, which reads and writes.
fn open_fifo(path: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    match descriptor::make_fifo(path, 0o600) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    open_ends(path, open_flags::NOFOLLOW)
}

/// The FIFO that somebody removed while `program` writes to it: the name is gone,
/// but the kernel opens it once more for whoever may look at the program.
fn open_removed_fifo(path: &Path, program: Pid) -> Option<(OwnedFd, OwnedFd)> {
    let mut expected = path.as_os_str().to_os_string();
    expected.push(" (deleted)");
    let streams = [1, 2].map(|stream| PathBuf::from(format!("/proc/{program}/fd/{stream}")));
    let is_ours = |link: &&PathBuf| fs::read_link(link).is_ok_and(|to| to.as_os_str() == expected);
    open_ends(streams.iter().find(is_ours)?, 0).ok()
}

fn open_ends(path: &Path, flags: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut options = OpenOptions::new();
    let reader = options.read(true).custom_flags(flags | open_flags::NONBLOCK).open(path)?;
    let ours = reader.metadata()?;
    let writer = options.write(true).custom_flags(flags).open(path)?;
    let theirs = writer.metadata()?;
    // What another user has put there is none of ours.
    let is_one = (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino());
    if !ours.file_type().is_fifo() || !is_one || ours.uid() != effective_uid() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    Ok((reader.into(), writer.into()))
}
