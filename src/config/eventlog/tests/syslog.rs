//! The `<syslog>` handler.

use super::{assert_blames, classic, handler};
use crate::eventlog::plan::{Address, Facility, SyslogPlan, Target};
use crate::vocabulary::Level;
use std::path::PathBuf;

fn syslog(keys: &[(&str, &str)]) -> Result<SyslogPlan, String> {
    match handler("syslog", keys)?.target {
        Target::Syslog(plan) => Ok(plan),
        other @ (Target::Stream(_) | Target::File(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_syslog_handler_has_the_usual_defaults() {
    let plan = handler("syslog", &[]).unwrap();
    assert_eq!(plan.layout, classic("%(name)s %(message)s"));
    assert_eq!(plan.level, Level::NOTSET);
    let address = Address::Remote(([127, 0, 0, 1], 514).into());
    assert_eq!(plan.target, Target::Syslog(SyslogPlan { address, facility: Facility(1) }));
}

#[test]
fn facilities_have_names_in_any_case() {
    for (name, number) in
        [("kern", 0), ("auth", 4), ("security", 4), ("AuthPriv", 10), ("local7", 23)]
    {
        assert_eq!(syslog(&[("facility", name)]).unwrap().facility, Facility(number), "{name}");
    }
    assert_blames(
        syslog(&[("facility", "local8")]),
        11,
        "unknown syslog facility: 'local8'; expected one of: auth, authpriv, cron",
    );
}

#[test]
fn addresses_are_paths_ports_numbers_or_names_in_the_hosts_file() {
    for (written, expected) in [
        ("localhost:515", "127.0.0.1:515"),
        ("LocalHost", "127.0.0.1:514"),
        ("1514", "127.0.0.1:1514"),
        (":1514", "127.0.0.1:1514"),
        ("192.0.2.7:99", "192.0.2.7:99"),
        ("192.0.2.7", "192.0.2.7:514"),
        ("[::1]:99", "[::1]:99"),
        ("[::1]", "[::1]:514"),
        ("::1", "[::1]:514"),
        ("loghost:99", "10.0.0.2:99"),
    ] {
        let address = syslog(&[("address", written)]).unwrap().address;
        assert_eq!(address, Address::Remote(expected.parse().unwrap()), "{written}");
    }
    let local = syslog(&[("address", "/dev/log")]).unwrap().address;
    assert_eq!(local, Address::Local(PathBuf::from("/dev/log")));
    for wrong in
        ["localhost:x", "localhost:0", "70000", "[::1", "[::1]x", "[]", "[name]:1", "a:b:c"]
    {
        let start = format!("invalid syslog address: '{wrong}'");
        assert_blames(syslog(&[("address", wrong)]), 11, &start);
    }
    assert_blames(syslog(&[("address", "elsewhere:514")]), 11, "unknown syslog host: 'elsewhere'");
}
