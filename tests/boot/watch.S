/* watch.S - two CPUs and words for a debugger's watchpoints: CPU 1 counts in `cell`, CPU 0 reads `asked` and has `crossed` changed
 * by a store that begins in front of it, and everybody uses their neighbours in the same page.
 */
        .globl  _start, cell, asked, crossed
_start: movz    x0, #0xc400, lsl #16 /* CPU_ON */
        movk    x0, #3
        mov     x1, #1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        adr     x1, before
        mov     x3, #0
1:      add     x3, x3, #1
        str     x3, [x1]
        tst     x3, #0xff
        b.ne    1b
        ldr     w2, [x1, #asked - before]
        str     x3, [x1, #crossed - before - 4]
        b       1b
second: adr     x1, cell
        mov     w0, #0
2:      ldr     x3, [x1, #8]
        add     w0, w0, #1
        str     w0, [x1]
        b       2b

        .balign 4096
before: .quad   0
        .word   0
crossed: .word  0
cell:   .word   0
        .word   0
        .quad   0
asked:  .word   7
