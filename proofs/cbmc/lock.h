/* SPDX-License-Identifier: MIT */
/* The lock that a chip is given: it is not recursive, and who lets it go has it. */
#ifndef LAPWING_PROVE_LOCK_H
#define LAPWING_PROVE_LOCK_H

#include "prove.h"

static bool locked;

static inline void is_locked(void)
{
	must_hold(locked, "under the lock");
}

static inline void is_unlocked(void)
{
	must_hold(!locked, "without the lock");
}

static inline void op_lock(void *ctx)
{
	(void)ctx;
	is_unlocked();
	locked = true;
}

static inline void op_unlock(void *ctx)
{
	(void)ctx;
	is_locked();
	locked = false;
}

#endif
