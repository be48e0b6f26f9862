/* uring.c - requests of io_uring whose flags or structures are not the same on every architecture, submitted once and
 * again, alone and in numbers. */
#define _GNU_SOURCE
#include "t.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 64 };

static int ring_fd;
static struct io_uring_params p;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

static unsigned *word(char *ring, unsigned off)
{
    return (unsigned *)(ring + off);
}

/* Appends a request that stands in sqes[slot]. */
static void queue(unsigned slot)
{
    unsigned tail = *word(sq, p.sq_off.tail);
    word(sq, p.sq_off.array)[tail & (p.sq_entries - 1)] = slot;
    __atomic_store_n(word(sq, p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
}

static int take(unsigned long *data)
{
    unsigned head = *word(cq, p.cq_off.head);
    struct io_uring_cqe c = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))[head & (p.cq_entries - 1)];
    CHECK(head != __atomic_load_n(word(cq, p.cq_off.tail), __ATOMIC_ACQUIRE));
    __atomic_store_n(word(cq, p.cq_off.head), head + 1, __ATOMIC_RELEASE);
    if (data) {
        *data = c.user_data;
    }
    return c.res;
}

static int submit(int n, int wait)
{
    return (int)syscall(SYS_io_uring_enter, ring_fd, n, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

/* Submits the request in sqes[0] and gives its result; the request must be untouched after it. */
static int one(void)
{
    struct io_uring_sqe before = sqes[0];
    queue(0);
    CHECK(submit(1, 1) == 1);
    CHECK(memcmp(&before, &sqes[0], sizeof before) == 0);
    return take(NULL);
}

static struct io_uring_sqe *blank(unsigned slot, int opcode)
{
    memset(&sqes[slot], 0, sizeof sqes[slot]);
    sqes[slot].opcode = (unsigned char)opcode;
    return &sqes[slot];
}

static int open_by(const char *path, int flags)
{
    struct io_uring_sqe *s = blank(0, IORING_OP_OPENAT);
    s->fd = AT_FDCWD;
    s->addr = (uintptr_t)path;
    s->len = 0600;
    s->open_flags = (unsigned)flags;
    return one();
}

static void opens(void)
{
    CHECK(open_by("/dev/null", O_RDONLY | O_DIRECTORY) == -ENOTDIR);
    int fd = open_by("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_DIRECTORY && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    CHECK(open_by("/proc/self/cwd", O_RDONLY | O_NOFOLLOW) == -ELOOP);
    fd = open_by("/dev/null", O_RDWR | O_APPEND | O_NONBLOCK);
    CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND | O_NONBLOCK));
    close(fd);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY, .resolve = RESOLVE_NO_XDEV};
    struct io_uring_sqe *s = blank(0, IORING_OP_OPENAT2);
    s->fd = open("/tmp", O_PATH);
    s->addr = (uintptr_t)".";
    s->len = sizeof how;
    s->off = (uintptr_t)&how;
    int close_it = s->fd;
    fd = one();
    CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_DIRECTORY);
    close(fd);
    s->len = 8;
    CHECK(one() == -EINVAL);
    s->len = sizeof how;
    how.flags |= 1ull << 40;
    CHECK(one() == -EINVAL);
    close(close_it);
    ok("open");
}

static void epolls(void)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 0x123456789abcdef0}, got[2];
    int ep = epoll_create1(0), pipes[2];
    CHECK(pipe(pipes) == 0);
    struct io_uring_sqe *s = blank(0, IORING_OP_EPOLL_CTL);
    s->fd = ep;
    s->len = EPOLL_CTL_ADD;
    s->off = (unsigned)pipes[1];
    s->addr = (uintptr_t)&e;
    CHECK(one() == 0);
    CHECK(one() == -EEXIST);
    CHECK(epoll_wait(ep, got, 2, 1000) == 1 && got[0].events == EPOLLOUT && got[0].data.u64 == e.data.u64);
    s->len = EPOLL_CTL_MOD;
    e.data.u64 = 42;
    CHECK(one() == 0);
    CHECK(epoll_wait(ep, got, 2, 1000) == 1 && got[0].data.u64 == 42);
    s->len = EPOLL_CTL_DEL;
    s->addr = 0;
    CHECK(one() == 0);
    CHECK(epoll_wait(ep, got, 2, 0) == 0);
    close(pipes[0]);
    close(pipes[1]);
    close(ep);
    ok("epoll");
}

static void stats(void)
{
    struct statx x = {0};
    struct stat st;
    struct io_uring_sqe *s = blank(0, IORING_OP_STATX);
    s->fd = AT_FDCWD;
    s->addr = (uintptr_t)"/dev/null";
    s->len = STATX_BASIC_STATS;
    s->off = (uintptr_t)&x;
    CHECK(one() == 0 && stat("/dev/null", &st) == 0 && x.stx_ino == st.st_ino && x.stx_mode == st.st_mode);
    ok("statx");
}

/* More requests at once than are rewritten at once, linked ones among them, and one of them bad. */
static void many(void)
{
    int total = 0, files = 0, bad = 0;
    for (unsigned k = 0; k < ENTRIES; k++) {
        struct io_uring_sqe *s = blank(k, k == 20 ? 250 : IORING_OP_OPENAT);
        s->fd = AT_FDCWD;
        s->addr = (uintptr_t)(k & 1 ? "/tmp" : "/dev/null");
        s->open_flags = O_RDONLY | O_DIRECTORY;
        s->user_data = k;
        queue(k);
    }
    for (int tries = 0; total < ENTRIES && tries < 8; tries++) {
        int r = submit(ENTRIES - total, 1);
        CHECK(r >= 0);
        total += r;
    }
    CHECK(total == ENTRIES);
    while (*word(cq, p.cq_off.head) != __atomic_load_n(word(cq, p.cq_off.tail), __ATOMIC_ACQUIRE)) {
        unsigned long k;
        int r = take(&k);
        if (k == 20) {
            CHECK(r == -EINVAL);
            bad++;
        } else if (k & 1) {
            CHECK(r >= 0);
            close(r);
            files++;
        } else {
            CHECK(r == -ENOTDIR);
            bad++;
        }
    }
    CHECK(files == ENTRIES / 2 && bad == ENTRIES / 2);
    ok("many");
}

static void on_alarm(int n)
{
    (void)n;
}

/* The submission counts when a signal ends the wait. */
static void waits(void)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    struct io_uring_sqe *s = blank(0, IORING_OP_OPENAT);
    s->fd = AT_FDCWD;
    s->addr = (uintptr_t)"/tmp";
    s->open_flags = O_RDONLY | O_DIRECTORY;
    queue(0);
    ualarm(100000, 100000); /* again and again: the first may come before the wait */
    CHECK(submit(1, 2) == 1);
    int fd = take(NULL);
    CHECK(fd >= 0);
    CHECK(submit(0, 1) == -1 && errno == EINTR);
    ualarm(0, 0);
    s = blank(0, IORING_OP_CLOSE);
    s->fd = fd;
    CHECK(one() == 0);
    CHECK(one() == -EBADF);
    ok("wait");
}

int main(void)
{
    ring_fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
    if (ring_fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        printf("no io_uring\n");
        return 0;
    }
    size_t size = p.sq_off.array + p.sq_entries * 4, csize = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    sq = cq = mmap(NULL, size > csize ? size : csize, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
    sqes = mmap(NULL, p.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
    CHECK(p.features & IORING_FEAT_SINGLE_MMAP && sq != MAP_FAILED && sqes != MAP_FAILED);
    opens();
    epolls();
    stats();
    many();
    waits();
    return done();
}
