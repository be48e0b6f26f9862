/* load.c - loads for whole machines: each does a fixed amount of work and says how long it took.
 *
 * usage: load [NAME...] (all). Prints "NAME NANOSECONDS COUNT" per load: time of CLOCK_MONOTONIC in the guest.
 * Kernel loads are those that an emulator's exceptions, page tables and wake-ups decide; CPU loads stay in user mode.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static volatile uint64_t sink;

/* -- kernel ---------------------------------------------------------------------------------------------------- */

static void getppids(long n)
{
    while (n--) {
        syscall(SYS_getppid);
    }
}

static void mmaps(long n)
{
    while (n--) {
        char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p[0] = p[4096] = p[8192] = p[12288] = 1;
        munmap(p, 16384);
    }
}

static void on_signal(int s)
{
    sink += (uint64_t)s;
}

static void signals(long n)
{
    signal(SIGUSR1, on_signal);
    pid_t me = getpid();
    while (n--) {
        kill(me, SIGUSR1);
    }
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int whose;
    long rounds;
} baton = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void *player(void *arg)
{
    int me = (int)(intptr_t)arg;
    pthread_mutex_lock(&baton.lock);
    for (long k = 0; k < baton.rounds; k++) {
        while (baton.whose != me) {
            pthread_cond_wait(&baton.turn, &baton.lock);
        }
        baton.whose = !me;
        pthread_cond_signal(&baton.turn);
    }
    pthread_mutex_unlock(&baton.lock);
    return NULL;
}

static void futexes(long n)
{
    pthread_t t[2];
    baton.rounds = n;
    for (int k = 0; k < 2; k++) {
        pthread_create(&t[k], NULL, player, (void *)(intptr_t)k);
    }
    for (int k = 0; k < 2; k++) {
        pthread_join(t[k], NULL);
    }
}

static void forks(long n)
{
    while (n--) {
        pid_t p = fork();
        if (!p) {
            _exit(0);
        }
        waitpid(p, NULL, 0);
    }
}

static void execs(long n)
{
    while (n--) {
        pid_t p = vfork();
        if (!p) {
            execl("/proc/self/exe", "load", "nothing", (char *)NULL);
            _exit(127);
        }
        waitpid(p, NULL, 0);
    }
}

static void pipes(long n)
{
    int a[2], b[2];
    char c = 0;
    if (pipe(a) || pipe(b)) {
        return;
    }
    pid_t p = fork();
    for (long k = 0; k < n; k++) {
        int *in = p ? b : a, *out = p ? a : b;
        if ((p && write(out[1], &c, 1) != 1) || read(in[0], &c, 1) != 1 || (!p && write(out[1], &c, 1) != 1)) {
            break;
        }
    }
    if (!p) {
        _exit(0);
    }
    waitpid(p, NULL, 0);
}

static void copies(long n)
{
    static char buf[4096];
    int from = memfd_create("from", 0), to = memfd_create("to", 0);
    for (long k = 0; k < 1024; k++) {
        if (write(from, buf, sizeof buf) < 0) {
            return;
        }
    }
    while (n--) {
        lseek(from, 0, SEEK_SET);
        lseek(to, 0, SEEK_SET);
        while (read(from, buf, sizeof buf) > 0) {
            if (write(to, buf, sizeof buf) < 0) {
                return;
            }
        }
    }
}

/* As hackbench: groups of senders and receivers over socket pairs. */
static void hackbench(long n)
{
    enum { PAIRS = 8, BYTES = 100 };
    char buf[BYTES] = "";
    for (int k = 0; k < PAIRS; k++) {
        int s[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) {
            return;
        }
        for (int side = 0; side < 2; side++) {
            if (!fork()) {
                for (long i = 0; i < n * BYTES;) {
                    ssize_t r = side ? read(s[1], buf, BYTES) : write(s[0], buf, BYTES);
                    if (r <= 0) {
                        break;
                    }
                    i += r;
                }
                _exit(0);
            }
        }
        close(s[0]);
        close(s[1]);
    }
    while (wait(NULL) > 0) {
    }
}

/* -- CPU ----------------------------------------------------------------------------------------------------------- */

static void sort(uint32_t *v, long n)
{
    while (n > 16) { /* by halves around the middle one's value */
        uint32_t pivot = v[n / 2];
        long i = 0, j = n - 1;
        while (i <= j) {
            while (v[i] < pivot) {
                i++;
            }
            while (v[j] > pivot) {
                j--;
            }
            if (i <= j) {
                uint32_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        sort(v, j + 1);
        v += i;
        n -= i;
    }
    for (long i = 1; i < n; i++) {
        uint32_t t = v[i];
        long j = i;
        for (; j && v[j - 1] > t; j--) {
            v[j] = v[j - 1];
        }
        v[j] = t;
    }
}

/* Numbers sorted, put into a hash table and counted, and their bytes: integers as programs use them, in memory and with branches.
 * (A loop that stays in registers says nothing: it runs as fast as on the host under any translator.) */
static void integer(long n)
{
    enum { KEYS = 1000, SLOTS = 2048 };
    uint32_t keys[KEYS], slots[SLOTS], bytes[256] = {0}, seed = 1, b = 0;
    for (long k = 0; k < n; k++) {
        memset(slots, 0, sizeof slots);
        for (unsigned i = 0; i < KEYS; i++) {
            seed = seed * 1664525 + 1013904223;
            keys[i] = (seed >> 8) % 3000 + 1;
        }
        sort(keys, KEYS);
        for (unsigned i = 0; i < KEYS; i++) {
            uint32_t at = keys[i] * 2654435761u >> 21;
            while (slots[at] && slots[at] != keys[i]) {
                at = (at + 1) % SLOTS;
            }
            b += slots[at] != 0;
            slots[at] = keys[i];
        }
        for (unsigned i = 0; i < sizeof keys; i++) {
            bytes[((const uint8_t *)keys)[i]]++;
        }
    }
    sink += (uint64_t)b << 32 | bytes[seed >> 24];
}

static void floats(long n)
{
    double x = 0.5, y = 0.25, z = 1.5;
    for (long k = 0; k < n * 1000; k++) {
        double r = x * x + y * y + z * z + 1e-3;
        x += 1e-3 * (y - x) / r;
        y += 1e-3 * (x * (2.5 - z) - y);
        z += 1e-3 * (x * y - z * 0.4);
    }
    sink += (uint64_t)(x * 1e6) + (uint64_t)(z * 1e6);
}

static void vectors(long n)
{
    enum { N = 64 };
    static float a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N * N; i++) {
        (&a[0][0])[i] = (float)(i % 7);
        (&b[0][0])[i] = (float)(i % 5);
    }
    for (long k = 0; k < n; k++) {
        for (int i = 0; i < N; i++) {
            for (int m = 0; m < N; m++) {
                for (int j = 0; j < N; j++) {
                    c[i][j] += a[i][m] * b[m][j];
                }
            }
        }
        a[k % N][0] = c[1][1] * 1e-9f;
    }
    sink += (uint64_t)c[3][3];
}

static void interpreter(long n)
{
    static const uint8_t code[] = {0, 1, 2, 0, 3, 1, 4, 2, 5, 0, 3, 6};
    uint64_t acc = 1, x = 7;
    for (long k = 0; k < n * 100; k++) {
        for (unsigned pc = 0; pc < sizeof code; pc++) {
            switch (code[pc]) {
            case 0: acc += x; break;
            case 1: acc ^= acc << 3; break;
            case 2: x = acc >> 5; break;
            case 3: acc -= x * 3; break;
            case 4: x += 11; break;
            case 5: acc = (acc >> 1) | (acc << 63); break;
            default: x ^= acc; break;
            }
        }
    }
    sink += acc;
}

static void chase(long n)
{
    enum { CELLS = 1 << 18 };
    static uint32_t next[CELLS];
    for (uint32_t k = 0; k < CELLS; k++) {
        next[k] = (k * 5 + 12345) % CELLS;
    }
    uint32_t at = 0;
    for (long k = 0; k < n * 1000; k++) {
        at = next[at];
    }
    sink += at;
}

static void *half(void *n)
{
    integer((long)(intptr_t)n);
    return NULL;
}

/* Twice the work of `integer`, by two threads. */
static void two(long n)
{
    pthread_t t;
    pthread_create(&t, NULL, half, (void *)(intptr_t)n);
    integer(n);
    pthread_join(t, NULL);
}

static const struct {
    const char *name;
    void (*run)(long n);
    long n;
} loads[] = {
    {"getppid", getppids, 300000}, {"mmap", mmaps, 6000}, {"signal", signals, 30000}, {"futex", futexes, 4000},
    {"fork", forks, 600}, {"exec", execs, 150}, {"pipe", pipes, 8000}, {"copy", copies, 12}, {"hackbench", hackbench, 4000},
    {"integer", integer, 4000}, {"float", floats, 15000}, {"neon", vectors, 1000}, {"interpreter", interpreter, 60000},
    {"chase", chase, 20000}, {"two", two, 4000},
};

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nothing")) {
        return 0;
    }
    for (unsigned k = 0; k < sizeof loads / sizeof loads[0]; k++) {
        int wanted = argc == 1;
        for (int i = 1; i < argc; i++) {
            wanted |= !strcmp(argv[i], loads[k].name);
        }
        if (wanted) {
            loads[k].run(loads[k].n / 50 + 1); /* warm */
            uint64_t t = now();
            loads[k].run(loads[k].n);
            printf("load %s %llu %ld\n", loads[k].name, (unsigned long long)(now() - t), loads[k].n);
            fflush(stdout);
        }
    }
    return 0;
}
