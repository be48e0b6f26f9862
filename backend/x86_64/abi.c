/* abi.c - the convention that every region obeys at its edges, in one table, and the stubs that enter and leave
 * translated code.
 *
 *   rsp      the host return stack          rbp      state pointer (&CpuHead + STATE_BIAS)
 *   rcx      target of a guest return or indirect jump (RTARGET), between the jump and the return site
 *   r12      system mode: what is added to guest addresses in the page CpuHead.hot (RNEAR, rules_softmmu.c); it has no pin then
 *   pins     the slots below, always up to date at edges and wherever an op can fault
 *   the rest temporaries, dead at edges
 * The pins were chosen by how often compiled code names each register. Callee-saved host registers survive calls
 * of C by themselves; evaluation functions use general registers only, so vector pins survive those too.
 */
#include <errno.h>
#include <stdio.h>

#include "sel.h"
#include "simd_consts.h"

static const struct {
    const char *slot;
    Reg reg;
} pins[] = {
    {"x0", RDI}, {"x1", RBX}, {"x2", R8}, {"x3", R9}, {"x4", R10}, {"x19", R14}, {"x20", R15}, {"x21", R11},
    {"x22", R12}, {"sp", R13},
};
/* Vector slots, in the order in which they get registers: those that compiled code uses most come first. */
static const char *const vector_pins[] = {
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
    "v25", "v26", "v27", "v28", "v29", "v30", "v31", "v8", "v9", "v10",
};
enum { VECTOR_TEMPS = 6 }; /* three sources, a result, two scratch */

static const Reg callee_saved[] = {RBX, RBP, R12, R13, R14, R15};

static int slot_by_name(const Frontend *fe, const char *name)
{
    for (unsigned s = 0; s < fe->nslots; s++) {
        if (strcmp(fe->slots[s].name, name) == 0) {
            return (int)s;
        }
    }
    return -1;
}

static void pin(Target *t, const Frontend *fe, const char *name, Reg r)
{
    int s = slot_by_name(fe, name);
    if (s >= 0) {
        t->pin[s] = r;
        t->slot_of[r] = (uint8_t)s;
        t->pins |= bit(r);
    }
}

static void choose_pins(Target *t, const Frontend *fe, bool soft)
{
    memset(t->pin, NOREG, sizeof t->pin);
    memset(t->slot_of, NOSLOT, sizeof t->slot_of);
    for (unsigned k = 0; k < LEN(pins); k++) {
        if (!soft || pins[k].reg != RNEAR) {
            pin(t, fe, pins[k].slot, pins[k].reg);
        }
    }
    unsigned nx = t->feat.avx512 ? 32 : 16;
    for (unsigned k = 0; k < LEN(vector_pins) && VECTOR_TEMPS + k < nx; k++) {
        pin(t, fe, vector_pins[k], (Reg)(XMM0 + VECTOR_TEMPS + k));
    }
    t->temps = (0xffffull | 0xffffull << XMM0) & ~t->pins & ~(1ull << RSP | 1ull << RBP) & ~(soft ? bit(RNEAR) : 0);
    for (unsigned s = 0; s < fe->nslots; s++) {
        t->slot_disp[s] = (int32_t)fe->slots[s].offset - STATE_BIAS;
    }
}

static Mem head(size_t offset)
{
    return mem(RSTATE, (int32_t)offset - STATE_BIAS);
}
#define HEAD(field) head(offsetof(CpuHead, field))

static void move_pins(Asm *a, const Target *t, uint64_t which, bool save)
{
    for (uint64_t m = t->pins & which; m; m &= m - 1) {
        Reg r = (Reg)__builtin_ctzll(m);
        Mem p = mem(RSTATE, t->slot_disp[t->slot_of[r]]);
        if (reg_is_xmm(r)) {
            save ? x_vmovups_to_rm(a, r, p) : x_vmovups_rm(a, r, p);
        } else {
            save ? x_store_rm(a, 1, r, p) : x_mov_rm(a, 1, r, p);
        }
    }
}

void abi_move_pins(Asm *a, const Target *t, bool save)
{
    move_pins(a, t, ~(uint64_t)0, save);
}

static void push_callee_saved(Asm *a, bool push)
{
    if (!push) {
        x_alu_ri(a, 1, ALU_ADD, RSP, 8);
    }
    for (unsigned k = 0; k < LEN(callee_saved); k++) {
        push ? x_push_r(a, 0, callee_saved[k]) : x_pop_r(a, 0, callee_saved[LEN(callee_saved) - 1 - k]);
    }
    if (push) {
        x_alu_ri(a, 1, ALU_SUB, RSP, 8);
    }
}

static uint8_t *here(Asm *a)
{
    while ((uintptr_t)a->p & 15) {
        put8(a, X_INT3);
    }
    return asm_rx(a, a->p);
}

static void set_exit(Asm *a, const Target *t, const Frontend *fe, Reg pc, int kind)
{
    x_store_rm(a, 1, pc, mem(RSTATE, t->slot_disp[fe->pc_slot]));
    x_mov_mi(a, 0, HEAD(exit_kind), kind);
    x_jmp_abs(a, t->leave);
}

/* void enter(CpuHead *cpu, const void *entry) */
static void make_enter(Asm *a, Target *t, bool soft)
{
    t->enter = here(a);
    push_callee_saved(a, true);
    x_lea(a, 1, RBP, mem(RDI, STATE_BIAS));
    x_store_rm(a, 1, RSP, HEAD(host_sp));
    x_mov_rr(a, 1, RAX, RSI);
    t->resume = asm_rx(a, a->p); /* falls through to it; rax = entry, rbp set: from a signal handler */
    x_stmxcsr_m(a, 0, HEAD(host_mxcsr));
    x_ldmxcsr_m(a, 0, HEAD(guest_mxcsr));
    x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    abi_move_pins(a, t, false);
    if (soft) {
        x_mov_mi(a, 1, HEAD(hot.tag), NEAR_EMPTY);
        x_mov_mi(a, 1, HEAD(hot.write_tag), NEAR_EMPTY);
    }
    x_jmp_r(a, 0, RAX);
}

static void make_leave(Asm *a, Target *t)
{
    t->leave = here(a);
    abi_move_pins(a, t, true);
    x_stmxcsr_m(a, 0, HEAD(guest_mxcsr));
    x_store_rm(a, 1, RSP, HEAD(ret_sp));
    t->leave_saved = asm_rx(a, a->p); /* falls through to it; state and return stack are in the structure already */
    x_ldmxcsr_m(a, 0, HEAD(host_mxcsr));
    x_mov_rm(a, 1, RSP, HEAD(host_sp));
    x_mov_mi(a, 1, HEAD(host_sp), 0);
    push_callee_saved(a, false);
    x_byte(a, X_RET);
}

static void make_exits(Asm *a, Target *t, const Frontend *fe)
{
    t->unlinked = here(a); /* rax = Exit */
    x_store_rm(a, 1, RAX, HEAD(last_exit));
    x_mov_rm(a, 1, RAX, mem(RAX, offsetof(Exit, pc)));
    set_exit(a, t, fe, RAX, EXC_NONE);
    t->pending = here(a); /* rax = Exit */
    x_mov_rm(a, 1, RAX, mem(RAX, offsetof(Exit, pc)));
    set_exit(a, t, fe, RAX, EXC_PENDING);
    t->pending_indirect = here(a);
    set_exit(a, t, fe, RTARGET, EXC_PENDING);
    t->ret_mismatch = here(a);
    set_exit(a, t, fe, RTARGET, EXIT_RET_MISMATCH);
    t->ret_bottom = here(a);
    x_mov_rm(a, 1, RSP, HEAD(ret_base));
    exit_probe_jump(a, t);
}

/* What of MXCSR and vector registers a helper finds changed: nothing of them is touched; MXCSR is the guest's; the host's. */
enum { HELPER_GENERAL, HELPER_PLAIN, HELPER_FP };

/* Called from regions on the return stack: rax = function, scratch[0..3] = its arguments after cpu. Only helpers that know of
 * FPCR and FPSR find MXCSR switched: others do no floating point, and a switch costs more than most of them do. */
static uint8_t *make_helper(Asm *a, Target *t, int kind)
{
    static const Reg args[] = {RSI, RDX, RCX, R8};
    uint64_t moved = kind == HELPER_GENERAL && !C_SPOILS_VECTORS ? 0xffff : ~(uint64_t)0;
    uint8_t *stub = here(a);
    move_pins(a, t, moved, true);
    x_store_rm(a, 1, RSP, HEAD(ret_sp));
    if (kind != HELPER_GENERAL) {
        x_stmxcsr_m(a, 0, HEAD(guest_mxcsr));
    }
    if (kind == HELPER_FP) {
        x_ldmxcsr_m(a, 0, HEAD(host_mxcsr));
    }
    x_mov_rm(a, 1, RSP, HEAD(host_sp));
    x_mov_mi(a, 0, HEAD(in_helper), 1);
    x_lea(a, 1, RDI, head(0));
    for (unsigned k = 0; k < LEN(args); k++) {
        x_mov_rm(a, 1, args[k], head(offsetof(CpuHead, scratch) + 8 * k));
    }
    x_call_r(a, 0, RAX);
    x_mov_mi(a, 0, HEAD(in_helper), 0);
    if (kind == HELPER_FP) {
        x_ldmxcsr_m(a, 0, HEAD(guest_mxcsr));
    }
    x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    move_pins(a, t, moved, false);
    x_byte(a, X_RET);
    return stub;
}

/* Around a call of C code that uses general registers only: onto the C stack with what such code may change, and back.
 * `also` is one more register to keep, or NOREG. */
static void enter_c(Asm *a, const Target *t, Reg also, bool enter)
{
    Reg list[16];
    unsigned n = 0;
    for (unsigned r = 0; r < 16; r++) {
        bool kept = false;
        for (unsigned k = 0; k < LEN(callee_saved); k++) {
            kept |= callee_saved[k] == r;
        }
        if (r == also || ((t->pins >> r & 1) && !kept)) {
            list[n++] = (Reg)r;
        }
    }
    if (n & 1) {
        list[n++] = RBX; /* the stack stays aligned */
    }
    if (enter) {
        x_store_rm(a, 1, RSP, HEAD(ret_sp));
        x_mov_rm(a, 1, RSP, HEAD(host_sp));
    }
    for (unsigned k = 0; k < n; k++) {
        enter ? x_push_r(a, 0, list[k]) : x_pop_r(a, 0, list[n - 1 - k]);
    }
    if (!enter) {
        x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    }
}

/* rax = evaluation function, ecx = its constant; operands and result in ev[]. */
static void make_eval(Asm *a, Target *t)
{
    t->eval = here(a);
    enter_c(a, t, NOREG, true);
    x_mov_rr(a, 0, R9, RCX);
    x_lea(a, 1, RDI, HEAD(fp));
    x_lea(a, 1, RSI, head(offsetof(CpuHead, ev) + 3 * sizeof(V128)));
    x_lea(a, 1, RDX, HEAD(ev));
    x_lea(a, 1, RCX, head(offsetof(CpuHead, ev) + sizeof(V128)));
    x_lea(a, 1, R8, head(offsetof(CpuHead, ev) + 2 * sizeof(V128)));
    x_call_r(a, 0, RAX);
    enter_c(a, t, NOREG, false);
    x_byte(a, X_RET);
}

/* An indirect jump to RTARGET that missed its cache: goes on at once when there is a translation. */
static void make_indirect(Asm *a, Target *t, const Frontend *fe, bool soft)
{
    uint8_t *leave = here(a);
    set_exit(a, t, fe, RTARGET, EXC_NONE);
    t->indirect_miss = here(a);
    if (!soft) { /* jump_far */
        int32_t far = (int32_t)sizeof(JumpEntry) << JUMP_CACHE_BITS;
        x_mov_rr(a, 0, RDX, RTARGET);
        x_alu_ri(a, 0, ALU_AND, RDX, ((1 << FAR_LOW_BITS) - 1) << 2);
        x_shl_ri(a, 0, RDX, FAR_JUMP_BITS - FAR_LOW_BITS - 2);
        x_mov_rr(a, 0, RAX, RTARGET);
        x_shr_ri(a, 0, RAX, FAR_BLOCK_BITS);
        x_xor_rr(a, 0, RAX, RDX);
        x_alu_ri(a, 0, ALU_AND, RAX, (1 << FAR_JUMP_BITS) - 1);
        x_shl_ri(a, 0, RAX, 4);
        x_add_rm(a, 1, RAX, HEAD(jumps));
        x_cmp_rm(a, 1, RTARGET, mem(RAX, far + (int32_t)offsetof(JumpEntry, pc)));
        uint8_t *miss = x_jcc8(a, CC_NE);
        x_jmp_m(a, 0, mem(RAX, far + (int32_t)offsetof(JumpEntry, host)));
        asm_link8(miss, a->p);
    }
    uint64_t vectors = C_SPOILS_VECTORS ? ~(uint64_t)0xffff : 0;
    move_pins(a, t, vectors, true);
    enter_c(a, t, RTARGET, true);
    x_lea(a, 1, RDI, head(0));
    x_mov_rr(a, 1, RSI, RTARGET);
    x_mov_ri(a, RAX, (uint64_t)(uintptr_t)tb_lookup);
    x_call_r(a, 0, RAX);
    enter_c(a, t, RTARGET, false);
    move_pins(a, t, vectors, false);
    x_test_rr(a, 1, RAX, RAX);
    x_jcc_abs(a, CC_E, leave);
    x_jmp_r(a, 0, RAX);
}

int abi_init(Engine *e, Target *t)
{
    const char *lack = features_get(&t->feat, e->cfg.no_opt);
    if (lack) {
        fprintf(stderr, "armx: this processor lacks %s (needed: x86-64-v3)\n", lack);
        return -ENOTSUP;
    }
    choose_pins(t, e->fe, e->cfg.soft);
    Asm asm_ = {e->code.rw, e->code.rw, e->code.rw + 2 * STUB_BYTES, e->code.rx - e->code.rw, false, NULL, 0};
    Asm *a = &asm_;
    make_leave(a, t);
    make_enter(a, t, e->cfg.soft);
    make_indirect(a, t, e->fe, e->cfg.soft);
    make_exits(a, t, e->fe);
    t->helper = make_helper(a, t, HELPER_FP);
    t->helper_plain = make_helper(a, t, HELPER_PLAIN);
    t->helper_general = make_helper(a, t, HELPER_GENERAL);
    make_eval(a, t);
    if (e->cfg.soft) {
        soft_thunks(a, t, e->cfg.soft);
    }
    t->consts = here(a);
    memcpy(a->p, &simd_consts, sizeof simd_consts);
    a->p += sizeof simd_consts;
    ASSERT(a->p - a->base < STUB_BYTES);
    t->stub_bytes = (size_t)(a->p - a->base);
    t->miss_entry = (JumpEntry *)e->code.data;
    *t->miss_entry = (JumpEntry){~(uint64_t)0, t->indirect_miss};
    return 0;
}
