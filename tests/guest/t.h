/* t.h - what guest programs share: checks that name themselves, a checksum, a generator.
 * A program prints `ok NAME` lines (by ok()) and ends with done(), which gives the exit status.
 * Output is the same on every Linux; a failed CHECK prints its place and goes on. */
#ifndef TESTS_GUEST_T_H
#define TESTS_GUEST_T_H
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int t_failures;

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            __atomic_add_fetch(&t_failures, 1, __ATOMIC_RELAXED);                                  \
            printf("FAILED %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno);             \
            fflush(stdout);                                                                        \
        }                                                                                          \
    } while (0)

/* The named part is over. */
static inline void ok(const char *name)
{
    printf("%s %s\n", t_failures ? "after failures:" : "ok", name);
    fflush(stdout);
}

static inline int done(void)
{
    return t_failures ? 1 : 0;
}

/* Runs part in a child: what a limit breaks goes with it. */
static inline void apart(void (*part)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        part();
        _exit(done());
    }
    if (waitpid(pid, &status, 0) != pid || status) {
        printf("child: status %x\n", (unsigned)status);
        t_failures++;
    }
}

/* How often process pid has begun to wait, when it waits now for what may be without end; else -1. */
static inline long process_waits(pid_t pid)
{
    char path[64], line[128], state = 0;
    long times = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "State: %c", &state);
        sscanf(line, "voluntary_ctxt_switches: %ld", &times);
    }
    if (f) {
        fclose(f);
    }
    return state == 'S' ? times : -1;
}

/* FNV-1a over n bytes, from h on (start with T_HASH). */
#define T_HASH 0xcbf29ce484222325u
static inline uint64_t t_hash(uint64_t h, const void *p, size_t n)
{
    for (const unsigned char *b = (const unsigned char *)p; n--; b++) {
        h = (h ^ *b) * 0x100000001b3u;
    }
    return h;
}

/* A linear congruential generator with a mixed output; the state is the caller's. */
static inline uint64_t t_rand(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *state;
    return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
}

#endif
