/* cpu.h - AArch64 CPU structure, slots and CPU models, from cpu.def and models.def. */
#ifndef ARMX_FRONTEND_AARCH64_CPU_H
#define ARMX_FRONTEND_AARCH64_CPU_H

#include "iface.h"

/* Virtual addresses of user space; the bits above, up to 54, hold PACs. */
enum { A64_VA_BITS = 48 };

/* DCZID_EL0.BS: DC ZVA zeroes 64 bytes. */
enum { A64_DCZID = 4 };

/* Keys of pointer authentication by their place in pac_key. */
enum { PAC_IA, PAC_IB, PAC_DA, PAC_DB, PAC_GA, PAC_KEYS };
/* The bits of a pointer that hold its PAC, low being the lowest. */
static inline uint64_t a64_pac_field(unsigned low, bool tbi)
{
    uint64_t field = bits_mask(55) & ~bits_mask(low);
    return tbi ? field : field | (uint64_t)255 << 56;
}

/* State key: stores are marked, because some code has a strict exclusive monitor (tr_atomic.c). */
enum { KEY_STRICT = KEY_USER, KEY_SP_ODD = KEY_USER << 1 /* SP is no multiple of 16: its use as a base is checked */,
       KEY_SYSTEM = KEY_USER << 2 /* system mode: bits of sys.h apply */,
       KEY_SP_CHECK = 1 << 26 /* SP as a base must be aligned; in user mode instead of KEY_SP_ODD, once that has changed often */ };

/* In excl_size: the monitor is only for WFE; a store-exclusive that fits it fails and turns KEY_STRICT on (tr_atomic.c). */
enum { EXCL_WAIT = 64 };

struct CpuModel;

typedef struct CpuA64 {
    CpuHead h;
#define REGS(name, count, type, ctype, doc) ctype name[count];
#define REG(name, type, ctype, doc) ctype name;
#define FIELD(name, ctype, doc) ctype name;
#define HEAD(name, type, member, doc)
#include "cpu.def"
#undef REGS
#undef REG
#undef FIELD
#undef HEAD
} CpuA64;
_Static_assert(offsetof(CpuA64, x) == sizeof(CpuHead), "hot displacements (iface.h)");

/* Slot numbers: SLOT_x + n, SLOT_pc, ... */
enum {
#define REGS(name, count, type, ctype, doc) SLOT_##name, SLOT_##name##_last = SLOT_##name + (count)-1,
#define REG(name, type, ctype, doc) SLOT_##name,
#define FIELD(name, ctype, doc)
#define HEAD(name, type, member, doc) SLOT_##name,
#include "cpu.def"
#undef REGS
#undef REG
#undef FIELD
#undef HEAD
    SLOT_COUNT
};

/* A CPU model: a consistent set of features and what Linux shows of it. */
typedef struct CpuModel {
    const char *name, *doc;
    uint64_t midr;
    uint64_t feats[2]; /* bits A64_FEAT_* of the generated decoder */
} CpuModel;

/* By name as -cpu takes it; NULL when unknown. NULL name = the default (neoverse-n1). */
const CpuModel *a64_model(const char *name);
/* The n-th model for -cpu help, NULL after the last. */
const CpuModel *a64_model_nth(unsigned n);
/* AT_HWCAP (n = 0), AT_HWCAP2 (1), AT_HWCAP3 (2). */
uint64_t a64_hwcap(const CpuModel *m, unsigned n);
/* Value of an ID register as Linux shows it to EL0 (op0=3, op1=0, crn=0), by crm and op2. */
uint64_t a64_id_register(const CpuModel *m, unsigned crm, unsigned op2);

extern const Frontend a64_frontend;

/* What FPCR adds to the state key: RMode (23:22) is the host's rounding mode, FZ (24) and DN (25) have keys of their own; any other
 * bit that changes results asks for soft-float. */
static inline uint64_t a64_fp_key(uint32_t fpcr)
{
    uint32_t fz = 1u << 24, dn = 1u << 25;
    if (fpcr & ~(3u << 22 | fz | dn)) {
        return KEY_FP_SLOW;
    }
    return (fpcr & fz ? KEY_FP_FZ : 0) | (fpcr & dn ? KEY_FP_DN : 0);
}

/* NZCV as PSTATE bits 31..28, and back. */
static inline uint32_t a64_nzcv(const CpuA64 *cpu)
{
    return nzcv_nibble(cpu->h.nzcv) << 28;
}

static inline void a64_set_nzcv(CpuA64 *cpu, uint32_t pstate)
{
    cpu->h.nzcv = nzcv_pack(pstate >> 28);
}

/* PSTATE.BTYPE of the instruction at pc. */
static inline unsigned a64_btype(const CpuA64 *cpu)
{
    return (cpu->btype & ~(uint64_t)3) == cpu->pc ? cpu->btype & 3 : 0;
}

static inline void a64_set_btype(CpuA64 *cpu, unsigned btype)
{
    cpu->btype = btype ? cpu->pc | btype : 0;
}

#endif
