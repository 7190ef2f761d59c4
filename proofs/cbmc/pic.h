/* SPDX-License-Identifier: MIT */
/*
 * The world of the harnesses of the pair of 8259As: it has any ops, and is at rest or while another
 * call drains: so a call from ops->eoi, or from another thread meanwhile, is any of these. In
 * ops->eoi itself the invariants are only looked at, for what it calls keeps them, and the drain
 * goes on from a state that they allow.
 */
#ifndef LAPWING_PROVE_PIC_H
#define LAPWING_PROVE_PIC_H

#include "core/pic_priv.h"
#include "lock.h"

struct lw_pic nondet_pic(void);

static struct lw_pic p;
static struct lw_pic_ops ops;
static bool looks;

static void intr(void *ctx, bool level)
{
	(void)ctx, (void)level;
}

static void eoi(void *ctx, uint32_t pin)
{
	struct broken why;

	(void)ctx;
	is_unlocked();
	must_hold(pin < LW_PIC_PINS && pin != LW_PIC_CASCADE_PIN,
		  "the end of a device's pin is told");
	must_hold(!looks || lw_pic_holds(&p, &why), "the invariants hold in ops->eoi");
	looks = false; /* the drain changes nothing but what it owes */
}

static inline void any_ops(void)
{
	bool locks = nondet_bool();

	ops = (struct lw_pic_ops){
		.lock = locks ? op_lock : NULL,
		.unlock = locks ? op_unlock : NULL,
		.intr = nondet_bool() ? intr : NULL,
		.eoi = nondet_bool() ? eoi : NULL,
	};
}

static inline void any_state(void)
{
	struct broken why;

	any_ops();
	p = nondet_pic();
	p.state.intr = nondet_bool();
	p.draining = nondet_bool();
	p.ops = &ops;
	p.ctx = NULL;
	assume(lw_pic_holds(&p, &why));
}

static inline void still_sound(void)
{
	struct broken why;

	is_unlocked();
	must_hold(lw_pic_holds(&p, &why), "the invariants hold");
	reached();
}

#endif
