/* gdbjit.c - names of translated code for a debugger of armx itself: gdb's JIT interface (-gdbjit).
 *
 * gdb stops at __jit_debug_register_code and reads the entry that the descriptor names: here an ELF image in memory with one
 * symbol, which covers one region's host code. Names are perf.c's. Entries stay when their code is dropped: gdb finds the
 * newest of an address first, as entries are put in front. The caller's lock (perf.c) guards the list.
 *
 * The names of the two objects and the structures are the interface's (gdb manual, "JIT Compilation Interface").
 */
#include <elf.h>
#include <stdlib.h>

#include "perf.h"

typedef struct JitEntry JitEntry;
struct JitEntry {
    JitEntry *next, *prev;
    const void *image;
    uint64_t size;
};

typedef struct JitDescriptor {
    uint32_t version;
    uint32_t action; /* 1 = the entry is new */
    JitEntry *entry, *first;
} JitDescriptor;

JitDescriptor __jit_debug_descriptor = {.version = 1};

void __jit_debug_register_code(void);
__attribute__((noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory");
}

enum { S_NONE, S_TEXT, S_SYMTAB, S_STRTAB, S_COUNT, NAME_MAX = 256 };

/* One region: header, sections, symbols, and the strings of both. */
typedef struct JitImage {
    JitEntry entry;
    Elf64_Ehdr head;
    Elf64_Shdr section[S_COUNT];
    Elf64_Sym symbol[2];
    char strings[32 + NAME_MAX];
} JitImage;

static const char section_names[] = "\0.text\0.symtab\0.strtab";
enum { NAME_TEXT = 1, NAME_SYMTAB = 7, NAME_STRTAB = 15, NAME_SYMBOL = sizeof section_names };

static uint64_t at(size_t member)
{
    return member - offsetof(JitImage, head);
}

void gdbjit_add(const char *name, const void *host, size_t size)
{
    JitImage *m = calloc(1, sizeof *m);
    if (!m) {
        return;
    }
    memcpy(m->strings, section_names, sizeof section_names);
    strncpy(m->strings + NAME_SYMBOL, name, NAME_MAX - 1);
    m->head = (Elf64_Ehdr){.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                           .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof m->head,
                           .e_shoff = at(offsetof(JitImage, section)), .e_shentsize = sizeof m->section[0], .e_shnum = S_COUNT,
                           .e_shstrndx = S_STRTAB};
    m->section[S_TEXT] = (Elf64_Shdr){.sh_name = NAME_TEXT, .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                      .sh_addr = (uintptr_t)host, .sh_size = size, .sh_addralign = 16};
    m->section[S_SYMTAB] = (Elf64_Shdr){.sh_name = NAME_SYMTAB, .sh_type = SHT_SYMTAB, .sh_offset = at(offsetof(JitImage, symbol)),
                                        .sh_size = sizeof m->symbol, .sh_link = S_STRTAB, .sh_info = 1, .sh_addralign = 8,
                                        .sh_entsize = sizeof m->symbol[0]};
    m->section[S_STRTAB] = (Elf64_Shdr){.sh_name = NAME_STRTAB, .sh_type = SHT_STRTAB, .sh_offset = at(offsetof(JitImage, strings)),
                                        .sh_size = sizeof m->strings, .sh_addralign = 1};
    m->symbol[1] = (Elf64_Sym){.st_name = NAME_SYMBOL, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = S_TEXT,
                               .st_value = (uintptr_t)host, .st_size = size};
    JitDescriptor *d = &__jit_debug_descriptor;
    m->entry = (JitEntry){.next = d->first, .image = &m->head, .size = sizeof *m - offsetof(JitImage, head)};
    if (d->first) {
        d->first->prev = &m->entry;
    }
    d->first = d->entry = &m->entry;
    d->action = 1;
    __jit_debug_register_code();
}
