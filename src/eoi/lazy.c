/* SPDX-License-Identifier: MIT */
/*
 * `armed`, and a vector may also leave the set when the line drops before the EOI, unless somebody
 * asked to be told of the EOI. The record is then *let go*: whether its EOI has been is found out
 * when it next matters, at the line's next rise, a read of the RTE, or a snapshot.
 *
 * On a software set that costs at most the question. On a hardware bitmap it saves an exit where
 * the EOI comes unseen, and costs a kick where the vector is next delivered, or asked after, while
 * its vCPU runs. Which of the two, only the past can tell: so each vCPU keeps a balance, of what
 * letting go has gained and, while nothing is let go, of what it would have gained; and a vector is
 * let go only while that is in credit.
 */
#include "engine.h"

#define CREDIT_NEEDED 4 /* gains before the first vector is let go */

static void earn(struct vcpu *v, int gain)
{
	int sum = v->balance + gain;

	if (sum >= -LW_CREDIT_KEPT && sum <= LW_CREDIT_KEPT)
		v->balance = sum;
}

static bool can_afford(const struct lw_eoi *e, const struct vcpu *v)
{
	if (!(e->flags & LW_EOI_HARDWARE) || LW_LEFT_OUT(LW_RULE_KEEP_COSTLY))
		return true;
	return v->balance - v->outstanding >= CREDIT_NEEDED;
}

/* In guest mode the hardware may well see the EOI before it sees a new bitmap. */
static bool reaches_hardware(const struct lw_eoi *e, const struct vcpu *v)
{
	return !(e->flags & LW_EOI_HARDWARE) || atomic_load(&v->mode) == OUT;
}

static void settle(struct vcpu *v, uint8_t vector, int gain)
{
	if (!lw_set_test(v->let_go, vector))
		return;
	lw_set_del(v->let_go, vector);
	v->outstanding--;
	earn(v, gain);
}

static bool fell(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];

	if (e->env->suppresses(e->ctx, vcpu) && !LW_LEFT_OUT(LW_RULE_HOLD_SUPPRESSED))
		return false;
	if (!reaches_hardware(e, v))
		return false;
	if (!can_afford(e, v)) {
		lw_set_add(v->would, vector);
		return false;
	}
	if (!e->env->release(e->ctx, vcpu, vector))
		return false;
	if (!lw_set_test(v->let_go, vector)) {
		lw_set_add(v->let_go, vector);
		v->outstanding++;
	}
	lw_eoi_darken(e, vcpu, vector);
	return true;
}

static void found(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, bool there, bool kicked)
{
	struct vcpu *v = &e->vcpu[vcpu];

	if (lw_set_test(v->let_go, vector))
		settle(v, vector, (there ? 0 : 1) - (kicked ? 1 : 0));
	else if (kicked)
		earn(v, -1); /* for another pin of the vector, whose delivery settled it */
}

/*
 * Where the hardware has had the bit all along, the EOI would have left the guest. Else only the
 * owner can tell: a vector on its way from the posted map to IRR is in neither for an instant. The
 * bit is in the set before anybody looks.
 */
static enum lw_recall recall(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];
	bool there;

	lw_eoi_add(e, vcpu, vector);
	if (lw_set_test(v->handed, vector) || !lw_eoi_is_dark(e, vcpu, vector)) {
		settle(v, vector, 0);
		return LW_RECALL_THERE;
	}
	if (!e->env->owned(e->ctx, vcpu)) {
		lw_set_add(v->asked, vector);
		if (lw_eoi_request(e, vcpu, REQUEST_ASK))
			lw_set_add(v->ask_kicked, vector);
		return LW_RECALL_ASKED;
	}
	there = e->env->holds(e->ctx, vcpu, vector);
	found(e, vcpu, vector, there, false);
	if (there)
		return LW_RECALL_THERE;
	if (!e->env->routed(e->ctx, vcpu, vector))
		lw_eoi_del(e, vcpu, vector);
	return LW_RECALL_GONE;
}

static enum lw_publish deliver(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];
	enum lw_publish when = lw_armed_deliver(e, vcpu, vector);

	settle(v, vector, when == LW_PUBLISH_OWNER ? -1 : 0);
	if (lw_set_test(v->unloaded, vector) && atomic_load(&v->mode) != OUT)
		earn(v, -1);
	lw_set_del(v->unloaded, vector);
	return when;
}

/* An exit that letting go would have saved; or, where the line had risen again meanwhile, would
 * not have saved, and would have cost a kick. */
static void ended(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class class)
{
	struct vcpu *v = &e->vcpu[vcpu];

	settle(v, vector, 0);
	if (lw_set_test(v->would, vector)) {
		bool rose = e->env->in_flight(e->ctx, vcpu, vector);

		lw_set_del(v->would, vector);
		earn(v, rose ? -1 : 1);
		if (!rose)
			lw_set_add(v->unloaded, vector);
	}
	lw_armed_ended(e, vcpu, vector, class);
}

/* What else is in flight of the pair is let go still. */
static void closed(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	if (!e->env->in_flight(e->ctx, vcpu, vector))
		settle(&e->vcpu[vcpu], vector, 0);
	lw_armed_closed(e, vcpu, vector);
}

static void init(struct lw_eoi *e, uint32_t vcpu)
{
	struct vcpu *v = &e->vcpu[vcpu];

	/* What `armed` would have had all along need not be kicked in. */
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		atomic_fetch_or(&v->set[w], v->let_go[w]);
		v->let_go[w] = v->would[w] = v->unloaded[w] = 0;
	}
	v->outstanding = 0;
	lw_armed_init(e, vcpu);
}

/* What was let go before the guest began to suppress has an EOI, past or to come, that no longer
 * tells anybody: it ends here. And what was EOI'd while it suppressed waits for the EOI register,
 * however the LAPIC looks when it has stopped. */
static void broadcast(struct lw_eoi *e, uint32_t vcpu, bool suppressed)
{
	for (uint32_t vector = LW_FIRST_VECTOR; vector < 256; vector++) {
		uint8_t v = (uint8_t)vector;

		if (!e->env->in_flight(e->ctx, vcpu, v))
			continue;
		if (suppressed && !LW_LEFT_OUT(LW_RULE_END_DOUBT))
			e->env->finish(e->ctx, vcpu, v);
		else if (!suppressed && !e->env->holds(e->ctx, vcpu, v) &&
			 !LW_LEFT_OUT(LW_RULE_KEEP_SUPPRESSED))
			e->env->keep(e->ctx, vcpu, v);
	}
	lw_armed_broadcast(e, vcpu, suppressed);
}

const struct policy lw_policy_lazy = {
	.name = "lazy",
	.route = lw_armed_route,
	.deliver = deliver,
	.ended = ended,
	.fell = fell,
	.recall = recall,
	.found = found,
	.closed = closed,
	.init = init,
	.broadcast = broadcast,
};
