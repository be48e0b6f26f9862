/* virtio_mmio.c - virtio over memory-mapped registers (Virtio 1.2, 4.2), modern and legacy (4.2.4).
 *
 * A slot without a device reads as device id 0. The board makes the slots, all of one kind (legacy is
 * -global virtio-mmio.force-legacy=true); devices take them from the highest number down, as the kernel numbers them
 * from there.
 * Locks: Slot.lock orders changes of the interrupt status and line; the rest is virtio.c's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "virtio.h"

enum { MAGIC = 0x74726976, VENDOR = 0x554d4551 /* "QEMU", which drivers know */, SLOTS = 32, CONFIG = 0x100, SIZE = 0x200 };

/* REG(name, offset) */
#define VIRTIO_MMIO_REGS(_)                                                                                                \
    _(MagicValue, 0x000) _(Version, 0x004) _(DeviceID, 0x008) _(VendorID, 0x00c) _(DeviceFeatures, 0x010)                  \
    _(DeviceFeaturesSel, 0x014) _(DriverFeatures, 0x020) _(DriverFeaturesSel, 0x024) _(GuestPageSize, 0x028)               \
    _(QueueSel, 0x030) _(QueueNumMax, 0x034) _(QueueNum, 0x038) _(QueueAlign, 0x03c) _(QueuePFN, 0x040)                    \
    _(QueueReady, 0x044) _(QueueNotify, 0x050) _(InterruptStatus, 0x060) _(InterruptACK, 0x064) _(Status, 0x070)           \
    _(QueueDescLow, 0x080) _(QueueDescHigh, 0x084) _(QueueDriverLow, 0x090) _(QueueDriverHigh, 0x094)                      \
    _(QueueDeviceLow, 0x0a0) _(QueueDeviceHigh, 0x0a4) _(SHMLenLow, 0x0b0) _(SHMLenHigh, 0x0b4) _(SHMBaseLow, 0x0b8)       \
    _(SHMBaseHigh, 0x0bc) _(ConfigGeneration, 0x0fc)
enum {
#define REG(name, offset) name = offset,
    VIRTIO_MMIO_REGS(REG)
#undef REG
};

typedef struct Slot {
    Virtio *v;
    Gpa base;
    Irq irq;
    pthread_mutex_t lock; /* of the line */
    bool legacy;
    uint32_t device_sel, driver_sel, queue_sel, align;
} Slot;

static struct {
    Slot *slot[SLOTS];
    unsigned n;
} bus;

/* Sets and clears bits of the interrupt status. The line follows under the same lock: it is edge-triggered at the interrupt
 * controller, so a bit that is set again right after it was acknowledged must find the line low. */
static void change_status(Slot *s, uint32_t set, uint32_t clear)
{
    pthread_mutex_lock(&s->lock);
    uint32_t isr = (__atomic_load_n(&s->v->isr, __ATOMIC_ACQUIRE) & ~clear) | set;
    __atomic_store_n(&s->v->isr, isr, __ATOMIC_RELEASE);
    irq_set(&s->irq, isr != 0);
    pthread_mutex_unlock(&s->lock);
}

static void notify(Virtio *v, VirtQueue *q)
{
    change_status(v->transport, q ? 1 : 2, 0);
}

static void slot_reset(void *arg)
{
    change_status(arg, 0, ~0u);
}

static VirtQueue *selected(Slot *s)
{
    return s->queue_sel < s->v->nqueues ? &s->v->queue[s->queue_sel] : NULL;
}

static uint32_t device_features(const Slot *s)
{
    uint64_t f = s->legacy ? (s->v->offered & ~VIRTIO_F(VF_VERSION_1)) | VIRTIO_F(VF_ANY_LAYOUT) : s->v->offered;
    return s->device_sel < 2 ? (uint32_t)(f >> (32 * s->device_sel)) : 0;
}

static uint32_t read_register(Slot *s, uint64_t offset)
{
    Virtio *v = s->v;
    VirtQueue *q = selected(s);
    switch (offset) {
    case DeviceID: return v->ops->id;
    case DeviceFeatures: return device_features(s);
    case QueueNumMax: return q ? q->max : 0;
    case QueuePFN: return s->legacy && q && q->ready && v->legacy_page ? (uint32_t)(q->desc / v->legacy_page) : 0;
    case QueueReady: return !s->legacy && q && q->ready;
    case InterruptStatus: return __atomic_load_n(&v->isr, __ATOMIC_ACQUIRE);
    case Status: return v->status;
    case ConfigGeneration: return s->legacy ? 0 : __atomic_load_n(&v->generation, __ATOMIC_ACQUIRE);
    case SHMLenLow:
    case SHMLenHigh:
    case SHMBaseLow:
    case SHMBaseHigh: return ~0u; /* no shared memory */
    default: return 0;
    }
}

static bool slot_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)attrs;
    Slot *s = dev;
    *value = 0;
    if (s->v && offset >= CONFIG) {
        *value = size == 8 ? virtio_config_read(s->v, offset - CONFIG, 4) |
                                 (uint64_t)virtio_config_read(s->v, offset - CONFIG + 4, 4) << 32
                           : virtio_config_read(s->v, offset - CONFIG, size);
        return true;
    }
    if (size != 4) {
        return true;
    }
    switch (offset) {
    case MagicValue: *value = MAGIC; break;
    case Version: *value = s->legacy ? 1 : 2; break;
    case VendorID: *value = VENDOR; break;
    default: *value = s->v ? read_register(s, offset) : 0; break;
    }
    return true;
}

static void set_half(uint64_t *to, bool high, uint32_t value)
{
    *to = high ? (*to & 0xffffffff) | (uint64_t)value << 32 : (*to & ~(uint64_t)0xffffffff) | value;
}

static void write_queue(Slot *s, uint64_t offset, uint32_t value)
{
    VirtQueue *q = selected(s);
    if (!q) {
        return;
    }
    if (offset == QueueReady && !s->legacy) {
        virtio_queue_ready(s->v, q, value & 1);
        return;
    }
    if (offset == QueuePFN && s->legacy) {
        virtio_queue_legacy(s->v, q, value, s->align);
        return;
    }
    pthread_mutex_lock(&s->v->lock);
    if (!q->ready) {
        switch (offset) {
        case QueueNum: q->size = value; break;
        case QueueDescLow:
        case QueueDescHigh: set_half(&q->desc, offset == QueueDescHigh, value); break;
        case QueueDriverLow:
        case QueueDriverHigh: set_half(&q->avail, offset == QueueDriverHigh, value); break;
        case QueueDeviceLow:
        case QueueDeviceHigh: set_half(&q->used, offset == QueueDeviceHigh, value); break;
        default: break;
        }
    }
    pthread_mutex_unlock(&s->v->lock);
}

static bool slot_write(void *dev, uint64_t offset, unsigned size, uint64_t value64, MemAttrs attrs)
{
    (void)attrs;
    Slot *s = dev;
    Virtio *v = s->v;
    uint32_t value = (uint32_t)value64;
    if (!v) {
        return true;
    }
    if (offset >= CONFIG) {
        virtio_config_write(v, offset - CONFIG, size < 4 ? size : 4, value);
        if (size == 8) {
            virtio_config_write(v, offset - CONFIG + 4, 4, (uint32_t)(value64 >> 32));
        }
        return true;
    }
    if (size != 4) {
        return true;
    }
    switch (offset) {
    case DeviceFeaturesSel: s->device_sel = value; break;
    case DriverFeatures: virtio_set_features(v, s->driver_sel, value); break;
    case DriverFeaturesSel: s->driver_sel = value; break;
    case GuestPageSize: v->legacy_page = value; break;
    case QueueSel: s->queue_sel = value; break;
    case QueueAlign: s->align = value; break;
    case QueueNotify: virtio_notified(v, value); break;
    case InterruptACK: change_status(s, 0, value); break;
    case Status:
        virtio_set_status(v, (uint8_t)value);
        if (!value) {
            change_status(s, 0, ~0u);
        }
        break;
    default: write_queue(s, offset, value); break;
    }
    return true;
}

static const MmioOps slot_ops = {slot_read, slot_write};

void virtio_mmio_slot(Machine *m, Gpa base, Irq irq, bool legacy)
{
    static char names[SLOTS][16];
    Slot *s = calloc(1, sizeof *s);
    ASSERT(s && bus.n < SLOTS);
    s->base = base;
    s->irq = irq;
    s->legacy = legacy;
    pthread_mutex_init(&s->lock, NULL);
    snprintf(names[bus.n], sizeof names[0], "virtio-mmio.%u", bus.n);
    mem_add_mmio(m->mem, names[bus.n], base, SIZE, &slot_ops, s);
    bus.slot[bus.n++] = s;
}

int virtio_mmio_attach(Virtio *v, int number, char *why, size_t n)
{
    int k = number;
    if (number < 0) {
        for (k = (int)bus.n - 1; k >= 0 && bus.slot[k]->v; k--) {
        }
    }
    if (k < 0 || (unsigned)k >= bus.n || bus.slot[k]->v) {
        if (number < 0) {
            snprintf(why, n, "all %u virtio-mmio slots are taken", bus.n);
        } else {
            snprintf(why, n, "virtio-mmio-bus.%d is taken or does not exist", number);
        }
        return -1;
    }
    Slot *s = bus.slot[k];
    s->v = v;
    v->legacy = s->legacy;
    v->transport = s;
    snprintf(v->place, sizeof v->place, "/virtio-mmio@%016llx", (unsigned long long)s->base.v);
    v->notify = notify;
    machine_on_reset(v->m, slot_reset, s);
    return 0;
}
