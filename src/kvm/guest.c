/* SPDX-License-Identifier: MIT */
#include "kvm/guest.h"

#include <string.h>

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD_LOW = 0x3000,
	PD_HIGH = 0x4000, /* the fourth GiB, where the APICs are */
	GDT = 0x5000,
	TSS = 0x5800,
	IDT = 0x6000,
	STACKS = 0x8000,
	STACK_SIZE = 0x1000,
};

enum {
	CODE_SELECTOR = 0x08,
	DATA_SELECTOR = 0x10,
	TSS_SELECTOR = 0x18,
};

#define PTE_PRESENT  (1u << 0)
#define PTE_WRITE    (1u << 1)
#define PTE_UNCACHED (1u << 4)
#define PTE_ACCESSED (1u << 5)
#define PTE_DIRTY    (1u << 6)
#define PTE_LARGE    (1u << 7)
#define LARGE_PAGE   0x200000ull

#define CR0_PE    (1u << 0)
#define CR0_ET    (1u << 4)
#define CR0_NE    (1u << 5)
#define CR0_PG    (1u << 31)
#define CR4_PAE   (1u << 5)
#define EFER_LME  (1u << 8)
#define EFER_LMA  (1u << 10)
#define RFLAGS_ON (1u << 1)

static void put64(uint8_t *ram, uint64_t where, uint64_t value)
{
	memcpy(ram + where, &value, sizeof(value));
}

static void map_large(uint8_t *ram, uint64_t directory, uint64_t address, uint64_t more)
{
	uint64_t slot = (address / LARGE_PAGE) % 512;
	uint64_t bits = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_LARGE | more;

	put64(ram, directory + slot * 8, (address & ~(LARGE_PAGE - 1)) | bits);
}

static void load_page_tables(uint8_t *ram)
{
	uint64_t table = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;

	put64(ram, PML4, PDPT | table);
	put64(ram, PDPT, PD_LOW | table);
	put64(ram, PDPT + 3 * 8, PD_HIGH | table);
	map_large(ram, PD_LOW, 0, 0);
	map_large(ram, PD_HIGH, LW_GUEST_IOAPIC, PTE_UNCACHED);
	map_large(ram, PD_HIGH, LW_GUEST_LAPIC, PTE_UNCACHED);
}

static void load_descriptors(uint8_t *ram)
{
	put64(ram, GDT + CODE_SELECTOR, 0x00209b0000000000);
	put64(ram, GDT + DATA_SELECTOR, 0x0000930000000000);
	for (uint64_t vector = 0; vector < 256; vector++) {
		uint64_t stub = LW_GUEST_CODE + vector * 16;
		uint64_t gate = 0x8e0000000000ull; /* present interrupt gate, ring 0 */

		gate |= (stub & 0xffff) | (uint64_t)CODE_SELECTOR << 16;
		gate |= (stub >> 16 & 0xffff) << 48;
		put64(ram, IDT + vector * 16, gate);
	}
}

void lw_guest_load(uint8_t *ram)
{
	load_page_tables(ram);
	load_descriptors(ram);
	memcpy(ram + LW_GUEST_CODE, lw_guest_code, (size_t)(lw_guest_code_end - lw_guest_code));
}

uint64_t lw_guest_mailbox_address(unsigned cpu)
{
	return LW_GUEST_MAILBOX + (uint64_t)cpu * LW_GUEST_MAILBOX_SIZE;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
	};
}

void lw_guest_registers(unsigned cpu, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	struct kvm_segment data = segment(DATA_SELECTOR, 3);

	data.db = 1;
	sregs->cs = segment(CODE_SELECTOR, 11);
	sregs->cs.l = 1;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = segment(TSS_SELECTOR, 11);
	sregs->tr.s = sregs->tr.g = 0;
	sregs->tr.base = TSS;
	sregs->tr.limit = 0x67;
	sregs->ldt = (struct kvm_segment){.unusable = 1};
	sregs->gdt.base = GDT;
	sregs->gdt.limit = TSS_SELECTOR - 1;
	sregs->idt.base = IDT;
	sregs->idt.limit = 256 * 16 - 1;
	sregs->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
	sregs->cr3 = PML4;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	*regs = (struct kvm_regs){
		.rip = LW_GUEST_CODE + LW_GUEST_START,
		.rsp = STACKS + (uint64_t)(cpu + 1) * STACK_SIZE,
		.rflags = RFLAGS_ON,
		.r13 = LW_GUEST_LAPIC,
		.r14 = LW_GUEST_IOAPIC,
		.r15 = lw_guest_mailbox_address(cpu),
	};
}
