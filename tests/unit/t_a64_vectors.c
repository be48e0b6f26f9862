/* t_a64_vectors.c - the golden vectors (tests/vectors) in the IR interpreter, on a CPU with every feature. */
#include <criterion/criterion.h>

#include "a64_vectors.h"

Test(a64_vectors, golden)
{
    static const char self[] = __FILE__;
    char command[sizeof self + 80];
    int folder = (int)(strrchr(self, '/') - self);
    snprintf(command, sizeof command, "zstd -dqc '%.*s/../vectors/a64-vectors.txt.zst'", folder, self);
    FILE *f = popen(command, "r");
    CpuModel every = *a64_model("max");
    every.feats[0] = every.feats[1] = ~(uint64_t)0;
    VecMachine *m = vec_machine(&every);
    vec_file(m, f);
    cr_assert(pclose(f) == 0, "%s", command);
    printf("%lu passed, %lu failed\n", m->passed, m->failed);
    cr_assert(m->passed > 190000 && m->failed == 0);
}
