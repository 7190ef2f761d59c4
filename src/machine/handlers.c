/* SPDX-License-Identifier: MIT */
/* What handlers and devices do to a level interrupt between its delivery and its EOI. */
#include "machine/scenario.h"

#define GSI    16u
#define VECTOR 0x50

static void start(struct machine *m)
{
	for (uint32_t n = 0; n < m->config.vcpus; n++)
		m_enter(m, n);
}

static void in_exit(struct machine *m, uint32_t vcpu, uint32_t source)
{
	m_exit(m, vcpu);
	m_line(m, GSI, source, false);
	m_enter(m, vcpu);
}

/* Both devices ask; each handler run serves one, so the line is still high at the first EOI. Every
 * other time the second one is served by its own thread instead. */
void scenario_shared_line(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	start(m);
	for (uint64_t n = 0; n < p->count; n += 2) {
		m_line(m, GSI, 0, true);
		m_line(m, GSI, 1, true);
		m_take(m, 0);
		in_exit(m, 0, 0);
		m_eoi(m, 0);
		m_take(m, 0);
		if (n & 2)
			m_line(m, GSI, 1, false);
		else
			in_exit(m, 0, 1);
		m_eoi(m, 0);
	}
}

static void unmask_line(struct machine *m, uint32_t gsi)
{
	m_line(m, gsi, 0, false);
}

/* An emulated device whose handler masks the RTE around its work, then an assigned one whose line
 * the VMM holds down from its interrupt until it is told of the EOI. */
void scenario_masked_in_handler(struct machine *m, const struct scenario_params *p)
{
	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	start(m);
	for (uint64_t n = 0; n < p->count; n += 2) {
		m_line(m, GSI, 0, true);
		m_take(m, 0);
		m_rte_half(m, 0, GSI, M_LOW, m_route(0, VECTOR, M_LEVEL | M_MASKED));
		in_exit(m, 0, 0);
		m_eoi(m, 0);
		m_rte_half(m, 0, GSI, M_LOW, m_route(0, VECTOR, M_LEVEL));
	}
	m_notify(m, GSI, true);
	m->resample = unmask_line;
	for (uint64_t n = 0; n < p->count; n += 2) {
		m_line(m, GSI, 0, true);
		m_take(m, 0);
		m_eoi(m, 0);
	}
}

/* Nobody serves the device for a while: each EOI finds the line high, until redelivery is delayed.
 * When the delay is over, the handler finds its device. */
void scenario_storm(struct machine *m, const struct scenario_params *p)
{
	uint64_t limit = p->count > 20000 ? p->count : 20000;
	uint64_t taken = 0;

	m_rte(m, 0, GSI, m->first, m_route(0, VECTOR, M_LEVEL));
	start(m);
	m_line(m, GSI, 0, true);
	while (taken < limit && m_take(m, 0) >= 0) {
		m_eoi(m, 0);
		taken++;
	}
	m_resume(m);
	if (m_take(m, 0) >= 0) {
		in_exit(m, 0, 0);
		m_eoi(m, 0);
	}
}

/* Directed EOI: the LAPIC's EOI says nothing, the write to the EOI register everything. Every
 * fourth time the vector is rewritten in service. */
void scenario_directed_eoi(struct machine *m, const struct scenario_params *p)
{
	uint8_t vector = VECTOR;

	m_rte(m, 0, GSI, m->first, m_route(0, vector, M_LEVEL));
	m_svr(m, 0, LW_SVR_ENABLE | LW_SVR_SUPPRESS | 0xff);
	start(m);
	for (uint64_t n = 0; n < p->count; n++) {
		uint8_t delivered = vector;

		m_line(m, GSI, 0, true);
		m_take(m, 0);
		if (n % 4 == 3) {
			vector = vector == VECTOR ? VECTOR + 0x10 : VECTOR;
			m_rte(m, 0, GSI, m->first, m_route(0, vector, M_LEVEL));
		}
		in_exit(m, 0, 0);
		m_eoi(m, 0);
		m_eoi_register(m, 0, GSI, delivered);
	}
}

/* A logical destination of two, then the same as lowest priority: one of them takes it. */
static void broadcast_pair(struct machine *m, uint64_t count, uint64_t mode)
{
	uint64_t rte = m_route(3, VECTOR, M_LEVEL | LW_RTE_LOGICAL | mode << LW_RTE_DM_SHIFT);

	m_rte(m, 0, GSI, m->first, rte);
	for (uint64_t n = 0; n < count; n++) {
		bool took[2];

		m_line(m, GSI, 0, true);
		for (uint32_t vcpu = 0; vcpu < 2; vcpu++)
			took[vcpu] = m_take(m, vcpu) >= 0;
		in_exit(m, took[0] ? 0 : 1, 0);
		for (uint32_t vcpu = 0; vcpu < 2; vcpu++)
			if (took[vcpu])
				m_eoi(m, vcpu);
	}
}

void scenario_multi_destination(struct machine *m, const struct scenario_params *p)
{
	for (uint32_t n = 0; n < m->config.vcpus && !m->config.x2apic; n++)
		m_ldr(m, n, 1u << n);
	start(m);
	broadcast_pair(m, p->count / 2 + 1, LW_DM_FIXED);
	broadcast_pair(m, p->count / 2 + 1, LW_DM_LOWEST);
}
