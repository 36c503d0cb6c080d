//! x
mod format;
pub(crate) mod level;
pub(crate) mod plan;
