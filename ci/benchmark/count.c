/* How much does a command do? Counts what does not depend on the machine's load.
     count instructions|calls COMMAND...
   runs it by single steps, or from system call to system call, its standard streams /dev/null. All processes that it
   starts count, until the command itself ends; what still runs is then let go.
   An instruction that repeats itself (rep) is one. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static long place(int pid) {
#ifdef __x86_64__
    return ptrace(PTRACE_PEEKUSER, pid, (void *)offsetof(struct user_regs_struct, rip), 0);
#else
    static long never;
    return ++never;
#endif
}

/* A process that is stepped must be stopped before it is let go, or its next step kills it. */
static void let_go(int pid) {
    int status;
    if (kill(pid, SIGSTOP)) return;
    while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
        if (WSTOPSIG(status) == SIGSTOP) {
            ptrace(PTRACE_DETACH, pid, 0, 0);
            return;
        }
        ptrace(PTRACE_CONT, pid, 0, 0);
    }
}

static long follow(int request, char **command) {
    enum { OPTIONS = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD };
    enum { MOST = 64 };
    long count = 0, last[MOST] = {0};
    int status, pid, first = fork(), seen[MOST] = {0};
    if (!first) {
        for (int i = 0, null = open("/dev/null", O_RDWR); i < 3; i++) dup2(null, i);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(command[0], command);
        _exit(127);
    }
    waitpid(first, &status, 0);
    ptrace(PTRACE_SETOPTIONS, first, 0, (void *)(long)OPTIONS);
    ptrace(request, first, 0, 0);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int by = WIFSTOPPED(status) ? WSTOPSIG(status) : 0, event = status >> 16, pass = 0;
        if (!by) {
            seen[pid % MOST] = 0;
            if (pid == first) break;
            continue;
        }
        seen[pid % MOST] = pid;
        if (by == (SIGTRAP | 0x80)) count++;
        else if (by == SIGTRAP && !event && request == PTRACE_SINGLESTEP) {
            long at = place(pid);
            count += at != last[pid % MOST];
            last[pid % MOST] = at;
        } else if (by != SIGTRAP && by != SIGSTOP) pass = by;
        ptrace(request, pid, 0, (void *)(long)pass);
    }
    for (int i = 0; i < MOST; i++)
        if (seen[i]) let_go(seen[i]);
    return request == PTRACE_SYSCALL ? (count + 1) / 2 : count;
}

int main(int count, char **words) {
    cpu_set_t here;
    if (count < 3) return 2;
    /* on one processor a step costs a switch, on two a wake-up of the other */
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
    printf("%ld\n", follow(words[1][0] == 'c' ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, words + 2));
}
