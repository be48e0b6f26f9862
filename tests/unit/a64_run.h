/* a64_run.h - runs a few A64 instructions for unit tests, in each engine that there is.
 *
 * Use: a64_run_cpu() gives a zeroed CPU; set registers (FPSR bits too); a64_run() executes the words and stops behind
 * the last one or at an exception; then read registers, and FPSR in h.fp.fpsr. Code lies at A64_RUN_PC; data
 * accesses go to host memory as they are. One thread at a time.
 */
#ifndef ARMX_TESTS_A64_RUN_H
#define ARMX_TESTS_A64_RUN_H

#include <signal.h>
#include <stdlib.h>

#include "frontend/aarch64/cpu.h"

enum { A64_RUN_PC = 0x10000, A64_RUN_MAX = 16, A64_RUN_HLT = 0xd4400000u };

typedef enum A64RunMode { A64_RUN_INTERP, A64_RUN_JIT, A64_RUN_MODES } A64RunMode;

static inline const char *a64_run_mode_name(A64RunMode mode)
{
    static const char *const names[] = {"interpreter", "translated"};
    return names[mode];
}

static CpuA64 a64_run_state __attribute__((aligned(64)));
static uint32_t a64_run_code[A64_RUN_MAX + 1];

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

static inline void a64_run_signal(int sig, siginfo_t *info, void *uc)
{
    (void)info;
    if (engine_sync(&a64_run_state.h, uc) != SYNC_PRECISE) {
        BUG("signal %d outside translated code", sig);
    }
    engine_fp_trap(&a64_run_state.h, uc);
}

static inline Engine *a64_run_engine(A64RunMode mode)
{
    static Space space = {.fetch = a64_run_fetch};
    static Engine *engines[A64_RUN_MODES];
    if (!engines[mode]) {
        struct sigaction sa = {.sa_sigaction = a64_run_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        stack_t ss = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
        sigaltstack(&ss, NULL);
        sigaction(SIGFPE, &sa, NULL);
        engines[mode] = engine_new(&(EngineConfig){
            .fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space, .interp = mode == A64_RUN_INTERP});
        ASSERT(engines[mode]);
    }
    return engines[mode];
}

/* Executes n words; EXC_HLT when execution reached the address behind them. */
static inline ExcKind a64_run(A64RunMode mode, const uint32_t *words, unsigned n)
{
    Engine *e = a64_run_engine(mode);
    CpuHead *h = &a64_run_state.h;
    uint32_t fpsr = h->fp.fpsr;
    memcpy(a64_run_code, words, 4 * n);
    a64_run_code[n] = A64_RUN_HLT;
    a64_run_state.pc = A64_RUN_PC;
    if (engine_cpu_init(e, h) < 0) {
        BUG("no memory");
    }
    engine_fpcr_changed(h);
    engine_set_fpsr(h, fpsr);
    engine_invalidate(e, gva(A64_RUN_PC), sizeof a64_run_code);
    ExcKind kind = engine_run(h);
    h->fp.fpsr = engine_fpsr(h);
    engine_cpu_free(h);
    return kind;
}

#endif
