/* icalls.c - indirect calls: methods of objects of several classes, a callback, a table of functions. */
#include "k.h"

typedef struct Shape Shape;
struct Shape {
    uint64_t (*area)(const Shape *, uint64_t);
    uint64_t w, h;
};
static uint64_t square(const Shape *s, uint64_t k) { return s->w * s->w + k; }
static uint64_t box(const Shape *s, uint64_t k) { return s->w * s->h ^ k; }
static uint64_t frame(const Shape *s, uint64_t k) { return 2 * (s->w + s->h) - (k >> 3); }
static uint64_t dot(const Shape *s, uint64_t k) { return s->w + k * 5; }

static uint64_t kernel(long n)
{
    static uint64_t (*const of[])(const Shape *, uint64_t) = {square, box, frame, dot};
    enum { SHAPES = 256 };
    Shape s[SHAPES];
    uint64_t seed = 12345, h = 0;
    for (int i = 0; i < SHAPES; i++) {
        s[i] = (Shape){of[i < SHAPES / 2 ? 0 : k_rand(&seed) & 3], k_rand(&seed) & 255, k_rand(&seed) & 255};
    }
    for (long r = 0; r < n * 100000; r++) {
        for (int i = 0; i < SHAPES; i++) {
            h = s[i].area(&s[i], h);
        }
    }
    return h;
}
