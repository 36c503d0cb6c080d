//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
mod messages;
mod vocabulary;

fn main() {}
