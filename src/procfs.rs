//! What `/proc` tells about processes: parent, session, start time, name; and
//! which boot this is; who has a file as its output. Every answer may be missing: minimal hosts have no
//! `/proc`. Signals nobody.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;

use crate::vocabulary::Pid;

/// The identity of a process beyond its recyclable number: when the kernel
/// started it, in clock ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StartTime(pub(crate) u64);

/// The parts of `/proc/PID/stat` that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: i32,
    pub(crate) session: i32,
    pub(crate) start: StartTime,
    pub(crate) zombie: bool,
    name: [u8; 16],
}

impl Stat {
    pub(crate) fn name(&self) -> &str {
        let bytes = self.name.split(|byte| *byte == 0).next().unwrap_or(&[]);
        std::str::from_utf8(bytes).unwrap_or("?")
    }
}

/// Whether this host has a `/proc` at all. Needs no descriptor.
pub(crate) fn is_there() -> bool {
    let mut room = [0; 32];
    let own = Pid::new(crate::sys::process::own_pid());
    let path = own.and_then(|pid| path(pid, "stat", &mut room));
    path.is_some_and(|path| std::fs::metadata(path).is_ok())
}

/// None if the process is gone, or `/proc` is not there. Takes no memory.
pub(crate) fn stat(pid: Pid) -> Option<Stat> {
    let mut text = [0; 512];
    let length = read(pid, "stat", &mut text)?;
    parse_stat(text.get(..length)?)
}

/// The user that a process really is, whatever set-uid program it runs.
pub(crate) fn user(pid: Pid) -> Option<u32> {
    let mut text = [0; 1024];
    let length = read(pid, "status", &mut text)?;
    let mut lines = text.get(..length)?.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// The beginning of one of the process's files.
fn read(pid: Pid, name: &str, text: &mut [u8]) -> Option<usize> {
    beginning(path(pid, name, &mut [0; 32])?, text)
}

/// As much of a file as there is and fits. The kernel gives one of these whole, but
/// half a name or number would be another one.
fn beginning(path: &str, text: &mut [u8]) -> Option<usize> {
    let mut file = File::open(path).ok()?;
    let mut length = 0;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(length)
}

fn path<'a>(pid: Pid, name: &str, room: &'a mut [u8; 32]) -> Option<&'a str> {
    write!(room.as_mut_slice(), "/proc/{pid}/{name}").ok()?;
    let end = room.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(room.get(..end)?).ok()
}

/// The name stands in parentheses and may hold any byte, parentheses included.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = memchr::memchr(b'(', text)?;
    let close = memchr::memrchr(b')', text)?;
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(text.get(open + 1..close)?) {
        *to = *from;
    }
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(15)?.parse().ok()?;
    Some(Stat { parent, session, start: StartTime(start), zombie, name })
}

/// Device and inode.
pub(crate) type FileId = (u64, u64);

/// Whether a process has this file as standard output or error, open for reading
/// and writing: as nobody opens an output by chance, but as a program gets it.
pub(crate) fn inherited_output(pid: Pid, file: FileId) -> bool {
    [1, 2].into_iter().any(|number| {
        let found = std::fs::metadata(format!("/proc/{pid}/fd/{number}"));
        found.is_ok_and(|found| (found.dev(), found.ino()) == file)
            && is_read_write(&format!("/proc/{pid}/fdinfo/{number}"))
    })
}

fn is_read_write(path: &str) -> bool {
    const READ_WRITE: u32 = 2;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 == READ_WRITE)
}

/// Every process that is visible from here, with its facts.
pub(crate) fn processes() -> impl Iterator<Item = (Pid, Stat)> {
    std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let pid = Pid::new(entry.ok()?.file_name().to_str()?.parse().ok()?)?;
        Some((pid, stat(pid)?))
    })
}

/// A name that is new with each boot; empty where the kernel tells none.
pub(crate) fn boot_id() -> String {
    let mut text = [0; 64];
    let length = beginning("/proc/sys/kernel/random/boot_id", &mut text);
    let name = length.and_then(|length| std::str::from_utf8(text.get(..length)?).ok());
    name.unwrap_or_default().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let text = b"42 (a) b (c) S 7 42 41 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 987654 1 2\n";
        let stat = parse_stat(text).expect("a stat line");
        assert_eq!((stat.parent, stat.session, stat.start), (7, 41, StartTime(987_654)));
        assert_eq!((stat.name(), stat.zombie), ("a) b (c", false));
    }

    #[test]
    fn this_process_is_found_among_all() {
        let me = Pid::new(crate::sys::process::own_pid()).expect("a pid");
        assert!(
            processes()
                .any(|(pid, found)| pid == me && Some(found.start) == stat(me).map(|s| s.start))
        );
    }
}
