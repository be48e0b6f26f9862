/* guest_a64.c - what is particular to AArch64 guests: the loop around engine_run, registers of system calls and new
 * tasks, exceptions as Linux turns them into signals (arch/arm64: fault and trap codes), /proc/cpuinfo.
 */
#include <stdio.h>

#include "log.h"
#include "sig.h"
#include "sys.h"
#include "vma.h"

enum { ILL = 4, TRAP = 5, BUS = 7, SEGV = 11, ILLOPC = 1, ILLOPN = 2, BRKPT = 1, ADRALN = 1, ADRERR = 2, MAPERR = 1,
       ACCERR = 2 };

uint64_t guest_pc(const Thread *t)
{
    return t->cpu.a64.pc;
}

uint64_t guest_sp(const Thread *t)
{
    return t->cpu.a64.sp;
}

void guest_frame(const Thread *t, uint64_t *fp, uint64_t *lr)
{
    *fp = t->cpu.a64.x[29];
    *lr = t->cpu.a64.x[30];
}

void guest_start(Thread *t, uint64_t pc, uint64_t sp)
{
    CpuA64 *c = cpu_a64(t);
    c->pc = pc;
    c->sp = sp;
    c->excl_addr = ~0ull;
    c->model = process.model;
    raw_call(__NR_getrandom, c->pac_key, sizeof c->pac_key, 0);
    engine_fpcr_changed(&c->h);
}

void guest_clone_regs(Thread *child, const Thread *parent, uint64_t stack, bool set_tls, uint64_t tls)
{
    CpuA64 *c = cpu_a64(child);
    const CpuA64 *p = &parent->cpu.a64;
    if (child != parent) {
        size_t head = sizeof(CpuHead);
        memcpy((uint8_t *)c + head, (const uint8_t *)p + head, sizeof *c - head);
        c->h.fp = p->h.fp;
        engine_set_fpsr(&c->h, engine_fpsr((CpuHead *)&parent->cpu.head));
        engine_fpcr_changed(&c->h);
    }
    c->x[0] = 0;
    c->excl_addr = ~0ull;
    if (stack) {
        c->sp = stack;
        engine_fpcr_changed(&c->h);
    }
    if (set_tls) {
        c->tpidr = tls;
    }
}

void guest_print_regs(const Thread *t, int (*print)(void *, const char *, ...), void *to)
{
    const CpuA64 *c = &t->cpu.a64;
    for (unsigned k = 0; k < 31; k++) {
        print(to, "x%-2u %016llx%s", k, (unsigned long long)c->x[k], k % 4 == 3 ? "\n" : "  ");
    }
    print(to, "sp  %016llx\npc  %016llx  pstate %08x  tpidr %016llx\n", (unsigned long long)c->sp,
          (unsigned long long)c->pc, a64_nzcv(c), (unsigned long long)c->tpidr);
}

int guest_cpuinfo(char *buf, size_t size)
{
    static const char *const names[2][64] = {
        {"fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "cpuid",
         "asimdrdm", "jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512", "sve", "asimdfhm",
         "dit", "uscat", "ilrcpc", "flagm", "ssbs", "sb", "paca", "pacg"},
        {"dcpodp", "sve2", "sveaes", "svepmull", "svebitperm", "svesha3", "svesm4", "flagm2", "frint", "svei8mm",
         "svef32mm", "svef64mm", "svebf16", "i8mm", "bf16", "dgh", "rng", "bti", "mte", "ecv", "afp", "rpres", "mte3",
         "sme", "smei16i64", "smef64f64", "smei8i32", "smef16f32", "smeb16f32", "smef32f32", "smefa64", "wfxt",
         "ebf16", "sveebf16", "cssc", "rprfm", "sve2p1", "sme2", "sme2p1", "smei16i32", "smebi32i32", "smeb16b16",
         "smef16f16", "mops", "hbc"},
    };
    uint64_t cpus[128] = {0}, midr = process.model->midr;
    int64_t bytes = raw_call(__NR_sched_getaffinity, 0, sizeof cpus, cpus);
    size_t n = 0;
    for (unsigned cpu = 0; cpu < (bytes > 0 ? (unsigned)bytes * 8 : 1); cpu++) {
        if (!(cpus[cpu / 64] >> cpu % 64 & 1) || n + 1024 > size) {
            continue;
        }
        n += (size_t)snprintf(buf + n, size - n, "processor\t: %u\nBogoMIPS\t: 100.00\nFeatures\t:", cpu);
        for (unsigned w = 0; w < 2; w++) {
            for (unsigned k = 0; k < 64; k++) {
                if (a64_hwcap(process.model, w) >> k & 1 && names[w][k]) {
                    n += (size_t)snprintf(buf + n, size - n, " %s", names[w][k]);
                }
            }
        }
        n += (size_t)snprintf(buf + n, size - n,
                              "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\n"
                              "CPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
                              (unsigned)(midr >> 24 & 255), (unsigned)(midr >> 20 & 15),
                              (unsigned)(midr >> 4 & 0xfff), (unsigned)(midr & 15));
    }
    return (int)n;
}

/* -- exceptions ------------------------------------------------------------------------------------------ */

/* A fetch at pc failed: no mapping, no permission, or beyond the end of a mapped file. */
static void fetch_fault(Thread *t, uint64_t pc)
{
    VmaInfo v;
    if (!vma_find(pc, &v)) {
        signal_fault(t, SEGV, MAPERR, pc, 0x82000007);
    } else if (!(v.prot & G_EXEC)) {
        signal_fault(t, SEGV, ACCERR, pc, 0x8200000f);
    } else {
        signal_fault(t, BUS, ADRERR, pc, 0x82000010);
    }
}

/* What the kernel writes for a thread breaks the strict monitors of others (tr_atomic.c); where, only the kernel knows. */
static void break_monitors(void)
{
    Space *s = &process.space;
    if (__atomic_load_n(&s->last_ticket, __ATOMIC_RELAXED)) {
        __atomic_add_fetch(&s->kernel_writes, 1, __ATOMIC_SEQ_CST);
    }
}

/* Frequent calls that write nothing */
static bool only_reads(uint64_t number, uint64_t second)
{
    enum { FUTEX = 98, WRITE = 64, SCHED_YIELD = 124, FUTEX_OP = 127,
           WAITS_AND_WAKES = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 9 | 1 << 10 };
    return number == WRITE || number == SCHED_YIELD ||
           (number == FUTEX && (second & FUTEX_OP) < 32 && WAITS_AND_WAKES >> (second & FUTEX_OP) & 1);
}

static void system_call(Thread *t)
{
    CpuA64 *c = cpu_a64(t);
    uint64_t number = c->x[8], second = c->x[1];
    int64_t r = sys_dispatch(t, number, c->x);
    if (!only_reads(number, second)) {
        break_monitors();
    }
    if (r == NOT_MADE) {
        c->pc -= 4;
    } else if (r != NO_RESULT) {
        c->x[0] = (uint64_t)r;
    }
}

/* Of the accesses that must be aligned: one that only writes (STLR, STXR, STLUR, STILP), for WnR of a data abort. */
static bool is_ordered_store(uint64_t pc)
{
    uint32_t w = 0;
    get_user(&w, pc, 4);
    bool exclusive = (w & 0x3f400000) == 0x08000000, cas = (w & 0x00a07c00) == 0x00a07c00, casp = (w & 0x80a07c00) == 0x00207c00;
    return (exclusive && !cas && !casp) || (w & 0x3fe00000) == 0x19000000;
}

static void exception(Thread *t, ExcKind kind)
{
    CpuA64 *c = cpu_a64(t);
    uint32_t imm = (uint32_t)c->h.exit_imm;
    switch (kind) {
    case EXC_SVC:
        system_call(t);
        break;
    case EXC_HLT:
    case EXC_UNDEF:
        signal_fault(t, ILL, ILLOPC, c->pc, 0x02000000);
        break;
    case EXC_SYSTRAP:
        if (log_on(LOG_unimp)) {
            log_printf("unimplemented system instruction %08x at pc %llx\n", imm, (unsigned long long)c->pc);
        }
        signal_fault(t, ILL, ILLOPC, c->pc, 0x62000000);
        break;
    case EXC_BTI:
        signal_fault(t, ILL, ILLOPC, c->pc, 0x36000000 | a64_btype(c));
        break;
    case EXC_FPAC:
        signal_fault(t, ILL, ILLOPN, c->pc, 0x72000000 | (imm & 3));
        break;
    case EXC_BRK:
        signal_fault(t, TRAP, BRKPT, c->pc, 0xf2000000 | (imm & 0xffff));
        break;
    case EXC_PC_ALIGN:
        signal_fault(t, BUS, ADRALN, c->pc, 0x8a000000);
        break;
    case EXC_SP_ALIGN:
        signal_fault(t, BUS, ADRALN, c->sp, 0x9a000000);
        break;
    case EXC_ALIGN:
        signal_fault(t, BUS, ADRALN, (uint64_t)bits_sext(c->h.exit_addr, 56), /* untagged_addr() */
                     0x92000021 | (is_ordered_store(c->pc) ? 0x40 : 0));
        break;
    case EXC_FETCH:
        fetch_fault(t, c->pc);
        break;
    case EXC_HINT:
        raw_call(__NR_sched_yield);
        break;
    default:
        break;
    }
}

void guest_loop(Thread *t)
{
    CpuHead *head = &t->cpu.head;
    for (;;) {
        if (head->pending || t->has_fault) {
            signals_deliver(t);
            break_monitors(); /* of who looks at this thread's stack */
        }
        head->doing = DOING_RUN;
        ExcKind kind = UNLIKELY(process.debugged) ? gdb_run(t) : engine_run(head);
        head->doing = DOING_SERVICE;
        exception(t, kind);
    }
}
