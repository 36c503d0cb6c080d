//! The variables of old installations.

use super::{classic, home};
use crate::config::eventlog::environment::from_environment;
use crate::eventlog::DEFAULT_FORMAT;
use crate::eventlog::plan::{Address, Facility, FilePlan, Plan, SyslogPlan, Target};
use crate::vocabulary::Level;
use std::path::{Path, PathBuf};

fn environment(variables: &[(&str, &str)]) -> Result<Option<Plan>, String> {
    let get = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    from_environment(get, Path::new("/launch"), &home).map_err(|error| error.to_string())
}

#[test]
fn the_environment_names_a_file_and_a_severity_on_the_old_scale() {
    assert_eq!(environment(&[("EVENT_LOG_SEVERITY", "0"), ("EVENT_LOG_FILE", "")]), Ok(None));
    let variables = [("STUPID_LOG_FILE", "old.log"), ("EVENT_LOG_SEVERITY", "-100")];
    let plan = environment(&variables).unwrap().unwrap();
    assert_eq!(plan.level, Level(15));
    let file = |path: &str| {
        Target::File(FilePlan { path: PathBuf::from(path), delay: false, rotation: None })
    };
    assert_eq!(plan.handlers[0].target, file("/launch/old.log"));
    assert_eq!(plan.handlers[0].layout, classic(DEFAULT_FORMAT));
    let both = [("STUPID_LOG_FILE", "old.log"), ("EVENT_LOG_FILE", "/new.log")];
    let plan = environment(&both).unwrap().unwrap();
    assert_eq!(plan.level, Level::INFO);
    assert_eq!(plan.handlers.len(), 1);
    assert_eq!(plan.handlers[0].target, file("/new.log"));
}

#[test]
fn the_environment_names_system_logs() {
    let plan = environment(&[
        ("ZSYSLOG", "/dev/log"),
        ("ZSYSLOG_SERVER", "192.0.2.7:515"),
        ("ZSYSLOG_FACILITY", "local0"),
    ]);
    let targets: Vec<Target> =
        plan.unwrap().unwrap().handlers.into_iter().map(|handler| handler.target).collect();
    let target = |address| Target::Syslog(SyslogPlan { address, facility: Facility(16) });
    let remote = Address::Remote(([192, 0, 2, 7], 515).into());
    assert_eq!(targets, [target(Address::Local("/dev/log".into())), target(remote)]);
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, start) in [
        ("EVENT_LOG_SEVERITY", "loud", "unknown log level: 'loud'"),
        ("ZSYSLOG_FACILITY", "x", "unknown syslog facility: 'x'"),
        ("ZSYSLOG_SERVER", "nowhere:1", "unknown syslog host: 'nowhere'"),
    ] {
        let error = environment(&[(name, value)]).unwrap_err();
        let start = format!("environment variable {name}: {start}");
        assert!(error.starts_with(&start), "{error}");
    }
}
