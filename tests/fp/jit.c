/* jit.c - guest loops that run one instruction over many inputs in translated code.
 *
 * A loop loads an input, runs the instruction, and stores the result; clears FPSR before and stores it too, if asked.
 * Inputs that are invalid operations go through an engine of their own: they trap, and a site that traps often is
 * translated to the slow way, while all other inputs shall meet the host's instruction.
 */
#include <capstone/capstone.h>
#include <signal.h>
#include <stdlib.h>

#include "exhaust.h"
#include "tb.h"

enum { LOOPS = 16 * MODES, LOOP_WORDS = 44, UNROLL = 8 };
enum { IN = 19, OUT = 20, FLAGS = 21, LEFT = 22 }; /* X registers of a loop: addresses, and how many rounds are left */

const char *const jit_names[ENGINES] = {"jit", "jit-avx2"};
const char *const jit_vectors[ENGINES] = {"jit, vector", "jit-avx2, vector"};
uint64_t jit_traps;
uint16_t jit_second;

typedef struct Side {
    Engine *engine;
    CpuA64 *cpu;
} Side;
static Side sides[ENGINES][2]; /* [1]: for inputs that trap */
static Side *running;
static bool count_traps;
static csh capstone;
static uint32_t code[LOOPS][LOOP_WORDS];
static uint64_t base = 0x10000; /* its address */

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t at = pc.v - base;
    *avail = at < sizeof code ? (uint32_t)(sizeof code - at) : 0;
    return *avail ? (const uint8_t *)code + at : NULL;
}
static Space space = {.fetch = fetch};

static void on_fpe(int sig, siginfo_t *info, void *uc)
{
    (void)info;
    if (!running || engine_sync(&running->cpu->h, uc) != SYNC_PRECISE) {
        BUG("signal %d outside translated code", sig);
    }
    jit_traps += count_traps;
    engine_fp_trap(&running->cpu->h, uc);
}

void jit_init(void)
{
    struct sigaction sa = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t ss = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
    sigaltstack(&ss, NULL);
    sigaction(SIGFPE, &sa, NULL);
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) || cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON)) {
        BUG("capstone");
    }
    for (unsigned k = 0; k < 2 * ENGINES; k++) {
        Side *s = &sides[k / 2][k % 2];
        s->engine = engine_new(&(EngineConfig){.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space,
                                               .cache_bytes = 16 << 20, .no_opt = k / 2 ? OFF_AVX512 : 0});
        s->cpu = aligned_alloc(64, ALIGN_UP(sizeof *s->cpu, 64));
        ASSERT(s->engine && s->cpu);
        memset(s->cpu, 0, sizeof *s->cpu);
        s->cpu->model = a64_model("max");
        if (engine_cpu_init(s->engine, &s->cpu->h) < 0) {
            BUG("no memory");
        }
    }
}

/* Runs the loop of k's code over memory; returns FPSR. */
static uint32_t run(Side *s, const Loop *l, uint64_t pc, const void *in, void *out, uint32_t *flags, unsigned count)
{
    CpuA64 *cpu = s->cpu;
    cpu->h.fp.fpcr = l->mode << FPCR_RMODE_SHIFT;
    engine_fpcr_changed(&cpu->h);
    engine_set_fpsr(&cpu->h, 0);
    cpu->x[IN] = (uintptr_t)in;
    cpu->x[OUT] = (uintptr_t)out;
    cpu->x[FLAGS] = (uintptr_t)flags;
    cpu->x[LEFT] = count;
    for (unsigned k = 0; k < 8; k++) {
        cpu->v[2].h[k] = jit_second;
    }
    cpu->pc = pc;
    running = s;
    count_traps = !l->trapping;
    ExcKind kind = engine_run(&cpu->h);
    running = NULL;
    if (kind != EXC_HLT) {
        BUG("the loop ended with %d", kind);
    }
    return engine_fpsr(&cpu->h);
}

enum { /* xN, vN as in the loop: registers of the first element */
    LDR_S = 0xbd400000, LDR_H = 0x7d400000, LDR_W = 0xb9400000, LDR_D = 0xfd400000, LDR_Q = 0x3dc00000,
    STR_S = 0xbd000001, STR_H = 0x7d000001, STR_D = 0xfd000001, STR_W = 0xb9000001, STR_X = 0xf9000001,
    STR_Q = 0x3d800001, CLEAR_FPSR = 0xd51b443f, READ_FPSR = 0xd53b4425, STR_FLAGS = 0xb9000005, ADD = 0x91000000,
    SUBS = 0xf1000000, B_NE = 0x54000001, HLT = 0xd4400000,
};

/* Loads from or stores to the k-th element behind Xbase. */
static uint32_t access(uint32_t word, unsigned base_reg, unsigned k)
{
    return word | k << 10 | base_reg << 5;
}

/* ADD or SUBS Xn, Xn, #imm */
static uint32_t add(uint32_t word, unsigned n, unsigned imm)
{
    return word | imm << 10 | n << 5 | n;
}

static uint32_t b_ne(int words)
{
    return (uint32_t)B_NE | ((uint32_t)words & 0x7ffff) << 5;
}

unsigned jit_lanes(const Row *r)
{
    return 16u >> (r->in > r->out ? r->in : r->out);
}

/* `unroll` units in each round. */
static void make_loop(const Loop *l, unsigned unroll, uint32_t *words)
{
    static const uint32_t store[] = {[E_H] = STR_H, [E_S] = STR_S, [E_D] = STR_D};
    const Row *r = l->row;
    bool general = r->kind == K_TOI || r->kind == K_CMP0;
    unsigned n = 0, lanes = l->vector ? jit_lanes(r) : 1;
    uint32_t load_in, store_out;
    if (l->vector) {
        load_in = lanes << r->in == 16 ? LDR_Q : LDR_D;
        store_out = lanes << r->out == 16 ? STR_Q : STR_D;
    } else {
        load_in = r->kind == K_FROMI ? LDR_W : r->in == E_H ? LDR_H : LDR_S;
        store_out = !general ? store[r->out] : r->out == E_D ? (uint32_t)STR_X : (uint32_t)STR_W;
    }
    for (unsigned k = 0; k < unroll; k++) {
        words[n++] = access(load_in, IN, k);
        if (l->each) {
            words[n++] = CLEAR_FPSR;
        }
        words[n++] = l->vector ? r->vector : r->scalar;
        if (r->then) {
            words[n++] = r->then;
        }
        if (l->each) {
            words[n++] = READ_FPSR;
            words[n++] = access(STR_FLAGS, FLAGS, k);
        }
        words[n++] = access(store_out, OUT, k);
    }
    words[n++] = add(ADD, IN, unroll * lanes << r->in);
    words[n++] = add(ADD, OUT, unroll * lanes << r->out);
    if (l->each) {
        words[n++] = add(ADD, FLAGS, 4 * unroll);
    }
    words[n++] = add(SUBS, LEFT, 1);
    words[n] = b_ne(-(int)n);
    words[++n] = HLT;
    ASSERT(n < LOOP_WORDS);
}

static unsigned loop_number(const Loop *l, bool unrolled)
{
    return l->mode * 16u + l->trapping * 8u + l->vector * 4u + l->each * 2u + unrolled;
}

/* Where the loop's code is: made anew when the row is another, at addresses that no loop had before, because an engine
 * remembers where instructions trapped. */
static uint64_t loop_pc(const Loop *l, bool unrolled)
{
    static const Row *row;
    unsigned which = loop_number(l, unrolled);
    if (row != l->row) {
        row = l->row;
        base += sizeof code;
        memset(code, 0, sizeof code);
    }
    if (!code[which][0]) {
        make_loop(l, unrolled ? UNROLL : 1, code[which]);
    }
    return base + which * sizeof code[0];
}

/* How many units are for the loop that is not unrolled. */
static unsigned singles_of(const Loop *l, unsigned units)
{
    return l->each ? units : units % UNROLL;
}

uint32_t jit_run(const Loop *l, const uint32_t *in, unsigned n, void *out, uint32_t *flags)
{
    static uint16_t halves[CHUNK];
    const Row *r = l->row;
    Side *s = &sides[l->engine][l->trapping];
    unsigned lanes = l->vector ? jit_lanes(r) : 1, units = n / lanes, rest = singles_of(l, units);
    const uint8_t *from = (const uint8_t *)in;
    if (r->in == E_H) {
        for (unsigned i = 0; i < n; i++) {
            halves[i] = (uint16_t)in[i];
        }
        from = (const uint8_t *)halves;
    }
    uint32_t all = 0;
    if (units > rest) {
        all = run(s, l, loop_pc(l, true), from, out, flags, units / UNROLL);
    }
    if (rest) {
        size_t done = (size_t)(units - rest) * lanes;
        all |= run(s, l, loop_pc(l, false), from + (done << r->in), (uint8_t *)out + (done << r->out), flags, rest);
    }
    return all;
}

static const Tb *tb_of(const Loop *l, bool unrolled, unsigned engine)
{
    const Side *s = &sides[engine][l->trapping];
    return tb_find(s->engine, loop_pc(l, unrolled), s->cpu->h.key, loop_pc(l, unrolled));
}

/* Bytes of an instruction that hold the distance to something outside its region: from *at on, 4 or none. *data: what is
 * there is a constant. */
static unsigned distance(const cs_insn *i, const Tb *tb, unsigned *at, const uint8_t **data)
{
    const cs_x86 *x = &i->detail->x86;
    *data = NULL;
    for (unsigned k = 0; k < x->op_count; k++) {
        const cs_x86_op *o = &x->operands[k];
        if (o->type == X86_OP_MEM && o->mem.base == X86_REG_RIP) {
            *at = x->encoding.disp_offset;
            *data = i->id == X86_INS_LEA ? NULL : (const uint8_t *)(uintptr_t)(i->address + i->size + (uint64_t)o->mem.disp);
            return 4;
        }
        bool jump = i->id == X86_INS_CALL || i->id == X86_INS_JMP || cs_insn_group(capstone, i, CS_GRP_JUMP);
        if (jump && o->type == X86_OP_IMM && (uint64_t)o->imm - (uintptr_t)tb->entry >= tb->size) {
            *at = x->encoding.imm_offset;
            return 4;
        }
    }
    return 0;
}

static bool same_insn(const cs_insn *a, const cs_insn *b, const Tb *ta, const Tb *tb)
{
    unsigned at_a = 0, at_b = 0;
    const uint8_t *data_a, *data_b;
    unsigned na = distance(a, ta, &at_a, &data_a), nb = distance(b, tb, &at_b, &data_b);
    if (a->size != b->size || na != nb || at_a != at_b || !data_a != !data_b || (data_a && memcmp(data_a, data_b, 16))) {
        return false;
    }
    uint8_t bytes[2][sizeof a->bytes];
    memcpy(bytes[0], a->bytes, sizeof a->bytes);
    memcpy(bytes[1], b->bytes, sizeof b->bytes);
    memset(bytes[0] + at_a, 0, na);
    memset(bytes[1] + at_b, 0, nb);
    return !memcmp(bytes[0], bytes[1], a->size);
}

static bool same_code(const Tb *ta, const Tb *tb)
{
    cs_insn *a, *b;
    if (ta->size != tb->size) {
        return false;
    }
    size_t na = cs_disasm(capstone, ta->entry, ta->size, (uintptr_t)ta->entry, 0, &a);
    size_t nb = cs_disasm(capstone, tb->entry, tb->size, (uintptr_t)tb->entry, 0, &b);
    bool same = na && na == nb && a[na - 1].address + a[na - 1].size == (uintptr_t)ta->entry + ta->size;
    for (size_t k = 0; k < na && same; k++) {
        same = same_insn(&a[k], &b[k], ta, tb);
    }
    cs_free(a, na);
    cs_free(b, nb);
    return same;
}

static bool same_loop(const Loop *l, bool unrolled)
{
    static const Tb *compared[LOOPS][2];
    static bool same[LOOPS];
    const Tb *ta = tb_of(l, unrolled, l->engine - 1), *tb = tb_of(l, unrolled, l->engine);
    unsigned k = loop_number(l, unrolled);
    if (!ta || !tb) {
        return false;
    }
    if (compared[k][0] != ta || compared[k][1] != tb) {
        compared[k][0] = ta;
        compared[k][1] = tb;
        same[k] = same_code(ta, tb);
    }
    return same[k];
}

bool jit_same(const Loop *l, unsigned n)
{
    unsigned units = n / (l->vector ? jit_lanes(l->row) : 1);
    return (!singles_of(l, units) || same_loop(l, false)) && (singles_of(l, units) == units || same_loop(l, true));
}
