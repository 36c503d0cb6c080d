use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{
    Background, Sandbox, binary, binary_for_all, exists, is_root, send_signal, skip, without_forks,
};

/// Somebody else at the socket's place, who lets `reply` answer every
/// connection for as long as the tests run.
fn impostor(sandbox: &Sandbox, mut reply: impl FnMut(&mut UnixStream) + Send + 'static) {
    impostor_asked(sandbox, move |stream, _| reply(stream));
}

/// As above, for those to whom the request matters.
pub(crate) fn impostor_asked(
    sandbox: &Sandbox,
    mut reply: impl FnMut(&mut UnixStream, &[u8]) + Send + 'static,
) {
    let listener = UnixListener::bind(sandbox.path("zdsock")).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 100];
            let count = stream.read(&mut request).unwrap_or(0);
            reply(&mut stream, &request[..count]);
        }
    });
}

/// Every command that asks the supervisor.
const COMMANDS: [&str; 10] = [
    "status",
    "start",
    "stop",
    "restart",
    "wait",
    "kill",
    "fg",
    "logtail",
    "reopen_transcript",
    "logreopen",
];

/// Asserts that every command ends with status 4 and these words, all at once.
#[track_caller]
fn all_commands_complain(sandbox: &Sandbox, text: &str) {
    let waiting = COMMANDS.map(|command| sandbox.zd_background(&[command]));
    let mut prompt = sandbox.command("sh");
    let script = "printf 'status\\n' | \"$0\" -C app.conf -i";
    prompt.args(["-c", script]).arg(binary());
    let prompt = Background::of(&mut prompt);
    for command in waiting {
        let output = command.output().exits(4).complains(text);
        assert_eq!(output.stdout, "");
    }
    // Errors end a command there, and not the session.
    prompt.output().exits(0).complains(text);
}

fn says(text: &'static str) -> impl Fn(&mut UnixStream) + Send + 'static {
    move |stream| drop(stream.write_all(text.as_bytes()))
}

/// "parsed, bounded, never evaluated"
#[test]
fn a_status_is_read_and_not_evaluated() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let lie = "status=running\napplication=4242424\nargs=__import__('os').system('touch hacked')\n";
    impostor(&sandbox, says(lie));
    let status = sandbox.zd(&["status"]).exits(0);
    assert_eq!(status.stdout, "program running; pid=4242424\n");
    assert!(!exists(&sandbox.path("hacked")));
    // A process of that number cannot be.
    sandbox.zd(&["kill", "HUP"]).exits(0).says("Error: [Errno 3] No such process");
}

/// A reply without a status is not taken for "nobody there".
#[test]
fn nonsense_at_the_socket_is_no_status() {
    for lie in ["application=99999999999999999999\n", "application=4294967297\n", "\u{1}\u{1}\u{1}"]
    {
        let sandbox = Sandbox::with_runner("program sleep 1000");
        impostor(&sandbox, says(lie));
        for command in ["status", "stop", "start", "restart", "kill"] {
            let output = sandbox.zd(&[command]).exits(4);
            assert_eq!(output.stdout, "", "{lie:?}");
            assert!(output.stderr.contains("does not tell a status, but '"), "{output:?}");
        }
        assert!(!sandbox.zd(&["status"]).stderr.contains('\u{1}'));
    }
}

/// Who lets a connection go without a word may be short of something; that is
/// no reason to call it dead, nor to wait for ever.
#[test]
fn a_supervisor_that_drops_connections_is_not_taken_for_none() {
    for command in ["status", "stop", "start", "restart", "kill"] {
        let sandbox = Sandbox::with_runner("program sleep 1000");
        let mut dropped = 0;
        impostor(&sandbox, move |stream| {
            dropped += 1;
            if dropped % 4 == 0 {
                let _ =
                    stream.write_all(b"status=running\napplication=4242424\noutcome=up 4242424\n");
            }
        });
        let output = sandbox.zd(&[command]).exits(0);
        assert!(!output.stdout.contains("not running"), "{command}: {output:?}");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor(&sandbox, |_| {});
    sandbox.zd(&["status"]).exits(4).complains("does not tell a status, but ''");
    sandbox.zd(&["stop"]).exits(4).complains("does not tell a status, but ''");
}

/// No process group and not everybody is signalled on a stranger's word.
#[test]
fn a_pid_that_is_none_is_not_signalled() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor(&sandbox, says("status=running\napplication=-1\n"));
    let output = sandbox.zd(&["kill", "KILL"]).exits(0);
    assert_eq!(output.stdout, "daemon process not running\n");
}

/// "bounded"
#[test]
fn an_endless_reply_is_cut_off() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor(&sandbox, |stream| {
        let line = [b"note=", [b'x'; 65_530].as_slice(), b"\n"].concat();
        for _ in 0..1600 {
            if stream.write_all(&line).is_err() {
                return;
            }
        }
    });
    sandbox.zd(&["status"]).exits(4);
    sandbox.zd(&["reopen_transcript"]).exits(4);
}

/// "Every wait has an end and says what it waits for": ten seconds.
#[test]
fn a_supervisor_that_does_not_answer_is_reported() {
    let sandbox = Sandbox::started("program sleep 1000");
    let supervisor = sandbox.supervisor();
    send_signal(supervisor, Signal::SIGSTOP);
    all_commands_complain(&sandbox, "does not answer; waited 10 seconds");
    send_signal(supervisor, Signal::SIGCONT);
    sandbox.stop(&["app.conf"]);
}

/// As above, where not even the connection comes about.
#[test]
fn a_queue_of_connections_that_nobody_takes_is_reported() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let python = "\
import os, signal, socket
server = socket.socket(socket.AF_UNIX)
server.bind('zdsock')
server.listen(0)
queued = []
try:
    while True:
        queued.append(socket.socket(socket.AF_UNIX))
        queued[-1].setblocking(False)
        queued[-1].connect('zdsock')
except BlockingIOError:
    os.write(1, b'ready')
signal.pause()
";
    let Some(server) = python_server(&sandbox, python, "") else { return skip("needs python3") };
    all_commands_complain(&sandbox, "does not answer; waited 10 seconds");
    end(server);
}

/// A server in Python, once it is ready; none without Python.
fn python_server(sandbox: &Sandbox, python: &str, argument: &str) -> Option<Child> {
    let mut server = sandbox.command("python3");
    server.args(["-c", python, argument]).stdout(std::process::Stdio::piped());
    let mut server = without_forks(|| server.spawn()).ok()?;
    let mut pipe = server.stdout.take()?;
    pipe.read_exact(&mut [0; 5]).expect("a listening server");
    Some(server)
}

fn end(mut child: Child) {
    child.kill().expect("alive");
    child.wait().expect("a child");
}

/// "with a time limit": for the whole reply, not for each byte.
#[test]
fn a_reply_that_comes_byte_by_byte_has_an_end_too() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor(&sandbox, |stream| {
        let mut stream = stream.try_clone().expect("a descriptor");
        thread::spawn(move || {
            let line = b"status=running\napplication=1\n";
            for byte in line.iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
                let _ = stream.read(&mut [0]);
            }
        });
    });
    all_commands_complain(&sandbox, "does not answer; waited 10 seconds");
}

/// Whoever takes connections and says nothing is there, whatever it is.
#[test]
fn a_server_that_closes_at_once_is_not_taken_for_none() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor(&sandbox, |_| ());
    all_commands_complain(&sandbox, "does not tell a status, but ''");
}

/// The seat of a client that had asked nothing yet may go to another one.
#[test]
fn a_client_that_lost_its_seat_asks_again() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let turns = AtomicU32::new(0);
    impostor_asked(&sandbox, move |stream, request| {
        let turned_away = turns.fetch_add(1, Ordering::Relaxed) % 3 != 2;
        let reply: &[u8] = match request {
            _ if turned_away => b"Command superseded by new command\n",
            b"status\n" => b"status=running\nshould_be_up=1\napplication=4242424\n",
            b"stop wait\n" => b"Sent SIGTERM\noutcome=down\n",
            _ => b"Signal 15 sent\n",
        };
        let _ = stream.write_all(reply);
    });
    sandbox.zd(&["status"]).exits(0).says("program running; pid=4242424\n");
    sandbox.zd(&["stop"]).exits(0).says("daemon process stopped\n");
}

/// A supervisor of an earlier version tells its state only when asked for it
/// alone, and must not have done anything before.
#[test]
fn a_supervisor_that_does_not_report_is_asked_for_its_state() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let (told, asked) = std::sync::mpsc::channel();
    impostor_asked(&sandbox, move |stream, request| {
        let reply: &[u8] = match request {
            b"status\n" => b"should_be_up=1\napplication=4242424\n",
            b"stop wait\n" => b"Sent SIGTERM\noutcome=down\n",
            b"restart wait\n" => b"Application will be restarted\noutcome=up 4242425\n",
            _ => b"Unknown command 'report'; 'help' for a list\n",
        };
        let _ = told.send(String::from_utf8_lossy(request).into_owned());
        let _ = stream.write_all(reply);
    });
    sandbox.zd(&["restart"]).exits(0).says("daemon process restarted, pid=4242425\n");
    sandbox.zd(&["stop"]).exits(0).says("daemon process stopped\n");
    let each = |command: &str| {
        [format!("report {command} wait\n"), "status\n".into(), format!("{command} wait\n")]
    };
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [each("restart"), each("stop")].concat());
}

/// "bounded": an outcome is one, however often it is told.
#[test]
fn an_outcome_told_for_ever_ends_the_wait() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    impostor_asked(&sandbox, |stream, request| {
        if request == b"status\n" {
            return drop(stream.write_all(b"should_be_up=1\napplication=4242424\n"));
        }
        let mut stream = stream.try_clone().expect("a descriptor");
        thread::spawn(move || while stream.write_all(b"outcome=down\n").is_ok() {});
    });
    sandbox.zd(&["stop"]).exits(0).says("daemon process stopped\n");
}

/// "never evaluated": not by the terminal either.
#[test]
fn nothing_that_a_peer_says_commands_the_terminal() {
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let text = "note=\u{1b}[2Jgone\nshould_be_up=1\napplication=4242424\noutcome=down\n";
    impostor(&sandbox, says(text));
    for arguments in [["status", "-l"].as_slice(), &["stop"]] {
        let output = sandbox.zd(arguments).exits(0);
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert!(shown.contains("\\x1b[2Jgone") && !shown.contains('\u{1b}'), "{shown:?}");
    }
}

fn as_nobody(sandbox: &Sandbox, program: &str, action: &str) -> crate::harness::Output {
    let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let command = [program, "-C", "app.conf", action];
    sandbox.run_program("setpriv", &[user.as_slice(), &command].concat())
}

/// "socket present but not accessible: 4, message on stderr"
#[test]
fn a_socket_that_cannot_be_asked_is_reported() {
    let sandbox = Sandbox::started("program sleep 1000");
    let socket = sandbox.path("zdsock");
    let closed = |command: &str| {
        if is_root() {
            let program = binary_for_all(&sandbox);
            as_nobody(&sandbox, &program, command)
        } else {
            fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).expect("our socket");
            sandbox.zd(&[command])
        }
    };
    for command in ["status", "stop", "start"] {
        let output = closed(command).exits(4).complains("[Errno 13] Permission denied");
        assert_eq!(output.stdout, "");
    }
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).expect("our socket");
    let _ = fs::remove_file(sandbox.path("zdaemon"));
    sandbox.stop(&["app.conf"]);
}

/// "peer credentials checked (same uid or root)", even where the mode of the
/// socket lets others in.
#[test]
fn another_user_is_refused() {
    if !is_root() {
        return skip("needs root to be two users");
    }
    let sandbox = Sandbox::started("program sleep 1000");
    let program = binary_for_all(&sandbox);
    let pid = sandbox.program();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(sandbox.path("zdsock"), open).expect("the socket");
    for command in ["status", "stop", "restart"] {
        as_nobody(&sandbox, &program, command).exits(4).complains("but 'Not permitted: ");
    }
    assert_eq!(sandbox.program(), pid);
    fs::remove_file(program).expect("the copy");
    sandbox.stop(&["app.conf"]);
}

/// Root signals nothing with its own rights because somebody else says so.
#[test]
fn root_does_not_signal_on_the_word_of_another_user() {
    if !is_root() {
        return skip("needs root to be two users");
    }
    let sandbox = Sandbox::with_runner("program sleep 1000");
    let python = "\
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind('zdsock')
os.setuid(65534)
server.listen(8)
os.write(1, b'ready')
while True:
    client = server.accept()[0]
    if client.recv(99) == b'status\\n':
        client.send(b'application=%s\\n' % sys.argv[1].encode())
    client.close()
";
    let mut victim = sandbox.command("sleep").arg("1000").spawn().expect("a victim");
    let Some(server) = python_server(&sandbox, python, &victim.id().to_string()) else {
        end(victim);
        return skip("needs python3");
    };
    sandbox.zd(&["kill", "KILL"]).exits(4).complains("Error: ''");
    assert!(victim.try_wait().expect("a child").is_none(), "root's process was killed");
    end(victim);
    end(server);
}
