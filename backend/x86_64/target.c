/* target.c - this host as the engine sees it (tb.h): compiling a region, entering code, host signal contexts. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "log.h"
#include "record.h"
#include "sel.h"
#include "softfloat.h"

/* The rules' files, in order of precedence. */
static const struct {
    const Rule *rules;
    const unsigned *n;
} rule_tables[] = {
    {rules_exit, &rules_exit_n}, {rules_int, &rules_int_n}, {rules_flags, &rules_flags_n}, {rules_mem, &rules_mem_n},
    {rules_fp, &rules_fp_n}, {rules_vfp, &rules_vfp_n}, {rules_half, &rules_half_n}, {rules_recip, &rules_recip_n},
    {rules_simd, &rules_simd_n}, {rules_saturate, &rules_saturate_n}, {rules_crypto, &rules_crypto_n},
};

/* Table k in order of precedence; system mode has one more in front. */
static RuleTable rule_table(unsigned k, bool soft)
{
    if (k == 0) {
        return (RuleTable){rules_softmmu, soft ? rules_softmmu_n : 0};
    }
    return (RuleTable){rule_tables[k - 1].rules, *rule_tables[k - 1].n};
}

/* One array sorted by op, tables in order within an op, the evaluation function last. */
static int index_rules(Target *t, bool soft)
{
    static const Rule evaluate = {.own = 1, .f = l_eval};
    unsigned total = 0;
    for (unsigned k = 0; k <= LEN(rule_tables); k++) {
        RuleTable table = rule_table(k, soft);
        for (unsigned j = 0; j < table.n; j++) {
            t->nrules[table.rules[j].op]++;
        }
        total += table.n;
    }
    t->rules = calloc(total + OP_COUNT + 1, sizeof(Rule));
    if (!t->rules) {
        return -ENOMEM;
    }
    Rule *end[OP_COUNT], *next = t->rules;
    for (unsigned op = 0; op < OP_COUNT; op++) {
        t->first[op] = end[op] = next;
        t->nrules[op] = (uint16_t)(t->nrules[op] + (ir_evals[op] != NULL));
        next += t->nrules[op];
    }
    for (unsigned k = 0; k <= LEN(rule_tables); k++) {
        RuleTable table = rule_table(k, soft);
        for (unsigned j = 0; j < table.n; j++) {
            *end[table.rules[j].op]++ = table.rules[j];
        }
    }
    for (unsigned op = 0; op < OP_COUNT; op++) {
        if (ir_evals[op]) {
            *end[op] = evaluate;
            end[op]->op = (uint16_t)op;
        }
    }
    next->op = OP_COUNT;
    for (unsigned op = 0; op < OP_COUNT; op++) {
        const Rule *r = t->first[op];
        t->alone[op] = t->nrules[op] && r->own && !r->types && !r->x && !r->flags ? r->f : NULL;
    }
    return 0;
}

int target_init(Engine *e)
{
    Target *t = calloc(1, sizeof *t);
    if (!t) {
        return -ENOMEM;
    }
    e->target = t;
    sel_init();
    int r = index_rules(t, e->cfg.soft);
    return r < 0 ? r : abi_init(e, t);
}

uint64_t target_kind(const Engine *e)
{
    const Target *t = e->target;
    uint64_t kind = sizeof(Exit) << 16 | sizeof(Tb);
    for (unsigned k = 0; k < sizeof t->feat; k++) {
        kind = kind * 31 + ((const uint8_t *)&t->feat)[k];
    }
    return kind;
}

static void start(Lower *l, uint8_t *code)
{
    clear_bytes(l, offsetof(Lower, reg_val));
    l->ef = l->nz = 0;
    l->want_flags = 0;
    l->hot = l->too_big = false;
    l->bound = 0;
    l->spills = 0;
    l->cost = 0;
    l->nfaults = l->nrecipes = l->nexits = l->nstubs = l->nfix = 0;
    l->a = (Asm){code, code, NULL, 0, false, NULL, 0};
}

/* One attempt; with `free` of the pinned registers as temporaries, in tier 2. */
static bool lower(Lower *l, Engine *e, CodeChunk *ch, const IrRegion *r, uint8_t *code, Tb *tb, unsigned free)
{
    start(l, code);
    l->a.end = ch->code_end;
    l->a.rx = e->code.rx - e->code.rw;
    l->a.notes = (e->cache || engine_pool(e)) && r->tier == 1 ? l->notes : NULL;
    l->e = e;
    l->t = e->target;
    l->r = r;
    l->ins = r->ins;
    l->ch = ch;
    l->val = (Val *)(l + 1);
    l->todo = (IrRef *)(l->val + ALIGN_UP(r->n, VALS_AT_ONCE));
    l->guest_pc = r->pc.v;
    l->exits = (Exit *)(tb + 1);
    l->nfreed = 0;
    if (r->tier == 2) {
        loop_pins(l, free);
    }
    return sel_region(l);
}

/* The lowering of a tier-2 region that accesses memory least often. A register that is freed inside is stored and loaded
 * again at its edges, which counts as one access per round of the loop. */
static bool lower_loop(Lower *l, Engine *e, CodeChunk *ch, const IrRegion *r, uint8_t *code, Tb *tb)
{
    uint64_t best = 0;
    unsigned free = 0;
    ir_flow(r, &l->flow);
    for (unsigned n = 0, most = e->cfg.no_opt & OFF_LOOP_TEMPS ? 0 : 4; n <= most; n += 2) {
        if (!lower(l, e, ch, r, code, tb, n)) {
            return false;
        }
        l->cost += n * (uint64_t)ir_depth_weight(1);
        if (n && l->cost >= best) {
            return lower(l, e, ch, r, code, tb, free);
        }
        best = l->cost;
        free = n;
    }
    return true;
}

/* The region may come again: in another run, or in this one. */
static void keep(Lower *l, const Tb *tb)
{
    Engine *e = l->e;
    TbPool *pool = engine_pool(e);
    Made m = {.tb = tb, .ir = l->r, .key = record_key(e, tb->key), .bound = l->r->bound | l->bound, .nrecipes = l->nrecipes,
              .nnotes = l->a.nnotes, .notes = l->a.notes};
    l->ch->record = e->cache ? cache_record(e, l->ch, &m) : NULL;
    if (pool && !l->ch->record) {
        pool_keep(e, pool, &m);
    }
}

Tb *target_compile(Engine *e, CodeChunk *ch, const IrRegion *r, void *work, size_t bytes)
{
    uint8_t *code = (uint8_t *)ALIGN_UP((uintptr_t)ch->code, 16);
    uint8_t *data = (uint8_t *)ALIGN_UP((uintptr_t)ch->data, TB_ALIGN), *data_end = (uint8_t *)(ch->tbs - ch->ntbs - 1);
    if (data + sizeof(Tb) + 64 * 1024 > data_end || code + 2 * ASM_MARGIN > ch->code_end) {
        return NULL;
    }
    codebuf_ahead(ch);
    Lower *l = work;
    ASSERT(sizeof *l + (sizeof(Val) + sizeof(IrRef)) * (r->n + VALS_AT_ONCE) <= bytes);
    Tb *tb = (Tb *)data;
    l->flow.depth[0] = 0;
    l->profile = UNLIKELY(e->profile != NULL) ? profile_region(e, r) : NULL;
    if (!(r->tier == 2 ? lower_loop(l, e, ch, r, code, tb) : lower(l, e, ch, r, code, tb, 0))) {
        return l->too_big ? TB_TOO_BIG : NULL;
    }
    clear_bytes(tb, sizeof *tb);
    tb->pc = r->pc.v;
    tb->key = r->key;
    tb->entry = codebuf_rx(&e->code, code);
    tb->size = (uint32_t)(l->a.p - code);
    tb->nbytes = (uint16_t)r->nbytes;
    tb->before = (uint16_t)r->before;
    tb->ninsns = (uint16_t)r->ninsns;
    tb->unshared = r->unshared;
    tb->tier = (uint8_t)r->tier;
    tb->nexits = (uint16_t)l->nexits;
    tb->nfaults = (uint16_t)l->nfaults;
    tb->exits = l->exits;
    tb->faults = (Fault *)(l->exits + l->nexits);
    memcpy(tb->faults, l->faults, sizeof(Fault) * l->nfaults);
    tb->recipes = (Recipe *)(tb->faults + l->nfaults); /* a Fault is as aligned */
    memcpy(tb->recipes, l->recipes, sizeof(Recipe) * l->nrecipes);
    ch->code = l->a.p;
    ch->data = (uint8_t *)(tb->recipes + l->nrecipes);
    if (l->nfreed) {
        tb->slots = memcpy(ch->data, l->t->slot_of, 16);
        ch->data += 16;
    }
    if (l->a.notes) {
        keep(l, tb);
    }
    return tb;
}

void target_enter(Engine *e, CpuHead *cpu, const uint8_t *entry)
{
    const Target *t = e->target;
    sync_released(&cpu->host_sp); /* by the code that leaves again */
    ((void (*)(CpuHead *, const uint8_t *))(uintptr_t)t->enter)(cpu, entry);
}

void target_link_at(uint8_t *at, const uint8_t *to_rw)
{
    __atomic_store_n((uint32_t *)at, (uint32_t)(to_rw - (at + 4)), __ATOMIC_RELEASE);
}

/* -- host signal contexts --------------------------------------------------------------------------------- */

static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

const void *target_uc_pc(const void *ucontext)
{
    return (const void *)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
}

/* The vector registers in the frame: xmm0-15 in the legacy part, xmm16-31 in the XSAVE area's Hi16_ZMM, at an offset that the processor tells. */
static void uc_xmm(const ucontext_t *uc, unsigned n, V128 *out)
{
    static uint32_t hi16;
    const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
    if (n < 16) {
        memcpy(out, fp + 160 + 16 * n, 16);
        return;
    }
    uint64_t xstate;
    memcpy(&xstate, fp + 512, 8); /* XSTATE_BV */
    if (!__atomic_load_n(&hi16, __ATOMIC_RELAXED)) { /* asked for late: few programs need it, and it is slow */
        __atomic_store_n(&hi16, features_hi16_zmm(), __ATOMIC_RELAXED);
    }
    if (xstate & (1u << 7)) {
        memcpy(out, fp + hi16 + 64 * (n - 16), 16);
    } else {
        memset(out, 0, sizeof *out);
    }
}

static uint32_t flags_from(uint64_t efl, FlagForm form)
{
    bool cf = efl & 1, pf = efl & 4, zf = efl & 64, sf = efl & 128, of = efl & 2048;
    if (form == FF_ADD || form == FF_SUB) {
        return (sf ? PACKED_N : 0) | (zf ? PACKED_Z : 0) | (cf != (form == FF_SUB) ? PACKED_C : 0) | (of ? PACKED_V : 0);
    }
    if (pf) {
        return PACKED_C | PACKED_V;
    }
    if (zf) {
        return PACKED_Z | PACKED_C;
    }
    return cf != (form == FF_FBA) ? PACKED_N : PACKED_C;
}

static uint64_t recipe_operand(const Engine *e, const CpuHead *cpu, const greg_t *g, const ucontext_t *uc, const Recipe *r, unsigned n)
{
    uint64_t v = r->k[n];
    if (r->kind[n] == RECIPE_REG && reg_is_xmm(r->place[n])) {
        V128 x;
        uc_xmm(uc, r->place[n] & 31, &x);
        v = x.d[0];
    } else if (r->kind[n] == RECIPE_REG) {
        v = (uint64_t)g[greg_of[r->place[n]]];
    } else if (r->kind[n] == RECIPE_SLOT) {
        memcpy(&v, (const uint8_t *)cpu + e->fe->slots[r->place[n]].offset, 8);
    } else if (r->kind[n] == RECIPE_SPILL) {
        v = cpu->spill[r->place[n]].d[0];
    }
    v += r->kind[n] <= RECIPE_ADDRESS ? 0 : r->k[n];
    return r->wide ? v : (uint32_t)v;
}

/* FCMP of two values' bits. */
static uint32_t compare_fp(uint64_t a, uint64_t b, bool wide)
{
    uint64_t sign = (uint64_t)1 << (wide ? 63 : 31), inf = wide ? 0x7ff0000000000000 : 0x7f800000, ma = a & ~sign, mb = b & ~sign;
    if (ma > inf || mb > inf) {
        return PACKED_C | PACKED_V;
    }
    int64_t x = a & sign ? -(int64_t)ma : (int64_t)ma, y = b & sign ? -(int64_t)mb : (int64_t)mb;
    return x == y ? PACKED_Z | PACKED_C : x < y ? PACKED_N : PACKED_C;
}

/* uc: for floating-point compares, which system mode has no recipes of. */
static uint32_t flags_by_recipe(const Engine *e, const CpuHead *cpu, const greg_t *g, const ucontext_t *uc, const Recipe *r)
{
    uint64_t a = recipe_operand(e, cpu, g, uc, r, 0), b = recipe_operand(e, cpu, g, uc, r, 1);
    if (r->op == OP_fl_fcmp) {
        return compare_fp(a, b, r->wide);
    }
    uint64_t mask = bits_mask(r->wide ? 64 : 32), sign = mask ^ mask >> 1, v = a;
    bool c = false, o = false;
    if (r->op == OP_fl_add) {
        v = (a + b) & mask;
        c = v < a;
        o = (a ^ v) & (b ^ v) & sign;
    } else if (r->op == OP_fl_sub) {
        v = (a - b) & mask;
        c = a >= b;
        o = (a ^ b) & (a ^ v) & sign;
    } else if (r->op == OP_and) {
        v = a & b;
    }
    return (v & sign ? PACKED_N : 0) | (v == 0 ? PACKED_Z : 0) | (c ? PACKED_C : 0) | (o ? PACKED_V : 0);
}

/* NZCV as f says where it is. */
static void save_flags(Engine *e, CpuHead *cpu, const greg_t *g, const ucontext_t *uc, const Tb *tb, const Fault *f)
{
    if (f->flags != FAULT_FL_MEMORY) {
        uint32_t fl = f->flags == FAULT_FL_SPILL    ? cpu->spill[f->reg].s[0]
                      : f->flags == FAULT_FL_RECIPE ? flags_by_recipe(e, cpu, g, uc, &tb->recipes[f->reg])
                      : f->flags == FAULT_FL_TARGET ? (uint32_t)g[greg_of[f->reg]]
                                                    : flags_from((uint64_t)g[REG_EFL], (FlagForm)(f->flags - FAULT_FL_TARGET - 1));
        fl &= PACKED_N | PACKED_Z | PACKED_C | PACKED_V;
        memcpy((uint8_t *)cpu + e->fe->slots[e->fe->nzcv_slot].offset, &fl, 4);
    }
}

void target_soft_state(Engine *e, CpuHead *cpu)
{
    const Target *t = e->target;
    const uint8_t *ret = *(const uint8_t **)cpu->ret_sp;
    const Tb *tb = tb_of_host(e, ret);
    const Fault *f = tb ? tb_fault(tb, (uint32_t)(ret - tb->entry)) : NULL;
    ASSERT(f);
    greg_t g[NGREG];
    for (Reg r = 0; r < 16 && f->flags != FAULT_FL_MEMORY; r++) { /* what the flags are made of */
        g[greg_of[r]] = 0;
        if (t->pins >> r & 1) {
            memcpy(&g[greg_of[r]], (const uint8_t *)cpu + e->fe->slots[t->slot_of[r]].offset, 8);
        } else if (t->temps >> r & 1) {
            g[greg_of[r]] = (greg_t)soft_saved(cpu, t, r);
        }
    }
    uint64_t pc = tb->pc + (uint64_t)((int64_t)f->pc * 2);
    memcpy((uint8_t *)cpu + e->fe->slots[e->fe->pc_slot].offset, &pc, 8);
    save_flags(e, cpu, g, NULL, tb, f);
}

void target_uc_save(Engine *e, CpuHead *cpu, const void *ucontext, const Tb *tb, const Fault *f)
{
    const Target *t = e->target;
    const ucontext_t *uc = ucontext;
    const greg_t *g = uc->uc_mcontext.gregs;
    uint8_t *base = (uint8_t *)cpu;
    for (uint64_t m = t->pins; m; m &= m - 1) {
        Reg r = (Reg)__builtin_ctzll(m);
        unsigned n = tb->slots && r < XMM0 ? tb->slots[r] : t->slot_of[r];
        if (n == NOSLOT) {
            continue; /* a temporary inside this region */
        }
        uint8_t *slot = base + e->fe->slots[n].offset;
        if (reg_is_xmm(r)) {
            V128 v;
            uc_xmm(uc, r & 31, &v);
            memcpy(slot, &v, sizeof v);
        } else {
            memcpy(slot, &g[greg_of[r]], 8);
        }
    }
    uint64_t pc = tb->pc + (uint64_t)((int64_t)f->pc * 2);
    memcpy(base + e->fe->slots[e->fe->pc_slot].offset, &pc, 8);
    save_flags(e, cpu, g, uc, tb, f);
    cpu->ret_sp = (void *)g[REG_RSP];
    cpu->guest_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
}

void target_uc_leave(Engine *e, CpuHead *cpu, void *ucontext)
{
    const Target *t = e->target;
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;
    g[REG_RBP] = (greg_t)((uint8_t *)cpu + STATE_BIAS);
    g[REG_RSP] = (greg_t)cpu->host_sp; /* a C stack again: signals may be delivered on it */
    g[REG_RIP] = (greg_t)t->leave_saved;
    g[REG_EFL] &= ~0x400; /* direction flag clear, as C wants */
}

void target_raise(Engine *e, CpuHead *cpu)
{
    const Target *t = e->target;
    __asm__ volatile("mov %0, %%rbp\n\tmov %1, %%rsp\n\tjmp *%2"
                     :
                     : "r"((uint8_t *)cpu + STATE_BIAS), "r"(cpu->host_sp), "a"(t->leave_saved)
                     : "memory");
    __builtin_unreachable();
}

static uint64_t greg(const ucontext_t *uc, unsigned r)
{
    return (uint64_t)uc->uc_mcontext.gregs[greg_of[r]];
}

/* Decodes as much of the forms that we emit as the operand needs. */
bool target_uc_address(const void *ucontext, uint64_t *addr)
{
    const ucontext_t *uc = ucontext;
    const uint8_t *p = target_uc_pc(ucontext);
    unsigned b = 0, x = 0;
    while (*p == 0x66 || *p == 0xf2 || *p == 0xf3 || *p == 0xf0) {
        p++;
    }
    if (*p == 0x62) { /* EVEX: we never use its scaled displacement */
        b = !(p[1] & 0x20);
        x = !(p[1] & 0x40);
        p += 4;
    } else if (*p == 0xc4) {
        b = !(p[1] & 0x20);
        x = !(p[1] & 0x40);
        p += 3;
    } else if (*p == 0xc5) {
        p += 2;
    } else {
        if ((*p & 0xf0) == 0x40) {
            b = *p & 1;
            x = *p >> 1 & 1;
            p++;
        }
        if (*p == 0x0f) {
            p += p[1] == 0x38 || p[1] == 0x3a ? 2 : 1;
        }
    }
    unsigned modrm = *++p, mod = modrm >> 6, rm = modrm & 7;
    p++;
    if (mod == 3 || (mod == 0 && rm == 5)) {
        return false;
    }
    uint64_t v;
    int32_t disp = 0;
    if (rm == 4) {
        unsigned sib = *p++, index = (sib >> 3 & 7) | x << 3, base = (sib & 7) | b << 3;
        bool none = (sib & 7) == 5 && mod == 0;
        v = none ? 0 : greg(uc, base);
        v += index == 4 ? 0 : greg(uc, index) << (sib >> 6);
        mod = none ? 2 : mod;
    } else {
        v = greg(uc, rm | b << 3);
    }
    if (mod == 1) {
        disp = (int8_t)*p;
    } else if (mod == 2) {
        memcpy(&disp, p, 4);
    }
    *addr = v + (uint64_t)(int64_t)disp;
    return true;
}

void target_uc_call(CpuHead *cpu, void *ucontext, void (*fn)(CpuHead *))
{
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;
    g[REG_RSP] = ((g[REG_RSP] - 1024) & ~(greg_t)15) - 8;
    g[REG_RDI] = (greg_t)cpu;
    g[REG_RIP] = (greg_t)fn;
}

bool target_uc_ret_overflow(Engine *e, CpuHead *cpu, void *ucontext)
{
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;
    uint8_t *rsp = (uint8_t *)g[REG_RSP], *low = (uint8_t *)cpu->ret_base + 16 - RET_STACK;
    (void)e;
    if (rsp < low - 4096 || rsp > low + 64) {
        return false;
    }
    g[REG_RSP] = (greg_t)cpu->ret_base;
    return true;
}

void target_ret_reset(Engine *e, CpuHead *cpu)
{
    const Target *t = e->target;
    if (cpu->ret_base) {
        *(void **)cpu->ret_base = t->ret_bottom;
        cpu->ret_sp = cpu->ret_base;
    }
}

void target_ret_drop(Engine *e, CpuHead *cpu)
{
    /* The thunk still has to return: keep its return address, with nothing above it. */
    void *top = cpu->in_helper ? *(void **)cpu->ret_sp : NULL;
    target_ret_reset(e, cpu);
    if (top) {
        cpu->ret_sp = (void **)cpu->ret_base - 1;
        *(void **)cpu->ret_sp = top;
    }
}

/* A return site begins with  cmp rcx, [rip + Exit.pc] (7 bytes); the Exit says which guest address it is for. */
static Exit *exit_of_return_site(const uint8_t *site)
{
    int32_t disp;
    memcpy(&disp, site + 3, 4);
    return (Exit *)(uintptr_t)(site + 7 + disp);
}

bool target_ret_resync(Engine *e, CpuHead *cpu, uint64_t pc)
{
    void **sp = cpu->ret_sp;
    for (unsigned n = 0; n < RESYNC_DEPTH && (void *)sp < cpu->ret_base; n++, sp++) {
        const uint8_t *site = *sp;
        if (site < e->code.rx || site >= e->code.rx + e->code.size) {
            break;
        }
        const Exit *x = exit_of_return_site(site);
        if (x->pc == pc) {
            cpu->ret_sp = sp + 1;
            return true;
        }
    }
    return false;
}

/* -- floating-point control ------------------------------------------------------------------------------- */

enum {
    MXCSR_STICKY = 0x3f, /* IE DE ZE OE UE PE */
    MXCSR_IE = 1,
    MXCSR_UE = 1 << 4,
    MXCSR_PE = 1 << 5,
    MXCSR_IM = 1 << 7, /* what is masked */
    MXCSR_DM = 1 << 8,
    MXCSR_UM = 1 << 11,
    MXCSR_PM = 1 << 12,
    MXCSR_BASE = 0x1f80 & ~0x80 /* all but invalid */
};

/* Sticky bits in FPSR's order; denormal-operand is none of them. */
static uint32_t sticky_fpsr(uint32_t mxcsr)
{
    return (mxcsr & 1) | (mxcsr >> 1 & 0x1e);
}

void target_fp_control(CpuHead *cpu)
{
    static const uint16_t rc[4] = {0, 2 << 13, 1 << 13, 3 << 13}; /* RN RP RM RZ */
    uint32_t sticky = cpu->guest_mxcsr & MXCSR_STICKY, m = MXCSR_BASE | rc[cpu->fp.fpcr >> FPCR_RMODE_SHIFT & 3];
    if (cpu->fp.fpcr & FPCR_FZ) { /* rules_fpmode.c */
        cpu->fp.fpsr |= sticky_fpsr(sticky);
        sticky = 0;
        m &= ~(uint32_t)(MXCSR_DM | MXCSR_UM | (cpu->fp.fpsr & FPSR_IXC ? 0 : MXCSR_PM));
    }
    if (UNLIKELY(cpu->engine->cfg.no_opt & OFF_FP_TRAPS)) {
        m |= MXCSR_IM;
    }
    cpu->guest_mxcsr = m | sticky;
}

void target_fp_trapped(CpuHead *cpu)
{
    uint32_t own = cpu->fp.fpcr & FPCR_FZ ? MXCSR_IE | MXCSR_UE | MXCSR_PE : MXCSR_IE;
    cpu->guest_mxcsr &= ~own;
}

uint32_t target_fpsr(const CpuHead *cpu)
{
    uint64_t saturated = cpu->scratch[6] | cpu->scratch[7]; /* HEAD_QC */
    return cpu->fp.fpsr | sticky_fpsr(cpu->guest_mxcsr) | (saturated ? 1u << 27 : 0);
}

void target_set_fpsr(CpuHead *cpu, uint32_t fpsr)
{
    cpu->fp.fpsr = fpsr;
    cpu->scratch[6] = cpu->scratch[7] = 0;
    cpu->guest_mxcsr &= ~(uint32_t)MXCSR_STICKY;
    target_fp_control(cpu);
}
