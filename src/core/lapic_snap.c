/* SPDX-License-Identifier: MIT */
/* A LAPIC's state as bytes. */
#include <string.h>

#include "lapic_priv.h"
#include "snapshot.h"

#define BELOW_FIRST (lw_bit(LW_FIRST_VECTOR) - 1u)

/* ---- what can be ---- */

static bool are_vectors(const uint64_t set[LW_SET_WORDS])
{
	return !(set[0] & BELOW_FIRST);
}

static bool registers_can_be(const struct lw_lapic_image *i)
{
	const struct owned *o = &i->own;

	return !(i->svr & ~lw_lapic_writable(LW_LAPIC_SVR)) &&
	       !(i->ldr & ~lw_lapic_writable(LW_LAPIC_LDR)) &&
	       !(~i->dfr & ~lw_lapic_writable(LW_LAPIC_DFR)) && o->tpr <= 0xff &&
	       !((i->errors | o->esr | o->raised) & ~ESR_ALL) && !(o->icr & ~LW_ICR_WRITABLE) &&
	       (i->mode == LW_LAPIC_X2APIC || !(o->dest & ~lw_lapic_writable(LW_LAPIC_ICR2))) &&
	       are_vectors(o->irr) && are_vectors(o->isr) && are_vectors(o->tmr) &&
	       o->threshold < 16;
}

/* Whoever posts marks the word, and owes a kick. */
static bool posted_can_be(const struct lw_lapic_image *i)
{
	for (uint32_t w = 0; w < POSTED_WORDS; w++)
		if (i->posted[w] && (i->idle || !(i->dirty >> w & 1u)))
			return false;
	return i->idle <= 1 && i->dirty < 2u * DIRTY_ERRORS && are_vectors(i->posted) &&
	       are_vectors(i->posted + LW_SET_WORDS);
}

static bool mode_can_be(const struct lw_lapic_image *i)
{
	if (i->mode > LW_LAPIC_X2APIC || !lw_lapic_base_can_be(&i->own))
		return false;
	if (i->mode == LW_LAPIC_DISABLED)
		return !(i->svr & LW_SVR_ENABLE) && lw_map_empty(i->posted, POSTED_WORDS) &&
		       lw_map_empty(i->own.irr, LW_SET_WORDS) &&
		       lw_map_empty(i->own.isr, LW_SET_WORDS);
	return i->mode == LW_LAPIC_XAPIC || !i->own.xapic_only;
}

static bool lvts_can_be(const struct lw_lapic_image *i)
{
	const struct owned *o = &i->own;

	for (uint32_t n = 0; n < LVTS; n++) {
		uint32_t known = lw_lapic_writable(LW_LAPIC_LVT_TIMER + 16 * n);

		if (n == LVT_LINT0)
			known |= LVT_REMOTE_IRR;
		if (o->lvt[n] & ~known)
			return false;
		if (!(i->svr & LW_SVR_ENABLE) && !(o->lvt[n] & LVT_MASKED))
			return false;
	}
	return o->lvt[LVT_LINT0] & LVT_REMOTE_IRR ? o->lint_vector >= LW_FIRST_VECTOR
						  : !o->lint_vector;
}

/* One of the two timers at most, and only the one that LVT timer's mode names. */
static bool timer_can_be(const struct lw_lapic_image *i)
{
	const struct timer *t = &i->own.timer;
	uint32_t mode = LVT_TIMER_MODE(i->own.lvt[LVT_TIMER]);

	if (t->dcr & ~lw_lapic_writable(LW_LAPIC_DCR) || t->base_ns > t->now ||
	    (t->expiry && t->expiry <= t->now && t->expiry != UINT64_MAX))
		return false;
	if (mode == TIMER_TSC_DEADLINE)
		return !t->tmict && !t->deadline_tsc == !t->expiry;
	if (t->deadline_tsc)
		return false;
	return t->tmict || !t->expiry;
}

/* ---- the walk ---- */

static void same(struct lw_snap *s, const struct lw_lapic *l)
{
	const struct lw_lapic_clock *clock = &l->own.timer.clock;

	lw_snap_same(s, load(l->shared.id));
	lw_snap_same(s, clock->bus_ns);
	lw_snap_same(s, clock->bus_ticks);
	lw_snap_same(s, clock->tsc_khz);
	lw_snap_same(s, l->own.phys_bits);
	lw_snap_same(s, l->own.xapic_only);
}

static void walk_timer(struct lw_snap *s, struct timer *t)
{
	lw_snap_u64(s, &t->now);
	lw_snap_u64(s, &t->expiry);
	lw_snap_u64(s, &t->deadline_tsc);
	lw_snap_u64(s, &t->base_tsc);
	lw_snap_u64(s, &t->base_ns);
	lw_snap_u32(s, &t->tmict);
	lw_snap_u32(s, &t->dcr);
}

static void walk_owned(struct lw_snap *s, struct owned *o)
{
	lw_snap_u64s(s, o->irr, LW_SET_WORDS);
	lw_snap_u64s(s, o->isr, LW_SET_WORDS);
	lw_snap_u64s(s, o->tmr, LW_SET_WORDS);
	lw_snap_u32(s, &o->tpr);
	lw_snap_u32(s, &o->esr);
	lw_snap_u32(s, &o->icr);
	lw_snap_u32(s, &o->dest);
	walk_timer(s, &o->timer);
	for (uint32_t n = 0; n < LVTS; n++)
		lw_snap_u32(s, &o->lvt[n]);
	lw_snap_u32(s, &o->threshold);
	lw_snap_u32(s, &o->raised);
	lw_snap_u8(s, &o->lint_vector);
	lw_snap_bool(s, &o->lint[0]);
	lw_snap_bool(s, &o->lint[1]);
	lw_snap_u64(s, &o->base);
}

static void walk_image(struct lw_snap *s, struct lw_lapic_image *i)
{
	lw_snap_u64s(s, i->posted, POSTED_WORDS);
	lw_snap_u32(s, &i->dirty);
	lw_snap_u32(s, &i->idle);
	lw_snap_u32(s, &i->errors);
	lw_snap_u32(s, &i->ldr);
	lw_snap_u32(s, &i->dfr);
	lw_snap_u32(s, &i->svr);
	lw_snap_u32(s, &i->mode);
	walk_owned(s, &i->own);
}

void lw_lapic_copy_out(const struct lw_lapic *l, struct lw_lapic_image *i)
{
	for (uint32_t w = 0; w < POSTED_WORDS; w++)
		i->posted[w] = load(l->shared.posted[w]);
	i->dirty = load(l->shared.dirty);
	i->idle = load(l->shared.idle);
	i->errors = load(l->shared.errors);
	i->ldr = load(l->shared.ldr);
	i->dfr = load(l->shared.dfr);
	i->svr = load(l->shared.svr);
	i->mode = load(l->shared.mode);
	i->own = l->own;
	if (i->mode == LW_LAPIC_DISABLED) { /* a poster may have overlooked that it went off */
		memset(i->posted, 0, sizeof(i->posted));
		memset(i->own.irr, 0, sizeof(i->own.irr));
	}
}

static void copy_in(struct lw_lapic *l, const struct lw_lapic_image *i)
{
	for (uint32_t w = 0; w < POSTED_WORDS; w++)
		store(l->shared.posted[w], i->posted[w]);
	store(l->shared.dirty, i->dirty);
	store(l->shared.idle, i->idle);
	store(l->shared.errors, i->errors);
	store(l->shared.ldr, i->ldr);
	store(l->shared.dfr, i->dfr);
	store(l->shared.mode, i->mode);
	l->own = i->own;
	lw_lapic_set_svr(l, i->svr);
	lw_lapic_listen(l);
	lw_lapic_derive(l);
}

static bool can_be(const struct lw_lapic_image *i)
{
	return registers_can_be(i) && posted_can_be(i) && mode_can_be(i) && lvts_can_be(i) &&
	       timer_can_be(i);
}

void lw_lapic_walk(struct lw_snap *s, void *lapic)
{
	struct lw_lapic *l = lapic;
	struct lw_lapic_image i;

	same(s, l);
	lw_lapic_copy_out(l, &i);
	walk_image(s, &i);
	lw_snap_must(s, can_be(&i));
	if (lw_snap_applies(s))
		copy_in(l, &i);
}

/* ---- the calls ---- */

size_t lw_lapic_save(const struct lw_lapic *l, void *buf, size_t size)
{
	return lw_snap_save(SNAP_LAPIC, lw_lapic_walk, l, buf, size);
}

void lw_lapic_tell_restored(const struct lw_lapic *l)
{
	if (l->ops->deadline)
		l->ops->deadline(l->ctx, l->vcpu, l->own.timer.expiry);
	if (l->ops->threshold)
		l->ops->threshold(l->ctx, l->vcpu, (uint8_t)l->own.threshold);
}

/* Those who derive something from a LAPIC, and are not restored with it. */
static void tell_all(const struct lw_lapic *l, bool suppressed)
{
	lw_lapic_tell_restored(l);
	if (lw_lapic_suppresses(l) != suppressed && l->ops->broadcast)
		l->ops->broadcast(l->ctx, l->vcpu, !suppressed);
	lw_lapic_tell_changed(l);
}

int lw_lapic_restore(struct lw_lapic *l, const void *buf, size_t size)
{
	int err = lw_snap_check(SNAP_LAPIC, lw_lapic_walk, l, buf, size);
	bool suppressed = lw_lapic_suppresses(l);

	if (err)
		return err;
	lw_snap_apply(lw_lapic_walk, l, buf, size);
	tell_all(l, suppressed);
	return 0;
}

int lw_lapic_put(struct lw_lapic *l, const struct lw_lapic_image *i)
{
	bool suppressed = lw_lapic_suppresses(l);

	if (!can_be(i))
		return -EINVAL;
	copy_in(l, i);
	tell_all(l, suppressed);
	return 0;
}
