/* t_x86_simd.c - every native lowering of an integer vector op against its evaluation function.
 *
 * For each row of rules_simd[] and rules_saturate[] (backend/x86_64), element, kind and immediate that it takes: its code is emitted with
 * several choices of registers (the destination apart from, and equal to, each source), run on random and on edge
 * operands, and compared: result, FPSR.QC, and that no other vector register changed. With and without the
 * optional host features, as far as this host has them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "backend/x86_64/sel.h"
#include "backend/x86_64/simd_consts.h"
#include "ir/eval.h"

enum { NX = 32, GPR_A = 9, GPR_B = 10, GPR_D = 11 };

typedef struct Machine {
    V128 x[NX];
    uint64_t r[16];
    CpuHead head;
} Machine;

static uint8_t *code; /* the constants, then code */
static uint64_t seed = 88172645463325252u;
static unsigned failures, checks;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static V128 rnd_vector(void)
{
    static const uint64_t edges[] = {0, ~0ull, 0x8000000000000000, 0x7fffffffffffffff, 0x8080808080808080, 0x7f7f7f7f7f7f7f7f,
                                     0x8000800080008000, 0x7fff7fff7fff7fff, 0x8000000080000000, 0x7fffffff7fffffff,
                                     0x0001000200ff0100, 0x00000001ffffffff, 0x1f20213f40417f80};
    V128 v;
    for (unsigned k = 0; k < 2; k++) {
        uint64_t a = rnd();
        v.d[k] = a % 4 == 0 ? edges[rnd() % LEN(edges)] : a % 4 == 1 ? rnd() & rnd() & rnd() : rnd();
    }
    if (rnd() % 8 == 0) { /* small lanes, as shift counts and indices are */
        for (unsigned k = 0; k < 16; k++) {
            v.b[k] = (uint8_t)(rnd() % 80) - 36;
        }
    }
    return v;
}

static bool host_has(const char *feature)
{
    __builtin_cpu_init();
    if (!strcmp(feature, "avx512")) {
        return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    }
    return !strcmp(feature, "gfni")     ? __builtin_cpu_supports("gfni") != 0
           : !strcmp(feature, "pclmul") ? __builtin_cpu_supports("pclmul") != 0
                                        : __builtin_cpu_supports("vpclmulqdq") && host_has("avx512");
}

/* Code that loads all registers from the Machine in rdi, does the op, stores all. */
static void build(const Rule *rule, Sel *s, bool high)
{
    Asm a = {.p = code + sizeof(SimdConsts), .base = code, .end = code + 65536};
    x_push_r(&a, 0, RBP);
    x_lea(&a, 1, RBP, mem(RDI, (int)offsetof(Machine, head) + (int)STATE_BIAS));
    const unsigned n = high ? NX : 16;
    for (unsigned k = 0; k < n; k++) {
        x_vmovdqu_rm(&a, (Reg)(XMM0 + k), mem(RDI, 16 * (int)k));
    }
    for (Reg r = GPR_A; r <= GPR_B; r++) {
        x_mov_rm(&a, 1, r, mem(RDI, (int)offsetof(Machine, r) + 8 * r));
    }
    rule->emit(&a, s);
    x_store_rm(&a, 1, GPR_D, mem(RDI, (int)offsetof(Machine, r) + 8 * GPR_D));
    for (unsigned k = 0; k < n; k++) {
        x_vmovdqu_to_rm(&a, (Reg)(XMM0 + k), mem(RDI, 16 * (int)k));
    }
    x_pop_r(&a, 0, RBP);
    x_byte(&a, X_RET);
}

static void run(Machine *m)
{
    void (*f)(Machine *);
    uint8_t *at = code + sizeof(SimdConsts);
    memcpy(&f, &at, sizeof f);
    f(m);
}

static void check(const Rule *rule, const IrIns *i, Sel *s, bool high, const char *what)
{
    static Machine m, before;
    V128 in[3], want;
    FpEnv env = {0, 0};
    build(rule, s, high);
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned k = 0; k < NX; k++) {
            m.x[k] = rnd_vector();
        }
        m.r[GPR_A] = rnd();
        m.r[GPR_B] = rnd();
        memset(&m.head, 0, sizeof m.head);
        for (unsigned k = 0; k < 3; k++) {
            in[k] = s->s[k] == NOREG ? (V128){.d = {0, 0}} : reg_is_xmm(s->s[k]) ? m.x[s->s[k] & 31] : (V128){.d = {m.r[s->s[k]], 0}};
        }
        before = m;
        env.fpsr = 0;
        ir_evals[i->op](&env, &want, &in[0], &in[1], &in[2], (uint32_t)i->x | (uint32_t)i->y << 8 | (uint32_t)i->imm << 16);
        run(&m);
        V128 got = reg_is_xmm(s->d) ? m.x[s->d & 31] : (V128){.d = {m.r[s->d], 0}};
        if (!reg_is_xmm(s->d)) {
            want.d[0] &= i->ty == I32 ? 0xffffffff : ~0ull;
            want.d[1] = 0;
        }
        bool qc = (m.head.scratch[6] | m.head.scratch[7]) != 0;
        bool ok = got.d[0] == want.d[0] && got.d[1] == want.d[1] && qc == (env.fpsr != 0);
        for (unsigned k = 0; k < (high ? NX : 16u); k++) {
            Reg r = (Reg)(XMM0 + k);
            ok = ok && (r == s->d || r == s->tx[0] || r == s->tx[1] || r == s->tx[2] || !memcmp(&m.x[k], &before.x[k], 16));
        }
        checks++;
        if (!ok && failures++ < 20) {
            fprintf(stderr, "%s %s x=%u y=%u imm=%d d=%u s=%u,%u,%u\n  a %016lx%016lx b %016lx%016lx c %016lx%016lx\n  got %016lx%016lx qc %d\n  want %016lx%016lx qc %d\n",
                    ir_ops[i->op].name, what, i->x, i->y, i->imm, s->d, s->s[0], s->s[1], s->s[2], in[0].d[1], in[0].d[0], in[1].d[1],
                    in[1].d[0], in[2].d[1], in[2].d[0], got.d[1], got.d[0], qc, want.d[1], want.d[0], env.fpsr != 0);
        }
    }
}

/* Range of .y and .imm that an op takes with element e. */
static unsigned y_count(unsigned op, unsigned e)
{
    switch (op) {
    case OP_v_cmp: return CMP_SGE + 1;
    case OP_v_narrow_sat: return 3;
    case OP_v_shl_v: case OP_v_qshl_v: case OP_v_hadd: return 4;
    case OP_v_max: case OP_v_min: case OP_v_abd: case OP_v_qadd: case OP_v_qsub: case OP_v_suqadd: case OP_v_addlp: case OP_v_maxv:
    case OP_v_minv: case OP_v_mull: case OP_v_widen: case OP_v_rshr_i: case OP_v_get: return 2;
    case OP_v_qdmulh: return 3; /* 0 and VS_ROUND; 1 does not occur */
    case OP_v_put_lane: return 16u >> e;
    default: return 1;
    }
}

static void imm_range(unsigned op, unsigned e, int *from, int *to)
{
    const int width = 8 << e, n = 16 >> e;
    *from = 0;
    switch (op) {
    case OP_v_dup_lane: case OP_v_get: case OP_v_put: case OP_v_put_lane: *to = n - 1; break;
    case OP_v_shl_i: case OP_v_qshlu_i: *to = width - 1; break;
    case OP_v_lshr_i: case OP_v_ashr_i: case OP_v_rshr_i: *from = 1; *to = width; break;
    case OP_v_mull: case OP_v_pmull: case OP_v_qdmull: case OP_v_qrdmlah: case OP_v_widen: *to = 1; break;
    case OP_v_ext: *to = 15; break;
    case OP_v_dot: *to = 3; break;
    case OP_v_deint3: case OP_v_int3: *to = 2; break;
    case OP_v_rev: *from = (int)e + 1; *to = E_D; break;
    default: *to = 0; break;
    }
}

/* Elements that an op is used with. */
static bool takes(unsigned op, unsigned e)
{
    switch (op) {
    case OP_v_and: case OP_v_or: case OP_v_xor: case OP_v_andn: case OP_v_orn: case OP_v_not: case OP_v_bsl: case OP_v_low64:
    case OP_v_pair64: case OP_v_cnt: case OP_v_rbit: case OP_v_tbl1: case OP_v_tbl2: case OP_v_pmul: return e == E_B;
    case OP_v_ext: return e == E_B;
    case OP_v_dot: return e == E_S;
    case OP_v_narrow: return e != E_B;
    case OP_v_widen: case OP_v_rev: return e != E_D;
    default: return true;
    }
}

static void check_rule(const Rule *rule, const Target *t, bool high, const char *what)
{
    static Lower l;
    l.t = t;
    for (unsigned e = E_B; e <= E_D; e++) {
        if ((rule->x && !(rule->x >> e & 1)) || !takes(rule->op, e)) {
            continue;
        }
        int from, to;
        imm_range(rule->op, e, &from, &to);
        for (unsigned y = 0; y < y_count(rule->op, e); y++) {
            for (int imm = from; imm <= to; imm++) {
                for (unsigned choice = 0; choice < (high ? 7u : 4u); choice++) {
                    unsigned up = choice >= 4 ? 16 : 0;
                    IrIns i = {.op = (uint8_t)rule->op, .ty = TV128, .x = (uint8_t)e, .y = (uint8_t)y, .imm = imm};
                    Sel s = {.i = &i, .l = &l, .mi = -1, .arg = rule->arg, .tx = {XMM0 + 7, XMM0 + 8, XMM0 + 9}};
                    for (unsigned k = 0; k < 3; k++) {
                        s.s[k] = rule->src[k] == S_NONE ? NOREG : rule->src[k] == S_R ? (k ? GPR_B : GPR_A) : (Reg)(XMM0 + up + 1 + k);
                    }
                    s.d = (Reg)(XMM0 + up + 5);
                    unsigned alias = choice >= 4 ? choice - 4 : choice;
                    if (rule->dst == D_XT) {
                        s.s[0] = s.d;
                    } else if (rule->dst == D_X && alias && s.s[alias - 1] != NOREG && reg_is_xmm(s.s[alias - 1])) {
                        s.d = s.s[alias - 1];
                    } else if (rule->dst == D_R) {
                        s.d = GPR_D;
                        i.ty = choice & 1 ? I32 : I64;
                        s.w = i.ty == I64;
                        if (e == E_D && !s.w) {
                            continue;
                        }
                    }
                    if (choice == 3 && s.s[1] != NOREG && reg_is_xmm(s.s[1])) {
                        s.s[1] = s.s[0]; /* both operands alike */
                    }
                    check(rule, &i, &s, high, what);
                }
            }
        }
    }
}

static void check_table(const Rule *rules, unsigned count, const Target *t, const char *what)
{
    for (unsigned n = 0; n < count; n++) {
        const Rule *r = &rules[n];
        if (((r->flags & R_AVX512) && !t->feat.avx512) || ((r->flags & R_GFNI) && !t->feat.gfni)) {
            continue;
        }
        if ((r->flags & (R_AES | R_VAES)) && !host_has(r->flags & R_AES ? "pclmul" : "vpclmulqdq")) {
            continue;
        }
        bool shadowed = false; /* an earlier row with AVX-512 takes all that this one does */
        for (unsigned m = 0; t->feat.avx512 && m < n; m++) {
            const Rule *q = &rules[m];
            shadowed = shadowed || (q->op == r->op && (q->flags & R_AVX512) && (!q->x || q->x == r->x));
        }
        if (!shadowed) {
            check_rule(r, t, t->feat.avx512, what);
        }
    }
}

Test(x86_simd, lowerings)
{
    static const struct { bool avx512, gfni, vnni, bitalg; const char *what; } hosts[] = {
        {false, false, false, false, "avx2"}, {false, true, false, false, "avx2+gfni"}, {true, false, false, false, "avx512"},
        {true, true, true, true, "avx512+gfni+vnni+bitalg"}};
    code = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(code != MAP_FAILED);
    memcpy(code, &simd_consts, sizeof simd_consts);
    for (unsigned h = 0; h < LEN(hosts); h++) {
        if ((hosts[h].avx512 && !host_has("avx512")) || (hosts[h].gfni && !host_has("gfni")) ||
            (hosts[h].vnni && !__builtin_cpu_supports("avx512vnni")) || (hosts[h].bitalg && !__builtin_cpu_supports("avx512bitalg"))) {
            continue;
        }
        static Target t;
        t.feat = (Feat){.avx2 = true, .avx512 = hosts[h].avx512, .gfni = hosts[h].gfni, .vnni = hosts[h].vnni, .bitalg = hosts[h].bitalg};
        t.consts = code;
        check_table(rules_simd, rules_simd_n, &t, hosts[h].what);
        check_table(rules_saturate, rules_saturate_n, &t, hosts[h].what);
    }
    cr_assert(failures == 0, "%u of %u checks failed", failures, checks);
    fprintf(stderr, "%u checks\n", checks);
}
