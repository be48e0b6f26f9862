/* kvm_host.h - what kvm.c and nested.c share: a virtual machine by KVM, with 2 MiB of memory and one CPU, that reports by a store to REPORT.
 * All end the program with a line of why not.
 */
#ifndef ARMX_TESTS_BOOT_KVM_HOST_H
#define ARMX_TESTS_BOOT_KVM_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RAM = 0x40000000, RAM_BYTES = 1 << 21, REPORT = 0x10000000, DIST = 0x08000000, REDIST = 0x080a0000 };

typedef struct Guest {
    int kvm, vm, vcpu;
    char *ram;
} Guest;

static inline int checked(int r, const char *what)
{
    if (r < 0) {
        printf("%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
        exit(1);
    }
    return r;
}

static inline void set_attr(int fd, uint32_t group, uint64_t attr, uint64_t *value)
{
    struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uint64_t)(uintptr_t)value};
    checked(ioctl(fd, KVM_SET_DEVICE_ATTR, &a), "interrupt controller");
}

/* Makes a GICv3; false: KVM has none. */
static inline bool gic_v3(const Guest *g)
{
    struct kvm_create_device d = {.type = KVM_DEV_TYPE_ARM_VGIC_V3};
    uint64_t dist = DIST, redist = REDIST;
    if (ioctl(g->vm, KVM_CREATE_DEVICE, &d) < 0) {
        return false;
    }
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
    return true;
}

/* The machine without its interrupt controller; features of the CPU besides the preferred ones. */
static inline Guest guest_new(uint32_t features)
{
    Guest g = {.kvm = checked(open("/dev/kvm", O_RDWR), "/dev/kvm")};
    g.vm = checked(ioctl(g.kvm, KVM_CREATE_VM, 0), "machine");
    g.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {.guest_phys_addr = RAM, .memory_size = RAM_BYTES,
                                                 .userspace_addr = (uint64_t)(uintptr_t)g.ram};
    checked(ioctl(g.vm, KVM_SET_USER_MEMORY_REGION, &region), "memory");
    g.vcpu = checked(ioctl(g.vm, KVM_CREATE_VCPU, 0), "CPU");
    struct kvm_vcpu_init init;
    checked(ioctl(g.vm, KVM_ARM_PREFERRED_TARGET, &init), "target");
    init.features[0] |= features;
    checked(ioctl(g.vcpu, KVM_ARM_VCPU_INIT, &init), "CPU");
    return g;
}

/* n: 0-30 X registers, 32 the PC. */
static inline uint64_t guest_reg(const Guest *g, unsigned long request, unsigned n, uint64_t value)
{
    struct kvm_one_reg r = {.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | n * 2,
                            .addr = (uint64_t)(uintptr_t)&value};
    checked(ioctl(g->vcpu, request, &r), "register");
    return value;
}

/* Runs bytes of code, put at the start of memory, from entry with x27 = count, until it reports; what it reports. */
static inline uint64_t guest_run(const Guest *g, const char *code, size_t bytes, uint64_t entry, uint64_t count)
{
    memcpy(g->ram, code, bytes);
    __builtin___clear_cache(g->ram, g->ram + bytes);
    guest_reg(g, KVM_SET_ONE_REG, 32, entry);
    guest_reg(g, KVM_SET_ONE_REG, 27, count);
    struct kvm_run *run = mmap(NULL, (size_t)checked(ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "size"),
                               PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
    while (ioctl(g->vcpu, KVM_RUN, 0) < 0) {
        checked(errno == EINTR ? 0 : -1, "run");
    }
    uint64_t word;
    memcpy(&word, run->mmio.data, sizeof word);
    if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write || run->mmio.phys_addr != REPORT) {
        printf("%s: exit %u at %llx, pc %llx\n", program_invocation_short_name, run->exit_reason, (unsigned long long)run->mmio.phys_addr,
               (unsigned long long)guest_reg(g, KVM_GET_ONE_REG, 32, 0));
        exit(1);
    }
    return word;
}

#endif
