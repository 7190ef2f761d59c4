/* SPDX-License-Identifier: MIT */
/*
 * The EOI engine's snapshot, of one vCPU. snapshot.c shows that a field is never read or written
 * past a buffer's end, whatever its size; here the buffer is as long as a snapshot is, and what it
 * says of `let_go` is among a few vectors.
 */
#include "eoi.h"

#define HEADER 16u
#define LENGTH (HEADER + 3u * 8u + 9u * 32u + 4u * 4u)
#define LET_GO (HEADER + 3u * 8u + 6u * 32u) /* where it lies */

static uint8_t bytes[LENGTH];

static void any_bytes(void)
{
	__CPROVER_havoc_object(bytes);
	for (uint32_t n = 0; n < 32; n++)
		bytes[LET_GO + n] &= n % 8u ? 0 : 3u;
}

static void saves(const struct policy *policy)
{
	size_t size = any_below(LENGTH + 1u), needed;

	any_engine(policy);
	engine.nvcpus = 1;
	locked = true;
	needed = lw_eoi_hooks()->save(&engine, size ? bytes : NULL, size);
	must_hold(needed == LENGTH, "the same length, whatever the size");
	still_sound();
}

void prove_lw_eoi_save(void)
{
	saves(&lw_policy_lazy);
}

/* Of any bytes: what is found good is a state that the invariants allow. */
static void restores(const struct policy *policy)
{
	size_t size = any_below(LENGTH + 1u);
	int err;

	any_engine(policy);
	engine.nvcpus = 1;
	any_bytes();
	locked = true;
	err = lw_eoi_hooks()->restore(&engine, bytes, size, false);
	if (!err)
		err = lw_eoi_hooks()->restore(&engine, bytes, size, true);
	if (!err)
		still_sound();
}

void prove_lw_eoi_restore_lazy(void)
{
	restores(&lw_policy_lazy);
}

void prove_lw_eoi_restore_track(void)
{
	restores(&lw_policy_track);
}
