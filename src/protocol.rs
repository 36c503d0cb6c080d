//! What client and supervisor say to each other, to and from lines. Both sides
//! use it; neither end's waiting, sockets or decisions are here.
//!
//! A request is one line. Without `wait` the reply is text up to the end of the
//! connection, as zdaemon 5.2.1 has it. With `wait` the reply's first line is
//! the same text, the connection stays open, and when the thing has happened
//! there follow `note=…` or `error=…` lines for the user and one `outcome=…` line. A
//! supervisor of 5.2.1 takes `stop wait` for `stop` and closes at once, which
//! tells the client to ask again by itself. With `report` before it the state,
//! as it was until then, and an empty line stand before the reply; an older
//! supervisor does not know that word and does nothing.

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::quote::{Clean, Quoted, QuotedList, parse_list};
use crate::vocabulary::{Ended, Pid};

/// The most bytes that a request may have before its end of line.
pub(crate) const LONGEST_REQUEST: usize = 10_000;

/// Whether the reply comes at once or when the thing asked for has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    No,
    UntilDone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Start(Hold),
    Stop(Hold),
    Restart(Hold),
    /// End the supervisor, and the program first.
    Exit(Hold),
    /// Reply when the program is not there any more.
    Wait,
    /// The signal's number as text, if one was given.
    Kill(Option<&'a [u8]>),
    Status,
    /// The state first, then this request.
    Report(&'a [u8]),
    ReopenTranscript,
    Help,
    Empty,
    Unknown(&'a [u8]),
}

/// The words that a supervisor understands, for its own help.
pub(crate) const REQUESTS: &[(&str, &str)] = &[
    ("exit [wait]", "stop the program and end the daemon manager"),
    ("help", "this list"),
    ("kill [number]", "send a signal to the program, SIGTERM by default"),
    ("reopen_transcript", "reopen the transcript and the event log"),
    ("report command", "the state first; command is one that takes wait"),
    ("restart [wait]", "stop the program and start it again"),
    ("start [wait]", "start the program if it is not running"),
    ("status", "report the state, one key=value a line"),
    ("stop [wait]", "stop the program"),
    ("wait", "reply when the program is gone"),
];

impl<'a> Request<'a> {
    /// One request line without its end of line, leniently: any bytes.
    pub(crate) fn parse(line: &'a [u8]) -> Request<'a> {
        let mut words =
            line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let Some(command) = words.next() else { return Request::Empty };
        let rest = line.trim_ascii_start().get(command.len()..).unwrap_or(&[]);
        let argument = words.next();
        let hold = if argument == Some(b"wait") { Hold::UntilDone } else { Hold::No };
        match command {
            b"start" => Request::Start(hold),
            b"stop" => Request::Stop(hold),
            b"restart" => Request::Restart(hold),
            b"exit" => Request::Exit(hold),
            b"wait" => Request::Wait,
            b"kill" => Request::Kill(argument),
            b"status" => Request::Status,
            b"report" if Request::is_held(rest) => Request::Report(rest),
            b"reopen_transcript" => Request::ReopenTranscript,
            b"help" => Request::Help,
            other => Request::Unknown(other),
        }
    }

    /// Whether this line is a request whose reply may come later.
    fn is_held(line: &[u8]) -> bool {
        use Request::{Exit, Restart, Start, Stop};
        !line.trim_ascii_start().starts_with(b"report")
            && matches!(Request::parse(line), Start(_) | Stop(_) | Restart(_) | Exit(_))
    }
}

/// How a held request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program is up.
    Up(Pid),
    /// The program is gone, with all that it started.
    Down,
    /// It was not up within the start timeout, and is left running.
    Late,
    /// The supervisor ends, or did not come to be, and this is its exit status.
    Gone(u8),
    /// Another supervisor has the instance; ask that one.
    Rival,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Up(pid) => write!(f, "outcome=up {pid}"),
            Outcome::Down => f.write_str("outcome=down"),
            Outcome::Late => f.write_str("outcome=late"),
            Outcome::Gone(status) => write!(f, "outcome=gone {status}"),
            Outcome::Rival => f.write_str("outcome=rival"),
        }
    }
}

/// One line of a held reply, as the client understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Something the user should read.
    Note(&'a str),
    /// Why there is no supervisor.
    Error(&'a str),
    Outcome(Outcome),
    /// The immediate answer, or something of another version.
    Other(&'a str),
}

impl<'a> Line<'a> {
    pub(crate) fn parse(line: &'a str) -> Line<'a> {
        if let Some(note) = line.strip_prefix("note=") {
            return Line::Note(note);
        }
        if let Some(error) = line.strip_prefix("error=") {
            return Line::Error(error);
        }
        let outcome = line.strip_prefix("outcome=").and_then(parse_outcome);
        outcome.map_or(Line::Other(line), Line::Outcome)
    }
}

fn parse_outcome(text: &str) -> Option<Outcome> {
    let (word, number) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "up" => number.parse().ok().and_then(Pid::new).map(Outcome::Up),
        "down" => Some(Outcome::Down),
        "late" => Some(Outcome::Late),
        "gone" => number.parse().ok().map(Outcome::Gone),
        "rival" => Some(Outcome::Rival),
        _ => None,
    }
}

/// How far the program is on its way to being usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Down,
    Settling,
    Testing,
    Ready,
    Stopping,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Readiness::Down => "down",
            Readiness::Settling => "settling",
            Readiness::Testing => "testing",
            Readiness::Ready => "ready",
            Readiness::Stopping => "stopping",
        })
    }
}

/// What the supervisor tells about itself. Times are seconds since the Unix
/// epoch; lengths are seconds.
pub(crate) struct Report<'a> {
    pub(crate) now: Duration,
    pub(crate) should_be_up: bool,
    /// When the next spawn or SIGKILL is due.
    pub(crate) delay: Option<Duration>,
    pub(crate) backoff: u32,
    /// When the program was last spawned.
    pub(crate) last_spawn: Option<Duration>,
    pub(crate) program: Option<Pid>,
    pub(crate) testing: bool,
    pub(crate) supervisor: i32,
    pub(crate) backoff_limit: u32,
    pub(crate) file: &'a Path,
    pub(crate) words: &'a [CString],
    pub(crate) uptime: Duration,
    pub(crate) restarts: u32,
    pub(crate) last_exit: Option<(Ended, Duration)>,
    pub(crate) readiness: Readiness,
    /// Seconds until the next attempt to spawn.
    pub(crate) next_attempt: Option<Duration>,
    /// How often memory was asked for since the supervisor was ready; none is
    /// ever needed, and here it can be seen.
    pub(crate) allocations: u64,
}

/// Zero stands for "none", as in 5.2.1.
struct Stamp(Option<Duration>);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{}.{:06}", time.as_secs(), time.subsec_micros()),
            None => f.write_str("0"),
        }
    }
}

/// Seconds, and tenths of one.
struct Tenths(Duration);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.as_secs(), self.0.subsec_millis() / 100)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.program.is_some() { "running" } else { "stopped" };
        writeln!(f, "status={state}")?;
        writeln!(f, "now={}", Stamp(Some(self.now)))?;
        writeln!(f, "should_be_up={}", u8::from(self.should_be_up))?;
        writeln!(f, "delay={}", Stamp(self.delay))?;
        writeln!(f, "backoff={}", self.backoff)?;
        writeln!(f, "lasttime={}", Stamp(self.last_spawn))?;
        writeln!(f, "application={}", self.program.map_or(0, Pid::get))?;
        writeln!(f, "testing={}", u8::from(self.testing))?;
        writeln!(f, "manager={}", self.supervisor)?;
        writeln!(f, "backofflimit={}", self.backoff_limit)?;
        writeln!(f, "filename={}", Quoted(self.file.as_os_str().as_bytes()))?;
        writeln!(f, "args={}", QuotedList(self.words))?;
        self.fmt_additions(f)
    }
}

impl Report<'_> {
    /// The keys that 5.2.1 does not have; always behind those it has.
    fn fmt_additions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "uptime={}", Tenths(self.uptime))?;
        writeln!(f, "restarts={}", self.restarts)?;
        match self.last_exit {
            Some((ended, at)) => {
                writeln!(f, "last_exit={ended}\nlast_exit_time={}", Stamp(Some(at)))?;
            }
            None => writeln!(f, "last_exit=none\nlast_exit_time=0")?,
        }
        writeln!(f, "readiness={}", self.readiness)?;
        match self.next_attempt {
            Some(length) => writeln!(f, "next_attempt={}", Tenths(length))?,
            None => writeln!(f, "next_attempt=none")?,
        }
        writeln!(f, "allocations={}", self.allocations)
    }
}

/// What of a report the client looks at.
const KEYS: [&str; 5] = ["application", "should_be_up", "testing", "readiness", "args"];

/// The values of `KEYS` in one pass. Of a key that repeats, the first counts.
fn values_of(reply: &str) -> [Option<&str>; KEYS.len()] {
    let mut values = [None; KEYS.len()];
    let mut rest = reply;
    while let Some(equals) = memchr::memchr2(b'=', b'\n', rest.as_bytes()) {
        let (key, after) = rest.split_at(equals);
        let end = memchr::memchr(b'\n', after.as_bytes()).unwrap_or(after.len());
        let (value, more) = after.split_at(end);
        let place = KEYS.iter().position(|known| *known == key);
        if let Some(slot) = place.and_then(|place| values.get_mut(place)) {
            *slot = slot.or(value.strip_prefix('='));
        }
        rest = more.get(1..).unwrap_or("");
    }
    values
}

/// What the client makes of a status reply, from any version. Every field is
/// as hostile as the peer; nothing in it is evaluated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) program: Option<Pid>,
    pub(crate) should_be_up: bool,
    pub(crate) testing: bool,
    pub(crate) stopping: bool,
    pub(crate) words: Option<Vec<OsString>>,
    reply: String,
}

impl Status {
    /// None if this is no reply of a supervisor: no `application=` in it.
    pub(crate) fn parse(reply: &[u8]) -> Option<Status> {
        let reply = String::from_utf8(reply.to_vec())
            .unwrap_or_else(|_| String::from_utf8_lossy(reply).into_owned());
        let [application, should_be_up, testing, readiness, args] = values_of(&reply);
        let status = Status {
            program: Pid::new(application?.parse().ok()?),
            should_be_up: should_be_up != Some("0"),
            testing: testing.is_some_and(|value| value != "0"),
            stopping: readiness == Some("stopping"),
            words: args.and_then(parse_list),
            reply: String::new(),
        };
        Some(Status { reply, ..status })
    }

    /// The whole reply, fit for a terminal.
    pub(crate) fn text(&self) -> String {
        Clean(&self.reply).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_split_on_any_blank_and_only_known_words_count() {
        assert_eq!(Request::parse(b"status\r"), Request::Status);
        assert_eq!(Request::parse(b"  stop   wait "), Request::Stop(Hold::UntilDone));
        assert_eq!(Request::parse(b"stop soon"), Request::Stop(Hold::No));
        assert_eq!(Request::parse(b"kill 9"), Request::Kill(Some(b"9")));
        assert_eq!(Request::parse(b" \t"), Request::Empty);
        assert_eq!(Request::parse(b"\xff\xfe x"), Request::Unknown(b"\xff\xfe"));
        assert_eq!(Request::parse(b"STATUS"), Request::Unknown(b"STATUS"));
    }

    #[test]
    fn only_what_can_be_waited_for_is_reported_before() {
        assert_eq!(Request::parse(b" report  stop wait\r"), Request::Report(b"  stop wait\r"));
        for line in [&b"report"[..], b"report status", b"report wait", b"report report stop"] {
            assert_eq!(Request::parse(line), Request::Unknown(b"report"));
        }
    }

    #[test]
    fn outcomes_come_back_as_they_were_sent() {
        let pid = Pid::new(7).expect("a pid");
        let all =
            [Outcome::Up(pid), Outcome::Down, Outcome::Late, Outcome::Gone(3), Outcome::Rival];
        for outcome in all {
            assert_eq!(Line::parse(&outcome.to_string()), Line::Outcome(outcome));
        }
        assert_eq!(Line::parse("outcome=up -1"), Line::Other("outcome=up -1"));
        assert_eq!(Line::parse("note=it died"), Line::Note("it died"));
    }

    fn report(words: &[CString]) -> Report<'_> {
        Report {
            now: Duration::new(1_795_181_994, 592_870_700),
            should_be_up: true,
            delay: None,
            backoff: 0,
            last_spawn: Some(Duration::from_millis(1_795_181_993_500)),
            program: Pid::new(9342),
            testing: false,
            supervisor: 9340,
            backoff_limit: 10,
            file: Path::new("/usr/bin/sleep"),
            words,
            uptime: Duration::from_millis(1_190),
            restarts: 0,
            last_exit: None,
            readiness: Readiness::Ready,
            next_attempt: None,
            allocations: 0,
        }
    }

    #[test]
    fn a_status_report_has_the_lines_of_5_2_1_first_and_in_their_order() {
        let words = [c"sleep".into(), c"100".into()];
        assert_eq!(
            report(&words).to_string(),
            "status=running\nnow=1795181994.592870\nshould_be_up=1\ndelay=0\nbackoff=0\n\
             lasttime=1795181993.500000\napplication=9342\ntesting=0\nmanager=9340\nbackofflimit=10\n\
             filename='/usr/bin/sleep'\nargs=['sleep', '100']\nuptime=1.1\nrestarts=0\n\
             last_exit=none\nlast_exit_time=0\nreadiness=ready\nnext_attempt=none\nallocations=0\n"
        );
    }

    #[test]
    fn a_client_reads_reports_of_every_version() {
        let words = vec![OsString::from("sleep"), OsString::from("100")];
        let report = report(&[c"sleep".into(), c"100".into()]).to_string();
        let status = Status::parse(report.as_bytes()).expect("a report");
        assert_eq!((status.program, status.words), (Pid::new(9342), Some(words)));
        let old = Status::parse(b"status=stopped\nmood=1\napplication=0\n").expect("a report");
        assert_eq!((old.program, old.should_be_up, old.testing), (None, true, false));
        assert_eq!(Status::parse(b"Unknown command"), None);
        assert_eq!(Status::parse(b"application=99999999999999999999\n"), None);
    }
}
