/* strace.c - -strace: one line per system call, from the argument letters of syscalls.def.
 *
 * The form is QEMU's: `PID name(arg,arg) = result`, `... = -1 errno=2 (No such file or directory)`.
 * The part before the result is written when the call starts, so that the last line shows what a
 * process hangs in. When another thread writes meanwhile, the broken line ends in " ..." and the
 * result comes with a line of its own. One write per piece, no lock and no buffer: nothing is
 * doubled by fork or lost at exit.
 *
 * To name more values: a table of bits or values below and the letter's line in put_arg().
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>

#include "log.h"
#include "sys.h"

typedef struct Name {
    uint64_t value;
    const char *name;
} Name;

// clang-format off
#define N(prefix, name, value) {value, #prefix #name}
static const Name open_names[] = {
    N(O_, CREAT, 0100),    N(O_, EXCL, 0200),      N(O_, NOCTTY, 0400),        N(O_, TRUNC, 01000),
    N(O_, APPEND, 02000),  N(O_, NONBLOCK, 04000), N(O_, SYNC, 04010000),      N(O_, DSYNC, 010000),
    N(O_, ASYNC, 020000),  N(O_, TMPFILE, 020040000), N(O_, DIRECTORY, 040000), N(O_, NOFOLLOW, 0100000),
    N(O_, DIRECT, 0200000), N(O_, LARGEFILE, 0400000), N(O_, NOATIME, 01000000), N(O_, CLOEXEC, 02000000),
    N(O_, PATH, 010000000),
};
static const Name prot_names[] = {
    N(PROT_, READ, 1), N(PROT_, WRITE, 2), N(PROT_, EXEC, 4), N(PROT_, BTI, 0x10), N(PROT_, MTE, 0x20),
    N(PROT_, GROWSDOWN, 0x1000000), N(PROT_, GROWSUP, 0x2000000),
};
static const Name map_names[] = {
    N(MAP_, SHARED_VALIDATE, 3), N(MAP_, SHARED, 1), N(MAP_, PRIVATE, 2), N(MAP_, FIXED, 0x10),
    N(MAP_, ANONYMOUS, 0x20), N(MAP_, GROWSDOWN, 0x100), N(MAP_, DENYWRITE, 0x800), N(MAP_, LOCKED, 0x2000),
    N(MAP_, NORESERVE, 0x4000), N(MAP_, POPULATE, 0x8000), N(MAP_, NONBLOCK, 0x10000), N(MAP_, STACK, 0x20000),
    N(MAP_, HUGETLB, 0x40000), N(MAP_, SYNC, 0x80000), N(MAP_, FIXED_NOREPLACE, 0x100000),
};
static const Name clone_names[] = {
    N(CLONE_, VM, 0x100), N(CLONE_, FS, 0x200), N(CLONE_, FILES, 0x400), N(CLONE_, SIGHAND, 0x800),
    N(CLONE_, PIDFD, 0x1000), N(CLONE_, PTRACE, 0x2000), N(CLONE_, VFORK, 0x4000), N(CLONE_, PARENT, 0x8000),
    N(CLONE_, THREAD, 0x10000), N(CLONE_, NEWNS, 0x20000), N(CLONE_, SYSVSEM, 0x40000), N(CLONE_, SETTLS, 0x80000),
    N(CLONE_, PARENT_SETTID, 0x100000), N(CLONE_, CHILD_CLEARTID, 0x200000), N(CLONE_, DETACHED, 0x400000),
    N(CLONE_, UNTRACED, 0x800000), N(CLONE_, CHILD_SETTID, 0x1000000), N(CLONE_, NEWCGROUP, 0x2000000),
    N(CLONE_, NEWUTS, 0x4000000), N(CLONE_, NEWIPC, 0x8000000), N(CLONE_, NEWUSER, 0x10000000),
    N(CLONE_, NEWPID, 0x20000000), N(CLONE_, NEWNET, 0x40000000), N(CLONE_, IO, 0x80000000),
};
static const Name at_names[] = {
    N(AT_, SYMLINK_NOFOLLOW, 0x100), N(AT_, REMOVEDIR, 0x200), N(AT_, SYMLINK_FOLLOW, 0x400),
    N(AT_, NO_AUTOMOUNT, 0x800), N(AT_, EMPTY_PATH, 0x1000), N(AT_, RECURSIVE, 0x8000),
};
static const Name whence_names[] = {
    N(SEEK_, SET, 0), N(SEEK_, CUR, 1), N(SEEK_, END, 2), N(SEEK_, DATA, 3), N(SEEK_, HOLE, 4),
};
static const Name futex_names[] = {
    N(FUTEX_, WAIT, 0), N(FUTEX_, WAKE, 1), N(FUTEX_, FD, 2), N(FUTEX_, REQUEUE, 3), N(FUTEX_, CMP_REQUEUE, 4),
    N(FUTEX_, WAKE_OP, 5), N(FUTEX_, LOCK_PI, 6), N(FUTEX_, UNLOCK_PI, 7), N(FUTEX_, TRYLOCK_PI, 8),
    N(FUTEX_, WAIT_BITSET, 9), N(FUTEX_, WAKE_BITSET, 10), N(FUTEX_, WAIT_REQUEUE_PI, 11),
    N(FUTEX_, CMP_REQUEUE_PI, 12), N(FUTEX_, LOCK_PI2, 13),
};
static const Name futex_bits[] = {N(FUTEX_, PRIVATE_FLAG, 128), N(FUTEX_, CLOCK_REALTIME, 256)};
#undef N
// clang-format on

enum { NAME_MAX_SHOWN = 256, BYTES_MAX_SHOWN = 32, ERRNO_MAX = 4095 };

/* -- text in a buffer that is never overrun ---------------------------------------------------- */

typedef struct Text {
    char *s;
    size_t n, size;
} Text;

static void put(Text *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(Text *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(o->s + o->n, o->size - o->n, fmt, ap);
    va_end(ap);
    o->n += (size_t)n < o->size - o->n ? (size_t)n : o->size - o->n - 1;
}

static void put_quoted(Text *o, const char *s, size_t n, bool cut)
{
    put(o, "\"");
    for (size_t k = 0; k < n; k++) {
        unsigned char c = (unsigned char)s[k];
        const char *esc = c == '\n'   ? "\\n"
                          : c == '\t' ? "\\t"
                          : c == '\r' ? "\\r"
                          : c == '"'  ? "\\\""
                          : c == '\\' ? "\\\\"
                                      : NULL;
        if (esc) {
            put(o, "%s", esc);
        } else {
            put(o, c < 32 || c >= 127 ? "\\%o" : "%c", c);
        }
    }
    put(o, cut ? "\"..." : "\"");
}

/* A string of the guest, or bytes when max_bytes is not ~0. */
static void put_memory(Text *o, uint64_t at, uint64_t max_bytes, bool string)
{
    char buf[NAME_MAX_SHOWN];
    uint64_t room = string ? sizeof buf : BYTES_MAX_SHOWN;
    uint64_t n = max_bytes < room ? max_bytes : room;
    if (!at) {
        put(o, "NULL");
        return;
    }
    at = (uint64_t)bits_sext(at, 56);
    int64_t len = string ? user_strnlen(at, n) : (int64_t)n;
    if (len < 0 || get_user(buf, at, (size_t)len) < 0) {
        put(o, "0x%llx", (unsigned long long)at);
        return;
    }
    put_quoted(o, buf, (size_t)len, string ? len == (int64_t)n : max_bytes > n);
}

/* The strings of a null-terminated vector, as many as fit. */
static void put_vector(Text *o, uint64_t at)
{
    enum { STRINGS_MAX_SHOWN = 16 };
    uint64_t s;
    put(o, "{");
    for (unsigned k = 0; get_user(&s, at + 8 * k, 8) == 0 && s; k++) {
        if (k == STRINGS_MAX_SHOWN || o->n + NAME_MAX_SHOWN > o->size) {
            put(o, "...,");
            break;
        }
        put_memory(o, s, NAME_MAX_SHOWN / 4, true);
        put(o, ",");
    }
    put(o, "NULL}");
}

/* Bits by name, the rest in hexadecimal; zero as zero_name. */
static void put_bits(Text *o, uint64_t v, const Name *names, size_t count, const char *zero_name)
{
    const char *bar = "";
    if (!v) {
        put(o, "%s", zero_name);
        return;
    }
    for (size_t k = 0; k < count; k++) {
        if (names[k].value && (v & names[k].value) == names[k].value) {
            put(o, "%s%s", bar, names[k].name);
            v &= ~names[k].value;
            bar = "|";
        }
    }
    if (v) {
        put(o, "%s0x%llx", bar, (unsigned long long)v);
    }
}

static void put_value(Text *o, uint64_t v, const Name *names, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (names[k].value == v) {
            put(o, "%s", names[k].name);
            return;
        }
    }
    put(o, "%lld", (long long)v);
}

static void put_open_flags(Text *o, uint64_t v)
{
    static const char *const mode[4] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    put(o, "%s", mode[v & 3]);
    if (v & ~3ull & 0xffffffff) {
        put(o, "|");
        put_bits(o, v & ~3ull & 0xffffffff, open_names, LEN(open_names), "");
    }
}

static void put_signal(Text *o, uint64_t sig)
{
    const char *name = sig < 32 ? sigabbrev_np((int)sig) : NULL;
    name ? put(o, "SIG%s", name) : put(o, "%d", (int)sig);
}

/* next: the argument after this one, the length of bytes. */
static void put_arg(Text *o, char letter, uint64_t v, uint64_t next)
{
#define BITS(names, zero) put_bits(o, v & 0xffffffff, names, LEN(names), zero)
    switch (letter) {
    case 'd':
    case 'i':
        put(o, "%d", (int)v);
        break;
    case 'u':
        put(o, "%u", (unsigned)v);
        break;
    case 'l':
        put(o, "%lld", (long long)v);
        break;
    case 'D':
        (int)v == -100 ? put(o, "AT_FDCWD") : put(o, "%d", (int)v);
        break;
    case 's':
    case 'L':
    case 'n':
        put_memory(o, v, ~0ull, true);
        break;
    case 'v':
        v ? put_vector(o, v) : put(o, "NULL");
        break;
    case 'b':
        put_memory(o, v, next, false);
        break;
    case 'o':
        put_open_flags(o, v);
        break;
    case 'm':
        put(o, "0%o", (unsigned)v);
        break;
    case 'a':
        BITS(at_names, "0");
        break;
    case 'w':
        put_value(o, v & 0xffffffff, whence_names, LEN(whence_names));
        break;
    case 'P':
        BITS(prot_names, "PROT_NONE");
        break;
    case 'M':
        BITS(map_names, "0");
        break;
    case 'S':
        put_signal(o, v & 0xffffffff);
        break;
    case 'c':
        put_bits(o, v & 0xffffff00, clone_names, LEN(clone_names), "0");
        put(o, "|");
        put_signal(o, v & 255);
        break;
    case 'F':
        put_value(o, v & 127, futex_names, LEN(futex_names));
        if (v & 0xffffff80) {
            put(o, "|");
            put_bits(o, v & 0xffffff80, futex_bits, LEN(futex_bits), "");
        }
        break;
    case 'p':
        v ? put(o, "0x%016llx", (unsigned long long)v) : put(o, "NULL");
        break;
    default:
        put(o, "0x%llx", (unsigned long long)v);
        break;
    }
#undef BITS
}

/* -- lines ------------------------------------------------------------------------------------- */

/* The thread whose line is out without its result. */
static Thread *open_line;

static void out(const Text *o)
{
    write_all(fileno(log_stream()), o->s, o->n);
}

/* Calls whose result is an address. */
static bool gives_address(const char *name)
{
    return strcmp(name, "mmap") == 0 || strcmp(name, "brk") == 0 || strcmp(name, "mremap") == 0 ||
           strcmp(name, "shmat") == 0;
}

void strace_enter(Thread *t, uint64_t nr, const uint64_t a[6], char *line, size_t size)
{
    Text o = {line, 0, size - 256}; /* room for the result */
    const SysRow *r = sys_row(nr);
    char copy[2048];
    put(&o, "%d ", t->tid);
    if (r) {
        put(&o, "%s(", r->name);
        for (unsigned k = 0; r->args[k] && k < 6; k++) {
            put(&o, "%s", k ? "," : "");
            put_arg(&o, r->args[k], a[k], k < 5 ? a[k + 1] : 0);
        }
    } else {
        put(&o, "syscall_%llu(0x%llx,0x%llx,0x%llx,0x%llx,0x%llx,0x%llx", (unsigned long long)nr,
            (unsigned long long)a[0], (unsigned long long)a[1], (unsigned long long)a[2],
            (unsigned long long)a[3], (unsigned long long)a[4], (unsigned long long)a[5]);
    }
    put(&o, ")");
    t->strace_open = (unsigned)t->tid;
    Thread *was = __atomic_exchange_n(&open_line, t, __ATOMIC_RELAXED);
    Text first = {copy, 0, sizeof copy};
    put(&first, "%s%s", was ? " ...\n" : "", line);
    out(&first);
}

void strace_leave(Thread *t, uint64_t nr, int64_t ret, const char *line)
{
    char copy[2048];
    Text o = {copy, 0, sizeof copy};
    const SysRow *r = sys_row(nr);
    Thread *mine = t;
    bool same = t->strace_open == (unsigned)t->tid; /* not so in a forked child */
    t->strace_open = 0;
    if (!__atomic_compare_exchange_n(&open_line, &mine, NULL, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED) ||
        !same) {
        Thread *was = __atomic_exchange_n(&open_line, NULL, __ATOMIC_RELAXED);
        const char *rest = strchr(line, ' ');
        put(&o, "%s%d%s", was ? " ...\n" : "", t->tid, rest ? rest : "");
    }
    if (ret == NOT_MADE || ret == NO_RESULT) {
        put(&o, " = ?\n");
    } else if (ret < 0 && ret >= -ERRNO_MAX) {
        const char *text = strerrordesc_np((int)-ret);
        put(&o, " = -1 errno=%d (%s)\n", (int)-ret, text ? text : "unknown");
    } else {
        put(&o, r && gives_address(r->name) ? " = 0x%016llx\n" : " = %lld\n",
            (unsigned long long)ret);
    }
    out(&o);
}
