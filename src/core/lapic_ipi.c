/* SPDX-License-Identifier: MIT */
/* What a LAPIC sends: the interrupt command register and self-IPI (SDM 11.6.1, 11.12.9, .11). */
#include "lapic_priv.h"

#define ICR_DELIVERY(icr)  ((icr) >> 8 & 7u)
#define ICR_LOGICAL        (1u << 11)
#define ICR_ASSERT         (1u << 14)
#define ICR_LEVEL          (1u << 15)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3u)

/* An IPI is edge-triggered whatever ICR says: its trigger mode tells only which INIT is the
 * de-assert one, which no processor since the Pentium heeds (SDM 11.6.1). */
static bool goes_out(uint32_t icr)
{
	switch (ICR_DELIVERY(icr)) {
	case LW_DM_INIT:
		return icr & ICR_ASSERT || !(icr & ICR_LEVEL);
	case LW_DM_RESERVED:
	case LW_DM_EXTINT:
		return false;
	default:
		return true;
	}
}

static void send(struct lw_lapic *l)
{
	uint32_t icr = l->own.icr;
	struct lw_ipi ipi = {
		.msg = {.vector = (uint8_t)icr,
			.delivery = (uint8_t)ICR_DELIVERY(icr),
			.logical = (icr & ICR_LOGICAL) != 0},
		.shorthand = (uint8_t)ICR_SHORTHAND(icr),
	};

	if (!goes_out(icr))
		return;
	if (ipi.msg.delivery <= LW_DM_LOWEST && ipi.msg.vector < LW_FIRST_VECTOR) {
		lw_lapic_error(l, ESR_SEND_ILLEGAL);
		return;
	}
	if (ipi.shorthand == LW_SHORTHAND_NONE)
		ipi.msg.dest = is_x2apic(l) ? l->own.dest : l->own.dest >> 24;
	l->counters.ipis++;
	if (ipi.shorthand == LW_SHORTHAND_SELF && ipi.msg.delivery <= LW_DM_LOWEST)
		lw_lapic_take(l, ipi.msg.vector, false);
	else if (l->ops->ipi)
		l->ops->ipi(l->ctx, l->vcpu, &ipi);
}

void lw_lapic_send(struct lw_lapic *l, uint64_t icr)
{
	if (load(l->shared.mode) == LW_LAPIC_DISABLED)
		return;
	l->own.icr = (uint32_t)icr & LW_ICR_WRITABLE;
	l->own.dest = (uint32_t)(icr >> 32);
	if (!is_x2apic(l))
		l->own.dest &= 0xff000000u;
	send(l);
}

uint64_t lw_lapic_icr(const struct lw_lapic *l)
{
	return (uint64_t)l->own.dest << 32 | l->own.icr;
}

void lw_lapic_self_ipi(struct lw_lapic *l, uint8_t vector)
{
	if (load(l->shared.mode) == LW_LAPIC_DISABLED)
		return;
	if (vector < LW_FIRST_VECTOR) {
		lw_lapic_error(l, ESR_SEND_ILLEGAL);
		return;
	}
	l->counters.ipis++;
	lw_lapic_take(l, vector, false);
}
