/* SPDX-License-Identifier: MIT */
/* Messages of any address and data, both ways. */
#include <lapwing/msi.h>

#include "prove.h"

struct lw_msg nondet_msg(void);
struct lw_remap nondet_remap(void);

void prove_lw_msi_decode(void)
{
	struct lw_msg msg = nondet_msg();

	lw_msi_decode(nondet_u64(), nondet_u32(), nondet_u32(), nondet_bool() ? &msg : NULL);
	reached();
}

void prove_lw_msi_remap(void)
{
	struct lw_remap entry = nondet_remap();

	lw_msi_remap(nondet_u64(), nondet_u32(), nondet_bool() ? &entry : NULL);
	reached();
}

void prove_lw_msi_encode(void)
{
	struct lw_msg msg = nondet_msg();
	uint64_t address = nondet_u64();
	uint32_t data = nondet_u32();

	msg.logical = nondet_bool();
	msg.level = nondet_bool();
	lw_msi_encode(nondet_bool() ? &msg : NULL, nondet_u32(), nondet_bool() ? &address : NULL,
		      nondet_bool() ? &data : NULL);
	reached();
}
