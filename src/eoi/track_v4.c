/* SPDX-License-Identifier: MIT */
/*
 * `scan`, and the change as it was posted in March 2025 (v4), to the letter: the highest vector
 * that was added only because it was pending is recorded, and its EOI asks for a scan of this vCPU
 * and clears the record. Zero means no record, a scan does not reset it, and in split mode the
 * pending branch looks at edge routes too.
 */
#include "engine.h"

static void see(struct scan *scan, const struct lw_scanned *route)
{
	if (route->level || !(scan->eoi->flags & LW_EOI_IN_KERNEL))
		lw_scan_track(scan, route->vector, route->level && route->matches);
}

static void ended(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found)
{
	(void)found;
	if (e->vcpu[vcpu].last_pending != vector)
		return;
	e->vcpu[vcpu].last_pending = 0;
	lw_eoi_request(e, vcpu, REQUEST_SCAN);
}

const struct policy lw_policy_track_v4 = {
	.name = "track-v4",
	.no_record = 0,
	.route = lw_scan_route,
	.remap = lw_scan_all,
	.ended = ended,
	.see = see,
};
