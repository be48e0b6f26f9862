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

Test(a64_base, rows)
{
    VecMachine *m = vec_machine(a64_model("max"));
    FILE *f = rows_file("a64_base.rows");
    vec_file(m, f);
    fclose(f);
    printf("%lu passed, %lu failed\n", m->passed, m->failed);
    cr_assert(m->passed > 80 && m->failed == 0);
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
    {"max", "ic ivau, x1", 0xd50b7521, EXC_ICACHE, 0, 4},
    {"max", "msr fpcr, x1", 0xd51b4401, EXC_NONE, 0, 4},
    {"max", "b .-4", 0x17ffffff, EXC_NONE, 0, -4},
    {"max", "bl .+0x10", 0x94000004, EXC_NONE, 0, 0x10},
    {"max", "ldxr x0, [x1] misaligned", 0xc85f7c20, EXC_ALIGN, -1, 0},
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
    static Space space = {.fetch = vec_fetch};
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
        a64_frontend.translate(model, &space, gva(pc), KEY_ONE_INSN, 64, &r, m->ins, LEN(m->ins));
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
