/* SPDX-License-Identifier: MIT */
/*
 * The map of destinations: only what a look-up does with whom it finds. lw_map_find() adds 28 at
 * most, LW_MAP_MOST.
 */
#include "core/map.c"

#include "prove.h"

struct lw_map_found nondet_found(void);

void prove_lw_map_add(void)
{
	struct lw_map_found found = nondet_found();

	assume(found.count < LW_MAP_MOST);
	add(&found, nondet_u32());
	must_hold(found.count <= LW_MAP_MOST, "there is room");
	reached();
}
