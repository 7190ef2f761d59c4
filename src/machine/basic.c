/* SPDX-License-Identifier: MIT */
/* The scenarios that tell the story: one vector, two vCPUs, and a route that changes. */
#include "machine/scenario.h"

#define GSI    16u
#define OTHER  17u
#define VECTOR 0x50

/* N edge interrupts of one vector on one vCPU, each handled before the next. */
static void reuse(struct machine *m, uint32_t vcpu, uint8_t vector, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		m_msi(m, vcpu, vector);
		m_take(m, vcpu);
		m_eoi(m, vcpu);
	}
}

static void start(struct machine *m, uint32_t vcpus)
{
	for (uint32_t n = 0; n < vcpus; n++)
		m_enter(m, n);
}

/* The handler reads the device's status, and the line drops: in an exit of the handler's vCPU. */
static void acknowledge(struct machine *m, uint32_t vcpu, uint32_t gsi)
{
	m_exit(m, vcpu);
	m_line(m, gsi, 0, false);
	m_enter(m, vcpu);
}

/* One whole level interrupt. */
static void level(struct machine *m, uint32_t vcpu, uint32_t gsi)
{
	m_line(m, gsi, 0, true);
	if (m_take(m, vcpu) < 0)
		return;
	acknowledge(m, vcpu, gsi);
	m_eoi(m, vcpu);
}

void scenario_moved_in_service(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	start(m, 2);
	m_line(m, GSI, 0, true);
	m_take(m, 0);
	m_rte(m, 1, GSI, m->first, m_route(1, VECTOR, M_LEVEL));
	acknowledge(m, 0, GSI);
	m_eoi(m, 0);
	reuse(m, 0, VECTOR, p->count);
	level(m, 1, GSI);
}

/* An MSI is in service when an unrelated pin is routed elsewhere as the same vector. */
static void coincide(struct machine *m, uint64_t count)
{
	m_msi(m, 0, VECTOR);
	m_take(m, 0);
	m_rte(m, 1, GSI, m->first, m_route(1, VECTOR, M_LEVEL));
	m_eoi(m, 0);
	reuse(m, 0, VECTOR, count);
	level(m, 1, GSI);
}

void scenario_coincidence(struct machine *m, const struct scenario_params *p)
{
	start(m, 2);
	coincide(m, p->count);
}

void scenario_vector_rewrite(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	m_rte(m, 0, OTHER, m->first, m_route(0, VECTOR + 1, M_LEVEL));
	start(m, 2);
	/* while it is pending: the priority holds it back */
	m_tpr(m, 0, 0xf0);
	m_line(m, GSI, 0, true);
	m_rte(m, 1, GSI, m->first, m_route(0, VECTOR + 0x10, M_LEVEL));
	m_tpr(m, 0, 0);
	m_take(m, 0);
	acknowledge(m, 0, GSI);
	m_eoi(m, 0);
	/* while it is in service */
	m_line(m, OTHER, 0, true);
	m_take(m, 0);
	m_rte(m, 1, OTHER, m->first, m_route(0, VECTOR + 0x11, M_LEVEL));
	acknowledge(m, 0, OTHER);
	m_eoi(m, 0);
	reuse(m, 0, VECTOR, p->count);
	level(m, 0, GSI);
	level(m, 0, OTHER);
}

/* A level in service, then an edge of the same vector: TMR forgets the level. */
static void level_then_edge(struct machine *m)
{
	m_line(m, GSI, 0, true);
	m_take(m, 0);
	m_msi(m, 0, VECTOR);
	acknowledge(m, 0, GSI);
	m_eoi(m, 0);
	m_take(m, 0);
	m_eoi(m, 0);
}

static void edge_then_level(struct machine *m)
{
	m_msi(m, 0, VECTOR);
	m_take(m, 0);
	m_line(m, GSI, 0, true);
	m_eoi(m, 0);
	m_take(m, 0);
	acknowledge(m, 0, GSI);
	m_eoi(m, 0);
}

static void coalesced(struct machine *m, bool level_first)
{
	m_tpr(m, 0, 0xf0);
	if (level_first)
		m_line(m, GSI, 0, true);
	m_msi(m, 0, VECTOR);
	m_line(m, GSI, 0, true);
	m_tpr(m, 0, 0);
	m_take(m, 0);
	acknowledge(m, 0, GSI);
	m_eoi(m, 0);
}

void scenario_same_vector(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	start(m, 2);
	for (uint64_t n = 0; n < p->count; n += 4) {
		level_then_edge(m);
		edge_then_level(m);
		coalesced(m, true);
		coalesced(m, false);
	}
	reuse(m, 0, VECTOR, p->count);
}

/*
 * A high vector is recorded, and INIT drops its EOI. The same device works on elsewhere; then a
 * lower vector is caught by coincidence, and v4's record, still the high one, misses it.
 */
void scenario_reset_latch(struct machine *m, const struct scenario_params *p)
{
	const uint8_t high = 0xe0;

	m_rte(m, 0, OTHER, m->first, m_route(0, high, M_LEVEL));
	start(m, 2);
	m_line(m, OTHER, 0, true);
	m_take(m, 0);
	m_rte(m, 1, OTHER, m->first, m_route(1, high, M_LEVEL));
	m_init(m, 0);
	m_line(m, OTHER, 0, false);
	m_svr(m, 0, LW_SVR_ENABLE | 0xff);
	if (m_take(m, 1) >= 0)
		m_eoi(m, 1);
	coincide(m, p->count);
}

void scenario_edge_route(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 1, GSI, m->first, m_route(1, VECTOR, 0));
	start(m, 2);
	for (uint64_t n = 0; n < p->count; n++) {
		m_msi(m, 0, VECTOR);
		m_take(m, 0);
		/* an unrelated pin is masked or unmasked */
		m_rte_half(m, 1, OTHER, M_LOW, m_route(1, VECTOR + 1, n & 1 ? M_MASKED : 0));
		m_eoi(m, 0);
	}
	m_line(m, GSI, 0, true);
	m_take(m, 1);
	m_eoi(m, 1);
	m_line(m, GSI, 0, false);
}
