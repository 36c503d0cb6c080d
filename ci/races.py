"""Run by ci/races: clients that race, a history of what they were told, and a
judge who knows from the program itself when it lived.

Times are seconds of CLOCK_BOOTTIME. Of a life it is known from when and until
when it was alive for certain, and within which bounds it can have been alive at
all; of an answer, when the command was called and when it returned. An answer is
true if it was so at some instant between the two. What cannot be known counts
for the answer.
"""

import os
import random
import re
import select
import signal
import subprocess
import sys
import threading
import time

TICK = 0.011  # what the kernel's start times, /proc/uptime and the event log leave out
SAME = 2  # in so few seconds no process number comes around again
LIMIT = 60  # a command that takes longer is stuck

# First its life is written down, by a shell that starts in a millisecond, then
# the lock is taken that a second one could not get.
PROGRAM = r"""#!/bin/sh
read -r up rest </proc/uptime
read -r stat </proc/$$/stat
echo "begin $$ $up $stat" >>journal
exec python3 -SE program.py
"""

BODY = r"""
import fcntl, os, random, signal, time
pid = os.getpid()
journal = os.open("journal", os.O_WRONLY | os.O_APPEND)
lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    os.write(journal, b"second %d\n" % pid)
def end(*_):
    time.sleep(random.choice([0, 0, 0, 0.02, 0.2]))
    os._exit(random.choice([0, 1, 1, 1]))
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
time.sleep(random.choice([0.3, 2, 1000, 1000]))
os._exit(1)
"""

CONFIG = """<runner>
  program %(box)s/program
  directory %(box)s
  socket-name %(box)s/zdsock
  transcript %(box)s/transcript
  settle-time %(settle)s
  backoff-limit 1
  forever on
  stop-timeout 5
</runner>
<eventlog>
  level debug
  <logfile>
    path %(box)s/app.events
    format %%(created).3f %%(message)s
  </logfile>
</eventlog>
"""


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Life:
    """One program: alive for certain in [sure_from, sure_to], at all within
    [from_, to]."""

    def __init__(self, pid, from_, sure_from, sure_to=float("inf"), to=float("inf")):
        self.pid, self.from_, self.sure_from, self.sure_to, self.to = pid, from_, sure_from, sure_to, to


class Answer:
    """One command: what was asked, when, and what came back."""

    def __init__(self, command, called, returned, status, text):
        self.command, self.called, self.returned = command, called, returned
        self.status, self.text = status, text

    def __str__(self):
        return f"{self.command} [{self.called:.3f}, {self.returned:.3f}] exit {self.status}: {self.text!r}"


class Observer(threading.Thread):
    """Follows the journal, and watches each program from its beginning."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.lives, self.seconds, self.done = path, [], [], False
        open(path, "a").close()

    def run(self):
        rest, offset, watched = "", 0, {}
        poll = select.poll()
        while not self.done:
            with open(self.path) as journal:
                journal.seek(offset)
                rest += journal.read()
                offset = journal.tell()
            *lines, rest = rest.split("\n")
            for line in lines:
                self.take(line, poll, watched)
            before = now()
            ended = {fd for fd, _ in poll.poll(2)}
            after = now()
            for fd, life in list(watched.items()):
                if fd not in ended:
                    life.seen = before
                elif not os.path.exists(f"/proc/{life.pid}"):
                    # It has ended, and whoever has it as a child has noticed.
                    life.to = after
                    poll.unregister(fd)
                    os.close(fd)
                    del watched[fd]

    def take(self, line, poll, watched):
        words = line.split()
        if words[0] == "second":
            self.seconds.append(line)
            return
        pid, up = int(words[1]), float(words[2])
        start = int(line.rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
        life = Life(pid, start - TICK, up + TICK)
        life.seen = up
        try:
            fd = os.pidfd_open(pid)
            poll.register(fd, select.POLLIN)
            watched[fd] = life
        except ProcessLookupError:
            life.to = now()
        self.lives.append(life)

    def finish(self):
        time.sleep(0.2)
        self.done = True
        self.join()
        for life in self.lives:
            life.sure_to = life.seen
        return self.lives


class Judge:
    def __init__(self, lives, answers, seconds=(), spawned=()):
        self.lives, self.answers, self.spawned = lives, answers, spawned
        self.seconds, self.lies, self.unknown = seconds, [], 0
        # When a daemon manager answered for itself: who was there before and
        # after, was there all the time.
        self.managers = {}
        for answer in answers:
            for pid in re.findall(r"^manager=(\d+)$", answer.text, re.M):
                self.managers.setdefault(int(pid), []).append((answer.called, answer.returned))

    def judge(self):
        for line in self.seconds:
            self.lies.append(f"never two: the lock was taken: {line}")
        lives = sorted((life for life in self.lives if life.sure_to > life.sure_from), key=lambda l: l.sure_from)
        for one, other in zip(lives, lives[1:]):
            if other.sure_from < one.sure_to:
                self.lies.append(f"never two: {one.pid} and {other.pid} at {other.sure_from:.3f}")
        for answer in self.answers:
            why = self.lie(answer)
            if why:
                self.lies.append(f"{why}: {answer}")
        return self.lies

    def lie(self, answer):
        """Why the answer is none, or not true; None if it is."""
        if answer.returned - answer.called > LIMIT:
            return "never stuck"
        text = "\n".join(line for line in answer.text.replace(". ", "").split("\n") if line)
        for pattern, statuses, check in ANSWERS[answer.command.split()[0]]:
            match = re.match(pattern, text, re.M)
            if match and answer.status in statuses:
                return check(self, answer, *map(int, match.groups()))
        return "not an answer"

    def lived(self, answer, pid, after=float("-inf")):
        """Whether that program lived then, and began after a time."""
        known = [life for life in self.lives if life.pid == pid]
        then = [life for life in known if life.from_ <= answer.returned and life.to >= answer.called]
        if any(life.from_ + 2 * TICK >= after for life in then):
            return None
        if any(
            pid == spawned and at - TICK <= answer.returned and at + SAME >= answer.called for at, spawned in self.spawned
        ):
            self.unknown += 1  # it was gone before it could write anything
            return None
        return f"{pid} had begun before" if then else f"{pid} did not live then"

    def began(self, answer, pid):
        return self.lived(answer, pid, after=answer.called)

    def nothing_lived(self, answer):
        for life in self.lives:
            if life.sure_from <= answer.called and life.sure_to >= answer.returned:
                return f"{life.pid} lived all the time"
        return None

    def no_manager(self, answer):
        for pid, seen in self.managers.items():
            before = any(answer.called - SAME <= returned <= answer.called for _, returned in seen)
            after = any(answer.returned <= called <= answer.returned + SAME for called, _ in seen)
            if before and after:
                return f"the daemon manager {pid} was there all the time"
        return None

    def nobody(self, answer):
        return self.nothing_lived(answer) or self.no_manager(answer)

    def orphan(self, answer, pid):
        return self.lived(answer, pid) or self.no_manager(answer)

    def anything(self, answer, *_):
        return None


STATUS = [
    (r"program running; pid=(\d+)$", [0], Judge.lived),
    (r"daemon manager running; daemon process not running$", [3], Judge.nothing_lived),
    (r"daemon manager not running; daemon process still running, pid=(\d+)$", [4], Judge.orphan),
    (r"daemon manager not running$", [3], Judge.nobody),
]
ANSWERS = {
    "status": STATUS,
    "start": [
        (r"(?:.*\n)*daemon process started, pid=(\d+)$", [0], Judge.lived),
        (r"daemon process already running; pid=(\d+)$", [0], Judge.lived),
        (r"(?:.*\n)*daemon manager not running$", [1], Judge.no_manager),
    ],
    "stop": [
        (r"(?:.*\n)*daemon process stopped$", [0], Judge.nothing_lived),
        (r"daemon process not running$", [0], Judge.nothing_lived),
        (r"daemon manager not running$", [0], Judge.nobody),
        # its own new daemon manager was killed as well
        (r"(?:.*\n)*daemon manager not running; daemon process still running, pid=(\d+)$", [1], Judge.orphan),
    ],
    "restart": [
        (r"(?:.*\n)*daemon process restarted, pid=(\d+)$", [0], Judge.began),
        (r"(?:.*\n)*daemon process started, pid=(\d+)$", [0], Judge.lived),
        (r"daemon process already running; pid=(\d+)$", [0], Judge.lived),
        (r"(?:.*\n)*daemon manager not running$", [1], Judge.no_manager),
    ],
    "wait": [
        (r"(?:.*\n)*daemon process stopped\n", [0], Judge.nothing_lived),
        (r"(?:.*\n)*daemon manager not running; daemon process still running, pid=(\d+)$", [4], Judge.orphan),
    ],
    "kill": [
        (r"kill\((\d+), \d+\)\n", [0], Judge.lived),
        (r"daemon process not running$", [0], Judge.nothing_lived),
        (r"daemon manager not running; daemon process still running, pid=(\d+)$", [4], Judge.orphan),
    ],
    "reopen_transcript": [
        (r"$", [0], Judge.anything),
        (r"daemon manager not running$", [0], Judge.no_manager),
    ],
    # somebody who may not ask
    "foreign": [
        (r"Error: ", [4], Judge.anything),
        (r"daemon manager not running$", [3], Judge.no_manager),
    ],
}


class Race:
    def __init__(self, binary, box):
        self.binary, self.box, self.answers = binary, box, []
        os.chdir(box)
        self.write("program", PROGRAM, 0o755)
        self.write("program.py", BODY)
        self.write("app.conf", CONFIG % {"box": box, "settle": "0.05"})
        # Somebody else's idea of the same instance.
        self.write("other.conf", CONFIG % {"box": box, "settle": "0"})
        self.observer = Observer(os.path.join(box, "journal"))
        self.observer.start()

    def write(self, name, text, mode=0o644):
        with open(os.path.join(self.box, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(self.box, name), mode)

    def run(self, *command, conf="app.conf", user=None):
        called = now()
        child = subprocess.Popen(
            [self.binary, "-C", os.path.join(self.box, conf), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=user,
            # `wait` takes as long as the program lives
            start_new_session=True,
        )
        try:
            text = child.communicate(timeout=LIMIT if command[0] != "wait" else 2)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            if command[0] == "wait":
                return None
            text = "(nothing)"
        name = "foreign" if user else " ".join(command)
        # Notes on stderr stand before the answer; of the long status only the rest.
        answer = Answer(name, called, now(), child.returncode, text)
        self.answers.append(answer)
        return answer

    def together(self, count, work):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stopped(self):
        self.must(self.run("stop"), 0)
        self.must(self.run("status", "-l"), 3)

    def must(self, answer, status):
        if answer.status != status:
            raise SystemExit(f"wanted exit status {status}: {answer}")
        return answer

    def starts(self, rounds):
        """50 at once: one program, and every one of them names it."""
        for _ in range(rounds):
            lives, began = len(self.observer.lives), len(self.answers)
            self.together(50, lambda _: self.must(self.run("start"), 0))
            pids = set(re.findall(r"pid=(\d+)", " ".join(answer.text for answer in self.answers[began:])))
            # the one that ends by itself soon may be followed by another
            if len(pids) > 1 + len(self.observer.lives) - lives:
                raise SystemExit(f"50 starts named {pids}")
            self.stopped()
        return rounds

    def starts_and_stops(self, seconds):
        return self.for_a_while(seconds, lambda _: self.run(random.choice(["start", "stop", "status -l"]).split()[0]))

    def for_a_while(self, seconds, move, clients=8):
        end, count = now() + seconds, len(self.answers)

        def client(number):
            while now() < end:
                move(number)

        self.together(clients, client)
        return len(self.answers) - count

    def manager(self):
        found = re.findall(r"^manager=(\d+)$", self.run("status", "-l").text, re.M)
        return int(found[0]) if found else None

    def end_manager(self, how):
        manager = self.manager()
        if manager:
            try:
                os.kill(manager, how)
            except ProcessLookupError:
                pass

    def dying(self, seconds):
        """Starts against a daemon manager that ends, in each way."""
        end, rounds = now() + seconds, 0
        while now() < end:
            self.run("start")
            delay = random.random() * 0.05
            how = random.choice([signal.SIGTERM, signal.SIGKILL, None])

            def player(number):
                if number:
                    time.sleep(random.random() * 0.05)
                    self.run("start")
                elif how:
                    time.sleep(delay)
                    self.end_manager(how)
                else:
                    self.run("stop")

            self.together(6, player)
            self.run("start")
            self.run("status", "-l")
            rounds += 1
        self.stopped()
        return rounds

    def anything(self, _):
        command = random.choice(
            ["start", "start", "start", "stop", "restart", "status -l", "status -l", "status", "wait"]
            + ["kill", "kill KILL", "kill HUP", "reopen_transcript", "foreign"]
        )
        conf = random.choice(["app.conf", "app.conf", "other.conf"])
        if command == "foreign":
            if os.getuid() == 0:
                self.run("status", user=65534)
            return
        self.run(*command.split(), conf=conf)

    def everything(self, seconds, killing):
        end = now() + seconds

        def client(number):
            if number or not killing:
                return self.anything(number)
            time.sleep(random.random())
            if now() < end:
                self.end_manager(random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))

        return self.for_a_while(seconds, client, clients=20)

    def judged(self):
        lives = self.observer.finish()
        with open("app.events") as log:
            told = re.findall(r"^([0-9.]+) (?:spawned|adopted) process pid=(\d+)", log.read(), re.M)
        passed = time.time() - now()
        spawned = [(float(at) - passed, int(pid)) for at, pid in told]
        if not spawned:
            raise SystemExit("the event log tells of no spawn")
        judge = Judge(lives, self.answers, self.observer.seconds, spawned)
        lies = judge.judge()
        for lie in lies[:20]:
            print(f"LIE {lie}")
        return len(lies), len(lives), judge.unknown


def main(binary, box, seconds):
    race = Race(binary, box)
    rounds = race.starts(max(1, int(seconds / 15)))
    against = race.starts_and_stops(seconds * 0.15)
    race.stopped()
    dying = race.dying(seconds * 0.25)
    quiet = race.everything(seconds * 0.25, killing=False)
    race.stopped()
    killed = race.everything(seconds * 0.25, killing=True)
    race.stopped()
    lies, lives, unknown = race.judged()
    print(
        f"- {rounds} times 50 starts at once; {against} starts and stops against each other; {dying} daemon managers"
        f" ended under 5 starts; {quiet} commands of 20 clients at random, {killed} while daemon managers were killed"
    )
    print(f"- {len(race.answers)} answers against {lives} lives of the program (and {unknown} answers about one too short to write): {lies} not true")
    hidden = [name for name in os.listdir(box) if name.startswith(".")]
    if hidden or os.path.exists("zdsock"):
        print(f"left behind: {hidden}")
        return 1
    return 1 if lies else 0


def self_test():
    def life(pid, begin, end):
        return Life(pid, begin, begin, end, end)

    def said(command, called, returned, status, text):
        return Answer(command, called, returned, status, text)

    manager = "program running; pid=7\nmanager=3\n"
    truths = [
        said("start", 0.5, 1.2, 0, "\ndaemon process started, pid=7\n"),
        said("status -l", 2, 2.1, 0, manager),
        said("stop", 8.9, 10.1, 0, ". \ndaemon process stopped\n"),
        said("status", 10.2, 10.3, 3, "daemon manager not running\n"),
        said("restart", 10.4, 11.1, 0, "\ndaemon process started, pid=8\n"),
        said("kill", 12, 12.1, 0, "kill(8, 15)\nsignal SIGTERM sent to process 8\n"),
        said("wait", 12.1, 13.1, 0, "\ndaemon process stopped\ndaemon manager not running\n"),
    ]
    lives = [life(7, 1, 10), life(8, 11, 13)]
    lies = Judge(lives, truths).judge()
    assert not lies, lies
    forged = {
        "never two: 7 and 9": (lives + [life(9, 9, 9.5)], []),
        "never stuck": (lives, [said("status", 1, 90, 0, "program running; pid=7\n")]),
        "8 did not live then": (lives, [said("status", 2, 3, 0, "program running; pid=8\n")]),
        "9 did not live then": (lives, [said("start", 2, 3, 0, "\ndaemon process started, pid=9\n")]),
        "7 lived all the time": (lives, [said("stop", 2, 3, 0, "\ndaemon process stopped\n")]),
        "7 lived all": (lives, [said("status", 2, 3, 3, "daemon manager running; daemon process not running\n")]),
        "8 lived all": (lives, [said("wait", 11.5, 12, 0, "\ndaemon process stopped\ndaemon manager not running\n")]),
        "8 lived": (lives, [said("kill", 11.5, 12, 0, "daemon process not running\n")]),
        "7 had begun before": (lives, [said("restart", 2, 3, 0, "\ndaemon process restarted, pid=7\n")]),
        "the daemon manager 3 was there": (
            lives,
            [said("status -l", 2, 2.1, 0, manager), said("status -l", 4, 4.1, 0, manager)]
            + [said("start", 3, 3.1, 1, "\ndaemon manager not running\n")],
        ),
        "not an answer": (lives, [said("start", 2, 3, 1, "daemon process already running; pid=7\n")]),
    }
    for why, (lives, answers) in forged.items():
        lies = Judge(lives, answers).judge()
        assert len(lies) == 1 and lies[0].startswith(why), (why, lies)
    lies = Judge([], [], ["second 7"]).judge()
    assert lies == ["never two: the lock was taken: second 7"], lies
    print(f"- {len(forged) + 1} forged histories are found out, and a true one is believed")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
