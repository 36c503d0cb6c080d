//! The system calls that the standard library lacks, behind types, one file a
//! noun. All `unsafe` and all `libc` is here. Decides nothing, says nothing.
#![allow(unsafe_code)]

pub(crate) mod umask;
