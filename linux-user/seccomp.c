/* seccomp.c - filters on the guest's system calls: cBPF programs that see AArch64's numbers and AUDIT_ARCH_AARCH64.
 *
 * armx runs them itself, before the call, because the host's filters would see armx's own calls. Results, their order
 * of precedence and the checks of a program are the kernel's (seccomp(2), uapi/linux/seccomp.h). Filters are never
 * freed: children inherit the pointer. A followed exec hands them on in a memory file. There is no listener
 * (SECCOMP_FILTER_FLAG_NEW_LISTENER is EINVAL). A filter is for well-behaved sandboxes: a guest that means harm can reach
 * armx, with which it shares its addresses.
 */
#include "seccomp.h"

#include <stdlib.h>

#include "log.h"
#include "sig.h"
#include "sys.h"

enum { MODE_OFF, MODE_STRICT, MODE_FILTER, MAX_INSNS = 4096, MEM_WORDS = 16, DATA_SIZE = 64, SIGKILL_ = 9, SIGSYS_ = 31,
       SYS_SECCOMP_CODE = 1, MAX_ERRNO_ = 4095, MEMFD_NAME_FLAGS = 0 };
enum { FLAG_TSYNC = 1, FLAG_LOG = 2, FLAG_SPEC_ALLOW = 4, FLAG_TSYNC_ESRCH = 16, FLAG_WAIT_KILLABLE = 32 };
enum { OP_STRICT, OP_FILTER, OP_ACTION_AVAIL };
#define ACT_KILL_PROCESS 0x80000000u
#define ACT_KILL_THREAD 0u
#define ACT_TRAP 0x00030000u
#define ACT_ERRNO 0x00050000u
#define ACT_TRACE 0x7ff00000u
#define ACT_LOG 0x7ffc0000u
#define ACT_ALLOW 0x7fff0000u
#define ACT_MASK 0xffff0000u
#define AUDIT_ARCH_A64 0xc00000b7u

typedef struct Insn {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
} Insn;

typedef struct Filter Filter;
struct Filter {
    const Filter *older;
    unsigned n;
    Insn insns[];
};

typedef struct Data {
    int32_t nr;
    uint32_t arch;
    uint64_t ip, args[6];
} Data;
_Static_assert(sizeof(Data) == DATA_SIZE, "struct seccomp_data");

/* Classes and fields of cBPF codes. */
enum { LD = 0, LDX = 1, ST = 2, STX = 3, ALU = 4, JMP = 5, RET = 6, MISC = 7 };
enum { B_IMM = 0x00, B_ABS = 0x20, B_MEM = 0x60, B_LEN = 0x80 };
enum { A_ADD = 0x00, A_SUB = 0x10, A_MUL = 0x20, A_DIV = 0x30, A_OR = 0x40, A_AND = 0x50, A_LSH = 0x60, A_RSH = 0x70,
       A_NEG = 0x80, A_XOR = 0xa0 };
enum { J_JA = 0x00, J_EQ = 0x10, J_GT = 0x20, J_GE = 0x30, J_SET = 0x40, SRC_X = 8, RVAL_A = 0x10, TXA = 0x80 };

/* -- running ---------------------------------------------------------------------------------------------- */

static uint32_t alu(uint32_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case A_ADD: return a + b;
    case A_SUB: return a - b;
    case A_MUL: return a * b;
    case A_DIV: return b ? a / b : 0;
    case A_OR: return a | b;
    case A_AND: return a & b;
    case A_LSH: return b < 32 ? a << b : 0;
    case A_RSH: return b < 32 ? a >> b : 0;
    case A_XOR: return a ^ b;
    default: return 0 - a;
    }
}

static bool jump_taken(uint32_t op, uint32_t a, uint32_t b)
{
    return op == J_EQ ? a == b : op == J_GT ? a > b : op == J_GE ? a >= b : (a & b) != 0;
}

static uint32_t load(const Insn *i, const Data *d, const uint32_t *mem)
{
    uint32_t v = i->k;
    switch (i->code & 0xe0) {
    case B_ABS: memcpy(&v, (const uint8_t *)d + i->k, 4); break;
    case B_MEM: v = mem[i->k]; break;
    case B_LEN: v = DATA_SIZE; break;
    default: break;
    }
    return v;
}

static uint32_t run(const Filter *f, const Data *d)
{
    uint32_t a = 0, x = 0, mem[MEM_WORDS] = {0};
    for (const Insn *i = f->insns;; i++) {
        uint32_t b = i->code & SRC_X ? x : i->k;
        switch (i->code & 7) {
        case LD: a = load(i, d, mem); break;
        case LDX: x = load(i, d, mem); break;
        case ST: mem[i->k] = a; break;
        case STX: mem[i->k] = x; break;
        case ALU:
            if ((i->code & 0xf0) == A_DIV && !b) {
                return ACT_KILL_THREAD;
            }
            a = alu(i->code & 0xf0, a, b);
            break;
        case JMP:
            i += (i->code & 0xf0) == J_JA ? i->k : jump_taken(i->code & 0xf0, a, b) ? i->jt : i->jf;
            break;
        case RET: return i->code & RVAL_A ? a : i->k;
        default:
            if (i->code & TXA) {
                a = x;
            } else {
                x = a;
            }
        }
    }
}

/* -- checking a program ----------------------------------------------------------------------------------------- */

static bool load_ok(const Insn *i)
{
    switch (i->code) {
    case LD | B_ABS: return i->k < DATA_SIZE && i->k % 4 == 0;
    case LD | B_MEM:
    case LDX | B_MEM: return i->k < MEM_WORDS;
    case LD | B_LEN:
    case LDX | B_LEN:
    case LD | B_IMM:
    case LDX | B_IMM: return true;
    default: return false;
    }
}

static bool insn_ok(const Insn *i, unsigned left)
{
    uint32_t op = i->code & 0xf0;
    switch (i->code & 7) {
    case LD:
    case LDX: return load_ok(i);
    case ST:
    case STX: return i->code < 8 && i->k < MEM_WORDS;
    case ALU:
        return i->code < 0x100 && (op <= A_NEG || op == A_XOR) && !(op == A_DIV && !(i->code & SRC_X) && !i->k) &&
               !((op == A_LSH || op == A_RSH) && !(i->code & SRC_X) && i->k >= 32);
    case JMP:
        return op == J_JA ? i->code == JMP && i->k < left : op <= J_SET && i->code < 0x100 && i->jt < left && i->jf < left;
    case RET: return i->code == RET || i->code == (RET | RVAL_A);
    default: return i->code == MISC || i->code == (MISC | TXA);
    }
}

static bool program_ok(const Insn *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        if (!insn_ok(&p[k], n - k - 1)) {
            return false;
        }
    }
    return (p[n - 1].code & 7) == RET;
}

/* -- the decision before each call --------------------------------------------------------------------------------- */

static bool strict_allows(uint64_t nr)
{
    return nr == 63 || nr == 64 || nr == 93 || nr == 139; /* read, write, exit, rt_sigreturn */
}

static void raise_sigsys(Thread *t, uint64_t nr, uint32_t data)
{
    memset(&t->fault, 0, sizeof t->fault);
    t->fault.signo = SIGSYS_;
    t->fault.code = SYS_SECCOMP_CODE;
    t->fault.err = (int32_t)data;
    t->fault.addr = guest_pc(t);
    t->fault.value = (uint32_t)nr | (uint64_t)AUDIT_ARCH_A64 << 32;
    t->has_fault = 1;
    engine_kick(&t->cpu.head);
}

static NORETURN void kill_with(Thread *t, int signo)
{
    SigInfo info = {.signo = signo};
    signal_die(t, &info);
}

bool seccomp_allows(Thread *t, uint64_t nr, const uint64_t args[6], int64_t *ret)
{
    Data d = {.nr = (int32_t)nr, .arch = AUDIT_ARCH_A64, .ip = guest_pc(t)};
    uint32_t best = ACT_ALLOW;
    if (t->seccomp_mode == MODE_STRICT) {
        if (!strict_allows(nr)) {
            kill_with(t, SIGKILL_);
        }
        return true;
    }
    memcpy(d.args, args, sizeof d.args);
    for (const Filter *f = t->seccomp; f; f = f->older) {
        uint32_t r = run(f, &d);
        best = (int32_t)(r & ACT_MASK) < (int32_t)(best & ACT_MASK) ? r : best;
    }
    uint32_t data = best & 0xffff;
    switch (best & ACT_MASK) {
    case ACT_ALLOW:
    case ACT_LOG:
        return true;
    case ACT_ERRNO:
        *ret = -(int64_t)(data < MAX_ERRNO_ ? data : MAX_ERRNO_);
        return false;
    case ACT_TRAP:
        raise_sigsys(t, nr, data);
        *ret = NO_RESULT;
        return false;
    case ACT_KILL_THREAD:
        if (process.nthreads > 1) {
            thread_exit(t, SIGSYS_);
        }
        kill_with(t, SIGSYS_);
    case ACT_KILL_PROCESS:
        kill_with(t, SIGSYS_);
    default: /* TRACE without a tracer, USER_NOTIF without a listener, and what does not exist */
        if ((best & ACT_MASK) != ACT_TRACE && (best & ACT_MASK) != 0x7fc00000u) {
            kill_with(t, SIGSYS_);
        }
        *ret = -ENOSYS;
        return false;
    }
}

/* -- installing ----------------------------------------------------------------------------------------------------- */

static bool may_install(void)
{
    enum { GET_NO_NEW_PRIVS = 39, CAP_SYS_ADMIN_BIT = 21 };
    uint32_t head[2] = {0x20080522, 0}, data[6] = {0};
    if (raw_call(__NR_prctl, GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        return true;
    }
    return raw_call(__NR_capget, head, data) == 0 && data[0] >> CAP_SYS_ADMIN_BIT & 1;
}

static Filter *filter_new(const Insn *insns, unsigned n, const Filter *older)
{
    Filter *f = malloc(sizeof *f + n * sizeof *insns);
    if (f) {
        f->older = older;
        f->n = n;
        memcpy(f->insns, insns, n * sizeof *insns);
    }
    return f;
}

/* Every other thread gets the filter, if what it has is among what this one had; else the first that has not. */
static int64_t sync_threads(Thread *t, const Filter *f)
{
    int64_t r = 0;
    mutex_lock(&process.threads_lock);
    for (Thread *o = process.threads; o && !r; o = o->next) {
        const Filter *g = f->older;
        while (g && g != o->seccomp) {
            g = g->older;
        }
        r = o != t && (g != o->seccomp || o->seccomp_mode == MODE_STRICT) ? o->tid : 0;
    }
    for (Thread *o = process.threads; o && !r; o = o->next) {
        o->seccomp = f;
        o->seccomp_mode = MODE_FILTER;
    }
    mutex_unlock(&process.threads_lock);
    return r;
}

static int64_t install(Thread *t, uint64_t flags, uint64_t program)
{
    struct {
        uint16_t len, pad[3];
        uint64_t filter;
    } p;
    Insn insns[MAX_INSNS];
    if (flags & ~(uint64_t)(FLAG_TSYNC | FLAG_LOG | FLAG_SPEC_ALLOW | FLAG_TSYNC_ESRCH | FLAG_WAIT_KILLABLE)) {
        if (log_on(LOG_unimp)) {
            log_printf("seccomp flags 0x%llx refused\n", (unsigned long long)flags);
        }
        return -EINVAL;
    }
    if (get_user(&p, program, sizeof p) < 0) {
        return -EFAULT;
    }
    if (p.len == 0 || p.len > MAX_INSNS) {
        return -EINVAL;
    }
    if (!may_install()) {
        return -EACCES;
    }
    if (get_user(insns, p.filter, p.len * sizeof *insns) < 0) {
        return -EFAULT;
    }
    if (!program_ok(insns, p.len) || t->seccomp_mode == MODE_STRICT) {
        return -EINVAL;
    }
    Filter *f = filter_new(insns, p.len, t->seccomp);
    if (!f) {
        return -ENOMEM;
    }
    if (flags & FLAG_TSYNC) {
        int64_t r = sync_threads(t, f);
        return r && flags & FLAG_TSYNC_ESRCH ? -ESRCH : r;
    }
    t->seccomp = f;
    t->seccomp_mode = MODE_FILTER;
    return 0;
}

static int64_t set_strict(Thread *t)
{
    if (t->seccomp_mode != MODE_OFF) {
        return t->seccomp_mode == MODE_STRICT ? 0 : -EINVAL;
    }
    t->seccomp_mode = MODE_STRICT;
    return 0;
}

static int64_t action_available(uint64_t where)
{
    static const uint32_t known[] = {ACT_KILL_PROCESS, ACT_KILL_THREAD, ACT_TRAP, ACT_ERRNO, ACT_TRACE, ACT_LOG, ACT_ALLOW};
    uint32_t action;
    if (get_user(&action, where, sizeof action) < 0) {
        return -EFAULT;
    }
    for (unsigned k = 0; k < LEN(known); k++) {
        if (known[k] == action) {
            return 0;
        }
    }
    return -EOPNOTSUPP;
}

int64_t sys_seccomp(Thread *t, uint64_t a[6])
{
    switch (a[0]) {
    case OP_STRICT:
        return a[1] || a[2] ? -EINVAL : set_strict(t);
    case OP_FILTER:
        return install(t, a[1], a[2]);
    case OP_ACTION_AVAIL:
        return a[1] ? -EINVAL : action_available(a[2]);
    default:
        return -EINVAL;
    }
}

int64_t seccomp_prctl(Thread *t, uint64_t mode, uint64_t filter)
{
    return mode == MODE_STRICT ? set_strict(t) : mode == MODE_FILTER ? install(t, 0, filter) : -EINVAL;
}

/* -- across a followed exec: oldest filter last, each with its length ahead ----------------------------------------------- */

int seccomp_save(Thread *t)
{
    int fd = (int)raw_call(__NR_memfd_create, "armx-filters", MEMFD_NAME_FLAGS);
    for (const Filter *f = t->seccomp; f && fd >= 0; f = f->older) {
        uint32_t n = f->n;
        write_all(fd, (const char *)&n, sizeof n);
        write_all(fd, (const char *)f->insns, n * sizeof f->insns[0]);
    }
    return fd;
}

static const Filter *load_from(int fd, uint64_t at, int *err)
{
    uint32_t n;
    Insn *insns = malloc(MAX_INSNS * sizeof *insns);
    const Filter *f = NULL;
    if (insns && raw_call(__NR_pread64, fd, &n, sizeof n, at) == sizeof n && n && n <= MAX_INSNS) {
        int64_t bytes = (int64_t)(n * sizeof *insns);
        bool whole = raw_call(__NR_pread64, fd, insns, bytes, at + sizeof n) == bytes && program_ok(insns, n);
        f = whole ? filter_new(insns, n, load_from(fd, at + sizeof n + (uint64_t)bytes, err)) : NULL;
        *err = f ? *err : -EINVAL;
    }
    free(insns);
    return f;
}

int seccomp_load(Thread *t, int fd)
{
    int err = 0;
    t->seccomp = load_from(fd, 0, &err);
    t->seccomp_mode = t->seccomp ? MODE_FILTER : MODE_OFF;
    raw_call(__NR_close, fd);
    return err;
}
