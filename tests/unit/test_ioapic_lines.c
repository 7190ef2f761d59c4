/* SPDX-License-Identifier: MIT */
/* The I/O APIC's lines, edge pins, reset and EOI register. */
#include "ioapic_rig.h"

#define EDGE 0u

static int setup_electrical(void **state)
{
	(void)state;
	return rig_setup_flags(LW_IOAPIC_ELECTRICAL);
}

static int setup_old(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.version = 0x11;
	rig_open(&config);
	return 0;
}

static uint32_t window_read(uint32_t index)
{
	uint32_t value;

	lw_ioapic_mmio_write(rig.io, 0, &index, 4);
	lw_ioapic_mmio_read(rig.io, 0x10, &value, 4);
	return value;
}

/* ---- edge pins ---- */

static void an_edge_pin_sends_at_each_rise(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, EDGE));
	line(7, true);
	assert_diary("edge107:31>1 ");
	line(7, true);
	assert_diary("");
	line(7, false);
	line(7, true);
	assert_diary("edge107:31>1 ");
	assert_false(remote_irr(7));
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(lw_ioapic_counters(rig.io).edges, 2);
}

static void an_edge_on_a_masked_pin_is_forgotten(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, EDGE | MASKED));
	line(7, true);
	write_low(7, rte_of(1, 0x31, EDGE));
	assert_diary("route31E-31E ");
	line(7, false);
	line(7, true);
	assert_diary("edge107:31>1 ");
}

static void an_edge_taken_by_several_or_by_nobody_leaves_nothing(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, EDGE));
	rig.several = VCPUS;
	line(7, true);
	line(7, false);
	rig.several = 0;
	rig.refuse = true;
	line(7, true);
	assert_int_equal(lw_ioapic_counters(rig.io).refused, 1);
	assert_int_equal(lw_ioapic_counters(rig.io).edges, 1);
	assert_int_equal(rte_at(7), rte_of(1, 0x31, EDGE));
	line(7, false);
	rig.refuse = false;
	rig.any = true;
	line(7, true); /* the rig asserts that the map is clear again */
	assert_int_equal(lw_ioapic_counters(rig.io).edges, 2);
	lw_ioapic_retry(rig.io);
	assert_diary("edge107:31>1 edge107:31>1 edge107:31>1 ");
}

/* ---- level ---- */

/* docs/reliability.md, 7.6. */
static void shared_line_is_the_or_of_its_sources(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL));
	lw_ioapic_line(rig.io, 7, 0, true);
	lw_ioapic_line(rig.io, 7, 31, true);
	assert_diary("level107:31>1 ");
	lw_ioapic_line(rig.io, 7, 0, false);
	assert_diary("");
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>1 ");
	lw_ioapic_line(rig.io, 7, 31, false);
	assert_diary("fell1:31 ");
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("");
}

static void unmasking_delivers_what_is_asserted(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL | MASKED));
	line(7, true);
	assert_diary("");
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("route31L-31L level107:31>1 ");
	write_low(7, rte_of(1, 0x31, LEVEL | MASKED));
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("route31L-31L route31L-31L ");
}

static void edge_to_level_with_the_line_up_delivers(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, EDGE));
	line(7, true);
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("edge107:31>1 route31E-31L level107:31>1 ");
}

static void the_route_op_hears_of_every_half(void **state)
{
	(void)state;
	write_high(7, rte_of(1, 0, 0));
	write_low(7, rte_of(1, 0x31, LEVEL));
	write_low(7, rte_of(1, 0x31, LEVEL));
	write_low(7, rte_of(1, 0x41, LEVEL | (uint64_t)LW_DM_NMI << LW_RTE_DM_SHIFT));
	assert_diary("route00E-00E route00E-31L route31L-31L route31L-41E ");
}

static void polarity_matters_to_volts_only(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL | LW_RTE_LOW));
	assert_diary("");
	line(7, true);
	assert_diary("level107:31>1 ");
}

static void an_active_low_pin_is_asserted_while_no_source_drives_it_high(void **state)
{
	(void)state;
	line(7, true);
	program(7, rte_of(1, 0x31, LEVEL | LW_RTE_LOW));
	line(7, false);
	assert_diary("level107:31>1 ");
	line(7, true);
	assert_diary("fell1:31 ");
	eoi(1, 0x31);
	assert_diary("");
	write_low(7, rte_of(1, 0x31, LEVEL)); /* high is asserted now */
	assert_diary("route31L-31L level107:31>1 ");
	eoi(1, 0x31);
	line(7, false);
	forget_diary();
	program(7, rte_of(1, 0x41, EDGE | LW_RTE_LOW));
	line(7, true);
	assert_diary("");
	line(7, false);
	assert_diary("edge107:41>1 ");
}

/* ---- reset ---- */

static void reset_masks_all_and_keeps_lines_and_notify(void **state)
{
	uint32_t index = 7;

	(void)state;
	program(7, rte_of(1, 0x31, LEVEL));
	program(8, rte_of(2, 0x32, LEVEL));
	lw_ioapic_notify(rig.io, 7, true);
	line(7, true);
	rig.refuse = true;
	line(8, true);
	rig.refuse = false;
	window_read(0x11);
	forget_diary();
	lw_ioapic_reset(rig.io);
	assert_non_null(strstr(diary, "closed1:31 "));
	assert_non_null(strstr(diary, "resample107 "));
	forget_diary();
	for (uint32_t pin = 0; pin < PINS; pin++)
		assert_int_equal(rte_at(pin), LW_RTE_MASK);
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	lw_ioapic_retry(rig.io);
	assert_diary("");
	lw_ioapic_mmio_read(rig.io, 0, &index, 4);
	assert_int_equal(index, 0); /* IOREGSEL too */
	program(7, rte_of(1, 0x31, MASKED));
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("route31E-31L level107:31>1 ");
	eoi(1, 0x31);
	assert_diary("resample107 level107:31>1 ");
}

static void a_reset_drops_the_rest_of_a_delivery_to_several(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL));
	rig.several = 66;
	line(7, true);
	line(7, false);
	assert_int_equal(eoi(65, 0x31), LW_EOI_NECESSARY);
	lw_ioapic_reset(rig.io);
	assert_int_equal(eoi(0, 0x31), LW_EOI_SUPERFLUOUS);
}

/* ---- the EOI register ---- */

static void write_eoir(uint32_t value, size_t len)
{
	uint64_t wide = value;

	lw_ioapic_mmio_write(rig.io, 0x40, &wide, len);
}

static void directed_eoi_matches_the_delivered_or_the_current_vector(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL));
	line(7, true);
	write_low(7, rte_of(1, 0x41, LEVEL));
	line(7, false);
	write_eoir(0x51, 4);
	assert_true(remote_irr(7));
	write_eoir(0x31, 2); /* too narrow */
	assert_true(remote_irr(7));
	write_eoir(0xffffff31, 4);
	assert_false(remote_irr(7));
	line(7, true);
	write_low(7, rte_of(1, 0x61, LEVEL));
	line(7, false);
	forget_diary();
	write_eoir(0x61, 8);
	assert_diary("closed1:41 ");
	assert_false(remote_irr(7));
	assert_int_equal(lw_ioapic_counters(rig.io).resolved, 2);
}

static void directed_eoi_redelivers_a_line_that_is_still_up(void **state)
{
	(void)state;
	program(7, rte_of(1, 0x31, LEVEL));
	program(9, rte_of(1, 0x31, LEVEL));
	line(7, true);
	line(9, true);
	line(9, false);
	forget_diary();
	write_eoir(0x31, 4);
	assert_diary("closed1:31 level107:31>1 closed1:31 ");
	assert_true(remote_irr(7) && !remote_irr(9));
}

static void version_11_has_no_eoi_register(void **state)
{
	(void)state;
	assert_int_equal(window_read(1), 0x00170011);
	program(7, rte_of(1, 0x31, LEVEL));
	line(7, true);
	line(7, false);
	write_eoir(0x31, 4);
	assert_true(remote_irr(7));
}

/* Found by fuzz/ioapic: delivery status stayed set for a line that no longer asked. */
static void a_new_polarity_may_end_what_was_refused(void **state)
{
	(void)state;
	rig.refuse = true;
	program(7, rte_of(1, 0x31, LEVEL | LW_RTE_LOW));
	assert_true(rte_at(7) & LW_RTE_PENDING);
	program(7, rte_of(1, 0x31, LEVEL));
	assert_false(rte_at(7) & LW_RTE_PENDING);
	lw_ioapic_retry(rig.io);
	assert_diary("");
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define CASE_BY(name, by) cmocka_unit_test_setup_teardown(name, by, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_edge_pin_sends_at_each_rise),
		CASE(an_edge_on_a_masked_pin_is_forgotten),
		CASE(an_edge_taken_by_several_or_by_nobody_leaves_nothing),
		CASE(shared_line_is_the_or_of_its_sources),
		CASE(unmasking_delivers_what_is_asserted),
		CASE(edge_to_level_with_the_line_up_delivers),
		CASE(the_route_op_hears_of_every_half),
		CASE(polarity_matters_to_volts_only),
		CASE_BY(an_active_low_pin_is_asserted_while_no_source_drives_it_high,
			setup_electrical),
		CASE(reset_masks_all_and_keeps_lines_and_notify),
		CASE(a_reset_drops_the_rest_of_a_delivery_to_several),
		CASE(directed_eoi_matches_the_delivered_or_the_current_vector),
		CASE(directed_eoi_redelivers_a_line_that_is_still_up),
		CASE_BY(version_11_has_no_eoi_register, setup_old),
		CASE_BY(a_new_polarity_may_end_what_was_refused, setup_electrical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
