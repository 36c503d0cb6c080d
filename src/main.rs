//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
#[allow(dead_code)]
mod eventlog;
#[allow(dead_code)]
mod messages;
#[allow(dead_code)]
mod sys;
mod vocabulary;

fn main() {}
