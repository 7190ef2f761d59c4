/* SPDX-License-Identifier: MIT */
/*
 * Frama-C specifies gcc's bit counts by "0 to 63", and checks that the argument is not 0. That is
 * enough for shifts, but not where the result is an index: this one says that its bit is set.
 */
#include "any.h"

volatile uint64_t lw_any;

int __builtin_ctz(unsigned int x)
{
	int n = 0;

	/*@ loop unroll 32; */
	for (; n < 32; n++)
		if (x >> n & 1u)
			return n;
	/*@ admit some_bit: \false; */
	return n;
}

void any_bytes(uint8_t *bytes, size_t size)
{
	for (size_t n = 0; n < size; n++)
		bytes[n] = any_u8();
}
