/* fw_cfg.c - QEMU's firmware configuration device, as its documentation (docs/specs/fw_cfg) describes the interface:
 * data register at 0 (8 bytes), selector at 8, DMA address at 16, all big-endian.
 *
 * A DMA request is a structure in guest memory: control, length, address. It is done at once on the vCPU's thread; its
 * control word becomes 0, or the error bit.
 */
#include "dev/fw_cfg.h"

#include <stdlib.h>

#include "dev/regs.h"

enum { ITEMS = 96, FIRST_FILE = 32, FILES = ITEMS - FIRST_FILE, NAME_SIZE = 56, ENTRY_SIZE = 64 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { VERSION_TRADITIONAL = 1, VERSION_DMA = 2 };

typedef struct Item {
    uint8_t *data;
    size_t size;
    bool writable;
} Item;

struct FwCfg {
    Machine *machine;
    pthread_mutex_t lock;
    Item items[ITEMS];
    uint8_t dir[4 + FILES * ENTRY_SIZE];
    unsigned nfiles, selected;
    uint64_t at; /* in the selected item */
    uint32_t dma_high;
};

static void put_be(uint8_t *to, uint64_t v, unsigned n)
{
    while (n--) {
        *to++ = (uint8_t)(v >> 8 * n);
    }
}

static uint64_t get_be(const uint8_t *from, unsigned n)
{
    uint64_t v = 0;
    while (n--) {
        v = v << 8 | *from++;
    }
    return v;
}

static const Item *selected(const FwCfg *f)
{
    static const Item none;
    return f->selected < ITEMS ? &f->items[f->selected] : &none;
}

static uint8_t next_byte(FwCfg *f)
{
    const Item *i = selected(f);
    return f->at < i->size ? i->data[f->at++] : 0;
}

/* Copies to the guest, zeros behind the item's end; false when the guest's memory is none. */
static bool dma_read(FwCfg *f, uint64_t to, uint32_t n)
{
    static const uint8_t zeros[4096];
    const Item *i = selected(f);
    uint64_t have = f->at < i->size ? i->size - f->at : 0;
    uint32_t part = n < have ? n : (uint32_t)have;
    bool ok = !part || mem_write(f->machine->mem, (Gpa){to}, i->data + f->at, part) == 0;
    f->at += part;
    for (uint64_t at = to + part, end = to + n; ok && at < end; at += sizeof zeros) {
        ok = mem_write(f->machine->mem, (Gpa){at}, zeros, end - at < sizeof zeros ? end - at : sizeof zeros) == 0;
    }
    return ok;
}

static bool dma_write(FwCfg *f, uint64_t from, uint32_t n)
{
    const Item *i = selected(f);
    if (!i->writable || f->at > i->size || n > i->size - f->at) {
        return false;
    }
    bool ok = mem_read(f->machine->mem, (Gpa){from}, i->data + f->at, n) == 0;
    f->at += n;
    return ok;
}

static void dma(FwCfg *f, uint64_t request)
{
    uint8_t r[16];
    if (mem_read(f->machine->mem, (Gpa){request}, r, sizeof r) < 0) {
        return;
    }
    uint32_t control = (uint32_t)get_be(r, 4), n = (uint32_t)get_be(r + 4, 4);
    uint64_t at = get_be(r + 8, 8);
    bool ok = true;
    if (control & DMA_SELECT) {
        f->selected = control >> 16 & 0x3fff;
        f->at = 0;
    }
    if (control & DMA_READ) {
        ok = at + n >= at && dma_read(f, at, n);
    } else if (control & DMA_WRITE) {
        ok = at + n >= at && dma_write(f, at, n);
    } else if (control & DMA_SKIP) {
        f->at += n;
    }
    put_be(r, ok ? 0 : DMA_ERROR, 4);
    mem_write(f->machine->mem, (Gpa){request}, r, 4);
}

/* Bytes of a big-endian register, as an access of `size` little-endian bytes at `offset` sees them. */
static uint64_t be_part(uint64_t reg, unsigned bytes, uint64_t offset, unsigned size)
{
    uint8_t b[8];
    uint64_t v = 0;
    put_be(b, reg, bytes);
    for (unsigned k = 0; k < size && offset + k < bytes; k++) {
        v |= (uint64_t)b[offset + k] << 8 * k;
    }
    return v;
}

static bool fw_cfg_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    FwCfg *f = dev;
    (void)attrs;
    *value = 0;
    pthread_mutex_lock(&f->lock);
    if (offset < 8) {
        for (unsigned k = 0; k < size; k++) {
            *value |= (uint64_t)next_byte(f) << 8 * k;
        }
    } else if (offset >= 16 && offset < 24) {
        *value = be_part(0x51454d5520434647, 8, offset - 16, size); /* "QEMU CFG" */
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

static uint64_t swapped(uint64_t v, unsigned size)
{
    return size == 8 ? __builtin_bswap64(v) : size == 4 ? __builtin_bswap32((uint32_t)v)
         : size == 2 ? __builtin_bswap16((uint16_t)v) : v;
}

static bool fw_cfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    FwCfg *f = dev;
    uint64_t v = swapped(value, size);
    (void)attrs;
    pthread_mutex_lock(&f->lock);
    if (offset == 8 && size == 2) {
        f->selected = v & 0x3fff;
        f->at = 0;
    } else if (offset == 16 && size == 8) {
        dma(f, v);
    } else if (offset == 16 && size == 4) {
        f->dma_high = (uint32_t)v;
    } else if (offset == 20 && size == 4) {
        uint64_t request = (uint64_t)f->dma_high << 32 | v;
        f->dma_high = 0;
        dma(f, request);
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

static const MmioOps fw_cfg_ops = {fw_cfg_read, fw_cfg_write};

void fw_cfg_item(FwCfg *f, unsigned number, const void *data, size_t size)
{
    ASSERT(number < ITEMS);
    f->items[number] = (Item){(uint8_t *)data, size, false};
}

static void little(FwCfg *f, unsigned number, uint32_t value, unsigned size)
{
    uint8_t *b = malloc(4);
    if (!b) {
        BUG("out of memory");
    }
    for (unsigned k = 0; k < 4; k++) {
        b[k] = (uint8_t)(value >> 8 * k);
    }
    fw_cfg_item(f, number, b, size);
}

void fw_cfg_u16(FwCfg *f, unsigned number, uint16_t value)
{
    little(f, number, value, 2);
}

void fw_cfg_u32(FwCfg *f, unsigned number, uint32_t value)
{
    little(f, number, value, 4);
}

bool fw_cfg_file(FwCfg *f, const char *name, void *data, size_t size, bool writable)
{
    for (unsigned k = 0; k < f->nfiles; k++) {
        if (!strcmp((char *)f->dir + 4 + k * ENTRY_SIZE + 8, name)) {
            return false;
        }
    }
    if (f->nfiles == FILES || strlen(name) >= NAME_SIZE || size > UINT32_MAX) {
        return false;
    }
    uint8_t *entry = f->dir + 4 + f->nfiles * ENTRY_SIZE;
    unsigned number = FIRST_FILE + f->nfiles++;
    put_be(entry, size, 4);
    put_be(entry + 4, number, 2);
    strcpy((char *)entry + 8, name);
    f->items[number] = (Item){data, size, writable};
    put_be(f->dir, f->nfiles, 4);
    fw_cfg_item(f, FW_DIR, f->dir, 4 + f->nfiles * ENTRY_SIZE);
    return true;
}

static void fw_cfg_reset(void *dev)
{
    FwCfg *f = dev;
    f->selected = 0;
    f->at = f->dma_high = 0;
}

FwCfg *fw_cfg_new(Machine *m, const char *name, Gpa base)
{
    FwCfg *f = calloc(1, sizeof *f);
    if (!f) {
        BUG("out of memory");
    }
    pthread_mutex_init(&f->lock, NULL);
    f->machine = m;
    fw_cfg_item(f, FW_SIGNATURE, "QEMU", 4);
    fw_cfg_u32(f, FW_ID, VERSION_TRADITIONAL | VERSION_DMA);
    fw_cfg_item(f, FW_DIR, f->dir, 4);
    mem_add_mmio(m->mem, name, base, 24, &fw_cfg_ops, f);
    machine_on_reset(m, fw_cfg_reset, f);
    return f;
}
