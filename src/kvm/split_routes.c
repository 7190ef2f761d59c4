/* SPDX-License-Identifier: MIT */
/*
 * The split backend's table: what KVM has been told of each pin, what it should be told, and the
 * messages that are sent meanwhile.
 *
 * KVM makes its EOI-exit sets of the level routes alone, so an edge pin has no entry: it needs none
 * to be delivered.
 */
#include <errno.h>
#include <string.h>

#include "kvm/split_priv.h"

#define MSI_ADDRESS    0xfee00000u
#define MSI_DEST_SHIFT 12
#define MSI_LOGICAL    (1u << 2)
#define MSI_LEVEL      (1u << 15)
#define MSI_ASSERT     (1u << 14)
#define MSI_DM_SHIFT   8

/* What of an RTE's low half says where it leads. */
#define ROUTE_BITS (LW_RTE_VECTOR | LW_RTE_DM | LW_RTE_LOGICAL | LW_RTE_LEVEL)
#define HIGH_HALF  (~(uint64_t)UINT32_MAX)

/* ---- messages ---- */

/* Destination bits above the eighth go where KVM_CAP_X2APIC_API wants them. */
struct split_route lw_split_route_of(const struct lw_msg *msg)
{
	return (struct split_route){
		.lo = MSI_ADDRESS | (msg->dest & 0xffu) << MSI_DEST_SHIFT |
		      (msg->logical ? MSI_LOGICAL : 0),
		.hi = msg->dest & ~0xffu,
		.data = (msg->level ? MSI_LEVEL | MSI_ASSERT : 0) |
			(uint32_t)msg->delivery << MSI_DM_SHIFT | msg->vector,
	};
}

struct lw_msg lw_split_route_msg(const struct split_route *route)
{
	return (struct lw_msg){
		.dest = route->hi | (route->lo >> MSI_DEST_SHIFT & 0xffu),
		.vector = (uint8_t)route->data,
		.delivery = (uint8_t)(route->data >> MSI_DM_SHIFT & 7u),
		.logical = (route->lo & MSI_LOGICAL) != 0,
		.level = (route->data & MSI_LEVEL) != 0,
	};
}

bool lw_split_same(const struct split_route *a, const struct split_route *b)
{
	return a->lo == b->lo && a->hi == b->hi && a->data == b->data;
}

int lw_split_signal(struct lw_split *s, const struct split_route *route)
{
	struct kvm_msi msi = {
		.address_lo = route->lo,
		.address_hi = route->hi,
		.data = route->data,
	};
	int took = lw_split_ioctl(s, s->vm_fd, KVM_SIGNAL_MSI, &msi);

	/* KVM counts the LAPICs that take it from -1, unless a map of them is at hand. */
	if (took == -EPERM)
		took = 0;
	s->counters.signals++;
	if (took <= 0)
		s->counters.refused++;
	return took;
}

/* ---- what a pin's route should be ---- */

struct lw_msg lw_split_rte_msg(const struct lw_split *s, uint64_t rte)
{
	struct lw_msg msg = {
		.dest = (uint32_t)(rte >> LW_RTE_DEST_SHIFT),
		.vector = (uint8_t)(rte & LW_RTE_VECTOR),
		.delivery = (uint8_t)((rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT),
		.logical = (rte & LW_RTE_LOGICAL) != 0,
		.level = (rte & LW_RTE_LEVEL) != 0,
	};

	if (s->flags & LW_SPLIT_EXT_DEST)
		msg.dest |= (uint32_t)(rte >> LW_RTE_EXT_SHIFT & 0x7fu) << 8;
	if (msg.delivery != LW_DM_FIXED && msg.delivery != LW_DM_LOWEST)
		msg.level = false;
	return msg;
}

/* A masked pin's route stays as KVM has it: it will most likely come back. */
struct split_route lw_split_wanted(const struct lw_split *s, uint32_t gsi)
{
	static const struct split_route none = {0};
	const struct split_pin *p = &s->pin[gsi];
	struct lw_msg msg = lw_split_rte_msg(s, p->seen);

	if (p->seen & LW_RTE_MASK)
		return p->flags & DROP ? none : p->committed;
	return msg.level ? lw_split_route_of(&msg) : none;
}

void lw_split_refresh(struct lw_split *s, uint32_t gsi)
{
	struct split_route wanted = lw_split_wanted(s, gsi);

	if (lw_split_same(&wanted, &s->pin[gsi].committed)) {
		lw_set_del(s->dirty, gsi);
		s->pin[gsi].flags &= (uint8_t)~DUE;
	} else {
		lw_set_add(s->dirty, gsi);
	}
}

/* The rule that saves an EOI: what is in flight stays as it was delivered. */
static bool must_wait(const struct lw_split *s, uint32_t gsi)
{
	struct lw_ioapic_record record;

	return s->flags & LW_SPLIT_DEFER && lw_ioapic_record_locked(s->io, gsi, &record);
}

/* The other half of a route is most likely written next. If it isn't, the pin's next delivery or
 * the next superfluous exit finds the route not installed. */
static bool is_half(const struct lw_split *s, uint64_t before, uint64_t after)
{
	uint64_t changed = before ^ after;

	return s->flags & LW_SPLIT_QUIET && changed & ROUTE_BITS && !(changed & HIGH_HALF) &&
	       !(changed & LW_RTE_MASK) && before & LW_RTE_LEVEL && after & LW_RTE_LEVEL;
}

/* Returns whether the change waits for an EOI. */
static bool rewritten(struct lw_split *s, uint32_t gsi, uint64_t rte)
{
	struct split_pin *p = &s->pin[gsi];
	uint64_t before = p->seen;
	bool waits = must_wait(s, gsi);

	p->seen = rte;
	if (!(rte & LW_RTE_MASK))
		p->flags &= (uint8_t)~DROP;
	lw_split_refresh(s, gsi);
	if (!lw_set_test(s->dirty, gsi))
		return false;
	/* By the time of the EOI the other half has been written, if it ever is. */
	if (waits || !is_half(s, before, rte))
		p->flags |= DUE;
	return waits;
}

/* The op does not say which pin. */
void lw_split_wrote(void *ctx, const struct lw_msg *before, const struct lw_msg *after)
{
	struct lw_split *s = ctx;
	bool waits = false;

	(void)before;
	(void)after;
	for (uint32_t n = 0; n < s->pins; n++) {
		uint64_t rte = lw_ioapic_rte_locked(s->io, n);

		if (rte != s->pin[n].seen)
			waits = rewritten(s, n, rte);
	}
	if (!(s->flags & LW_SPLIT_QUIET))
		s->force |= FORCE_WRITE;
	if (!atomic_load(&s->writers))
		return;
	s->counters.rte_writes++;
	if (waits)
		s->counters.deferred++;
	else if (!lw_split_anything_due(s))
		s->counters.quiet++;
}

/* ---- the table ---- */

bool lw_split_due(const struct lw_split *s, uint32_t gsi)
{
	return lw_set_test(s->dirty, gsi) && s->pin[gsi].flags & DUE && !must_wait(s, gsi);
}

static void add(struct lw_split *s, uint32_t gsi, const struct split_route *route)
{
	struct kvm_irq_routing_entry *e = &s->table->entries[s->table->nr++];

	*e = (struct kvm_irq_routing_entry){.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI};
	e->u.msi.address_lo = route->lo;
	e->u.msi.address_hi = route->hi;
	e->u.msi.data = route->data;
}

/* What KVM should have for an MSI's GSI. */
static struct split_route shown(const struct split_msi *msi)
{
	static const struct split_route none = {0};

	return msi->irqfd >= 0 && msi->route.lo ? msi->route : none;
}

bool lw_split_msi_is_known(const struct split_msi *msi)
{
	struct split_route wanted = shown(msi);

	return msi->irqfd < 0 || lw_split_same(&wanted, &msi->shown);
}

void lw_split_build(struct lw_split *s)
{
	s->table->nr = s->table->flags = 0;
	for (uint32_t n = 0; n < s->pins; n++) {
		struct split_pin *p = &s->pin[n];

		p->built = p->committed;
		if (lw_split_due(s, n)) {
			p->built = lw_split_wanted(s, n);
			p->flags |= BUILDING;
			p->flags &= (uint8_t)~DUE;
		}
		if (p->built.data)
			add(s, n, &p->built);
	}
	for (uint32_t n = 0; n < s->msis; n++) {
		struct split_route route = shown(&s->msi[n]);

		if (route.lo)
			add(s, s->pins + n, &route);
	}
}

void lw_split_built(struct lw_split *s, bool installed)
{
	for (uint32_t n = 0; n < s->pins; n++) {
		struct split_pin *p = &s->pin[n];

		if (!(p->flags & BUILDING))
			continue;
		p->flags &= (uint8_t)~BUILDING;
		if (installed)
			p->committed = p->built;
		/* A reset meanwhile wants what has just been installed to go. */
		if (!installed || (p->flags & DROP && p->seen & LW_RTE_MASK))
			p->flags |= DUE;
		lw_split_refresh(s, n);
	}
	for (uint32_t n = 0; n < s->msis && installed; n++)
		s->msi[n].shown = shown(&s->msi[n]);
}

/* ---- delivery ---- */

static uint32_t named(const struct lw_split *s, uint32_t apic_id)
{
	if (apic_id < s->nvcpus && s->vcpu[apic_id].fd >= 0 && s->vcpu[apic_id].apic_id == apic_id)
		return apic_id;
	for (uint32_t n = 0; n < s->nvcpus; n++)
		if (s->vcpu[n].fd >= 0 && s->vcpu[n].apic_id == apic_id)
			return n;
	return NOBODY;
}

void lw_split_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers)
{
	struct lw_split *s = ctx;
	struct split_pin *p = &s->pin[gsi];
	struct split_route route = lw_split_route_of(msg);
	uint32_t taker;
	int took;

	/* KVM would set it in IRR, where it stays: a pin in flight for ever (SDM vol. 3, 11.5.2).
	 */
	if (msg->delivery <= LW_DM_LOWEST && msg->vector < LW_FIRST_VECTOR)
		return;
	if (msg->level && (p->flags & BUILDING || s->force & FORCE_ALL ||
			   !lw_split_same(&route, &p->committed))) {
		/* Only latched: lw_split_settle() installs the route and tries again. */
		lw_set_add(s->dirty, gsi);
		p->flags |= DUE;
		s->counters.latched++;
		return;
	}
	took = lw_split_signal(s, &route);
	if (took < 0)
		lw_split_trouble(s, took);
	if (took <= 0)
		return;
	p->delivered = *msg;
	taker = msg->logical || msg->dest == 0xff ? NOBODY : named(s, msg->dest);
	takers->any = taker == NOBODY;
	takers->count = taker != NOBODY;
	takers->vcpu = taker == NOBODY ? 0 : taker;
}
