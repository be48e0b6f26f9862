/* t_pac.c - pointer authentication in system mode, by both forms of tr_pac.c: addresses of both halves, canonical or not, with and without
 * a tag, signed, authenticated, authenticated wrongly, stripped; against the rules of DDI 0487 (AddPAC, Auth, Strip) written out here.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "helpers.h"
#include "mem.h"
#include "space.h"

enum { RAM = 0x40000000, RAM_BYTES = 1 << 20, T0SZ = 25, T1SZ = 16 };

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));

/* pacia x0, x1; wfi; autia x0, x1; wfi; autib x0, x1; wfi; xpaci x0; wfi */
static const uint32_t code[] = {0xdac10020, 0xd503207f, 0xdac11020, 0xd503207f, 0xdac11420, 0xd503207f, 0xdac143e0, 0xd503207f};
enum { PACIA = RAM, AUTIA = RAM + 8, AUTIB = RAM + 16, XPACI = RAM + 24 };

static CpuA64 *make(bool interp)
{
    static A64Hooks hooks;
    static CpuModel model;
    PhysMem *mem = mem_new();
    memcpy(ram, code, sizeof code);
    mem_add_ram(mem, "ram", (Gpa){RAM}, RAM_BYTES, ram, false);
    a64_machine_model(a64_model("max"), (A64Options){.pmu = false}, &model);
    Space *space = space_new(mem);
    Engine *e = engine_new(&(EngineConfig){.fe = &a64_system_frontend, .cpu_model = &model, .space = space, .soft = &space_soft, .interp = interp});
    A64Machine *m = aligned_alloc(64, ALIGN_UP(sizeof *m, 64));
    cr_assert(e && m);
    memset(m, 0, sizeof *m);
    CpuA64 *cpu = &m->cpu;
    cpu->sys = &m->sys;
    cpu->model = &model;
    space_hooks(&hooks);
    cpu->sys->hooks = &hooks;
    space_set_engine(space, e);
    a64_reset(cpu);
    cr_assert_eq(engine_cpu_init(e, &cpu->h), 0);
    cr_assert_eq(space_cpu_init(space, cpu), 0);
    a64_set_sysreg(cpu, SR_TCR_EL1, T0SZ | T1SZ << 16 | (uint64_t)1 << 37); /* TBI0 */
    a64_set_sysreg(cpu, SR_SCTLR_EL1, a64_sysreg(cpu, SR_SCTLR_EL1) | (uint64_t)3 << 30);
    for (uint64_t k = 0; k < LEN(cpu->pac_key); k++) {
        cpu->pac_key[k] = (k + 1) * UINT64_C(0x123456789abcdef1);
    }
    return cpu;
}

static uint64_t run(CpuA64 *cpu, uint64_t at, uint64_t ptr, uint64_t modifier)
{
    cpu->pc = at;
    cpu->x[0] = ptr;
    cpu->x[1] = modifier;
    cpu->h.pending = 0;
    ExcKind k = EXC_NONE;
    while ((k = engine_run(&cpu->h)) != EXC_HINT) {
        cr_assert_eq(k, EXC_PAC);
        cr_assert(a64_exception(cpu, k) || cpu->pc == at + 4);
    }
    cr_expect_eq(cpu->pc, at + 8);
    return cpu->x[0];
}

static uint64_t field(uint64_t ptr)
{
    return ptr >> 55 & 1 ? a64_pac_field(64 - T1SZ, false) : a64_pac_field(64 - T0SZ, true);
}

static uint64_t stripped(uint64_t ptr)
{
    return ptr >> 55 & 1 ? ptr | field(ptr) : ptr & ~field(ptr);
}

static uint64_t signed_(const CpuA64 *cpu, uint64_t ptr, uint64_t modifier)
{
    uint64_t plain = stripped(ptr), r = plain ^ (pac_hash(&cpu->pac_key[2 * PAC_IA], plain, modifier) & field(ptr));
    return plain == ptr ? r : r ^ (uint64_t)1 << (ptr >> 55 & 1 ? 62 : 54);
}

static const uint64_t pointers[] = {0x40000123, 0x7f12345678, 0xffff800012345678, 0xfffffffffffffffc, 0x0080000040000000, 0x1200000040000000,
                                    0xabff800012345678, 0x0012800012345678, 0};

Test(pac, signs_and_checks)
{
    for (unsigned interp = 0; interp < 2; interp++) {
        CpuA64 *cpu = make(interp);
        for (unsigned k = 0; k < LEN(pointers); k++) {
            uint64_t p = pointers[k], s = run(cpu, PACIA, p, 77 + k), plain = stripped(p);
            cr_expect_eq(s, signed_(cpu, p, 77 + k), "%#llx signed is %#llx", (unsigned long long)p, (unsigned long long)s);
            uint64_t back = run(cpu, AUTIA, s, 77 + k);
            if (p == plain) {
                cr_expect_eq(back, p, "%#llx back is %#llx", (unsigned long long)p, (unsigned long long)back);
            } else {
                cr_expect_neq(back, plain, "%#llx is no address", (unsigned long long)p);
            }
            cr_expect_eq(run(cpu, XPACI, s, 0), plain);
        }
    }
}

Test(pac, error_codes)
{
    for (unsigned interp = 0; interp < 2; interp++) {
        CpuA64 *cpu = make(interp);
        uint64_t low = signed_(cpu, 0x40000123, 5), high = signed_(cpu, 0xffff800012345678, 5);
        cr_expect_eq(run(cpu, AUTIA, low ^ (uint64_t)1 << 50, 5), 0x40000123 | (uint64_t)1 << 53);
        cr_expect_eq(run(cpu, AUTIB, low ^ (uint64_t)1 << 50, 5), 0x40000123 | (uint64_t)2 << 53);
        cr_expect_eq(run(cpu, AUTIA, high ^ (uint64_t)1 << 50, 5), 0xffff800012345678 ^ (uint64_t)2 << 61);
        cr_expect_eq(run(cpu, AUTIB, high ^ (uint64_t)1 << 50, 5), 0xffff800012345678 ^ (uint64_t)1 << 61);
    }
}
