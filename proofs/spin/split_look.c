/* SPDX-License-Identifier: MIT */
/* What must hold of the split backend after every event. */
#include "split_world.h"

static struct {
	bool is, owed;
	uint32_t vcpu, vector;
	struct lw_split_counters before;
} served;

static bool all_stand_still(void)
{
	return !sw.window.point && !sw.out.owes && !sw.out.reset;
}

/* ---- no EOI is lost ---- */

static bool holds(uint32_t vcpu, uint8_t vector)
{
	const struct played_vcpu *v = &sw.kernel.vcpu[vcpu];

	return (v->irr | v->isr) & vector;
}

/* Would an EOI of it leave the guest, now or after the scan that is asked for? */
static bool will_exit(uint32_t vcpu, uint8_t vector)
{
	const struct played_vcpu *v = &sw.kernel.vcpu[vcpu];

	if (v->scan != SCAN_FIRST && !(v->set & vector))
		return false;
	return v->scan == NO_SCAN || kernel_scanned(vcpu) & vector;
}

static bool may_have_taken(uint32_t pin, uint32_t vcpu)
{
	struct split_route route = lw_split_route_of(&split_pin_at(pin)->delivered);

	if (pin_at(pin)->flags & ANYBODY)
		return sw.ldr || kernel_matches(vcpu, &route);
	return pin_at(pin)->vcpu == vcpu;
}

/* A record waits for somebody whose EOI will be seen. */
static bool is_awaited(uint32_t pin)
{
	uint8_t vector = vector_bit(pin_at(pin)->vector);

	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		if (!may_have_taken(pin, n))
			continue;
		if (sw.out.reset >> n & 1 || sw.out.exit[n] == vector)
			return true;
		if (holds(n, vector) && will_exit(n, vector))
			return true;
	}
	return false;
}

static bool somebody_takes(const struct lw_msg *msg)
{
	struct split_route route = lw_split_route_of(msg);

	return kernel_matches(0, &route) || kernel_matches(1, &route);
}

static void look_at_pin(uint32_t pin)
{
	const struct lw_pin *p = pin_at(pin);

	if (p->flags & RECORD && !is_awaited(pin))
		world_breaks("an EOI is lost: a delivery is in flight to nobody");
	if (p->flags & RECORD || !p->msg.level || p->rte & LW_RTE_MASK || !p->sources)
		return;
	if (all_stand_still() && somebody_takes(&p->msg) && !(sw.ldr && p->flags & REFUSED))
		world_breaks("an EOI is lost: an asserted pin waits for nothing");
}

/* ---- the backend's own ---- */

static void look_at_route(uint32_t pin)
{
	const struct split_pin *p = split_pin_at(pin);
	struct split_route wanted = lw_split_wanted(sw.split, GSI_0 + pin);
	struct split_route sent = lw_split_route_of(&p->delivered);
	bool dirty = lw_set_test(sw.split->dirty, GSI_0 + pin);

	if (p->flags & BUILDING && !sw.window.point)
		world_breaks("only a commit builds a route");
	if (pin_at(pin)->flags & RECORD && sw.defers &&
	    (p->flags & BUILDING || !lw_split_same(&sent, &p->committed)))
		world_breaks("what is in flight keeps its route");
	if (!(p->flags & BUILDING) && dirty == lw_split_same(&wanted, &p->committed))
		world_breaks("a pin is dirty whose route in KVM is another than its own");
	if (p->flags & DUE && !dirty)
		world_breaks("only what is dirty is due");
	if (!sw.window.point && !lw_split_same(&p->committed, &sw.kernel.route[pin]))
		world_breaks("what is committed is what KVM has");
}

/* But to have it scan anew. A route that was left may be wanted again by the time it is to go. */
void look_at_commits(const struct lw_split_counters *before)
{
	const struct lw_split_counters *now = &sw.split->counters;

	if (kernel_repeats >
	    now->recommits - before->recommits + now->left_over - before->left_over)
		world_breaks("a commit tells KVM nothing new");
}

/* ---- superfluous exits ---- */

static bool is_live(uint32_t vcpu, uint32_t vector)
{
	for (uint32_t n = 0; n < WORLD_PINS; n++) {
		const struct lw_pin *p = pin_at(n);
		struct split_route route = lw_split_route_of(&p->msg);

		if (p->msg.level && !(p->rte & LW_RTE_MASK) &&
		    p->msg.vector == world_vectors[vector] && kernel_matches(vcpu, &route))
			return true;
	}
	return false;
}

void look_before_exit(uint32_t vcpu, uint32_t vector)
{
	const struct split_stale *stale = stale_at(vcpu, vector);

	served.is = true;
	served.owed = stale->owed && stale->epoch == sw.split->epoch;
	served.vcpu = vcpu;
	served.vector = vector;
	served.before = sw.split->counters;
}

/* One exit for nothing is all that a vector has, from when a scan found it pending or a route was
 * left; but while it is pending again at its exits, and for the 3rd, the 5th … since KVM was given
 * anything new. */
static void judge_exit(void)
{
	const struct lw_split_counters *now = &sw.split->counters, *before = &served.before;
	uint32_t exits = stale_at(served.vcpu, served.vector)->exits;
	bool due = served.owed || !(exits & (exits - 1));
	uint8_t bit = (uint8_t)(1u << served.vector);

	if (now->superfluous == before->superfluous || now->covered != before->covered)
		return;
	if (sw.out.told[served.vcpu] & bit)
		world_breaks("an exit for nothing after one that found the vector idle");
	if (due && now->busy == before->busy)
		sw.out.told[served.vcpu] |= bit;
}

void look_after_event(void)
{
	if (served.is)
		judge_exit();
	served.is = false;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (is_live(n, v))
				sw.out.told[n] &= (uint8_t) ~(1u << v);
}

static bool is_quiet(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		const struct played_vcpu *v = &sw.kernel.vcpu[n];

		if (v->irr || v->isr || v->scan || sw.out.exit[n])
			return false;
	}
	return all_stand_still();
}

static void look_for_stale(void)
{
	if (!is_quiet())
		return;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (sw.out.told[n] & sw.kernel.vcpu[n].set & 1u << v)
				world_breaks("a stale vector stays when all is quiet");
}

void world_look(void)
{
	struct broken why;

	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		look_at_pin(pin);
		look_at_route(pin);
	}
	look_for_stale();
	if (!sw.window.point && !sw.out.owes && lw_split_anything_due(sw.split))
		world_breaks("what is due is somebody's to install");
	if (!lw_ioapic_holds(io(), &why))
		world_breaks(why.rule);
}
