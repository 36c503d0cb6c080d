"""What happens if exactly one system call of exactly one process goes wrong? Runs a command under ptrace, tells the
processes of a launch apart (client, supervisor, and the supervisor's children until their exec), counts the calls of
each by name, and strikes once: an error instead of the call, a short transfer, or SIGKILL before it or just after it,
before the next instruction. Judges nothing.

strace can inject as well, but counts in every process alike: a fault for the third write of the supervisor would hit
the client's third write first. And it never runs a call whose error it reports, while a close that fails has closed.
"""
import ctypes
import errno
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

TRACEME, POKEUSER, CONT, DETACH, SYSCALL = 0, 6, 7, 17, 24
SETOPTIONS, GETEVENTMSG, GET_SYSCALL_INFO = 0x4200, 0x4201, 0x420E
# TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC
OPTIONS = 0x01 | 0x02 | 0x04 | 0x08 | 0x10
FORKS, EXEC = (1, 2, 3), 4
ENTRY, EXIT = 1, 2
WALL = 0x40000000
# offsets of registers in the x86_64 user area
RAX, RDX, ORIG_RAX = 10 * 8, 12 * 8, 15 * 8

# THE table: number on x86_64, name, plausible errors. Calls that cannot fail, and those that are not in the table,
# are struck by SIGKILL only.
CALLS = {
    0: ("read", "EINTR EAGAIN EIO"),
    1: ("write", "EINTR EAGAIN EIO ENOSPC EPIPE ENOMEM"),
    2: ("open", "EMFILE EACCES ENOSPC EINTR"),
    3: ("close", "EIO EINTR"),
    4: ("stat", "EACCES ENOMEM"),
    5: ("fstat", "EIO ENOMEM"),
    6: ("lstat", "EACCES ENOMEM"),
    7: ("poll", "EINTR ENOMEM EAGAIN"),
    8: ("lseek", "EIO"),
    9: ("mmap", "ENOMEM"),
    10: ("mprotect", "ENOMEM"),
    11: ("munmap", "ENOMEM"),
    12: ("brk", ""),
    13: ("rt_sigaction", "EINVAL"),
    14: ("rt_sigprocmask", ""),
    15: ("rt_sigreturn", ""),
    16: ("ioctl", "ENOTTY EIO"),
    17: ("pread64", "EINTR EIO"),
    18: ("pwrite64", "EINTR EIO ENOSPC"),
    19: ("readv", "EINTR EIO"),
    20: ("writev", "EINTR EIO ENOSPC"),
    21: ("access", "EACCES ENOENT"),
    22: ("pipe", "EMFILE ENFILE"),
    25: ("mremap", "ENOMEM"),
    28: ("madvise", "ENOMEM"),
    32: ("dup", "EMFILE"),
    33: ("dup2", "EMFILE EINTR EBUSY"),
    38: ("setitimer", "EINVAL"),
    39: ("getpid", ""),
    41: ("socket", "EMFILE ENOBUFS EAFNOSUPPORT"),
    42: ("connect", "ECONNREFUSED EINTR EAGAIN"),
    43: ("accept", "EINTR ECONNABORTED EMFILE ENOMEM"),
    44: ("sendto", "EINTR EAGAIN EPIPE ENOBUFS"),
    45: ("recvfrom", "EINTR EAGAIN ECONNRESET ENOMEM"),
    46: ("sendmsg", "EINTR EAGAIN EPIPE ENOBUFS"),
    47: ("recvmsg", "EINTR EAGAIN ECONNRESET ENOMEM"),
    48: ("shutdown", "ENOTCONN"),
    49: ("bind", "EADDRINUSE EACCES ENOSPC"),
    50: ("listen", "EADDRINUSE"),
    51: ("getsockname", "ENOBUFS"),
    53: ("socketpair", "EMFILE ENOBUFS"),
    54: ("setsockopt", "ENOMEM EINVAL"),
    55: ("getsockopt", "ENOBUFS"),
    56: ("clone", "EAGAIN ENOMEM"),
    57: ("fork", "EAGAIN ENOMEM"),
    58: ("vfork", "EAGAIN ENOMEM"),
    59: ("execve", "ENOENT EACCES ENOMEM ETXTBSY"),
    60: ("exit", ""),
    61: ("wait4", "EINTR"),
    62: ("kill", "EPERM"),
    72: ("fcntl", "EINTR EMFILE ENOLCK EBUSY"),
    73: ("flock", "EINTR ENOLCK EWOULDBLOCK"),
    74: ("fsync", "EIO ENOSPC"),
    76: ("truncate", "EIO"),
    77: ("ftruncate", "EIO EINTR"),
    78: ("getdents", "EIO"),
    79: ("getcwd", "ENOENT ENOMEM"),
    80: ("chdir", "EACCES ENOENT"),
    82: ("rename", "EACCES ENOSPC EIO"),
    83: ("mkdir", "EACCES ENOSPC"),
    86: ("link", "EACCES ENOSPC"),
    87: ("unlink", "EACCES EIO EBUSY"),
    89: ("readlink", "EACCES ENOMEM"),
    90: ("chmod", "EPERM EIO"),
    91: ("fchmod", "EPERM EIO"),
    92: ("chown", "EPERM EIO"),
    93: ("fchown", "EPERM EIO"),
    95: ("umask", ""),
    97: ("getrlimit", "EFAULT"),
    102: ("getuid", ""),
    104: ("getgid", ""),
    105: ("setuid", "EAGAIN EPERM"),
    106: ("setgid", "EPERM"),
    107: ("geteuid", ""),
    108: ("getegid", ""),
    109: ("setpgid", "EPERM"),
    110: ("getppid", ""),
    112: ("setsid", "EPERM"),
    113: ("setreuid", "EAGAIN EPERM"),
    114: ("setregid", "EPERM"),
    115: ("getgroups", ""),
    116: ("setgroups", "EPERM ENOMEM"),
    117: ("setresuid", "EAGAIN EPERM"),
    119: ("setresgid", "EPERM"),
    124: ("getsid", "EPERM"),
    131: ("sigaltstack", "ENOMEM"),
    133: ("mknod", "EACCES ENOSPC EEXIST"),
    157: ("prctl", "EINVAL"),
    158: ("arch_prctl", ""),
    186: ("gettid", ""),
    204: ("sched_getaffinity", "EINVAL"),
    217: ("getdents64", "EIO ENOMEM"),
    218: ("set_tid_address", ""),
    219: ("restart_syscall", ""),
    228: ("clock_gettime", "EINVAL"),
    231: ("exit_group", ""),
    257: ("openat", "EMFILE EACCES ENOSPC EINTR"),
    258: ("mkdirat", "EACCES ENOSPC"),
    259: ("mknodat", "EACCES ENOSPC EEXIST"),
    260: ("fchownat", "EPERM EIO"),
    262: ("newfstatat", "EACCES ENOMEM"),
    263: ("unlinkat", "EACCES EIO EBUSY"),
    264: ("renameat", "EACCES ENOSPC EIO"),
    267: ("readlinkat", "EACCES ENOMEM"),
    269: ("faccessat", "EACCES ENOENT"),
    271: ("ppoll", "EINTR ENOMEM"),
    273: ("set_robust_list", ""),
    275: ("splice", "EINTR EAGAIN ENOMEM EINVAL"),
    276: ("tee", "EINTR EAGAIN ENOMEM EINVAL"),
    288: ("accept4", "EINTR ECONNABORTED EMFILE ENOMEM"),
    291: ("epoll_create1", "EMFILE"),
    292: ("dup3", "EMFILE EINTR EBUSY"),
    293: ("pipe2", "EMFILE ENFILE"),
    302: ("prlimit64", "EPERM"),
    316: ("renameat2", "EACCES ENOSPC EIO"),
    318: ("getrandom", "EAGAIN EINTR"),
    319: ("memfd_create", "EMFILE"),
    322: ("execveat", "ENOENT EACCES ENOMEM"),
    332: ("statx", "EACCES ENOMEM"),
    334: ("rseq", "EINVAL"),
    424: ("pidfd_send_signal", "EPERM"),
    434: ("pidfd_open", "EMFILE ENOSYS"),
    435: ("clone3", "EAGAIN ENOMEM ENOSYS"),
    436: ("close_range", "EINTR ENOSYS"),
    437: ("openat2", "EACCES ELOOP EMFILE ENOMEM ENOSYS"),
    439: ("faccessat2", "EACCES ENOENT ENOSYS"),
}
# Calls that may move fewer bytes than asked for.
SHORT = ("read", "write", "pread64", "pwrite64", "sendto", "recvfrom")
# Calls whose success is noted in memory that outlives the process: a kill between the two differs from one before the
# next call.
NOTED = ("write", "splice")
# Whom a fault is meant for that has struck.
NOBODY = "nobody"
# These do their work whatever they return.
DONE_ANYWAY = ("close",)


def name_of(number):
    return CALLS[number][0] if number in CALLS else f"call-{number}"


def actions_on(name):
    """All that can happen to a call of this name."""
    errors = next((errors for known, errors in CALLS.values() if known == name), "")
    kills = ["kill"] + (["kill-after"] if name in NOTED else [])
    return kills + [f"error={e}" for e in errors.split()] + (["short"] if name in SHORT else [])


class Fault:
    """One strike: `write:error=EIO:when=3`, of the supervisor unless another process is named before it."""

    def __init__(self, role, name, action, when):
        self.role, self.name, self.action, self.when = role, name, action, when

    def kills(self):
        return self.action.startswith("kill")

    @staticmethod
    def parse(text):
        parts = text.split(":")
        if len(parts) == 3:
            parts.insert(0, "supervisor")
        role, name, action, when = parts
        return Fault(role, name, action, int(when.removeprefix("when=")))

    def __str__(self):
        return f"{self.role}:{self.name}:{self.action}:when={self.when}"


def ptrace(request, pid, address=0, data=0):
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno() not in (0, errno.ESRCH):
        raise OSError(ctypes.get_errno(), f"ptrace({request}) of {pid}: {os.strerror(ctypes.get_errno())}")
    return result


class Process:
    def __init__(self, role):
        self.role, self.counts, self.error, self.dies = role, {}, None, False


class Tracer:
    """Traces one command and what it starts; tells `say` what was struck, and how the command ended."""

    def __init__(self, fault, say):
        self.fault, self.say = fault, say
        self.processes, self.early, self.children = {}, set(), {}
        self.calls = {}

    def run(self, argv, env, output):
        self.client = os.fork()
        if self.client == 0:
            become(argv, env, output)
        os.waitpid(self.client, WALL)
        self.processes[self.client] = Process("client")
        ptrace(SETOPTIONS, self.client, 0, OPTIONS)
        self.resume(self.client)
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                self.stopped(pid, status)
            else:
                self.processes.pop(pid, None)
                if pid == self.client:
                    self.say(f"exit {os.waitstatus_to_exitcode(status)}")

    def stopped(self, pid, status):
        process = self.processes.get(pid)
        if process is None:
            self.early.add(pid)
            return
        stop, event = os.WSTOPSIG(status), status >> 16
        if event in FORKS:
            return self.forked(pid, process)
        if event == EXEC:
            self.resume(pid) if process.role in ("client", "supervisor") else self.let_go(pid)
        elif stop == signal.SIGTRAP | 0x80:
            self.called(pid, process)
        elif stop == signal.SIGSTOP and pid in self.children:
            del self.children[pid]
            self.resume(pid)
        else:
            self.resume(pid, 0 if stop == signal.SIGTRAP else stop)

    def forked(self, pid, process):
        message = ctypes.c_ulong()
        ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
        child, number = message.value, process.counts.get("forks", 0) + 1
        process.counts["forks"] = number
        role = "stranger"
        if process.role == "client" and number == 1:
            role = "supervisor"
        elif process.role == "supervisor":
            role = f"child{number}"
        self.processes[child] = Process(role)
        self.children[child] = True
        if child in self.early:
            self.early.discard(child)
            del self.children[child]
            self.resume(child)
        self.resume(pid)

    def wanted(self, role):
        """How a process is to go on: None when it is of no more interest."""
        if role == "stranger" or (self.fault and self.fault.role == NOBODY):
            return None
        if self.fault is None:
            return SYSCALL
        if role == self.fault.role:
            return SYSCALL
        behind = {"client": 0, "supervisor": 1}
        return CONT if behind.get(role, 2) < behind.get(self.fault.role, 2) else None

    def resume(self, pid, deliver=0):
        how = self.wanted(self.processes[pid].role)
        if how is None:
            self.let_go(pid, deliver)
        else:
            ptrace(how, pid, 0, deliver)

    def let_go(self, pid, deliver=0):
        ptrace(DETACH, pid, 0, deliver)
        if pid == self.client:
            # It is our child all the same, and only its end is of interest.
            self.processes[pid].role = "stranger"

    def called(self, pid, process):
        if self.fault is not None and process.role != self.fault.role:
            return self.resume(pid)
        info = (ctypes.c_uint64 * 11)()
        ptrace(GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        kind = info[0] & 0xFF
        if kind == EXIT and process.dies:
            return self.kill(pid)
        if kind == EXIT and process.error is not None:
            ptrace(POKEUSER, pid, RAX, -process.error & (1 << 64) - 1)
            return self.struck(pid)
        if kind != ENTRY:
            return self.resume(pid)
        name = name_of(info[3])
        count = process.counts[name] = process.counts.get(name, 0) + 1
        if self.fault is None:
            self.calls.setdefault(process.role, []).append(name)
        elif self.fault.name == name and self.fault.when == count and self.is_plausible(pid, name, info[4]):
            return self.strike(pid, process, name)
        self.resume(pid)

    def is_plausible(self, pid, name, argument):
        """Only what has been written to can fail to be closed for want of a disk; nothing of /proc can."""
        if name != "close" or self.fault.action != "error=EIO":
            return True
        try:
            return not os.readlink(f"/proc/{pid}/fd/{argument}").startswith("/proc")
        except OSError:
            return False

    def strike(self, pid, process, name):
        action = self.fault.action
        if action == "kill":
            self.kill(pid)
        elif action == "kill-after":
            process.dies = True
            self.resume(pid)
        elif action == "short":
            ptrace(POKEUSER, pid, RDX, 1)
            self.struck(pid)
        else:
            process.error = getattr(errno, action.removeprefix("error="))
            if name not in DONE_ANYWAY:
                ptrace(POKEUSER, pid, ORIG_RAX, (1 << 64) - 1)
            self.resume(pid)

    def kill(self, pid):
        self.say("struck")
        os.kill(pid, signal.SIGKILL)
        self.fault.role = NOBODY

    def struck(self, pid):
        self.say("struck")
        self.fault.role = NOBODY
        self.let_go(pid)


def become(argv, env, output):
    """Turns this forked process into the command, stopped at its first instruction until its tracer comes."""
    null, out = os.open("/dev/null", os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for fd, to in ((null, 0), (out, 1), (out, 2)):
        os.dup2(fd, to)
    ptrace(TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.execve(argv[0], argv, env)


def start(argv, env, output, fault):
    """Starts the command in the hands of a tracer of its own: the tracer's pid, and the pipe that tells of it. A
    recording (no fault) ends with the line `calls ROLE NAME...` for each process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        tracer = Tracer(fault, lambda line: os.write(writing, f"{line}\n".encode()))
        tracer.run(argv, env, output)
        for role, names in tracer.calls.items():
            os.write(writing, f"calls {role} {' '.join(names)}\n".encode())
        status = 0
    except OSError as error:
        os.write(writing, f"broken {error}\n".encode())
    finally:
        os._exit(status)
