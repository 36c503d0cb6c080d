//! Files by name, in directories where other users may plant links. A place is a
//! directory that is held open and a name in it, so nobody can put another
//! directory under our hands in between. For root, symbolic links count only if
//! they are root's own, and a file is not opened that another user may have
//! linked or laid there. Everybody else is bound by their own rights anyway.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::{check, identity};

/// As many links as the kernel follows on the way to a file.
const MOST_LINKS: usize = 40;
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
    let place = Place::find(path, follow)?;
    let file = File::from(place.open(flags | libc::O_CREAT, mode)?);
    if identity::effective_uid() == 0 {
        judge(&file, File::from(place.directory))?;
    }
    Ok(file)
}

/// Gives a file another name in the same directory.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let place = Place::find(from, false)?;
    let to = CString::new(to.file_name().unwrap_or_default().as_bytes())?;
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

struct Place {
    directory: OwnedFd,
    name: CString,
    /// A link that the kernel made, in `/proc`: only the kernel can follow it.
    is_kernels: bool,
}

impl Place {
    /// Walks to the directory of `path`, and through a link at its end if that is
    /// to be followed.
    fn find(path: &Path, follow: bool) -> io::Result<Place> {
        // Where we are may be a directory that we may not search.
        let start = OsStr::new(if path.is_absolute() { "/" } else { "." });
        let mut directory = open_at(libc::AT_FDCWD, start, DIRECTORY, 0)?;
        let mut ahead = parts(path);
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let is_last = ahead.is_empty();
            if is_last && !follow {
                return Place::at(directory, &name, false);
            }
            if !is_last {
                match open_at(directory.as_raw_fd(), &name, DIRECTORY | libc::O_NOFOLLOW, 0) {
                    Ok(next) => {
                        directory = next;
                        continue;
                    }
                    Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => {}
                    Err(error) => return Err(error),
                }
            }
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            let link = match open_at(directory.as_raw_fd(), &name, flags, 0) {
                Ok(found) => File::from(found),
                Err(error) if is_last && error.kind() == io::ErrorKind::NotFound => {
                    return Place::at(directory, &name, false);
                }
                Err(error) => return Err(error),
            };
            let found = link.metadata()?;
            if !found.is_symlink() && is_last {
                return Place::at(directory, &name, false);
            }
            if !found.is_symlink() {
                return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
            }
            if is_in_proc(&link)? {
                if is_last {
                    return Place::at(directory, &name, true);
                }
                directory = open_at(directory.as_raw_fd(), &name, DIRECTORY, 0)?;
                continue;
            }
            if identity::effective_uid() == 0 && found.uid() != 0 {
                let (name, owner) = (Path::new(&name).display(), found.uid());
                let why = format!("{name} is a link of uid {owner}, which root does not follow");
                return Err(io::Error::other(why));
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            ahead.extend(parts(&target(&link)?));
        }
        Err(io::Error::from_raw_os_error(libc::EISDIR))
    }

    fn at(directory: OwnedFd, name: &OsStr, is_kernels: bool) -> io::Result<Place> {
        Ok(Place { directory, name: CString::new(name.as_bytes())?, is_kernels })
    }

    fn open(&self, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
        let flags = if self.is_kernels { flags } else { flags | libc::O_NOFOLLOW };
        open_at(self.directory.as_raw_fd(), OsStr::from_bytes(self.name.to_bytes()), flags, mode)
    }
}

/// What is to be walked through, the first last.
fn parts(path: &Path) -> Vec<OsString> {
    let words = path.components().filter(|part| *part != Component::CurDir);
    words.map(|part| part.as_os_str().to_os_string()).rev().collect()
}

fn open_at(directory: RawFd, name: &OsStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    let name = CString::new(name.as_bytes())?;
    let flags = flags | libc::O_CLOEXEC;
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

fn target(link: &File) -> io::Result<PathBuf> {
    let mut bytes = vec![0; libc::PATH_MAX as usize];
    let (start, room, empty) = (bytes.as_mut_ptr().cast(), bytes.len(), c"");
    // SAFETY: the name is an empty C string, and `bytes` has `room` bytes.
    let length = unsafe { libc::readlinkat(link.as_raw_fd(), empty.as_ptr(), start, room) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    bytes.truncate(length);
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}
