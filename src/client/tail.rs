//! Log files: `logtail`, `reopen_transcript`, `logreopen`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::foreground::becomes;
use super::{Client, Exit, print_line, start_stop, wait_for_signal};
use crate::messages::client::{Say, exit};
use crate::sys::identity;
use crate::sys::signal::SelfPipe;
use crate::vocabulary::Signal;

/// How many lines of what is there already are shown, out of so many bytes.
const LINES: usize = 10;
const BYTES: u64 = 8 * 1024;
/// How often a file is looked at for more.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn reopen_transcript(client: &mut Client, _arguments: &[OsString]) -> Exit {
    // Only for what it may warn of.
    if let Err(status) = client.status() {
        return status;
    }
    match client.request("reopen_transcript\n") {
        Ok(Some(_)) => {}
        Ok(None) => client.say(&Say::SupervisorNotRunning),
        Err(status) => return status,
    }
    exit::DONE
}

pub(super) fn reopen_logs(client: &mut Client, arguments: &[OsString]) -> Exit {
    match reopen_transcript(client, arguments) {
        exit::DONE => start_stop::kill(client, &["USR2".into()]),
        status => status,
    }
}

pub(super) fn tail(client: &mut Client, arguments: &[OsString]) -> Exit {
    // Only for what it may warn of.
    if let Err(status) = client.status() {
        return status;
    }
    let path = match arguments.first() {
        Some(path) => client.base.join(path),
        None => match &client.settings.logfile.0 {
            Some(path) => path.clone(),
            None => {
                client.say(&Say::NoLogFile);
                return exit::FAILED;
            }
        },
    };
    let shown = arguments.first().map_or(path.as_os_str(), |word| word.as_os_str());
    let shown = shown.to_string_lossy().into_owned();
    let user = match client.user() {
        Ok(user) => user,
        Err(status) => return status,
    };
    let work = |client: &Client| match follow(&path) {
        Ok(()) => exit::DONE,
        Err(error) => {
            client.say(&Say::LogFileError { path: &shown, error: &error });
            exit::FAILED
        }
    };
    // What that user may not read is not ours to show.
    let Some(user) = user.filter(|user| user.uid != identity::effective_uid()) else {
        return work(client);
    };
    let result = client.in_child(|| match becomes(&user) {
        true => work(client),
        false => exit::FAILED,
    });
    result.unwrap_or_else(|status| status)
}

/// Prints the end of the file and what comes, until ^C.
fn follow(path: &Path) -> io::Result<()> {
    let signals = SelfPipe::catch(&[Signal::INT])?;
    let mut file = File::open(path)?;
    let mut place = print_end(&mut file)?;
    loop {
        if wait_for_signal(&signals, INTERVAL) {
            print_line(&"");
            return Ok(());
        }
        place = print_new(&mut file, place)?;
        if let Some(newer) = newer_file(&file, path) {
            // What was written between the look above and the change of files.
            print_new(&mut file, place)?;
            file = newer;
            place = print_new(&mut file, 0)?;
        }
    }
}

/// The last lines; gives back up to where the file was read.
fn print_end(file: &mut File) -> io::Result<u64> {
    let start = file.metadata()?.len().saturating_sub(BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let mut starts = memchr::memrchr_iter(b'\n', bytes.strip_suffix(b"\n").unwrap_or(&bytes));
    let begin = starts.nth(LINES - 1).map_or(0, |end| end + 1);
    print_bytes(bytes.get(begin..).unwrap_or(&[]))?;
    // What was added while we read has been printed as well.
    Ok(start + bytes.len() as u64)
}

/// What was added behind `place`; gives back the new place.
fn print_new(file: &mut File, place: u64) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut place = place;
    if length < place {
        print_line(&Say::Truncated);
        place = 0;
    }
    file.seek(SeekFrom::Start(place))?;
    let mut chunk = [0; 8192];
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(place);
        }
        print_bytes(chunk.get(..count).unwrap_or(&[]))?;
        place += count as u64;
    }
}

/// The file that has taken the name since ours was opened.
fn newer_file(file: &File, path: &Path) -> Option<File> {
    let ours = file.metadata().ok()?;
    let named = fs::metadata(path).ok()?;
    if (ours.dev(), ours.ino()) == (named.dev(), named.ino()) {
        return None;
    }
    File::open(path).ok()
}

fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
