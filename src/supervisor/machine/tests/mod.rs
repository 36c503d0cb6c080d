//! Does the machine keep the rules? Scenarios in simulated time, one file a
//! subject, and a random walk over all of them. No process, no clock.

mod ending;
mod explore;
mod governor;
mod requests;
mod starting;
mod stopping;
mod strays;
mod walk;
mod world;

use std::time::Duration;

use super::*;
use world::{Exec, Life, Strays, World};

/// What `show options` gives as the defaults.
fn defaults() -> Policy {
    Policy {
        backoff_limit: 10,
        forever: false,
        exit_codes: vec![0, 2],
        stop_timeout: Some(secs(300.0)),
        start_timeout: secs(300.0),
        settle_time: secs(1.0),
        hang_around: false,
        tested: false,
        attached: false,
    }
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn killed_by(signal: Signal) -> Ended {
    Ended::Signalled { signal, core: false }
}

const TERMINATE: Event = Event::Terminate(Terminate { signal: Signal::TERM, delivered: false });
const INTERRUPT: Event = Event::Terminate(Terminate { signal: Signal::INT, delivered: false });
const FROM_TERMINAL: Event = Event::Terminate(Terminate { signal: Signal::INT, delivered: true });
