/* What does the least supervisor cost that does the same work? The floor that zdaemon is measured against.
     floor start SOCKET PROGRAM [ARGUMENT...]   returns when the program has been executed
     floor status SOCKET                        prints what the supervisor answers
     floor stop SOCKET                          returns when the program is reaped and the supervisor gone
     floor restart SOCKET                       returns when the next program has been executed
     floor copy FILE                            standard input to FILE, by read and write of 64 KiB
   No heap, no stdio, one poll without a timeout; a program that ends by itself is started again. It has no
   configuration, log, record, backoff, credentials or second client, and checks no error that cannot be met here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char **program;
static sigset_t child_signal;

/* Comes back when the program has been executed: that closes the pipe. */
static int spawn(void) {
    int up[2], pid;
    char byte;
    pipe2(up, O_CLOEXEC);
    pid = fork();
    if (!pid) {
        setsid();
        sigprocmask(SIG_UNBLOCK, &child_signal, 0);
        execve(program[0], program, environ);
        _exit(127);
    }
    close(up[1]);
    read(up[0], &byte, 1);
    close(up[0]);
    return pid;
}

static void answer(int to, int pid) {
    char text[24], *digit = text + sizeof text;
    *--digit = '\n';
    for (; pid; pid /= 10) *--digit = '0' + pid % 10;
    write(to, digit, text + sizeof text - digit);
    close(to);
}

static void supervise(int listener, int launcher) {
    struct pollfd ready[2] = {{.events = POLLIN}, {.fd = listener, .events = POLLIN}};
    int waiting = -1, pid;
    char wanted = 0, request;
    struct signalfd_siginfo signals[4];
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, 0);
    ready[0].fd = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    pid = spawn();
    answer(launcher, pid);
    for (;;) {
        poll(ready, 2, -1);
        if (ready[0].revents) {
            read(ready[0].fd, signals, sizeof signals);
            while (waitpid(-1, 0, WNOHANG) > 0) {
                if (wanted == 'o') { /* the waiting client sees the connection end with us */
                    unlink(address.sun_path);
                    _exit(0);
                }
                pid = spawn();
                if (wanted) answer(waiting, pid);
                wanted = 0;
            }
        }
        if (ready[1].revents) {
            int client = accept4(listener, 0, 0, SOCK_CLOEXEC);
            read(client, &request, 1);
            if (request == 'a') answer(client, pid);
            else wanted = request, waiting = client, kill(pid, SIGTERM);
        }
    }
}

static int ask(char request) {
    char reply[64];
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t count;
    if (connect(peer, (void *)&address, sizeof address) < 0) return 3;
    write(peer, &request, 1);
    while ((count = read(peer, reply, sizeof reply)) > 0) write(1, reply, count);
    return 0;
}

static int start(void) {
    int launch[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char reply[64];
    ssize_t count;
    if (bind(listener, (void *)&address, sizeof address) < 0 || listen(listener, 8) < 0) return 1;
    pipe2(launch, O_CLOEXEC);
    if (!fork()) {
        int null = open("/dev/null", O_RDWR);
        setsid();
        close(launch[0]);
        for (int i = 0; i < 3; i++) dup2(null, i);
        close(null);
        supervise(listener, launch[1]);
    }
    close(launch[1]);
    while ((count = read(launch[0], reply, sizeof reply)) > 0) write(1, reply, count);
    return 0;
}

static int copy(const char *path) {
    static char buffer[65536];
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    ssize_t count;
    while ((count = read(0, buffer, sizeof buffer)) > 0)
        if (write(file, buffer, count) != count) return 1;
    return 0;
}

int main(int count, char **words) {
    if (count < 3) return 2;
    if (words[1][0] == 'c') return copy(words[2]);
    strncpy(address.sun_path, words[2], sizeof address.sun_path - 1);
    program = words + 3;
    return count > 3 ? start() : ask(words[1][2]); /* st-a-tus, st-o-p, re-s-tart */
}
