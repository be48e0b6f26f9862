/* crash.c - the readable report when a guest dies by a signal that it raised itself, or when armx
 * itself faults.
 *
 * It says who is at fault, where, and what led there: registers, code, backtrace along the frame
 * pointers, last system calls. A guest's own death is reported where ARMX_REPORT says: a file, "full"
 * = stderr, "none"; when it says nothing, by one line if stderr is a terminal. armx's own fault is
 * always reported, to stderr unless there is a file. The report is written line by line with system calls only; memory is read by
 * process_vm_readv; the disassembler gets memory from an array here. So a second fault loses only
 * the rest of the report.
 */
#define _GNU_SOURCE
#include <capstone/capstone.h>
#include <cpuid.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <ucontext.h>

#include "crash.h"
#include "sys.h"

enum { FRAMES = 10, CODE_BEFORE = 3, CODE_AFTER = 2, HOST_FRAMES = 6, STACK_SCAN = 256 };

typedef struct Report {
    int fd;
    size_t n;
    char line[512];
} Report;

static void flush(Report *r)
{
    write_all(r->fd, r->line, r->n);
    r->n = 0;
}

static int say(void *to, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int say(void *to, const char *fmt, ...)
{
    Report *r = to;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(r->line + r->n, sizeof r->line - r->n, fmt, ap);
    va_end(ap);
    size_t room = sizeof r->line - r->n - 1;
    r->n += (size_t)n < room ? (size_t)n : room;
    if (memchr(r->line, '\n', r->n)) {
        flush(r);
    }
    return n;
}

/* Function and file that hold addr - before: a return address belongs to the call in front of it.
 */
static void say_place(Report *r, uint64_t addr, unsigned before)
{
    static Where w;
    static char name[128];
    uint64_t distance;
    if (process.vdso && addr - process.vdso < PAGE) {
        say(r, "[vdso]+0x%llx", (unsigned long long)(addr - process.vdso));
    } else if (!crash_where(addr - before, &w)) {
        say(r, "not mapped");
    } else {
        if (crash_symbol(&w, addr - before, name, sizeof name, &distance)) {
            say(r, "%s+0x%llx in ", name, (unsigned long long)distance + before);
        }
        say(r, "%s+0x%llx", w.path[0] ? w.path : "[anonymous]",
            (unsigned long long)(addr - w.base));
    }
}

/* -- who and why ------------------------------------------------------------------------------- */

static void say_host(Report *r)
{
    uint32_t id[12] = {0};
    char *brand = (char *)id;
    for (unsigned k = 0; k < 3; k++) {
        __get_cpuid(0x80000002 + k, &id[4 * k], &id[4 * k + 1], &id[4 * k + 2], &id[4 * k + 3]);
    }
    while (*brand == ' ') {
        brand++;
    }
    say(r, "armx-user " ARMX_VERSION ", guest CPU %s, host CPU %.48s%s\n",
        process.model ? process.model->name : "?", brand,
        process.opt.interp ? ", interpreter" : "");
}

static void say_cause(Report *r, const Thread *t, const SigInfo *info)
{
    uint32_t word = 0;
    Where w;
    bool code = crash_read(guest_pc(t), &word, 4);
    if (info->code <= 0) {
        say(r, "  cause  sent by process %d, user %d\n", (int)info->addr, (int)(info->addr >> 32));
    } else if (info->signo == SIGSEGV || info->signo == SIGBUS) {
        say(r, "  cause  access to 0x%llx, which is ", (unsigned long long)info->addr);
        bool mapped = crash_where(info->addr, &w);
        say(r, !mapped                 ? "not mapped\n"
               : info->signo == SIGBUS ? "misaligned or beyond the end of a file: "
                                       : "not permitted: ");
        if (mapped) {
            say_place(r, info->addr, 0);
            say(r, " (%c%c)\n", w.read ? 'r' : '-', w.write ? 'w' : '-');
        }
    } else if (info->signo == SIGILL && code) {
        say(r, "  cause  %08x is not an instruction of the CPU %s\n", word, process.model->name);
    } else if (info->signo == SIGTRAP && code) {
        say(r, "  cause  breakpoint instruction %08x\n", word);
    } else {
        say(r, "  cause  code %d, address 0x%llx\n", info->code, (unsigned long long)info->addr);
    }
}

static void say_verdict(Report *r, const Thread *t, const SigInfo *info, bool armx_at_fault)
{
    const char *name = sigabbrev_np(info->signo), *text = sigdescr_np(info->signo);
    say(r, "armx-user: %s %s SIG%s (%s)\n",
        process.exe_path[0] ? process.exe_path : "the guest program",
        armx_at_fault ? "cannot go on, armx got" : "dies by", name ? name : "?", text ? text : "?");
    say(r, "  fault  %s\n",
        armx_at_fault ? "armx's own: please report this, with the program and this text"
                      : "the guest program's own");
    if (armx_at_fault) {
        say(r, "  guest  registers below may be those of its last exit from translated code\n");
    }
    say(r, "  task   process %d, thread %d of %u\n", (int)raw_call(__NR_getpid), t->tid,
        process.nthreads);
}

/* -- the host's side --------------------------------------------------------------------------- */

static void say_host_state(Report *r, const SigInfo *info, const ucontext_t *uc)
{
    static const struct {
        const char *name;
        int reg;
    } regs[] = {{"rax", REG_RAX}, {"rbx", REG_RBX}, {"rcx", REG_RCX}, {"rdx", REG_RDX},
                {"rsi", REG_RSI}, {"rdi", REG_RDI}, {"rbp", REG_RBP}, {"rsp", REG_RSP},
                {"r8 ", REG_R8},  {"r9 ", REG_R9},  {"r10", REG_R10}, {"r11", REG_R11},
                {"r12", REG_R12}, {"r13", REG_R13}, {"r14", REG_R14}, {"r15", REG_R15}};
    extern const char __executable_start[], etext[];
    uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP],
             sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];
    say(r, "  host   pc 0x%llx address 0x%llx ", (unsigned long long)rip,
        (unsigned long long)info->addr);
    if (process.engine && engine_owns(process.engine, (void *)rip)) {
        say(r, "in translated code\n");
    } else {
        say_place(r, rip, 0);
        say(r, "\n");
    }
    for (unsigned k = 0; k < LEN(regs); k++) {
        say(r, "  %s %016llx%s", regs[k].name,
            (unsigned long long)uc->uc_mcontext.gregs[regs[k].reg], k % 4 == 3 ? "\n" : "");
    }
    uint64_t word;
    for (unsigned k = 0, shown = 0;
         k < STACK_SCAN && shown < HOST_FRAMES && crash_read(sp + 8 * k, &word, 8); k++) {
        if (word >= (uint64_t)__executable_start && word < (uint64_t)etext) {
            say(r, "  stack  rsp+0x%x ", 8 * k);
            say_place(r, word, 1);
            say(r, "\n");
            shown++;
        }
    }
}

/* -- the guest's side -------------------------------------------------------------------------- */

/* The disassembler's memory. */
static uint8_t arena[384 * 1024] __attribute__((aligned(16)));
static size_t arena_used;

static void *arena_get(size_t n)
{
    size_t at = arena_used + 16;
    n = ALIGN_UP(n, 16);
    if (n > sizeof arena || at > sizeof arena - n) {
        return NULL;
    }
    memcpy(arena + at - 16, &n, sizeof n);
    arena_used = at + n;
    return arena + at;
}

static void *arena_zeroed(size_t a, size_t b)
{
    void *p = arena_get(a * b);
    return p ? memset(p, 0, a * b) : NULL;
}

static void *arena_again(void *old, size_t n)
{
    size_t size = 0;
    void *p = arena_get(n);
    if (p && old) {
        memcpy(&size, (uint8_t *)old - 16, sizeof size);
        memcpy(p, old, size < n ? size : n);
    }
    return p;
}

static void arena_free(void *p)
{
    (void)p;
}

static void say_code(Report *r, uint64_t pc)
{
    cs_opt_mem mem = {arena_get, arena_zeroed, arena_again, arena_free, vsnprintf};
    csh cs;
    bool ok = cs_option(0, CS_OPT_MEM, (size_t)&mem) == CS_ERR_OK &&
              cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &cs) == CS_ERR_OK;
    for (int k = -CODE_BEFORE; k <= CODE_AFTER; k++) {
        uint64_t at = pc + 4 * (uint64_t)(int64_t)k;
        uint8_t word[4];
        cs_insn *in = NULL;
        if (!crash_read(at, word, 4)) {
            if (k == 0) {
                say(r, "  %s  %016llx  not readable\n", "code =>", (unsigned long long)at);
            }
            continue;
        }
        bool text = ok && cs_disasm(cs, word, 4, at, 1, &in) == 1;
        say(r, "  %s  %016llx  %02x%02x%02x%02x  %s %s\n", k ? "code   " : "code =>",
            (unsigned long long)at, word[3], word[2], word[1], word[0], text ? in->mnemonic : "?",
            text ? in->op_str : "");
    }
}

static void say_frame(Report *r, unsigned n, uint64_t addr, const char *note)
{
    say(r, "  #%-2u %016llx ", n, (unsigned long long)addr);
    say_place(r, addr, n > 0);
    say(r, "%s\n", note);
}

/* Along the chain of frame records; the link register is shown when no record holds it (a leaf
 * function). */
static void say_backtrace(Report *r, const Thread *t)
{
    uint64_t fp, lr, record[2], last = 0;
    unsigned n = 0;
    guest_frame(t, &fp, &lr);
    lr &= bits_mask(A64_VA_BITS);
    say_frame(r, n++, guest_pc(t), "");
    bool chain = fp % 8 == 0 && crash_read(fp, record, sizeof record);
    if (lr && lr != guest_pc(t) && !(chain && (record[1] & bits_mask(A64_VA_BITS)) == lr)) {
        say_frame(r, n++, lr, " (link register)");
    }
    while (n < FRAMES && chain && fp > last && record[1]) {
        say_frame(r, n++, record[1] & bits_mask(A64_VA_BITS), "");
        last = fp;
        fp = record[0];
        chain = fp % 8 == 0 && crash_read(fp, record, sizeof record);
    }
}

static void say_calls(Report *r, const Thread *t)
{
    for (unsigned k = 0; k < RING; k++) {
        const RingEntry *e = &t->ring[(t->ring_pos + k) % RING];
        const SysRow *row = sys_row(e->nr);
        if (!e->pc && !e->done) {
            continue;
        }
        if (row) {
            say(r, "  call   %s(", row->name);
        } else {
            say(r, "  call   system call %u(", e->nr);
        }
        for (unsigned j = 0; j < 6 && (!row || row->args[j]); j++) {
            say(r, "%s0x%llx", j ? ", " : "", (unsigned long long)e->args[j]);
        }
        if (!e->done) {
            say(r, ") has not returned\n");
        } else if (e->ret < 0 && e->ret > -4096) {
            const char *err = strerrorname_np((int)-e->ret);
            say(r, ") = -%s\n", err ? err : "?");
        } else {
            say(r, ") = 0x%llx\n", (unsigned long long)e->ret);
        }
    }
}

/* -- the whole --------------------------------------------------------------------------------- */

/* Where the report goes, -1 = nowhere. */
static int report_fd(bool armx_at_fault)
{
    const char *path = process.opt.report;
    if (!path || !*path || strcmp(path, "none") == 0 || strcmp(path, "full") == 0) {
        return armx_at_fault || (path && strcmp(path, "full") == 0) ? 2 : -1;
    }
    int64_t fd = raw_call(__NR_open, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return fd < 0 ? 2 : (int)fd;
}

/* For who looks on and has not asked for a report: that there can be one. */
static void say_short(Report *r, const Thread *t, const SigInfo *info)
{
    const char *name = sigabbrev_np(info->signo);
    uint64_t size[2];
    r->fd = 2;
    if ((!process.opt.report || !*process.opt.report) && raw_call(__NR_ioctl, 2, TIOCGWINSZ, size) == 0) {
        say(r, "armx-user: %s: SIG%s at %llx (ARMX_REPORT=full shows more)\n", process.exe_path, name ? name : "?",
            (unsigned long long)guest_pc(t));
    }
}

void crash_report(Thread *t, const SigInfo *info, bool armx_at_fault, void *ucontext)
{
    static int reporter;
    static Report report;
    Report *r = &report;
    int nobody = 0;
    if (!__atomic_compare_exchange_n(&reporter, &nobody, t->tid, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        if (nobody == t->tid) {
            static const char text[] = "\n(a second fault ended the report)\n";
            write_all(r->fd, text, sizeof text - 1);
        } else {
            static const uint64_t second[2] = {1, 0};
            raw_call(__NR_nanosleep, second, 0); /* lets the other thread finish its report */
        }
        return;
    }
    r->fd = report_fd(armx_at_fault);
    if (r->fd < 0) {
        say_short(r, t, info);
    } else {
        say_verdict(r, t, info, armx_at_fault);
        if (!armx_at_fault) {
            say_cause(r, t, info);
        } else if (ucontext) {
            say_host_state(r, info, ucontext);
        }
        guest_print_regs(t, say, r);
        say_code(r, guest_pc(t));
        say_backtrace(r, t);
        say_calls(r, t);
        say_host(r);
    }
    __atomic_store_n(&reporter, 0, __ATOMIC_RELEASE);
}

static void report_bug(void)
{
    SigInfo info = {.signo = SIGABRT};
    if (this_thread) {
        crash_report(this_thread, &info, true, NULL);
    }
}

void crash_init(void)
{
    bug_report = report_bug;
}
