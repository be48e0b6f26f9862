/* rules_exit.c - leaving a region: direct and indirect jumps, calls and returns, exceptions, helper calls.
 *
 * A direct exit is one patchable jump (Exit); unlinked it leads to a stub that loads rax with the Exit and
 * leaves. A call pushes the host address of its return site on the return stack (rsp); a guest return loads
 * RTARGET with its target and executes a host `ret`; the return site compares RTARGET with the guest address
 * that it stands for, which is the Exit's first field, and goes on through that Exit. Indirect jumps probe the
 * thread's jump cache inline.
 * When flags are wanted at the target, a side exit goes by a stub that packs them there, so that the path that
 * stays pays nothing. Polls stand on the taken path only.
 */
#include "sel.h"

static void align_patch(Asm *a, unsigned before)
{
    /* the displacement must not cross a cache line: it is patched while others run it */
    while ((((uintptr_t)asm_rx(a, a->p) + before) & 63) > 60) {
        put8(a, 0x90);
    }
}

Exit *exit_new(Lower *l, uint64_t pc)
{
    Exit *x = &l->exits[l->nexits++];
    if ((uint8_t *)(x + 2) > (uint8_t *)(l->ch->tbs - l->ch->ntbs) - sizeof l->faults - 4096) {
        l->too_big = true; /* checked at the end of the op; there is room for the rest of it */
        l->nexits--;
    }
    *x = (Exit){.pc = pc};
    return x;
}

void exit_jump(Lower *l, Exit *x)
{
    align_patch(&l->a, 1);
    x->at = x_jmp(&l->a);
}

/* System mode: never linked, because another page may be elsewhere later? */
static bool is_far(const Lower *l, const Exit *x)
{
    return l->e->cfg.soft && (x->pc ^ l->r->pc.v) >> TLB_PAGE_BITS;
}

Stub *l_stub(Lower *l, unsigned kind)
{
    if (l->nstubs >= LEN(l->stubs)) {
        l->too_big = true;
        l->nstubs--;
    }
    Stub *s = &l->stubs[l->nstubs++];
    clear_bytes(s, sizeof *s);
    s->kind = (StubKind)kind;
    s->reg = NOREG;
    s->block = -1;
    return s;
}

/* ZF = nothing is pending */
static void poll(Lower *l)
{
    x_alu_mi(&l->a, 1, ALU_CMP, l_head(l, offsetof(CpuHead, pending)), 0);
}

static void store_flags_at_end(Lower *l, const IrIns *in)
{
    if (!(in->x & EXIT_FLAGS_DEAD)) {
        fl_store(l);
    }
}

static void poll_then(Lower *l, Exit *x, int block)
{
    poll(l);
    Stub *s = l_stub(l, STUB_PENDING);
    s->from = x_jcc(&l->a, CC_NE);
    s->exit = x;
    s->block = block;
}

void exit_goto(Lower *l, uint8_t *at, int block)
{
    if (l->nfix >= LEN(l->fix)) {
        l->too_big = true;
        return;
    }
    l->fix[l->nfix].at = at;
    l->fix[l->nfix++].block = (uint32_t)block;
}

/* Jumps back in tier 1 can be counted. Whether they are is decided by where they lead (tb_link): the code is the same. */
static void count_jumps(Lower *l, Exit *x)
{
    if (l->e->cfg.loops && l->r->tier == 1 && x->pc <= l->guest_pc) {
        x->count = engine_first_count(l->e);
    }
}

static void own_exit_pc(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    uint64_t pc = ir_imm64(in);
    int block = ir_edge(l->r, in);
    store_flags_at_end(l, in);
    if (in->x & EXIT_SYNC) {
        loop_leave(l);
        l_address(l, RTARGET, pc, CONST_PC);
        if (l->r->key & KEY_ONE_INSN) {
            x_jmp_abs(&l->a, l->t->indirect_miss);
            return;
        }
        poll(l);
        x_jcc_abs(&l->a, CC_NE, l->t->pending_indirect);
        if (l->e->cfg.soft) { /* another key has another jump cache there */
            x_jmp_abs(&l->a, l->t->soft_far);
        } else { /* what is no longer right is in none: tb_remove, change_key */
            exit_probe_jump(&l->a, l->t);
        }
        return;
    }
    if (in->x & EXIT_POLL) {
        Exit *x = exit_new(l, pc);
        poll_then(l, x, block);
        if (block < 0) {
            count_jumps(l, x);
            loop_leave(l);
            exit_jump(l, x);
        }
    } else if (block < 0) {
        loop_leave(l);
        exit_jump(l, exit_new(l, pc));
    }
    if (block >= 0 && block != (int)l->block + 1) {
        exit_goto(l, x_jmp(&l->a), block);
    }
}

/* Where a conditional jump goes. */
typedef struct Way {
    StubKind kind; /* STUB_FLAGS or STUB_JUMP, when it takes a stub */
    bool poll;
    int block;
    Exit *exit;
} Way;

/* A conditional jump to a stub or, without one, to the exit itself. */
static void jump_if(Lower *l, X86Cond cc, bool stub, const Way *way)
{
    Exit *x = way->exit;
    if (!stub && way->block >= 0) {
        exit_goto(l, x_jcc(&l->a, cc), way->block);
        return;
    }
    if (!stub) {
        align_patch(&l->a, 2);
        x->at = x_jcc(&l->a, cc);
        return;
    }
    Stub *s = l_stub(l, way->kind);
    s->from = x_jcc(&l->a, cc);
    s->form = l->form;
    s->exit = x;
    s->poll = way->poll;
    s->block = way->block;
}

static void own_exit_if(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    int block = ir_edge(l->r, in);
    bool inside = block >= 0;
    Exit *x = !inside || (in->x & EXIT_POLL) ? exit_new(l, ir_imm64(in)) : NULL;
    bool flags = !(in->x & EXIT_FLAGS_DEAD) && l->nz;
    const IrIns *c = l_ins(l, in->a);
    bool same = c->op == OP_test_flags && (l->val[in->a].attr & A_LAZY) && c->a == l->nz;
    IrRef nz = l->nz;
    if (flags && !(same && (l->ef == nz || (l->val[nz].attr & A_REISSUE)))) {
        fl_store(l);
        l->lock = 0;
        flags = false;
    }
    CondCode cc = fl_cond(l, in->a);
    if (flags && l->ef != nz) { /* asked by another form after all */
        flags = false;
        fl_store(l);
        l->lock = 0;
        cc = fl_cond(l, in->a);
    }
    Way way = {.kind = flags ? STUB_FLAGS : STUB_JUMP, .poll = in->x & EXIT_POLL, .block = block, .exit = x};
    if (in->x & EXIT_POLL && !inside) {
        count_jumps(l, x);
    }
    uint8_t *odd = NULL;
    if (cc.and_np) {
        odd = x_jcc8(a, CC_P);
    }
    if (cc.or_p) {
        jump_if(l, CC_P, true, &way);
        jump_if(l, cc.cc, true, &way);
        return;
    }
    if ((in->x & EXIT_POLL) && !flags) { /* the jump back of a loop: test on the taken path, inline */
        uint8_t *stay = x_jcc8(a, cc.cc ^ 1);
        poll(l);
        if (inside) {
            exit_goto(l, x_jcc(a, CC_E), block);
        } else if (l->nfreed) {
            uint8_t *pending = x_jcc8(a, CC_NE);
            loop_leave(l);
            exit_jump(l, x);
            asm_link8(pending, a->p);
        } else {
            align_patch(a, 2);
            x->at = x_jcc(a, CC_E);
        }
        Stub *s = l_stub(l, STUB_PENDING);
        s->from = x_jmp(a);
        s->exit = x;
        s->block = block;
        asm_link8(stay, a->p);
    } else {
        jump_if(l, cc.cc, flags || (in->x & EXIT_POLL) || (!inside && l->nfreed), &way);
    }
    if (odd) {
        asm_link8(odd, a->p);
    }
}

/* After a call: the return site. */
static void return_site(Lower *l, IrRef i)
{
    Exit *x = exit_new(l, l->guest_pc + (uint64_t)l_ins(l, i)->imm);
    x_cmp_rm(&l->a, 1, RTARGET, mem_rip(&x->pc));
    x_jcc_abs(&l->a, CC_NE, l->t->ret_mismatch);
    exit_jump(l, x);
}

static void own_exit_call(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    store_flags_at_end(l, in);
    Exit *x = exit_new(l, ir_imm64(in));
    if (in->x & EXIT_POLL) {
        poll_then(l, x, -1);
    }
    ASSERT(!l->nfreed); /* no loop has calls in it */
    align_patch(&l->a, 1);
    x->at = x_call(&l->a);
    return_site(l, i);
}

/* The register that the value is in, RTARGET if it is in none, or if `fixed`; flags stored; everything else is free. */
static Reg load_target(Lower *l, const IrIns *in, bool fixed)
{
    Mem m;
    fl_store(l);
    l->lock = 0;
    ASSERT(!l->nfreed); /* nor indirect jumps */
    if (l_in_memory(l, in->a, &m)) {
        x_mov_rm(&l->a, 1, RTARGET, m);
        return RTARGET;
    }
    Reg r = l_reg(l, in->a);
    if (!fixed && r != RAX && r != RDX) { /* which probe needs */
        return r;
    }
    l_mov(l, I64, RTARGET, r);
    return RTARGET;
}

static void own_exit_ret(Lower *l, IrRef i)
{
    load_target(l, l_ins(l, i), true);
    x_byte(&l->a, X_RET);
}

/* A member of the jump cache's entry that probe found: an entry has four times the bytes of a guest instruction, and the number
 * of an entry is in the address's lower half. An odd address finds no entry: what lies between two is no such address. */
_Static_assert(sizeof(JumpEntry) == 16 && JUMP_CACHE_BITS == 14, "see jump_hash");
static Mem jump_entry(size_t member)
{
    return (Mem){RDX, RAX, 2, (int32_t)member, 0};
}

/* rdx, rax = the place of the entry for the address in r (jump_entry); flags tell whether it is the right one. */
static void probe(Asm *a, Reg r)
{
    x_movzx16_rr(a, 0, RAX, r);
    x_mov_rm(a, 1, RDX, mem(RSTATE, (int32_t)offsetof(CpuHead, jumps) - STATE_BIAS));
    x_cmp_rm(a, 1, r, jump_entry(offsetof(JumpEntry, pc)));
}

/* If not zero: to code that finds the target, which is in r, in RTARGET. */
static void leave_unless(Lower *l, Reg r, uint8_t *to)
{
    if (r == RTARGET) {
        x_jcc_abs(&l->a, CC_NE, to);
        return;
    }
    Stub *s = l_stub(l, STUB_TARGET);
    s->from = x_jcc(&l->a, CC_NE);
    s->reg = r;
    s->to = to;
}

void exit_probe_jump(Asm *a, const Target *t)
{
    probe(a, RTARGET);
    x_jcc_abs(a, CC_NE, t->indirect_miss);
    x_jmp_m(a, 0, jump_entry(offsetof(JumpEntry, host)));
}

static void own_exit_ind(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    Reg r = load_target(l, l_ins(l, i), false);
    poll(l);
    leave_unless(l, r, l->t->pending_indirect);
    probe(a, r);
    leave_unless(l, r, l->t->indirect_miss);
    x_jmp_m(a, 0, jump_entry(offsetof(JumpEntry, host)));
}

static void own_exit_call_ind(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    Reg r = load_target(l, l_ins(l, i), false);
    poll(l);
    leave_unless(l, r, l->t->pending_indirect);
    probe(a, r);
    Stub *s = l_stub(l, STUB_MISS);
    s->reg = r;
    s->from = x_jcc(a, CC_NE);
    s->back = a->p;
    x_call_m(a, 0, jump_entry(offsetof(JumpEntry, host)));
    return_site(l, i);
}

static void leave_with(Lower *l, ExcKind kind, int32_t imm, uint64_t pc)
{
    Asm *a = &l->a;
    l_address(l, RCX, pc, CONST_PC);
    x_store_rm(a, 1, RCX, l_slot(l, l->e->fe->pc_slot));
    x_mov_mi(a, 0, l_head(l, offsetof(CpuHead, exit_kind)), (int32_t)kind);
    x_mov_mi(a, 0, l_head(l, offsetof(CpuHead, exit_imm)), imm);
    x_jmp_abs(a, l->t->leave);
}

static void own_exit_exc(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    fl_store(l);
    loop_leave(l);
    leave_with(l, (ExcKind)in->x, in->imm, ir_imm64(in));
}

static void own_exit_exc_if(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    fl_store(l);
    l->lock = 0;
    CondCode cc = fl_cond(l, in->a);
    uint8_t *odd = cc.and_np ? x_jcc8(&l->a, CC_P) : NULL;
    for (int n = cc.or_p ? 2 : 1; n; n--) {
        Stub *s = l_stub(l, STUB_EXC);
        s->from = x_jcc(&l->a, n == 2 ? CC_P : cc.cc);
        s->exc = (ExcKind)in->x;
        s->imm = in->imm;
        s->pc = l->guest_pc;
    }
    if (odd) {
        asm_link8(odd, l->a.p);
    }
}

static void own_jump(Lower *l, IrRef i)
{
    fl_store(l);
    l->lock = 0;
    l_sync_block_end(l);
    exit_goto(l, x_jmp(&l->a), l_ins(l, i)->imm);
}

static void own_branch(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    fl_store(l);
    l->lock = 0;
    l_sync_block_end(l);
    CondCode cc = fl_cond(l, in->a);
    if (cc.and_np) {
        exit_goto(l, x_jcc(&l->a, CC_P), (int)in->c);
    } else if (cc.or_p) {
        exit_goto(l, x_jcc(&l->a, CC_P), (int)in->b);
    }
    exit_goto(l, x_jcc(&l->a, cc.cc), (int)in->b);
    exit_goto(l, x_jmp(&l->a), (int)in->c);
}

/* -- calls of C functions ------------------------------------------------------------------------------ */

/* scratch[k] = value of an argument, or a pointer to its copy in ev[k] */
static void store_argument(Lower *l, IrRef v, IrType ty, unsigned k, unsigned place)
{
    Asm *a = &l->a;
    Mem m = l_head(l, offsetof(CpuHead, scratch) + 8 * place);
    Mem ev = l_head(l, offsetof(CpuHead, ev) + sizeof(V128) * k);
    if (ty == TV128) {
        Reg s = l_reg(l, v), t = l_temp(l);
        x_vmovups_to_rm(a, s, ev);
        x_lea(a, 1, t, ev);
        x_store_rm(a, 1, t, m);
    } else {
        Reg s = l_reg_zx(l, v);
        x_store_rm(a, 1, s, m);
    }
    l->lock = 0;
}

void l_count(Lower *l, uint64_t *counter)
{
    x_mov_ri(&l->a, RAX, (uint64_t)(uintptr_t)counter);
    x_alu_mi(&l->a, 1, ALU_ADD, mem(RAX, 0), 1);
}

static void own_call(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    const IrHelper *h = &l->e->fe->helpers[in->imm];
    const IrRef args[3] = {in->a, in->b, in->c};
    unsigned place = 0;
    if (h->effects & (STATE | FAULTS | EXITS)) {
        fl_store(l);
    }
    l_clobber(l);
    l->ef = 0;
    l->lock = 0;
    if (h->ret == TV128) {
        Reg t = l_temp(l);
        x_lea(a, 1, t, l_head(l, offsetof(CpuHead, ev) + 3 * sizeof(V128)));
        x_store_rm(a, 1, t, l_head(l, offsetof(CpuHead, scratch)));
        place++;
        l->lock = 0;
    }
    for (unsigned k = 0; k < 3 && h->args[k] != TY_NONE; k++) {
        store_argument(l, args[k], (IrType)h->args[k], k, place++);
    }
    if (h->effects & STATE) { /* slots may change: what lives of their old values moves out */
        for (unsigned s = 0; s < l->e->fe->nslots; s++) {
            if (l->slot_head[s]) {
                l_evict_slot(l, s, 0);
                l->lock = 0;
            }
        }
        memset(l->slot_cur, 0, sizeof l->slot_cur);
    }
    l_evict(l, l->t->temps);
    l_address(l, RCX, l->guest_pc, CONST_PC);
    x_store_rm(a, 1, RCX, l_slot(l, l->e->fe->pc_slot));
    loop_leave(l);
    if (UNLIKELY(l->profile != NULL)) {
        l_count(l, profile_call(l->e->profile, in));
    }
    l_address(l, RAX, (uintptr_t)h->fn, CONST_HOST);
    x_call_abs(a, h->effects & GENERAL ? l->t->helper_general : h->effects & STATE ? l->t->helper : l->t->helper_plain);
    loop_enter(l);
    if (h->ret == TV128) {
        Reg d = l_dst(l, i, true);
        x_vmovups_rm(a, d, l_head(l, offsetof(CpuHead, ev) + 3 * sizeof(V128)));
        l_def(l, i, d, true);
    } else if (h->ret != TY_NONE) {
        l_def(l, i, RAX, false);
    }
}

void l_eval(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    const char *sig = ir_ops[in->op].sig + 2;
    const IrRef args[3] = {in->a, in->b, in->c};
    l_clobber(l);
    l->ef = 0;
    for (unsigned k = 0; k < 3; k++) {
        if (sig[k] == '.' || !args[k]) {
            continue;
        }
        Mem ev = l_head(l, offsetof(CpuHead, ev) + sizeof(V128) * k);
        Reg s = l_reg(l, args[k]);
        if (reg_is_xmm(s)) {
            x_vmovups_to_rm(a, s, ev);
        } else {
            s = l_reg_zx(l, args[k]);
            x_store_rm(a, 1, s, ev);
        }
        l->lock = 0;
    }
    l_evict(l, l->t->temps & 0xffff);
    if (UNLIKELY(l->profile != NULL)) {
        l_count(l, profile_call(l->e->profile, in));
    }
    l_address(l, RAX, (uintptr_t)ir_evals[in->op], CONST_HOST);
    x_mov_ri(a, RCX, (uint32_t)(in->x | in->y << 8 | (uint32_t)in->imm << 16));
    x_call_abs(a, l->t->eval);
    Mem r = l_head(l, offsetof(CpuHead, ev) + 3 * sizeof(V128));
    IrType ty = ir_result_type(in);
    if (ty == TY_NONE) {
        return;
    }
    Reg d = l_dst(l, i, true);
    switch (ty) {
    case I32: x_mov_rm(a, 0, d, r); break;
    case I64: x_mov_rm(a, 1, d, r); break;
    case F16:
        x_vpxor_rrr(a, d, d, d);
        x_vpinsrw_rrmi(a, d, d, r, 0);
        break;
    case F32: x_vmovss_ld_rm(a, d, r); break;
    case F64: x_vmovsd_ld_rm(a, d, r); break;
    default: x_vmovups_rm(a, d, r); break;
    }
    l_def(l, i, d, true);
}

/* -- stubs -------------------------------------------------------------------------------------------------- */

void fl_store_form(Asm *a, FlagForm form, Mem m)
{
    if (form == FF_FAB || form == FF_FBA) {
        x_mov_ri(a, RAX, form == FF_FBA ? PACKED_N : PACKED_C);
        x_mov_ri(a, RCX, form == FF_FBA ? PACKED_C : PACKED_N);
        x_cmov_rr(a, 0, CC_B, RAX, RCX);
        x_mov_ri(a, RCX, PACKED_Z | PACKED_C);
        x_cmov_rr(a, 0, CC_E, RAX, RCX);
        x_mov_ri(a, RCX, PACKED_C | PACKED_V);
        x_cmov_rr(a, 0, CC_P, RAX, RCX);
    } else {
        if (form == FF_SUB) {
            x_byte(a, X_CMC);
        }
        x_byte(a, X_LAHF);
        x_setcc(a, CC_O, RAX);
    }
    x_store16_rm(a, 0, RAX, m);
}

/* rsi or rdx = operand v of flags that a block computes again. */
static void load_operand(Lower *l, Reg d, IrRef v, bool wide)
{
    const IrIns *in = l_ins(l, v);
    Asm *a = &l->a;
    if (in->op == OP_const) {
        x_mov_ri(a, d, ir_imm64(in));
        return;
    }
    const IrIns *get = in->op == OP_add ? l_ins(l, in->a) : in;
    Reg pin = l->t->pin[get->x];
    if (pin != NOREG) {
        x_mov_rr(a, 1, d, pin);
    } else {
        x_mov_rm(a, 1, d, l_slot(l, get->x));
    }
    if (in->op == OP_add) {
        x_mov_ri(a, RAX, ir_imm64(l_ins(l, in->b)));
        x_add_rr(a, wide, d, RAX);
    }
}

static void load_fp(Lower *l, Reg d, IrRef v)
{
    unsigned slot = l_ins(l, v)->x;
    if (l->t->pin[slot] != NOREG) {
        x_vmovaps_rr(&l->a, d, l->t->pin[slot]);
    } else {
        x_vmovups_rm(&l->a, d, l_slot(l, slot));
    }
}

/* On an edge to this block, where flags are not stored because it computes them again: stores them after all. */
static void store_flags_of(Lower *l, int block)
{
    IrRef f = block >= 0 ? l->r->flags[block] : 0;
    Asm *a = &l->a;
    if (!f) {
        return;
    }
    const IrIns *in = l_ins(l, f), *x = in;
    bool wide = in->ty == I64;
    if (in->op == OP_fl_fcmp) {
        load_fp(l, XMM0, in->a);
        load_fp(l, XMM0 + 1, in->b);
        enc_v_rr(a, in->ty == F64 ? X_vucomisd : X_vucomiss, XMM0, 0, XMM0 + 1);
        fl_store_form(a, FF_FAB, l_slot(l, l->e->fe->nzcv_slot));
        return;
    }
    if (in->op == OP_fl_logic && l->ins[in->a].op == OP_and) {
        x = l_ins(l, in->a);
    }
    load_operand(l, RSI, x->a, wide);
    if (x->b) {
        load_operand(l, RDX, x->b, wide);
    }
    if (in->op == OP_fl_add) {
        x_add_rr(a, wide, RSI, RDX);
    } else if (in->op == OP_fl_sub) {
        x_cmp_rr(a, wide, RSI, RDX);
    } else {
        x_test_rr(a, wide, x->b ? RDX : RSI, RSI);
    }
    fl_store_form(a, in->op == OP_fl_sub ? FF_SUB : FF_ADD, l_slot(l, l->e->fe->nzcv_slot));
}

/* Something is pending before an exit: the exit's own stub leaves, too, and the dispatcher looks first at what is pending. */
static void pending_stub(Lower *l, const Stub *s)
{
    Asm *a = &l->a;
    Exit *x = s->exit;
    if (x->at && s->block < 0 && !l->nfreed && !is_far(l, x)) {
        asm_link(s->from, x->stub);
        return;
    }
    asm_link(s->from, a->p);
    store_flags_of(l, s->block);
    loop_leave(l);
    x_lea(a, 1, RAX, mem_rip(x));
    x_jmp_abs(a, l->t->pending);
}

static void one_stub(Lower *l, const Stub *s)
{
    Asm *a = &l->a;
    asm_link(s->from, a->p);
    switch (s->kind) {
    case STUB_FLAGS:
        fl_store_form(a, s->form, l_slot(l, l->e->fe->nzcv_slot));
        /* fall through */
    case STUB_JUMP: {
        Exit *x = s->exit;
        if (x && x->at) { /* the second way to the same exit */
            x = exit_new(l, x->pc);
            if (s->poll) {
                count_jumps(l, x);
            }
        }
        if (s->poll) {
            poll_then(l, x, s->block);
        }
        if (s->block >= 0) {
            exit_goto(l, x_jmp(a), s->block);
        } else {
            loop_leave(l);
            exit_jump(l, x);
        }
        break;
    }
    case STUB_EXC:
        if (s->reg != NOREG) {
            x_store_rm(a, 1, s->reg, l_head(l, offsetof(CpuHead, exit_addr)));
        }
        loop_leave(l);
        leave_with(l, s->exc, s->imm, s->pc);
        break;
    case STUB_SOFT:
        soft_stub(l, s);
        break;
    case STUB_TARGET:
        x_mov_rr(a, 1, RTARGET, s->reg);
        x_jmp_abs(a, s->to);
        break;
    case STUB_MISS:
        l_mov(l, I64, RTARGET, s->reg);
        x_lea(a, 1, RDX, mem_rip(l->t->miss_entry));
        x_xor_rr(a, 0, RAX, RAX);
        asm_link(x_jmp(a), s->back);
        break;
    case STUB_EXIT: case STUB_PENDING:
        break;
    }
}

static void exit_stub(Lower *l, Exit *x)
{
    Asm *a = &l->a;
    if (x->count) {
        align_patch(a, COUNTER_JUMP);
        x->via = (int32_t)(a->p - x->at);
        x_alu_mi(a, 0, ALU_SUB, mem_rip(&x->count), 1);
        uint8_t *hot = x_jcc8(a, CC_S), *jump = x_jmp(a);
        ASSERT(jump == x->at + x->via + COUNTER_JUMP);
        asm_link8(hot, a->p);
        asm_link(jump, a->p);
    }
    x->stub = a->p;
    asm_link(x->at, a->p);
    if (is_far(l, x)) {
        x_mov_ri(a, RTARGET, x->pc);
        x_jmp_abs(a, l->t->soft_far);
        return;
    }
    x_lea(a, 1, RAX, mem_rip(x));
    x_jmp_abs(a, l->t->unlinked);
}

void exit_stubs(Lower *l)
{
    Asm *a = &l->a;
    unsigned n = l->nstubs;
    for (unsigned k = 0; k < n; k++) {
        asm_room(a);
        if (l->stubs[k].kind != STUB_PENDING) {
            one_stub(l, &l->stubs[k]);
        }
        if (a->overflow || l->too_big) {
            return;
        }
    }
    for (unsigned k = 0; k < l->nexits; k++) {
        asm_room(a);
        if (a->overflow) {
            return;
        }
        if (l->exits[k].at) { /* else it is only for a poll */
            exit_stub(l, &l->exits[k]);
        }
    }
    for (unsigned k = 0; k < l->nstubs; k++) {
        asm_room(a);
        if (a->overflow) {
            return;
        }
        if (l->stubs[k].kind == STUB_PENDING) {
            pending_stub(l, &l->stubs[k]);
        }
    }
}

const Rule rules_exit[] = {
    OWN(exit_pc, 0, 0, own_exit_pc)
    OWN(exit_if, 0, 0, own_exit_if)
    OWN(exit_call, 0, 0, own_exit_call)
    OWN(exit_call_ind, 0, 0, own_exit_call_ind)
    OWN(exit_ind, 0, 0, own_exit_ind)
    OWN(exit_ret, 0, 0, own_exit_ret)
    OWN(exit_exc, 0, 0, own_exit_exc)
    OWN(exit_exc_if, 0, 0, own_exit_exc_if)
    OWN(jump, 0, 0, own_jump)
    OWN(branch, 0, 0, own_branch)
    OWN(call, 0, 0, own_call)
};
const unsigned rules_exit_n = LEN(rules_exit);
