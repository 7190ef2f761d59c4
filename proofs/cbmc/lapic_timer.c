/* SPDX-License-Identifier: MIT */
/* The LAPIC: its timer, at any rate that a configuration may have. */
#include <lapwing/snapshot.h>

#include "lapic.h"

void prove_lw_lapic_time(void)
{
	any_state();
	lw_lapic_time(&l, nondet_u64());
	still_sound();
}

void prove_lw_lapic_deadline(void)
{
	any_state();
	lw_lapic_deadline(&l);
	reached();
}

void prove_lw_lapic_write_tsc_deadline(void)
{
	any_state();
	lw_lapic_write_tsc_deadline(&l, nondet_u64());
	still_sound();
}

void prove_lw_lapic_tsc_deadline(void)
{
	any_state();
	lw_lapic_tsc_deadline(&l);
	reached();
}

void prove_lw_lapic_set_tsc(void)
{
	any_state();
	lw_lapic_set_tsc(&l, nondet_u64());
	still_sound();
}

void prove_lw_lapic_shift_time(void)
{
	any_state();
	lw_lapic_shift_time(&l, nondet_i64());
	still_sound();
}
