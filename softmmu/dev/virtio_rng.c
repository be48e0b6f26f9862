/* virtio_rng.c - entropy device (Virtio 1.2, 5.4): random bytes of the host's kernel. */
#include <sys/random.h>

#include "virtio.h"

enum { PIECE = 65536 /* most bytes for one request */ };

static void run(Virtio *v, unsigned n)
{
    VirtQueue *q = &v->queue[n];
    static _Thread_local VirtElem e;
    while (virtio_pop(v, q, &e)) {
        uint32_t done = 0;
        for (unsigned i = e.nout; i < e.nout + e.nin && done < PIECE; i++) {
            size_t len = e.v[i].iov_len < PIECE - done ? e.v[i].iov_len : PIECE - done;
            ssize_t k = getrandom(e.v[i].iov_base, len, 0);
            if (k < 0) {
                break;
            }
            done += (uint32_t)k;
        }
        virtio_push(v, q, &e, done);
    }
    virtio_signal(v, q);
}

static const VirtioOps ops = {.id = VIRTIO_RNG, .name = "rng", .run = run};

typedef struct Config {
    VirtioProps common;
    const char *rng;
} Config;

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    (void)id;
    Config *c = config;
    Virtio *v = virtio_new(m, &ops, NULL, 1, 8, 0);
    ASSERT(v);
    return virtio_attach(v, t, &c->common, why, n);
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"rng", PROP_STR, offsetof(Config, rng), NULL, "id of an rng-random or rng-builtin object"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_rng, "virtio-rng", "random numbers of the host", props, Config, create)
