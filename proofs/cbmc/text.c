/* SPDX-License-Identifier: MIT */
/*
 * Text into a buffer of any size up to SIZE bytes, which ends where the object does, however much
 * of it is used. Decimals are below 10,000 here: that 64 bits have at most 20 digits CBMC can't
 * tell in minutes. Sets have the lowest and the highest of each 64 vectors, or not, in every other
 * word.
 */
#include "core/text.h"

#include "core/bits.h"
#include "prove.h"

#define SIZE 16u
#define FEW  0x8000000000000001u

static char bytes[SIZE];

static struct lw_text any_text(void)
{
	size_t size = nondet_size();

	assume(size <= SIZE);
	return (struct lw_text){.buf = size ? bytes + (SIZE - size) : NULL,
				.size = size,
				.used = any_below(1u << 20)};
}

void prove_lw_text_hex(void)
{
	struct lw_text t = any_text();

	lw_text(&t, "a%02x%s", nondet_u32(), nondet_bool() ? "L" : "");
	lw_text(&t, "%llx", (unsigned long long)nondet_u64());
	reached();
}

void prove_lw_text_decimal(void)
{
	struct lw_text t = any_text();

	lw_text(&t, "%u %llu", any_below(10000), (unsigned long long)any_below(10000));
	reached();
}

void prove_lw_text_end(void)
{
	struct lw_text t = any_text();

	lw_text_end(&t);
	reached();
}

void prove_lw_text_vectors(void)
{
	struct lw_text t = any_text();
	uint64_t set[LW_SET_WORDS], marked[LW_SET_WORDS];

	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		set[w] = w & 1u ? nondet_u64() & FEW : 0;
		marked[w] = nondet_u64();
	}
	lw_text_vectors(&t, set, nondet_bool() ? marked : NULL);
	reached();
}
