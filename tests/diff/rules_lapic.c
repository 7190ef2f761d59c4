/* SPDX-License-Identifier: MIT */
/* Deviations of the LAPICs, and of what they send and take. */
#include "rules.h"

/* ---- LAPIC: registers ---- */

uint64_t rule_directed_eoi(const struct diff_case *c, const struct diff_one *d)
{
	return diff_register_of(c, d) == LW_LAPIC_VERSION && !(d->theirs >> 24 & 1u) ? 1u << 24 : 0;
}

uint64_t rule_tpr_subclass(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t reg = diff_register_of(c, d);

	return (reg == LW_LAPIC_TPR || reg == LW_LAPIC_PPR) && !(d->theirs & 0xfu) ? 0xfu : 0;
}

uint64_t rule_illegal_vector(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t reg = diff_register_of(c, d);

	return reg == LW_LAPIC_TMR || reg == LW_LAPIC_IRR ? 0xffffu & d->theirs & ~d->ours : 0;
}

uint64_t rule_no_esr(const struct diff_case *c, const struct diff_one *d)
{
	return diff_register_of(c, d) == LW_LAPIC_ESR && !d->theirs ? 0xe0u : 0;
}

uint64_t rule_no_lvt_error(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t lvt = c->before.lapic[d->cpu].reg[LW_LAPIC_LVT_ERROR >> 4];

	if (lvt & LVT_MASKED)
		lvt = c->ours.lapic[d->cpu].reg[LW_LAPIC_LVT_ERROR >> 4];
	if (lvt & LVT_MASKED || d->where != AT_REG)
		return 0;
	if (d->index >= LW_LAPIC_IRR)
		return diff_vector_bit(d, lvt & 0xffu) & d->ours & ~d->theirs;
	return diff_vector_bit(d, lvt & 0xffu) & ~d->ours & d->theirs; /* of TMR */
}

uint64_t rule_lvt_read_only(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t reg = diff_register_of(c, d), bits = LVT_STATUS;

	if (reg < LW_LAPIC_LVT_TIMER || reg > LW_LAPIC_LVT_ERROR)
		return 0;
	if (reg == LW_LAPIC_LVT_LINT0 || reg == LW_LAPIC_LVT_LINT1)
		bits |= LVT_REMOTE_IRR;
	return bits & d->theirs & ~d->ours;
}

uint64_t rule_icr_reserved(const struct diff_case *c, const struct diff_one *d)
{
	return diff_register_of(c, d) == LW_LAPIC_ICR
		       ? UINT32_MAX & ~(uint64_t)LW_ICR_WRITABLE & d->theirs & ~d->ours
		       : 0;
}

uint64_t rule_id_writable(const struct diff_case *c, const struct diff_one *d)
{
	return diff_writes(c, LW_LAPIC_ID) && diff_in_mode(c, BASE_EN) &&
			       diff_register_of(c, d) == LW_LAPIC_ID
		       ? 0xff000000u
		       : 0;
}

/* What KVM has a register for, in xAPIC mode. */
static bool kvm_reads(uint32_t reg)
{
	return reg == LW_LAPIC_ID || reg == LW_LAPIC_VERSION || reg == LW_LAPIC_TPR ||
	       reg == LW_LAPIC_APR || reg == LW_LAPIC_PPR ||
	       (reg >= LW_LAPIC_LDR && reg <= LW_LAPIC_ESR) ||
	       (reg >= LW_LAPIC_ICR && reg <= LW_LAPIC_TMCCT) || reg == LW_LAPIC_DCR;
}

uint64_t rule_stale_read(const struct diff_case *c, const struct diff_one *d)
{
	return d->where == AT_VALUE && c->op.kind == OP_PAGE_READ && diff_in_mode(c, BASE_EN) &&
			       (diff_accessed(c) == NO_REGISTER || !kvm_reads(diff_accessed(c)))
		       ? ALL
		       : 0;
}

static bool faults_for_us_only(const struct diff_case *c)
{
	return c->our_outcome.fault && !c->their_outcome.fault;
}

/* The bits that may be written in x2APIC mode without a fault, of those registers in which KVM has
 * none that may not (SDM 11.12.9, and the registers' figures). */
static uint32_t x2apic_writable(uint32_t reg)
{
	switch (reg) {
	case LW_LAPIC_TPR:
		return 0xff;
	case LW_LAPIC_EOI:
		return 0;
	case LW_LAPIC_SVR:
		return 0x13ff;
	case LW_LAPIC_LVT_TIMER:
		return 0x710ff;
	case LW_LAPIC_LVT_THERMAL:
	case LW_LAPIC_LVT_PMC:
		return 0x117ff;
	case LW_LAPIC_LVT_LINT0:
	case LW_LAPIC_LVT_LINT1:
		return 0x1f7ff;
	case LW_LAPIC_LVT_ERROR:
		return 0x110ff;
	case LW_LAPIC_DCR:
		return 0xb;
	default:
		return UINT32_MAX;
	}
}

uint64_t rule_x2apic_reserved(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t reg = diff_accessed(c);

	return c->op.kind == OP_MSR_WRITE && faults_for_us_only(c) && reg != NO_REGISTER &&
			       c->op.value & ~(uint64_t)x2apic_writable(reg)
		       ? diff_anything_of(d, c->op.cpu)
		       : 0;
}

/* ---- LAPIC: off, INIT ---- */

uint64_t rule_off_forgets(const struct diff_case *c, const struct diff_one *d)
{
	return c->op.kind == OP_MSR_WRITE && c->op.address == LW_MSR_APIC_BASE &&
			       diff_in_mode(c, 0) && d->where != AT_RTE && d->where != AT_FAULT
		       ? diff_anything_of(d, c->op.cpu)
		       : 0;
}

uint64_t rule_off_cr8(const struct diff_case *c, const struct diff_one *d)
{
	return d->where == AT_VALUE && c->op.kind == OP_CR8_READ && diff_in_mode(c, 0) ? 0xfu : 0;
}

uint64_t rule_icr_carried_over(const struct diff_case *c, const struct diff_one *d)
{
	return c->op.kind == OP_MSR_WRITE && c->op.address == LW_MSR_APIC_BASE &&
			       diff_in_mode(c, BASE_EN) && d->where == AT_ICR_HIGH &&
			       d->ours == d->theirs >> 24
		       ? ALL
		       : 0;
}

/* A level delivery's taker is reset or goes off. Then the pin is delivered to others. */
static bool taker_goes(const struct diff_case *c)
{
	struct diff_message m;

	if (diff_message_of(c, &m) && m.delivery == LW_DM_INIT)
		return true;
	return c->op.kind == OP_MSR_WRITE && c->op.address == LW_MSR_APIC_BASE &&
	       !(c->op.value & BASE_EN);
}

uint64_t diff_remote_irr(const struct diff_one *d)
{
	return d->where == AT_RTE ? LW_RTE_REMOTE_IRR : 0;
}

/* The bit of a vector that a level pin, in flight before, delivers anew because its line is up. */
uint64_t diff_redelivered(const struct diff_case *c, const struct diff_one *d)
{
	uint64_t bits = 0;

	for (uint32_t pin = 0; pin < DIFF_PINS; pin++) {
		uint64_t rte = c->before.rte[pin];

		if (rte & LW_RTE_REMOTE_IRR && rte & LW_RTE_LEVEL && !(rte & LW_RTE_MASK) &&
		    c->lines >> pin & 1u)
			bits |= diff_vector_bit(d, rte & LW_RTE_VECTOR);
	}
	return bits;
}

/* INIT clears ICR, but in x2APIC mode KVM forgets its upper half. */
uint64_t rule_init_icr(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	return diff_message_of(c, &m) && m.delivery == LW_DM_INIT && d->where == AT_ICR_HIGH &&
			       !d->ours && d->theirs == c->theirs_before.lapic[d->cpu].icr_high
		       ? ALL
		       : 0;
}

uint64_t rule_init_resolves(const struct diff_case *c, const struct diff_one *d)
{
	if (!taker_goes(c))
		return 0;
	return (diff_remote_irr(d) & d->theirs & ~d->ours) |
	       (diff_redelivered(c, d) & (d->ours | d->theirs));
}

/* ---- messages ---- */

uint64_t rule_ipi_level(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (!diff_message_of(c, &m) || !m.ipi || !m.level)
		return 0;
	return diff_vector_bit(d, m.vector);
}

uint64_t rule_msi_deassert(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (!diff_message_of(c, &m) || m.ipi || !m.level || m.asserted)
		return 0;
	return diff_vector_bit(d, m.vector);
}

/* The bits of the vectors that pins may have sent which have these bits in their RTEs. */
uint64_t diff_pins_send(const struct diff_case *c, const struct diff_one *d, uint64_t mask,
			uint64_t value)
{
	uint64_t bits = 0;

	for (uint32_t pin = 0; pin < DIFF_PINS; pin++) {
		uint64_t rte = c->ours.rte[pin];

		if ((rte & mask) != value || !(c->lines >> pin & 1u) || rte & LW_RTE_MASK)
			continue;
		if (diff_is_nmi(d) && (rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT == LW_DM_NMI)
			return ALL;
		bits |= d->where == AT_RTE && d->index == pin
				? LW_RTE_REMOTE_IRR
				: diff_vector_bit(d, rte & LW_RTE_VECTOR);
	}
	return bits;
}

/* What may differ if a message reaches a vCPU in one of the worlds only. */
static uint64_t arrival(const struct diff_one *d, const struct diff_message *m)
{
	switch (m->delivery) {
	case LW_DM_NMI:
		return diff_is_nmi(d) ? ALL : 0;
	case LW_DM_INIT:
		return d->where == AT_RTE ? LW_RTE_REMOTE_IRR : diff_anything_of(d, d->cpu);
	default:
		return diff_vector_bit(d, m->vector);
	}
}

/* Who is meant is looked up as if all LAPICs were in the same mode. */
uint64_t rule_mixed_modes(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (!((c->ours.lapic[0].base ^ c->ours.lapic[1].base) & BASE_EXTD))
		return 0;
	return diff_message_of(c, &m) && !m.shorthand ? arrival(d, &m) : diff_pins_send(c, d, 0, 0);
}

static bool has_reserved_dfr(const struct diff_case *c, uint32_t cpu)
{
	uint32_t model = c->before.lapic[cpu].reg[LW_LAPIC_DFR >> 4] >> 28;

	return model != 0 && model != 15;
}

uint64_t rule_dfr_reserved(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	/* Delivered as to a cluster, perhaps, but its EOI is not looked out for. */
	if (diff_writes(c, LW_LAPIC_EOI) && has_reserved_dfr(c, c->op.cpu))
		return diff_remote_irr(d) | diff_redelivered(c, d);
	/* An RTE is nobody's. */
	if (!has_reserved_dfr(c, d->cpu) && !(d->where == AT_RTE && has_reserved_dfr(c, 1)))
		return 0;
	return diff_message_of(c, &m) && m.logical && !m.shorthand
		       ? arrival(d, &m)
		       : diff_pins_send(c, d, LW_RTE_LOGICAL, LW_RTE_LOGICAL);
}

uint64_t rule_lowest_priority(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (diff_message_of(c, &m) &&
	    (m.delivery == LW_DM_LOWEST || (m.hint && m.delivery == LW_DM_FIXED)))
		return diff_vector_bit(d, m.vector);
	return diff_pins_send(c, d, LW_RTE_DM, (uint64_t)LW_DM_LOWEST << LW_RTE_DM_SHIFT);
}

/* One that is named logically. */
uint64_t rule_signal_disabled(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (c->before.lapic[d->cpu].reg[LW_LAPIC_SVR >> 4] & LW_SVR_ENABLE)
		return 0;
	if (diff_is_nmi(d))
		return d->ours & ~d->theirs; /* a pin's, too */
	return diff_message_of(c, &m) && m.delivery == LW_DM_INIT && m.logical ? arrival(d, &m) : 0;
}

/* With the hint KVM picks one vCPU for signals, too; and a physical broadcast becomes a fixed
 * interrupt, whatever the delivery mode. */
uint64_t rule_signal_hint(const struct diff_case *c, const struct diff_one *d)
{
	struct diff_message m;

	if (!diff_message_of(c, &m) || !m.hint || m.delivery <= LW_DM_LOWEST)
		return 0;
	return arrival(d, &m) | (m.logical ? 0 : diff_vector_bit(d, m.vector));
}
