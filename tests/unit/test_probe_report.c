/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "tool/probe.h"

#include <string.h>

static const struct lw_mode_result modes[] = {
	{
		.name = "split",
		.calibration = {.observer = LW_OBSERVER_EOI_EXIT},
		.verdict = LW_STALE,
		.case_count = 2,
		.cases = {{.name = "control",
			   .counted = true,
			   .arrival = LW_ARRIVED,
			   .seen = {.reuses = 200},
			   .superfluous_known = true},
			  {.name = "coincidence",
			   .counted = true,
			   .seen = {.reuses = 200},
			   .superfluous = 200,
			   .superfluous_known = true,
			   .verdict = LW_STALE}},
	},
	{
		.name = "in-kernel",
		.pending = true,
		.verdict = LW_CANNOT_TELL,
		.reason = {"nothing shows"},
		.case_count = 1,
		.cases = {{.name = "vector-rewrite",
			   .order = "low-first",
			   .arrival = LW_LOST,
			   .seen = {.reuses = 200},
			   .verdict = LW_LOSES_EOI}},
	},
};

static const struct lw_mode_result lapwing = {
	.name = "lapwing",
	.calibration = {.observer = LW_OBSERVER_EOI_EXIT},
	.case_count = 2,
	.cases = {{.name = "control",
		   .counted = true,
		   .arrival = LW_ARRIVED,
		   .seen = {.reuses = 200},
		   .superfluous_known = true},
		  {.name = "coincidence",
		   .counted = true,
		   .seen = {.reuses = 200},
		   .superfluous = 1,
		   .superfluous_known = true}},
};

static const struct lw_probe_report report = {
	.kernel = "6.12.1",
	.count = 200,
	.modes = modes,
	.mode_count = 2,
	.lapwing = &lapwing,
};

static void json_has_the_documented_shape(void **state)
{
	json_t *root = lw_probe_json(&report);
	const char *release, *verdict, *observer, *rerouted, *name;
	json_t *cases, *order, *arrived, *superfluous, *reason;
	int reuses, counted;

	(void)state;
	assert_non_null(root);
	assert_int_equal(json_unpack(root, "{s:s, s:[{s:s, s:s, s:s, s:n, s:o}, {}]}", "kernel",
				     &release, "modes", "verdict", &verdict, "observer", &observer,
				     "rerouted", &rerouted, "reason", "cases", &cases),
			 0);
	assert_string_equal(release, "6.12.1");
	assert_string_equal(verdict, "stale");
	assert_string_equal(observer, "eoi-exit");
	assert_string_equal(rerouted, "in-service");
	assert_int_equal(json_unpack(json_array_get(cases, 1),
				     "{s:s, s:o, s:o, s:i, s:o, s:s, s:o, s:b !}", "case", &name,
				     "order", &order, "eoi_arrived", &arrived, "reuses", &reuses,
				     "superfluous", &superfluous, "verdict", &verdict, "reason",
				     &reason, "counted", &counted),
			 0);
	assert_string_equal(name, "coincidence");
	assert_true(json_is_null(order) && json_is_null(arrived) && json_is_null(reason));
	assert_int_equal(json_integer_value(superfluous), 200);
	assert_int_equal(reuses, 200);
	assert_true(counted);
	cases = json_object_get(json_object_get(root, "through_lapwing"), "cases");
	superfluous = json_object_get(json_array_get(cases, 1), "superfluous");
	assert_int_equal(json_integer_value(superfluous), 1);
	json_decref(root);
}

static void json_says_null_where_nothing_is_known(void **state)
{
	json_t *root = lw_probe_json(&report);
	json_t *mode = json_array_get(json_object_get(root, "modes"), 1);
	json_t *one = json_array_get(json_object_get(mode, "cases"), 0);

	(void)state;
	assert_true(json_is_null(json_object_get(mode, "observer")));
	assert_string_equal(json_string_value(json_object_get(mode, "reason")), "nothing shows");
	assert_string_equal(json_string_value(json_object_get(mode, "rerouted")), "pending");
	assert_true(json_is_false(json_object_get(one, "eoi_arrived")));
	assert_true(json_is_null(json_object_get(one, "superfluous")));
	assert_true(json_is_false(json_object_get(one, "counted")));
	assert_string_equal(json_string_value(json_object_get(one, "order")), "low-first");
	json_decref(root);
}

static void text_tells_people(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(lw_probe_print(&report, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "KVM of Linux 6.12.1, each vector reused 200 times"));
	assert_non_null(strstr(text, "200 of 200"));
	assert_non_null(strstr(text, "vector-rewrite, low-first"));
	assert_non_null(strstr(text, "\nsplit: stale\nMoving an interrupt does not lose it"));
	assert_non_null(strstr(text, "\nin-kernel: cannot-tell\n(nothing shows)"));
	assert_non_null(strstr(text, "vector-rewrite: every kernel known loses"));
	assert_non_null(strstr(text, "\nThe same host through Lapwing (split): clean\n"));
	free(text);
}

static void the_last_line_compares(void **state)
{
	char *text = NULL, *last;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int itself = 0, through = 0;

	(void)state;
	assert_non_null(out);
	assert_int_equal(lw_probe_print(&report, out), 0);
	fclose(out);
	text[size - 1] = '\0';
	last = strrchr(text, '\n') + 1;
	assert_int_equal(sscanf(last, "coincidence - - %d %d", &itself, &through), 2);
	assert_int_equal(itself, 200);
	assert_int_equal(through, 1);
	free(text);
}

static void a_host_without_split_is_told_once(void **state)
{
	struct lw_mode_result none = {
		.name = "lapwing",
		.verdict = LW_CANNOT_TELL,
		.reason = {"this KVM offers no split irqchip"},
	};
	struct lw_probe_report without = report;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	without.lapwing = &none;
	assert_int_equal(lw_probe_print(&without, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "(split): cannot-tell\n(this KVM offers no split irqchip)\n"));
	free(text);
}

/* What every kernel known does must not hide that this one does nothing else. */
static void a_loss_in_vector_rewrite_alone_is_told_apart(void **state)
{
	struct lw_mode_result mode = {
		.name = "split",
		.verdict = LW_LOSES_EOI,
		.case_count = 2,
		.cases = {{.name = "control", .counted = true, .arrival = LW_ARRIVED},
			  {.name = "vector-rewrite",
			   .counted = true,
			   .arrival = LW_LOST,
			   .verdict = LW_LOSES_EOI}},
	};
	struct lw_probe_report one = report;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	one.modes = &mode;
	one.mode_count = 1;
	assert_int_equal(lw_probe_print(&one, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "\nsplit: loses-eoi, but only in vector-rewrite; clean "
				     "otherwise\nMoving interrupts costs"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_the_documented_shape),
		cmocka_unit_test(json_says_null_where_nothing_is_known),
		cmocka_unit_test(text_tells_people),
		cmocka_unit_test(the_last_line_compares),
		cmocka_unit_test(a_host_without_split_is_told_once),
		cmocka_unit_test(a_loss_in_vector_rewrite_alone_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
