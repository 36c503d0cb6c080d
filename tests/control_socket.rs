use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::harness::{Sandbox, is_alive, rest_of, wait_until};

/// The keys of 5.2.1, in their order.
const KEYS: [&str; 12] = [
    "status",
    "now",
    "should_be_up",
    "delay",
    "backoff",
    "lasttime",
    "application",
    "testing",
    "manager",
    "backofflimit",
    "filename",
    "args",
];

fn value<'a>(report: &'a str, key: &str) -> &'a str {
    let line = report.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in {report}"))
}

/// "exactly these lines in order"; what is new comes behind them.
#[test]
fn status_has_the_lines_of_5_2_1_in_their_order() {
    let sandbox = Sandbox::started("program sleep 1000\nbackoff-limit 7");
    let report = sandbox.ask("status\n");
    let keys: Vec<&str> = report.lines().filter_map(|l| l.split('=').next()).collect();
    assert_eq!(keys[..KEYS.len()], KEYS);
    assert!(report.ends_with('\n'), "{report}");
    let pid: i32 = value(&report, "application").parse().expect("a pid");
    assert!(is_alive(pid));
    assert!(is_alive(value(&report, "manager").parse().expect("a pid")));
    for (key, expected) in [
        ("status", "running"),
        ("should_be_up", "1"),
        ("delay", "0"),
        ("backoff", "0"),
        ("testing", "0"),
        ("backofflimit", "7"),
        ("args", "['sleep', '1000']"),
    ] {
        assert_eq!(value(&report, key), expected, "{key}");
    }
    let file = value(&report, "filename");
    assert!(file.starts_with("'/") && file.ends_with("/sleep'"), "{file}");
    for key in ["now", "lasttime"] {
        let seconds: f64 = value(&report, key).parse().expect("seconds since the epoch");
        assert!(seconds > 1.7e9 && value(&report, key).contains('.'), "{report}");
    }
    sandbox.stop(&["app.conf"]);
}

/// The table of requests and replies.
#[test]
fn every_request_is_answered_to_the_byte() {
    let sandbox = Sandbox::started("program sleep 1000\nhang-around true");
    let supervisor = sandbox.supervisor();
    assert_eq!(sandbox.ask("start\n"), "Application already started\n");
    assert_eq!(sandbox.ask("kill 0\n"), "Signal 0 sent\n");
    assert_eq!(sandbox.ask("reopen_transcript\n"), "");
    let before = sandbox.program();
    assert_eq!(sandbox.ask("restart\n"), "Sent SIGTERM; will restart later\n");
    wait_until("the program is another", || ![0, before].contains(&sandbox.program()));
    assert_eq!(sandbox.ask("stop\n"), "Sent SIGTERM\n");
    wait_until("the program is gone", || sandbox.program() == 0);
    wait_until("all is done", || sandbox.ask("stop\n") == "Application already stopped\n");
    assert_eq!(sandbox.ask("kill\n"), "Application not running\n");
    assert_eq!(value(&sandbox.ask("status\n"), "status"), "stopped");
    assert_eq!(sandbox.ask("restart\n"), "Application started\n");
    assert_eq!(sandbox.ask("kill\n"), "Signal 15 sent\n");
    wait_until("it ended and waits for its next start", || {
        value(&sandbox.ask("status\n"), "delay") != "0"
    });
    assert_eq!(sandbox.ask("start\n"), "Application started\n");
    assert_eq!(sandbox.ask("exit\n"), "Sent SIGTERM; will exit later\n");
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    sandbox.assert_clean(&["app.conf"]);
}

/// "`exit`: Exiting now", where there is nothing to stop.
#[test]
fn exit_ends_an_idle_supervisor_at_once() {
    let sandbox = Sandbox::started("program sleep 1000\nhang-around true");
    let supervisor = sandbox.supervisor();
    assert!(sandbox.ask("stop wait\n").starts_with("Sent SIGTERM\n"));
    assert!(is_alive(supervisor));
    assert_eq!(sandbox.ask("exit\n"), "Exiting now\n");
    wait_until("the supervisor is gone", || !is_alive(supervisor));
    sandbox.assert_clean(&["app.conf"]);
}

/// The replies to what is no request, and the limits of one.
#[test]
fn what_is_no_request_is_refused_to_the_byte() {
    let sandbox = Sandbox::started("program sleep 1000");
    let (pid, supervisor) = (sandbox.program(), sandbox.supervisor());
    let padded = |length: usize| [b"foo".as_slice(), &vec![b' '; length - 3]].concat();
    let unknown = "Unknown command 'foo'; 'help' for a list\n";
    let requests: &[(&[u8], &str)] = &[
        (b"\n", "Empty command\n"),
        (b" \t \n", "Empty command\n"),
        (b"foo\n", unknown),
        (b"foo bar\r\n", unknown),
        (b"Status\n", "Unknown command 'Status'; 'help' for a list\n"),
        (b"kill foo\n", "Bad signal 'foo'\n"),
        (b"kill 15x\n", "Bad signal '15x'\n"),
        (b"kill 999\n", "Kill 999 failed: [Errno 22] Invalid argument\n"),
        (b"kill -1\n", "Kill -1 failed: [Errno 22] Invalid argument\n"),
        (b"kill 99999999999999999999\n", "Bad signal '99999999999999999999'\n"),
        (b"kill \xff\xfe\n", "Bad signal '\\udcff\\udcfe'\n"),
        (b"\xff\n", "Unknown command '\\udcff'; 'help' for a list\n"),
        (b"sta", "Command not terminated by newline\n"),
        (b"", ""),
    ];
    for (request, reply) in requests {
        let shown = String::from_utf8_lossy(request);
        assert_eq!(sandbox.ask(request), *reply, "to {shown:?}");
    }
    assert_eq!(sandbox.ask([padded(10_000).as_slice(), b"\n"].concat()), unknown);
    let mut slow = sandbox.connect();
    slow.write_all(&padded(10_000)).expect("as much as is allowed");
    assert_eq!(sandbox.program(), pid);
    slow.write_all(b"\n").expect("the end of the line");
    assert_eq!(rest_of(&mut slow), unknown);
    assert_eq!(sandbox.ask(padded(10_001)), "Command exceeds 10 KB\n");
    assert_eq!(sandbox.ask(vec![b'x'; 300_000]), "Command exceeds 10 KB\n");
    assert!(sandbox.ask("help\n").contains("reopen_transcript"));
    assert_eq!((sandbox.program(), sandbox.supervisor()), (pid, supervisor));
    sandbox.stop(&["app.conf"]);
}

/// "Only the first line counts"; CR is a blank; requests may come in pieces.
#[test]
fn a_request_is_the_first_line_however_it_arrives() {
    let sandbox = Sandbox::started("program sleep 1000");
    let pid = sandbox.program();
    let reply = sandbox.ask("status\nstop\n");
    assert_eq!(value(&reply, "status"), "running");
    assert!(!reply.contains("SIGTERM"), "{reply}");
    assert_eq!(value(&sandbox.ask("  status \r\n"), "status"), "running");
    let mut slow = sandbox.connect();
    for piece in ["sta", "tu", "s", "\n"] {
        slow.write_all(piece.as_bytes()).expect("a piece");
        assert_eq!(sandbox.program(), pid);
    }
    // Neither half has been closed by us.
    assert_eq!(value(&rest_of(&mut slow), "status"), "running");
    sandbox.stop(&["app.conf"]);
}

/// "several clients at once, no client able to delay another"
#[test]
fn a_hundred_silent_connections_keep_nobody_from_an_answer() {
    let sandbox = Sandbox::started("program sleep 1000");
    let mut silent: Vec<UnixStream> = (0..100).map(|_| sandbox.connect()).collect();
    for _ in 0..3 {
        sandbox.zd(&["status"]).exits(0).says("program running");
    }
    let first = silent.first_mut().expect("a connection");
    assert_eq!(rest_of(first), "Command superseded by new command\n");
    drop(silent);
    sandbox.stop(&["app.conf"]);
}

/// As above, where descriptors are scarce: those of the silent are taken.
#[test]
fn a_small_limit_of_descriptors_keeps_nobody_from_an_answer() {
    let sandbox = Sandbox::with_runner("program sleep 1000\nsettle-time 0");
    let binary = crate::harness::binary();
    let script = "ulimit -n 32; exec \"$0\" -C app.conf start";
    sandbox.run_program("sh", &["-c", script, &binary.to_string_lossy()]).exits(0);
    let silent: Vec<UnixStream> = (0..40).map(|_| sandbox.connect()).collect();
    let pid = sandbox.zd(&["status"]).exits(0).says("program running").pid();
    sandbox.zd(&["restart"]).exits(0);
    assert!(!is_alive(pid));
    drop(silent);
    sandbox.stop(&["app.conf"]);
}

/// "commands wait for the event", all of them.
#[test]
fn forty_waiting_clients_are_all_told_of_the_end() {
    let sandbox = Sandbox::started("program sleep 1000");
    let mut waiting: Vec<UnixStream> = (0..40).map(|_| sandbox.connect()).collect();
    for (index, client) in waiting.iter_mut().enumerate() {
        client.write_all(b"wait\n").expect("a request");
        if index % 2 == 0 {
            client.shutdown(Shutdown::Write).expect("half closed");
        }
    }
    let command = sandbox.background(&["-C", "app.conf", "wait"]);
    // As many are served at once as there are seats.
    sandbox.zd(&["status"]).exits(0);
    sandbox.stop(&["app.conf"]);
    for client in &mut waiting {
        assert_eq!(rest_of(client), "outcome=down\n");
    }
    command.output().exits(0).says("\ndaemon process stopped\n");
}

/// "several clients at once, no client able to delay another": not by waiting
/// either. Who cannot wait at the supervisor's asks again.
#[test]
fn a_hundred_waiting_clients_keep_nobody_from_an_answer() {
    let sandbox = Sandbox::started("program sleep 1000");
    let mut waiting: Vec<UnixStream> = (0..100).map(|_| sandbox.connect()).collect();
    for client in &mut waiting {
        // Some have been turned away by now.
        let _ = client.write_all(b"wait\n");
    }
    let command = sandbox.background(&["-C", "app.conf", "wait"]);
    for _ in 0..3 {
        sandbox.zd(&["status"]).exits(0).says("program running");
    }
    let pid = sandbox.program();
    sandbox.zd(&["restart"]).exits(0);
    assert!(!is_alive(pid));
    command.output().exits(0);
    drop(waiting);
    sandbox.stop(&["app.conf"]);
}

/// "replies never block": a reply larger than any socket buffer.
#[test]
fn a_client_that_does_not_read_its_reply_delays_nobody() {
    let sandbox = Sandbox::with_runner("program sh -c 'exec sleep 1000' x\nsettle-time 0");
    let word = "w".repeat(100_000);
    let words = [["start"].as_slice(), &[word.as_str(); 8]].concat();
    sandbox.zd(&words).exits(0);
    let mut slow: Vec<UnixStream> = (0..10).map(|_| sandbox.connect()).collect();
    for client in &mut slow {
        client.write_all(b"status\n").expect("a request");
    }
    sandbox.zd(&["status"]).exits(0).says("program running");
    let reply = rest_of(&mut slow[0]);
    let last = reply.lines().last().unwrap_or_default();
    assert!(reply.len() > 800_000 && last.starts_with("allocations="), "{}", reply.len());
    drop(slow);
    sandbox.stop(&["app.conf"]);
}

/// "10 s idle limit": the one test that takes as long.
#[test]
fn a_silent_client_is_let_go() {
    let sandbox = Sandbox::started("program sleep 1000");
    let mut silent = sandbox.connect();
    let mut begun = sandbox.connect();
    begun.write_all(b"sta").expect("a piece");
    assert_eq!(rest_of(&mut silent), "No command within 10 seconds\n");
    assert_eq!(rest_of(&mut begun), "No command within 10 seconds\n");
    sandbox.stop(&["app.conf"]);
}

/// "Nothing that arrives may make the supervisor exit."
#[test]
fn two_hundred_connections_of_garbage_change_nothing() {
    let sandbox = Sandbox::started("program sleep 1000");
    let (pid, supervisor) = (sandbox.program(), sandbox.supervisor());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..200 {
        let mut stream = sandbox.connect();
        for _ in 0..random.below(4) {
            let bytes: Vec<u8> = (0..random.below(4000)).map(|_| random.next() as u8).collect();
            let _ = stream.write_all(&bytes);
        }
        match random.below(3) {
            0 => drop(stream),
            1 => stream.shutdown(Shutdown::Write).unwrap_or_default(),
            _ => drop(stream.shutdown(Shutdown::Read)),
        }
    }
    assert_eq!((sandbox.program(), sandbox.supervisor()), (pid, supervisor));
    sandbox.stop(&["app.conf"]);
}

/// xorshift64: repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// "Mode 0700", whatever the umask.
#[test]
fn the_socket_is_for_its_owner_only() {
    let sandbox = Sandbox::started("program sleep 1000\numask 000");
    let mode = fs::metadata(sandbox.path("zdsock")).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    sandbox.stop(&["app.conf"]);
}
