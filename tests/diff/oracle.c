/* oracle.c - guest programs (guest.c) that run cases elsewhere: one process each, fed with batches.
 *
 * Two buffers are used in turn, so that the other side works while this one prepares; the third is for single cases
 * while a failure is made small. A process that dies or does not answer is started again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"

enum { IDLE, SENT, ANSWERED, LOST, SINGLE = DIFF_BUFFERS - 1, ANSWER_MS = 60000, SINGLE_MS = 15000 };

static bool spawn(Oracle *o)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
        return false;
    }
    o->pid = fork();
    if (o->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execvp(o->argv[0], o->argv);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    o->to = to[1];
    o->from = from[0];
    for (unsigned i = 0; i < DIFF_BUFFERS; i++) {
        o->busy[i] = o->busy[i] == SENT || o->busy[i] == LOST ? LOST : IDLE;
    }
    return o->pid > 0;
}

bool oracle_start(Oracle *o, const char *name, const char *command, const char *guest)
{
    static char fd_text[16];
    char *words = strdup(command), *save;
    unsigned n = 0;
    *o = (Oracle){.name = name, .argv = calloc(64, sizeof *o->argv)};
    for (char *w = strtok_r(words, " ", &save); w && n < 60; w = strtok_r(NULL, " ", &save)) {
        o->argv[n++] = w;
    }
    o->fd = memfd_create("diff-shared", 0);
    if (o->fd < 0 || ftruncate(o->fd, sizeof *o->shared) < 0) {
        return false;
    }
    o->shared = mmap(NULL, sizeof *o->shared, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
    snprintf(fd_text, sizeof fd_text, "%d", o->fd);
    o->argv[n++] = strdup(guest);
    o->argv[n] = strdup(fd_text);
    signal(SIGPIPE, SIG_IGN);
    return o->shared != MAP_FAILED && spawn(o);
}

void oracle_stop(Oracle *o)
{
    close(o->to);
    close(o->from);
    kill(o->pid, SIGKILL);
    waitpid(o->pid, NULL, 0);
}

void oracle_send(Oracle *o, unsigned buffer, const Case *cases, unsigned n, const uint8_t *code, const uint8_t *image)
{
    DiffBatch *b = &o->shared->batch[buffer];
    uint8_t byte = (uint8_t)buffer;
    b->count = 0;
    for (unsigned i = 0; i < n; i++) {
        if (cases[i].oracle) {
            b->in[b->count++] = cases[i].in;
        }
    }
    memcpy(b->code, code, DIFF_CODE_SIZE);
    memcpy(b->image, image, DIFF_IMAGE_SIZE);
    o->busy[buffer] = !b->count ? IDLE : write(o->to, &byte, 1) == 1 ? SENT : LOST;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads one answer; false: none came. The alarm of units_watch() interrupts. */
static bool answer(Oracle *o, int ms)
{
    struct pollfd p = {.fd = o->from, .events = POLLIN};
    uint8_t byte;
    int n;
    int64_t end = now_ms() + ms;
    while ((n = poll(&p, 1, end > now_ms() ? (int)(end - now_ms()) : 0)) < 0 && errno == EINTR) {
    }
    if (n <= 0 || read(o->from, &byte, 1) != 1 || byte >= DIFF_BUFFERS) {
        return false;
    }
    o->busy[byte] = ANSWERED;
    return true;
}

bool oracle_wait(Oracle *o, unsigned buffer)
{
    if (o->busy[buffer] == LOST) {
        o->busy[buffer] = IDLE;
        return false;
    }
    while (o->busy[buffer] == SENT) {
        if (!answer(o, buffer == SINGLE ? SINGLE_MS : ANSWER_MS)) {
            o->busy[buffer] = IDLE;
            oracle_stop(o);
            spawn(o);
            return false;
        }
    }
    o->busy[buffer] = IDLE;
    return true;
}

bool oracle_one(Oracle *o, const Case *c, DiffResult *r)
{
    static uint8_t code[DIFF_CODE_SIZE], image[DIFF_IMAGE_SIZE];
    static Case copy;
    for (unsigned i = 0; i < DIFF_CODE_SIZE / 4; i++) {
        ((uint32_t *)(void *)code)[i] = DIFF_FILLER;
    }
    memcpy(code + (slot_address(c->in.pc) - DIFF_CODE), c->words, SLOT_BYTES);
    image_make(c->memseed, image);
    copy = *c;
    copy.oracle = true;
    oracle_send(o, SINGLE, &copy, 1, code, image);
    if (!oracle_wait(o, SINGLE)) {
        return false;
    }
    *r = o->shared->batch[SINGLE].out[0];
    return true;
}
