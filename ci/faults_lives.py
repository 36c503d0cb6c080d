"""Does one instance keep its promises through one life, whatever goes wrong in it? Scripted lives of the real binary,
each of which begins with a launch in the hands of a tracer, and what must hold at every step and afterwards. Chooses
no faults and counts nothing.

What is legitimate, and nothing else: the command during which the fault strikes may fail, with words and in time; a
supervisor that was killed is gone, and may leave its files for the next `start` or `stop`; what a failing call was
to remove stays until then. Every later command succeeds, and every answer at any time is true.
"""
import os
import re
import select
import shutil
import signal
import time

import faults_trace
from faults_processes import descendants, executable_of, words_of

# Longer than any command may take: `start-timeout`, and what else is bounded below it. A busy machine may need more.
PATIENCE = 12.0
STUCK = "stuck"
CONFIG = """<runner>
  program /bin/sh {box}/program
  socket-name {box}/run/zdsock
  directory {box}
  settle-time 0.02
  start-timeout 8
  stop-timeout 0.2
  backoff-limit 1
  forever on
{more}</runner>
<eventlog>
  level debug
  <logfile>
    path {box}/log/events
  </logfile>
</eventlog>
"""
FILES = "  transcript {box}/log/transcript\n  pid-file {box}/run/pid\n"
TESTED = FILES + "  start-test-program /bin/sh {box}/test\n"
# It finds out by itself whether it is alone, says that it is up, and waits for its end without a child.
PROGRAM = """echo $$ >>{box}/pids
while read -r other; do
    state=Z
    [ "$other" = $$ ] || {{ read -r _ _ state _ <"/proc/$other/stat"; }} 2>/dev/null
    case $state in
    Z | X | "") ;; # ended, at the latest while it was looked at
    *) echo "$$ runs beside $other ($state)" >>{box}/two ;;
    esac
done <{box}/pids
{strays}echo "up $$" && echo $$ >>{box}/said-up
exec 3<>{box}/never
read -r _ <&3
"""
STRAYS = "/bin/sh {box}/stray &\nsetsid /bin/sh {box}/far-stray &\n"
LINES = 20000
# Numbered lines, one by one and then more than a pipe holds; not of the program that is started in the end.
WRITES = """[ -e {box}/quiet ] || {{
    for number in $(seq 1 20); do echo "$$ line $number"; done
    seq -f "$$ line %.0f" 21 {lines}
}}
""".replace("{lines}", str(LINES))
# What the transcript says where a write was not possible.
MISSING = re.compile(r"\nzdaemon: (\d+) bytes of output are missing here\n")
STRAY = "trap '' TERM\nexec 3<>{box}/never\nread -r _ <&3\n"


class Violation(Exception):
    pass


class Life:
    """One life in a folder of its own. The fault strikes at most once."""

    def __init__(self, orphans, binary, box, fault, more=FILES, strays="", instead=""):
        self.orphans, self.binary, self.box, self.fault = orphans, binary, box, fault
        self.first_words = ["/bin/sh", f"{box}/instead"] if instead else [binary]
        self.env = {"PATH": "/usr/bin:/bin", "LANG": "C"}
        self.tracer = self.telling = None
        self.heard, self.struck, self.traced_exit, self.calls = b"", False, None, {}
        self.forsaken = set()
        for folder in ("", "/run", "/log"):
            os.makedirs(box + folder)
        os.mkfifo(f"{box}/never")
        for name, text in {
            "conf": CONFIG.replace("{more}", more),
            "program": PROGRAM.replace("{strays}", strays),
            "stray": STRAY,
            "far-stray": STRAY,
            "test": "exit 0\n",
            "said-up": "",
            "instead": f"{instead}\nexec {binary} \"$@\"\n",
        }.items():
            with open(f"{box}/{name}", "w") as file:
                file.write(text.replace("{box}", box).replace("{{", "{").replace("}}", "}"))

    # --- what is so

    def processes(self):
        """Of all that is alive and started by us: supervisors, copies of the program, others, and whether there are
        processes that are neither one thing nor the other just now."""
        self.orphans.reap()
        supervisors, copies, others, vague = [], [], [], False
        for pid in descendants(os.getpid()):
            if pid == self.tracer:
                continue
            words = words_of(pid)
            if words and executable_of(pid) == self.binary:
                supervisors.append(pid)
            elif words[1:2] == [f"{self.box}/program"]:
                copies.append(pid)
            elif words == ["?"]:
                vague = True
            elif words:
                others.append(f"{pid} {' '.join(words)}")
        return supervisors, copies, others, vague

    def settled(self):
        """(supervisor or None, program or None), once the supervisor has let its new child go."""
        truth = []

        def clear():
            supervisors, copies, _, vague = self.processes()
            truth[:] = supervisors, copies
            return len(supervisors) < 2 and len(copies) < 2 and not vague

        if not self.orphans.wait(1.5, clear):
            raise Violation(f"two: supervisors {truth[0]}, programs {truth[1]}")
        # Who is not there may have been struck meanwhile.
        self.listen()
        return (truth[0] or [None])[0], (truth[1] or [None])[0]

    def listen(self):
        """Takes in what the tracer tells."""
        while self.telling is not None and select.select([self.telling], [], [], 0)[0]:
            news = os.read(self.telling, 65536)
            self.heard += news
            if not news:
                os.close(self.telling)
                self.telling = None
        *lines, self.heard = self.heard.split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "struck":
                self.struck = True
            elif word == "exit":
                self.traced_exit = int(rest)
            elif word == "calls":
                role, *names = rest.split()
                self.calls[role] = names
            else:
                raise RuntimeError(f"the tracer says: {line.decode()}")

    # --- what a user does

    def command(self, word, traced=False):
        """Its exit status and what it said. A failure is legitimate only while the fault strikes."""
        self.listen()
        before = self.struck
        output = f"{self.box}/said"
        argv = [*self.first_words, "-C", f"{self.box}/conf", word]
        if os.path.exists(output):
            os.unlink(output)
        began = time.monotonic()
        if traced:
            self.tracer, self.telling = faults_trace.start(argv, self.env, output, self.fault)

            def done():
                self.listen()
                return self.traced_exit is not None

            ended = self.orphans.wait(PATIENCE, done, [self.telling])
            status = self.traced_exit
        else:
            out = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), out, (os.POSIX_SPAWN_DUP2, 1, 2)]
            pid = os.posix_spawn(argv[0], argv, self.env, file_actions=actions)
            ended = self.orphans.wait(PATIENCE, lambda: pid in self.orphans.ended)
            status = self.orphans.ended.pop(pid, None)
        took = time.monotonic() - began
        with open(output, errors="replace") as file:
            said = file.read()
        self.listen()
        what = f"`{word}` ({status}, {took:.1f} s, {said.strip()[:300]!r})"
        if not ended:
            raise Violation(f"{STUCK}: {what}")
        if "panicked" in said:
            raise Violation(f"panic: {what}")
        if status != 0 and not said.strip() and not (traced and status == -signal.SIGKILL):
            raise Violation(f"silent: {what}")
        may_fail = self.struck and not before
        if word != "status" and status != 0 and not may_fail:
            raise Violation(f"refused: {what}")
        return status, said, what

    def status_is_true(self):
        """What `status` says is what `/proc` says, before or after."""
        before = self.settled()
        status, said, what = self.command("status")
        after = self.settled()
        expected = [answer(*before), answer(*after)]
        if (status, said.strip()) not in expected:
            raise Violation(f"untrue: {what} instead of {expected[0]!r}")

    def brings_up(self, word, traced=False):
        """`start` or `restart`; when it says that it has worked, it has."""
        old = self.settled()[1]
        status, said, what = self.command(word, traced)
        supervisor, program = self.settled()
        if status == 0 and program is None and self.strikes_the_program():
            # It was killed, or could not begin, just as it was told to be up.
            return self.respawns()
        if status == 0 and program is None:
            raise Violation(f"untrue: nothing runs after {what}")
        if status == 0 and word == "restart" and program == old:
            raise Violation(f"untrue: still {old} after {what}")
        self.listen()
        if status == 0 and not self.struck and supervisor is None:
            raise Violation(f"untrue: no supervisor after {what}")
        if status == 0 and f"pid={program}" not in said and not self.strikes_the_program():
            raise Violation(f"untrue: {program} runs after {what}")
        self.status_is_true()
        self.is_heard()

    def is_heard(self):
        """Until what the program said has been copied: a supervisor that is killed when it has just told the program to
        end leaves it in a pipe that ends with both. Whether it is there is asked at the end."""
        supervisor, program = self.settled()
        path = f"{self.box}/log/transcript"
        if supervisor is None or program is None or not os.path.exists(path) or self.may_lose_output():
            return

        def has_line():
            with open(path, errors="replace") as file:
                return f"up {program}\n" in file.read()

        self.orphans.wait(2, has_line)

    def stops(self, traced=False):
        status, _, what = self.command("stop", traced)
        if status == 0:
            _, copies, others, _ = self.processes()
            others = [what for what in others if not (self.may_leave_strays() and "far" in what)]
            if copies or others:
                raise Violation(f"not gone: {copies} {others} after {what}")
            # What cannot be seen from the socket: that the process is gone that closed it.
            if not self.orphans.wait(1, lambda: not (self.processes()[0] or self.processes()[3])):
                raise Violation(f"not gone: the supervisor after {what}")
        self.status_is_true()

    def crashes(self):
        """The program dies; the supervisor, if there is one, has taken notice."""
        supervisor, program = self.settled()
        if program is None:
            return
        if supervisor is None:
            # Nobody holds the pipe now; what is still in it is gone.
            self.forsaken.add(program)
        os.kill(program, signal.SIGKILL)
        if not self.orphans.wait(2, lambda: not os.path.exists(f"/proc/{program}")):
            raise Violation(f"zombie: {program} is not reaped")
        # The end of an adopted program is seen here as soon as there.
        self.orphans.wait(1, lambda: f"pid={program}" not in self.command("status")[1])
        self.status_is_true()

    def respawns(self):
        """After a crash, by itself, after a second."""
        if self.settled()[0] is not None:
            if not self.orphans.wait(3.5, lambda: self.processes()[1] or not self.processes()[0]):
                raise Violation("down: no new program after a crash")
            self.status_is_true()
        self.is_heard()

    def loses_supervisor(self):
        supervisor, _ = self.settled()
        os.kill(supervisor, signal.SIGKILL)
        self.orphans.wait(2, lambda: not os.path.exists(f"/proc/{supervisor}"))

    def strikes_the_program(self):
        return self.struck and self.fault.role.startswith("child")

    # --- what a program writes

    def writes_its_lines(self):
        """Ends when each line is in the transcript, or the supervisor has been killed before."""
        said = [f"{self.box}/said-up", f"{self.box}/log/transcript"]

        def done():
            self.listen()
            up, text = (open(path, errors="replace").read() if os.path.exists(path) else "" for path in said)
            return self.killed_now() or (up and self.mistake_in(text, up.split()) is None)

        self.orphans.wait(5, done)

    def falls_silent(self):
        with open(f"{self.box}/quiet", "w"):
            pass

    def killed_now(self):
        return self.struck and self.fault.kills() and self.settled()[0] is None

    def lines_are_whole(self):
        """Of each program: every line once and in order, and what is missing is counted to the byte."""
        with open(f"{self.box}/log/transcript", errors="replace") as file:
            text = file.read()
        with open(f"{self.box}/said-up") as file:
            mistake = self.mistake_in(text, file.read().split())
        if mistake:
            raise Violation(f"output: {mistake}")
        if (not self.struck or self.fault.kills()) and MISSING.search(text):
            raise Violation(f"output: {MISSING.search(text).group()!r}")

    def mistake_in(self, text, programs):
        wanted, at = "".join(lines_of(pid) for pid in programs), 0
        # A program before them may not have come so far.
        begin = text.find(f"{programs[0]} line 1\n") if programs else -1
        pieces = MISSING.split(text[max(begin, 0):])
        for piece, missing in zip(pieces[::2], [*pieces[1::2], 0]):
            if wanted[at:at + len(piece)] != piece:
                return f"not {wanted[at:at + 40]!r} at {at} of {len(wanted)} bytes but {piece[:40]!r}"
            at += len(piece) + int(missing)
        return None if at == len(wanted) else f"{at} bytes are accounted for of {len(wanted)}"

    # --- afterwards

    def may_leave_strays(self):
        """A process that has left its session and lost its parents is found by nobody but the subreaper that it comes
        to: not where the kernel refused us that, and not by the next supervisor after a kill."""
        return self.struck and (self.fault.name == "prctl" or self.fault.kills())

    def leaves_nothing(self):
        left = sorted(os.listdir(f"{self.box}/run"))
        if left:
            raise Violation(f"files left: {left}")

    def ends_well(self):
        """The tracer lets go, and the instance is as good as ever."""
        if self.tracer is not None and self.tracer not in self.orphans.ended:
            self.orphans.wait(1, lambda: self.tracer in self.orphans.ended or self.may_be_let_go())
            if self.tracer not in self.orphans.ended:
                os.kill(self.tracer, signal.SIGKILL)
                self.orphans.wait(2, lambda: self.tracer in self.orphans.ended)
        self.listen()
        if not self.struck:
            self.leaves_nothing()
        self.status_is_true()
        self.brings_up("start")
        self.stops()
        self.leaves_nothing()
        self.output_is_whole()
        if os.path.exists(f"{self.box}/two"):
            with open(f"{self.box}/two") as file:
                raise Violation(f"two: {file.read().strip()}")

    def may_be_let_go(self):
        """A recording is told at the very end; a fault that has not struck by now never will."""
        return self.fault is not None

    def output_is_whole(self):
        """Each program said one line, which is in the transcript unless it was the writing that failed."""
        for name in ("transcript", "events"):
            path = f"{self.box}/log/{name}"
            text = ""
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text = file.read()
            if "panicked" in text:
                raise Violation(f"panic: {text[text.index('panicked'):][:300]!r}")
            if name == "transcript" and os.path.exists(path) and not self.may_lose_output():
                with open(f"{self.box}/said-up") as file:
                    for pid in file.read().split():
                        if int(pid) not in self.forsaken and f"up {pid}\n" not in text:
                            raise Violation(f"output lost: of {pid} in {text!r}")

    def may_lose_output(self):
        return self.struck and self.fault.name in ("write", "writev") and not self.fault.kills()

    def clean_up(self):
        for _ in range(50):
            left = descendants(os.getpid())
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if self.orphans.wait(0.1, lambda: not descendants(os.getpid())):
                break
        if self.telling is not None:
            os.close(self.telling)
        self.orphans.ended.clear()
        shutil.rmtree(self.box)


def lines_of(program):
    return "".join(f"{program} line {number}\n" for number in range(1, LINES + 1)) + f"up {program}\n"


def answer(supervisor, program):
    """Exit status and text of `status`."""
    if supervisor is None and program is None:
        return 3, "daemon manager not running"
    if supervisor is None:
        return 4, f"daemon manager not running; daemon process still running, pid={program}"
    if program is None:
        return 3, "daemon manager running; daemon process not running"
    return 0, f"program running; pid={program}"


# --- the lives: how the configuration goes on, what the program starts, and what happens


def plain(life):
    life.brings_up("start", traced=True)
    life.command("reopen_transcript")
    life.crashes()
    life.brings_up("start")
    life.brings_up("restart")
    life.stops()


def tested(life):
    life.brings_up("start", traced=True)
    life.crashes()
    life.respawns()
    life.brings_up("restart")
    life.stops()


def adopts(life):
    life.command("start")
    life.loses_supervisor()
    life.brings_up("start", traced=True)
    life.crashes()
    life.brings_up("start")
    life.stops()


def adopted_ends(life):
    life.command("start")
    life.loses_supervisor()
    life.brings_up("start", traced=True)
    life.brings_up("restart")
    life.stops()


def stops_orphan(life):
    life.command("start")
    life.loses_supervisor()
    life.stops(traced=True)


def strays(life):
    life.brings_up("start", traced=True)
    life.brings_up("restart")
    life.stops()


def writes(life):
    life.brings_up("start", traced=True)
    life.writes_its_lines()
    # Takes the program over, if the supervisor was killed.
    life.brings_up("start")
    life.writes_its_lines()
    life.falls_silent()
    life.stops()
    life.lines_are_whole()


def bare(life):
    life.brings_up("start", traced=True)
    life.stops()


# Shell that breaks one promise, by the word that its violation begins with: $3 is the command. What only a supervisor
# itself can break ("zombie", "down") is not among them.
BROKEN = {
    "untrue": 'case $3 in status) echo "program running; pid=1"; exit 0 ;; esac',
    "stuck": "case $3 in stop) exec sleep 100 ;; esac",
    "silent": "case $3 in restart) exit 1 ;; esac",
    "refused": "case $3 in restart) echo no; exit 1 ;; esac",
    "panic": "case $3 in restart) echo panicked; exit 1 ;; esac",
    "not gone": 'case $3 in stop) echo "daemon process stopped"; exit 0 ;; esac',
    "two": "case $3 in restart) /bin/sh {box}/program & ;; esac",
    "files left": "case $3 in stop) echo >{box}/run/left ;; esac",
    "output lost": "case $3 in stop) echo 1 >>{box}/said-up ;; esac",
    "output:": "case $3 in stop) echo up again >>{box}/log/transcript ;; esac",
}
# In which life, if not in the plain one.
BROKEN_IN = {"output:": "writes"}

LIVES = {
    "plain": (plain, FILES, ""),
    "tested": (tested, TESTED, ""),
    "adopts": (adopts, FILES, ""),
    "adopted-ends": (adopted_ends, FILES, ""),
    "stops-orphan": (stops_orphan, FILES, ""),
    "strays": (strays, FILES, STRAYS),
    "writes": (writes, FILES, WRITES),
    "bare": (bare, "", ""),
}


def live(orphans, binary, folder, name, fault=None, instead=""):
    """Lives once; the violation or None, whether the fault has struck, and the calls where there was no fault. What
    stands in `instead`, shell, is run first for each command."""
    act, more, started = LIVES[name]
    life = Life(orphans, binary, folder, fault, more, started, instead)
    try:
        act(life)
        life.ends_well()
        found = None
    except Violation as violation:
        found = str(violation)
    finally:
        life.listen()
        life.clean_up()
    return found, life.struck, life.calls
