/* SPDX-License-Identifier: MIT */
/* The pair of 8259As: its state as bytes, and any bytes as its state. */
#include <lapwing/snapshot.h>

#include "pic.h"

#define IMAGE 121u /* what lw_pic_save() returns */

struct bytes {
	uint8_t byte[IMAGE + 1];
} nondet_bytes(void);

void prove_lw_pic_save(void)
{
	struct bytes buf;
	size_t size = nondet_size();

	any_state();
	assume(size <= sizeof(buf));
	must_hold(lw_pic_save(&p, size ? &buf : NULL, size) == IMAGE, "a snapshot has one size");
	still_sound();
}

/* Any bytes, in a buffer as long as they are said to be. All ops are there: CBMC tells functions of
 * as many arguments apart only if it need not ask whether there is one. */
void prove_lw_pic_restore(void)
{
	struct bytes buf = nondet_bytes();
	size_t size = nondet_size();

	any_state();
	ops = (struct lw_pic_ops){.lock = op_lock, .unlock = op_unlock, .intr = intr, .eoi = eoi};
	assume(size <= sizeof(buf));
	lw_pic_restore(&p, nondet_bool() ? &buf : NULL, size);
	still_sound();
}
