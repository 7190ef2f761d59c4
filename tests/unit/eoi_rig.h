/* SPDX-License-Identifier: MIT */
/* The EOI engine alone, in a small world that answers its questions and keeps a diary. */
#ifndef LAPWING_EOI_RIG_H
#define LAPWING_EOI_RIG_H

#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/eoi.h>
#include <stdio.h>
#include <string.h>

#define VCPUS 4u
#define PINS  4u

static struct world {
	struct lw_eoi *eoi;
	bool locked;
	struct lw_msg pin[PINS]; /* what a scan sees */
	bool holds[VCPUS][256], in_flight[VCPUS][256], routed[VCPUS][256];
	bool suppresses[VCPUS], owned[VCPUS];
	bool keeps; /* env->release refuses */
	void (*on_publish)(uint32_t vcpu, uint8_t vector);
	void (*on_unlock)(void);
} world;

static inline const struct lw_eoi_hooks *hooks(void)
{
	return lw_eoi_hooks();
}

static inline bool in_set(uint32_t vcpu, uint8_t vector)
{
	return lw_eoi_in_set(world.eoi, vcpu, vector, false);
}

static inline bool loaded(uint32_t vcpu, uint8_t vector)
{
	return lw_eoi_in_set(world.eoi, vcpu, vector, true);
}

static inline struct lw_eoi_counters counters(void)
{
	return lw_eoi_counters(world.eoi);
}

/* ---- the world's answers ---- */

static inline void world_lock(void *ctx)
{
	assert_ptr_equal(ctx, &world);
	assert_false(world.locked);
	world.locked = true;
	note("lock ");
}

static inline void world_unlock(void *ctx)
{
	(void)ctx;
	assert_true(world.locked);
	world.locked = false;
	note("unlock ");
	if (world.on_unlock)
		world.on_unlock();
}

static inline bool world_holds(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	return world.holds[vcpu][vector];
}

static inline void world_publish(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	note("publish%u:%02x%s ", vcpu, vector, loaded(vcpu, vector) ? "" : "!");
	world.holds[vcpu][vector] = true;
	if (world.on_publish)
		world.on_publish(vcpu, vector);
}

static inline void world_kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	note("kick%u ", vcpu);
}

static inline bool world_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return world.owned[vcpu];
}

static inline bool world_suppresses(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	return world.suppresses[vcpu];
}

static inline bool leads(const struct lw_msg *msg, uint32_t vcpu)
{
	return msg->logical ? msg->dest >> vcpu & 1 : msg->dest == vcpu;
}

static inline void world_scan(void *ctx, uint32_t vcpu,
			      void (*see)(void *arg, const struct lw_scanned *r), void *arg)
{
	(void)ctx;
	assert_true(world.locked);
	note("scan%u ", vcpu);
	for (uint32_t n = 0; n < PINS; n++) {
		struct lw_scanned r = {.vector = world.pin[n].vector,
				       .level = world.pin[n].level,
				       .matches = leads(&world.pin[n], vcpu)};

		see(arg, &r);
	}
}

static inline void world_targets(void *ctx, const struct lw_msg *msg,
				 void (*see)(void *arg, uint32_t vcpu), void *arg)
{
	(void)ctx;
	for (uint32_t n = 0; n < VCPUS; n++)
		if (leads(msg, n))
			see(arg, n);
}

static inline bool world_routed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	return world.routed[vcpu][vector];
}

static inline bool world_in_flight(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	return world.in_flight[vcpu][vector];
}

static inline bool world_release(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	note("release%u:%02x ", vcpu, vector);
	return !world.keeps;
}

static inline void world_finish(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	note("finish%u:%02x ", vcpu, vector);
	world.in_flight[vcpu][vector] = false;
}

static inline void world_keep(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	note("keep%u:%02x ", vcpu, vector);
}

static inline void world_gone(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	assert_true(world.locked);
	note("gone%u:%02x ", vcpu, vector);
	world.in_flight[vcpu][vector] = false;
}

static inline void world_there(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx;
	assert_true(world.locked);
	note("there%u:%02x%s ", vcpu, vector, loaded(vcpu, vector) ? "" : "!");
}

static const struct lw_eoi_env world_env = {
	.lock = world_lock,
	.unlock = world_unlock,
	.holds = world_holds,
	.publish = world_publish,
	.kick = world_kick,
	.owned = world_owned,
	.suppresses = world_suppresses,
	.scan = world_scan,
	.targets = world_targets,
	.routed = world_routed,
	.in_flight = world_in_flight,
	.release = world_release,
	.finish = world_finish,
	.keep = world_keep,
	.gone = world_gone,
	.there = world_there,
};

/* ---- opening, and what happens in the world ---- */

static inline void world_open(enum lw_eoi_policy policy, uint32_t flags)
{
	struct lw_eoi_config config = {.policy = policy,
				       .flags = flags,
				       .nvcpus = VCPUS,
				       .env = &world_env,
				       .ctx = &world};

	memset(&world, 0, sizeof(world));
	forget_diary();
	world.eoi = aligned_alloc(LW_EOI_ALIGN, lw_eoi_size(VCPUS));
	assert_non_null(world.eoi);
	memset(world.eoi, 0xa5, lw_eoi_size(VCPUS));
	assert_int_equal(lw_eoi_init(world.eoi, &config), 0);
}

static inline int world_close(void **state)
{
	(void)state;
	assert_false(world.locked);
	free(world.eoi);
	return 0;
}

static inline void enter(uint32_t vcpu)
{
	hooks()->enter(world.eoi, vcpu);
}

/* As a kicked or trapping vCPU does. */
static inline void leave(uint32_t vcpu)
{
	hooks()->exit(world.eoi, vcpu);
	hooks()->serve(world.eoi, vcpu);
}

static inline struct lw_msg fixed(uint32_t dest, uint8_t vector, bool level)
{
	return (struct lw_msg){.dest = dest, .vector = vector, .level = level};
}

/* A pin's route is rewritten. */
static inline void set_route(uint32_t pin, struct lw_msg after)
{
	struct lw_msg before = world.pin[pin];

	for (uint32_t n = 0; n < VCPUS; n++) {
		if (before.level && leads(&before, n))
			world.routed[n][before.vector] = false;
		if (after.level && leads(&after, n))
			world.routed[n][after.vector] = true;
	}
	world.pin[pin] = after;
	hooks()->route(world.eoi, &before, &after);
}

/* An I/O APIC makes a delivery, and publishes it if it may. */
static inline enum lw_publish deliver(uint32_t vcpu, uint8_t vector)
{
	enum lw_publish when = hooks()->deliver(world.eoi, vcpu, vector);

	world.in_flight[vcpu][vector] = true;
	if (when == LW_PUBLISH_NOW)
		world.holds[vcpu][vector] = true;
	return when;
}

static inline bool leaves(uint32_t vcpu, uint8_t vector)
{
	return hooks()->leaves(world.eoi, vcpu, vector);
}

/* The guest's EOI: whether it left. */
static inline bool eoi(uint32_t vcpu, uint8_t vector)
{
	enum lw_eoi_class found = LW_EOI_SUPERFLUOUS;

	world.holds[vcpu][vector] = false;
	if (!leaves(vcpu, vector))
		return false;
	if (world.in_flight[vcpu][vector])
		found = LW_EOI_NECESSARY;
	world.in_flight[vcpu][vector] = false;
	hooks()->exit(world.eoi, vcpu);
	hooks()->ended(world.eoi, vcpu, vector, found);
	return true;
}

#endif
