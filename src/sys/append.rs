//! How is a log file opened? Always for appending, never waiting, never as a
//! controlling terminal, and closed in every program that is executed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens or creates (mode 0666 less the umask) the file at `path`. A FIFO that
/// nobody reads is an error instead of a wait, and so is a directory. Writes to
/// what can be full (a FIFO, a terminal) fail with `WouldBlock`.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o666)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
}
