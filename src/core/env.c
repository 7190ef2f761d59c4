/* SPDX-License-Identifier: MIT */
/* What the I/O APICs and an EOI policy ask of the controller between them. */
#include <errno.h>
#include <string.h>

#include "chip_priv.h"
#include "snapshot.h"

/* ---- what the I/O APICs ask ---- */

static void ioapic_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			   struct lw_takers *takers)
{
	lw_chip_deliver(ctx, (int32_t)gsi, msg, takers);
}

struct recount {
	const struct lw_chip *chip;
	uint8_t vector;
	bool more;
};

static void count_route(void *arg, uint32_t vcpu)
{
	const struct recount *r = arg;
	struct pair *p = pair(r->chip, vcpu, r->vector);

	p->routes = (uint16_t)(r->more ? p->routes + 1u : p->routes - 1u);
}

static void count_routes(void *ctx, const struct lw_msg *msg, bool more)
{
	struct recount r = {.chip = ctx, .vector = msg->vector, .more = more};

	if (msg->level)
		lw_chip_targets(ctx, msg, count_route, &r);
}

static void ioapic_route(void *ctx, const struct lw_msg *before, const struct lw_msg *after)
{
	const struct lw_chip *c = ctx;

	count_routes(ctx, before, false);
	count_routes(ctx, after, true);
	c->hooks->route(c->eoi, before, after);
}

static void ioapic_record(void *ctx, uint32_t vcpu, uint8_t vector, bool open)
{
	struct pair *p = pair(ctx, vcpu, vector);

	p->records = (uint16_t)(open ? p->records + 1u : p->records - 1u);
}

/* What was let go is let go in every I/O APIC: env->release sees to it. */
static void ioapic_fell(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	c->hooks->fell(c->eoi, vcpu, vector);
}

static enum lw_recall ioapic_recall(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	return c->hooks->recall(c->eoi, vcpu, vector);
}

/* Also what a policy asks: every record of the pair, in every I/O APIC. */
static void gone(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	trace(c, &(struct lw_trace){
			 .kind = LW_TRACE_RESOLVED, .vcpu = vcpu, .gsi = NO_GSI, .vector = vector});
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_gone_locked(ioapic(c, n), vcpu, vector);
}

static void ioapic_closed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	c->hooks->closed(c->eoi, vcpu, vector);
}

static bool ioapic_matches(void *ctx, uint32_t vcpu, const struct lw_msg *msg)
{
	const struct lw_chip *c = ctx;

	return lw_lapic_matches(lapic(c, vcpu), msg);
}

static void ioapic_resample(void *ctx, uint32_t gsi)
{
	const struct lw_chip *c = ctx;

	if (c->ops->resample)
		c->ops->resample(c->ctx, gsi);
}

static void ioapic_storm(void *ctx, uint32_t gsi)
{
	const struct lw_chip *c = ctx;

	c->ops->storm(c->ctx, gsi);
}

static int ioapic_remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	const struct lw_chip *c = ctx;

	return c->ops->remap ? c->ops->remap(c->ctx, entry, msg) : -EINVAL;
}

#define IOAPIC_OPS                                                                         \
	.lock = lw_chip_lock, .unlock = lw_chip_unlock_only, .deliver = ioapic_deliver,    \
	.route = ioapic_route, .fell = ioapic_fell, .recall = ioapic_recall, .gone = gone, \
	.closed = ioapic_closed, .record = ioapic_record, .matches = ioapic_matches,       \
	.resample = ioapic_resample, .remap = ioapic_remap

/* Without somebody to time a storm's delay there is none. */
const struct lw_ioapic_ops lw_chip_ioapic_ops[2] = {
	{IOAPIC_OPS},
	{IOAPIC_OPS, .storm = ioapic_storm},
};

/* ---- what a policy asks ---- */

static bool env_in_flight(void *ctx, uint32_t vcpu, uint8_t vector)
{
	return pair(ctx, vcpu, vector)->records != 0;
}

static bool env_holds(void *ctx, uint32_t vcpu, uint8_t vector)
{
	return lw_lapic_holds(lapic(ctx, vcpu), vector);
}

/* A LAPIC that was disabled since it was asked takes nothing: the pins try elsewhere. */
static void env_publish(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	if (!lw_chip_post(c, vcpu, vector, true))
		gone(ctx, vcpu, vector);
}

static void env_kick(void *ctx, uint32_t vcpu)
{
	const struct lw_chip *c = ctx;

	count_one(&ledger(c, vcpu)->kicks);
	c->ops->kick(c->ctx, vcpu);
}

static bool env_owned(void *ctx, uint32_t vcpu)
{
	const struct lw_chip *c = ctx;

	return c->ops->owned && c->ops->owned(c->ctx, vcpu);
}

static bool env_suppresses(void *ctx, uint32_t vcpu)
{
	return lw_lapic_suppresses(lapic(ctx, vcpu));
}

struct scan {
	const struct lw_chip *chip;
	uint32_t vcpu;
	void (*see)(void *arg, const struct lw_scanned *route);
	void *arg;
};

static void scan_one(void *arg, const struct lw_msg *msg)
{
	const struct scan *s = arg;
	struct lw_scanned route = {
		.vector = msg->vector,
		.level = msg->level,
		.matches = lw_lapic_matches(lapic(s->chip, s->vcpu), msg),
	};

	s->see(s->arg, &route);
}

static void env_scan(void *ctx, uint32_t vcpu,
		     void (*see)(void *arg, const struct lw_scanned *route), void *arg)
{
	const struct lw_chip *c = ctx;
	struct scan s = {.chip = c, .vcpu = vcpu, .see = see, .arg = arg};

	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_scan_locked(ioapic(c, n), scan_one, &s);
}

static bool env_routed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	return pair(ctx, vcpu, vector)->routes != 0;
}

struct row {
	const struct lw_chip *chip;
	uint32_t vcpu;
};

static void recount_one(void *arg, const struct lw_msg *msg)
{
	const struct row *row = arg;

	if (msg->level && lw_lapic_matches(lapic(row->chip, row->vcpu), msg))
		pair(row->chip, row->vcpu, msg->vector)->routes++;
}

void lw_chip_recount(const struct lw_chip *c, uint32_t vcpu)
{
	struct row row = {.chip = c, .vcpu = vcpu};

	for (uint32_t vector = 0; vector < 256; vector++)
		pair(c, vcpu, (uint8_t)vector)->routes = 0;
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_scan_locked(ioapic(c, n), recount_one, &row);
}

static void count_pin(void *arg, const struct lw_msg *msg)
{
	count_routes(arg, msg, true);
}

void lw_chip_count(struct lw_chip *c)
{
	memset(at(c, c->pairs), 0, (size_t)c->nvcpus * 256u * sizeof(struct pair));
	for (uint32_t n = 0; n < c->nioapics; n++) {
		lw_ioapic_scan_locked(ioapic(c, n), count_pin, c);
		lw_ioapic_tell_records(ioapic(c, n), true);
	}
}

static bool env_release(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	for (uint32_t n = 0; n < c->nioapics; n++)
		if (!lw_ioapic_releasable_locked(ioapic(c, n), vcpu, vector))
			return false;
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_release_locked(ioapic(c, n), vcpu, vector);
	return true;
}

static void env_finish(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_finish_locked(ioapic(c, n), vcpu, vector);
}

static void env_keep(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_keep_locked(ioapic(c, n), vcpu, vector);
}

static void env_there(void *ctx, uint32_t vcpu, uint8_t vector)
{
	const struct lw_chip *c = ctx;

	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_hold_locked(ioapic(c, n), vcpu, vector);
}

const struct lw_eoi_env *lw_chip_env(void)
{
	static const struct lw_eoi_env env = {
		.lock = lw_chip_lock,
		.unlock = lw_chip_unlock,
		.holds = env_holds,
		.publish = env_publish,
		.kick = env_kick,
		.owned = env_owned,
		.suppresses = env_suppresses,
		.scan = env_scan,
		.targets = lw_chip_targets,
		.routed = env_routed,
		.in_flight = env_in_flight,
		.release = env_release,
		.finish = env_finish,
		.keep = env_keep,
		.gone = gone,
		.there = env_there,
	};

	return &env;
}
