/* t_gdbstub.c - packets of the gdb remote protocol against a made-up program: two threads, one page
 * of memory.
 *
 * A row is a packet and its answer. All packets of a test go into one end of a socket pair,
 * gdb_serve() reads them at the other until they end, and the answers are compared then. No-ack
 * mode except where acknowledgements are the subject.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gdb/gdbstub.h"

enum { BASE = 0x10000, SIZE = 4096, TID = 100, THREADS = 2 };

static uint8_t memory[SIZE];
static CpuA64 cpus[THREADS];
static char broken[256]; /* what was asked of breakpoint() */
static GdbSession session;
static char answers[1 << 18];

static int mem_read(GdbTarget *g, uint64_t addr, void *buf, size_t n)
{
    (void)g;
    if (addr < BASE || n > SIZE || addr - BASE > SIZE - n) {
        return -EFAULT;
    }
    memcpy(buf, memory + addr - BASE, n);
    return 0;
}

static int mem_write(GdbTarget *g, uint64_t addr, const void *buf, size_t n)
{
    (void)g;
    if (addr < BASE || n > SIZE || addr - BASE > SIZE - n) {
        return -EFAULT;
    }
    memcpy(memory + addr - BASE, buf, n);
    return 0;
}

static unsigned threads(GdbTarget *g, pid_t *out, unsigned max)
{
    (void)g;
    for (unsigned k = 0; k < THREADS && k < max; k++) {
        out[k] = TID + (pid_t)k;
    }
    return THREADS;
}

static CpuA64 *cpu(GdbTarget *g, pid_t tid)
{
    (void)g;
    return tid >= TID && tid < TID + THREADS ? &cpus[tid - TID] : NULL;
}

static int breakpoint(GdbTarget *g, bool insert, GdbBreak kind, uint64_t addr, uint64_t len)
{
    (void)g;
    snprintf(broken, sizeof broken, "%c%d %llx %llx", insert ? '+' : '-', (int)kind,
             (unsigned long long)addr, (unsigned long long)len);
    return kind == GDB_WATCH_READ ? -ENOTSUP : 0;
}

static size_t auxv(GdbTarget *g, void *buf, size_t max)
{
    (void)g;
    memset(buf, '}', max < 4 ? max : 4);
    return 4;
}

static const char *exec_file(GdbTarget *g)
{
    (void)g;
    return "/bin/prog";
}

static void kill_it(GdbTarget *g)
{
    (void)g;
    strcpy(broken, "killed");
}

static GdbTarget target = {.read = mem_read,
                           .write = mem_write,
                           .threads = threads,
                           .cpu = cpu,
                           .breakpoint = breakpoint,
                           .auxv = auxv,
                           .exec_file = exec_file,
                           .kill = kill_it};

/* Serves the bytes; what came back is in answers. */
static GdbAction serve(const char *bytes, size_t n, bool no_ack)
{
    int fd[2], room = 1 << 18;
    const GdbStop stop = {.tid = TID, .signal = 5};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    cr_assert_eq(write(fd[0], bytes, n), (ssize_t)n);
    shutdown(fd[0], SHUT_WR);
    gdb_session_init(&session, fd[1], &target);
    session.no_ack = no_ack;
    GdbAction a = gdb_serve(&session, &stop, false);
    gdb_session_end(&session);
    ssize_t got, all = 0;
    while ((got = read(fd[0], answers + all, sizeof answers - 1 - (size_t)all)) > 0) {
        all += got;
    }
    answers[all] = 0;
    close(fd[0]);
    return a;
}

static size_t frame(char *to, const char *data)
{
    unsigned sum = 0;
    for (const char *p = data; *p; p++) {
        sum += (unsigned char)*p;
    }
    return (size_t)sprintf(to, "$%s#%02x", data, sum & 255);
}

static GdbAction serve_packet(const char *data)
{
    static char bytes[40000];
    return serve(bytes, frame(bytes, data), true);
}

typedef struct Row {
    const char *packet, *answer;
} Row;

static const Row rows[] = {
    {"?", "T05thread:64;"},
    {"qC", "QC64"},
    {"qfThreadInfo", "m64,65"},
    {"qsThreadInfo", "l"},
    {"T64", "OK"},
    {"T66", "E03"},
    {"Hg65", "OK"},
    {"Hg0", "OK"},
    {"Hc-1", "OK"},
    {"Hg99", "E03"},
    {"p0", "efcdab8967452301"},
    {"p20", "0010000000000000"},
    {"p21", "000000a0"},
    {"p22", "0f0e0d0c0b0a09080706050403020100"},
    {"p44", "E16"},
    {"p", "E16"},
    {"pffffffffffffffff", "E16"},
    {"P1=8877665544332211", "OK"},
    {"P1=88", "E16"},
    {"P99=00", "E16"},
    {"m10000,4", "01020304"},
    {"m10ffe,10", "0000"},
    {"m0,4", "E0e"},
    {"m10000", "E16"},
    {"mffffffffffffffff,ffffffffffffffff", "E0e"},
    {"M10100,2:abcd", "OK"},
    {"m10100,2", "abcd"},
    {"M10100,4:ab", "E16"},
    {"M0,1:00", "E0e"},
    {"X10200,0:", "OK"},
    {"X10200,2:xy", "OK"},
    {"m10200,2", "7879"},
    {"X10200,ffff:a", "E16"},
    {"Z0,10010,4", "OK"},
    {"z0,10010,4", "OK"},
    {"Z2,10020,8", "OK"},
    {"Z3,10020,8", ""},
    {"Z9,0,0", "E16"},
    {"Z0", "E16"},
    {"qAttached", "1"},
    {"qXfer:auxv:read::0,100", "l}]}]}]}]"},
    {"qXfer:auxv:read::2,1", "m}]"},
    {"qXfer:exec-file:read:64:0,4", "m/bin"},
    {"qXfer:exec-file:read:64:4,400", "l/prog"},
    {"qXfer:exec-file:read:64:ffffffffffff,1", "l"},
    {"qXfer:nothing:read::0,4", ""},
    {"vCont?", "vCont;c;C;s;S"},
    {"vMustReplyEmpty", ""},
    {"vFile:open:,0,0", "F-1,2"},
    {"vFile:close:9", "F-1,9"},
    {"", ""},
    {"_nonsense", ""},
};

Test(gdbstub, packets)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < 16; k++) {
        memory[k] = (uint8_t)(k + 1);
        cpus[0].v[0].b[k] = (uint8_t)(15 - k);
    }
    cpus[0].x[0] = 0x0123456789abcdef;
    cpus[0].pc = 0x1000;
    a64_set_nzcv(&cpus[0], 0xa0000000);
    for (unsigned k = 0; k < LEN(rows); k++) {
        char want[256];
        frame(want, rows[k].answer);
        GdbAction a = serve_packet(rows[k].packet);
        if (strcmp(answers, want) != 0 || a.how != GDB_GONE) {
            cr_log_error("packet %s: answer %s, not %s", rows[k].packet, answers, want);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
    cr_assert_eq(cpus[0].x[1], 0x1122334455667788);
}

Test(gdbstub, breakpoints_reach_the_target)
{
    serve_packet("Z0,10010,4");
    cr_assert_str_eq(broken, "+0 10010 4");
    serve_packet("z4,1ffff,8");
    cr_assert_str_eq(broken, "-4 1ffff 8");
    serve_packet("k");
    cr_assert_str_eq(broken, "killed");
}

Test(gdbstub, resume)
{
    static const struct {
        const char *packet;
        GdbAction want;
    } resumes[] = {
        {"c", {GDB_CONTINUE, TID, false, 0}},
        {"s", {GDB_STEP, TID, false, 0}},
        {"C0b", {GDB_CONTINUE, TID, false, 11}},
        {"C1e", {GDB_CONTINUE, TID, false, 10}}, /* gdb's number of SIGUSR1 */
        {"D", {GDB_DETACH, TID, false, 0}},
        {"vKill;1", {GDB_KILL, TID, false, 0}},
        {"vCont;c", {GDB_CONTINUE, TID, false, 0}},
        {"vCont;s:65;c", {GDB_STEP, TID + 1, false, 0}},
        {"vCont;s:64", {GDB_STEP, TID, true, 0}},
        {"vCont;C0b:65;c", {GDB_CONTINUE, TID + 1, false, 11}},
        {"vCont;x", {GDB_GONE, 0, false, 0}},
        {"vCont;s:7777", {GDB_GONE, 0, false, 0}},
    };
    for (unsigned k = 0; k < LEN(resumes); k++) {
        GdbAction a = serve_packet(resumes[k].packet), w = resumes[k].want;
        cr_expect_eq(a.how, w.how, "%s", resumes[k].packet);
        if (w.how == GDB_CONTINUE || w.how == GDB_STEP) {
            cr_expect(a.tid == w.tid && a.only_tid == w.only_tid && a.signal == w.signal,
                      "%s: tid %d only %d signal %d", resumes[k].packet, a.tid, a.only_tid,
                      a.signal);
        }
    }
}

Test(gdbstub, acknowledgements)
{
    const char *wrong = "$qC#00", *twice = "$qC#b4-+";
    serve(wrong, strlen(wrong), false);
    cr_assert_str_eq(answers, "-");
    serve(twice, strlen(twice), false);
    cr_assert_str_eq(answers, "+$QC64#fe$QC64#fe");
}

/* Bytes of all kinds: it has to come back, within its buffers. */
Test(gdbstub, garbage)
{
    uint64_t r = 88172645463325252ull;
    static char bytes[GDB_PACKET_MAX + 4096];
    static const char letters[] = "$#}*gGpPmMXZzHTqvcCsS0123456789abcdef,:;?-+\3";
    for (unsigned round = 0; round < 2000; round++) {
        size_t n = 0, want = round % 50 ? r % 200 : sizeof bytes;
        for (; n < want; n++) {
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            bytes[n] = round & 1 ? letters[r % (sizeof letters - 1)] : (char)r;
        }
        serve(bytes, n, round & 2);
    }
}
