/* SPDX-License-Identifier: MIT */
/*
 * `armed`, and a vector may also leave the set when the line drops before the EOI, unless somebody
 * asked to be told of the EOI. The record is then *let go*: whether its EOI has been is found out
 * when it next matters, at the line's next rise, a read of the RTE, or a snapshot.
 */
#include "engine.h"

/* A bit that keeps being asked for again saves nothing where asking costs a kick. */
static bool is_costly(const struct lw_eoi *e, const struct vcpu *v, uint8_t vector)
{
	return e->flags & LW_EOI_HARDWARE && lw_set_test(v->owed[0], vector) &&
	       lw_set_test(v->owed[1], vector) && !LW_LEFT_OUT(LW_RULE_KEEP_COSTLY);
}

static bool fell(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	if (e->env->suppresses(e->ctx, vcpu) || is_costly(e, &e->vcpu[vcpu], vector))
		return false;
	if (!e->env->release(e->ctx, vcpu, vector))
		return false;
	lw_eoi_del(e, vcpu, vector);
	return true;
}

/* Only the owner can tell: a vector on its way from the posted map to IRR is in neither for an
 * instant. The bit is in the set before anybody looks. */
static enum lw_recall recall(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];

	lw_eoi_add(e, vcpu, vector);
	if (lw_set_test(v->handed, vector))
		return LW_RECALL_THERE;
	if (!e->env->owned(e->ctx, vcpu)) {
		lw_set_add(v->asked, vector);
		if (lw_eoi_request(e, vcpu, REQUEST_ASK))
			lw_set_add(v->ask_kicked, vector);
		return LW_RECALL_ASKED;
	}
	if (e->env->holds(e->ctx, vcpu, vector))
		return LW_RECALL_THERE;
	if (!e->env->routed(e->ctx, vcpu, vector))
		lw_eoi_del(e, vcpu, vector);
	return LW_RECALL_GONE;
}

static void init(struct lw_eoi *e, uint32_t vcpu)
{
	struct vcpu *v = &e->vcpu[vcpu];

	lw_armed_init(e, vcpu);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		v->owed[0][w] = v->owed[1][w] = 0;
}

/* A record let go before the guest began to suppress must not be resolved by a look at the LAPIC
 * after it: settle it while the old rule still holds. */
static void broadcast(struct lw_eoi *e, uint32_t vcpu, bool suppressed)
{
	for (uint32_t vector = LW_FIRST_VECTOR; suppressed && vector < 256; vector++) {
		uint8_t v = (uint8_t)vector;

		if (!e->env->in_flight(e->ctx, vcpu, v))
			continue;
		if (e->env->holds(e->ctx, vcpu, v) || lw_eoi_in_set(e, vcpu, v, false))
			e->env->there(e->ctx, vcpu, v);
		else
			e->env->gone(e->ctx, vcpu, v);
	}
	lw_armed_broadcast(e, vcpu, suppressed);
}

const struct policy lw_policy_lazy = {
    .name = "lazy",
    .route = lw_armed_route,
    .deliver = lw_armed_deliver,
    .ended = lw_armed_ended,
    .fell = fell,
    .recall = recall,
    .closed = lw_armed_closed,
    .init = init,
    .broadcast = broadcast,
};
