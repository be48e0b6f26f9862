/* virt_acpi.c - the machine described by ACPI tables (ACPI 6.3), for firmware that asks for them: QEMU's files of fw_cfg, etc/acpi/tables,
 * etc/acpi/rsdp, and etc/table-loader, the script by which firmware puts them into memory, adds their addresses and sums them up.
 *
 * What is said here is what virt_tree.c says of the same devices. AML is written from the inside out: a Bytes holds the contents of a
 * package, `wrap` gives it its head. To add a device: a function like com0, a call in dsdt.
 */
#include "boards/virt.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Bytes {
    uint8_t *at;
    size_t n;
} Bytes;

static void put(Bytes *b, const void *data, size_t n)
{
    uint8_t *more = realloc(b->at, b->n + n);
    if (!more) {
        die("no memory for the ACPI tables");
    }
    memcpy(more + b->n, data, n);
    b->at = more;
    b->n += n;
}

/* The low `bytes` bytes of v. */
static void put_number(Bytes *b, uint64_t v, unsigned bytes)
{
    put(b, &v, bytes);
}

/* Pairs of value and size, up to a size of 0. */
static void put_fields(Bytes *b, const uint64_t (*fields)[2])
{
    for (; (*fields)[1]; fields++) {
        put_number(b, (*fields)[0], (unsigned)(*fields)[1]);
    }
}
#define PUT(b, ...) put_fields(b, (const uint64_t[][2]){__VA_ARGS__, {0, 0}})

/* -- tables and the loader's script ------------------------------------------------------------------------------------ */

typedef struct Acpi {
    Bytes tables, loader, xsdt;
} Acpi;

static const char *const tables_file = "etc/acpi/tables", *const rsdp_file = "etc/acpi/rsdp";
enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3, COMMAND = 128, NAME = 56, ZONE_HIGH = 1, ZONE_FSEG = 2 };
enum { HEADER = 36, HEADER_SUM = 9, RSDP_XSDT = 24, RSDP_BYTES = 36, FADT_DSDT = 140 };

static void put_name(Bytes *b, const char *name)
{
    char field[NAME] = {0};
    memcpy(field, name, strlen(name));
    put(b, field, NAME);
}

static void end_command(Bytes *b)
{
    static const uint8_t zeros[COMMAND];
    put(b, zeros, (COMMAND - b->n % COMMAND) % COMMAND);
}

static void allocate(Acpi *a, const char *file, unsigned align, unsigned zone)
{
    put_number(&a->loader, ALLOCATE, 4);
    put_name(&a->loader, file);
    PUT(&a->loader, {align, 4}, {zone, 1});
    end_command(&a->loader);
}

/* The 8 bytes at `offset` of file get the tables' address added. */
static void add_pointer(Acpi *a, const char *file, size_t offset)
{
    put_number(&a->loader, ADD_POINTER, 4);
    put_name(&a->loader, file);
    put_name(&a->loader, tables_file);
    PUT(&a->loader, {offset, 4}, {8, 1});
    end_command(&a->loader);
}

static void add_checksum(Acpi *a, const char *file, size_t at, size_t start, size_t n)
{
    put_number(&a->loader, ADD_CHECKSUM, 4);
    put_name(&a->loader, file);
    PUT(&a->loader, {at, 4}, {start, 4}, {n, 4});
    end_command(&a->loader);
}

/* Puts a table with this body behind the others; where it is. Its sum is added when its pointers are (add_checksum). */
static size_t add_table(Acpi *a, const char *name, unsigned revision, Bytes *body)
{
    size_t at = a->tables.n;
    put(&a->tables, name, 4);
    PUT(&a->tables, {HEADER + body->n, 4}, {revision, 1}, {0, 1});
    put(&a->tables, "ARMX  VIRT    ", 14);
    PUT(&a->tables, {1, 4}, {0x584d5241, 4}, {1, 4});
    put(&a->tables, body->at, body->n);
    free(body->at);
    return at;
}

static void finish(Acpi *a, size_t at)
{
    uint32_t n;
    memcpy(&n, a->tables.at + at + 4, 4);
    add_checksum(a, tables_file, at + HEADER_SUM, at, n);
}

/* The same for one that the XSDT lists. */
static void list_table(Acpi *a, const char *name, unsigned revision, Bytes body)
{
    size_t at = add_table(a, name, revision, &body);
    put_number(&a->xsdt, at, 8);
    finish(a, at);
}

/* -- AML ------------------------------------------------------------------------------------------------------------------ */

/* to += op, length, contents of in. */
static void wrap(Bytes *to, const char *op, Bytes in)
{
    put(to, op, strlen(op));
    size_t n = in.n + 1;
    if (n < 64) {
        put_number(to, n, 1);
    } else if (++n < 4096) {
        PUT(to, {0x40 | (n & 15), 1}, {n >> 4, 1});
    } else {
        n++;
        PUT(to, {0x80 | (n & 15), 1}, {n >> 4 & 255, 1}, {n >> 12, 1});
    }
    put(to, in.at, in.n);
    free(in.at);
}

static void integer(Bytes *b, uint64_t v)
{
    put_number(b, 0x0c, 1);
    put_number(b, v, 4);
}

static void name_head(Bytes *b, const char *name)
{
    put_number(b, 0x08, 1);
    put(b, name, 4);
}

static void name_integer(Bytes *b, const char *name, uint64_t v)
{
    name_head(b, name);
    integer(b, v);
}

static void name_string(Bytes *b, const char *name, const char *s)
{
    name_head(b, name);
    put_number(b, 0x0d, 1);
    put(b, s, strlen(s) + 1);
}

/* Name (name, Buffer of resources, with their end). */
static void name_resources(Bytes *b, const char *name, Bytes resources)
{
    Bytes in = {0};
    PUT(&resources, {0x79, 1}, {0, 1});
    integer(&in, resources.n);
    put(&in, resources.at, resources.n);
    free(resources.at);
    name_head(b, name);
    wrap(b, "\x11", in);
}

static Bytes device(const char *name)
{
    Bytes b = {0};
    put(&b, name, 4);
    return b;
}

static void add_device(Bytes *scope, Bytes b)
{
    wrap(scope, "\x5b\x82", b);
}

enum { EDGE = 2 };

static void memory(Bytes *r, uint64_t base, uint64_t size)
{
    PUT(r, {0x86, 1}, {9, 2}, {1, 1}, {base, 4}, {size, 4});
}

static void interrupt(Bytes *r, unsigned gsi, unsigned edge)
{
    PUT(r, {0x89, 1}, {6, 2}, {1 | edge, 1}, {1, 1}, {gsi, 4});
}

/* A device with registers and an interrupt (0: none); what it is comes first. */
static Bytes simple(const char *name, const char *hid, unsigned uid, uint64_t base, uint64_t size, unsigned gsi, unsigned edge)
{
    Bytes b = device(name), r = {0};
    name_string(&b, "_HID", hid);
    name_integer(&b, "_UID", uid);
    name_integer(&b, "_CCA", 1);
    memory(&r, base, size);
    if (gsi) {
        interrupt(&r, gsi, edge);
    }
    name_resources(&b, "_CRS", r);
    return b;
}

/* The power button: line 3 of the GPIO. */
static void button(Bytes *scope, const VirtDev *gpio)
{
    Bytes b = simple("GPO0", "ARMH0061", 0, gpio->base.v, gpio->size, 32 + (unsigned)gpio->spi, 0), r = {0}, m = {0}, p = device("PWRB");
    PUT(&r, {0x8c, 1}, {27, 2}, {1, 1}, {0, 1}, {1, 2}, {1, 2}, {1, 1}, {0, 2}, {0, 2}, {23, 2}, {0, 1}, {25, 2}, {30, 2}, {0, 2}, {3, 2});
    put(&r, "GPO0", 5);
    name_resources(&b, "_AEI", r);
    put(&m, "_E03\0\x86PWRB\x0a\x80", 12); /* Notify (PWRB, 0x80) */
    wrap(&b, "\x14", m);
    add_device(scope, b);
    name_string(&p, "_HID", "PNP0C0C");
    name_integer(&p, "_UID", 0);
    add_device(scope, p);
}

static uint64_t ecam(const Virt *b, uint64_t *size)
{
    *size = b->props.highmem_ecam ? VIRT_PCIE_ECAM_SIZE : VIRT_PCIE_ECAM_LOW_SIZE;
    return b->props.highmem_ecam ? VIRT_PCIE_ECAM : VIRT_PCIE_ECAM_LOW;
}

/* Who gets which interrupt: _PRT. */
static void routing(Bytes *b)
{
    Bytes table = {0};
    put_number(&table, 128, 1);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            Bytes row = {0};
            put_number(&row, 4, 1);
            integer(&row, slot << 16 | 0xffff);
            integer(&row, pin);
            put_number(&row, 0, 1);
            integer(&row, 32 + PCIE_SPI + (slot + pin) % 4);
            wrap(&table, "\x12", row);
        }
    }
    name_head(b, "_PRT");
    wrap(b, "\x12", table);
}

static void pci(Bytes *scope, const Virt *v)
{
    Bytes b = device("PCI0"), r = {0}, osc = {0}, res = device("RES0"), er = {0};
    uint64_t size, base = ecam(v, &size), hi = VIRT_PCIE_MMIO_HIGH, hs = VIRT_PCIE_MMIO_HIGH_SIZE;
    name_string(&b, "_HID", "PNP0A08");
    name_string(&b, "_CID", "PNP0A03");
    name_integer(&b, "_SEG", 0);
    name_integer(&b, "_BBN", 0);
    name_integer(&b, "_UID", 0);
    name_integer(&b, "_CCA", 1);
    routing(&b);
    PUT(&r, {0x88, 1}, {13, 2}, {2, 1}, {12, 1}, {0, 1}, {0, 2}, {0, 2}, {(size >> 20) - 1, 2}, {0, 2}, {size >> 20, 2});
    PUT(&r, {0x87, 1}, {23, 2}, {0, 1}, {12, 1}, {1, 1}, {0, 4}, {VIRT_PCIE_MMIO, 4}, {VIRT_PCIE_MMIO + VIRT_PCIE_MMIO_SIZE - 1, 4}, {0, 4},
        {VIRT_PCIE_MMIO_SIZE, 4});
    PUT(&r, {0x87, 1}, {23, 2}, {1, 1}, {12, 1}, {3, 1}, {0, 4}, {0, 4}, {VIRT_PCIE_PIO_SIZE - 1, 4}, {VIRT_PCIE_PIO, 4}, {VIRT_PCIE_PIO_SIZE, 4});
    if (v->props.highmem_mmio) {
        PUT(&r, {0x8a, 1}, {43, 2}, {0, 1}, {12, 1}, {1, 1}, {0, 8}, {hi, 8}, {hi + hs - 1, 8}, {0, 8}, {hs, 8});
    }
    name_resources(&b, "_CRS", r);
    put(&osc, "_OSC\x04\xa4\x6b", 7); /* Return (Arg3): the system may have what it asks for */
    wrap(&b, "\x14", osc);
    name_string(&res, "_HID", "PNP0C02");
    PUT(&er, {0x8a, 1}, {43, 2}, {0, 1}, {12, 1}, {1, 1}, {0, 8}, {base, 8}, {base + size - 1, 8}, {0, 8}, {size, 8});
    name_resources(&res, "_CRS", er);
    add_device(&b, res);
    add_device(scope, b);
}

static const VirtDev *find(const char *id)
{
    const VirtDev *d = virt_devs;
    while (strcmp(d->id, id)) {
        d++;
    }
    return d;
}

static Bytes dsdt(const Machine *m, const Virt *v)
{
    Bytes scope = {0}, out = {0};
    char name[16];
    const VirtDev *uart = find("UART");
    put(&scope, "\\_SB_", 5);
    for (unsigned k = 0; k < m->nvcpus; k++) {
        snprintf(name, sizeof name, "C%03X", k);
        Bytes b = device(name);
        name_string(&b, "_HID", "ACPI0007");
        name_integer(&b, "_UID", k);
        add_device(&scope, b);
    }
    add_device(&scope, simple("COM0", "ARMH0011", 0, uart->base.v, uart->size, 32 + (unsigned)uart->spi, 0));
    add_device(&scope, simple("FWCF", "QEMU0002", 0, VIRT_FW_CFG, VIRT_FW_CFG_SIZE, 0, 0));
    for (unsigned k = 0; k < VIRTIO_SLOTS; k++) {
        snprintf(name, sizeof name, "VR%02X", k);
        add_device(&scope, simple(name, "LNRO0005", k, VIRT_VIRTIO + k * VIRT_VIRTIO_SIZE, VIRT_VIRTIO_SIZE, 32 + VIRTIO_SPI + k, EDGE));
    }
    pci(&scope, v);
    button(&scope, find("GPIO"));
    wrap(&out, "\x10", scope);
    return out;
}

/* -- the tables ------------------------------------------------------------------------------------------------------------ */

static Bytes fadt(const Machine *m, size_t dsdt_at)
{
    uint8_t t[276] = {0};
    enum { FLAGS = 112, HW_REDUCED = 1 << 20, BOOT_ARCH = 129, PSCI = 1, BY_HVC = 2 };
    uint32_t flags = HW_REDUCED;
    uint16_t arch = m->psci_conduit == PSCI_OFF ? 0 : m->psci_conduit == PSCI_HVC ? PSCI | BY_HVC : PSCI;
    uint64_t at = dsdt_at;
    Bytes b = {0};
    memcpy(t + FLAGS, &flags, 4);
    memcpy(t + BOOT_ARCH, &arch, 2);
    memcpy(t + FADT_DSDT, &at, 8);
    put(&b, t + HEADER, sizeof t - HEADER);
    return b;
}

static Bytes madt(const Machine *m, const Virt *v)
{
    Bytes b = {0};
    bool v3 = v->gic_version == 3;
    PUT(&b, {0, 4}, {0, 4});
    PUT(&b, {12, 1}, {24, 1}, {0, 2}, {0, 4}, {VIRT_GIC_DIST, 8}, {0, 4}, {v->gic_version, 1}, {0, 3});
    for (unsigned k = 0; k < m->nvcpus; k++) {
        bool hyp = m->el2 && !v3;
        PUT(&b, {11, 1}, {80, 1}, {0, 2}, {k, 4}, {k, 4}, {1, 4}, {0, 4}, {v->pmu ? 16 + PPI_PMU : 0, 4}, {0, 8}, {v3 ? 0 : VIRT_GIC_CPU, 8},
            {hyp ? VIRT_GIC_VCPU : 0, 8}, {hyp ? VIRT_GIC_HYP : 0, 8}, {m->el2 ? 16 + PPI_MAINTENANCE : 0, 4}, {0, 8}, {m->vcpus[k].mpidr, 8},
            {0, 4});
    }
    if (v3) {
        uint64_t first = VIRT_GIC_REDIST_SIZE / REDIST_SIZE;
        PUT(&b, {14, 1}, {16, 1}, {0, 2}, {VIRT_GIC_REDIST, 8}, {VIRT_GIC_REDIST_SIZE, 4});
        if (m->nvcpus > first) {
            PUT(&b, {14, 1}, {16, 1}, {0, 2}, {VIRT_GIC_REDIST2, 8}, {VIRT_GIC_REDIST2_SIZE, 4});
        }
    }
    if (v->its) {
        PUT(&b, {15, 1}, {20, 1}, {0, 2}, {0, 4}, {VIRT_GIC_ITS, 8}, {0, 4});
    } else if (v->v2m) {
        PUT(&b, {13, 1}, {24, 1}, {0, 2}, {0, 4}, {VIRT_GIC_V2M, 8}, {1, 4}, {V2M_SPIS, 2}, {32 + V2M_SPI, 2});
    }
    return b;
}

static Bytes gtdt(const Machine *m)
{
    enum { ALWAYS_ON = 4 };
    Bytes b = {0};
    PUT(&b, {~(uint64_t)0, 8}, {0, 4}, {16 + PPI_TIMER_SECURE, 4}, {ALWAYS_ON, 4}, {16 + PPI_TIMER_PHYS, 4}, {ALWAYS_ON, 4}, {16 + PPI_TIMER_VIRT, 4},
        {ALWAYS_ON, 4}, {16 + PPI_TIMER_HYP, 4}, {ALWAYS_ON, 4}, {~(uint64_t)0, 8}, {0, 4}, {0, 4}, {m->el2 ? 16 + PPI_TIMER_HYP_VIRT : 0, 4},
        {m->el2 ? ALWAYS_ON : 0, 4});
    return b;
}

static Bytes spcr(void)
{
    const VirtDev *uart = find("UART");
    Bytes b = {0};
    PUT(&b, {3, 1}, {0, 3}, {0, 1}, {32, 1}, {0, 1}, {3, 1}, {uart->base.v, 8}, {8, 1}, {0, 1}, {32 + (uint64_t)uart->spi, 4}, {3, 1}, {0, 1}, {1, 1},
        {2, 1}, {0, 1}, {0, 1}, {0xffff, 2}, {0xffff, 2}, {0, 3}, {0, 4}, {0, 1}, {0, 4});
    return b;
}

/* Messages of PCI devices go to the ITS. */
static Bytes iort(void)
{
    enum { ITS_AT = 48 };
    Bytes b = {0};
    PUT(&b, {2, 4}, {ITS_AT, 4}, {0, 4});
    PUT(&b, {0, 1}, {24, 2}, {0, 1}, {0, 4}, {0, 4}, {0, 4}, {1, 4}, {0, 4});
    PUT(&b, {2, 1}, {56, 2}, {0, 1}, {0, 4}, {1, 4}, {36, 4}, {1, 4}, {0, 3}, {3, 1}, {0, 4}, {0, 4}, {64, 1}, {0, 3});
    PUT(&b, {0, 4}, {0xffff, 4}, {0, 4}, {ITS_AT, 4}, {0, 4});
    return b;
}

void virt_acpi(Machine *m, const Virt *v)
{
    Acpi a = {0};
    Bytes body = dsdt(m, v), mcfg = {0}, rsdp = {0};
    uint64_t size, base = ecam(v, &size);
    allocate(&a, rsdp_file, 16, ZONE_FSEG);
    allocate(&a, tables_file, 64, ZONE_HIGH);
    size_t at = add_table(&a, "DSDT", 2, &body);
    finish(&a, at);
    add_pointer(&a, tables_file, a.tables.n + FADT_DSDT);
    list_table(&a, "FACP", 6, fadt(m, at));
    list_table(&a, "APIC", 4, madt(m, v));
    list_table(&a, "GTDT", 3, gtdt(m));
    PUT(&mcfg, {0, 8}, {base, 8}, {0, 2}, {0, 1}, {(size >> 20) - 1, 1}, {0, 4});
    list_table(&a, "MCFG", 1, mcfg);
    list_table(&a, "SPCR", 2, spcr());
    if (v->its) {
        list_table(&a, "IORT", 0, iort());
    }
    for (size_t k = 0; k < a.xsdt.n; k += 8) {
        add_pointer(&a, tables_file, a.tables.n + HEADER + k);
    }
    at = add_table(&a, "XSDT", 1, &a.xsdt);
    finish(&a, at);
    put(&rsdp, "RSD PTR ", 8);
    put_number(&rsdp, 0, 1);
    put(&rsdp, "ARMX  ", 6);
    PUT(&rsdp, {2, 1}, {0, 4}, {RSDP_BYTES, 4}, {at, 8}, {0, 4});
    add_pointer(&a, rsdp_file, RSDP_XSDT);
    add_checksum(&a, rsdp_file, 8, 0, 20);
    add_checksum(&a, rsdp_file, 32, 0, RSDP_BYTES);
    fw_cfg_file(v->fw_cfg, tables_file, a.tables.at, a.tables.n, false);
    fw_cfg_file(v->fw_cfg, rsdp_file, rsdp.at, rsdp.n, false);
    fw_cfg_file(v->fw_cfg, "etc/table-loader", a.loader.at, a.loader.n, false);
}
