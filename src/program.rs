//! Which file is the program? Words in, an absolute path out, by the rules of
//! zdaemon: a name with a slash must be there, one without is looked for on
//! PATH. Runs nothing.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::messages::supervisor::LaunchError;
use crate::sys::identity;

/// Where to look when PATH is unset or empty.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// The absolute path of `word`, with `search` as PATH; relative names count
/// from `base`.
pub(crate) fn find(word: &OsStr, search: Option<&OsStr>, base: &Path) -> Result<PathBuf, String> {
    let name = word.as_bytes();
    let (found, is_file) = if name.contains(&b'/') {
        // Without the `./` of what was typed.
        let path: PathBuf = base.join(word).components().collect();
        let Ok(file) = fs::metadata(&path) else {
            return Err(LaunchError::CannotStat { program: name }.to_string());
        };
        (path, file.is_file())
    } else {
        (search_path(word, search, base)?, true)
    };
    if is_file && identity::may_execute(&found).is_ok() {
        Ok(found)
    } else {
        Err(LaunchError::NoPermissionToRun { program: name }.to_string())
    }
}

/// The first regular file with any x bit wins, even if not ours to run.
fn search_path(word: &OsStr, search: Option<&OsStr>, base: &Path) -> Result<PathBuf, String> {
    let search = search.filter(|path| !path.is_empty()).unwrap_or(OsStr::new(DEFAULT_PATH));
    let is_program = |path: &PathBuf| {
        fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let mut candidates = env::split_paths(search).map(|folder| base.join(folder).join(word));
    if let Some(found) = candidates.find(|path| !word.is_empty() && is_program(path)) {
        return Ok(found);
    }
    let folders: Vec<OsString> = env::split_paths(search).map(PathBuf::into_os_string).collect();
    Err(LaunchError::CannotFindOnPath { program: word.as_bytes(), path: &folders }.to_string())
}
