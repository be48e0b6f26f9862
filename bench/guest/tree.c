/* tree.c - binary trees on the heap: malloc, recursion, free. */
#include "k.h"

typedef struct Node {
    struct Node *left, *right;
} Node;

static Node *make(int depth)
{
    Node *t = malloc(sizeof *t);
    t->left = depth ? make(depth - 1) : NULL;
    t->right = depth ? make(depth - 1) : NULL;
    return t;
}

static uint64_t count(const Node *t) { return t ? 1 + count(t->left) + count(t->right) : 0; }

static void drop(Node *t)
{
    if (t) {
        drop(t->left);
        drop(t->right);
        free(t);
    }
}

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (long i = 0; i < n * 10; i++) {
        Node *t = make(14 + (int)(i & 1));
        h = h * 31 + count(t);
        drop(t);
    }
    return h;
}
