/* sysregs.h - numbers of A64 system registers and instructions, and the features beyond the decoder's, from sysregs.def.
 *
 * A register is SR_name (enum A64Sr, the index into A64Sys.reg); SYSID_name is its encoding, SYSFEAT_name what it needs.
 * An instruction is SO_name, with SYSOPID_name and SYSOPFEAT_name.
 */
#ifndef ARMX_FRONTEND_AARCH64_SYSREGS_H
#define ARMX_FRONTEND_AARCH64_SYSREGS_H

#include "isa_a64.h"

/* Features that no instruction's encoding depends on: they follow the decoder's in CpuModel.feats. */
enum {
    A64_FEAT_el2 = A64_FEAT_COUNT, A64_FEAT_el3, A64_FEAT_gicv3, A64_FEAT_pmuv3, A64_FEAT_pmuv3p4, A64_FEAT_aa32el1,
    A64_FEAT_vhe, A64_FEAT_ras, A64_FEAT_lor, A64_FEAT_fgt, A64_FEAT_hcx, A64_FEAT_ccidx, A64_FEAT_trf, A64_FEAT_sel2, A64_FEAT_nv,
    A64_FEAT_nv2, A64_FEAT_nmi, A64_FEAT_scxtnum, A64_FEAT_specres, A64_FEAT_pan2, A64_FEAT_tlbios, A64_FEAT_tlbirange, A64_FEAT_hafdbs,
    A64_FEAT_vmid16, A64_FEAT_xnx, A64_FEAT_hpds, A64_FEAT_ttcnp, A64_FEAT_lpa, A64_FEAT_lva, A64_FEAT_lpa2, A64_FEAT_ttl, A64_FEAT_ttst,
    A64_FEAT_bbm, A64_FEAT_e0pd, A64_FEAT_evt, A64_FEAT_idst, A64_FEAT_s2fwb, A64_FEAT_csv2, A64_FEAT_csv3, A64_FEAT_tgran16,
    A64_FEAT_epan, A64_FEAT_debugv8p2, A64_FEAT_ecv_poff, A64_FEAT_exs, A64_FEAT_ets, A64_FEAT_dgh, A64_FEAT_twed, A64_FEAT_haf,
    A64_FEAT_rasv1p1, A64_FEAT_iesb, A64_FEAT_gtg, A64_FEAT_debugv8p4, A64_FEAT_nodoublelock, A64_FEAT_pmuv3p1, A64_FEAT_pmuv3p5, A64_FEAT_hpmn0,
    A64_FEAT_hpds2, A64_FEAT_tidcp1, A64_FEAT_rng_trap, A64_FEAT_ats1a, A64_FEAT_csv2_3, A64_FEAT_ALL
};
_Static_assert(A64_FEAT_ALL <= 128, "CpuModel.feats");

#define SYS_ID(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
enum { ALWAYS = -1 };

typedef enum A64Sr {
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt) SR_##name,
#include "sysregs.def"
    SR_COUNT
} A64Sr;

enum {
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt)                        \
    SYSID_##name = SYS_ID(op0, op1, crn, crm, op2), SYSFEAT_##name = feat,
#include "sysregs.def"
};

typedef enum A64So {
#define SYSOP(name, op1, crn, crm, op2, feat, access, what, trap, fgt) SO_##name,
#include "sysregs.def"
    SO_COUNT
} A64So;

enum {
#define SYSOP(name, op1, crn, crm, op2, feat, access, what, trap, fgt)                              \
    SYSOPID_##name = SYS_ID(1, op1, crn, crm, op2), SYSOPFEAT_##name = feat,
#include "sysregs.def"
};

#endif
