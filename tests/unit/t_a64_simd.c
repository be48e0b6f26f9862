/* t_a64_simd.c - Advanced SIMD in the IR interpreter: rows beside the golden vectors (t_vectors.c), features that a CPU
 * model lacks, and accesses that fault half-way.
 *
 * Add an instruction's row to tests/rows/a64_simd.rows.
 */
#include <criterion/criterion.h>

#include "a64_vectors.h"

Test(a64_simd, rows)
{
    static const char self[] = __FILE__;
    char path[sizeof self + 40];
    snprintf(path, sizeof path, "%.*s/../rows/a64_simd.rows", (int)(strrchr(self, '/') - self), self);
    FILE *f = fopen(path, "r");
    cr_assert(f, "%s", path);
    VecMachine *m = vec_machine(a64_model("max"));
    vec_file(m, f);
    fclose(f);
    cr_assert(m->passed > 20 && m->failed == 0);
}

/* Words that exist on one model and are UNDEFINED on another. */
static const struct Gate {
    const char *with, *without, *text;
    uint32_t word;
} gates[] = {
    {"neoverse-n1", "cortex-a53", "sqrdmlah v0.4s, v1.4s, v2.4s", 0x6e828420},
    {"neoverse-n1", "cortex-a53", "sdot v0.4s, v1.16b, v2.16b", 0x4e829420},
    {"neoverse-n1", "cortex-a53", "fadd v0.8h, v1.8h, v2.8h", 0x4e421420},
    {"max", "neoverse-n1", "usdot v0.4s, v1.16b, v2.16b", 0x4e829c20},
    {"max", "neoverse-n1", "smmla v0.4s, v1.16b, v2.16b", 0x4e82a420},
    {"max", "neoverse-n1", "fcmla v0.4s, v1.4s, v2.4s, #90", 0x6e82cc20},
    {"max", "neoverse-n1", "bfdot v0.4s, v1.8h, v2.8h", 0x6e42fc20},
    {"max", "neoverse-n1", "frint32z v0.4s, v1.4s", 0x4e21e820},
};

Test(a64_simd, features)
{
    int bad = 0;
    VecMachine *m = vec_machine(a64_model("max"));
    for (unsigned i = 0; i < LEN(gates); i++) {
        for (int k = 0; k < 2; k++) {
            m->cpu->model = a64_model(k ? gates[i].without : gates[i].with);
            vec_prepare(m, &m->bases[0], &gates[i].word, 1);
            ExcKind kind = vec_run(m);
            if (kind != (k ? EXC_UNDEF : EXC_BRK)) {
                bad++;
                printf("%s on %s: exit %d\n", gates[i].text, m->cpu->model->name, kind);
            }
        }
    }
    cr_assert(bad == 0);
}

/* Accesses by [x1] of which only the first 8 bytes are mapped: no register may have changed. */
static const struct Faulting {
    const char *text;
    uint32_t word;
} faulting[] = {
    {"ldp q0, q1, [x1], #32", 0xacc10420},
    {"ldr q0, [x1, #16]!", 0x3cc10c20},
    {"ld4 {v0.16b, v1.16b, v2.16b, v3.16b}, [x1], #64", 0x4cdf0020},
    {"ld3 {v0.4s, v1.4s, v2.4s}, [x1], x2", 0x4cc24820},
    {"ld2r {v0.2d, v1.2d}, [x1], #16", 0x4dffcc20},
    {"ld4 {v31.s, v0.s, v1.s, v2.s}[3], [x1], #16", 0x4dffb03f},
    {"st1 {v0.16b, v1.16b}, [x1], #32", 0x4c9fa020},
};

Test(a64_simd, faults)
{
    int bad = 0;
    VecMachine *m = vec_machine(a64_model("max"));
    uint64_t end = VEC_REGION + VEC_SIZE - 4096;
    cr_assert(mprotect((void *)(uintptr_t)end, 4096, PROT_NONE) == 0);
    VecState in = m->bases[0];
    for (unsigned i = 0; i < 32; i++) {
        in.v[i] = (V128){.d = {0x1111111111111111u * (i & 7), ~(uint64_t)i}};
    }
    in.x[1] = end - 8;
    in.x[2] = 0x1000;
    for (unsigned i = 0; i < LEN(faulting); i++) {
        vec_prepare(m, &in, &faulting[i].word, 1);
        ExcKind kind = vec_run(m);
        if (kind != EXC_DATA || m->cpu->x[1] != in.x[1] || memcmp(m->cpu->v, in.v, sizeof in.v) != 0) {
            bad++;
            printf("%s: exit %d, x1 %llx\n", faulting[i].text, kind, (unsigned long long)m->cpu->x[1]);
        }
    }
    cr_assert(bad == 0);
}
