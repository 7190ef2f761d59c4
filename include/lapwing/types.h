/* SPDX-License-Identifier: MIT */
/*
 * Lapwing: words that more than one chip uses.
 *
 * Conventions that hold for every header here:
 *  - A call that the VMM makes returns 0 (or a count) or a negative errno. A guest's access never
 *    fails: what the chip has not got reads as zero and ignores writes.
 *  - Storage is the caller's. `lw_X_size()` or `LW_X_SIZE` says how much, `LW_X_ALIGN` how aligned;
 *    the library allocates nothing, keeps no global, and never frees. To destroy a chip is to stop
 *    calling it.
 *  - A vCPU is named by its index, 0 … nvcpus-1. An APIC id is what the guest calls it: the two
 *    need not be equal.
 */
#ifndef LAPWING_TYPES_H
#define LAPWING_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_VERSION_MAJOR 0
#define LW_VERSION_MINOR 1
#define LW_VERSION_PATCH 0

/* Delivery modes, as in an RTE, an MSI's data and the ICR (SDM vol. 3, 11.6.1 and 11.11.2). */
enum lw_delivery_mode {
	LW_DM_FIXED = 0,
	LW_DM_LOWEST = 1,
	LW_DM_SMI = 2,
	LW_DM_RESERVED = 3,
	LW_DM_NMI = 4,
	LW_DM_INIT = 5,
	LW_DM_SIPI = 6,
	LW_DM_EXTINT = 7
};

/* Vectors 0 to 15 are no interrupts: a LAPIC refuses them (SDM vol. 3, 11.5.2). */
#define LW_FIRST_VECTOR 16u

/* An interrupt message on its way from an I/O APIC, an MSI or an IPI to the LAPICs. */
struct lw_msg {
	uint32_t dest;    /* APIC id, or a logical destination */
	uint8_t vector;   /* 0 … 255 */
	uint8_t delivery; /* enum lw_delivery_mode */
	bool logical;     /* destination mode */
	bool level;       /* trigger mode */
};

/* An interrupt in the remappable format (VT-d 5.1.2.2, 5.1.5.1): what it means is for the VMM's
 * IOMMU to say. */
struct lw_remap {
	uint32_t index; /* of the table's entry: the handle, and on top an MSI's subhandle, if it
			   has one; so up to 0x1fffe */
	int32_t gsi;    /* of the I/O APIC pin; -1: an MSI */
	uint8_t vector; /* as the RTE has it; an MSI: 0 */
	bool level;     /* the RTE's trigger mode; an MSI: false */
};

#ifdef __cplusplus
}
#endif

#endif
