//! Who is the supervisor of an instance, told by the kernel and by no file's
//! content: whoever has the lock on one byte of the socket's directory, which no
//! cleaner can remove, or the lock on the record. Finds it, and wakes one whose
//! socket is gone, which then puts its files back. Starts and ends nobody.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Paths;
use crate::procfs;
use crate::sys::descriptor::open_flags;
use crate::sys::identity::effective_uid;
use crate::sys::lock::{self, Holder, Span};
use crate::sys::poll::{Watch, poll};
use crate::sys::{clock, process, socket};
use crate::vocabulary::{Pid, Signal};

/// Between two looks for the socket of a supervisor that was woken.
const INTERVAL: Duration = Duration::from_millis(5);

/// The byte of the directory that stands for this instance.
pub(crate) fn mark(paths: &Paths) -> Span {
    // FNV-1a
    let name = paths.socket.file_name().unwrap_or_default().as_bytes();
    Span::Byte(name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// The supervisor, whatever has become of its files; none where nothing tells.
fn find(paths: &Paths) -> Option<Holder> {
    // Not to be closed by a supervisor itself: its own locks would go with it.
    let directory = File::open(paths.directory()).ok();
    directory.and_then(|directory| marker(paths, &directory)).or_else(|| {
        let flags = open_flags::NOFOLLOW | open_flags::NONBLOCK;
        let record = OpenOptions::new().read(true).custom_flags(flags).open(&paths.record).ok()?;
        lock::holder(&record, Span::Whole)
    })
}

/// Who has the byte of the directory that stands for this instance.
fn marker(paths: &Paths, directory: &File) -> Option<Holder> {
    lock::holder(directory, mark(paths)).filter(|holder| is_plausible(*holder, directory))
}

/// Whether the directory, which is open already, tells of a supervisor. Whether the
/// record does is shown by trying to lock it.
pub(crate) fn marks(paths: &Paths, directory: &File) -> bool {
    marker(paths, directory).is_some()
}

/// Everybody who may read the directory can lock a byte of it; that must not
/// keep others from starting their program.
fn is_plausible(holder: Holder, directory: &File) -> bool {
    let Holder::Process(pid) = holder else { return true };
    let owner = directory.metadata().map_or(0, |found| found.uid());
    procfs::user(pid).is_none_or(|user| [0, effective_uid(), owner].contains(&user))
}

/// What came of looking for a supervisor that cannot be reached.
pub(crate) enum Summoned {
    Nobody,
    Listens(UnixStream),
    /// It is there, and its socket is not.
    Silent(Option<Pid>),
}

/// Wakes the supervisor, if there is one, and waits until it listens or is gone.
pub(crate) fn summon(paths: &Paths, limit: Duration) -> Summoned {
    let end = clock::monotonic().after(limit);
    let mut woken = None;
    loop {
        let pid = match find(paths) {
            None => return Summoned::Nobody,
            Some(Holder::Elsewhere) => None,
            Some(Holder::Process(pid)) => Some(pid),
        };
        if let Ok(stream) = socket::connect(&paths.socket, limit) {
            return Summoned::Listens(stream);
        }
        // It looks after its files whenever a child may have ended.
        let unheard = pid.is_some_and(|pid| {
            woken.replace(pid) != Some(pid)
                && process::kill(pid, Signal::CHLD).is_err()
                && process::is_alive(pid)
        });
        if unheard || clock::monotonic() >= end {
            return Summoned::Silent(pid);
        }
        wait_a_moment(pid);
    }
}

/// Ends early when the process does.
fn wait_a_moment(pid: Option<Pid>) {
    let end = pid.and_then(|pid| process::open_pidfd(pid).ok());
    let mut watch = [end.as_ref().map_or(Watch::IDLE, |end| Watch::readable(end.as_fd()))];
    let _ = poll(&mut watch, Some(INTERVAL));
}
