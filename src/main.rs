//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
mod messages;
mod protocol;
mod quote;
#[allow(dead_code)]
mod supervisor;
mod sys;
mod vocabulary;

fn main() {}
