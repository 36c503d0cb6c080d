//! What an event log consists of, as plain data: made by reading a
//! configuration, used when the log is opened. Opens and checks nothing.

use super::format::Layout;
use crate::vocabulary::Level;
use crate::wire::{Wire, wire_enum, wire_struct};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A configured event log. Without handlers, records are discarded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// What is less grave than this reaches no handler.
    pub(crate) level: Level,
    pub(crate) handlers: Vec<HandlerPlan>,
    /// For the user's standard error, one line each.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HandlerPlan {
    /// What is less grave than this does not reach this handler.
    pub(crate) level: Level,
    pub(crate) layout: Layout,
    pub(crate) target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stream(Stream),
    File(FilePlan),
    Syslog(SyslogPlan),
}

/// A standard stream: whatever its descriptor is when a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePlan {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// Opened not before the first record.
    pub(crate) delay: bool,
    pub(crate) rotation: Option<Rotation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// At least 1.
    pub(crate) old_files: u32,
    pub(crate) rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The file stays smaller than this many bytes.
    Size(u64),
    Time(Period),
}

/// `interval` (at least 1) times the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) unit: Unit,
    pub(crate) interval: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Midnight,
    /// The midnight that ends this day: 0 for Monday to 6 for Sunday.
    Weekday(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyslogPlan {
    pub(crate) address: Address,
    pub(crate) facility: Facility,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A datagram or stream socket of this machine.
    Local(PathBuf),
    /// UDP.
    Remote(SocketAddr),
}

/// The number of a syslog facility, 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facility(pub(crate) u8);

wire_struct!(Plan { level, handlers, warnings });
wire_struct!(HandlerPlan { level, layout, target });
wire_enum!(Target { 0: Stream(stream), 1: File(plan), 2: Syslog(plan) });
wire_enum!(Stream { 0: Stdout, 1: Stderr });
wire_struct!(FilePlan { path, delay, rotation });
wire_struct!(Rotation { old_files, rule });
wire_enum!(Rule { 0: Size(bytes), 1: Time(period) });
wire_struct!(Period { unit, interval });
wire_enum!(Unit { 0: Second, 1: Minute, 2: Hour, 3: Day, 4: Midnight, 5: Weekday(day) });
wire_struct!(SyslogPlan { address, facility });
wire_struct!(Facility(0));
wire_struct!(Level(0));
wire_enum!(Address { 0: Local(path), 1: Remote(address) });

impl Wire for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        String::take(from)?.parse().ok()
    }
}
