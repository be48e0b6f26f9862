/* crash_where.c - safe reads, /proc/self/maps and symbol tables, with system calls only (crash.h).
 */
#include "crash.h"

#include <elf.h>

bool crash_read(uint64_t addr, void *buf, size_t n)
{
    uint64_t to[2] = {(uint64_t)buf, n}, from[2] = {addr, n};
    return raw_call(__NR_process_vm_readv, raw_call(__NR_getpid), to, 1, from, 1, 0) == (int64_t)n;
}

/* -- /proc/self/maps --------------------------------------------------------------------------- */

static uint64_t hex(const char **p)
{
    uint64_t v = 0;
    for (;; (*p)++) {
        char c = **p;
        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return v;
        }
    }
}

/* START-END PERMS OFFSET DEVICE INODE PATH */
static void parse(const char *p, Where *w)
{
    w->start = hex(&p);
    p += *p == '-';
    w->end = hex(&p);
    p += *p == ' ';
    w->read = p[0] == 'r';
    w->write = p[0] && p[1] == 'w';
    w->shared = p[0] && p[1] && p[2] && p[3] == 's';
    for (unsigned fields = 0; *p && fields < 4; fields++) {
        while (*p && *p != ' ') {
            p++;
        }
        while (*p == ' ') {
            p++;
        }
        if (fields == 0) {
            w->offset = hex(&p);
        }
    }
    size_t n = strlen(p), keep = n < sizeof w->path ? n : sizeof w->path - 1;
    memcpy(w->path, p, keep);
    w->path[keep] = 0;
    w->base = w->start;
}

bool crash_where(uint64_t addr, Where *w)
{
    static char buf[4096];
    static Where image; /* the last mapping of a file's start */
    size_t have = 0;
    bool found = false;
    int64_t n, fd = raw_call(__NR_open, "/proc/self/maps", 02000000, 0);
    if (fd < 0) {
        return false;
    }
    image.path[0] = 0;
    while (!found && (n = raw_call(__NR_read, fd, buf + have, sizeof buf - 1 - have)) > 0) {
        have += (size_t)n;
        buf[have] = 0;
        char *line = buf, *end;
        while (!found && (end = strchr(line, '\n'))) {
            *end = 0;
            parse(line, w);
            if (w->offset == 0 && w->path[0] == '/') {
                image = *w;
            }
            found = addr >= w->start && addr < w->end;
            line = end + 1;
        }
        have -= (size_t)(line - buf);
        memmove(buf, line, have);
        have = have == sizeof buf - 1 ? 0 : have;
    }
    raw_call(__NR_close, fd);
    if (found && image.path[0] && strcmp(image.path, w->path) == 0) {
        w->base = image.start;
    }
    return found;
}

/* -- symbols ----------------------------------------------------------------------------------- */

static bool read_file(int64_t fd, void *buf, size_t n, uint64_t at)
{
    return raw_call(__NR_pread64, fd, buf, n, at) == (int64_t)n;
}

/* The address that the file's headers give to a file offset. */
static bool address_of(int64_t fd, const Elf64_Ehdr *eh, uint64_t offset, uint64_t *addr)
{
    for (unsigned k = 0; k < eh->e_phnum && k < 64; k++) {
        Elf64_Phdr ph;
        if (read_file(fd, &ph, sizeof ph, eh->e_phoff + k * sizeof ph) && ph.p_type == PT_LOAD &&
            offset >= ALIGN_DOWN(ph.p_offset, PAGE) && offset < ph.p_offset + ph.p_filesz) {
            *addr = offset - ph.p_offset + ph.p_vaddr;
            return true;
        }
    }
    return false;
}

/* Looks through one symbol table for the last function that starts at or before addr and, when it
 * says so, holds it. */
static bool search(int64_t fd, const Elf64_Shdr *sh, uint64_t addr, Elf64_Sym *best)
{
    static Elf64_Sym part[128];
    bool found = false;
    uint64_t count = sh->sh_size / sizeof *part;
    for (uint64_t k = 0; k < count; k += LEN(part)) {
        uint64_t n = count - k < LEN(part) ? count - k : LEN(part);
        if (!read_file(fd, part, n * sizeof *part, sh->sh_offset + k * sizeof *part)) {
            break;
        }
        for (uint64_t j = 0; j < n; j++) {
            const Elf64_Sym *y = &part[j];
            if (ELF64_ST_TYPE(y->st_info) == STT_FUNC && y->st_shndx != SHN_UNDEF &&
                y->st_value <= addr && (!y->st_size || addr - y->st_value < y->st_size) &&
                (!found || y->st_value >= best->st_value)) {
                *best = *y;
                found = true;
            }
        }
    }
    return found;
}

bool crash_symbol(const Where *w, uint64_t addr, char *name, size_t size, uint64_t *distance)
{
    Elf64_Ehdr eh;
    bool found = false;
    int64_t fd = w->path[0] == '/' ? raw_call(__NR_open, w->path, 02000000, 0) : -1;
    if (fd < 0) {
        return false;
    }
    if (read_file(fd, &eh, sizeof eh, 0) && memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 &&
        eh.e_shentsize == sizeof(Elf64_Shdr) &&
        address_of(fd, &eh, addr - w->start + w->offset, &addr)) {
        for (unsigned k = 0; k < eh.e_shnum && !found; k++) {
            Elf64_Shdr sh, strings;
            Elf64_Sym y = {0};
            uint64_t at = eh.e_shoff + k * sizeof sh;
            if (read_file(fd, &sh, sizeof sh, at) &&
                (sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM) &&
                read_file(fd, &strings, sizeof strings, eh.e_shoff + sh.sh_link * sizeof sh) &&
                search(fd, &sh, addr, &y)) {
                int64_t n =
                    raw_call(__NR_pread64, fd, name, size - 1, strings.sh_offset + y.st_name);
                name[n > 0 ? n : 0] = 0;
                *distance = addr - y.st_value;
                found = n > 0 && name[0];
            }
        }
    }
    raw_call(__NR_close, fd);
    return found;
}
