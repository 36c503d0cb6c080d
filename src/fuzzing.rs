//! Hands what libFuzzer makes up to the readers of `src/fuzz/readers.rs`; the
//! first byte says to which. Begins from their corpora. The root of a crate of
//! its own, `ci/fuzzing`; no part of the binary. Checks nothing itself.

#![no_main]
#![allow(dead_code, unused_imports, unused_macros)]

mod config;
mod eventlog;
mod fuzz;
mod instance;
mod messages;
mod procfs;
mod program;
mod protocol;
mod quote;
mod sys;
mod users;
mod vocabulary;
mod wire;

use fuzz::readers::READERS;

/// Where the corpora are to be written, one file a text.
fn write_seeds() {
    let Some(folder) = std::env::var_os("ZDAEMON_SEEDS") else { return };
    for (number, reader) in READERS.iter().enumerate() {
        for (index, text) in reader.corpus.iter().enumerate() {
            let path = std::path::Path::new(&folder).join(format!("{number}-{index}"));
            let bytes = [&[u8::try_from(number).expect("few")], *text].concat();
            std::fs::write(path, bytes).expect("a seed");
        }
    }
}

libfuzzer_sys::fuzz_target!(
    init: write_seeds(),
    |data: &[u8]| {
        if let Some((first, rest)) = data.split_first() {
            (READERS[usize::from(*first) % READERS.len()].read)(rest);
        }
    }
);
