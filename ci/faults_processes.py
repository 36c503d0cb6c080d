"""Which of our processes live, and what are they? We are init, or a subreaper, and collect what is orphaned at once;
`/proc` tells the rest. Starts nothing.
"""
import ctypes
import os
import select
import signal
import time


class Orphans:
    """We are init, or a subreaper: what is orphaned comes to us, and we collect it at once."""

    def __init__(self):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        self.ended = {}
        self.woken, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.ended[pid] = os.waitstatus_to_exitcode(status)

    def wait(self, seconds, done, more=()):
        """Until `done` holds, looked at whenever a child ends, something of `more` can be read, or a moment passed."""
        end = time.monotonic() + seconds
        while True:
            self.reap()
            if done():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            ready = select.select([self.woken, *more], [], [], min(left, 0.02))[0]
            if self.woken in ready:
                os.read(self.woken, 4096)


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def below(pid):
    found = []
    for child in children_of(pid):
        found += [child] + below(child)
    return found


def descendants(pid):
    """Whose parent ends just now may be nowhere in one look, so two looks must agree."""
    seen, again = None, below(pid)
    while again != seen:
        seen, again = again, below(pid)
    return again


def words_of(pid):
    """The command line; nothing for a process that has ended, and "?" for one in the middle of its exec or exit."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")[:-1]
        with open(f"/proc/{pid}/stat") as file:
            ended = file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return []
    return [] if ended else words or ["?"]


def executable_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
