//! Against sockets bound by the test.

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
    Syslog::open(SyslogPlan { address, facility: Facility(3) }).unwrap()
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
    for (level, expected) in
        [(50, "<26>"), (40, "<27>"), (30, "<28>"), (20, "<30>"), (10, "<31>"), (15, "<28>")]
    {
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
