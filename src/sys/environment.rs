//! The environment of this process, which everything that it starts inherits.

use std::env;
use std::ffi::OsString;

/// Makes the environment exactly this.
pub(crate) fn replace(variables: &[(OsString, OsString)]) {
    for (name, _) in env::vars_os() {
        if variables.iter().all(|(wanted, _)| *wanted != name) {
            // SAFETY: the process has one thread, so nobody else reads it.
            unsafe { env::remove_var(name) };
        }
    }
    for (name, value) in variables {
        if env::var_os(name).as_ref() != Some(value) {
            // SAFETY: as above.
            unsafe { env::set_var(name, value) };
        }
    }
}
