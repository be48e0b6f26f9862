/* sys_int.h - what the sys_*.c share: rows of sysregs.def as data, traps, the functions behind rows. */
#ifndef ARMX_FRONTEND_AARCH64_SYS_INT_H
#define ARMX_FRONTEND_AARCH64_SYS_INT_H

#include "sys.h"

enum { LV_NEVER = 7, LV_HIGHEST = 6 };
/* access column: level for reads, level for writes */
enum {
    RW0 = 0, RW1 = 0x11, RW2 = 0x22, RW3 = 0x33, RO0 = 0x07, RO1 = 0x17, RO2 = 0x27, RO3 = 0x37, WO0 = 0x70, WO1 = 0x71, WO2 = 0x72, WO3 = 0x73,
    R0W1 = 0x01, R0WH = 0x06
};

typedef enum SysKind {
    KIND_REG, KIND_R32, KIND_SLOT, KIND_CPU, KIND_VM, KIND_KEY, KIND_ID, KIND_HOOK,
    KIND_DEV, KIND_RAZ,
    /* of SYSOP */
    KIND_CACHE, KIND_CACHE_U, KIND_CACHE_W, KIND_ZVA, KIND_NOP, KIND_AT, KIND_TLBI
} SysKind;

/* fgt column: table << 8 | bit + 1 */
enum { FG_R = 1, FG_W = 2, FG_RW = 3, FG_DEBUG = 4, FG_I = 8 };
#define HFG(n) (FG_RW << 8 | (n))
#define RFG(n) (FG_R << 8 | (n))
#define WFG(n) (FG_W << 8 | (n))
#define HDFG(n) ((FG_RW | FG_DEBUG) << 8 | (n))
#define RDFG(n) ((FG_R | FG_DEBUG) << 8 | (n))
#define WDFG(n) ((FG_W | FG_DEBUG) << 8 | (n))
#define HFI(n) (FG_I << 8 | (n))

/* trap column; the meaning of each is in sys_access.c */
typedef enum SysTrap {
    T_NONE, T_VM, T_TID1, T_TID2, T_TID3, T_CTR, T_ACR, T_CPACR, T_CPTR3, T_TDA, T_TDA3, T_TDRA, T_TDOSA, T_TDCC, T_TDCC0, T_TRF, T_FGT3, T_HXEN3,
    T_SEL2, T_LOR, T_APK, T_NV1, T_SPSEL, T_SPX, T_ALLINT, T_RVBAR1, T_RVBAR2, T_ERR, T_ERRFI, T_RNDR, T_FP, T_UMA, T_SCXT, T_SCXT1, T_PM, T_PMCR, T_PMSW, T_PMSELR, T_PMER, T_PMCC,
    T_PMU, T_CNTFRQ, T_CNTPCT, T_CNTVCT, T_CNTP, T_CNTV, T_CNTPS, T_CNTPOFF3, T_ICC0, T_ICC1, T_ICCC, T_ICCDIR, T_ICCSGI, T_ICCSRE1, T_ICCSRE2,
    T_ICC3, T_ICH, T_TICAB, T_TOCU, T_TPC, T_TSW, T_DZE, T_RCTX, T_AT, T_TTLB, T_TTLBIS, T_TTLBOS
} SysTrap;

typedef struct SysRow {
    const char *name;
    uint16_t id;
    int16_t feat;
    uint8_t access, kind, trap;
    uint16_t fgt;
} SysRow;
extern const SysRow sys_rows[SR_COUNT], sys_op_rows[SO_COUNT];

/* Row of an encoding for this level under VHE's rules, or -1. host: EL2 with HCR_EL2.E2H, or EL1 with HCR_EL2.NV, where the names _EL12
 * and _EL02 are there too. */
int sys_find(const CpuModel *m, unsigned id, unsigned el, bool host);
int sys_find_op(const CpuModel *m, unsigned id);

enum { HINT_ESB = 16 };

/* What an access leads to: nothing (level 0), or an exception of class ec to level; ec EC_UNKNOWN: UNDEFINED. */
typedef struct SysCheck {
    uint8_t level, ec;
} SysCheck;
SysCheck sys_check(const CpuA64 *cpu, const SysRow *row, bool write);
/* Nested virtualization (sys_nv.c). At EL1 with HCR_EL2.NV: where an access to the register sr ends; alias: by its name _EL12 or _EL02. */
typedef enum NvPlace { NV_HERE, NV_TRAP /* EC_SYS to EL2 */, NV_MEMORY, NV_REGISTER /* sys_nv_register */ } NvPlace;
NvPlace sys_nv_place(const CpuA64 *cpu, A64Sr sr, bool alias, bool write);
A64Sr sys_nv_register(A64Sr sr);
/* The register's place in memory, by A64Hooks.nv2_memory. */
void sys_nv_memory(CpuA64 *cpu, A64Sr sr, bool write, uint64_t *value);
/* Level that FP and SIMD instructions trap to, 0 = none. */
unsigned sys_fp_level(const CpuA64 *cpu);
/* Does word, an instruction of the space for implementations' own registers and operations (CRn 11, 15) of which nothing is there, trap
 * before it is UNDEFINED? */
SysCheck sys_check_reserved(const CpuA64 *cpu, uint32_t word);
/* ISS of EC_SYS. */
uint32_t sys_syndrome(uint32_t word);
/* Leaves translated code: exception of the instruction word by check. */
NORETURN void sys_trap(CpuA64 *cpu, SysCheck check, uint32_t word);

/* Where a stored register is; for SP_EL0.. when they are not current. */
uint64_t *sys_place(CpuA64 *cpu, A64Sr sr);
/* Functions behind HOOK rows (sys_regs.c, sys_pmu.c). */
uint64_t sys_hook_read(CpuA64 *cpu, A64Sr sr);
void sys_hook_write(CpuA64 *cpu, A64Sr sr, uint64_t v);
bool sys_pmu_read(CpuA64 *cpu, A64Sr sr, uint64_t *v);
bool sys_pmu_write(CpuA64 *cpu, A64Sr sr, uint64_t v);
/* Levels at which a counter counts instructions, one bit each; from bit 4 on those at which one does that interrupts. */
unsigned sys_pmu_levels(const CpuA64 *cpu);

/* Value of an ID register (sys_id.c). */
uint64_t sys_id_value(const CpuA64 *cpu, A64Sr sr);

/* Debug exceptions (sys_debug.c). */
bool sys_debug_enabled(const CpuA64 *cpu, unsigned from, bool masked);
unsigned sys_debug_level(const CpuA64 *cpu);
bool sys_debug_watches(const CpuA64 *cpu);

/* Key of the current state (sys_key.c). */
uint64_t sys_key(const CpuHead *head, uint64_t added);
uint64_t sys_tcr(const CpuA64 *cpu, unsigned el);

/* An instruction address with its PAC by key PAC_IA or PAC_IB authenticated, at the current level. */
uint64_t sys_pac_auth(const CpuA64 *cpu, uint64_t ptr, uint64_t modifier, unsigned key);

/* Where exceptions of the current level that nothing routes elsewhere go. */
unsigned sys_default_level(const CpuA64 *cpu);

#endif
