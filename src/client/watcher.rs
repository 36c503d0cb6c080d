//! How a client waits for a peer: it prints a dot for each full second, and minds
//! ^C and a limit. Reads nothing.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::sys::clock;
use crate::sys::poll::{self, Watch};
use crate::sys::signal::SelfPipe;
use crate::vocabulary::{Mono, Signal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Ready,
    Interrupted,
    TimedOut,
}

/// Waits, prints a dot for each full second, and minds ^C and the limit.
pub(super) struct Watcher {
    signals: SelfPipe,
    pub(super) began: Mono,
    end: Option<Mono>,
    dots: u32,
}

impl Watcher {
    pub(super) fn new(limit: Option<Duration>) -> io::Result<Watcher> {
        let signals = SelfPipe::catch(&[Signal::INT])?;
        let began = clock::monotonic();
        let end = limit.map(|limit| began.after(limit));
        Ok(Watcher { signals, began, end, dots: 0 })
    }

    pub(super) fn limit_to(&mut self, limit: Duration) {
        self.end = Some(clock::monotonic().after(limit));
    }

    pub(super) fn wait(&mut self, stream: Option<&UnixStream>) -> Woken {
        loop {
            match self.wait_for(stream, None) {
                Some(woken) => return woken,
                None => self.print_due_dots(),
            }
        }
    }

    pub(super) fn wait_until(&mut self, at: Mono) -> Woken {
        loop {
            match self.wait_for(None, Some(at)) {
                Some(woken) => return woken,
                None => self.print_due_dots(),
            }
            if clock::monotonic() >= at {
                return Woken::Ready;
            }
        }
    }

    /// Without dots.
    pub(super) fn wait_quietly(&mut self, stream: &UnixStream) -> Woken {
        loop {
            if let Some(woken) = self.wait_once(Some(stream), None) {
                return woken;
            }
        }
    }

    /// None when nothing but time has passed.
    fn wait_for(&mut self, stream: Option<&UnixStream>, at: Option<Mono>) -> Option<Woken> {
        self.wait_once(stream, self.next_dot().into_iter().chain(at).min())
    }

    fn wait_once(&mut self, stream: Option<&UnixStream>, at: Option<Mono>) -> Option<Woken> {
        let now = clock::monotonic();
        if self.end.is_some_and(|end| end <= now) {
            return Some(Woken::TimedOut);
        }
        let next = self.end.into_iter().chain(at).min();
        let readable = stream.map_or(Watch::IDLE, |stream| Watch::readable(stream.as_fd()));
        let mut watches = [readable, Watch::readable(self.signals.fd())];
        let _ = poll::poll(&mut watches, next.map(|next| next.since(now)));
        let [stream, signals] = &watches;
        if signals.is_ready() {
            self.signals.empty();
            let _ = self.signals.take().count();
            return Some(Woken::Interrupted);
        }
        stream.is_ready().then_some(Woken::Ready)
    }

    fn next_dot(&self) -> Option<Mono> {
        Some(self.began.after(Duration::from_secs(u64::from(self.dots) + 1)))
    }

    fn print_due_dots(&mut self) {
        while self.next_dot().is_some_and(|at| at <= clock::monotonic()) {
            self.dots += 1;
            let mut out = io::stdout().lock();
            let _ = write!(out, ". ").and_then(|()| out.flush());
        }
    }

    /// How many dots were printed.
    pub(super) fn dots(&self) -> u32 {
        self.dots
    }
}
