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

#pragma GCC visibility pop

#endif
