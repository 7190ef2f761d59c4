/* SPDX-License-Identifier: MIT */
/*
 * No scan. A vector enters a vCPU's set when a level interrupt is delivered there, or when a level
 * route is led there; it leaves when neither an awaited record nor a level route of the pair is
 * left, and at an exit that had nothing to resolve. A reconfiguration looks at no route but its own
 * and kicks nobody: the bit it wants is loaded at the vCPU's next natural entry.
 */
#include "engine.h"

/* A record that lazy has let go is none to wait for: its recall puts the bit back. */
static bool is_awaited(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	return e->env->in_flight(e->ctx, vcpu, vector) &&
	       !lw_set_test(e->vcpu[vcpu].let_go, vector);
}

static void drop_unless_needed(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	if (is_awaited(e, vcpu, vector) && !LW_LEFT_OUT(LW_RULE_KEEP_WHILE_RECORD))
		return;
	if (!e->env->routed(e->ctx, vcpu, vector))
		lw_eoi_del(e, vcpu, vector);
}

struct change {
	struct lw_eoi *eoi;
	uint8_t vector;
	uint32_t wanted;
};

static void unwant(void *arg, uint32_t vcpu)
{
	const struct change *c = arg;

	drop_unless_needed(c->eoi, vcpu, c->vector);
}

static void want(void *arg, uint32_t vcpu)
{
	struct change *c = arg;

	if (LW_LEFT_OUT(LW_RULE_EVERY_TAKER) && c->wanted++)
		return;
	if (!c->eoi->env->suppresses(c->eoi->ctx, vcpu))
		lw_eoi_add(c->eoi, vcpu, c->vector);
}

void lw_armed_route(struct lw_eoi *e, const struct lw_msg *before, const struct lw_msg *after)
{
	struct change c = {.eoi = e};

	if (before->level == after->level && before->vector == after->vector &&
	    before->dest == after->dest && before->logical == after->logical)
		return;
	if (before->level) {
		c.vector = before->vector;
		e->env->targets(e->ctx, before, unwant, &c);
	}
	if (after->level) {
		c.vector = after->vector;
		e->env->targets(e->ctx, after, want, &c);
	}
}

enum lw_publish lw_armed_deliver(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];

	if (e->env->suppresses(e->ctx, vcpu))
		return LW_PUBLISH_NOW; /* its EOI resolves nothing */
	lw_eoi_add(e, vcpu, vector);
	if (!(e->flags & LW_EOI_HARDWARE))
		return LW_PUBLISH_NOW;
	if (lw_eoi_in_set(e, vcpu, vector, true) || atomic_load(&v->mode) == OUT ||
	    LW_LEFT_OUT(LW_RULE_LOAD_BEFORE_PUBLISH))
		return LW_PUBLISH_NOW;
	lw_set_add(v->handed, vector);
	e->counters.kicks_arm += lw_eoi_request(e, vcpu, REQUEST_HAND);
	return LW_PUBLISH_OWNER;
}

void lw_armed_ended(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found)
{
	bool in_flight = e->env->in_flight(e->ctx, vcpu, vector);

	if (found == LW_EOI_SUPERFLUOUS || e->env->suppresses(e->ctx, vcpu)) {
		if (!in_flight || e->env->suppresses(e->ctx, vcpu))
			lw_eoi_del(e, vcpu, vector);
		return;
	}
	if (e->env->routed(e->ctx, vcpu, vector))
		lw_eoi_add(e, vcpu, vector); /* lazy may have taken it out */
	else
		drop_unless_needed(e, vcpu, vector);
}

void lw_armed_closed(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	drop_unless_needed(e, vcpu, vector);
}

void lw_armed_init(struct lw_eoi *e, uint32_t vcpu)
{
	struct vcpu *v = &e->vcpu[vcpu];

	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		v->handed[w] = v->asked[w] = v->ask_kicked[w] = 0;
		for (uint64_t left = atomic_load(&v->set[w]); left; left &= left - 1)
			drop_unless_needed(e, vcpu, (uint8_t)(w * 64u + lw_word_low(left)));
	}
}

/* While EOIs are suppressed none matters. What was delivered meanwhile was not armed; from now on
 * its EOI matters. */
void lw_armed_broadcast(struct lw_eoi *e, uint32_t vcpu, bool suppressed)
{
	for (uint32_t vector = LW_FIRST_VECTOR; vector < 256; vector++) {
		if (suppressed)
			lw_eoi_del(e, vcpu, (uint8_t)vector);
		else if (e->env->in_flight(e->ctx, vcpu, (uint8_t)vector))
			lw_eoi_add(e, vcpu, (uint8_t)vector);
	}
}

const struct policy lw_policy_armed = {
	.name = "armed",
	.route = lw_armed_route,
	.deliver = lw_armed_deliver,
	.ended = lw_armed_ended,
	.closed = lw_armed_closed,
	.init = lw_armed_init,
	.broadcast = lw_armed_broadcast,
};
