/* vma_tree.h - the ordered table under vma.c: disjoint ranges in a treap, with splitting, merging and walking.
 *
 * The caller locks. Node memory comes from the host in slabs and is reused, so that 100 000 ranges cost about
 * 8 MB and no call of malloc. Two neighbours with equal attributes and continuing offsets are one node.
 */
#ifndef ARMX_USER_VMA_TREE_H
#define ARMX_USER_VMA_TREE_H

#include "vma.h"

typedef struct Vma Vma;
struct Vma {
    VmaInfo i;
    Vma *left, *right;
    uint32_t prio;
};

typedef struct VmaTree {
    Vma *root;
    Vma *free;
    Vma *fresh, *fresh_end; /* never used yet */
    uint64_t bytes;
    unsigned count;
    uint32_t seed;
} VmaTree;

/* The node that contains addr, or NULL. */
Vma *vma_tree_find(const VmaTree *t, uint64_t addr);
/* The first node that ends after addr, or NULL. */
Vma *vma_tree_first(const VmaTree *t, uint64_t addr);
/* Removes [start, end), cutting nodes at its edges. 0 or -ENOMEM. */
int vma_tree_remove(VmaTree *t, uint64_t start, uint64_t end);
/* Adds a range that overlaps nothing. 0 or -ENOMEM. */
int vma_tree_insert(VmaTree *t, const VmaInfo *i);
/* Changes attributes of every node in [start, end): prot unless ~0, flags set and cleared. 0 or -ENOMEM. */
int vma_tree_change(VmaTree *t, uint64_t start, uint64_t end, uint32_t prot, uint32_t set, uint32_t clear);

#endif
