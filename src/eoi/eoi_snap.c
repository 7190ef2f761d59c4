/* SPDX-License-Identifier: MIT */
/* The engine's state as bytes. */
#include "core/snapshot.h"
#include "engine.h"

enum { SET, LOADED, DARK, HANDED, ASKED, ASK_KICKED, LET_GO, WOULD, UNLOADED, SETS };

/* `struct vcpu` as plain words, without its counter. */
struct image {
	uint64_t sets[SETS][LW_SET_WORDS];
	uint32_t mode, requests, balance, last_pending;
};

static void copy_out(const struct vcpu *v, struct image *i)
{
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		i->sets[SET][w] = atomic_load(&v->set[w]);
		i->sets[LOADED][w] = atomic_load(&v->loaded[w]);
		i->sets[DARK][w] = atomic_load(&v->dark[w]);
		i->sets[HANDED][w] = v->handed[w];
		i->sets[ASKED][w] = v->asked[w];
		i->sets[ASK_KICKED][w] = v->ask_kicked[w];
		i->sets[LET_GO][w] = v->let_go[w];
		i->sets[WOULD][w] = v->would[w];
		i->sets[UNLOADED][w] = v->unloaded[w];
	}
	i->mode = atomic_load(&v->mode);
	i->requests = atomic_load(&v->requests);
	i->balance = (uint32_t)v->balance;
	i->last_pending = (uint32_t)v->last_pending;
}

static void copy_in(struct vcpu *v, const struct image *i)
{
	v->outstanding = 0;
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		atomic_store(&v->set[w], i->sets[SET][w]);
		atomic_store(&v->loaded[w], i->sets[LOADED][w]);
		atomic_store(&v->dark[w], i->sets[DARK][w]);
		v->handed[w] = i->sets[HANDED][w];
		v->asked[w] = i->sets[ASKED][w];
		v->ask_kicked[w] = i->sets[ASK_KICKED][w];
		v->let_go[w] = i->sets[LET_GO][w];
		v->would[w] = i->sets[WOULD][w];
		v->unloaded[w] = i->sets[UNLOADED][w];
		for (uint64_t left = v->let_go[w]; left; left &= left - 1)
			v->outstanding++;
	}
	atomic_store(&v->mode, i->mode);
	atomic_store(&v->requests, i->requests);
	v->balance = (int)i->balance;
	v->last_pending = (int)i->last_pending;
}

/* Work that nobody was asked to do would never be done, and some is not for every policy. */
static bool work_can_be(const struct policy *p, const struct image *i)
{
	bool handed = !lw_map_empty(i->sets[HANDED], LW_SET_WORDS);
	bool asked = !lw_map_empty(i->sets[ASKED], LW_SET_WORDS);

	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		if (i->sets[ASK_KICKED][w] & ~i->sets[ASKED][w])
			return false;
	if (i->requests & ~(uint32_t)REQUEST_ALL || (i->requests & REQUEST_SCAN && !p->see))
		return false;
	return (!handed || i->requests & REQUEST_HAND) &&
	       (!asked || (i->requests & REQUEST_ASK && p->found));
}

static bool can_be(const struct policy *p, const struct image *i)
{
	int balance = (int)i->balance, last = (int)i->last_pending;

	return work_can_be(p, i) && i->mode <= LEAVING && balance >= -LW_CREDIT_KEPT &&
	       balance <= LW_CREDIT_KEPT && last >= -1 && last < 256;
}

static void walk_vcpu(struct lw_snap *s, const struct policy *p, struct vcpu *v)
{
	struct image i;

	copy_out(v, &i);
	for (uint32_t n = 0; n < SETS; n++)
		lw_snap_u64s(s, i.sets[n], LW_SET_WORDS);
	lw_snap_u32(s, &i.mode);
	lw_snap_u32(s, &i.requests);
	lw_snap_u32(s, &i.balance);
	lw_snap_u32(s, &i.last_pending);
	lw_snap_must(s, can_be(p, &i));
	if (lw_snap_applies(s))
		copy_in(v, &i);
}

static void walk(struct lw_snap *s, void *eoi)
{
	struct lw_eoi *e = eoi;

	lw_snap_same(s, lw_eoi_policy_of(e));
	lw_snap_same(s, e->flags);
	lw_snap_same(s, e->nvcpus);
	for (uint32_t n = 0; n < e->nvcpus; n++)
		walk_vcpu(s, e->policy, &e->vcpu[n]);
}

size_t lw_eoi_hook_save(const void *eoi, void *buf, size_t size)
{
	return lw_snap_save(SNAP_EOI, walk, eoi, buf, size);
}

int lw_eoi_hook_restore(void *eoi, const void *buf, size_t size, bool apply)
{
	if (!apply)
		return lw_snap_check(SNAP_EOI, walk, eoi, buf, size);
	lw_snap_apply(walk, eoi, buf, size);
	return 0;
}

size_t lw_eoi_save(const struct lw_eoi *e, void *buf, size_t size)
{
	return lw_eoi_hook_save(e, buf, size);
}

int lw_eoi_restore(struct lw_eoi *e, const void *buf, size_t size)
{
	int err = lw_eoi_hook_restore(e, buf, size, false);

	return err ? err : lw_eoi_hook_restore(e, buf, size, true);
}
