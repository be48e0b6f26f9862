/* virtio_balloon.c - memory balloon (Virtio 1.2, 5.5): pages that the guest gives back are given back to the host.
 *
 * Pages are numbered in 4 KiB units. A page is dropped from the host's memory when the guest inflates or reports it free;
 * it reads as zeros when the guest touches it again.
 */
#include "virtio_balloon.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "virtio.h"

enum { F_DEFLATE_ON_OOM = 2, F_REPORTING = 5 };
enum { INFLATE, DEFLATE, REPORTING_QUEUE /* the next, since there is no queue of statistics */, QUEUES, QUEUE = 128, PAGE = 4096 };

typedef struct __attribute__((packed)) BalloonConfig {
    uint32_t num_pages, actual, free_page_hint, poison;
} BalloonConfig;

static struct {
    Virtio *v;
    uint64_t ram;
    VirtElem e;
} balloon;

static void drop(void *p, uint64_t len)
{
    if (madvise(p, len, MADV_REMOVE)) {
        madvise(p, len, MADV_DONTNEED);
    }
}

static void inflate(Virtio *v, VirtQueue *q)
{
    while (virtio_pop(v, q, &balloon.e)) {
        uint32_t page;
        for (uint64_t at = 0; virtio_get(&balloon.e, at, &page, sizeof page) == sizeof page; at += sizeof page) {
            Gpa gpa = {(uint64_t)page * PAGE};
            void *p = q->index == INFLATE ? mem_ptr(v->m->mem, gpa, PAGE, true) : NULL;
            if (p) {
                drop(p, PAGE);
                mem_wrote(v->m->mem, gpa, PAGE);
            }
        }
        virtio_push(v, q, &balloon.e, 0);
    }
    virtio_signal(v, q);
}

static void report(Virtio *v, VirtQueue *q)
{
    VirtElem *e = &balloon.e;
    while (virtio_pop(v, q, e)) {
        for (unsigned i = e->nout; i < e->nout + e->nin; i++) {
            if (e->v[i].iov_len >= PAGE && !((uintptr_t)e->v[i].iov_base & (PAGE - 1))) {
                drop(e->v[i].iov_base, e->v[i].iov_len & ~(uint64_t)(PAGE - 1));
                mem_wrote(v->m->mem, e->at[i], e->v[i].iov_len);
            }
        }
        virtio_push(v, q, e, 0);
    }
    virtio_signal(v, q);
}

static void run(Virtio *v, unsigned n)
{
    if (n == INFLATE || n == DEFLATE) {
        inflate(v, &v->queue[n]);
    } else if (n == REPORTING_QUEUE) {
        report(v, &v->queue[n]);
    }
}

static const VirtioOps ops = {.id = VIRTIO_BALLOON, .name = "balloon", .run = run, .features = VIRTIO_F(F_DEFLATE_ON_OOM)};

bool balloon_set(uint64_t bytes)
{
    Virtio *v = balloon.v;
    if (!v) {
        return false;
    }
    bytes = bytes < balloon.ram ? bytes : balloon.ram;
    pthread_mutex_lock(&v->lock);
    ((BalloonConfig *)v->config)->num_pages = (uint32_t)((balloon.ram - bytes) / PAGE);
    pthread_mutex_unlock(&v->lock);
    virtio_config_changed(v);
    return true;
}

uint64_t balloon_actual(void)
{
    Virtio *v = balloon.v;
    return v ? balloon.ram - (uint64_t)((BalloonConfig *)v->config)->actual * PAGE : 0;
}

typedef struct Config {
    VirtioProps common;
    bool oom, reporting;
} Config;

static void add_ram(void *arg, const char *name, Gpa base, uint64_t size, const char *kind)
{
    (void)name;
    (void)base;
    *(uint64_t *)arg += strcmp(kind, "ram") ? 0 : size;
}

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    (void)id;
    Config *c = config;
    Virtio *v = balloon.v = virtio_new(m, &ops, NULL, c->reporting ? QUEUES : REPORTING_QUEUE, QUEUE, sizeof(BalloonConfig));
    ASSERT(v);
    mem_each(m->mem, add_ram, &balloon.ram);
    v->offered |= c->reporting ? VIRTIO_F(F_REPORTING) : 0;
    v->offered &= ~(c->oom ? 0 : VIRTIO_F(F_DEFLATE_ON_OOM));
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = offsetof(BalloonConfig, actual) + i;
        v->config_writable[at / 8] |= (uint8_t)(1 << at % 8);
    }
    return virtio_attach(v, t, &c->common, why, n);
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"deflate-on-oom", PROP_BOOL, offsetof(Config, oom), "off", "the guest may take memory back when it is short"},
    {"free-page-reporting", PROP_BOOL, offsetof(Config, reporting), "off", "free pages go back to the host by themselves"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_balloon, "virtio-balloon", "memory balloon", props, Config, create)
