//! zdaemon: runs any program as a Unix daemon and keeps it running.

mod config;
mod messages;
mod protocol;
mod quote;
mod sys;
mod vocabulary;

fn main() {}
