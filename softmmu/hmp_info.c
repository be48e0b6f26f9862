/* hmp_info.c - `info` of the monitor for people: a table of what it shows; names and texts as in QEMU's monitor where programs read them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "boot.h"
#include "dev/gic.h"
#include "dev/pci.h"
#include "dev/virtio_balloon.h"
#include "devices.h"
#include "drive.h"
#include "hmp_int.h"
#include "net.h"
#include "sys.h"
#include "tlb.h"

static void print_registers(Monitor *m, const Vcpu *v)
{
    const CpuA64 *c = v->cpu;
    monitor_printf(m, "CPU#%u\n PC=%016" PRIx64 " ", v->index, c->pc);
    for (unsigned k = 0; k < 31; k++) {
        monitor_printf(m, "X%02u=%016" PRIx64 "%s", k, c->x[k], k % 3 == 1 ? "\n" : " ");
    }
    uint32_t nzcv = a64_nzcv(c);
    monitor_printf(m, " SP=%016" PRIx64 "\nPSTATE=%08x %c%c%c%c EL%u\n", c->sp, nzcv | (uint32_t)c->pstate_misc,
                   nzcv >> 31 & 1 ? 'N' : '-', nzcv >> 30 & 1 ? 'Z' : '-', nzcv >> 29 & 1 ? 'C' : '-', nzcv >> 28 & 1 ? 'V' : '-',
                   a64_el(c));
}

static void info_registers(Monitor *m, char *args)
{
    Machine *k = m->machine;
    machine_pause(k);
    if (!strcmp(args, "-a")) {
        for (unsigned n = 0; n < k->nvcpus; n++) {
            print_registers(m, &k->vcpus[n]);
        }
    } else {
        print_registers(m, &k->vcpus[hmp_cpu]);
    }
    machine_resume(k);
}

static void info_cpus(Monitor *m, char *args)
{
    Machine *k = m->machine;
    (void)args;
    machine_pause(k);
    for (unsigned n = 0; n < k->nvcpus; n++) {
        const Vcpu *v = &k->vcpus[n];
        monitor_printf(m, "%c CPU #%u: %s pc=0x%016" PRIx64 " mpidr=0x%" PRIx64 " thread_id=%d\n", n == hmp_cpu ? '*' : ' ', n,
                       vcpu_is_on(v) ? "on " : "off", v->cpu->pc, v->mpidr, vcpu_thread_id(v));
    }
    machine_resume(k);
}

static void print_region(void *arg, const char *name, Gpa base, uint64_t size, const char *kind)
{
    monitor_printf(arg, "%016" PRIx64 "-%016" PRIx64 " %-6s %s\n", base.v, base.v + size - 1, kind, name);
}

static void info_mtree(Monitor *m, char *args)
{
    (void)args;
    mem_each(m->machine->mem, print_region, m);
}

static void print_line(void *arg, const char *line)
{
    monitor_printf(arg, "%s\n", line);
}

static void info_irq(Monitor *m, char *args)
{
    (void)args;
    machine_pause(m->machine);
    gic_describe(m->machine->gic, print_line, m);
    machine_resume(m->machine);
}

static void print_entry(Monitor *m, const Tlb *t, unsigned n)
{
    for (unsigned use = 0; use < TLB_PARTS; use++) {
        const TlbEntry *e = &t->e[(use << TLB_BITS) + n];
        if (e->tag != tlb_none(n)) {
            monitor_printf(m, "  %016" PRIx64 " %c\n", e->tag, "rwxrw"[use]);
        }
    }
}

/* The chosen CPU's tables; with -a what is in them. */
static void info_tlb(Monitor *m, char *args)
{
    static const char *const levels[] = {"user", "privileged", "with PAN"};
    Machine *k = m->machine;
    machine_pause(k);
    const Mmu *mmu = k->vcpus[hmp_cpu].cpu->sys->mmu;
    monitor_printf(m, "%" PRIu64 " fills, %" PRIu64 " walks, %" PRIu64 " slow accesses, %" PRIu64 " tables emptied\n",
                   mmu->stat_fills, mmu->stat_walks, mmu->stat_slow, mmu->stat_clears);
    for (unsigned i = 0; i < TLB_TABLES; i++) {
        const Tlb *t = &mmu->tables[i];
        if (t->age) {
            monitor_printf(m, "%s %s, space %" PRIx64 "%s\n", tlb_kind_names[t->kind], levels[t->level], t->tag,
                           mmu->active[t->kind][t->level] == t ? " (now)" : "");
            for (unsigned n = 0; n < TLB_SIZE && !strcmp(args, "-a"); n++) {
                print_entry(m, t, n);
            }
        }
    }
    machine_resume(k);
}

static void info_status(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "VM status: %s\n", machine_status(m->machine));
}

static void info_version(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "armx " ARMX_VERSION "\n");
}

static void print_chardev(void *arg, const char *id, const char *where, bool used)
{
    (void)used;
    monitor_printf(arg, "%s: filename=%s\n", id, where);
}

static void info_chardev(Monitor *m, char *args)
{
    (void)args;
    chardev_each(print_chardev, m);
}

static void info_balloon(Monitor *m, char *args)
{
    (void)args;
    uint64_t bytes = balloon_actual();
    bytes ? monitor_printf(m, "balloon: actual=%" PRIu64 "\n", bytes >> 20) : monitor_printf(m, "no balloon device\n");
}

/* -- back ends ----------------------------------------------------------------------------------------------------- */

static void print_net(void *arg, const char *id, const char *what, const NetClient *card)
{
    Monitor *m = arg;
    if (card) {
        const uint8_t *a = card->mac;
        monitor_printf(m, "%s: index=0,type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x\n \\ ", card->id ? card->id : card->model,
                       card->model, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    monitor_printf(m, "%s: index=0,%s\n", id, what);
}

static void info_network(Monitor *m, char *args)
{
    (void)args;
    net_each(print_net, m);
}

static void print_connections(void *arg, const char *id, const char *text)
{
    monitor_printf(arg, "%s:\n%s", id, text);
}

static void info_usernet(Monitor *m, char *args)
{
    (void)args;
    net_connections(print_connections, m);
}

static void print_drive(void *arg, const DriveInfo *d)
{
    monitor_printf(arg, "%s%s: %s (%s%s)\n", d->id, d->node ? " (node)" : "", d->file, d->format, block_readonly(d->block) ? ", read-only" : "");
    if (d->user) {
        monitor_printf(arg, "    Attached to:      %s\n", d->user);
    }
    monitor_printf(arg, "    Cache mode:       %s%s%s\n    Virtual size:     %" PRIu64 " bytes\n",
                   d->options.writethrough ? "writethrough" : "writeback", d->options.unsafe ? ", ignore flushes" : "",
                   d->options.snapshot ? ", keeps nothing" : "", block_size(d->block));
}

static void info_block(Monitor *m, char *args)
{
    (void)args;
    drive_each(print_drive, m);
}

static void print_stats(void *arg, const DriveInfo *d)
{
    BlockStats s = block_stats(d->block);
    monitor_printf(arg, "%s: rd_bytes=%" PRIu64 " wr_bytes=%" PRIu64 " rd_operations=%" PRIu64 " wr_operations=%" PRIu64 " flush_operations=%" PRIu64 "\n",
                   d->id, s.read_bytes, s.written_bytes, s.reads, s.writes, s.flushes);
}

static void info_blockstats(Monitor *m, char *args)
{
    (void)args;
    drive_each(print_stats, m);
}

/* -- devices ------------------------------------------------------------------------------------------------------- */

static void print_bar(Monitor *m, const PciDev *d, unsigned n)
{
    const PciBar *b = &d->bar[n];
    uint64_t at = pci_get(d, PCI_BAR0 + 4 * n, b->wide ? 8 : 4) & ~(uint64_t)15;
    if (b->region) {
        monitor_printf(m, "      BAR%u: %u bit %smemory at 0x%016" PRIx64 " [0x%08" PRIx64 "].\n", n, b->wide ? 64 : 32,
                       b->prefetch ? "prefetchable " : "", at, at + b->size - 1);
    }
}

static void print_pci(void *arg, PciDev *d)
{
    Monitor *m = arg;
    pthread_mutex_lock(&d->lock);
    monitor_printf(m, "  Bus  0, device %3u, function %u:\n    %s: PCI device %04x:%04x\n      PCI subsystem %04x:%04x\n", d->devfn >> 3, d->devfn & 7u,
                   d->name, (unsigned)pci_get(d, PCI_VENDOR, 2), (unsigned)pci_get(d, PCI_DEVICE, 2), (unsigned)pci_get(d, PCI_SUBVENDOR, 2),
                   (unsigned)pci_get(d, PCI_SUBSYSTEM, 2));
    if (d->config[PCI_PIN]) {
        monitor_printf(m, "      IRQ %u, pin %c\n", d->config[PCI_LINE], 'A' + d->config[PCI_PIN] - 1);
    }
    for (unsigned n = 0; n < PCI_BARS; n++) {
        print_bar(m, d, n);
    }
    pthread_mutex_unlock(&d->lock);
}

static void info_pci(Monitor *m, char *args)
{
    (void)args;
    pci_each(print_pci, m);
}

static void print_device(void *arg, const DeviceMade *d)
{
    monitor_printf(arg, "bus: %s\n  dev: %s, id \"%s\"\n", d->type->bus, d->type->name, d->id ? d->id : "");
    for (const DeviceProp *p = d->type->props; p->name; p++) {
        char text[256];
        device_prop_text(p, d->config, text, sizeof text);
        monitor_printf(arg, "    %s = %s\n", p->name, text);
    }
}

static void info_qtree(Monitor *m, char *args)
{
    (void)args;
    devices_each(print_device, m);
}

/* -- the machine ----------------------------------------------------------------------------------------------------- */

static void info_name(Monitor *m, char *args)
{
    const char *name = machine_name(m->machine);
    (void)args;
    if (name) {
        monitor_printf(m, "%s\n", name);
    }
}

static void info_uuid(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "%s\n", machine_uuid(m->machine));
}

static void info_kvm(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "kvm support: not compiled\n");
}

static void info_memory_size(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "base memory: %" PRIu64 "\nplugged memory: 0\n", machine_memory(m->machine));
}

static void print_placed(void *arg, const char *name, uint64_t at, uint64_t size)
{
    monitor_printf(arg, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=ram name=\"%s\"\n", at, size, name);
}

static void info_roms(Monitor *m, char *args)
{
    (void)args;
    board_each_placed(m->machine, print_placed, m);
}

static const Command infos[] = {
    {"balloon", "", "how much memory the balloon leaves the guest", info_balloon},
    {"block", "", "disk images", info_block},
    {"blockstats", "", "what was read and written of them", info_blockstats},
    {"chardev", "", "character devices", info_chardev},
    {"cpus", "", "the CPUs", info_cpus},
    {"irq", "", "the interrupt controller", info_irq},
    {"kvm", "", "that there is none", info_kvm},
    {"memory_size_summary", "", "how much memory there is", info_memory_size},
    {"mtree", "", "the physical address space", info_mtree},
    {"name", "", "the machine's name", info_name},
    {"network", "", "network cards and their back ends", info_network},
    {"pci", "", "PCI devices and where their registers are", info_pci},
    {"pic", "", "", info_irq},
    {"qtree", "", "what -device and the like made, with all properties", info_qtree},
    {"registers", "[-a]", "registers of the chosen CPU, or of all", info_registers},
    {"roms", "", "what was loaded into memory", info_roms},
    {"status", "", "running or not", info_status},
    {"tlb", "[-a]", "the chosen CPU's translation tables, and their entries", info_tlb},
    {"usernet", "", "connections of user-mode networks", info_usernet},
    {"uuid", "", "the machine's UUID", info_uuid},
    {"version", "", "armx's version", info_version},
};

void cmd_info(Monitor *m, char *args)
{
    if (!hmp_run_from(m, infos, LEN(infos), args)) {
        if (*args) {
            monitor_printf(m, "unknown: info '%s'\n", args);
        }
        for (unsigned k = 0; k < LEN(infos); k++) {
            if (*infos[k].doc) {
                monitor_printf(m, "info %-19s %-6s %s\n", infos[k].name, infos[k].args, infos[k].doc);
            }
        }
    }
}
