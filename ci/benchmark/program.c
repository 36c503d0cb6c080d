/* The program that is supervised. Its first act is to write {monotonic nanoseconds, its pid} to the FIFO; then
     program FIFO                   sleeps
     program FIFO BYTES CHUNK       writes so much to standard output, in lines of 100 bytes, CHUNK bytes at a time
     program FIFO COUNT FILE lone   so often: writes a line, looks until FILE has grown, writes {nanoseconds taken, pid}
   and sleeps for ever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void tell(const char *fifo, long value) {
    long record[2] = {value, getpid()};
    int file = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    write(file, record, sizeof record);
    close(file);
}

static void write_much(long bytes, long chunk) {
    static char lines[1 << 20];
    long done = 0;
    for (unsigned i = 0; i < sizeof lines; i++) lines[i] = i % 100 == 99 ? '\n' : 'a' + i % 26;
    while (done < bytes) {
        long count = write(1, lines + done % 100, bytes - done < chunk ? bytes - done : chunk);
        if (count <= 0) _exit(1);
        done += count;
    }
}

static void write_lone_lines(const char *fifo, int count, const char *path) {
    struct stat before, after;
    while (count-- > 0) {
        usleep(30000);
        stat(path, &before);
        long from = now();
        write(1, "a lone line\n", 12);
        do stat(path, &after);
        while (after.st_size < before.st_size + 12 && now() - from < 1000000000L);
        tell(fifo, now() - from);
    }
}

int main(int count, char **words) {
    /* as a service directory's ./run, whatever arguments that gets: the FIFO lies beside it */
    int run = strlen(words[0]) >= 3 && !strcmp(words[0] + strlen(words[0]) - 3, "run");
    const char *fifo = run || count < 2 ? "fifo" : words[1];
    tell(fifo, now());
    if (count == 4) write_much(atol(words[2]), atol(words[3]));
    if (count == 5) write_lone_lines(fifo, atoi(words[2]), words[3]);
    for (;;) pause();
}
