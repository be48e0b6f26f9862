/* pci.h - PCI Express: the host bridge with its configuration space, and what its devices share.
 *
 * One root bus, bus 0, behind a generic ECAM host bridge. A device embeds a PciDev, fills config[] and wmask[] (the bits
 * that a guest may write), adds its BARs and capabilities, and is plugged in.
 *
 * Locks: PciDev.lock guards config[], the place of the BARs and the MSI-X table; devices' own registers have their own
 * locks. A guest moves BARs while other CPUs may use them: mem_move sees to that.
 */
#ifndef ARMX_SOFTMMU_DEV_PCI_H
#define ARMX_SOFTMMU_DEV_PCI_H

#include <pthread.h>

#include "../machine.h"

enum { PCI_CONFIG = 4096, PCI_BARS = 6, PCI_SLOTS = 32 };
/* Offsets in configuration space (PCI Local Bus 3.0, 6.1; PCI Express). */
enum { PCI_VENDOR = 0, PCI_DEVICE = 2, PCI_COMMAND = 4, PCI_STATUS = 6, PCI_REVISION = 8, PCI_CLASS = 9, PCI_HEADER = 0x0e,
       PCI_BAR0 = 0x10, PCI_SUBVENDOR = 0x2c, PCI_SUBSYSTEM = 0x2e, PCI_CAPS = 0x34, PCI_LINE = 0x3c, PCI_PIN = 0x3d };

typedef struct PciBar {
    MemRegion *region;
    uint64_t size;
    bool wide, prefetch;
} PciBar;

typedef struct PciDev {
    Machine *m;
    const char *name;
    uint8_t devfn;
    pthread_mutex_t lock;
    uint8_t config[PCI_CONFIG], wmask[PCI_CONFIG];
    PciBar bar[PCI_BARS];
    unsigned cap_end, last_cap; /* where the next capability goes; of the list so far */
    struct {
        unsigned n, cap, bar;   /* vectors; place of the capability; 0 vectors: no MSI-X */
        uint8_t *table;         /* 16 bytes a vector */
        uint64_t *pending;
    } msix;
    bool intx;                  /* level of its INTA */
    /* After the guest has written config[at..at+size); may be NULL. Lock held. */
    void (*config_written)(struct PciDev *d, unsigned at, unsigned size);
    /* Before the guest reads; may be NULL. Lock held. */
    void (*config_read)(struct PciDev *d, unsigned at, unsigned size);
} PciDev;

typedef struct PciHostConfig {
    Gpa ecam;
    uint64_t ecam_size;  /* 1 MiB for each bus */
    Gpa pio;             /* 64 KiB of I/O space, of which no device has any */
    Irq intx[4];         /* INTA to INTD */
} PciHostConfig;

/* Makes the host bridge of m; 0 or -ENOMEM. Where BARs go is the guest's choice, in the windows of the device tree. */
int pci_host_new(Machine *m, const PciHostConfig *c);

/* Prepares d: vendor and device, class (24 bits), an INTA pin. */
void pci_init(PciDev *d, Machine *m, const char *name, uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision);
void pci_subsystem(PciDev *d, uint16_t vendor, uint16_t id);
/* Bar n: size a power of 2, at least 16 (4096 to be mapped well); wide takes n + 1 too. */
void pci_bar(PciDev *d, unsigned n, uint64_t size, bool wide, bool prefetch, const MmioOps *ops, void *dev);
/* Adds a capability of size bytes (its header included), zeroed; returns its place in config[]. */
unsigned pci_capability(PciDev *d, uint8_t id, unsigned size);
/* n vectors, table and pending bits in bar (which becomes 4 KiB or more and is this function's). */
void pci_msix(PciDev *d, unsigned bar, unsigned n);
bool pci_msix_on(const PciDev *d);
void pci_msix_send(PciDev *d, unsigned vector);
void pci_intx(PciDev *d, bool level);
/* Plugs d in at devfn, -1 = the next free slot; 0, or -1 with a line in why. */
int pci_plug(PciDev *d, int32_t devfn, char *why, size_t n);
/* Calls fn for each device, by slot and function. */
void pci_each(void (*fn)(void *arg, PciDev *d), void *arg);
/* What the guest's reset does to it: BARs, command, MSI-X; devices register it before their own. */
void pci_reset(void *dev);

/* Little-endian fields of config[]. */
static inline void pci_set(PciDev *d, unsigned at, unsigned size, uint64_t v)
{
    memcpy(d->config + at, &v, size);
}
static inline uint64_t pci_get(const PciDev *d, unsigned at, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, d->config + at, size);
    return v;
}

#endif
