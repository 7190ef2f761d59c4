/* SPDX-License-Identifier: MIT */
/* Deviations of the I/O APIC, and in what an EOI does to it. */
#include "rules.h"

/* ---- I/O APIC ---- */

uint64_t rule_rte_reserved(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t index = c->before.ioregsel;

	if (d->where == AT_RTE)
		return ~RTE_KEPT & d->theirs & ~d->ours;
	if (d->where != AT_VALUE || c->op.kind != OP_IO_READ || c->op.address != 0x10 ||
	    index < 0x10 || index >= 0x10 + 2 * DIFF_PINS)
		return 0;
	return (~RTE_KEPT >> (index & 1u) * 32u) & UINT32_MAX & d->theirs & ~d->ours;
}

uint64_t rule_io_no_register(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t index = c->before.ioregsel;

	return d->where == AT_VALUE && c->op.kind == OP_IO_READ && c->op.address == 0x10 &&
			       ((index > 2 && index < 0x10) || index >= 0x10 + 2 * DIFF_PINS) &&
			       !d->ours
		       ? ALL
		       : 0;
}

uint64_t rule_io_narrow(const struct diff_case *c, const struct diff_one *d)
{
	return c->op.kind == OP_IO_WRITE && c->op.address == 0x10 && c->op.width < 4 &&
			       (d->where == AT_RTE || d->where == AT_IOAPIC_ID ||
				d->where == AT_REG)
		       ? ALL
		       : 0;
}

uint64_t rule_delivery_status(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t index = c->before.ioregsel;

	if (d->where == AT_RTE || (d->where == AT_VALUE && c->op.kind == OP_IO_READ &&
				   c->op.address == 0x10 && index >= 0x10 && !(index & 1u)))
		return LW_RTE_PENDING & d->ours & ~d->theirs;
	return 0;
}

/* KVM sets remote IRR, for good, where nobody took the message, if it had to ask each LAPIC. */
uint64_t rule_refused(const struct diff_case *c, const struct diff_one *d)
{
	return d->where == AT_RTE && c->ours.rte[d->index] & LW_RTE_PENDING
		       ? LW_RTE_REMOTE_IRR & d->theirs & ~d->ours
		       : 0;
}

/* A pin that nobody took is tried again when a LAPIC has changed. */
uint64_t rule_retried(const struct diff_case *c, const struct diff_one *d)
{
	uint64_t bits = 0;

	if (!diff_is_write(c))
		return 0;
	if (d->where == AT_RTE)
		return c->before.rte[d->index] & LW_RTE_PENDING
			       ? LW_RTE_REMOTE_IRR & d->ours & ~d->theirs
			       : 0;
	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		if (c->before.rte[pin] & LW_RTE_PENDING)
			bits |= diff_vector_bit(d, c->before.rte[pin] & LW_RTE_VECTOR);
	return bits;
}

static bool is_level_signal(uint64_t rte)
{
	return rte & LW_RTE_LEVEL && (rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT > LW_DM_LOWEST;
}

/* KVM treats an NMI pin as level-triggered if the RTE says so: sent while the line is up, once
 * until an EOI of the vector that the RTE does not use. */
uint64_t rule_level_signal(const struct diff_case *c, const struct diff_one *d)
{
	if (d->where == AT_RTE)
		return is_level_signal(c->ours.rte[d->index]) ||
				       is_level_signal(c->before.rte[d->index])
			       ? LW_RTE_REMOTE_IRR & d->theirs
			       : 0;
	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		if (diff_is_nmi(d) && is_level_signal(c->ours.rte[pin]) && c->lines >> pin & 1u)
			return ALL;
	return 0;
}

/* ---- EOI ---- */

static int highest_isr(const struct diff_lapic *l)
{
	for (int n = 255; n >= 0; n--)
		if (l->reg[(LW_LAPIC_ISR >> 4) + n / 32] >> (n % 32) & 1u)
			return n;
	return -1;
}

/* What an EOI did to a level pin in flight: KVM goes by the vector that the RTE has now, whoever
 * sends the EOI, and only if TMR says level; Lapwing by what was delivered, and to whom. */
struct ended {
	bool ours, tmr, vector;
};

static bool eoi_of(const struct diff_case *c, uint32_t pin, struct ended *e)
{
	const struct diff_lapic *l = &c->before.lapic[c->op.cpu];
	int vector = highest_isr(l);

	if (!diff_writes(c, LW_LAPIC_EOI) || vector < 0 ||
	    !(c->before.rte[pin] & LW_RTE_REMOTE_IRR &&
	      c->theirs_before.rte[pin] & LW_RTE_REMOTE_IRR))
		return false;
	*e = (struct ended){
		.ours = c->before.sent_vector[pin] == vector &&
			c->before.sent_to[pin] >> c->op.cpu & 1u,
		.tmr = l->reg[(LW_LAPIC_TMR >> 4) + vector / 32] >> (vector % 32) & 1u,
		.vector = (int)(c->before.rte[pin] & LW_RTE_VECTOR) == vector,
	};
	return true;
}

/* Remote IRR of such a pin; and if its line is up, the interrupt that one world delivers anew. */
static uint64_t ended_pin(const struct diff_case *c, const struct diff_one *d, uint32_t pin)
{
	uint64_t rte = c->before.rte[pin];

	if (d->where == AT_RTE)
		return d->index == pin ? LW_RTE_REMOTE_IRR : 0;
	return c->lines >> pin & 1u && !(rte & LW_RTE_MASK)
		       ? diff_vector_bit(d, rte & LW_RTE_VECTOR)
		       : 0;
}

uint64_t rule_eoi_tmr(const struct diff_case *c, const struct diff_one *d)
{
	uint64_t bits = 0;
	struct ended e;

	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		if (eoi_of(c, pin, &e) && e.ours && e.vector && !e.tmr)
			bits |= ended_pin(c, d, pin);
	return bits;
}

uint64_t rule_eoi_rewritten(const struct diff_case *c, const struct diff_one *d)
{
	uint64_t bits = 0;
	struct ended e;

	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		if (eoi_of(c, pin, &e) && e.ours && !e.vector)
			bits |= ended_pin(c, d, pin);
	return bits;
}

uint64_t rule_eoi_of_another(const struct diff_case *c, const struct diff_one *d)
{
	uint64_t bits = 0;
	struct ended e;

	for (uint32_t pin = 0; pin < DIFF_PINS; pin++)
		if (eoi_of(c, pin, &e) && !e.ours && e.vector && e.tmr)
			bits |= ended_pin(c, d, pin);
	return bits;
}

/* KVM sends anew, at the EOI of a level interrupt, what is up of the edge-triggered pins that have
 * its vector in their RTEs. */
uint64_t rule_eoi_sends_edges(const struct diff_case *c, const struct diff_one *d)
{
	int vector = highest_isr(&c->before.lapic[c->op.cpu]);
	uint64_t bits = 0;

	if (!diff_writes(c, LW_LAPIC_EOI) || vector < 0)
		return 0;
	for (uint32_t pin = 0; pin < DIFF_PINS; pin++) {
		uint64_t rte = c->before.rte[pin];

		if (rte & (LW_RTE_LEVEL | LW_RTE_MASK) || !(c->lines >> pin & 1u) ||
		    (int)(rte & LW_RTE_VECTOR) != vector)
			continue;
		bits |= d->where == AT_NMI || d->where == AT_NMI_PENDING
				? d->theirs & ~d->ours
				: diff_vector_bit(d, (uint32_t)vector);
	}
	return bits;
}
