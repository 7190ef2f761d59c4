/* SPDX-License-Identifier: MIT */
/* The naive LAPIC's timer: in 128 bits, without a thought. */
#include "model/naive_lapic_priv.h"

static uint64_t cut(unsigned __int128 ns)
{
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static uint32_t divisor(const struct naive_lapic *n)
{
	static const uint32_t by[8] = {2, 4, 8, 16, 32, 64, 128, 1}; /* figure 11-10 */

	return by[(n->dcr & 3) + (n->dcr & 8 ? 4 : 0)];
}

static unsigned __int128 duration(const struct naive_lapic *n, uint32_t count)
{
	unsigned __int128 ns = (unsigned __int128)count * divisor(n) * n->config.clock.bus_ns /
			       n->config.clock.bus_ticks;

	return ns ? ns : 1;
}

uint32_t naive_lapic_timer_mode(const struct naive_lapic *n)
{
	return n->lvt[N_TIMER] >> 17 & 3;
}

uint32_t naive_lapic_count(const struct naive_lapic *n)
{
	unsigned __int128 unit = (unsigned __int128)n->config.clock.bus_ns * divisor(n);
	unsigned __int128 left;

	if (naive_lapic_timer_mode(n) > PERIODIC || n->expiry <= n->now)
		return 0;
	left = (unsigned __int128)(n->expiry - n->now) * n->config.clock.bus_ticks;
	left = (left + unit - 1) / unit;
	return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

static void expire(struct naive_lapic *n)
{
	unsigned __int128 period, next;

	if (!n->expiry || n->expiry > n->now)
		return;
	n->deadline_tsc = 0;
	if (naive_lapic_timer_mode(n) == PERIODIC) {
		period = duration(n, n->tmict);
		next = ((n->now - n->expiry) / period + 1) * period + n->expiry;
		n->expiry = cut(next);
	} else {
		n->expiry = 0;
	}
	naive_lapic_fire(n, N_TIMER, false);
}

void naive_lapic_stop(struct naive_lapic *n)
{
	n->tmict = 0;
	n->deadline_tsc = n->expiry = 0;
}

void naive_lapic_write_tmict(struct naive_lapic *n, uint32_t value)
{
	if (naive_lapic_timer_mode(n) > PERIODIC)
		return;
	n->tmict = value;
	n->expiry = value ? cut(n->now + duration(n, value)) : 0;
}

void naive_lapic_write_dcr(struct naive_lapic *n, uint32_t value)
{
	uint32_t left = naive_lapic_count(n);

	n->dcr = value;
	if (left)
		n->expiry = cut(n->now + duration(n, left));
}

void naive_lapic_time(struct naive_lapic *n, uint64_t now_ns)
{
	if (now_ns > n->now)
		n->now = now_ns;
	expire(n);
}

static void aim_at_tsc(struct naive_lapic *n)
{
	unsigned __int128 ns = n->base_ns, ticks = 0;

	if (n->deadline_tsc > n->base_tsc)
		ticks = n->deadline_tsc - n->base_tsc;
	ns += (ticks * 1000000 + n->config.clock.tsc_khz - 1) / n->config.clock.tsc_khz;
	n->expiry = ns ? cut(ns) : 1;
	expire(n);
}

void naive_lapic_set_tsc(struct naive_lapic *n, uint64_t tsc)
{
	n->base_tsc = tsc;
	n->base_ns = n->now;
	if (n->deadline_tsc)
		aim_at_tsc(n);
}

void naive_lapic_write_tsc_deadline(struct naive_lapic *n, uint64_t tsc)
{
	if (naive_lapic_timer_mode(n) != TSC_DEADLINE)
		return;
	n->deadline_tsc = tsc;
	n->expiry = 0;
	if (tsc)
		aim_at_tsc(n);
}
