//! The file that holds the supervisor's pid for init scripts. Written
//! completely or not at all; removed at the end if it is still ours.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::sys::place::{self, Access};
use crate::sys::process;

pub(crate) struct PidFile {
    path: PathBuf,
    /// Kept open: a process that has given root up cannot remove a file from
    /// root's directory, but it can still empty it.
    file: File,
}

impl PidFile {
    pub(crate) fn write(path: &Path) -> io::Result<PidFile> {
        let pid = process::own_pid();
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        // The same each time, so that one that was killed leaves it to the next.
        name.push(".new");
        let temporary = path.with_file_name(name);
        let _ = place::remove(&temporary);
        let mut file = place::open(&temporary, Access::New, 0o644)?;
        let written = writeln!(file, "{pid}").and_then(|()| place::rename(&temporary, path));
        match written {
            Ok(()) => Ok(PidFile { path: path.to_path_buf(), file }),
            Err(error) => {
                let _ = place::remove(&temporary);
                Err(error)
            }
        }
    }

    pub(crate) fn remove(&self) {
        let ours = self.file.metadata().map(|file| (file.dev(), file.ino()));
        let there = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino()));
        let is_ours = matches!((ours, there), (Ok(ours), Ok(there)) if ours == there);
        if is_ours && self.holds_our_pid() && place::remove(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }

    /// Somebody may have written another into the same file.
    fn holds_our_pid(&self) -> bool {
        let mut text = [0; 16];
        let count = self.file.read_at(&mut text, 0).unwrap_or(0);
        let text = text.get(..count).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.trim().parse().ok()) == Some(process::own_pid())
    }
}

/// Whether root alone decides about the directory that the file is to be in.
pub(crate) fn is_in_directory_of_root(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::metadata(directory).is_ok_and(|found| found.uid() == 0)
}
