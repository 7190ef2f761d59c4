/* SPDX-License-Identifier: MIT */
/* The LAPIC: set up, posting, priorities, EOI, LINT pins, modes, and what it is asked. */
#include "lapic.h"

/* ---- set up ---- */

struct lw_lapic_config nondet_config(void);

/* In storage of any content. A misaligned one is refused before it is touched: test_lapic. */
void prove_lw_lapic_init(void)
{
	struct lw_lapic_config config = nondet_config();
	struct lw_lapic *storage = nondet_bool() ? &l : NULL;
	struct broken why;

	any_ops();
	l = nondet_lapic();
	config.ops = nondet_bool() ? &ops : NULL;
	config.x2apic = nondet_bool();
	config.xapic_only = nondet_bool();
	config.bsp = nondet_bool();
	if (!lw_lapic_init(storage, nondet_bool() ? &config : NULL))
		must_hold(lw_lapic_is_sound(&l, &why), "the invariants hold");
	reached();
}

/* ---- from any thread ---- */

void prove_lw_lapic_post(void)
{
	any_state();
	lw_lapic_post(&l, nondet_u8(), nondet_bool());
	still_sound();
}

/* What takes a const LAPIC leaves it as it is: there is nothing to assert but that it comes back.
 */
void prove_lw_lapic_mode(void)
{
	any_state();
	must_hold(lw_lapic_mode(&l) <= LW_LAPIC_X2APIC, "there are three modes");
	reached();
}

void prove_lw_lapic_accepts(void)
{
	any_state();
	lw_lapic_accepts(&l);
	reached();
}

void prove_lw_lapic_ppr(void)
{
	any_state();
	lw_lapic_ppr(&l);
	reached();
}

void prove_lw_lapic_id(void)
{
	any_state();
	lw_lapic_id(&l);
	reached();
}

void prove_lw_lapic_matches(void)
{
	struct lw_msg msg = {.dest = nondet_u32(), .logical = nondet_bool()};

	any_state();
	lw_lapic_matches(&l, &msg);
	reached();
}

void prove_lw_lapic_address(void)
{
	any_state();
	lw_lapic_address(&l);
	reached();
}

void prove_lw_lapic_suppresses(void)
{
	any_state();
	lw_lapic_suppresses(&l);
	reached();
}

void prove_lw_lapic_listens(void)
{
	any_state();
	lw_lapic_listens(&l);
	reached();
}

/* ---- priorities and EOI ---- */

void prove_lw_lapic_sync(void)
{
	any_state();
	lw_lapic_sync(&l);
	still_sound();
}

void prove_lw_lapic_pending(void)
{
	any_state();
	lw_lapic_pending(&l);
	still_sound();
}

void prove_lw_lapic_accept(void)
{
	any_state();
	lw_lapic_accept(&l);
	still_sound();
}

void prove_lw_lapic_eoi(void)
{
	any_state();
	lw_lapic_eoi(&l);
	still_sound();
}

void prove_lw_lapic_cr8(void)
{
	any_state();
	must_hold(lw_lapic_cr8(&l) < 16, "CR8 has four bits");
	reached();
}

void prove_lw_lapic_set_cr8(void)
{
	any_state();
	lw_lapic_set_cr8(&l, nondet_u64());
	still_sound();
}

void prove_lw_lapic_holds(void)
{
	any_state();
	lw_lapic_holds(&l, nondet_u8());
	reached();
}

void prove_lw_lapic_irr(void)
{
	any_state();
	lw_lapic_irr(&l, nondet_u8());
	reached();
}

void prove_lw_lapic_isr(void)
{
	any_state();
	lw_lapic_isr(&l, nondet_u8());
	reached();
}

void prove_lw_lapic_tmr(void)
{
	any_state();
	lw_lapic_tmr(&l, nondet_u8());
	reached();
}

/* ---- INIT and modes ---- */

void prove_lw_lapic_reset(void)
{
	any_state();
	lw_lapic_reset(&l);
	still_sound();
}

void prove_lw_lapic_base(void)
{
	any_state();
	lw_lapic_base(&l);
	reached();
}

void prove_lw_lapic_set_base(void)
{
	any_state();
	lw_lapic_set_base(&l, nondet_u64());
	still_sound();
}

/* ---- what it sends ---- */

void prove_lw_lapic_send(void)
{
	any_state();
	lw_lapic_send(&l, nondet_u64());
	still_sound();
}

void prove_lw_lapic_icr(void)
{
	any_state();
	lw_lapic_icr(&l);
	reached();
}

void prove_lw_lapic_self_ipi(void)
{
	any_state();
	lw_lapic_self_ipi(&l, nondet_u8());
	still_sound();
}

/* ---- its own interrupts ---- */

void prove_lw_lapic_lint(void)
{
	any_state();
	lw_lapic_lint(&l, nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_lapic_extint(void)
{
	any_state();
	lw_lapic_extint(&l);
	reached();
}

void prove_lw_lapic_pmi(void)
{
	any_state();
	lw_lapic_pmi(&l);
	still_sound();
}

void prove_lw_lapic_thermal(void)
{
	any_state();
	lw_lapic_thermal(&l);
	still_sound();
}

void prove_lw_lapic_counters(void)
{
	any_state();
	lw_lapic_counters(&l);
	reached();
}
