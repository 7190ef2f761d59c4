/* SPDX-License-Identifier: MIT */
#include "model/invariants.h"

#include "core/lapic_priv.h"

static bool breaks(const struct lw_lapic *l, struct broken *why, const char *rule)
{
	*why = (struct broken){.rule = rule, .vcpu = l->vcpu};
	return false;
}

#define must(held, rule)                             \
	do {                                         \
		if (!(held))                         \
			return breaks(l, why, rule); \
	} while (0)

static bool has_illegal(const uint64_t *set)
{
	return set[0] & 0xffffu;
}

/* Whoever posts marks the word, and is owed a merge. */
static bool posted_holds(const struct lw_lapic *l, struct broken *why)
{
	for (uint32_t w = 0; w < POSTED_WORDS; w++) {
		uint64_t posted = load(l->shared.posted[w]);

		if (!posted)
			continue;
		must(!load(l->shared.idle), "who has posted owes a kick");
		must(load(l->shared.dirty) >> w & 1u, "what is posted will be merged");
		must(w % LW_SET_WORDS || !has_illegal(&posted), "no vector below 16 is posted");
		must(load(l->shared.mode) != LW_LAPIC_DISABLED,
		     "a LAPIC that is off is posted nothing");
	}
	return true;
}

/* SDM 11.8.3.1. */
static uint32_t naive_ppr(const struct lw_lapic *l)
{
	int serving = lw_set_highest(l->own.isr);
	uint32_t class = serving < 0 ? 0 : (uint32_t)serving / 16u;

	return l->own.tpr / 16u >= class ? l->own.tpr : class * 16u;
}

static bool sets_hold(const struct lw_lapic *l, struct broken *why)
{
	must(!has_illegal(l->own.irr) && !has_illegal(l->own.isr) && !has_illegal(l->own.tmr),
	     "no vector below 16 is in IRR, ISR or TMR");
	must(load(l->shared.ppr) == naive_ppr(l), "PPR follows from TPR and ISR");
	must(load(l->shared.mode) != LW_LAPIC_DISABLED ||
		     (lw_set_highest(l->own.irr) < 0 && lw_set_highest(l->own.isr) < 0),
	     "a LAPIC that is off holds nothing");
	return true;
}

/* What is kept because it is asked at every interrupt. */
static bool derived_holds(const struct lw_lapic *l, struct broken *why)
{
	int top = lw_set_highest(l->own.isr);
	bool enabled = load(l->shared.svr) & LW_SVR_ENABLE;
	uint32_t busy = l->der.busy;

	must(l->der.top == (top < 0 ? 0 : top), "the highest in service is known");
	must(busy & BUSY_PENDING || lw_set_highest(l->own.irr) < 0, "what is pending is known");
	must(!(busy & BUSY_SERVING) == (top < 0), "what is in service is known");
	must(busy & BUSY_NESTED || top < 0 || lw_set_lowest(l->own.isr) == top,
	     "several in service are known");
	must(busy & (BUSY_LINT | BUSY_PENDING) || !(l->own.lvt[LVT_LINT0] & LVT_REMOTE_IRR),
	     "LINT0's remote IRR is known");
	must(!(busy & BUSY_THRESHOLD) == !l->ops->threshold,
	     "whether somebody heeds the TPR threshold is known");
	must(!(busy & BUSY_OFF) == (load(l->shared.mode) != LW_LAPIC_DISABLED),
	     "whether it is off is known");
	must(l->der.broadcast != lw_lapic_suppresses(l), "suppression is known");
	must(load(l->shared.listens) == (load(l->shared.mode) == LW_LAPIC_DISABLED ||
					 !(l->own.lvt[LVT_LINT0] & LVT_MASKED)),
	     "whether LINT0 is heard is known");
	must(load(l->shared.floor) == (enabled ? LW_FIRST_VECTOR : 256u),
	     "the lowest vector that is taken is known");
	return true;
}

static bool registers_hold(const struct lw_lapic *l, struct broken *why)
{
	bool enabled = load(l->shared.svr) & LW_SVR_ENABLE;

	must(load(l->shared.mode) <= LW_LAPIC_X2APIC, "there are three modes");
	must(!enabled || load(l->shared.mode) != LW_LAPIC_DISABLED,
	     "a LAPIC that is off is software-disabled");
	for (uint32_t n = 0; n < LVTS; n++) {
		must(enabled || l->own.lvt[n] & LVT_MASKED,
		     "every LVT entry of a software-disabled LAPIC is masked");
		must(n == LVT_LINT0 || !(l->own.lvt[n] & LVT_REMOTE_IRR),
		     "only LINT0 has a remote IRR");
	}
	must((l->own.tpr & ~0xffu) == 0, "TPR has eight bits");
	must(!(l->own.base & (APIC_BASE_EN | APIC_BASE_EXTD)), "the mode is kept once");
	return true;
}

/* It stays as lw_lapic_init() has checked it. */
static bool configuration_holds(const struct lw_lapic *l, struct broken *why)
{
	const struct lw_lapic_clock *clock = &l->own.timer.clock;

	must(clock->bus_ns && clock->bus_ns <= LW_CLOCK_MAX && clock->bus_ticks &&
		     clock->bus_ticks <= LW_CLOCK_MAX,
	     "the bus has a clock");
	must(clock->tsc_khz, "the TSC runs");
	must(l->own.phys_bits >= MIN_PHYS_BITS && l->own.phys_bits <= MAX_PHYS_BITS,
	     "addresses have a width");
	must(lw_lapic_base_can_be(&l->own), "IA32_APIC_BASE is one that a guest can write");
	return true;
}

static bool timer_holds(const struct lw_lapic *l, struct broken *why)
{
	const struct timer *t = &l->own.timer;
	uint32_t mode = LVT_TIMER_MODE(l->own.lvt[LVT_TIMER]);

	must(!t->deadline_tsc || mode == TIMER_TSC_DEADLINE,
	     "a TSC deadline is armed in its own mode only");
	must(!t->deadline_tsc || t->expiry, "an armed TSC deadline has a time");
	must(!t->expiry || mode == TIMER_TSC_DEADLINE || t->tmict,
	     "a count that runs began somewhere");
	must(!t->expiry || t->expiry > t->now || t->expiry == UINT64_MAX,
	     "what has expired was delivered");
	return true;
}

bool lw_lapic_is_sound(const struct lw_lapic *l, struct broken *why)
{
	return posted_holds(l, why) && sets_hold(l, why) && derived_holds(l, why) &&
	       registers_hold(l, why) && configuration_holds(l, why) && timer_holds(l, why);
}
