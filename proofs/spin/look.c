/* SPDX-License-Identifier: MIT */
/* What must hold after every event. */
#include "world_priv.h"

/* From full credit, 6, `lazy` lets go down to 4: three kicks in a row. And of an EOI that was saved
 * while the sum was 0 it hears later: one more for each of three vectors let go. */
#define OVERSPENT_MAX 6

static bool is_held(uint32_t vcpu, uint8_t vector)
{
	return lw_lapic_holds(apic(vcpu), vector) ||
	       lw_set_test(world.eoi->vcpu[vcpu].handed, vector);
}

/* A pin that was refused waits for somebody to take it, and is tried again as soon as there is. */
static bool somebody_takes(const struct lw_msg *msg)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		if (lw_lapic_matches(apic(n), msg) && lw_lapic_accepts(apic(n)))
			return true;
	return false;
}

/* Its EOI was suppressed. */
static bool waits_for_register(uint32_t pin)
{
	return world.out.sent[pin].muted && io()->pin[GSI_0 + pin].flags & RECORD;
}

/* Where its vector is will be looked at; or its record waits for the EOI of an MSI of the same
 * vector: `lazy` may be late by that, docs/policies.md. */
static bool is_asked(const struct lw_pin *p, uint32_t vcpu)
{
	if (!(p->flags & RECORD) || (p->vcpu != vcpu && !(p->flags & SEVERAL)))
		return false;
	return lw_set_test(world.eoi->vcpu[vcpu].asked, p->vector) || is_held(vcpu, p->vector);
}

/* An asserted, unmasked pin is in flight to somebody who will end it, or about to be delivered. */
static bool is_dead(uint32_t pin)
{
	const struct lw_pin *p = &io()->pin[GSI_0 + pin];

	if (!p->msg.level || p->rte & LW_RTE_MASK || !p->sources)
		return false;
	if (p->flags & REFUSED)
		return somebody_takes(&p->msg);
	if (waits_for_register(pin))
		return false;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		if ((world.out.sent[pin].to & 1u << n && is_held(n, world.out.sent[pin].vector)) ||
		    is_asked(p, n))
			return false;
	return true;
}

static bool is_quiet(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++) {
		if (atomic_load(&world.eoi->vcpu[n].requests) || world.out.kicked[n])
			return false;
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (is_held(n, world_vectors[v]))
				return false;
	}
	return true;
}

/* A vector whose EOI would leave although no level route leads it there. */
static bool is_stale(uint32_t vcpu, uint8_t vector)
{
	if (!lw_eoi_in_set(world.eoi, vcpu, vector, false))
		return false;
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++) {
		const struct lw_msg *msg = &io()->pin[GSI_0 + pin].msg;

		if (msg->level && msg->vector == vector && lw_lapic_matches(apic(vcpu), msg))
			return false;
	}
	return true;
}

static void look_for_stale(void)
{
	if (!world.stale || !is_quiet())
		return;
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		for (uint32_t v = 0; v < WORLD_VECTORS; v++)
			if (is_stale(n, world_vectors[v]))
				world_breaks("a stale vector stays when all is quiet");
}

/* At most one superfluous exit for each delivery and each change of a route. */
void world_charge(const struct lw_eoi_counters *before, const struct ended *ended)
{
	struct lw_eoi_counters now = lw_eoi_counters(world.eoi);
	int n = ended->vector < 0 ? -1 : world_vector((uint8_t)ended->vector);

	if (now.superfluous == before->superfluous || n < 0)
		return;
	if (!world.out.credit[ended->vcpu][n])
		world_breaks("more superfluous exits than deliveries and changes of a route");
	world.out.credit[ended->vcpu][n] = 0;
}

static uint8_t add_up(uint8_t sum, int by)
{
	int all = sum + by;

	return (uint8_t)(all < 0 ? 0 : all > OVERSPENT_MAX + 1 ? OVERSPENT_MAX + 1 : all);
}

/*
 * What letting go costs on a hardware bitmap. Routes don't change here, so `armed` never kicks, and
 * has an exit for each delivery: a kick is lost, an EOI without an exit is won. An exit while the
 * line was down could have been saved. Sums that fall below 0 begin anew: what holds, holds from
 * any moment on.
 */
void world_keep_books(const struct lw_eoi_counters *before, const struct ended *ended)
{
	struct lw_eoi_counters now = lw_eoi_counters(world.eoi);
	int kicks = (int)(now.kicks_arm - before->kicks_arm);
	bool left = now.necessary + now.redundant + now.superfluous !=
		    before->necessary + before->redundant + before->superfluous;
	int saved = ended->level && !left, could = ended->level && left && ended->down;

	if (world.cost)
		world.out.overspent = add_up(world.out.overspent, kicks - saved - could);
	if (world.ledger)
		world.out.ledger = add_up(world.out.ledger, kicks - saved);
	if (world.out.overspent > OVERSPENT_MAX)
		world_breaks("letting go goes on costing more than it could gain");
	if (world.out.ledger > OVERSPENT_MAX)
		world_breaks("letting go has cost more than it gained");
}

/* Who has halted would have been woken. */
static void look_for_sleepers(void)
{
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		if (world.out.halted[n] &&
		    (world_has_pending(n) ||
		     atomic_load(&world.eoi->vcpu[n].requests) & (REQUEST_HAND | REQUEST_ASK)))
			world_breaks("an EOI is lost: a vCPU sleeps on");
}

void world_look(void)
{
	unsigned given = 0;
	struct broken why;

	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (is_dead(pin))
			world_breaks("an EOI is lost: an asserted pin waits for nothing");
	look_for_sleepers();
	look_for_stale();
	for (uint32_t pin = 0; pin < WORLD_PINS; pin++)
		if (waits_for_register(pin))
			given = LW_GIVEN_SUPPRESSION;
	if (world.promises && !lw_chip_holds(world.chip, world.eoi, given, &why))
		world_breaks(why.rule);
}
