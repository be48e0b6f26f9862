/* image.c - what is in a file that is to be executed, and loading it: ELF64 for AArch64, static, static-PIE and
 * dynamic, and #! scripts.
 *
 * Headers are believed only as far as they were checked: sizes against the file, addresses against the 47-bit space,
 * counts against the kernel's limits. Whatever is wrong gives one reason in words and the errno of execve.
 * Addresses are chosen as Linux does: non-PIE where it says, PIE at two thirds of the address space, interpreters and
 * static-PIE where mmap puts them; brk follows the image (static-PIE: starts where a PIE would be), with a random
 * distance unless the personality says ADDR_NO_RANDOMIZE.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "image.h"
#include "vma.h"

enum { MAX_PHDRS = 65536 / sizeof(Elf64_Phdr), M_PRIVATE = 2, M_FIXED = 0x10, M_ANON = 0x20, M_NORESERVE = 0x4000,
       M_NOREPLACE = 0x100000 };
#define DYN_BASE 0x555555554000ull
#ifndef PT_GNU_PROPERTY
#define PT_GNU_PROPERTY 0x6474e553
#endif

typedef struct Elf {
    int fd;
    const char *name;
    char *why;
    size_t why_size;
    uint64_t file_size;
    Elf64_Ehdr eh;
    Elf64_Phdr *ph;
    uint64_t low, high, align; /* extent of the PT_LOADs */
    uint64_t bias;
    bool bti;
} Elf;

static int bad(Elf *e, int err, const char *what)
{
    snprintf(e->why, e->why_size, "%s: %s", e->name, what);
    return err;
}

static bool read_at(int fd, void *buf, size_t n, uint64_t off)
{
    size_t got = 0;
    while (got < n) {
        int64_t r = raw_call(__NR_pread64, fd, (char *)buf + got, n - got, off + got);
        if (r == -EINTR) {
            continue;
        }
        if (r <= 0) {
            return false;
        }
        got += (size_t)r;
    }
    return true;
}

uint64_t random_below(uint64_t limit)
{
    uint64_t v = 0;
    int64_t p = raw_call(__NR_personality, 0xffffffff);
    static int level = -1;
    if (level < 0) {
        char c = '2';
        int64_t fd = raw_call(__NR_open, "/proc/sys/kernel/randomize_va_space", 02000000, 0);
        if (fd >= 0) {
            raw_call(__NR_read, fd, &c, 1);
            raw_call(__NR_close, fd);
        }
        level = c - '0';
    }
    if (p & 0x40000 || level == 0) {
        return 0;
    }
    raw_call(__NR_getrandom, &v, sizeof v, 0);
    return v % limit;
}

/* -- what it is --------------------------------------------------------------------------------------- */

static uint16_t half(const uint8_t *p, bool big)
{
    return big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

/* Names of other machines, for the error line. */
static const char *machine_name(uint16_t m)
{
    static const struct {
        uint16_t m;
        const char *name;
    } names[] = {{EM_386, "i386"},   {EM_ARM, "32-bit Arm"}, {EM_X86_64, "x86-64"}, {EM_RISCV, "RISC-V"},
                 {EM_PPC64, "POWER"}, {EM_S390, "s390"},      {EM_MIPS, "MIPS"},     {EM_PPC, "PowerPC"}};
    for (unsigned k = 0; k < LEN(names); k++) {
        if (names[k].m == m) {
            return names[k].name;
        }
    }
    return "unknown";
}

int image_check(int fd, FileKind *kind, char *why, size_t size)
{
    uint8_t b[256] = {0};
    int64_t n = raw_call(__NR_pread64, fd, b, sizeof b, 0);
    *kind = FILE_OTHER;
    if (n < 0) {
        snprintf(why, size, "%s", strerror((int)-n));
        return (int)n;
    }
    if (n >= 2 && b[0] == '#' && b[1] == '!') {
        *kind = FILE_SCRIPT;
        return 0;
    }
    if (n < 20 || memcmp(b, ELFMAG, SELFMAG)) {
        snprintf(why, size, n == 0 ? "empty file" : "not an ELF program or script");
        return -ENOEXEC;
    }
    bool big = b[EI_DATA] == ELFDATA2MSB;
    uint16_t machine = half(b + 18, big);
    if (machine == EM_AARCH64 && b[EI_CLASS] == ELFCLASS64 && !big) {
        *kind = FILE_ARM64;
        return 0;
    }
    if (machine == EM_X86_64 || machine == EM_386) {
        *kind = FILE_HOST;
    }
    if (machine == EM_AARCH64 || half(b + 18, !big) == EM_AARCH64) {
        snprintf(why, size, big ? "big-endian programs cannot be run" : "32-bit ABI (ILP32) cannot be run");
    } else {
        snprintf(why, size, "a program for another machine (%s), not AArch64", machine_name(machine));
    }
    return *kind == FILE_HOST ? 0 : -ENOEXEC;
}

int image_script(int fd, char *line, size_t size, char **interp, char **arg)
{
    int64_t n = raw_call(__NR_pread64, fd, line, size - 1, 0);
    if (n < 2) {
        return -ENOEXEC;
    }
    line[n] = 0;
    char *end = memchr(line, '\n', (size_t)n);
    if (!end) {
        /* like Linux: a first line without end may be cut, its interpreter may not */
        end = line + n;
    }
    *end = 0;
    while (end > line + 2 && (end[-1] == ' ' || end[-1] == '\t')) {
        *--end = 0;
    }
    char *p = line + 2;
    p += strspn(p, " \t");
    if (!*p) {
        return -ENOEXEC;
    }
    *interp = p;
    p += strcspn(p, " \t");
    *arg = NULL;
    if (*p) {
        *p++ = 0;
        p += strspn(p, " \t");
        *arg = *p ? p : NULL;
    } else if (n == (int64_t)size - 1 && end == line + n) {
        return -ENOEXEC;
    }
    return 0;
}

/* -- reading and checking the headers --------------------------------------------------------------------- */

/* Reads PT_GNU_PROPERTY: does the program want BTI (AARCH64_FEATURE_1_AND bit 0)? */
static bool wants_bti(Elf *e, const Elf64_Phdr *ph)
{
    uint32_t n[256];
    if (ph->p_filesz < 16 || ph->p_filesz > sizeof n || !read_at(e->fd, n, ph->p_filesz, ph->p_offset)) {
        return false;
    }
    if (n[0] != 4 || n[2] != NT_GNU_PROPERTY_TYPE_0 || memcmp(&n[3], "GNU", 4)) {
        return false;
    }
    for (size_t k = 4; k + 2 < ph->p_filesz / 4; k += 2 + (ALIGN_UP(n[k + 1], 8) / 4)) {
        if (n[k] == 0xc0000000u) {
            return n[k + 2] & 1;
        }
        if (n[k + 1] > 1024) {
            break;
        }
    }
    return false;
}

static int check_load(Elf *e, const Elf64_Phdr *p, uint64_t last_end)
{
    if (p->p_filesz > p->p_memsz) {
        return bad(e, -ENOEXEC, "a segment is larger in the file than in memory");
    }
    if (p->p_offset > e->file_size || p->p_filesz > e->file_size - p->p_offset) {
        return bad(e, -ENOEXEC, "truncated: a segment lies beyond the end of the file");
    }
    if (p->p_vaddr >= VA_END || p->p_memsz > VA_END - p->p_vaddr) {
        return bad(e, -ENOMEM, "a segment does not fit the address space");
    }
    if (p->p_filesz && (p->p_vaddr - p->p_offset) % PAGE) {
        return bad(e, -EINVAL, "a segment's file offset and address do not agree");
    }
    if (p->p_vaddr < last_end) {
        return bad(e, -ENOEXEC, "segments overlap or are out of order");
    }
    return 0;
}

static int check_headers(Elf *e)
{
    const Elf64_Ehdr *h = &e->eh;
    uint64_t st[18], last_end = 0;
    if (raw_call(__NR_fstat, e->fd, st) < 0) {
        return bad(e, -EIO, "cannot be read");
    }
    e->file_size = st[6];
    if (!read_at(e->fd, &e->eh, sizeof e->eh, 0)) {
        return bad(e, -ENOEXEC, "truncated ELF header");
    }
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN) {
        return bad(e, -ENOEXEC, h->e_type == ET_REL ? "a relocatable object file, not a program" : h->e_type == ET_CORE
                                                                                         ? "a core dump, not a program"
                                                                                         : "not an executable ELF file");
    }
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > MAX_PHDRS) {
        return bad(e, -ENOEXEC, "no usable program headers");
    }
    size_t bytes = h->e_phnum * sizeof(Elf64_Phdr);
    e->ph = malloc(bytes);
    if (!e->ph) {
        return bad(e, -ENOMEM, "out of memory");
    }
    if (!read_at(e->fd, e->ph, bytes, h->e_phoff)) {
        return bad(e, -ENOEXEC, "truncated: program headers lie beyond the end of the file");
    }
    e->low = ~0ull;
    e->align = PAGE;
    for (unsigned k = 0; k < h->e_phnum; k++) {
        const Elf64_Phdr *p = &e->ph[k];
        if (p->p_type == PT_LOAD && p->p_memsz) {
            int r = check_load(e, p, last_end);
            if (r < 0) {
                return r;
            }
            last_end = p->p_vaddr + p->p_memsz;
            e->low = p->p_vaddr < e->low ? p->p_vaddr : e->low;
            e->high = last_end;
            if (p->p_align > e->align && !(p->p_align & (p->p_align - 1)) && p->p_align <= 1 << 30) {
                e->align = p->p_align;
            }
        } else if (p->p_type == PT_GNU_PROPERTY) {
            e->bti = wants_bti(e, p);
        }
    }
    if (e->low == ~0ull) {
        return bad(e, -ENOEXEC, "no segment to load");
    }
    e->low = PAGE_DOWN(e->low);
    return 0;
}

/* -- mapping ------------------------------------------------------------------------------------------------- */

/* Reserves the extent of a position-independent image, near hint unless 0; sets bias. */
static int64_t reserve(Elf *e, uint64_t hint)
{
    uint64_t total = PAGE_UP(e->high) - e->low, extra = e->align > PAGE ? e->align : 0;
    int64_t at = -ENOMEM;
    for (int tries = 0; hint && tries < 16; tries++) {
        uint64_t want = ALIGN_DOWN(hint, e->align) + (e->low & (e->align - 1));
        at = mm_mmap(want, total, 0, M_PRIVATE | M_ANON | M_NORESERVE | M_NOREPLACE, -1, 0);
        if (at >= 0) {
            e->bias = (uint64_t)at - e->low;
            return at;
        }
        hint += 1ull << 32;
    }
    at = mm_mmap(0, total + extra, 0, M_PRIVATE | M_ANON | M_NORESERVE, -1, 0);
    if (at < 0) {
        return at;
    }
    uint64_t start = (uint64_t)at;
    uint64_t want = extra ? ALIGN_UP(start - (e->low & (e->align - 1)), e->align) + (e->low & (e->align - 1)) : start;
    if (want > start) {
        mm_munmap(start, want - start);
    }
    if (want + total < start + total + extra) {
        mm_munmap(want + total, start + extra - want);
    }
    e->bias = want - e->low;
    return (int64_t)want;
}

static int map_segment(Elf *e, const Elf64_Phdr *p, bool bti)
{
    uint64_t prot = (p->p_flags & PF_R ? G_READ : 0) | (p->p_flags & PF_W ? G_WRITE : 0) |
                    (p->p_flags & PF_X ? G_EXEC | (bti ? G_BTI : 0) : 0);
    uint64_t start = e->bias + PAGE_DOWN(p->p_vaddr), head = p->p_vaddr % PAGE;
    uint64_t file_end = e->bias + p->p_vaddr + p->p_filesz, mem_end = e->bias + p->p_vaddr + p->p_memsz;
    int64_t r = 0;
    if (p->p_filesz) {
        r = mm_mmap(start, p->p_filesz + head, prot, M_PRIVATE | M_FIXED, e->fd, p->p_offset - head);
    } else {
        file_end = start;
    }
    if (r >= 0 && PAGE_UP(mem_end) > PAGE_UP(file_end)) {
        uint64_t bss = PAGE_UP(file_end);
        r = mm_mmap(bss, PAGE_UP(mem_end) - bss, prot, M_PRIVATE | M_FIXED | M_ANON, -1, 0);
    }
    if (r < 0) {
        return bad(e, (int)r, r == -EPERM ? "a segment may not be mapped (file system without exec?)"
                                          : "a segment cannot be mapped");
    }
    if (p->p_memsz > p->p_filesz && p->p_filesz && file_end % PAGE && p->p_flags & PF_W) {
        uint64_t n = PAGE_UP(file_end) - file_end;
        n = n < mem_end - file_end ? n : mem_end - file_end;
        static const uint8_t zeros[PAGE];
        put_user(file_end, zeros, PAGE_UP(file_end) - file_end);
    }
    return 0;
}

static int map_image(Elf *e, uint64_t hint, bool bti)
{
    uint64_t total = PAGE_UP(e->high) - e->low;
    if (e->eh.e_type == ET_DYN) {
        if (reserve(e, hint) < 0) {
            return bad(e, -ENOMEM, "no room for it in the address space");
        }
    } else {
        int64_t r = mm_mmap(e->low, total, 0, M_PRIVATE | M_ANON | M_NORESERVE | M_NOREPLACE, -1, 0);
        if (r < 0) {
            snprintf(e->why, e->why_size, "%s: its addresses 0x%llx-0x%llx cannot be had here%s", e->name,
                     (unsigned long long)e->low, (unsigned long long)PAGE_UP(e->high),
                     r == -EPERM ? " (below vm.mmap_min_addr)" : "");
            return -ENOMEM;
        }
    }
    uint64_t end = e->bias + e->low;
    for (unsigned k = 0; k < e->eh.e_phnum; k++) {
        const Elf64_Phdr *p = &e->ph[k];
        if (p->p_type == PT_LOAD && p->p_memsz) {
            uint64_t start = e->bias + PAGE_DOWN(p->p_vaddr);
            if (start > end) {
                mm_munmap(end, start - end);
            }
            int r = map_segment(e, p, bti);
            if (r < 0) {
                return r;
            }
            end = e->bias + PAGE_UP(p->p_vaddr + p->p_memsz);
        }
    }
    return 0;
}

static int find_interp(Elf *e, Image *im)
{
    for (unsigned k = 0; k < e->eh.e_phnum; k++) {
        const Elf64_Phdr *p = &e->ph[k];
        if (p->p_type == PT_GNU_STACK) {
            im->exec_stack = p->p_flags & PF_X;
        } else if (p->p_type == PT_INTERP && !im->interp[0]) {
            if (p->p_filesz < 2 || p->p_filesz > sizeof im->interp ||
                !read_at(e->fd, im->interp, p->p_filesz, p->p_offset) || im->interp[p->p_filesz - 1]) {
                return bad(e, -ENOEXEC, "the name of its interpreter is damaged");
            }
        } else if (p->p_type == PT_PHDR) {
            im->phdr = p->p_vaddr;
        }
    }
    if (!im->phdr) {
        for (unsigned k = 0; k < e->eh.e_phnum; k++) {
            const Elf64_Phdr *p = &e->ph[k];
            if (p->p_type == PT_LOAD && p->p_offset <= e->eh.e_phoff &&
                e->eh.e_phoff - p->p_offset < p->p_filesz) {
                im->phdr = e->eh.e_phoff - p->p_offset + p->p_vaddr;
            }
        }
    }
    return 0;
}

static int load_interp(Image *im, const char *program, char *why, size_t size)
{
    char buf[4096];
    char what[600];
    const char *path = prefix_path(im->interp, buf);
    int64_t fd = raw_call(__NR_open, path, 02000000, 0);
    FileKind kind;
    if (fd < 0) {
        snprintf(why, size, "%.300s: its interpreter %.200s %s%s", program, im->interp,
                 fd == -ENOENT ? "is missing" : "cannot be opened",
                 prefix_on() ? "" : " (-L names a directory with the AArch64 libraries)");
        return (int)fd;
    }
    Elf e = {.fd = (int)fd, .name = path, .why = why, .why_size = size};
    int r = image_check(e.fd, &kind, what, sizeof what);
    if (r == 0 && kind != FILE_ARM64) {
        r = -ELIBBAD;
    }
    if (r < 0) {
        snprintf(why, size, "%.300s: interpreter %.200s: %.90s", program, path, what);
    } else {
        r = check_headers(&e);
        if (r == 0) {
            r = map_image(&e, 0, e.bti && a64_hwcap(process.model, 1) >> 17 & 1);
        }
    }
    im->base = e.bias;
    im->interp_entry = e.bias + e.eh.e_entry;
    free(e.ph);
    raw_call(__NR_close, fd);
    return r;
}

static void note_layout(const Elf *e)
{
    bool first = true;
    for (unsigned k = 0; k < e->eh.e_phnum; k++) {
        const Elf64_Phdr *p = &e->ph[k];
        if (p->p_type == PT_LOAD && p->p_memsz) {
            uint64_t a = e->bias + p->p_vaddr;
            if (p->p_flags & PF_X) {
                process.start_code = first ? a : process.start_code;
                process.end_code = a + p->p_filesz;
                first = false;
            }
            process.start_data = a;
            process.end_data = a + p->p_filesz;
        }
    }
    process.entry = e->bias + e->eh.e_entry;
}

static int load(Thread *t, Elf *e, Image *im, const char *execfn)
{
    uint64_t sp;
    bool cpu_bti = a64_hwcap(process.model, 1) >> 17 & 1;
    int r = check_headers(e);
    if (r == 0) {
        r = find_interp(e, im);
    }
    if (r < 0) {
        return r;
    }
    im->pie = e->eh.e_type == ET_DYN;
    uint64_t room = process.opt.reserved_va;
    uint64_t dyn = room ? PAGE_DOWN(room / 3 * 2) + (random_below(1 << 16) << 12) : DYN_BASE + (random_below(1 << 24) << 12);
    r = map_image(e, im->interp[0] ? dyn : 0, !im->interp[0] && e->bti && cpu_bti);
    if (r == 0 && im->interp[0]) {
        r = load_interp(im, e->name, e->why, e->why_size);
    }
    if (r < 0) {
        return r;
    }
    note_layout(e);
    im->bias = e->bias;
    im->entry = e->bias + e->eh.e_entry;
    im->phdr += e->bias;
    im->phnum = e->eh.e_phnum;
    im->phent = e->eh.e_phentsize;
    uint64_t brk = im->pie && !im->interp[0] ? dyn : PAGE_UP(e->bias + e->high);
    room = (VA_END - brk) >> 12; /* randomize_page(): not beyond the end */
    mm_brk_init(brk + (random_below(room < 1 << 13 ? (uint32_t)room + 1 : 1 << 13) << 12));
    r = vdso_map();
    if (r == 0) {
        r = stack_build(t, im, execfn, &sp);
    }
    if (r < 0) {
        return bad(e, r, "no memory for its stack");
    }
    guest_start(t, im->interp[0] ? im->interp_entry : im->entry, sp);
    return 0;
}

int image_precheck(int fd)
{
    char why[600], buf[4096];
    Image *im = calloc(1, sizeof *im);
    Elf e = {.fd = fd, .name = "", .why = why, .why_size = sizeof why};
    int r = im ? check_headers(&e) : -ENOMEM;
    if (r == 0) {
        r = find_interp(&e, im);
    }
    if (r == 0 && im->interp[0]) {
        int64_t i = raw_call(__NR_open, prefix_path(im->interp, buf), 02000000, 0);
        FileKind kind;
        r = i < 0 ? (int)i : image_check((int)i, &kind, why, sizeof why);
        r = r == -ENOEXEC || (r == 0 && kind != FILE_ARM64) ? -ELIBBAD : r;
        if (i >= 0) {
            raw_call(__NR_close, i);
        }
    }
    free(e.ph);
    free(im);
    return r;
}

int image_load(Thread *t, int fd, const char *name, char *why, size_t size)
{
    Image *im = calloc(1, sizeof *im);
    Elf e = {.fd = fd, .name = name, .why = why, .why_size = size};
    int r = im ? load(t, &e, im, process.opt.exec_name ? process.opt.exec_name : name) : -ENOMEM;
    free(e.ph);
    free(im);
    raw_call(__NR_close, fd);
    return r;
}
