/* SPDX-License-Identifier: MIT */
#include "guest.h"
#include "kvm/guest.h"

/* r15 mailbox: set by the host and never changed. rbx: 1 while the window is open, so that a
 * vector is told from the exception of the same number. */
	.section .rodata
	.globl diff_guest_code
	.globl diff_guest_code_end
	.balign 16
diff_guest_code:
	.set vector, 0
	.rept 256
	.balign 16
	pushq $vector
	jmp handler
	.set vector, vector + 1
	.endr

	.org diff_guest_code + LW_GUEST_START
	xorl %ebx, %ebx
	movl $0x1000, %ecx
touch:
	movl (%rcx), %eax
	addl $0x1000, %ecx
	cmpl $LW_GUEST_RAM_SIZE, %ecx
	jb touch
	pushq %rax
	popq %rax
next:
	outl %eax, $DIFF_PORT_DONE
	movl DIFF_WHAT(%r15), %eax
	movl DIFF_WIDTH(%r15), %edi
	movq DIFF_ADDRESS(%r15), %rdx
	movq DIFF_VALUE(%r15), %rsi
	cmpl $DIFF_READ, %eax
	je do_read
	cmpl $DIFF_WRITE, %eax
	je do_write
	cmpl $DIFF_RDMSR, %eax
	je do_rdmsr
	cmpl $DIFF_WRMSR, %eax
	je do_wrmsr
	cmpl $DIFF_IN, %eax
	je do_in
	cmpl $DIFF_OUT, %eax
	je do_out
	cmpl $DIFF_READ_CR8, %eax
	je do_read_cr8
	cmpl $DIFF_WRITE_CR8, %eax
	je do_write_cr8
	/* Room for the host to find that the shadow of sti is over. */
	movl $1, %ebx
	sti
	nop
	nop
	nop
	cli
	xorl %ebx, %ebx
	jmp next

do_read:
	xorl %eax, %eax
	cmpl $2, %edi
	jb 1f
	je 2f
	cmpl $8, %edi
	je 8f
	movl (%rdx), %eax
	jmp done
1:	movb (%rdx), %al
	jmp done
2:	movw (%rdx), %ax
	jmp done
8:	movq (%rdx), %rax
	jmp done

do_write:
	cmpl $2, %edi
	jb 1f
	je 2f
	cmpl $8, %edi
	je 8f
	movl %esi, (%rdx)
	jmp next
1:	movb %sil, (%rdx)
	jmp next
2:	movw %si, (%rdx)
	jmp next
8:	movq %rsi, (%rdx)
	jmp next

do_rdmsr:
	movl %edx, %ecx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	jmp done

do_wrmsr:
	movl %edx, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
	wrmsr
	jmp next

do_in:
	xorl %eax, %eax
	cmpl $2, %edi
	jb 1f
	je 2f
	inl %dx, %eax
	jmp done
1:	inb %dx, %al
	jmp done
2:	inw %dx, %ax
	jmp done

do_out:
	movl %esi, %eax
	cmpl $2, %edi
	jb 1f
	je 2f
	outl %eax, %dx
	jmp next
1:	outb %al, %dx
	jmp next
2:	outw %ax, %dx
	jmp next

do_read_cr8:
	movq %cr8, %rax
	jmp done
do_write_cr8:
	movq %rsi, %cr8
	jmp next
done:
	movq %rax, DIFF_VALUE(%r15)
	jmp next

/* One interrupt a window: it returns with interrupts off. Nothing but flags is changed, and in the
 * window nobody reads those. */
handler:
	cmpl $2, (%rsp)
	je nmi
	testl %ebx, %ebx
	jz exception
	pushq %rax
	movl 8(%rsp), %eax
	movl %eax, DIFF_VECTOR(%r15)
	popq %rax
	addq $8, %rsp
	andl $~0x200, 16(%rsp)
	iretq

/* Vector 2 may come from the 8259s too: in the window, when no NMI is on its way. */
nmi:
	incl DIFF_NMIS(%r15)
	addq $8, %rsp
	testl %ebx, %ebx
	jz 1f
	andl $~0x200, 16(%rsp)
1:	iretq

exception:
	cmpl $13, (%rsp)
	jne broken
	movl $1, DIFF_FAULT(%r15)
	leaq next(%rip), %rax
	movq %rax, 16(%rsp)		/* past the vector and the error code */
	addq $16, %rsp
	iretq

broken:
	movl (%rsp), %eax
	incl %eax
	movl %eax, DIFF_BROKEN(%r15)
1:	outl %eax, $DIFF_PORT_DONE
	jmp 1b
diff_guest_code_end:

	.section .note.GNU-stack, "", @progbits
