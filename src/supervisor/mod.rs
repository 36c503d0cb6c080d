//! The supervisor.

mod machine;
mod readiness;
