//! What the instance makers say. The lines that begin with "Created", "Wrote",
//! "Warning: not overwriting", "Changed" and "All done" keep their bytes:
//! scripts of ZEO's users match them.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::errno::Errno;

/// What was done, and how to ask.
#[derive(Debug)]
pub(crate) enum Message {
    CreatedDirectory(PathBuf),
    WroteFile(PathBuf),
    NotOverwriting(PathBuf),
    ChangedMode(PathBuf, u32),
    Gave { path: PathBuf, user: String },
    AllDone,
    NoRunzeo,
    MkzeoinstUsage(String),
    MkzeoinstHelp(String),
    MkinstanceUsage(String),
    MkinstanceHelp(String),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::CreatedDirectory(path) => write!(f, "Created directory {}", path.display()),
            Message::WroteFile(path) => write!(f, "Wrote file {}", path.display()),
            Message::NotOverwriting(path) => {
                write!(f, "Warning: not overwriting existing file {}", path.display())
            }
            Message::ChangedMode(path, mode) => {
                write!(f, "Changed mode for {} to {mode:o}", path.display())
            }
            Message::Gave { path, user } => write!(f, "Gave {} to {user}", path.display()),
            Message::AllDone => f.write_str("All done."),
            Message::NoRunzeo => f.write_str(
                "Warning: can't find runzeo on PATH; etc/zeoctl.conf names it without a directory",
            ),
            Message::MkzeoinstUsage(program) => write!(f, "Usage: {program} home [port]"),
            Message::MkzeoinstHelp(program) => write!(f, "{}", mkzeoinst_help(program)),
            Message::MkinstanceUsage(program) => f.write_str(&mkinstance_usage(program)),
            Message::MkinstanceHelp(program) => write!(f, "{}", mkinstance_help(program)),
        }
    }
}

/// What was wrong, without the "Error:" or the program's name in front.
#[derive(Debug)]
pub(crate) enum Complaint {
    UnknownOption(String),
    OptionWithoutArgument(&'static str),
    BadPort(String),
    NotUtf8(&'static str, String),
    ControlCharacter(&'static str, String),
    EmptyHome,
    HomeEndsInBlank(String),
    LineBreakInProgram(String),
    BadName(String),
    BadUser(String),
    /// As the look-up words it.
    NoSuchUser(String),
    /// "unable to", verb, object, reason.
    Unable(&'static str, PathBuf, io::Error),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::UnknownOption(option) => write!(f, "option {option} not recognized"),
            Complaint::OptionWithoutArgument(option) => {
                write!(f, "option {option} requires argument")
            }
            Complaint::BadPort(text) => write!(
                f,
                "invalid port '{text}': expected a number from 1 to 65535, or host:number"
            ),
            Complaint::NotUtf8(what, text) => {
                write!(
                    f,
                    "{what} '{text}' is not valid UTF-8, and so cannot stand in a configuration"
                )
            }
            Complaint::ControlCharacter(what, text) => {
                write!(f, "{what} {text:?} holds a line break or another control character")
            }
            Complaint::NoSuchUser(why) => f.write_str(why),
            Complaint::EmptyHome => f.write_str("home must not be empty"),
            Complaint::HomeEndsInBlank(text) => {
                write!(
                    f,
                    "home '{text}' ends in a blank, which a configuration file cannot express"
                )
            }
            Complaint::LineBreakInProgram(word) => write!(
                f,
                "program word {word:?} holds a line break, which a configuration file cannot \
                 express; put it into a script"
            ),
            Complaint::BadName(name) => write!(
                f,
                "'{name}' cannot name files and services; give --name with letters, digits, '.', \
                 '_' and '-', not beginning with '.' or '-'"
            ),
            Complaint::BadUser(user) => write!(f, "'{user}' is not a user name or number"),
            Complaint::Unable(verb, path, error) => {
                write!(f, "unable to {verb} {}: {}", path.display(), Errno(error))
            }
        }
    }
}

fn mkzeoinst_help(program: &str) -> String {
    format!(
        "Create a ZEO server instance, supervised by zdaemon.
Usage: {program} home [port]

home  the directory of the instance; it is created if need be
port  where the server listens: a number or host:number (default 9999)

In home, this creates
    etc/zeo.conf     the configuration of the ZEO server
    etc/zeoctl.conf  the configuration of its supervisor
    bin/zeoctl       the control script, also for the init directory
    var/             the database and the control socket
    log/             the log files
Files that exist are never overwritten."
    )
}

fn mkinstance_usage(program: &str) -> String {
    format!(
        "Usage: {program} mkinstance [--name NAME] [--user USER] HOME -- PROGRAM [ARGUMENT ...]"
    )
}

fn mkinstance_help(program: &str) -> String {
    format!(
        "Create a directory with all that it takes to run a program as a daemon.
{}

HOME         the directory of the instance; it is created if need be
--name NAME  the name of the files and of the service (default: the last part
             of PROGRAM)
--user USER  the user that the program runs as, when root starts it

In HOME, this creates
    etc/NAME.conf       the configuration of the supervisor
    bin/NAMEctl         the control script, also for the init directory
    etc/NAME.service    a unit for systemd
    etc/NAME.logrotate  a stanza for logrotate
    log/                the program's output and the supervisor's log
    var/                the control socket and the pid file
A PROGRAM with a slash in it is made absolute, one without is looked up on PATH
at each start. Files that exist are never overwritten.",
        mkinstance_usage(program)
    )
}
