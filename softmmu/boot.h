/* boot.h - what the machine starts from: a kernel with its initrd and device tree, or firmware in flash.
 *
 * Files are read once, when the machine is made; boot_place puts them into RAM, at the start and after each reset.
 */
#ifndef ARMX_SOFTMMU_BOOT_H
#define ARMX_SOFTMMU_BOOT_H

#include "devtree.h"
#include "mem.h"

typedef struct BootFile {
    const char *name; /* NULL: none */
    uint8_t *at;
    size_t size;
} BootFile;

typedef struct ElfPart {
    Gpa at;
    const uint8_t *from;
    uint64_t filled, size; /* bytes from the file, and in memory: zeros behind them */
} ElfPart;

typedef struct ElfImage {
    ElfPart *parts; /* NULL: no ELF file */
    unsigned n;
    Gpa entry;
} ElfImage;

typedef struct Boot {
    BootFile kernel, initrd, dtb; /* dtb: what the guest gets, complete */
    const char *cmdline;
    bool firmware;    /* in flash: the kernel is the firmware's business */
    Gpa ram;
    uint64_t ram_size;
    Gpa kernel_at, initrd_at, dtb_at, entry;
    uint64_t kernel_end; /* address behind what the kernel uses before it knows its memory */
    ElfImage elf;
} Boot;

/* Reads a file whole; ends the process with a message when it cannot. `what` = the option, for the message. */
BootFile boot_file(const char *what, const char *name);
/* Unpacks the kernel if it is packed and lays everything out; the tree (ours, or given) gets memory, initrd and command
 * line. Ends the process with a message when something does not fit. */
void boot_prepare(Boot *b, const DevTree *tree, bool tree_given);
/* Calls fn for each piece that boot_place puts into RAM. */
void boot_each(const Boot *b, void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg);
/* Puts everything into RAM. */
void boot_place(const Boot *b, PhysMem *m);

#endif
