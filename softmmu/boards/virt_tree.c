/* virt_tree.c - the device tree of the board `virt`: the same nodes as QEMU's (tests/boot/dtb.py compares them).
 *
 * Nodes refer to one another by fixed numbers (enum Handle).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "boards/virt.h"

enum Handle { H_CLOCK = 0x8000, H_GIC, H_MSI, H_GPIO, H_SECURE_GPIO, H_CPU = 0x9000 };
enum { SPI = 0, PPI = 1, EDGE = 1, LEVEL = 4 };

static void reg(DevTree *t, uint64_t base, uint64_t size)
{
    DT_CELLS(t, "reg", CELLS64(base), CELLS64(size));
}

static void secure_only(DevTree *t)
{
    dt_put_string(t, "status", "disabled");
    dt_put_string(t, "secure-status", "okay");
}

/* Third cell of a PPI: level, and with GICv2 the mask of CPUs. */
static uint32_t ppi_flags(const Machine *m, const Virt *b)
{
    return LEVEL | (b->gic_version == 2 ? ((1u << m->nvcpus) - 1) << 8 : 0);
}

static void cpu_nodes(DevTree *t, const Machine *m, const Virt *b)
{
    char compatible[64];
    bool wide = m->vcpus[m->nvcpus - 1].mpidr >> 32 & 0xff;
    snprintf(compatible, sizeof compatible, "arm,%s", strcmp(m->model->name, "max") ? m->model->name : "armv8");
    dt_open(t, "cpus");
    DT_CELLS(t, "#address-cells", wide ? 2 : 1);
    DT_CELLS(t, "#size-cells", 0);
    for (unsigned k = 0; k < m->nvcpus; k++) {
        uint64_t affinity = m->vcpus[k].mpidr & 0xff00ffffff;
        dt_open(t, "cpu@%u", k);
        dt_put_string(t, "device_type", "cpu");
        dt_put_string(t, "compatible", compatible);
        if (m->nvcpus > 1) {
            dt_put_string(t, "enable-method", "psci");
        }
        if (wide) {
            DT_CELLS(t, "reg", CELLS64(affinity));
        } else {
            DT_CELLS(t, "reg", (uint32_t)affinity);
        }
        DT_CELLS(t, "phandle", H_CPU + k);
        dt_close(t);
    }
    dt_open(t, "cpu-map");
    for (unsigned s = 0, k = 0; s < b->sockets; s++) {
        dt_open(t, "socket%u", s);
        for (unsigned l = 0; l < b->clusters; l++) {
            dt_open(t, "cluster%u", l);
            for (unsigned c = 0; c < b->cores; c++) {
                dt_open(t, "core%u", c);
                for (unsigned h = 0; h < b->threads; h++, k++) {
                    if (b->threads > 1) {
                        dt_open(t, "thread%u", h);
                    }
                    DT_CELLS(t, "cpu", H_CPU + k);
                    if (b->threads > 1) {
                        dt_close(t);
                    }
                }
                dt_close(t);
            }
            dt_close(t);
        }
        dt_close(t);
    }
    dt_close(t);
    dt_close(t);
}

static void psci_node(DevTree *t, const Machine *m)
{
    if (m->psci_conduit == PSCI_OFF) {
        return;
    }
    dt_open(t, "psci");
    DT_STRINGS(t, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
    dt_put_string(t, "method", m->psci_conduit == PSCI_HVC ? "hvc" : "smc");
    DT_CELLS(t, "cpu_suspend", 0xc4000001);
    DT_CELLS(t, "cpu_off", 0x84000002);
    DT_CELLS(t, "cpu_on", 0xc4000003);
    DT_CELLS(t, "migrate", 0xc4000005);
    dt_close(t);
}

static void timer_node(DevTree *t, const Machine *m, const Virt *b)
{
    uint32_t f = ppi_flags(m, b);
    dt_open(t, "timer");
    DT_STRINGS(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    dt_put_empty(t, "always-on");
    DT_CELLS(t, "interrupts", PPI, PPI_TIMER_SECURE, f, PPI, PPI_TIMER_PHYS, f, PPI, PPI_TIMER_VIRT, f, PPI, PPI_TIMER_HYP, f);
    dt_close(t);
    if (!b->pmu) {
        return;
    }
    dt_open(t, "pmu");
    DT_STRINGS(t, "compatible", "arm,armv8-pmuv3");
    DT_CELLS(t, "interrupts", PPI, PPI_PMU, f);
    dt_close(t);
}

static void gic_node(DevTree *t, const Machine *m, const Virt *b)
{
    dt_open(t, "intc@%llx", (unsigned long long)VIRT_GIC_DIST);
    DT_CELLS(t, "phandle", H_GIC);
    DT_CELLS(t, "#interrupt-cells", 3);
    dt_put_empty(t, "interrupt-controller");
    DT_CELLS(t, "#address-cells", 2);
    DT_CELLS(t, "#size-cells", 2);
    dt_put_empty(t, "ranges");
    uint64_t low = VIRT_GIC_REDIST_SIZE / REDIST_SIZE;
    if (b->gic_version == 2) {
        DT_STRINGS(t, "compatible", "arm,cortex-a15-gic");
        if (m->el2) {
            DT_CELLS(t, "reg", CELLS64(VIRT_GIC_DIST), CELLS64(VIRT_GIC_DIST_SIZE), CELLS64(VIRT_GIC_CPU),
                     CELLS64(VIRT_GIC_CPU_SIZE), CELLS64(VIRT_GIC_HYP), CELLS64(VIRT_GIC_HYP_SIZE), CELLS64(VIRT_GIC_VCPU),
                     CELLS64(VIRT_GIC_VCPU_SIZE));
        } else {
            DT_CELLS(t, "reg", CELLS64(VIRT_GIC_DIST), CELLS64(VIRT_GIC_DIST_SIZE), CELLS64(VIRT_GIC_CPU),
                     CELLS64(VIRT_GIC_CPU_SIZE));
        }
    } else {
        DT_STRINGS(t, "compatible", "arm,gic-v3");
        DT_CELLS(t, "#redistributor-regions", m->nvcpus > low ? 2 : 1);
        if (m->nvcpus > low) {
            DT_CELLS(t, "reg", CELLS64(VIRT_GIC_DIST), CELLS64(VIRT_GIC_DIST_SIZE), CELLS64(VIRT_GIC_REDIST),
                     CELLS64(VIRT_GIC_REDIST_SIZE), CELLS64(VIRT_GIC_REDIST2), CELLS64(VIRT_GIC_REDIST2_SIZE));
        } else {
            DT_CELLS(t, "reg", CELLS64(VIRT_GIC_DIST), CELLS64(VIRT_GIC_DIST_SIZE), CELLS64(VIRT_GIC_REDIST),
                     CELLS64(VIRT_GIC_REDIST_SIZE));
        }
    }
    if (m->el2) {
        DT_CELLS(t, "interrupts", PPI, PPI_MAINTENANCE, LEVEL);
    }
    if (b->its) {
        dt_open(t, "its@%llx", (unsigned long long)VIRT_GIC_ITS);
        DT_STRINGS(t, "compatible", "arm,gic-v3-its");
        dt_put_empty(t, "msi-controller");
        DT_CELLS(t, "#msi-cells", 1);
        reg(t, VIRT_GIC_ITS, VIRT_GIC_ITS_SIZE);
        DT_CELLS(t, "phandle", H_MSI);
        dt_close(t);
    } else if (b->v2m) {
        dt_open(t, "v2m@%llx", (unsigned long long)VIRT_GIC_V2M);
        DT_STRINGS(t, "compatible", "arm,gic-v2m-frame");
        dt_put_empty(t, "msi-controller");
        reg(t, VIRT_GIC_V2M, VIRT_GIC_V2M_SIZE);
        DT_CELLS(t, "phandle", H_MSI);
        dt_close(t);
    }
    dt_close(t);
}

static void device_nodes(DevTree *t, const Virt *b)
{
    dt_open(t, "apb-pclk");
    DT_STRINGS(t, "compatible", "fixed-clock");
    DT_CELLS(t, "#clock-cells", 0);
    DT_CELLS(t, "clock-frequency", 24000000);
    DT_STRINGS(t, "clock-output-names", "clk24mhz");
    DT_CELLS(t, "phandle", H_CLOCK);
    dt_close(t);
    for (unsigned k = 0; k < virt_ndevs; k++) {
        const VirtDev *d = &virt_devs[k];
        if (!(d->when & b->present)) {
            continue;
        }
        dt_open(t, "%s@%llx", d->node, (unsigned long long)d->base.v);
        dt_put_strings(t, "compatible", d->compatible, d->compatible_size);
        reg(t, d->base.v, d->size);
        DT_CELLS(t, "interrupts", SPI, (uint32_t)d->spi, LEVEL);
        if (d->clocks == 2) {
            DT_CELLS(t, "clocks", H_CLOCK, H_CLOCK);
            DT_STRINGS(t, "clock-names", "uartclk\0apb_pclk");
        } else {
            DT_CELLS(t, "clocks", H_CLOCK);
            DT_STRINGS(t, "clock-names", "apb_pclk");
        }
        if (!strcmp(d->id, "GPIO")) {
            DT_CELLS(t, "#gpio-cells", 2);
            dt_put_empty(t, "gpio-controller");
            DT_CELLS(t, "phandle", H_GPIO);
        }
        if (!(d->when & DEV_ALWAYS) && b->present & DEV_SECURE) {
            secure_only(t);
        }
        dt_close(t);
    }
    dt_open(t, "gpio-keys");
    DT_STRINGS(t, "compatible", "gpio-keys");
    dt_open(t, "poweroff");
    dt_put_string(t, "label", "GPIO Key Poweroff");
    DT_CELLS(t, "linux,code", 116);
    DT_CELLS(t, "gpios", H_GPIO, 3, 0);
    dt_close(t);
    dt_close(t);
}

static void flash_nodes(DevTree *t, const Virt *b)
{
    uint64_t half = VIRT_FLASH_SIZE / 2;
    bool secure = b->present & DEV_SECURE;
    if (secure) {
        dt_open(t, "secflash@%llx", (unsigned long long)VIRT_FLASH);
        DT_STRINGS(t, "compatible", "cfi-flash");
        reg(t, VIRT_FLASH, half);
        DT_CELLS(t, "bank-width", 4);
        secure_only(t);
        dt_close(t);
    }
    dt_open(t, "flash@%llx", (unsigned long long)(secure ? VIRT_FLASH + half : VIRT_FLASH));
    DT_STRINGS(t, "compatible", "cfi-flash");
    if (secure) {
        reg(t, VIRT_FLASH + half, half);
    } else {
        DT_CELLS(t, "reg", CELLS64(VIRT_FLASH), CELLS64(half), CELLS64(VIRT_FLASH + half), CELLS64(half));
    }
    DT_CELLS(t, "bank-width", 4);
    dt_close(t);
    if (secure) {
        dt_open(t, "secram@%llx", (unsigned long long)VIRT_SECURE_RAM);
        dt_put_string(t, "device_type", "memory");
        reg(t, VIRT_SECURE_RAM, VIRT_SECURE_RAM_SIZE);
        secure_only(t);
        dt_close(t);
    }
}

/* Secure world's lines that power off (0) and restart (1). */
static void secure_gpio_nodes(DevTree *t)
{
    dt_open(t, "pl061@%llx", (unsigned long long)VIRT_SECURE_GPIO);
    DT_STRINGS(t, "compatible", "arm,pl061\0arm,primecell");
    reg(t, VIRT_SECURE_GPIO, VIRT_SECURE_GPIO_SIZE);
    DT_CELLS(t, "interrupts", SPI, 0, LEVEL);
    DT_CELLS(t, "#gpio-cells", 2);
    dt_put_empty(t, "gpio-controller");
    DT_CELLS(t, "clocks", H_CLOCK);
    DT_STRINGS(t, "clock-names", "apb_pclk");
    DT_CELLS(t, "phandle", H_SECURE_GPIO);
    secure_only(t);
    dt_close(t);
    static const char *const names[] = {"gpio-poweroff", "gpio-restart"};
    for (uint32_t line = 0; line < 2; line++) {
        dt_open(t, "%s", names[line]);
        dt_put_string(t, "compatible", names[line]);
        DT_CELLS(t, "gpios", H_SECURE_GPIO, line, 0);
        secure_only(t);
        dt_close(t);
    }
}

static void pcie_node(DevTree *t, const Virt *b)
{
    bool high = b->props.highmem_ecam;
    uint64_t ecam = high ? VIRT_PCIE_ECAM : VIRT_PCIE_ECAM_LOW, size = high ? VIRT_PCIE_ECAM_SIZE : VIRT_PCIE_ECAM_LOW_SIZE;
    dt_open(t, "pcie@%llx", (unsigned long long)VIRT_PCIE_MMIO);
    DT_STRINGS(t, "compatible", "pci-host-ecam-generic");
    dt_put_string(t, "device_type", "pci");
    DT_CELLS(t, "#address-cells", 3);
    DT_CELLS(t, "#size-cells", 2);
    DT_CELLS(t, "linux,pci-domain", 0);
    DT_CELLS(t, "bus-range", 0, (uint32_t)(size >> 20) - 1);
    dt_put_empty(t, "dma-coherent");
    if (b->its || b->v2m) {
        DT_CELLS(t, "msi-map", 0, H_MSI, 0, 0x10000);
    }
    reg(t, ecam, size);
    const uint32_t ranges[] = {
        0x1000000, CELLS64(0), CELLS64(VIRT_PCIE_PIO), CELLS64(VIRT_PCIE_PIO_SIZE),
        0x2000000, CELLS64(VIRT_PCIE_MMIO), CELLS64(VIRT_PCIE_MMIO), CELLS64(VIRT_PCIE_MMIO_SIZE),
        0x3000000, CELLS64(VIRT_PCIE_MMIO_HIGH), CELLS64(VIRT_PCIE_MMIO_HIGH), CELLS64(VIRT_PCIE_MMIO_HIGH_SIZE),
    };
    dt_put_cells(t, "ranges", ranges, b->props.highmem_mmio ? 21 : 14);
    DT_CELLS(t, "#interrupt-cells", 1);
    uint32_t map[16 * 10];
    for (uint32_t slot = 0, n = 0; slot < 4; slot++) {
        for (uint32_t pin = 0; pin < 4; pin++) {
            const uint32_t row[10] = {slot << 11, 0, 0, pin + 1, H_GIC, 0, 0, SPI, PCIE_SPI + (slot + pin) % 4, LEVEL};
            memcpy(map + n, row, sizeof row);
            n += 10;
        }
    }
    dt_put_cells(t, "interrupt-map", map, LEN(map));
    DT_CELLS(t, "interrupt-map-mask", 0x1800, 0, 0, 7);
    dt_close(t);
}

static void bus_nodes(DevTree *t)
{
    for (uint32_t slot = 0; slot < VIRTIO_SLOTS; slot++) {
        uint64_t base = VIRT_VIRTIO + slot * VIRT_VIRTIO_SIZE;
        dt_open(t, "virtio_mmio@%llx", (unsigned long long)base);
        DT_STRINGS(t, "compatible", "virtio,mmio");
        reg(t, base, VIRT_VIRTIO_SIZE);
        DT_CELLS(t, "interrupts", SPI, VIRTIO_SPI + slot, EDGE);
        dt_put_empty(t, "dma-coherent");
        dt_close(t);
    }
    dt_open(t, "platform-bus@%llx", (unsigned long long)VIRT_PLATFORM_BUS);
    DT_STRINGS(t, "compatible", "qemu,platform\0simple-bus");
    DT_CELLS(t, "#address-cells", 1);
    DT_CELLS(t, "#size-cells", 1);
    DT_CELLS(t, "ranges", 0, CELLS64(VIRT_PLATFORM_BUS), (uint32_t)VIRT_PLATFORM_BUS_SIZE);
    DT_CELLS(t, "interrupt-parent", H_GIC);
    dt_close(t);
}

static void chosen_node(DevTree *t, const char *name, const char *console, bool seeds)
{
    uint32_t seed[10];
    dt_open(t, "%s", name);
    dt_put_string(t, "stdout-path", console);
    if (seeds && getrandom(seed, sizeof seed, 0) == sizeof seed) {
        dt_put_cells(t, "kaslr-seed", seed, 2);
        dt_put_cells(t, "rng-seed", seed + 2, 8);
    }
    dt_close(t);
}

#define UART0_NODE "/pl011@9000000"
#define UART1_NODE "/pl011@9040000"

void virt_tree(Machine *m, const Virt *b, DevTree *t)
{
    dt_start(t);
    dt_put_string(t, "compatible", "linux,dummy-virt");
    dt_put_string(t, "model", "linux,dummy-virt");
    DT_CELLS(t, "#address-cells", 2);
    DT_CELLS(t, "#size-cells", 2);
    DT_CELLS(t, "interrupt-parent", H_GIC);
    dt_put_empty(t, "dma-coherent");
    dt_open(t, "aliases");
    dt_put_string(t, "serial0", UART0_NODE);
    if (m->el3) {
        dt_put_string(t, "serial1", UART1_NODE);
    }
    dt_close(t);
    chosen_node(t, "chosen", UART0_NODE, b->props.dtb_randomness);
    if (m->el3) {
        chosen_node(t, "secure-chosen", UART1_NODE, b->props.dtb_randomness);
        secure_gpio_nodes(t);
    }
    dt_open(t, "memory@%llx", (unsigned long long)VIRT_RAM);
    dt_put_string(t, "device_type", "memory");
    reg(t, VIRT_RAM, b->ram_size);
    dt_close(t);
    cpu_nodes(t, m, b);
    psci_node(t, m);
    timer_node(t, m, b);
    gic_node(t, m, b);
    device_nodes(t, b);
    flash_nodes(t, b);
    dt_open(t, "fw-cfg@%llx", (unsigned long long)VIRT_FW_CFG);
    DT_STRINGS(t, "compatible", "qemu,fw-cfg-mmio");
    reg(t, VIRT_FW_CFG, VIRT_FW_CFG_SIZE);
    dt_put_empty(t, "dma-coherent");
    dt_close(t);
    pcie_node(t, b);
    bus_nodes(t);
    dt_done(t);
}
