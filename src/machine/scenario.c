/* SPDX-License-Identifier: MIT */
#include "machine/scenario.h"

#include <errno.h>
#include <string.h>

#define X2APIC_FROM 9u /* xAPIC flat logical mode reaches eight */
/* Of one I/O APIC, by a guest: IOREGSEL has eight bits, and an RTE takes two registers from 10h. */
#define REACHABLE_PINS 120u

/* Two vCPUs and one I/O APIC, unless the row says otherwise. */
#define SMALL .vcpus = 2, .pins = 24, .min_vcpus = 2, .min_pins = 24, .min_ioapics = 1

const struct scenario scenarios[] = {
	{.name = "moved-in-service",
	 .summary =
		 "a level interrupt is in service when its RTE moves; then MSIs reuse its vector",
	 .story = true,
	 SMALL,
	 .run = scenario_moved_in_service},
	{.name = "coincidence",
	 .summary = "an MSI is in service when a level pin is routed elsewhere as the same vector",
	 .story = true,
	 SMALL,
	 .run = scenario_coincidence},
	{.name = "vector-rewrite",
	 .summary = "the RTE's vector changes while the old one is pending, or in service",
	 .story = true,
	 SMALL,
	 .run = scenario_vector_rewrite},
	{.name = "same-vector",
	 .summary = "a level and an MSI of one vector, in both orders and coalesced",
	 SMALL,
	 .run = scenario_same_vector},
	{.name = "irqbalance",
	 .summary = "devices whose affinities keep moving, vectors reused as Linux does",
	 .story = true,
	 .vcpus = 4,
	 .pins = 48,
	 .min_vcpus = 2,
	 .min_pins = 24,
	 .min_ioapics = 1,
	 .run = scenario_irqbalance},
	{.name = "reset-latch",
	 .summary = "INIT leaves a high record behind; a lower stale vector is never cleaned",
	 .story = true,
	 SMALL,
	 .run = scenario_reset_latch},
	{.name = "edge-route",
	 .summary = "an edge RTE whose vector is in service elsewhere, at each reconfiguration",
	 SMALL,
	 .run = scenario_edge_route},
	{.name = "shared-line",
	 .summary = "two devices on one line, acknowledged one after the other",
	 SMALL,
	 .run = scenario_shared_line},
	{.name = "masked-in-handler",
	 .summary = "the handler masks its RTE, or the VMM its line, until after the EOI",
	 SMALL,
	 .run = scenario_masked_in_handler},
	{.name = "storm",
	 .summary = "a line stuck high for more than 10,000 EOIs",
	 SMALL,
	 .run = scenario_storm},
	{.name = "directed-eoi",
	 .summary = "EOI broadcasts suppressed; the guest writes the EOI register",
	 SMALL,
	 .run = scenario_directed_eoi},
	{.name = "multi-destination",
	 .summary = "logical destinations: all take it, or the lowest priority",
	 .vcpus = 4,
	 .pins = 24,
	 .min_vcpus = 2,
	 .min_pins = 24,
	 .min_ioapics = 1,
	 .run = scenario_multi_destination},
	{.name = "wide",
	 .summary = "a storm of affinity changes on a big machine",
	 .story = true,
	 .vcpus = 1024,
	 .pins = 4096,
	 .min_vcpus = 2,
	 .min_pins = 24,
	 .min_ioapics = 1,
	 .run = scenario_wide},
	{.name = "random",
	 .summary = "everything at random, judged after every step",
	 .vcpus = 8,
	 .pins = 48,
	 .min_vcpus = 2,
	 .min_pins = 24,
	 .min_ioapics = 2,
	 .run = scenario_random},
};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

const struct scenario *scenario_by_name(const char *name)
{
	for (size_t n = 0; n < scenario_count; n++)
		if (!strcmp(scenarios[n].name, name))
			return &scenarios[n];
	return NULL;
}

/* As few I/O APICs as hold the pins, all of the same size. */
static void share_pins(struct machine_config *c, uint32_t pins, uint32_t least)
{
	c->ioapics = (pins + REACHABLE_PINS - 1) / REACHABLE_PINS;
	if (c->ioapics < least)
		c->ioapics = least;
	c->pins = (pins + c->ioapics - 1) / c->ioapics;
	if (c->ioapics * c->pins > SCENARIO_MAX_PINS) { /* by rounding up */
		c->ioapics = LW_CHIP_MAX_IOAPICS;
		c->pins = (pins + c->ioapics - 1) / c->ioapics;
	}
	if (c->pins < LW_IOAPIC_MIN_PINS)
		c->pins = LW_IOAPIC_MIN_PINS;
}

int scenario_run(const struct scenario *s, enum lw_eoi_policy policy,
		 const struct scenario_params *p, struct scenario_result *result)
{
	struct machine_config config = {
		.policy = policy,
		.hardware = p->hardware,
		.in_kernel = p->in_kernel,
		.vcpus = p->vcpus ? p->vcpus : s->vcpus,
		.version = 0x20, /* it has the EOI register */
	};
	uint32_t pins = p->pins ? p->pins : s->pins;
	struct machine m;
	int err;

	if (config.vcpus < s->min_vcpus || config.vcpus > SCENARIO_MAX_VCPUS ||
	    pins < s->min_pins || pins > SCENARIO_MAX_PINS)
		return -ERANGE;
	config.x2apic = config.vcpus >= X2APIC_FROM;
	share_pins(&config, pins, s->min_ioapics);
	err = m_open(&m, &config, p->seed);
	if (!err) {
		m.first = p->low_first ? M_LOW : M_HIGH;
		s->run(&m, p);
		m_finish(&m);
		result->interrupts = m.interrupts;
		result->truth = m.truth.counts;
		result->engine = lw_eoi_counters(m.eoi);
	}
	m_close(&m);
	return err;
}
