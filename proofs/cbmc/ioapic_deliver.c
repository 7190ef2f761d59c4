/* SPDX-License-Identifier: MIT */
/* What may deliver: the calls of the VMM and of a policy. */
#include "ioapic.h"

/* ---- steps ---- */

/* lw_pin_sampled() of a pin that is not being sampled does nothing else; of one that is,
 * redeliver() does nothing. */
static void redeliver_one(struct lw_pin *p, uint32_t n, const struct lw_pin *other)
{
	uint32_t left;
	bool had;

	any_ops();
	sampled = any_below(PINS + 1);
	any_sound(~0u);
	told = told_holds();
	left = left_behind();
	assume(!(p->flags & (RECORD | SAMPLING)));
	had = other->flags & RECORD;
	lw_pin_sampled(&io, p);
	must_hold(had || !(other->flags & RECORD), "no other gets a record");
	sound(left & ~(1u << n));
	must_hold(!told || told_holds(), "who waits for a resolution is told");
	reached();
}

void prove_redeliver_first(void)
{
	redeliver_one(&pin0, 0, &pin1);
}

void prove_redeliver_last(void)
{
	redeliver_one(&pin1, 1, &pin0);
}

void prove_recall(void)
{
	uint32_t n = any_below(PINS);

	any_state();
	assume(lw_pin_at(&io, n)->flags & LET_GO);
	lw_pin_recall(&io, lw_pin_at(&io, n));
	still_sound();
}

/* ---- calls ---- */

void prove_lw_ioapic_line_locked(void)
{
	any_state();
	lw_ioapic_line_locked(&io, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_ioapic_line(void)
{
	any_state();
	lw_ioapic_line(&io, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_ioapic_resume(void)
{
	any_state();
	lw_ioapic_resume(&io, nondet_u32());
	still_sound();
}

void prove_lw_ioapic_notify(void)
{
	any_state();
	lw_ioapic_notify(&io, nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_ioapic_eoi_locked(void)
{
	any_state();
	lw_ioapic_eoi_locked(&io, A_VCPU, A_VECTOR);
	still_sound();
}

void prove_lw_ioapic_eoi(void)
{
	any_state();
	lw_ioapic_eoi(&io, A_VCPU, A_VECTOR);
	still_sound();
}

void prove_lw_ioapic_gone_locked(void)
{
	any_state();
	lw_ioapic_gone_locked(&io, A_VCPU, A_VECTOR);
	still_sound();
}

void prove_lw_ioapic_finish_locked(void)
{
	any_state();
	lw_ioapic_finish_locked(&io, A_VCPU, A_VECTOR);
	still_sound();
}

void prove_lw_ioapic_forget_locked(void)
{
	any_state();
	lw_ioapic_forget_locked(&io, A_VCPU);
	still_sound();
}

void prove_lw_ioapic_forget(void)
{
	any_state();
	lw_ioapic_forget(&io, A_VCPU);
	still_sound();
}

void prove_lw_ioapic_retry_locked(void)
{
	any_state();
	lw_ioapic_retry_locked(&io);
	still_sound();
}

void prove_lw_ioapic_retry(void)
{
	any_state();
	lw_ioapic_retry(&io);
	still_sound();
}
