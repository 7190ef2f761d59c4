/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "kvm/cases.h"
#include "kvm/verdict.h"

#include <string.h>

static const struct lw_calibration exact = {.observer = LW_OBSERVER_EOI_EXIT};

static struct lw_case_result seen_exits(enum lw_arrival arrival, uint64_t exits, uint64_t reuses)
{
	return (struct lw_case_result){
		.name = "case",
		.counted = true,
		.arrival = arrival,
		.seen = {.reuses = reuses, .eoi_exits = exits},
	};
}

static enum lw_verdict judged(struct lw_case_result result, struct lw_calibration calibration)
{
	lw_judge_case(&result, &calibration);
	return result.verdict;
}

static void a_lost_eoi_is_the_worst(void **state)
{
	(void)state;
	assert_int_equal(judged(seen_exits(LW_LOST, 0, 200), exact), LW_LOSES_EOI);
	assert_int_equal(judged(seen_exits(LW_LOST, 200, 200), exact), LW_LOSES_EOI);
	assert_int_equal(judged(seen_exits(LW_LOST, 0, 200), (struct lw_calibration){0}),
			 LW_LOSES_EOI);
}

static void one_exit_is_cleaning_up(void **state)
{
	(void)state;
	assert_int_equal(judged(seen_exits(LW_ARRIVED, 0, 200), exact), LW_CLEAN);
	assert_int_equal(judged(seen_exits(LW_ARRIVAL_NONE, 1, 200), exact), LW_CLEAN);
	assert_int_equal(judged(seen_exits(LW_ARRIVED, 1, 2), exact), LW_CLEAN);
}

static void exits_for_ever_are_stale(void **state)
{
	(void)state;
	assert_int_equal(judged(seen_exits(LW_ARRIVED, 200, 200), exact), LW_STALE);
	assert_int_equal(judged(seen_exits(LW_ARRIVED, 101, 200), exact), LW_STALE);
	assert_int_equal(judged(seen_exits(LW_ARRIVAL_NONE, 2, 2), exact), LW_STALE);
}

static void some_exits_are_not_told(void **state)
{
	struct lw_case_result result = seen_exits(LW_ARRIVED, 15, 200);

	(void)state;
	lw_judge_case(&result, &exact);
	assert_int_equal(result.verdict, LW_CANNOT_TELL);
	assert_non_null(strstr(result.reason.text, "15 of 200"));
}

static void strays_of_an_inexact_observer_are_forgiven(void **state)
{
	struct lw_calibration by_flag = {.observer = LW_OBSERVER_PV_EOI};
	struct lw_case_result result = {.counted = true, .arrival = LW_ARRIVED};

	(void)state;
	result.seen = (struct lw_reuses){.reuses = 200, .eoi_writes = 20};
	assert_int_equal(judged(result, by_flag), LW_CLEAN);
	result.seen.eoi_writes = 60;
	assert_int_equal(judged(result, by_flag), LW_CANNOT_TELL);
	result.seen.eoi_writes = 199;
	assert_int_equal(judged(result, by_flag), LW_STALE);
}

static void without_an_observer_only_loss_is_told(void **state)
{
	struct lw_case_result result = seen_exits(LW_ARRIVED, 0, 200);
	struct lw_calibration none = {.observer = LW_OBSERVER_NONE};

	(void)state;
	lw_judge_case(&result, &none);
	assert_int_equal(result.verdict, LW_CANNOT_TELL);
	assert_false(result.superfluous_known);
	assert_true(result.reason.text[0] != '\0');
	result = seen_exits(LW_ARRIVED, 0, 200);
	result.control = true;
	assert_int_equal(judged(result, none), LW_CLEAN);
}

static void calibration_prefers_the_flag(void **state)
{
	struct lw_reuses untouched = {.reuses = 200, .eoi_writes = 2, .exits_known = true};
	struct lw_reuses intercepted = {.reuses = 200, .eoi_writes = 200, .exits_known = true};

	(void)state;
	untouched.exits[LW_EXITS_EQUAL] = 200;
	intercepted.exits[LW_EXITS_EQUAL + 1] = 200;
	assert_int_equal(lw_calibrate(&untouched, &intercepted).observer, LW_OBSERVER_PV_EOI);
}

static void calibration_falls_back_on_exits(void **state)
{
	struct lw_reuses untouched = {.reuses = 200, .eoi_writes = 200, .exits_known = true};
	struct lw_reuses intercepted = untouched;
	struct lw_case_result result = {.counted = true, .arrival = LW_ARRIVED};
	struct lw_calibration found;

	(void)state;
	untouched.exits[LW_EXITS_EQUAL] = 190;
	untouched.exits[LW_EXITS_SLOTS - 1] = 10;
	intercepted.exits[LW_EXITS_EQUAL + 1] = 195;
	intercepted.exits[0] = 5;
	found = lw_calibrate(&untouched, &intercepted);
	assert_int_equal(found.observer, LW_OBSERVER_EXIT_COUNTER);
	result.seen = intercepted;
	assert_int_equal(judged(result, found), LW_STALE);
	result.seen = untouched;
	assert_int_equal(judged(result, found), LW_CLEAN);
}

/* As met on a busy host: half of all reuses took one more. */
static void calibration_takes_no_noise(void **state)
{
	struct lw_reuses untouched = {.reuses = 50, .eoi_writes = 50, .exits_known = true};
	struct lw_reuses intercepted = untouched;

	(void)state;
	untouched.exits[LW_EXITS_EQUAL] = 29;
	untouched.exits[LW_EXITS_EQUAL + 1] = 21;
	intercepted.exits[LW_EXITS_EQUAL] = 12;
	intercepted.exits[LW_EXITS_EQUAL + 1] = 38;
	assert_int_equal(lw_calibrate(&untouched, &intercepted).observer, LW_OBSERVER_NONE);
}

static void calibration_may_find_nothing(void **state)
{
	struct lw_reuses same = {.reuses = 200, .eoi_writes = 200, .exits_known = true};
	struct lw_reuses empty = {0};

	(void)state;
	same.exits[LW_EXITS_EQUAL] = 200;
	assert_int_equal(lw_calibrate(&same, &same).observer, LW_OBSERVER_NONE);
	assert_int_equal(lw_calibrate(&empty, &same).observer, LW_OBSERVER_NONE);
	assert_int_equal(lw_calibrate(&same, &empty).observer, LW_OBSERVER_NONE);
	same.exits_known = false;
	assert_int_equal(lw_calibrate(&same, &same).observer, LW_OBSERVER_NONE);
}

static struct lw_mode_result mode_of(enum lw_verdict control, enum lw_verdict a, enum lw_verdict b)
{
	struct lw_mode_result mode = {.name = "split", .case_count = 3};

	mode.cases[0] = (struct lw_case_result){.control = true, .counted = true};
	mode.cases[0].verdict = control;
	mode.cases[1] = (struct lw_case_result){.counted = true, .verdict = a};
	mode.cases[2] = (struct lw_case_result){.counted = true, .verdict = b};
	lw_judge_mode(&mode);
	return mode;
}

static void a_mode_is_its_worst_counted_case(void **state)
{
	struct lw_mode_result mode;

	(void)state;
	assert_int_equal(mode_of(LW_CLEAN, LW_CLEAN, LW_CLEAN).verdict, LW_CLEAN);
	assert_int_equal(mode_of(LW_CLEAN, LW_CLEAN, LW_CANNOT_TELL).verdict, LW_CANNOT_TELL);
	assert_int_equal(mode_of(LW_CLEAN, LW_STALE, LW_CANNOT_TELL).verdict, LW_STALE);
	assert_int_equal(mode_of(LW_CLEAN, LW_STALE, LW_LOSES_EOI).verdict, LW_LOSES_EOI);
	mode = mode_of(LW_CLEAN, LW_CLEAN, LW_CLEAN);
	mode.cases[2].verdict = LW_LOSES_EOI;
	mode.cases[2].counted = false;
	lw_judge_mode(&mode);
	assert_int_equal(mode.verdict, LW_CLEAN);
}

static void a_bent_ruler_tells_nothing(void **state)
{
	struct lw_mode_result mode = mode_of(LW_STALE, LW_CLEAN, LW_LOSES_EOI);

	(void)state;
	assert_int_equal(mode.verdict, LW_CANNOT_TELL);
	assert_true(mode.reason.text[0] != '\0');
	mode.case_count = 0;
	lw_judge_mode(&mode);
	assert_int_equal(mode.verdict, LW_CANNOT_TELL);
}

static void exit_status_says_affected_or_not(void **state)
{
	struct lw_mode_result modes[2] = {{.verdict = LW_CLEAN}, {.verdict = LW_CLEAN}};

	(void)state;
	assert_int_equal(lw_verdict_exit_status(modes, 2), 0);
	modes[1].verdict = LW_CANNOT_TELL;
	assert_int_equal(lw_verdict_exit_status(modes, 2), 0);
	modes[0].verdict = LW_CANNOT_TELL;
	assert_int_equal(lw_verdict_exit_status(modes, 2), 2);
	modes[1].verdict = LW_STALE;
	assert_int_equal(lw_verdict_exit_status(modes, 2), 1);
	modes[1].verdict = LW_LOSES_EOI;
	assert_int_equal(lw_verdict_exit_status(modes, 2), 1);
}

/* A KVM on which nothing works must not look like one on which all is well. */
static void cases_that_could_not_run_are_not_clean(void **state)
{
	struct lw_kvm broken = {.fd = -1, .split = true, .inkernel = true};
	struct lw_probe probe = {.kvm = &broken, .count = 2};
	struct lw_mode_result modes[LW_PROBE_MODES];

	(void)state;
	lw_probe_run(&probe, modes);
	for (size_t m = 0; m < LW_PROBE_MODES; m++) {
		assert_int_equal(modes[m].verdict, LW_CANNOT_TELL);
		assert_true(modes[m].reason.text[0]);
		for (size_t c = 0; c < modes[m].case_count; c++)
			assert_int_equal(modes[m].cases[c].verdict, LW_CANNOT_TELL);
	}
	assert_int_equal(lw_verdict_exit_status(modes, LW_PROBE_MODES), 2);
}

/* A control that says nothing gives no ruler for the others. */
static void a_control_that_cannot_tell_lets_nothing_be_told(void **state)
{
	struct lw_mode_result mode = {.case_count = 2};

	(void)state;
	mode.cases[0] = (struct lw_case_result){.counted = true, .verdict = LW_CANNOT_TELL};
	mode.cases[1] = (struct lw_case_result){.counted = true, .verdict = LW_STALE};
	lw_judge_mode(&mode);
	assert_int_equal(mode.verdict, LW_CANNOT_TELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_eoi_is_the_worst),
		cmocka_unit_test(one_exit_is_cleaning_up),
		cmocka_unit_test(exits_for_ever_are_stale),
		cmocka_unit_test(some_exits_are_not_told),
		cmocka_unit_test(strays_of_an_inexact_observer_are_forgiven),
		cmocka_unit_test(without_an_observer_only_loss_is_told),
		cmocka_unit_test(calibration_prefers_the_flag),
		cmocka_unit_test(calibration_falls_back_on_exits),
		cmocka_unit_test(calibration_takes_no_noise),
		cmocka_unit_test(calibration_may_find_nothing),
		cmocka_unit_test(a_mode_is_its_worst_counted_case),
		cmocka_unit_test(cases_that_could_not_run_are_not_clean),
		cmocka_unit_test(a_control_that_cannot_tell_lets_nothing_be_told),
		cmocka_unit_test(a_bent_ruler_tells_nothing),
		cmocka_unit_test(exit_status_says_affected_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
