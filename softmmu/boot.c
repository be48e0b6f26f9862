/* boot.c - the loader: kernel formats, where things go, what the tree's /chosen says.
 *
 * Formats (Linux: Documentation/arch/arm64/booting.rst): Image, raw or in gzip, or "zboot" (an EFI program that carries a
 * packed Image); ELF; anything else is placed as it is, 512 KiB above the start of RAM.
 * Layout as QEMU's: kernel at RAM + text_offset; initrd at 128 MiB or half of RAM, behind the kernel; device tree behind
 * the initrd. image_size is more than the file: the kernel clears its BSS there.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "elfimage.h"
#include "options.h"

enum { MIB = 1 << 20, DTB_ALIGN = 2 * MIB, RAW_OFFSET = 0x80000 };
static const uint64_t UNPACKED_MAX = (uint64_t)1 << 30;

BootFile boot_file(const char *what, const char *name)
{
    BootFile f = {.name = name};
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        die("%s %s: %s", what, name, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        die("%s %s: %s", what, name, strerror(EISDIR));
    }
    size_t room = 0;
    for (;;) {
        if (f.size == room) {
            room = room ? 2 * room : (size_t)st.st_size + 1;
            f.at = realloc(f.at, room);
            if (!f.at) {
                die("%s %s: no memory", what, name);
            }
        }
        ssize_t n = read(fd, f.at + f.size, room - f.size);
        if (n < 0) {
            die("%s %s: %s", what, name, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        f.size += (size_t)n;
    }
    close(fd);
    return f;
}

/* -- unpacking ----------------------------------------------------------------------------------------------------- */

static void unpack_gzip(BootFile *f, const uint8_t *from, size_t n)
{
    z_stream z = {.next_in = (Bytef *)from, .avail_in = (uInt)n};
    uint8_t *out = NULL;
    size_t room = 0;
    int r = inflateInit2(&z, 15 + 32);
    while (r == Z_OK && room <= UNPACKED_MAX) {
        if (!z.avail_out) {
            size_t done = room;
            room = room ? 2 * room : 4 * n + MIB;
            out = realloc(out, room);
            if (!out) {
                die("-kernel %s: no memory", f->name);
            }
            z.next_out = out + done;
            z.avail_out = (uInt)(room - done);
        }
        r = inflate(&z, Z_NO_FLUSH);
    }
    if (r != Z_STREAM_END) {
        die("-kernel %s: the gzip data is damaged%s%s", f->name, z.msg ? ": " : "", z.msg ? z.msg : "");
    }
    f->at = out;
    f->size = z.total_out;
    inflateEnd(&z);
}

static void unpack_zstd(BootFile *f, const uint8_t *from, size_t n)
{
    unsigned long long size = ZSTD_getFrameContentSize(from, n);
    size_t room = size < UNPACKED_MAX ? (size_t)size : 256 * MIB;
    uint8_t *out = malloc(room);
    size_t r = out ? ZSTD_decompress(out, room, from, n) : 0;
    if (!out || ZSTD_isError(r)) {
        die("-kernel %s: the zstd data is damaged: %s", f->name, out ? ZSTD_getErrorName(r) : "no memory");
    }
    f->at = out;
    f->size = r;
}

static uint32_t le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* An EFI program with "zimg" at 4: payload's offset and size at 8 and 12, its packing's name at 24. */
static void unpack_zboot(BootFile *f)
{
    uint32_t at = le32(f->at + 8), size = le32(f->at + 12);
    char how[9] = "";
    memcpy(how, f->at + 24, 8);
    if (at > f->size || size > f->size - at) {
        die("-kernel %s: the file is cut off", f->name);
    }
    if (!strcmp(how, "gzip")) {
        unpack_gzip(f, f->at + at, size);
    } else if (!strcmp(how, "zstd") || !strcmp(how, "zstd22")) {
        /* the size of what is packed stands behind it */
        unpack_zstd(f, f->at + at, ZSTD_findFrameCompressedSize(f->at + at, size));
    } else {
        die("-kernel %s: packed with %s; only gzip and zstd can be unpacked", f->name, how);
    }
}

/* -- where things go ----------------------------------------------------------------------------------------------- */

static uint64_t ram_end(const Boot *b)
{
    return b->ram.v + b->ram_size;
}

static void need(const Boot *b, const char *what, const char *name, uint64_t at, uint64_t size)
{
    if (at < b->ram.v || at > ram_end(b) || size > ram_end(b) - at) {
        die("%s %s: needs memory up to %llu MiB; give the machine more with -m", what, name,
            (unsigned long long)((at - b->ram.v + size + MIB - 1) / MIB));
    }
}

static void elf_layout(Boot *b)
{
    b->elf = elf_image("-kernel", &b->kernel);
    b->entry = b->elf.entry;
    b->kernel_at = b->ram;
    b->kernel_end = b->ram.v;
    for (unsigned k = 0; k < b->elf.n; k++) {
        const ElfPart *p = &b->elf.parts[k];
        need(b, "-kernel", b->kernel.name, p->at.v, p->size);
        if (p->at.v + p->size > b->kernel_end) {
            b->kernel_end = p->at.v + p->size;
        }
    }
}

static void kernel_layout(Boot *b)
{
    BootFile *f = &b->kernel;
    if (f->size >= 2 && f->at[0] == 0x1f && f->at[1] == 0x8b) {
        unpack_gzip(f, f->at, f->size);
    } else if (f->size >= 64 && !memcmp(f->at, "MZ", 2) && !memcmp(f->at + 4, "zimg", 4)) {
        unpack_zboot(f);
    }
    if (elf_is(f)) {
        elf_layout(b);
        return;
    }
    uint64_t offset = RAW_OFFSET, size = f->size;
    if (f->size >= 64 && !memcmp(f->at + 56, "ARM\x64", 4)) {
        uint64_t image_size = le64(f->at + 16);
        if (image_size) { /* else Linux before 3.17, whose text_offset has no fixed byte order */
            offset = le64(f->at + 8);
            size = image_size > size ? image_size : size;
        }
        if (offset >= (uint64_t)1 << 32 || size >= (uint64_t)1 << 40) {
            die("-kernel %s: damaged header", f->name);
        }
    }
    b->kernel_at = b->entry = (Gpa){b->ram.v + offset};
    need(b, "-kernel", f->name, b->kernel_at.v, size);
    b->kernel_end = b->kernel_at.v + size;
}

/* "reg" of /memory in the root's numbers of cells. */
static void set_memory(const Boot *b, void *tree)
{
    uint8_t reg[32];
    unsigned n = 0, cells[2] = {dt_root_cells(tree, "#address-cells"), dt_root_cells(tree, "#size-cells")};
    uint64_t v[2] = {b->ram.v, b->ram_size};
    char path[40];
    for (unsigned k = 0; k < 2; k++) {
        if (cells[k] < 1 || cells[k] > 2) {
            die("-dtb: #address-cells and #size-cells must be 1 or 2");
        }
        for (int byte = (int)cells[k] * 4 - 1; byte >= 0; byte--) {
            reg[n++] = (uint8_t)(v[k] >> 8 * byte);
        }
    }
    snprintf(path, sizeof path, "/memory@%llx", (unsigned long long)b->ram.v);
    dt_set_string(tree, path, "device_type", "memory");
    dt_set(tree, path, "reg", reg, n);
}

void boot_prepare(Boot *b, const DevTree *tree, bool tree_given)
{
    bool direct = b->kernel.name && !b->firmware;
    if (direct) {
        kernel_layout(b);
    }
    void *t = dt_editable(tree->blob, (size_t)tree->size);
    if (!t) {
        die("-dtb: not a device tree");
    }
    if (tree_given) {
        set_memory(b, t);
    }
    b->dtb_at = b->ram;
    if (direct) {
        uint64_t half = b->ram_size / 2 < 128 * MIB ? b->ram_size / 2 : 128 * MIB;
        uint64_t at = b->ram.v + half > b->kernel_end ? b->ram.v + half : b->kernel_end;
        b->initrd_at = (Gpa){ALIGN_UP(at, 4096)};
        if (b->initrd.name) {
            need(b, "-initrd", b->initrd.name, b->initrd_at.v, b->initrd.size);
            dt_set_u64(t, "/chosen", "linux,initrd-start", b->initrd_at.v);
            dt_set_u64(t, "/chosen", "linux,initrd-end", b->initrd_at.v + b->initrd.size);
        }
        b->dtb_at = (Gpa){ALIGN_UP(b->initrd_at.v + b->initrd.size, DTB_ALIGN)};
    }
    if (b->cmdline) {
        dt_set_string(t, "/chosen", "bootargs", b->cmdline);
    }
    b->dtb = (BootFile){.name = "device tree", .at = t, .size = dt_packed(t)};
    if (direct && b->dtb_at.v + b->dtb.size > ram_end(b)) { /* little memory: below the end */
        b->dtb_at = (Gpa){ALIGN_DOWN(ram_end(b) - b->dtb.size, 4096)};
        if (b->dtb_at.v < b->initrd_at.v + b->initrd.size || b->dtb_at.v < b->kernel_end) {
            die("-m: too little memory for kernel, initrd and device tree");
        }
    }
}

void boot_each(const Boot *b, void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg)
{
    fn(arg, "device tree", b->dtb_at.v, b->dtb.size);
    if (!b->kernel.name || b->firmware) {
        return;
    }
    for (unsigned k = 0; k < b->elf.n; k++) {
        fn(arg, b->kernel.name, b->elf.parts[k].at.v, b->elf.parts[k].size);
    }
    if (!b->elf.parts) {
        fn(arg, b->kernel.name, b->kernel_at.v, b->kernel.size);
    }
    if (b->initrd.name) {
        fn(arg, b->initrd.name, b->initrd_at.v, b->initrd.size);
    }
}

static void put(PhysMem *m, Gpa at, const void *from, size_t n)
{
    if (n && mem_write(m, at, from, n) < 0) {
        BUG("no RAM at %#llx", (unsigned long long)at.v);
    }
}

static void put_elf(const Boot *b, PhysMem *m)
{
    for (unsigned k = 0; k < b->elf.n; k++) {
        const ElfPart *p = &b->elf.parts[k];
        put(m, p->at, p->from, p->filled);
        void *rest = mem_ptr(m, (Gpa){p->at.v + p->filled}, p->size - p->filled, true);
        if (rest) {
            memset(rest, 0, p->size - p->filled);
        }
    }
}

void boot_place(const Boot *b, PhysMem *m)
{
    put(m, b->dtb_at, b->dtb.at, b->dtb.size);
    if (!b->kernel.name || b->firmware) {
        return;
    }
    if (b->elf.parts) {
        put_elf(b, m);
    } else {
        put(m, b->kernel_at, b->kernel.at, b->kernel.size);
    }
    put(m, b->initrd_at, b->initrd.at, b->initrd.size);
}
