/* gicv3_lpi.c - LPIs of a redistributor: pending state and configuration (IHI 0069 5.1).
 *
 * While GICR_CTLR.EnableLPIs is set the pending bits live here: a bit for each LPI and a bit for each 64 of them, so that
 * few pending ones are found at once; they are loaded from the guest's pending table when LPIs are enabled and stored there
 * when disabled. Configuration (a byte each: priority, enable) is read from the guest's table when it is needed, which
 * is later than the architecture asks for and never too late. Whatever the guest's tables hold or wherever they lie, an LPI
 * is at worst not enabled.
 */
#include "dev/gic_core.h"

#include <stdlib.h>

static unsigned lpi_end(const GicCpu *c)
{
    unsigned bits = (c->propbaser & 0x1f) + 1;
    return bits < 14 ? 0 : 1u << (bits < GIC_LPI_BITS ? bits : GIC_LPI_BITS);
}

/* Best becomes intid if it is enabled and better; what is at its place already must be current. */
static void lpi_offer(GicCpu *c, unsigned intid)
{
    uint8_t config;
    Gpa at = {(c->propbaser & 0xffffffffff000ull) + intid - GIC_LPI};
    if (intid >= lpi_end(c) || mem_read(c->gic->machine->mem, at, &config, 1) < 0 || !(config & 1)) {
        return;
    }
    /* Priorities of LPIs are Non-secure: with two Security states the upper half is theirs. */
    unsigned prio = (c->gic->one_world ? config & 0xfc : 0x80 | (config & 0xfc) >> 1) & GIC_PRIO_MASK;
    if (prio < c->lpi.prio || (prio == c->lpi.prio && intid < c->lpi.intid)) {
        c->lpi = (GicBest){intid, (uint16_t)prio, G1NS};
    }
}

unsigned gic_lpi_scan(GicCpu *c)
{
    unsigned cost = 0;
    c->lpi = (GicBest){GIC_NONE, GIC_PRIO_IDLE, G1NS};
    if (!c->lpi_pending || !(c->ctlr & 1)) {
        return 0;
    }
    for (unsigned top = 0; top < LEN(c->lpi_some); top++) {
        for (uint64_t some = c->lpi_some[top]; some; some &= some - 1) {
            unsigned word = top * 64 + (unsigned)__builtin_ctzll(some);
            for (uint64_t p = c->lpi_pending[word]; p; p &= p - 1, cost++) {
                lpi_offer(c, GIC_LPI + word * 64 + (unsigned)__builtin_ctzll(p));
            }
        }
    }
    return cost;
}

/* The bit alone. True when it changed. */
static bool lpi_mark(GicCpu *c, unsigned intid, bool pending)
{
    unsigned n = intid - GIC_LPI, word = n / 64;
    uint64_t bit = 1ull << n % 64;
    if (!(c->lpi_pending[word] & bit) == !pending) {
        return false;
    }
    c->lpi_pending[word] ^= bit;
    if (c->lpi_pending[word]) {
        c->lpi_some[word / 64] |= 1ull << word % 64;
    } else {
        c->lpi_some[word / 64] &= ~(1ull << word % 64);
    }
    return true;
}

static bool lpi_is_pending(const GicCpu *c, unsigned intid)
{
    return c->lpi_pending[(intid - GIC_LPI) / 64] >> (intid - GIC_LPI) % 64 & 1;
}

unsigned gic_lpi_set(GicCpu *c, unsigned intid, bool pending)
{
    unsigned cost = 1;
    pthread_mutex_lock(&c->lock);
    if (c->ctlr & 1 && lpi_mark(c, intid, pending)) {
        if (pending) {
            lpi_offer(c, intid);
        } else if (c->lpi.intid == intid) {
            cost += gic_lpi_scan(c);
        }
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
    return cost;
}

void gic_lpi_acked(GicCpu *c, unsigned intid)
{
    lpi_mark(c, intid, false);
    gic_lpi_scan(c);
}

unsigned gic_lpi_move(GicCpu *from, GicCpu *to, unsigned intid)
{
    pthread_mutex_lock(&from->lock);
    bool was = lpi_is_pending(from, intid);
    pthread_mutex_unlock(&from->lock);
    return was && from != to ? gic_lpi_set(from, intid, false) + gic_lpi_set(to, intid, true) : 1;
}

unsigned gic_lpi_move_all(GicCpu *from, GicCpu *to)
{
    enum { WORDS = (GIC_LPI_END - GIC_LPI) / 64 };
    unsigned cost = WORDS;
    if (from == to) {
        return 1;
    }
    pthread_mutex_lock(&from->lock);
    uint64_t *moved = malloc(WORDS * 8);
    if (!moved) {
        BUG("out of memory");
    }
    memcpy(moved, from->lpi_pending, WORDS * 8);
    memset(from->lpi_pending, 0, WORDS * 8);
    memset(from->lpi_some, 0, sizeof(from->lpi_some));
    gic_lpi_scan(from);
    gic_cpu_update(from);
    pthread_mutex_unlock(&from->lock);
    for (unsigned word = 0; word < WORDS; word++) {
        for (uint64_t p = moved[word]; p; p &= p - 1) {
            cost += gic_lpi_set(to, GIC_LPI + word * 64 + (unsigned)__builtin_ctzll(p), true);
        }
    }
    free(moved);
    return cost;
}

unsigned gic_lpi_invalidate(GicCpu *c, unsigned intid)
{
    unsigned cost = 1;
    if (!c->lpi_pending) {
        return cost;
    }
    pthread_mutex_lock(&c->lock);
    if (!intid || lpi_is_pending(c, intid)) {
        cost += gic_lpi_scan(c);
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
    return cost;
}

/* Moves the pending bits between the guest's table, which has a bit for each INTID from 0, and here. */
static void lpi_table(GicCpu *c, bool load)
{
    Gpa at = {(c->pendbaser & 0xfffffffff0000ull) + GIC_LPI / 8};
    uint64_t bytes = lpi_end(c) > GIC_LPI ? (lpi_end(c) - GIC_LPI) / 8 : 0;
    PhysMem *mem = c->gic->machine->mem;
    if (!load) {
        mem_write(mem, at, c->lpi_pending, bytes);
        return;
    }
    if (mem_read(mem, at, c->lpi_pending, bytes) < 0) {
        memset(c->lpi_pending, 0, bytes);
    }
    for (unsigned word = 0; word < bytes / 8; word++) {
        c->lpi_some[word / 64] |= (uint64_t)(c->lpi_pending[word] != 0) << word % 64;
    }
}

void gic_lpi_enable(GicCpu *c, bool on)
{
    if (!on) {
        lpi_table(c, false);
    }
    memset(c->lpi_pending, 0, (GIC_LPI_END - GIC_LPI) / 8);
    memset(c->lpi_some, 0, sizeof(c->lpi_some));
    if (on && !(c->pendbaser >> 62 & 1)) {
        lpi_table(c, true);
    }
    gic_lpi_scan(c);
}
