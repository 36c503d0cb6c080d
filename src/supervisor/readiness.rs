//! When is the start test to run, and has it passed? Pure: the driver runs the
//! test, tells how it ended and gives the time. A test runs at once when the
//! program has been executed, and again one second after each failure.

use std::time::Duration;

use crate::vocabulary::{Mono, Pid};

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// No test is wanted.
    Off,
    Due {
        at: Mono,
    },
    Testing {
        pid: Pid,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// The process that ended was no test of ours.
    NotATest,
}

impl Readiness {
    /// The program has just been executed.
    pub(crate) fn begin(now: Mono) -> Readiness {
        Readiness::Due { at: now }
    }

    pub(crate) fn deadline(self) -> Option<Mono> {
        match self {
            Readiness::Due { at } => Some(at),
            Readiness::Off | Readiness::Testing { .. } => None,
        }
    }

    pub(crate) fn is_due(self, now: Mono) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// The test could not be run, which counts as failed.
    pub(crate) fn retry(now: Mono) -> Readiness {
        Readiness::Due { at: now.after(INTERVAL) }
    }

    /// A process has ended; was it the test, and did it pass?
    pub(crate) fn ended(&mut self, now: Mono, pid: Pid, success: bool) -> Verdict {
        if *self != (Readiness::Testing { pid }) {
            return Verdict::NotATest;
        }
        if success {
            *self = Readiness::Off;
            return Verdict::Passed;
        }
        *self = Readiness::retry(now);
        Verdict::Failed
    }

    /// The program is gone or not wanted; the test that still runs, to be killed.
    pub(crate) fn abandon(&mut self) -> Option<Pid> {
        let running = match *self {
            Readiness::Testing { pid } => Some(pid),
            Readiness::Off | Readiness::Due { .. } => None,
        };
        *self = Readiness::Off;
        running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    fn pid(number: i32) -> Pid {
        Pid::new(number).expect("positive")
    }

    #[test]
    fn a_test_runs_at_once_and_again_a_second_after_each_failure() {
        let mut readiness = Readiness::begin(at(10));
        assert!(readiness.is_due(at(10)));
        readiness = Readiness::Testing { pid: pid(5) };
        assert_eq!(readiness.deadline(), None);
        assert_eq!(readiness.ended(at(12), pid(5), false), Verdict::Failed);
        assert!(!readiness.is_due(at(12)));
        assert!(readiness.is_due(at(13)));
    }

    #[test]
    fn a_passed_test_is_not_run_again() {
        let mut readiness = Readiness::Testing { pid: pid(5) };
        assert_eq!(readiness.ended(at(1), pid(5), true), Verdict::Passed);
        assert_eq!(readiness, Readiness::Off);
    }

    #[test]
    fn the_end_of_another_process_or_of_an_abandoned_test_is_no_verdict() {
        let mut readiness = Readiness::Testing { pid: pid(5) };
        assert_eq!(readiness.ended(at(1), pid(6), true), Verdict::NotATest);
        assert_eq!(readiness.abandon(), Some(pid(5)));
        assert_eq!(readiness.ended(at(1), pid(5), true), Verdict::NotATest);
    }
}
