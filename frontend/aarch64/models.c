/* models.c - CPU models by name, their hwcaps and ID registers; all from models.def. */
#include "cpu.h"
#include "isa_a64.h"

/* FP, ASIMD and CPUID (ID registers readable at EL0) are in every model. */
#define BASE_HWCAP (1u << 0 | 1u << 1 | 1u << 11)

#define BIT_IN(w, feat) | (A64_FEAT_##feat / 64 == (w) ? (uint64_t)1 << (A64_FEAT_##feat % 64) : 0)

static const CpuModel models[] = {
#define MODEL(name, midr, feats, doc) {name, doc, midr, {0 feats(BIT_IN, 0), 0 feats(BIT_IN, 1)}},
#include "models.def"
};

const CpuModel *a64_model(const char *name)
{
    for (size_t i = 0; i < LEN(models); i++) {
        if (!name || strcmp(models[i].name, name) == 0) {
            return &models[i];
        }
    }
    return NULL;
}

const CpuModel *a64_model_nth(unsigned n)
{
    return n < LEN(models) ? &models[n] : NULL;
}

static bool has(const CpuModel *m, unsigned feat)
{
    return m->feats[feat / 64] >> (feat % 64) & 1;
}

uint64_t a64_hwcap(const CpuModel *m, unsigned n)
{
    static const struct {
        uint8_t feat, n, bit;
    } rows[] = {
#define HWCAP(feat, n, bit) {A64_FEAT_##feat, n, bit},
#include "models.def"
    };
    uint64_t caps = n == 0 ? BASE_HWCAP : 0;
    for (size_t i = 0; i < LEN(rows); i++) {
        if (rows[i].n == n && has(m, rows[i].feat)) {
            caps |= (uint64_t)1 << rows[i].bit;
        }
    }
    return caps;
}

uint64_t a64_id_register(const CpuModel *m, unsigned crm, unsigned op2)
{
    static const struct {
        uint8_t feat, crm, op2, lsb, value;
    } rows[] = {
#define IDFIELD(feat, crm, op2, lsb, value) {A64_FEAT_##feat, crm, op2, lsb, value},
#include "models.def"
    };
    if (crm == 0) {
        return op2 == 0 ? m->midr : op2 == 5 ? 0x80000000u : 0; /* MIDR, MPIDR (hidden), REVIDR */
    }
    uint64_t v = crm == 4 && op2 == 0 ? 0x11 : 0; /* PFR0: EL0 and EL1 are AArch64 only */
    for (size_t i = 0; i < LEN(rows); i++) {
        if (rows[i].crm == crm && rows[i].op2 == op2 && has(m, rows[i].feat)) {
            v &= ~((uint64_t)15 << rows[i].lsb);
            v |= (uint64_t)rows[i].value << rows[i].lsb;
        }
    }
    return v;
}
