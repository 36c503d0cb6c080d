//! Where output is on its way from the pipe to the transcript: a small file
//! beside the socket, mapped while there is output. What the kernel moves there
//! survives us, and so do the notes of `delivery` about it. Where the file
//! cannot be had, memory of our own serves, and the bytes stay in the pipe until
//! they are written. Writes no transcript.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::delivery::{self, Medium, Notes, Place};
use super::transcript::{self, Transcript};
use crate::sys::descriptor::{self, open_flags};
use crate::sys::identity::effective_uid;
use crate::sys::memory::{self, Mapping};

/// The bytes that have room when there is load, and before there is.
const ROOM: usize = 64 * 1024;
const LITTLE_ROOM: usize = 4 * 1024;
/// The notes of `delivery` come first.
const HEAD: usize = delivery::START as usize;

pub(super) struct Staging {
    path: PathBuf,
    boot: u64,
    /// Open from the first output on.
    file: Option<File>,
    /// The file cannot serve here, now or ever.
    refused: bool,
    area: Option<Area>,
}

/// What there is only while output comes.
struct Area {
    map: Mapping,
    /// How many bytes have room.
    room: usize,
    /// If it is not the file's: how to look at what is in the pipe.
    own: Option<Peek>,
}

struct Peek {
    copy: Option<(OwnedFd, OwnedFd)>,
    /// So many bytes that are staged are still in the program's pipe.
    in_pipe: usize,
}

impl Staging {
    /// `boot` is a name of the time since the machine was started.
    pub(super) fn new(path: &Path, boot: &str) -> Staging {
        // FNV-1a: another boot has another number.
        let boot = boot.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Staging { path: path.to_path_buf(), boot, file: None, refused: false, area: None }
    }

    /// Takes over what a killed supervisor had under way; whether it had.
    pub(super) fn inherit(&mut self) -> bool {
        let Ok(file) = open(&self.path, false) else { return false };
        let Ok(size) = file.metadata().map(|found| found.len()) else { return false };
        let room = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(HEAD);
        if !(LITTLE_ROOM..=ROOM).contains(&room) {
            return false;
        }
        let Ok(map) = Mapping::of_file(file.as_fd(), HEAD + ROOM) else { return false };
        let area = Area { map, room, own: None };
        let ours = delivery::is_ours(&&area.map, self.boot, size);
        if ours {
            self.file = Some(file);
            self.area = Some(area);
        }
        ours
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.area.is_some()
    }

    /// Gets ready for output.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.area.is_some() {
            return Ok(());
        }
        let area = match self.map_file() {
            Ok(map) => Area { map, room: LITTLE_ROOM, own: None },
            Err(_) => Area::own()?,
        };
        delivery::prepare(&mut &area.map, self.boot);
        self.area = Some(area);
        Ok(())
    }

    fn map_file(&mut self) -> io::Result<Mapping> {
        if self.refused {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => self.create_file()?,
        };
        memory::reserve(file.as_fd(), HEAD + LITTLE_ROOM)?;
        let map = Mapping::of_file(file.as_fd(), HEAD + ROOM);
        self.file = Some(file);
        map
    }

    fn create_file(&mut self) -> io::Result<File> {
        let file = open(&self.path, true)?;
        file.set_len(0)?;
        self.refused = !memory::overwrites_in_place(file.as_fd());
        if self.refused { Err(io::Error::from(io::ErrorKind::Unsupported)) } else { Ok(file) }
    }

    /// Moves what waits in the pipe into the area, which must be settled but for
    /// missing bytes. Also whether more may wait. Never waits itself.
    pub(super) fn take(&mut self, pipe: BorrowedFd<'_>) -> io::Result<(usize, bool)> {
        let Some(area) = &mut self.area else { return Ok((0, false)) };
        delivery::clear(&mut &area.map);
        let file = self.file.as_ref().filter(|_| area.own.is_none());
        let taken = match file {
            Some(file) => area.map.splice(pipe, file.as_fd(), delivery::END, area.room),
            None => area.peek(pipe),
        };
        match taken {
            Ok(count) => {
                let more = count == area.room;
                if let Some(file) = file.filter(|_| more && area.room < ROOM) {
                    if memory::reserve(file.as_fd(), HEAD + ROOM).is_ok() {
                        area.room = ROOM;
                    }
                }
                Ok((count, more))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, false)),
            Err(_) if file.is_some() => {
                self.refused = true;
                self.leave_file()?;
                Ok((0, true))
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on without the file, with what it knew.
    fn leave_file(&mut self) -> io::Result<()> {
        let area = Area::own()?;
        if let Some(old) = &self.area {
            (0..delivery::WORDS).for_each(|word| area.map.store(word, old.map.load(word)));
        }
        self.area = Some(area);
        if let Some(file) = self.file.take() {
            let _ = file.set_len(0);
        }
        Ok(())
    }

    /// The last bytes that were taken.
    pub(super) fn copy_end(&self, count: usize, into: &mut [u8]) {
        if let Some(area) = &self.area {
            let _ = area.map.copy_out(HEAD + count - into.len(), into);
        }
    }

    /// Everything taken is in the transcript, or counted.
    pub(super) fn delivered(&mut self, pipe: BorrowedFd<'_>) {
        if let Some(area) = &mut self.area {
            area.take_out(pipe);
        }
    }

    /// Whether everything is in the transcript, and nothing is to be said in it.
    pub(super) fn is_settled(&self) -> bool {
        self.area.as_ref().is_none_or(|area| delivery::is_settled(&&area.map))
    }

    /// The area beside a transcript, as the rules of delivery see them.
    pub(super) fn desk<'a>(&'a self, transcript: &'a mut Transcript) -> Option<Desk<'a>> {
        self.area.as_ref().map(|area| Desk { map: &area.map, transcript, interrupted: None })
    }

    /// Output has stopped, and everything is settled.
    pub(super) fn give_back(&mut self) {
        self.area = None;
        if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
    }
}

impl Area {
    fn own() -> io::Result<Area> {
        let map = Mapping::of_nobody(HEAD + ROOM)?;
        let own = Some(Peek { copy: descriptor::pipe().ok(), in_pipe: 0 });
        Ok(Area { map, room: ROOM, own })
    }

    /// Copies what is in the pipe and leaves it there; where the kernel cannot do
    /// that, takes it out.
    fn peek(&mut self, pipe: BorrowedFd<'_>) -> io::Result<usize> {
        let own = self.own.as_mut();
        let copied = own.and_then(|own| {
            let (read, write) = own.copy.as_ref()?;
            let count = descriptor::peek(pipe, write.as_fd(), self.room);
            let count = count.and_then(|count| fill(&self.map, read.as_fd(), count));
            own.in_pipe = count.as_ref().map_or(0, |count| *count);
            Some(count)
        });
        let count = match copied {
            Some(Ok(count)) => count,
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            _ => self.map.read_from(pipe, HEAD..HEAD + self.room)?,
        };
        self.map.store(delivery::END, (HEAD + count) as u64);
        Ok(count)
    }

    fn take_out(&mut self, pipe: BorrowedFd<'_>) {
        let Some(own) = &mut self.own else { return };
        let _ = fill(&self.map, pipe, own.in_pipe);
        own.in_pipe = 0;
    }
}

/// Where the rules of delivery are carried out.
pub(super) struct Desk<'a> {
    map: &'a Mapping,
    transcript: &'a mut Transcript,
    /// The file that a killed supervisor was writing to.
    interrupted: Option<File>,
}

impl Notes for &Mapping {
    fn load(&self, word: usize) -> u64 {
        Mapping::load(self, word)
    }

    fn store(&mut self, word: usize, value: u64) {
        Mapping::store(self, word, value);
    }
}

impl Notes for Desk<'_> {
    fn load(&self, word: usize) -> u64 {
        self.map.load(word)
    }

    fn store(&mut self, word: usize, value: u64) {
        self.map.store(word, value);
    }
}

impl Medium for Desk<'_> {
    fn transcript(&mut self) -> Option<Place> {
        self.transcript.place()
    }

    fn write_staged(&mut self, from: u64, to: u64) -> io::Result<usize> {
        self.map.write_to(self.transcript.file.as_fd(), offset(from)..offset(to))
    }

    fn write_text(&mut self, text: &[u8]) -> io::Result<usize> {
        descriptor::write(self.transcript.file.as_fd(), text)
    }

    fn find(&mut self, device: u64, inode: u64) -> Option<u64> {
        let (file, size) = self.transcript.find(device, inode)?;
        self.interrupted = Some(file);
        Some(size)
    }

    fn holds_staged(&mut self, at: u64, from: u64, count: u64) -> bool {
        let Some(file) = &self.interrupted else { return false };
        let expected = |before, into: &mut [u8]| self.map.copy_out(offset(from + before), into);
        transcript::holds(file, at, count, expected)
    }

    fn holds_text(&mut self, at: u64, text: &[u8]) -> bool {
        let Some(file) = &self.interrupted else { return false };
        transcript::holds(file, at, text.len() as u64, |before, into| {
            let wanted = text.get(offset(before)..).and_then(|rest| rest.get(..into.len()));
            into.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }
}

/// Outside every mapping if it is too large.
fn offset(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Reads so many bytes, which are known to be there.
fn fill(map: &Mapping, pipe: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
    let mut filled = 0;
    while filled < count {
        match map.read_from(pipe, HEAD + filled..HEAD + count)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            more => filled += more,
        }
    }
    Ok(filled)
}

/// For our own eyes: nobody else may have made it, or look into it.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .mode(0o600)
        .custom_flags(open_flags::NOFOLLOW | open_flags::NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    let ours = found.is_file()
        && found.uid() == effective_uid()
        && found.nlink() == 1
        && found.mode() & 0o077 == 0;
    if ours { Ok(file) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
}
