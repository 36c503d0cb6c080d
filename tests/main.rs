//! The real binary, in sandboxes of its own.
