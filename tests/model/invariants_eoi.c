/* SPDX-License-Identifier: MIT */
#include "model/invariants.h"

#include "eoi/engine.h"

struct look {
	const struct lw_eoi *eoi;
	struct broken *why;
	uint32_t vcpu;
};

static bool breaks(const struct look *l, const char *rule)
{
	*l->why = (struct broken){.rule = rule, .vcpu = l->vcpu};
	return false;
}

#define must(held, rule)                        \
	do {                                    \
		if (!(held))                    \
			return breaks(l, rule); \
	} while (0)

static bool is_policy(const struct policy *p)
{
	return p == &lw_policy_static || p == &lw_policy_scan || p == &lw_policy_track_v4 ||
	       p == &lw_policy_track || p == &lw_policy_armed || p == &lw_policy_lazy;
}

static bool configuration_holds(const struct look *l)
{
	must(is_policy(l->eoi->policy), "the policy is one of the six");
	must(!(l->eoi->flags & ~(LW_EOI_HARDWARE | LW_EOI_IN_KERNEL)), "there are two flags");
	must(lw_eoi_size(l->eoi->nvcpus), "there are vCPUs, and not too many");
	return true;
}

/* What is asked of an owner is what his policy can do. */
static bool requests_hold(const struct look *l, const struct vcpu *v)
{
	const struct policy *p = l->eoi->policy;
	uint32_t requests = atomic_load(&v->requests);

	must(!(requests & ~(uint32_t)REQUEST_ALL), "there are three requests");
	must(!(requests & REQUEST_SCAN) || p->see, "who scans can");
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		must(!v->handed[w] || requests & REQUEST_HAND, "what is handed over is served");
		must(!v->asked[w] || requests & REQUEST_ASK, "what is asked is answered");
		must(!v->asked[w] || p->found, "who is asked can answer");
		must(!(v->ask_kicked[w] & ~v->asked[w]), "who was kicked was asked");
	}
	return true;
}

static bool vcpu_holds(const struct look *l, const struct vcpu *v)
{
	int outstanding = 0;

	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		outstanding += __builtin_popcountll(v->let_go[w]);
	must(outstanding == v->outstanding, "what was let go is counted");
	must(v->balance >= -LW_CREDIT_KEPT && v->balance <= LW_CREDIT_KEPT,
	     "the past counts for so much and no more");
	must(atomic_load(&v->mode) <= LEAVING, "a vCPU is out, in the guest, or leaving");
	must(v->last_pending >= -1 && v->last_pending < 256, "what is tracked is a vector");
	return requests_hold(l, v);
}

bool lw_eoi_holds(const struct lw_eoi *eoi, struct broken *why)
{
	struct look look = {.eoi = eoi, .why = why};

	if (!configuration_holds(&look))
		return false;
	for (; look.vcpu < eoi->nvcpus; look.vcpu++)
		if (!vcpu_holds(&look, &eoi->vcpu[look.vcpu]))
			return false;
	return true;
}
