//! Every sentence that a user or a log can see, one file a speaker, and the
//! exit statuses. Texts that scripts of zdaemon's users match keep their bytes.
//! Decides nothing and prints nothing.

pub(crate) mod client;
pub(crate) mod errno;
pub(crate) mod eventlog;
#[cfg(test)]
mod golden;
pub(crate) mod options;
pub(crate) mod scaffold;
pub(crate) mod supervisor;
pub(crate) mod syntax;
