/* SPDX-License-Identifier: MIT */
/*
 * The timer (SDM 11.5.4). Nothing here counts: a running timer is the instant at which it expires,
 * and the current count is computed from it. The owner says what time it is.
 *
 * A 32-bit count times a divisor of at most 128 takes 39 bits, and the ratio's terms 24 each, so
 * that their products fit in 64.
 */
#include <errno.h>
#include <lapwing/snapshot.h>

#include "lapic_priv.h"
#include "snapshot.h"

#define NS_PER_MS 1000000u

static uint64_t later(uint64_t ns, uint64_t by)
{
	return by > UINT64_MAX - ns ? UINT64_MAX : ns + by;
}

/* Timer counts are bus ticks divided by 1, 2, 4 … 128; 0 means 2, and 7 means 1 (figure 11-10). */
static uint32_t divide_shift(const struct lw_lapic *l)
{
	uint32_t dcr = l->own.timer.dcr;

	return (((dcr & 3u) | (dcr >> 1 & 4u)) + 1u) & 7u;
}

static uint64_t count_to_ns(const struct lw_lapic *l, uint32_t count)
{
	const struct timer *t = &l->own.timer;
	uint64_t ns = ((uint64_t)count << divide_shift(l)) * t->clock.bus_ns / t->clock.bus_ticks;

	return ns ? ns : 1;
}

static uint32_t ns_to_count(const struct lw_lapic *l, uint64_t ns)
{
	const struct timer *t = &l->own.timer;
	uint64_t unit = (uint64_t)t->clock.bus_ns << divide_shift(l);
	uint64_t count = (ns * t->clock.bus_ticks + unit - 1) / unit;

	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

static uint32_t mode(const struct lw_lapic *l)
{
	return LVT_TIMER_MODE(l->own.lvt[LVT_TIMER]);
}

/* It expires then; 0: it does not run. */
static void aim(struct lw_lapic *l, uint64_t expiry)
{
	if (l->own.timer.expiry == expiry)
		return;
	l->own.timer.expiry = expiry;
	if (l->ops->deadline)
		l->ops->deadline(l->ctx, l->vcpu, expiry);
}

void lw_lapic_stop_timer(struct lw_lapic *l)
{
	l->own.timer.tmict = 0;
	l->own.timer.deadline_tsc = 0;
	aim(l, 0);
}

/* However many periods have passed, they make one interrupt and one division (CVE-2025-71104). */
static uint64_t next_period(const struct lw_lapic *l)
{
	const struct timer *t = &l->own.timer;
	uint64_t period = count_to_ns(l, t->tmict);

	return later(t->now - (t->now - t->expiry) % period, period);
}

/* What has expired by now. */
static void expire(struct lw_lapic *l)
{
	struct timer *t = &l->own.timer;

	if (!t->expiry || t->expiry > t->now)
		return;
	t->deadline_tsc = 0;
	aim(l, mode(l) == TIMER_PERIODIC ? next_period(l) : 0);
	lw_lapic_fire(l, LVT_TIMER);
}

void lw_lapic_time(struct lw_lapic *l, uint64_t now_ns)
{
	if (now_ns > l->own.timer.now)
		l->own.timer.now = now_ns;
	expire(l);
}

uint64_t lw_lapic_deadline(const struct lw_lapic *l)
{
	return l->own.timer.expiry;
}

/* ---- one-shot and periodic ---- */

static bool counts(const struct lw_lapic *l)
{
	return mode(l) == TIMER_ONE_SHOT || mode(l) == TIMER_PERIODIC;
}

void lw_lapic_write_tmict(struct lw_lapic *l, uint32_t value)
{
	struct timer *t = &l->own.timer;

	if (!counts(l))
		return;
	t->tmict = value;
	aim(l, value ? later(t->now, count_to_ns(l, value)) : 0);
}

uint32_t lw_lapic_tmcct(const struct lw_lapic *l)
{
	const struct timer *t = &l->own.timer;

	return counts(l) && t->expiry > t->now ? ns_to_count(l, t->expiry - t->now) : 0;
}

/* A periodic one that is at its end begins anew. */
void lw_lapic_resume_count(struct lw_lapic *l, uint32_t tmict, uint32_t left)
{
	struct timer *t = &l->own.timer;

	if (!counts(l))
		return;
	t->tmict = tmict;
	if (left > tmict || (!left && mode(l) == TIMER_PERIODIC))
		left = tmict;
	aim(l, left ? later(t->now, count_to_ns(l, left)) : 0);
}

/* What is left of the present count is counted at the new pace. */
void lw_lapic_write_dcr(struct lw_lapic *l, uint32_t value)
{
	struct timer *t = &l->own.timer;
	uint32_t left = lw_lapic_tmcct(l);

	t->dcr = value;
	if (left)
		aim(l, later(t->now, count_to_ns(l, left)));
}

/* TSC-deadline mode is another timer: going there or leaving stops the one that was (11.5.4.1). */
void lw_lapic_timer_mode(struct lw_lapic *l, uint32_t before)
{
	uint32_t old = LVT_TIMER_MODE(before), now = mode(l);

	if (old != now && (old > TIMER_PERIODIC || now > TIMER_PERIODIC))
		lw_lapic_stop_timer(l);
}

/* ---- TSC-deadline ---- */

/* When the TSC is there, rounded up; long past or hardly ever where 64 bits don't hold it. */
static uint64_t tsc_to_ns(const struct timer *t, uint64_t tsc)
{
	uint64_t ticks = tsc - t->base_tsc, ms, rest;

	if (tsc <= t->base_tsc)
		return t->base_ns;
	ms = ticks / t->clock.tsc_khz;
	rest = (ticks % t->clock.tsc_khz * NS_PER_MS + t->clock.tsc_khz - 1) / t->clock.tsc_khz;
	if (ms > UINT64_MAX / NS_PER_MS)
		return UINT64_MAX;
	return later(later(t->base_ns, ms * NS_PER_MS), rest);
}

static void aim_at_tsc(struct lw_lapic *l)
{
	const struct timer *t = &l->own.timer;
	uint64_t at = tsc_to_ns(t, t->deadline_tsc);

	aim(l, at ? at : 1);
	expire(l);
}

void lw_lapic_set_tsc(struct lw_lapic *l, uint64_t tsc)
{
	struct timer *t = &l->own.timer;

	t->base_tsc = tsc;
	t->base_ns = t->now;
	if (t->deadline_tsc)
		aim_at_tsc(l);
}

void lw_lapic_write_tsc_deadline(struct lw_lapic *l, uint64_t tsc)
{
	if (mode(l) != TIMER_TSC_DEADLINE)
		return;
	l->own.timer.deadline_tsc = tsc;
	if (tsc)
		aim_at_tsc(l);
	else
		aim(l, 0);
}

uint64_t lw_lapic_tsc_deadline(const struct lw_lapic *l)
{
	return l->own.timer.deadline_tsc;
}

/* ---- another clock ---- */

static bool can_shift(const struct timer *t, int64_t delta)
{
	return delta < 0 ? t->now >= -(uint64_t)delta : t->now <= UINT64_MAX - (uint64_t)delta;
}

bool lw_lapic_can_shift(const struct lw_lapic *l, int64_t delta_ns)
{
	return can_shift(&l->own.timer, delta_ns);
}

/* The same line through an instant that stays positive. */
static void rebase_tsc(struct timer *t)
{
	uint64_t ns = t->now - t->base_ns;

	t->base_tsc +=
		ns / NS_PER_MS * t->clock.tsc_khz + ns % NS_PER_MS * t->clock.tsc_khz / NS_PER_MS;
	t->base_ns = t->now;
}

/* One that is cut off is never, and stays so. */
static uint64_t shifted(uint64_t instant, int64_t delta_ns)
{
	if (delta_ns >= 0)
		return later(instant, (uint64_t)delta_ns);
	return instant == UINT64_MAX ? instant : instant + (uint64_t)delta_ns;
}

int lw_lapic_shift_time(struct lw_lapic *l, int64_t delta_ns)
{
	struct timer *t = &l->own.timer;
	uint64_t delta = (uint64_t)delta_ns; /* modulo 2^64 */

	if (!can_shift(t, delta_ns))
		return -EINVAL;
	if (delta_ns < 0 && t->base_ns < -delta)
		rebase_tsc(t);
	t->now += delta;
	t->base_ns += delta;
	if (t->expiry)
		aim(l, shifted(t->expiry, delta_ns));
	return 0;
}
