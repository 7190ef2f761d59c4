/* SPDX-License-Identifier: MIT */
/* Who gets a message, and getting it there. */
#include <errno.h>
#include <lapwing/msi.h>

#include "chip_priv.h"
#include "dest.h"

/* ---- who is meant ---- */

typedef void see_vcpu(void *arg, uint32_t vcpu);

/* The one that has this id: but for a broadcast, and for an id of which a LAPIC in xAPIC mode shows
 * the low 8 bits, there can be no other. */
static bool is_one(const struct lw_chip *c, const struct lw_msg *msg)
{
	if (msg->logical || msg->dest == BROADCAST || msg->dest == XAPIC_BROADCAST)
		return false;
	return msg->dest > XAPIC_BROADCAST ||
	       !atomic_load_explicit(&map(c)->aliases, memory_order_relaxed);
}

static void ask(const struct lw_chip *c, const struct lw_msg *msg, uint32_t vcpu, see_vcpu *see,
		void *arg)
{
	if (lw_lapic_matches(lapic(c, vcpu), msg))
		see(arg, vcpu);
}

/* Apart, so that asking one costs no more than that. */
static __attribute__((noinline)) void ask_several(const struct lw_chip *c, const struct lw_msg *msg,
						  see_vcpu *see, void *arg)
{
	struct lw_map_found found;

	lw_map_find(map(c), msg, &found);
	for (uint32_t n = 0; n < found.count && !found.everybody; n++)
		ask(c, msg, found.vcpu[n], see, arg);
	for (uint32_t n = 0; n < c->nvcpus && found.everybody; n++)
		ask(c, msg, n, see, arg);
}

void lw_chip_targets(void *ctx, const struct lw_msg *msg, see_vcpu *see, void *arg)
{
	const struct lw_chip *c = ctx;
	uint32_t vcpu;

	if (!is_one(c, msg)) {
		ask_several(c, msg, see, arg);
		return;
	}
	vcpu = lw_map_by_id(map(c), msg->dest);
	if (vcpu != LW_MAP_NOBODY)
		ask(c, msg, vcpu, see, arg);
}

/* ---- delivery ---- */

struct delivery {
	struct lw_chip *chip;
	const struct lw_msg *msg;
	struct lw_takers *takers;
	int32_t gsi;             /* or NO_GSI: then there is no record, and no lock */
	uint32_t from;           /* IPIs: who sends */
	uint8_t shorthand;       /* enum lw_shorthand */
	uint32_t best, best_ppr; /* lowest priority */
};

void lw_chip_signal(const struct lw_chip *c, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	count_one(&ledger(c, vcpu)->signals);
	if (c->ops->signal)
		c->ops->signal(c->ctx, vcpu, delivery, vector);
}

void lw_chip_notify(const struct lw_chip *c, uint32_t vcpu)
{
	count_one(&ledger(c, vcpu)->notices);
	if (c->ops->notify)
		c->ops->notify(c->ctx, vcpu);
	else
		c->ops->kick(c->ctx, vcpu);
}

bool lw_chip_post(const struct lw_chip *c, uint32_t vcpu, uint8_t vector, bool level)
{
	enum lw_post answer = lw_lapic_post(lapic(c, vcpu), vector, level);

	if (answer >= LW_POST_REFUSED) {
		if (answer == LW_POST_ILLEGAL)
			lw_chip_notify(c, vcpu); /* LVT error may have become pending */
		return false;
	}
	count_one(&ledger(c, vcpu)->deliveries);
	trace(c, &(struct lw_trace){.kind = LW_TRACE_PUBLISHED,
				    .vcpu = vcpu,
				    .gsi = NO_GSI,
				    .vector = vector,
				    .level = level});
	if (answer == LW_POST_NOTIFY)
		lw_chip_notify(c, vcpu);
	return true;
}

/* Armed first, posted after: an EOI can't come before its bit. */
static bool give(struct delivery *d, uint32_t vcpu)
{
	struct lw_chip *c = d->chip;
	const struct lw_msg *m = d->msg;
	bool armed = m->level && d->gsi != NO_GSI;

	if (!lw_lapic_accepts(lapic(c, vcpu)))
		return false; /* and not asked again: it would not be armed */
	if (m->vector < LW_FIRST_VECTOR)
		return lw_chip_post(c, vcpu, m->vector, m->level); /* refuses, and notes why */
	if (armed && LW_LEFT_OUT(LW_RULE_EVERY_TAKER) && d->takers->count)
		armed = false;
	trace(c, &(struct lw_trace){.kind = LW_TRACE_POSTED,
				    .vcpu = vcpu,
				    .gsi = d->gsi,
				    .vector = m->vector,
				    .level = m->level});
	if (armed && c->hooks->deliver(c->eoi, vcpu, m->vector) == LW_PUBLISH_OWNER)
		return true;
	return lw_chip_post(c, vcpu, m->vector, m->level);
}

static void add_taker(struct lw_takers *t, uint32_t vcpu)
{
	if (!t->count)
		t->vcpu = vcpu;
	else if (t->map) {
		lw_set_add(t->map, t->vcpu);
		lw_set_add(t->map, vcpu);
	}
	t->count++;
}

static void give_each(void *arg, uint32_t vcpu)
{
	struct delivery *d = arg;

	if (give(d, vcpu))
		add_taker(d->takers, vcpu);
}

/* Those that the message is for, be it by its destination or by a shorthand. */
static void each_target(struct delivery *d, see_vcpu *see)
{
	static const struct lw_msg all = {.dest = BROADCAST};
	const struct lw_chip *c = d->chip;

	if (d->shorthand == LW_SHORTHAND_NONE)
		lw_chip_targets(d->chip, d->msg, see, d);
	else if (d->shorthand == LW_SHORTHAND_SELF)
		see(d, d->from);
	else
		for (uint32_t n = 0; n < c->nvcpus; n++)
			if ((n != d->from || d->shorthand == LW_SHORTHAND_ALL) &&
			    lw_lapic_matches(lapic(c, n), &all))
				see(d, n);
}

/* Lowest priority: the least PPR, and among equals the next after the last one taken. */
static void arbitrate(void *arg, uint32_t vcpu)
{
	struct delivery *d = arg;
	const struct lw_chip *c = d->chip;
	uint32_t turn = atomic_load_explicit(&c->turn, memory_order_relaxed);
	uint32_t ppr = lw_lapic_ppr(lapic(c, vcpu)) & 0xf0u;

	if (!lw_lapic_accepts(lapic(c, vcpu)) || ppr > d->best_ppr)
		return;
	if (ppr < d->best_ppr || (d->best < turn && vcpu >= turn)) {
		d->best = vcpu;
		d->best_ppr = ppr;
	}
}

static void give_one(struct delivery *d)
{
	d->best = UINT32_MAX;
	d->best_ppr = UINT32_MAX;
	each_target(d, arbitrate);
	if (d->best == UINT32_MAX)
		return;
	atomic_store_explicit(&d->chip->turn, d->best + 1u, memory_order_relaxed);
	give_each(d, d->best);
}

static void signal_each(void *arg, uint32_t vcpu)
{
	struct delivery *d = arg;

	lw_chip_signal(d->chip, vcpu, d->msg->delivery, d->msg->vector);
	d->takers->count++;
}

static void deliver(struct delivery *d)
{
	switch (d->msg->delivery) {
	case LW_DM_FIXED:
		each_target(d, give_each);
		break;
	case LW_DM_LOWEST:
		give_one(d);
		break;
	case LW_DM_SMI:
	case LW_DM_NMI:
	case LW_DM_INIT:
	case LW_DM_SIPI:
	case LW_DM_EXTINT:
		each_target(d, signal_each);
		break;
	default:
		break; /* a reserved mode reaches nobody */
	}
}

void lw_chip_deliver(struct lw_chip *c, int32_t gsi, const struct lw_msg *msg,
		     struct lw_takers *takers)
{
	struct delivery d = {.chip = c, .msg = msg, .takers = takers, .gsi = gsi};

	deliver(&d);
}

void lw_chip_ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi)
{
	struct lw_takers takers = {0};
	struct delivery d = {.chip = ctx,
			     .msg = &ipi->msg,
			     .takers = &takers,
			     .gsi = NO_GSI,
			     .from = vcpu,
			     .shorthand = ipi->shorthand};

	deliver(&d);
}

int lw_chip_send(struct lw_chip *c, const struct lw_msg *msg)
{
	struct lw_takers takers = {0};

	lw_chip_deliver(c, NO_GSI, msg, &takers);
	return (int)takers.count;
}

static int decode(const struct lw_chip *c, uint64_t address, uint32_t data, struct lw_msg *msg)
{
	struct lw_remap entry;

	if (c->ops->remap && lw_msi_remap(address, data, &entry) == 0)
		return c->ops->remap(c->ctx, &entry, msg);
	return lw_msi_decode(address, data, c->x2apic ? LW_MSI_EXT_DEST : 0, msg);
}

int lw_chip_msi(struct lw_chip *c, uint64_t address, uint32_t data)
{
	struct lw_msg msg = {0};
	int err = decode(c, address, data, &msg);

	return err < 0 ? err : lw_chip_send(c, &msg);
}

static int drive(struct lw_chip *c, const struct lw_route *r, uint32_t source, bool level)
{
	switch (r->type) {
	case LW_ROUTE_IOAPIC:
		if (r->chip >= c->nioapics)
			return -EINVAL;
		return lw_ioapic_line(ioapic(c, r->chip), r->pin, source, level);
	case LW_ROUTE_PIC:
		if (!c->pic)
			return -EINVAL;
		return lw_pic_line(pic(c), r->chip * 8u + r->pin, source, level);
	default:
		return level ? lw_chip_msi(c, r->address, r->data) : 0;
	}
}

int lw_chip_line(struct lw_chip *c, uint32_t gsi, uint32_t source, bool level)
{
	struct lw_route found[LW_ROUTES_PER_GSI];
	size_t count = lw_routes_find(lw_chip_routes(c), gsi, found);
	int err = 0;

	if (!count || source >= LW_IOAPIC_MAX_SOURCES)
		return -EINVAL;
	for (size_t n = 0; n < count; n++) {
		int one = drive(c, &found[n], source, level);

		if (one < 0)
			err = one;
	}
	return err;
}
