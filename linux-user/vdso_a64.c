/* vdso_a64.c - the vDSO in the guest's memory, and the answers to its HLT instructions: the host's
 * own vDSO is asked, so that reading the clock makes no system call and is exactly the host's
 * clock.
 *
 * The stores into the guest's structures are the guest's own instructions, so a bad pointer faults
 * as on an Arm machine. Clocks that no vDSO knows (CPU time, dynamic ones) go the way of the system
 * call.
 */
#include "vdso.h"

#include <elf.h>
#include <sys/auxv.h>
#include <time.h>

#include "vma.h"

typedef struct HostTime {
    int64_t sec, frac;
} HostTime;
typedef int HostClock(int clock, HostTime *t);
typedef int HostTimeOfDay(HostTime *t, uint64_t *zone);

static struct {
    HostClock *gettime, *getres;
    HostTimeOfDay *timeofday;
} host;

/* The clocks that Linux answers without a call: realtime, monotonic, raw, both coarse ones,
 * boottime, TAI. */
enum { CLOCKS = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 11 };

/* -- the host's vDSO --------------------------------------------------------------------------- */

static const Elf64_Dyn *dynamic_of(const Elf64_Ehdr *eh, uint64_t *bias)
{
    const Elf64_Phdr *ph = (const void *)((const uint8_t *)eh + eh->e_phoff);
    const Elf64_Dyn *d = NULL;
    *bias = (uint64_t)eh;
    for (unsigned k = 0; k < eh->e_phnum; k++) {
        if (ph[k].p_type == PT_LOAD && ph[k].p_flags & PF_X) {
            *bias = (uint64_t)eh + ph[k].p_offset - ph[k].p_vaddr;
        } else if (ph[k].p_type == PT_DYNAMIC) {
            d = (const void *)((const uint8_t *)eh + ph[k].p_offset);
        }
    }
    return d;
}

static void host_init(void)
{
    const Elf64_Ehdr *eh = (const void *)getauxval(AT_SYSINFO_EHDR);
    uint64_t bias, sym = 0, str = 0, count = 0;
    const Elf64_Dyn *d = eh ? dynamic_of(eh, &bias) : NULL;
    for (; d && d->d_tag != DT_NULL; d++) {
        sym = d->d_tag == DT_SYMTAB ? bias + d->d_un.d_ptr : sym;
        str = d->d_tag == DT_STRTAB ? bias + d->d_un.d_ptr : str;
        if (d->d_tag == DT_HASH) {
            count = ((const uint32_t *)(bias + d->d_un.d_ptr))[1];
        }
    }
    if (!count && sym && str > sym) {
        count = (str - sym) /
                sizeof(Elf64_Sym); /* newer kernels have a GNU hash only; the strings follow */
    }
    for (uint64_t k = 1; sym && str && k < count; k++) {
        const Elf64_Sym *y = (const Elf64_Sym *)sym + k;
        const char *name = (const char *)str + y->st_name;
        void *fn = (void *)(bias + y->st_value);
        if (y->st_shndx == SHN_UNDEF) {
            continue;
        }
        if (strcmp(name, "__vdso_clock_gettime") == 0) {
            host.gettime = (HostClock *)fn;
        } else if (strcmp(name, "__vdso_clock_getres") == 0) {
            host.getres = (HostClock *)fn;
        } else if (strcmp(name, "__vdso_gettimeofday") == 0) {
            host.timeofday = (HostTimeOfDay *)fn;
        }
    }
}

/* -- the guest's ------------------------------------------------------------------------------- */

/* What the HLT instructions of the image call (Space.call). */
static void answer(CpuHead *head, uint32_t imm)
{
    CpuA64 *c = (CpuA64 *)head;
    HostTime now = {0};
    uint64_t zone = 0;
    uint32_t clock = (uint32_t)c->x[0];
    bool known = clock < 12 && CLOCKS >> clock & 1, done = false;
    switch (imm) {
    case VDSO_CLOCK_GETTIME:
        done = known && host.gettime && host.gettime((int)clock, &now) == 0;
        break;
    case VDSO_CLOCK_GETRES:
        done = known && host.getres && host.getres((int)clock, &now) == 0;
        break;
    case VDSO_GETTIMEOFDAY:
        done = host.timeofday && host.timeofday(&now, &zone) == 0;
        c->x[5] = zone;
        break;
    }
    c->x[2] = !done;
    c->x[3] = (uint64_t)now.sec;
    c->x[4] = (uint64_t)now.frac;
}

int vdso_map(void)
{
    uint8_t page[VDSO_BYTES];
    uint64_t prot =
        G_READ | G_EXEC | (a64_hwcap(process.model, 1) >> 17 & 1 ? G_BTI : 0); /* HWCAP2_BTI */
    int64_t at = mm_map_special(0, VDSO_BYTES, G_READ | G_WRITE, 0, VMA_VDSO);
    if (at < 0) {
        return (int)at;
    }
    host_init();
    vdso_image(page);
    if (put_user((uint64_t)at, page, sizeof page) < 0) {
        return -EFAULT;
    }
    process.vdso = (uint64_t)at;
    process.space.call = answer;
    process.space.call_page = process.vdso;
    process.sigtramp = process.vdso + vdso_symbol(page, "__kernel_rt_sigreturn");
    return (int)mm_mprotect(process.vdso, VDSO_BYTES, prot);
}
