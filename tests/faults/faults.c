/* faults.c - faults at every byte of every load and store form, alignment, undefined instructions, branches:
 * is the signal the one that arm64 Linux would give, and is everything else as it was?
 *
 * Each instruction is copied to a page of code, followed by BRK, and started by a signal handler's return with all
 * registers set; whatever comes next (a fault, or the BRK) is caught with all registers again. So nothing between can
 * hide a wrong register. Expected values follow from the form's row (forms.def) and the architecture's rules:
 *   si_addr is the lowest byte of the access that may not be accessed; pc the instruction; ESR's EC 0x24, WnR as DDI
 *   0487 says; registers are those of before, write-back undone; of a store, bytes that could be written may have been.
 * Usage: faults [-E] [PART...]   parts: access align undef sp branch bti; -E: do not look at ESR
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, GOOD = 2 * PAGE, BAD = 2 * PAGE };
enum { EC_DATA = 0x24, EC_INSN = 0x20, EC_PC = 0x22, EC_SP = 0x26, FPSIMD = 0x46508001, ESR = 0x45535201 };
typedef enum Kind { LD, ST, RMW, STX, LIT, ZVA } Kind;
typedef enum Align { ANY, ATOM } Align;

typedef struct Form {
    const char *text;
    const uint32_t *words;
    Kind kind;
    int bytes, offset, writeback;
    Align align;
    uint64_t feature;
} Form;

static unsigned failures, checks;
static bool no_esr; /* for QEMU 7.2, which gives no ESR */
static char what[200];

static void fail(const char *fmt, uint64_t got, uint64_t want)
{
    static unsigned of_item;
    static char item[24];
    failures++;
    of_item = strncmp(what, item, sizeof item) ? 1 : of_item + 1;
    memcpy(item, what, sizeof item);
    if (of_item <= 3) { /* of each form */
        printf("FAILED %s: ", what);
        printf(fmt, (unsigned long long)got, (unsigned long long)want);
        putchar('\n');
    }
}

static void expect(const char *name, uint64_t got, uint64_t want)
{
    char fmt[100];
    checks++;
    if (got != want && !(no_esr && memcmp(name, "ESR", 3) == 0)) {
        snprintf(fmt, sizeof fmt, "%s is %%#llx, not %%#llx", name);
        fail(fmt, got, want);
    }
}

/* -- one run of a piece of code with given registers ---------------------------------------------------------- */

typedef struct Regs {
    uint64_t x[31], sp, pc, pstate;
    __uint128_t v[32];
    uint32_t fpsr, fpcr;
} Regs;

typedef struct Caught {
    int signal, code;
    uint64_t addr, esr; /* esr 0: no record */
    Regs r;
} Caught;

static const Regs *start;         /* what is to be set at the next BRK of run() */
static Regs home;                 /* where run() was */
static Caught *volatile into;

static struct fpsimd_context *fp_of(ucontext_t *uc, uint64_t *esr)
{
    struct fpsimd_context *fp = NULL;
    *esr = 0;
    uint8_t *p = uc->uc_mcontext.__reserved;
    for (;;) {
        struct _aarch64_ctx *h = (struct _aarch64_ctx *)p;
        if (h->magic == FPSIMD) {
            fp = (struct fpsimd_context *)h;
        } else if (h->magic == ESR) {
            *esr = ((struct esr_context *)h)->esr;
        } else if (h->magic == 0) {
            return fp;
        }
        p += h->size;
    }
}

static void save(Regs *r, ucontext_t *uc, uint64_t *esr)
{
    struct fpsimd_context *fp = fp_of(uc, esr);
    memcpy(r->x, uc->uc_mcontext.regs, sizeof r->x);
    r->sp = uc->uc_mcontext.sp;
    r->pc = uc->uc_mcontext.pc;
    r->pstate = uc->uc_mcontext.pstate;
    memcpy(r->v, fp->vregs, sizeof r->v);
    r->fpsr = fp->fpsr;
    r->fpcr = fp->fpcr;
}

static void load(const Regs *r, ucontext_t *uc)
{
    uint64_t esr;
    struct fpsimd_context *fp = fp_of(uc, &esr);
    memcpy(uc->uc_mcontext.regs, r->x, sizeof r->x);
    uc->uc_mcontext.sp = r->sp;
    uc->uc_mcontext.pc = r->pc;
    uc->uc_mcontext.pstate = r->pstate;
    memcpy(fp->vregs, r->v, sizeof r->v);
    fp->fpsr = r->fpsr;
    fp->fpcr = r->fpcr;
}

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint64_t esr;
    if (start) { /* run()'s own BRK */
        const Regs *r = start;
        start = NULL;
        save(&home, uc, &esr);
        load(r, uc);
        return;
    }
    if (!into) {
        static const char msg[] = "FAILED: a signal out of the blue\n";
        ssize_t n = write(1, msg, sizeof msg - 1);
        _exit(n < 0 ? 3 : 2);
    }
    Caught *c = into;
    into = NULL;
    save(&c->r, uc, &c->esr);
    c->signal = sig;
    c->code = info->si_code;
    c->addr = (uint64_t)info->si_addr;
    Regs back = home;
    back.pc += 4;
    load(&back, uc);
}

static void run(const Regs *r, Caught *c)
{
    start = r;
    into = c;
    __asm__ volatile("brk #100" ::: "memory");
}

static uint8_t *code; /* a page of code and one more that may not be executed */

static void write_code(uint64_t at, const uint32_t *words, unsigned n)
{
    static const uint32_t brk = 0xd4200000 | 7 << 5;
    memcpy((void *)at, words, 4 * n);
    memcpy((void *)(at + 4 * n), &brk, 4);
    __builtin___clear_cache((char *)at, (char *)at + 4 * n + 4);
}

static void random_regs(Regs *r, uint64_t *rng)
{
    uint64_t *w = (uint64_t *)r;
    memset(r, 0, sizeof *r);
    for (unsigned i = 0; i < sizeof *r / 8; i++) {
        *rng = *rng * 6364136223846793005u + 1442695040888963407u;
        w[i] = *rng ^ *rng >> 31;
    }
    static uint8_t stack[1024] __attribute__((aligned(16)));
    r->sp = (uint64_t)stack + 512;
    r->pc = (uint64_t)code + 64;
    r->pstate = (*rng >> 40 & 15) << 28;
    r->fpsr = *rng >> 20 & 0x9f;
    r->fpcr = *rng >> 50 & 3 << 22;
    r->x[2] = 24;
    r->x[3] = 0xfffffff0;
}

/* may_x, may_v: registers that may have changed. */
static void expect_regs(const Regs *got, const Regs *want, uint32_t may_x, uint32_t may_v)
{
    char name[8];
    for (unsigned i = 0; i < 31; i++) {
        if (!(may_x >> i & 1)) {
            snprintf(name, sizeof name, "x%u", i);
            expect(name, got->x[i], want->x[i]);
        }
    }
    for (unsigned i = 0; i < 32; i++) {
        if (!(may_v >> i & 1)) {
            snprintf(name, sizeof name, "v%u", i);
            expect(name, (uint64_t)got->v[i], (uint64_t)want->v[i]);
            expect(name, (uint64_t)(got->v[i] >> 64), (uint64_t)(want->v[i] >> 64));
        }
    }
    expect("sp", got->sp, want->sp);
    expect("nzcv", got->pstate >> 28 & 15, want->pstate >> 28 & 15);
    expect("fpsr", got->fpsr, want->fpsr);
    expect("fpcr", got->fpcr, want->fpcr);
}

static void expect_signal(const Caught *c, int sig, int si_code, uint64_t addr, uint64_t pc)
{
    expect("signal", (uint64_t)c->signal, (uint64_t)sig);
    expect("si_code", (uint64_t)c->code, (uint64_t)si_code);
    expect("si_addr", c->addr, addr);
    expect("pc", c->r.pc, pc);
}

/* -- memory: a good piece between two bad ones, in three kinds ---------------------------------------------- */

typedef enum Bad { NONE, UNMAPPED, READ_ONLY, BADS } Bad;
static const char *const bad_names[BADS] = {"PROT_NONE", "unmapped", "read-only"};
static uint8_t *area[BADS], clean[BADS][GOOD]; /* the good pieces, and what they hold */

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 13 + 3);
}

static void make_areas(void)
{
    for (Bad b = NONE; b < BADS; b++) {
        uint8_t *p = mmap(NULL, GOOD + 2 * BAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < GOOD + 2 * BAD; i++) {
            p[i] = pattern((uint64_t)(p + i));
        }
        area[b] = p + BAD;
        memcpy(clean[b], area[b], GOOD);
    }
    for (Bad b = NONE; b < BADS; b++) {
        uint8_t *low = area[b] - BAD, *high = area[b] + GOOD;
        if (b == UNMAPPED) {
            munmap(low, BAD);
            munmap(high, BAD);
        } else {
            mprotect(low, BAD, b == NONE ? PROT_NONE : PROT_READ);
            mprotect(high, BAD, b == NONE ? PROT_NONE : PROT_READ);
        }
    }
}

/* Every good byte outside [from, from + n) has its value; those inside get it back. */
static void check_memory(Bad b, uint64_t from, int n)
{
    uint8_t *at = area[b], *end = at + GOOD;
    uint8_t *low = (uint8_t *)from, *high = low + n;
    low = low < at ? at : low > end ? end : low;
    high = high < low ? low : high > end ? end : high;
    if (memcmp(at, clean[b], (size_t)(low - at)) || memcmp(high, clean[b] + (high - at), (size_t)(end - high))) {
        fail("memory outside of the access at %#llx, %llu bytes, was written", from, (uint64_t)n);
        memcpy(at, clean[b], GOOD);
    }
    memcpy(low, clean[b] + (low - at), (size_t)(high - low));
}

/* -- loads and stores --------------------------------------------------------------------------------------------- */

/* Puts the distance from pc into a literal load. */
static uint32_t with_literal(uint32_t word, uint64_t pc, uint64_t to)
{
    return (word & ~(0x7ffffu << 5)) | ((uint32_t)((int64_t)(to - pc) >> 2) & 0x7ffff) << 5;
}

static bool writes(Kind k)
{
    return k == ST || k == RMW || k == STX || k == ZVA;
}

static bool must_align(const Form *f, uint64_t ea)
{
    bool lse2 = getauxval(AT_HWCAP) & HWCAP_USCAT;
    if (f->align == ANY || ea % (uint64_t)f->bytes == 0) {
        return false;
    }
    return !(lse2 && ea / 16 == (ea + (uint64_t)f->bytes - 1) / 16);
}

/* Of such a load the registers (but not the base) become UNKNOWN at a fault (DDI 0487 D1.3.4). */
static bool loads_several(const Form *f)
{
    char third = f->text[2]; /* ldp, ldnp, ld1 to ld4 */
    return f->kind == LD && f->align == ANY && (third == 'p' || third == 'n' || (third >= '1' && third <= '4'));
}

/* Runs the form with its access at ea; bad_at: the first byte that may not be accessed, 0 = all may. */
static void access_at(const Form *f, Bad b, uint64_t ea, uint64_t bad_at, uint64_t *rng)
{
    Regs r;
    Caught c = {0};
    uint32_t words[2] = {f->words[0], f->words[1]};
    unsigned n = f->kind == STX ? 2 : 1;
    random_regs(&r, rng);
    r.x[1] = ea - (uint64_t)(int64_t)f->offset;
    if (f->kind == LIT) {
        words[0] = with_literal(words[0], r.pc, ea);
    }
    write_code(r.pc, words, n);
    bool misaligned = must_align(f, ea);
    uint64_t pc = r.pc + (n == 2 && !misaligned ? 4 : 0); /* a misaligned pair faults at its load */
    run(&r, &c);
    if (misaligned) {
        expect_signal(&c, SIGBUS, BUS_ADRALN, ea, pc);
        expect_regs(&c.r, &r, 0, 0);
        expect("ESR.EC", c.esr >> 26, EC_DATA);
        expect("ESR.DFSC", c.esr & 0x3f, 0x21);
        expect("ESR.WnR", c.esr >> 6 & 1, f->kind == ST);
        check_memory(b, 0, 0);
    } else if (bad_at) {
        uint64_t addr = f->kind == ZVA && c.addr / 64 == bad_at / 64 ? c.addr : bad_at;
        expect_signal(&c, SIGSEGV, b == UNMAPPED ? SEGV_MAPERR : SEGV_ACCERR, addr, pc);
        bool several = loads_several(f);
        expect_regs(&c.r, &r, f->kind == STX ? 0x50 : several ? 0x60 : 0, several ? 0x1e0 : 0);
        expect("ESR.EC", c.esr >> 26, EC_DATA);
        expect("ESR.IL", c.esr >> 25 & 1, 1);
        bool read_faults = b != READ_ONLY;
        expect("ESR.WnR", c.esr >> 6 & 1, writes(f->kind) && !(f->kind == RMW && read_faults));
        expect("ESR.DFSC", c.esr & 0x3c, b == READ_ONLY ? 0x0c : 0x04); /* permission or translation, any level */
        check_memory(b, writes(f->kind) ? ea : 0, f->bytes);
    } else {
        expect_signal(&c, SIGTRAP, TRAP_BRKPT, r.pc + 4 * n, r.pc + 4 * n);
        bool base_loaded = (f->words[0] & 31) == 1 || strstr(f->text, ", x1,");
        r.x[1] += (uint64_t)(int64_t)f->writeback;
        expect_regs(&c.r, &r, 0xf0 | (base_loaded ? 2 : 0), 0x1e0);
        check_memory(b, writes(f->kind) ? ea : 0, f->bytes);
    }
}

static void form_test(const Form *f, uint64_t *rng)
{
    for (Bad b = NONE; b < BADS; b++) {
        if ((b == READ_ONLY && !writes(f->kind)) || (f->kind == STX && b != READ_ONLY)) {
            continue;
        }
        uint64_t low = (uint64_t)area[b], high = low + GOOD;
        int step = f->kind == LIT ? 4 : f->kind == ZVA ? 64 : 1;
        for (int k = 0; k <= f->bytes; k += step) {
            uint64_t ea = high - (uint64_t)k;
            snprintf(what, sizeof what, "%s, %s, %d of %d bytes before the page", f->text, bad_names[b], k, f->bytes);
            access_at(f, b, ea, k < f->bytes ? high : 0, rng);
            ea = low - (uint64_t)k;
            snprintf(what, sizeof what, "%s, %s, %d of %d bytes in the page before", f->text, bad_names[b], k, f->bytes);
            access_at(f, b, ea, k > 0 ? ea : 0, rng);
        }
    }
}

/* The words of all forms, in order, each at the start of 8 bytes. */
__asm__(".pushsection .rodata\n .balign 8\n .globl form_words\nform_words:\n .popsection");
#define FORM(text, kind, bytes, offset, writeback, align, feature)                                          \
    __asm__(".pushsection .rodata\n .balign 8, 0\n " text "\n .balign 8, 0\n .popsection");
__asm__(".arch armv8.4-a");
#include "forms.def"
__asm__(".arch armv8.2-a");
#undef FORM
extern const uint32_t form_words[][2];

static Form forms[] = {
#define FORM(text, kind, bytes, offset, writeback, align, feature)                                          \
    {text, NULL, kind, bytes, offset, writeback, align, feature},
#include "forms.def"
#undef FORM
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static void test_access(void)
{
    uint64_t rng = 1;
    unsigned ran = 0;
    for (unsigned i = 0; i < FORMS; i++) {
        forms[i].words = form_words[i];
        if (forms[i].feature && !(getauxval(AT_HWCAP) & forms[i].feature)) {
            continue;
        }
        form_test(&forms[i], &rng);
        ran++;
    }
    printf("%u forms\n", ran);
}

/* Misaligned accesses well inside good memory. */
static void test_align(void)
{
    uint64_t rng = 2;
    for (unsigned i = 0; i < FORMS; i++) {
        Form *f = &forms[i];
        f->words = form_words[i];
        if (f->align == ANY || (f->feature && !(getauxval(AT_HWCAP) & f->feature))) {
            continue;
        }
        for (uint64_t at = 0; at < 16; at++) {
            snprintf(what, sizeof what, "%s, at %llu modulo 16", f->text, (unsigned long long)at);
            access_at(f, READ_ONLY, (uint64_t)area[READ_ONLY] + 2048 + at, 0, &rng);
        }
    }
}

/* -- the rest ----------------------------------------------------------------------------------------------------- */

/* Runs words and expects this signal at the first of them; SIGTRAP means: no fault. */
static void insn_test(const char *name, const uint32_t *words, unsigned n, int sig, int si_code)
{
    static uint64_t rng = 3;
    Regs r;
    Caught c = {0};
    snprintf(what, sizeof what, "%s (%08x)", name, words[0]);
    random_regs(&r, &rng);
    write_code(r.pc, words, n);
    run(&r, &c);
    uint64_t pc = r.pc + (sig == SIGTRAP && si_code == TRAP_BRKPT && (words[0] & 0xffe0001f) != 0xd4200000 ? 4 * n : 0);
    expect_signal(&c, sig, si_code, pc, pc);
    if (pc == r.pc) {
        expect_regs(&c.r, &r, 0, 0);
    }
}

static void test_undef(void)
{
    static const struct {
        const char *name;
        uint32_t word;
    } rows[] = {
        {"udf #0", 0x00000000},
        {"udf #0xffff", 0x0000ffff},
        {"unallocated", 0x02000000},
        {"unallocated", 0xffffffff},
        {"hvc #0", 0xd4000002},
        {"smc #0", 0xd4000003},
        {"hlt #1", 0xd4400020},
        {"dcps1", 0xd4a00001},
        {"dcps3", 0xd4a00003},
        {"eret", 0xd69f03e0},
        {"drps", 0xd6bf03e0},
        {"mrs x0, sctlr_el1", 0xd5381000},
        {"msr sctlr_el1, x0", 0xd5181000},
        {"mrs x0, ttbr0_el1", 0xd5382000},
        {"mrs x0, esr_el1", 0xd5385200},
        {"mrs x0, elr_el1", 0xd5384020},
        {"msr elr_el1, x0", 0xd5184020},
        {"mrs x0, currentel", 0xd5384240},
        {"mrs x0, vbar_el1", 0xd538c000},
        {"mrs x0, hcr_el2", 0xd53c1100},
        {"mrs x0, scr_el3", 0xd53e1100},
        {"mrs x0, spsr_el1", 0xd5384000},
        {"msr sp_el0, x0", 0xd5184100},
        {"msr tpidr_el1, x0", 0xd518d080},
        {"msr spsel, #1", 0xd50041bf},
        {"msr daifset, #2", 0xd50342df},
        {"mrs x0, daif", 0xd53b4220},
        {"tlbi vmalle1", 0xd508871f},
        {"ic iallu", 0xd508751f},
        {"ic ialluis", 0xd508711f},
        {"dc isw, x0", 0xd5087640},
        {"dc ivac, x0", 0xd5087620},
        {"at s1e1r, x0", 0xd5087800},
        {"sys #0, c0, c0, #0", 0xd5080000},
        {"mrs of an unknown register", 0xd53bf000},
        {"msr tpidrro_el0, x0", 0xd51bd060},
        {"msr ctr_el0, x0", 0xd51b0020},
        {"msr midr_el1, x0", 0xd5180000},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        insn_test(rows[i].name, &rows[i].word, 1, SIGILL, ILL_ILLOPC);
    }
    for (uint32_t imm = 0; imm < 0x10000; imm += imm < 3 ? 1 : 4369) {
        uint32_t brk = 0xd4200000 | imm << 5;
        if (imm != 0x800 && imm != 0x900) { /* the kernel's own */
            insn_test("brk", &brk, 1, SIGTRAP, TRAP_BRKPT);
        }
    }
    /* Hints and barriers, known or not, do nothing. */
    for (uint32_t imm = 0; imm < 128; imm++) {
        uint32_t hint = 0xd503201f | imm << 5;
        bool pauth = imm == 7 || (imm >= 8 && imm < 16) || (imm >= 24 && imm < 32) || imm == 3 || imm == 2;
        if (!pauth) {
            insn_test("hint", &hint, 1, SIGTRAP, TRAP_BRKPT);
        }
    }
    /* A system call's immediate does not matter. */
    for (uint32_t imm = 0; imm < 0x10000; imm += 0x1555) {
        Regs r;
        Caught c = {0};
        uint64_t rng = 4;
        uint32_t svc = 0xd4000001 | imm << 5;
        snprintf(what, sizeof what, "svc #%#x", imm);
        random_regs(&r, &rng);
        r.x[8] = SYS_getpid;
        write_code(r.pc, &svc, 1);
        run(&r, &c);
        expect_signal(&c, SIGTRAP, TRAP_BRKPT, r.pc + 4, r.pc + 4);
        r.x[0] = (uint64_t)getpid();
        expect_regs(&c.r, &r, 0, 0);
    }
}

/* SP as base must be a multiple of 16. */
static void test_sp(void)
{
    static const uint32_t words[] = {0xf94003e5 /* ldr x5, [sp] */, 0xf90007e5 /* str x5, [sp, #8] */,
                                     0xa9bf17e4 /* stp x4, x5, [sp, #-16]! */, 0xf84107e5 /* ldr x5, [sp], #16 */};
    uint64_t rng = 5;
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (unsigned off = 0; off < 16; off += i + 1) {
            Regs r;
            Caught c = {0};
            snprintf(what, sizeof what, "access by a stack pointer at %u modulo 16 (%08x)", off, words[i]);
            random_regs(&r, &rng);
            r.sp += off;
            write_code(r.pc, &words[i], 1);
            run(&r, &c);
            if (off) {
                expect_signal(&c, SIGBUS, BUS_ADRALN, r.sp, r.pc);
                expect_regs(&c.r, &r, 0, 0);
                expect("ESR.EC", c.esr >> 26, EC_SP);
            } else {
                expect_signal(&c, SIGTRAP, TRAP_BRKPT, r.pc + 4, r.pc + 4);
            }
        }
    }
}

/* Branches to where there is no code: the pc is the target. */
static void test_branch(void)
{
    static const uint32_t words[] = {0xd61f0020 /* br x1 */, 0xd63f0020 /* blr x1 */, 0xd65f0020 /* ret x1 */};
    const struct {
        const char *name;
        uint64_t to;
        int sig, code;
        unsigned ec;
    } rows[] = {
        {"a page without execute permission", (uint64_t)code + PAGE + 8, SIGSEGV, SEGV_ACCERR, EC_INSN},
        {"PROT_NONE", (uint64_t)area[NONE] + GOOD + 16, SIGSEGV, SEGV_ACCERR, EC_INSN},
        {"no page", (uint64_t)area[UNMAPPED] + GOOD + 16, SIGSEGV, SEGV_MAPERR, EC_INSN},
        {"address 0", 0, SIGSEGV, SEGV_MAPERR, EC_INSN},
        {"a misaligned address", (uint64_t)code + 130, SIGBUS, BUS_ADRALN, EC_PC},
        {"an odd address without page", (uint64_t)area[UNMAPPED] + GOOD + 17, SIGBUS, BUS_ADRALN, EC_PC},
    };
    uint64_t rng = 6;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned k = 0; k < sizeof words / sizeof words[0]; k++) {
            Regs r;
            Caught c = {0};
            snprintf(what, sizeof what, "%s to %s", k == 0 ? "br" : k == 1 ? "blr" : "ret", rows[i].name);
            random_regs(&r, &rng);
            r.x[1] = rows[i].to;
            write_code(r.pc, &words[k], 1);
            run(&r, &c);
            expect_signal(&c, rows[i].sig, rows[i].code, rows[i].to, rows[i].to);
            expect("ESR.EC", c.esr >> 26, rows[i].ec);
            if (k == 1) {
                r.x[30] = r.pc + 4;
            }
            expect_regs(&c.r, &r, 0, 0);
        }
    }
    /* Running off the end of the last page with code. */
    Regs r;
    Caught c = {0};
    snprintf(what, sizeof what, "running into the next page");
    random_regs(&r, &rng);
    r.pc = (uint64_t)code + PAGE - 8;
    static const uint32_t nops[2] = {0xd503201f, 0x91000421 /* add x1, x1, #1 */};
    memcpy((void *)r.pc, nops, 8);
    __builtin___clear_cache((char *)r.pc, (char *)r.pc + 8);
    run(&r, &c);
    expect_signal(&c, SIGSEGV, SEGV_ACCERR, (uint64_t)code + PAGE, (uint64_t)code + PAGE);
    r.x[1]++;
    expect_regs(&c.r, &r, 0, 0);
}

/* Branch targets in a guarded page. */
static void test_bti(void)
{
    if (!(getauxval(AT_HWCAP2) & HWCAP2_BTI)) {
        printf("no BTI\n");
        return;
    }
    enum { BR = 0xd61f0000, BLR = 0xd63f0000, RET = 0xd65f0000, NOP = 0xd503201f, BTI_C = 0xd503245f, BTI_J = 0xd503249f,
           BTI_JC = 0xd50324df, BTI = 0xd503241f, PACIASP = 0xd503233f, BRK = 0xd4200000 };
    static const struct {
        uint32_t branch, reg, target;
        bool ok;
    } rows[] = {
        {BR, 1, NOP, false},   {BLR, 1, NOP, false},   {RET, 1, NOP, true},    {BR, 16, NOP, false},  {BR, 1, BTI_J, true},
        {BR, 1, BTI_C, false}, {BR, 16, BTI_C, true},  {BR, 17, BTI_C, true},  {BLR, 1, BTI_C, true}, {BLR, 1, BTI_J, false},
        {BLR, 1, BTI_JC, true}, {BR, 1, BTI_JC, true}, {BR, 1, BTI, false},    {BLR, 16, NOP, false}, {BR, 1, BRK, true},
        {BLR, 1, BRK, true},    {BLR, 1, PACIASP, true}, {BR, 16, PACIASP, true}, {BR, 1, PACIASP, false},
    };
    uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC | 0x10, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t rng = 7;
    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        Regs r;
        Caught c = {0};
        bool from_guarded = i & 1; /* from an unguarded page every BR is like one by X16 */
        uint32_t branch = rows[i / 2].branch | rows[i / 2].reg << 5, target = rows[i / 2].target;
        uint64_t to = (uint64_t)page + 16;
        bool ok = rows[i / 2].ok || (!from_guarded && rows[i / 2].branch == BR && (target == BTI_C || target == PACIASP));
        snprintf(what, sizeof what, "BTI: %08x to %08x from %s page", branch, target, from_guarded ? "a guarded" : "another");
        random_regs(&r, &rng);
        r.x[rows[i / 2].reg] = to;
        r.pc = from_guarded ? (uint64_t)page + 128 : r.pc;
        write_code(r.pc, &branch, 1);
        write_code(to, &target, 1);
        run(&r, &c);
        if (!ok) {
            expect_signal(&c, SIGILL, ILL_ILLOPC, to, to);
        } else {
            uint64_t end = to + (target == BRK ? 0 : 4);
            expect_signal(&c, SIGTRAP, TRAP_BRKPT, end, end);
        }
    }
}

static const struct {
    const char *name;
    void (*fn)(void);
} parts[] = {{"access", test_access}, {"align", test_align}, {"undef", test_undef}, {"sp", test_sp},
             {"branch", test_branch}, {"bti", test_bti}};

int main(int argc, char **argv)
{
    static uint8_t stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alt, NULL);
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&sa.sa_mask);
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &sa, NULL);
    }
    no_esr = argc > 1 && strcmp(argv[1], "-E") == 0;
    int first = 1 + no_esr;
    code = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(code + PAGE, PAGE, PROT_READ | PROT_WRITE);
    make_areas();
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        bool wanted = first == argc;
        for (int k = first; k < argc; k++) {
            wanted |= strcmp(argv[k], parts[i].name) == 0;
        }
        if (wanted) {
            unsigned before = failures;
            parts[i].fn();
            printf("%s %s\n", failures == before ? "ok" : "FAILED", parts[i].name);
            fflush(stdout);
        }
    }
    printf("%u checks, %u failed\n", checks, failures);
    return failures != 0;
}
