/* SPDX-License-Identifier: MIT */
/*
 * The vectors of the level routes that lead to the vCPU, rebuilt at each reconfiguration, as KVM
 * did before commits db2bdcbbbd32, 0fc5a36dd6b3 and fceb3a36c29a. An interrupt that is in flight
 * when its route moves away loses its EOI. Kept as the wrong answer.
 */
#include "engine.h"

static void see(struct scan *scan, const struct lw_scanned *route)
{
	if (route->level && route->matches)
		lw_set_add(scan->set, route->vector);
}

const struct policy lw_policy_static = {
	.name = "static",
	.route = lw_scan_route,
	.remap = lw_scan_all,
	.see = see,
};
