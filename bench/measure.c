/* measure.c - runs a command and says what it cost.
 *
 * usage: measure TIMES OUTPUT COMMAND...
 * The command runs TIMES times without input, its standard output in the file OUTPUT, its errors in OUTPUT.err. Prints
 * milliseconds of CPU (user and system, with all children it waited for) and of wall time, per run, the peak of resident
 * memory of its largest process in KiB, and the last exit status (128 + signal).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void redirect(int fd, const char *path, int flags)
{
    int f = open(path, flags, 0666);
    if (f < 0 || dup2(f, fd) < 0) {
        perror(path);
        _exit(127);
    }
    close(f);
}

static void child(char **argv, const char *out, const char *err)
{
    redirect(0, "/dev/null", O_RDONLY);
    redirect(1, out, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(2, err, O_WRONLY | O_CREAT | O_TRUNC);
    execvp(argv[0], argv);
    _exit(127);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: measure TIMES OUTPUT COMMAND...\n");
        return 2;
    }
    int times = atoi(argv[1]), status = 0;
    char err[4096];
    snprintf(err, sizeof err, "%s.err", argv[2]);
    double cpu = 0;
    long peak = 0;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < times; i++) {
        struct rusage use;
        pid_t pid = fork();
        if (pid == 0) {
            child(argv + 3, argv[2], err);
        }
        if (pid < 0 || wait4(pid, &status, 0, &use) < 0) {
            perror("measure");
            return 1;
        }
        cpu += ms(use.ru_utime) + ms(use.ru_stime);
        peak = use.ru_maxrss > peak ? use.ru_maxrss : peak;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double wall = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    printf("%.3f %.3f %ld %d\n", cpu / times, wall / times, peak, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}
