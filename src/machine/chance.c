/* SPDX-License-Identifier: MIT */
/*
 * Everything at random. Few vectors, pins and vCPUs are used more than the rest, so that things
 * meet: the point is interleavings, not variety. The truth looks for dead pins after every step.
 * What is drawn never depends on what the chips do, so that policies meet the same events.
 */
#include "machine/scenario.h"

#define STEPS 200u

static const uint8_t vectors[] = {0x31, 0x32, 0x41, 0x51};

static uint8_t some_vector(struct machine *m)
{
	if (m_below(m, 64) == 0)
		return (uint8_t)m_below(m, 256);
	return vectors[m_below(m, sizeof(vectors))];
}

static uint32_t some_gsi(struct machine *m)
{
	uint32_t half = m->truth.pins / 2;

	if (m_below(m, 16) == 0)
		return m_below(m, m->truth.pins);
	return m_below(m, 2) * half + 16 + m_below(m, 3); /* three pins of each I/O APIC */
}

static uint32_t some_vcpu(struct machine *m)
{
	if (m_below(m, 8) == 0)
		return m_below(m, m->config.vcpus);
	return m_below(m, m->config.vcpus < 2 ? m->config.vcpus : 2);
}

static uint64_t some_rte(struct machine *m)
{
	uint64_t rte = m_route(some_vcpu(m), some_vector(m), 0);

	if (m_below(m, 8))
		rte |= M_LEVEL;
	if (m_below(m, 6) == 0)
		rte |= M_MASKED;
	if (m_below(m, 6) == 0) {
		rte &= ~(0xffull << LW_RTE_DEST_SHIFT);
		rte |= LW_RTE_LOGICAL | (uint64_t)(1 + m_below(m, 7)) << LW_RTE_DEST_SHIFT;
		if (m_below(m, 3) == 0)
			rte |= (uint64_t)LW_DM_LOWEST << LW_RTE_DM_SHIFT;
	}
	if (m_below(m, 64) == 0)
		rte |= (uint64_t)m_below(m, 8) << LW_RTE_DM_SHIFT;
	return rte;
}

/* ---- what can happen ---- */

static void rise(struct machine *m)
{
	m_line(m, some_gsi(m), m_below(m, 2), true);
}

/* Both sources of a pin, in an exit of `vcpu` or from elsewhere. */
static void lower(struct machine *m, uint32_t gsi, uint32_t vcpu, bool own)
{
	if (own)
		m_exit(m, vcpu);
	m_line(m, gsi, 0, false);
	m_line(m, gsi, 1, false);
	if (own)
		m_enter(m, vcpu);
}

static void fall(struct machine *m)
{
	uint32_t gsi = some_gsi(m), vcpu = some_vcpu(m);

	lower(m, gsi, vcpu, m_below(m, 2));
}

static void msi(struct machine *m)
{
	m_msi(m, some_vcpu(m), some_vector(m));
}

static void take(struct machine *m)
{
	m_take(m, some_vcpu(m));
}

static void eoi(struct machine *m)
{
	m_eoi(m, some_vcpu(m));
}

static void serve(struct machine *m)
{
	uint32_t vcpu = some_vcpu(m), gsi = some_gsi(m);
	bool own = m_below(m, 4);

	if (m_take(m, vcpu) < 0)
		return;
	lower(m, gsi, vcpu, own);
	m_eoi(m, vcpu);
}

static void write_half(struct machine *m)
{
	m_rte_half(m, some_vcpu(m), some_gsi(m), m_below(m, 2) ? M_LOW : M_HIGH, some_rte(m));
}

static void write_whole(struct machine *m)
{
	m_rte(m, some_vcpu(m), some_gsi(m), m_below(m, 2) ? M_LOW : M_HIGH, some_rte(m));
}

/* The first read may only ask the owner; the second one knows. */
static void read_rte(struct machine *m)
{
	uint32_t gsi = some_gsi(m), vcpu = some_vcpu(m);

	m_rte_read(m, vcpu, gsi);
	truth_read(&m->truth, gsi, (m_rte_read(m, vcpu, gsi) & LW_RTE_REMOTE_IRR) != 0);
}

static void in_and_out(struct machine *m)
{
	uint32_t vcpu = some_vcpu(m);

	switch (m_below(m, 4)) {
	case 0:
		m_exit(m, vcpu);
		break;
	case 1:
		m_halt(m, vcpu);
		break;
	default:
		m_enter(m, vcpu);
	}
}

static void registers(struct machine *m)
{
	uint32_t vcpu = some_vcpu(m), svr = 0xff;

	switch (m_below(m, 6)) {
	case 0:
		m_init(m, vcpu);
		break;
	case 1:
		m_ldr(m, vcpu, 1u << m_below(m, 3));
		break;
	case 2:
		m_tpr(m, vcpu, m_below(m, 2) ? 0 : 0x40);
		break;
	default:
		svr |= m_below(m, 8) ? LW_SVR_ENABLE : 0;
		svr |= m_below(m, 3) ? 0 : LW_SVR_SUPPRESS;
		m_svr(m, vcpu, svr);
	}
}

static void direct(struct machine *m)
{
	m_eoi_register(m, some_vcpu(m), some_gsi(m), some_vector(m));
}

static void vmm(struct machine *m)
{
	if (m_below(m, 2))
		m_notify(m, some_gsi(m), m_below(m, 4) == 0);
	else
		m_resume(m);
}

static const struct {
	uint32_t weight;
	void (*happen)(struct machine *m);
} events[] = {
	{16, rise},     {12, fall},      {12, msi},        {14, take},    {12, eoi},
	{8, serve},     {8, write_half}, {6, write_whole}, {4, read_rte}, {6, in_and_out},
	{3, registers}, {3, direct},     {1, vmm},
};

void scenario_random_step(struct machine *m)
{
	uint32_t sum = 0, pick;

	for (size_t n = 0; n < sizeof(events) / sizeof(events[0]); n++)
		sum += events[n].weight;
	pick = m_below(m, sum);
	for (size_t n = 0; n < sizeof(events) / sizeof(events[0]); n++) {
		if (pick < events[n].weight) {
			events[n].happen(m);
			break;
		}
		pick -= events[n].weight;
	}
	truth_check(&m->truth);
}

/* ---- the end ---- */

/* All enabled, all lines low, everything taken and ended: what remains is what was lost. */
static void quiesce(struct machine *m)
{
	for (uint32_t n = 0; n < m->config.vcpus; n++) {
		m_svr(m, n, LW_SVR_ENABLE | 0xff);
		m_tpr(m, n, 0);
	}
	for (uint32_t gsi = 0; gsi < m->truth.pins; gsi++) {
		m_line(m, gsi, 0, false);
		m_line(m, gsi, 1, false);
	}
	m_resume(m);
	for (uint32_t n = 0; n < m->config.vcpus; n++) {
		do
			m_eoi(m, n);
		while (m_take(m, n) >= 0 || truth_serving(&m->truth, n) >= 0);
	}
	for (uint32_t gsi = 0; gsi < m->truth.pins; gsi++)
		if (m->truth.pin[gsi].state == TRUTH_WAITS)
			m_eoi_register(m, 0, gsi, m->truth.pin[gsi].vector);
}

/* Each pin once more: is it alive? */
static void try_pins(struct machine *m)
{
	for (uint32_t gsi = 0; gsi < m->truth.pins; gsi++) {
		m_notify(m, gsi, false);
		m_rte(m, 0, gsi, M_HIGH, m_route(0, 0x61, M_LEVEL));
		m_line(m, gsi, 0, true);
		truth_check(&m->truth);
		m_take(m, 0);
		m_line(m, gsi, 0, false);
		m_eoi(m, 0);
	}
}

void scenario_random_end(struct machine *m)
{
	m->resample = NULL;
	m->slow_kicks = false;
	quiesce(m);
	m_finish(m);
	try_pins(m);
}

/* Told of an EOI, the device lets go of its line, or asks again at once. No draw: that would make
 * what happens later depend on the policy. */
static void resampled(struct machine *m, uint32_t gsi)
{
	m_line(m, gsi, 0, false);
	if (m->random >> 40 & 1)
		m_line(m, gsi, 0, true);
}

void scenario_random(struct machine *m, const struct scenario_params *p)
{
	uint64_t steps = p->count < STEPS ? STEPS : p->count;

	m->resample = resampled;
	m->slow_kicks = true;
	for (uint32_t n = 0; n < m->config.vcpus; n++) {
		m_ldr(m, n, 1u << n % 3);
		m_enter(m, n);
	}
	for (uint64_t n = 0; n < steps; n++)
		scenario_random_step(m);
	scenario_random_end(m);
}
