/* virtio.h - virtio devices (OASIS Virtio 1.2): the queues and the life of a device, common to all types and transports.
 *
 * Words: a device type is a VirtioOps; a transport (virtio_mmio.c, virtio_pci.c) shows the device's registers to the guest
 * and carries its interrupts. The driver is the guest's.
 *
 * Threads: registers are accessed on vCPU threads, queues are worked on by one thread of the device's choice: the I/O
 * loop, or a thread of its own (ops->threaded). Virtio.lock is held by whoever works on queues, and by register accesses
 * that change what queues are (status, addresses, reset); it may be taken again by its holder. Notifications take no lock.
 *
 * Guests are hostile: a ring or a chain that breaks the rules makes the device `broken`: NEEDS_RESET is set and it does
 * nothing more until it is reset. Descriptors are copied before they are looked at.
 *
 * To add a type: fill a VirtioOps, make DeviceTypes for its names on both buses (VIRTIO_DEVICE_TYPES).
 */
#ifndef ARMX_SOFTMMU_DEV_VIRTIO_H
#define ARMX_SOFTMMU_DEV_VIRTIO_H

#include <pthread.h>
#include <sys/uio.h>

#include "../devices.h"
#include "../machine.h"

typedef struct Virtio Virtio;
typedef struct VirtQueue VirtQueue;

enum { VIRTIO_NET = 1, VIRTIO_BLK = 2, VIRTIO_CONSOLE = 3, VIRTIO_RNG = 4, VIRTIO_BALLOON = 5, VIRTIO_9P = 9 };
enum { VIRTIO_QUEUES = 64, VIRTIO_CHAIN = 1024 /* descriptors of a chain */ };
/* Status bits (2.1). */
enum { VS_ACK = 1, VS_DRIVER = 2, VS_DRIVER_OK = 4, VS_FEATURES_OK = 8, VS_NEEDS_RESET = 64, VS_FAILED = 128 };
#define VIRTIO_F(n) ((uint64_t)1 << (n))
enum { VF_NOTIFY_ON_EMPTY = 24, VF_ANY_LAYOUT = 27, VF_INDIRECT = 28, VF_EVENT_IDX = 29, VF_VERSION_1 = 32 };

typedef struct VirtioOps {
    uint16_t id; /* device type */
    const char *name;
    uint64_t features; /* beyond the rings', before the device takes some away */
    bool threaded;     /* run() on a thread of the device's own, else on the I/O loop */
    /* The driver has put something into queue q, or queues are to be looked at for another reason (virtio_wake). Lock held. */
    void (*run)(Virtio *v, unsigned q);
    /* Replaces the waking of the thread that works on queues, for devices that have their own kind of loop. May be NULL. */
    void (*kick)(Virtio *v);
    /* The driver wrote the configuration (already in v->config), or reset the device. May be NULL. Lock held. */
    void (*configured)(Virtio *v, unsigned offset, unsigned size);
    void (*reset)(Virtio *v);
} VirtioOps;

struct VirtQueue {
    unsigned index, max, size; /* entries: most, as the driver chose */
    bool ready;
    uint64_t desc, avail, used; /* guest addresses */
    const uint8_t *hdesc, *havail; /* the same on the host, once ready */
    uint8_t *hused;
    uint16_t next_avail, next_used, signalled;
    bool signalled_valid;
    uint16_t vector;            /* of virtio-pci */
};

struct Virtio {
    const VirtioOps *ops;
    Machine *m;
    void *dev;             /* the type's own */
    pthread_mutex_t lock;
    uint64_t offered, features; /* by the device, by the driver */
    uint8_t status;
    volatile uint32_t isr; /* bit 0: a queue, bit 1: configuration; the transport sets and clears them */
    uint32_t generation;   /* of the configuration */
    uint8_t config[1024];
    unsigned config_size;
    uint8_t config_writable[16]; /* bit map of its first 128 bytes */
    unsigned nqueues;
    VirtQueue queue[VIRTIO_QUEUES];
    volatile uint64_t kicked; /* bit per queue */
    volatile uint32_t wake;   /* futex of the device's thread */
    bool legacy;
    uint64_t legacy_page;
    /* The transport's: sets the bit of isr and interrupts, for a queue or for the configuration (q = NULL). Any thread. */
    void (*notify)(Virtio *v, VirtQueue *q);
    void *transport;
    char place[64];        /* in the Open Firmware tree */
    Virtio *next; /* of all devices */
};

/* Properties that all have; the configuration's struct begins with VirtioProps. */
typedef struct VirtioProps {
    int32_t addr;
    const char *bus;
    bool event_idx, indirect, disable_legacy, disable_modern;
} VirtioProps;

/* A device of a type, with nqueues queues of `size` entries and its own data; not yet on a transport. NULL: no memory. */
Virtio *virtio_new(Machine *m, const VirtioOps *ops, void *dev, unsigned nqueues, unsigned size, unsigned config_size);
/* Puts the device on its type's transport, where the properties say; 0, or -1 with a line in why. */
int virtio_attach(Virtio *v, const DeviceType *t, const VirtioProps *p, char *why, size_t n);
/* bootindex= of a device that is attached; unit: of the disk or network in it. As virtio_attach. */
int virtio_boot_index(Virtio *v, int32_t index, const char *unit, char *why, size_t n);

/* One chain taken from a queue: what the driver gives (out) and where the device writes (in). */
typedef struct VirtElem {
    uint16_t head;
    unsigned nout, nin;
    uint64_t out_len, in_len; /* bytes */
    struct iovec v[VIRTIO_CHAIN]; /* nout of out, then nin of in */
    Gpa at[VIRTIO_CHAIN];         /* the same in guest memory */
} VirtElem;

/* The next chain of q; false when there is none (then the driver will notify again) or the device is broken. */
bool virtio_pop(Virtio *v, VirtQueue *q, VirtElem *e);
/* Gives a chain back with `written` bytes written to its in part; makes them visible. */
void virtio_push(Virtio *v, VirtQueue *q, const VirtElem *e, uint32_t written);
/* virtio_push in two steps, for several chains that become visible together. */
void virtio_fill(Virtio *v, VirtQueue *q, const VirtElem *e, uint32_t written);
void virtio_publish(Virtio *v, VirtQueue *q);
/* Interrupts the driver if it wants to know of what was pushed. */
void virtio_signal(Virtio *v, VirtQueue *q);
/* Is there something in q, without popping it? */
bool virtio_ready(Virtio *v, VirtQueue *q);
/* Copies from the out part, to the in part; returns the bytes copied. */
uint64_t virtio_get(const VirtElem *e, uint64_t skip, void *to, uint64_t len);
uint64_t virtio_put(const VirtElem *e, uint64_t skip, const void *from, uint64_t len);
/* The driver broke the rules: says how, once. Lock held. */
void virtio_broken(Virtio *v, const char *how);
/* The configuration changed (v->config is new). Any thread. */
void virtio_config_changed(Virtio *v);
/* Has queue q looked at by the device's thread. Any thread. */
void virtio_wake(Virtio *v, unsigned q);
/* For ops->kick: works on all queues that were notified, on the calling thread. */
void virtio_work(Virtio *v);
static inline bool virtio_has(const Virtio *v, unsigned f)
{
    return v->features >> f & 1;
}

/* For transports. The driver's accesses, in the device's terms; on vCPU threads. */
void virtio_set_status(Virtio *v, uint8_t status);     /* 0 resets */
void virtio_set_features(Virtio *v, unsigned word, uint32_t bits);
void virtio_queue_ready(Virtio *v, VirtQueue *q, bool ready);
void virtio_queue_legacy(Virtio *v, VirtQueue *q, uint32_t page, uint32_t align);
void virtio_notified(Virtio *v, unsigned q);
uint32_t virtio_config_read(Virtio *v, uint64_t offset, unsigned size);
void virtio_config_write(Virtio *v, uint64_t offset, unsigned size, uint32_t value);
void virtio_isr(Virtio *v, VirtQueue *q);              /* an interrupt for q or the configuration */

/* Stops all devices for good, at the end of the process: nobody works on a queue after it has returned. */
void virtio_halt_all(void);

/* virtio_mmio.c: one slot of 512 bytes, without a device as yet. Called by the board for each. */
void virtio_mmio_slot(Machine *m, Gpa base, Irq irq, bool legacy);
int virtio_mmio_attach(Virtio *v, int slot, char *why, size_t n); /* slot -1: any */
/* virtio_pci.c */
int virtio_pci_attach(Virtio *v, int32_t devfn, char *why, size_t n);

/* Rows for DeviceType.props. */
#define VIRTIO_PROPS                                                                                                       \
    {"addr", PROP_ADDR, offsetof(VirtioProps, addr), NULL, "PCI slot[.function]"},                                         \
    {"bus", PROP_STR, offsetof(VirtioProps, bus), NULL, "bus that it sits on"},                                            \
    {"event_idx", PROP_BOOL, offsetof(VirtioProps, event_idx), "on", "fewer interrupts by VIRTIO_F_EVENT_IDX"},            \
    {"indirect_desc", PROP_BOOL, offsetof(VirtioProps, indirect), "on", "VIRTIO_F_INDIRECT_DESC"},                         \
    {"disable-legacy", PROP_BOOL, offsetof(VirtioProps, disable_legacy), "on", "on PCI: must be on"},                      \
    {"disable-modern", PROP_BOOL, offsetof(VirtioProps, disable_modern), "off", "on PCI: must be off"}
/* The two DeviceTypes of a virtio device: NAME-device on mmio, NAME-pci on PCI. */
#define VIRTIO_DEVICE_TYPES(var, nm, text, props_, conf, create_)                                                          \
    const DeviceType var##_mmio = {nm "-device", "virtio-mmio", text, props_, sizeof(conf), NULL, create_};           \
    const DeviceType var##_pci = {nm "-pci", "pci", text, props_, sizeof(conf), NULL, create_};

#endif
