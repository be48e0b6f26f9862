/* vdso_image.c - the guest's vDSO as an ELF file of one page, written here: no cross compiler is
 * needed to build armx.
 *
 * The file is what dynamic loaders, Go's and musl's own look-ups, debuggers and unwinders expect of
 * Linux's: a dynamic symbol table with hash and version LINUX_2.6.39, a Linux note, frame
 * information, section headers. Sections are appended in file order; offsets equal addresses, so
 * the image may lie anywhere.
 *
 * To add a function: its words and a row of `functions`. Its HLT immediate is answered in
 * vdso_a64.c. Functions keep to leaf code without a frame, which is all that the one frame
 * description says.
 */
#include "vdso.h"

#include <elf.h>

/* -- code -------------------------------------------------------------------------------------- */

/* The NOP lets an unwinder that looks up "return address minus one" miss every function; what it
 * then recognizes is the two instructions behind it, which is why they have no frame description.
 */
// clang-format off
static const uint32_t rt_sigreturn[] = {
    0xd503201f, /* nop */
    0xd2801168, /* mov x8, #139 */
    0xd4000001, /* svc #0 */
    0xd503201f, /* nop */
};

static const uint32_t clock_gettime[] = {
    0xd503245f, /* bti c */
    0xd4542000, /* hlt #VDSO_CLOCK_GETTIME */
    0x35000082, /* cbnz w2, 1f */
    0xa9001023, /* stp x3, x4, [x1] */
    0x52800000, /* mov w0, #0 */
    0xd65f03c0, /* ret */
    0xd2800e28, /* 1: mov x8, #113 */
    0xd4000001, /* svc #0 */
    0xd65f03c0, /* ret */
};

static const uint32_t gettimeofday[] = {
    0xd503245f, /* bti c */
    0xd4542020, /* hlt #VDSO_GETTIMEOFDAY */
    0x350000e2, /* cbnz w2, 1f */
    0xb4000040, /* cbz x0, 2f */
    0xa9001003, /* stp x3, x4, [x0] */
    0xb4000041, /* 2: cbz x1, 3f */
    0xf9000025, /* str x5, [x1] */
    0x52800000, /* 3: mov w0, #0 */
    0xd65f03c0, /* ret */
    0xd2801528, /* 1: mov x8, #169 */
    0xd4000001, /* svc #0 */
    0xd65f03c0, /* ret */
};

static const uint32_t clock_getres[] = {
    0xd503245f, /* bti c */
    0xd4542040, /* hlt #VDSO_CLOCK_GETRES */
    0x350000a2, /* cbnz w2, 1f */
    0xb4000041, /* cbz x1, 2f */
    0xa9001023, /* stp x3, x4, [x1] */
    0x52800000, /* 2: mov w0, #0 */
    0xd65f03c0, /* ret */
    0xd2800e48, /* 1: mov x8, #114 */
    0xd4000001, /* svc #0 */
    0xd65f03c0, /* ret */
};
// clang-format on

/* before: words in front of the symbol. */
static const struct {
    const char *name;
    const uint32_t *code;
    unsigned words, before;
} functions[] = {
    {"__kernel_rt_sigreturn", rt_sigreturn, LEN(rt_sigreturn), 1},
    {"__kernel_clock_gettime", clock_gettime, LEN(clock_gettime), 0},
    {"__kernel_gettimeofday", gettimeofday, LEN(gettimeofday), 0},
    {"__kernel_clock_getres", clock_getres, LEN(clock_getres), 0},
};
enum { FUNCTIONS = LEN(functions), SYMBOLS = FUNCTIONS + 2 /* null, the version's own */ };
static const char version[] = "LINUX_2.6.39", soname[] = "linux-vdso.so.1";

/* -- the writer -------------------------------------------------------------------------------- */

enum {
    S_NULL,
    S_HASH,
    S_DYNSYM,
    S_DYNSTR,
    S_VERSYM,
    S_VERDEF,
    S_NOTE,
    S_TEXT,
    S_EH_HDR,
    S_EH,
    S_DYNAMIC,
    S_SHSTRTAB,
    SECTIONS
};

static const struct {
    const char *name;
    uint32_t type, flags, link, info, align, entry;
} sections[SECTIONS] = {
    [S_NULL] = {"", SHT_NULL, 0, 0, 0, 0, 0},
    [S_HASH] = {".hash", SHT_HASH, SHF_ALLOC, S_DYNSYM, 0, 8, 4},
    [S_DYNSYM] = {".dynsym", SHT_DYNSYM, SHF_ALLOC, S_DYNSTR, 1, 8, sizeof(Elf64_Sym)},
    [S_DYNSTR] = {".dynstr", SHT_STRTAB, SHF_ALLOC, 0, 0, 1, 0},
    [S_VERSYM] = {".gnu.version", SHT_GNU_versym, SHF_ALLOC, S_DYNSYM, 0, 2, 2},
    [S_VERDEF] = {".gnu.version_d", SHT_GNU_verdef, SHF_ALLOC, S_DYNSTR, 2, 8, 0},
    [S_NOTE] = {".note", SHT_NOTE, SHF_ALLOC, 0, 0, 4, 0},
    [S_TEXT] = {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, 64, 0},
    [S_EH_HDR] = {".eh_frame_hdr", SHT_PROGBITS, SHF_ALLOC, 0, 0, 4, 0},
    [S_EH] = {".eh_frame", SHT_PROGBITS, SHF_ALLOC, 0, 0, 8, 0},
    [S_DYNAMIC] = {".dynamic", SHT_DYNAMIC, SHF_ALLOC, S_DYNSTR, 0, 8, sizeof(Elf64_Dyn)},
    [S_SHSTRTAB] = {".shstrtab", SHT_STRTAB, 0, 0, 0, 1, 0},
};

typedef struct Out {
    uint8_t *page;
    uint32_t at;
    Elf64_Shdr sh[SECTIONS];
    uint32_t name[FUNCTIONS], version_name, soname_name; /* in .dynstr */
    uint32_t start[FUNCTIONS];                           /* of the symbols */
} Out;

static uint32_t put(Out *o, const void *data, uint32_t n)
{
    uint32_t at = o->at;
    ASSERT(at + n <= VDSO_BYTES);
    memcpy(o->page + at, data, n);
    o->at += n;
    return at;
}

static uint32_t put_string(Out *o, const char *s)
{
    return put(o, s, (uint32_t)strlen(s) + 1);
}

static void put32(Out *o, uint32_t v)
{
    put(o, &v, 4);
}

static void section_begin(Out *o, unsigned s)
{
    o->at = (uint32_t)ALIGN_UP(o->at, sections[s].align);
    o->sh[s] = (Elf64_Shdr){.sh_type = sections[s].type,
                            .sh_flags = sections[s].flags,
                            .sh_addr = sections[s].flags & SHF_ALLOC ? o->at : 0,
                            .sh_offset = o->at,
                            .sh_link = sections[s].link,
                            .sh_info = sections[s].info,
                            .sh_addralign = sections[s].align,
                            .sh_entsize = sections[s].entry};
}

static void section_end(Out *o, unsigned s)
{
    o->sh[s].sh_size = o->at - o->sh[s].sh_offset;
}

/* The ELF specification's hash of symbol and version names. */
static uint32_t elf_hash(const char *s)
{
    uint32_t h = 0;
    for (; *s; s++) {
        h = (h << 4) + (uint8_t)*s;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    return h;
}

/* Three buckets; chains run from high to low symbol numbers. */
static void put_hash(Out *o)
{
    enum { BUCKETS = 3 };
    uint32_t bucket[BUCKETS] = {0}, chain[SYMBOLS] = {0};
    for (uint32_t k = 1; k < SYMBOLS; k++) {
        uint32_t b = elf_hash(k <= FUNCTIONS ? functions[k - 1].name : version) % BUCKETS;
        chain[k] = bucket[b];
        bucket[b] = k;
    }
    put32(o, BUCKETS);
    put32(o, SYMBOLS);
    put(o, bucket, sizeof bucket);
    put(o, chain, sizeof chain);
}

static void put_symbols(Out *o)
{
    Elf64_Sym y[SYMBOLS] = {0};
    for (unsigned k = 0; k < FUNCTIONS; k++) {
        y[k + 1] = (Elf64_Sym){.st_name = o->name[k],
                               .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                               .st_shndx = S_TEXT,
                               .st_value = o->start[k],
                               .st_size = 4 * (functions[k].words - functions[k].before)};
    }
    y[FUNCTIONS + 1] = (Elf64_Sym){.st_name = o->version_name,
                                   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                                   .st_shndx = SHN_ABS};
    put(o, y, sizeof y);
}

static void put_strings(Out *o)
{
    uint32_t base = o->at;
    put_string(o, "");
    for (unsigned k = 0; k < FUNCTIONS; k++) {
        o->name[k] = put_string(o, functions[k].name) - base;
    }
    o->soname_name = put_string(o, soname) - base;
    o->version_name = put_string(o, version) - base;
}

static void put_versions(Out *o)
{
    const char *names[2] = {soname, version};
    const uint32_t at[2] = {o->soname_name, o->version_name};
    for (unsigned k = 0; k < 2; k++) {
        Elf64_Verdef d = {.vd_version = 1,
                          .vd_flags = k ? 0 : VER_FLG_BASE,
                          .vd_ndx = (Elf64_Half)(k + 1),
                          .vd_cnt = 1,
                          .vd_hash = elf_hash(names[k]),
                          .vd_aux = sizeof d,
                          .vd_next = k ? 0 : sizeof d + sizeof(Elf64_Verdaux)};
        Elf64_Verdaux a = {.vda_name = at[k]};
        put(o, &d, sizeof d);
        put(o, &a, sizeof a);
    }
}

static void put_code(Out *o)
{
    for (unsigned k = 0; k < FUNCTIONS; k++) {
        o->start[k] = put(o, functions[k].code, 4 * functions[k].words) + 4 * functions[k].before;
    }
}

/* One description for everything behind __kernel_rt_sigreturn: return address in x30, frame of no
 * bytes at sp. */
static void put_frames(Out *o)
{
    static const uint8_t cie[] = {1,    'z', 'R',  0, 4, 0x78,
                                  30,   1,   0x1b, /* factors 4 and -8, x30, pc-relative */
                                  0x0c, 31,  0,    0, 0, 0}; /* DW_CFA_def_cfa sp, 0; padding */
    uint32_t text_end = (uint32_t)(o->sh[S_TEXT].sh_offset + o->sh[S_TEXT].sh_size),
             start = o->start[1];
    uint32_t at = o->at;
    put32(o, sizeof cie + 1 + 4);
    put32(o, 0);
    put(o, cie, sizeof cie);
    put(o, "", 1);
    uint32_t fde = o->at;
    put32(o, 16 + 4);
    put32(o, o->at - at);
    put32(o, start - o->at);
    put32(o, text_end - start);
    put(o, "\0\0\0\0\0\0\0", 8);
    put32(o, 0);
    /* The header in front of it, for binary search: one entry. */
    uint32_t end = o->at, hdr = o->at = (uint32_t)o->sh[S_EH_HDR].sh_offset;
    put(o, "\x01\x1b\x03\x3b", 4);
    put32(o, at - o->at);
    put32(o, 1);
    put32(o, start - hdr);
    put32(o, fde - hdr);
    o->at = end;
}

static void put_note(Out *o)
{
    static const uint32_t note[] = {6, 4, 0, 0x756e694c /* Linux */, 0x78, 6 << 16 | 1 << 8};
    put(o, note, sizeof note);
}

static void put_dynamic(Out *o)
{
    const Elf64_Dyn d[] = {
        {DT_SONAME, {o->soname_name}},
        {DT_HASH, {o->sh[S_HASH].sh_addr}},
        {DT_STRTAB, {o->sh[S_DYNSTR].sh_addr}},
        {DT_SYMTAB, {o->sh[S_DYNSYM].sh_addr}},
        {DT_STRSZ, {o->sh[S_DYNSTR].sh_size}},
        {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_VERSYM, {o->sh[S_VERSYM].sh_addr}},
        {DT_VERDEF, {o->sh[S_VERDEF].sh_addr}},
        {DT_VERDEFNUM, {2}},
        {DT_NULL, {0}},
    };
    put(o, d, sizeof d);
}

static void put_section_headers(Out *o, Elf64_Ehdr *eh)
{
    uint32_t base = o->at;
    section_begin(o, S_SHSTRTAB);
    for (unsigned s = 0; s < SECTIONS; s++) {
        o->sh[s].sh_name = put_string(o, sections[s].name) - base;
    }
    section_end(o, S_SHSTRTAB);
    o->at = (uint32_t)ALIGN_UP(o->at, 8);
    eh->e_shoff = put(o, o->sh, sizeof o->sh);
}

void vdso_image(uint8_t page[VDSO_BYTES])
{
    enum { PHDRS = 4 };
    static const uint16_t versym[SYMBOLS] = {0, 2, 2, 2, 2, 2};
    Out out = {.page = page, .at = sizeof(Elf64_Ehdr) + PHDRS * sizeof(Elf64_Phdr)}, *o = &out;
    Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                     .e_type = ET_DYN,
                     .e_machine = EM_AARCH64,
                     .e_version = EV_CURRENT,
                     .e_phoff = sizeof eh,
                     .e_ehsize = sizeof eh,
                     .e_phentsize = sizeof(Elf64_Phdr),
                     .e_phnum = PHDRS,
                     .e_shentsize = sizeof(Elf64_Shdr),
                     .e_shnum = SECTIONS,
                     .e_shstrndx = S_SHSTRTAB};
    memset(page, 0, VDSO_BYTES);
    section_begin(o, S_DYNSTR);
    put_strings(o);
    section_end(o, S_DYNSTR);
    section_begin(o, S_TEXT);
    put_code(o);
    section_end(o, S_TEXT);
#define SECTION(s, ...)                                                                            \
    section_begin(o, s);                                                                           \
    __VA_ARGS__;                                                                                   \
    section_end(o, s)
    SECTION(S_DYNSYM, put_symbols(o));
    SECTION(S_HASH, put_hash(o));
    SECTION(S_VERSYM, put(o, versym, sizeof versym));
    SECTION(S_VERDEF, put_versions(o));
    SECTION(S_NOTE, put_note(o));
    SECTION(S_EH_HDR, o->at += 20);
    SECTION(S_EH, put_frames(o));
    SECTION(S_DYNAMIC, put_dynamic(o));
#undef SECTION
    uint32_t loaded = o->at;
    put_section_headers(o, &eh);
    const Elf64_Phdr ph[PHDRS] = {
        {PT_LOAD, PF_R | PF_X, 0, 0, 0, loaded, loaded, VDSO_BYTES},
        {PT_DYNAMIC, PF_R, o->sh[S_DYNAMIC].sh_offset, o->sh[S_DYNAMIC].sh_addr,
         o->sh[S_DYNAMIC].sh_addr, o->sh[S_DYNAMIC].sh_size, o->sh[S_DYNAMIC].sh_size, 8},
        {PT_NOTE, PF_R, o->sh[S_NOTE].sh_offset, o->sh[S_NOTE].sh_addr, o->sh[S_NOTE].sh_addr,
         o->sh[S_NOTE].sh_size, o->sh[S_NOTE].sh_size, 4},
        {PT_GNU_EH_FRAME, PF_R, o->sh[S_EH_HDR].sh_offset, o->sh[S_EH_HDR].sh_addr,
         o->sh[S_EH_HDR].sh_addr, o->sh[S_EH_HDR].sh_size, o->sh[S_EH_HDR].sh_size, 4},
    };
    o->at = 0;
    put(o, &eh, sizeof eh);
    put(o, ph, sizeof ph);
}

uint64_t vdso_symbol(const uint8_t page[VDSO_BYTES], const char *name)
{
    const Elf64_Ehdr *eh = (const void *)page;
    const Elf64_Shdr *sh = (const void *)(page + eh->e_shoff);
    const Elf64_Sym *y = (const void *)(page + sh[S_DYNSYM].sh_offset);
    const char *names = (const char *)page + sh[S_DYNSTR].sh_offset;
    for (unsigned k = 1; k < SYMBOLS; k++) {
        if (strcmp(names + y[k].st_name, name) == 0) {
            return y[k].st_value;
        }
    }
    return 0;
}
