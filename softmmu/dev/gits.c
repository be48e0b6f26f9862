/* gits.c - the Interrupt Translation Service: which LPI a device's message is, and for whom (IHI 0069 5).
 *
 * A message is an EventID written to GITS_TRANSLATER by a DeviceID. The device table names the device's translation table
 * (ITT), that names LPI and collection, the collection table names the redistributor. All tables lie in the guest's memory, in
 * entries of 8 bytes of our own layout (below), so nothing here grows; what is read from them is checked each time, because
 * the guest may write there. Commands run on the thread that writes GITS_CWRITER, to the end of the queue unless that takes
 * long (BUDGET): then the rest runs bit by bit on the I/O thread and whenever GITS_CREADR is read.
 *
 * A command with wrong operands has no effect and the next one follows; a queue that is no memory stalls.
 * Locks: Gits.lock, below it the redistributors'. Adding a command? A row of `commands`.
 */
#include "dev/gic_core.h"

#include <stdlib.h>

enum { CTLR_ENABLED = 1, CTLR_QUIESCENT = 1u << 31, ITS_PART = 0x94, ARCH_GICV3 = 3 };
enum { TABLE_DEVICES, TABLE_COLLECTIONS, TABLE_COUNT };
enum { ENTRY = 8 /* bytes of each */, DEVICE_BITS = 16, EVENT_BITS = 16, COLLECTION_BITS = 16, COMMAND = 32, FRAME = 0x20000, TRANSLATER = 0x10040 };
enum { BUDGET = 20000 };

#define VALID (1ull << 63)
#define INDIRECT (1ull << 62)
#define BASER_KEEP (0x1full << 48 | 0x7ull << 56)       /* entry size and type: read-only */
#define CBASER_BITS (VALID | 0x7ull << 59 | 0x7ull << 53 | 0xffffffffff000ull | 3ull << 10 | 0xff)
#define QUEUE_BITS 0xfffe0ull

typedef struct Gits {
    Gic *gic;
    pthread_mutex_t lock;
    bool enabled, stalled;
    bool deferred; /* the rest of the queue was left to the I/O thread */
    unsigned cost; /* of the commands run at a stretch: LPIs and commands */
    uint64_t cbaser, cwriter, creadr;
    uint64_t baser[TABLE_COUNT];
} Gits;

/* Entry of the device table: VALID, address of the ITT in bits 51:8, bits of EventID less 1 in 4:0. */
/* Entry of an ITT: VALID, collection in bits 47:32, INTID in 31:0. */
/* Entry of the collection table: VALID, processor number in bits 15:0. */

typedef struct Event {
    Gpa at; /* of the ITT's entry */
    uint64_t entry;
} Event;

static const uint64_t baser_fixed[TABLE_COUNT] = {
    [TABLE_DEVICES] = 1ull << 56 | (ENTRY - 1ull) << 48,
    [TABLE_COLLECTIONS] = 4ull << 56 | (ENTRY - 1ull) << 48,
};

/* -- tables in memory -- */

static uint64_t baser_page(uint64_t baser)
{
    static const uint32_t bytes[4] = {0x1000, 0x4000, 0x10000, 0x10000};
    return bytes[baser >> 8 & 3];
}

static uint64_t baser_address(uint64_t baser)
{
    uint64_t page = baser_page(baser), at = baser & 0xfffffffff000ull & ~(page - 1);
    return page == 0x10000 ? at | (baser >> 12 & 15) << 48 : at;
}

static bool entry_read(Gits *s, Gpa at, uint64_t *entry)
{
    return mem_read(s->gic->machine->mem, at, entry, ENTRY) == 0;
}

static bool entry_write(Gits *s, Gpa at, uint64_t entry)
{
    return mem_write(s->gic->machine->mem, at, &entry, ENTRY) == 0;
}

/* Address of entry n of a table; false: the table has none. */
static bool table_at(Gits *s, unsigned table, uint64_t n, Gpa *at)
{
    uint64_t b = s->baser[table], page = baser_page(b), bytes = page * ((b & 0xff) + 1);
    if (!(b & VALID)) {
        return false;
    }
    if (!(b & INDIRECT)) {
        *at = (Gpa){baser_address(b) + n * ENTRY};
        return n < bytes / ENTRY;
    }
    uint64_t per = page / ENTRY, level1;
    if (n / per >= bytes / 8 || !entry_read(s, (Gpa){baser_address(b) + n / per * 8}, &level1) || !(level1 & VALID)) {
        return false;
    }
    *at = (Gpa){(level1 & 0xffffffffff000ull & ~(page - 1)) + n % per * ENTRY};
    return true;
}

/* The event's entry of the ITT, valid or not; false: device or event do not exist. */
static bool event_find(Gits *s, uint32_t device, uint32_t event, Event *e)
{
    Gpa at;
    uint64_t dte;
    if (device >> DEVICE_BITS || !table_at(s, TABLE_DEVICES, device, &at) || !entry_read(s, at, &dte) || !(dte & VALID)) {
        return false;
    }
    unsigned bits = (dte & 31) + 1;
    if (bits > EVENT_BITS || event >= 1u << bits) {
        return false;
    }
    e->at = (Gpa){(dte & 0xfffffffffff00ull) + (uint64_t)event * ENTRY};
    return entry_read(s, e->at, &e->entry);
}

static GicCpu *collection_cpu(Gits *s, uint32_t collection)
{
    Gpa at;
    uint64_t cte;
    if (!table_at(s, TABLE_COLLECTIONS, collection, &at) || !entry_read(s, at, &cte) || !(cte & VALID)) {
        return NULL;
    }
    return (cte & 0xffff) < s->gic->ncpus ? &s->gic->cpus[cte & 0xffff] : NULL;
}

/* The LPI that an event is, 0 = none, and its redistributor. */
static uint32_t event_lpi(Gits *s, uint32_t device, uint32_t event, GicCpu **c, Event *e)
{
    if (!event_find(s, device, event, e) || !(e->entry & VALID)) {
        return 0;
    }
    uint32_t intid = (uint32_t)e->entry;
    *c = collection_cpu(s, e->entry >> 32 & 0xffff);
    return *c && intid >= GIC_LPI && intid < GIC_LPI_END ? intid : 0;
}

/* -- commands; dw is the command's four words -- */

static uint32_t dw_device(const uint64_t *dw)
{
    return (uint32_t)(dw[0] >> 32);
}

static uint32_t dw_event(const uint64_t *dw)
{
    return (uint32_t)dw[1];
}

static GicCpu *dw_redist(Gits *s, uint64_t word)
{
    uint64_t n = word >> 16 & 0x7ffffffff;
    return n < s->gic->ncpus ? &s->gic->cpus[n] : NULL;
}

static void cmd_mapd(Gits *s, const uint64_t *dw)
{
    Gpa at;
    if (dw_device(dw) >> DEVICE_BITS == 0 && (dw[1] & 31) < EVENT_BITS &&
        table_at(s, TABLE_DEVICES, dw_device(dw), &at)) {
        entry_write(s, at, dw[2] & VALID ? VALID | (dw[2] & 0xfffffffffff00ull) | (dw[1] & 31) : 0);
    }
}

static void cmd_mapc(Gits *s, const uint64_t *dw)
{
    Gpa at;
    const GicCpu *c = dw_redist(s, dw[2]);
    if (table_at(s, TABLE_COLLECTIONS, dw[2] & 0xffff, &at) && (c || !(dw[2] & VALID))) {
        entry_write(s, at, dw[2] & VALID ? VALID | c->vcpu->index : 0);
    }
}

static void map_event(Gits *s, const uint64_t *dw, uint32_t intid)
{
    Event e;
    if (intid >= GIC_LPI && intid < GIC_LPI_END && event_find(s, dw_device(dw), dw_event(dw), &e)) {
        entry_write(s, e.at, VALID | (dw[2] & 0xffff) << 32 | intid);
    }
}

static void cmd_mapti(Gits *s, const uint64_t *dw)
{
    map_event(s, dw, (uint32_t)(dw[1] >> 32));
}

static void cmd_mapi(Gits *s, const uint64_t *dw)
{
    map_event(s, dw, dw_event(dw));
}

static void cmd_movi(Gits *s, const uint64_t *dw)
{
    Event e;
    GicCpu *from, *to = collection_cpu(s, dw[2] & 0xffff);
    uint32_t intid = event_lpi(s, dw_device(dw), dw_event(dw), &from, &e);
    if (intid && to && entry_write(s, e.at, VALID | (dw[2] & 0xffff) << 32 | intid)) {
        s->cost += gic_lpi_move(from, to, intid);
    }
}

static void cmd_movall(Gits *s, const uint64_t *dw)
{
    GicCpu *from = dw_redist(s, dw[2]), *to = dw_redist(s, dw[3]);
    if (from && to) {
        s->cost += gic_lpi_move_all(from, to);
    }
}

static void set_pending(Gits *s, const uint64_t *dw, bool pending)
{
    Event e;
    GicCpu *c;
    uint32_t intid = event_lpi(s, dw_device(dw), dw_event(dw), &c, &e);
    if (intid) {
        s->cost += gic_lpi_set(c, intid, pending);
    }
}

static void cmd_int(Gits *s, const uint64_t *dw)
{
    set_pending(s, dw, true);
}

static void cmd_clear(Gits *s, const uint64_t *dw)
{
    set_pending(s, dw, false);
}

static void cmd_discard(Gits *s, const uint64_t *dw)
{
    Event e;
    set_pending(s, dw, false);
    if (event_find(s, dw_device(dw), dw_event(dw), &e)) {
        entry_write(s, e.at, 0);
    }
}

static void cmd_inv(Gits *s, const uint64_t *dw)
{
    Event e;
    GicCpu *c;
    uint32_t intid = event_lpi(s, dw_device(dw), dw_event(dw), &c, &e);
    if (intid) {
        s->cost += gic_lpi_invalidate(c, intid);
    }
}

static void cmd_invall(Gits *s, const uint64_t *dw)
{
    GicCpu *c = collection_cpu(s, dw[2] & 0xffff);
    if (c) {
        s->cost += gic_lpi_invalidate(c, 0);
    }
}

static void cmd_sync(Gits *s, const uint64_t *dw)
{
    (void)s, (void)dw; /* every command is done when the next begins */
}

// clang-format off
static void (*const commands[])(Gits *s, const uint64_t *dw) = {
    [0x01] = cmd_movi, [0x03] = cmd_int,    [0x04] = cmd_clear, [0x05] = cmd_sync,   [0x08] = cmd_mapd,   [0x09] = cmd_mapc,
    [0x0a] = cmd_mapti, [0x0b] = cmd_mapi,  [0x0c] = cmd_inv,   [0x0d] = cmd_invall, [0x0e] = cmd_movall, [0x0f] = cmd_discard,
};
// clang-format on

static void queue_continue(void *its);

static void queue_run(Gits *s)
{
    uint64_t bytes = ((s->cbaser & 0xff) + 1) * 0x1000;
    if (!s->enabled || !(s->cbaser & VALID) || s->stalled || s->cwriter >= bytes) {
        return;
    }
    for (s->cost = 0; s->creadr != s->cwriter && s->cost < BUDGET; s->cost++) {
        uint64_t dw[4];
        if (mem_read(s->gic->machine->mem, (Gpa){(s->cbaser & 0xffffffffff000ull) + s->creadr}, dw, COMMAND) < 0) {
            s->stalled = true;
            return;
        }
        unsigned code = dw[0] & 0xff;
        if (code < LEN(commands) && commands[code]) {
            commands[code](s, dw);
        }
        s->creadr = s->creadr + COMMAND < bytes ? s->creadr + COMMAND : 0;
    }
    if (s->creadr != s->cwriter && !s->deferred) {
        s->deferred = true;
        event_call(s->gic->machine->loop, queue_continue, s);
    }
}

static void queue_continue(void *its)
{
    Gits *s = its;
    pthread_mutex_lock(&s->lock);
    s->deferred = false;
    queue_run(s);
    pthread_mutex_unlock(&s->lock);
}

/* -- registers -- */

static uint64_t ctlr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((Gits *)of)->enabled ? CTLR_ENABLED : CTLR_QUIESCENT;
}

static void ctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gits *s = of;
    (void)n, (void)ns;
    s->enabled = v & CTLR_ENABLED;
    queue_run(s);
}

static uint64_t typer_read(void *of, unsigned n, bool ns)
{
    (void)of, (void)n, (void)ns;
    return 1 | (ENTRY - 1) << 4 | (EVENT_BITS - 1) << 8 | (DEVICE_BITS - 1) << 13 | (uint64_t)(COLLECTION_BITS - 1) << 32 |
           1ull << 36;
}

static uint64_t cbaser_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((Gits *)of)->cbaser;
}

static void cbaser_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gits *s = of;
    (void)n, (void)ns;
    if (!s->enabled) {
        s->cbaser = v & CBASER_BITS;
        s->creadr = 0;
        s->stalled = false;
    }
}

static uint64_t cwriter_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((Gits *)of)->cwriter;
}

static void cwriter_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gits *s = of;
    (void)n, (void)ns;
    s->cwriter = v & QUEUE_BITS;
    s->stalled = s->stalled && !(v & 1); /* Retry */
    queue_run(s);
}

static uint64_t creadr_read(void *of, unsigned n, bool ns)
{
    Gits *s = of;
    (void)n, (void)ns;
    queue_run(s);
    return s->creadr | s->stalled;
}

static uint64_t baser_read(void *of, unsigned n, bool ns)
{
    (void)ns;
    return n < TABLE_COUNT ? ((Gits *)of)->baser[n] : 0;
}

static void baser_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gits *s = of;
    (void)ns;
    if (n < TABLE_COUNT && !s->enabled) {
        s->baser[n] = (v & ~BASER_KEEP) | baser_fixed[n];
        if (n == TABLE_COLLECTIONS) {
            s->baser[n] &= ~INDIRECT;
        }
    }
}

// clang-format off
static const GicReg regs[] = {
    /* at    size count read          write          reset */
    {0x0000, 4,   1,    ctlr_read,    ctlr_write,    0},     /* GITS_CTLR */
    {0x0004, 4,   1,    NULL,         NULL,          0x43b}, /* GITS_IIDR */
    {0x0008, 8,   1,    typer_read,   NULL,          0},     /* GITS_TYPER */
    {0x0080, 8,   1,    cbaser_read,  cbaser_write,  0},     /* GITS_CBASER */
    {0x0088, 8,   1,    cwriter_read, cwriter_write, 0},     /* GITS_CWRITER */
    {0x0090, 8,   1,    creadr_read,  NULL,          0},     /* GITS_CREADR */
    {0x0100, 8,   8,    baser_read,   baser_write,   0},     /* GITS_BASER<n> */
    {0xffd0, 4,   12,   NULL, NULL, GIC_ID(ITS_PART, ARCH_GICV3)},
};
// clang-format on

static bool its_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    Gits *s = dev;
    (void)attrs;
    *value = 0;
    pthread_mutex_lock(&s->lock);
    gic_reg_access(regs, LEN(regs), s, offset, size, false, value, false);
    pthread_mutex_unlock(&s->lock);
    return true;
}

static bool its_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Gits *s = dev;
    pthread_mutex_lock(&s->lock);
    if (offset != TRANSLATER) {
        gic_reg_access(regs, LEN(regs), s, offset, size, true, &value, false);
    } else if (s->enabled) {
        GicCpu *c;
        Event e;
        uint32_t event = (uint32_t)(size == 2 ? value & 0xffff : value);
        uint32_t intid = event_lpi(s, attrs.requester, event, &c, &e);
        if (intid) {
            gic_lpi_set(c, intid, true);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return true;
}

static const MmioOps its_ops = {its_read, its_write};

void gits_reset(Gits *s)
{
    pthread_mutex_lock(&s->lock);
    s->enabled = s->stalled = false;
    s->cbaser = s->cwriter = s->creadr = 0;
    memcpy(s->baser, baser_fixed, sizeof(s->baser));
    pthread_mutex_unlock(&s->lock);
}

int gits_new(Gic *g)
{
    Gits *s = calloc(1, sizeof(*s));
    if (!s) {
        return -1;
    }
    s->gic = g;
    pthread_mutex_init(&s->lock, NULL);
    g->its = s;
    mem_add_mmio(g->machine->mem, "gits", g->config.its_base, FRAME, &its_ops, s);
    return 0;
}
