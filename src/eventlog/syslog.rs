//! How does a record reach the system log? One packet a record, sent without
//! waiting. A system log that is away or busy costs the record and nothing else;
//! each packet finds its way anew, so that a restarted one gets the next.

use super::plan::{Address, Facility, SyslogPlan};
use crate::sys;
use crate::vocabulary::Level;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

pub(super) struct Syslog {
    facility: Facility,
    route: Route,
}

enum Route {
    Local {
        path: PathBuf,
        datagram: UnixDatagram,
        stream: Option<UnixStream>,
    },
    Remote {
        address: SocketAddr,
        socket: UdpSocket,
    },
}

impl Syslog {
    /// Fails only if the process can have no more sockets.
    pub(super) fn open(plan: SyslogPlan) -> io::Result<Syslog> {
        let route = match plan.address {
            Address::Local(path) => {
                let datagram = UnixDatagram::unbound()?;
                datagram.set_nonblocking(true)?;
                Route::Local {
                    path,
                    datagram,
                    stream: None,
                }
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
        Ok(Syslog {
            facility: plan.facility,
            route,
        })
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
            Route::Local {
                path,
                datagram,
                stream,
            } => send_local(path, datagram, stream, packet),
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
    let mut connected = sys::local_stream::connect(path)?;
    if connected.write(packet)? == packet.len() {
        *stream = Some(connected);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Syslog;
    use crate::eventlog::plan::{Address, Facility, SyslogPlan};
    use crate::vocabulary::Level;
    use std::io::Read;
    use std::net::UdpSocket;
    use std::os::unix::net::{UnixDatagram, UnixListener};
    use std::path::{Path, PathBuf};

    fn socket_path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("zdaemon-syslog-{}-{name}", std::process::id()))
    }

    fn open(address: Address) -> Syslog {
        Syslog::open(SyslogPlan {
            address,
            facility: Facility(3),
        })
        .unwrap()
    }

    fn local(path: &Path) -> Syslog {
        open(Address::Local(path.to_owned()))
    }

    fn received(peer: &UnixDatagram) -> String {
        let mut packet = [0; 100];
        let length = peer.recv(&mut packet).unwrap();
        String::from_utf8(packet[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_priority_combines_facility_and_level() {
        let syslog = open(Address::Remote(([127, 0, 0, 1], 514).into()));
        for (level, expected) in [
            (50, "<26>"),
            (40, "<27>"),
            (30, "<28>"),
            (20, "<30>"),
            (10, "<31>"),
            (15, "<28>"),
        ] {
            let mut packet = Vec::new();
            syslog.begin(Level(level), &mut packet);
            assert_eq!(String::from_utf8(packet).unwrap(), expected);
        }
    }

    #[test]
    fn a_restarted_peer_gets_the_next_packet() {
        let path = socket_path("restarted");
        let mut syslog = local(&path);
        syslog.send(b"nobody there");
        let peer = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"one");
        assert_eq!(received(&peer), "one");
        drop(peer);
        syslog.send(b"nobody listens");
        std::fs::remove_file(&path).unwrap();
        syslog.send(b"nobody there");
        let peer = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"two");
        assert_eq!(received(&peer), "two");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_peer_that_takes_streams_is_connected_to_again_and_again() {
        let path = socket_path("stream");
        let mut syslog = local(&path);
        for _ in 0..2 {
            let peer = UnixListener::bind(&path).unwrap();
            syslog.send(b"one\0");
            syslog.send(b"two\0");
            let mut text = [0; 8];
            peer.accept().unwrap().0.read_exact(&mut text).unwrap();
            assert_eq!(&text, b"one\0two\0");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_peer_that_does_not_read_costs_packets_and_no_time() {
        let path = socket_path("deaf");
        let peer = UnixDatagram::bind(&path).unwrap();
        let mut syslog = local(&path);
        for _ in 0..2000 {
            syslog.send(&[b'x'; 1000]);
        }
        drop(peer);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn packets_go_over_the_network_in_both_families() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6 at all.
            let Ok(peer) = UdpSocket::bind(address) else {
                continue;
            };
            let mut syslog = open(Address::Remote(peer.local_addr().unwrap()));
            syslog.send(b"hello");
            let mut packet = [0; 100];
            let length = peer.recv(&mut packet).unwrap();
            assert_eq!(&packet[..length], b"hello");
        }
    }
}
