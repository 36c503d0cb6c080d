//! The event log: what the supervisor has to say about itself, in the files,
//! streams and system logs of a plan. Decides neither what is said nor when; the
//! time comes with each record. A handler that cannot write never stops the
//! supervisor: it counts what is lost and says so when it can write again.

mod file;
mod format;
pub(crate) mod level;
mod local;
pub(crate) mod plan;
mod rotation;
mod stamp;
mod stream;
mod syslog;
#[cfg(test)]
mod tests;
mod whole;
mod zone;

pub(crate) use format::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, Layout, Style};

use crate::messages::eventlog::{CannotOpen, Notice};
use crate::vocabulary::Level;
use file::LogFile;
use format::Record;
use level::Shown;
use local::Zone;
pub(crate) use plan::Plan;
use plan::{HandlerPlan, Stream, Target};
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use syslog::Syslog;
use whole::Whole;

/// Room for a usual record; a longer one makes the buffer grow once.
const USUAL_RECORD: usize = 1024;
const LONGEST_STAMP: usize = 256;

/// An open event log.
pub(crate) struct EventLog {
    level: Level,
    handlers: Vec<Handler>,
    buffer: Vec<u8>,
    /// Wall time since 1970.
    opened: Duration,
    zone: Zone,
}

impl EventLog {
    /// Opens what is not to be opened later. Without a plan, warnings and worse
    /// go to standard error as bare text. `now` is wall time since 1970.
    pub(crate) fn open(plan: Option<Plan>, now: Duration) -> Result<EventLog, CannotOpen> {
        let plan = plan.unwrap_or_else(|| Plan {
            level: Level::WARNING,
            handlers: vec![HandlerPlan {
                level: Level::NOTSET,
                layout: Layout::bare(),
                target: Target::Stream(Stream::Stderr),
            }],
            warnings: Vec::new(),
        });
        let zone = Zone::new(std::env::var_os("TZ").as_deref());
        let mut handlers = Vec::with_capacity(plan.handlers.len());
        for handler in plan.handlers {
            handlers.push(Handler::open(handler, now, &zone)?);
        }
        Ok(EventLog {
            level: plan.level,
            handlers,
            buffer: Vec::with_capacity(USUAL_RECORD),
            opened: now,
            zone,
        })
    }

    /// Hands a record to every handler that takes its level. `now` is wall time
    /// since 1970. Never waits and never fails.
    pub(crate) fn write(&mut self, level: Level, message: &dyn Display, now: Duration) {
        if level < self.level {
            return;
        }
        let event = Event { level, message, at: now, opened: self.opened, zone: &self.zone };
        for handler in self.handlers.iter_mut().filter(|handler| level >= handler.level) {
            handler.write(&event, &mut self.buffer);
        }
    }

    /// Closes and opens all files again; rotating ones are put aside first. The
    /// first failure is returned after all have been tried, and the files that
    /// failed go on as they were. A time zone that was changed counts from now on.
    pub(crate) fn reopen(&mut self, now: Duration) -> Result<(), CannotOpen> {
        self.zone.forget();
        let mut first_failure = Ok(());
        for handler in &mut self.handlers {
            let result = handler.sink.reopen(now, &self.zone);
            first_failure = first_failure.and(result);
        }
        first_failure
    }
}

struct Handler {
    level: Level,
    layout: Layout,
    sink: Sink,
    lost: Option<Lost>,
}

/// Records that could not be written, and why the last could not.
struct Lost {
    records: u64,
    reason: io::Error,
}

#[derive(Clone, Copy)]
struct Event<'a> {
    level: Level,
    message: &'a dyn Display,
    at: Duration,
    opened: Duration,
    zone: &'a Zone,
}

impl Handler {
    fn open(plan: HandlerPlan, now: Duration, zone: &Zone) -> Result<Handler, CannotOpen> {
        let sink = Sink::open(plan.target, now, zone)?;
        Ok(Handler { level: plan.level, layout: plan.layout, sink, lost: None })
    }

    fn write(&mut self, event: &Event<'_>, buffer: &mut Vec<u8>) {
        if let Some(lost) = self.lost.take() {
            let notice = Notice::Lost { records: lost.records, reason: &lost.reason };
            let notice = Event { level: Level::WARNING, message: &notice, ..*event };
            if let Err(reason) = self.emit(&notice, buffer) {
                self.lost = Some(Lost { records: lost.records + 1, reason });
                return;
            }
        }
        if let Err(reason) = self.emit(event, buffer) {
            self.lost = Some(Lost { records: 1, reason });
        }
    }

    fn emit(&mut self, event: &Event<'_>, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.render(event, buffer);
        let rotated = self.sink.rotate_if_due(buffer.len(), event.at, event.zone);
        self.sink.put(buffer)?;
        if let Err(CannotOpen { path, reason }) = rotated {
            let notice = Notice::CannotRotate { path: &path, reason: &reason };
            let notice = Event { level: Level::WARNING, message: &notice, ..*event };
            self.render(&notice, buffer);
            // The record itself is out, so there is nothing to count.
            let _ = self.sink.put(buffer);
        }
        Ok(())
    }

    fn render(&self, event: &Event<'_>, buffer: &mut Vec<u8>) {
        let mut stamp = [0; LONGEST_STAMP];
        let asctime = match self.layout.date_format() {
            Some(format) => {
                let time = event.zone.at(event.at.as_secs());
                time.map_or("", |time| time.stamp(format, &mut stamp))
            }
            None => "",
        };
        let record = Record {
            level: Shown(event.level),
            message: event.message,
            at: event.at,
            opened: event.opened,
            process: std::process::id(),
            asctime,
        };
        buffer.clear();
        self.sink.begin(event.level, buffer);
        self.layout.render(&record, buffer);
        self.sink.end(buffer);
    }
}

enum Sink {
    Stream(Stream, Whole),
    File(LogFile),
    Syslog(Syslog),
}

impl Sink {
    fn open(target: Target, now: Duration, zone: &Zone) -> Result<Sink, CannotOpen> {
        match target {
            Target::Stream(stream) => Ok(Sink::Stream(stream, Whole::default())),
            Target::File(plan) => {
                let path = plan.path.clone();
                let file = LogFile::open(plan, now, zone).map(Sink::File);
                file.map_err(|reason| CannotOpen { path, reason })
            }
            Target::Syslog(plan) => Syslog::open(plan)
                .map(Sink::Syslog)
                .map_err(|reason| CannotOpen { path: PathBuf::from("syslog"), reason }),
        }
    }

    fn begin(&self, level: Level, buffer: &mut Vec<u8>) {
        match self {
            Sink::Stream(..) | Sink::File(_) => {}
            Sink::Syslog(syslog) => syslog.begin(level, buffer),
        }
    }

    fn end(&self, buffer: &mut Vec<u8>) {
        match self {
            Sink::Stream(..) | Sink::File(_) => buffer.push(b'\n'),
            Sink::Syslog(_) => buffer.push(0),
        }
    }

    fn put(&mut self, record: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stream(stream, whole) => whole.put(stream, record),
            Sink::File(file) => file.put(record),
            Sink::Syslog(syslog) => {
                syslog.send(record);
                Ok(())
            }
        }
    }

    fn rotate_if_due(
        &mut self,
        length: usize,
        now: Duration,
        zone: &Zone,
    ) -> Result<(), CannotOpen> {
        match self {
            Sink::File(file) => {
                file.rotate_if_due(length, now, zone).map_err(|reason| failure(file, reason))
            }
            Sink::Stream(..) | Sink::Syslog(_) => Ok(()),
        }
    }

    fn reopen(&mut self, now: Duration, zone: &Zone) -> Result<(), CannotOpen> {
        match self {
            Sink::File(file) => file.reopen(now, zone).map_err(|reason| failure(file, reason)),
            Sink::Stream(..) | Sink::Syslog(_) => Ok(()),
        }
    }
}

fn failure(file: &LogFile, reason: io::Error) -> CannotOpen {
    CannotOpen { path: file.path().to_owned(), reason }
}
