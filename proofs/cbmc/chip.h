/* SPDX-License-Identifier: MIT */
/*
 * A controller of two vCPUs, one I/O APIC and a pair of 8259s, whose chips are stubs. So these
 * proofs are of chip.c, deliver.c, env.c and wire.c, and rest on three things: that each chip does
 * what its own proofs say, for any call that its header allows; that each stub asserts what that
 * header asks of a caller (a chip that there is, in its place, the lock held or not); and that each
 * answers anything that its header allows, and calls back as the chip may, though once and no
 * deeper.
 *
 * The parts of the block are objects of their own here, so an access past one of them is seen even
 * where the next part follows; that lay_out() gives each part its room is for lw_chip_size()'s
 * harness. Destinations come from a map of four APIC ids; what lw_map_find() finds is any.
 */
#ifndef LAPWING_PROVE_CHIP_H
#define LAPWING_PROVE_CHIP_H

#include <lapwing/msi.h>

/* For the tables of ops in them. */
#include "core/chip.c"
#include "core/wire.c"
#include "lock.h"

#define VCPUS       2u
#define IDS         4u
#define IOAPIC_SIZE 1024u
#define ROUTES_SIZE 1024u
#define PART        0x10000u /* from one part to the next; lay_out() has them closer */

struct lw_pic nondet_pic(void);
struct lw_lapic_counters nondet_lapic_counters(void);

static struct lw_chip chip;
static unsigned char lapics[VCPUS][LW_LAPIC_SIZE], ioapics[2][IOAPIC_SIZE],
	some_routes[ROUTES_SIZE];
static struct lw_pic a_pic;
static uint32_t seen[VCPUS];
static struct {
	struct lw_map map;
	uint32_t rest[IDS + VCPUS];
} a_map;
static struct ledger ledgers[VCPUS];
static struct pair pairs[VCPUS * 256u];

/* Those that a chip with all of the VMM's ops gives its parts. */
static const struct lw_lapic_ops *const to_lapic = &lapic_ops[1];
static const struct lw_ioapic_ops *const to_ioapic = &lw_chip_ioapic_ops[1];
static const struct lw_pic_ops *const to_pic = &pic_ops[1];

static void *part(void *object, size_t bytes, size_t where)
{
	must_hold(where < bytes, "an offset is inside its part");
	return (unsigned char *)object + where;
}

/* In place of chip_priv.h's. */
void *at(const struct lw_chip *c, size_t offset)
{
	must_hold(c == &chip, "the chip is the chip");
	if (offset >= c->routes)
		return part(some_routes, sizeof(some_routes), offset - c->routes);
	if (offset >= c->pairs)
		return part(pairs, sizeof(pairs), offset - c->pairs);
	if (offset >= c->ledgers)
		return part(ledgers, sizeof(ledgers), offset - c->ledgers);
	if (offset >= c->map)
		return part(&a_map, sizeof(a_map), offset - c->map);
	if (offset >= c->ioapic[0])
		return part(ioapics, sizeof(ioapics), offset - c->ioapic[0]);
	if (c->pic && offset >= c->seen)
		return part(seen, sizeof(seen), offset - c->seen);
	if (c->pic && offset >= c->pic)
		return part(&a_pic, sizeof(a_pic), offset - c->pic);
	return part(lapics, sizeof(lapics), offset - c->lapics);
}

static void is_vcpu(uint32_t vcpu)
{
	must_hold(vcpu < VCPUS, "a vCPU that there is");
}

static struct lw_msg any_msg(void)
{
	return (struct lw_msg){.dest = nondet_u32(),
			       .vector = nondet_u8(),
			       .delivery = nondet_u8(),
			       .logical = nondet_bool(),
			       .level = nondet_bool()};
}

/* ---- the VMM's ops ---- */

static void op_kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	is_vcpu(vcpu);
}

static void op_notify(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	is_vcpu(vcpu);
}

static bool op_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	is_vcpu(vcpu);
	return nondet_bool();
}

static void op_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx, (void)delivery, (void)vector;
	is_vcpu(vcpu);
}

static void op_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx, (void)deadline_ns;
	is_vcpu(vcpu);
}

static void op_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx, (void)class_;
	is_vcpu(vcpu);
}

static void op_told(void *ctx, uint32_t gsi)
{
	(void)ctx, (void)gsi;
	is_unlocked();
}

static int op_remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	(void)ctx, (void)entry;
	*msg = any_msg();
	return nondet_bool() ? 0 : -1;
}

static void op_trace(void *ctx, const struct lw_trace *event)
{
	(void)ctx;
	is_vcpu(event->vcpu);
}

static const struct lw_chip_ops ops = {
	.lock = op_lock,
	.unlock = op_unlock,
	.kick = op_kick,
	.notify = op_notify,
	.owned = op_owned,
	.signal = op_signal,
	.deadline = op_deadline,
	.threshold = op_threshold,
	.resample = op_told,
	.storm = op_told,
	.remap = op_remap,
	.pic_eoi = op_told,
	.trace = op_trace,
};

#include "chip_parts.h"

/* ---- the policy ---- */

static int asking; /* how deep */

/* What it may ask under the lock, once, of a vCPU and a vector. */
static void policy_asks(void)
{
	const struct lw_eoi_env *env = lw_chip_env();
	uint8_t vector = nondet_u8();

	is_locked();
	if (asking || nondet_bool())
		return;
	asking++;
	if (nondet_bool())
		env->gone(&chip, 1, vector);
	else if (nondet_bool())
		env->finish(&chip, 1, vector);
	else if (nondet_bool())
		env->keep(&chip, 1, vector);
	else if (nondet_bool())
		env->there(&chip, 1, vector);
	else if (nondet_bool())
		env->release(&chip, 1, vector);
	else if (nondet_bool())
		env->publish(&chip, 1, vector);
	else
		env->kick(&chip, 1);
	asking--;
}

static void hook_route(void *eoi, const struct lw_msg *before, const struct lw_msg *after)
{
	(void)eoi, (void)before, (void)after;
	is_locked();
}

static enum lw_publish hook_deliver(void *eoi, uint32_t vcpu, uint8_t vector)
{
	(void)eoi, (void)vector;
	is_vcpu(vcpu);
	is_locked();
	return nondet_bool() ? LW_PUBLISH_NOW : LW_PUBLISH_OWNER;
}

static bool hook_leaves(void *eoi, uint32_t vcpu, uint8_t vector)
{
	(void)eoi, (void)vector;
	is_vcpu(vcpu);
	return nondet_bool();
}

static void hook_ended(void *eoi, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found)
{
	(void)eoi, (void)vector, (void)found;
	is_vcpu(vcpu);
	is_locked();
}

static bool hook_fell(void *eoi, uint32_t vcpu, uint8_t vector)
{
	(void)eoi, (void)vector;
	is_vcpu(vcpu);
	policy_asks();
	return nondet_bool();
}

static enum lw_recall hook_recall(void *eoi, uint32_t vcpu, uint8_t vector)
{
	(void)eoi, (void)vector;
	is_vcpu(vcpu);
	is_locked();
	return (enum lw_recall)any_below(LW_RECALL_ASKED + 1u);
}

static void hook_closed(void *eoi, uint32_t vcpu, uint8_t vector)
{
	(void)eoi, (void)vector;
	is_vcpu(vcpu);
	is_locked();
}

static void hook_serve(void *eoi, uint32_t vcpu)
{
	(void)eoi;
	is_vcpu(vcpu);
	is_unlocked();
	if (nondet_bool())
		return;
	lw_chip_env()->lock(&chip);
	policy_asks();
	lw_chip_env()->unlock(&chip);
}

static void hook_exit(void *eoi, uint32_t vcpu)
{
	(void)eoi;
	is_vcpu(vcpu);
	is_unlocked();
}

static void hook_remap(void *eoi)
{
	(void)eoi;
	is_locked();
}

static void hook_init(void *eoi, uint32_t vcpu)
{
	(void)eoi;
	is_vcpu(vcpu);
	is_locked();
}

static void hook_broadcast(void *eoi, uint32_t vcpu, bool suppressed)
{
	(void)eoi, (void)suppressed;
	is_vcpu(vcpu);
	policy_asks();
}

static const struct lw_eoi_hooks hooks = {
	.route = hook_route,
	.deliver = hook_deliver,
	.leaves = hook_leaves,
	.ended = hook_ended,
	.fell = hook_fell,
	.recall = hook_recall,
	.closed = hook_closed,
	.enter = hook_serve,
	.exit = hook_exit,
	.serve = hook_serve,
	.remap = hook_remap,
	.init = hook_init,
	.broadcast = hook_broadcast,
};

/* ---- the world ---- */

/* Any counts, any map, any state of the wire; what a configuration gives is given. */
static void any_chip(void)
{
	chip = (struct lw_chip){.ops = &ops,
				.hooks = &hooks,
				.nvcpus = VCPUS,
				.nioapics = 1,
				.x2apic = nondet_bool(),
				.lapics = PART,
				.pic = 2 * PART,
				.seen = 3 * PART,
				.ioapic = {4 * PART},
				.map = 5 * PART,
				.ledgers = 6 * PART,
				.pairs = 7 * PART,
				.routes = 8 * PART};
	a_map.map.nvcpus = VCPUS;
	a_map.map.ids = IDS;
	a_map.map.aliases = nondet_u32();
	for (uint32_t n = 0; n < IDS; n++)
		a_map.rest[n] = nondet_bool() ? LW_MAP_NOBODY : nondet_bool();
	__CPROVER_havoc_object(pairs);
	__CPROVER_havoc_object(ledgers);
	chip.turn = any_below(VCPUS + 1u);
	chip.wire = nondet_u32();
	for (uint32_t n = 0; n < VCPUS; n++)
		seen[n] = nondet_u32();
}

static void still_sound(void)
{
	is_unlocked();
	must_hold(chip.turn <= VCPUS, "the turn is a vCPU's");
	reached();
}

#endif
