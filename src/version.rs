//! Which zdaemon this is.

/// The bare version, as `--version` prints it.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");
/// What this binary was built for, and from which commit.
pub(crate) const BUILD: &str = concat!(env!("ZDAEMON_TARGET"), " ", env!("ZDAEMON_COMMIT"));
