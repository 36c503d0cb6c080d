//! The last step to usable settings: `~` expanded, paths made absolute from the
//! right base, and directories that must be there checked.

use std::env;
use std::path::{Path, PathBuf};

use super::options::Settings;
use super::{Error, Origin};
use crate::messages::options::Value as Complaint;
use crate::users;

/// `~` and `~user` at the start; an unknown user is left as it is.
pub(crate) fn expand_home(path: &Path) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.starts_with('~')) else {
        return path.to_path_buf();
    };
    let (head, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
    let home = match head.get(1..).unwrap_or("") {
        "" => env::var("HOME").ok().filter(|home| !home.is_empty()),
        user => users::home_of(user),
    };
    match home {
        Some(home) => PathBuf::from(format!("{}{rest}", home.trim_end_matches('/'))),
        None => path.to_path_buf(),
    }
}

/// Resolves every path of the settings. `base` is the absolute directory that
/// the command was given in.
pub(crate) fn resolve(settings: &mut Settings, base: &Path) -> Result<(), Error> {
    let directory = settings.directory.0.take().map(|path| base.join(expand_home(&path)));
    let socket = settings.socket_name.0.take().unwrap_or_default();
    let socket = base.join(expand_home(&socket));
    let logfile = settings.logfile.0.take().map(|path| expand_home(&path));
    let transcript = settings.transcript.0.take().unwrap_or_else(|| "/dev/null".into());
    let transcript = expand_home(&transcript);

    check_directory(settings, directory.as_deref())?;
    check_socket(settings, &socket)?;
    check_parent(settings, "logfile", logfile.as_deref())?;
    check_parent(settings, "transcript", Some(&transcript))?;

    let transcript_base = directory.as_deref().filter(|_| settings.daemon.0).unwrap_or(base);
    settings.transcript.0 = Some(transcript_base.join(transcript));
    settings.logfile.0 = logfile.map(|path| base.join(path));
    settings.pid_file.0 = settings.pid_file.0.take().map(|path| base.join(expand_home(&path)));
    settings.socket_name.0 = Some(socket);
    settings.directory.0 = directory;
    Ok(())
}

fn refuse(settings: &Settings, key: &str, complaint: &Complaint<'_>) -> Error {
    match settings.place(key) {
        Some(place) => Error::at(place, complaint),
        None => Error::new(complaint),
    }
}

/// It is there, or its parent is, so that it can be made.
fn check_directory(settings: &Settings, directory: Option<&Path>) -> Result<(), Error> {
    let Some(path) = directory else { return Ok(()) };
    if path.is_dir() || (!path.exists() && path.parent().is_some_and(Path::is_dir)) {
        return Ok(());
    }
    let shown = path.display().to_string();
    Err(refuse(settings, "directory", &Complaint::NotADirectory(&shown)))
}

/// The socket's directory is there, or can be made in one that is.
fn check_socket(settings: &Settings, socket: &Path) -> Result<(), Error> {
    let parent = socket.parent().unwrap_or(Path::new("/"));
    if parent.is_dir() || parent.parent().is_some_and(Path::is_dir) {
        return Ok(());
    }
    let shown = socket.display().to_string();
    Err(refuse(settings, "socket-name", &Complaint::NoDirectory(&shown)))
}

/// The directory of an absolute path from the file is there. What the command
/// line gives shows its fault when it is opened.
fn check_parent(settings: &Settings, key: &str, path: Option<&Path>) -> Result<(), Error> {
    let from_file = matches!(settings.origin(key), Origin::File(_));
    let Some(path) = path.filter(|path| from_file && path.is_absolute()) else { return Ok(()) };
    if path.parent().is_none_or(Path::is_dir) {
        return Ok(());
    }
    let shown = path.display().to_string();
    Err(refuse(settings, key, &Complaint::NoDirectory(&shown)))
}
