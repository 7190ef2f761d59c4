/* SPDX-License-Identifier: MIT */
/* Whom the I/O APIC tells, and how: resamplers, storms, level to edge. */
#include "ioapic_rig.h"

static int setup_stormless(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.ops = &rig_stormless_ops;
	rig_open(&config);
	return 0;
}

/* Pin 7 is delivered to vCPU 1 as 31 and its line is up. */
static void deliver_7(void)
{
	program(7, rte_of(1, 0x31, LEVEL));
	line(7, true);
	assert_diary("level107:31>1 ");
}

/* ---- level to edge ---- */

/* docs/reliability.md, 7.12, acrn-hypervisor#4200. */
static void edge_flip_clears_remote_irr_and_notifies(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	deliver_7();
	write_low(7, rte_of(1, 0x31, 0));
	assert_diary("closed1:31 route31L-31E resample107 ");
	assert_false(remote_irr(7));
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	assert_diary("");
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("route31E-31L level107:31>1 ");
}

static void flip_back_and_forth(uint32_t pin)
{
	line(pin, false);
	line(pin, true);
	write_low(pin, rte_of(1, 0x31, LEVEL));
	write_low(pin, rte_of(1, 0x31, 0));
}

static void flip_this_one(uint32_t gsi)
{
	if (rig.resampled <= 50)
		flip_back_and_forth(gsi - GSI_BASE);
}

/* Pins 7 and 8 answer each other. */
static uint32_t the_other(uint32_t gsi)
{
	return 15 - (gsi - GSI_BASE);
}

static void flip_the_other(uint32_t gsi)
{
	if (rig.resampled <= 50)
		flip_back_and_forth(the_other(gsi));
}

/* The callback answers with another flip of the same pin, which delivers nothing before it has
 * returned, so that there is nothing to tell of. */
static void test_cve_2020_27152_level_to_edge_with_a_resampler(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	deliver_7();
	rig.on_resample = flip_this_one;
	write_low(7, rte_of(1, 0x31, 0));
	assert_int_equal(rig.resampled, 1);
	assert_false(remote_irr(7));
}

/* Or with one of another pin, which answers likewise: each is queued, and none nests. */
static void test_cve_2020_27152_with_two_resamplers(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	lw_ioapic_notify(rig.io, 8, true);
	program(8, rte_of(1, 0x31, 0));
	deliver_7();
	rig.on_resample = flip_the_other;
	write_low(7, rte_of(1, 0x31, 0));
	assert_int_equal(rig.resampled, 51);
	assert_false(remote_irr(7));
}

/* ---- notifications ---- */

static void raise_again(uint32_t gsi)
{
	if (rig.resampled < 3)
		line(gsi - GSI_BASE, true);
}

/* docs/reliability.md, 7.7 and 7.15: the callback raises the line, which is delivered once. */
static void a_resampler_sets_the_line_again(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	deliver_7();
	line(7, false);
	rig.on_resample = raise_again;
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("resample107 level107:31>1 ");
	assert_true(remote_irr(7));
}

static void lower(uint32_t gsi)
{
	line(gsi - GSI_BASE, false);
}

/* An assigned device: its line is held up until it is sampled, and must not be delivered twice. */
static void a_resampler_that_lowers_the_line_is_not_delivered_twice(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	deliver_7();
	rig.on_resample = lower;
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("resample107 ");
	assert_false(remote_irr(7));
	rig.on_resample = NULL;
	line(7, true);
	forget_diary();
	eoi(1, 0x31);
	assert_diary("resample107 level107:31>1 "); /* still up: again, after it was sampled */
}

static void eoi_again(uint32_t gsi)
{
	line(gsi - GSI_BASE, false);
	line(the_other(gsi), rig.resampled < 10);
	lw_ioapic_eoi(rig.io, 1, 0x31);
}

/* An EOI inside a callback queues the next notification, for the same drainer. */
static void callbacks_that_end_what_they_begin_do_not_nest(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	lw_ioapic_notify(rig.io, 8, true);
	program(8, rte_of(1, 0x31, LEVEL));
	deliver_7();
	rig.on_resample = eoi_again;
	eoi(1, 0x31);
	assert_int_equal(rig.resampled, 10);
	assert_false(lw_ioapic_owes_locked(rig.io));
}

static void all_that_are_owed_are_told_once(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < PINS; pin++) {
		lw_ioapic_notify(rig.io, pin, pin != 4);
		program(pin, rte_of(1, 0x31, LEVEL));
		line(pin, true);
		line(pin, false);
	}
	forget_diary();
	rig_lock(&rig);
	assert_int_equal(lw_ioapic_eoi_locked(rig.io, 1, 0x31), LW_EOI_NECESSARY);
	assert_true(lw_ioapic_owes_locked(rig.io));
	rig_unlock(&rig);
	assert_diary("");
	lw_ioapic_drain(rig.io);
	assert_int_equal(rig.resampled, PINS - 1);
	lw_ioapic_drain(rig.io);
	assert_int_equal(rig.resampled, PINS - 1);
	assert_false(lw_ioapic_owes_locked(rig.io));
}

static void a_pin_without_notify_is_silent(void **state)
{
	(void)state;
	lw_ioapic_notify(rig.io, 7, true);
	lw_ioapic_notify(rig.io, 7, false);
	deliver_7();
	eoi(1, 0x31);
	assert_diary("level107:31>1 ");
}

/* ---- storm ---- */

/* docs/reliability.md, 7.4. */
static void storm_delays_after_10000_eois(void **state)
{
	(void)state;
	deliver_7();
	for (int n = 0; n < 9999; n++) {
		assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
		assert_diary("level107:31>1 ");
	}
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("storm107 ");
	assert_int_equal(lw_ioapic_counters(rig.io).storms, 1);
	assert_false(remote_irr(7));
	line(7, false);
	line(7, true);
	assert_diary("");
	assert_int_equal(lw_ioapic_resume(rig.io, 7), 0);
	assert_diary("level107:31>1 ");
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>1 ");
}

static void a_line_that_drops_starts_the_count_anew(void **state)
{
	(void)state;
	deliver_7();
	for (int n = 0; n < 19998; n++) {
		if (n == 9999) {
			line(7, false);
			line(7, true);
		}
		eoi(1, 0x31);
		forget_diary();
	}
	assert_int_equal(lw_ioapic_counters(rig.io).storms, 0);
	eoi(1, 0x31);
	assert_diary("storm107 ");
}

static void without_a_timer_there_is_no_delay(void **state)
{
	(void)state;
	deliver_7();
	for (int n = 0; n < 30000; n++) {
		assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
		assert_diary("level107:31>1 ");
	}
}

static int setup_240_pins(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.pins = 240;
	rig_open(&config);
	return 0;
}

static void the_last_of_many_pins_is_told_of(void **state)
{
	static const uint32_t pins[] = {63, 64, 127, 128, 191, 192, 239};

	(void)state;
	for (size_t n = 0; n < sizeof(pins) / sizeof(*pins); n++) {
		char expected[32];

		lw_ioapic_notify(rig.io, pins[n], true);
		program(pins[n], rte_of(1, 0x31, LEVEL));
		line(pins[n], true);
		line(pins[n], false);
		forget_diary();
		assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
		snprintf(expected, sizeof(expected), "resample%u ", GSI_BASE + pins[n]);
		assert_diary(expected);
	}
}

static void a_flip_to_edge_starts_the_count_anew(void **state)
{
	(void)state;
	deliver_7();
	for (int n = 0; n < 9999; n++) {
		eoi(1, 0x31);
		assert_diary("level107:31>1 ");
	}
	write_low(7, 0x31);
	write_low(7, 0x31 | LEVEL);
	forget_diary();
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>1 ");
}

/* The second storm takes as many EOIs as the first, and not one fewer. */
static void a_storm_starts_the_count_anew(void **state)
{
	(void)state;
	deliver_7();
	for (int storm = 0; storm < 2; storm++) {
		for (int n = 0; n < 9999; n++) {
			eoi(1, 0x31);
			assert_diary("level107:31>1 ");
		}
		eoi(1, 0x31);
		assert_diary("storm107 ");
		assert_int_equal(lw_ioapic_resume(rig.io, 7), 0);
		assert_diary("level107:31>1 ");
	}
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define CASE_BY(name, by) cmocka_unit_test_setup_teardown(name, by, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(edge_flip_clears_remote_irr_and_notifies),
		CASE(test_cve_2020_27152_level_to_edge_with_a_resampler),
		CASE(test_cve_2020_27152_with_two_resamplers),
		CASE(a_resampler_that_lowers_the_line_is_not_delivered_twice),
		CASE(a_resampler_sets_the_line_again),
		CASE(callbacks_that_end_what_they_begin_do_not_nest),
		CASE(all_that_are_owed_are_told_once),
		CASE(a_pin_without_notify_is_silent),
		CASE(storm_delays_after_10000_eois),
		CASE(a_line_that_drops_starts_the_count_anew),
		CASE_BY(without_a_timer_there_is_no_delay, setup_stormless),
		CASE_BY(the_last_of_many_pins_is_told_of, setup_240_pins),
		CASE(a_flip_to_edge_starts_the_count_anew),
		CASE(a_storm_starts_the_count_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
