/* record.c - regions out of code memory and into it again, see record.h. */
#include "record.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

Parts record_parts(Record *r)
{
    Parts p;
    p.guest = (uint8_t *)(r + 1);
    p.code = (uint8_t *)ALIGN_UP((uintptr_t)(p.guest + r->before + r->nbytes), 16);
    p.exits = (KeptExit *)ALIGN_UP((uintptr_t)(p.code + r->size), 8);
    p.faults = (Fault *)(p.exits + r->nexits);
    p.recipes = (Recipe *)(p.faults + r->nfaults);
    p.notes = (uint32_t *)(p.recipes + r->nrecipes);
    p.described = (uint64_t *)ALIGN_UP((uintptr_t)(p.notes + r->nnotes), 8);
    p.end = (uint8_t *)ALIGN_UP((uintptr_t)(p.described + r->ndescribed), RECORD_UNIT);
    return p;
}
/* What the page is, for translation. */
enum { PAGE_GUARDED = 1, PAGE_CALLS = 2 /* Space.call_page */ };
uint8_t record_page(const Engine *e, uint64_t pc)
{
    Space *s = e->cfg.space;
    return (s->guarded && s->guarded(s, gva(pc)) ? PAGE_GUARDED : 0) | (s->call && ALIGN_DOWN(pc, 4096) == s->call_page ? PAGE_CALLS : 0);
}

bool record_marked(Engine *e, const Record *r, uint64_t pc)
{
    for (uint64_t at = pc - r->before; e->nmarks && at < pc + r->nbytes; at += 4) {
        if (engine_marks(e, at)) {
            return true;
        }
    }
    return false;
}

Record record_head(const Engine *e, const Made *m)
{
    const Tb *tb = m->tb;
    Record r = {.key = m->key, .pc = tb->pc, .image = (uintptr_t)__ehdr_start, .code = (uint32_t)(tb->entry - e->code.rx),
                .data = (uint32_t)((const uint8_t *)tb - e->code.data), .size = tb->size, .nbytes = tb->nbytes, .before = tb->before,
                .ninsns = tb->ninsns, .nexits = tb->nexits, .nfaults = tb->nfaults, .nrecipes = (uint16_t)m->nrecipes,
                .nnotes = (uint16_t)m->nnotes, .ndescribed = m->ir->ndescribed, .page = record_page(e, tb->pc),
                .bound = (uint8_t)(m->bound | (tb->pc < MOVABLE ? BOUND_PC : 0)), .unshared = tb->unshared};
    r.bytes = (uint32_t)(record_parts(&r).end - (uint8_t *)&r);
    return r;
}

void record_fill(const Engine *e, Record *to, const Record *head, const Made *m)
{
    const Tb *tb = m->tb;
    const uint8_t *code = e->code.rw + head->code;
    *to = *head;
    Parts p = record_parts(to);
    memcpy(p.guest, m->guest - to->before, to->before + to->nbytes);
    memcpy(p.code, code, to->size);
    for (unsigned k = 0; k < to->nexits; k++) {
        const Exit *x = &tb->exits[k];
        p.exits[k] = (KeptExit){(int64_t)(x->pc - tb->pc), x->at ? (uint32_t)(x->at - code) : 0, x->at ? (uint32_t)(x->stub - code) : 0,
                                x->via, 0};
    }
    memcpy(p.faults, tb->faults, sizeof(Fault) * to->nfaults);
    memcpy(p.recipes, tb->recipes, sizeof(Recipe) * to->nrecipes);
    memcpy(p.notes, m->notes, sizeof(uint32_t) * to->nnotes);
    for (unsigned k = 0; k < to->ndescribed; k++) {
        p.described[k] = m->ir->described[k] - tb->pc;
    }
}

/* Distances that are patched must lie within a line of the host's: those of exits, and of what counts them. */
static bool lines_fit(const Parts *p, unsigned nexits, const uint8_t *rx)
{
    for (unsigned k = 0; k < nexits; k++) {
        const KeptExit *x = &p->exits[k];
        uintptr_t at = (uintptr_t)rx + x->at, counter = at + (uintptr_t)(intptr_t)x->via + COUNTER_JUMP;
        if ((x->at && (at & 63) > 60) || (x->via && (counter & 63) > 60)) {
            return false;
        }
    }
    return true;
}

/* False: the notes make no sense. */
static bool move(uint8_t *code, const Record *r, const Parts *p, const Engine *e, const Tb *tb)
{
    uint32_t by = r->code - (uint32_t)(tb->entry - e->code.rx); /* for what has stayed */
    uint32_t to_data = (uint32_t)((const uint8_t *)tb - e->code.data) - r->data;
    uint64_t pc = tb->pc - r->pc, image = (uintptr_t)__ehdr_start - r->image;
    for (unsigned k = 0; k < r->nnotes; k++) {
        uint32_t off = p->notes[k] >> NOTE_BITS, kind = p->notes[k] & ((1 << NOTE_BITS) - 1), v;
        if (off + (kind == NOTE_NEAR ? 4 : 8) > r->size) {
            return false;
        }
        if (kind == NOTE_NEAR) {
            memcpy(&v, code + off, 4);
            /* its own data, or the engine's stubs and constants, which are at the begin of code and of data */
            uint64_t target = r->code + off + (uint64_t)(int64_t)(int32_t)v + 4;
            v += by + (target >= e->code.size + STUB_BYTES ? to_data : 0);
            memcpy(code + off, &v, 4);
        } else {
            uint64_t w;
            memcpy(&w, code + off, 8);
            w += kind == NOTE_PC ? pc : image;
            memcpy(code + off, &w, 8);
        }
    }
    return true;
}

Tb *record_place(Engine *e, CodeChunk *ch, Record *r, uint64_t pc, uint64_t key)
{
    Parts p = record_parts(r);
    uint8_t *code = (uint8_t *)ALIGN_UP((uintptr_t)ch->code, 16), *data = (uint8_t *)ALIGN_UP((uintptr_t)ch->data, TB_ALIGN);
    unsigned n = 0;
    for (; n < 4 && !lines_fit(&p, r->nexits, codebuf_rx(&e->code, code)); n++) {
        code += 16;
    }
    if (n == 4 || data + sizeof(Tb) + sizeof(Exit) * r->nexits + r->bytes + 64 > (uint8_t *)(ch->tbs - ch->ntbs - 1) ||
        code + r->size + 64 > ch->code_end) {
        return NULL;
    }
    codebuf_ahead(ch);
    Tb *tb = (Tb *)data;
    *tb = (Tb){.pc = pc, .key = key, .at = pc, .entry = codebuf_rx(&e->code, code), .size = r->size, .nbytes = (uint16_t)r->nbytes, .before = r->before,
               .ninsns = r->ninsns, .unshared = r->unshared, .nexits = r->nexits, .nfaults = r->nfaults, .tier = 1,
               .exits = (Exit *)(tb + 1)};
    tb->faults = (Fault *)(tb->exits + r->nexits);
    tb->recipes = (Recipe *)(tb->faults + r->nfaults);
    memcpy(code, p.code, r->size);
    if (!move(code, r, &p, e, tb)) {
        return NULL;
    }
    for (unsigned k = 0; k < r->nexits; k++) {
        const KeptExit *x = &p.exits[k];
        tb->exits[k] = (Exit){.pc = pc + (uint64_t)x->pc, .at = x->at ? code + x->at : NULL, .stub = x->at ? code + x->stub : NULL,
                              .via = x->via, .count = x->via ? engine_first_count(e) : 0};
    }
    memcpy(tb->faults, p.faults, sizeof(Fault) * r->nfaults);
    memcpy(tb->recipes, p.recipes, sizeof(Recipe) * r->nrecipes);
    for (unsigned k = 0; k < 2u * r->nrecipes; k++) {
        Recipe *how = &tb->recipes[k / 2];
        how->k[k % 2] += how->kind[k % 2] == RECIPE_ADDRESS ? pc - r->pc : 0;
    }
    ch->code = code + r->size;
    ch->data = (uint8_t *)(tb->recipes + r->nrecipes);
    return tb;
}
