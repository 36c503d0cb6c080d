//! Socket and record, while they are ours: put back where somebody, such as a
//! cleaner of temporary files, has removed them. Nothing watches for that: inotify
//! would cost every supervisor one of the few instances that a user may have. They
//! are looked after whenever a signal or a client comes, and before a program is
//! started; a client that finds no socket sends SIGCHLD. Decides nothing.

use std::os::unix::net::UnixListener;

use super::core::Core;
use crate::messages::supervisor::LogMessage;
use crate::sys::clock;

impl Core {
    /// Puts back what is missing, and tells of it; what cannot be put back is told
    /// once. The new socket, if it had to be made.
    pub(super) fn keep_files(&mut self) -> Option<UnixListener> {
        let record = self.claim.keep_record();
        let (socket, listener) = match self.claim.keep_socket() {
            Ok(listener) => (Ok(listener.is_some()), listener),
            Err(error) => (Err(error), None),
        };
        let incomplete = record.is_err() || socket.is_err();
        let told = std::mem::replace(&mut self.incomplete, incomplete);
        let paths = self.claim.paths();
        for (path, put_back) in [(&paths.record, &record), (&paths.socket, &socket)] {
            let message = match put_back {
                Ok(true) => LogMessage::PutBack(path),
                Err(error) if !told => LogMessage::CannotPutBack { path, error },
                Ok(false) | Err(_) => continue,
            };
            self.log.write(message.level(), &message, clock::wall());
        }
        listener
    }
}
