//! Which event log do the variables of the oldest installations ask for? They
//! count only where a caller has no `<eventlog>` section and wants them.

use super::{SYSLOG_FORMAT, Surroundings, address};
use crate::config::Error;
use crate::eventlog::plan::{FilePlan, HandlerPlan, Plan, SyslogPlan, Target};
use crate::eventlog::{DEFAULT_DATE_FORMAT, DEFAULT_FORMAT, Layout, Style, level};
use crate::messages::eventlog::Problem;
use crate::vocabulary::Level;
use std::path::{Path, PathBuf};

/// A file, the local system log, a remote one, or several of them; none if no
/// variable names a destination. `get` gives the values; an empty one is as good
/// as none; `base` and `home` as for a section.
pub(crate) fn from_environment(
    get: impl Fn(&str) -> Option<String>,
    base: &Path,
    home: &dyn Fn(&Path) -> PathBuf,
) -> Result<Option<Plan>, Error> {
    let surroundings = Surroundings { base, home, hosts: &address::hosts_file };
    let get = |name: &str| get(name).filter(|value| !value.is_empty());
    let mut handlers = Vec::new();
    if let Some(path) = get("EVENT_LOG_FILE").or_else(|| get("STUPID_LOG_FILE")) {
        let path = surroundings.path(&path);
        let target = Target::File(FilePlan { path, delay: false, rotation: None });
        handlers.push(handler(DEFAULT_FORMAT, target)?);
    }
    let variable = |name| Variable { name, value: get(name) };
    let facility = variable("ZSYSLOG_FACILITY").read(address::facility)?.unwrap_or(address::USER);
    for name in ["ZSYSLOG", "ZSYSLOG_SERVER"] {
        let address = variable(name).read(|text| address::parse(text, &surroundings))?;
        if let Some(address) = address {
            let target = Target::Syslog(SyslogPlan { address, facility });
            handlers.push(handler(SYSLOG_FORMAT, target)?);
        }
    }
    let level = variable("EVENT_LOG_SEVERITY").read(level::parse_severity)?.unwrap_or(Level::INFO);
    let plan = Plan { level, handlers, warnings: Vec::new() };
    Ok(Some(plan).filter(|plan| !plan.handlers.is_empty()))
}

fn handler(format: &str, target: Target) -> Result<HandlerPlan, Error> {
    let layout = Layout::parse(format, Style::Classic, false, DEFAULT_DATE_FORMAT);
    Ok(HandlerPlan { level: Level::NOTSET, layout: layout.map_err(Error::new)?, target })
}

struct Variable {
    name: &'static str,
    value: Option<String>,
}

impl Variable {
    /// The value as `convert` understands it, if there is one.
    fn read<T>(self, convert: impl Fn(&str) -> Result<T, Problem>) -> Result<Option<T>, Error> {
        self.value.as_deref().map(convert).transpose().map_err(|problem| {
            Error::new(Problem::Variable { name: self.name, problem: Box::new(problem) })
        })
    }
}
