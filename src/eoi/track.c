/* SPDX-License-Identifier: MIT */
/*
 * `track-v4` as KVM merged it for 6.16 (commit 87e4951e250b): no record is -1, each scan starts
 * without one, and only level routes count.
 */
#include "engine.h"

#define NO_RECORD (-1)

static void begin(struct lw_eoi *e, uint32_t vcpu)
{
	e->vcpu[vcpu].last_pending = NO_RECORD;
}

static void see(struct scan *scan, const struct lw_scanned *route)
{
	if (route->level)
		lw_scan_track(scan, route->vector, route->matches);
}

static void ended(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found)
{
	(void)found;
	if (e->vcpu[vcpu].last_pending == vector)
		lw_eoi_request(e, vcpu, REQUEST_SCAN);
}

const struct policy lw_policy_track = {
	.name = "track",
	.no_record = NO_RECORD,
	.route = lw_scan_route,
	.remap = lw_scan_all,
	.ended = ended,
	.begin = begin,
	.see = see,
};
