//! What the words after `mkzeoinst` and `mkinstance` ask for, checked so that
//! every path and name can stand in the files. Touches no disk.

#[cfg(test)]
mod tests;

use super::Stop;
use crate::messages::scaffold::{Complaint, Message};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ZeoArguments {
    /// Absolute.
    pub(super) home: String,
    /// `port` or `host:port`.
    pub(super) address: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct InstanceArguments {
    /// Absolute.
    pub(super) home: String,
    pub(super) name: String,
    pub(super) user: Option<String>,
    /// Never empty; the first is absolute if it has a slash.
    pub(super) words: Vec<String>,
}

/// `program` is the name that help shows, `cwd` what relative paths start from.
pub(super) fn zeo(program: &str, args: &[OsString], cwd: &Path) -> Result<ZeoArguments, Stop> {
    let program = || program.to_owned();
    let words = match args.split_first() {
        Some((first, _)) if first == "-h" || first == "--help" => {
            return Err(Stop::Help(Message::MkzeoinstHelp(program())));
        }
        Some((first, rest)) if first == "--" => rest,
        Some((first, _)) if is_option(first) => return Err(unknown(first)),
        _ => args,
    };
    let (home, port) = match words {
        [home] => (home, None),
        [home, port] => (home, Some(port)),
        _ => return Err(Stop::Form(Message::MkzeoinstUsage(program()))),
    };
    let address = match port {
        Some(port) => address(port)?,
        None => "9999".to_owned(),
    };
    Ok(ZeoArguments { home: absolute_home(home, cwd)?, address })
}

/// `program` is the name that help shows, `cwd` what relative paths start from.
pub(super) fn instance(
    program: &str,
    args: &[OsString],
    cwd: &Path,
) -> Result<InstanceArguments, Stop> {
    let usage = || Stop::Form(Message::MkinstanceUsage(program.to_owned()));
    let (mut home, mut name, mut user) = (None, None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let (option, value) = match text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.into())),
            _ => (&*text, None),
        };
        match option {
            "--" if value.is_none() => break,
            "-h" | "--help" => {
                return Err(Stop::Help(Message::MkinstanceHelp(program.to_owned())));
            }
            "--name" => name = Some(argument("--name", value, &mut words)?),
            "--user" => user = Some(argument("--user", value, &mut words)?),
            _ if is_option(word) => return Err(unknown(word)),
            _ if home.is_none() => home = Some(word),
            _ => return Err(usage()),
        }
    }
    let home = absolute_home(home.ok_or_else(usage)?, cwd)?;
    let words = program_words(words.as_slice(), cwd)?;
    let first = words.first().ok_or_else(usage)?;
    let name = name.unwrap_or_else(|| super::basename(first).to_owned());
    Ok(InstanceArguments { home, name: checked_name(name)?, user: checked_user(user)?, words })
}

/// The value of an option: what followed its `=`, else the next word.
fn argument(
    option: &'static str,
    value: Option<String>,
    words: &mut std::slice::Iter<'_, OsString>,
) -> Result<String, Stop> {
    value
        .or_else(|| words.next().map(|word| word.to_string_lossy().into_owned()))
        .ok_or(Stop::Usage(Complaint::OptionWithoutArgument(option)))
}

fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().first() == Some(&b'-')
}

fn unknown(option: &OsStr) -> Stop {
    Stop::Usage(Complaint::UnknownOption(option.to_string_lossy().into_owned()))
}

fn address(text: &OsStr) -> Result<String, Stop> {
    let text = text.to_string_lossy();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (Some(host), port),
        None => (None, &*text),
    };
    let is_host = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    };
    let is_port =
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|n: u16| n > 0);
    if is_port && host.is_none_or(is_host) {
        Ok(text.into_owned())
    } else {
        Err(Stop::Usage(Complaint::BadPort(text.into_owned())))
    }
}

fn absolute_home(home: &OsStr, cwd: &Path) -> Result<String, Stop> {
    if home.is_empty() {
        return Err(Stop::Usage(Complaint::EmptyHome));
    }
    let home = writable("home", &absolute(Path::new(home), cwd)).map_err(Stop::Usage)?;
    if home.ends_with(char::is_whitespace) {
        return Err(Stop::Usage(Complaint::HomeEndsInBlank(home)));
    }
    match home.trim_end_matches('/') {
        "" => Ok(home),
        trimmed => Ok(trimmed.to_owned()),
    }
}

/// `path` as it is if absolute, else what it means in `cwd`, without `.` and
/// `..`.
pub(super) fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    let mut whole = cwd.to_owned();
    for part in path.components() {
        if part == Component::ParentDir {
            whole.pop();
        } else if part != Component::CurDir {
            whole.push(part);
        }
    }
    whole
}

/// `path` if one line of a UTF-8 file can hold it; `what` names it otherwise.
pub(super) fn writable(what: &'static str, path: &Path) -> Result<String, Complaint> {
    match path.to_str() {
        None => Err(Complaint::NotUtf8(what, path.to_string_lossy().into_owned())),
        Some(text) if text.contains(char::is_control) => {
            Err(Complaint::ControlCharacter(what, text.to_owned()))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// A relative program would be looked for wherever the script is called.
fn program_words(words: &[OsString], cwd: &Path) -> Result<Vec<String>, Stop> {
    let mut texts = Vec::with_capacity(words.len());
    for word in words {
        let Some(text) = word.to_str() else {
            let lossy = word.to_string_lossy().into_owned();
            return Err(Stop::Usage(Complaint::NotUtf8("program word", lossy)));
        };
        if text.contains('\n') {
            return Err(Stop::Usage(Complaint::LineBreakInProgram(text.to_owned())));
        }
        if texts.is_empty() && text.contains('/') {
            let program = absolute(Path::new(text), cwd);
            texts.push(writable("program", &program).map_err(Stop::Usage)?);
        } else {
            texts.push(text.to_owned());
        }
    }
    Ok(texts)
}

/// Names become parts of file names, of a systemd unit's and of an init
/// script's: what all three allow.
fn checked_name(name: String) -> Result<String, Stop> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(is_allowed) {
        return Err(Stop::Usage(Complaint::BadName(name)));
    }
    Ok(name)
}

fn checked_user(user: Option<String>) -> Result<Option<String>, Stop> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':';
    match user {
        Some(user) if user.is_empty() || user.contains(is_odd) || user.starts_with('-') => {
            Err(Stop::Usage(Complaint::BadUser(user)))
        }
        other => Ok(other),
    }
}
