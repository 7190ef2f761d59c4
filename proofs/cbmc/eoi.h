/* SPDX-License-Identifier: MIT */
/*
 * An EOI engine of two vCPUs and an environment that answers anything, for the harnesses of
 * eoi*.c. What lapwing/seam.h says of each op is asserted: that it is under the lock, and of a vCPU
 * that there is.
 *
 * Where the chip's may call a hook (what resolves a delivery makes the next one), so may this one,
 * once in a harness. A destination names each vCPU or not; a scan sees up to two routes.
 */
#ifndef LAPWING_PROVE_EOI_H
#define LAPWING_PROVE_EOI_H

#include <string.h>

#include "eoi/engine.h"
#include "lock.h"

#define VCPUS 2u
#define FEW   0x8000000000000003u /* of each word of let_go, so that counting its bits is easy */

int nondet_int(void);
struct vcpu nondet_vcpu(void);
struct lw_eoi_counters nondet_counters(void);

static struct lw_eoi engine;
static struct vcpu vcpus[VCPUS];

static bool came_back;

static void under_lock(uint32_t vcpu)
{
	must_hold(vcpu < VCPUS, "an op is told of a vCPU that there is");
	is_locked();
}

/* The vector that the environment comes back with. */
#ifndef ANOTHER_VECTOR
#define ANOTHER_VECTOR nondet_u8()
#endif

/* What an I/O APIC does when one of its deliveries is resolved. */
static void come_back(void)
{
	if (came_back || nondet_bool())
		return;
	came_back = true;
	if (nondet_bool())
		lw_eoi_hooks()->deliver(&engine, 0, ANOTHER_VECTOR);
	else if (nondet_bool())
		lw_eoi_hooks()->deliver(&engine, 1, ANOTHER_VECTOR);
	else
		lw_eoi_hooks()->closed(&engine, 1, ANOTHER_VECTOR);
}

static bool env_holds(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vector;
	must_hold(vcpu < VCPUS, "a LAPIC that there is is looked at");
	return nondet_bool();
}

static void env_publish(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vector;
	under_lock(vcpu);
	come_back();
}

static void env_kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	must_hold(vcpu < VCPUS, "a vCPU that there is is kicked");
}

static bool env_owned(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	must_hold(vcpu < VCPUS, "a vCPU that there is is asked after");
	return nondet_bool();
}

static bool env_suppresses(void *ctx, uint32_t vcpu)
{
	return env_owned(ctx, vcpu);
}

static void env_scan(void *ctx, uint32_t vcpu,
		     void (*see)(void *arg, const struct lw_scanned *route), void *arg)
{
	(void)ctx;
	under_lock(vcpu);
	for (uint32_t n = 0; n < 2; n++) {
		struct lw_scanned route = {
			.vector = nondet_u8(), .level = nondet_bool(), .matches = nondet_bool()};

		if (nondet_bool())
			see(arg, &route);
	}
}

static void env_targets(void *ctx, const struct lw_msg *msg, void (*see)(void *arg, uint32_t vcpu),
			void *arg)
{
	(void)ctx, (void)msg;
	under_lock(0);
	if (nondet_bool())
		see(arg, 0);
	if (nondet_bool())
		see(arg, 1);
}

static bool env_routed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vector;
	under_lock(vcpu);
	return nondet_bool();
}

static void env_resolve(void *ctx, uint32_t vcpu, uint8_t vector)
{
	env_publish(ctx, vcpu, vector);
}

static void env_note(void *ctx, uint32_t vcpu, uint8_t vector)
{
	(void)ctx, (void)vector;
	under_lock(vcpu);
}

static const struct lw_eoi_env env = {
	.lock = op_lock,
	.unlock = op_unlock,
	.holds = env_holds,
	.publish = env_publish,
	.kick = env_kick,
	.owned = env_owned,
	.suppresses = env_suppresses,
	.scan = env_scan,
	.targets = env_targets,
	.routed = env_routed,
	.in_flight = env_routed,
	.release = env_routed,
	.finish = env_resolve,
	.keep = env_note,
	.gone = env_resolve,
	.there = env_note,
};

/* Any state of an engine with this policy that the invariants allow. */
static void any_engine(const struct policy *policy)
{
	struct broken why;

	engine = (struct lw_eoi){.policy = policy,
				 .env = &env,
				 .flags = nondet_u32(),
				 .nvcpus = VCPUS,
				 .vcpu = vcpus,
				 .counters = nondet_counters()};
	for (uint32_t n = 0; n < VCPUS; n++) {
		vcpus[n] = nondet_vcpu();
		for (uint32_t w = 0; w < LW_SET_WORDS; w++)
			vcpus[n].let_go[w] &= FEW;
	}
	assume(lw_eoi_holds(&engine, &why));
}

/* … with this policy or that, each of them apart: so CBMC follows the policy's functions. */
#define FOR_ANY_POLICY(body)                             \
	do {                                             \
		switch (nondet_u8()) {                   \
		case LW_EOI_STATIC:                      \
			any_engine(&lw_policy_static);   \
			body;                            \
			break;                           \
		case LW_EOI_SCAN:                        \
			any_engine(&lw_policy_scan);     \
			body;                            \
			break;                           \
		case LW_EOI_TRACK_V4:                    \
			any_engine(&lw_policy_track_v4); \
			body;                            \
			break;                           \
		case LW_EOI_TRACK:                       \
			any_engine(&lw_policy_track);    \
			body;                            \
			break;                           \
		case LW_EOI_ARMED:                       \
			any_engine(&lw_policy_armed);    \
			body;                            \
			break;                           \
		default:                                 \
			any_engine(&lw_policy_lazy);     \
			body;                            \
			break;                           \
		}                                        \
	} while (0)

/* vCPU 0 or 1, each of them apart. */
#define FOR_ANY_VCPU(body)                 \
	do {                               \
		if (nondet_bool()) {       \
			enum { vcpu = 0 }; \
			body;              \
		} else {                   \
			enum { vcpu = 1 }; \
			body;              \
		}                          \
	} while (0)

/* A scan has ended: another set, and perhaps another record. */
void step_rebuild(struct lw_eoi *e, uint32_t vcpu)
{
	struct broken why;

	must_hold(e == &engine && vcpu < VCPUS && e->policy->see, "who is scanned for exists");
	is_locked();
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		atomic_store(&vcpus[vcpu].set[w], nondet_u64());
	vcpus[vcpu].last_pending = nondet_int();
	engine.counters.routes_scanned = nondet_u64();
	assume(lw_eoi_holds(&engine, &why));
}

static void still_sound(void)
{
	struct broken why;

	must_hold(lw_eoi_holds(&engine, &why), "the invariants hold");
	reached();
}

#endif
