/* a64_run.h - runs a few A64 instructions for unit tests, in each engine that there is.
 *
 * Use: a64_run_cpu() gives a zeroed CPU; set registers; a64_run() executes the words and stops behind the last one or
 * at an exception. Code lies at A64_RUN_PC; data accesses go to host memory as they are. One thread at a time.
 */
#ifndef ARMX_TESTS_A64_RUN_H
#define ARMX_TESTS_A64_RUN_H

#include <stdlib.h>

#include "frontend/aarch64/cpu.h"
#include "ir/interp.h"

enum { A64_RUN_PC = 0x10000, A64_RUN_MAX = 16, A64_RUN_IR = 8192 };

typedef enum A64RunMode { A64_RUN_INTERP, A64_RUN_MODES } A64RunMode;

static inline const char *a64_run_mode_name(A64RunMode mode)
{
    static const char *const names[] = {"interp"};
    return names[mode];
}

static CpuA64 a64_run_state;
static uint32_t a64_run_code[A64_RUN_MAX];

static inline const uint8_t *a64_run_fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t at = pc.v - A64_RUN_PC;
    *avail = at < sizeof a64_run_code ? (uint32_t)(sizeof a64_run_code - at) : 0;
    return *avail ? (const uint8_t *)a64_run_code + at : NULL;
}

static inline CpuA64 *a64_run_cpu(void)
{
    memset(&a64_run_state, 0, sizeof a64_run_state);
    a64_run_state.model = a64_model("max");
    return &a64_run_state;
}

static inline ExcKind a64_run_interp(Space *s, uint64_t end)
{
    static IrIns ins[A64_RUN_IR];
    static IrRegion region;
    CpuA64 *cpu = &a64_run_state;
    void *scratch = aligned_alloc(16, ALIGN_UP(ir_interp_bytes(A64_RUN_IR), 16));
    ExcKind e = EXC_NONE;
    while (e == EXC_NONE && cpu->pc != end) {
        uint64_t key = a64_frontend.key(&cpu->h);
        a64_frontend.translate(cpu->model, s, gva(cpu->pc), key | KEY_ONE_INSN, 1, &region, ins, A64_RUN_IR);
        e = ir_interp_run(&a64_frontend, &region, &cpu->h, 0, scratch);
    }
    free(scratch);
    return e;
}

/* Executes n words; EXC_NONE when execution reached the address behind them. */
static inline ExcKind a64_run(A64RunMode mode, const uint32_t *words, unsigned n)
{
    static Space space = {.fetch = a64_run_fetch};
    memset(a64_run_code, 0, sizeof a64_run_code);
    memcpy(a64_run_code, words, 4 * n);
    a64_run_state.pc = A64_RUN_PC;
    switch (mode) {
    case A64_RUN_INTERP: return a64_run_interp(&space, A64_RUN_PC + 4ull * n);
    default: BUG("mode %d", mode);
    }
}

#endif
