//! System calls behind types, one file a noun: the only place for `unsafe` and
//! `libc`. No policy and no messages.
#![allow(unsafe_code)]

pub(crate) mod append;
pub(crate) mod calendar;
pub(crate) mod local_stream;
pub(crate) mod stream;
