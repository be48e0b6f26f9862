/* fuzz_gdb.c - packets of a debugger to gdb/gdbstub.c, over a socket, with a made-up program of two threads
 * and one page of memory.
 *
 * Input: byte 0 even: raw bytes of the connection; odd: packets separated by zero bytes, which are put between $ and
 * a right checksum. The stub must answer, resume or hang up, and stay inside its buffers and the target's page.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "gdb/gdbstub.h"

enum { MEM_BASE = 0x10000, MEM_SIZE = 4096, TIDS = 2, TID = 100 };

static uint8_t mem[MEM_SIZE];
static CpuA64 cpus[TIDS];

static uint8_t *mem_at(uint64_t addr, size_t n)
{
    bool inside = addr >= MEM_BASE && n <= MEM_SIZE && addr - MEM_BASE <= MEM_SIZE - n;
    return inside ? mem + (addr - MEM_BASE) : NULL;
}

static int t_read(GdbTarget *g, uint64_t addr, void *buf, size_t n)
{
    (void)g;
    const uint8_t *p = mem_at(addr, n);
    if (!p) {
        return -EFAULT;
    }
    memcpy(buf, p, n);
    return 0;
}

static int t_write(GdbTarget *g, uint64_t addr, const void *buf, size_t n)
{
    (void)g;
    uint8_t *p = mem_at(addr, n);
    if (!p) {
        return -EFAULT;
    }
    memcpy(p, buf, n);
    return 0;
}

static unsigned t_threads(GdbTarget *g, pid_t *out, unsigned max)
{
    (void)g;
    for (unsigned i = 0; i < TIDS && i < max; i++) {
        out[i] = TID + (pid_t)i;
    }
    return TIDS;
}

static CpuA64 *t_cpu(GdbTarget *g, pid_t tid)
{
    (void)g;
    return tid >= TID && tid < TID + TIDS ? &cpus[tid - TID] : NULL;
}

static int t_breakpoint(GdbTarget *g, bool insert, GdbBreak kind, uint64_t addr, uint64_t len)
{
    (void)g;
    (void)insert;
    (void)len;
    return kind == GDB_BREAK_HARD ? -ENOTSUP : addr & 1 ? -EINVAL : 0;
}

static size_t t_auxv(GdbTarget *g, void *buf, size_t max)
{
    (void)g;
    memset(buf, 0x7d, max < 320 ? max : 320);
    return 320;
}

static const char *t_exec_file(GdbTarget *g)
{
    (void)g;
    return "/bin/program";
}

static void t_kill(GdbTarget *g)
{
    (void)g;
}

static GdbTarget target = {.read = t_read, .write = t_write, .threads = t_threads, .cpu = t_cpu, .breakpoint = t_breakpoint,
                           .auxv = t_auxv, .exec_file = t_exec_file, .kill = t_kill};

/* Sends, and swallows all answers until the stub hangs up. */
typedef struct Peer {
    int fd;
    const uint8_t *data;
    size_t size;
} Peer;

static void *swallow(void *arg)
{
    static uint8_t sink[65536];
    Peer *p = arg;
    while (recv(p->fd, sink, sizeof sink, 0) > 0) {
    }
    return NULL;
}

static void send_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        p += sent;
        n -= (size_t)sent;
    }
}

static void *send_input(void *arg)
{
    Peer *p = arg;
    bool framed = p->data[0] & 1;
    const uint8_t *at = p->data + 1, *end = p->data + p->size;
    if (!framed) {
        send_all(p->fd, at, (size_t)(end - at));
    }
    while (framed && at < end) {
        const uint8_t *zero = memchr(at, 0, (size_t)(end - at));
        size_t n = (size_t)((zero ? zero : end) - at);
        unsigned sum = 0;
        char tail[4];
        for (size_t i = 0; i < n; i++) {
            sum += at[i];
        }
        snprintf(tail, sizeof tail, "#%02x", sum & 255);
        send_all(p->fd, "$", 1);
        send_all(p->fd, at, n);
        send_all(p->fd, tail, 3);
        at += n + 1;
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

uint32_t engine_fpsr(CpuHead *cpu)
{
    return cpu->fp.fpsr;
}

void engine_set_fpsr(CpuHead *cpu, uint32_t fpsr)
{
    cpu->fp.fpsr = fpsr;
}

void engine_fpcr_changed(CpuHead *cpu)
{
    cpu->key = 0;
}

/* In place of open() in gdbstub.c (CMakeLists.txt): the machine's files are not for a fuzzer. */
int fuzz_open(const char *path, int flags, ...);
int fuzz_open(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    return dup(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static GdbSession session;
    int fds[2];
    pthread_t reader, writer;
    if (size < 2) {
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
        BUG("socketpair: errno %d", errno);
    }
    Peer peer = {fds[1], data, size};
    pthread_create(&reader, NULL, swallow, &peer);
    pthread_create(&writer, NULL, send_input, &peer);
    gdb_session_init(&session, fds[0], &target);
    GdbStop stop = {.tid = TID, .signal = 5};
    bool report = false;
    for (;;) {
        GdbAction a = gdb_serve(&session, &stop, report);
        if (a.how == GDB_GONE || a.how == GDB_KILL || a.how == GDB_DETACH) {
            break;
        }
        if (a.tid != 0 && !t_cpu(&target, a.tid)) {
            BUG("resumes thread %d, which does not exist", (int)a.tid);
        }
        if (a.signal < 0 || a.signal > 64) {
            BUG("delivers signal %d", a.signal);
        }
        stop = (GdbStop){.tid = TID + (pid_t)(cpus[0].x[0] & 1), .signal = 5, .watch = GDB_WATCH_WRITE,
                         .watch_addr = cpus[0].x[1] & 1 ? MEM_BASE : 0};
        report = true;
    }
    gdb_report_exit(&session, 3, 0);
    gdb_session_end(&session);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
    close(fds[1]);
    return 0;
}
