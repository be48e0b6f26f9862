/* kvm.c - in a guest with EL2: a virtual machine of our own by KVM, with a virtual interrupt controller and timer.
 *
 *   kvm [COUNT]     until COUNT timer interrupts were taken, by GICv3 if the host's is one, else by GICv2
 *
 * The inner guest takes the virtual timer's interrupt out of WFI, sets it again, and with every eighth sends an SGI to itself.
 * So list registers, hardware interrupts, the maintenance interrupt, stage 2, world switches and trapped MMIO all work
 * before "done" is printed. Exit: 0, or 1 with a line of why not.
 */
#include "kvm_host.h"

enum { CPU = 0x08010000 };

extern char v3_start[], v3_end[], v2_start[], v2_end[];

/* x20 counts, x27 = COUNT, x28 = REPORT. The code starts with its own vector table. */
__asm__(".macro begin name\n"
        ".balign 2048\n"
        "\\name\\()_start: b 1f\n"
        ".org \\name\\()_start + 0x280\n" /* IRQ at EL1 with SP_EL1 */
        "b \\name\\()_irq\n"
        ".org \\name\\()_start + 0x800\n"
        "1: adr x0, \\name\\()_start\n msr vbar_el1, x0\n isb\n"
        "mov x28, #0x10000000\n mov x20, #0\n"
        ".endm\n"
        ".macro count name\n"
        "bl \\name\\()_set\n msr daifclr, #2\n"
        "2: wfi\n cmp x20, x27\n b.lo 2b\n"
        "msr daifset, #2\n str x20, [x28]\n b .\n"
        "\\name\\()_set: mov x0, #6250\n msr cntv_tval_el0, x0\n mov x0, #1\n msr cntv_ctl_el0, x0\n ret\n"
        ".endm\n"
        ".macro tick name\n"
        "add x20, x20, #1\n msr cntv_ctl_el0, xzr\n isb\n mov x19, x30\n bl \\name\\()_set\n mov x30, x19\n"
        ".endm\n"
        ".pushsection .text\n"
        ".globl v3_start, v3_end, v2_start, v2_end\n"
        "begin v3\n"
        "mov x0, #0xf0\n msr S3_0_C4_C6_0, x0\n"     /* ICC_PMR_EL1 */
        "mov x0, #1\n msr S3_0_C12_C12_7, x0\n isb\n" /* ICC_IGRPEN1_EL1 */
        "mov x1, #0x08000000\n mov w0, #0x12\n str w0, [x1]\n"
        "mov x1, #0x080a0000\n str wzr, [x1, #0x14]\n"
        "add x1, x1, #0x10000\n mov w0, #-1\n str w0, [x1, #0x80]\n"
        "mov w0, #0xffff\n str w0, [x1, #0x100]\n mov w0, #(1 << 27)\n str w0, [x1, #0x100]\n"
        "count v3\n"
        "v3_irq: mrs x2, S3_0_C12_C12_0\n cmp w2, #27\n b.ne 2f\n" /* ICC_IAR1_EL1 */
        "tick v3\n"
        "tst x20, #7\n b.ne 2f\n mov x0, #(3 << 24)\n orr x0, x0, #1\n msr S3_0_C12_C11_5, x0\n" /* ICC_SGI1R_EL1 */
        "2: msr S3_0_C12_C12_1, x2\n eret\n"                                                    /* ICC_EOIR1_EL1 */
        "v3_end:\n"
        "begin v2\n"
        "mov x25, #0x08000000\n mov w0, #1\n str w0, [x25]\n mov w0, #(1 << 27)\n str w0, [x25, #0x100]\n"
        "mov x26, #0x08010000\n mov w0, #0xf0\n str w0, [x26, #4]\n mov w0, #1\n str w0, [x26]\n"
        "count v2\n"
        "v2_irq: ldr w2, [x26, #0xc]\n and w3, w2, #0x3ff\n cmp w3, #27\n b.ne 2f\n"
        "tick v2\n"
        "tst x20, #7\n b.ne 2f\n mov w0, #(2 << 24)\n orr w0, w0, #3\n str w0, [x25, #0xf00]\n"
        "2: str w2, [x26, #0x10]\n eret\n"
        "v2_end:\n"
        ".popsection\n");

/* Makes the controller; 3 or 2. */
static int make_gic(const Guest *g)
{
    struct kvm_create_device d = {.type = KVM_DEV_TYPE_ARM_VGIC_V2};
    uint64_t dist = DIST, cpu = CPU;
    if (gic_v3(g)) {
        return 3;
    }
    checked(ioctl(g->vm, KVM_CREATE_DEVICE, &d), "interrupt controller");
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, &dist);
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, &cpu);
    set_attr(d.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
    return 2;
}

int main(int argc, char **argv)
{
    Guest g = guest_new(0);
    int version = make_gic(&g);
    const char *code = version == 3 ? v3_start : v2_start;
    size_t bytes = (size_t)((version == 3 ? v3_end : v2_end) - code);
    uint64_t count = guest_run(&g, code, bytes, RAM, argc > 1 ? strtoul(argv[1], NULL, 0) : 1000);
    printf("kvm: GICv%d, %llu timer interrupts, done\n", version, (unsigned long long)count);
    return 0;
}
