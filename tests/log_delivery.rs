use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{
    Sandbox, binary, count, exists, is_root, send_signal, skip, wait_for, wait_until, without_forks,
};

fn with_log(runner: &str, log: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!("<runner>\n{runner}\n</runner>\n<eventlog>\n{log}\n</eventlog>\n");
    sandbox.file("app.conf", &text);
    sandbox
}

const SLEEPER: &str = "program sleep 1000\nsettle-time 0";

/// All that was put aside of a file, oldest first, and then the file.
fn with_old_files(sandbox: &Sandbox, name: &str) -> (usize, String) {
    let prefix = format!("{name}.");
    let suffixes = sandbox.visible_files().into_iter();
    let mut suffixes: Vec<String> =
        suffixes.filter_map(|file| file.strip_prefix(&prefix).map(str::to_string)).collect();
    // Stamps sort by time, with a number behind those that are not the first of
    // their second; bare numbers count backwards.
    suffixes.sort_by_key(|suffix| match suffix.parse::<i32>() {
        Ok(number) => (String::new(), -number),
        Err(_) => {
            let (stamp, number) = suffix.split_once('.').unwrap_or((suffix, "0"));
            (stamp.to_string(), number.parse().expect("a number"))
        }
    });
    let old = suffixes.iter().map(|suffix| sandbox.read(&format!("{prefix}{suffix}")));
    (suffixes.len(), old.chain([sandbox.read(name)]).collect())
}

/// Many records in a short time, and now and then a reopening.
fn make_records(sandbox: &Sandbox) {
    sandbox.zd(&["start"]).exits(0);
    for round in 0..25 {
        sandbox.zd(&["restart"]).exits(0);
        if round % 8 == 3 {
            sandbox.zd(&["reopen_transcript"]).exits(0);
        }
    }
    sandbox.zd(&["stop"]).exits(0);
}

/// Issue 3: "Rotation under load (size and time) loses and repeats no record".
#[test]
fn rotation_loses_and_repeats_no_record() {
    let layout = "format %(created).6f %(message)s";
    let log = format!(
        "level debug\n<logfile>\npath plain\n{layout}\n</logfile>\n\
         <logfile>\npath sized\n{layout}\nmax-size 400\nold-files 900\n</logfile>\n\
         <logfile>\npath timed\n{layout}\nwhen S\nold-files 900\n</logfile>\n\
         <logfile>\npath late\n{layout}\nmax-size 1kb\nold-files 900\ndelay on\n</logfile>"
    );
    let sandbox = with_log(SLEEPER, &log);
    make_records(&sandbox);
    sandbox.zd(&["start"]).exits(0);
    wait_until("rotation by time", || {
        sandbox.zd(&["restart"]).exits(0);
        with_old_files(&sandbox, "timed").0 >= 5
    });
    sandbox.zd(&["stop"]).exits(0);
    let all = sandbox.read("plain");
    assert_eq!(count(&all, "spawned process"), 2 + count(&all, "restart requested"), "{all}");
    assert_eq!(count(&all, "Exiting"), 2, "{all}");
    for (name, least) in [("sized", 10), ("timed", 5), ("late", 4)] {
        let (files, text) = with_old_files(&sandbox, name);
        assert!(files >= least, "{name} was put aside {files} times");
        assert_eq!(text, all, "{name}");
    }
    let sizes = fs::read_dir(sandbox.path(""))
        .expect("files")
        .flatten()
        .filter(|file| file.file_name().to_string_lossy().starts_with("sized"));
    for file in sizes {
        assert!(file.metadata().expect("a file").len() < 400, "{file:?}");
    }
}

/// spec C.11: of more than `old-files`, the oldest go.
#[test]
fn rotation_keeps_as_many_old_files_as_it_was_told() {
    let log = "level debug\n<logfile>\npath sized\nmax-size 300\nold-files 2\n</logfile>\n\
               <logfile>\npath timed\nwhen S\nold-files 2\n</logfile>";
    let sandbox = with_log(SLEEPER, log);
    make_records(&sandbox);
    let (files, text) = with_old_files(&sandbox, "sized");
    assert_eq!(files, 2);
    assert!(text.ends_with("Exiting\n"), "{text}");
    assert_eq!(with_old_files(&sandbox, "timed").0, 2);
}

/// spec A.10 and D.10: `reopen_transcript` and SIGUSR2 to the daemon manager
/// make new files after a rename; each record is in the old or the new one.
#[test]
fn logs_are_reopened_after_a_rename() {
    let runner = format!("{SLEEPER}\ntranscript out");
    let sandbox = with_log(&runner, "<logfile>\npath ev\nformat %(message)s\n</logfile>");
    sandbox.script("server", "trap '' USR2\n: >up\nexec sleep 1000");
    sandbox.zd(&["-p", "./server", "--start-test-program", "test -e up", "start"]).exits(0);
    let rename = |number: u32| {
        for name in ["ev", "out"] {
            fs::rename(sandbox.path(name), sandbox.path(&format!("{name}.{number}")))
                .expect("a file");
        }
    };
    let reopened = || {
        wait_until("new files", || exists(&sandbox.path("ev")) && exists(&sandbox.path("out")));
    };
    rename(1);
    sandbox.zd(&["reopen_transcript"]).exits(0);
    reopened();
    rename(2);
    send_signal(sandbox.supervisor(), Signal::SIGUSR2);
    reopened();
    rename(3);
    sandbox.zd(&["-p", "./server", "logreopen"]).exits(0);
    reopened();
    sandbox.zd(&["stop"]).exits(0);
    let all: String = ["ev.1", "ev.2", "ev.3", "ev"].map(|name| sandbox.read(name)).concat();
    assert_eq!(count(&all, "reopened transcript and event log"), 3, "{all}");
    for line in ["daemonizing the process", "spawned process", "Exiting"] {
        assert_eq!(count(&all, line), 1, "{all}");
    }
}

/// spec D.11: "transcript and event log may be the same file".
#[test]
fn transcript_and_event_log_can_share_a_file() {
    let runner =
        "program ./talker\nsettle-time 0\ntranscript both\nstart-test-program test -e told";
    let sandbox =
        with_log(runner, "level debug\n<logfile>\npath both\nformat %(message)s\n</logfile>");
    sandbox.script(
        "talker",
        "i=0\nwhile [ $i -lt 400 ]; do echo \"a line of the program, number $i\"; \
                              i=$((i+1)); done\n: >told\nexec sleep 1000",
    );
    sandbox.zd(&["start"]).exits(0);
    for _ in 0..5 {
        sandbox.zd(&["reopen_transcript"]).exits(0);
    }
    sandbox.zd(&["stop"]).exits(0);
    let text = sandbox.read("both");
    for number in 0..400 {
        let line = format!("a line of the program, number {number}");
        assert_eq!(text.lines().filter(|told| *told == line).count(), 1, "{line}");
    }
    assert_eq!(text.lines().filter(|told| *told == "reopened transcript and event log").count(), 5);
    assert_eq!(text.lines().filter(|told| *told == "Exiting").count(), 1, "{text}");
}

/// spec C.10: the variables of the old boot scripts count where a pid file is
/// configured and no event log is.
#[test]
fn the_variables_of_the_old_documents_count_in_pid_file_mode() {
    let sandbox = Sandbox::with_runner(&format!("{SLEEPER}\npid-file pid"));
    let socket = UnixDatagram::bind(sandbox.path("log")).expect("a socket");
    let start = |arguments: &[&str]| {
        let mut command = sandbox.command(binary());
        command.args(["-C", "app.conf"]).args(arguments).arg("start");
        command.env("EVENT_LOG_FILE", "ev").env("EVENT_LOG_SEVERITY", "-200");
        command.env("ZSYSLOG", "./log").env("ZSYSLOG_FACILITY", "local3");
        sandbox.finish(&mut command)
    };
    start(&[]).exits(0);
    sandbox.zd(&["stop"]).exits(0);
    let log = sandbox.read("ev");
    assert!(
        log.starts_with("------\n") && log.contains(" DEBUG root controlled process "),
        "{log}"
    );
    assert_eq!(received(&socket), "<158>root daemonizing the process\0");
    fs::remove_file(sandbox.path("ev")).expect("a log");

    sandbox.file("app.conf", &format!("<runner>\n{SLEEPER}\n</runner>\n"));
    start(&[]).exits(0);
    sandbox.zd(&["stop"]).exits(0);
    let text = format!("<runner>\n{SLEEPER}\npid-file pid\n</runner>\n<eventlog>\n</eventlog>\n");
    sandbox.file("app.conf", &text);
    start(&[]).exits(0);
    sandbox.zd(&["stop"]).exits(0);
    assert!(!exists(&sandbox.path("ev")), "{}", sandbox.read("ev"));

    sandbox.file("app.conf", &format!("<runner>\n{SLEEPER}\npid-file pid\n</runner>\n"));
    let mut command = sandbox.command(binary());
    command
        .args(["-C", "app.conf", "start"])
        .env("EVENT_LOG_FILE", "ev")
        .env("EVENT_LOG_SEVERITY", "x");
    sandbox
        .finish(&mut command)
        .exits(2)
        .complains("Error: environment variable EVENT_LOG_SEVERITY: ");
}

fn received(socket: &UnixDatagram) -> String {
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let mut packet = [0; 2048];
    let length = socket.recv(&mut packet).expect("a packet in time");
    String::from_utf8_lossy(&packet[..length]).into_owned()
}

/// spec C.12: the packet, with facility and level, over a Unix socket and UDP.
#[test]
fn a_syslog_packet_has_the_facility_and_the_level() {
    let sandbox = Sandbox::new();
    let local = UnixDatagram::bind(sandbox.path("log")).expect("a socket");
    let remote = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    remote.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let port = remote.local_addr().expect("an address").port();
    sandbox.file("app.conf", &format!(
        "<runner>\nprogram true\nexit-codes\nbackoff-limit 1\n</runner>\n<eventlog>\nlevel debug\n\
         <syslog>\naddress {}\nfacility daemon\n</syslog>\n\
         <syslog>\naddress 127.0.0.1:{port}\nformat zd[%(levelname)s]: %(message)s\n</syslog>\n\
         </eventlog>\n",
        sandbox.path("log").display()
    ));
    sandbox.zd(&["start"]).exits(1);
    let mut packets = Vec::new();
    while packets.last().is_none_or(|last: &String| !last.contains("Exiting")) {
        packets.push(received(&local));
    }
    // daemon is 3; info, debug and critical are 6, 7 and 2 of syslog.
    for (begin, middle) in [
        ("<30>root daemonizing the process\0", ""),
        ("<31>root controlled process ", " exited\0"),
        ("<26>root restarting too frequently; quit\0", ""),
        ("<30>root Exiting\0", ""),
    ] {
        let fits = |packet: &&String| packet.starts_with(begin) && packet.contains(middle);
        assert_eq!(packets.iter().filter(fits).count(), 1, "{begin:?} in {packets:?}");
    }
    let mut packet = [0; 2048];
    let length = remote.recv(&mut packet).expect("a packet in time");
    let text = String::from_utf8_lossy(&packet[..length]);
    assert_eq!(text, "<14>zd[INFO]: daemonizing the process\0");
}

/// A system log that is away costs its records and nothing else.
#[test]
fn a_system_log_that_is_away_does_no_harm() {
    let log = "<syslog>\naddress ./nobody\n</syslog>\n<logfile>\npath ev\n</logfile>";
    let sandbox = with_log(SLEEPER, log);
    sandbox.zd(&["start"]).exits(0);
    let socket = UnixDatagram::bind(sandbox.path("nobody")).expect("a socket");
    sandbox.zd(&["restart"]).exits(0);
    assert!(received(&socket).starts_with("<14>root restart requested by uid "));
    sandbox.zd(&["stop"]).exits(0);
    assert_eq!(count(&sandbox.read("ev"), "Exiting"), 1);
}

/// Issue 3: "`<syslog>` lines arrive at BusyBox syslogd with the right facility
/// and priority."
#[test]
fn a_real_system_log_shows_facility_and_priority() {
    if !is_root() {
        return skip("only root may give a syslogd a /dev of its own");
    }
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("dev")).expect("a folder");
    let mut command = sandbox.command("unshare");
    let script = "mount --bind dev /dev && exec busybox syslogd -n -O \"$PWD/messages\"";
    command.args(["-m", "sh", "-c", script]);
    let Ok(mut daemon) = without_forks(|| command.spawn()) else {
        return skip("no unshare command");
    };
    let is_up = wait_for("the system log or its failure", || {
        if daemon.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        sandbox.read("messages").contains("syslogd started").then_some(true)
    });
    if !is_up {
        return skip("no mount namespaces or no busybox syslogd here");
    }
    let address = sandbox.path("dev/log");
    sandbox.file("app.conf", &system_log_config(&address));
    sandbox.zd(&["start"]).exits(1);
    wait_until("the last record", || sandbox.read("messages").contains("Exiting"));
    let messages = sandbox.read("messages");
    for line in [
        " local5.info app: daemon manager started",
        " local5.debug app: controlled process ",
        " local5.crit app: restarting too frequently; quit",
        " local5.info app: Exiting",
    ] {
        assert_eq!(count(&messages, line), 1, "{line:?} in {messages}");
    }
    daemon.kill().expect("a daemon to end");
    daemon.wait().expect("its end");
}

fn system_log_config(address: &Path) -> String {
    format!(
        "<runner>\nprogram true\nexit-codes\nbackoff-limit 1\n</runner>\n<eventlog>\nlevel debug\n\
         <syslog>\naddress {}\nfacility LOCAL5\nformat app: %(message)s\n</syslog>\n</eventlog>\n",
        address.display()
    )
}

/// A log that cannot be opened is told by `start`, and nothing is started.
#[test]
fn a_log_that_cannot_be_opened_is_told_at_once() {
    let sandbox = with_log(SLEEPER, "<logfile>\npath no/such/ev\n</logfile>");
    let output = sandbox.zd(&["start"]).exits(1);
    let path = sandbox.path("no/such/ev");
    let why = format!(
        "Error: unable to open event log {}: [Errno 2] No such file or directory\n",
        path.display()
    );
    assert_eq!(output.stderr, why);
    assert_eq!(output.stdout, "\ndaemon manager not running\n");
    assert_eq!(sandbox.visible_files(), ["app.conf"]);
    assert_eq!(sandbox.hidden_files(), Vec::<String>::new());
}
