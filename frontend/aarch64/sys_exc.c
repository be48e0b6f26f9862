/* sys_exc.c - exceptions of the A64 CPU: entry, return, routing, syndromes, interrupts (DDI 0487 D1.3, D1.4; aarch64/exceptions).
 *
 * a64_exception gets what engine_run returned; pc is the instruction, or the next one where ir.h says so.
 */
#include <sched.h>

#include "sys_int.h"

#include "helpers.h"
#include "tr.h"

enum { LINE_BIT_IRQ = 1, LINE_BIT_FIQ = 2, LINE_BIT_VIRQ = 4, LINE_BIT_VFIQ = 8, LINE_BIT_SERROR = 16, LINE_BIT_VSERROR = 32 };

/* -- levels and stack pointers --------------------------------------------------------------------------------------- */

#define BIT(n) ((uint64_t)1 << (n))
void a64_hcr_changed(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    uint64_t h = s->reg[SR_HCR_EL2], interrupts = BIT(HCR_FMO) | BIT(HCR_IMO) | BIT(HCR_AMO);
    /* EL3 itself asks for the state below it */
    s->el2_on = s->el2 && (!s->el3 || s->reg[SR_SCR_EL3] & 1 || (s->reg[SR_SCR_EL3] >> 18 & 1 && a64_has(cpu, A64_FEAT_sel2)));
    if (h >> HCR_TGE & 1) {
        h &= ~(BIT(HCR_VM) | BIT(HCR_DC) | BIT(HCR_PTW) | BIT(HCR_VI) | BIT(HCR_VF) | BIT(HCR_VSE));
        h = h >> HCR_E2H & 1 ? h & ~interrupts : h | interrupts;
    }
    if (!(h >> HCR_NV & 1)) {
        h &= ~(BIT(HCR_NV1) | BIT(HCR_NV2));
    }
    s->hcr = s->el2_on ? h : 0;
}

uint64_t a64_sctlr(const CpuA64 *cpu, unsigned el)
{
    static const uint16_t sctlr[4] = {0, SR_SCTLR_EL1, SR_SCTLR_EL2, SR_SCTLR_EL3};
    return cpu->sys->reg[sctlr[a64_regime(cpu, el)]];
}

static uint64_t *sp_bank(CpuA64 *cpu, uint64_t pstate)
{
    A64Sys *s = cpu->sys;
    unsigned el = pstate & PS_SPSEL ? (unsigned)pstate >> PS_EL_SHIFT & 3 : 0;
    return el == 0 ? &s->reg[SR_SP_EL0] : el == 1 ? &s->reg[SR_SP_EL1] : el == 2 ? &s->reg[SR_SP_EL2] : &s->sp_el3;
}

static void set_pstate(CpuA64 *cpu, uint64_t pstate)
{
    uint64_t *from = sp_bank(cpu, cpu->pstate_misc), *to = sp_bank(cpu, pstate);
    if (from != to) {
        *from = cpu->sp;
        cpu->sp = *to;
    }
    cpu->pstate_misc = pstate;
}

void a64_set_el(CpuA64 *cpu, unsigned el, bool sp)
{
    set_pstate(cpu, (cpu->pstate_misc & ~(uint64_t)PS_M) | el << PS_EL_SHIFT | (sp && el));
    a64_level_changed(cpu);
}

uint64_t a64_spsr(const CpuA64 *cpu)
{
    return a64_nzcv(cpu) | cpu->pstate_misc | (uint64_t)a64_btype(cpu) << 10;
}

unsigned sys_default_level(const CpuA64 *cpu)
{
    unsigned el = a64_el(cpu);
    return el ? el : a64_hcr(cpu) >> HCR_TGE & 1 ? 2 : 1;
}

/* -- entry ----------------------------------------------------------------------------------------------------------- */

static const struct {
    uint16_t elr, spsr, esr, far, vbar, sctlr;
} banks[4] = {
    {0, 0, 0, 0, 0, 0},
    {SR_ELR_EL1, SR_SPSR_EL1, SR_ESR_EL1, SR_FAR_EL1, SR_VBAR_EL1, SR_SCTLR_EL1},
    {SR_ELR_EL2, SR_SPSR_EL2, SR_ESR_EL2, SR_FAR_EL2, SR_VBAR_EL2, SR_SCTLR_EL2},
    {SR_ELR_EL3, SR_SPSR_EL3, SR_ESR_EL3, SR_FAR_EL3, SR_VBAR_EL3, SR_SCTLR_EL3},
};

enum { SCTLR_SPAN = 23, SCTLR_DSSBS = 44 };

/* AArch64.TakeException without the syndrome. */
static void enter(CpuA64 *cpu, unsigned target, unsigned vector, uint64_t ret)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    vector += target > el ? 0x400 : cpu->pstate_misc & PS_SPSEL ? 0x200 : 0;
    cpu->pc = ret;
    uint64_t spsr = a64_spsr(cpu), sctlr = s->reg[banks[target].sctlr], old = cpu->pstate_misc;
    if (UNLIKELY(el == 1 && target == 1 && a64_nv(cpu) && (!a64_nv1(cpu) || a64_nv2(cpu)))) {
        spsr ^= 3 << PS_EL_SHIFT; /* it came from EL2, as far as it knows */
    }
    uint64_t p = (target << PS_EL_SHIFT) | PS_SPSEL | PS_DAIF | (old & (PS_PAN | PS_DIT));
    bool pan_applies = target == 1 || (target == 2 && a64_in_host(cpu, 2) && a64_hcr(cpu) >> HCR_TGE & 1);
    if (a64_has(cpu, A64_FEAT_pan) && pan_applies && !(sctlr >> SCTLR_SPAN & 1)) {
        p |= PS_PAN;
    }
    if (a64_has(cpu, A64_FEAT_ssbs) && sctlr >> SCTLR_DSSBS & 1) {
        p |= PS_SSBS;
    }
    if (a64_has(cpu, A64_FEAT_mte)) {
        p |= PS_TCO;
    }
    set_pstate(cpu, p);
    s->reg[banks[target].spsr] = spsr;
    s->reg[banks[target].elr] = ret;
    cpu->btype = 0;
    cpu->pc = (s->reg[banks[target].vbar] & ~(uint64_t)0x7ff) + vector;
    a64_level_changed(cpu);
}

void a64_take(CpuA64 *cpu, unsigned target, unsigned vector, unsigned ec, uint32_t iss, uint64_t ret)
{
    if (vector == VEC_SYNC || vector == VEC_SERROR) {
        cpu->sys->reg[banks[target].esr] = (uint64_t)ec << 26 | 1u << 25 | iss;
    }
    enter(cpu, target, vector, ret);
}

void a64_take_sync(CpuA64 *cpu, unsigned ec, uint32_t iss)
{
    a64_take(cpu, sys_default_level(cpu), VEC_SYNC, ec, iss, cpu->pc);
}

/* -- aborts ------------------------------------------------------------------------------------------------------------ */

/* EncodeLDFSC */
static unsigned fault_status(const A64Fault *f)
{
    unsigned level = (unsigned)f->level & 3;
    switch ((A64FaultType)f->type) {
    case FAULT_ADDRESS_SIZE: return f->level < 0 ? 0x29 : level;
    case FAULT_TRANSLATION: return f->level < 0 ? 0x2b : 4 | level;
    case FAULT_ACCESS_FLAG: return 8 | level;
    case FAULT_PERMISSION: return 12 | level;
    case FAULT_EXTERNAL: return 0x10;
    case FAULT_EXTERNAL_WALK: return f->level < 0 ? 0x13 : 0x14 | level;
    case FAULT_TAG_CHECK: return 0x11;
    case FAULT_ALIGNMENT: return 0x21;
    case FAULT_DEBUG: return 0x22;
    case FAULT_TLB_CONFLICT: return 0x30;
    case FAULT_UNSUPPORTED_ATOMIC: return 0x35;
    default: BUG("abort without a fault");
    }
}

/* The instruction at pc, as far as it can be read. */
static bool word_at(CpuA64 *cpu, uint32_t *word)
{
    const SoftMmu *soft = cpu->h.soft;
    A64Fault saved = cpu->sys->fault;
    const uint8_t *code = soft ? soft->code(&cpu->h, gva(cpu->pc)) : NULL;
    cpu->sys->fault = saved;
    if (code) {
        memcpy(word, code, 4);
    }
    return code != NULL;
}

/* ISS[24:14] of a stage 2 data abort: one general register without write-back (LSInstructionSyndrome). */
static uint32_t access_syndrome(CpuA64 *cpu)
{
    uint32_t w;
    if (!word_at(cpu, &w)) {
        return 0;
    }
    unsigned size = w >> 30, opc = w >> 22 & 3, rt = w & 31;
    bool vector = w >> 26 & 1;
    bool plain = (w & 0x3b000000) == 0x39000000 || (w & 0x3b200c00) == 0x38200800 || (w & 0x3b200c00) == 0x38000000 ||
                 (w & 0x3b200c00) == 0x38000800; /* unsigned offset; register; unscaled; unprivileged */
    bool ordered = (w & 0x3fa07c00) == 0x08807c00; /* LDAR, STLR, LDLAR, STLLR */
    if (ordered) {
        return 1u << 24 | size << 22 | rt << 16 | (size == 3) << 15 | 1u << 14;
    }
    if (!plain || vector || (size == 3 && opc == 2)) {
        return 0;
    }
    bool sign = opc & 2, wide = opc == 2 || (opc < 2 && size == 3);
    return 1u << 24 | size << 22 | (unsigned)sign << 21 | rt << 16 | (unsigned)wide << 15;
}

enum { SCR_EASE = 19, SCR_NMEA = 20 }; /* FEAT_DoubleFault */

static bool is_external(const A64Fault *f)
{
    return f->type == FAULT_EXTERNAL || f->type == FAULT_EXTERNAL_WALK;
}

void a64_abort(CpuA64 *cpu, const A64Fault *f)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu), target = sys_default_level(cpu);
    uint64_t hcr = a64_hcr(cpu);
    bool same;
    if (is_external(f) && s->el3 && s->reg[SR_SCR_EL3] >> 3 & 1) {
        target = 3;
    } else if (el < 2 && (f->stage2 || f->nv2 || (is_external(f) && hcr >> HCR_TEA & 1))) {
        target = 2;
    }
    same = target == el || f->nv2;
    uint32_t iss = fault_status(f) | (uint32_t)f->s1ptw << 7 | (uint32_t)f->nv2 << 13;
    if (!f->fetch) {
        iss |= (uint32_t)(f->write || f->cache) << 6 | (uint32_t)f->cache << 8;
        if (f->stage2 && !f->s1ptw && !f->cache && !is_external(f)) {
            iss |= access_syndrome(cpu);
        }
    }
    if (f->stage2) {
        s->reg[SR_HPFAR_EL2] = f->ipa >> 12 << 4 | (s->secure && !f->secure_ipa ? BIT(63) : 0);
    }
    if (f->type == FAULT_DEBUG) {
        target = sys_debug_level(cpu);
        s->reg[banks[target].far] = f->va;
        a64_take(cpu, target, VEC_SYNC, target > el ? EC_WATCH_LOWER : EC_WATCH_SAME, iss, cpu->pc);
        return;
    }
    s->reg[banks[target].far] = f->va;
    bool ease = is_external(f) && target == 3 && a64_has(cpu, A64_FEAT_rasv1p1) && s->reg[SR_SCR_EL3] >> SCR_EASE & 1;
    a64_take(cpu, target, ease ? VEC_SERROR : VEC_SYNC, f->fetch ? EC_INSN_LOWER + same : EC_DATA_LOWER + same, iss, cpu->pc);
}

void a64_raise_abort(CpuA64 *cpu, const A64Fault *f)
{
    cpu->sys->fault = *f;
    engine_raise(&cpu->h, EXC_DATA);
}

/* -- return -------------------------------------------------------------------------------------------------------------- */

static bool illegal_return(const CpuA64 *cpu, uint64_t spsr)
{
    const A64Sys *s = cpu->sys;
    unsigned to = (unsigned)spsr >> PS_EL_SHIFT & 3;
    bool have = to == 2 ? s->el2 : to == 3 ? s->el3 : true;
    if (spsr & 0x10 || !have || spsr & 2 || (to == 0 && spsr & 1) || to > a64_el(cpu)) {
        return true;
    }
    if (to == 2 && !a64_el2_enabled(cpu)) {
        return true;
    }
    return to == 1 && a64_hcr(cpu) >> HCR_TGE & 1;
}

void a64_eret(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    uint64_t spsr = s->reg[banks[el].spsr], pc = s->reg[banks[el].elr], keep = PS_SSBS | PS_PAN | PS_UAO | PS_DIT | PS_TCO | PS_DAIF | PS_IL | PS_M;
    bool illegal = illegal_return(cpu, spsr);
    unsigned to = illegal ? el : (unsigned)spsr >> PS_EL_SHIFT & 3;
    bool step = s->reg[SR_MDSCR_EL1] & 1 && !sys_debug_enabled(cpu, el, cpu->pstate_misc & PS_D) &&
                sys_debug_enabled(cpu, to, spsr & PS_D);
    uint64_t p = illegal ? (cpu->pstate_misc & ~(uint64_t)(PS_DAIF | PS_PAN)) | (spsr & (PS_DAIF | PS_PAN)) | PS_IL : spsr & keep;
    p &= ~(uint64_t)PS_SS;
    p &= ~(uint64_t)(PS_PAN | PS_UAO | PS_DIT | PS_SSBS | PS_TCO) | (a64_has(cpu, A64_FEAT_pan) ? PS_PAN : 0) |
         (a64_has(cpu, A64_FEAT_uao) ? PS_UAO : 0) | (a64_has(cpu, A64_FEAT_dit) ? PS_DIT : 0) |
         (a64_has(cpu, A64_FEAT_ssbs) ? PS_SSBS : 0) | (a64_has(cpu, A64_FEAT_mte) ? PS_TCO : 0);
    set_pstate(cpu, p | (step ? spsr & PS_SS : 0));
    a64_set_nzcv(cpu, (uint32_t)spsr & 0xf0000000);
    cpu->excl_addr = ~(uint64_t)0;
    __atomic_store_n(&s->event, true, __ATOMIC_RELAXED);
    a64_level_changed(cpu);
    cpu->pc = illegal ? pc : a64_branch_address(pc, cpu->h.key);
    a64_set_btype(cpu, illegal || !a64_has(cpu, A64_FEAT_bti) ? 0 : spsr >> 10 & 3);
}

/* -- interrupts ------------------------------------------------------------------------------------------------------------ */

/* Pending lines of the vCPU and HCR_EL2.VI, VF, VSE together. */
static unsigned pending_lines(const CpuA64 *cpu, uint64_t hcr)
{
    unsigned lines = (unsigned)__atomic_load_n(&cpu->sys->lines, __ATOMIC_ACQUIRE);
    if (hcr) {
        lines |= (hcr >> HCR_VI & 1 ? LINE_BIT_VIRQ : 0) | (hcr >> HCR_VF & 1 ? LINE_BIT_VFIQ : 0) | (hcr >> HCR_VSE & 1 ? LINE_BIT_VSERROR : 0);
    }
    return lines;
}

/* Level that a physical interrupt is taken to now: bits of PSTATE, HCR_EL2, SCR_EL3 for it. */
static unsigned physical_level(const CpuA64 *cpu, uint64_t hcr, unsigned ps_bit, unsigned hcr_bit, unsigned scr_bit)
{
    const A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu), target = 1;
    bool masked = cpu->pstate_misc & ps_bit, to2 = hcr >> hcr_bit & 1, host = hcr >> HCR_TGE & 1;
    if (s->el3 && s->reg[SR_SCR_EL3] >> scr_bit & 1) {
        target = 3;
    } else if (a64_el2_enabled(cpu) && (to2 || host)) {
        target = 2;
    }
    if (target < el) {
        return 0;
    }
    if (el == 3 && ps_bit == PS_A && a64_has(cpu, A64_FEAT_rasv1p1) && s->reg[SR_SCR_EL3] >> SCR_NMEA & 1) {
        return 3;
    }
    if (target > el) {
        bool host0 = host && hcr >> HCR_E2H & 1 && target == 2;
        return host0 && masked ? 0 : target; /* EL0 of the host masks as EL1 would */
    }
    return masked ? 0 : target;
}

static unsigned virtual_level(const CpuA64 *cpu, uint64_t hcr, unsigned ps_bit, unsigned hcr_bit)
{
    bool on = a64_el(cpu) < 2 && hcr >> hcr_bit & 1 && !(hcr >> HCR_TGE & 1);
    return on && !(cpu->pstate_misc & ps_bit) ? 1 : 0;
}

static const struct {
    uint8_t line, hcr_bit, scr_bit, is_virtual;
    uint16_t ps_bit, vector;
} inputs[] = {
    {LINE_BIT_VFIQ, HCR_FMO, 0, 1, PS_F, VEC_FIQ},          {LINE_BIT_VIRQ, HCR_IMO, 0, 1, PS_I, VEC_IRQ},
    {LINE_BIT_VSERROR, HCR_AMO, 0, 1, PS_A, VEC_SERROR},    {LINE_BIT_FIQ, HCR_FMO, 2, 0, PS_F, VEC_FIQ},
    {LINE_BIT_IRQ, HCR_IMO, 1, 0, PS_I, VEC_IRQ},           {LINE_BIT_SERROR, HCR_AMO, 3, 0, PS_A, VEC_SERROR},
};

bool a64_interrupt(CpuA64 *cpu)
{
    uint64_t hcr = a64_hcr(cpu);
    unsigned lines = pending_lines(cpu, hcr);
    for (unsigned i = 0; lines && i < LEN(inputs); i++) {
        if (!(lines & inputs[i].line)) {
            continue;
        }
        unsigned level = inputs[i].is_virtual ? virtual_level(cpu, hcr, inputs[i].ps_bit, inputs[i].hcr_bit)
                                              : physical_level(cpu, hcr, inputs[i].ps_bit, inputs[i].hcr_bit, inputs[i].scr_bit);
        if (!level) {
            continue;
        }
        uint32_t iss = 0;
        if (inputs[i].line == LINE_BIT_VSERROR) {
            cpu->sys->reg[SR_HCR_EL2] &= ~BIT(HCR_VSE);
            a64_hcr_changed(cpu);
            iss = (uint32_t)cpu->sys->reg[SR_VSESR_EL2] & 0x1ffffff;
        }
        a64_take(cpu, level, inputs[i].vector, EC_SERROR, iss, cpu->pc);
        return true;
    }
    return false;
}

bool a64_wakes(const CpuA64 *cpu)
{
    uint64_t hcr = a64_hcr(cpu);
    unsigned lines = pending_lines(cpu, hcr), el = a64_el(cpu);
    for (unsigned i = 0; lines && i < LEN(inputs); i++) {
        if (lines & inputs[i].line && (!inputs[i].is_virtual || (el < 2 && hcr >> inputs[i].hcr_bit & 1))) {
            return true;
        }
    }
    return false;
}

/* -- transitions without leaving translated code (tr_system.c; nothing traps them, it has looked) --------------------------- */

/* What only the loop of softmmu/vcpu.c sees to: out at the next poll, which follows. */
static void look_after(CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    if (UNLIKELY(cpu->pstate_misc & PS_IL)) { /* not one instruction more */
        a64_take_sync(cpu, EC_ILLEGAL, 0);
    }
    if (UNLIKELY(__atomic_load_n(&s->lines, __ATOMIC_RELAXED) || s->hcr >> HCR_VF & 7)) {
        engine_kick(&cpu->h);
    }
}

void h_sys_svc(CpuA64 *cpu, uint32_t imm, uint64_t next)
{
    a64_take(cpu, sys_default_level(cpu), VEC_SYNC, EC_SVC, imm, next);
    look_after(cpu);
}

void h_sys_eret(CpuA64 *cpu)
{
    a64_eret(cpu);
    look_after(cpu);
}

void h_sys_vm(CpuA64 *cpu, uint32_t sr, uint64_t value)
{
    A64Sys *s = cpu->sys;
    uint64_t old = s->reg[sr];
    s->reg[sr] = value;
    if (old != value && s->mmu) {
        s->hooks->mmu_changed(cpu, (A64Sr)sr, old);
    }
}

void h_sys_pan(CpuA64 *cpu, uint32_t pan)
{
    uint64_t p = (cpu->pstate_misc & ~(uint64_t)PS_PAN) | (pan ? PS_PAN : 0);
    if (p != cpu->pstate_misc) {
        cpu->pstate_misc = p;
        a64_level_changed(cpu);
    }
}

/* -- what translated code left with ------------------------------------------------------------------------------------------ */

static void take_at(CpuA64 *cpu, unsigned target, unsigned ec, uint32_t iss)
{
    a64_take(cpu, target, VEC_SYNC, ec, iss, cpu->pc);
}

static bool fgt_on(const CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    return a64_has(cpu, A64_FEAT_fgt) && a64_el2_enabled(cpu) && (!s->el3 || s->reg[SR_SCR_EL3] >> 27 & 1);
}

static void svc(CpuA64 *cpu, uint32_t imm)
{
    unsigned el = a64_el(cpu);
    bool trap = el < 2 && fgt_on(cpu) && !a64_in_host(cpu, el) && cpu->sys->reg[SR_HFGITR_EL2] >> (52 + el) & 1;
    if (trap) {
        cpu->pc -= 4;
        take_at(cpu, 2, EC_SVC, imm);
    } else {
        take_at(cpu, sys_default_level(cpu), EC_SVC, imm);
    }
}

static void hvc(CpuA64 *cpu, uint32_t imm)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    if (el && s->hooks->firmware && s->hooks->firmware(cpu, false)) {
        return;
    }
    bool enabled = s->el3 ? s->reg[SR_SCR_EL3] >> 8 & 1 : !(s->reg[SR_HCR_EL2] >> HCR_HCD & 1);
    if (!el || !s->el2 || !enabled || (el == 1 && !a64_el2_enabled(cpu))) {
        cpu->pc -= 4;
        a64_take_sync(cpu, EC_UNKNOWN, 0);
        return;
    }
    take_at(cpu, el == 3 ? 3 : 2, EC_HVC, imm);
}

/* AArch64.CheckForSMCUndefOrTrap; without EL3, firmware outside of the machine may answer. */
static void smc(CpuA64 *cpu, uint32_t imm)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    if (el == 1 && a64_hcr(cpu) >> HCR_TSC & 1) {
        cpu->pc -= 4;
        take_at(cpu, 2, EC_SMC, imm);
    } else if (el && s->hooks->firmware && s->hooks->firmware(cpu, true)) {
        return;
    } else if (!el || !s->el3 || s->reg[SR_SCR_EL3] >> 7 & 1) {
        cpu->pc -= 4;
        a64_take_sync(cpu, EC_UNKNOWN, 0);
    } else {
        take_at(cpu, 3, EC_SMC, imm);
    }
}

/* ERETAA, ERETAB: form = 2, 3. The address is authenticated with SP, the register keeps what it has. */
static void eret_pac(CpuA64 *cpu, uint32_t form)
{
    uint64_t *elr = &cpu->sys->reg[banks[a64_el(cpu)].elr], old = *elr;
    uint32_t key = form & 1 ? PAC_IB : PAC_IA;
    if (cpu->h.key >> (KEY_PAC_SHIFT + key) & 1) {
        *elr = sys_pac_auth(cpu, old, cpu->sp, key);
    }
    a64_eret(cpu);
    *elr = old;
}

static void eret(CpuA64 *cpu, uint32_t form)
{
    unsigned trap = cpu->h.key >> KEY_PAC_TRAP_SHIFT & 3;
    unsigned el = a64_el(cpu);
    if (!el) {
        a64_take_sync(cpu, EC_UNKNOWN, 0);
    } else if (el == 1 && (a64_nv(cpu) || (fgt_on(cpu) && cpu->sys->reg[SR_HFGITR_EL2] >> 51 & 1))) {
        take_at(cpu, 2, EC_ERET, form);
    } else if (form && trap) {
        take_at(cpu, trap, EC_PAC, 0);
    } else if (form) {
        eret_pac(cpu, form);
    } else {
        a64_eret(cpu);
    }
}

enum { SCTLR_NTWI = 16, SCTLR_NTWE = 18 };

/* WFE and WFI, with their forms with a time limit: imm = hint number | form << 8 | rt << 16. True: trapped. */
static bool wait_trapped(CpuA64 *cpu, uint32_t imm)
{
    A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu), target = 0;
    bool wfe = (imm & 255) == 2, timed = imm >> 8 & 1;
    uint64_t hcr = a64_hcr(cpu);
    if (el == 0 && !(a64_sctlr(cpu, 0) >> (wfe ? SCTLR_NTWE : SCTLR_NTWI) & 1)) {
        target = sys_default_level(cpu);
    } else if (el < 2 && !a64_in_host(cpu, el) && hcr >> (wfe ? HCR_TWE : HCR_TWI) & 1) {
        target = 2;
    } else if (el < 3 && s->el3 && s->reg[SR_SCR_EL3] >> (wfe ? 13 : 12) & 1) {
        target = 3;
    }
    if (!target) {
        return false;
    }
    cpu->pc -= 4;
    take_at(cpu, target, EC_WFX, 0x1eu << 20 | (timed ? (imm >> 16 & 31) << 5 | 6 : 0) | wfe);
    return true;
}

enum { VDISR_A = 31 };

/* ESB: a virtual SError that is pending and masked is deferred (AArch64.vESBOperation); physical ones are lines of devices, which stay
 * up until their cause is gone. */
static void error_barrier(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    uint64_t hcr = a64_hcr(cpu), both = BIT(HCR_AMO) | BIT(HCR_VSE);
    if (a64_el(cpu) < 2 && !(hcr >> HCR_TGE & 1) && (hcr & both) == both && cpu->pstate_misc & PS_A) {
        s->reg[SR_VDISR_EL2] = BIT(VDISR_A) | (s->reg[SR_VSESR_EL2] & 0x1ffffff);
        s->reg[SR_HCR_EL2] &= ~BIT(HCR_VSE);
        a64_hcr_changed(cpu);
    }
}

static void hint(CpuA64 *cpu, uint32_t imm)
{
    A64Sys *s = cpu->sys;
    if ((imm & 255) == HINT_ESB) {
        error_barrier(cpu);
        return;
    }
    bool wfe = (imm & 255) == 2;
    unsigned rt = imm >> 16 & 31;
    uint64_t until = imm >> 8 & 1 ? rt == 31 ? 0 : cpu->x[rt] : ~(uint64_t)0;
    if (wfe && (__atomic_load_n(&s->event, __ATOMIC_ACQUIRE) || cpu->excl_addr != ~(uint64_t)0)) { /* a store that clears the monitor sends no event */
        __atomic_store_n(&s->event, false, __ATOMIC_SEQ_CST);
        sched_yield(); /* whoever ends the wait may need this host CPU */
        return;
    }
    if ((!wfe && a64_wakes(cpu)) || wait_trapped(cpu, imm)) {
        return;
    }
    if (s->hooks->wait) {
        s->hooks->wait(cpu, !wfe, until);
    }
}

static void align_fault(CpuA64 *cpu)
{
    uint32_t w = 0;
    bool read = word_at(cpu, &w);
    A64 a;
    /* loads have L in bit 22; read-modify-writes count as writes when they would have written */
    bool store = read && a64_decode(w, cpu->model->feats, &a) && !(w >> 22 & 1);
    A64Fault f = {.va = cpu->h.exit_addr, .type = FAULT_ALIGNMENT, .write = store};
    a64_abort(cpu, &f);
}

static void brk(CpuA64 *cpu, uint32_t imm)
{
    unsigned el = a64_el(cpu), target = sys_default_level(cpu);
    if (el < 2 && a64_el2_enabled(cpu) && cpu->sys->reg[SR_MDCR_EL2] >> 8 & 1) {
        target = 2;
    }
    take_at(cpu, target, EC_BRK, imm);
}

static void undefined(CpuA64 *cpu, uint32_t word)
{
    SysCheck c = sys_check_reserved(cpu, word);
    if (c.level) {
        take_at(cpu, c.level, c.ec, sys_syndrome(word));
    } else {
        a64_take_sync(cpu, EC_UNKNOWN, 0);
    }
}

/* The instruction at pc by the form that is for all pointers. */
static bool any_pac(CpuA64 *cpu)
{
    uint64_t key = cpu->h.key;
    cpu->h.key = key | KEY_PAC_ANY;
    ExcKind k = engine_step(&cpu->h);
    cpu->h.key = key;
    return a64_exception(cpu, k);
}

bool a64_exception(CpuA64 *cpu, ExcKind kind)
{
    A64Sys *s = cpu->sys;
    uint32_t imm = (uint32_t)cpu->h.exit_imm;
    switch (kind) {
    case EXC_SVC: svc(cpu, imm); return true;
    case EXC_HVC: hvc(cpu, imm); return true;
    case EXC_SMC: smc(cpu, imm); return true;
    case EXC_ERET: eret(cpu, imm); return true;
    case EXC_UNDEF: undefined(cpu, imm); return true;
    case EXC_HLT: a64_take_sync(cpu, EC_UNKNOWN, 0); return true;
    case EXC_BRK: brk(cpu, imm); return true;
    case EXC_BTI: a64_take_sync(cpu, EC_BTI, a64_btype(cpu)); return true;
    case EXC_PC_ALIGN:
        s->reg[banks[sys_default_level(cpu)].far] = cpu->pc;
        a64_take_sync(cpu, EC_PC_ALIGN, 0);
        return true;
    case EXC_SP_ALIGN: a64_take_sync(cpu, EC_SP_ALIGN, 0); return true;
    case EXC_ALIGN: align_fault(cpu); return true;
    case EXC_FPAC: a64_take_sync(cpu, EC_FPAC, imm); return true;
    case EXC_FETCH:
    case EXC_DATA: a64_abort(cpu, &s->fault); return true;
    case EXC_SYSTRAP: take_at(cpu, s->trap_level, s->trap_ec, s->trap_iss); return true;
    case EXC_TRAP:
        take_at(cpu, imm >> 8, imm & 255, (imm & 255) == EC_FP ? 0x1eu << 20 : 0);
        return true;
    case EXC_HINT: hint(cpu, imm); return true;
    case EXC_PAC: return any_pac(cpu);
    default: return false;
    }
}
