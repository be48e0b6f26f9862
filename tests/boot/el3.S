/* el3.S - firmware of ours for -M secure=on,virtualization=on,gic-version=3: from EL3 through all worlds and levels and back.
 *
 * EL3 goes to Secure EL1, which asks by SMC for the Non-secure world: EL2, which asks by SMC for an answer and goes on to EL1, which asks EL2
 * by HVC. Then Non-secure EL1 looks at Secure memory, which is an external abort that EL3 takes, and waits for the Secure timer, whose
 * interrupt (group 0, so FIQ) EL3 takes. EL3 switches the machine off by the Secure GPIO. Each station says so on the first UART.
 *
 * x28 UART, x27 Secure RAM; words are printed by `say`, which uses x1 to x3.
 */
    .arch armv8.2-a
    .set COPY, 0x40200000
    .text
    .globl _start

    .macro say text
    adr x1, 9f
    bl print
    b 8f
9:  .asciz "\text\n"
    .balign 4
8:
    .endm

    .macro vector
    .balign 128
    .endm

_start:
    mov x28, #0x09000000
    mov w0, #0x301
    str w0, [x28, #0x30]
    mov x27, #0x0e000000
    adr x0, vectors3
    msr vbar_el3, x0
    msr cptr_el3, xzr
    bl gic
    say "at EL3"
    adr x0, _start                 /* the flash is Secure: others run a copy */
    adrp x1, end
    add x1, x1, :lo12:end
    mov x2, #COPY
1:  ldr x3, [x0], #8
    str x3, [x2], #8
    cmp x0, x1
    b.lo 1b
    mov x0, #0x50c                 /* RW, HCE, EA, FIQ; Secure */
    msr scr_el3, x0
    mov x0, #0x3c5
    adr x1, secure1
    b go

/* To x1 with PSTATE x0, from EL3. */
go: msr spsr_el3, x0
    msr elr_el3, x1
    isb
    eret

print:
    ldrb w2, [x1], #1
    cbz w2, 1f
    str w2, [x28]
    b print
1:  ret

/* GICv3: group 0 for the Secure timer (PPI 29), and nothing else. */
gic:
    mov x1, #0x08000000
    mov w0, #0x31                  /* ARE_S, ARE_NS, EnableGrp0 */
    str w0, [x1]
    mov x1, #0x080a0000
    str wzr, [x1, #0x14]           /* awake */
    add x1, x1, #0x10000
    str wzr, [x1, #0x80]
    str wzr, [x1, #0xd00]
    mov w0, #1 << 29
    str w0, [x1, #0x100]
    mov x0, #0xf
    msr S3_6_C12_C12_5, x0         /* ICC_SRE_EL3 */
    isb
    mov x0, #0xff
    msr S3_0_C4_C6_0, x0           /* ICC_PMR_EL1 */
    mov x0, #1
    msr S3_0_C12_C12_6, x0         /* ICC_IGRPEN0_EL1 */
    isb
    ret

secure1:
    say "at Secure EL1"
    mov x0, #0x1234
    str x0, [x27]
    ldr x1, [x27]
    cmp x0, x1
    b.ne .
    say "Secure RAM"
    mov x0, #1
    smc #0

normal2:
    adr x0, vectors2
    msr vbar_el2, x0
    say "at Non-secure EL2"
    mov x0, #2
    smc #0
    cmp x0, #42
    b.ne .
    say "an answer from EL3"
    mov x0, #1 << 31
    msr hcr_el2, x0
    mov x0, #0x3c5
    msr spsr_el2, x0
    adr x0, normal1
    msr elr_el2, x0
    isb
    eret

normal1:
    say "at Non-secure EL1"
    hvc #0
    cmp x0, #43
    b.ne .
    say "an answer from EL2"
    ldr x0, [x27]                  /* EL3 goes on behind it */
    say "Secure RAM is not ours"
    mov x0, #3
    smc #0
1:  wfi
    b 1b

/* EL3: SMC by x0, external aborts of others, FIQ. */
sync3:
    mrs x4, esr_el3
    lsr x5, x4, #26
    cmp x5, #0x17
    b.eq 1f
    cmp x5, #0x24
    b.ne .
    and x5, x4, #0x3f
    cmp x5, #0x10
    b.ne .
    mrs x5, far_el3
    cmp x5, x27
    b.ne .
    mrs x5, elr_el3
    add x5, x5, #4
    msr elr_el3, x5
    say "EL3 took an external abort"
    eret
1:  cmp x0, #2
    b.eq 2f
    b.hi 3f
    mov x0, #0x50d                 /* Non-secure */
    msr scr_el3, x0
    mov x0, #0x3c9
    mov x1, #COPY
    add x1, x1, #normal2 - _start
    b go
2:  mov x0, #42
    eret
3:  mov x0, #10000
    msr S3_7_C14_C2_0, x0          /* CNTPS_TVAL_EL1 */
    mov x0, #1
    msr S3_7_C14_C2_1, x0
    eret

fiq3:
    mrs x4, S3_0_C12_C8_0          /* ICC_IAR0_EL1 */
    cmp x4, #29
    b.ne .
    msr S3_7_C14_C2_1, xzr
    msr S3_0_C12_C8_1, x4
    mrs x4, scr_el3
    tbz x4, #0, .
    say "EL3 took the Secure timer's FIQ"
    say "off"
    mov x1, #0x090b0000            /* Secure GPIO: line 0 is off */
    mov w0, #1
    str w0, [x1, #0x400]
    str w0, [x1, #4]
    b .

sync2:
    mov x0, #43
    eret

    .balign 2048
vectors3:
    .rept 8
    vector
    b .
    .endr
    vector
    b sync3                        /* from a lower level: synchronous */
    vector
    b .
    vector
    b fiq3
    vector
    b .

    .balign 2048
vectors2:
    .rept 8
    vector
    b .
    .endr
    vector
    b sync2
    .balign 8
end:
