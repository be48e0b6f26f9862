/* sys_id.c - ID registers in system mode, and the model of a machine: what the CPU is plus what the board adds. From models.def. */
#include "sys_int.h"

#define BIT_IN(w, feat) | (A64_FEAT_##feat / 64 == (w) ? (uint64_t)1 << (A64_FEAT_##feat % 64) : 0)

static const struct {
    const char *name;
    uint64_t feats[2];
} models[] = {
#define SYSMODEL(name, feats) {name, {0 feats(BIT_IN, 0), 0 feats(BIT_IN, 1)}},
#include "models.def"
};

static void add(CpuModel *m, unsigned feat, bool on)
{
    m->feats[feat / 64] |= (uint64_t)on << (feat % 64);
}

/* What is nothing without another part of the machine. */
static void drop(CpuModel *m, const uint8_t *feats, size_t n, bool off)
{
    for (size_t i = 0; off && i < n; i++) {
        m->feats[feats[i] / 64] &= ~((uint64_t)1 << (feats[i] % 64));
    }
}

void a64_machine_model(const CpuModel *base, A64Options with, CpuModel *out)
{
    *out = *base;
    for (unsigned i = 0; i < LEN(models); i++) {
        if (strcmp(models[i].name, base->name) == 0) {
            out->feats[0] |= models[i].feats[0];
            out->feats[1] |= models[i].feats[1];
        }
    }
    add(out, A64_FEAT_el2, with.el2);
    add(out, A64_FEAT_el3, with.el3);
    add(out, A64_FEAT_gicv3, with.gicv3);
    add(out, A64_FEAT_pmuv3, with.pmu);
    static const uint8_t of_pmu[] = {A64_FEAT_pmuv3p1, A64_FEAT_pmuv3p4, A64_FEAT_pmuv3p5, A64_FEAT_hpmn0}, of_el3[] = {A64_FEAT_rng_trap},
                         of_el2[] = {A64_FEAT_nv, A64_FEAT_nv2}, pauth[] = {A64_FEAT_pauth}, lpa2[] = {A64_FEAT_lpa2};
    drop(out, of_pmu, LEN(of_pmu), !with.pmu);
    drop(out, of_el2, LEN(of_el2), !with.el2);
    drop(out, of_el3, LEN(of_el3), !with.el3);
    drop(out, pauth, LEN(pauth), with.no_pauth);
    drop(out, lpa2, LEN(lpa2), with.no_lpa2);
}

enum { A64_FEAT_ALWAYS = 255 };

uint64_t sys_id_value(const CpuA64 *cpu, A64Sr sr)
{
    static const struct {
        uint8_t feat, crm, op2, lsb, value;
    } rows[] = {
#define SYSFIELD(feat, crm, op2, lsb, value) {A64_FEAT_##feat, crm, op2, lsb, value},
#include "models.def"
    };
    unsigned id = sys_rows[sr].id, crm = id >> 3 & 15, op2 = id & 7;
    if (crm < 4) {
        return 0; /* AArch32 */
    }
    uint64_t v = a64_id_register(cpu->model, crm, op2);
    for (size_t i = 0; i < LEN(rows); i++) {
        if (rows[i].crm == crm && rows[i].op2 == op2 && (rows[i].feat == A64_FEAT_ALWAYS || a64_has(cpu, rows[i].feat))) {
            v &= ~((uint64_t)15 << rows[i].lsb);
            v |= (uint64_t)rows[i].value << rows[i].lsb;
        }
    }
    return v;
}
