/* safe_call.S - the pieces that need exact instruction addresses or a stack of their own (raw.h says what each
 * is for). Nothing here touches thread-local storage.
 */
        .text

/* int64_t safe_call(volatile uint64_t *pending, uint64_t nr, const uint64_t args[6])
 * A signal handler that finds the pc in [safe_call_start, safe_call_end) moves it to safe_call_interrupted:
 * there the call has not been made, or the kernel wants it made again. */
        .globl  safe_call, safe_call_start, safe_call_end, safe_call_interrupted
        .type   safe_call, @function
safe_call:
        .cfi_startproc
        push    %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        mov     %rdi, %rbx
        mov     %rsi, %rax
        mov     %rdx, %rcx
        mov     0(%rcx), %rdi
        mov     8(%rcx), %rsi
        mov     16(%rcx), %rdx
        mov     24(%rcx), %r10
        mov     32(%rcx), %r8
        mov     40(%rcx), %r9
safe_call_start:
        cmpq    $0, (%rbx)
        jne     safe_call_interrupted
        syscall
safe_call_end:
        pop     %rbx
        .cfi_remember_state
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_restore_state
safe_call_interrupted:
        mov     $-512, %rax
        pop     %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   safe_call, . - safe_call

/* int user_copy(void *dst, const void *src, size_t n) */
        .globl  user_copy, user_copy_start, user_copy_end, user_copy_fault
        .type   user_copy, @function
user_copy:
        .cfi_startproc
        mov     %rdx, %rcx
user_copy_start:
        rep movsb
user_copy_end:
        xor     %eax, %eax
        ret
user_copy_fault:
        mov     $-14, %eax
        ret
        .cfi_endproc
        .size   user_copy, . - user_copy

/* int rseq_store_N(uint64_t *field, uint64_t armed, uint64_t address, uint64_t low, uint64_t high): rseq.c. Interrupted
 * from 1 to 2, the kernel goes on at rseq_lost, before which stands the signature of the guest's registration. */
        .macro  rseq_store n, store:vararg
        .globl  rseq_store_\n
        .type   rseq_store_\n, @function
rseq_store_\n:
        .cfi_startproc
        mov     %rsi, %rax
        lea     rseq_cs_\n(%rip), %r9
        movq    %rcx, %xmm0
        movq    %r8, %xmm1
        punpcklqdq %xmm1, %xmm0
        cmpxchg %r9, (%rdi)
1:      jne     rseq_lost
        \store
2:      mov     %r9, %rax
        cmpxchg %rsi, (%rdi)
        xor     %eax, %eax
        ret
        .cfi_endproc
        .size   rseq_store_\n, . - rseq_store_\n
        .pushsection .data.rel.ro, "aw"
        .balign 32
rseq_cs_\n:
        .long   0, 0
        .quad   1b, 2b - 1b, rseq_lost
        .popsection
        .endm

        rseq_store 0, mov %cl, (%rdx)
        rseq_store 1, mov %cx, (%rdx)
        rseq_store 2, mov %ecx, (%rdx)
        rseq_store 3, mov %rcx, (%rdx)
        rseq_store 4, movups %xmm0, (%rdx)
        .long   0xd428bc00
rseq_lost:
        mov     $1, %eax
        ret

/* int64_t raw_thread(flags, stack_top, ptid, ctid, tls, fn, arg on the stack) */
        .globl  raw_thread
        .type   raw_thread, @function
raw_thread:
        .cfi_startproc
        mov     8(%rsp), %rax
        sub     $16, %rsi
        mov     %r9, 0(%rsi)
        mov     %rax, 8(%rsi)
        mov     %rcx, %r10
        mov     $56, %eax
        syscall
        test    %rax, %rax
        jz      1f
        ret
        .cfi_undefined %rip
1:      xor     %ebp, %ebp
        pop     %rax
        pop     %rdi
        call    *%rax
        ud2
        .cfi_endproc
        .size   raw_thread, . - raw_thread

/* int64_t raw_thread3(clone_args, size, fn, arg): the stack is in clone_args */
        .globl  raw_thread3
        .type   raw_thread3, @function
raw_thread3:
        .cfi_startproc
        mov     %rdx, %r8
        mov     %rcx, %r9
        mov     $435, %eax
        syscall
        test    %rax, %rax
        jz      1f
        ret
        .cfi_undefined %rip
1:      xor     %ebp, %ebp
        mov     %r9, %rdi
        call    *%r8
        ud2
        .cfi_endproc
        .size   raw_thread3, . - raw_thread3

/* void raw_unmap_and_exit(base, size, status) */
        .globl  raw_unmap_and_exit
        .type   raw_unmap_and_exit, @function
raw_unmap_and_exit:
        mov     %edx, %r8d
        mov     $11, %eax
        syscall
        mov     %r8d, %edi
        mov     $60, %eax
        syscall
        ud2
        .size   raw_unmap_and_exit, . - raw_unmap_and_exit

/* void call_on_stack(stack_top, fn, arg) */
        .globl  call_on_stack
        .type   call_on_stack, @function
call_on_stack:
        .cfi_startproc
        push    %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        mov     %rdi, %rsp
        mov     %rdx, %rdi
        call    *%rsi
        mov     %rbp, %rsp
        pop     %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   call_on_stack, . - call_on_stack

/* The trampoline that rt_sigaction wants. */
        .globl  host_sigreturn
        .type   host_sigreturn, @function
        nop
host_sigreturn:
        mov     $15, %eax
        syscall
        ud2
        .size   host_sigreturn, . - host_sigreturn

        .section .note.GNU-stack, "", @progbits
