//! Which supervisor and which program belong to a socket path, across the death
//! of either: the names of the files beside the socket and the record in one of
//! them. Reads and judges; the supervisor's `claim` locks, writes and removes.

pub(crate) mod holder;

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::procfs::{self, StartTime, Stat};
use crate::sys::descriptor::open_flags;
use crate::sys::process;
use crate::vocabulary::Pid;

/// More bytes than any record has.
pub(crate) const LONGEST_RECORD: usize = 256;

/// The files of an instance. All but the socket are hidden.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) socket: PathBuf,
    /// Who runs; the supervisor holds a lock on it.
    pub(crate) record: PathBuf,
    /// The FIFO that carries the program's output.
    pub(crate) output: PathBuf,
    /// Output between the FIFO and the transcript.
    pub(crate) pending: PathBuf,
}

impl Paths {
    /// For an absolute socket path.
    pub(crate) fn new(socket: &Path) -> Paths {
        let path = socket.as_os_str().as_bytes();
        let (directory, name) = path.split_at(memchr::memrchr(b'/', path).map_or(0, |at| at + 1));
        let beside = |suffix: &str| {
            let path = [directory, b".", name, suffix.as_bytes()].concat();
            PathBuf::from(OsString::from_vec(path))
        };
        Paths {
            socket: socket.to_path_buf(),
            record: beside(".instance"),
            output: beside(".output"),
            pending: beside(".pending"),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.socket.parent().unwrap_or(Path::new("/"))
    }
}

/// A process by number and, where `/proc` told it, by start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: Pid,
    pub(crate) start: Option<StartTime>,
}

impl Identity {
    pub(crate) fn of(pid: Pid) -> Identity {
        Identity { pid, start: procfs::stat(pid).map(|stat| stat.start) }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start {
            Some(StartTime(ticks)) => write!(f, "{}@{ticks}", self.pid),
            None => write!(f, "{}@?", self.pid),
        }
    }
}

/// What the record says, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) boot: String,
    pub(crate) supervisor: Option<Pid>,
    /// Stays until nothing that it left behind is alive.
    pub(crate) program: Option<Identity>,
    /// When the program was last known to be there, or to have just ended:
    /// whoever is of its session and older belongs to it for certain.
    pub(crate) seen: Option<StartTime>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zdaemon-instance-1 boot={}", self.boot)?;
        match self.supervisor {
            Some(pid) => write!(f, " supervisor={pid}")?,
            None => f.write_str(" supervisor=none")?,
        }
        match self.program {
            Some(identity) => write!(f, " program={identity}")?,
            None => f.write_str(" program=none")?,
        }
        match self.seen {
            Some(StartTime(ticks)) => writeln!(f, " seen={ticks}"),
            None => writeln!(f),
        }
    }
}

impl Record {
    /// None for anything but a complete record.
    pub(crate) fn parse(text: &str) -> Option<Record> {
        // What follows the first line is left of a longer, older record.
        let mut words = text.split_once('\n')?.0.split(' ');
        if words.next()? != "zdaemon-instance-1" {
            return None;
        }
        let boot = words.next()?.strip_prefix("boot=")?.to_string();
        let supervisor = unless_none(words.next()?.strip_prefix("supervisor=")?, parse_pid)?;
        let program = unless_none(words.next()?.strip_prefix("program=")?, parse_identity)?;
        // Not before the program is first told to end.
        let seen = match words.next() {
            Some(word) => Some(StartTime(word.strip_prefix("seen=")?.parse().ok()?)),
            None => None,
        };
        Some(Record { boot, supervisor, program, seen })
    }
}

/// The outer option is about the syntax, the inner one about `none`.
#[allow(clippy::option_option)]
fn unless_none<T>(text: &str, parse: fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "none" { Some(None) } else { parse(text).map(Some) }
}

fn parse_pid(text: &str) -> Option<Pid> {
    Pid::new(text.parse().ok()?)
}

fn parse_identity(text: &str) -> Option<Identity> {
    let (pid, start) = text.split_once('@')?;
    let start = match start {
        "?" => None,
        ticks => Some(StartTime(ticks.parse().ok()?)),
    };
    Some(Identity { pid: parse_pid(pid)?, start })
}

/// What became of the program that a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survivor {
    None,
    /// It is certain to be that program.
    Program(Pid),
    /// It is gone; what it left behind is still of the session that it led.
    Strays(Pid),
    /// A process has its number, and nothing here can tell whether it is the same.
    Doubtful(Pid),
}

/// Looks for the recorded program among the living.
pub(crate) fn survivor(record: &Record) -> Survivor {
    let boot = procfs::boot_id();
    let Some(program) = record.program else { return Survivor::None };
    if !boot.is_empty() && !record.boot.is_empty() && boot != record.boot {
        return Survivor::None;
    }
    if !process::is_alive(program.pid) {
        return left_behind(record, program.pid);
    }
    match (program.start, procfs::stat(program.pid)) {
        (start, Some(stat)) if stat.zombie && start.is_none_or(|start| start == stat.start) => {
            left_behind(record, program.pid)
        }
        (Some(start), Some(stat)) if start == stat.start => Survivor::Program(program.pid),
        (Some(_), Some(_)) => Survivor::None,
        // Every program of ours leads a session; a stranger with its number may
        // do so too.
        _ if process::session_of(program.pid).is_ok_and(|session| session == program.pid) => {
            Survivor::Doubtful(program.pid)
        }
        _ => Survivor::None,
    }
}

/// A session's number goes to nobody else while one of its members lives.
fn left_behind(record: &Record, leader: Pid) -> Survivor {
    let Some(seen) = record.seen else { return Survivor::None };
    let is_stray = |stat: &Stat| stat.session == leader.get() && stat.start <= seen && !stat.zombie;
    if procfs::processes().any(|(_, stat)| is_stray(&stat)) {
        Survivor::Strays(leader)
    } else {
        Survivor::None
    }
}

/// The record beside a socket, if a readable one is there; bounded, whatever
/// stands in its place.
pub(crate) fn read_record(paths: &Paths) -> io::Result<Option<Record>> {
    let flags = open_flags::NOFOLLOW | open_flags::NONBLOCK;
    match OpenOptions::new().read(true).custom_flags(flags).open(&paths.record) {
        Ok(file) => {
            let mut text = Vec::new();
            file.take(LONGEST_RECORD as u64).read_to_end(&mut text)?;
            Ok(Record::parse(&String::from_utf8_lossy(&text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(pid: i32, start: Option<u64>) -> Option<Identity> {
        Some(Identity { pid: Pid::new(pid)?, start: start.map(StartTime) })
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let full = Record {
            boot: "6b1f".into(),
            supervisor: Pid::new(12),
            program: identity(13, None),
            seen: Some(StartTime(7)),
        };
        assert_eq!(Record::parse(&full.to_string()), Some(full.clone()));
        let bare = Record { boot: String::new(), supervisor: None, program: None, seen: None };
        assert_eq!(Record::parse(&bare.to_string()), Some(bare));
    }

    #[test]
    fn a_torn_record_is_no_record() {
        let text = Record {
            boot: "b".into(),
            supervisor: Pid::new(12),
            program: identity(1313, Some(5)),
            seen: Some(StartTime(77)),
        }
        .to_string();
        for length in 0..text.len() {
            assert_eq!(Record::parse(text.get(..length).unwrap_or("")), None, "{length}");
        }
    }

    #[test]
    fn a_recycled_process_number_is_not_the_program() {
        let me = Identity::of(Pid::new(process::own_pid()).expect("a pid"));
        let boot = procfs::boot_id();
        let mut record = Record { boot, supervisor: None, program: Some(me), seen: None };
        assert_eq!(survivor(&record), Survivor::Program(me.pid));
        record.boot = "another-boot".into();
        assert_eq!(survivor(&record), Survivor::None);
        record.boot = procfs::boot_id();
        record.program = Some(Identity { pid: me.pid, start: Some(StartTime(1)) });
        assert_eq!(survivor(&record), Survivor::None);
    }

    #[test]
    fn only_the_socket_is_visible() {
        let paths = Paths::new(Path::new("/srv/app/zdsock"));
        assert_eq!(paths.record, Path::new("/srv/app/.zdsock.instance"));
        assert_eq!(paths.output, Path::new("/srv/app/.zdsock.output"));
        assert_eq!(paths.pending, Path::new("/srv/app/.zdsock.pending"));
        assert_eq!(paths.directory(), Path::new("/srv/app"));
    }
}
