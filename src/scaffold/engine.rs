//! Puts directories and files on the disk and says what it did. Never
//! overwrites a file that holds anything, and undoes nothing. Knows no template.

use super::Stop;
use crate::messages::scaffold::{Complaint, Message};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directories of an instance, in the order of their making.
const DIRECTORIES: [&str; 4] = ["etc", "var", "log", "bin"];

/// One file that an instance consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Below the instance's home.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    /// Made executable, also when the file was there before.
    Script,
}

/// Makes what is not there of `home`, its directories and `files`.
pub(super) fn make(
    home: &Path,
    files: &[File],
    umask: u32,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    create_directory(home, out)?;
    for name in DIRECTORIES {
        create_directory(&home.join(name), out)?;
    }
    for file in files {
        let path = home.join(&file.path);
        write_unless_there(&path, &file.text, out)?;
        match file.kind {
            Kind::Data => {}
            Kind::Script => make_executable(&path, 0o777 & !umask, out)?,
        }
    }
    Ok(())
}

/// Prints one line on standard output.
pub(super) fn say(out: &mut dyn Write, message: &Message) -> Result<(), Stop> {
    writeln!(out, "{message}").map_err(|e| unable("write to", Path::new("standard output"), e))
}

pub(super) fn unable(verb: &'static str, path: &Path, error: io::Error) -> Stop {
    Stop::Failed(Complaint::Unable(verb, path.to_owned(), error))
}

fn create_directory(path: &Path, out: &mut dyn Write) -> Result<(), Stop> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directory(parent, out)?;
    }
    match DirBuilder::new().create(path) {
        Ok(()) => say(out, &Message::CreatedDirectory(path.to_owned())),
        Err(error) => Err(unable("create directory", path, error)),
    }
}

fn write_unless_there(path: &Path, text: &str, out: &mut dyn Write) -> Result<(), Stop> {
    let old = match fs::read(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unable("read", path, error)),
    };
    let kept = old.as_deref().map(<[u8]>::trim_ascii).unwrap_or_default();
    if kept.is_empty() {
        write_whole(path, text, old.is_none())?;
        say(out, &Message::WroteFile(path.to_owned()))
    } else if kept == text.as_bytes().trim_ascii() {
        Ok(())
    } else {
        say(out, &Message::NotOverwriting(path.to_owned()))
    }
}

/// Whatever happens, `path` is then either blank, which counts as not there,
/// or whole. With `claim` nothing may stand there yet, not even by a race.
fn write_whole(path: &Path, text: &str, claim: bool) -> Result<(), Stop> {
    if claim {
        create_new(path).map_err(|e| unable("create", path, e))?;
    }
    let draft = draft_path(path);
    let written = create_new(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&draft);
        if claim {
            let _ = fs::remove_file(path);
        }
        unable("write", path, error)
    })
}

fn create_new(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o666).open(path)
}

/// Hidden, in the same directory, and no other process's.
fn draft_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

fn make_executable(path: &Path, mode: u32, out: &mut dyn Write) -> Result<(), Stop> {
    let is = fs::metadata(path).map_err(|e| unable("examine", path, e))?.permissions().mode();
    if is & 0o7777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|e| unable("change the mode of", path, e))?;
    say(out, &Message::ChangedMode(path.to_owned(), mode))
}
