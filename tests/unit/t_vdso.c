/* t_vdso.c - the guest's vDSO image: read as a dynamic loader reads it, through program headers,
 * the dynamic section, the hash table and the versions; and its code against the vDSO's calling
 * convention.
 */
#include <criterion/criterion.h>
#include <elf.h>

#include "linux-user/vdso.h"

static uint8_t page[VDSO_BYTES] __attribute__((aligned(8)));

static const Elf64_Phdr *segment(uint32_t type)
{
    const Elf64_Ehdr *eh = (const void *)page;
    const Elf64_Phdr *ph = (const void *)(page + eh->e_phoff);
    for (unsigned k = 0; k < eh->e_phnum; k++) {
        if (ph[k].p_type == type) {
            return &ph[k];
        }
    }
    return NULL;
}

static const void *dynamic(int64_t tag)
{
    const Elf64_Phdr *ph = segment(PT_DYNAMIC);
    for (const Elf64_Dyn *d = (const void *)(page + ph->p_vaddr); d->d_tag != DT_NULL; d++) {
        if (d->d_tag == tag) {
            return page + d->d_un.d_ptr;
        }
    }
    return NULL;
}

static uint32_t hash(const char *s)
{
    uint32_t h = 0, g;
    while (*s) {
        h = (h << 4) + (unsigned char)*s++;
        g = h & 0xf0000000;
        h ^= g >> 24;
        h &= ~g;
    }
    return h;
}

/* Looks name up by the hash table; checks its version. */
static const Elf64_Sym *find(const char *name)
{
    const uint32_t *table = dynamic(DT_HASH), *chain = table + 2 + table[0];
    const Elf64_Sym *y = dynamic(DT_SYMTAB);
    const char *names = dynamic(DT_STRTAB);
    const uint16_t *versym = dynamic(DT_VERSYM);
    for (uint32_t k = table[2 + hash(name) % table[0]]; k; k = chain[k]) {
        cr_assert_lt(k, table[1]);
        if (strcmp(names + y[k].st_name, name) == 0) {
            const Elf64_Verdef *d = dynamic(DT_VERDEF);
            while (d->vd_ndx != versym[k]) {
                cr_assert_neq(d->vd_next, 0);
                d = (const void *)((const uint8_t *)d + d->vd_next);
            }
            const Elf64_Verdaux *a = (const void *)((const uint8_t *)d + d->vd_aux);
            cr_assert_str_eq(names + a->vda_name, "LINUX_2.6.39");
            cr_assert_eq(d->vd_hash, hash("LINUX_2.6.39"));
            return &y[k];
        }
    }
    return NULL;
}

static uint32_t word(uint64_t at)
{
    uint32_t w;
    memcpy(&w, page + at, 4);
    return w;
}

Test(vdso, header)
{
    vdso_image(page);
    const Elf64_Ehdr *eh = (const void *)page;
    const Elf64_Phdr *load = segment(PT_LOAD);
    cr_assert_arr_eq(eh->e_ident, ELFMAG, SELFMAG);
    cr_assert_eq(eh->e_machine, EM_AARCH64);
    cr_assert_eq(eh->e_type, ET_DYN);
    cr_assert_eq(load->p_vaddr, 0);
    cr_assert_eq(load->p_flags, PF_R | PF_X);
    cr_assert_leq(load->p_filesz, VDSO_BYTES);
    cr_assert_leq(eh->e_shoff + eh->e_shnum * sizeof(Elf64_Shdr), VDSO_BYTES);
    cr_assert(segment(PT_NOTE) && segment(PT_GNU_EH_FRAME));
}

Test(vdso, symbols)
{
    static const struct {
        const char *name;
        unsigned svc, hlt; /* system call behind it; immediate of its HLT */
    } rows[] = {
        {"__kernel_clock_gettime", 113, VDSO_CLOCK_GETTIME},
        {"__kernel_gettimeofday", 169, VDSO_GETTIMEOFDAY},
        {"__kernel_clock_getres", 114, VDSO_CLOCK_GETRES},
    };
    vdso_image(page);
    for (unsigned k = 0; k < LEN(rows); k++) {
        const Elf64_Sym *y = find(rows[k].name);
        cr_assert_not_null(y, "%s", rows[k].name);
        cr_assert_eq(vdso_symbol(page, rows[k].name), y->st_value);
        cr_assert_eq(word(y->st_value), 0xd503245f, "BTI C");
        cr_assert_eq(word(y->st_value + 4), 0xd4400000 | rows[k].hlt << 5, "HLT");
        uint64_t end = y->st_value + y->st_size;
        cr_assert_eq(word(end - 12), 0xd2800008 | rows[k].svc << 5, "MOV X8");
        cr_assert_eq(word(end - 8), 0xd4000001, "SVC");
        cr_assert_eq(word(end - 4), 0xd65f03c0, "RET");
    }
    cr_assert_null(find("__kernel_nothing"));
    cr_assert_eq(vdso_symbol(page, "__kernel_nothing"), 0);
}

/* What unwinders compare the code at a signal handler's return address with. */
Test(vdso, sigreturn)
{
    vdso_image(page);
    const Elf64_Sym *y = find("__kernel_rt_sigreturn");
    cr_assert_not_null(y);
    cr_assert_eq(word(y->st_value - 4), 0xd503201f);
    cr_assert_eq(word(y->st_value), 0xd2801168);
    cr_assert_eq(word(y->st_value + 4), 0xd4000001);
}

/* The search table of the frame header names a description that covers the other functions and no
 * sigreturn. */
Test(vdso, frames)
{
    vdso_image(page);
    const Elf64_Phdr *hdr = segment(PT_GNU_EH_FRAME);
    uint64_t at = hdr->p_vaddr;
    cr_assert_eq(word(at), 0x3b031b01);
    cr_assert_eq(word(at + 8), 1);
    uint64_t start = (at + word(at + 12)) & 0xffffffff, fde = (at + word(at + 16)) & 0xffffffff;
    cr_assert_eq(start, find("__kernel_clock_gettime")->st_value);
    cr_assert_eq((fde + 8 + word(fde + 8)) & 0xffffffff, start);
    const Elf64_Sym *last = find("__kernel_clock_getres");
    cr_assert_eq(start + word(fde + 12), last->st_value + last->st_size);
    cr_assert_gt(start, find("__kernel_rt_sigreturn")->st_value);
    uint64_t cie = fde + 4 - word(fde + 4);
    cr_assert_eq(word(cie + 4), 0);
}
