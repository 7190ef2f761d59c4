/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_DIFF_GUEST_H
#define LAPWING_DIFF_GUEST_H

/*
 * The guest of the differential test: does one access at a time, as its mailbox says, with
 * interrupts off, and opens a window for one interrupt when it is told to. Its handlers note the
 * vector and end nothing. It lies where the guest of src/kvm lies and has its page tables.
 * Shared with guest.S.
 */

#define DIFF_PORT_DONE 0xe8 /* the access is done; 32-bit write */

/* Mailbox, one per vCPU. */
#define DIFF_MAILBOX(cpu) (0x7000 + (cpu)*0x100)
#define DIFF_WHAT         0x00 /* u32: enum diff_what */
#define DIFF_WIDTH        0x04 /* u32: bytes */
#define DIFF_ADDRESS      0x08 /* u64: address, MSR or port */
#define DIFF_VALUE        0x10 /* u64: written, or read */
#define DIFF_FAULT        0x18 /* u32: 1 after #GP */
#define DIFF_VECTOR       0x1c /* u32: taken in the window, or DIFF_NONE */
#define DIFF_NMIS         0x20 /* u32: so many since the host cleared it */
#define DIFF_BROKEN       0x24 /* u32: an exception that should not be, plus one */

#define DIFF_NONE 0xffffffff

#define DIFF_READ      0
#define DIFF_WRITE     1
#define DIFF_RDMSR     2
#define DIFF_WRMSR     3
#define DIFF_IN        4
#define DIFF_OUT       5
#define DIFF_READ_CR8  6
#define DIFF_WRITE_CR8 7
#define DIFF_WINDOW    8

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t diff_guest_code[];
extern const uint8_t diff_guest_code_end[];

struct diff_mailbox {
	volatile uint32_t what;
	volatile uint32_t width;
	volatile uint64_t address;
	volatile uint64_t value;
	volatile uint32_t fault;
	volatile uint32_t vector;
	volatile uint32_t nmis;
	volatile uint32_t broken;
};
#endif

#endif
