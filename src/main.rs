//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
mod messages;
#[allow(dead_code)]
mod scaffold;
mod sys;
mod vocabulary;

fn main() {}
