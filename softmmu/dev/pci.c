/* pci.c - generic PCI Express host bridge, configuration space, BARs, MSI-X; see pci.h. */
#include "pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMMAND_IO = 1, COMMAND_MEM = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400, STATUS_INTX = 8, STATUS_CAPS = 16 };
enum { CAP_EXPRESS = 0x10, CAP_MSIX = 0x11, MSIX_ON = 0x8000, MSIX_MASK_ALL = 0x4000, VECTOR_MASKED = 1 };
enum { MSIX_PBA = 0x800 /* of the pending bits in a 4 KiB BAR */, VECTORS_MAX = 128 };

typedef struct Host {
    PciHostConfig c;
    Machine *m;
    PciDev *dev[256]; /* by devfn; filled before the machine runs */
    PciDev bridge;
    pthread_mutex_t intx_lock;
    unsigned intx_count[4]; /* devices that hold the line */
} Host;

static Host *host; /* there is one */

/* -- configuration space ------------------------------------------------------------------------------------------- */

static bool ecam_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)attrs;
    Host *h = dev;
    PciDev *d = offset >> 20 ? NULL : h->dev[offset >> 12 & 255];
    unsigned at = offset & (PCI_CONFIG - 1);
    *value = bits_mask(size * 8);
    if (d && at + size <= PCI_CONFIG) {
        pthread_mutex_lock(&d->lock);
        if (d->config_read) {
            d->config_read(d, at, size);
        }
        *value = pci_get(d, at, size);
        pthread_mutex_unlock(&d->lock);
    }
    return true;
}

/* Maps the BARs where the guest has put them. Lock held. */
static void update_bars(PciDev *d)
{
    bool on = pci_get(d, PCI_COMMAND, 2) & COMMAND_MEM;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        PciBar *b = &d->bar[i];
        if (b->region) {
            uint64_t at = pci_get(d, PCI_BAR0 + 4 * i, b->wide ? 8 : 4) & ~(uint64_t)15;
            bool placed = at && at != (b->wide ? ~(b->size - 1) : (uint32_t) ~(b->size - 1)) && at + b->size > at;
            mem_move(d->m->mem, b->region, (Gpa){at}, on && placed);
        }
    }
}

static void msix_flush(PciDev *d);

static bool ecam_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)attrs;
    Host *h = dev;
    PciDev *d = offset >> 20 ? NULL : h->dev[offset >> 12 & 255];
    unsigned at = offset & (PCI_CONFIG - 1);
    if (!d || at + size > PCI_CONFIG) {
        return true;
    }
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = d->wmask[at + i];
        d->config[at + i] = (uint8_t)((d->config[at + i] & ~mask) | ((value >> (8 * i)) & mask));
    }
    if (at < PCI_BAR0 + 4 * PCI_BARS && at + size > PCI_COMMAND) {
        update_bars(d);
    }
    if (d->msix.n && at <= d->msix.cap + 3 && at + size > d->msix.cap) {
        msix_flush(d);
    }
    if (d->config_written) {
        d->config_written(d, at, size);
    }
    pthread_mutex_unlock(&d->lock);
    return true;
}

static const MmioOps ecam_ops = {ecam_read, ecam_write};

static bool pio_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)dev;
    (void)offset;
    (void)attrs;
    *value = bits_mask(size * 8);
    return true;
}

static bool pio_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)dev;
    (void)offset;
    (void)size;
    (void)value;
    (void)attrs;
    return true;
}

static const MmioOps pio_ops = {pio_read, pio_write};

/* -- interrupts --------------------------------------------------------------------------------------------------------- */

void pci_intx(PciDev *d, bool level)
{
    unsigned line = ((d->devfn >> 3) + d->config[PCI_PIN] - 1u) & 3; /* swizzled by slot, as the device tree says */
    bool shown = level && !(pci_get(d, PCI_COMMAND, 2) & COMMAND_NO_INTX);
    pthread_mutex_lock(&host->intx_lock);
    if (d->intx != shown) {
        d->intx = shown;
        host->intx_count[line] += shown ? 1 : -1u;
        irq_set(&host->c.intx[line], host->intx_count[line] != 0);
    }
    d->config[PCI_STATUS] = (uint8_t)((d->config[PCI_STATUS] & ~STATUS_INTX) | (level ? STATUS_INTX : 0));
    pthread_mutex_unlock(&host->intx_lock);
}

static unsigned msix_control(const PciDev *d)
{
    return (unsigned)pci_get(d, d->msix.cap + 2, 2);
}

bool pci_msix_on(const PciDev *d)
{
    return d->msix.n && (msix_control(d) & MSIX_ON);
}

/* Sends what is pending and masked no more; all = of every vector, else of that one. Lock held. */
static void msix_try(PciDev *d, unsigned vector)
{
    uint32_t e[4];
    memcpy(e, d->msix.table + 16 * vector, sizeof e);
    uint64_t bit = (uint64_t)1 << (vector & 63), *pending = &d->msix.pending[vector / 64];
    bool masked = e[3] & VECTOR_MASKED || (msix_control(d) & (MSIX_ON | MSIX_MASK_ALL)) != MSIX_ON ||
                  !(pci_get(d, PCI_COMMAND, 2) & COMMAND_MASTER);
    if ((*pending & bit) && !masked) {
        *pending &= ~bit;
        uint64_t data = e[2];
        mem_access(d->m->mem, (Gpa){(uint64_t)e[1] << 32 | e[0]}, 4, true, &data, (MemAttrs){.requester = d->devfn});
    }
}

static void msix_flush(PciDev *d)
{
    for (unsigned i = 0; i < d->msix.n; i++) {
        msix_try(d, i);
    }
}

void pci_msix_send(PciDev *d, unsigned vector)
{
    if (vector < d->msix.n) {
        pthread_mutex_lock(&d->lock);
        d->msix.pending[vector / 64] |= (uint64_t)1 << (vector & 63);
        msix_try(d, vector);
        pthread_mutex_unlock(&d->lock);
    }
}

static bool msix_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)attrs;
    PciDev *d = dev;
    *value = 0;
    pthread_mutex_lock(&d->lock);
    if (offset + size <= 16u * d->msix.n) {
        memcpy(value, d->msix.table + offset, size);
    } else if (offset >= MSIX_PBA && offset + size <= MSIX_PBA + VECTORS_MAX / 8) {
        memcpy(value, (uint8_t *)d->msix.pending + (offset - MSIX_PBA), size);
    }
    pthread_mutex_unlock(&d->lock);
    return true;
}

static bool msix_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)attrs;
    PciDev *d = dev;
    pthread_mutex_lock(&d->lock);
    if (offset + size <= 16u * d->msix.n && !(offset & (size - 1)) && size >= 4) {
        memcpy(d->msix.table + offset, &value, size);
        msix_try(d, (unsigned)offset / 16);
    }
    pthread_mutex_unlock(&d->lock);
    return true;
}

static const MmioOps msix_ops = {msix_read, msix_write};

void pci_msix(PciDev *d, unsigned bar, unsigned n)
{
    ASSERT(n <= VECTORS_MAX && 16 * n <= MSIX_PBA);
    d->msix.n = n;
    d->msix.bar = bar;
    d->msix.table = calloc(n, 16);
    d->msix.pending = calloc(VECTORS_MAX / 64, 8);
    ASSERT(d->msix.table && d->msix.pending);
    d->msix.cap = pci_capability(d, CAP_MSIX, 12);
    pci_set(d, d->msix.cap + 2, 2, n - 1);
    pci_set(d, d->msix.cap + 4, 4, bar);
    pci_set(d, d->msix.cap + 8, 4, MSIX_PBA | bar);
    d->wmask[d->msix.cap + 3] = (MSIX_ON | MSIX_MASK_ALL) >> 8;
    pci_bar(d, bar, 4096, false, false, &msix_ops, d);
}

/* -- devices ------------------------------------------------------------------------------------------------------------ */

void pci_init(PciDev *d, Machine *m, const char *name, uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision)
{
    memset(d, 0, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->m = m;
    d->name = name;
    pci_set(d, PCI_VENDOR, 2, vendor);
    pci_set(d, PCI_DEVICE, 2, device);
    pci_set(d, PCI_REVISION, 1, revision);
    pci_set(d, PCI_CLASS, 3, class_code);
    d->config[PCI_PIN] = 1;
    d->wmask[PCI_LINE] = 0xff;
    d->wmask[PCI_COMMAND] = COMMAND_MEM | COMMAND_MASTER;
    d->wmask[PCI_COMMAND + 1] = COMMAND_NO_INTX >> 8;
    d->cap_end = 0x40;
}

void pci_subsystem(PciDev *d, uint16_t vendor, uint16_t id)
{
    pci_set(d, PCI_SUBVENDOR, 2, vendor);
    pci_set(d, PCI_SUBSYSTEM, 2, id);
}

void pci_bar(PciDev *d, unsigned n, uint64_t size, bool wide, bool prefetch, const MmioOps *ops, void *dev)
{
    PciBar *b = &d->bar[n];
    *b = (PciBar){.size = size, .wide = wide, .prefetch = prefetch};
    uint64_t writable = ~(size - 1);
    pci_set(d, PCI_BAR0 + 4 * n, 4, (wide ? 4u : 0) | (prefetch ? 8u : 0));
    memcpy(d->wmask + PCI_BAR0 + 4 * n, &writable, wide ? 8 : 4);
    b->region = mem_add_mmio(d->m->mem, d->name, (Gpa){0}, size, ops, dev);
    mem_move(d->m->mem, b->region, (Gpa){0}, false);
}

unsigned pci_capability(PciDev *d, uint8_t id, unsigned size)
{
    unsigned at = d->cap_end;
    ASSERT(at + size <= 256);
    d->config[at] = id;
    if (d->last_cap) {
        d->config[d->last_cap + 1] = (uint8_t)at;
    } else {
        d->config[PCI_CAPS] = (uint8_t)at;
        d->config[PCI_STATUS] |= STATUS_CAPS;
    }
    d->last_cap = at;
    d->cap_end = (unsigned)ALIGN_UP(at + size, 4);
    return at;
}

void pci_reset(void *dev)
{
    PciDev *d = dev;
    pthread_mutex_lock(&d->lock);
    pci_set(d, PCI_COMMAND, 2, 0);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        if (d->bar[i].region) {
            uint64_t fixed = pci_get(d, PCI_BAR0 + 4 * i, 1) & 15;
            pci_set(d, PCI_BAR0 + 4 * i, d->bar[i].wide ? 8 : 4, fixed);
        }
    }
    if (d->msix.n) {
        d->config[d->msix.cap + 3] &= (uint8_t)~((MSIX_ON | MSIX_MASK_ALL) >> 8);
        for (unsigned i = 0; i < d->msix.n; i++) {
            uint32_t e[4] = {0, 0, 0, VECTOR_MASKED};
            memcpy(d->msix.table + 16 * i, e, sizeof e);
        }
        memset(d->msix.pending, 0, VECTORS_MAX / 8);
    }
    update_bars(d);
    pthread_mutex_unlock(&d->lock);
}

int pci_plug(PciDev *d, int32_t devfn, char *why, size_t n)
{
    if (!host) {
        snprintf(why, n, "this machine has no PCI bus");
        return -1;
    }
    if (devfn < 0) {
        for (devfn = 8; devfn < 256 && host->dev[devfn]; devfn += 8) {
        }
    }
    if (devfn >= 256 || host->dev[devfn]) {
        snprintf(why, n, devfn >= 256 ? "no PCI slot is free" : "PCI slot %d function %d is taken", devfn >> 3, devfn & 7);
        return -1;
    }
    if ((devfn & 7) && host->dev[devfn & ~7]) {
        host->dev[devfn & ~7]->config[PCI_HEADER] |= 0x80; /* several functions */
    }
    for (int f = 1; !(devfn & 7) && f < 8; f++) {
        d->config[PCI_HEADER] |= host->dev[devfn + f] ? 0x80 : 0;
    }
    d->devfn = (uint8_t)devfn;
    machine_on_reset(d->m, pci_reset, d);
    pci_reset(d);
    host->dev[devfn] = d;
    return 0;
}

void pci_each(void (*fn)(void *arg, PciDev *d), void *arg)
{
    for (unsigned k = 0; host && k < LEN(host->dev); k++) {
        if (host->dev[k]) {
            fn(arg, host->dev[k]);
        }
    }
}

int pci_host_new(Machine *m, const PciHostConfig *c)
{
    Host *h = calloc(1, sizeof *h);
    if (!h) {
        return -ENOMEM;
    }
    h->c = *c;
    h->m = m;
    pthread_mutex_init(&h->intx_lock, NULL);
    host = h;
    mem_add_mmio(m->mem, "pcie-ecam", c->ecam, c->ecam_size, &ecam_ops, h);
    mem_add_mmio(m->mem, "pcie-io", c->pio, 65536, &pio_ops, h);
    pci_init(&h->bridge, m, "pcie-host", 0x1b36, 0x0008, 0x060000, 0);
    pci_subsystem(&h->bridge, 0x1af4, 0x1100);
    h->bridge.config[PCI_PIN] = 0;
    char why[64];
    return pci_plug(&h->bridge, 0, why, sizeof why);
}
