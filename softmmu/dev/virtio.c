/* virtio.c - queues and life of virtio devices; see virtio.h for words, threads and rules. Split rings (Virtio 1.2, 2.7).
 *
 * Ring memory lies in guest RAM and is shared with the driver on other threads: indices are read and written with the
 * barriers that 2.7.13 and 2.7.14 ask for.
 */
#include "virtio.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../bootorder.h"
#include "log.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

typedef struct Desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Desc;

/* -- the thread that works on queues --------------------------------------------------------------------------- */

void virtio_work(Virtio *v)
{
    uint64_t todo;
    while ((todo = __atomic_exchange_n(&v->kicked, 0, __ATOMIC_ACQ_REL))) {
        pthread_mutex_lock(&v->lock);
        for (; todo; todo &= todo - 1) {
            unsigned q = (unsigned)__builtin_ctzll(todo);
            if (v->status & VS_DRIVER_OK && !(v->status & VS_NEEDS_RESET) && v->queue[q].ready) {
                v->ops->run(v, q);
            }
        }
        pthread_mutex_unlock(&v->lock);
    }
}

static void work_on_loop(void *v)
{
    virtio_work(v);
}

static void *work_thread(void *arg)
{
    Virtio *v = arg;
    for (;;) {
        uint32_t seen = __atomic_load_n(&v->wake, __ATOMIC_ACQUIRE);
        virtio_work(v);
        syscall(SYS_futex, &v->wake, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    return NULL;
}

void virtio_wake(Virtio *v, unsigned q)
{
    if (__atomic_fetch_or(&v->kicked, (uint64_t)1 << q, __ATOMIC_ACQ_REL)) {
        return; /* whoever set the first bit has seen to it */
    }
    if (v->ops->kick) {
        v->ops->kick(v);
    } else if (v->ops->threaded) {
        __atomic_add_fetch(&v->wake, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &v->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    } else {
        event_call(v->m->loop, work_on_loop, v);
    }
}

void virtio_notified(Virtio *v, unsigned q)
{
    if (q < v->nqueues) {
        virtio_wake(v, q);
    }
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void queue_reset(VirtQueue *q)
{
    *q = (VirtQueue){.index = q->index, .max = q->max, .size = q->max, .vector = 0xffff};
}

/* Lock held. */
static void reset(Virtio *v)
{
    v->status = 0;
    v->features = 0;
    __atomic_store_n(&v->isr, 0, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < v->nqueues; i++) {
        queue_reset(&v->queue[i]);
    }
    if (v->ops->reset) {
        v->ops->reset(v);
    }
}

static void machine_reset(void *arg)
{
    Virtio *v = arg;
    virtio_set_status(v, 0);
    v->legacy_page = 0; /* which the driver's resets leave: Linux writes it once, before its first */
}

static Virtio *devices; /* main thread only */

void virtio_halt_all(void)
{
    for (Virtio *v = devices; v; v = v->next) {
        pthread_mutex_lock(&v->lock); /* for ever */
    }
}

Virtio *virtio_new(Machine *m, const VirtioOps *ops, void *dev, unsigned nqueues, unsigned size, unsigned config_size)
{
    Virtio *v = calloc(1, sizeof *v);
    if (!v) {
        return NULL;
    }
    v->m = m;
    v->ops = ops;
    v->dev = dev;
    v->nqueues = nqueues;
    v->config_size = config_size;
    v->offered = ops->features | VIRTIO_F(VF_VERSION_1) | VIRTIO_F(VF_INDIRECT) | VIRTIO_F(VF_EVENT_IDX);
    pthread_mutexattr_t again;
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&v->lock, &again);
    v->next = devices;
    devices = v;
    for (unsigned i = 0; i < nqueues; i++) {
        v->queue[i] = (VirtQueue){.index = i, .max = size};
        queue_reset(&v->queue[i]);
    }
    machine_on_reset(m, machine_reset, v);
    pthread_t thread;
    if (ops->threaded && !ops->kick && pthread_create(&thread, NULL, work_thread, v)) {
        free(v);
        return NULL;
    }
    return v;
}

int virtio_attach(Virtio *v, const DeviceType *t, const VirtioProps *p, char *why, size_t n)
{
    v->offered &= ~((p->event_idx ? 0 : VIRTIO_F(VF_EVENT_IDX)) | (p->indirect ? 0 : VIRTIO_F(VF_INDIRECT)));
    if (!strcmp(t->bus, "pci")) {
        if (!p->disable_legacy || p->disable_modern) {
            snprintf(why, n, "PCI devices are modern only: disable-legacy=on, disable-modern=off");
            return -1;
        }
        if (p->bus && strcmp(p->bus, "pcie.0")) {
            snprintf(why, n, "no bus %s (there is pcie.0)", p->bus);
            return -1;
        }
        return virtio_pci_attach(v, p->addr, why, n);
    }
    unsigned slot = 0;
    char rest;
    if (p->bus && (sscanf(p->bus, "virtio-mmio-bus.%2u%c", &slot, &rest) != 1 || slot > 31)) {
        snprintf(why, n, "no bus %s (there are virtio-mmio-bus.0 to 31)", p->bus);
        return -1;
    }
    return virtio_mmio_attach(v, p->bus ? (int)slot : -1, why, n);
}

int virtio_boot_index(Virtio *v, int32_t index, const char *unit, char *why, size_t n)
{
    if (!bootorder_add(index, v->place, unit)) {
        snprintf(why, n, "another device has bootindex=%d", index);
        return -1;
    }
    return 0;
}

void virtio_set_status(Virtio *v, uint8_t status)
{
    pthread_mutex_lock(&v->lock);
    if (!status) {
        reset(v);
    } else {
        uint8_t set = status & ~v->status;
        if (set & VS_FEATURES_OK && !v->legacy && !(v->features & VIRTIO_F(VF_VERSION_1))) {
            status &= (uint8_t)~VS_FEATURES_OK; /* no legacy driver by a modern transport */
        }
        v->status = status | (v->status & VS_NEEDS_RESET);
        if (set & VS_DRIVER_OK) { /* what came before is looked at now */
            for (unsigned q = 0; q < v->nqueues; q++) {
                virtio_wake(v, q);
            }
        }
    }
    pthread_mutex_unlock(&v->lock);
}

void virtio_set_features(Virtio *v, unsigned word, uint32_t bits)
{
    pthread_mutex_lock(&v->lock);
    if (word < 2 && !(v->status & VS_FEATURES_OK)) {
        uint64_t mask = (uint64_t)0xffffffff << (32 * word);
        v->features = (v->features & ~mask) | ((uint64_t)bits << (32 * word) & v->offered);
    }
    pthread_mutex_unlock(&v->lock);
}

void virtio_broken(Virtio *v, const char *how)
{
    if (v->status & VS_NEEDS_RESET) {
        return;
    }
    v->status |= VS_NEEDS_RESET;
    if (log_on(LOG_guest)) {
        log_printf("virtio-%s: %s; it does nothing until it is reset\n", v->ops->name, how);
    }
    if (v->status & VS_DRIVER_OK) {
        v->generation++;
        virtio_isr(v, NULL);
    }
}

void virtio_config_changed(Virtio *v)
{
    __atomic_add_fetch(&v->generation, 1, __ATOMIC_ACQ_REL);
    if (v->status & VS_DRIVER_OK) {
        virtio_isr(v, NULL);
    }
}

void virtio_isr(Virtio *v, VirtQueue *q)
{
    if (v->notify) {
        v->notify(v, q);
    }
}

/* -- queues: where they are ------------------------------------------------------------------------------------------ */

/* Lock held. */
static void place(Virtio *v, VirtQueue *q)
{
    PhysMem *m = v->m->mem;
    q->hdesc = mem_ptr(m, (Gpa){q->desc}, q->size * 16u, false);
    q->havail = mem_ptr(m, (Gpa){q->avail}, 6 + q->size * 2u, false);
    q->hused = mem_ptr(m, (Gpa){q->used}, 6 + q->size * 8u, true);
    q->ready = q->hdesc && q->havail && q->hused && !(q->desc & 15) && !(q->avail & 1) && !(q->used & 3);
    if (!q->ready) {
        virtio_broken(v, "a queue outside of memory or misaligned");
    }
}

void virtio_queue_ready(Virtio *v, VirtQueue *q, bool ready)
{
    pthread_mutex_lock(&v->lock);
    if (!ready) {
        queue_reset(q);
    } else if (!q->ready) {
        if (!q->size || q->size > q->max || q->size & (q->size - 1)) {
            virtio_broken(v, "a queue of an impossible size");
        } else {
            place(v, q);
        }
    }
    pthread_mutex_unlock(&v->lock);
}

void virtio_queue_legacy(Virtio *v, VirtQueue *q, uint32_t page, uint32_t align)
{
    pthread_mutex_lock(&v->lock);
    if (!page) {
        queue_reset(q);
    } else if (!q->size || q->size > q->max || q->size & (q->size - 1) || !v->legacy_page || align & (align - 1)) {
        virtio_broken(v, "a queue of an impossible size or alignment");
    } else {
        q->desc = page * v->legacy_page;
        q->avail = q->desc + 16u * q->size;
        q->used = ALIGN_UP(q->avail + 6 + 2u * q->size, align ? align : 4096);
        place(v, q);
    }
    pthread_mutex_unlock(&v->lock);
}

/* -- queues: chains ------------------------------------------------------------------------------------------------------ */

static uint16_t load16(const void *p)
{
    return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}

static void store16(void *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)p, v, __ATOMIC_RELEASE);
}

static uint16_t avail_index(const VirtQueue *q)
{
    return load16(q->havail + 2);
}

/* Tells the driver whether, and with EVENT_IDX at which chain, it is to notify. */
static void want_notification(Virtio *v, VirtQueue *q)
{
    if (virtio_has(v, VF_EVENT_IDX)) {
        store16(q->hused + 4 + q->size * 8u, q->next_avail);
    } else {
        store16(q->hused, 0);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool virtio_ready(Virtio *v, VirtQueue *q)
{
    if (!q->ready || v->status & VS_NEEDS_RESET) {
        return false;
    }
    if (avail_index(q) != q->next_avail) {
        return true;
    }
    want_notification(v, q);
    return avail_index(q) != q->next_avail;
}

static bool add(Virtio *v, VirtElem *e, const Desc *d)
{
    bool in = d->flags & DESC_WRITE;
    unsigned n = e->nout + e->nin;
    if (n == VIRTIO_CHAIN || (!in && e->nin)) {
        virtio_broken(v, n == VIRTIO_CHAIN ? "a chain that is too long" : "a chain with an out part behind its in part");
        return false;
    }
    void *p = d->len ? mem_ptr(v->m->mem, (Gpa){d->addr}, d->len, in) : v->config;
    if (!p) {
        virtio_broken(v, "a buffer outside of memory");
        return false;
    }
    e->v[n] = (struct iovec){p, d->len};
    e->at[n] = (Gpa){d->addr};
    *(in ? &e->nin : &e->nout) += 1;
    *(in ? &e->in_len : &e->out_len) += d->len;
    return true;
}

/* Follows a chain in a table of n descriptors. */
static bool collect(Virtio *v, VirtElem *e, const uint8_t *table, unsigned n, unsigned at, bool indirect)
{
    for (unsigned count = 0; count < n; count++) {
        if (at >= n) {
            break;
        }
        Desc d;
        memcpy(&d, table + 16u * at, sizeof d);
        if (d.flags & DESC_INDIRECT) {
            const uint8_t *t = mem_ptr(v->m->mem, (Gpa){d.addr}, d.len, false);
            if (indirect || !virtio_has(v, VF_INDIRECT) || d.flags & DESC_NEXT || !t || !d.len || d.len % 16) {
                virtio_broken(v, "a wrong indirect descriptor");
                return false;
            }
            return collect(v, e, t, d.len / 16, 0, true);
        }
        if (!add(v, e, &d)) {
            return false;
        }
        if (!(d.flags & DESC_NEXT)) {
            return true;
        }
        at = d.next;
    }
    virtio_broken(v, "a chain that leaves its table or has no end");
    return false;
}

bool virtio_pop(Virtio *v, VirtQueue *q, VirtElem *e)
{
    if (!virtio_ready(v, q)) {
        return false;
    }
    if ((uint16_t)(avail_index(q) - q->next_avail) > q->size) {
        virtio_broken(v, "more chains than the queue has entries");
        return false;
    }
    e->nin = e->nout = 0;
    e->in_len = e->out_len = 0;
    e->head = load16(q->havail + 4 + 2u * (q->next_avail & (q->size - 1)));
    q->next_avail++;
    return collect(v, e, q->hdesc, q->size, e->head, false);
}

void virtio_fill(Virtio *v, VirtQueue *q, const VirtElem *e, uint32_t written)
{
    uint64_t left = written;
    for (unsigned i = e->nout; i < e->nout + e->nin && left; i++) {
        uint64_t n = e->v[i].iov_len < left ? e->v[i].iov_len : left;
        mem_wrote(v->m->mem, e->at[i], n);
        left -= n;
    }
    uint32_t entry[2] = {e->head, written};
    memcpy(q->hused + 4 + 8u * (q->next_used & (q->size - 1)), entry, sizeof entry);
    q->next_used++;
}

void virtio_publish(Virtio *v, VirtQueue *q)
{
    store16(q->hused + 2, q->next_used);
    mem_wrote(v->m->mem, (Gpa){q->used}, 6 + 8u * q->size);
}

void virtio_push(Virtio *v, VirtQueue *q, const VirtElem *e, uint32_t written)
{
    virtio_fill(v, q, e, written);
    virtio_publish(v, q);
}

void virtio_signal(Virtio *v, VirtQueue *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint16_t old = q->signalled, now = q->next_used;
    bool want;
    if (!q->ready || (old == now && q->signalled_valid)) {
        return;
    }
    if (virtio_has(v, VF_EVENT_IDX)) {
        uint16_t event = load16(q->havail + 4 + 2u * q->size);
        want = !q->signalled_valid || (uint16_t)(now - event - 1) < (uint16_t)(now - old);
    } else {
        want = !(load16(q->havail) & AVAIL_NO_INTERRUPT);
    }
    q->signalled = now;
    q->signalled_valid = true;
    if (want) {
        virtio_isr(v, q);
    }
}

static uint64_t copy(const struct iovec *v, unsigned n, uint64_t skip, void *buf, uint64_t len, bool to_guest)
{
    uint64_t done = 0;
    for (unsigned i = 0; i < n && done < len; i++) {
        if (skip >= v[i].iov_len) {
            skip -= v[i].iov_len;
            continue;
        }
        uint64_t k = v[i].iov_len - skip;
        k = k < len - done ? k : len - done;
        uint8_t *guest = (uint8_t *)v[i].iov_base + skip, *ours = (uint8_t *)buf + done;
        to_guest ? memcpy(guest, ours, k) : memcpy(ours, guest, k);
        done += k;
        skip = 0;
    }
    return done;
}

uint64_t virtio_get(const VirtElem *e, uint64_t skip, void *to, uint64_t len)
{
    return copy(e->v, e->nout, skip, to, len, false);
}

uint64_t virtio_put(const VirtElem *e, uint64_t skip, const void *from, uint64_t len)
{
    return copy(e->v + e->nout, e->nin, skip, (void *)(uintptr_t)from, len, true);
}

/* -- configuration --------------------------------------------------------------------------------------------------------- */

uint32_t virtio_config_read(Virtio *v, uint64_t offset, unsigned size)
{
    uint32_t value = 0;
    pthread_mutex_lock(&v->lock);
    for (unsigned i = 0; i < size && offset + i < v->config_size; i++) {
        value |= (uint32_t)v->config[offset + i] << (8 * i);
    }
    pthread_mutex_unlock(&v->lock);
    return value;
}

void virtio_config_write(Virtio *v, uint64_t offset, unsigned size, uint32_t value)
{
    bool any = false;
    pthread_mutex_lock(&v->lock);
    for (unsigned i = 0; i < size && offset + i < v->config_size && offset + i < 8 * sizeof v->config_writable; i++) {
        uint64_t at = offset + i;
        if (v->config_writable[at / 8] >> (at % 8) & 1) {
            v->config[at] = (uint8_t)(value >> (8 * i));
            any = true;
        }
    }
    if (any && v->ops->configured) {
        v->ops->configured(v, (unsigned)offset, size);
    }
    pthread_mutex_unlock(&v->lock);
}
