/* jit.c - guest loops that run one instruction over many inputs in translated code.
 *
 * A loop loads an input, runs the instruction, and stores the result; clears FPSR before and stores it too, if asked.
 * Inputs that are invalid
 * operations go through an engine of their own: they trap, and a site that traps often is translated to the slow way,
 * while all other inputs shall meet the host's instruction.
 */
#include <signal.h>
#include <stdlib.h>

#include "exhaust.h"

enum { LOOPS = 8, LOOP_WORDS = 16 };

const char *const jit_names[ENGINES] = {"jit", "jit-avx2"};
const char *const jit_vectors[ENGINES] = {"jit, vector", "jit-avx2, vector"};
uint64_t jit_traps;

typedef struct Side {
    Engine *engine;
    CpuA64 *cpu;
} Side;
static Side sides[ENGINES][2]; /* [1]: for inputs that trap */
static Side *running;
static bool count_traps;
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
    cpu->x[10] = (uintptr_t)in;
    cpu->x[11] = (uintptr_t)out;
    cpu->x[12] = (uintptr_t)flags;
    cpu->x[13] = count;
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

enum { /* xN, vN as in the loop: x10 inputs, x11 results, x12 flags, x13 how many are left */
    LDR_S0 = 0xbc404540, LDR_H0 = 0x7c402540, LDR_W0 = 0xb8404540, LDR_D0 = 0xfc408540, LDR_Q0 = 0x3cc10540,
    STR_S1 = 0xbc008561, STR_H1 = 0x7c008561, STR_D1 = 0xfc008561, STR_W1 = 0xb8008561, STR_X1 = 0xf8008561,
    STR_Q1 = 0x3c810561, CLEAR_FPSR = 0xd51b443f, READ_FPSR = 0xd53b4425, STR_FLAGS = 0xb8004585, SUBS = 0xf10005ad,
    B_NE = 0x54000001, HLT = 0xd4400000,
};

static uint32_t b_ne(int words)
{
    return (uint32_t)B_NE | ((uint32_t)words & 0x7ffff) << 5;
}

unsigned jit_lanes(const Row *r)
{
    return 16u >> (r->in > r->out ? r->in : r->out);
}

static unsigned make_loop(const Loop *l, uint32_t *words)
{
    static const uint32_t store[] = {[E_H] = STR_H1, [E_S] = STR_S1, [E_D] = STR_D1};
    const Row *r = l->row;
    bool general = r->kind == K_TOI || r->kind == K_CMP0;
    unsigned k = 0, lanes = jit_lanes(r);
    if (l->vector) {
        words[k++] = lanes << r->in == 16 ? LDR_Q0 : LDR_D0;
    } else {
        words[k++] = r->kind == K_FROMI ? LDR_W0 : r->in == E_H ? LDR_H0 : LDR_S0;
    }
    if (l->each) {
        words[k++] = CLEAR_FPSR;
    }
    words[k++] = l->vector ? r->vector : r->scalar;
    if (r->then) {
        words[k++] = r->then;
    }
    if (l->each) {
        words[k++] = READ_FPSR;
        words[k++] = STR_FLAGS;
    }
    if (l->vector) {
        words[k++] = lanes << r->out == 16 ? STR_Q1 : STR_D1;
    } else {
        words[k++] = !general ? store[r->out] : r->out == E_D ? (uint32_t)STR_X1 : (uint32_t)STR_W1;
    }
    words[k++] = SUBS;
    words[k] = b_ne(-(int)k);
    words[++k] = HLT;
    return k + 1;
}

/* Where the loop's code is: made anew when the row or mode is another, at addresses that no loop had before, because
 * an engine remembers where instructions trapped. */
static uint64_t loop_pc(const Loop *l)
{
    static const Row *row;
    static unsigned mode;
    unsigned which = l->trapping * 4u + l->vector * 2u + l->each;
    if (row != l->row || mode != l->mode) {
        row = l->row;
        mode = l->mode;
        base += sizeof code;
        memset(code, 0, sizeof code);
    }
    if (!code[which][0]) {
        make_loop(l, code[which]);
    }
    return base + which * sizeof code[0];
}

uint32_t jit_run(const Loop *l, const uint32_t *in, unsigned n, Result *out)
{
    static uint8_t results[8 * CHUNK] __attribute__((aligned(16)));
    static uint16_t halves[CHUNK];
    static uint32_t flags[CHUNK];
    const Row *r = l->row;
    bool half = r->in == E_H;
    unsigned lanes = l->vector ? jit_lanes(r) : 1, step = l->vector ? 1u << r->out : 8;
    for (unsigned i = 0; half && i < n; i++) {
        halves[i] = (uint16_t)in[i];
    }
    uint32_t all = run(&sides[l->engine][l->trapping], l, loop_pc(l), half ? (const void *)halves : (const void *)in, results,
                       flags, n / lanes);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *at = results + (size_t)i * step;
        out[i].flags = l->each ? flags[i / lanes] : all;
        out[i].bits = r->out == E_D ? *(const uint64_t *)(const void *)at
                      : r->out == E_S ? *(const uint32_t *)(const void *)at
                                      : *(const uint16_t *)(const void *)at;
    }
    return all;
}
