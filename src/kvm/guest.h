/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_GUEST_H
#define LAPWING_KVM_GUEST_H

/*
 * The guest that the probe runs: 64-bit, two vCPUs that sleep until interrupted. It is told what
 * to do through a mailbox and tells what it did through I/O ports. Shared with guest.S.
 */

#define LW_GUEST_RAM_SIZE 0x20000
#define LW_GUEST_CODE     0x10000
#define LW_GUEST_START    0x1000 /* offset in the code, past the 256 stubs of 16 bytes */

#define LW_GUEST_LAPIC  0xfee00000
#define LW_GUEST_IOAPIC 0xfec00000

/* Ports: 32-bit writes. */
#define LW_GUEST_PORT_READY   0xe8 /* sleeps from here on */
#define LW_GUEST_PORT_SERVICE 0xe9 /* the vector is in service */
#define LW_GUEST_PORT_DONE    0xea /* it has been EOI'd */
#define LW_GUEST_PORT_FAULT   0xeb /* an exception */
/* With DONE: the EOI took a write to the local APIC. Without: the paravirtual flag did. */
#define LW_GUEST_WROTE_EOI 0x100

/* Mailbox, one per vCPU. */
#define LW_GUEST_MAILBOX      0x7000
#define LW_GUEST_MAILBOX_SIZE 0x100
#define LW_GUEST_PV_EOI       0x0  /* u32: bit 0 is KVM's */
#define LW_GUEST_QUIET        0x4  /* u32: do not tell SERVICE */
#define LW_GUEST_WRITES       0x8  /* u32: so many I/O APIC registers are to be written */
#define LW_GUEST_WRITE        0x10 /* pairs of u32: register, value */
#define LW_GUEST_MAX_WRITES   8

#ifndef __ASSEMBLER__
#include <linux/kvm.h>
#include <stdint.h>

extern const uint8_t lw_guest_code[];
extern const uint8_t lw_guest_code_end[];

struct lw_guest_mailbox {
	volatile uint32_t pv_eoi;
	volatile uint32_t quiet;
	volatile uint32_t writes;
	uint32_t reserved;
	volatile struct {
		uint32_t reg;
		uint32_t value;
	} write[LW_GUEST_MAX_WRITES];
};

/* Lays page tables, descriptors and code into the guest's RAM (LW_GUEST_RAM_SIZE, zeroed). */
void lw_guest_load(uint8_t *ram);
/* The registers vCPU number CPU starts with; SREGS as KVM_GET_SREGS gave them. */
void lw_guest_registers(unsigned cpu, struct kvm_regs *regs, struct kvm_sregs *sregs);
uint64_t lw_guest_mailbox_address(unsigned cpu);
#endif

#endif
