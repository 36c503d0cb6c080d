//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
#[allow(dead_code)]
mod eventlog;
mod messages;
mod protocol;
mod quote;
mod sys;
mod users;
mod vocabulary;

fn main() {}
