/* vma_tree.c - see vma_tree.h. A treap: a search tree by start address that is also a heap by a random number,
 * so that it stays about 2 log n deep without rules for rebalancing; everything is split and merge.
 */
#include "vma_tree.h"

#include "raw.h"

enum { SLAB = 1 << 18 };

static Vma *node_new(VmaTree *t)
{
    Vma *v = t->free;
    if (v) {
        t->free = v->left;
    } else {
        if (t->fresh == t->fresh_end) {
            int64_t m = raw_call(__NR_mmap, 0, SLAB, 3, 0x22, -1, 0); /* private, anonymous */
            if (m < 0 && m > -4096) {
                return NULL;
            }
            t->fresh = (Vma *)m;
            t->fresh_end = t->fresh + SLAB / sizeof(Vma);
        }
        v = t->fresh++;
    }
    t->seed = t->seed * 1664525u + 1013904223u;
    v->prio = t->seed ^ t->seed >> 15;
    v->left = v->right = NULL;
    return v;
}

static void node_free(VmaTree *t, Vma *v)
{
    v->left = t->free;
    t->free = v;
}

/* *l gets what starts below key, *r the rest. */
static void split(Vma *v, uint64_t key, Vma **l, Vma **r)
{
    if (!v) {
        *l = *r = NULL;
    } else if (v->i.start < key) {
        split(v->right, key, &v->right, r);
        *l = v;
    } else {
        split(v->left, key, l, &v->left);
        *r = v;
    }
}

static Vma *merge(Vma *l, Vma *r)
{
    if (!l || !r) {
        return l ? l : r;
    }
    if (l->prio > r->prio) {
        l->right = merge(l->right, r);
        return l;
    }
    r->left = merge(l, r->left);
    return r;
}

Vma *vma_tree_first(const VmaTree *t, uint64_t addr)
{
    Vma *best = NULL;
    for (Vma *v = t->root; v;) {
        if (v->i.end > addr) {
            best = v;
            v = v->left;
        } else {
            v = v->right;
        }
    }
    return best;
}

Vma *vma_tree_find(const VmaTree *t, uint64_t addr)
{
    Vma *v = vma_tree_first(t, addr);
    return v && v->i.start <= addr ? v : NULL;
}

static void add(VmaTree *t, Vma *v)
{
    Vma *l, *r;
    split(t->root, v->i.start, &l, &r);
    t->root = merge(merge(l, v), r);
    t->count++;
    t->bytes += v->i.end - v->i.start;
}

/* Makes at a border between nodes. 0 or -ENOMEM. */
static int cut(VmaTree *t, uint64_t at)
{
    Vma *v = vma_tree_find(t, at);
    if (!v || v->i.start == at) {
        return 0;
    }
    Vma *n = node_new(t);
    if (!n) {
        return -ENOMEM;
    }
    n->i = v->i;
    n->i.start = at;
    n->i.offset += at - v->i.start;
    t->bytes -= v->i.end - at;
    v->i.end = at;
    add(t, n);
    return 0;
}

static void free_all(VmaTree *t, Vma *v)
{
    if (v) {
        free_all(t, v->left);
        free_all(t, v->right);
        t->count--;
        t->bytes -= v->i.end - v->i.start;
        node_free(t, v);
    }
}

int vma_tree_remove(VmaTree *t, uint64_t start, uint64_t end)
{
    Vma *first = vma_tree_first(t, start);
    if (!first || first->i.start >= end) {
        return 0;
    }
    if (cut(t, start) < 0 || cut(t, end) < 0) {
        return -ENOMEM;
    }
    Vma *l, *m, *r;
    split(t->root, start, &l, &m);
    split(m, end, &m, &r);
    free_all(t, m);
    t->root = merge(l, r);
    return 0;
}

static bool joins(const VmaInfo *a, const VmaInfo *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->dev == b->dev && a->ino == b->ino &&
           ((!a->dev && !a->ino) || a->offset + (a->end - a->start) == b->offset);
}

/* Takes out the node that starts at exactly start. */
static void drop(VmaTree *t, uint64_t start)
{
    Vma *l, *m, *r;
    split(t->root, start, &l, &m);
    split(m, start + 1, &m, &r);
    free_all(t, m);
    t->root = merge(l, r);
}

int vma_tree_insert(VmaTree *t, const VmaInfo *i)
{
    Vma *before = i->start ? vma_tree_find(t, i->start - 1) : NULL;
    Vma *after = vma_tree_find(t, i->end);
    bool jb = before && joins(&before->i, i), ja = after && joins(i, &after->i);
    if (jb) {
        uint64_t end = ja ? after->i.end : i->end;
        if (ja) {
            drop(t, after->i.start);
        }
        t->bytes += end - before->i.end;
        before->i.end = end;
        return 0;
    }
    Vma *v = node_new(t);
    if (!v) {
        return -ENOMEM;
    }
    v->i = *i;
    if (ja) {
        v->i.end = after->i.end;
        drop(t, after->i.start);
    }
    add(t, v);
    return 0;
}

int vma_tree_change(VmaTree *t, uint64_t start, uint64_t end, uint32_t prot, uint32_t set, uint32_t clear)
{
    if (cut(t, start) < 0 || cut(t, end) < 0) {
        return -ENOMEM;
    }
    uint64_t at = start;
    for (Vma *v; (v = vma_tree_first(t, at)) && v->i.start < end;) {
        VmaInfo i = v->i;
        i.prot = prot == ~0u ? i.prot : prot;
        i.flags = (i.flags | set) & ~clear;
        at = i.end;
        drop(t, v->i.start);
        if (vma_tree_insert(t, &i) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}
