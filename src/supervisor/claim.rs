//! Being the one supervisor of an instance. The lock on the record decides; it
//! dies with its holder. A lock on a byte of the directory says the same where
//! the record was removed. Launches are serialised by a lock on the directory, so
//! that who comes second finds a socket that already listens. Puts back what
//! others removed; removes only what it created.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::instance::holder::{self, Summoned};
use crate::instance::{self, Identity, LONGEST_RECORD, Paths, Record, Survivor};
use crate::messages::supervisor::LaunchError;
use crate::procfs::StartTime;
use crate::quote::Clean;
use crate::sys::identity::effective_uid;
use crate::sys::place::{self, Access};
use crate::sys::{clock, lock, process, socket};
use crate::vocabulary::Pid;

/// How long a launch waits for another launch, or for a supervisor that is
/// just ending.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a foreign supervisor may take to answer whether it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// As much is shown of what another supervisor says of itself.
const LONGEST_STATUS: usize = 4096;

/// The instance is ours for as long as this lives.
pub(crate) struct Claim {
    paths: Paths,
    /// Carries our mark, and while the launch is under way the lock on launches.
    /// No other descriptor of it may be closed before.
    directory: File,
    record_file: File,
    record: Record,
    /// Device and inode of what we bound.
    socket: Option<(u64, u64)>,
}

pub(crate) enum Claimed {
    /// With what a supervisor before us left running.
    Ours(Claim, Survivor),
    /// A supervisor of this instance is up, and this is what it says of itself.
    Theirs(String),
}

/// Claims the instance, in this boot, or says who has it.
pub(crate) fn claim(paths: Paths, boot: &str) -> Result<Claimed, String> {
    let path = &paths.socket;
    if path.as_os_str().len() > socket::LONGEST_PATH {
        let longest = socket::LONGEST_PATH;
        return Err(LaunchError::SocketPathTooLong { path, longest }.to_string());
    }
    let directory = lock_launches(paths.directory())?;
    let unwritable = |error: &io::Error| unable("write", &paths.record, error);
    let mut is_locked = false;
    let record_file = loop {
        if is_locked || holder::marks(&paths, &directory) {
            match holder::summon(&paths, PATIENCE) {
                Summoned::Nobody => {}
                Summoned::Listens(mut peer) => return Ok(Claimed::Theirs(ask_status(&mut peer))),
                Summoned::Silent(_) => {
                    let (socket, record) = (&*paths.socket, &*paths.record);
                    return Err(LaunchError::HolderSilent { socket, record }.to_string());
                }
            }
        }
        let file = open_record(&paths).map_err(|error| unwritable(&error))?;
        is_locked = !lock::try_lock(&file).map_err(|error| unwritable(&error))?;
        // Whoever ended before us may have removed the file that we opened.
        if !is_locked && names(&paths.record, identity(&file)) {
            break file;
        }
    };
    // Where directories have no such locks, the record's must do.
    let _ = lock::mark(&directory, holder::mark(&paths));
    let (survivor, found) = find_survivor(&record_file, &paths)?;
    let (program, seen) = found.map_or((None, None), |found| (found.program, found.seen));
    let supervisor = Pid::new(process::own_pid());
    let record = Record { boot: boot.to_string(), supervisor, program, seen };
    let mut claim = Claim { paths, directory, record_file, record, socket: None };
    if let Err(error) = write_record(&claim.record_file, &claim.record) {
        claim.release();
        return Err(unable("write", &claim.paths.record, &error));
    }
    Ok(Claimed::Ours(claim, survivor))
}

/// Where the directory cannot be locked only the record's lock guards, which is
/// enough for safety.
fn lock_launches(path: &Path) -> Result<File, String> {
    let directory = File::open(path).map_err(|error| unable("open", path, &error))?;
    let _ = lock::lock_directory(&directory, PATIENCE);
    Ok(directory)
}

fn open_record(paths: &Paths) -> io::Result<File> {
    place::open(&paths.record, Access::ReadWrite, 0o600)
}

/// Reads through the descriptor that carries the lock: to open the record once
/// more and to close that again would release it.
fn find_survivor(record_file: &File, paths: &Paths) -> Result<(Survivor, Option<Record>), String> {
    let mut bytes = [0; LONGEST_RECORD];
    let count = read_whole(record_file, &mut bytes)
        .map_err(|error| unable("read", &paths.record, &error))?;
    let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or(&[]));
    let record = Record::parse(&text);
    let found = record.as_ref().map_or(Survivor::None, instance::survivor);
    let owner =
        record_file.metadata().map_err(|error| unable("read", &paths.record, &error))?.uid();
    match found {
        Survivor::None => Ok((Survivor::None, None)),
        // Whoever else wrote it could name any process as ours.
        _ if owner != effective_uid() => {
            Err(LaunchError::ForeignRecord { path: &paths.record, owner }.to_string())
        }
        Survivor::Program(_) | Survivor::Strays(_) => Ok((found, record)),
        Survivor::Doubtful(pid) => {
            Err(LaunchError::Doubtful { pid, record: &paths.record }.to_string())
        }
    }
}

/// As much of the file as there is and fits. Half a record is none.
fn read_whole(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn unable(verb: &str, path: &Path, error: &io::Error) -> String {
    LaunchError::Unable { verb, path, error }.to_string()
}

/// Device and inode of an open file; zeros match nothing.
fn identity(file: &File) -> (u64, u64) {
    file.metadata().map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()))
}

fn names(path: &Path, identity: (u64, u64)) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == identity)
}

/// What stood at the socket's place before.
pub(crate) struct Listening {
    pub(crate) listener: UnixListener,
    pub(crate) replaced_stale: bool,
}

impl Claim {
    /// Binds the control socket. A socket that nobody answers on is replaced.
    pub(crate) fn listen(&mut self) -> Result<Listening, String> {
        let path = self.paths.socket.clone();
        let replaced_stale = self.clear_socket_path()?;
        let listener = self.bind().map_err(|error| unable("create socket", &path, &error))?;
        Ok(Listening { listener, replaced_stale })
    }

    fn bind(&mut self) -> io::Result<UnixListener> {
        let path = &self.paths.socket;
        let before = process::set_umask(0o077);
        let bound = UnixListener::bind(path);
        process::set_umask(before);
        let listener = bound?;
        self.socket = fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()));
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn clear_socket_path(&self) -> Result<bool, String> {
        let path = &self.paths.socket;
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(false) };
        if !found.file_type().is_socket() {
            return Err(LaunchError::NotASocket(path).to_string());
        }
        if let Ok(mut stream) = socket::connect(path, ANSWER_LIMIT) {
            // Not one of ours, which would hold the lock.
            let status = ask_status(&mut stream);
            return Err(LaunchError::Rival { socket: path, status: &status }.to_string());
        }
        fs::remove_file(path).map_err(|error| unable("remove stale socket", path, &error))?;
        Ok(true)
    }

    /// Names the time since the machine was started; empty where nobody knows.
    pub(crate) fn boot(&self) -> &str {
        &self.record.boot
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The socket listens: the next launch may look.
    pub(crate) fn launched(&self) {
        lock::unlock_directory(&self.directory);
    }

    /// Puts the socket back if it was removed.
    pub(crate) fn keep_socket(&mut self) -> io::Result<Option<UnixListener>> {
        if self.socket.is_some_and(|socket| names(&self.paths.socket, socket)) {
            return Ok(None);
        }
        self.bind().map(Some)
    }

    /// Puts the record back if it was removed; whether that was so.
    pub(crate) fn keep_record(&mut self) -> io::Result<bool> {
        if names(&self.paths.record, identity(&self.record_file)) {
            return Ok(false);
        }
        let file = open_record(&self.paths)?;
        if !lock::try_lock(&file)? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        if let Err(error) = write_record(&file, &self.record) {
            let _ = fs::remove_file(&self.paths.record);
            return Err(error);
        }
        self.record_file = file;
        // It may be another directory of the same name.
        self.directory = File::open(self.paths.directory())?;
        let _ = lock::mark(&self.directory, holder::mark(&self.paths));
        Ok(true)
    }

    /// The program that is recorded.
    pub(crate) fn program(&self) -> Option<Identity> {
        self.record.program
    }

    /// Records which program runs; before it is let go.
    pub(crate) fn set_program(&mut self, program: Option<Pid>) -> io::Result<()> {
        self.record.program = program.map(Identity::of);
        self.record.seen = None;
        write_record(&self.record_file, &self.record)
    }

    /// Records that the program is there, or has just ended: should we be
    /// killed, what it leaves behind is known by its session.
    pub(crate) fn see_program(&mut self) {
        self.record.seen = Some(StartTime(clock::boot_ticks()));
        let _ = write_record(&self.record_file, &self.record);
    }

    /// Removes the instance's files. The lock itself goes with the process, so
    /// that nobody takes our place before we are gone.
    pub(crate) fn release(&mut self) {
        // Whoever launches waits for us to be gone. Not so the other way round: a
        // launch under way may already wait for our lock.
        lock::try_lock_directory(&self.directory);
        if self.socket.is_some_and(|socket| names(&self.paths.socket, socket)) {
            let _ = fs::remove_file(&self.paths.socket);
        }
        // A launch that failed beside a survivor leaves it to the next one.
        if self.record.program.is_some() {
            return;
        }
        let _ = fs::remove_file(&self.paths.output);
        let _ = fs::remove_file(&self.paths.pending);
        if names(&self.paths.record, identity(&self.record_file)) {
            let _ = fs::remove_file(&self.paths.record);
        }
    }
}

/// In place, in one write and always of the same length, so that the lock stays,
/// no reader and no sudden death sees half of it, and no disk is too full for it.
fn write_record(file: &File, record: &Record) -> io::Result<()> {
    let mut line = [b'\n'; LONGEST_RECORD];
    write!(line.as_mut_slice(), "{record}")?;
    file.write_all_at(&line, 0)
}

fn ask_status(stream: &mut UnixStream) -> String {
    let reply = socket::ask(stream, b"status\n", LONGEST_STATUS, ANSWER_LIMIT);
    Clean(&String::from_utf8_lossy(&reply.unwrap_or_default())).to_string()
}
