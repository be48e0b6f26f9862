/* nested.c - in a guest whose KVM has nested virtualization: a virtual machine with EL2 of its own, and a guest in that (nested.S).
 *
 *   nested [COUNT]     with VHE and without, COUNT calls and timer interrupts of the innermost guest each
 *
 * Exit: 0, or 1 with a line of why not.
 */
#include "kvm_host.h"

/* Newer than the headers may be. */
enum { CAP_EL2 = 240, HAS_EL2 = 7, HAS_EL2_E2H0 = 8 };
/* Where nested.S counts. */
enum { FLAGS = 0x102000 };

extern char nested_start[], nested_end[], vhe_start[], nvhe_start[];

static bool run(bool vhe, uint64_t count)
{
    const char *name = vhe ? "vhe" : "nvhe";
    Guest g = guest_new(1 << HAS_EL2 | (vhe ? 0 : 1 << HAS_EL2_E2H0));
    if (!gic_v3(&g)) {
        printf("nested: no GICv3\n");
        return false;
    }
    uint64_t entry = RAM + (uint64_t)((vhe ? vhe_start : nvhe_start) - nested_start);
    uint64_t word = guest_run(&g, nested_start, (size_t)(nested_end - nested_start), entry, count);
    if (word != 1) {
        printf("nested: %s: wrong at %#llx: x1-x3 %#llx %#llx %#llx\n", name, (unsigned long long)word - RAM,
               (unsigned long long)guest_reg(&g, KVM_GET_ONE_REG, 1, 0), (unsigned long long)guest_reg(&g, KVM_GET_ONE_REG, 2, 0),
               (unsigned long long)guest_reg(&g, KVM_GET_ONE_REG, 3, 0));
        return false;
    }
    const uint64_t *flags = (const uint64_t *)(g.ram + FLAGS);
    printf("nested: %s: %llu interrupts, %llu aborts, %llu calls\n", name, (unsigned long long)flags[0], (unsigned long long)flags[1],
           (unsigned long long)flags[2]);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoul(argv[1], NULL, 0) : 100;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (ioctl(checked(open("/dev/kvm", O_RDWR), "/dev/kvm"), KVM_CHECK_EXTENSION, CAP_EL2) <= 0) {
        printf("nested: KVM has no EL2 for guests\n");
        return 1;
    }
    if (!run(true, count) || !run(false, count)) {
        return 1;
    }
    printf("nested: done\n");
    return 0;
}
