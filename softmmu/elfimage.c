/* elfimage.c - see elfimage.h. */
#include "elfimage.h"

#include <elf.h>
#include <stdlib.h>

#include "options.h"

bool elf_is(const BootFile *f)
{
    return f->size >= SELFMAG && !memcmp(f->at, ELFMAG, SELFMAG);
}

ElfImage elf_image(const char *what, const BootFile *f)
{
    const Elf64_Ehdr *e = (const void *)f->at;
    if (f->size < sizeof *e || e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB || e->e_machine != EM_AARCH64) {
        die("%s %s: an ELF file, but not for AArch64", what, f->name);
    }
    if (e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phoff > f->size || e->e_phnum * sizeof(Elf64_Phdr) > f->size - e->e_phoff) {
        die("%s %s: damaged ELF file", what, f->name);
    }
    const Elf64_Phdr *p = (const void *)(f->at + e->e_phoff);
    ElfImage out = {.entry = {e->e_entry}, .parts = calloc(e->e_phnum ? e->e_phnum : 1, sizeof *out.parts)};
    if (!out.parts) {
        die("%s %s: no memory", what, f->name);
    }
    for (unsigned k = 0; k < e->e_phnum; k++, p++) {
        if (p->p_type != PT_LOAD || !p->p_memsz) {
            continue;
        }
        if (p->p_offset > f->size || p->p_filesz > f->size - p->p_offset || p->p_filesz > p->p_memsz) {
            die("%s %s: damaged ELF file", what, f->name);
        }
        if (e->e_entry >= p->p_vaddr && e->e_entry - p->p_vaddr < p->p_memsz) {
            out.entry.v = e->e_entry - p->p_vaddr + p->p_paddr;
        }
        out.parts[out.n++] = (ElfPart){{p->p_paddr}, f->at + p->p_offset, p->p_filesz, p->p_memsz};
    }
    return out;
}
