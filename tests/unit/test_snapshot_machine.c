/* SPDX-License-Identifier: MIT */
/*
 * The random scenario, with the whole controller saved after every step and restored into chips as
 * new, on which the run goes on: it must be the same run to the last byte as one without.
 */
#include "test.h"

#include <lapwing/snapshot.h>
#include <string.h>

#include "machine/scenario.h"

#define STEPS 50u
#define MAX   (1u << 18)

struct outcome {
	struct truth_counts truth;
	struct lw_eoi_counters engine;
	uint64_t interrupts, random, snapshots;
	size_t size;
	uint8_t bytes[MAX];
};

static struct outcome plain, saved;
static struct outcome *now;

static void count(const struct lw_eoi *eoi)
{
	struct lw_eoi_counters c = lw_eoi_counters(eoi);

	now->engine.necessary += c.necessary;
	now->engine.redundant += c.redundant;
	now->engine.superfluous += c.superfluous;
	now->engine.routes_scanned += c.routes_scanned;
	now->engine.kicks_reconfig += c.kicks_reconfig;
	now->engine.kicks_arm += c.kicks_arm;
	now->engine.reloads += c.reloads;
}

static void replace(struct machine *m)
{
	static uint8_t a[MAX], b[MAX];
	size_t size = lw_chip_save(m->chip, a, MAX);
	void *old[2];

	assert_in_range(size, 1, MAX);
	count(m->eoi);
	assert_int_equal(m_replace(m, old), 0);
	assert_int_equal(lw_chip_restore(m->chip, a, size), 0);
	free(old[0]);
	free(old[1]);
	assert_int_equal(lw_chip_save(m->chip, b, MAX), size);
	assert_memory_equal(a, b, size);
	now->snapshots++;
}

static void resampled(struct machine *m, uint32_t gsi)
{
	m_line(m, gsi, 0, false);
	if (m->random >> 40 & 1)
		m_line(m, gsi, 0, true);
}

static void run(enum lw_eoi_policy policy, bool hardware, uint64_t seed,
		void (*stepped)(struct machine *m))
{
	struct machine_config config = {.policy = policy,
					.hardware = hardware,
					.vcpus = seed % 8 ? 3 : 20,
					.ioapics = 2,
					.pins = 24,
					.version = 0x20,
					.x2apic = seed % 8 == 0};
	struct machine m;

	memset(now, 0, sizeof(*now));
	assert_int_equal(m_open(&m, &config, seed), 0);
	m.resample = resampled;
	m.slow_kicks = true;
	m.stepped = stepped;
	for (uint32_t n = 0; n < config.vcpus; n++) {
		m_ldr(&m, n, 1u << n % 3);
		m_enter(&m, n);
	}
	for (uint32_t n = 0; n < STEPS; n++)
		scenario_random_step(&m);
	now->size = lw_chip_save(m.chip, now->bytes, MAX);
	m.stepped = NULL; /* the end is long, and the same in both */
	scenario_random_end(&m);
	count(m.eoi);
	now->truth = m.truth.counts;
	now->interrupts = m.interrupts;
	now->random = m.random;
	m_close(&m);
}

static void is_the_same(enum lw_eoi_policy policy, bool hardware, uint64_t seeds)
{
	if (lw_test_quick())
		seeds = 8;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		uint64_t snapshots;

		now = &plain;
		run(policy, hardware, seed, NULL);
		now = &saved;
		run(policy, hardware, seed, replace);
		snapshots = saved.snapshots;
		assert_true(snapshots > STEPS / 2);
		saved.snapshots = 0;
		if (memcmp(&plain, &saved, sizeof(plain)) != 0)
			fail_msg("seed %llu differs", (unsigned long long)seed);
	}
}

static void armed_in_software(void **state)
{
	(void)state;
	is_the_same(LW_EOI_ARMED, false, 1000);
}

static void armed_in_hardware(void **state)
{
	(void)state;
	is_the_same(LW_EOI_ARMED, true, 1000);
}

static void lazy_in_software(void **state)
{
	(void)state;
	is_the_same(LW_EOI_LAZY, false, 1000);
}

static void lazy_in_hardware(void **state)
{
	(void)state;
	is_the_same(LW_EOI_LAZY, true, 1000);
}

static void track_in_hardware(void **state)
{
	(void)state;
	is_the_same(LW_EOI_TRACK, true, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(armed_in_software), cmocka_unit_test(armed_in_hardware),
		cmocka_unit_test(lazy_in_software),  cmocka_unit_test(lazy_in_hardware),
		cmocka_unit_test(track_in_hardware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
