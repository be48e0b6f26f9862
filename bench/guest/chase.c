/* chase.c - pointer chasing: a list through 4 MiB in random order. */
#include "k.h"

enum { NODES = 1 << 16 };
typedef struct Node {
    struct Node *next;
    uint64_t value[7];
} Node;
static Node nodes[NODES];

static uint64_t kernel(long n)
{
    static unsigned order[NODES];
    uint64_t seed = 7, h = 0;
    for (unsigned i = 0; i < NODES; i++) {
        order[i] = i;
        nodes[i].value[0] = i;
    }
    for (unsigned i = NODES - 1; i; i--) {
        unsigned j = (unsigned)(k_rand(&seed) % (i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
    }
    const Node *p = nodes;
    for (long i = 0; i < n * 4000000; i++, p = p->next) {
        h += p->value[0] ^ h >> 7;
    }
    return h;
}
