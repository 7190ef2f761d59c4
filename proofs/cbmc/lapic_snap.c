/* SPDX-License-Identifier: MIT */
/* The LAPIC: its state as bytes, and any bytes as its state. */
#include <lapwing/snapshot.h>

#include "core/snapshot.h"
#include "lapic.h"

#define IMAGE 359u /* what lw_lapic_save() returns */

struct bytes {
	uint8_t byte[IMAGE + 1];
} nondet_bytes(void);

/* All ops are there: CBMC tells functions of as many arguments apart only if it need not ask
 * whether there is one. */
static void any_state_with_ops(void)
{
	struct broken why;

	any_state();
	ops = (struct lw_lapic_ops){.eoi = eoi,
				    .changed = changed,
				    .broadcast = broadcast,
				    .ipi = ipi,
				    .signal = signal,
				    .deadline = deadline,
				    .threshold = threshold};
	assume(lw_lapic_is_sound(&l, &why));
}

void prove_lw_lapic_save(void)
{
	struct bytes buf;
	size_t size = nondet_size();

	any_state();
	assume(size <= sizeof(buf));
	must_hold(lw_lapic_save(&l, size ? &buf : NULL, size) == IMAGE, "a snapshot has one size");
	reached();
}

/* Any bytes, in a buffer as long as they are said to be. */
void prove_lw_lapic_restore(void)
{
	struct bytes buf = nondet_bytes();
	size_t size = nondet_size();

	any_state_with_ops();
	assume(size <= sizeof(buf));
	lw_lapic_restore(&l, nondet_bool() ? &buf : NULL, size);
	still_sound();
}
