//! Files by name, in directories where other users may plant links. A place is a
//! directory that is held open and a name in it, so nobody can put another
//! directory under our hands in between. For root, symbolic links count only if
//! they are root's own, and a file is not opened that another user may have
//! linked or laid there. Everybody else is bound by their own rights anyway.

use std::fmt;
use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{check, identity};

/// As many links as the kernel follows on the way to a file.
const MOST_LINKS: usize = 40;
/// The longest path, in bytes, also with what links add to it.
const LONGEST: usize = libc::PATH_MAX as usize;
const DIRECTORY: libc::c_int = libc::O_PATH | libc::O_DIRECTORY;

/// What a file is opened for, or created if it is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// Without waiting for anybody: a FIFO that nobody reads is an error. The
    /// name may be a link.
    Append,
    ReadWrite,
    /// It must not be there.
    New,
}

pub(crate) fn open(path: &Path, access: Access, mode: u32) -> io::Result<File> {
    let (follow, flags) = match access {
        Access::Append => {
            (true, libc::O_WRONLY | libc::O_APPEND | libc::O_NONBLOCK | libc::O_NOCTTY)
        }
        Access::ReadWrite => (false, libc::O_RDWR | libc::O_NONBLOCK | libc::O_NOCTTY),
        Access::New => (false, libc::O_RDWR | libc::O_EXCL),
    };
    let flags = flags | libc::O_CREAT;
    let mut place = Place::without_links(path).map_or_else(|| Place::find(path, follow), Ok)?;
    let file = match place.open(flags, mode) {
        Err(error) if follow && error.raw_os_error() == Some(libc::ELOOP) => {
            place = Place::find(path, follow)?;
            place.open(flags, mode)
        }
        opened => opened,
    };
    let file = File::from(file?);
    if identity::effective_uid() == 0 {
        judge(&file, File::from(place.directory))?;
    }
    Ok(file)
}

/// Gives a file another name in the same directory.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let place = Place::find(from, false)?;
    let to = Name::new(to.file_name().unwrap_or_default().as_bytes())?;
    let fd = place.directory.as_raw_fd();
    // SAFETY: both names are NUL-terminated and live through the call.
    check(unsafe { libc::renameat(fd, place.name.as_ptr(), fd, to.as_ptr()) }).map(drop)
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let place = Place::find(path, false)?;
    // SAFETY: the name is NUL-terminated and lives through the call.
    check(unsafe { libc::unlinkat(place.directory.as_raw_fd(), place.name.as_ptr(), 0) }).map(drop)
}

/// Gives what root has just created to a user and group: that very thing, and
/// nothing that was put into its place.
pub(crate) fn give_to(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let file = File::from(Place::find(path, false)?.open(libc::O_PATH, 0)?);
    let found = file.metadata()?;
    if found.uid() != identity::effective_uid() || (found.nlink() > 1 && !found.is_dir()) {
        return Err(io::Error::other("another user has put something else into its place"));
    }
    let (fd, empty) = (file.as_raw_fd(), c"");
    // SAFETY: the name is an empty C string: the call is about `fd` itself.
    check(unsafe { libc::fchownat(fd, empty.as_ptr(), uid, gid, libc::AT_EMPTY_PATH) }).map(drop)
}

/// Whether root may write to a file that was there already.
fn judge(file: &File, directory: File) -> io::Result<()> {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY_FOR_ALL: u32 = 0o1002;
    let (file, directory) = (file.metadata()?, directory.metadata()?);
    let is_shared = directory.uid() != 0 || directory.mode() & OTHERS_WRITE != 0;
    if is_shared && file.is_file() && file.nlink() > 1 {
        return Err(io::Error::other("it has more names, and others can write to its directory"));
    }
    let is_everybodys = directory.mode() & STICKY_FOR_ALL == STICKY_FOR_ALL;
    if is_everybodys && ![0, directory.uid()].contains(&file.uid()) {
        let owner = file.uid();
        return Err(io::Error::other(format!(
            "it belongs to uid {owner}, in everybody's directory"
        )));
    }
    Ok(())
}

/// The kernel's `struct open_how`.
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

struct Place {
    directory: OwnedFd,
    name: Name,
    /// A link that the kernel made, in `/proc`: only the kernel can follow it.
    is_kernels: bool,
}

impl Place {
    /// The directory of `path` where no link leads to it, which the kernel finds
    /// out in one call. None where there is one, where the path is long or ends in
    /// no name, and on kernels that do not know the call (before 5.6).
    fn without_links(path: &Path) -> Option<Place> {
        let path = path.as_os_str().as_bytes();
        let (directory, name) = path.split_at(memchr::memrchr(b'/', path)? + 1);
        if matches!(name, b"" | b"." | b"..") {
            return None;
        }
        let (directory, name) = (Name::new(directory).ok()?, Name::new(name).ok()?);
        let how = How {
            flags: (DIRECTORY | libc::O_CLOEXEC) as u64,
            mode: 0,
            resolve: libc::RESOLVE_NO_SYMLINKS,
        };
        // SAFETY: the name is NUL-terminated, and `how` is as long as is said; both
        // live through the call.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                libc::AT_FDCWD,
                directory.as_ptr(),
                &raw const how,
                size_of::<How>(),
            )
        };
        let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
        let directory = unsafe { OwnedFd::from_raw_fd(fd) };
        Some(Place { directory, name, is_kernels: false })
    }

    /// Walks to the directory of `path`, and through a link at its end if that is
    /// to be followed. Takes no memory but a lot of the stack.
    #[inline(never)]
    fn find(path: &Path, follow: bool) -> io::Result<Place> {
        // Where we are may be a directory that we may not search.
        let mut directory = start(path.is_absolute())?;
        let mut ahead = Ahead::new(path)?;
        let mut links = 0;
        while let Some(name) = ahead.next()? {
            let is_last = ahead.is_at_end();
            let here = |directory, is_kernels| Ok(Place { directory, name, is_kernels });
            if is_last && !follow {
                return here(directory, false);
            }
            if !is_last {
                match open_at(&directory, &name, DIRECTORY | libc::O_NOFOLLOW, 0) {
                    Ok(next) => {
                        directory = next;
                        continue;
                    }
                    Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => {}
                    Err(error) => return Err(error),
                }
            }
            let link = match open_at(&directory, &name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
                Ok(found) => File::from(found),
                Err(error) if is_last && error.kind() == io::ErrorKind::NotFound => {
                    return here(directory, false);
                }
                Err(error) => return Err(error),
            };
            if !link.metadata()?.is_symlink() {
                return match is_last {
                    true => here(directory, false),
                    false => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
                };
            }
            if is_in_proc(&link)? {
                if is_last {
                    return here(directory, true);
                }
                directory = open_at(&directory, &name, DIRECTORY, 0)?;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            if ahead.turn_into(&link, &name)? {
                directory = start(true)?;
            }
        }
        Err(io::Error::from_raw_os_error(libc::EISDIR))
    }

    fn open(&self, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
        let flags = if self.is_kernels { flags } else { flags | libc::O_NOFOLLOW };
        open_at(&self.directory, &self.name, flags, mode)
    }
}

/// One name, as C has it.
#[derive(Clone, Copy)]
struct Name([u8; 256]);

impl Name {
    fn new(bytes: &[u8]) -> io::Result<Name> {
        let mut name = [0; 256];
        let too_long = || io::Error::from_raw_os_error(libc::ENAMETOOLONG);
        let room = name.get_mut(..bytes.len()).filter(|room| room.len() < 256);
        room.ok_or_else(too_long)?.copy_from_slice(bytes);
        if bytes.contains(&0) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(Name(name))
    }

    fn as_ptr(&self) -> *const libc::c_char {
        self.0.as_ptr().cast()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.split(|byte| *byte == 0).next().unwrap_or(&[]);
        write!(f, "{}", String::from_utf8_lossy(bytes))
    }
}

/// What is still to be walked through: the end of the buffer.
struct Ahead {
    bytes: [u8; LONGEST],
    begin: usize,
}

impl Ahead {
    fn new(path: &Path) -> io::Result<Ahead> {
        let mut ahead = Ahead { bytes: [0; LONGEST], begin: LONGEST };
        ahead.put_before(path.as_os_str().as_bytes())?;
        Ok(ahead)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or(&[])
    }

    fn is_at_end(&self) -> bool {
        self.rest().iter().all(|byte| *byte == b'/')
    }

    fn next(&mut self) -> io::Result<Option<Name>> {
        self.begin += self.rest().iter().take_while(|byte| **byte == b'/').count();
        let bytes = self.rest().split(|byte| *byte == b'/').next().unwrap_or(&[]);
        let length = bytes.len();
        let name = Name::new(bytes)?;
        self.begin += length;
        Ok((length > 0).then_some(name))
    }

    fn put_before(&mut self, bytes: &[u8]) -> io::Result<()> {
        let too_long = || io::Error::from_raw_os_error(libc::ENAMETOOLONG);
        let begin = self.begin.checked_sub(bytes.len()).ok_or_else(too_long)?;
        let room = self.bytes.get_mut(begin..self.begin).ok_or_else(too_long)?;
        room.copy_from_slice(bytes);
        self.begin = begin;
        Ok(())
    }

    /// Goes on where a link points to; whether that counts from the root.
    fn turn_into(&mut self, link: &File, name: &Name) -> io::Result<bool> {
        let owner = link.metadata()?.uid();
        if identity::effective_uid() == 0 && owner != 0 {
            let why = format!("{name} is a link of uid {owner}, which root does not follow");
            return Err(io::Error::other(why));
        }
        let mut target = [0; LONGEST];
        let (begin, room, empty) = (target.as_mut_ptr().cast(), target.len(), c"");
        // SAFETY: the name is an empty C string, and `target` has `room` bytes.
        let length = unsafe { libc::readlinkat(link.as_raw_fd(), empty.as_ptr(), begin, room) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let target = target.get(..length).unwrap_or(&[]);
        self.put_before(target)?;
        Ok(target.starts_with(b"/"))
    }
}

fn start(at_root: bool) -> io::Result<OwnedFd> {
    let name = if at_root { c"/" } else { c"." };
    let flags = DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the name is a C string that lives for ever.
    let fd = check(unsafe { libc::open(name.as_ptr(), flags) })?;
    // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn open_at(directory: &OwnedFd, name: &Name, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    let (directory, flags) = (directory.as_raw_fd(), flags | libc::O_CLOEXEC);
    // SAFETY: the name is NUL-terminated and lives through the call.
    let fd = check(unsafe { libc::openat(directory, name.as_ptr(), flags, mode) })?;
    // SAFETY: the call succeeded, so the descriptor is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[allow(clippy::unnecessary_cast)] // the two have other types elsewhere
fn is_in_proc(file: &File) -> io::Result<bool> {
    // SAFETY: an all-zero statfs is a valid value of that plain C struct.
    let mut found: libc::statfs = unsafe { zeroed() };
    // SAFETY: `found` is valid for writes for the length of the call.
    check(unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut found) })?;
    Ok(found.f_type as i64 == libc::PROC_SUPER_MAGIC as i64)
}
