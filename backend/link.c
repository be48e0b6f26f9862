/* link.c - chaining: exits patched to jump straight into the region that they go to. */
#include "tb.h"

static uint8_t *rw(Engine *e, const uint8_t *rx)
{
    return e->code.rw + (rx - e->code.rx);
}

void tb_link(Engine *e, Exit *x, Tb *to)
{
    engine_lock(e);
    if (!x->to && !to->dead && codebuf_links(&e->code, x->at)) {
        codebuf_writable(&e->code, x->at);
        x->to = to;
        x->next_in = to->in;
        to->in = x;
        if (x->via && to->tier == 1 && !to->no_loop) {
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

void tb_unlink(Engine *e, Exit *x)
{
    for (Exit **p = x->to ? &x->to->in : NULL; p && *p; p = &(*p)->next_in) {
        if (*p == x) {
            *p = x->next_in;
            break;
        }
    }
    codebuf_writable(&e->code, x->at);
    target_link(x, x->stub);
    x->to = NULL;
    x->next_in = NULL;
}

void tb_unlink_in(Engine *e, Tb *tb)
{
    for (Exit *x = tb->in; x;) {
        Exit *next = x->next_in;
        codebuf_writable(&e->code, x->at);
        target_link(x, x->stub);
        x->to = NULL;
        x->next_in = NULL;
        x = next;
    }
    tb->in = NULL;
}
