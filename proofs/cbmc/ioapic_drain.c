/* SPDX-License-Identifier: MIT */
/*
 * What runs after the lock, of which there may be ever more: ops->resample and ops->storm may call
 * back in, and so may other threads. So a callback begins in a state that must be sound, and leaves
 * any other that is: as many calls may have led to it as there like to be, for each of them keeps
 * the invariants. The first callback thereby stands for every one, and what follows the second is
 * what followed the first.
 */
#define DRAINS
#include "ioapic.h"

static uint32_t callbacks;

static void meanwhile(uint32_t whose)
{
	sampled = whose;
	sound(0);
	is_unlocked();
	must_hold(io.draining, "nobody else runs notifications");
	assume(++callbacks < 2);
	any_sound(0);
}

static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	must_hold(gsi - io.gsi_base < PINS, "a GSI is a pin's");
	meanwhile(gsi - io.gsi_base);
	sampled = PINS; /* drain() says so to the pin at once */
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	must_hold(gsi - io.gsi_base < PINS, "a GSI is a pin's");
	meanwhile(PINS);
}

/* From what any call may leave to it. */
void prove_lw_ioapic_drain(void)
{
	any_ops();
	sampled = PINS;
	any_sound(0);
	io.draining = false;
	lw_ioapic_drain(&io);
	sampled = PINS;
	sound(0);
	must_hold(!io.draining && !io.owed && told_holds(), "nothing is owed any more");
	reached();
}
