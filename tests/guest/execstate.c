// execstate.c - what a process keeps across execve: blocked, ignored and pending signals, alarm, descriptors, argv[0],
// what memory may be executed.
// test: dyn interp
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"

static char *self;

/* Signals 1..64 of a set as a list. */
static void list(const char *what, int (*member)(int))
{
    printf("%s", what);
    for (int n = 1; n < 65; n++) {
        if (member(n)) {
            printf(" %d", n);
        }
    }
    printf("\n");
}

static sigset_t set;
static int in_set(int n)
{
    return sigismember(&set, n) == 1;
}

static int ignored(int n)
{
    struct sigaction a;
    return sigaction(n, NULL, &a) == 0 && a.sa_handler == SIG_IGN;
}

static int handled(int n)
{
    struct sigaction a;
    return sigaction(n, NULL, &a) == 0 && a.sa_handler != SIG_IGN && a.sa_handler != SIG_DFL;
}

static void show(char **argv)
{
    printf("argv0 %s\n", argv[0]);
    sigprocmask(SIG_BLOCK, NULL, &set);
    list("blocked", in_set);
    sigpending(&set);
    list("pending", in_set);
    list("ignored", ignored);
    list("handled", handled);
    struct itimerval it;
    getitimer(ITIMER_REAL, &it);
    printf("timer %d fd %d %d umask %o\n", it.it_value.tv_sec > 50, fcntl(50, F_GETFD), fcntl(51, F_GETFD), umask(0));
    fflush(stdout);
}

static void handler(int n)
{
    (void)n;
}

static void into(const char *what)
{
    char *argv[] = {"some name", (char *)what, NULL};
    execv(self, argv);
    printf("exec failed: %d\n", errno);
    exit(1);
}

static void rich(void)
{
    sigemptyset(&set);
    for (const int *n = (const int[]){SIGUSR1, SIGTERM, SIGSEGV, SIGFPE, 40, 64, 0}; *n; n++) {
        sigaddset(&set, *n);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGILL, SIG_IGN);
    signal(SIGUSR2, handler);
    signal(SIGBUS, handler);
    kill(getpid(), SIGUSR1);
    kill(getpid(), 40);
    alarm(100);
    dup2(1, 50);
    dup3(1, 51, O_CLOEXEC);
    umask(026);
    into("show");
}

/* Status of a child that runs fn, killed with sig after it wrote a byte, 0 = not. */
static void child(const char *what, void (*fn)(void), int sig)
{
    int p[2], status = 0;
    char c;
    if (pipe(p) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], 60);
        close(p[0]);
        close(p[1]);
        fn();
        _exit(0);
    }
    close(p[1]);
    if (sig && read(p[0], &c, 1) == 1) {
        kill(pid, sig);
    }
    waitpid(pid, &status, 0);
    close(p[0]);
    printf("%s: exit %d signal %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    fflush(stdout);
}

/* A small limit on file sizes is the program's, not the emulator's. */
static void limited(void)
{
    struct rlimit lim = {100, 100};
    setrlimit(RLIMIT_FSIZE, &lim);
    signal(SIGXFSZ, SIG_DFL);
    execl(self, self, "quiet", (char *)NULL);
}

static void plain(void)
{
    into("wait");
}

/* Memory-deny-write-execute, where the kernel has it (6.3), goes on in the next program; armx translates there all the same. */
static void denied(void)
{
    enum { SET_MDWE = 65, GET_MDWE = 66, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC };
    if (prctl(SET_MDWE, 1, 0, 0, 0) == 0) {
        void *p = mmap(NULL, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(mprotect(p, 4096, RX) == -1 && errno == EACCES);
        CHECK(mmap(NULL, 4096, RW | RX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EACCES);
        CHECK(mmap(NULL, 4096, RX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        CHECK(mprotect((void *)((uintptr_t)denied & ~4095ul), 4096, RX) == 0);
        CHECK(prctl(SET_MDWE, 3, 0, 0, 0) == -1 && errno == EPERM);
        CHECK(prctl(SET_MDWE, 4, 0, 0, 0) == -1 && errno == EINVAL);
        CHECK(prctl(GET_MDWE, 0, 0, 0, 0) == 1);
    }
    into("denied");
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "denied")) {
        return prctl(66, 0, 0, 0, 0) & 255;
    }
    if (argc > 1 && !strcmp(argv[1], "show")) {
        show(argv);
        return 3;
    }
    if (argc > 1 && !strcmp(argv[1], "quiet")) {
        struct rlimit lim;
        getrlimit(RLIMIT_FSIZE, &lim);
        return (int)lim.rlim_cur;
    }
    if (argc > 1) {
        if (write(60, "x", 1) != 1) {
            return 9;
        }
        pause();
        return 8;
    }
    static char path[4096];
    self = realpath("/proc/self/exe", path);
    child("rich", rich, 0);
    child("terminated", plain, SIGTERM);
    child("interrupted", plain, SIGINT);
    child("real time", plain, SIGRTMIN + 5);
    child("segv", plain, SIGSEGV);
    child("limited", limited, 0);
    child("denied", denied, 0);
    return 0;
}
