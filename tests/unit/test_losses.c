/* SPDX-License-Identifier: MIT */
/*
 * `armed` and `lazy` lose nothing, whatever happens; and each rule of docs/policies.md left
 * out of the very same sources (built with LW_DOUBLES), loses something that the truth finds.
 */
#include "test.h"

#include <stdio.h>

#include "core/doubles.h"
#include "machine/scenario.h"

unsigned lw_left_out;

struct sum {
	uint64_t lost, doubled, phantom, cost;
};

static struct sum run(enum lw_eoi_policy policy, bool hardware, uint64_t first, uint64_t seeds)
{
	struct scenario_params p = {.hardware = hardware};
	struct sum sum = {0};

	for (p.seed = first; p.seed < first + seeds; p.seed++) {
		struct scenario_result r;

		p.vcpus = p.seed % 4 ? 0 : 20; /* every fourth in x2APIC mode */
		assert_int_equal(scenario_run(scenario_by_name("random"), policy, &p, &r), 0);
		sum.lost += r.truth.lost;
		sum.doubled += r.truth.doubled;
		sum.phantom += r.truth.phantom;
		sum.cost += r.truth.necessary + r.engine.kicks_arm;
	}
	return sum;
}

static uint64_t all_seeds(void)
{
	return lw_test_quick() ? 300 : 10000;
}

static void loses_nothing(enum lw_eoi_policy policy, bool hardware)
{
	struct sum sum;

	lw_left_out = 0;
	sum = run(policy, hardware, 1, all_seeds());
	print_message("# %s, %s: %llu seeds\n", lw_eoi_policy_name(policy),
		      hardware ? "hardware" : "software", (unsigned long long)all_seeds());
	assert_int_equal(sum.lost, 0);
	assert_int_equal(sum.doubled, 0);
	assert_int_equal(sum.phantom, 0);
}

static void test_armed_software_loses_nothing(void **state)
{
	(void)state;
	loses_nothing(LW_EOI_ARMED, false);
}

static void test_armed_hardware_loses_nothing(void **state)
{
	(void)state;
	loses_nothing(LW_EOI_ARMED, true);
}

static void test_lazy_software_loses_nothing(void **state)
{
	(void)state;
	loses_nothing(LW_EOI_LAZY, false);
}

static void test_lazy_hardware_loses_nothing(void **state)
{
	(void)state;
	loses_nothing(LW_EOI_LAZY, true);
}

/* The truth is no use if it finds nothing where KVM is known to lose. */
static void test_the_scanning_policies_lose(void **state)
{
	(void)state;
	lw_left_out = 0;
	for (int policy = LW_EOI_STATIC; policy <= LW_EOI_TRACK; policy++)
		assert_true(run((enum lw_eoi_policy)policy, false, 1, 200).lost > 0);
}

/* Seeds are tried until one is lost, so that the test says how soon it was found. */
static void must_lose(enum lw_rule rule, enum lw_eoi_policy policy, bool hardware)
{
	uint64_t found = 0;

	lw_left_out = 1u << rule;
	for (uint64_t seed = 1; seed <= 2000 && !found; seed++)
		if (run(policy, hardware, seed, 1).lost)
			found = seed;
	lw_left_out = 0;
	print_message("# found with seed %llu\n", (unsigned long long)found);
	assert_true(found > 0);
	assert_int_equal(run(policy, hardware, found, 1).lost, 0);
}

#define LOSES(name, rule, policy, hardware)                 \
	static void test_without_##name(void **state)       \
	{                                                   \
		(void)state;                                \
		must_lose(rule, LW_EOI_##policy, hardware); \
	}

LOSES(every_record, LW_RULE_EVERY_RECORD, ARMED, false)
LOSES(keeping_the_bit, LW_RULE_KEEP_WHILE_RECORD, ARMED, false)
LOSES(load_before_publish, LW_RULE_LOAD_BEFORE_PUBLISH, ARMED, true)
LOSES(load_then_check, LW_RULE_LOAD_THEN_CHECK, LAZY, false)
LOSES(every_taker, LW_RULE_EVERY_TAKER, ARMED, false)
LOSES(edge_flip, LW_RULE_EDGE_FLIP, ARMED, false)
LOSES(eoi_register, LW_RULE_EOI_REGISTER, ARMED, false)
LOSES(init, LW_RULE_INIT, ARMED, false)
LOSES(matching_what_was_delivered, LW_RULE_MATCH_DELIVERED, ARMED, false)

/* Rule 7 is about cost: a vector let go whenever it can be, on a hardware bitmap, costs more than
 * `armed`; with the rule it does not. */
static void test_without_keeping_the_costly(void **state)
{
	uint64_t armed, kept, left_out;

	(void)state;
	lw_left_out = 0;
	armed = run(LW_EOI_ARMED, true, 1, 300).cost;
	kept = run(LW_EOI_LAZY, true, 1, 300).cost;
	lw_left_out = 1u << LW_RULE_KEEP_COSTLY;
	left_out = run(LW_EOI_LAZY, true, 1, 300).cost;
	lw_left_out = 0;
	assert_true(kept <= armed);
	assert_true(left_out > armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_armed_software_loses_nothing),
		cmocka_unit_test(test_armed_hardware_loses_nothing),
		cmocka_unit_test(test_lazy_software_loses_nothing),
		cmocka_unit_test(test_lazy_hardware_loses_nothing),
		cmocka_unit_test(test_the_scanning_policies_lose),
		cmocka_unit_test(test_without_every_record),
		cmocka_unit_test(test_without_keeping_the_bit),
		cmocka_unit_test(test_without_load_before_publish),
		cmocka_unit_test(test_without_load_then_check),
		cmocka_unit_test(test_without_every_taker),
		cmocka_unit_test(test_without_edge_flip),
		cmocka_unit_test(test_without_eoi_register),
		cmocka_unit_test(test_without_init),
		cmocka_unit_test(test_without_matching_what_was_delivered),
		cmocka_unit_test(test_without_keeping_the_costly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
