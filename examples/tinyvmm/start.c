/* SPDX-License-Identifier: MIT */
/* The state in which vCPU 0 starts: flat segments, and in long mode the first 4 GiB mapped. */
#include "vmm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define GDT       0x500u
#define CODE      0x10 /* selectors, as Linux's boot protocol wants them */
#define DATA      0x18
#define TABLES    0x9000u
#define PAGE      0x1000u
#define GIGABYTES 4u

#define PRESENT_WRITABLE 3ull
#define LARGE            0x80ull
#define CR0_PE           1u
#define CR0_ET           0x10u
#define CR0_PG           0x80000000u
#define CR4_PAE          0x20u
#define EFER_LME_LMA     0x500u

/* One top table, one directory pointer table, a directory of 2 MiB pages for each GiB. */
static void write_page_tables(uint8_t *ram)
{
	uint64_t *top = (void *)(ram + TABLES), *pointers = (void *)(ram + TABLES + PAGE);
	uint64_t *pages = (void *)(ram + TABLES + 2 * PAGE);

	memset(top, 0, 2 * PAGE);
	top[0] = (TABLES + PAGE) | PRESENT_WRITABLE;
	for (uint64_t i = 0; i < GIGABYTES; i++)
		pointers[i] = (TABLES + (2 + i) * PAGE) | PRESENT_WRITABLE;
	for (uint64_t i = 0; i < GIGABYTES * 512; i++)
		pages[i] = i << 21 | PRESENT_WRITABLE | LARGE;
}

static void write_gdt(uint8_t *ram, bool long_mode)
{
	const uint64_t code32 = 0x00cf9b000000ffff, code64 = 0x00af9b000000ffff;
	const uint64_t gdt[] = {0, 0, long_mode ? code64 : code32, 0x00cf93000000ffff};

	memcpy(ram + GDT, gdt, sizeof(gdt));
}

static void set_segments(struct kvm_sregs *sregs, bool long_mode)
{
	struct kvm_segment code = {.limit = 0xffffffff,
				   .selector = CODE,
				   .type = 0xb,
				   .present = 1,
				   .db = !long_mode,
				   .s = 1,
				   .l = long_mode,
				   .g = 1};
	struct kvm_segment data = code;

	data.selector = DATA;
	data.type = 0x3;
	data.db = 1;
	data.l = 0;
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->gdt.base = GDT;
	sregs->gdt.limit = 31;
	sregs->idt.limit = 0;
}

int tv_start_registers(struct tv_cpu *cpu)
{
	struct tv *vm = cpu->vm;
	struct kvm_sregs sregs;

	if (ioctl(cpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	write_gdt(vm->ram, vm->long_mode);
	set_segments(&sregs, vm->long_mode);
	sregs.cr0 = CR0_PE | CR0_ET;
	if (vm->long_mode) {
		write_page_tables(vm->ram);
		sregs.cr3 = TABLES;
		sregs.cr4 = CR4_PAE;
		sregs.cr0 |= CR0_PG;
		sregs.efer = EFER_LME_LMA;
	}
	if (ioctl(cpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(cpu->fd, KVM_SET_REGS, &vm->start) < 0)
		return -errno;
	return 0;
}
