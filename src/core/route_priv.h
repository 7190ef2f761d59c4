/* SPDX-License-Identifier: MIT */
#ifndef LW_ROUTE_PRIV_H
#define LW_ROUTE_PRIV_H

#include <lapwing/route.h>

/* Routes that need not stand in an array. `get` gives the same route each time it is asked. */
struct lw_route_source {
	struct lw_route (*get)(const void *arg, size_t n);
	const void *arg;
	size_t count;
};

#pragma GCC visibility push(hidden)

/* lw_routes_set() from such a source. */
int lw_routes_fill(struct lw_routes *routes, const struct lw_route_source *from);

/* What the table was set up for, and whether lw_routes_set() would take this one. */
uint32_t lw_routes_gsis(const struct lw_routes *routes);
uint32_t lw_routes_room(const struct lw_routes *routes);
bool lw_routes_takes(const struct lw_routes *routes, const struct lw_route *route);

#pragma GCC visibility pop

#endif
