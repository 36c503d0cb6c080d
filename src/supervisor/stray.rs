//! What the program left behind: processes that it started and that outlived
//! it. As we are their subreaper they are our descendants; those of an adopted
//! program are known by its session and by the output that they inherited. Finds
//! and signals them; when to do so is the machine's business.

use std::io;

use crate::instance::Identity;
use crate::procfs::{self, FileId, Stat};
use crate::sys::process;
use crate::vocabulary::{Pid, Signal};

/// So often new ones are looked for while those that were found are held: a
/// limit for a family that is forked faster than it can be stopped.
const ROUNDS: usize = 20;

/// Where to look for strays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) supervisor: i32,
    /// The program that was last there; it led this session and group.
    pub(crate) leader: Option<Pid>,
    /// It was not our child, so its orphans did not come to us.
    pub(crate) adopted: bool,
    /// What is known to be of the family, wherever it has gone.
    pub(crate) family: &'a [Identity],
    /// What the program got as its standard output.
    pub(crate) output: Option<FileId>,
    /// How far to look without `/proc`.
    pub(crate) numbers: Numbers,
}

/// The process numbers that are tried without `/proc`. Most kernels give none
/// above 32768; those that do are not asked for 4 million at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers(i32);

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers(1 << 15)
    }
}

impl Numbers {
    pub(crate) fn widen(&mut self) {
        self.0 = (self.0 * 2).min(1 << 22);
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Stray {
    pub(crate) pid: Pid,
    /// None without `/proc`.
    pub(crate) stat: Option<Stat>,
}

impl Stray {
    pub(crate) fn name(&self) -> &str {
        self.stat.as_ref().map_or("?", Stat::name)
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { pid: self.pid, start: self.stat.map(|stat| stat.start) }
    }

    /// Signals this very process: a number that has gone to somebody else since
    /// we looked is none. None if it is gone.
    fn send(self, signal: Signal) -> Option<Sent> {
        let result = match process::open_pidfd(self.pid) {
            Ok(_) if Identity::of(self.pid) != self.identity() => return None,
            Ok(itself) => process::kill_through(&itself, signal),
            Err(_) => process::kill(self.pid, signal),
        };
        match result {
            Err(error) if process::is_gone(&error) => None,
            result => Some((self, result)),
        }
    }
}

/// A stray and whether it could be signalled.
pub(crate) type Sent = (Stray, io::Result<()>);

/// Every living stray. Without `/proc` only our children are found; theirs become
/// ours when they end.
pub(crate) fn find(origin: Origin<'_>) -> Vec<Stray> {
    if !procfs::is_there() {
        return process::living_children(origin.numbers.0)
            .map(|pid| Stray { pid, stat: None })
            .collect();
    }
    let all: Vec<(Pid, Stat)> =
        procfs::processes().filter(|(pid, _)| pid.get() != origin.supervisor).collect();
    let session = origin.leader.filter(|_| origin.adopted).map(Pid::get);
    let output = origin.output.filter(|_| origin.adopted);
    let is_known = |(pid, stat): &(Pid, Stat)| {
        origin.family.contains(&Identity { pid: *pid, start: Some(stat.start) })
            || stat.parent == origin.supervisor
            || Some(stat.session) == session
            || output.is_some_and(|output| procfs::inherited_output(*pid, output))
    };
    let mut found: Vec<bool> = all.iter().map(is_known).collect();
    loop {
        let before = found.iter().filter(|f| **f).count();
        for (index, (_, stat)) in all.iter().enumerate() {
            let is_child =
                all.iter().zip(&found).any(|((pid, _), f)| *f && pid.get() == stat.parent);
            if let Some(mark) = found.get_mut(index).filter(|_| is_child) {
                *mark = true;
            }
        }
        if found.iter().filter(|f| **f).count() == before {
            break;
        }
    }
    let strays = all.into_iter().zip(found).filter(|((_, stat), f)| *f && !stat.zombie);
    strays.map(|((pid, stat), _)| Stray { pid, stat: Some(stat) }).collect()
}

/// Asks every stray to end. A stopped one gets SIGTERM only once it goes on.
pub(crate) fn terminate(origin: Origin<'_>) -> Vec<Sent> {
    let ask = |stray: Stray| {
        let sent = stray.send(Signal::TERM);
        stray.send(Signal::CONT);
        sent
    };
    find(origin).into_iter().filter_map(ask).collect()
}

/// Kills every stray, and what they fork meanwhile: none is killed, and makes
/// room for another, before all stand still.
pub(crate) fn kill(origin: Origin<'_>) -> Vec<Sent> {
    let mut held: Vec<Stray> = Vec::new();
    let rounds = if procfs::is_there() { ROUNDS } else { 1 };
    for _ in 0..rounds {
        let mut fresh = find(origin);
        fresh.retain(|stray| held.iter().all(|other| other.identity() != stray.identity()));
        if fresh.is_empty() {
            break;
        }
        for stray in &fresh {
            stray.send(Signal::STOP);
        }
        held.extend(fresh);
    }
    held.into_iter().filter_map(|stray| stray.send(Signal::KILL)).collect()
}
