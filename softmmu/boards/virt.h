/* virt.h - the board `virt` inside: its properties, parts, and who makes which (virt.c, virt_tree.c). */
#ifndef ARMX_SOFTMMU_BOARDS_VIRT_H
#define ARMX_SOFTMMU_BOARDS_VIRT_H

#include "boot.h"
#include "chardev.h"
#include "dev/fw_cfg.h"
#include "dev/gic.h"
#include "dev/pl061.h"
#include "machine.h"

enum { VIRTIO_SLOTS = 32, VIRTIO_SPI = 16, PCIE_SPI = 3, V2M_SPI = 48, V2M_SPIS = 64, SPIS = 256, MAX_CPUS = 512 };
enum { REDIST_SIZE = 0x20000 };
enum { DEV_ALWAYS = 1, DEV_SECURE = 2, DEV_UART2 = 4 };

typedef struct VirtProps {
    const char *gic_version, *msi, *accel, *dumpdtb, *kernel, *initrd, *append, *dtb, *firmware, *pflash[2], *acpi, *ignored;
    bool its, virtualization, secure, highmem, highmem_ecam, highmem_mmio, dtb_randomness, dump_core, merge, dropped;
} VirtProps;

typedef struct Virt Virt;

typedef struct VirtDev {
    const char *id, *node;
    Gpa base;
    uint64_t size;
    int spi;
    unsigned when, clocks;
    const char *compatible;
    size_t compatible_size;
    void (*make)(Machine *m, const struct VirtDev *d, Irq irq);
} VirtDev;

struct Virt {
    VirtProps props;
    unsigned gic_version, sockets, clusters, cores, threads;
    bool its, v2m, pmu, no_pauth, no_lpa2;
    uint64_t ram_size;
    unsigned present; /* DEV_* of the devices there are */
    FwCfg *fw_cfg;
    Pl061 *gpio;
    Chardev *serial[2];
    Boot boot;
};

extern const VirtDev virt_devs[];
extern const unsigned virt_ndevs;

enum VirtPpi {
#define PPI(id, number) PPI_##id = number,
#include "boards/virt.def"
};

/* Base and size of an area. */
#define AREA(id, base, size) static const uint64_t VIRT_##id = base, VIRT_##id##_SIZE = size;
#include "boards/virt.def"

/* The machine's ACPI tables, into fw_cfg. */
void virt_acpi(Machine *m, const Virt *b);
/* The machine's device tree. */
void virt_tree(Machine *m, const Virt *b, DevTree *t);

#endif
