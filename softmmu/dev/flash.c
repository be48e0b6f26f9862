/* flash.c - parallel NOR flash, Intel's command set (JEDEC JEP137, CFI 0001), as two chips of 16 bits on a bus of 32.
 *
 * In array mode reads do not come here (mem_flash_direct). A command goes to both chips when it is written as a word; the
 * state is one for both. Programming clears bits, erasing a sector sets all. What has changed is written to the image
 * before the command's status says ready, so nothing is lost when the process is killed.
 */
#include "dev/flash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dev/regs.h"

enum { SECTOR = 256 << 10, CHIPS = 2, BUFFER_LOG = 11 /* bytes per chip */, BUFFER = CHIPS << BUFFER_LOG };
enum { READY = 0x80, ERASE_ERROR = 0x20, PROGRAM_ERROR = 0x10 };
enum { MAKER = 0x89, CHIP = 0x18 };

typedef enum Mode { ARRAY, STATUS, IDENTIFY, QUERY } Mode;
typedef enum Step { IDLE, PROGRAM, ERASE, LOCK, COUNT, FILL, CONFIRM } Step;

typedef struct Flash {
    Machine *machine;
    pthread_mutex_t lock;
    MemRegion *region;
    Gpa base;
    Block *image;
    uint8_t *host;
    uint64_t size;
    Mode mode;
    Step step;
    uint8_t status;
    unsigned words_left;
    uint64_t buffer_at; /* BUFFER-aligned place of the buffered write */
    uint8_t buffer[BUFFER];
} Flash;

/* Byte n of the CFI query answer (JESD68.01), for one chip. */
static uint8_t query_byte(const Flash *f, unsigned n)
{
    unsigned sectors = (unsigned)(f->size / SECTOR) - 1, chip_sector = SECTOR / CHIPS;
    static const uint8_t fixed[0x40] = {
        [0x10] = 'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00,
        [0x1b] = 0x45, 0x55, 0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00,
        [0x28] = 0x02, 0x00, BUFFER_LOG, 0x00, 0x01,
        [0x31] = 'P', 'R', 'I', '1', '0', [0x3f] = 0x01,
    };
    switch (n) {
    case 0x27:
        return (uint8_t)(63 - __builtin_clzll(f->size / CHIPS));
    case 0x2d:
        return (uint8_t)sectors;
    case 0x2e:
        return (uint8_t)(sectors >> 8);
    case 0x2f:
        return (uint8_t)(chip_sector >> 8);
    case 0x30:
        return (uint8_t)(chip_sector >> 16);
    default:
        return n < sizeof fixed ? fixed[n] : 0;
    }
}

/* What both chips answer at an offset, out of array mode. */
static uint16_t chip_answer(const Flash *f, uint64_t offset)
{
    unsigned n = (unsigned)(offset >> 2);
    switch (f->mode) {
    case IDENTIFY:
        return (n & 0xff) == 0 ? MAKER : (n & 0xff) == 1 ? CHIP : 0;
    case QUERY:
        return query_byte(f, n);
    default:
        return f->status;
    }
}

static void set_mode(Flash *f, Mode mode)
{
    if ((f->mode == ARRAY) != (mode == ARRAY)) {
        mem_flash_direct(f->machine->mem, f->region, mode == ARRAY);
    }
    f->mode = mode;
}

/* The content changed: into the image, out of translations. */
static bool changed(Flash *f, uint64_t at, uint64_t n)
{
    mem_wrote(f->machine->mem, (Gpa){f->base.v + at}, n);
    if (!f->image) {
        return true;
    }
    uint64_t size = block_size(f->image);
    return at + n <= size && !block_readonly(f->image) && block_write(f->image, at, f->host + at, n) == 0 &&
           block_flush(f->image) == 0;
}

static void program(Flash *f, uint64_t at, const uint8_t *from, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        f->host[at + k] &= from[k];
    }
    if (!changed(f, at, n)) {
        f->status |= PROGRAM_ERROR;
    }
}

static void erase(Flash *f, uint64_t at)
{
    at = ALIGN_DOWN(at, SECTOR);
    memset(f->host + at, 0xff, SECTOR);
    if (!changed(f, at, SECTOR)) {
        f->status |= ERASE_ERROR;
    }
}

static void command(Flash *f, uint64_t offset, uint8_t cmd)
{
    (void)offset;
    switch (cmd) {
    case 0x10:
    case 0x40:
        f->step = PROGRAM;
        set_mode(f, STATUS);
        break;
    case 0x20:
        f->step = ERASE;
        set_mode(f, STATUS);
        break;
    case 0x50:
        f->status = READY;
        set_mode(f, ARRAY);
        break;
    case 0x60:
        f->step = LOCK;
        set_mode(f, STATUS);
        break;
    case 0x70:
        set_mode(f, STATUS);
        break;
    case 0x90:
        set_mode(f, IDENTIFY);
        break;
    case 0x98:
        set_mode(f, QUERY);
        break;
    case 0xe8:
        f->step = COUNT;
        set_mode(f, STATUS);
        break;
    default: /* 0xff, and what is no command */
        set_mode(f, ARRAY);
        break;
    }
}

/* One bus cycle that is not the first of its command. */
static void cycle(Flash *f, uint64_t offset, unsigned size, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned k = 0; k < 8; k++) {
        bytes[k] = (uint8_t)(value >> 8 * k);
    }
    switch (f->step) {
    case PROGRAM:
        program(f, offset, bytes, size);
        f->step = IDLE;
        break;
    case ERASE:
        if (bytes[0] == 0xd0) {
            erase(f, offset);
        } else {
            f->status |= ERASE_ERROR | PROGRAM_ERROR;
        }
        f->step = IDLE;
        break;
    case LOCK: /* sectors have no locks */
        f->step = IDLE;
        break;
    case COUNT:
        f->words_left = (unsigned)(value & 0xffff) + 1;
        f->buffer_at = ~(uint64_t)0;
        memset(f->buffer, 0xff, sizeof f->buffer);
        f->step = FILL;
        break;
    case FILL:
        if (f->buffer_at == ~(uint64_t)0) {
            f->buffer_at = ALIGN_DOWN(offset, BUFFER);
        }
        if (ALIGN_DOWN(offset, BUFFER) == f->buffer_at && offset + size <= f->buffer_at + BUFFER) {
            memcpy(f->buffer + (offset - f->buffer_at), bytes, size);
        } else {
            f->status |= PROGRAM_ERROR;
        }
        f->step = --f->words_left ? FILL : CONFIRM;
        break;
    default:
        if (bytes[0] == 0xd0 && !(f->status & PROGRAM_ERROR)) {
            program(f, f->buffer_at, f->buffer, BUFFER);
        } else {
            f->status |= PROGRAM_ERROR;
        }
        f->step = IDLE;
        break;
    }
}

static bool flash_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    Flash *f = dev;
    (void)attrs;
    *value = 0;
    pthread_mutex_lock(&f->lock);
    if (f->mode == ARRAY) {
        memcpy(value, f->host + offset, size);
    } else {
        for (unsigned k = 0; k < size; k++) {
            *value |= (uint64_t)(chip_answer(f, offset + k) >> 8 * ((offset + k) & 1) & 0xff) << 8 * k;
        }
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

static bool flash_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Flash *f = dev;
    (void)attrs;
    pthread_mutex_lock(&f->lock);
    if (f->step != IDLE) {
        cycle(f, offset, size, value);
    } else {
        command(f, offset, (uint8_t)value);
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

static const MmioOps flash_ops = {flash_read, flash_write};

static void flash_reset(void *dev)
{
    Flash *f = dev;
    f->step = IDLE;
    f->status = READY;
    set_mode(f, ARRAY);
}

int flash_new(Machine *m, const char *name, Gpa base, uint64_t size, Block *image, const void *data, size_t n)
{
    Flash *f = calloc(1, sizeof *f);
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!f || host == MAP_FAILED) {
        return -ENOMEM;
    }
    *f = (Flash){.machine = m, .base = base, .image = image, .host = host, .size = size, .status = READY, .mode = ARRAY};
    pthread_mutex_init(&f->lock, NULL);
    if (image) {
        uint64_t have = block_size(image) < size ? block_size(image) : size;
        int r = block_read(image, 0, host, have);
        if (r < 0) {
            return r;
        }
    } else if (n) {
        memcpy(host, data, n);
    }
    f->region = mem_add_flash(m->mem, name, base, size, host, &flash_ops, f);
    mem_flash_direct(m->mem, f->region, true);
    machine_on_reset(m, flash_reset, f);
    return 0;
}
