/* state.c - random CPU states.
 *
 * Values are drawn by kind, so that rare ones are frequent: edges of integers; zeros, infinities, NaNs of both kinds
 * with payloads, denormals, numbers around 1, halfway cases, and numbers of nearly the same exponent, of which sums
 * cancel and round.
 */
#include "state.h"

#include <string.h>

#include "base.h"

enum { FPCR_MODES = 1 << 26 | 1 << 25 | 1 << 24 | 3 << 22 | 1 << 19, FPCR_RMODE = 3 << 22, FPSR_BITS = 0x0800009f };

static uint64_t draw_integer(Rng *g)
{
    unsigned k = rng_below(g, 64), small = rng_below(g, 80);
    switch (rng_below(g, 12)) {
    case 0:
        return 0;
    case 1:
        return small;
    case 2:
        return 0 - (uint64_t)small;
    case 3:
        return (uint64_t)1 << k;
    case 4:
        return ((uint64_t)1 << k) - 1;
    case 5:
        return ~((uint64_t)1 << k);
    case 6:
        return (uint32_t)rng(g);
    case 7:
        return 0x8000000080000000u - (rng(g) & 1) - (rng(g) & 1) * 0x100000000u;
    default:
        return rng(g);
    }
}

/* A number of the format with e exponent bits and m fraction bits; near: exponents lie around this one. */
static uint64_t draw_fp(Rng *g, unsigned e, unsigned m, unsigned near)
{
    uint64_t top = bits_mask(e), bias = top >> 1, frac = rng(g) & bits_mask(m), exp = 0;
    uint64_t sign = rng(g) & 1;
    switch (rng_below(g, 20)) {
    case 0:
        frac = 0;
        break;
    case 1:
        exp = top;
        frac = 0;
        break;
    case 2:
        exp = top;
        frac |= (uint64_t)1 << (m - 1);
        break;
    case 3:
        exp = top;
        frac = (frac & bits_mask(m - 1)) | (rng_one_in(g, 4) ? 1 : 2);
        break;
    case 4:
        frac = rng_one_in(g, 2) ? 1 : bits_mask(m);
        break;
    case 5:
        break;
    case 6:
        exp = rng_one_in(g, 2) ? 1 : top - 1;
        frac = rng_one_in(g, 2) ? 0 : rng_one_in(g, 2) ? bits_mask(m) : frac;
        break;
    case 7: /* small integers and halves */
        exp = bias + rng_below(g, 5);
        frac &= ~bits_mask(m > 5 ? m - 5 : 0);
        break;
    case 8: /* around the edges of integers */
        exp = bias + (rng_one_in(g, 2) ? 30 : 62) + rng_below(g, 3);
        frac = rng_one_in(g, 2) ? 0 : bits_mask(m);
        break;
    case 9: /* few bits: products and sums come out halfway */
        exp = bias + rng_below(g, m);
        frac = (uint64_t)1 << rng_below(g, m);
        break;
    case 10:
        exp = rng(g);
        break;
    case 11: /* products at the edge of the denormals */
        exp = bias / 2 + rng_below(g, 5);
        break;
    default:
        exp = near + rng_below(g, 4);
        frac = rng_one_in(g, 3) ? frac & ~bits_mask(m / 2) : frac;
    }
    exp = exp > top ? top - 1 : exp;
    return sign << (e + m) | (exp & top) << m | frac;
}

static void draw_vector(Rng *g, uint64_t v[2], const unsigned near[3])
{
    V128 r;
    unsigned kind = rng_below(g, 10);
    for (unsigned i = 0; i < 2; i++) {
        r.d[i] = kind < 2 ? rng(g) : kind == 2 ? draw_integer(g) : kind < 5 ? draw_fp(g, 11, 52, near[2]) : 0;
    }
    for (unsigned i = 0; i < 4 && kind >= 5 && kind < 8; i++) {
        r.s[i] = (uint32_t)draw_fp(g, 8, 23, near[1]);
    }
    for (unsigned i = 0; i < 8 && kind >= 8; i++) {
        r.h[i] = (uint16_t)draw_fp(g, 5, 10, near[0]);
    }
    for (unsigned i = 0; i < 16 && kind == 1; i++) {
        static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x40};
        r.b[i] = rng_one_in(g, 3) ? r.b[i] : edges[rng_below(g, LEN(edges))];
    }
    if (rng_one_in(g, 8)) {
        r.d[1] = 0;
    }
    memcpy(v, &r, sizeof r);
}

void state_draw(Rng *g, DiffState *s)
{
    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = draw_integer(g);
    }
    s->sp = rng(g) & ~(uint64_t)15;
    s->tpidr = draw_integer(g);
    const unsigned near[3] = {4 + rng_below(g, 20), 100 + rng_below(g, 50), 1000 + rng_below(g, 50)};
    for (unsigned i = 0; i < 32; i++) {
        draw_vector(g, s->v[i], near);
    }
    s->nzcv = (uint32_t)(rng(g) & 15) << 28;
    switch (rng_below(g, 4)) {
    case 0:
        break;
    case 1:
        s->fpcr = (uint32_t)rng(g) & FPCR_MODES & ((uint32_t)rng(g) | FPCR_RMODE);
        break;
    default:
        s->fpcr = (uint32_t)rng(g) & FPCR_RMODE;
    }
    s->fpsr = rng_one_in(g, 2) ? (uint32_t)rng(g) & FPSR_BITS : 0;
}
