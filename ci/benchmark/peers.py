"""The supervisors that are compared, an adapter each: what has to lie in a service's directory, and which commands
start, ask, stop and restart it. Measures nothing. A service's directory holds a FIFO named `fifo`."""
import os
import shutil
import subprocess
from pathlib import Path

from rig import BUILT, Unable, note

PACKAGES = {"runit": ["runit"], "daemontools": ["daemontools"], "daemon": ["daemon"], "tini": ["tini"], "dumb-init": ["dumb-init"],
            "s6": ["s6", "libskarnet2.13", "libexecline2.9", "libs6-2.11"]}
PYTHON = {"supervisor": ["supervisor==4.2.5", "setuptools<81"], "zdaemon": ["zdaemon==5.2.1", "setuptools<81"]}
PEERS = BUILT / "peers"
PROGRAM = str(BUILT / "program")


def install():
    """Debian's packages are unpacked under target/, not installed: nothing of them runs and no service is started."""
    for name, packages in PACKAGES.items():
        folder = PEERS / name
        if (folder / "complete").exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fetched = subprocess.run(["apt-get", "-q", "download", *packages], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True)
            package.unlink()
        finish(folder, name, fetched)
    for name, requirements in PYTHON.items():
        folder = PEERS / name
        if (folder / "complete").exists():
            continue
        subprocess.run(["python3", "-m", "venv", "--clear", folder], check=True)
        finish(folder, name, subprocess.run([folder / "bin" / "pip", "-q", "install", *requirements], stderr=subprocess.PIPE, text=True))


def finish(folder, name, fetched):
    if fetched.returncode == 0:
        (folder / "complete").touch()
    else:
        note(f"{name} cannot be installed: {(fetched.stderr.splitlines() or ['?'])[-1]}")


class Peer:
    foreground = False  # `start` is the supervisor itself, which stays
    reached = "start"   # the command that starts the program once the supervisor is there
    respawns = True
    waits = True        # its commands return when the thing has happened
    slow = False        # an interpreter starts with every command: fewer runs
    hub = False         # one supervisor for many programs
    needs = ()

    def __init__(self, name, *needs):
        self.name, self.needs = name, [Path(path) for path in needs]
        self.control = str(needs[-1]) if needs else None
        self.supervisor = str(needs[0]) if needs else None

    def check(self):
        for path in self.needs:
            if not os.access(path, os.X_OK):
                raise Unable(f"{path.name} is not there (ci/bench --install)")

    def environment(self, folder):
        return {}

    def prepare(self, folder, program=None, transcript=None):
        """Lays out the service's directory."""

    def command(self, folder, word):
        """None where there is no such command."""
        return None

    def begin(self, folder):
        """The command that starts the supervisor and the program with it."""
        return self.command(folder, "start")


class Zdaemon(Peer):
    """Ours. Without further words it is as bare as the floors; `logging` adds transcript and event log."""

    def __init__(self, name, binary, logging, settle="  settle-time 0\n"):
        super().__init__(name, binary)
        self.logging, self.settle = logging, settle

    def prepare(self, folder, program=None, transcript=None):
        if self.logging and not transcript:
            transcript = f"{folder}/transcript"
        text = f"<runner>\n  program {program or f'{PROGRAM} {folder}/fifo'}\n  socket-name {folder}/zdsock\n  backoff-limit 1\n{self.settle}"
        text += f"  transcript {transcript}\n" if transcript else ""
        text += "</runner>\n"
        if self.logging:
            text += f"<eventlog>\n  <logfile>\n    path {folder}/events\n  </logfile>\n</eventlog>\n"
        Path(f"{folder}/conf").write_text(text)

    def command(self, folder, word):
        return [self.supervisor, "-C", f"{folder}/conf", word]


class OldZdaemon(Zdaemon):
    slow = True

    def __init__(self, name, binary):
        super().__init__(name, binary, True, "  daemon on\n")


class Floor(Peer):
    def command(self, folder, word):
        return [self.supervisor, word, f"{folder}/socket"] + ([PROGRAM, f"{folder}/fifo"] if word == "start" else [])


class Runit(Peer):
    foreground = True

    def prepare(self, folder, program=None, transcript=None):
        os.symlink(PROGRAM, f"{folder}/run")

    def begin(self, folder):
        return [self.supervisor, folder]

    def command(self, folder, word):
        return [self.control, word, folder]


class S6(Runit):
    WORDS = {"start": ["-wu", "-u"], "stop": ["-wd", "-d"], "restart": ["-wr", "-r"]}

    def __init__(self, name, folder):
        super().__init__(name, folder / "usr/bin/s6-supervise", folder / "usr/bin/s6-svc")
        self.folder = folder

    def environment(self, folder):
        paths = {"PATH": f"{self.folder}/usr/bin:/usr/bin:/bin"}
        return paths if self.folder == Path("/") else {**paths, "LD_LIBRARY_PATH": f"{self.folder}/usr/lib/x86_64-linux-gnu"}

    def command(self, folder, word):
        if word == "status":
            return [f"{self.folder}/usr/bin/s6-svstat", folder]
        return [self.control, *self.WORDS[word], folder]


class Daemontools(Runit):
    waits = False

    def command(self, folder, word):
        if word == "status":
            return [self.control.replace("svc", "svstat"), folder]
        return [self.control, {"start": "-u", "stop": "-d", "restart": "-t"}[word], folder]


class Daemon(Peer):
    waits = False

    def command(self, folder, word, program=None, extra=()):
        common = [self.supervisor, "--noconfig", "--name=x", f"--pidfiles={folder}"]
        if word == "start":
            return [*common, "--unsafe", "--idiot", "--respawn", "--acceptable=1", *extra, "--", *(program or [PROGRAM, f"{folder}/fifo"])]
        return [*common, {"status": "--running"}.get(word, f"--{word}")]


class Wrapper(Peer):
    """Runs one program; no commands, no respawn."""
    foreground, respawns = True, False

    def __init__(self, name, path, *words):
        super().__init__(name, path)
        self.words = words

    def begin(self, folder):
        return [self.supervisor, *self.words, PROGRAM, f"{folder}/fifo"]


class Bare(Peer):
    """The program alone: what all the others cost on top."""
    foreground, respawns = True, False

    def begin(self, folder):
        return [PROGRAM, f"{folder}/fifo"]


class Supervisord(Peer):
    foreground = slow = hub = True

    def prepare(self, folder, program=None, transcript=None):
        output = transcript or "/dev/null"
        Path(f"{folder}/conf").write_text(
            f"[unix_http_server]\nfile={folder}/socket\n[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n"
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{folder}/socket\n[program:x]\ncommand={program or f'{PROGRAM} {folder}/fifo'}\n"
            f"startsecs=0\nautorestart=true\nredirect_stderr=true\nstdout_logfile={output}\nstdout_logfile_maxbytes=0\n")

    def begin(self, folder):
        return [self.supervisor, "-n", "-c", f"{folder}/conf"]

    def command(self, folder, word):
        return [self.control, "-c", f"{folder}/conf", word, "x"]


DEBIAN = ("runit", "s6", "daemontools", "daemon", "dumb-init", "tini", "supervisor", "zdaemon 5.2.1")
OURS, LOGGING = "zdaemon", "zdaemon, logging"


def all_peers(binary):
    """Everything that can be compared, ours first."""
    s6 = Path("/") if os.access("/usr/bin/s6-supervise", os.X_OK) else PEERS / "s6"
    return [
        Zdaemon(OURS, binary, False),
        Zdaemon(LOGGING, binary, True),
        Bare("(program alone)", PROGRAM),
        Floor("floor-musl", BUILT / "floor-musl"),
        Floor("floor-glibc", BUILT / "floor-glibc"),
        Runit("runit", PEERS / "runit/usr/bin/runsv", PEERS / "runit/usr/bin/sv"),
        S6("s6", s6),
        Daemontools("daemontools", PEERS / "daemontools/usr/bin/supervise", PEERS / "daemontools/usr/bin/svc"),
        Daemon("daemon", PEERS / "daemon/usr/bin/daemon"),
        Wrapper("dumb-init", PEERS / "dumb-init/usr/bin/dumb-init", "--"),
        Wrapper("tini", PEERS / "tini/usr/bin/tini", "-s", "--"),
        Supervisord("supervisor", PEERS / "supervisor/bin/supervisord", PEERS / "supervisor/bin/supervisorctl"),
        OldZdaemon("zdaemon 5.2.1", PEERS / "zdaemon/bin/zdaemon"),
    ]
