//! Against sockets and a file of the test's own.

use super::write_now;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

#[test]
fn a_full_blocking_stream_is_an_error_and_not_a_wait() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (mut sent, piece) = (0, [b'x'; 10_000]);
    let error = loop {
        match write_now(ours.as_fd(), &piece) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    drop(ours);
    let mut arrived = Vec::new();
    theirs.read_to_end(&mut arrived).unwrap();
    assert_eq!(arrived.len(), sent);
}

#[test]
fn a_stream_whose_reader_is_gone_is_an_error() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert_eq!(write_now(ours.as_fd(), b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_plain_file_takes_a_long_record_in_one_write() {
    let path = std::env::temp_dir().join(format!("zdaemon-stream-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    let written = write_now(file.as_fd(), &[b'x'; 100_000]).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(written, 100_000);
}
