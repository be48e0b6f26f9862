/* gen.c - makes random cases from the .isa rows.
 *
 * A block is made while it runs: at an address that has no instruction yet, a candidate is drawn (row, fields), the
 * reference runs it from the state reached so far, and it stays if its outcome is wanted. So blocks reach their
 * length instead of dying at the first fault, branches go where there is code, and accesses hit the pages they are
 * meant to hit. A register that nothing has touched yet may still be given another initial value: that is how a base
 * register comes to point where an access shall go ("tuning").
 * Rows that ran least are preferred. What a block never reaches is filled with instructions too: a translator sees
 * them. At the end only the words and the initial state count; results are computed anew from those.
 */
#include <stdlib.h>

#include "gen.h"
#include "helpers.h"
#include "state.h"
#include "sysregs.h"

enum { TRIES = 32, GEN_STEPS = 160, PLAN_STEPS = 2000, FIRST_WORD_MAX = 9, LAST_WORD = SLOT_WORDS - 6, SP = 31 };

uint64_t row_runs[A64_ROW_COUNT], row_faults[A64_ROW_COUNT];
bool row_oracle[A64_ROW_COUNT];

static uint16_t rows_all[A64_ROW_COUNT], rows_oracle[A64_ROW_COUNT];
static unsigned n_all, n_oracle;
static bool row_is_access[A64_ROW_COUNT];

typedef struct Gen {
    Rng *g;
    Case *c;
    uint64_t base;     /* address of the slot */
    uint32_t touched;  /* general registers read or written so far; bit 31 is SP */
    uint8_t pool[8];   /* registers that fields prefer */
    bool filled[SLOT_WORDS];
    bool monitor_mixed; /* a store since the last LDXR */
    A64 ldx;            /* the LDXR that a STXR shall answer; row 0: none */
    bool planned;       /* a case of several blocks, */
    Plan plan;          /* with this control flow */
} Gen;

/* A candidate: what it is and what may come of it. */
typedef struct Draw {
    uint32_t word;
    A64 a;
    bool allocated;
    bool want_fault;
} Draw;

/* -- system registers and operations ---------------------------------------------------------------------------- */

enum { KIND_SLOT, KIND_FIELD, KIND_CONST, KIND_HOOK };
typedef struct SysName {
    const char *name;
    uint16_t id;
    uint8_t kind;
} SysName;

static const SysName sysregs[] = {
#define USERREG(name, access, kind, where) {#name, SYSID_##name, KIND_##kind},
#include "sysregs.def"
};
static const SysName sysops[] = {
#define USEROP(name, what) {#name, SYSOPID_##name, 0},
#include "sysregs.def"
};

static void draw_sys_id(A64 *a, unsigned id)
{
    a->o0 = id >> 14 & 1, a->op1 = id >> 11 & 7, a->crn = id >> 7 & 15, a->crm = id >> 3 & 15, a->op2 = id & 7;
}

/* Registers that no two runs read alike. */
static bool is_volatile(const char *name)
{
    return strncmp(name, "CNT", 3) == 0 || strncmp(name, "RND", 3) == 0;
}

static const SysName *find_sysreg(const A64 *a)
{
    for (unsigned i = 0; i < LEN(sysregs); i++) {
        const SysName *r = &sysregs[i];
        if (r->id == SYS_ID(2 | a->o0, a->op1, a->crn, a->crm, a->op2)) {
            return r;
        }
    }
    return NULL;
}

/* May a MRS, MSR or SYS be run? Never: time and random numbers. With the oracle: those that are state. */
static bool system_ok(const A64 *a, bool oracle)
{
    if (a->row != ROW_mrs && a->row != ROW_msr) {
        return true;
    }
    const SysName *r = find_sysreg(a);
    if (r && is_volatile(r->name)) {
        return false;
    }
    return !oracle || (r && (r->kind == KIND_SLOT || r->kind == KIND_HOOK));
}

/* -- drawing a word ------------------------------------------------------------------------------------------------ */

static bool is_register_field(const char *name)
{
    static const char *const names[] = {"rd", "rn", "rm", "ra", "rt", "rt2", "rs"};
    for (unsigned i = 0; i < LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t draw_field(Gen *e, const IsaField *f)
{
    uint32_t ones = (uint32_t)bits_mask(f->width), v;
    if (is_register_field(f->name)) {
        v = rng_one_in(e->g, 6) ? (uint32_t)rng(e->g) : e->pool[rng_below(e->g, LEN(e->pool))];
    } else {
        switch (rng_below(e->g, 10)) {
        case 0:
            v = 0;
            break;
        case 1:
            v = ones;
            break;
        case 2:
            v = 1u << rng_below(e->g, f->width);
            break;
        case 3:
            v = ones ^ 1u << rng_below(e->g, f->width);
            break;
        default:
            v = (uint32_t)rng(e->g);
        }
    }
    v &= ones;
    return f->is_signed ? (int32_t)bits_sext(v, f->width) : (int32_t)v;
}

static unsigned draw_row(Gen *e)
{
    const uint16_t *list = e->c->oracle ? rows_oracle : rows_all;
    unsigned n = e->c->oracle ? n_oracle : n_all;
    unsigned a = list[rng_below(e->g, n)], b = list[rng_below(e->g, n)];
    return row_runs[a] <= row_runs[b] ? a : b;
}

static bool is_branch_imm(unsigned row)
{
    return row == ROW_b || row == ROW_bl || row == ROW_cbz || row == ROW_cbnz || row == ROW_tbz || row == ROW_tbnz ||
           row == ROW_b_cond || row == ROW_bc_cond;
}

static bool in_slot(const Gen *e, uint64_t pc)
{
    return pc >= e->base && pc < e->base + SLOT_BYTES;
}

static unsigned word_index(const Gen *e, uint64_t pc)
{
    return (unsigned)((pc - e->base) / 4);
}

/* Where a branch from word `from` goes: mostly a little forward, at times back, rarely anywhere. */
static int32_t draw_target(Gen *e, unsigned from)
{
    unsigned r = rng_below(e->g, 40);
    if (r == 0) {
        return (int32_t)bits_sext(rng(e->g), 12);
    }
    if (r < 4) {
        return -(int32_t)rng_below(e->g, from + 1);
    }
    unsigned to = from + 1 + rng_below(e->g, r < 20 ? 3 : 10);
    return (int32_t)(to > LAST_WORD ? LAST_WORD : to) - (int32_t)from;
}

/* The word at which a literal load looks: a word of the slot that stays as it is, data, or a hole. */
static int32_t draw_literal(Gen *e, unsigned from)
{
    uint64_t pc = e->base + 4 * from, to;
    switch (rng_below(e->g, 16)) {
    case 0:
        to = DIFF_HOLE + 4 * rng_below(e->g, 1024);
        break;
    case 1:
        to = DIFF_DATA_END - 4 * rng_below(e->g, 6);
        break;
    case 2:
    case 3:
        to = e->base + 4 * (SLOT_WORDS - 4);
        break;
    default:
        to = DIFF_DATA + 4 * rng_below(e->g, DIFF_IMAGE_SIZE / 4);
    }
    return (int32_t)((int64_t)(to - pc) / 4);
}

static void fix_system(Gen *e, A64 *a)
{
    if (a->row == ROW_sys && !rng_one_in(e->g, 8)) {
        const SysName *s = &sysops[rng_below(e->g, LEN(sysops))];
        draw_sys_id(a, s->id);
    } else if ((a->row == ROW_mrs || a->row == ROW_msr) && !rng_one_in(e->g, 8)) {
        const SysName *s = &sysregs[rng_below(e->g, LEN(sysregs))];
        draw_sys_id(a, s->id);
    }
}

static bool near_data(uint64_t v)
{
    v &= bits_mask(56);
    return v >= DIFF_DATA - 512 && v < DIFF_DATA_END + 512;
}

static uint64_t reg_value(unsigned n)
{
    return n == SP ? ref_cpu()->sp : ref_cpu()->x[n];
}

/* A base register: one that can still be given a value, or one that points to data already. */
static int32_t draw_base(Gen *e)
{
    for (unsigned i = 0; i < 24; i++) {
        unsigned n = rng_below(e->g, 32);
        if (i & 1 ? near_data(reg_value(n)) : !(e->touched >> n & 1)) {
            return (int32_t)n;
        }
    }
    return (int32_t)rng_below(e->g, 32);
}

static int32_t *member(A64 *a, const IsaField *f)
{
    return (int32_t *)(void *)((char *)a + f->member);
}

/* A word of the row, at word index `at`; false when no fields were found that belong to it. */
static bool draw_word(Gen *e, unsigned row, unsigned at, uint32_t *word)
{
    const A64RowInfo *info = &a64_rows[row];
    for (unsigned i = 0; i < 24; i++) {
        A64 a = {.row = (uint16_t)row}, check;
        int32_t fields[32];
        bool has_rn = false;
        for (unsigned k = 0; k < info->n_fields; k++) {
            *member(&a, &info->fields[k]) = draw_field(e, &info->fields[k]);
            has_rn |= strcmp(info->fields[k].name, "rn") == 0;
        }
        if (row == ROW_ret && in_slot(e, ref_cpu()->x[30])) {
            a.rn = 30;
        } else if (row_is_access[row] || row == ROW_br || row == ROW_blr || row == ROW_ret) {
            a.rn = rng_one_in(e->g, 16) ? a.rn : draw_base(e);
        }
        if (row == ROW_sys) {
            a.rt = draw_base(e);
        }
        if (is_branch_imm(row)) {
            a.imm26 = a.imm19 = a.imm14 = draw_target(e, at);
        } else if (row_is_access[row] && !has_rn) {
            a.imm19 = draw_literal(e, at);
        }
        if ((row == ROW_stxr || row == ROW_stxp) && e->ldx.row) {
            a.size = e->ldx.size, a.sf = e->ldx.sf, a.rn = e->ldx.rn;
        }
        fix_system(e, &a);
        for (unsigned k = 0; k < info->n_fields; k++) {
            fields[k] = *member(&a, &info->fields[k]);
        }
        *word = a64_encode(row, fields);
        if (a64_decode(*word, the_model->feats, &check) && check.row == row) {
            return true;
        }
    }
    return false;
}

static bool flushing_ok(const Gen *e, const Draw *d)
{
    return !(e->c->oracle && ref_cpu()->h.fp.fpcr >> 24 & 1 && waived_row("fz", d->a.row));
}

/* Draws a word for address pc; false: nothing suitable this time. */
static bool draw(Gen *e, uint64_t pc, Draw *d)
{
    unsigned row = draw_row(e);
    if (e->ldx.row && rng_one_in(e->g, 2)) {
        row = e->ldx.row == ROW_ldxr ? ROW_stxr : ROW_stxp;
    }
    if (in_slot(e, ref_cpu()->x[30]) && rng_one_in(e->g, 8)) {
        row = ROW_ret; /* from the call that left its address there */
    }
    if (!draw_word(e, row, word_index(e, pc), &d->word)) {
        return false;
    }
    if (rng_one_in(e->g, 100)) {
        d->word ^= 1u << rng_below(e->g, 32);
    } else if (rng_one_in(e->g, 400)) {
        d->word = (uint32_t)rng(e->g);
    }
    d->want_fault = false;
    d->allocated = a64_decode(d->word, the_model->feats, &d->a);
    if (!d->allocated) {
        static const uint64_t all[2] = {~(uint64_t)0, ~(uint64_t)0};
        bool elsewhere = e->c->oracle && a64_decode(d->word, all, &d->a) && waived_name("feature", "-");
        d->a = (A64){.word = d->word};
        return !elsewhere && !(e->c->oracle && (waived_word("word", d->word) || waived_word("hole", d->word)));
    }
    if (waived_row("never", d->a.row) || !system_ok(&d->a, e->c->oracle)) {
        return false;
    }
    const A64RowInfo *info = &a64_rows[d->a.row];
    if (e->c->oracle && (d->word ^ info->should_to) & info->should && waived_name("should", "-")) {
        return false;
    }
    if (!flushing_ok(e, d)) {
        return false;
    }
    return !e->c->oracle || (row_oracle[d->a.row] && !d->a.unpred && !waived_word("word", d->word));
}

/* -- tuning ----------------------------------------------------------------------------------------------------------- */

/* An address for an access of `size` bytes; *fault says that a fault would be welcome. */
static uint64_t draw_access(Gen *e, unsigned size, bool *fault)
{
    unsigned r = rng_below(e->g, 40), any = rng_below(e->g, DIFF_RW_SIZE - 256);
    unsigned edge = rng_below(e->g, 4 * size);
    *fault = r < 5;
    switch (r) {
    case 0:
        return DIFF_RO + rng_below(e->g, DIFF_RO_SIZE);
    case 1:
        return DIFF_DATA_END - edge;
    case 2:
        return DIFF_DATA + size - edge;
    case 3:
        return DIFF_RO - edge;
    case 4:
        return DIFF_HOLE + any;
    case 5:
    case 6:
    case 7:
        return DIFF_DATA + DIFF_PAGE - edge;
    case 8:
    case 9:
    case 10:
        return DIFF_DATA + any;
    default:
        return DIFF_DATA + any / 16 * 16;
    }
}

static bool base_of(const Draw *d, unsigned *n)
{
    const A64RowInfo *info = &a64_rows[d->a.row];
    *n = (unsigned)(d->a.row == ROW_sys ? d->a.rt : d->a.rn);
    for (unsigned k = 0; k < info->n_fields; k++) {
        if (strcmp(info->fields[k].name, d->a.row == ROW_sys ? "rt" : "rn") == 0) {
            return d->a.row != ROW_sys || *n != 31;
        }
    }
    return false;
}

static void give(Gen *e, unsigned n, uint64_t v)
{
    if (n == SP) {
        ref_cpu()->sp = e->c->in.sp = v;
    } else {
        ref_cpu()->x[n] = e->c->in.x[n] = v;
    }
}

static bool is_exclusive(unsigned row)
{
    return row == ROW_ldxr || row == ROW_ldxp || row == ROW_stxr || row == ROW_stxp;
}

/* Makes a memory access go somewhere useful; false: it cannot. */
static bool tune_access(Gen *e, Draw *d, Step *s)
{
    uint64_t addr, want;
    unsigned log2size, n;
    if (!ref_address(s, &addr, &log2size)) {
        return true;
    }
    if (base_of(d, &n) && !(e->touched >> n & 1)) {
        want = draw_access(e, 1u << log2size, &d->want_fault);
        uint64_t v = reg_value(n) + (want - addr);
        if (n == SP && rng_one_in(e->g, 12)) {
            give(e, n, v); /* misaligned, as a rule: the instruction becomes another one */
            ref_translate(s);
            return true;
        }
        give(e, n, n == SP ? v & ~(uint64_t)15 : v);
        if (!ref_address(s, &addr, &log2size) || (addr != want && n != SP)) {
            return false;
        }
        if (n != SP && !is_exclusive(d->a.row) && rng_one_in(e->g, 24)) { /* a tag */
            give(e, n, v ^ rng(e->g) << 56);
        }
        return true;
    }
    if (is_exclusive(d->a.row) && addr >> 56) {
        return false; /* where tags are first seen, STXR may fail once */
    }
    if (addr - e->base < SLOT_BYTES - 64) {
        return true;
    }
    bool code = addr + 64 - DIFF_CODE < DIFF_CODE_SIZE + 64;
    return near_data(addr) || (!code && rng_one_in(e->g, 64));
}

/* Branches to a register that may still be chosen. */
static void tune_branch(Gen *e, const Draw *d, uint64_t pc)
{
    unsigned row = d->a.row, n = (unsigned)d->a.rn;
    bool plain = row == ROW_br || row == ROW_blr || row == ROW_ret;
    bool signed_ = row == ROW_braa || row == ROW_blraa || row == ROW_braaz || row == ROW_blraaz;
    if (!(plain || signed_) || n == 31 || e->touched >> n & 1 || rng_one_in(e->g, 24)) {
        return;
    }
    uint64_t to = pc + 4 * (uint64_t)(int64_t)draw_target(e, word_index(e, pc));
    if (rng_one_in(e->g, 40)) {
        to += rng_below(e->g, 4);
    }
    if (signed_) {
        bool z = row == ROW_braaz || row == ROW_blraaz;
        uint64_t pac = pac_hash(&ref_cpu()->pac_key[2 * d->a.m], to, z ? 0 : reg_value((unsigned)d->a.rm));
        to |= pac & a64_pac_field(A64_VA_BITS, true);
    }
    give(e, n, to);
}

/* MSR FPCR, FPSR: mostly without bits that mean nothing here, of which AArch32, FEAT_AFP and FEAT_EBF16 keep some; an
 * oracle that has these keeps them, so there never with them. again: the instruction ran before, in a loop. */
static bool tune_system(Gen *e, const Draw *d, bool again)
{
    enum { FPCR_AARCH32 = 0x00370000, FPCR_NEWER = 0x2007, FPSR_AARCH32 = (int)0xf0000000 };
    const SysName *r = d->a.row == ROW_msr ? find_sysreg(&d->a) : NULL;
    if (!r || d->a.rt == 31 || strncmp(r->name, "FP", 2) != 0) {
        return true;
    }
    unsigned n = (unsigned)d->a.rt;
    uint32_t bad = strcmp(r->name, "FPCR") == 0 ? FPCR_AARCH32 | FPCR_NEWER : (uint32_t)FPSR_AARCH32;
    if (!again && !(e->touched >> n & 1)) {
        give(e, n, reg_value(n) & ~(uint64_t)bad);
    }
    return !e->c->oracle || !(reg_value(n) & bad) || !waived_name("aarch32", "-");
}

/* -- running it ----------------------------------------------------------------------------------------------------------- */

static void touch(Gen *e, const IrRegion *r)
{
    for (IrRef i = 0; i < r->n; i++) {
        const IrIns *ins = &r->ins[i];
        if (ins->op == OP_get || ins->op == OP_set) {
            unsigned n = (unsigned)ins->x - SLOT_x;
            if (n < 31) {
                e->touched |= 1u << n;
            } else if (ins->x == SLOT_sp) {
                e->touched |= 1u << SP;
            }
        }
    }
}

static bool stores(const IrRegion *r)
{
    for (IrRef i = 0; i < r->n; i++) {
        unsigned op = r->ins[i].op;
        if (op == OP_call || (ir_ops[op].effects & WRITES && op != OP_fence)) {
            return true;
        }
    }
    return false;
}

static unsigned pointers(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 32; i++) {
        n += near_data(reg_value(i));
    }
    return n;
}

/* Does the candidate write a register that is the plan's? */
static bool writes_kept(const Gen *e, const IrRegion *r)
{
    for (IrRef i = 0; e->planned && i < r->n; i++) {
        unsigned n = r->ins[i].op == OP_set ? (unsigned)r->ins[i].x - SLOT_x : 31;
        if (n < 31 && e->plan.keep >> n & 1) {
            return true;
        }
    }
    return false;
}

static bool leaves(const Step *s)
{
    return s->kind != EXC_NONE && s->kind != EXC_HINT;
}

/* May the candidate, which has just run, stay? */
static bool accept(Gen *e, const Draw *d, const Step *s, unsigned had_pointers)
{
    uint64_t pc = ref_cpu()->pc;
    switch (s->kind) {
    case EXC_NONE:
    case EXC_HINT:
        if (!in_slot(e, pc)) {
            return (pc & bits_mask(56)) - DIFF_CODE >= DIFF_CODE_SIZE && rng_one_in(e->g, 8);
        }
        unsigned now = pointers();
        return now >= had_pointers || had_pointers > 3 || rng_one_in(e->g, 5);
    case EXC_DATA:
        return d->want_fault || rng_one_in(e->g, 24);
    case EXC_UNDEF:
        return d->allocated ? rng_one_in(e->g, 6) : rng_one_in(e->g, 3);
    default:
        return rng_one_in(e->g, 4);
    }
}

/* In a comparison with an oracle, a STXR with an open monitor must answer its LDXR exactly (DDI 0487 B2.9.5). */
static bool monitor_ok(const Gen *e, const Draw *d, const Step *s)
{
    if (!e->c->oracle || (d->a.row != ROW_stxr && d->a.row != ROW_stxp) || ref_cpu()->excl_addr == ~(uint64_t)0) {
        return true;
    }
    uint64_t addr;
    unsigned log2size;
    bool same = d->a.row == ROW_stxr ? e->ldx.row == ROW_ldxr && e->ldx.size == d->a.size
                                     : e->ldx.row == ROW_ldxp && e->ldx.sf == d->a.sf;
    return same && !e->monitor_mixed && ref_address((Step *)(uintptr_t)s, &addr, &log2size) &&
           addr == ref_cpu()->excl_addr;
}

/* A misaligned access that the architecture checks for, and perhaps not the oracle. */
static bool alignment_ok(const Gen *e, const Draw *d, Step *s)
{
    uint64_t addr;
    unsigned log2size;
    for (IrRef i = 0; e->c->oracle && i < s->region.n; i++) {
        const IrIns *ins = &s->region.ins[i];
        if (ins->op == OP_check_align && ref_address(s, &addr, &log2size) && addr & ((1u << ins->x) - 1)) {
            return !(ins->y && waived_name("lse2", "-")) && !(d->allocated && waived_row("align", d->a.row));
        }
    }
    return true;
}

static void note(Gen *e, const Draw *d, const Step *s)
{
    Case *c = e->c;
    unsigned row = d->allocated ? d->a.row : ROW_UNALLOCATED;
    if (c->nrows < LEN(c->rows)) {
        c->rows[c->nrows++] = (uint16_t)row;
    }
    (leaves(s) ? row_faults : row_runs)[row]++;
    touch(e, &s->region);
    if (row == ROW_ldxr || row == ROW_ldxp) {
        e->ldx = d->a;
        e->monitor_mixed = false;
    } else if (row == ROW_stxr || row == ROW_stxp || row == ROW_clrex) {
        e->ldx.row = 0;
    } else if (stores(&s->region)) {
        e->monitor_mixed = true;
    }
}

/* What of the CPU a rejected candidate may have changed. */
typedef struct Undo {
    uint8_t state[sizeof(CpuA64) - sizeof(CpuHead)];
    FpEnv fp;
    DiffState in;
} Undo;

static void undo_save(const Gen *e, Undo *u)
{
    memcpy(u->state, ref_cpu()->x, sizeof u->state);
    u->fp = ref_cpu()->h.fp;
    u->in = e->c->in;
}

static void undo_load(Gen *e, const Undo *u)
{
    CpuA64 *cpu = ref_cpu();
    memcpy(cpu->x, u->state, sizeof u->state);
    bool same = cpu->h.fp.fpcr == u->fp.fpcr;
    cpu->h.fp = u->fp;
    if (!same) {
        engine_fpcr_changed(&cpu->h);
    }
    e->c->in = u->in;
}

/* Finds an instruction for the empty word at cpu->pc and runs it. */
static bool make_insn(Gen *e, Step *s)
{
    static Undo undo;
    uint64_t pc = ref_cpu()->pc;
    unsigned had = pointers();
    undo_save(e, &undo);
    for (unsigned i = 0; i < TRIES; i++) {
        Draw d;
        if (!draw(e, pc, &d)) {
            continue;
        }
        memcpy(code_alias(pc), &d.word, 4);
        tune_branch(e, &d, pc);
        ref_translate(s);
        if (!writes_kept(e, &s->region) && tune_system(e, &d, false) && tune_access(e, &d, s) && monitor_ok(e, &d, s) && alignment_ok(e, &d, s)) {
            bool writes = stores(&s->region);
            ref_run(s);
            if (accept(e, &d, s, had) || writes) {
                note(e, &d, s);
                e->filled[word_index(e, pc)] = true;
                return true;
            }
        }
        undo_load(e, &undo);
    }
    uint32_t filler = DIFF_FILLER;
    memcpy(code_alias(pc), &filler, 4);
    return false;
}

static void fill_gaps(Gen *e, unsigned first)
{
    unsigned last = 0;
    for (unsigned i = 0; i < SLOT_WORDS; i++) {
        if (!e->filled[i] && e->plan.words[i]) {
            memcpy(code_alias(e->base + 4 * i), &e->plan.words[i], 4);
            e->filled[i] = true;
        }
        last = e->filled[i] ? i : last;
    }
    for (unsigned i = first; i < last; i++) {
        uint64_t pc = e->base + 4 * i;
        Draw d;
        if (!e->filled[i] && draw(e, pc, &d) && d.a.row != ROW_svc) {
            memcpy(code_alias(pc), &d.word, 4);
        }
    }
}

static void begin(Gen *e, Rng *g, unsigned slot, bool oracle, uint64_t memseed, Case *c, unsigned first)
{
    *e = (Gen){.g = g, .c = c, .base = DIFF_CODE + (uint64_t)slot * SLOT_BYTES};
    memset(c, 0, sizeof *c);
    c->memseed = memseed;
    c->oracle = oracle;
    state_draw(g, &c->in);
    c->in.pc = e->base + 4 * first;
    for (unsigned i = 0; i < LEN(e->pool); i++) {
        e->pool[i] = (uint8_t)rng_below(g, 32);
    }
    for (unsigned i = 0; i < SLOT_WORDS; i++) {
        uint32_t filler = DIFF_FILLER;
        memcpy(code_alias(e->base + 4 * i), &filler, 4);
    }
    ref_load(&c->in);
}

static void end(Gen *e, const Step *s)
{
    static DiffResult dropped;
    ref_result(s, &dropped); /* for the memory: the image again */
    memcpy(e->c->words, code_alias(e->base), SLOT_BYTES);
}

bool gen_case(Rng *g, unsigned slot, bool oracle, uint64_t memseed, Case *c)
{
    Gen gen, *e = &gen;
    Step s = {.kind = EXC_NONE};
    unsigned first = rng_below(g, FIRST_WORD_MAX), made = 0;
    unsigned want = rng_one_in(g, 4) ? 1 + rng_below(g, 3) : 1 + rng_below(g, 40);
    begin(e, g, slot, oracle, memseed, c, first);
    e->planned = rng_one_in(g, 6);
    if (e->planned) {
        plan_make(g, &e->plan, first, LAST_WORD);
        e->touched |= e->plan.keep;
        want = SLOT_WORDS;
    }
    running = NULL;
    for (unsigned steps = 0; !leaves(&s); steps++) {
        uint64_t pc = ref_cpu()->pc;
        if (steps == (e->planned ? PLAN_STEPS : GEN_STEPS)) {
            end(e, &s);
            return false;
        }
        unsigned at = in_slot(e, pc) && !(pc & 3) ? word_index(e, pc) : SLOT_WORDS;
        if (at < SLOT_WORDS && !e->filled[at] && e->plan.words[at]) {
            memcpy(code_alias(pc), &e->plan.words[at], 4);
            e->filled[at] = true;
        }
        if (at <= LAST_WORD && !e->filled[at] && made < want && make_insn(e, &s)) {
            made++;
            continue;
        }
        if (at < SLOT_WORDS) {
            e->filled[at] = true; /* the end of the block stays one */
        }
        ref_translate(&s);
        Draw d = {.allocated = at < SLOT_WORDS};
        d.allocated = d.allocated && (memcpy(&d.word, code_alias(pc), 4), a64_decode(d.word, the_model->feats, &d.a));
        c->oracle = c->oracle && (!d.allocated || (monitor_ok(e, &d, &s) && alignment_ok(e, &d, &s) && flushing_ok(e, &d) &&
                                                   tune_system(e, &d, true)));
        touch(e, &s.region);
        ref_run(&s);
    }
    c->oracle = c->oracle && !(s.kind == EXC_SP_ALIGN && waived_name("spalign", "-"));
    fill_gaps(e, first);
    end(e, &s);
    return true;
}

bool gen_sample(unsigned row, unsigned n, unsigned slot, uint64_t memseed, Case *c)
{
    static const uint64_t middle = DIFF_DATA + DIFF_RW_SIZE / 2;
    Gen gen, *e = &gen;
    Rng g;
    Step s = {.kind = EXC_NONE};
    Draw d = {.want_fault = true};
    rng_seed(&g, row * 16 + n);
    begin(e, &g, slot, true, memseed, c, 0);
    if (!a64_sample(row, n, &d.word)) {
        return false;
    }
    memcpy(code_alias(c->in.pc), &d.word, 4);
    d.allocated = a64_decode(d.word, the_model->feats, &d.a);
    for (unsigned i = 0; i < 31; i++) {
        give(e, i, middle);
    }
    give(e, SP, middle);
    ref_translate(&s);
    c->rows[c->nrows++] = (uint16_t)row;
    end(e, &s);
    return d.allocated && !d.a.unpred && system_ok(&d.a, true);
}

/* -- tables --------------------------------------------------------------------------------------------------------- */

bool row_allocated(unsigned row)
{
    const A64RowInfo *r = &a64_rows[row];
    return row != ROW_UNALLOCATED && !(r->feats[0] & ~the_model->feats[0]) && !(r->feats[1] & ~the_model->feats[1]);
}

void gen_init(void)
{
    Case c;
    n_all = n_oracle = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        if (!row_allocated(row) || waived_row("never", row)) {
            continue;
        }
        rows_all[n_all++] = (uint16_t)row;
        if (row_oracle[row]) {
            rows_oracle[n_oracle++] = (uint16_t)row;
        }
        for (unsigned n = 0; n < 8 && !row_is_access[row]; n++) {
            Step s;
            uint64_t addr;
            unsigned log2size;
            if (!gen_sample(row, n, 0, 0, &c)) {
                continue;
            }
            ref_load(&c.in);
            ref_translate(&s);
            row_is_access[row] = ref_address(&s, &addr, &log2size);
        }
    }
}
