/* SPDX-License-Identifier: MIT */
#include "kvm/guest.h"

/*
 * r13 local APIC, r14 I/O APIC, r15 mailbox: set by the host and never changed. The guest only
 * sleeps outside of its handler, so the handler saves nothing.
 */
	.section .rodata
	.globl lw_guest_code
	.globl lw_guest_code_end
	.balign 16
lw_guest_code:
	.set vector, 0
	.rept 256
	.balign 16
	pushq $vector
	jmp handler
	.set vector, vector + 1
	.endr

	.org lw_guest_code + LW_GUEST_START
	/*
	 * Touch every page, the stack and the mailbox by a write: Bochs 3.0 forgets the vector of
	 * a virtual interrupt whose delivery runs into a page KVM has yet to map.
	 */
start:
	movl $0x1000, %ecx
touch:
	movl (%rcx), %eax
	addl $0x1000, %ecx
	cmpl $LW_GUEST_RAM_SIZE, %ecx
	jb touch
	pushq %rax
	popq %rax
	movl $0, LW_GUEST_WRITES(%r15)

	movl $0x1ff, 0xf0(%r13)		/* SVR: enabled */
	xorl %eax, %eax
	outl %eax, $LW_GUEST_PORT_READY
sleep:
	sti
	hlt
	jmp sleep

handler:
	movzbl (%rsp), %eax
	cmpl $32, %eax
	jb fault
	cmpl $0, LW_GUEST_QUIET(%r15)
	jne write_rtes
	outl %eax, $LW_GUEST_PORT_SERVICE

write_rtes:
	xorl %ecx, %ecx
next_write:
	cmpl LW_GUEST_WRITES(%r15), %ecx
	jae end_of_interrupt
	movl LW_GUEST_WRITE(%r15, %rcx, 8), %edx
	movl %edx, (%r14)
	movl LW_GUEST_WRITE + 4(%r15, %rcx, 8), %edx
	movl %edx, 0x10(%r14)
	incl %ecx
	jmp next_write

end_of_interrupt:
	movl $0, LW_GUEST_WRITES(%r15)
	movzbl (%rsp), %eax
	lock btrl $0, LW_GUEST_PV_EOI(%r15)
	jc done
	movl $0, 0xb0(%r13)
	orl $LW_GUEST_WROTE_EOI, %eax
done:
	outl %eax, $LW_GUEST_PORT_DONE
	addq $8, %rsp
	iretq

fault:
	outl %eax, $LW_GUEST_PORT_FAULT
	cli
	hlt
	jmp fault
lw_guest_code_end:

	.section .note.GNU-stack, "", @progbits
