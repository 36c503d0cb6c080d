"""What measuring needs: compiled floors, a stage that runs and times commands, memory groups, and looks into /proc.
Knows no supervisor by name and judges no number."""
import ctypes
import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = ROOT / "target" / "bench"
F_SETPIPE_SZ = 1031


class Unable(Exception):
    """Why something cannot be measured here."""


def build():
    """Compiles the floors and the helpers. Returns the names of those that could not be, with the reason."""
    BUILT.mkdir(parents=True, exist_ok=True)
    warnings = "-Wall -Wextra -Wno-unused-result"
    small = "musl-gcc" if shutil.which("musl-gcc") else "gcc"
    recipes = {name: f"{small} -Os -s -static {warnings}" for name in ("program", "stage", "count")}
    recipes |= {"floor-musl": f"musl-gcc -Os -s -static {warnings}", "floor-glibc": f"gcc -Os -s -static {warnings}"}
    missing = {}
    for name, compiler in recipes.items():
        source, target = HERE / f"{name.split('-')[0]}.c", BUILT / name
        if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
            continue
        if not shutil.which(compiler.split()[0]):
            missing[name] = f"{compiler.split()[0]} is not installed"
            continue
        subprocess.run([*compiler.split(), "-o", target, source], check=True)
    for name in ("program", "stage", "count"):
        if name in missing:
            raise Unable(missing[name])
    os.sync()  # pages of a file that is not yet on the disk would count as dirty
    return missing


# -- looking

def read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def fields(text):
    """The numbers of `Name:  number` lines."""
    pairs = (line.partition(":")[::2] for line in text.splitlines())
    return {name: int(rest.split()[0]) for name, rest in pairs if rest.split()[:1] and rest.split()[0].isdigit()}


def parent(pid):
    return fields(read(f"/proc/{pid}/status")).get("PPid", 0)


def processor_seconds(pid):
    """Of all threads, in nanoseconds' resolution where the kernel counts them."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int((read(f"/proc/{pid}/task/{task}/schedstat") or "0").split()[0])
    if total:
        return total / 1e9
    times = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def forget_environment():
    """It is copied into the memory of each process, so it must not depend on who measures."""
    for name in set(os.environ) - {"PATH"}:
        del os.environ[name]


def stolen_seconds():
    """For how long the host of a virtual machine has kept its processors from it, all of them together. Where that is
    much of the time, times vary, and those of commands that wake others the most."""
    times = read("/proc/stat").partition("\n")[0].split()
    return int(times[8]) / os.sysconf("SC_CLK_TCK") if len(times) > 8 else 0


def switches(pid):
    """How often it was put on or off a processor, so that a process for which this stays was not running."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        seen = fields(read(f"/proc/{pid}/task/{task}/status"))
        total += seen.get("voluntary_ctxt_switches", 0) + seen.get("nonvoluntary_ctxt_switches", 0)
    return total


def private_memory(pid):
    """KiB: (private dirty, page tables)."""
    return fields(read(f"/proc/{pid}/smaps_rollup")).get("Private_Dirty", 0), fields(read(f"/proc/{pid}/status")).get("VmPTE", 0)


# -- running

class Fifo:
    """Where programs tell {nanoseconds, pid}."""

    def __init__(self, path):
        os.mkfifo(path)
        self.file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.rest = b""
        try:
            fcntl.fcntl(self.file, F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass

    def record(self, timeout):
        """The next record; none when none comes in time."""
        end = time.monotonic() + timeout
        while len(self.rest) < 16:
            if not select.select([self.file], [], [], max(0, end - time.monotonic()))[0]:
                return None
            self.rest += os.read(self.file, 65536)
        found, self.rest = struct.unpack("qq", self.rest[:16]), self.rest[16:]
        return found

    def empty(self):
        while self.record(0):
            pass

    def close(self):
        os.close(self.file)


class Stage:
    """Runs commands; what they leave running ends with it."""

    def __init__(self, group=None, helper=BUILT / "stage", user=0):
        self.group, self.user = group, user
        words = [helper, group.members if group else "-", str(user)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def share(self):
        """What it runs shares the processors as ordinary programs do: a pipe's two ends that are each put on at once, for
        every line, are not what anybody runs."""
        try:
            os.sched_setscheduler(self.process.pid, os.SCHED_OTHER, os.sched_param(0))
        except OSError:
            pass  # then it is ordinary already

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        if self.group:
            self.group.remove()

    def ask(self, command, runs=1, environment=None):
        """[(begin, end, status)] of so many runs in a row."""
        words = [f"{name}={value}" for name, value in (environment or {}).items()] + [str(word) for word in command]
        self.process.stdin.write("\t".join([str(runs), *words]) + "\n")
        return [tuple(map(int, self.process.stdout.readline().split())) for _ in range(max(runs, 1))]

    def leave(self, command, environment=None):
        """Runs it without waiting for its end; when that was."""
        return self.ask(command, 0, environment)[0][0]


class Group:
    """A control group of our own that counts memory, the kernel's included."""

    def __init__(self, name):
        for line in read("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            for base, control, usage in (("/sys/fs/cgroup/memory", "memory", "memory.usage_in_bytes"),
                                         ("/sys/fs/cgroup", "", "memory.current")):
                if controllers != control:
                    continue
                self.path = Path(f"{base}{path.rstrip('/')}/zdaemon-bench-{os.getpid()}-{name}")
                self.usage = self.path / usage
                try:
                    self.path.mkdir()
                    if self.usage.exists():
                        self.members = str(self.path / "cgroup.procs")
                        return
                    self.path.rmdir()
                except OSError:
                    pass
        raise Unable("no control group for memory can be made here (needs root)")

    def kib(self):
        return int(self.usage.read_text()) / 1024

    def remove(self):
        for _ in range(50):
            try:
                return self.path.rmdir()
            except OSError:
                time.sleep(0.1)


def memory_group(name):
    """None, told, where there can be none."""
    try:
        return Group(name)
    except Unable as why:
        note(f"without memory of all: {why}")
        return None


def count(what, command, environment=None):
    """`instructions` or `calls` of a command, with all that it starts until it ends."""
    run = subprocess.run([BUILT / "count", what, *command], env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True)
    return int(run.stdout) if run.returncode == 0 else None


def go_first():
    """We, and what we start, ahead of the machine's other load. False where that is not allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


def prefer(pid):
    """An ordinary process, and its session, before all other ordinary ones."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -20)
        Path(f"/proc/{pid}/autogroup").write_text("-20")
    except OSError:
        pass  # not root, or no such grouping


def adopt_orphans():
    """What a counted command leaves running becomes our child, so that we can end it."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def end(pid):
    """Ends one process that we were the cause of, and reaps it if it is ours."""
    try:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


# -- where

def machine(binary):
    """What the numbers were measured on, in lines."""
    cpu = next((line.partition(":")[2].strip() for line in read("/proc/cpuinfo").splitlines() if "model name" in line), "unknown processor")
    total = fields(read("/proc/meminfo")).get("MemTotal", 0) >> 20
    system = next((line.partition("=")[2].strip('"') for line in read("/etc/os-release").splitlines() if line.startswith("PRETTY_NAME")), "")
    version = subprocess.run([binary, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    head = Path(binary).read_bytes()
    shape = "static" if b"/ld-" not in head[:4096] else "dynamic"
    return [f"machine: {os.cpu_count()} x {cpu}, {total} GiB; Linux {os.uname().release}, {system}; load average {' '.join(read('/proc/loadavg').split()[:3])}",
            f"zdaemon {version}: {binary}, {len(head):,} bytes, {shape}",
            f"priority: {'ahead of other load' if go_first() else 'ordinary (only root may go first)'}; medians; the supervisors take turns"]


def note(*words):
    print(*words, file=sys.stderr, flush=True)
