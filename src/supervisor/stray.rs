//! What the program left behind: processes that it started and that outlived
//! it. As we are their subreaper they are our descendants; those of an adopted
//! program are known by its session. Finds and signals them; when to do so is
//! the machine's business.

use crate::instance::Identity;
use crate::procfs::{self, Stat};
use crate::sys::process;
use crate::vocabulary::{Pid, Signal};

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
}

/// Every living stray, found through `/proc`.
pub(crate) fn find(origin: Origin<'_>) -> Vec<(Pid, Stat)> {
    let all: Vec<(Pid, Stat)> =
        procfs::processes().filter(|(pid, _)| pid.get() != origin.supervisor).collect();
    let session = origin.leader.filter(|_| origin.adopted).map(Pid::get);
    let mut found = vec![false; all.len()];
    loop {
        let before = found.iter().filter(|f| **f).count();
        for (index, (pid, stat)) in all.iter().enumerate() {
            let itself = Identity { pid: *pid, start: Some(stat.start) };
            let of_family = origin.family.contains(&itself)
                || stat.parent == origin.supervisor
                || Some(stat.session) == session
                || all.iter().zip(&found).any(|((pid, _), f)| *f && pid.get() == stat.parent);
            if let Some(mark) = found.get_mut(index).filter(|_| of_family) {
                *mark = true;
            }
        }
        if found.iter().filter(|f| **f).count() == before {
            break;
        }
    }
    let strays = all.into_iter().zip(found).filter(|((_, stat), f)| *f && !stat.zombie);
    strays.map(|(stray, _)| stray).collect()
}

/// Signals every stray that can be found; those that were.
pub(crate) fn signal(origin: Origin<'_>, signal: Signal) -> Vec<(Pid, Stat)> {
    let mut strays = find(origin);
    strays.retain(|(pid, _)| process::kill(*pid, signal).is_ok());
    if signal == Signal::TERM {
        for (pid, _) in &strays {
            let _ = process::kill(*pid, Signal::CONT);
        }
    }
    strays
}

/// Without `/proc`: signals those that stayed in the program's group; whether
/// there was one.
pub(crate) fn signal_group(origin: Origin<'_>, signal: Signal) -> bool {
    origin.leader.is_some_and(|pid| process::kill_group(pid, signal).is_ok())
}
