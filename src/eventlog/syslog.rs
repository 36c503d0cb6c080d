//! How does a record reach the system log? One packet a record, sent without
//! waiting. A system log that is away or busy costs the record and nothing else;
//! each packet finds its way anew, so that a restarted one gets the next.

#[cfg(test)]
mod tests;

use super::plan::{Address, Facility, SyslogPlan};
use crate::sys::socket::connect;
use crate::vocabulary::Level;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The shortest wait that a socket can be told; it ends with the clock tick.
const NO_TIME: Duration = Duration::from_micros(1);

pub(super) struct Syslog {
    facility: Facility,
    route: Route,
}

enum Route {
    Local { path: PathBuf, datagram: UnixDatagram, stream: Option<UnixStream> },
    Remote { address: SocketAddr, socket: UdpSocket },
}

impl Syslog {
    /// Fails only if the process can have no more sockets.
    pub(super) fn open(plan: SyslogPlan) -> io::Result<Syslog> {
        let route = match plan.address {
            Address::Local(path) => {
                let datagram = UnixDatagram::unbound()?;
                datagram.set_nonblocking(true)?;
                Route::Local { path, datagram, stream: None }
            }
            Address::Remote(address) => {
                let socket = match address {
                    SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
                    SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
                };
                socket.set_nonblocking(true)?;
                Route::Remote { address, socket }
            }
        };
        Ok(Syslog { facility: plan.facility, route })
    }

    /// Appends what stands before a record's text.
    pub(super) fn begin(&self, level: Level, packet: &mut Vec<u8>) {
        let severity = match level {
            Level::CRITICAL => 2,
            Level::ERROR => 3,
            Level::INFO => 6,
            Level::DEBUG => 7,
            _ => 4,
        };
        let _ = write!(packet, "<{}>", u32::from(self.facility.0) * 8 + severity);
    }

    pub(super) fn send(&mut self, packet: &[u8]) {
        // Nobody can be told, and a system log that is away is no reason to
        // trouble the other handlers.
        let _ = match &mut self.route {
            Route::Local { path, datagram, stream } => send_local(path, datagram, stream, packet),
            Route::Remote { address, socket } => socket.send_to(packet, *address).map(drop),
        };
    }
}

fn send_local(
    path: &Path,
    datagram: &UnixDatagram,
    stream: &mut Option<UnixStream>,
    packet: &[u8],
) -> io::Result<()> {
    if let Some(mut connected) = stream.take() {
        match connected.write(packet) {
            Ok(length) if length == packet.len() => {
                *stream = Some(connected);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                *stream = Some(connected);
                return Err(error);
            }
            // Gone, or cut off in the middle of this packet: a new connection.
            Ok(_) | Err(_) => {}
        }
    }
    match datagram.send_to(packet, path) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
        result => return result.map(drop),
    }
    let mut connected = connect(path, NO_TIME)?;
    connected.set_nonblocking(true)?;
    if connected.write(packet)? == packet.len() {
        *stream = Some(connected);
    }
    Ok(())
}
