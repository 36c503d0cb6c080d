//! Where is the system log, and which of its facilities is meant? Hosts are
//! numbers or stand in a hosts file: a static binary asks no name service.

use super::Surroundings;
use crate::eventlog::plan::{Address, Facility};
use crate::messages::eventlog::Problem;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PORT: u16 = 514;

const FACILITIES: [(&str, Facility); 20] = [
    ("auth", Facility(4)),
    ("authpriv", Facility(10)),
    ("cron", Facility(9)),
    ("daemon", Facility(3)),
    ("kern", Facility(0)),
    ("local0", Facility(16)),
    ("local1", Facility(17)),
    ("local2", Facility(18)),
    ("local3", Facility(19)),
    ("local4", Facility(20)),
    ("local5", Facility(21)),
    ("local6", Facility(22)),
    ("local7", Facility(23)),
    ("lpr", Facility(6)),
    ("mail", Facility(2)),
    ("news", Facility(7)),
    ("security", Facility(4)),
    ("syslog", Facility(5)),
    ("user", USER),
    ("uucp", Facility(8)),
];

pub(super) const USER: Facility = Facility(1);

pub(super) fn facility(text: &str) -> Result<Facility, Problem> {
    let found = FACILITIES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, facility)| *facility).ok_or_else(|| {
        let names: Vec<&str> = FACILITIES.iter().map(|(name, _)| *name).collect();
        Problem::Facility { name: text.to_owned(), known: format!("one of: {}", names.join(", ")) }
    })
}

pub(super) fn local_default() -> Address {
    Address::Remote((Ipv4Addr::LOCALHOST, PORT).into())
}

/// A path with a slash, `host:port`, `[IPv6]:port`, a bare host or a bare port.
pub(super) fn parse(text: &str, surroundings: &Surroundings<'_>) -> Result<Address, Problem> {
    if text.contains('/') {
        return Ok(Address::Local(surroundings.path(text)));
    }
    let wrong = || Problem::Address(text.to_owned());
    let (host, port) = split(text).ok_or_else(wrong)?;
    let port = match port {
        None => PORT,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
    };
    let address = match host {
        Host::Number(number) => number.parse().map_err(|_| wrong())?,
        Host::Name("") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Host::Name(name) if name.eq_ignore_ascii_case("localhost") => {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        }
        Host::Name(name) => match name.parse() {
            Ok(address) => address,
            Err(_) => host_in(&(surroundings.hosts)(), name)
                .ok_or_else(|| Problem::UnknownHost(name.to_owned()))?,
        },
    };
    Ok(Address::Remote(SocketAddr::new(address, port)))
}

enum Host<'a> {
    /// In brackets, or with several colons.
    Number(&'a str),
    /// Or a number without colons; empty for this machine.
    Name(&'a str),
}

fn split(text: &str) -> Option<(Host<'_>, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (number, rest) = rest.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        return Some((Host::Number(number), port));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((Host::Name(""), Some(text)));
    }
    match text.split_once(':') {
        None => Some((Host::Name(text), None)),
        Some((_, rest)) if rest.contains(':') => Some((Host::Number(text), None)),
        Some((name, port)) => Some((Host::Name(name), Some(port))),
    }
}

/// Empty if it cannot be read.
pub(super) fn hosts_file() -> String {
    fs::read_to_string("/etc/hosts").unwrap_or_default()
}

/// The first address that `hosts`, the text of a hosts file, has for `name`.
fn host_in(hosts: &str, name: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    })
}
