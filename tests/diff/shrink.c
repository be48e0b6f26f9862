/* shrink.c - makes a failing case small: instructions become NOP or the end of the block, registers become 0, as long
 * as it still fails. Addresses stay what they are, so each step changes one thing only.
 */
#include "diff.h"

#define NOP 0xd503201fu

/* Tries a change of *p; keeps it when the case still fails. */
static bool keep(Case *c, void *p, const void *new, size_t size, Fails *fails, void *arg)
{
    uint8_t old[16];
    if (memcmp(p, new, size) == 0) {
        return false;
    }
    memcpy(old, p, size);
    memcpy(p, new, size);
    if (fails(c, arg)) {
        return true;
    }
    memcpy(p, old, size);
    return false;
}

static bool shrink_words(Case *c, Fails *fails, void *arg)
{
    static const uint32_t nop = NOP, filler = DIFF_FILLER;
    bool better = false;
    for (unsigned i = SLOT_WORDS; i-- > 0;) {
        if (c->words[i] != filler) {
            better |= keep(c, &c->words[i], &filler, 4, fails, arg) || keep(c, &c->words[i], &nop, 4, fails, arg);
        }
    }
    return better;
}

static bool shrink_state(Case *c, Fails *fails, void *arg)
{
    static const uint8_t zero[16];
    DiffState *s = &c->in;
    bool better = false;
    for (unsigned i = 0; i < 31; i++) {
        better |= keep(c, &s->x[i], zero, 8, fails, arg);
    }
    better |= keep(c, &s->sp, zero, 8, fails, arg);
    better |= keep(c, &s->tpidr, zero, 8, fails, arg);
    for (unsigned i = 0; i < 32; i++) {
        if (!keep(c, s->v[i], zero, 16, fails, arg)) {
            better |= keep(c, &s->v[i][1], zero, 8, fails, arg);
        }
    }
    better |= keep(c, &s->nzcv, zero, 4, fails, arg);
    better |= keep(c, &s->fpsr, zero, 4, fails, arg);
    if (!keep(c, &s->fpcr, zero, 4, fails, arg)) {
        for (unsigned i = 0; i < 32; i++) {
            uint32_t v = s->fpcr & ~(1u << i);
            better |= keep(c, &s->fpcr, &v, 4, fails, arg);
        }
    }
    return better;
}

/* Begins later, where the block begins with NOPs. */
static bool shrink_start(Case *c, Fails *fails, void *arg)
{
    static const uint32_t filler = DIFF_FILLER;
    bool better = false;
    for (;;) {
        unsigned at = (unsigned)((c->in.pc - slot_address(c->in.pc)) / 4);
        uint64_t next = c->in.pc + 4;
        if (at + 1 >= SLOT_WORDS || c->words[at] != NOP || !keep(c, &c->in.pc, &next, 8, fails, arg)) {
            return better;
        }
        better = keep(c, &c->words[at], &filler, 4, fails, arg);
    }
}

/* Takes NOPs out; what follows moves up. */
static bool shrink_length(Case *c, Fails *fails, void *arg)
{
    bool better = false;
    for (unsigned i = SLOT_WORDS - 1; i-- > 0;) {
        if (c->words[i] != NOP) {
            continue;
        }
        Case shorter = *c;
        memmove(&shorter.words[i], &shorter.words[i + 1], (SLOT_WORDS - 1 - i) * sizeof shorter.words[0]);
        if (fails(&shorter, arg)) {
            *c = shorter;
            better = true;
        }
    }
    return better;
}

void shrink(Case *c, Fails *fails, void *arg)
{
    for (unsigned round = 0; round < 6; round++) {
        bool better = shrink_words(c, fails, arg);
        better |= shrink_start(c, fails, arg);
        better |= shrink_length(c, fails, arg);
        better |= shrink_state(c, fails, arg);
        if (!better) {
            break;
        }
    }
}
