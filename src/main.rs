//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
mod eventlog;
mod instance;
mod messages;
mod procfs;
mod program;
mod protocol;
mod quote;
mod scaffold;
mod supervisor;
mod sys;
mod users;
mod vocabulary;

fn main() {}
