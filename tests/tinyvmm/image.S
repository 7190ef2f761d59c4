/* SPDX-License-Identifier: MIT */
/*
 * The start of the test image. As ELF32 it begins at start32, as a multiboot loader leaves it: 32
 * bits, no paging; and goes to long mode by itself. As ELF64 tinyvmm begins it at start64.
 */
#define MAGIC 0x1badb002
#define FLAGS 2 /* memory sizes, please */

	.section .multiboot, "a"
	.balign 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.code32
	.globl start32
start32:
	cli
	movl $stack_top, %esp
	movl %eax, %edi
	movl %ebx, %esi

	movl $pointers + 3, top
	movl $pages + 3, pointers
	movl $pages + 0x1003, pointers + 8
	movl $pages + 0x2003, pointers + 16
	movl $pages + 0x3003, pointers + 24
	xorl %ecx, %ecx
	movl $0x83, %eax
next_page:
	movl %eax, pages(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb next_page

	movl $top, %eax
	movl %eax, %cr3
	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x100, %eax /* EFER.LME */
	xorl %edx, %edx
	wrmsr
	lgdt gdt_pointer
	movl $0x80000011, %eax
	movl %eax, %cr0
	ljmp $0x10, $enter

	.code64
	.globl start64
start64:
	movl %eax, %edi
	movl %ebx, %esi
enter:
	movl $stack_top, %esp
	call image_main
hang:
	cli
	hlt
	jmp hang

	.globl image_vector
image_vector:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	call image_interrupt
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	iretq

	.data
	.balign 8
gdt:
	.quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word 31
	.long gdt

	.bss
	.balign 4096
top:
	.skip 4096
pointers:
	.skip 4096
pages:
	.skip 4 * 4096
	.skip 4096
stack_top:

	.section .note.GNU-stack, "", @progbits
