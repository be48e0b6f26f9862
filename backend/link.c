/* link.c - chaining: exits patched to jump straight into the region that they go to. */
#include "tb.h"

static uint8_t *rw(Engine *e, const uint8_t *rx)
{
    return e->code.rw + (rx - e->code.rx);
}

/* Is to a loop whose entries are being counted? Each comes by the dispatcher. */
static bool watched(Tb *to)
{
    if (to->stage != LOOP_WATCHED || to->no_loop) {
        return false;
    }
    to->no_loop = ++to->entries >= WATCH_ENTRIES;
    return !to->no_loop;
}

void tb_link(Engine *e, Exit *x, Tb *to)
{
    engine_lock(e);
    bool counts = x->via && to->tier == 1 && !to->no_loop;
    if (!x->to && !to->dead && (counts || !watched(to)) && codebuf_links(&e->code, x->at)) {
        codebuf_writable(&e->code, x->at);
        x->to = to;
        x->next_in = to->in;
        to->in = x;
        if (counts) {
            uint8_t *jump = x->at + x->via + COUNTER_JUMP;
            codebuf_writable(&e->code, jump);
            target_link_at(jump, rw(e, to->entry));
            target_link(x, x->at + x->via);
        } else {
            target_link(x, rw(e, to->entry));
        }
        e->stats.links++;
    }
    engine_unlock(e);
}

/* The exit leads to the dispatcher again. */
static void cut(Engine *e, Exit *x)
{
    codebuf_writable(&e->code, x->at);
    target_link(x, x->stub);
    x->to = NULL;
    x->next_in = NULL;
}

void tb_unlink(Engine *e, Exit *x)
{
    for (Exit **p = x->to ? &x->to->in : NULL; p && *p; p = &(*p)->next_in) {
        if (*p == x) {
            *p = x->next_in;
            break;
        }
    }
    cut(e, x);
}

void tb_unlink_in(Engine *e, Tb *tb)
{
    for (Exit *x = tb->in; x;) {
        Exit *next = x->next_in;
        cut(e, x);
        x = next;
    }
    tb->in = NULL;
}
