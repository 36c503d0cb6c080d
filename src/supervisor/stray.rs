//! What the program left behind: processes that it started and that outlived
//! it. As we are their subreaper they are our descendants; those of an adopted
//! program are known by its session. Finds and signals them; when to do so is
//! the machine's business.

use crate::procfs::{self, Stat};
use crate::sys::process;
use crate::vocabulary::{Pid, Signal};

/// Where to look for strays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) supervisor: i32,
    /// The program that was last there; it led this session and group.
    pub(crate) leader: Option<Pid>,
    /// It was not our child, so its orphans did not come to us.
    pub(crate) adopted: bool,
}

/// Every living stray, found through `/proc`.
pub(crate) fn find(origin: Origin) -> Vec<(Pid, Stat)> {
    let all: Vec<(Pid, Stat)> =
        procfs::processes().filter(|(pid, _)| pid.get() != origin.supervisor).collect();
    let session = origin.leader.filter(|_| origin.adopted).map(Pid::get);
    let mut found = vec![false; all.len()];
    loop {
        let before = found.iter().filter(|f| **f).count();
        for (index, (_, stat)) in all.iter().enumerate() {
            let of_family = stat.parent == origin.supervisor
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

/// Signals the strays that can be reached, and tells of each; the number.
pub(crate) fn signal(origin: Origin, signal: Signal, mut tell: impl FnMut(Pid, &str)) -> usize {
    if !procfs::is_there() {
        let reached = origin.leader.is_some_and(|pid| process::kill_group(pid, signal).is_ok());
        return usize::from(reached);
    }
    let strays = find(origin);
    for (pid, stat) in &strays {
        if process::kill(*pid, signal).is_ok() {
            tell(*pid, stat.name());
        }
        if signal == Signal::TERM {
            let _ = process::kill(*pid, Signal::CONT);
        }
    }
    strays.len()
}
