//! Does anything that a stranger can send make a reader panic, hang or take
//! memory without bound? Inputs that are right are broken in many ways, the same
//! in every run. `ci/fuzz` lets a real fuzzer do it for as long as you like.

pub(crate) mod readers;
#[cfg(test)]
pub(crate) mod tests;
