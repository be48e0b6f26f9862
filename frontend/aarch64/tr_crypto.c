/* tr_crypto.c - AES, SHA-1, SHA-2, SHA-3, SM3, SM4 (DDI 0487 C4.1.96), rows in a64_crypto.isa.
 *
 * The AES ops of the IR are whole rounds with a key added at the end, as hosts have them; Arm adds the key at the
 * beginning and mixes in a second instruction. So AESE makes "round without mixing, key 0"; an AESMC of that becomes
 * "round, key 0", and the AESE after it adds its key to the round before instead of to its own input: then each pair
 * AESE, AESMC of a guest is one host instruction, provided that the values in between are dead.
 */
#include "tr.h"

/* The op i, or one of the last ops in this block that is the same. i is pure. */
static IrRef once(Tr *t, IrIns i)
{
    enum { NEAR = 40 };
    const IrRegion *r = t->b->r;
    IrRef first = r->blocks[r->nblocks - 1].first;
    for (IrRef j = r->n; j > first && j + NEAR > r->n; j--) {
        if (memcmp(&r->ins[j - 1], &i, sizeof i) == 0) {
            return j - 1;
        }
    }
    return ir_emit(t->b, i);
}

static bool is_zero128(const Tr *t, IrRef v)
{
    const IrIns *i = &t->b->r->ins[v];
    return i->op == OP_v_const && ir_imm64(i) == 0 && ir_imm64(i + 1) == 0;
}

static IrRef zero128(Tr *t)
{
    enum { NEAR = 40 };
    const IrRegion *r = t->b->r;
    IrRef first = r->blocks[r->nblocks - 1].first;
    for (IrRef j = r->n - 1; j > first && j + NEAR > r->n; j--) {
        if (is_zero128(t, j - 1)) {
            return j - 1;
        }
    }
    return ir_vconst(t->b, 0, 0);
}

/* v is the AES round `op` with key 0. */
static bool is_keyless(const Tr *t, IrRef v, int op)
{
    const IrIns *i = &t->b->r->ins[v];
    return i->op == op && is_zero128(t, i->b);
}

static IrRef aes_op(Tr *t, int op, IrRef x, IrRef key)
{
    return ir_emit(t->b, (IrIns){.op = (uint8_t)op, .ty = TV128, .a = x, .b = key});
}

/* AESE, AESD: k = the round without mixing */
void tr_aes_round(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), x;
    int mixing = k == OP_v_aes_last ? OP_v_aes_enc : OP_v_aes_dec;
    if (is_keyless(t, d, mixing)) {
        x = aes_op(t, mixing, t->b->r->ins[d].a, n);
    } else {
        x = ir_v_xor(t->b, d, n);
    }
    tr_set_v(t, a->rd, aes_op(t, k, x, zero128(t)));
}

/* AESMC, AESIMC: k = the mixing alone */
void tr_aes_mix(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), r;
    int round = k == OP_v_aes_mc ? OP_v_aes_last : OP_v_aes_ilast;
    if (is_keyless(t, n, round)) {
        IrIns before = t->b->r->ins[n];
        r = aes_op(t, k == OP_v_aes_mc ? OP_v_aes_enc : OP_v_aes_dec, before.a, before.b);
    } else {
        r = ir_emit(t->b, (IrIns){.op = (uint8_t)k, .ty = TV128, .a = n});
    }
    tr_set_v(t, a->rd, r);
}

/* k = an op on d and n */
void tr_crypto_dn(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn);
    tr_set_v(t, a->rd, ir_emit(t->b, (IrIns){.op = (uint8_t)k, .ty = TV128, .a = d, .b = n}));
}

/* -- SHA-1 -------------------------------------------------------------------------------------------- */

/* k = SHA1_* */
void tr_sha1_hash(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_sha1_hash(t->b, E_S, d, n, m, k));
}

void tr_sha1h(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef r = ir_v_ror_i(t->b, E_S, tr_v(t, a->rn), 2);
    tr_set_v(t, a->rd, ir_v_to_s(t->b, F32, r));
}

void tr_sha1su0(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    IrRef next = ir_v_ext(t->b, E_B, d, n, 8);
    tr_set_v(t, a->rd, ir_v_xor(t->b, ir_v_xor(t->b, next, d), m));
}

/* -- SHA-256, SHA-512 --------------------------------------------------------------------------------- */

/* v = the words of the low (zip1) or high (zip2) halves of two states in the host's order: gives these states. */
static bool sha256_unpacked(const Tr *t, IrRef v, int zip, IrRef *abef, IrRef *cdgh)
{
    const IrIns *ins = t->b->r->ins, *swap = &ins[v], *z = &ins[swap->a];
    *abef = z->a;
    *cdgh = z->b;
    return swap->op == OP_v_rev && swap->x == E_S && swap->imm == E_D && z->op == zip && z->x == E_D;
}

static IrRef sha256_pack(Tr *t, int zip, IrRef low, IrRef high)
{
    IrRef z = once(t, (IrIns){.op = (uint8_t)zip, .ty = TV128, .x = E_D, .a = low, .b = high});
    return once(t, (IrIns){.op = OP_v_rev, .ty = TV128, .x = E_S, .a = z, .imm = E_D});
}

static IrRef sha256_rounds(Tr *t, IrRef cdgh, IrRef abef, IrRef words)
{
    return once(t, (IrIns){.op = OP_v_sha256_rnds2, .ty = TV128, .a = cdgh, .b = abef, .c = words});
}

/* SHA256H (k = 0) has A to D in d, SHA256H2 (k = 1) in n. Both do the same four rounds, and the next pair begins with
 * what they end with: the rounds are made once, and the state stays in the host's order from pair to pair. */
void tr_sha256_hash(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm), abcd = k ? n : d, efgh = k ? d : n;
    IrRef abef, cdgh, abef2, cdgh2;
    if (!sha256_unpacked(t, abcd, OP_v_zip2, &abef, &cdgh) || !sha256_unpacked(t, efgh, OP_v_zip1, &abef2, &cdgh2) ||
        abef != abef2 || cdgh != cdgh2) {
        abef = sha256_pack(t, OP_v_zip1, efgh, abcd);
        cdgh = sha256_pack(t, OP_v_zip2, efgh, abcd);
    }
    IrRef words = once(t, (IrIns){.op = OP_v_dup_lane, .ty = TV128, .x = E_D, .a = m, .imm = 1});
    cdgh = sha256_rounds(t, cdgh, abef, m);
    abef = sha256_rounds(t, abef, cdgh, words);
    tr_set_v(t, a->rd, sha256_pack(t, k ? OP_v_zip1 : OP_v_zip2, abef, cdgh));
}

void tr_sha256su1(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    IrRef sum = ir_v_add(t->b, E_S, d, ir_v_ext(t->b, E_B, n, m, 4));
    tr_set_v(t, a->rd, ir_v_sha256_msg2(t->b, sum, m));
}

void tr_sha512_hash(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_sha512_hash(t->b, E_D, d, n, m, k));
}

/* ror r1 ^ ror r2 ^ lsr s, of 64-bit lanes */
static IrRef sigma64(Tr *t, IrRef v, int r1, int r2, int s)
{
    IrRef x = ir_v_xor(t->b, ir_v_ror_i(t->b, E_D, v, r1), ir_v_ror_i(t->b, E_D, v, r2));
    return ir_v_xor(t->b, x, ir_v_lshr_i(t->b, E_D, v, s));
}

void tr_sha512su0(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn);
    IrRef next = ir_v_ext(t->b, E_B, d, n, 8);
    tr_set_v(t, a->rd, ir_v_add(t->b, E_D, d, sigma64(t, next, 1, 8, 7)));
}

void tr_sha512su1(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    IrRef sum = ir_v_add(t->b, E_D, d, m);
    tr_set_v(t, a->rd, ir_v_add(t->b, E_D, sum, sigma64(t, n, 19, 61, 6)));
}

/* -- SHA-3 -------------------------------------------------------------------------------------------- */

void tr_eor3(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm), x = tr_v(t, a->ra);
    tr_set_v(t, a->rd, ir_v_xor(t->b, ir_v_xor(t->b, n, m), x));
}

void tr_bcax(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm), x = tr_v(t, a->ra);
    tr_set_v(t, a->rd, ir_v_xor(t->b, n, ir_v_andn(t->b, m, x)));
}

void tr_rax1(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_xor(t->b, n, ir_v_ror_i(t->b, E_D, m, 63)));
}

void tr_xar(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef x = ir_v_xor(t->b, tr_v(t, a->rn), tr_v(t, a->rm));
    tr_set_v(t, a->rd, a->imm6 ? ir_v_ror_i(t->b, E_D, x, a->imm6) : x);
}

/* -- SM3, SM4 ----------------------------------------------------------------------------------------- */

/* Top lane: rol(rol(n, 12) + m + a, 7); the others are 0. */
void tr_sm3ss1(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm), x = tr_v(t, a->ra);
    IrRef sum = ir_v_add(t->b, E_S, ir_v_add(t->b, E_S, ir_v_ror_i(t->b, E_S, n, 20), m), x);
    IrRef top = ir_vconst(t->b, 0, 0xffffffff00000000ull);
    tr_set_v(t, a->rd, ir_v_and(t->b, ir_v_ror_i(t->b, E_S, sum, 25), top));
}

/* k = SM3TT_* */
void tr_sm3_tt(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_sm3_tt(t->b, E_S, d, n, m, k | a->imm2 * SM3TT_LANE));
}

void tr_sm3_partw(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd), n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_sm3_partw(t->b, E_S, d, n, m, k));
}

void tr_sm4ekey(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    tr_set_v(t, a->rd, ir_v_sm4_key(t->b, n, m));
}
