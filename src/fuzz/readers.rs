//! The readers of what strangers send, each as a function of bytes that checks
//! what must hold of whatever was accepted, with inputs that are right to begin
//! from. The same functions run under `cargo test` and under a real fuzzer.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::eventlog;
use crate::config::options::{OPTIONS, Settings};
use crate::config::words::split_words;
use crate::config::zconfig::{Host, Section, parse};
use crate::eventlog::plan::Plan;
use crate::instance::Record;
use crate::procfs;
use crate::protocol::{LONGEST_REQUEST, Line, Request, Status};
use crate::quote::{QuotedList, parse_list};
use crate::wire::Wire;

pub(crate) struct Reader {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&[u8]),
    pub(crate) corpus: &'static [&'static [u8]],
    /// It may take so many bytes of memory for each byte that it reads, and
    pub(crate) per_byte: usize,
    /// so many for itself.
    pub(crate) for_itself: usize,
}

pub(crate) const READERS: [Reader; 7] = [
    Reader {
        name: "configuration",
        read: configuration,
        corpus: &[CONFIGURATION, FOREIGN, DIRECTIVES, DOUBLING],
        per_byte: 400,
        // What `$` may put in, more than once over, and the hosts file.
        for_itself: 8 << 20,
    },
    Reader {
        name: "option value",
        read: option_value,
        corpus: &[
            b"\x09sh -c 'echo \"a b\" \\$x'",
            b"\x0a10",
            b"\x0e0,2, -1",
            b"\x100o27",
            b"\x14300",
        ],
        per_byte: 256,
        for_itself: 64 << 10,
    },
    REQUESTS,
    Reader {
        name: "reply",
        read: reply,
        corpus: &[
            STATUS,
            b"Application started\nnote=it died\noutcome=up 123\n",
            b"error=why\noutcome=gone 255\n",
            b"outcome=late\noutcome=down\noutcome=rival\n",
        ],
        per_byte: 64,
        for_itself: 4 << 10,
    },
    Reader {
        name: "instance record",
        read: record,
        corpus: &[
            b"zdaemon-instance-1 boot=5e1a-77 supervisor=12 program=67@?\n",
            b"zdaemon-instance-1 boot= supervisor=none program=none\nold\n",
        ],
        per_byte: 16,
        for_itself: 4 << 10,
    },
    Reader {
        name: "wire",
        read: wire,
        // A level and no handler; one handler that is a stream.
        corpus: &[
            b"\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x14\x01\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ],
        per_byte: 256,
        for_itself: 4 << 10,
    },
    Reader {
        name: "process facts",
        read: process_facts,
        corpus: &[b"42 (a) b (c) S 7 42 41 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 987654 1 2\n"],
        per_byte: 0,
        for_itself: 0,
    },
];

pub(crate) const REQUESTS: Reader = Reader {
    name: "request",
    read: request,
    corpus: &[
        b"start wait\n",
        b"kill 15\r\n",
        b"status\n",
        b" \t stop  wait x\n",
        b"help\n",
        b"report stop wait\n",
    ],
    per_byte: 0,
    for_itself: 0,
};

const CONFIGURATION: &[u8] = b"%define HOME /srv/app\n%define n ${home}/$$x\n<runner>\n  program $HOME/run -x\n\
  socket-name /run/app.sock\n  backoff-limit 3\n  exit-codes 0, 2\n  umask 027\n  stop-timeout 5\n\
  <eventlog>\n    level debug\n    <logfile>\n      path log\n      format %(levelname)-8s %(message).20r %%\n\
      max-size 10MB\n      old-files 3\n    </logfile>\n  </eventlog>\n</runner>\n\
<environment>\n  A $(E)\n  b-c\n</environment>\n";

const FOREIGN: &[u8] = b"<zeo>\n  address 8100\n</zeo>\n<filestorage 1/>\n<eventlog>\n  level 20\n\
  <logfile>\n    path STDERR\n    style format\n    format {asctime:>30} {message!r}\n    when MIDNIGHT\n\
    interval 2\n  </logfile>\n  <syslog>\n    address localhost:514\n    facility local3\n  </syslog>\n\
  <logfile/>\n</eventlog>\n";

const DIRECTIVES: &[u8] =
    b"%include b\n%import a.b\n<a x>\n<B/>\n# no\n%include file:///%63\nk $a$(E)\n</a>\n";

const DOUBLING: &[u8] = b"%define a 0123456789abcdef\n%define b $a$a$a$a$a$a$a$a\n\
%define c $b$b$b$b$b$b$b$b\n%define d $c$c$c$c$c$c$c$c\n%define e $d$d$d$d$d$d$d$d\n\
%define f $e$e$e$e$e$e$e$e\n%define g $f$f$f$f$f$f$f$f\nk $g\n";

const STATUS: &[u8] = b"status=running\nnow=1795181994.5928707\nshould_be_up=1\ndelay=0\nbackoff=0\n\
lasttime=1795181993.502017\napplication=9342\ntesting=0\nmanager=9340\nbackofflimit=10\n\
filename='/usr/bin/sleep'\nargs=['sleep', \"it's\", '\\x41\\u00e4\\U0001f600\\udcff\\n\\\\']\nuptime=1.1\n\
restarts=0\nlast_exit=none\nreadiness=ready\nnext_attempt=none\n";

/// `b` and what is in it can be included, nothing else.
pub(crate) struct Little;

impl Host for Little {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/b") => Ok(b"%define a 1\nk $a\n<s>\n%include c\n</s>\n".to_vec()),
            Some("/c") => Ok(b"x y\n<a/>\n".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "E").then(|| "$(E)".to_owned())
    }
}

fn configuration(text: &[u8]) {
    match parse(Path::new("/z"), text, &Little) {
        Ok(root) => check_section(&root),
        Err(error) => assert!(error.to_string().starts_with('/'), "{error}"),
    }
}

/// What must hold for whatever is accepted, and what is made of it.
pub(crate) fn check_section(section: &Section) {
    for key in &section.keys {
        assert!(!key.name.is_empty() && !key.name.contains(char::is_whitespace), "{key:?}");
        let lower = key.name == key.name.to_lowercase();
        assert!(lower || section.kind == "environment", "{key:?}");
        for option in OPTIONS.iter().filter(|option| option.key == key.name) {
            if let Some(field) = option.setting() {
                let _ = field(&mut Settings::defaults()).set(&key.value);
            }
        }
    }
    if section.kind == "eventlog" {
        let home = |path: &Path| PathBuf::from(path);
        match eventlog::read(section, Path::new("/base"), &home) {
            Ok(plan) => {
                let mut sent = Vec::new();
                plan.put(&mut sent);
                assert_eq!(Plan::take(&mut sent.as_slice()), Some(plan));
            }
            Err(error) => assert!(error.to_string().starts_with('/'), "{error}"),
        }
    }
    section.sections.iter().for_each(check_section);
}

/// The first byte says which option.
fn option_value(bytes: &[u8]) {
    let Some((first, value)) = bytes.split_first() else { return };
    let option = OPTIONS.get(usize::from(*first) % OPTIONS.len());
    let (Some(field), Ok(text)) = (option.and_then(|o| o.setting()), std::str::from_utf8(value))
    else {
        return;
    };
    let _ = field(&mut Settings::defaults()).set(text);
    let kept: usize = split_words(text).unwrap_or_default().iter().map(String::len).sum();
    assert!(kept <= text.len(), "{text}");
}

fn request(bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.get(..LONGEST_REQUEST).unwrap_or(line);
    if let Request::Unknown(word) | Request::Kill(Some(word)) = Request::parse(line) {
        assert!(!word.is_empty() && !word.iter().any(u8::is_ascii_whitespace));
    }
}

fn reply(bytes: &[u8]) {
    if let Some(status) = Status::parse(bytes) {
        assert!(status.program.is_none_or(|pid| pid.get() > 0));
        if let Some(words) = status.words {
            assert_eq!(parse_list(&QuotedList(&words).to_string()), Some(words));
        }
    }
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        match Line::parse(line) {
            Line::Outcome(outcome) => {
                assert_eq!(Line::parse(&outcome.to_string()), Line::Outcome(outcome));
            }
            Line::Note(rest) | Line::Error(rest) | Line::Other(rest) => {
                assert!(line.ends_with(rest));
            }
        }
    }
}

fn record(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(record) = Record::parse(&text) {
        assert_eq!(Record::parse(&record.to_string()), Some(record));
    }
}

/// What one process of the binary tells another, at the example of its
/// most manifold part.
fn wire(bytes: &[u8]) {
    if let Some(plan) = Plan::take(&mut &*bytes) {
        let mut sent = Vec::new();
        plan.put(&mut sent);
        assert!(Plan::take(&mut sent.as_slice()).is_some());
    }
}

fn process_facts(bytes: &[u8]) {
    if let Some(stat) = procfs::parse_stat(bytes) {
        assert!(stat.name().len() <= 16);
    }
}
