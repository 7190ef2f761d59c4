/* SPDX-License-Identifier: MIT */
/* Many devices, and affinities that never rest. */
#include <string.h>

#include "machine/scenario.h"

#define FIRST_VECTOR 0x30u
#define VECTORS      0x20u /* few, so that freed ones are soon taken again */
#define MAX_DEVICES  48u
#define MAX_CPUS     64u

/* ---- irqbalance ---- */

struct device {
	bool level;
	uint32_t gsi; /* of a level one */
	uint32_t vcpu;
	uint8_t vector;
};

struct guest {
	struct machine *m;
	uint32_t vcpus, devices;
	struct device device[MAX_DEVICES];
	bool used[MAX_CPUS][VECTORS];
};

/* Like Linux's matrix allocator as far as it matters here: the lowest free vector of the CPU. */
static bool allocate(struct guest *g, uint32_t vcpu, uint8_t *vector)
{
	for (uint32_t n = 0; n < VECTORS; n++) {
		if (g->used[vcpu][n])
			continue;
		g->used[vcpu][n] = true;
		*vector = (uint8_t)(FIRST_VECTOR + n);
		return true;
	}
	return false;
}

static void release(struct guest *g, uint32_t vcpu, uint8_t vector)
{
	g->used[vcpu][vector - FIRST_VECTOR] = false;
}

/* A new CPU and a vector there, written by `by`. The old vector is free once the device has moved.
 */
static void move(struct guest *g, struct device *d, uint32_t by)
{
	uint32_t to = m_below(g->m, g->vcpus), from = d->vcpu;
	uint8_t vector, old = d->vector;

	if (!allocate(g, to, &vector))
		return;
	d->vcpu = to;
	d->vector = vector;
	if (d->level) {
		m_enter(g->m, by);
		m_rte(g->m, by, d->gsi, g->m->first, m_route(to, vector, M_LEVEL));
	}
	release(g, from, old);
}

static void write_low(struct guest *g, const struct device *d, uint32_t by, uint64_t flags)
{
	m_rte_half(g->m, by, d->gsi, M_LOW, m_route(d->vcpu, d->vector, M_LEVEL | flags));
}

/* The end of a level interrupt that is to be moved, as Linux has it: masked before the EOI, and
 * moved after it unless remote IRR says that the next one is already in flight. */
static void end_and_move(struct guest *g, struct device *d, uint32_t vcpu)
{
	write_low(g, d, vcpu, M_MASKED);
	m_eoi(g->m, vcpu);
	if (m_rte_read(g->m, vcpu, d->gsi) & LW_RTE_REMOTE_IRR)
		write_low(g, d, vcpu, 0);
	else
		move(g, d, vcpu);
}

/* The handler: a level device drops its line in an exit of this vCPU, or by its own thread. */
static void serve(struct guest *g, struct device *d, uint32_t vcpu, bool move_it)
{
	if (d->level) {
		bool own = m_below(g->m, 2);

		if (own)
			m_exit(g->m, vcpu);
		m_line(g->m, d->gsi, 0, false);
		if (own)
			m_enter(g->m, vcpu);
	}
	if (d->level && move_it) {
		end_and_move(g, d, vcpu);
		return;
	}
	m_eoi(g->m, vcpu);
	if (move_it)
		move(g, d, vcpu);
}

static void setup(struct guest *g, struct machine *m)
{
	memset(g, 0, sizeof(*g));
	g->m = m;
	g->vcpus = m->config.vcpus < MAX_CPUS ? m->config.vcpus : MAX_CPUS;
	g->devices = 16;
	for (uint32_t n = 0; n < g->devices; n++) {
		struct device *d = &g->device[n];

		d->level = n % 2 == 0;
		d->gsi = 16 + n / 2 % (m->truth.pins - 16);
		d->vcpu = n % g->vcpus;
		allocate(g, d->vcpu, &d->vector);
		if (d->level)
			m_rte(m, 0, d->gsi, m->first, m_route(d->vcpu, d->vector, M_LEVEL));
	}
	for (uint32_t n = 0; n < g->vcpus; n++)
		m_enter(m, n);
}

static void move_another(struct guest *g, const struct device *served)
{
	struct device *d = &g->device[m_below(g->m, g->devices)];

	if (d != served)
		move(g, d, m_below(g->m, g->vcpus));
}

void scenario_irqbalance(struct machine *m, const struct scenario_params *p)
{
	struct guest g;

	setup(&g, m);
	for (uint64_t n = 0; n < p->count; n++) {
		struct device *d = &g.device[m_below(m, g.devices)];
		uint32_t vcpu = d->vcpu;

		if (d->level)
			m_line(m, d->gsi, 0, true);
		else
			m_msi(m, vcpu, d->vector);
		if (m_below(m, 8) ==
		    0) /* another one, which is idle, moves while this one is served */
			move_another(&g, d);
		if (m_take(m, vcpu) >= 0)
			serve(&g, d, vcpu, m_below(m, 4) == 0);
		if (m_below(m, 2)) /* nothing more to do */
			m_halt(m, vcpu);
	}
}

/* ---- wide ---- */

/* Level pins all over, each moved to another vCPU, delivered there, moved on. All but every
 * sixteenth vCPU is in guest mode; the vCPU that moves them is vCPU 0. */
void scenario_wide(struct machine *m, const struct scenario_params *p)
{
	uint32_t vcpus = m->config.vcpus, pins = m->truth.pins;
	uint64_t moves = p->count / 128 + 8; /* a scan of all for all is slow */

	for (uint32_t gsi = 0; gsi < pins; gsi++)
		m_rte(m, 0, gsi, m->first,
		      m_route(gsi % vcpus, (uint8_t)(FIRST_VECTOR + gsi / vcpus % 16), M_LEVEL));
	for (uint32_t n = 0; n < vcpus; n++)
		if (n % 16)
			m_enter(m, n);
	m_enter(m, 0);
	for (uint64_t n = 0; n < moves; n++) {
		uint32_t gsi = m_below(m, pins), to = m_below(m, vcpus);
		uint8_t vector = (uint8_t)(FIRST_VECTOR + 16 + n % 64);

		m_rte(m, 0, gsi, m->first, m_route(to, vector, M_LEVEL));
		m_line(m, gsi, 0, true);
		if (m_take(m, to) < 0)
			continue;
		m_exit(m, to);
		m_line(m, gsi, 0, false);
		m_enter(m, to);
		m_eoi(m, to);
	}
}
