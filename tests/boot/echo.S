/* echo.S - says "up" on the serial port, then sends back what comes; a break is answered "<break>", and Ctrl-D ends the machine.
 * It runs at any address, at EL1.
 */
        .globl  _start
_start: movz    x19, #0x0900, lsl #16   /* PL011 */
        mov     w0, #0x70               /* FIFOs, 8 bits */
        str     w0, [x19, #0x2c]
        mov     w0, #0x301              /* on, to send and to receive */
        str     w0, [x19, #0x30]
        adr     x1, up
        bl      say
1:      ldr     w0, [x19, #0x18]
        tbnz    w0, #4, 1b              /* nothing has come */
        ldr     w0, [x19]
        tbnz    w0, #10, 2f
        cmp     w0, #4
        b.eq    off
        bl      send
        b       1b
2:      adr     x1, broken
        bl      say
        b       1b

say:    mov     x29, x30
3:      ldrb    w0, [x1], #1
        cbz     w0, 4f
        bl      send
        b       3b
4:      ret     x29

send:   ldr     w2, [x19, #0x18]
        tbnz    w2, #5, send            /* full */
        str     w0, [x19]
        ret

off:    movz    x0, #0x8400, lsl #16    /* SYSTEM_OFF */
        movk    x0, #8
        hvc     #0
        b       off

up:     .asciz  "up\n"
broken: .asciz  "<break>"
