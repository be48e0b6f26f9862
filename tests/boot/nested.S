/* nested.S - what nested.c runs: a hypervisor at EL2 that a host with nested virtualization only seems to give it, and its guest.
 *
 * The hypervisor looks at registers of EL2, translates its guest's addresses by tables of its own, takes calls, aborts of stage 2 and the
 * guest's timer interrupts, and goes back by ERET. `kind` is vhe (HCR_EL2.E2H is 1, the guest's registers are _EL12) or nvhe (E2H is 0, they
 * are _EL1). A word that is written to REPORT ends it: 1 good, else the line here that found something wrong.
 * x27 = how many round trips; x28 = REPORT.
 */
    .arch armv8.1-a
    .set RAM, 0x40000000
    .set TABLE, RAM + 0x100000     /* of stage 2, level 1 */
    .set TABLE2, RAM + 0x101000    /* level 2 of the third GiB */
    .set FLAGS, RAM + 0x102000     /* what hypervisor and guest tell each other: 0 interrupts, 8 aborts, 16 calls */
    .set HOLE, 0x80200000          /* IPA that is mapped after the first abort */

    .macro expect reg, value       /* uses x0 and x1 */
    ldr x1, =\value
    cmp \reg, x1
    adr x0, .
    b.ne fail
    .endm

    .macro hypervisor kind
    .balign 2048
    .globl \kind\()_start, \kind\()_end
\kind\()_start:
    b \kind\()_enter
    .org \kind\()_start + 0x200    /* at EL2 itself nothing may happen */
    adr x0, .
    b fail
    .org \kind\()_start + 0x400
    b \kind\()_sync
    .org \kind\()_start + 0x480
    b \kind\()_irq
    .org \kind\()_start + 0x580
    adr x0, .
    b fail
    .org \kind\()_start + 0x800
\kind\()_enter:
    mov x28, #0x10000000
    mrs x2, currentel
    expect x2, 8
    adr x2, \kind\()_start
    msr vbar_el2, x2
    mrs x3, vbar_el2
    cmp x2, x3
    adr x0, .
    b.ne fail
    ldr x2, =0x123456789abcdef0
    msr tpidr_el2, x2
    mrs x3, tpidr_el2
    expect x3, 0x123456789abcdef0
    ldr x3, =TABLE                 /* stage 2: the second GiB, and a table that is empty for the third */
    ldr x4, =RAM | 0x7fd           /* block: AF, inner shareable, read and write, write-back */
    str xzr, [x3]
    str x4, [x3, #8]
    ldr x4, =TABLE2 + 3
    str x4, [x3, #16]
    str xzr, [x3, #24]
    ldr x2, =0x80023560            /* VTCR_EL2: T0SZ 32, from level 1, 4 KiB, write-back, inner shareable, 40 bits */
    msr vtcr_el2, x2
    msr vttbr_el2, x3
    mrs x4, vttbr_el2
    cmp x3, x4
    adr x0, .
    b.ne fail
    .ifc \kind, vhe
    ldr x2, =1 << 34 | 1 << 31 | 3 << 3 | 1
    .else
    ldr x2, =1 << 31 | 3 << 3 | 1  /* RW, IMO, FMO, VM */
    .endif
    msr hcr_el2, x2
    isb
    mrs x3, hcr_el2
    and x3, x3, x2
    cmp x3, x2
    adr x0, .
    b.ne fail
    tlbi vmalls12e1
    tlbi alle1
    dsb sy
    isb
    .ifc \kind, vhe
    mrs x2, sctlr_el12
    .else
    mrs x2, sctlr_el1
    .endif
    ldr x3, =0x30d00800
    .ifc \kind, vhe
    msr sctlr_el12, x3
    .else
    msr sctlr_el1, x3
    .endif
    mov x2, #3 << 20               /* the guest's FP is its own */
    .ifc \kind, vhe
    msr cpacr_el12, x2
    msr cpacr_el1, x2
    .else
    msr cpacr_el1, x2
    mov x2, #0x33ff
    msr cptr_el2, x2
    .endif
    mov x2, #3                     /* the physical timer and counter are the guest's */
    .ifc \kind, vhe
    lsl x2, x2, #10
    .endif
    msr cnthctl_el2, x2
    mov x0, #0xf0                  /* interrupts: 27 */
    msr S3_0_C4_C6_0, x0
    mov x0, #1
    msr S3_0_C12_C12_7, x0
    isb
    mov x1, #0x08000000
    mov w0, #0x12
    str w0, [x1]
    mov x1, #0x080a0000
    str wzr, [x1, #0x14]
    add x1, x1, #0x10000
    mov w0, #-1
    str w0, [x1, #0x80]
    mov w0, #1 << 27
    str w0, [x1, #0x100]
    ldr x2, =0x3c5
    msr spsr_el2, x2
    adr x2, \kind\()_guest
    msr elr_el2, x2
    mrs x3, elr_el2
    cmp x2, x3
    adr x0, .
    b.ne fail
    ldr x2, =RAM + 0x1f0000
    msr sp_el1, x2
    isb
    eret

\kind\()_sync:                         /* keeps all but x0 to x5 */
    mrs x2, esr_el2
    lsr x3, x2, #26
    ldr x4, =FLAGS
    cmp x3, #0x16
    b.eq 1f
    cmp x3, #0x24
    b.eq 2f
    adr x0, .
    b fail
1:  ldr x5, [x4, #16]
    add x5, x5, #1
    str x5, [x4, #16]
    ands x3, x2, #0xffff           /* HVC #0 is a round trip, #1 the end, #2 asks what the hypervisor sees */
    b.eq 9f
    cmp x3, #1
    b.eq 3f
    .ifc \kind, vhe
    mrs x3, tpidr_el1
    mrs x2, vbar_el12
    .else
    mrs x3, tpidr_el1
    mrs x2, vbar_el1
    .endif
    expect x2, RAM + 0x8000
    expect x3, 0x77
    ldr x3, =RAM + 0x1f0000
    mrs x2, sp_el1
    cmp x2, x3
    adr x0, .
    b.ne fail
    at s12e1r, x3                  /* through both stages */
    isb
    mrs x2, par_el1
    tbnz x2, #0, 4f
    ubfx x2, x2, #12, #36
    expect x2, (RAM + 0x1f0000) >> 12
9:  eret
2:  ldr x5, [x4, #8]               /* an abort of stage 2, once: then the page is there */
    cbnz x5, 4f
    mov x5, #1
    str x5, [x4, #8]
    mrs x2, hpfar_el2              /* KVM leaves a mark of its own in bit 63 */
    ubfx x2, x2, #4, #40
    expect x2, HOLE >> 12
    mrs x2, far_el2
    expect x2, HOLE + 8
    ldr x2, =TABLE2 + 8
    ldr x3, =RAM | 0x7fd
    str x3, [x2]
    dsb sy
    eret
4:  adr x0, .
    b fail
3:  mrs x2, spsr_el2
    and x2, x2, #15
    expect x2, 5
    ldr x5, [x4, #16]
    add x3, x27, #2
    cmp x5, x3
    adr x0, .
    b.ne fail
    mov x0, #1
    b fail

\kind\()_irq:
    mrs x2, S3_0_C12_C12_0
    expect x2, 27
    .ifc \kind, vhe
    msr S3_5_C14_C3_1, xzr         /* CNTV_CTL_EL02 */
    .else
    msr cntv_ctl_el0, xzr
    .endif
    isb
    msr S3_0_C12_C12_1, x2
    ldr x4, =FLAGS
    ldr x5, [x4]
    add x5, x5, #1
    str x5, [x4]
    eret

\kind\()_guest:
    mrs x6, currentel
    ldr x7, =4
    cmp x6, x7
    b.ne .
    ldr x6, =RAM + 0x8000
    msr vbar_el1, x6
    mov x6, #0x77
    msr tpidr_el1, x6
    hvc #2
    ldr x6, =HOLE
    ldr x7, =\kind\()_magic
    ldr x8, [x6, #8]               /* faults, then shows RAM + 8 */
    ldr x9, =RAM
    ldr x9, [x9, #8]
    cmp x8, x9
    b.ne .
    mov x10, #0
1:  hvc #0
    ldr x6, =FLAGS
    ldr x7, [x6]
    mov x8, #2000
    msr cntv_tval_el0, x8
    mov x8, #1
    msr cntv_ctl_el0, x8
    isb
2:  ldr x9, [x6]
    cmp x7, x9
    b.eq 2b
    mrs x8, cntv_ctl_el0
    tbnz x8, #0, .
    add x10, x10, #1
    cmp x10, x27
    b.lo 1b
    hvc #1
    b .
    .ltorg
\kind\()_magic:
    .quad 0
    .endm

    .text
    .balign 2048
    .globl nested_start, nested_end
nested_start:
    hypervisor vhe
    hypervisor nvhe
fail:
    str x0, [x28]
    b .
    .ltorg
nested_end:
