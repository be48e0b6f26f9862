/* nv.S - nested virtualization (FEAT_NV, FEAT_NV2), case by case, on a machine without an operating system.
 *
 * EL2 runs each row of the table at EL1 under the row's HCR_EL2 and looks at ESR_EL2, and at x0 after the row's last words, which run at
 * EL2. The code of EL1 ends in HVC #1 if nothing traps; what EL1 itself takes ends in HVC #2. A row that is wrong is printed as its line
 * here, ESR_EL2 and x0. The end: "NUMBER cases, NUMBER wrong". Adding a case: a line at `rows`.
 *
 * x28 UART, x27 row, x26 page of VNCR_EL2, in which each word says 0xabc00000 + its offset; x22 cases, x23 wrong. Code of rows has x0 (0x5555 at
 * first) to x3.
 */
#define NV (1 << 42)
#define NV1 (1 << 43)
#define AT (1 << 44)
#define NV2 (1 << 45)
#define TVM (1 << 26)
#define E2H (1 << 34)
#define ENSCXT (1 << 53)
#define HVC(n) (0x5a000000 | (n))
#define SYS(op0, op1, crn, crm, op2, rt, read) \
    (0x62000000 | (op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))
#define ERET 0x6a000000
#define ABORT 0x96002000 /* of EL2's own, VNCR */
#define MEM(n) (0xabc00000 + (n))
#define VNCR S3_4_C2_C2_0

    .arch armv8.5-a
    .set GIB, 0x40000000

    /* case HCR_EL2, ESR_EL2, x0, "code of EL1", "last words", VNCR_EL2, CNTHCTL_EL2 */
    .macro case hcr, esr, value, code, last="nop", vncr=page, cnthctl=3
    .pushsection .text
8:  \code
    hvc #1
9:  \last
    ret
    .popsection
    .quad 8b, 9b, (\hcr) | 1 << 31, \esr, \value, \vncr, \cnthctl, __LINE
    .endm
    #define row .set __LINE, __LINE__; case

    .text
    .globl _start
_start:
    mov x28, #0x09000000
    mov w0, #0x301
    str w0, [x28, #0x30]
    adr x0, vectors2
    msr vbar_el2, x0
    ldr x0, =0xff00                /* attributes: device, memory */
    msr mair_el2, x0
    msr mair_el1, x0
    ldr x0, =tables2
    msr ttbr0_el2, x0
    ldr x0, =tables1
    msr ttbr0_el1, x0
    ldr x0, =1 << 31 | 1 << 23 | 0x3519 /* 39 bits of address, 4 KiB */
    msr tcr_el2, x0
    ldr x0, =1 << 23 | 0x3519
    msr tcr_el1, x0
    tlbi alle2
    tlbi alle1
    dsb sy
    isb
    ldr x0, =0x30c51835
    msr sctlr_el2, x0
    isb
    ldr x27, =rows
    mov x22, #0
    mov x23, #0

next:
    ldr x0, [x27]
    cbz x0, done
    add x22, x22, #1
    ldr x26, =page
    mov x1, #0
    ldr x0, =MEM(0)
1:  add x2, x0, x1
    str x2, [x26, x1]
    add x1, x1, #8
    cmp x1, #0x1000
    b.ne 1b
    adr x0, vectors1
    msr vbar_el1, x0
    ldr x0, =0x30d01805
    msr sctlr_el1, x0
    msr spsr_el1, xzr
    msr elr_el1, xzr
    msr esr_el1, xzr
    msr far_el1, xzr
    msr cntv_ctl_el0, xzr
    ldr x0, =GIB
    msr sp_el1, x0
    ldp x0, x1, [x27, #40]
    msr VNCR, x0
    msr cnthctl_el2, x1
    mov x0, #0x3c5
    msr spsr_el2, x0
    ldr x0, [x27]
    msr elr_el2, x0
    ldr x1, [x27, #16]
    mov x0, #0x5555
    msr hcr_el2, x1
    isb
    eret

back:                              /* from EL1 */
    mrs x24, esr_el2
    ldr x1, =1 << 31
    msr hcr_el2, x1
    isb
    ldr x1, [x27, #8]
    blr x1
    ldp x1, x2, [x27, #24]
    cmp x24, x1
    ccmp x0, x2, #0, eq
    b.eq 1f
    add x23, x23, #1
    mov x25, x0
    ldr x0, [x27, #56]
    bl number
    mov x0, x24
    bl number
    mov x0, x25
    bl number
    mov w0, #'\n'
    str w0, [x28]
1:  add x27, x27, #64
    b next

done:
    mov x0, x22
    bl number
    adr x1, text_cases
    bl print
    mov x0, x23
    bl number
    adr x1, text_wrong
    bl print
    ldr x0, =0x84000008            /* SYSTEM_OFF */
    smc #0
    b .

lost:
    mrs x0, esr_el2
    bl number
    mrs x0, elr_el2
    bl number
    adr x1, text_lost
    bl print
    b .

print:
    ldrb w2, [x1], #1
    cbz w2, 1f
    str w2, [x28]
    b print
1:  ret

number:                            /* x0 in hexadecimal, and a space */
    mov x1, #60
2:  lsr x2, x0, x1
    and x2, x2, #15
    add x3, x2, #'0'
    add x2, x2, #'a' - 10
    cmp x3, #'9'
    csel x2, x3, x2, ls
    lsr x3, x0, x1
    cbnz x3, 3f
    cbnz x1, 4f
3:  str w2, [x28]
4:  subs x1, x1, #4
    b.pl 2b
    mov w2, #' '
    str w2, [x28]
    ret

text_cases: .asciz "cases, "
text_wrong: .asciz "wrong\n"
text_lost: .asciz "lost\n"

    .balign 2048
vectors2:
    .rept 8
    .balign 128
    b lost
    .endr
    .balign 128
    b back
    .rept 7
    .balign 128
    b lost
    .endr

    .balign 2048
vectors1:
    .rept 16
    .balign 128
    hvc #2
    .endr

there:
    hvc #4
    .ltorg

    .data
    .balign 4096
page: .space 4096
tables2:
    .quad 0x401, GIB | 0x705, 0, GIB | 0x785 /* device; memory; nothing; memory to be read */
    .balign 4096
tables1:                                     /* device; memory; the same with bit 53, with bit 54, for EL0 too */
    .quad 0x401, GIB | 0x705, GIB | 0x705 | 1 << 53, GIB | 0x705 | 1 << 54, GIB | 0x745
    .balign 4096

rows:
    /* without NV nothing is new, whatever the other bits say */
    row 0, HVC(1), 4, "mrs x0, currentel"
    row NV1 | NV2, HVC(1), 4, "mrs x0, currentel"
    row NV1 | NV2, HVC(2), 0, "mrs x0, hcr_el2", "mrs x0, esr_el1; lsr x0, x0, #26"
    row NV1 | NV2, HVC(2), 0, "mrs x0, sctlr_el12", "mrs x0, esr_el1; lsr x0, x0, #26"
    row NV1 | NV2, HVC(1), 0x30d01805, "mrs x0, sctlr_el1"
    row NV1, HVC(1), 0x1234, "mov x0, #0x1234; msr elr_el1, x0", "mrs x0, elr_el1"
    row 0, HVC(2), 0, "tlbi alle1", "mrs x0, esr_el1; lsr x0, x0, #26"
    row 0, HVC(2), 5, "svc #0", "mrs x0, spsr_el1; and x0, x0, #15"
    row 0, HVC(4), 4, "adr x1, there; msr elr_el1, x1; mov x1, #0x3c5; msr spsr_el1, x1; mrs x0, currentel; eret"

    /* NV: EL2's registers and instructions trap */
    row NV, HVC(1), 8, "mrs x0, currentel"
    row NV, SYS(3, 4, 12, 0, 0, 0, 1), 0x5555, "mrs x0, vbar_el2"
    row NV, SYS(3, 4, 12, 0, 0, 2, 0), 0x5555, "msr vbar_el2, x2"
    row NV, SYS(3, 4, 1, 1, 0, 3, 1), 0x5555, "mrs x3, hcr_el2"
    row NV, SYS(3, 4, 4, 0, 1, 3, 0), 0x5555, "msr elr_el2, x3"
    row NV, SYS(3, 4, 4, 1, 0, 0, 1), 0x5555, "mrs x0, sp_el1"
    row NV, SYS(3, 4, 2, 2, 0, 0, 1), 0x5555, "mrs x0, S3_4_C2_C2_0"
    row NV, SYS(3, 5, 1, 0, 0, 0, 1), 0x5555, "mrs x0, sctlr_el12"
    row NV, SYS(3, 5, 4, 0, 1, 31, 0), 0x5555, "msr elr_el12, xzr"
    row NV, SYS(3, 5, 14, 2, 1, 0, 1), 0x5555, "mrs x0, cntp_ctl_el02"
    row NV, SYS(3, 5, 14, 1, 0, 0, 1), 0x5555, "mrs x0, cntkctl_el12"
    row NV, SYS(3, 4, 14, 1, 0, 0, 1), 0x5555, "mrs x0, cnthctl_el2"
    row NV, SYS(3, 4, 14, 2, 1, 0, 1), 0x5555, "mrs x0, cnthp_ctl_el2"
    row NV, SYS(3, 4, 14, 3, 2, 0, 0), 0x5555, "msr cnthv_cval_el2, x0"
    row NV, SYS(3, 4, 1, 1, 1, 0, 1), 0x5555, "mrs x0, mdcr_el2"
    row NV, SYS(3, 4, 12, 9, 5, 0, 1), 0x5555, "mrs x0, icc_sre_el2"
    row NV, SYS(3, 4, 12, 11, 1, 0, 1), 0x5555, "mrs x0, ich_vtr_el2"
    row NV, HVC(2), 0, "msr S3_4_C12_C11_1, x0", "mrs x0, esr_el1; lsr x0, x0, #26"
    row NV, HVC(2), 0, "mrs x0, scr_el3", "mrs x0, esr_el1; lsr x0, x0, #26"
    row NV, SYS(1, 4, 8, 7, 4, 31, 0), 0x5555, "tlbi alle1"
    row NV, SYS(1, 4, 8, 0, 1, 1, 0), 0x5555, "tlbi ipas2e1is, x1"
    row NV, SYS(1, 4, 7, 8, 0, 0, 0), 0x5555, "at s1e2r, x0"
    row NV, SYS(1, 4, 7, 8, 4, 0, 0), 0x5555, "at s12e1r, x0"
    row NV, HVC(1), 0x5555, "tlbi vmalle1; at s1e1r, x0; dc civac, x26; ic iallu"
    row NV | AT, SYS(1, 0, 7, 8, 0, 0, 0), 0x5555, "at s1e1r, x0"
    row NV | AT, SYS(1, 0, 7, 9, 1, 2, 0), 0x5555, "at s1e1wp, x2"
    row AT, SYS(1, 0, 7, 8, 3, 2, 0), 0x5555, "at s1e0w, x2"
    row NV, ERET, 0x5555, "eret"
    row NV, ERET | 2, 0x5555, "eretaa"
    row NV, ERET | 3, 0x5555, "eretab"
    row NV, HVC(1), 0x3c5, "msr spsr_el1, x0; mov x1, #0x3c5; msr spsr_el1, x1; msr vbar_el1, xzr; mrs x0, spsr_el1"
    row NV, HVC(2), 9, "svc #0", "mrs x0, spsr_el1; and x0, x0, #15"
    row NV, HVC(2), 8, "msr spsel, #0; svc #0", "mrs x0, spsr_el1; and x0, x0, #15"

    /* NV and NV1 */
    row NV | NV1, SYS(3, 0, 12, 0, 0, 0, 1), 0x5555, "mrs x0, vbar_el1"
    row NV | NV1, SYS(3, 0, 4, 0, 1, 0, 0), 0x5555, "msr elr_el1, x0"
    row NV | NV1, SYS(3, 0, 4, 0, 0, 0, 1), 0x5555, "mrs x0, spsr_el1"
    row NV | NV1 | ENSCXT, SYS(3, 0, 13, 0, 7, 0, 1), 0x5555, "mrs x0, scxtnum_el1"
    row NV | NV1, HVC(1), 0x30d01805, "mrs x0, sctlr_el1"
    row NV | NV1, SYS(3, 5, 1, 0, 0, 0, 1), 0x5555, "mrs x0, sctlr_el12"
    row NV | NV1, HVC(2), 5, "svc #0", "mrs x0, spsr_el1; and x0, x0, #15"

    /* NV2: memory */
    row NV | NV2, HVC(1), MEM(0x78), "mrs x0, hcr_el2"
    row NV | NV2, HVC(1), 0x5555, "msr hcr_el2, x0", "ldr x0, [x26, #0x78]"
    row NV | NV2, HVC(1), 0x5555, "msr vttbr_el2, x0", "ldr x0, [x26, #0x20]"
    row NV | NV2, HVC(1), MEM(0x40), "mrs x0, vtcr_el2"
    row NV | NV2, HVC(1), MEM(0x50), "mrs x0, vmpidr_el2"
    row NV | NV2, HVC(1), MEM(0x60), "mrs x0, cntvoff_el2"
    row NV | NV2, HVC(1), MEM(0x80), "mrs x0, hstr_el2"
    row NV | NV2, HVC(1), MEM(0x88), "mrs x0, vpidr_el2"
    row NV | NV2, HVC(1), MEM(0x90), "mrs x0, tpidr_el2"
    row NV | NV2, HVC(1), MEM(0xa0), "mrs x0, S3_4_C1_C2_2"
    row NV | NV2, HVC(1), MEM(0xb0), "mrs x0, S3_4_C2_C2_0"
    row NV | NV2, HVC(1), MEM(0x158), "mrs x0, mdscr_el1"
    row NV | NV2, HVC(1), MEM(0x118), "mrs x0, actlr_el1"
    row NV | NV2, HVC(1), MEM(0x1a8), "mrs x0, S3_4_C14_C0_6"
    row NV | NV2, HVC(1), MEM(0x1b8), "mrs x0, S3_4_C1_C1_4"
    row NV | NV2, HVC(1), MEM(0x1c8), "mrs x0, S3_4_C1_C1_6"
    row NV | NV2, HVC(1), 0x5555, "msr S3_4_C3_C1_5, x0", "ldr x0, [x26, #0x1d8]"
    row NV | NV2, HVC(1), MEM(0x240), "mrs x0, sp_el1"
    row NV | NV2, HVC(1), 0x5555, "msr sp_el1, x0", "ldr x0, [x26, #0x240]"
    row NV | NV2, HVC(1), GIB, "msr sp_el1, x0", "mrs x0, sp_el1"
    row NV | NV2, HVC(1), MEM(0x400), "mrs x0, ich_lr0_el2"
    row NV | NV2, HVC(1), MEM(0x480), "mrs x0, ich_ap0r0_el2"
    row NV | NV2, HVC(1), 0x5555, "msr ich_hcr_el2, x0", "ldr x0, [x26, #0x4c0]"
    row NV | NV2, HVC(1), MEM(0x4c8), "mrs x0, ich_vmcr_el2"
    row NV | NV2, HVC(1), MEM(0x500), "mrs x0, vdisr_el2"
    row NV | NV2, HVC(1), MEM(0x508), "mrs x0, vsesr_el2"
    row NV | NV2 | E2H, HVC(1), MEM(0x78), "mrs x0, hcr_el2"
    row NV | NV2 | E2H, HVC(1), 0x5555, "msr hcr_el2, x0", "ldr x0, [x26, #0x78]"

    /* NV2: EL1's own registers under EL2's names; the rest traps */
    row NV | NV2, HVC(1), 0x5555, "msr elr_el2, x0", "mrs x0, elr_el1"
    row NV | NV2, HVC(1), 0x1005, "mov x0, #0x1005; msr spsr_el2, x0", "mrs x0, spsr_el1"
    row NV | NV2, HVC(1), 0x5555, "msr esr_el2, x0", "mrs x0, esr_el1"
    row NV | NV2, HVC(1), 0x5555, "msr far_el1, x0; mrs x0, far_el2"
    row NV | NV2, HVC(1), 0x5555, "msr elr_el1, x0; mrs x0, elr_el2"
    row NV | NV2, HVC(1), MEM(0x230), "msr elr_el2, x0", "ldr x0, [x26, #0x230]"
    row NV | NV2, SYS(3, 4, 12, 0, 0, 0, 1), 0x5555, "mrs x0, vbar_el2"
    row NV | NV2, SYS(3, 4, 1, 0, 0, 0, 0), 0x5555, "msr sctlr_el2, x0"
    row NV | NV2, SYS(3, 4, 1, 1, 2, 0, 1), 0x5555, "mrs x0, cptr_el2"
    row NV | NV2, SYS(3, 4, 2, 0, 0, 0, 1), 0x5555, "mrs x0, ttbr0_el2"
    row NV | NV2, SYS(3, 4, 6, 0, 4, 0, 1), 0x5555, "mrs x0, hpfar_el2"
    row NV | NV2, SYS(3, 4, 14, 1, 0, 0, 1), 0x5555, "mrs x0, cnthctl_el2"
    row NV | NV2, SYS(3, 4, 12, 11, 1, 0, 1), 0x5555, "mrs x0, ich_vtr_el2"
    row NV | NV2, SYS(3, 4, 12, 9, 5, 0, 1), 0x5555, "mrs x0, icc_sre_el2"
    row NV | NV2, ERET, 0x5555, "eret"
    row NV | NV2, HVC(2), 9, "svc #0", "mrs x0, spsr_el1; and x0, x0, #15"

    /* NV2 without NV1: EL1's names are registers, the guest's are memory */
    row NV | NV2, HVC(1), 0x30d01805, "mrs x0, sctlr_el1"
    row NV | NV2, HVC(1), MEM(0x110), "mrs x0, sctlr_el12"
    row NV | NV2, HVC(1), 0x5555, "msr sctlr_el12, x0", "ldr x0, [x26, #0x110]"
    row NV | NV2, HVC(1), 0x5555, "msr vbar_el12, x0", "ldr x0, [x26, #0x250]"
    row NV | NV2, HVC(1), 0x5555, "msr elr_el12, x0", "ldr x0, [x26, #0x230]"
    row NV | NV2, HVC(1), MEM(0x160), "mrs x0, spsr_el12"
    row NV | NV2, HVC(1), MEM(0x100), "mrs x0, cpacr_el12"
    row NV | NV2, HVC(1), MEM(0x108), "mrs x0, contextidr_el12"
    row NV | NV2, HVC(1), MEM(0x120), "mrs x0, tcr_el12"
    row NV | NV2, HVC(1), MEM(0x128), "mrs x0, afsr0_el12"
    row NV | NV2, HVC(1), MEM(0x130), "mrs x0, afsr1_el12"
    row NV | NV2, HVC(1), MEM(0x138), "mrs x0, esr_el12"
    row NV | NV2, HVC(1), MEM(0x140), "mrs x0, mair_el12"
    row NV | NV2, HVC(1), MEM(0x148), "mrs x0, amair_el12"
    row NV | NV2, HVC(1), MEM(0x200), "mrs x0, ttbr0_el12"
    row NV | NV2, HVC(1), MEM(0x210), "mrs x0, ttbr1_el12"
    row NV | NV2, HVC(1), MEM(0x220), "mrs x0, far_el12"
    row NV | NV2, HVC(1), MEM(0x168), "mrs x0, cntv_cval_el02"
    row NV | NV2, HVC(1), MEM(0x170), "mrs x0, cntv_ctl_el02"
    row NV | NV2, HVC(1), MEM(0x178), "mrs x0, cntp_cval_el02"
    row NV | NV2, HVC(1), 0x5555, "msr cntp_ctl_el02, x0", "ldr x0, [x26, #0x180]"
    row NV | NV2, SYS(3, 5, 14, 2, 0, 0, 1), 0x5555, "mrs x0, cntp_tval_el02"
    row NV | NV2, SYS(3, 5, 14, 1, 0, 0, 1), 0x5555, "mrs x0, cntkctl_el12"
    row NV | NV2, SYS(3, 5, 14, 2, 1, 0, 1), 0x5555, "mrs x0, cntp_ctl_el02", cnthctl=3 | 1 << 15
    row NV | NV2, SYS(3, 5, 14, 3, 2, 0, 1), 0x5555, "mrs x0, cntv_cval_el02", cnthctl=3 | 1 << 16
    row NV | NV2, HVC(1), 0, "mrs x0, cntv_ctl_el0"

    /* NV2 with NV1: the other way around */
    row NV | NV1 | NV2, HVC(1), MEM(0x110), "mrs x0, sctlr_el1"
    row NV | NV1 | NV2, HVC(1), 0x5555, "msr vbar_el1, x0", "ldr x0, [x26, #0x250]"
    row NV | NV1 | NV2, HVC(1), 0x5555, "msr elr_el1, x0", "ldr x0, [x26, #0x230]"
    row NV | NV1 | NV2, HVC(1), 0x5555, "msr elr_el2, x0", "mrs x0, elr_el1"
    row NV | NV1 | NV2, HVC(1), MEM(0x160), "mrs x0, spsr_el1"
    row NV | NV1 | NV2 | ENSCXT, HVC(1), MEM(0x188), "mrs x0, scxtnum_el1"
    row NV | NV2 | ENSCXT, HVC(1), MEM(0x188), "mrs x0, scxtnum_el12"
    row NV | NV1 | NV2, HVC(1), MEM(0x100), "mrs x0, cpacr_el1"
    row NV | NV1 | NV2, HVC(1), MEM(0x138), "mrs x0, esr_el1"
    row NV | NV1 | NV2, HVC(1), MEM(0x200), "mrs x0, ttbr0_el1"
    row NV | NV1 | NV2, HVC(1), MEM(0x220), "mrs x0, far_el1"
    row NV | NV1 | NV2, HVC(1), MEM(0x170), "mrs x0, cntv_ctl_el0"
    row NV | NV1 | NV2, HVC(1), MEM(0x178), "mrs x0, cntp_cval_el0"
    row NV | NV1 | NV2, HVC(1), MEM(0x78), "mrs x0, hcr_el2"
    row NV | NV1 | NV2, SYS(3, 5, 1, 0, 0, 0, 1), 0x5555, "mrs x0, sctlr_el12"
    row NV | NV1 | NV2, SYS(3, 5, 14, 3, 1, 0, 1), 0x5555, "mrs x0, cntv_ctl_el02"
    row NV | NV1 | NV2 | TVM, SYS(3, 0, 1, 0, 0, 0, 0), 0x5555, "msr sctlr_el1, x0"
    row NV | NV1 | NV2 | TVM, HVC(1), 0x5555, "msr vbar_el1, x0", "ldr x0, [x26, #0x250]"
    row NV | NV1 | NV2, HVC(2), 9, "svc #0", "mrs x0, spsr_el1; and x0, x0, #15"

    /* the page is EL2's: its faults are EL2's */
    row NV | NV2, ABORT | 0x05, 0x80000078, "mrs x0, hcr_el2", "mrs x0, far_el2", 2 * GIB
    row NV | NV2, ABORT | 0x45, 0x80000240, "msr sp_el1, x0", "mrs x0, far_el2", 2 * GIB
    row NV | NV2, ABORT | 0x05, 0x5555, "mrs x0, hcr_el2", "nop", 2 * GIB
    row NV | NV2, HVC(1), MEM(0x78), "mrs x0, hcr_el2", "nop", page + 2 * GIB
    row NV | NV2, ABORT | 0x4d, 0x5555, "msr hcr_el2, x0", "nop", page + 2 * GIB
    row NV | NV2 | E2H, ABORT | 0x4d, 0x5555, "msr hcr_el2, x0", "nop", page + 2 * GIB
    row NV | NV2, ABORT | 0x04, 0x5555, "mrs x0, hcr_el2", "nop", 1 << 52
    row NV | NV2, HVC(1), 0x5555, "msr elr_el2, x0", "mrs x0, elr_el1", 2 * GIB

    /* stage 1 under NV1: bit 54 is PXN, nothing is EL0's */
    row 0, HVC(2), 0x86, "ldr x1, =there + GIB; br x1", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV, HVC(2), 0x86, "ldr x1, =there + GIB; br x1", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV, HVC(4), 0x5555, "ldr x1, =there + 2 * GIB; br x1"
    row NV | NV1, HVC(4), 0x5555, "ldr x1, =there + GIB; br x1"
    row NV | NV1, HVC(2), 0x86, "ldr x1, =there + 2 * GIB; br x1", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV | NV1 | NV2, HVC(4), 0x5555, "ldr x1, =there + GIB; br x1"
    row NV1, HVC(2), 0x86, "ldr x1, =there + GIB; br x1", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV, HVC(2), 0x96, "msr pan, #1; ldr x1, =page + 3 * GIB; ldr x0, [x1, #16]", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV | NV1, HVC(1), MEM(16), "msr pan, #1; ldr x1, =page + 3 * GIB; ldr x0, [x1, #16]"
    row NV, HVC(2), 0x96, "ldtr x0, [x26]", "mrs x0, esr_el1; lsr x0, x0, #24"
    row NV | NV1, HVC(1), MEM(0), "ldtr x0, [x26]"
    row NV | NV1, HVC(1), 0x5555, "sttr x0, [x26]", "ldr x0, [x26]"
    .quad 0
