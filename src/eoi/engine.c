/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <string.h>

#define MAX_VCPUS 65536u

static const struct policy *const policies[LW_EOI_POLICIES] = {
	[LW_EOI_STATIC] = &lw_policy_static,     [LW_EOI_SCAN] = &lw_policy_scan,
	[LW_EOI_TRACK_V4] = &lw_policy_track_v4, [LW_EOI_TRACK] = &lw_policy_track,
	[LW_EOI_ARMED] = &lw_policy_armed,       [LW_EOI_LAZY] = &lw_policy_lazy,
};

size_t lw_eoi_size(uint32_t nvcpus)
{
	if (!nvcpus || nvcpus > MAX_VCPUS)
		return 0;
	return sizeof(struct lw_eoi) + nvcpus * sizeof(struct vcpu);
}

static bool env_is_whole(const struct lw_eoi_env *v)
{
	return v && v->lock && v->unlock && v->holds && v->publish && v->kick && v->owned &&
	       v->suppresses && v->scan && v->targets && v->routed && v->in_flight && v->release &&
	       v->finish && v->keep && v->gone && v->there;
}

int lw_eoi_init(struct lw_eoi *storage, const struct lw_eoi_config *config)
{
	if (!storage || (uintptr_t)storage % LW_EOI_ALIGN || !config ||
	    !lw_eoi_size(config->nvcpus) || (unsigned)config->policy >= LW_EOI_POLICIES ||
	    config->flags & ~(LW_EOI_HARDWARE | LW_EOI_IN_KERNEL) || !env_is_whole(config->env))
		return -EINVAL;
	memset(storage, 0, lw_eoi_size(config->nvcpus));
	storage->policy = policies[config->policy];
	storage->env = config->env;
	storage->ctx = config->ctx;
	storage->flags = config->flags;
	storage->nvcpus = config->nvcpus;
	for (uint32_t n = 0; n < config->nvcpus; n++)
		storage->vcpu[n].last_pending = storage->policy->no_record;
	return 0;
}

const char *lw_eoi_policy_name(enum lw_eoi_policy policy)
{
	return (unsigned)policy < LW_EOI_POLICIES ? policies[policy]->name : NULL;
}

enum lw_eoi_policy lw_eoi_policy_of(const struct lw_eoi *e)
{
	int n = 0;

	while (policies[n] != e->policy)
		n++;
	return (enum lw_eoi_policy)n;
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

int lw_eoi_policy_by_name(const char *name)
{
	for (int n = 0; name && n < LW_EOI_POLICIES; n++)
		if (equal(name, policies[n]->name))
			return n;
	return -EINVAL;
}

/* ---- sets ---- */

static bool test(const _Atomic uint64_t *set, uint8_t vector)
{
	return (atomic_load(&set[vector >> 6]) & lw_bit(vector)) != 0;
}

void lw_eoi_add(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	_Atomic uint64_t *set = e->vcpu[vcpu].set;

	if (!test(set, vector))
		atomic_fetch_or(&set[vector >> 6], lw_bit(vector));
}

void lw_eoi_del(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	_Atomic uint64_t *set = e->vcpu[vcpu].set;

	if (test(set, vector))
		atomic_fetch_and(&set[vector >> 6], ~lw_bit(vector));
}

bool lw_eoi_in_set(const struct lw_eoi *e, uint32_t vcpu, uint8_t vector, bool loaded)
{
	if (vcpu >= e->nvcpus)
		return false;
	return test(loaded && e->flags & LW_EOI_HARDWARE ? e->vcpu[vcpu].loaded : e->vcpu[vcpu].set,
		    vector);
}

void lw_eoi_bitmap(const struct lw_eoi *e, uint32_t vcpu, uint64_t bitmap[4])
{
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		bitmap[w] = vcpu < e->nvcpus ? atomic_load(&e->vcpu[vcpu].loaded[w]) : 0;
}

static bool is_loaded(const struct lw_eoi *e, const struct vcpu *v)
{
	for (uint32_t w = 0; e->flags & LW_EOI_HARDWARE && w < LW_SET_WORDS; w++)
		if (atomic_load(&v->loaded[w]) != atomic_load(&v->set[w]))
			return false;
	return true;
}

static void load(struct lw_eoi *e, struct vcpu *v)
{
	if (is_loaded(e, v))
		return;
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		uint64_t set = atomic_load(&v->set[w]);
		uint64_t before = atomic_exchange(&v->loaded[w], set);

		atomic_fetch_or(&v->dark[w], before & ~set);
	}
	atomic_fetch_add_explicit(&v->reloads, 1, memory_order_relaxed);
}

bool lw_eoi_is_dark(const struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	return !(e->flags & LW_EOI_HARDWARE) || test(e->vcpu[vcpu].dark, vector);
}

void lw_eoi_darken(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	_Atomic uint64_t *dark = &e->vcpu[vcpu].dark[vector >> 6];

	/* First clear, then look: the owner may take it out of `loaded` at any moment. */
	atomic_fetch_and(dark, ~lw_bit(vector));
	if (!test(e->vcpu[vcpu].loaded, vector))
		atomic_fetch_or(dark, lw_bit(vector));
	lw_eoi_del(e, vcpu, vector);
}

/* ---- work for the owner ---- */

/* A vCPU that is out of guest mode is woken rather than kicked where the work can't wait for its
 * next natural entry: it may be halted. */
bool lw_eoi_request(struct lw_eoi *e, uint32_t vcpu, uint32_t request)
{
	struct vcpu *v = &e->vcpu[vcpu];
	uint32_t mode = IN_GUEST;

	atomic_fetch_or(&v->requests, request);
	if (atomic_compare_exchange_strong(&v->mode, &mode, LEAVING)) {
		e->env->kick(e->ctx, vcpu);
		return true;
	}
	if (mode == OUT && request != REQUEST_SCAN && !LW_LEFT_OUT(LW_RULE_WAKE))
		e->env->kick(e->ctx, vcpu);
	return false;
}

static void see(void *arg, const struct lw_scanned *route)
{
	struct scan *scan = arg;

	scan->eoi->counters.routes_scanned++;
	scan->eoi->policy->see(scan, route);
}

static void rebuild(struct lw_eoi *e, uint32_t vcpu)
{
	uint64_t set[LW_SET_WORDS] = {0};
	struct scan scan = {.eoi = e, .vcpu = vcpu, .set = set};

	if (e->policy->begin)
		e->policy->begin(e, vcpu);
	e->env->scan(e->ctx, vcpu, see, &scan);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		atomic_store(&e->vcpu[vcpu].set[w], set[w]);
}

static void publish_handed(struct lw_eoi *e, uint32_t vcpu)
{
	uint64_t *handed = e->vcpu[vcpu].handed;

	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		for (; handed[w]; handed[w] &= handed[w] - 1)
			e->env->publish(e->ctx, vcpu, (uint8_t)(w * 64u + lw_word_low(handed[w])));
}

/* Where the guest takes interrupts and EOIs through software, a redelivery owes a notification
 * under any policy, and the kick that asked rode on it: it counts only if nothing follows. */
static void answer(struct lw_eoi *e, uint32_t vcpu, uint8_t vector)
{
	struct vcpu *v = &e->vcpu[vcpu];
	bool there = e->env->holds(e->ctx, vcpu, vector);
	bool kicked = lw_set_test(v->ask_kicked, vector) && (there || e->flags & LW_EOI_HARDWARE);

	e->counters.kicks_arm += kicked;
	e->policy->found(e, vcpu, vector, there, kicked);
	if (there) {
		/* Let go once more since it was asked after; and not there by an MSI alone. */
		if (e->env->in_flight(e->ctx, vcpu, vector) && !e->env->suppresses(e->ctx, vcpu))
			lw_eoi_add(e, vcpu, vector);
		e->env->there(e->ctx, vcpu, vector);
	} else {
		if (!e->env->routed(e->ctx, vcpu, vector))
			lw_eoi_del(e, vcpu, vector);
		e->env->gone(e->ctx, vcpu, vector);
	}
	lw_set_del(v->ask_kicked, vector);
}

/* Owner, out of guest mode. The order is the rule: load, then publish, then look. */
static void serve(struct lw_eoi *e, uint32_t vcpu)
{
	struct vcpu *v = &e->vcpu[vcpu];
	uint32_t requests;

	e->env->lock(e->ctx);
	requests = atomic_exchange(&v->requests, 0);
	if (requests & REQUEST_SCAN)
		rebuild(e, vcpu);
	load(e, v);
	publish_handed(e, vcpu);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		uint64_t asked = v->asked[w];

		v->asked[w] = 0;
		for (; asked; asked &= asked - 1)
			answer(e, vcpu, (uint8_t)(w * 64u + lw_word_low(asked)));
	}
	e->env->unlock(e->ctx);
}

/*
 * A poster adds its bit to the set, then looks at the mode and at what is loaded; the owner loads,
 * then says that it is in guest mode, then looks at the set again. One of the two sees the other.
 */
static void enter(void *eoi, uint32_t vcpu)
{
	struct lw_eoi *e = eoi;
	struct vcpu *v = &e->vcpu[vcpu];

	for (;;) {
		if (atomic_load(&v->requests))
			serve(e, vcpu);
		load(e, v);
		atomic_store(&v->mode, IN_GUEST);
		if (!atomic_load(&v->requests) && is_loaded(e, v))
			return;
		atomic_store(&v->mode, OUT);
	}
}

static void leave(void *eoi, uint32_t vcpu)
{
	struct lw_eoi *e = eoi;

	atomic_store(&e->vcpu[vcpu].mode, OUT);
}

static void serve_handed(void *eoi, uint32_t vcpu)
{
	struct lw_eoi *e = eoi;

	if (atomic_load(&e->vcpu[vcpu].requests) & (REQUEST_HAND | REQUEST_ASK))
		serve(e, vcpu);
}

/* ---- the rest of the hooks: count, and pass on ---- */

static void route(void *eoi, const struct lw_msg *before, const struct lw_msg *after)
{
	struct lw_eoi *e = eoi;

	e->policy->route(e, before, after);
}

static enum lw_publish deliver(void *eoi, uint32_t vcpu, uint8_t vector)
{
	struct lw_eoi *e = eoi;

	return e->policy->deliver ? e->policy->deliver(e, vcpu, vector) : LW_PUBLISH_NOW;
}

static bool leaves(void *eoi, uint32_t vcpu, uint8_t vector)
{
	const struct lw_eoi *e = eoi;

	/* Out of guest mode the VMM carries out the EOI, and what is not loaded yet counts too. */
	return lw_eoi_in_set(e, vcpu, vector, true) ||
	       (atomic_load(&e->vcpu[vcpu].mode) == OUT && lw_eoi_in_set(e, vcpu, vector, false));
}

static void ended(void *eoi, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found)
{
	struct lw_eoi *e = eoi;

	if (found == LW_EOI_NECESSARY)
		e->counters.necessary++;
	else if (found == LW_EOI_REDUNDANT)
		e->counters.redundant++;
	else
		e->counters.superfluous++;
	if (e->policy->ended)
		e->policy->ended(e, vcpu, vector, found);
}

static bool fell(void *eoi, uint32_t vcpu, uint8_t vector)
{
	struct lw_eoi *e = eoi;

	return e->policy->fell && e->policy->fell(e, vcpu, vector);
}

static enum lw_recall recall(void *eoi, uint32_t vcpu, uint8_t vector)
{
	struct lw_eoi *e = eoi;

	return e->policy->recall ? e->policy->recall(e, vcpu, vector) : LW_RECALL_THERE;
}

static void closed(void *eoi, uint32_t vcpu, uint8_t vector)
{
	struct lw_eoi *e = eoi;

	if (e->policy->closed)
		e->policy->closed(e, vcpu, vector);
}

static void remap(void *eoi)
{
	struct lw_eoi *e = eoi;

	if (e->policy->remap)
		e->policy->remap(e);
}

static void init(void *eoi, uint32_t vcpu)
{
	struct lw_eoi *e = eoi;

	if (e->policy->init)
		e->policy->init(e, vcpu);
}

static void broadcast(void *eoi, uint32_t vcpu, bool suppressed)
{
	struct lw_eoi *e = eoi;

	if (e->policy->broadcast)
		e->policy->broadcast(e, vcpu, suppressed);
}

const struct lw_eoi_hooks *lw_eoi_hooks(void)
{
	static const struct lw_eoi_hooks hooks = {
		.route = route,
		.deliver = deliver,
		.leaves = leaves,
		.ended = ended,
		.fell = fell,
		.recall = recall,
		.closed = closed,
		.enter = enter,
		.exit = leave,
		.serve = serve_handed,
		.remap = remap,
		.init = init,
		.broadcast = broadcast,
		.save = lw_eoi_hook_save,
		.restore = lw_eoi_hook_restore,
	};

	return &hooks;
}

struct lw_eoi_counters lw_eoi_counters(const struct lw_eoi *e)
{
	struct lw_eoi_counters sum = e->counters;

	for (uint32_t n = 0; n < e->nvcpus; n++)
		sum.reloads += atomic_load_explicit(&e->vcpu[n].reloads, memory_order_relaxed);
	return sum;
}
