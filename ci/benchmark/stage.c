/* Runs commands and times them, from before the spawn until after the wait; holds what they leave running.
     stage CGROUP.PROCS USER
   joins the control group (-: none), becomes the user (0: stays who it is), then takes requests from standard input, a
   line each, words separated by tabs: how often to run it (0: once, without waiting for its end), VARIABLE=VALUE words,
   the command. Answers with "begin end status" for each run (0: "begin pid 0"), in monotonic nanoseconds. The commands'
   standard streams are /dev/null. All orphans come to us, and at the end of the input we kill all that is left: nothing
   outlives us. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* A signal to our group ends the input: the read is broken off. As it is caught, the commands do not inherit it. */
static void end_input(int signal) {
    (void)signal;
}

static void kill_children(void) {
    char path[64];
    sprintf(path, "/proc/self/task/%d/children", getpid());
    do {
        FILE *children = fopen(path, "r");
        for (int pid; children && fscanf(children, "%d", &pid) == 1;) kill(pid, SIGKILL);
        if (children) fclose(children);
    } while (wait(0) > 0);
}

int main(int count, char **words) {
    static char line[16384];
    char *argument[128], *variable[128], *rest;
    posix_spawn_file_actions_t null;
    struct sigaction ending = {.sa_handler = end_input};
    sigaction(SIGTERM, &ending, 0);
    sigaction(SIGINT, &ending, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (count != 3) return 2;
    if (strcmp(words[1], "-")) {
        int group = open(words[1], O_WRONLY | O_CLOEXEC);
        if (group < 0 || write(group, "0", 1) != 1) return 1;
        close(group);
    }
    if (atoi(words[2]) && (setgid(atoi(words[2])) || setuid(atoi(words[2])))) return 1;
    posix_spawn_file_actions_init(&null);
    for (int i = 0; i < 3; i++) posix_spawn_file_actions_addopen(&null, i, "/dev/null", O_RDWR, 0);
    while (fgets(line, sizeof line, stdin)) {
        int arguments = 0, variables = 0, pid, status = 0;
        line[strcspn(line, "\n")] = 0;
        rest = line;
        int runs = atoi(strsep(&rest, "\t"));
        for (char *word; (word = strsep(&rest, "\t"));)
            if (!arguments && strchr(word, '=')) variable[variables++] = word;
            else argument[arguments++] = word;
        argument[arguments] = 0;
        for (char **each = environ; *each && variables < 127; each++) variable[variables++] = *each;
        variable[variables] = 0;
        for (int run = 0; run < runs || !run; run++) {
            long begin = now();
            int failed = posix_spawn(&pid, argument[0], &null, 0, argument, variable);
            if (failed) printf("%ld %ld 127\n", begin, begin);
            else if (!runs) printf("%ld %d 0\n", begin, pid);
            else {
                waitpid(pid, &status, 0);
                long end = now();
                printf("%ld %ld %d\n", begin, end, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            }
        }
        fflush(stdout);
        while (waitpid(-1, 0, WNOHANG) > 0) {}
    }
    kill_children();
}
