/* SPDX-License-Identifier: MIT */
/* The timer: one-shot, periodic, TSC-deadline; and pauses of any length. */
#include "lapic_rig.h"

#define MASK         (1u << 16)
#define PERIODIC     (1u << 17)
#define TSC_DEADLINE (2u << 17)
#define DIVIDE_BY_1  0xbu

static int started(void **state)
{
	fresh(state);
	put(LW_LAPIC_DCR, DIVIDE_BY_1);
	put(LW_LAPIC_LVT_TIMER, 0x31);
	lw_lapic_time(l, 1000);
	assert_diary("");
	return 0;
}

static int started_tsc(void **state)
{
	started(state);
	put(LW_LAPIC_LVT_TIMER, TSC_DEADLINE | 0x31);
	lw_lapic_set_tsc(l, 50000);
	return 0;
}

/* Whether the timer has made an interrupt; EOI'd at once. */
static bool ticked(void)
{
	if (lw_lapic_accept(l) != 0x31)
		return false;
	assert_false(lw_lapic_tmr(l, 0x31));
	assert_int_equal(lw_lapic_eoi(l), 0x31);
	return true;
}

/* ---- one-shot ---- */

static void one_shot_fires_once(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500);
	assert_diary("deadline1500 ");
	assert_true(lw_lapic_deadline(l) == 1500);
	assert_int_equal(get(LW_LAPIC_TMCCT), 500);
	lw_lapic_time(l, 1499);
	assert_int_equal(get(LW_LAPIC_TMCCT), 1);
	assert_false(ticked());
	lw_lapic_time(l, 1500);
	assert_diary("deadline0 ");
	assert_true(ticked());
	assert_int_equal(get(LW_LAPIC_TMCCT), 0);
	assert_int_equal(get(LW_LAPIC_TMICT), 500);
	lw_lapic_time(l, 1000000);
	assert_false(ticked());
	assert_diary("");
}

static void a_new_count_starts_anew_and_zero_stops(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_time(l, 1400);
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_time(l, 1600);
	assert_false(ticked());
	put(LW_LAPIC_TMICT, 0);
	assert_diary("deadline1500 deadline1900 deadline0 ");
	assert_int_equal(get(LW_LAPIC_TMCCT), 0);
	lw_lapic_time(l, 5000);
	assert_false(ticked());
	put(LW_LAPIC_TMCCT, 7); /* read-only */
	assert_diary("");
}

static void time_does_not_run_backwards(void **state)
{
	(void)state;
	lw_lapic_time(l, 10);
	put(LW_LAPIC_TMICT, 500);
	assert_diary("deadline1500 ");
	lw_lapic_time(l, 900);
	assert_int_equal(get(LW_LAPIC_TMCCT), 500);
}

/* CVE-2013-6367: every divide configuration with every kind of count. */
static void test_cve_2013_6367_every_divide_configuration(void **state)
{
	static const uint32_t divisor[16] = {2,  4,  8,   16, 2,  4,  8,   16,
					     32, 64, 128, 1,  32, 64, 128, 1};
	static const uint32_t kept[16] = {0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11};

	(void)state;
	for (uint32_t n = 0; n < 16; n++) {
		put(LW_LAPIC_DCR, 0xfffffff0 | n);
		assert_int_equal(get(LW_LAPIC_DCR), kept[n]);
		put(LW_LAPIC_TMICT, 0);
		assert_true(lw_lapic_deadline(l) == 0);
		assert_int_equal(get(LW_LAPIC_TMCCT), 0);
		put(LW_LAPIC_TMICT, 1000);
		assert_true(lw_lapic_deadline(l) == 1000 + 1000 * divisor[n]);
		put(LW_LAPIC_TMICT, UINT32_MAX);
		assert_true(lw_lapic_deadline(l) == 1000 + (uint64_t)UINT32_MAX * divisor[n]);
		assert_int_equal(get(LW_LAPIC_TMCCT), UINT32_MAX);
		forget_diary();
	}
}

static void a_new_divisor_counts_the_rest_at_its_pace(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_time(l, 1100);
	put(LW_LAPIC_DCR, 0); /* by 2 */
	assert_int_equal(get(LW_LAPIC_TMCCT), 400);
	assert_diary("deadline1500 deadline1900 ");
	lw_lapic_time(l, 1900);
	assert_true(ticked());
	put(LW_LAPIC_DCR, 1);
	assert_diary("deadline0 ");
}

static void a_masked_timer_counts_without_interrupting(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_TIMER, MASK | 0x31);
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_time(l, 1200);
	assert_int_equal(get(LW_LAPIC_TMCCT), 300);
	lw_lapic_time(l, 1500);
	put(LW_LAPIC_LVT_TIMER, 0x31);
	assert_false(ticked());
	assert_diary("deadline1500 deadline0 ");
}

/* ---- periodic ---- */

static void periodic_keeps_its_phase(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_TIMER, PERIODIC | 0x31);
	put(LW_LAPIC_TMICT, 300);
	for (uint64_t n = 1; n < 10; n++) {
		assert_true(lw_lapic_deadline(l) == 1000 + 300 * n);
		lw_lapic_time(l, 1000 + 300 * n + n); /* each later than the last */
		assert_true(ticked());
		assert_int_equal(get(LW_LAPIC_TMCCT), 300 - n);
	}
}

/* One interrupt and one division, whatever was missed. */
static void test_cve_2025_71104_a_long_pause(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_TIMER, PERIODIC | 0x31);
	put(LW_LAPIC_TMICT, 3);
	forget_diary();
	lw_lapic_time(l, UINT64_MAX / 2);
	assert_true(ticked());
	assert_false(ticked());
	assert_true(lw_lapic_deadline(l) > UINT64_MAX / 2);
	assert_true(lw_lapic_deadline(l) <= UINT64_MAX / 2 + 3);
	assert_true((lw_lapic_deadline(l) - 1000) % 3 == 0);
	lw_lapic_time(l, UINT64_MAX - 1);
	assert_true(ticked());
	lw_lapic_time(l, UINT64_MAX);
	assert_true(lw_lapic_deadline(l) == UINT64_MAX);
}

static void a_running_count_goes_on_in_its_new_mode(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500);
	put(LW_LAPIC_LVT_TIMER, PERIODIC | 0x31);
	lw_lapic_time(l, 1500);
	assert_true(ticked());
	assert_diary("deadline1500 deadline2000 ");
	put(LW_LAPIC_LVT_TIMER, 0x31);
	lw_lapic_time(l, 2000);
	assert_true(ticked());
	assert_diary("deadline0 ");
}

/* ---- TSC-deadline ---- */

static void a_tsc_deadline_fires_once(void **state)
{
	(void)state;
	lw_lapic_write_tsc_deadline(l, 50300);
	assert_diary("deadline1300 ");
	assert_true(lw_lapic_tsc_deadline(l) == 50300);
	lw_lapic_time(l, 1299);
	assert_false(ticked());
	lw_lapic_time(l, 1300);
	assert_true(ticked());
	assert_true(lw_lapic_tsc_deadline(l) == 0);
	assert_diary("deadline0 ");
}

static void a_tsc_deadline_that_has_been_fires_at_once(void **state)
{
	(void)state;
	lw_lapic_write_tsc_deadline(l, 1);
	assert_true(ticked());
	lw_lapic_time(l, 2000);
	lw_lapic_write_tsc_deadline(l, 51000);
	assert_true(ticked());
	assert_true(lw_lapic_deadline(l) == 0);
	lw_lapic_write_tsc_deadline(l, 51001);
	assert_false(ticked());
	lw_lapic_write_tsc_deadline(l, 0);
	lw_lapic_time(l, 3000);
	assert_false(ticked());
}

static void far_tsc_deadlines_do_not_wrap(void **state)
{
	(void)state;
	lw_lapic_write_tsc_deadline(l, UINT64_MAX);
	assert_true(lw_lapic_deadline(l) > UINT64_MAX / 2);
	assert_false(ticked());
}

static void a_tsc_deadline_moves_with_the_tsc(void **state)
{
	(void)state;
	lw_lapic_write_tsc_deadline(l, 50300);
	lw_lapic_set_tsc(l, 50200);
	assert_true(lw_lapic_deadline(l) == 1100);
	lw_lapic_set_tsc(l, 60000);
	assert_true(ticked());
	assert_true(lw_lapic_deadline(l) == 0);
}

static void each_mode_has_its_own_registers(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500); /* is ignored in TSC-deadline mode */
	assert_int_equal(get(LW_LAPIC_TMICT), 0);
	lw_lapic_write_tsc_deadline(l, 50300);
	assert_int_equal(get(LW_LAPIC_TMCCT), 0);
	put(LW_LAPIC_LVT_TIMER, 0x31); /* leaving disarms */
	assert_true(lw_lapic_tsc_deadline(l) == 0);
	assert_diary("deadline1300 deadline0 ");
	lw_lapic_write_tsc_deadline(l, 50300);
	assert_true(lw_lapic_tsc_deadline(l) == 0);
	put(LW_LAPIC_TMICT, 500);
	put(LW_LAPIC_LVT_TIMER, TSC_DEADLINE | 0x31); /* and so does entering */
	assert_diary("deadline1500 deadline0 ");
	put(LW_LAPIC_LVT_TIMER, PERIODIC | 0x31);
	put(LW_LAPIC_TMICT, 500);
	put(LW_LAPIC_LVT_TIMER, 3u << 17 | 0x31); /* reserved: no timer */
	assert_diary("deadline1500 deadline0 ");
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_write_tsc_deadline(l, 50300);
	assert_diary("");
}

/* ---- clocks ---- */

static void clocks_out_of_range_are_refused(void **state)
{
	struct lw_lapic_config config = {.clock = {.bus_ns = 1}};

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config.clock = (struct lw_lapic_clock){.bus_ticks = 1};
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config.clock = (struct lw_lapic_clock){.bus_ns = LW_CLOCK_MAX + 1, .bus_ticks = 1};
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config.clock = (struct lw_lapic_clock){.bus_ns = 1, .bus_ticks = LW_CLOCK_MAX + 1};
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config.clock = (struct lw_lapic_clock){.bus_ns = LW_CLOCK_MAX, .bus_ticks = LW_CLOCK_MAX};
	assert_int_equal(lw_lapic_init(l, &config), 0);
}

static void a_bus_of_25_mhz_and_a_tsc_of_2_point_5_ghz(void **state)
{
	(void)state;
	open_with((struct lw_lapic_config){
		.clock = {.bus_ns = 40, .bus_ticks = 1, .tsc_khz = 2500000}});
	put(LW_LAPIC_LVT_TIMER, 0x31);
	put(LW_LAPIC_DCR, DIVIDE_BY_1);
	put(LW_LAPIC_TMICT, 100);
	assert_true(lw_lapic_deadline(l) == 4000);
	lw_lapic_time(l, 41); /* two counts have begun, one is over */
	assert_int_equal(get(LW_LAPIC_TMCCT), 99);
	put(LW_LAPIC_LVT_TIMER, TSC_DEADLINE | 0x31);
	lw_lapic_write_tsc_deadline(l, 2500001); /* rounded up */
	assert_true(lw_lapic_deadline(l) == 1000001);
}

/* The widest products: nothing overflows, and what is left never exceeds the count. */
static void extreme_ratios(void **state)
{
	static const struct lw_lapic_clock clocks[] = {
		{LW_CLOCK_MAX, LW_CLOCK_MAX, 1},
		{LW_CLOCK_MAX, 1, UINT32_MAX},
		{1, LW_CLOCK_MAX, 1},
		{LW_CLOCK_MAX - 1, LW_CLOCK_MAX, 3},
	};

	(void)state;
	for (size_t n = 0; n < sizeof(clocks) / sizeof(*clocks); n++) {
		open_with((struct lw_lapic_config){.clock = clocks[n]});
		put(LW_LAPIC_LVT_TIMER, PERIODIC | 0x31);
		put(LW_LAPIC_DCR, 0xa); /* by 128 */
		put(LW_LAPIC_TMICT, UINT32_MAX);
		/* cut to whole ns, each of which may be many counts */
		assert_true(get(LW_LAPIC_TMCCT) >=
			    UINT32_MAX - clocks[n].bus_ticks / clocks[n].bus_ns / 128 - 1);
		put(LW_LAPIC_TMICT, 1);
		assert_true(lw_lapic_deadline(l) > 0);
		assert_true(get(LW_LAPIC_TMCCT) >= 1);
		lw_lapic_time(l, UINT64_MAX - 1);
		assert_true(ticked());
		put(LW_LAPIC_LVT_TIMER, TSC_DEADLINE | 0x31);
		lw_lapic_write_tsc_deadline(l, UINT64_MAX);
		assert_true((lw_lapic_tsc_deadline(l) == 0) == (clocks[n].tsc_khz > 3));
	}
}

/* ---- the rest ---- */

static void init_stops_it(void **state)
{
	(void)state;
	put(LW_LAPIC_TMICT, 500);
	lw_lapic_reset(l);
	assert_diary("deadline1500 deadline0 changed ");
	assert_int_equal(get(LW_LAPIC_TMICT), 0);
	assert_int_equal(get(LW_LAPIC_DCR), 0);
	put(LW_LAPIC_SVR, ENABLED);
	put(LW_LAPIC_LVT_TIMER, 0x31);
	put(LW_LAPIC_TMICT, 500); /* time goes on; by 2 */
	assert_true(lw_lapic_deadline(l) == 2000);
}

static void without_an_op_it_can_be_asked(void **state)
{
	struct lw_lapic_config config = {.id = 3};

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	put(LW_LAPIC_SVR, ENABLED);
	put(LW_LAPIC_LVT_TIMER, 0x31);
	put(LW_LAPIC_TMICT, 500);
	assert_true(lw_lapic_deadline(l) == 1000);
	lw_lapic_time(l, 1000);
	assert_true(ticked());
}

static void a_deadline_before_time_began_is_the_first_instant(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_TIMER, 0x40031);
	lw_lapic_set_tsc(l, 100);
	lw_lapic_write_tsc_deadline(l, 50);
	assert_int_equal(lw_lapic_deadline(l), 1);
	assert_int_equal(lw_lapic_pending(l), -1);
	lw_lapic_time(l, 1);
	assert_int_equal(lw_lapic_pending(l), 0x31);
}

#define STARTED(name) cmocka_unit_test_setup(name, started)
#define TSC(name)     cmocka_unit_test_setup(name, started_tsc)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STARTED(one_shot_fires_once),
		STARTED(a_new_count_starts_anew_and_zero_stops),
		STARTED(time_does_not_run_backwards),
		STARTED(test_cve_2013_6367_every_divide_configuration),
		STARTED(a_new_divisor_counts_the_rest_at_its_pace),
		STARTED(a_masked_timer_counts_without_interrupting),
		STARTED(periodic_keeps_its_phase),
		STARTED(test_cve_2025_71104_a_long_pause),
		STARTED(a_running_count_goes_on_in_its_new_mode),
		TSC(a_tsc_deadline_fires_once),
		TSC(a_tsc_deadline_that_has_been_fires_at_once),
		TSC(far_tsc_deadlines_do_not_wrap),
		TSC(a_tsc_deadline_moves_with_the_tsc),
		TSC(each_mode_has_its_own_registers),
		STARTED(clocks_out_of_range_are_refused),
		STARTED(a_bus_of_25_mhz_and_a_tsc_of_2_point_5_ghz),
		STARTED(extreme_ratios),
		STARTED(init_stops_it),
		STARTED(without_an_op_it_can_be_asked),
		XAPIC(a_deadline_before_time_began_is_the_first_instant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
