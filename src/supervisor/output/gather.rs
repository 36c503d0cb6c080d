//! When the program's output is read: a first line at once; in a stream of
//! small writes after naps of a millisecond, in which they gather; and never
//! again once it has stopped. Pure: told the time, reads nothing.

use std::time::Duration;

use crate::vocabulary::Mono;

/// How long a stream of small writes is left to gather.
const NAP: Duration = Duration::from_millis(1);
/// How long what reading needs is kept after a line that came alone.
const LINGER: Duration = Duration::from_millis(100);
/// When a transcript that takes nothing, or memory that is not there, is tried
/// again.
const RETRY: Duration = Duration::from_secs(1);
/// For how long no nap is taken after one that let the pipe fill up.
const AWAKE: Duration = Duration::from_millis(20);
/// Less than this at once is a small write.
const SMALL: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for output, holds nothing.
    Quiet,
    /// Waits for output until then.
    Lingering(Mono),
    /// Does not look at the pipe until then.
    Napping(Mono),
}

/// What has been read at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) bytes: usize,
    /// There may be more in the pipe.
    pub(super) more: bool,
    /// What the pipe holds at most.
    pub(super) pipe: usize,
    /// Something is left to be tried again, whether output comes or not.
    pub(super) unsettled: bool,
}

#[derive(Debug)]
pub(super) struct Rhythm {
    state: State,
    /// When output was last there.
    last: Option<Mono>,
    awake_until: Option<Mono>,
}

impl Rhythm {
    pub(super) fn new() -> Rhythm {
        Rhythm { state: State::Quiet, last: None, awake_until: None }
    }

    /// Something is left behind: looks once as soon as possible.
    pub(super) fn wake(&mut self) {
        self.state = State::Lingering(Mono(Duration::ZERO));
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.state == State::Quiet
    }

    pub(super) fn is_watching(&self) -> bool {
        !matches!(self.state, State::Napping(_))
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Quiet => None,
            State::Lingering(until) | State::Napping(until) => Some(until),
        }
    }

    /// Does not look for a while: nothing can be read just now.
    pub(super) fn rest(&mut self, now: Mono) {
        self.state = State::Napping(now.after(RETRY));
    }

    pub(super) fn took(&mut self, now: Mono, taken: Taken) {
        let napped = !self.is_watching();
        if taken.bytes == 0 {
            if self.deadline().is_some_and(|at| at <= now) {
                self.state = match taken.unsettled {
                    true => State::Lingering(now.after(RETRY)),
                    false => State::Quiet,
                };
            }
            return;
        }
        if napped && taken.bytes >= taken.pipe / 8 * 7 {
            // It may have kept the program waiting.
            self.awake_until = Some(now.after(AWAKE));
        }
        let streams = napped || self.last.is_some_and(|last| now.since(last) <= NAP);
        let small = napped || taken.bytes < SMALL;
        let may_nap = self.awake_until.is_none_or(|until| until <= now) && !taken.more;
        self.last = Some(now);
        self.state = match streams && small && may_nap {
            true => State::Napping(now.after(NAP)),
            false => State::Lingering(now.after(LINGER)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: usize = 64 * 1024;

    fn at(micros: u64) -> Mono {
        Mono(Duration::from_secs(5)).after(Duration::from_micros(micros))
    }

    fn take(rhythm: &mut Rhythm, micros: u64, bytes: usize) {
        let taken = Taken { bytes, more: false, pipe: PIPE, unsettled: false };
        rhythm.took(at(micros), taken);
    }

    #[test]
    fn a_line_alone_is_followed_by_one_waking_and_then_by_none() {
        let mut rhythm = Rhythm::new();
        take(&mut rhythm, 10, 100);
        assert!(rhythm.is_watching());
        assert_eq!(rhythm.deadline(), Some(at(10).after(LINGER)));
        take(&mut rhythm, 110_000, 0);
        assert_eq!((rhythm.is_quiet(), rhythm.deadline()), (true, None));
    }

    #[test]
    fn small_writes_one_after_the_other_are_gathered_until_none_comes() {
        let mut rhythm = Rhythm::new();
        take(&mut rhythm, 0, 100);
        take(&mut rhythm, 500, 100);
        assert!(!rhythm.is_watching());
        assert_eq!(rhythm.deadline(), Some(at(1500)));
        take(&mut rhythm, 1500, 20_000);
        assert!(!rhythm.is_watching());
        take(&mut rhythm, 2500, 0);
        assert_eq!((rhythm.is_quiet(), rhythm.is_watching()), (true, true));
    }

    #[test]
    fn nobody_naps_while_a_program_waits_for_room_in_the_pipe() {
        let mut rhythm = Rhythm::new();
        for micros in 0..5 {
            take(&mut rhythm, micros, PIPE);
            assert!(rhythm.is_watching());
        }
        take(&mut rhythm, 10, 100);
        take(&mut rhythm, 1010, PIPE);
        assert!(rhythm.is_watching(), "the nap was too long");
        take(&mut rhythm, 1020, 100);
        assert!(rhythm.is_watching());
        take(&mut rhythm, 30_000, 100);
        take(&mut rhythm, 30_100, 100);
        assert!(!rhythm.is_watching());
    }

    #[test]
    fn what_is_unsettled_is_tried_again_without_output() {
        let mut rhythm = Rhythm::new();
        let taken = Taken { bytes: 0, more: false, pipe: PIPE, unsettled: true };
        rhythm.wake();
        rhythm.took(at(0), taken);
        assert_eq!(rhythm.deadline(), Some(at(0).after(RETRY)));
        take(&mut rhythm, 1_000_000, 0);
        assert!(rhythm.is_quiet());
    }
}
