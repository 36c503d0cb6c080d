use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Sandbox, binary, exists, is_root, send_signal, skip};

/// Somebody else at the socket's place, who lets `reply` answer every
/// connection for as long as the tests run.
fn impostor(sandbox: &Sandbox, mut reply: impl FnMut(&mut UnixStream) + Send + 'static) {
    let listener = UnixListener::bind(sandbox.path("zdsock")).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 100]);
            reply(&mut stream);
        }
    });
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
    for lie in [
        "application=99999999999999999999\n",
        "application=4294967297\n",
        "Command superseded by new command\n",
        "\u{1}\u{1}\u{1}",
    ] {
        let sandbox = Sandbox::with_runner("program sleep 1000");
        impostor(&sandbox, says(lie));
        for command in ["status", "stop", "start", "restart", "wait", "kill"] {
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
    for command in ["status", "stop", "start", "restart", "wait", "kill"] {
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
    let commands = ["status", "start", "stop"];
    let waiting = commands.map(|command| sandbox.background(&["-C", "app.conf", command]));
    for command in waiting {
        let output = command.output().exits(4).complains("does not answer; waited 10 seconds");
        assert_eq!(output.stdout, "");
    }
    send_signal(supervisor, Signal::SIGCONT);
    sandbox.stop(&["app.conf"]);
}

/// The binary where everybody can execute it.
fn binary_for_all(sandbox: &Sandbox) -> String {
    let copy = sandbox.path("zdaemon");
    fs::copy(binary(), &copy).expect("a copy");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("for all");
    copy.to_string_lossy().into_owned()
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
    let mut server = sandbox.command("python3");
    server.args(["-c", python, &victim.id().to_string()]).stdout(std::process::Stdio::piped());
    let Ok(mut server) = server.spawn() else {
        let _ = victim.kill();
        let _ = victim.wait();
        return skip("needs python3");
    };
    let mut ready = [0; 5];
    let mut pipe = server.stdout.take().expect("a pipe");
    pipe.read_exact(&mut ready).expect("a listening server");
    sandbox.zd(&["kill", "KILL"]).exits(4).complains("Error: ''");
    assert!(victim.try_wait().expect("a child").is_none(), "root's process was killed");
    for mut child in [victim, server] {
        child.kill().expect("alive");
        child.wait().expect("a child");
    }
}
