//! What the client and the instance makers say: examples.

use super::{examples, missing};
use crate::messages::client::{Complain, Say};
use crate::messages::options::CommandLine;
use crate::messages::scaffold::{Complaint, Message};
use crate::vocabulary::{Pid, Signal};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

fn pid() -> Pid {
    Pid::new(123).expect("a pid")
}

fn words(text: &str) -> &'static [OsString] {
    let words: Vec<OsString> = text.split(' ').map(OsString::from).collect();
    Box::leak(words.into_boxed_slice())
}

fn error() -> &'static std::io::Error {
    Box::leak(Box::new(missing()))
}

#[rustfmt::skip]
pub(super) fn say() -> String {
    examples!("what commands say", Say<'static>, |m| m.to_string(),
        Say::ProgramRunning(_) => Say::ProgramRunning(pid()),
        Say::SupervisorWithoutProgram => Say::SupervisorWithoutProgram,
        Say::SupervisorNotRunning => Say::SupervisorNotRunning,
        Say::ProgramNotRunning => Say::ProgramNotRunning,
        Say::Unsupervised(_) => Say::Unsupervised(pid()),
        Say::Started(_) => Say::Started(pid()),
        Say::Restarted(_) => Say::Restarted(pid()),
        Say::Stopped => Say::Stopped,
        Say::AlreadyRunning(_) => Say::AlreadyRunning(pid()),
        Say::TooLong => Say::TooLong,
        Say::Killing { .. } => Say::Killing { pid: pid(), signal: Signal::TERM },
        Say::SignalSent { .. } => Say::SignalSent { name: "SIGTERM", pid: pid() },
        Say::KillFailed(_) => Say::KillFailed(error()),
        Say::InvalidSignal(_) => Say::InvalidSignal("ded"),
        Say::BadStatusArgument => Say::BadStatusArgument,
        Say::StopFirst => Say::StopFirst,
        Say::NoLogFile => Say::NoLogFile,
        Say::LogFileError { .. } => Say::LogFileError { path: "x", error: error() },
        Say::Truncated => Say::Truncated,
        Say::NoHelp(_) => Say::NoHelp("x"),
        Say::UnknownSyntax(_) => Say::UnknownSyntax("bogus x"),
        Say::UnknownShowTopic(_) => Say::UnknownShowTopic("x"),
        Say::OtherProgram { .. } => Say::OtherProgram { ours: words("sleep 1"), theirs: words("sleep 2") },
        Say::Program(_) => Say::Program("sleep 1"),
        Say::Reloaded(Some(_)) => Say::Reloaded(Some(Path::new("/etc/app.conf"))),
        Say::Reloaded(None) => Say::Reloaded(None),
        Say::NotReloaded => Say::NotReloaded,
        Say::StoppingSupervisor => Say::StoppingSupervisor,
        Say::SupervisorStopped => Say::SupervisorStopped,
        Say::BothRunning => Say::BothRunning,
    )
}

#[rustfmt::skip]
pub(super) fn complain() -> String {
    examples!("what commands complain of", Complain<'static>, |m| m.to_string(),
        Complain::Usage { .. } => Complain::Usage { why: &"why", program: "zdaemon" },
        Complain::Error(_) => Complain::Error(&"why"),
        Complain::Note(_) => Complain::Note("note"),
        Complain::Unreachable { .. } => Complain::Unreachable { socket: Path::new("/run/zdsock"), error: error() },
        Complain::NoStatus { .. } => Complain::NoStatus { socket: Path::new("/run/zdsock"), reply: b"hello" },
        Complain::Silent { .. } => Complain::Silent { socket: Path::new("/run/zdsock"), seconds: 10 },
        Complain::SocketLost { pid: Some(_), .. } => Complain::SocketLost { socket: Path::new("/run/zdsock"), pid: Pid::new(123) },
        Complain::SocketLost { pid: None, .. } => Complain::SocketLost { socket: Path::new("/run/zdsock"), pid: None },
        Complain::StillWaiting { .. } => Complain::StillWaiting { what: "the start", seconds: 315 },
        Complain::CannotLaunch(_) => Complain::CannotLaunch(error()),
        Complain::CannotCreate { .. } => Complain::CannotCreate { path: Path::new("/x/y"), error: error() },
        Complain::LoneHash => Complain::LoneHash,
    )
}

#[rustfmt::skip]
pub(super) fn errors() -> String {
    examples!("wrong command lines", CommandLine<'static>, |m| m.to_string(),
        CommandLine::NotRecognized(_) => CommandLine::NotRecognized("-q"),
        CommandLine::NotUnique(_) => CommandLine::NotUnique("--s"),
        CommandLine::NeedsArgument(_) => CommandLine::NeedsArgument("-p"),
        CommandLine::NoArgumentAllowed(_) => CommandLine::NoArgumentAllowed("--help"),
        CommandLine::Invalid { .. } => CommandLine::Invalid { option: "-b", value: "foo", why: "why" },
        CommandLine::Conflicting(_) => CommandLine::Conflicting("-b"),
        CommandLine::NotText(_) => CommandLine::NotText("-p"),
        CommandLine::OverridesWithoutFile => CommandLine::OverridesWithoutFile,
        CommandLine::ActionOrInteractiveRequired => CommandLine::ActionOrInteractiveRequired,
        CommandLine::ProgramRequired => CommandLine::ProgramRequired,
        CommandLine::ProgramRequiredPositionally => CommandLine::ProgramRequiredPositionally,
        CommandLine::NoActionWithReload => CommandLine::NoActionWithReload,
    )
}

#[rustfmt::skip]
pub(super) fn instances() -> String {
    examples!("what instance makers say", Message, |m| m.to_string(),
        Message::CreatedDirectory(_) => Message::CreatedDirectory("/srv/app".into()),
        Message::WroteFile(_) => Message::WroteFile("/srv/app/etc/app.conf".into()),
        Message::NotOverwriting(_) => Message::NotOverwriting("/srv/app/etc/app.conf".into()),
        Message::ChangedMode(..) => Message::ChangedMode("/srv/app/bin/appctl".into(), 0o755),
        Message::Gave { .. } => Message::Gave { path: "/srv/app/log".into(), user: "app".into() },
        Message::AllDone => Message::AllDone,
        Message::NoRunzeo => Message::NoRunzeo,
        Message::MkzeoinstUsage(_) => Message::MkzeoinstUsage("mkzeoinst".into()),
        Message::MkzeoinstHelp(_) => Message::MkzeoinstHelp("mkzeoinst".into()),
        Message::MkinstanceUsage(_) => Message::MkinstanceUsage("zdaemon".into()),
        Message::MkinstanceHelp(_) => Message::MkinstanceHelp("zdaemon".into()),
    )
}

#[rustfmt::skip]
pub(super) fn instance_complaints() -> String {
    examples!("what instance makers complain of", Complaint, |m| m.to_string(),
        Complaint::UnknownOption(_) => Complaint::UnknownOption("-q".into()),
        Complaint::OptionWithoutArgument(_) => Complaint::OptionWithoutArgument("--name"),
        Complaint::BadPort(_) => Complaint::BadPort("x".into()),
        Complaint::NotUtf8(..) => Complaint::NotUtf8("home", "x".into()),
        Complaint::ControlCharacter(..) => Complaint::ControlCharacter("home", "a\nb".into()),
        Complaint::EmptyHome => Complaint::EmptyHome,
        Complaint::HomeEndsInBlank(_) => Complaint::HomeEndsInBlank("x ".into()),
        Complaint::LineBreakInProgram(_) => Complaint::LineBreakInProgram("a\nb".into()),
        Complaint::BadName(_) => Complaint::BadName("-x".into()),
        Complaint::BadUser(_) => Complaint::BadUser("a b".into()),
        Complaint::NoSuchUser(_) => Complaint::NoSuchUser("x".into()),
        Complaint::Unable(..) => Complaint::Unable("create", PathBuf::from("/x"), missing()),
    )
}
