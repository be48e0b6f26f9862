/* b_translate.c - what translation costs: all code of an arm64 ELF file, region by region, nothing is run.
 *
 * usage: b_translate FILE [ROUNDS]
 * Prints CPU time per guest instruction, then, by the clock, front end and back end apart, IR ops and host bytes per
 * instruction. Each round ends with a flush; the first pays for the pages.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "cpu.h"
#include "log.h"
#include "tb.h"

static const uint8_t *text;
static uint64_t text_pc, text_size;

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    *avail = 0;
    if (pc.v - text_pc >= text_size) {
        return NULL;
    }
    uint64_t left = text_size - (pc.v - text_pc), page = 4096 - (pc.v & 4095);
    *avail = (uint32_t)(left < page ? left : page);
    return text + (pc.v - text_pc);
}

/* The section .text of the file. */
static int load(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return -1;
    }
    const uint8_t *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)p;
    const Elf64_Shdr *sh = (const Elf64_Shdr *)(p + eh->e_shoff);
    const char *names = (const char *)p + sh[eh->e_shstrndx].sh_offset;
    for (unsigned k = 0; k < eh->e_shnum; k++) {
        if (strcmp(names + sh[k].sh_name, ".text") == 0) {
            text = p + sh[k].sh_offset;
            text_pc = sh[k].sh_addr;
            text_size = sh[k].sh_size;
            return 0;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    if (argc < 2 || load(argv[1]) < 0) {
        fprintf(stderr, "usage: b_translate FILE [ROUNDS]\n");
        return 2;
    }
    const CpuModel *m = a64_model(NULL);
    Space space = {.fetch = fetch};
    Engine *e = engine_new(&(EngineConfig){.fe = &a64_frontend, .cpu_model = m, .space = &space});
    CpuA64 *cpu = aligned_alloc(64, ALIGN_UP(sizeof *cpu, 64));
    memset(cpu, 0, sizeof *cpu);
    cpu->model = m;
    if (!e || engine_cpu_init(e, &cpu->h) < 0) {
        fprintf(stderr, "no engine\n");
        return 1;
    }
    for (int rounds = argc > 2 ? atoi(argv[2]) : 1; rounds > 0; rounds--) {
        clock_t start = clock();
        uint64_t insns = 0, code = 0;
        log_mask = rounds == 1 ? LOG_stats : 0;
        for (uint64_t pc = ALIGN_UP(text_pc, 4); pc + 4 <= text_pc + text_size;) {
            const Tb *tb = engine_translate(e, &cpu->h, pc, cpu->h.key, pc);
            pc += tb->nbytes ? tb->nbytes : 4;
            insns += tb->ninsns;
            code += tb->size;
        }
        double us = (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC;
        printf("%.3f us of CPU per guest instruction, %.0f ms, %llu bytes\n", us / (double)insns, us / 1e3, (unsigned long long)code);
        engine_flush(e, &cpu->h);
    }
    engine_log_stats(e);
    return 0;
}
