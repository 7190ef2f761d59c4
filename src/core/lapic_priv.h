/* SPDX-License-Identifier: MIT */
/*
 * The inside of a LAPIC: lapic.c has posting, priorities and EOI, lapic_ipi.c what it sends,
 * lapic_regs.c the registers as a guest sees them.
 */
#ifndef LW_LAPIC_PRIV_H
#define LW_LAPIC_PRIV_H

#include <lapwing/lapic.h>
#include <stdatomic.h>

#include "bits.h"

#define BROADCAST       0xffffffffu
#define XAPIC_BROADCAST 0xffu

/* ESR (SDM 11.5.3). Bits 0 to 3 belong to the APIC bus, which no processor of today has; bit 4 to
 * those that can't send lowest-priority IPIs, which this one can. */
#define ESR_SEND_ILLEGAL     (1u << 5)
#define ESR_RECEIVED_ILLEGAL (1u << 6)

/* What other threads write or read. Everything here is atomic; see docs/concurrency.md. */
struct shared {
	_Atomic uint64_t edge[LW_SET_WORDS];  /* posted with TMR 0 */
	_Atomic uint64_t level[LW_SET_WORDS]; /* posted with TMR 1 */
	_Atomic uint32_t notify; /* set by the first poster after a merge: it owes the kick */
	_Atomic uint32_t errors; /* ESR bits found since the last write to ESR */
	_Atomic uint32_t id;
	_Atomic uint32_t ldr;
	_Atomic uint32_t dfr;
	_Atomic uint32_t svr;
	_Atomic uint32_t ppr;
};

/* What only the owner touches. */
struct owned {
	uint64_t irr[LW_SET_WORDS];
	uint64_t isr[LW_SET_WORDS];
	uint64_t tmr[LW_SET_WORDS];
	uint32_t tpr;
	uint32_t esr;
	uint32_t icr;  /* low half */
	uint32_t dest; /* ICR's high half; in xAPIC mode its bits 31…24 */
	bool x2apic;
};

struct lw_lapic {
	_Alignas(LW_LAPIC_ALIGN) struct shared shared;
	struct owned own;
	struct lw_lapic_counters counters;
	const struct lw_lapic_ops *ops;
	void *ctx;
	uint32_t vcpu;
};

_Static_assert(sizeof(struct lw_lapic) <= LW_LAPIC_SIZE, "LW_LAPIC_SIZE is too small");

#define load(field)         atomic_load_explicit(&(field), memory_order_relaxed)
#define store(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

#pragma GCC visibility push(hidden)

/* An edge or level interrupt from inside, into IRR at once. */
void lw_lapic_take(struct lw_lapic *lapic, uint8_t vector, bool level);

/* Log ESR bits. */
void lw_lapic_error(struct lw_lapic *lapic, uint32_t bits);

/* TPR takes a new value, and PPR follows. */
void lw_lapic_set_tpr(struct lw_lapic *lapic, uint32_t tpr);

void lw_lapic_tell_changed(const struct lw_lapic *lapic);

/* The logical id: LDR's in xAPIC mode, derived from the id in x2APIC mode. */
uint32_t lw_lapic_logical_id(const struct lw_lapic *lapic);

#pragma GCC visibility pop

#endif
