/* program.c - ends or works as its argument says, for the cases of this suite. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile long spins;
static int started;

__attribute__((noinline)) static int third(volatile int *p)
{
    return *p + 1;
}

__attribute__((noinline)) static int second(volatile int *p)
{
    return third(p) + 2;
}

__attribute__((noinline)) static int first(volatile int *p)
{
    return second(p) + 3;
}

static void *spin(void *arg)
{
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        spins++;
    }
    return arg;
}

/* Every clock and form that the vDSO answers; differences with the host's calls show as output. */
static int clocks(void)
{
    static const clockid_t ids[] = {CLOCK_REALTIME,
                                    CLOCK_MONOTONIC,
                                    CLOCK_MONOTONIC_RAW,
                                    CLOCK_REALTIME_COARSE,
                                    CLOCK_MONOTONIC_COARSE,
                                    CLOCK_BOOTTIME,
                                    CLOCK_TAI};
    struct timespec a, b, res;
    struct timeval tv;
    for (unsigned k = 0; k < sizeof ids / sizeof *ids; k++) {
        clock_gettime(ids[k], &a);
        clock_gettime(ids[k], &b);
        if (b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec) ||
            b.tv_nsec >= 1000000000) {
            printf("clock %d goes back\n", (int)ids[k]);
        }
        clock_getres(ids[k], &res);
        if (res.tv_sec || res.tv_nsec < 1 || res.tv_nsec > 20000000) {
            printf("clock %d has resolution %ld\n", (int)ids[k], res.tv_nsec);
        }
    }
    clock_gettime(CLOCK_REALTIME, &a);
    gettimeofday(&tv, NULL);
    clock_gettime(CLOCK_REALTIME, &b);
    if (tv.tv_sec < a.tv_sec || tv.tv_sec > b.tv_sec || tv.tv_usec >= 1000000 ||
        time(NULL) < a.tv_sec) {
        printf("gettimeofday and clock_gettime do not agree\n");
    }
    if (clock_gettime(12345, &a) != -1) {
        printf("clock 12345 exists\n");
    }
    puts("clocks done");
    return 0;
}

static int calls(void)
{
    syscall(511);
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/nonexistent/\"name\"", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    munmap(p, 8192);
    lseek(99, -1, SEEK_END);
    if (fork() == 0) {
        execv("/nonexistent", (char *[]){"a", "b c", NULL});
        _exit(5);
    }
    wait(NULL);
    write(1, "text\n\1", 6);
    return fd == -1 ? 3 : 1;
}

static int caught;

static void on_stkflt(int sig)
{
    caught += sig == SIGSTKFLT;
}

static void burn(int ms)
{
    for (clock_t end = clock() + ms * (CLOCKS_PER_SEC / 1000); clock() < end;) {
        spins++;
    }
}

/* Whatever it does with the signal that -d stats samples by, it sees none but its own. */
static int sampled(char **argv)
{
    sigset_t all, old;
    sigfillset(&all);
    signal(SIGSTKFLT, SIG_IGN);
    raise(SIGSTKFLT);
    burn(30);
    signal(SIGSTKFLT, SIG_DFL);
    burn(30);
    signal(SIGSTKFLT, on_stkflt);
    sigprocmask(SIG_BLOCK, &all, &old);
    burn(30);
    sigprocmask(SIG_SETMASK, &old, NULL);
    raise(SIGSTKFLT);
    int interrupted = 0, status[3];
    for (int k = 0; k < 100; k++) {
        struct timespec t = {0, 20000};
        burn(1);
        interrupted += nanosleep(&t, NULL) != 0;
    }
    execl("/nonexistent", "x", NULL);
    for (int k = 0; k < 3; k++) {
        pid_t pid = fork();
        if (pid == 0) {
            burn(30);
            if (k == 1) {
                execl(argv[0], argv[0], "clocks", NULL);
            } else if (k == 2) {
                signal(SIGSTKFLT, SIG_DFL);
                raise(SIGSTKFLT);
            }
            _exit(k);
        }
        waitpid(pid, &status[k], 0);
    }
    bool good = caught == 1 && interrupted == 0 && status[0] == 0 && status[1] == 0 && WIFSIGNALED(status[2]) && WTERMSIG(status[2]) == SIGSTKFLT;
    printf("sampled %s: %d %d %x %x %x\n", good ? "done" : "wrong", caught, interrupted, status[0], status[1], status[2]);
    return !good;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t t;
    if (strcmp(what, "fault") == 0) {
        return first((int *)0x1230);
    } else if (strcmp(what, "jump") == 0) {
        ((void (*)(void))16)();
    } else if (strcmp(what, "undefined") == 0) {
        __asm__ volatile(".inst 0");
    } else if (strcmp(what, "abort") == 0) {
        abort();
    } else if (strcmp(what, "threads") == 0) {
        pthread_create(&t, NULL, spin, NULL);
        pthread_create(&t, NULL, spin, NULL);
        while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < 2 || spins < 1000) {
            usleep(1000);
        }
        return first((int *)0x1230);
    } else if (strcmp(what, "clocks") == 0) {
        return clocks();
    } else if (strcmp(what, "sampled") == 0) {
        return sampled(argv);
    } else if (strcmp(what, "calls") == 0) {
        return calls();
    } else if (strcmp(what, "badclock") == 0) {
        return clock_gettime(CLOCK_MONOTONIC, (struct timespec *)8);
    }
    return 0;
}
