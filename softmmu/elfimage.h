/* elfimage.h - what an AArch64 ELF file puts into memory. */
#ifndef ARMX_SOFTMMU_ELFIMAGE_H
#define ARMX_SOFTMMU_ELFIMAGE_H

#include "boot.h"

/* The parts of a file that is ELF (elf_is), at their physical addresses, and the entry's; ends the process with a message that begins
 * with `what` and the file's name when it is damaged or for another CPU. The parts point into the file. */
bool elf_is(const BootFile *f);
ElfImage elf_image(const char *what, const BootFile *f);

#endif
