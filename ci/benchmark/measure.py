"""The measurements: each takes the peers and the size of the run, and returns {peer: {column: number}}. In each, the
peers take turns, so that the machine's other load hits all alike. Judges nothing."""
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from peers import OURS, PROGRAM, Bare, Daemon, Supervisord, Zdaemon
from rig import BUILT, Fifo, Stage, Unable, adopt_orphans, count, end, memory_group, note, parent, prefer, private_memory, processor_seconds, switches

PATIENCE = 20
PIPELINE = "(read and write)"


@dataclass
class Size:
    """How much is measured."""
    fleet: int      # instances for the memory of one
    asks: int       # rounds of `status`
    lives: int      # instances that are started, restarted, crashed, stopped
    idle: float     # seconds
    mebibytes: int  # of output
    rounds: int     # of capture
    disk: bool      # capture on disk too


class Folder:
    """A directory of our own, in memory or where said, gone at the end."""

    def __init__(self, base="/dev/shm"):
        self.path = tempfile.mkdtemp(prefix="zdaemon-bench.", dir=base if os.path.isdir(base) else None)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Service:
    """One program under one peer."""

    def __init__(self, peer, stage, path, fifo=None):
        self.peer, self.stage, self.path = peer, stage, path
        os.makedirs(path)
        if fifo:
            os.symlink(fifo, f"{path}/fifo")
        self.fifo = None if fifo else Fifo(f"{path}/fifo")
        peer.prepare(path)
        self.pid = self.supervisor = None

    def run(self, word, runs=1):
        return self.stage.ask(self.peer.command(self.path, word), runs, self.peer.environment(self.path))

    def launch(self):
        """When the command began and, where it returns, ended."""
        command, environment = self.peer.begin(self.path), self.peer.environment(self.path)
        if self.peer.foreground:
            return self.stage.leave(command, environment), None
        begun, ended, _ = self.stage.ask(command, 1, environment)[0]
        return begun, ended

    def started(self, since):
        """Nanoseconds until a new program's first instruction."""
        while found := self.fifo.record(PATIENCE):
            moment, pid = found
            if pid != self.pid and moment > since:
                self.pid = pid
                return moment - since
        raise Unable(f"{self.peer.name}: its program did not start")

    def up(self):
        """(until the first instruction, until the command returned)."""
        begun, ended = self.launch()
        first = self.started(begun)
        self.supervisor = self.pid if isinstance(self.peer, Bare) else parent(self.pid)
        return first, ended - begun if ended else None


def median(values, unit=1.0):
    return statistics.median(values) / unit if values else None


def each_service(peers, stage, folder):
    """A running service for each peer; those that cannot be started are told and left out."""
    services = []
    for number, peer in enumerate(peers):
        service = Service(peer, stage, f"{folder}/{number}")
        try:
            service.up()
            services.append(service)
        except Unable as why:
            note(why)
    return services


def memory(peers, size):
    """Memory of one idle supervisor of many, KiB: all that the kernel charges, less the program's own; and private to one"""
    found, bare = {}, 0
    chosen = [peer for peer in peers if not peer.hub and peer.name != OURS]
    chosen.sort(key=lambda peer: not isinstance(peer, Bare))  # what is subtracted comes first
    for peer in chosen:
        number = max(size.fleet // 50, 3) if peer.slow else size.fleet
        with Folder() as folder, Stage(memory_group(peer.name.split()[0].strip("(,)"))) as stage:
            pids = launch_fleet(peer, stage, folder, number)
            time.sleep(1)
            each = stage.group.kib() / number if stage.group else None
            seen = pids[:50] if isinstance(peer, Bare) else [parent(pid) for pid in pids[:50]]
            private = [private_memory(pid) for pid in seen]
        found[peer.name] = {"memory": each and each - bare, "private dirty": median([dirty for dirty, _ in private]),
                            "page tables": median([tables for _, tables in private]), "instances": number}
        bare = each if isinstance(peer, Bare) else bare
    return found


def launch_fleet(peer, stage, folder, number):
    """So many services, one FIFO for all; the programs' pids."""
    fifo = Fifo(f"{folder}/fifo")
    for index in range(number):
        Service(peer, stage, f"{folder}/{index}", f"{folder}/fifo").launch()
    records = [fifo.record(PATIENCE) for _ in range(number)]
    fifo.close()
    if None in records:
        raise Unable(f"{peer.name}: {records.count(None)} of {number} programs did not start")
    return [pid for _, pid in records]


def status(peers, size):
    """`status`, microseconds from before its execution until after its end"""
    with Folder() as folder, Stage() as stage:
        services = each_service([peer for peer in peers if peer.command("/", "status")], stage, folder)
        taken = {service.peer.name: [] for service in services}
        for turn in range(size.asks):
            for service in services:
                if service.peer.slow and turn % 5:
                    continue
                for begun, ended, code in service.run("status", 1 if service.peer.slow else 5):
                    if code:
                        raise Unable(f"{service.peer.name}: status exits with {code}")
                    taken[service.peer.name].append(ended - begun)
    return {name: {"us": median(values, 1e3), "least": min(values) / 1e3} for name, values in taken.items()}


WORDS = ("start", "status", "restart", "stop")


def work(peers, size):
    """What a command does, whatever the load: system calls of all processes until it returns; of `status`, instructions outside the kernel too"""
    adopt_orphans()
    found = {}
    for peer in peers:
        if peer.slow or not peer.command("/", "status"):
            continue
        with Folder() as folder, Stage() as stage:
            service = Service(peer, stage, f"{folder}/x")
            if peer.foreground:
                service.up()
            row = found[peer.name] = {}
            for word in WORDS[1 if peer.foreground else 0:]:
                command, environment = peer.command(service.path, word), peer.environment(service.path)
                row[f"{word}: calls"] = count("calls", command, environment)
                if word == "start":
                    service.started(0)
                    service.supervisor = parent(service.pid)
                if word == "status":
                    row["status: instructions"] = count("instructions", command, environment)
            if not peer.foreground:
                end(service.supervisor)
                end(service.pid)
    return found


LIFE = ("start: program", "start returns", "restart: program", "restart returns", "crash to respawn", "stop returns", "start again returns")


def life(peers, size):
    """Commands and events, milliseconds: until the program's first instruction, or until the command returns that waits for what it asks for"""
    with Folder() as folder, Stage() as stage:
        taken = {peer.name: {what: [] for what in LIFE} for peer in peers}
        services = []
        for turn in range(size.lives):
            for number, peer in enumerate(peers):
                if peer.slow and turn % 10 or peer.name not in taken:
                    continue
                service = Service(peer, stage, f"{folder}/{turn}.{number}")
                try:
                    first, returned = service.up()
                except Unable as why:
                    note(why)
                    del taken[peer.name]
                    continue
                add(taken, service, "start: program", first)
                add(taken, service, "start returns", returned if peer.waits else None)
                services.append(service)
        for word in ("restart", "crash", "stop", "start"):
            time.sleep(2.2)  # the youngest are past every supervisor's own brake
            for service in list(services):
                try:
                    one_event(service, word, taken)
                except Unable as why:
                    note(f"{word}: {why}")
                    services.remove(service)
    return {name: {what: median(values, 1e6) for what, values in row.items()} for name, row in taken.items()}


def add(taken, service, what, value):
    if value is not None:
        taken[service.peer.name][what].append(value)


def one_event(service, word, taken):
    peer = service.peer
    service.fifo.empty()
    if word == "crash":
        if peer.respawns:
            begun = time.monotonic_ns()
            os.kill(service.pid, 9)
            add(taken, service, "crash to respawn", service.started(begun))
        return
    if not peer.command(service.path, word):
        return
    begun, ended, status = service.run(word)[0]
    if status:
        raise Unable(f"{peer.name}: exit status {status}")
    if peer.waits:
        add(taken, service, "start again returns" if word == "start" else f"{word} returns", ended - begun)
    if word != "stop":
        first = service.started(begun)
        if word == "restart":
            add(taken, service, "restart: program", first)


def idle(peers, size):
    """Nothing happens: how often a supervisor was put on a processor or taken off, and its milliseconds there, in a minute"""
    with Folder() as folder, Stage() as stage:
        services = each_service([peer for peer in peers if not isinstance(peer, Bare)], stage, folder)
        time.sleep(1.5)
        before = [(switches(service.supervisor), processor_seconds(service.supervisor)) for service in services]
        time.sleep(size.idle)
        found, minute = {}, 60 / size.idle
        for service, (was, used) in zip(services, before):
            found[service.peer.name] = {"switches": (switches(service.supervisor) - was) * minute,
                                        "ms": (processor_seconds(service.supervisor) - used) * 1e3 * minute}
    return found


def capture(peers, size):
    """The program's output into a file, in writes of 64 KiB and of 100 bytes: GiB/s, and the capturer's seconds of processor for each GiB"""
    ways = {PIPELINE: None} | {peer.name: peer for peer in peers if captures(peer)}
    found = {name: {} for name in ways}
    places = [("tmpfs", "/dev/shm")] + ([("disk", "/var/tmp")] if size.disk else [])
    for place, base in places:
        for label, chunk, share in (("64 KiB", 65536, 1), ("100 B", 100, 8)):
            taken = {name: [] for name in ways}
            for _ in range(size.rounds):
                for name, peer in ways.items():
                    with Folder(base) as folder:
                        taken[name].append(one_capture(peer, folder, (size.mebibytes << 20) // share // 100 * 100, chunk))
            for name, values in taken.items():
                found[name][f"{place} {label}: GiB/s"] = median([speed for speed, _ in values])
                found[name][f"{place} {label}: CPU s/GiB"] = median([used for _, used in values])
    for name, peer in ways.items():
        if name == OURS:
            # what a pause of the machine has lengthened is one of them, what takes long is all
            found[name]["lone line, ms"] = median([lone_line(peer) for _ in range(size.rounds)])
    return found


def captures(peer):
    return peer.name == OURS or isinstance(peer, (Daemon, Supervisord)) or isinstance(peer, Zdaemon) and peer.slow


def one_capture(peer, folder, total, chunk):
    """(GiB/s, CPU s/GiB) from the program's first instruction until all is in the file."""
    with Stage() as stage:
        stage.share()
        fifo, target = Fifo(f"{folder}/fifo"), f"{folder}/log"
        launch_capture(peer, stage, folder, [PROGRAM, f"{folder}/fifo", total, chunk], target)
        begun, pid = fifo.record(PATIENCE) or (None, None)
        if begun is None:
            raise Unable(f"{peer.name if peer else PIPELINE}: the program did not start")
        capturer = parent(pid) if peer else reader_beside(pid)
        prefer(pid)
        prefer(capturer)
        used = processor_seconds(capturer)
        ended = wait_for_size(target, total)
        used = processor_seconds(capturer) - used
        fifo.close()
    return total / (1 << 30) / ((ended - begun) / 1e9), used / (total / (1 << 30))


def launch_capture(peer, stage, folder, program, target):
    words = " ".join(map(str, program))
    if peer is None:
        stage.leave(["/bin/sh", "-c", f"{words} | {BUILT}/floor-musl copy {target}"])
        return
    etc = f"{folder}/etc"
    os.makedirs(etc)
    peer.prepare(etc, words, target)
    if isinstance(peer, Daemon):
        stage.leave(peer.command(etc, "start", list(map(str, program)), [f"--output={target}"]))
    else:
        stage.leave(peer.begin(etc), peer.environment(etc))


def reader_beside(pid):
    """The other process of the pipeline, which may begin later."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        for other in Path(f"/proc/{parent(pid)}/task/{parent(pid)}/children").read_text().split():
            if int(other) != pid:
                return int(other)
    raise Unable("the pipeline's reader is not there")


def wait_for_size(path, total):
    """When the file had all bytes."""
    limit, have = time.monotonic() + 120, 0
    while time.monotonic() < limit:
        have = os.stat(path).st_size if os.path.exists(path) else 0
        if have >= total:
            return time.monotonic_ns()
        time.sleep(0.0002)
    raise Unable(f"{path} has only {have} of {total} bytes")


def lone_line(peer, lines=15):
    """Milliseconds, at most, until a line that is written all alone is in the file."""
    with Folder() as folder, Stage() as stage:
        fifo, target = Fifo(f"{folder}/fifo"), f"{folder}/log"
        launch_capture(peer, stage, folder, [PROGRAM, f"{folder}/fifo", lines, target, "lone"], target)
        taken = [fifo.record(PATIENCE) for _ in range(lines + 1)][1:]
        fifo.close()
    if None in taken:
        raise Unable("a lone line did not arrive")
    return max(value for value, _ in taken) / 1e6


def size_on_disk(peers, size):
    """On disk, bytes"""
    return {peer.name: {"bytes": os.stat(peer.supervisor).st_size} for peer in peers if peer.supervisor and not peer.slow}
