/* t_a64_base.c - A64 base instructions in the IR interpreter: rows beside the golden vectors (t_vectors.c), and how regions end.
 *
 * Add an instruction's row to tests/rows/a64_base.rows; an exit's to `exits`.
 */
#include <criterion/criterion.h>

#include "a64_vectors.h"

static FILE *rows_file(const char *name)
{
    static const char self[] = __FILE__;
    char path[sizeof self + 40];
    snprintf(path, sizeof path, "%.*s/../rows/%s", (int)(strrchr(self, '/') - self), self, name);
    FILE *f = fopen(path, "r");
    cr_assert(f, "%s", path);
    return f;
}

static void run_rows(uint64_t key)
{
    VecMachine *m = vec_machine(a64_model("max"));
    FILE *f = rows_file("a64_base.rows");
    m->key = key;
    vec_file(m, f);
    fclose(f);
    printf("%lu passed, %lu failed\n", m->passed, m->failed);
    cr_assert(m->passed > 80 && m->failed == 0);
}

Test(a64_base, rows)
{
    run_rows(0);
}

Test(a64_base, rows_with_strict_monitors)
{
    run_rows(KEY_SHARED | KEY_STRICT);
}

Test(a64_base, rows_one_by_one)
{
    run_rows(KEY_ONE_INSN);
}

/* One word as a region: the exit's kind and .imm, and the pc after it relative to the word. */
static const struct Exit {
    const char *model, *text;
    uint32_t word;
    ExcKind kind;
    int32_t imm;
    int64_t pc;
} exits[] = {
    {"max", "svc #0", 0xd4000001, EXC_SVC, 0, 4},
    {"max", "svc #0xffff", 0xd41fffe1, EXC_SVC, 0xffff, 4},
    {"max", "brk #1", 0xd4200020, EXC_BRK, 1, 0},
    {"max", "hlt #0xf000", 0xd45e0000, EXC_HLT, 0xf000, 0},
    {"max", "udf #0", 0x00000000, EXC_UNDEF, 0, 0},
    {"max", "msr daifset, #2", 0xd50342df, EXC_SYSTRAP, (int32_t)0xd50342df, 0},
    {"max", "mrs x0, daif", 0xd53b4220, EXC_SYSTRAP, (int32_t)0xd53b4220, 0},
    {"max", "mrs x0, cntpct_el0", 0xd53be020, EXC_SYSTRAP, (int32_t)0xd53be020, 0},
    {"max", "mrs x0, pmccntr_el0", 0xd53b9d00, EXC_SYSTRAP, (int32_t)0xd53b9d00, 0},
    {"max", "mrs x0, sctlr_el1", 0xd5381000, EXC_UNDEF, (int32_t)0xd5381000, 0},
    {"max", "yield", 0xd503203f, EXC_HINT, 1, 4},
    {"max", "wfe", 0xd503205f, EXC_HINT, 2, 4},
    {"max", "wfi", 0xd503207f, EXC_HINT, 3, 4},
    {"max", "ic ivau, x1", 0xd50b7521, EXC_NONE, 0, 4},
    {"max", "msr fpcr, x1", 0xd51b4401, EXC_NONE, 0, 4},
    {"max", "b .-4", 0x17ffffff, EXC_NONE, 0, -4},
    {"max", "bl .+0x10", 0x94000004, EXC_NONE, 0, 0x10},
    {"neoverse-n1", "ldxr x0, [x1] misaligned", 0xc85f7c20, EXC_ALIGN, -1, 0},
    {"max", "ldxr x0, [x1] misaligned in a granule", 0xc85f7c20, EXC_NONE, 0, 4},
    {"neoverse-n1", "ldar x0, [x1] misaligned", 0xc8dffc20, EXC_ALIGN, -1, 0},
    {"neoverse-n1", "ldadd x0, x2, [x1] misaligned", 0xf8200022, EXC_ALIGN, -1, 0},
    {"neoverse-n1", "casp x2, x3, x4, x5, [x1] misaligned", 0x48227c24, EXC_ALIGN, -1, 0},
    {"neoverse-n1", "pacia x0, x1", 0xdac10020, EXC_UNDEF, (int32_t)0xdac10020, 0},
    {"neoverse-n1", "paciasp is a NOP", 0xd503233f, EXC_NONE, 0, 4},
    {"neoverse-n1", "mrs x0, rndr", 0xd53b2400, EXC_UNDEF, (int32_t)0xd53b2400, 0},
    {"cortex-a53", "ldadd x0, x2, [x1]", 0xf8200022, EXC_UNDEF, (int32_t)0xf8200022, 0},
    {"cortex-a53", "dc cvap, x1", 0xd50b7c21, EXC_UNDEF, (int32_t)0xd50b7c21, 0},
};

Test(a64_base, exits)
{
    int bad = 0;
    VecMachine *m = vec_machine(a64_model("max"));
    for (unsigned i = 0; i < LEN(exits); i++) {
        const struct Exit *e = &exits[i];
        const CpuModel *model = a64_model(e->model);
        IrRegion r;
        vec_prepare(m, &m->bases[0], &e->word, 1);
        uint64_t pc = m->cpu->pc;
        m->cpu->model = model;
        m->cpu->x[1] = VEC_REGION + VEC_MEM + 1;
        m->cpu->h.exit_imm = 0;
        a64_frontend.translate(model, &m->space, gva(pc), KEY_ONE_INSN, 64, &r, m->ins, LEN(m->ins));
        ExcKind kind = ir_interp_run(&a64_frontend, &r, &m->cpu->h, 0, m->scratch);
        bool imm_ok = e->imm == -1 || kind == EXC_NONE || m->cpu->h.exit_imm == e->imm;
        if (kind != e->kind || m->cpu->pc - pc != (uint64_t)e->pc || !imm_ok) {
            printf("%s on %s: exit %d imm %x pc %+lld\n", e->text, e->model, kind, m->cpu->h.exit_imm,
                   (long long)(m->cpu->pc - pc));
            bad++;
        }
    }
    cr_assert(bad == 0);
}

Test(a64_base, odd_addresses)
{
    VecMachine *m = vec_machine(a64_model("max"));
    uint32_t nop = 0xd503201f;
    vec_prepare(m, &m->bases[0], &nop, 1);
    m->cpu->pc |= (uint64_t)0x5a << 56;
    cr_assert_eq(vec_run(m), EXC_BRK);
    cr_assert_eq(m->cpu->pc, VEC_REGION + VEC_SLOT + 8);
    m->cpu->pc = VEC_REGION + VEC_SLOT + 6;
    cr_assert_eq(vec_run(m), EXC_PC_ALIGN);
    cr_assert_eq(m->cpu->pc, VEC_REGION + VEC_SLOT + 6);
}

/* One instruction of one of two threads, under KEY_STRICT. */
static void step(VecMachine *m, CpuA64 *cpu, uint32_t word)
{
    uint32_t *code = (uint32_t *)(uintptr_t)(VEC_REGION + VEC_SLOT);
    code[0] = word;
    cpu->pc = VEC_REGION + VEC_SLOT;
    cr_assert_eq(vec_region(m, cpu, KEY_SHARED | KEY_STRICT, 1), EXC_NONE);
}

/* What another thread does between LDXR X0, [X1] and STXR W3, X2, [X1], what the thread itself does then, and whether the store
 * then fails. */
static const struct Between {
    const char *what;
    uint32_t words[3];
    uint64_t offset; /* of the other thread's X1 */
    uint32_t failed;
    uint32_t own;
} between[] = {
    {"nothing", {0}, 0, 0, 0},
    {"nothing, own str x0, [x1]", {0}, 0, 0, 0xf9000020},
    {"nothing, own str x0, [x1, #-8]", {0}, 0, 0, 0xf81f8020},
    {"str x5, [x1]; str x0, [x1], own str x0, [x1]", {0xf9000025, 0xf9000020, 0}, 0, 1, 0xf9000020},
    {"str x5, [x1]; str x0, [x1], own str x0, [x1, #8]", {0xf9000025, 0xf9000020, 0}, 0, 1, 0xf9000420},
    {"str x0, [x1], own stp x0, x0, [x1, #-16]", {0xf9000020, 0, 0}, 0, 1, 0xa93f0020},
    {"str q0, [x1] 8 bytes below, own str x0, [x1, #-8]", {0x3d800020, 0, 0}, -8ull, 1, 0xf81f8020},
    {"ldxr x4, [x1]; stxr w6, x4, [x1], own str x0, [x1]", {0xc85f7c24, 0xc8067c24, 0}, 0, 1, 0xf9000020},
    {"str x5, [x1]; str x0, [x1] (A-B-A)", {0xf9000025, 0xf9000020, 0}, 0, 1, 0},
    {"str x0, [x1] (same value)", {0xf9000020, 0, 0}, 0, 1, 0},
    {"strb w0, [x1, #3]", {0x39000c20, 0, 0}, 0, 1, 0},
    {"str x0, [x1] 7 bytes below", {0xf9000020, 0, 0}, -7ull, 1, 0},
    {"stp x0, x0, [x1] 8 bytes below", {0xa9000020, 0, 0}, -8ull, 1, 0},
    {"str q0, [x1] 8 bytes below", {0x3d800020, 0, 0}, -8ull, 1, 0},
    {"st1 {v0.16b, v1.16b}, [x1] 16 bytes below", {0x4c00a020, 0, 0}, -16ull, 1, 0},
    {"ldadd xzr, x4, [x1]", {0xf83f0024, 0, 0}, 0, 1, 0},
    {"casal x0, x0, [x1]", {0xc8e0fc20, 0, 0}, 0, 1, 0},
    {"swpb w0, w4, [x1]", {0x38208024, 0, 0}, 0, 1, 0},
    {"stlr x0, [x1]", {0xc89ffc20, 0, 0}, 0, 1, 0},
    {"dc zva, x1", {0xd50b7421, 0, 0}, 0, 1, 0},
    {"ldr x4, [x1]", {0xf9400024, 0, 0}, 0, 0, 0},
    {"str x0, [x1, #64]", {0xf9002020, 0, 0}, 0, 0, 0},
    {"ldxr x4, [x1]; stxr w6, x4, [x1]", {0xc85f7c24, 0xc8067c24, 0}, 0, 1, 0},
};

Test(a64_base, other_thread_breaks_monitor)
{
    VecMachine *m = vec_machine(a64_model("max"));
    CpuA64 *one = m->cpu, *two = aligned_alloc(64, ALIGN_UP(sizeof *two, 64));
    uint64_t *cell = (uint64_t *)(uintptr_t)(VEC_REGION + VEC_MEM + 64);
    int bad = 0;
    for (unsigned i = 0; i < LEN(between); i++) {
        const struct Between *b = &between[i];
        *cell = 0;
        one->x[1] = (uintptr_t)cell;
        one->x[2] = 77;
        step(m, one, 0xc85f7c20);
        memcpy(two, one, sizeof *two); /* as a thread just made by clone */
        two->excl_addr = ~(uint64_t)0;
        two->excl_ticket = 0;
        two->x[1] += b->offset;
        two->x[5] = 5;
        for (unsigned k = 0; k < LEN(b->words) && b->words[k]; k++) {
            step(m, two, b->words[k]);
        }
        if (b->own) {
            step(m, one, b->own);
        }
        step(m, one, 0xc8037c22);
        if (one->x[3] != b->failed || *cell != (b->failed ? 0 : 77)) {
            printf("%s: status %d, cell %d\n", b->what, (int)one->x[3], (int)*cell);
            bad++;
        }
    }
    cr_assert(bad == 0);
}

/* A pair that the builder sees, where another thread has a monitor open: done one by one, and it succeeds. */
Test(a64_base, other_threads_monitor_is_no_obstacle)
{
    VecMachine *m = vec_machine(a64_model("max"));
    CpuA64 *one = m->cpu, *two = aligned_alloc(64, ALIGN_UP(sizeof *two, 64));
    uint64_t *cell = (uint64_t *)(uintptr_t)(VEC_REGION + VEC_MEM + 64);
    uint32_t *code = (uint32_t *)(uintptr_t)(VEC_REGION + VEC_SLOT);
    *cell = 5;
    one->x[1] = (uintptr_t)cell;
    one->x[2] = 77;
    memcpy(two, one, sizeof *two);
    step(m, two, 0xc85f7c20); /* ldxr x0, [x1] */
    code[0] = 0xc85f7c20;
    code[1] = 0xc8037c22; /* stxr w3, x2, [x1] */
    code[2] = 0xd4200000; /* brk */
    m->key = KEY_SHARED | KEY_STRICT;
    one->pc = (uintptr_t)code;
    cr_assert_eq(vec_run(m), EXC_BRK);
    cr_assert(one->x[0] == 5 && one->x[3] == 0 && *cell == 77);
    step(m, two, 0xc8037c22);
    cr_assert(two->x[3] == 1 && *cell == 77);
}
