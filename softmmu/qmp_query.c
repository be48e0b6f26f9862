/* qmp_query.c - the commands of the monitor for programs that ask what the machine is and has; answers have the members that QEMU's
 * have, as far as there is something to say.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "boards/virt.h"
#include "dev/pci.h"
#include "devices.h"
#include "drive.h"
#include "qmp_int.h"
#include "sys.h"

/* An object with one member that is a string. */
static void answer_string(Answer *a, const char *key, const char *value)
{
    JsonText t = {0};
    json_add(&t, "{\"%s\": ", key);
    json_add_string(&t, value);
    json_add(&t, "}");
    qmp_finish(a, &t);
}

/* A list that `each` has filled. */
static void finish_list(Answer *a, JsonText *t)
{
    json_add(t, "]");
    qmp_finish(a, t);
}

/* -- the machine ----------------------------------------------------------------------------------------------------- */

void qmp_name(Answer *a, JsonPart args)
{
    const char *name = machine_name(a->m->machine);
    (void)args;
    name ? answer_string(a, "name", name) : qmp_answer(a, "{}");
}

void qmp_uuid(Answer *a, JsonPart args)
{
    (void)args;
    answer_string(a, "UUID", machine_uuid(a->m->machine));
}

void qmp_machines(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[{\"name\": \"virt\", \"is-default\": true, \"cpu-max\": %d, \"hotpluggable-cpus\": false, \"numa-mem-supported\": false, "
             "\"deprecated\": false, \"default-cpu-type\": \"%s-arm-cpu\", \"default-ram-id\": \"mach-virt.ram\"}]", MAX_CPUS, a64_model(NULL)->name);
    qmp_finish(a, &t);
}

void qmp_cpus(Answer *a, JsonPart args)
{
    const Machine *m = a->m->machine;
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    for (unsigned k = 0; k < m->nvcpus; k++) {
        json_add_comma(&t);
        json_add(&t, "{\"cpu-index\": %u, \"qom-path\": \"/machine/unattached/device[%u]\", \"thread-id\": %d, \"target\": \"aarch64\", "
                 "\"props\": {\"core-id\": %u, \"cluster-id\": 0, \"socket-id\": 0, \"thread-id\": 0}}", k, k, vcpu_thread_id(&m->vcpus[k]), k);
    }
    finish_list(a, &t);
}

void qmp_cpu_models(Answer *a, JsonPart args)
{
    JsonText t = {0};
    const CpuModel *m;
    (void)args;
    json_add(&t, "[");
    for (unsigned n = 0; (m = a64_model_nth(n)); n++) {
        json_add_comma(&t);
        json_add(&t, "{\"name\": \"%s\", \"typename\": \"%s-arm-cpu\", \"static\": false, \"deprecated\": false, \"migration-safe\": true, "
                 "\"unavailable-features\": []}", m->name, m->name);
    }
    finish_list(a, &t);
}

void qmp_memory_size(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "{\"base-memory\": %" PRIu64 ", \"plugged-memory\": 0}", machine_memory(a->m->machine));
    qmp_finish(a, &t);
}

/* -- disk images ----------------------------------------------------------------------------------------------------- */

/* Without its brackets: what an image is. */
static void add_image(JsonText *t, const DriveInfo *d)
{
    struct stat st;
    json_add(t, "\"node-name\": ");
    json_add_string(t, d->id);
    json_add(t, ", \"drv\": \"%s\", \"ro\": %s, \"encrypted\": false, \"detect_zeroes\": \"off\", \"backing_file_depth\": 0, "
             "\"bps\": 0, \"bps_rd\": 0, \"bps_wr\": 0, \"iops\": 0, \"iops_rd\": 0, \"iops_wr\": 0, \"write_threshold\": 0, "
             "\"cache\": {\"writeback\": %s, \"direct\": false, \"no-flush\": %s}, \"file\": ",
             d->format, block_readonly(d->block) ? "true" : "false", d->options.writethrough ? "false" : "true",
             d->options.unsafe ? "true" : "false");
    json_add_string(t, d->file);
    json_add(t, ", \"image\": {\"virtual-size\": %" PRIu64 ", \"format\": \"%s\", \"dirty-flag\": false, \"filename\": ", block_size(d->block),
             d->format);
    json_add_string(t, d->file);
    if (stat(d->file, &st) == 0) {
        json_add(t, ", \"actual-size\": %" PRIu64, (uint64_t)st.st_blocks * 512);
    }
    json_add(t, "}");
}

static void add_node(void *arg, const DriveInfo *d)
{
    json_add_comma(arg);
    json_add(arg, "{");
    add_image(arg, d);
    json_add(arg, "}");
}

void qmp_nodes(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    drive_each(add_node, &t);
    finish_list(a, &t);
}

/* "device" is empty for what -blockdev made, and "qdev" for what no device has. */
static void add_names(JsonText *t, const DriveInfo *d)
{
    json_add_comma(t);
    json_add(t, "{\"device\": ");
    json_add_string(t, d->node ? "" : d->id);
    if (d->user) {
        json_add(t, ", \"qdev\": ");
        json_add_string(t, d->user);
    }
}

static void add_block(void *arg, const DriveInfo *d)
{
    if (!d->node || d->user) {
        add_names(arg, d);
        json_add(arg, ", \"type\": \"unknown\", \"locked\": false, \"removable\": false, \"io-status\": \"ok\", \"inserted\": {");
        add_image(arg, d);
        json_add(arg, "}}");
    }
}

void qmp_block(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    drive_each(add_block, &t);
    finish_list(a, &t);
}

static void add_stats(void *arg, const DriveInfo *d)
{
    BlockStats s = block_stats(d->block);
    if (!d->node || d->user) {
        add_names(arg, d);
        json_add(arg, ", \"node-name\": ");
        json_add_string(arg, d->id);
        json_add(arg, ", \"stats\": {\"rd_bytes\": %" PRIu64 ", \"wr_bytes\": %" PRIu64 ", \"rd_operations\": %" PRIu64 ", \"wr_operations\": %" PRIu64
                 ", \"flush_operations\": %" PRIu64 "}}", s.read_bytes, s.written_bytes, s.reads, s.writes, s.flushes);
    }
}

void qmp_blockstats(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    drive_each(add_stats, &t);
    finish_list(a, &t);
}

/* -- devices --------------------------------------------------------------------------------------------------------- */

static void add_pci(void *arg, PciDev *d)
{
    pthread_mutex_lock(&d->lock);
    json_add_comma(arg);
    json_add(arg, "{\"bus\": 0, \"slot\": %u, \"function\": %u, \"qdev_id\": \"\", \"class_info\": {\"class\": %u, \"desc\": \"%s\"}, "
             "\"id\": {\"vendor\": %u, \"device\": %u, \"subsystem-vendor\": %u, \"subsystem\": %u}, \"irq_pin\": %u, \"irq\": %u, \"regions\": [",
             d->devfn >> 3, d->devfn & 7u, (unsigned)pci_get(d, PCI_CLASS + 1, 2), d->name, (unsigned)pci_get(d, PCI_VENDOR, 2),
             (unsigned)pci_get(d, PCI_DEVICE, 2), (unsigned)pci_get(d, PCI_SUBVENDOR, 2), (unsigned)pci_get(d, PCI_SUBSYSTEM, 2),
             d->config[PCI_PIN], d->config[PCI_LINE]);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const PciBar *b = &d->bar[n];
        if (b->region) {
            json_add_comma(arg);
            json_add(arg, "{\"bar\": %u, \"type\": \"memory\", \"size\": %" PRIu64 ", \"address\": %" PRIu64 ", \"prefetch\": %s, \"mem_type_64\": %s}", n,
                     b->size, pci_get(d, PCI_BAR0 + 4 * n, b->wide ? 8 : 4) & ~(uint64_t)15, b->prefetch ? "true" : "false",
                     b->wide ? "true" : "false");
        }
    }
    json_add(arg, "]}");
    pthread_mutex_unlock(&d->lock);
}

void qmp_pci(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[{\"bus\": 0, \"devices\": [");
    pci_each(add_pci, &t);
    json_add(&t, "]}]");
    qmp_finish(a, &t);
}

static void add_chardev(void *arg, const char *id, const char *where, bool used)
{
    json_add_comma(arg);
    json_add(arg, "{\"label\": ");
    json_add_string(arg, id);
    json_add(arg, ", \"filename\": ");
    json_add_string(arg, where);
    json_add(arg, ", \"frontend-open\": %s}", used ? "true" : "false");
}

void qmp_chardevs(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    chardev_each(add_chardev, &t);
    finish_list(a, &t);
}

static void add_name(void *arg, const char *name)
{
    json_add_comma(arg);
    json_add(arg, "{\"name\": \"%s\"}", name);
}

void qmp_backends(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    chardev_each_backend(add_name, &t);
    finish_list(a, &t);
}

static void add_type(void *arg, const DeviceType *type)
{
    json_add_comma(arg);
    json_add(arg, "{\"name\": \"%s\", \"parent\": \"device\"}", type->name);
}

void qmp_types(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    devices_each_type(add_type, &t);
    finish_list(a, &t);
}

void qmp_properties(Answer *a, JsonPart args)
{
    static const char *const kinds[] = {"str", "bool", "uint32", "size", "str", "int32", "int32"};
    char name[100], why[160];
    const DeviceType *type = json_string(json_member(args, "typename"), name, sizeof name) ? device_type(name) : NULL;
    JsonText t = {0};
    if (!type) {
        snprintf(why, sizeof why, "Device '%s' not found", json_member(args, "typename").at ? name : "");
        qmp_failed(a, "DeviceNotFound", why);
        return;
    }
    json_add(&t, "[");
    for (const DeviceProp *p = type->props; p->name; p++) {
        json_add_comma(&t);
        json_add(&t, "{\"name\": \"%s\", \"type\": \"%s\"", p->name, kinds[p->kind]);
        if (p->doc) {
            json_add(&t, ", \"description\": ");
            json_add_string(&t, p->doc);
        }
        json_add(&t, "}");
    }
    finish_list(a, &t);
}
