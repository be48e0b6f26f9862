/* gdbstub.c - packets of the gdb remote protocol (gdb manual, appendix "Remote Protocol").
 *
 * A packet is $DATA#CC. Handlers are rows of `commands`: prefix and function; a function leaves its answer in
 * s->reply. To add a packet: a row and a function that checks every number it parses. Registers are numbered as
 * the feature descriptions at the end say: x0-x30, sp, pc, cpsr, v0-v31, fpsr, fpcr.
 */
#define _GNU_SOURCE
#include "gdbstub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { REG_SP = 31, REG_PC = 32, REG_CPSR = 33, REG_V = 34, REG_FPSR = 66, REG_FPCR = 67, REG_COUNT = 68 };
enum { MAX_THREADS = 4096 };

/* Linux signal -> gdb's own numbering, for those below 32; real-time ones by rule. */
static const uint8_t gdb_signals[32] = {0,  1,  2,  3,  4,  5,  6,  10, 8,  9,  30, 11, 31, 13, 14, 15,
                                        143, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12};

static int signal_to_gdb(int sig)
{
    if (sig < 32) {
        return gdb_signals[sig];
    }
    return sig == 32 ? 77 : sig < 64 ? sig + 12 : 78;
}

static int signal_from_gdb(unsigned g)
{
    for (int i = 1; i < 32; i++) {
        if (gdb_signals[i] == g) {
            return i;
        }
    }
    return g == 77 ? 32 : g == 78 ? 64 : g >= 45 && g <= 75 ? (int)g - 12 : 0;
}

/* -- bytes and hex ------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A hex number at *p, which moves behind it; false when there is none. */
static bool parse_hex(const char **p, uint64_t *v)
{
    const char *s = *p;
    for (*v = 0; hex_digit(*s) >= 0; s++) {
        *v = *v << 4 | (unsigned)hex_digit(*s);
    }
    bool any = s != *p;
    *p = s;
    return any;
}

static bool parse_char(const char **p, char c)
{
    return **p == c ? (*p)++, true : false;
}

static void hex_out(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = 0;
}

/* Hex text to bytes, at most max; how many. */
static size_t hex_in(const char *p, void *bytes, size_t max)
{
    unsigned char *b = bytes;
    size_t n = 0;
    while (n < max && hex_digit(p[0]) >= 0 && hex_digit(p[1]) >= 0) {
        b[n++] = (unsigned char)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
        p += 2;
    }
    return n;
}

static void reply(GdbSession *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void reply(GdbSession *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->reply, sizeof s->reply, fmt, ap);
    va_end(ap);
}

static void reply_errno(GdbSession *s, int err)
{
    reply(s, "E%02x", (unsigned)(err < 0 ? -err : err) & 255);
}

/* -- the wire ----------------------------------------------------------------------------------------------- */

/* Next byte, or -1 when the peer is gone. */
static int get_byte(GdbSession *s)
{
    while (s->in_pos == s->in_len) {
        ssize_t n = read(s->fd, s->in, sizeof s->in);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -1;
        }
        s->in_pos = 0;
        s->in_len = (unsigned)n;
    }
    return s->in[s->in_pos++];
}

static bool put_bytes(GdbSession *s, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(s->fd, p, n);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            return false;
        }
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* Sends s->reply (n bytes, binary replies are escaped already); waits for the acknowledgement. */
static bool put_packet(GdbSession *s, size_t n)
{
    char tail[4];
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (unsigned char)s->reply[i];
    }
    snprintf(tail, sizeof tail, "#%02x", sum & 255);
    for (;;) {
        if (!put_bytes(s, "$", 1) || !put_bytes(s, s->reply, n) || !put_bytes(s, tail, 3)) {
            return false;
        }
        int c = s->no_ack ? '+' : get_byte(s);
        if (c < 0) {
            return false;
        }
        if (c != '-') {
            return true;
        }
    }
}

/* Receives one packet into s->packet, unescaped; false when the peer is gone. */
static bool get_packet(GdbSession *s)
{
    for (;;) {
        int c = get_byte(s);
        if (c < 0) {
            return false;
        }
        if (c != '$') {
            continue; /* acknowledgements, interrupts while stopped */
        }
        unsigned sum = 0, n = 0;
        bool fits = true;
        while ((c = get_byte(s)) >= 0 && c != '#') {
            sum += (unsigned)c;
            if (c == '}') {
                c = get_byte(s);
                sum += (unsigned)c;
                c ^= 0x20;
            }
            if (n < GDB_PACKET_MAX) {
                s->packet[n++] = (char)c;
            } else {
                fits = false;
            }
        }
        char cc[3] = {(char)get_byte(s), (char)get_byte(s), 0};
        uint64_t want = ~(uint64_t)0;
        const char *p = cc;
        s->packet[n] = 0;
        s->len = n;
        bool good = parse_hex(&p, &want) && want == (sum & 255) && fits;
        if (!s->no_ack && !put_bytes(s, good ? "+" : "-", 1)) {
            return false;
        }
        if (good || s->no_ack) {
            return c >= 0;
        }
    }
}

/* Appends bytes to the reply with the protocol's escapes; the reply's new length. */
static size_t put_escaped(GdbSession *s, size_t at, const void *bytes, size_t n)
{
    const char *b = bytes;
    for (size_t i = 0; i < n && at + 2 < sizeof s->reply; i++) {
        if (b[i] == '#' || b[i] == '$' || b[i] == '}' || b[i] == '*') {
            s->reply[at++] = '}';
            s->reply[at++] = b[i] ^ 0x20;
        } else {
            s->reply[at++] = b[i];
        }
    }
    return at;
}

/* -- registers ----------------------------------------------------------------------------------------------- */

/* Register n to or from buf; its size in bytes, 0 when there is no such register. */
static size_t reg_access(CpuA64 *c, unsigned n, unsigned char *buf, bool write)
{
    uint64_t *x = n < REG_SP ? &c->x[n] : n == REG_SP ? &c->sp : n == REG_PC ? &c->pc : NULL;
    if (x) {
        write ? memcpy(x, buf, 8) : memcpy(buf, x, 8);
        return 8;
    }
    if (n >= REG_V && n < REG_FPSR) {
        V128 *v = &c->v[n - REG_V];
        write ? memcpy(v, buf, 16) : memcpy(buf, v, 16);
        return 16;
    }
    uint32_t w = n == REG_CPSR ? a64_nzcv(c) | (c->sys ? (uint32_t)c->pstate_misc : 0) : n == REG_FPSR ? engine_fpsr(&c->h) : c->h.fp.fpcr;
    if (n > REG_FPCR) {
        return 0;
    }
    if (!write) {
        memcpy(buf, &w, 4);
        return 4;
    }
    memcpy(&w, buf, 4);
    if (n == REG_CPSR) {
        a64_set_nzcv(c, w);
    } else if (n == REG_FPSR) {
        engine_set_fpsr(&c->h, w);
    } else {
        c->h.fp.fpcr = w;
        engine_fpcr_changed(&c->h);
    }
    return 4;
}

static CpuA64 *current_cpu(GdbSession *s)
{
    return s->target->cpu(s->target, s->g_tid);
}

static void cmd_read_all(GdbSession *s, const char *p)
{
    (void)p;
    CpuA64 *c = current_cpu(s);
    char *out = s->reply;
    if (!c) {
        reply_errno(s, ESRCH);
        return;
    }
    for (unsigned n = 0; n < REG_COUNT; n++) {
        unsigned char buf[16];
        size_t size = reg_access(c, n, buf, false);
        hex_out(out, buf, size);
        out += 2 * size;
    }
}

static void cmd_write_all(GdbSession *s, const char *p)
{
    CpuA64 *c = current_cpu(s);
    if (!c) {
        reply_errno(s, ESRCH);
        return;
    }
    for (unsigned n = 0; n < REG_COUNT; n++) {
        unsigned char buf[16];
        size_t size = reg_access(c, n, buf, false);
        if (hex_in(p, buf, size) != size) {
            break;
        }
        reg_access(c, n, buf, true);
        p += 2 * size;
    }
    reply(s, "OK");
}

static void cmd_read_reg(GdbSession *s, const char *p)
{
    CpuA64 *c = current_cpu(s);
    uint64_t n;
    unsigned char buf[16];
    size_t size = c && parse_hex(&p, &n) && n < REG_COUNT ? reg_access(c, (unsigned)n, buf, false) : 0;
    size ? hex_out(s->reply, buf, size) : reply_errno(s, EINVAL);
}

static void cmd_write_reg(GdbSession *s, const char *p)
{
    CpuA64 *c = current_cpu(s);
    uint64_t n;
    unsigned char buf[16];
    size_t size = 0;
    if (c && parse_hex(&p, &n) && n < REG_COUNT && parse_char(&p, '=')) {
        size = reg_access(c, (unsigned)n, buf, false);
        if (hex_in(p, buf, size) == size) {
            reg_access(c, (unsigned)n, buf, true);
            reply(s, "OK");
            return;
        }
    }
    reply_errno(s, EINVAL);
}

/* -- memory ---------------------------------------------------------------------------------------------------- */

static bool parse_range(const char **p, uint64_t *addr, uint64_t *len)
{
    return parse_hex(p, addr) && parse_char(p, ',') && parse_hex(p, len);
}

static void cmd_read_mem(GdbSession *s, const char *p)
{
    uint64_t addr, len;
    static _Thread_local unsigned char buf[GDB_PACKET_MAX / 2];
    if (!parse_range(&p, &addr, &len)) {
        reply_errno(s, EINVAL);
        return;
    }
    len = len < sizeof buf ? len : sizeof buf;
    int err = s->target->read(s->target, addr, buf, (size_t)len);
    while (err && len > 1) { /* what lies before the unmapped part */
        len = addr % 4096 + len > 4096 ? 4096 - addr % 4096 : len / 2;
        err = s->target->read(s->target, addr, buf, (size_t)len);
    }
    err ? reply_errno(s, EFAULT) : hex_out(s->reply, buf, (size_t)len);
}

static void write_mem(GdbSession *s, const char *p, bool binary)
{
    uint64_t addr, len;
    static _Thread_local unsigned char buf[GDB_PACKET_MAX];
    if (!parse_range(&p, &addr, &len) || !parse_char(&p, ':') || len > sizeof buf) {
        reply_errno(s, EINVAL);
        return;
    }
    size_t left = (size_t)(s->packet + s->len - p);
    size_t n = (size_t)len;
    if (binary ? left < n : hex_in(p, buf, n) != n) {
        reply_errno(s, EINVAL);
        return;
    }
    int err = n ? s->target->write(s->target, addr, binary ? (const void *)p : buf, n) : 0;
    err ? reply_errno(s, err) : reply(s, "OK");
}

static void cmd_write_mem(GdbSession *s, const char *p)
{
    write_mem(s, p, false);
}

static void cmd_write_binary(GdbSession *s, const char *p)
{
    write_mem(s, p, true);
}

static void breakpoint(GdbSession *s, const char *p, bool insert)
{
    uint64_t kind, addr, len;
    if (!parse_hex(&p, &kind) || !parse_char(&p, ',') || !parse_range(&p, &addr, &len) || kind > GDB_WATCH_ACCESS) {
        reply_errno(s, EINVAL);
        return;
    }
    int err = s->target->breakpoint(s->target, insert, (GdbBreak)kind, addr, len);
    if (err == -ENOTSUP) {
        reply(s, "%s", "");
    } else {
        err ? reply_errno(s, err) : reply(s, "OK");
    }
}

static void cmd_insert(GdbSession *s, const char *p)
{
    breakpoint(s, p, true);
}

static void cmd_remove(GdbSession *s, const char *p)
{
    breakpoint(s, p, false);
}

/* -- threads and stops --------------------------------------------------------------------------------------------- */

static void reply_stop(GdbSession *s)
{
    const GdbStop *st = &s->stop;
    static const char *const watch[] = {"", "", "watch", "rwatch", "awatch"};
    if (st->exited) {
        reply(s, st->signal ? "X%02x" : "W%02x", st->signal ? (unsigned)signal_to_gdb(st->signal) : (unsigned)st->status & 255);
        return;
    }
    int n = snprintf(s->reply, sizeof s->reply, "T%02xthread:%x;", (unsigned)signal_to_gdb(st->signal), (unsigned)st->tid);
    if (st->watch_addr) {
        snprintf(s->reply + n, sizeof s->reply - (size_t)n, "%s:%llx;", watch[st->watch], (unsigned long long)st->watch_addr);
    }
}

static void cmd_why(GdbSession *s, const char *p)
{
    (void)p;
    reply_stop(s);
}

/* A thread id; -1 (all) and 0 (any) mean the one that stopped. */
static pid_t parse_tid(GdbSession *s, const char **p)
{
    uint64_t v = 0;
    if (parse_char(p, '-')) {
        parse_hex(p, &v);
        return 0;
    }
    parse_hex(p, &v);
    return v ? (pid_t)v : s->stop.tid;
}

static void cmd_set_thread(GdbSession *s, const char *p)
{
    char what = *p;
    if (what) {
        p++;
    }
    pid_t tid = parse_tid(s, &p);
    tid = tid ? tid : s->stop.tid;
    if (!s->target->cpu(s->target, tid)) {
        reply_errno(s, ESRCH);
        return;
    }
    *(what == 'c' ? &s->c_tid : &s->g_tid) = tid;
    reply(s, "OK");
}

static void cmd_thread_alive(GdbSession *s, const char *p)
{
    pid_t tid = parse_tid(s, &p);
    s->target->cpu(s->target, tid) ? reply(s, "OK") : reply_errno(s, ESRCH);
}

static void cmd_thread_list(GdbSession *s, const char *p)
{
    (void)p;
    static _Thread_local pid_t tids[MAX_THREADS];
    unsigned n = s->target->threads(s->target, tids, MAX_THREADS);
    size_t at = 0;
    s->reply[at++] = 'm';
    for (unsigned i = 0; i < n && i < MAX_THREADS && at + 16 < GDB_PACKET_MAX; i++) {
        at += (size_t)sprintf(s->reply + at, i ? ",%x" : "%x", (unsigned)tids[i]);
    }
    s->reply[at] = 0;
}

static void cmd_thread_list_end(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "l");
}

static void cmd_current_thread(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "QC%x", (unsigned)s->g_tid);
}

/* -- queries --------------------------------------------------------------------------------------------------------- */

static void cmd_supported(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+%s", (unsigned)GDB_PACKET_MAX,
          s->target->bare ? "" : ";qXfer:auxv:read+;qXfer:exec-file:read+");
}

static void cmd_no_ack(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "OK");
    put_packet(s, strlen(s->reply));
    s->no_ack = true;
    s->reply[0] = '\1'; /* already answered */
}

static void cmd_ok(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "OK");
}

static void cmd_attached(GdbSession *s, const char *p)
{
    (void)p;
    reply(s, "1");
}

/* Memory packets mean physical addresses (1) or the CPU's own (0). */
static void cmd_set_physical(GdbSession *s, const char *p)
{
    if (s->target->bare) {
        s->target->physical = *p == '1';
        reply(s, "OK");
    }
}

static void cmd_physical(GdbSession *s, const char *p)
{
    (void)p;
    if (s->target->bare) {
        reply(s, "%d", s->target->physical);
    }
}

/* A command in hex; its output goes back as one packet. */
static void cmd_monitor(GdbSession *s, const char *p)
{
    static _Thread_local char line[1024], out[GDB_PACKET_MAX / 2];
    if (s->target->command) {
        line[hex_in(p, line, sizeof line - 1)] = 0;
        s->target->command(s->target, line, out, sizeof out);
        *out ? hex_out(s->reply, out, strlen(out)) : reply(s, "OK");
    }
}

static size_t target_xml(const GdbSession *s, char *buf, size_t max)
{
    size_t n = (size_t)snprintf(buf, max,
                                "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                                "<architecture>aarch64</architecture>%s"
                                "<feature name=\"org.gnu.gdb.aarch64.core\">",
                                s->target->bare ? "" : "<osabi>GNU/Linux</osabi>");
    for (unsigned i = 0; i < REG_SP; i++) {
        n += (size_t)snprintf(buf + n, max - n, "<reg name=\"x%u\" bitsize=\"64\"/>", i);
    }
    n += (size_t)snprintf(buf + n, max - n,
                          "<reg name=\"sp\" bitsize=\"64\" type=\"data_ptr\"/><reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>"
                          "<reg name=\"cpsr\" bitsize=\"32\"/></feature><feature name=\"org.gnu.gdb.aarch64.fpu\">"
                          "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
                          "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v4u\" type=\"uint32\" count=\"4\"/>"
                          "<vector id=\"v8u\" type=\"uint16\" count=\"8\"/><vector id=\"v16u\" type=\"uint8\" count=\"16\"/>"
                          "<union id=\"vd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>"
                          "<union id=\"vs\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>"
                          "<union id=\"vv\"><field name=\"d\" type=\"vd\"/><field name=\"s\" type=\"vs\"/>"
                          "<field name=\"h\" type=\"v8u\"/><field name=\"b\" type=\"v16u\"/><field name=\"q\" type=\"uint128\"/></union>");
    for (unsigned i = 0; i < 32; i++) {
        n += (size_t)snprintf(buf + n, max - n, "<reg name=\"v%u\" bitsize=\"128\" type=\"vv\"/>", i);
    }
    return n + (size_t)snprintf(buf + n, max - n,
                                "<reg name=\"fpsr\" bitsize=\"32\"/><reg name=\"fpcr\" bitsize=\"32\"/></feature></target>");
}

/* qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH */
static void cmd_xfer(GdbSession *s, const char *p)
{
    static _Thread_local char data[12288];
    size_t size;
    if (strncmp(p, "features:read:target.xml:", 25) == 0) {
        size = target_xml(s, data, sizeof data);
    } else if (s->target->bare) {
        return;
    } else if (strncmp(p, "auxv:read:", 10) == 0) {
        size = s->target->auxv(s->target, data, sizeof data);
    } else if (strncmp(p, "exec-file:read:", 15) == 0) {
        snprintf(data, sizeof data, "%s", s->target->exec_file(s->target));
        size = strlen(data);
    } else {
        reply(s, "%s", "");
        return;
    }
    uint64_t off, len;
    p = strrchr(p, ':') + 1;
    if (!parse_range(&p, &off, &len)) {
        reply_errno(s, EINVAL);
        return;
    }
    off = off < size ? off : size;
    uint64_t n = size - off < len ? size - off : len;
    n = n < GDB_PACKET_MAX / 2 ? n : GDB_PACKET_MAX / 2;
    s->reply[0] = off + n < size ? 'm' : 'l';
    s->len = (unsigned)put_escaped(s, 1, data + off, (size_t)n);
    s->reply[s->len] = 0;
    put_packet(s, s->len);
    s->reply[0] = '\1';
}

/* -- files, so that gdb can read the program and its libraries -------------------------------------------------- */

static int *file_slot(GdbSession *s, uint64_t n)
{
    return n < LEN(s->file) && s->file[n] >= 0 ? &s->file[n] : NULL;
}

static void file_open(GdbSession *s, const char *p)
{
    char name[4096], buf[4096];
    size_t n = hex_in(p, name, sizeof name - 1);
    name[n] = 0;
    const char *path = s->target->path ? s->target->path(s->target, name, buf) : name;
    for (unsigned i = 0; i < LEN(s->file); i++) {
        if (s->file[i] < 0) {
            s->file[i] = open(path, O_RDONLY | O_CLOEXEC);
            s->file[i] < 0 ? reply(s, "F-1,%x", (unsigned)errno) : reply(s, "F%x", i);
            return;
        }
    }
    reply(s, "F-1,%x", (unsigned)EMFILE);
}

static void file_read(GdbSession *s, const char *p)
{
    uint64_t n, len, off;
    static _Thread_local char buf[GDB_PACKET_MAX / 2 - 64];
    int *fd;
    if (!parse_hex(&p, &n) || !parse_char(&p, ',') || !parse_range(&p, &len, &off) || !(fd = file_slot(s, n))) {
        reply(s, "F-1,%x", (unsigned)EINVAL);
        return;
    }
    ssize_t got = pread(*fd, buf, len < sizeof buf ? (size_t)len : sizeof buf, (off_t)off);
    if (got < 0) {
        reply(s, "F-1,%x", (unsigned)errno);
        return;
    }
    size_t at = (size_t)sprintf(s->reply, "F%zx;", (size_t)got);
    put_packet(s, put_escaped(s, at, buf, (size_t)got));
    s->reply[0] = '\1';
}

static void file_close(GdbSession *s, const char *p)
{
    uint64_t n;
    int *fd = parse_hex(&p, &n) ? file_slot(s, n) : NULL;
    if (!fd) {
        reply(s, "F-1,%x", (unsigned)EBADF);
        return;
    }
    close(*fd);
    *fd = -1;
    reply(s, "F0");
}

static void cmd_file(GdbSession *s, const char *p)
{
    static const struct {
        const char *name;
        void (*fn)(GdbSession *s, const char *p);
    } rows[] = {{"open:", file_open}, {"pread:", file_read}, {"close:", file_close}};
    for (unsigned i = 0; i < LEN(rows); i++) {
        size_t n = strlen(rows[i].name);
        if (strncmp(p, rows[i].name, n) == 0) {
            rows[i].fn(s, p + n);
            return;
        }
    }
    strncmp(p, "setfs:", 6) == 0 ? reply(s, "F0") : reply(s, "%s", "");
}

/* -- breakpoints, for targets ------------------------------------------------------------------------------------- */

static unsigned break_index(const GdbBreaks *b, uint64_t pc)
{
    unsigned k = 0;
    while (k < b->n && b->at[k] != pc) {
        k++;
    }
    return k;
}

bool gdb_break_at(const GdbBreaks *b, uint64_t pc)
{
    return break_index(b, pc) < b->n;
}

int gdb_break_set(GdbBreaks *b, bool insert, uint64_t pc)
{
    unsigned k = break_index(b, pc);
    if (insert && k == b->n) {
        if (b->n == GDB_BREAKS) {
            return -ENOSPC;
        }
        b->at[b->n++] = pc;
    } else if (!insert && k < b->n) {
        b->at[k] = b->at[--b->n];
    }
    return 0;
}

/* -- the table ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *prefix;
    void (*fn)(GdbSession *s, const char *p);
} commands[] = {
    {"?", cmd_why},
    {"g", cmd_read_all},
    {"G", cmd_write_all},
    {"p", cmd_read_reg},
    {"P", cmd_write_reg},
    {"m", cmd_read_mem},
    {"M", cmd_write_mem},
    {"X", cmd_write_binary},
    {"Z", cmd_insert},
    {"z", cmd_remove},
    {"H", cmd_set_thread},
    {"T", cmd_thread_alive},
    {"qfThreadInfo", cmd_thread_list},
    {"qsThreadInfo", cmd_thread_list_end},
    {"qC", cmd_current_thread},
    {"qSupported", cmd_supported},
    {"QStartNoAckMode", cmd_no_ack},
    {"qAttached", cmd_attached},
    {"qSymbol:", cmd_ok},
    {"qXfer:", cmd_xfer},
    {"qRcmd,", cmd_monitor},
    {"qqemu.PhyMemMode", cmd_physical},
    {"Qqemu.PhyMemMode:", cmd_set_physical},
    {"vFile:", cmd_file},
};

/* vCont;ACTION[:TID];... - the first action with a thread decides who steps; one without is for the rest. */
static bool cmd_vcont(GdbSession *s, const char *p, GdbAction *a)
{
    bool chosen = false, rest = false;
    while (parse_char(&p, ';')) {
        char how = *p ? *p++ : 0;
        uint64_t sig = 0;
        if ((how == 'C' || how == 'S') && !parse_hex(&p, &sig)) {
            return false;
        }
        if (!strchr("cCsS", how) || !how) {
            return false;
        }
        pid_t tid = parse_char(&p, ':') ? parse_tid(s, &p) : 0;
        if (tid && !s->target->cpu(s->target, tid)) {
            return false;
        }
        rest |= tid == 0;
        if (chosen) {
            continue;
        }
        chosen = tid || how == 's' || how == 'S';
        a->how = how == 's' || how == 'S' ? GDB_STEP : GDB_CONTINUE;
        a->tid = tid ? tid : s->stop.tid;
        a->signal = signal_from_gdb((unsigned)sig);
    }
    a->only_tid = chosen && !rest;
    return true;
}

/* Packets that let the program go on; true when this was one. */
static bool resume_command(GdbSession *s, GdbAction *a)
{
    const char *p = s->packet + 1;
    uint64_t sig = 0, addr;
    *a = (GdbAction){.how = GDB_CONTINUE, .tid = s->c_tid};
    switch (s->packet[0]) {
    case 'C':
    case 'S':
        if (!parse_hex(&p, &sig)) {
            return false;
        }
        a->signal = signal_from_gdb((unsigned)sig);
        parse_char(&p, ';');
        /* fall through */
    case 'c':
    case 's':
        a->how = s->packet[0] == 's' || s->packet[0] == 'S' ? GDB_STEP : GDB_CONTINUE;
        CpuA64 *c = s->target->cpu(s->target, s->c_tid);
        if (parse_hex(&p, &addr) && c) {
            c->pc = addr;
        }
        return true;
    case 'D':
        reply(s, "OK");
        put_packet(s, 2);
        a->how = GDB_DETACH;
        return true;
    case 'k':
        a->how = GDB_KILL;
        return true;
    case 'v':
        if (strncmp(s->packet, "vKill", 5) == 0) {
            reply(s, "OK");
            put_packet(s, 2);
            a->how = GDB_KILL;
            return true;
        }
        return strncmp(s->packet, "vCont;", 6) == 0 && cmd_vcont(s, s->packet + 5, a);
    default: return false;
    }
}

static void answer(GdbSession *s)
{
    s->reply[0] = 0;
    if (strcmp(s->packet, "vCont?") == 0) {
        reply(s, "vCont;c;C;s;S");
    }
    for (unsigned i = 0; i < LEN(commands) && s->packet[0] != 'v'; i++) {
        size_t n = strlen(commands[i].prefix);
        if (strncmp(s->packet, commands[i].prefix, n) == 0) {
            commands[i].fn(s, s->packet + n);
            break;
        }
    }
    if (strncmp(s->packet, "vFile:", 6) == 0 && !s->target->bare) {
        cmd_file(s, s->packet + 6);
    }
    if (s->reply[0] != '\1') {
        put_packet(s, strlen(s->reply));
    }
}

GdbAction gdb_serve(GdbSession *s, const GdbStop *stop, bool report)
{
    GdbAction a = {.how = GDB_GONE};
    s->stop = *stop;
    s->g_tid = s->c_tid = stop->tid;
    if (report) {
        reply_stop(s);
        put_packet(s, strlen(s->reply));
    }
    while (get_packet(s)) {
        if (resume_command(s, &a)) {
            if (a.how == GDB_KILL) {
                s->target->kill(s->target);
            }
            return a;
        }
        answer(s);
    }
    a.how = GDB_GONE;
    return a;
}

void gdb_report_exit(GdbSession *s, int status, int signal)
{
    s->stop = (GdbStop){.exited = true, .status = status, .signal = signal};
    reply_stop(s);
    put_packet(s, strlen(s->reply));
}

bool gdb_interrupted(GdbSession *s)
{
    ssize_t n = recv(s->fd, s->in, sizeof s->in, MSG_DONTWAIT);
    s->in_pos = s->in_len = 0;
    return n == 0 || (n > 0 && memchr(s->in, 3, (size_t)n));
}

void gdb_session_init(GdbSession *s, int fd, GdbTarget *target)
{
    *s = (GdbSession){.fd = fd, .target = target};
    for (unsigned i = 0; i < LEN(s->file); i++) {
        s->file[i] = -1;
    }
}

void gdb_session_end(GdbSession *s)
{
    for (unsigned i = 0; i < LEN(s->file); i++) {
        if (s->file[i] >= 0) {
            close(s->file[i]);
        }
    }
    close(s->fd);
}

static int bound_socket(const char *where)
{
    int fd, one = 1;
    if (strncmp(where, "unix:", 5) == 0) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        if (strlen(where + 5) >= sizeof un.sun_path) {
            return -ENAMETOOLONG;
        }
        strcpy(un.sun_path, where + 5);
        unlink(un.sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0 ? -errno : fd;
    }
    char *end;
    unsigned long port = strtoul(where, &end, 10);
    if (end == where || *end || port > 65535) {
        return -EINVAL;
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&in, sizeof in) < 0 ? -errno : fd;
}

int gdb_socket(const char *where)
{
    int fd = bound_socket(where);
    if (fd < 0 || listen(fd, 1) == 0) {
        return fd;
    }
    int err = errno;
    close(fd);
    return -err;
}

int gdb_listen(const char *where)
{
    int fd = gdb_socket(where);
    return fd < 0 ? fd : gdb_accept(fd);
}

int gdb_accept(int fd)
{
    int one = 1, conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC), err = errno;
    close(fd);
    if (conn < 0) {
        return -err;
    }
    setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return conn;
}
