/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "tool/sim.h"

#include <string.h>

static const struct scenario one = {.name = "one", .summary = "the first", .vcpus = 2, .pins = 24};
static const struct scenario two = {
	.name = "two", .summary = "say \"what\" \\ now", .vcpus = 4, .pins = 48};

static struct sim_run runs[] = {
	{.scenario = &one,
	 .policy = LW_EOI_SCAN,
	 .result = {.interrupts = 1000,
		    .truth = {.necessary = 100, .superfluous = 400, .elided = 500, .lost = 3},
		    .engine = {.kicks_reconfig = 10, .routes_scanned = 1000}}},
	{.scenario = &one,
	 .policy = LW_EOI_TRACK,
	 .result = {.interrupts = 1000,
		    .truth = {.necessary = 1000},
		    .engine = {.kicks_reconfig = 4321, .routes_scanned = 12345678}}},
	{.scenario = &two,
	 .policy = LW_EOI_ARMED,
	 .result = {.interrupts = 1000,
		    .truth = {.necessary = 300, .redundant = 200},
		    .engine = {.kicks_arm = 5, .reloads = 1}}},
	{.scenario = &two,
	 .policy = LW_EOI_LAZY,
	 .result = {.interrupts = 1000,
		    .truth = {.necessary = 300, .redundant = 200},
		    .engine = {.kicks_arm = 5, .reloads = 2}}},
};

static const struct sim sim = {
	.params = {.count = 1000, .seed = 5},
	.costs = {.exit = 5800, .kick = 2919, .scan = 20},
	.runs = runs,
	.count = 4,
};

static char *printed(const struct sim *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(lw_sim_print(s, out), 0);
	fclose(out);
	return text;
}

static void an_estimate_is_a_sum(void **state)
{
	struct sim_cycles c = lw_sim_cycles(&sim.costs, &runs[0].result);
	struct scenario_result none = {0};

	(void)state;
	assert_true(c.exits == 500 * 5800.0);
	assert_true(c.kicks == 10 * 2919.0);
	assert_true(c.scans == 1000 * 20.0);
	assert_true(c.each == (500 * 5800.0 + 10 * 2919.0 + 1000 * 20.0) / 1000);
	c = lw_sim_cycles(&sim.costs, &runs[2].result);
	assert_true(c.exits == 500 * 5800.0 && c.kicks == 5 * 2919.0);
	assert_true(lw_sim_cycles(&sim.costs, &none).each < 0);
}

static void costs_follow_the_irqchip(void **state)
{
	struct sim_costs split = lw_sim_default_costs(false), kernel = lw_sim_default_costs(true);

	(void)state;
	assert_int_equal(split.exit, 5800);
	assert_int_equal(kernel.exit, 2919);
	assert_int_equal(split.kick, 2919);
	assert_int_equal(kernel.kick, 2919);
	assert_int_equal(split.scan, 20);
	assert_false(split.exit_given || split.kick_given || split.scan_given);
}

static void only_a_fault_of_ours_is_found(void **state)
{
	struct sim_run run = {.scenario = &one, .policy = LW_EOI_STATIC};

	(void)state;
	run.result.truth = (struct truth_counts){.lost = 1, .doubled = 1, .superfluous = 9};
	assert_false(lw_sim_is_broken(&run));
	run.policy = LW_EOI_LAZY;
	assert_true(lw_sim_is_broken(&run));
	run.result.truth = (struct truth_counts){.superfluous = 9};
	assert_false(lw_sim_is_broken(&run));
	run.result.truth = (struct truth_counts){.doubled = 1};
	assert_true(lw_sim_is_broken(&run));
	run.policy = LW_EOI_STATIC;
	run.result.truth = (struct truth_counts){.phantom = 1};
	assert_true(lw_sim_is_broken(&run));
}

static void json_has_the_documented_shape(void **state)
{
	static const char *const numbers[] = {
		"seed",      "count",     "vcpus",          "pins",      "interrupts",
		"necessary", "redundant", "superfluous",    "elided",    "lost",
		"doubled",   "phantom",   "kicks_reconfig", "kicks_arm", "routes_scanned",
		"reloads",   "cost_exit", "cost_kick",      "cost_scan",
	};
	json_t *root = lw_sim_json(&sim), *first = json_array_get(root, 0);

	(void)state;
	assert_int_equal(json_array_size(root), 4);
	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
		assert_true(json_is_integer(json_object_get(first, numbers[n])));
	assert_int_equal(json_object_size(first), sizeof(numbers) / sizeof(numbers[0]) + 6);
	assert_string_equal(json_string_value(json_object_get(first, "scenario")), "one");
	assert_string_equal(json_string_value(json_object_get(first, "policy")), "scan");
	assert_string_equal(json_string_value(json_object_get(first, "bitmap")), "software");
	assert_string_equal(json_string_value(json_object_get(first, "irqchip")), "split");
	assert_string_equal(json_string_value(json_object_get(first, "order")), "high-first");
	assert_int_equal(json_integer_value(json_object_get(first, "superfluous")), 400);
	assert_int_equal(json_integer_value(json_object_get(first, "pins")), 24);
	assert_true(json_is_real(json_object_get(first, "cycles_per_interrupt")));
	json_decref(root);
}

static void json_says_null_where_there_was_no_interrupt(void **state)
{
	struct sim_run idle = {.scenario = &one};
	struct sim s = {.params = {.hardware = true, .in_kernel = true, .vcpus = 7},
			.runs = &idle,
			.count = 1};
	json_t *root = lw_sim_json(&s), *o = json_array_get(root, 0);

	(void)state;
	assert_true(json_is_null(json_object_get(o, "cycles_per_interrupt")));
	assert_string_equal(json_string_value(json_object_get(o, "bitmap")), "hardware");
	assert_string_equal(json_string_value(json_object_get(o, "irqchip")), "in-kernel");
	assert_int_equal(json_integer_value(json_object_get(o, "vcpus")), 7);
	json_decref(root);
}

static void text_tells_people(void **state)
{
	char *text = printed(&sim);

	(void)state;
	assert_non_null(strstr(text, "1,000 repeats, seed 5, split irqchip"));
	assert_non_null(strstr(text, "\none: the first\n  scan"));
	assert_non_null(strstr(text, "!! 3"));
	assert_non_null(strstr(text, "! 400"));
	assert_non_null(strstr(text, " 4,321 "));
	assert_non_null(strstr(text, "12.3 M"));
	assert_non_null(strstr(text, "redundant"));
	assert_non_null(strstr(text, "\n  armed, lazy "));
	assert_non_null(strstr(text, "dead from then on: scan 3; track, armed, lazy none.\n"));
	assert_non_null(strstr(text, "Superfluous exits (!): scan 400; track, armed, lazy none."));
	assert_non_null(strstr(text, "Dearest: one under track, 265,327 cycles (93 % scans, "
				     "5 % kicks, 2 % EOI exits).\n"));
	assert_non_null(strstr(text, "EOI exit 5,800 (published), kick 2,919 (assumed"));
	free(text);
}

static void a_column_without_figures_is_left_out(void **state)
{
	struct sim s = sim;
	char *text;

	(void)state;
	s.count = 2;
	s.costs.exit_given = s.costs.kick_given = s.costs.scan_given = true;
	text = printed(&s);
	assert_null(strstr(text, "redundant"));
	assert_non_null(strstr(text, "EOI exit 5,800 (given), kick 2,919 (given), pair scanned 20 "
				     "(given)."));
	free(text);
}

static void the_script_quotes_what_it_prints(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sim s = sim;

	(void)state;
	s.runs = &runs[2];
	s.count = 2;
	lw_sim_script(&s, "lapwing sim \"--seed\" 5", out);
	fclose(out);
	assert_non_null(strstr(text, "\"lapwing sim \\\"--seed\\\" 5\""));
	assert_non_null(strstr(text, "\"say \\\"what\\\" \\\\ now\""));
	assert_non_null(strstr(text, "\n1 armed 0.000 300.000 300.000 500.000 NaN NaN 0 2914.595 "
				     "\"2,915\"\n0 lazy "));
	assert_null(strstr(text, " lost\" at"));
	free(text);
}

/* Found by fuzz_tool. */
static void an_estimate_may_be_huge(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sim s = sim;

	(void)state;
	s.runs = &runs[2];
	s.count = 2;
	s.costs.exit = 1000000000000u;
	lw_sim_script(&s, "lapwing sim", out);
	fclose(out);
	assert_non_null(strstr(text, " \"500000.0 M\"\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_estimate_is_a_sum),
		cmocka_unit_test(costs_follow_the_irqchip),
		cmocka_unit_test(only_a_fault_of_ours_is_found),
		cmocka_unit_test(json_has_the_documented_shape),
		cmocka_unit_test(json_says_null_where_there_was_no_interrupt),
		cmocka_unit_test(text_tells_people),
		cmocka_unit_test(a_column_without_figures_is_left_out),
		cmocka_unit_test(the_script_quotes_what_it_prints),
		cmocka_unit_test(an_estimate_may_be_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
