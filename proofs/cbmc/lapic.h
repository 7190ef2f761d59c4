/* SPDX-License-Identifier: MIT */
/*
 * The world of the LAPIC's harnesses: one LAPIC in any state that the invariants allow, with any of
 * its ops. Posts of other threads come between two calls, or in ops->ipi; what they do between two
 * atomics of one call is ./x race's to try.
 */
#ifndef LAPWING_PROVE_LAPIC_H
#define LAPWING_PROVE_LAPIC_H

#include "core/lapic_priv.h"
#include "prove.h"

struct lw_lapic nondet_lapic(void);

static struct lw_lapic l;
static struct lw_lapic_ops ops;

static void eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	(void)ctx, (void)vcpu, (void)vector, (void)broadcast;
}

static void changed(void *ctx, uint32_t vcpu)
{
	(void)ctx, (void)vcpu;
}

static void broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	(void)ctx, (void)vcpu, (void)suppressed;
}

/* The only one that may come back. */
static void ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *sent)
{
	(void)ctx, (void)vcpu, (void)sent;
	if (nondet_bool())
		lw_lapic_post(&l, nondet_u8(), nondet_bool());
}

static void signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	(void)ctx, (void)vcpu, (void)delivery, (void)vector;
}

static void deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx, (void)vcpu, (void)deadline_ns;
}

static void threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx, (void)vcpu, (void)class_;
}

static inline void any_ops(void)
{
	ops = (struct lw_lapic_ops){
		.eoi = nondet_bool() ? eoi : NULL,
		.changed = nondet_bool() ? changed : NULL,
		.broadcast = nondet_bool() ? broadcast : NULL,
		.ipi = nondet_bool() ? ipi : NULL,
		.signal = nondet_bool() ? signal : NULL,
		.deadline = nondet_bool() ? deadline : NULL,
		.threshold = nondet_bool() ? threshold : NULL,
	};
}

/* What any bytes make of a bool need not be one. */
static inline void any_bools(void)
{
	l.own.lint[0] = nondet_bool();
	l.own.lint[1] = nondet_bool();
	l.own.xapic_only = nondet_bool();
	l.der.broadcast = nondet_bool();
	store(l.shared.listens, nondet_bool());
}

static inline void any_state(void)
{
	struct broken why;

	any_ops();
	l = nondet_lapic();
	any_bools();
	l.ops = &ops;
	l.eoi = eoi; /* where ops->eoi is null, one of lapic.c's that does the same */
	l.ctx = NULL;
	assume(lw_lapic_is_sound(&l, &why));
}

static inline void still_sound(void)
{
	struct broken why;

	must_hold(lw_lapic_is_sound(&l, &why), "the invariants hold");
	reached();
}

#endif
