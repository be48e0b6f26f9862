/* virtio_pci.c - virtio over PCI (Virtio 1.2, 4.1), modern only.
 *
 * BAR 1 has the MSI-X table, BAR 4 the four structures, each at a page of its own; queue n is notified at NOTIFY + 4 n.
 * Locks: virtio.c's, then pci.c's; Proxy.lock orders changes of the INTx line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pci.h"
#include "virtio.h"

enum { COMMON = 0x0000, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, BAR_SIZE = 0x4000, PAGE = 0x1000, BAR = 4, MSIX_BAR = 1 };
enum { CAP_VENDOR = 9, CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE, CFG_PCI };
enum { NO_VECTOR = 0xffff };

typedef struct Proxy {
    PciDev pci;
    Virtio *v;
    pthread_mutex_t lock;
    uint32_t device_sel, driver_sel;
    uint16_t queue_sel, config_vector;
    unsigned window; /* place of the capability that gives access by configuration space */
} Proxy;

/* The common configuration (4.1.4.3): FIELD(name, offset, size) */
#define COMMON_FIELDS(_)                                                                                                   \
    _(device_feature_select, 0x00, 4) _(device_feature, 0x04, 4) _(driver_feature_select, 0x08, 4)                         \
    _(driver_feature, 0x0c, 4) _(config_msix_vector, 0x10, 2) _(num_queues, 0x12, 2) _(device_status, 0x14, 1)             \
    _(config_generation, 0x15, 1) _(queue_select, 0x16, 2) _(queue_size, 0x18, 2) _(queue_msix_vector, 0x1a, 2)            \
    _(queue_enable, 0x1c, 2) _(queue_notify_off, 0x1e, 2) _(queue_desc, 0x20, 8) _(queue_driver, 0x28, 8)                  \
    _(queue_device, 0x30, 8) _(queue_notify_data, 0x38, 2) _(queue_reset, 0x3a, 2)
enum {
#define FIELD(name, offset, size) name = offset,
    COMMON_FIELDS(FIELD)
#undef FIELD
};

static void update_line(Proxy *p)
{
    pthread_mutex_lock(&p->lock);
    pci_intx(&p->pci, !pci_msix_on(&p->pci) && __atomic_load_n(&p->v->isr, __ATOMIC_ACQUIRE));
    pthread_mutex_unlock(&p->lock);
}

static void notify(Virtio *v, VirtQueue *q)
{
    Proxy *p = v->transport;
    __atomic_or_fetch(&v->isr, q ? 1 : 2, __ATOMIC_ACQ_REL);
    if (pci_msix_on(&p->pci)) {
        unsigned vector = q ? q->vector : p->config_vector;
        if (vector != NO_VECTOR) {
            pci_msix_send(&p->pci, vector);
        }
    } else {
        update_line(p);
    }
}

static VirtQueue *selected(Proxy *p)
{
    return p->queue_sel < p->v->nqueues ? &p->v->queue[p->queue_sel] : NULL;
}

static uint64_t common_read(Proxy *p, unsigned offset)
{
    Virtio *v = p->v;
    static VirtQueue none = {.vector = NO_VECTOR};
    VirtQueue *q = selected(p) ? selected(p) : &none;
    switch (offset) {
    case device_feature_select: return p->device_sel;
    case device_feature: return p->device_sel < 2 ? (uint32_t)(v->offered >> (32 * p->device_sel)) : 0;
    case driver_feature_select: return p->driver_sel;
    case driver_feature: return p->driver_sel < 2 ? (uint32_t)(v->features >> (32 * p->driver_sel)) : 0;
    case config_msix_vector: return p->config_vector;
    case num_queues: return v->nqueues;
    case device_status: return v->status;
    case config_generation: return (uint8_t)__atomic_load_n(&v->generation, __ATOMIC_ACQUIRE);
    case queue_select: return p->queue_sel;
    case queue_size: return q->size;
    case queue_msix_vector: return q->vector;
    case queue_enable: return q->ready;
    case queue_notify_off: return q->index;
    case queue_desc: return (uint32_t)q->desc;
    case queue_desc + 4: return q->desc >> 32;
    case queue_driver: return (uint32_t)q->avail;
    case queue_driver + 4: return q->avail >> 32;
    case queue_device: return (uint32_t)q->used;
    case queue_device + 4: return q->used >> 32;
    default: return 0;
    }
}

static void set_half(uint64_t *to, bool high, uint32_t value)
{
    *to = high ? (*to & 0xffffffff) | (uint64_t)value << 32 : (*to & ~(uint64_t)0xffffffff) | value;
}

static void queue_write(Proxy *p, unsigned offset, uint32_t value)
{
    Virtio *v = p->v;
    VirtQueue *q = selected(p);
    if (!q) {
        return;
    }
    if (offset == queue_enable) {
        if (value == 1) {
            virtio_queue_ready(v, q, true);
        }
        return;
    }
    pthread_mutex_lock(&v->lock);
    if (offset == queue_msix_vector) {
        q->vector = value < p->pci.msix.n ? (uint16_t)value : NO_VECTOR;
    } else if (!q->ready) {
        switch (offset) {
        case queue_size: q->size = value; break;
        case queue_desc:
        case queue_desc + 4: set_half(&q->desc, offset & 4, value); break;
        case queue_driver:
        case queue_driver + 4: set_half(&q->avail, offset & 4, value); break;
        case queue_device:
        case queue_device + 4: set_half(&q->used, offset & 4, value); break;
        default: break;
        }
    }
    pthread_mutex_unlock(&v->lock);
}

static void common_write(Proxy *p, unsigned offset, uint32_t value)
{
    Virtio *v = p->v;
    switch (offset) {
    case device_feature_select: p->device_sel = value; break;
    case driver_feature_select: p->driver_sel = value; break;
    case driver_feature: virtio_set_features(v, p->driver_sel, value); break;
    case config_msix_vector: p->config_vector = value < p->pci.msix.n ? (uint16_t)value : NO_VECTOR; break;
    case device_status:
        virtio_set_status(v, (uint8_t)value);
        if (!(uint8_t)value) {
            p->config_vector = NO_VECTOR;
            update_line(p);
        }
        break;
    case queue_select: p->queue_sel = (uint16_t)value; break;
    default: queue_write(p, offset, value); break;
    }
}

static bool bar_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)attrs;
    Proxy *p = dev;
    unsigned at = offset & (PAGE - 1);
    *value = 0;
    switch (offset & ~(uint64_t)(PAGE - 1)) {
    case COMMON:
        *value = common_read(p, at);
        if (size == 8) {
            *value |= common_read(p, at + 4) << 32;
        }
        *value &= bits_mask(8 * size);
        break;
    case ISR: /* reading takes it */
        if (at == 0) {
            *value = __atomic_exchange_n(&p->v->isr, 0, __ATOMIC_ACQ_REL);
            update_line(p);
        }
        break;
    case DEVICE:
        *value = virtio_config_read(p->v, at, size < 4 ? size : 4);
        if (size == 8) {
            *value |= (uint64_t)virtio_config_read(p->v, at + 4, 4) << 32;
        }
        break;
    default: break;
    }
    return true;
}

static bool bar_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)attrs;
    Proxy *p = dev;
    unsigned at = offset & (PAGE - 1);
    switch (offset & ~(uint64_t)(PAGE - 1)) {
    case COMMON:
        common_write(p, at, (uint32_t)value);
        if (size == 8) {
            common_write(p, at + 4, (uint32_t)(value >> 32));
        }
        break;
    case DEVICE:
        virtio_config_write(p->v, at, size < 4 ? size : 4, (uint32_t)value);
        if (size == 8) {
            virtio_config_write(p->v, at + 4, 4, (uint32_t)(value >> 32));
        }
        break;
    case NOTIFY: virtio_notified(p->v, at / 4); break;
    default: break;
    }
    return true;
}

static const MmioOps bar_ops = {bar_read, bar_write};

/* -- configuration space ------------------------------------------------------------------------------------------------- */

static unsigned capability(Proxy *p, unsigned type, unsigned offset, unsigned length)
{
    PciDev *d = &p->pci;
    unsigned size = type == CFG_NOTIFY || type == CFG_PCI ? 20 : 16, at = pci_capability(d, CAP_VENDOR, size);
    d->config[at + 2] = (uint8_t)size;
    d->config[at + 3] = (uint8_t)type;
    d->config[at + 4] = type == CFG_PCI ? 0 : BAR;
    pci_set(d, at + 8, 4, offset);
    pci_set(d, at + 12, 4, length);
    if (type == CFG_NOTIFY) {
        pci_set(d, at + 16, 4, 4); /* notify_off_multiplier */
    }
    return at;
}

/* The access that the window (4.1.4.9) describes; false when it describes none. */
static bool window(const Proxy *p, uint32_t *offset, uint32_t *size)
{
    const PciDev *d = &p->pci;
    *offset = (uint32_t)pci_get(d, p->window + 8, 4);
    *size = (uint32_t)pci_get(d, p->window + 12, 4);
    return d->config[p->window + 4] == BAR && (*size == 1 || *size == 2 || *size == 4) && *offset < BAR_SIZE - *size &&
           !(*offset & (*size - 1));
}

static bool in_window(const Proxy *p, unsigned at, unsigned size)
{
    return at < p->window + 20 && at + size > p->window + 16;
}

static void config_read(PciDev *d, unsigned at, unsigned size)
{
    Proxy *p = (Proxy *)d;
    uint32_t offset, n;
    uint64_t value;
    if (in_window(p, at, size) && window(p, &offset, &n)) {
        pthread_mutex_unlock(&d->lock); /* the device's lock comes first */
        bar_read(p, offset, n, &value, (MemAttrs){0});
        pthread_mutex_lock(&d->lock);
        pci_set(d, p->window + 16, 4, value);
    }
}

static void config_written(PciDev *d, unsigned at, unsigned size)
{
    Proxy *p = (Proxy *)d;
    uint32_t offset, n;
    if (in_window(p, at, size) && window(p, &offset, &n)) {
        uint64_t value = pci_get(d, p->window + 16, n);
        pthread_mutex_unlock(&d->lock);
        bar_write(p, offset, n, value, (MemAttrs){0});
        pthread_mutex_lock(&d->lock);
    }
}

static void reset(void *arg)
{
    Proxy *p = arg;
    p->device_sel = p->driver_sel = p->queue_sel = 0;
    p->config_vector = NO_VECTOR;
    update_line(p);
}

int virtio_pci_attach(Virtio *v, int32_t devfn, char *why, size_t n)
{
    static const uint32_t classes[] = {[VIRTIO_NET] = 0x020000, [VIRTIO_BLK] = 0x010000, [VIRTIO_CONSOLE] = 0x078000,
                                       [VIRTIO_RNG] = 0x00ff00, [VIRTIO_BALLOON] = 0x00ff00, [VIRTIO_9P] = 0x000200};
    Proxy *p = calloc(1, sizeof *p);
    ASSERT(p);
    p->v = v;
    p->config_vector = NO_VECTOR;
    pthread_mutex_init(&p->lock, NULL);
    PciDev *d = &p->pci;
    pci_init(d, v->m, v->ops->name, 0x1af4, (uint16_t)(0x1040 + v->ops->id), classes[v->ops->id], 1);
    pci_subsystem(d, 0x1af4, 0x1100);
    d->config_read = config_read;
    d->config_written = config_written;
    pci_bar(d, BAR, BAR_SIZE, true, true, &bar_ops, p);
    pci_msix(d, MSIX_BAR, v->nqueues + 1);
    capability(p, CFG_COMMON, COMMON, 0x38);
    capability(p, CFG_ISR, ISR, 1);
    capability(p, CFG_DEVICE, DEVICE, PAGE);
    capability(p, CFG_NOTIFY, NOTIFY, 4 * v->nqueues);
    p->window = capability(p, CFG_PCI, 0, 0);
    memset(d->wmask + p->window + 4, 0xff, 1);
    memset(d->wmask + p->window + 8, 0xff, 12);
    v->transport = p;
    v->notify = notify;
    int r = pci_plug(d, devfn, why, n);
    /* no address of the host bridge: firmware goes by its name */
    int end = snprintf(v->place, sizeof v->place, "/pci@ffffffffffffffff/%s@%x", v->ops->id == VIRTIO_NET ? "ethernet" : "scsi", d->devfn >> 3);
    if (d->devfn & 7) {
        snprintf(v->place + end, sizeof v->place - (size_t)end, ",%x", d->devfn & 7);
    }
    machine_on_reset(v->m, reset, p);
    return r;
}
