/* b_fp.c - what exact floating point costs: guest instructions in three engines, in nanoseconds each.
 *
 * usage: b_fp [MILLIONS]      (loops of 16 instructions, 20 million unless told)
 * exact: as armx runs (docs/floating-point.md). watched: as for a program that looks at FPSR, with the check for underflow
 * before rounding. plain: invalid operations masked and no check for traps, which is what NaN payloads, default NaNs,
 * saturation and FPSR.IOC would be traded for. A chain is 16 instructions of which each needs the one before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cpu.h"

enum { BODY = 16, ENGINES = 3, CODE_PC = 0x10000, SUBS = 0xf1000400 | 28 << 5 | 28, B_NE = 0x54000001, HLT = 0xd4400000 };

typedef struct Row {
    const char *name;
    uint32_t word;  /* to register 0, from 16, 17, 18 */
    uint32_t chain; /* the operand that is to be register 0; 0: there is no chain */
} Row;

enum { RN = 31 << 5, RA = 31 << 10, RD = 31 };
static const Row rows[] = {
    {"fadd d", 0x1e712a00, RN}, {"fmul d", 0x1e710a00, RN}, {"fdiv d", 0x1e711a00, RN},
    {"fsqrt d", 0x1e61c200, RN}, {"fmadd d", 0x1f514a00, RA}, {"fmax d", 0x1e714a00, RN},
    {"fmaxnm d", 0x1e716a00, RN}, {"fcvtzs x, d", 0x9e780200, 0}, {"fcvtns x, d", 0x9e600200, 0},
    {"frinta d", 0x1e664200, RN}, {"fcvt s, d", 0x1e624200, 0}, {"fadd 4s", 0x4e31d600, RN},
    {"fmul 4s", 0x6e31de00, RN}, {"fmla 4s", 0x4e31ce00, RD}, {"fmax 4s", 0x4e31f600, RN},
    {"fcmgt 4s", 0x6eb1e600, 0}, {"fcvtzs 4s", 0x4ea1ba00, 0}, {"fmul 2d", 0x6e71de00, RN},
};

static uint32_t code[BODY + 3];

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t at = pc.v - CODE_PC;
    *avail = at < sizeof code ? (uint32_t)(sizeof code - at) : 0;
    return *avail ? (const uint8_t *)code + at : NULL;
}
static Space space = {.fetch = fetch};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_loop(const Row *r, bool chain)
{
    for (unsigned i = 0; i < BODY; i++) {
        code[i] = chain ? r->word & ~r->chain : r->word | i;
    }
    code[BODY] = SUBS;
    code[BODY + 1] = B_NE | ((uint32_t)-(BODY + 1) & 0x7ffff) << 5;
    code[BODY + 2] = HLT;
}

static double measure(Engine *e, CpuA64 *cpu, uint64_t loops)
{
    engine_invalidate(e, gva(CODE_PC), sizeof code);
    double best = 1e9;
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 0; i < 32; i++) {
            double v = i == 17 ? 1.0 : 1.0 + i / 64.0; /* a chain of quotients shall not become tiny */
            memcpy(&cpu->v[i].d[0], &v, sizeof v);
            cpu->v[i].d[1] = cpu->v[i].d[0];
        }
        cpu->x[28] = n ? loops / BODY : 1000;
        cpu->pc = CODE_PC;
        double begin = now();
        ExcKind kind = engine_run(&cpu->h);
        double took = (now() - begin) * 1e9 / (double)(loops / BODY * BODY);
        if (kind != EXC_HLT) {
            BUG("the loop ended with %d", kind);
        }
        best = n && took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const uint32_t off[ENGINES] = {OFF_UFC, 0, OFF_UFC | OFF_FP_TRAPS};
    Engine *engines[ENGINES];
    CpuA64 *cpus[ENGINES];
    uint64_t loops = (argc > 1 ? strtoull(argv[1], NULL, 0) : 20) * 1000000;
    for (unsigned k = 0; k < ENGINES; k++) {
        engines[k] = engine_new(&(EngineConfig){.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space, .no_opt = off[k]});
        cpus[k] = aligned_alloc(64, ALIGN_UP(sizeof *cpus[k], 64));
        ASSERT(engines[k] && cpus[k]);
        memset(cpus[k], 0, sizeof *cpus[k]);
        cpus[k]->model = a64_model("max");
        if (engine_cpu_init(engines[k], &cpus[k]->h) < 0) {
            BUG("no memory");
        }
        engine_fpsr_watched(engines[k]);
        engine_fpcr_changed(&cpus[k]->h);
    }
    printf("| instruction | exact | watched | plain | exact / plain |\n|---|---:|---:|---:|---:|\n");
    for (unsigned i = 0; i < LEN(rows); i++) {
        for (unsigned chain = 0; chain < (rows[i].chain ? 2 : 1); chain++) {
            double ns[ENGINES];
            make_loop(&rows[i], chain);
            for (unsigned k = 0; k < ENGINES; k++) {
                ns[k] = measure(engines[k], cpus[k], loops);
            }
            printf("| %s%s | %.2f | %.2f | %.2f | %.2f |\n", rows[i].name, chain ? ", chain" : "", ns[0], ns[1], ns[2], ns[0] / ns[2]);
        }
    }
    return 0;
}
