/* virt.c - the board `virt`: takes the options, makes memory, CPUs, interrupt controller and devices, all by virt.def.
 *
 * Order: properties -> memory -> CPUs -> interrupt controller, timers -> devices -> -device -> tree -> loader.
 */
#define _GNU_SOURCE
#include "boards/virt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bootorder.h"
#include "console.h"
#include "dev/flash.h"
#include "dev/pci.h"
#include "dev/pl011.h"
#include "dev/pl031.h"
#include "dev/virtio.h"
#include "devices.h"
#include "drive.h"
#include "loader.h"
#include "options.h"
#include "space.h"
#include "sys.h"
#include "timer.h"

enum { DEFAULT_MIB = 128, GPIO_POWER_KEY = 3, KEY_PRESS = 100000000 /* ns */ };

/* -- properties ---------------------------------------------------------------------------------------------------- */

enum PropKind_ { BOOL, STR, ONLY };

static const struct {
    const char *name;
    enum PropKind_ kind;
    size_t offset;
    const char *doc;
} props[] = {
#define PROP(name, kind, field, doc) {name, kind, offsetof(VirtProps, field), doc},
#include "boards/virt.def"
};

static NORETURN void props_help(void)
{
    printf("properties of -M virt:\n");
    for (unsigned k = 0; k < LEN(props); k++) {
        printf("  %-16s %s%s\n", props[k].name, props[k].kind == ONLY ? "only " : "", props[k].doc);
    }
    exit(0);
}

/* Does words, separated by |, have the word? */
static bool among(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL) {
        if (strcspn(w, "|") == n && !strncmp(w, word, n)) {
            return true;
        }
    }
    return false;
}

static void props_take(VirtProps *p, const Options *o)
{
    *p = (VirtProps){.its = true, .highmem = true, .highmem_ecam = true, .highmem_mmio = true, .dtb_randomness = true};
    for (unsigned n = 0; n < o->machine.n; n++) {
        OptList *l = &o->machine.at[n];
        const char *type = opt_take(l, "type");
        if (type && (!strcmp(type, "help") || !strcmp(type, "?"))) {
            printf("virt             the one machine there is: QEMU's virt\n");
            exit(0);
        }
        if (type && strcmp(type, "virt") && strncmp(type, "virt-", 5)) {
            die("-M %s: unknown machine (only virt)", type);
        }
        if (opt_take(l, "help")) {
            props_help();
        }
        for (unsigned k = 0; k < LEN(props); k++) {
            void *field = (char *)p + props[k].offset;
            if (props[k].kind == BOOL) {
                *(bool *)field = opt_take_bool(l, props[k].name, *(bool *)field);
            } else {
                const char *v = opt_take(l, props[k].name);
                if (v && props[k].kind == ONLY && !among(props[k].doc, v)) {
                    die("-M %s=%s: only %s", props[k].name, v, props[k].doc);
                }
                *(const char **)field = v ? v : *(const char **)field;
            }
        }
        opt_rest(l);
    }
    if (p->accel && strcmp(p->accel, "tcg") && !strstr(p->accel, ":tcg")) {
        die("-M accel=%s: only tcg", p->accel);
    }
    p->highmem_ecam &= p->highmem;
    p->highmem_mmio &= p->highmem;
}

/* GIC's version and how messages arrive. */
static void gic_choose(Virt *b, const VirtProps *p, unsigned ncpus)
{
    const char *v = p->gic_version;
    if (!v) {
        b->gic_version = ncpus > 8 ? 3 : 2;
    } else if (!strcmp(v, "2")) {
        b->gic_version = 2;
    } else if (!strcmp(v, "3") || !strcmp(v, "max") || !strcmp(v, "host")) {
        b->gic_version = 3;
    } else {
        die("-M gic-version=%s: 2, 3, max or host", v);
    }
    if (b->gic_version == 2 && ncpus > 8) {
        die("-smp %u: GICv2 serves at most 8 CPUs; use -M gic-version=3", ncpus);
    }
    const char *msi = p->msi ? p->msi : "auto";
    if (strcmp(msi, "auto") && strcmp(msi, "its") && strcmp(msi, "gicv2m") && strcmp(msi, "off")) {
        die("-M msi=%s: auto, its, gicv2m or off", msi);
    }
    bool any = strcmp(msi, "off") != 0, v2m = !strcmp(msi, "gicv2m");
    b->its = b->gic_version == 3 && p->its && any && !v2m;
    b->v2m = any && (v2m || b->gic_version == 2);
    if (!strcmp(msi, "its") && !b->its) {
        die("-M msi=its: needs gic-version=3");
    }
}

/* -smp: how many CPUs, and in what topology they are described. */
static unsigned smp_take(Virt *b, const Options *o)
{
    uint64_t cpus = 0, sockets = 0, clusters = 1, cores = 0, threads = 0, max = 0;
    for (unsigned n = 0; n < o->smp.n; n++) {
        OptList *l = &o->smp.at[n];
        const char *given = opt_look(l, "cpus");
        cpus = opt_take_number(l, "cpus", cpus);
        if (given && !cpus) {
            die("-smp cpus=0: at least one CPU");
        }
        sockets = opt_take_number(l, "sockets", sockets);
        clusters = opt_take_number(l, "clusters", clusters);
        cores = opt_take_number(l, "cores", cores);
        threads = opt_take_number(l, "threads", threads);
        max = opt_take_number(l, "maxcpus", max);
        opt_take_number(l, "dies", 1);
        opt_rest(l);
    }
    uint64_t s = sockets ? sockets : 1, t = threads ? threads : 1;
    clusters = clusters ? clusters : 1;
    cpus = cpus ? cpus : s * clusters * (cores ? cores : 1) * t;
    if (cpus > MAX_CPUS) {
        die("-smp: at most %d CPUs", MAX_CPUS);
    }
    if (!cores) {
        cores = cpus / (s * clusters * t);
    } else if (!sockets) {
        s = cpus / (clusters * cores * t);
    }
    if (s * clusters * cores * t != cpus || (max && max < cpus)) {
        die("-smp: %llu CPUs are not %llu sockets x %llu clusters x %llu cores x %llu threads", (unsigned long long)cpus,
            (unsigned long long)s, (unsigned long long)clusters, (unsigned long long)cores, (unsigned long long)t);
    }
    b->sockets = (unsigned)s;
    b->clusters = (unsigned)clusters;
    b->cores = (unsigned)cores;
    b->threads = (unsigned)t;
    return (unsigned)cpus;
}

static uint64_t memory_take(const Options *o)
{
    uint64_t size = (uint64_t)DEFAULT_MIB << 20;
    for (unsigned n = 0; n < o->memory.n; n++) {
        OptList *l = &o->memory.at[n];
        size = opt_take_size(l, "size", 1 << 20, size);
        uint64_t slots = opt_take_number(l, "slots", 0), most = opt_take_size(l, "maxmem", 1 << 20, 0);
        if (slots || most > size) {
            die("-m %s: memory cannot be added later", l->text);
        }
        opt_rest(l);
    }
    size = ALIGN_UP(size, 1 << 20);
    if (!size || size > VIRT_RAM_SIZE) {
        die("-m: from 1 MiB to %llu GiB", (unsigned long long)(VIRT_RAM_SIZE >> 30));
    }
    return size;
}

/* -cpu MODEL,feature=on|off: pmu, pauth and lpa2 can be switched off; of what is as it is only that may be said. */
static const CpuModel *cpu_take(Virt *b, const Options *o)
{
    static const struct {
        const char *key;
        bool is;
    } fixed[] = {{"aarch64", true}, {"pauth-impdef", true}, {"pauth-qarma3", false}, {"pauth-qarma5", false}};
    OptList *l = opt_list("-cpu", o->cpu ? o->cpu : a64_model(NULL)->name, "model");
    const char *name = opt_take(l, "model");
    const CpuModel *m = name ? a64_model(name) : NULL;
    if (!m) {
        die("-cpu %s: unknown model (-cpu help lists them)", name ? name : "");
    }
    b->pmu = opt_take_bool(l, "pmu", true);
    b->no_pauth = !opt_take_bool(l, "pauth", true);
    b->no_lpa2 = !opt_take_bool(l, "lpa2", true);
    for (unsigned k = 0; k < LEN(fixed); k++) {
        if (opt_take_bool(l, fixed[k].key, fixed[k].is) != fixed[k].is) {
            die("-cpu %s: %s is always %s", o->cpu, fixed[k].key, fixed[k].is ? "on" : "off");
        }
    }
    for (unsigned k = 0; k < l->n; k++) {
        const char *key = l->pairs[k].key;
        if ((!strncmp(key, "sve", 3) || !strncmp(key, "sme", 3)) && opt_take_bool(l, key, false)) {
            die("-cpu %s: there is no SVE or SME", o->cpu);
        }
    }
    opt_rest(l);
    return m;
}

static void accel_take(const Options *o, EngineConfig *cfg)
{
    cfg->cache_bytes = o->tb_size << 20;
    cfg->one_insn = o->one_insn;
    for (unsigned n = 0; n < o->accel.n; n++) {
        OptList *l = &o->accel.at[n];
        const char *name = opt_take(l, "accel");
        if (name && strcmp(name, "tcg")) {
            die("-accel %s: only tcg", name);
        }
        const char *thread = opt_take(l, "thread");
        if (thread && strcmp(thread, "multi")) {
            die("-accel %s: thread is multi: a host thread for each CPU", l->text);
        }
        opt_take_bool(l, "split-wx", true); /* translated code is always so */
        cfg->cache_bytes = opt_take_number(l, "tb-size", cfg->cache_bytes >> 20) << 20;
        cfg->one_insn = opt_take_bool(l, "one-insn-per-tb", cfg->one_insn);
        opt_rest(l);
    }
}

/* -- memory, CPUs, interrupts ------------------------------------------------------------------------------------- */

static void *memory(const Virt *b, uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        die("-m: the host has no %llu MiB: %s", (unsigned long long)(size >> 20), strerror(errno));
    }
    races_are_the_guests(p, size);
    madvise(p, size, MADV_HUGEPAGE);
    if (!b->props.dump_core) {
        madvise(p, size, MADV_DONTDUMP);
    }
    if (b->props.merge && madvise(p, size, MADV_MERGEABLE) < 0) {
        die("-M mem-merge=on: %s", strerror(errno));
    }
    return p;
}

static void cpus_new(Machine *m, const Virt *b, unsigned n)
{
    CpuModel *model = calloc(1, sizeof *model);
    if (!model) {
        die("no memory for CPUs");
    }
    a64_machine_model(m->model, (A64Options){.el2 = m->el2, .el3 = m->el3, .gicv3 = b->gic_version == 3, .pmu = b->pmu,
                                             .no_pauth = b->no_pauth, .no_lpa2 = b->no_lpa2}, model);
    m->model = model;
    EngineConfig cfg = {.fe = &a64_system_frontend, .cpu_model = m->model, .interp = m->options->interp, .soft = &space_soft};
    accel_take(m->options, &cfg);
    m->space = cfg.space = space_new(m->mem);
    m->engine = engine_new(&cfg);
    if (!m->engine || machine_vcpus_new(m, n) < 0) {
        die("no memory for CPUs and translated code");
    }
    unsigned cluster = b->gic_version == 3 ? 16 : 8;
    for (unsigned k = 0; k < n; k++) {
        m->vcpus[k].mpidr = (uint64_t)(k / cluster) << 8 | k % cluster;
        if (space_cpu_init(m->space, m->vcpus[k].cpu) < 0) {
            die("no memory for CPUs");
        }
    }
    if (n > 1) {
        engine_share(m->engine);
    }
}

static void interrupts_new(Machine *m, const Virt *b)
{
    uint64_t low = VIRT_GIC_REDIST_SIZE / REDIST_SIZE;
    GicConfig g = {
        .version = b->gic_version, .spis = SPIS, .security = m->el3, .all_nonsecure = m->psci_conduit != PSCI_OFF,
        .virt = m->el2, .its = b->its, .dist = {VIRT_GIC_DIST}, .cpu = {VIRT_GIC_CPU}, .gich = {VIRT_GIC_HYP},
        .gicv = {VIRT_GIC_VCPU}, .redist = {{VIRT_GIC_REDIST}, {VIRT_GIC_REDIST2}}, .redist0 = (unsigned)low,
        .its_base = {VIRT_GIC_ITS}, .v2m = {VIRT_GIC_V2M}, .v2m_spi = V2M_SPI, .v2m_count = b->v2m ? V2M_SPIS : 0,
    };
    m->gic = gic_new(m, &g);
    if (!m->gic) {
        die("no memory for the interrupt controller");
    }
    timer_new(m);
}

/* -- devices ------------------------------------------------------------------------------------------------------- */

static void make_uart(Machine *m, const VirtDev *d, Irq irq)
{
    Virt *b = m->board;
    if (!pl011_new(m, "uart0", d->base, irq, b->serial[0])) {
        die("-serial: the character device is in use");
    }
}

static void make_uart2(Machine *m, const VirtDev *d, Irq irq)
{
    Virt *b = m->board;
    if (!pl011_new(m, "uart1", d->base, irq, b->serial[1])) {
        die("-serial: the character device is in use");
    }
}

/* -rtc base=utc, localtime, or a date: seconds since 1970 that the clock shows now. */
static int64_t rtc_epoch(const Options *o)
{
    time_t now = time(NULL);
    const char *base = NULL;
    for (unsigned n = 0; n < o->rtc.n; n++) {
        OptList *l = &o->rtc.at[n];
        const char *v = opt_take(l, "base");
        base = v ? v : base;
        const char *clock = opt_take(l, "clock"), *fix = opt_take(l, "driftfix");
        if ((clock && strcmp(clock, "host")) || (fix && strcmp(fix, "none"))) {
            die("-rtc %s: clock is host, driftfix is none", l->text);
        }
        opt_rest(l);
    }
    struct tm t = {0};
    if (!base || !strcmp(base, "utc")) {
        return now;
    }
    if (!strcmp(base, "localtime")) {
        return localtime_r(&now, &t) ? now + t.tm_gmtoff : now;
    }
    const char *end = strptime(base, "%Y-%m-%dT%H:%M:%S", &t);
    end = end ? end : (memset(&t, 0, sizeof t), strptime(base, "%Y-%m-%d", &t));
    if (!end || *end) {
        die("-rtc base=%s: utc, localtime or YYYY-MM-DDTHH:MM:SS", base);
    }
    return timegm(&t);
}

static void make_rtc(Machine *m, const VirtDev *d, Irq irq)
{
    pl031_new(m, "rtc", d->base, irq, rtc_epoch(m->options));
}

static void make_gpio(Machine *m, const VirtDev *d, Irq irq)
{
    Virt *b = m->board;
    b->gpio = pl061_new(m, "gpio", d->base, irq, NULL, NULL);
}

static void secure_gpio(void *arg, unsigned line, bool level)
{
    if (level && line < 2) {
        machine_request(arg, line == 0 ? END_POWEROFF : END_RESET);
    }
}

#define ALWAYS DEV_ALWAYS
#define SECURE DEV_SECURE
#define UART2 DEV_UART2
const VirtDev virt_devs[] = {
#define DEV(id, node, base, size, spi, when, clocks, compatible, make) \
    {#id, node, {base}, size, spi, when, clocks, compatible, sizeof compatible, make},
#include "boards/virt.def"
};
#undef ALWAYS
#undef SECURE
#undef UART2
const unsigned virt_ndevs = LEN(virt_devs);

static void key_up(void *arg)
{
    pl061_drive(arg, GPIO_POWER_KEY, false);
}

void machine_powerdown(Machine *m)
{
    static EventTimer release;
    Virt *b = m->board;
    event_timer_init(&release, m->loop, key_up, b->gpio);
    pl061_drive(b->gpio, GPIO_POWER_KEY, true);
    event_timer_set(&release, event_now() + KEY_PRESS);
}

/* -- flash --------------------------------------------------------------------------------------------------------- */

/* Images of the two banks: -pflash, -drive if=pflash, -M pflash0=ID. */
static void flash_images(Machine *m, Block *banks[2])
{
    const Options *o = m->options;
    const Virt *b = m->board;
    const char *ids[2] = {b->props.pflash[0], b->props.pflash[1]};
    unsigned next = 0;
    char why[1000];
    for (unsigned k = 0; k < o->npflash; k++) {
        OptList *l = opt_list("-pflash", "format=raw", NULL);
        l->text = o->pflash[k];
        opt_add(l, "file", o->pflash[k]);
        ids[next++] = drive_open(m, l);
    }
    for (unsigned k = 0; k < o->drive.n; k++) {
        OptList *l = &o->drive.at[k];
        const char *kind = opt_look(l, "if");
        if (kind && !strcmp(kind, "pflash")) {
            uint64_t unit = opt_take_number(l, "unit", opt_take_number(l, "index", next));
            opt_take(l, "if");
            if (unit >= 2) {
                die("%s %s: there are two flash banks", l->option, l->text);
            }
            ids[unit] = drive_open(m, l);
            next = (unsigned)unit + 1;
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        if (ids[k] && !(banks[k] = drive_take(m, ids[k], k ? "flash1" : "flash0", why, sizeof why))) {
            die("%s", why);
        }
        if (banks[k] && block_size(banks[k]) > VIRT_FLASH_SIZE / 2) {
            die("flash image %s: %llu MiB, a bank has 64", ids[k], (unsigned long long)(block_size(banks[k]) >> 20));
        }
    }
}

/* A firmware file by name, or where Debian's packages put one of that name. */
static BootFile firmware_file(const char *name)
{
    static const char *const dirs[] = {"/usr/share/qemu", "/usr/share/qemu-efi-aarch64", "/usr/share/AAVMF",
                                       "/usr/lib/u-boot/qemu_arm64"};
    char *path;
    for (unsigned k = 0; access(name, R_OK) < 0 && !strchr(name, '/') && k < LEN(dirs); k++) {
        if (asprintf(&path, "%s/%s", dirs[k], name) > 0 && access(path, R_OK) == 0) {
            name = path;
        }
    }
    return boot_file("-bios", name);
}

static void flash_make(Machine *m, const char *bios)
{
    Virt *b = m->board;
    Block *banks[2] = {NULL, NULL};
    BootFile f = {0};
    uint64_t half = VIRT_FLASH_SIZE / 2;
    flash_images(m, banks);
    if (bios) {
        if (banks[0]) {
            die("-bios: the first flash bank has an image already");
        }
        f = firmware_file(bios);
        if (f.size > half) {
            die("-bios %s: more than the 64 MiB of a flash bank", bios);
        }
    }
    b->boot.firmware = banks[0] || bios;
    int r = flash_new(m, "flash0", (Gpa){VIRT_FLASH}, half, banks[0], f.at, f.size);
    r = r < 0 ? r : flash_new(m, "flash1", (Gpa){VIRT_FLASH + half}, half, banks[1], NULL, 0);
    if (r < 0) {
        die("flash: %s", strerror(-r));
    }
    free(f.at);
}

/* -- firmware's configuration --------------------------------------------------------------------------------------- */

static void uuid_take(const char *text, uint8_t *out)
{
    unsigned n = 0;
    for (const char *s = text; *s && n < 32; s++) {
        if (*s == '-') {
            continue;
        }
        const char *hex = "0123456789abcdef", *d = strchr(hex, *s | 0x20);
        if (!d) {
            break;
        }
        out[n / 2] = (uint8_t)(out[n / 2] << 4 | (d - hex));
        n++;
    }
    if (n != 32) {
        die("-uuid %s: expected 12345678-1234-1234-1234-123456789abc", text);
    }
}

static void fw_cfg_options(FwCfg *f, const Options *o)
{
    for (unsigned n = 0; n < o->fw_cfg.n; n++) {
        OptList *l = &o->fw_cfg.at[n];
        const char *name = opt_take(l, "name"), *file = opt_take(l, "file"), *string = opt_take(l, "string");
        BootFile data = {.at = (uint8_t *)string, .size = string ? strlen(string) : 0};
        opt_rest(l);
        if (!name || !file == !string) {
            die("-fw_cfg %s: expected name=N,file=F or name=N,string=S", l->text);
        }
        data = file ? boot_file("-fw_cfg", file) : data;
        if (!fw_cfg_file(f, name, data.at, data.size, false)) {
            die("-fw_cfg %s: name too long or used twice, or too many", name);
        }
    }
}

/* -boot and bootindex=: where firmware is to look, whether it shows a menu, and how long. Letters of order= are for disks that there are
 * none of (floppies, CD-ROM drives), and mean nothing to firmware for this machine. */
static void fw_cfg_boot(FwCfg *f, const Options *o)
{
    bool menu = false, strict = false;
    uint64_t wait = 0;
    for (unsigned n = 0; n < o->boot.n; n++) {
        OptList *l = &o->boot.at[n];
        static const char *const orders[] = {"order", "once"};
        for (unsigned k = 0; k < LEN(orders); k++) {
            const char *v = opt_take(l, orders[k]);
            if (v && v[strspn(v, "abcdefghijklmnop")]) {
                die("-boot %s: %s is made of the letters a to p", l->text, orders[k]);
            }
        }
        menu = opt_take_bool(l, "menu", menu);
        strict = opt_take_bool(l, "strict", strict);
        wait = opt_take_number(l, "splash-time", wait);
        if (wait > UINT16_MAX) {
            die("-boot %s: splash-time is at most %u ms", l->text, UINT16_MAX);
        }
        opt_rest(l);
    }
    fw_cfg_u16(f, FW_BOOT_MENU, menu);
    static uint8_t ms[2];
    ms[0] = (uint8_t)wait;
    ms[1] = (uint8_t)(wait >> 8);
    size_t n;
    char *order = bootorder_text(strict, &n);
    if ((wait && !fw_cfg_file(f, "etc/boot-menu-wait", ms, sizeof ms, false)) || (order && !fw_cfg_file(f, "bootorder", order, n, false))) {
        die("-boot: no room for so many -fw_cfg items");
    }
}

static void fw_cfg_fill(Machine *m)
{
    Virt *b = m->board;
    const Boot *boot = &b->boot;
    static uint8_t uuid[16];
    FwCfg *f = b->fw_cfg = fw_cfg_new(m, "fw_cfg", (Gpa){VIRT_FW_CFG});
    if (m->options->uuid) {
        uuid_take(m->options->uuid, uuid);
    }
    fw_cfg_item(f, FW_UUID, uuid, sizeof uuid);
    fw_cfg_u16(f, FW_NB_CPUS, (uint16_t)m->nvcpus);
    fw_cfg_u16(f, FW_MAX_CPUS, (uint16_t)m->nvcpus);
    fw_cfg_u16(f, FW_NOGRAPHIC, 1);
    static uint8_t ram[8];
    memcpy(ram, &b->ram_size, 8);
    fw_cfg_item(f, FW_RAM_SIZE, ram, 8);
    if (boot->firmware && boot->kernel.name) {
        fw_cfg_u32(f, FW_KERNEL_SIZE, (uint32_t)boot->kernel.size);
        fw_cfg_item(f, FW_KERNEL_DATA, boot->kernel.at, boot->kernel.size);
        fw_cfg_u32(f, FW_INITRD_SIZE, (uint32_t)boot->initrd.size);
        fw_cfg_item(f, FW_INITRD_DATA, boot->initrd.at, boot->initrd.size);
        const char *cmdline = boot->cmdline ? boot->cmdline : "";
        fw_cfg_u32(f, FW_CMDLINE_SIZE, (uint32_t)strlen(cmdline) + 1);
        fw_cfg_item(f, FW_CMDLINE_DATA, cmdline, strlen(cmdline) + 1);
    }
    const char *acpi = b->props.acpi ? b->props.acpi : "auto";
    if (strcmp(acpi, "auto") && strcmp(acpi, "on") && strcmp(acpi, "off")) {
        die("-M acpi=%s: on, auto or off", acpi);
    }
    if (strcmp(acpi, "off") && !m->options->no_acpi) {
        virt_acpi(m, b);
    }
    fw_cfg_options(f, m->options);
}

/* -- making it all --------------------------------------------------------------------------------------------------- */

static void dump_tree(const Boot *boot, const char *path)
{
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(boot->dtb.at, 1, boot->dtb.size, out) != boot->dtb.size || fclose(out) != 0) {
        die("-M dumpdtb=%s: %s", path, strerror(errno));
    }
    fprintf(stderr, "armx-system: the device tree is in %s\n", path);
    exit(0);
}

/* What starts: files are read, the tree gets what they need. */
static void boot_make(Machine *m)
{
    Virt *b = m->board;
    const Options *o = m->options;
    const char *dtb = o->dtb ? o->dtb : b->props.dtb;
    DevTree tree;
    if (dtb) {
        BootFile f = boot_file("-dtb", dtb);
        tree = (DevTree){f.at, (int)f.size};
    } else {
        virt_tree(m, b, &tree);
    }
    boot_prepare(&b->boot, &tree, dtb != NULL);
    free(tree.blob);
    if (b->props.dumpdtb) {
        dump_tree(&b->boot, b->props.dumpdtb);
    }
    loader_check(m);
}

static void boot_files(Virt *b, const Options *o)
{
    const char *kernel = o->kernel ? o->kernel : b->props.kernel, *initrd = o->initrd ? o->initrd : b->props.initrd;
    b->boot.cmdline = o->append ? o->append : b->props.append;
    b->boot.ram = (Gpa){VIRT_RAM};
    b->boot.ram_size = b->ram_size;
    if (!kernel && (initrd || b->boot.cmdline)) {
        die("%s: only together with -kernel", initrd ? "-initrd" : "-append");
    }
    if (kernel) {
        b->boot.kernel = boot_file("-kernel", kernel);
    }
    if (initrd) {
        b->boot.initrd = boot_file("-initrd", initrd);
    }
}

bool board_has_start(const Machine *m)
{
    const Virt *b = m->board;
    return b->boot.kernel.name || b->boot.firmware || loader_any();
}

uint64_t machine_memory(const Machine *m)
{
    return ((const Virt *)m->board)->ram_size;
}

void board_each_placed(const Machine *m, void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg)
{
    boot_each(&((const Virt *)m->board)->boot, fn, arg);
    loader_each(fn, arg);
}

void board_boot(Machine *m)
{
    const Virt *b = m->board;
    boot_place(&b->boot, m->mem);
    loader_place(m);
    bool firmware = b->boot.firmware || !b->boot.kernel.name;
    uint64_t first = VIRT_FLASH;
    for (unsigned k = 1; k < m->nvcpus; k++) {
        loader_pc(k, &m->vcpus[k].cpu->pc); /* off until PSCI says where to begin */
    }
    loader_pc(0, &first);
    vcpu_power_on(&m->vcpus[0], firmware ? first : b->boot.entry.v, firmware ? 0 : b->boot.dtb_at.v);
}

/* The slots of virtio-mmio, modern unless -global virtio-mmio.force-legacy says otherwise. */
static void slots_make(Machine *m)
{
    const char *v = device_global(m, "virtio-mmio", "force-legacy");
    OptPair pair = {.key = (char *)"force-legacy", .value = (char *)v};
    OptList l = {.option = "-global", .text = "virtio-mmio.force-legacy", .pairs = &pair, .n = v ? 1 : 0};
    bool legacy = opt_take_bool(&l, pair.key, false);
    for (unsigned k = 0; k < VIRTIO_SLOTS; k++) {
        virtio_mmio_slot(m, (Gpa){VIRT_VIRTIO + k * VIRT_VIRTIO_SIZE}, gic_spi(m->gic, VIRTIO_SPI + k), legacy);
    }
}

static void pcie_make(Machine *m, const Virt *b)
{
    bool high = b->props.highmem_ecam;
    PciHostConfig c = {
        .ecam = {high ? VIRT_PCIE_ECAM : VIRT_PCIE_ECAM_LOW},
        .ecam_size = high ? VIRT_PCIE_ECAM_SIZE : VIRT_PCIE_ECAM_LOW_SIZE,
        .pio = {VIRT_PCIE_PIO},
    };
    for (unsigned k = 0; k < 4; k++) {
        c.intx[k] = gic_spi(m->gic, PCIE_SPI + k);
    }
    if (pci_host_new(m, &c) < 0) {
        die("no memory for the PCI host");
    }
}

void board_new(Machine *m)
{
    const Options *o = m->options;
    Virt *b = calloc(1, sizeof *b);
    if (!b) {
        die("no memory");
    }
    m->board = b;
    props_take(&b->props, o);
    m->model = cpu_take(b, o);
    unsigned ncpus = smp_take(b, o);
    gic_choose(b, &b->props, ncpus);
    b->ram_size = memory_take(o);
    m->el2 = b->props.virtualization;
    m->el3 = b->props.secure;
    m->mem = mem_new();
    boot_files(b, o);
    flash_make(m, o->bios ? o->bios : b->props.firmware);
    bool firmware = b->boot.firmware || !b->boot.kernel.name; /* which with EL3 has PSCI itself */
    m->psci_conduit = m->el3 && firmware ? PSCI_OFF : m->el2 ? PSCI_SMC : PSCI_HVC;
    mem_add_ram(m->mem, "ram", (Gpa){VIRT_RAM}, b->ram_size, memory(b, b->ram_size), false);
    cpus_new(m, b, ncpus);
    interrupts_new(m, b);
    console_new(m, b->serial);
    b->present = DEV_ALWAYS | (m->el3 ? DEV_SECURE : 0) | (b->serial[1] ? DEV_UART2 : 0);
    for (unsigned k = 0; k < virt_ndevs; k++) {
        const VirtDev *d = &virt_devs[k];
        if (d->when & b->present) {
            d->make(m, d, gic_spi(m->gic, (unsigned)d->spi));
            if (d->when & b->present & DEV_SECURE) {
                mem_secure(m->mem, d->base);
            }
        }
    }
    if (m->el3) {
        mem_add_ram(m->mem, "secure-ram", (Gpa){VIRT_SECURE_RAM}, VIRT_SECURE_RAM_SIZE, memory(b, VIRT_SECURE_RAM_SIZE), false);
        pl061_new(m, "secure-gpio", (Gpa){VIRT_SECURE_GPIO}, gic_spi(m->gic, 0), secure_gpio, m);
        mem_secure(m->mem, (Gpa){VIRT_FLASH});
        mem_secure(m->mem, (Gpa){VIRT_SECURE_RAM});
        mem_secure(m->mem, (Gpa){VIRT_SECURE_GPIO});
    }
    console_monitors(m, b->serial);
    fw_cfg_fill(m);
    slots_make(m);
    pcie_make(m, b);
    devices_create(m);
    fw_cfg_boot(b->fw_cfg, o);
    boot_make(m);
}
