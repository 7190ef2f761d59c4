/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "chip_priv.h"
#include "route_priv.h"

#define MAX_VCPUS       65536u
#define XAPIC_IDS       255u
#define ROUTES_OF(gsis) (2u * (gsis)) /* an I/O APIC and something else for each */
#define PIC_ROUTES      (LW_PIC_PINS - 1u)

/* ---- lock ---- */

void lw_chip_lock(void *ctx)
{
	const struct lw_chip *c = ctx;

	if (c->ops->lock)
		c->ops->lock(c->ctx);
}

void lw_chip_unlock_only(void *ctx)
{
	const struct lw_chip *c = ctx;

	if (c->ops->unlock)
		c->ops->unlock(c->ctx);
}

/* Let go, then run what the I/O APICs have queued meanwhile. */
void lw_chip_unlock(void *ctx)
{
	const struct lw_chip *c = ctx;
	uint64_t owing = 0;

	for (uint32_t n = 0; n < c->nioapics; n++)
		if (lw_ioapic_owes_locked(ioapic(c, n)))
			owing |= lw_bit(n);
	if (c->ops->unlock)
		c->ops->unlock(c->ctx);
	for (; owing; owing &= owing - 1)
		lw_ioapic_drain(ioapic(c, lw_word_low(owing)));
}

/* ---- what the LAPICs tell ---- */

/* In all I/O APICs. Under the lock. */
static enum lw_eoi_class resolve(const struct lw_chip *c, uint32_t vcpu, uint8_t vector)
{
	enum lw_eoi_class best = LW_EOI_SUPERFLUOUS;

	for (uint32_t n = 0; n < c->nioapics; n++) {
		enum lw_eoi_class one = lw_ioapic_eoi_locked(ioapic(c, n), vcpu, vector);

		if (one < best) /* necessary, redundant, superfluous: in this order */
			best = one;
	}
	return best;
}

/* An EOI that left, and whether it is to be broadcast to the I/O APICs. */
static enum lw_eoi_class eoi_exit(struct lw_chip *c, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	enum lw_eoi_class found = LW_EOI_SUPERFLUOUS; /* unless it resolves something */

	c->hooks->exit(c->eoi, vcpu);
	lw_chip_lock(c);
	if (broadcast)
		found = resolve(c, vcpu, vector);
	c->exits[found]++;
	c->hooks->ended(c->eoi, vcpu, vector, found);
	trace(c, &(struct lw_trace){.kind = LW_TRACE_EOI,
				    .vcpu = vcpu,
				    .gsi = NO_GSI,
				    .vector = vector,
				    .left = true,
				    .broadcast = broadcast,
				    .found = found});
	lw_chip_unlock(c);
	return found;
}

static void lapic_eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	struct lw_chip *c = ctx;

	if (c->hooks->leaves(c->eoi, vcpu, vector))
		eoi_exit(c, vcpu, vector, broadcast);
	else
		trace(c, &(struct lw_trace){.kind = LW_TRACE_EOI,
					    .vcpu = vcpu,
					    .gsi = NO_GSI,
					    .vector = vector,
					    .broadcast = broadcast});
}

/* What is in flight to a vCPU whose LAPIC has been emptied. Under the lock. */
static void drop(struct lw_chip *c, uint32_t vcpu)
{
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_forget_locked(ioapic(c, n), vcpu);
	c->hooks->init(c->eoi, vcpu);
}

bool lw_chip_place(const struct lw_chip *c, uint32_t vcpu)
{
	struct lw_lapic_address now = lw_lapic_address(lapic(c, vcpu));

	return lw_map_put(map(c), vcpu, &now);
}

static void lapic_changed(void *ctx, uint32_t vcpu)
{
	struct lw_chip *c = ctx;

	lw_chip_lock(c);
	if (lw_chip_place(c, vcpu))
		lw_chip_recount(c, vcpu);
	if (lw_lapic_mode(lapic(c, vcpu)) == LW_LAPIC_DISABLED)
		drop(c, vcpu);
	c->hooks->remap(c->eoi);
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_retry_locked(ioapic(c, n));
	lw_chip_unlock(c);
}

static void lapic_broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	struct lw_chip *c = ctx;

	lw_chip_lock(c);
	c->hooks->broadcast(c->eoi, vcpu, suppressed);
	lw_chip_unlock(c);
}

static void lapic_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	lw_chip_signal(ctx, vcpu, delivery, vector);
}

static void lapic_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	const struct lw_chip *c = ctx;

	if (c->ops->deadline)
		c->ops->deadline(c->ctx, vcpu, deadline_ns);
}

static void lapic_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	const struct lw_chip *c = ctx;

	c->ops->threshold(c->ctx, vcpu, class_);
}

#define LAPIC_OPS                                                                 \
	.eoi = lapic_eoi, .changed = lapic_changed, .broadcast = lapic_broadcast, \
	.ipi = lw_chip_ipi, .signal = lapic_signal, .deadline = lapic_deadline

/* Without somebody to heed a threshold none is looked for. */
static const struct lw_lapic_ops lapic_ops[2] = {
	{LAPIC_OPS},
	{LAPIC_OPS, .threshold = lapic_threshold},
};

/* ---- storage ---- */

struct lw_lapic *lw_chip_lapic(struct lw_chip *c, uint32_t vcpu)
{
	return vcpu < c->nvcpus ? lapic(c, vcpu) : NULL;
}

struct lw_ioapic *lw_chip_ioapic(struct lw_chip *c, uint32_t n)
{
	return n < c->nioapics ? ioapic(c, n) : NULL;
}

struct lw_routes *lw_chip_routes(struct lw_chip *c)
{
	return at(c, c->routes);
}

static struct lw_ioapic_config ioapic_config(const struct lw_chip_config *config, void *chip,
					     uint32_t n)
{
	const struct lw_chip_ioapic *i = &config->ioapic[n];

	return (struct lw_ioapic_config){
		.ops = &lw_chip_ioapic_ops[config->ops && config->ops->storm],
		.ctx = chip,
		.gsi_base = i->gsi_base,
		.pins = i->pins,
		.nvcpus = config->nvcpus,
		.flags = i->flags,
		.id = i->id,
		.version = i->version,
	};
}

static size_t routes_size(const struct lw_chip_config *config)
{
	return lw_routes_size(config->gsis, ROUTES_OF(config->gsis));
}

static uint32_t id_of(const struct lw_chip_config *config, uint32_t vcpu)
{
	return config->ids ? config->ids[vcpu] : vcpu;
}

/* One more than the highest APIC id, or 0 if one is out of range. */
static uint32_t ids(const struct lw_chip_config *config)
{
	uint32_t limit = config->x2apic ? LW_CHIP_MAX_IDS : XAPIC_IDS, highest = 0;

	for (uint32_t n = 0; n < config->nvcpus; n++)
		if (id_of(config, n) > highest)
			highest = id_of(config, n);
	return highest < limit ? highest + 1u : 0;
}

/* Where everything lies; 0 if the configuration is out of range. */
static size_t lay_out(struct lw_chip *c, const struct lw_chip_config *config)
{
	size_t size = lw_round_up(sizeof(*c), LW_CHIP_ALIGN);

	if (!config || !config->nvcpus || config->nvcpus > MAX_VCPUS || !ids(config) ||
	    !config->nioapics || config->nioapics > LW_CHIP_MAX_IOAPICS || !config->ioapic)
		return 0;
	c->lapics = size;
	size += (size_t)config->nvcpus * LW_LAPIC_SIZE;
	if (config->pic)
		size = lw_chip_lay_out_pic(c, config, size);
	for (uint32_t n = 0; n < config->nioapics; n++) {
		struct lw_ioapic_config one = ioapic_config(config, NULL, n);
		size_t bytes = lw_ioapic_size(&one);

		if (!bytes)
			return 0;
		c->ioapic[n] = size;
		size += bytes;
	}
	c->map = size;
	size += lw_round_up(lw_map_size(config->nvcpus, ids(config)), LW_CHIP_ALIGN);
	c->ledgers = size;
	size += (size_t)config->nvcpus * sizeof(struct ledger);
	c->pairs = size;
	size += lw_round_up((size_t)config->nvcpus * 256u * sizeof(struct pair), LW_CHIP_ALIGN);
	c->routes = size;
	if (!routes_size(config))
		return 0;
	return size + routes_size(config);
}

size_t lw_chip_size(const struct lw_chip_config *config)
{
	struct lw_chip layout;

	return lay_out(&layout, config);
}

static bool hooks_are_whole(const struct lw_eoi_hooks *h)
{
	return h && h->route && h->deliver && h->leaves && h->ended && h->fell && h->recall &&
	       h->closed && h->enter && h->exit && h->serve && h->remap && h->init &&
	       h->broadcast && !h->save == !h->restore;
}

/* The n-th pin of the 8259s that a device can drive. */
static struct lw_route pic_route(size_t n)
{
	uint32_t gsi = (uint32_t)n + (n >= LW_PIC_CASCADE_PIN);

	return (struct lw_route){.gsi = gsi,
				 .type = LW_ROUTE_PIC,
				 .chip = (uint16_t)(gsi / 8u),
				 .pin = (uint16_t)(gsi % 8u)};
}

/* Each GSI to the pins that have it: the 8259s', then all I/O APICs', chip after chip. */
static struct lw_route identity(const void *arg, size_t n)
{
	const struct lw_chip_config *config = arg;
	uint16_t chip = 0;

	if (config->pic && n < PIC_ROUTES)
		return pic_route(n);
	n -= config->pic ? PIC_ROUTES : 0;
	while (n >= config->ioapic[chip].pins)
		n -= config->ioapic[chip++].pins;
	return (struct lw_route){
		.gsi = config->ioapic[chip].gsi_base + (uint32_t)n,
		.type = LW_ROUTE_IOAPIC,
		.chip = chip,
		.pin = (uint16_t)n,
	};
}

static int identity_routes(struct lw_chip *c, const struct lw_chip_config *config)
{
	struct lw_route_source from = {
		.get = identity, .arg = config, .count = config->pic ? PIC_ROUTES : 0};
	int err = lw_routes_init(lw_chip_routes(c), config->gsis, ROUTES_OF(config->gsis));

	for (uint32_t n = 0; n < config->nioapics; n++)
		from.count += config->ioapic[n].pins;
	return err ? err : lw_routes_fill(lw_chip_routes(c), &from);
}

static int init_parts(struct lw_chip *c, const struct lw_chip_config *config)
{
	struct lw_lapic_config one = {.ops = &lapic_ops[c->ops->threshold != NULL],
				      .ctx = c,
				      .x2apic = c->x2apic,
				      .clock = config->clock,
				      .xapic_only = config->xapic_only,
				      .phys_bits = config->phys_bits};
	int err = lw_map_init(map(c), c->nvcpus, ids(config), config->ids);

	for (uint32_t n = 0; !err && n < c->nvcpus; n++) {
		one.vcpu = n;
		one.id = id_of(config, n);
		one.bsp = n == 0;
		err = lw_lapic_init(lapic(c, n), &one);
		if (!err)
			lw_chip_place(c, n);
	}
	for (uint32_t n = 0; !err && n < c->nioapics; n++) {
		struct lw_ioapic_config io = ioapic_config(config, c, n);

		err = lw_ioapic_init(ioapic(c, n), &io);
	}
	if (!err && c->pic)
		err = lw_chip_init_pic(c, config);
	return err ? err : identity_routes(c, config);
}

int lw_chip_init(struct lw_chip *storage, const struct lw_chip_config *config)
{
	struct lw_chip layout = {0};

	if (!storage || (uintptr_t)storage % LW_CHIP_ALIGN || !lay_out(&layout, config) ||
	    !config->ops || !config->ops->kick || !config->ops->lock != !config->ops->unlock ||
	    !hooks_are_whole(config->hooks))
		return -EINVAL;
	layout.ops = config->ops;
	layout.ctx = config->ctx;
	layout.hooks = config->hooks;
	layout.eoi = config->eoi;
	layout.nvcpus = config->nvcpus;
	layout.nioapics = config->nioapics;
	layout.x2apic = config->x2apic;
	*storage = layout;
	memset(at(storage, layout.pairs), 0, (size_t)layout.nvcpus * 256u * sizeof(struct pair));
	memset(at(storage, layout.ledgers), 0, layout.nvcpus * sizeof(struct ledger));
	return init_parts(storage, config);
}

/* ---- the vCPU's thread ---- */

void lw_chip_enter(struct lw_chip *c, uint32_t vcpu)
{
	if (vcpu >= c->nvcpus)
		return;
	if (c->pic)
		lw_chip_sense(c, vcpu);
	c->hooks->enter(c->eoi, vcpu);
}

void lw_chip_exit(struct lw_chip *c, uint32_t vcpu)
{
	if (vcpu >= c->nvcpus)
		return;
	c->hooks->exit(c->eoi, vcpu);
	c->hooks->serve(c->eoi, vcpu);
	if (c->pic)
		lw_chip_sense(c, vcpu);
}

bool lw_chip_eoi_leaves(const struct lw_chip *c, uint32_t vcpu, uint8_t vector)
{
	return vcpu < c->nvcpus && c->hooks->leaves(c->eoi, vcpu, vector);
}

enum lw_eoi_class lw_chip_eoi_exit(struct lw_chip *c, uint32_t vcpu, uint8_t vector)
{
	if (vcpu >= c->nvcpus)
		return LW_EOI_SUPERFLUOUS;
	return eoi_exit(c, vcpu, vector, !lw_lapic_suppresses(lapic(c, vcpu)));
}

void lw_chip_init_vcpu(struct lw_chip *c, uint32_t vcpu)
{
	if (vcpu >= c->nvcpus)
		return;
	lw_lapic_reset(lapic(c, vcpu));
	lw_chip_lock(c);
	drop(c, vcpu);
	lw_chip_unlock(c);
}

void lw_chip_remapped(struct lw_chip *c)
{
	lw_chip_lock(c);
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_remapped_locked(ioapic(c, n));
	lw_chip_unlock(c);
}

void lw_chip_settle(struct lw_chip *c)
{
	lw_chip_lock(c);
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_settle_locked(ioapic(c, n));
	lw_chip_unlock(c);
}
