/* frontend.c - the AArch64 front end: slot and helper tables, the one-instruction step of the translation loop,
 * and the exits that all translators share.
 */
#include "disas.h"
#include "helpers.h"
#include "sys.h"
#include "tr.h"

static const IrSlot slots[SLOT_COUNT] = {
#include "slots.def"
};

static const IrHelper helpers[HELPER_COUNT] = {
#define HELPER(name, ret, a, b, c, effects, doc) {#name, (void *)h_##name, ret, {a, b, c}, effects},
#define SYSHELPER(name, ret, a, b, c, effects, doc) {#name, NULL, ret, {a, b, c}, effects},
#include "helpers.def"
#undef HELPER
};

void tr_undef(Tr *t, const A64 *a)
{
    ir_exit_exc(t->b, EXC_UNDEF, (int32_t)a->word, t->pc);
    t->ended = true;
}

void tr_branch(Tr *t, uint64_t target)
{
    if (tr_repeat_loop(t, target) || tr_follow(t, target)) {
        return;
    }
    if (t->shape && tr_shape_joins(t->shape, target)) {
        t->next = target;
        return;
    }
    ir_exit_pc(t->b, tr_exit_flags(t, target), target);
    t->ended = true;
}

/* Does straight-line code of at most n instructions at pc reach BR? With `fork`, by a forward branch on the way, too. */
static bool reaches_br(const Tr *t, uint64_t pc, unsigned n, bool fork)
{
    tr_looked(t);
    for (; n && ((pc ^ t->pc) & -(uint64_t)TR_PAGE) == 0; n--, pc += 4) {
        uint32_t w;
        memcpy(&w, t->code + (int64_t)(pc - t->pc), 4);
        if ((w & 0xfffffc1f) == 0xd61f0000) {
            return true;
        }
        bool cond = (w & 0xff000010) == 0x54000000 || (w & 0x7e000000) == 0x34000000; /* B.cond; CBZ, CBNZ */
        if (cond) {
            uint64_t target = pc + (uint64_t)(bits_sext(w >> 5, 19) * 4);
            if (target <= pc) {
                return false;
            }
            if (fork && reaches_br(t, target, n / 2, false)) {
                return true;
            }
        } else if ((w & 0x7c000000) == 0x14000000 || (w & 0xfe000000) == 0xd6000000 || (w & 0xff000000) == 0xd4000000) {
            return false; /* B, BL; by register; SVC, BRK and the like */
        }
    }
    return false;
}

static bool dispatches(const Tr *t, uint64_t pc)
{
    return reaches_br(t, pc, TR_FOLLOW_INSNS, true);
}

void tr_branch_if(Tr *t, IrRef cond, uint64_t target)
{
    uint64_t v;
    if (ir_is_const(t->b, cond, &v)) {
        if (v) {
            tr_branch(t, target);
        }
        return;
    }
    uint64_t next = t->next;
    if (tr_repeat_loop(t, target)) {
        ir_exit_if(t->b, tr_exit_flags(t, next), ir_invert(t->b, cond), next);
        return;
    }
    if (t->followed && target > t->pc && reaches_br(t, target, TR_FOLLOW_INSNS / 2, false) &&
        !reaches_br(t, next, TR_FOLLOW_INSNS, false)) { /* the way that made the region go on here */
        ir_exit_if(t->b, tr_exit_flags(t, next), ir_invert(t->b, cond), next);
        t->next = target;
        return;
    }
    ir_exit_if(t->b, tr_exit_flags(t, target), cond, target);
    if (target <= t->pc && !t->shape) {
        ir_exit_pc(t->b, tr_exit_flags(t, t->next), t->next);
        t->ended = true;
    }
}

void tr_sync(Tr *t)
{
    ir_exit_pc(t->b, EXIT_SYNC, t->next);
    t->ended = true;
}

static void begin(Tr *t)
{
    t->b->alone = !(t->key & (KEY_SHARED | KEY_SYSTEM)); /* devices of a machine are not alone with its memory */
    if (t->key & KEY_STRICT) {
        t->b->on_store = t->key & KEY_ONE_INSN ? tr_break_mark : tr_look_at_mark;
        t->b->on_store_arg = t->space;
    }
}

/* Is v a multiple of 16, given that SP was one? */
static bool keeps_alignment(const Tr *t, IrRef v)
{
    const IrIns *i = &t->b->r->ins[v];
    uint64_t k;
    switch (i->op) {
    case OP_get: return i->x == SLOT_sp && i->ty == I64;
    case OP_const: return ir_imm64(i) % 16 == 0;
    case OP_add:
    case OP_sub: return ir_is_const(t->b, i->b, &k) && k % 16 == 0 && keeps_alignment(t, i->a);
    case OP_and: return ir_is_const(t->b, i->b, &k) && k % 16 == 0;
    default: return false;
    }
}

void tr_set_sp(Tr *t, IrRef v)
{
    ir_set(t->b, SLOT_sp, v);
    bool keeps = keeps_alignment(t, v);
    if (t->key & (KEY_SYSTEM | KEY_SP_CHECK)) {
        t->checked &= keeps;
    } else if ((t->key & KEY_SP_ODD) || !keeps) {
        t->unsettled = v;
    }
}

void tr_check_sp(Tr *t, IrRef sp)
{
    if (!t->checked && t->key & (KEY_SP_ODD | KEY_SP_CHECK)) {
        ir_exit_exc_if(t->b, ir_and(t->b, I64, sp, ir_iconst(t->b, I64, 15)), EXC_SP_ALIGN, 0);
        t->checked = true;
    }
}

static void settle(Tr *t)
{
    IrRef low = ir_and(t->b, I64, ir_get(t->b, SLOT_sp, I64), ir_iconst(t->b, I64, 15));
    IrRef changed = t->key & KEY_SP_ODD ? ir_is_zero(t->b, I64, low, false) : low;
    ir_exit_exc_if(t->b, changed, EXC_REKEY, 0);
    t->unsettled = 0;
}

static void one(Tr *t)
{
    const CpuModel *m = t->model;
    uint32_t word;
    memcpy(&word, t->code, 4);
    IrRegion *r = t->b->r;
    if (r->nwords < IR_WORDS) {
        r->words[r->nwords++] = word;
    } else {
        tr_looked(t);
    }
    A64 a;
    if (t->ninsns == 0 && tr_has(t, A64_FEAT_bti)) {
        tr_landing(t, word);
    }
    if (UNLIKELY(t->space->critical != NULL)) {
        tr_critical(t);
    }
    if (a64_decode(word, m->feats, &a)) {
        a64_rows[a.row].tr(t, &a, a64_rows[a.row].k);
    } else {
        a.word = word;
        tr_undef(t, &a);
    }
}

/* True when w sets NZCV without reading it (DDI 0487 C4.1: ADDS SUBS ANDS BICS and their aliases). */
static bool sets_flags(uint32_t w)
{
    return (w & 0x3f000000) == 0x31000000 || /* ADDS, SUBS immediate: x11 10001 */
           (w & 0x7f800000) == 0x72000000 || /* ANDS immediate */
           (w & 0x3f200000) == 0x2b000000 || /* ADDS, SUBS shifted register */
           (w & 0x3fe00000) == 0x2b200000 || /* ADDS, SUBS extended register */
           (w & 0x7f000000) == 0x6a000000;   /* ANDS, BICS shifted register */
}

/* True when w neither sees NZCV nor can fault, so that the search may go on behind it. */
static bool flags_blind(uint32_t w)
{
    return (w & 0x1f000000) == 0x10000000 || (w & 0x3f800000) == 0x11000000 || /* ADR, ADRP; ADD, SUB immediate */
           (w & 0x1f800000) == 0x12000000 || (w & 0x1f800000) == 0x12800000 || /* logical, move wide */
           (w & 0x1f000000) == 0x13000000 ||                                   /* bitfield, extract */
           (w & 0x3f200000) == 0x0b000000 || (w & 0x1f000000) == 0x0a000000;   /* ADD, SUB, logical register */
}

static unsigned flags_dead(const uint8_t *code, uint32_t avail)
{
    static const uint64_t none[2]; /* these instructions need no feature */
    for (unsigned i = 0; i < 4 && avail >= 4; i++, code += 4, avail -= 4) {
        uint32_t w;
        memcpy(&w, code, 4);
        bool sets = sets_flags(w);
        if (!(sets || flags_blind(w)) || !a64_is_allocated(w, none)) {
            return 0; /* an UNALLOCATED word of these classes faults */
        }
        if (sets) {
            return 4 * i + 4;
        }
    }
    return 0;
}

static TrFlow flow(const uint8_t *code, uint64_t pc, uint64_t *target)
{
    uint32_t w;
    memcpy(&w, code, 4);
    if ((w & 0x7c000000) == 0x14000000) { /* B, BL */
        *target = pc + (uint64_t)(bits_sext(w, 26) * 4);
        return w >> 31 ? FLOW_CALL : FLOW_JUMP;
    }
    if ((w & 0xff000000) == 0x54000000 || (w & 0x7e000000) == 0x34000000) { /* B.cond, BC.cond; CBZ, CBNZ */
        *target = pc + (uint64_t)(bits_sext(w >> 5, 19) * 4);
        return FLOW_COND;
    }
    if ((w & 0x7e000000) == 0x36000000) { /* TBZ, TBNZ */
        *target = pc + (uint64_t)(bits_sext(w >> 5, 14) * 4);
        return FLOW_COND;
    }
    if ((w & 0xfe000000) == 0xd6000000) { /* to a register: BLR and its authenticating forms come back */
        return (w >> 21 & 7) == 1 ? FLOW_CALL : FLOW_END;
    }
    return (w & 0xff000000) == 0xd4000000 || w < 0x10000 ? FLOW_END : FLOW_NEXT; /* exceptions; UDF */
}

bool tr_odd_address(const Frontend *fe, Gva pc, uint64_t plain, uint64_t key, IrRegion *r, IrIns *ins, uint32_t cap)
{
    IrBuild b;
    if (plain == pc.v && !(pc.v & 3)) {
        return false;
    }
    ir_begin(&b, r, ins, cap, fe->slots, fe->helpers);
    ir_insn(&b, pc.v);
    if (plain != pc.v) {
        ir_exit_pc(&b, 0, plain);
    } else {
        ir_exit_exc(&b, EXC_PC_ALIGN, 0, pc.v);
    }
    ir_end(&b);
    r->pc = pc;
    r->key = key;
    r->nbytes = r->before = 0;
    r->ninsns = 1;
    return true;
}

const TrGuest a64_guest = {.min_bytes = 4, .begin = begin, .one = one, .settle = settle, .dispatches = dispatches, .flags_dead = flags_dead, .flow = flow};

static bool translate_loop(const void *cpu_model, Space *s, const TrStop *stop, Gva pc, uint64_t key, unsigned max_insns,
                           IrRegion *r, IrIns *ins, uint32_t cap)
{
    return tr_region_loop(&a64_frontend, &a64_guest, cpu_model, s, stop, pc, key, max_insns, r, ins, cap);
}

static bool is_loop(Space *s, Gva pc, Gva last, unsigned max_insns, IrIns *ins, uint32_t cap)
{
    return tr_is_loop(&a64_guest, s, pc, last, max_insns, ins, cap);
}

static void translate(const void *cpu_model, Space *s, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r,
                      IrIns *ins, uint32_t cap)
{
    uint64_t plain = pc.v >> 55 & 1 ? pc.v : pc.v & bits_mask(56);
    if (tr_odd_address(&a64_frontend, pc, plain, key, r, ins, cap)) {
        return;
    }
    tr_region(&a64_frontend, &a64_guest, cpu_model, s, pc, key, key & KEY_ONE_INSN ? 1 : max_insns, r, ins, cap);
}

static uint64_t key(const CpuHead *head, uint64_t added)
{
    const CpuA64 *cpu = (const CpuA64 *)head;
    return a64_fp_key(head->fp.fpcr) | (cpu->sp & 15 && !(added & KEY_SP_CHECK) ? KEY_SP_ODD : 0);
}

const Frontend a64_frontend = {
    .name = "aarch64",
    .slots = slots,
    .nslots = SLOT_COUNT,
    .helpers = helpers,
    .nhelpers = HELPER_COUNT,
    .cpu_size = sizeof(CpuA64),
    .pc_slot = SLOT_pc,
    .nzcv_slot = SLOT_nzcv,
    .sp_slot = SLOT_sp,
    .rekey_often = KEY_SP_CHECK,
    .translate = translate,
    .translate_loop = translate_loop,
    .is_loop = is_loop,
    .key = key,
    .disas = a64_disas,
};
