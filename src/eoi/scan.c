/* SPDX-License-Identifier: MIT */
/*
 * `static`, and the vector of a level route that leads elsewhere if it is pending or in service
 * here: KVM up to 6.15. What is so added stays until the next scan finds it idle, which may be
 * never. A vector rewritten in flight is still lost: only the new one is looked for.
 *
 * Also what the scanning policies share.
 */
#include "engine.h"

void lw_scan_all(struct lw_eoi *e)
{
	for (uint32_t n = 0; n < e->nvcpus; n++)
		e->counters.kicks_reconfig += lw_eoi_request(e, n, REQUEST_SCAN);
}

static void one(void *arg, uint32_t vcpu)
{
	struct lw_eoi *e = arg;

	e->counters.kicks_reconfig += lw_eoi_request(e, vcpu, REQUEST_SCAN);
}

/* In split mode each commit of routes scans everywhere, changed or not. In the kernel, a write to
 * a fixed-mode entry scans its old and new targets, any other write everywhere. */
void lw_scan_route(struct lw_eoi *e, const struct lw_msg *before, const struct lw_msg *after)
{
	if (!(e->flags & LW_EOI_IN_KERNEL) || after->delivery != LW_DM_FIXED) {
		lw_scan_all(e);
		return;
	}
	e->env->targets(e->ctx, after, one, e);
	if (before->dest != after->dest || before->logical != after->logical)
		e->env->targets(e->ctx, before, one, e);
}

static bool is_pending(const struct scan *scan, uint8_t vector)
{
	const struct lw_eoi *e = scan->eoi;

	return e->env->holds(e->ctx, scan->vcpu, vector);
}

void lw_scan_track(struct scan *scan, uint8_t vector, bool leads_here)
{
	struct vcpu *v = &scan->eoi->vcpu[scan->vcpu];

	if (!leads_here && !is_pending(scan, vector))
		return;
	lw_set_add(scan->set, vector);
	if (!leads_here && vector > v->last_pending)
		v->last_pending = vector;
}

static void see(struct scan *scan, const struct lw_scanned *route)
{
	if (route->level && (route->matches || is_pending(scan, route->vector)))
		lw_set_add(scan->set, route->vector);
}

const struct policy lw_policy_scan = {
	.name = "scan",
	.route = lw_scan_route,
	.remap = lw_scan_all,
	.see = see,
};
