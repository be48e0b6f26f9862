/* fuzz_devices.c - a guest that programs devices wildly: every register of the board `virt`, rings, descriptors, DMA.
 *
 * The machine is made once, as armx-system makes it, with one device of each type on both transports; its vCPUs never run:
 * the input is what they would do. An input is a list of operations: accesses to a window of registers, writes to
 * memory, and shortcuts that bring a virtio device into life with a ring that the following operations may fill, because
 * chance alone would never get there. After each input all devices are reset.
 * Devices work on their own threads, so what an input does may differ a little from run to run.
 */
#include "fuzz.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "options.h"

enum { WINDOWS = 256, RAM = 0x40000000, RAM_SIZE = 64 << 20, RING = RAM + 0x10000, RING_SIZE = 0x1000, SLOT = 0x0a000000, SLOT_SIZE = 0x200,
       ECAM_DEV = 0x1000, OPS_MAX = 400, QUEUE = 16 };
#define ECAM 0x4010000000u
#ifndef LEGACY
#define LEGACY 0 /* fuzz_devices_legacy.c */
#endif
enum { AVAIL = LEGACY ? 16 * QUEUE : 0x400, USED = 0x800 }; /* places of the rings behind the descriptors */

/* The machine lives as long as the process. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "detect_leaks=0";
}

static Machine machine;
static Options options;
static struct {
    uint64_t base, size;
} window[WINDOWS];
static unsigned nwindows;

static void add_window(void *arg, const char *name, Gpa base, uint64_t size, const char *kind)
{
    (void)arg;
    (void)name;
    if (nwindows < WINDOWS && (!strcmp(kind, "i/o") || !strcmp(kind, "flash"))) {
        window[nwindows].base = base.v;
        window[nwindows++].size = size;
    }
}

static void *loop(void *arg)
{
    event_run(arg);
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char disk[] = "/tmp/fuzz-disk-XXXXXX", folder[] = "/tmp/fuzz-9p-XXXXXX";
    static char drive[2][128], share[128];
    (void)argc;
    (void)argv;
    int fd = mkstemp(disk);
    if (fd < 0 || ftruncate(fd, 8 << 20) || !mkdtemp(folder)) {
        perror("fuzz_devices");
        exit(1);
    }
    snprintf(drive[0], sizeof drive[0], "file=%s,if=none,id=d0,format=raw,snapshot=on", disk);
    snprintf(drive[1], sizeof drive[1], "file=%s,if=none,id=d1,format=raw,snapshot=on", disk);
    snprintf(share, sizeof share, "local,id=f,path=%s,security_model=mapped-xattr", folder);
    char *args[] = {"armx-system", "-M", "virt,gic-version=3,virtualization=on", "-cpu", "max", "-m", "64M", "-smp", "2", "-display", "none",
                    "-global", LEGACY ? "virtio-mmio.force-legacy=on" : "virtio-mmio.force-legacy=off", "-serial", "null", "-monitor", "none", "-drive", drive[0], "-drive", drive[1], "-netdev", "user,id=n0,restrict=on",
                    "-netdev", "user,id=n1,restrict=on", "-chardev", "null,id=c0", "-chardev", "null,id=c1", "-fsdev", share,
                    "-device", "virtio-9p-device,fsdev=f,mount_tag=t", "-device", "virtio-blk-device,drive=d0",
                    "-device", "virtio-net-device,netdev=n0", "-device", "virtio-rng-device", "-device", "virtio-balloon-device,free-page-reporting=on",
                    "-device", "virtio-serial-device", "-device", "virtconsole,chardev=c0", "-device", "virtserialport,chardev=c1,name=p",
                    "-device", "virtio-blk-pci,drive=d1", "-device", "virtio-net-pci,netdev=n1", "-device", "virtio-rng-pci"};
    options_parse(&options, (int)LEN(args), args);
    machine_init(&machine, &options);
    board_new(&machine);
    unlink(disk);
    mem_each(machine.mem, add_window, NULL);
    pthread_t t;
    return pthread_create(&t, NULL, loop, machine.loop) ? 1 : 0;
}

static void poke(uint64_t at, unsigned size, uint64_t value)
{
    mem_access(machine.mem, (Gpa){at}, size, true, &value, (MemAttrs){0});
}

/* The registers of virtio-mmio that bring queue q of the device in slot k into life. */
static void start_mmio(unsigned k, unsigned q)
{
    uint64_t s = SLOT + (uint64_t)k * SLOT_SIZE, ring = RING + (uint64_t)q % 4 * RING_SIZE;
    const uint64_t modern[][2] = {{0x70, 1}, {0x70, 3}, {0x24, 0}, {0x20, 0x3fffffff}, {0x24, 1}, {0x20, 1}, {0x70, 11}, {0x30, q},
                                  {0x38, QUEUE}, {0x80, ring}, {0x84, 0}, {0x90, ring + AVAIL}, {0x94, 0}, {0xa0, ring + USED},
                                  {0xa4, 0}, {0x44, 1}, {0x70, 15}};
    const uint64_t legacy[][2] = {{0x28, 4096}, {0x70, 1}, {0x70, 3}, {0x24, 0}, {0x20, 0x3fffffff}, {0x30, q}, {0x38, QUEUE}, {0x3c, USED},
                                  {0x40, ring / 4096}, {0x70, 7}};
    for (unsigned i = 0; i < (LEGACY ? LEN(legacy) : LEN(modern)); i++) {
        const uint64_t *w = LEGACY ? legacy[i] : modern[i];
        poke(s + w[0], 4, w[1]);
    }
}

/* Configuration space of a PCI device: its BAR 4 at `at`, memory and bus mastering on. */
static void start_pci(unsigned slot, uint64_t at)
{
    uint64_t c = ECAM + (uint64_t)slot * 8 * ECAM_DEV;
    poke(c + 0x14, 4, at + 0x10000);
    poke(c + 0x20, 4, at);
    poke(c + 0x24, 4, 0);
    poke(c + 4, 2, 6);
}

/* A descriptor of ring q; then it is made available and device k told. */
static void offer(FuzzInput *in, unsigned k, unsigned q)
{
    uint64_t ring = RING + (uint64_t)q % 4 * RING_SIZE;
    unsigned n = (unsigned)fuzz_number(in, 1) % QUEUE;
    uint64_t addr = RAM + 0x20000 + fuzz_number(in, 2) * 16;
    uint32_t len = (uint32_t)fuzz_number(in, 2);
    uint16_t flags = (uint16_t)(fuzz_number(in, 1) & 7), next = (uint16_t)fuzz_number(in, 1), index;
    if (flags == 7) { /* now and then anywhere */
        addr = fuzz_number(in, 8);
        len = (uint32_t)fuzz_number(in, 4);
    }
    mem_write(machine.mem, (Gpa){ring + 16 * n}, &addr, 8);
    mem_write(machine.mem, (Gpa){ring + 16 * n + 8}, &len, 4);
    mem_write(machine.mem, (Gpa){ring + 16 * n + 12}, &flags, 2);
    mem_write(machine.mem, (Gpa){ring + 16 * n + 14}, &next, 2);
    if (flags & 1) {
        return; /* the rest of the chain follows */
    }
    mem_read(machine.mem, (Gpa){ring + AVAIL + 2}, &index, 2);
    uint16_t first = (uint16_t)(fuzz_number(in, 1) % QUEUE);
    mem_write(machine.mem, (Gpa){ring + AVAIL + 4 + 2 * (index % QUEUE)}, &first, 2);
    index++;
    mem_write(machine.mem, (Gpa){ring + AVAIL + 2}, &index, 2);
    poke(SLOT + (uint64_t)k * SLOT_SIZE + 0x50, 4, q);
}

static void access_window(FuzzInput *in, bool write)
{
    unsigned w = (unsigned)fuzz_number(in, 1) % nwindows, size = 1u << fuzz_number(in, 1) % 4;
    uint64_t offset = fuzz_number(in, window[w].size > 65536 ? 3 : 2), value = 0;
    offset = (offset & ~(uint64_t)(size - 1)) % window[w].size;
    if (write) {
        value = fuzz_number(in, size);
    }
    mem_access(machine.mem, (Gpa){window[w].base + offset}, size, write, &value, (MemAttrs){0});
}

static void write_memory(FuzzInput *in)
{
    uint8_t buf[64];
    uint64_t at = RAM + 0x10000 + fuzz_number(in, 3) % 0x100000;
    unsigned n = (unsigned)fuzz_number(in, 1) % sizeof buf;
    fuzz_take(in, buf, n);
    mem_write(machine.mem, (Gpa){at}, buf, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, size};
    unsigned k = 31, q = 0;
    for (unsigned ops = 0; in.size && ops < OPS_MAX; ops++) {
        switch (fuzz_number(&in, 1) % 8) {
        case 0:
        case 1: access_window(&in, true); break;
        case 2: access_window(&in, false); break;
        case 3: write_memory(&in); break;
        case 4:
            k = 31 - (unsigned)fuzz_number(&in, 1) % 8;
            q = (unsigned)fuzz_number(&in, 1) % 8;
            start_mmio(k, q);
            break;
        case 5: start_pci((unsigned)fuzz_number(&in, 1) % 6, 0x10000000 + fuzz_number(&in, 1) * 0x4000); break;
        default: offer(&in, k, q); break;
        }
    }
    machine_reset_devices(&machine);
    static const uint8_t zeros[4 * RING_SIZE];
    mem_write(machine.mem, (Gpa){RING}, zeros, sizeof zeros);
    return 0;
}
