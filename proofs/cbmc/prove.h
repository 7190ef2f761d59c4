/* SPDX-License-Identifier: MIT */
/*
 * What the harnesses of this folder are made of. Each is called prove_NAME() for the function NAME
 * that it is about: it begins in any state that the invariants allow, makes one call with any
 * arguments, and asserts that the invariants still hold. CBMC asserts the rest: that no access is
 * out of bounds, and no overflow, shift or division undefined.
 */
#ifndef LAPWING_PROVE_H
#define LAPWING_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/invariants.h"

/* CBMC knows by the name that these return anything. */
bool nondet_bool(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
int64_t nondet_i64(void);
size_t nondet_size(void);

#define assume(what)            __CPROVER_assume(what)
#define must_hold(what, saying) __CPROVER_assert(what, saying)

/* The last line of each harness. proofs/cbmc/cbmc wants this one to fail: where it does not, what
 * was assumed excludes everything, and the harness shows nothing. */
#define reached() __CPROVER_assert(false, "the end is reached")

static inline uint32_t any_below(uint32_t limit)
{
	uint32_t n = nondet_u32();

	assume(n < limit);
	return n;
}

#endif
