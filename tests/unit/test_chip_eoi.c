/* SPDX-License-Identifier: MIT */
/* An EOI's way through the whole controller, under armed and lazy. */
#include "chip_rig.h"

static int armed_hardware(void **state)
{
	(void)state;
	rig_open(rig_config(), LW_EOI_ARMED, LW_EOI_HARDWARE);
	return 0;
}

static int lazy(void **state)
{
	(void)state;
	rig_open(rig_config(), LW_EOI_LAZY, 0);
	return 0;
}

/* GSI 5 is delivered to vCPU 1 as 31; its line is up and it is in service. */
static void in_service(void)
{
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x31);
}

/* Then N edge MSIs reuse the vector: none of them leaves. */
static void moved_in_service(void **state)
{
	(void)state;
	in_service();
	program(5, 2, 0x31 | LEVEL);
	assert_true(eoi(1)); /* and the line is still up */
	assert_int_equal(take(2), 0x31);
	for (int n = 0; n < 5; n++) {
		assert_int_equal(msi(1, 0x31), 1);
		assert_int_equal(take(1), 0x31);
		assert_false(eoi(1));
	}
	line(5, false);
	assert_true(remote_irr(5));
	assert_true(eoi(2));
	assert_false(remote_irr(5));
}

static void coincidence(void **state)
{
	(void)state;
	msi(1, 0x31);
	assert_int_equal(take(1), 0x31);
	program(5, 2, 0x31 | LEVEL);
	assert_false(eoi(1));
	assert_int_equal(lw_eoi_counters(rig.eoi).superfluous, 0);
}

/* TMR is lost, the record is not. */
static void same_vector_an_edge_follows_a_level(void **state)
{
	(void)state;
	in_service();
	line(5, false);
	msi(1, 0x31);
	lw_lapic_sync(lapic(1));
	assert_false(lw_lapic_tmr(lapic(1), 0x31));
	eoi(1);
	assert_int_equal(take(1), 0x31);
	eoi(1);
	assert_false(remote_irr(5));
}

static void lower_again(uint32_t gsi)
{
	line(gsi, false);
	line(gsi, true);
	line(gsi, false);
}

/* The line rises inside the callback: delivered, and the drainer is the only one. */
static void a_resampler_sets_a_line_of_the_other_ioapic(void **state)
{
	(void)state;
	lw_ioapic_notify(lw_chip_ioapic(rig.chip, 1), 3, true);
	lw_ioapic_notify(lw_chip_ioapic(rig.chip, 0), 5, true);
	program(27, 1, 0x31 | LEVEL);
	in_service();
	line(27, true);
	lw_lapic_sync(lapic(1));
	rig.on_resample = lower_again;
	assert_true(eoi(1));
	assert_diary("resample5 resample27 ");
}

/* docs/reliability.md, 7.24. */
static void reset_resolves_what_is_in_flight(void **state)
{
	(void)state;
	in_service();
	lw_chip_init_vcpu(rig.chip, 1);
	assert_false(remote_irr(5)); /* nobody is there to take it again */
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED);
	assert_int_equal(take(1), 0x31);
	line(5, false);
	lw_chip_enter(rig.chip, 1);
	assert_int_equal(lw_lapic_eoi(lapic(1)), 0x31);
	assert_false(remote_irr(5));
}

static void an_enabled_lapic_takes_what_was_refused(void **state)
{
	(void)state;
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, 0xff);
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	assert_false(remote_irr(5));
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED);
	assert_int_equal(take(1), 0x31);
}

/* Where hardware took the EOI, the VMM says so. */
static void an_eoi_that_hardware_took(void **state)
{
	(void)state;
	in_service();
	line(5, false);
	lw_chip_enter(rig.chip, 1);
	assert_true(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
	assert_int_equal(lw_chip_eoi_exit(rig.chip, 1, 0x31), LW_EOI_NECESSARY);
	assert_int_equal(lw_chip_eoi_exit(rig.chip, 1, 0x31), LW_EOI_SUPERFLUOUS);
	assert_false(remote_irr(5));
}

/* The owner disables its LAPIC before it publishes what was handed over. */
static void a_handed_delivery_that_is_refused_goes_elsewhere(void **state)
{
	(void)state;
	program(5, 1, 0x31 | LEVEL | MASKED);
	lw_chip_enter(rig.chip, 1); /* the wanted bit is loaded: take another vector */
	program(5, 1, 0x41 | LEVEL);
	line(5, true);
	assert_true(remote_irr(5));
	assert_int_equal(rig.kicks[1], 1);
	assert_false(lw_lapic_holds(lapic(1), 0x41));
	program(5, 2, 0x41 | LEVEL);
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, 0xff);
	lw_chip_exit(rig.chip, 1);
	assert_false(lw_lapic_holds(lapic(1), 0x41));
	assert_int_equal(take(2), 0x41);
}

/* ---- suppressed broadcasts ---- */

static void directed_eoi_alone_resolves_under_suppression(void **state)
{
	uint32_t vector = 0x31;

	(void)state;
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	in_service();
	line(5, false);
	assert_false(eoi(1));
	assert_true(remote_irr(5));
	lw_ioapic_mmio_write(lw_chip_ioapic(rig.chip, 0), 0x40, &vector, 4);
	assert_false(remote_irr(5));
}

/* What was EOI'd unheard stays for the EOI register, however things look when broadcasts are back;
 * and a dropped line does not let go of it. */
static void an_eoi_unheard_is_not_made_up_for(void **state)
{
	(void)state;
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	in_service();
	assert_false(eoi(1));
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED);
	line(5, false);
	rig.owned[1] = true;
	assert_true(remote_irr(5));
	line(5, true);
	assert_int_equal(take(1), -1);
}

static void suppression_ends_what_was_let_go(void **state)
{
	(void)state;
	in_service();
	line(5, false);
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	assert_false(remote_irr(5));
}

/* ---- lazy ---- */

static void a_line_that_drops_in_its_handler_costs_no_exit(void **state)
{
	(void)state;
	rig.owned[1] = true;
	in_service();
	line(5, false);
	assert_false(eoi(1));
	assert_false(remote_irr(5)); /* found out by this read */
	assert_int_equal(rig.traced[LW_TRACE_RESOLVED], 1);
	line(5, true);
	assert_int_equal(take(1), 0x31);
	assert_int_equal(lw_eoi_counters(rig.eoi).necessary, 0);
}

static void somebody_else_asks_and_the_owner_answers(void **state)
{
	uint64_t recalls;

	(void)state;
	in_service();
	line(5, false);
	assert_false(eoi(1));
	line(5, true); /* by a device's thread */
	assert_int_equal(take(1), -1);
	assert_int_equal(rig.kicks[1], 1);
	lw_chip_exit(rig.chip, 1);
	assert_int_equal(take(1), 0x31);
	line(5, false);
	line(5, true);
	lw_chip_exit(rig.chip, 1); /* still in service */
	recalls = lw_ioapic_counters(lw_chip_ioapic(rig.chip, 0)).recalls;
	assert_true(remote_irr(5)); /* as is known: nobody is asked again */
	assert_int_equal(lw_ioapic_counters(lw_chip_ioapic(rig.chip, 0)).recalls, recalls);
	assert_true(eoi(1));
	assert_int_equal(take(1), 0x31);
}

/* A policy that scans does so when a destination may mean somebody else. */
static void a_new_ldr_is_scanned_for(void **state)
{
	uint64_t scanned;

	(void)state;
	rig_open(rig_config(), LW_EOI_SCAN, 0);
	program(5, 2, 0x31 | LEVEL | LW_RTE_LOGICAL);
	lw_chip_enter(rig.chip, 1);
	scanned = lw_eoi_counters(rig.eoi).routes_scanned;
	assert_false(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
	lw_lapic_write(lapic(1), LW_LAPIC_LDR, 0x02000000);
	lw_chip_exit(rig.chip, 1);
	lw_chip_enter(rig.chip, 1);
	assert_true(lw_eoi_counters(rig.eoi).routes_scanned > scanned);
	assert_true(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
}

static void settle_leaves_what_silicon_would_show(void **state)
{
	(void)state;
	in_service();
	line(5, false);
	program(6, 2, 0x41 | LEVEL);
	line(6, true);
	line(6, false);
	assert_false(eoi(1));
	rig.owned[1] = rig.owned[2] = true;
	lw_chip_settle(rig.chip);
	assert_int_equal(rig.traced[LW_TRACE_RESOLVED], 1);
	assert_false(remote_irr(5));
	assert_true(remote_irr(6));
	assert_int_equal(take(2), 0x41);
	assert_true(eoi(2));
}

static void two_ioapics_share_a_pair_and_both_lines_must_drop(void **state)
{
	(void)state;
	program(27, 1, 0x31 | LEVEL);
	line(27, true);
	in_service();
	line(5, false);
	assert_true(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
	line(27, false);
	assert_false(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
	rig.owned[1] = true;
	eoi(1);
	assert_false(remote_irr(5) || remote_irr(27));
}

/* What one of them finds out ends the other's record, too: the other's next rise is not held up. */
static void what_is_found_gone_is_gone_in_both_ioapics(void **state)
{
	(void)state;
	program(27, 1, 0x31 | LEVEL);
	line(27, true);
	in_service();
	line(5, false);
	line(27, false);
	assert_false(eoi(1));
	rig.owned[1] = true;
	line(5, true);
	assert_true(remote_irr(5));
	rig.owned[1] = false;
	assert_false(remote_irr(27));
}

/* Its record kept the vector in the set; after INIT nothing does. */
static void reset_takes_what_nobody_routes_out_of_the_set(void **state)
{
	(void)state;
	in_service();
	program(5, 2, 0x31 | LEVEL);
	assert_true(lw_eoi_in_set(rig.eoi, 1, 0x31, false));
	lw_chip_init_vcpu(rig.chip, 1);
	assert_false(lw_eoi_in_set(rig.eoi, 1, 0x31, false));
	assert_true(lw_eoi_in_set(rig.eoi, 2, 0x31, false));
}

static void reloads_of_every_vcpu_are_counted(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++) {
		program(5 + n, n, 0x31 | LEVEL);
		lw_chip_enter(rig.chip, n);
		assert_int_equal(lw_eoi_counters(rig.eoi).reloads, n + 1);
	}
}

#define CASE(name, setup) cmocka_unit_test_setup_teardown(name, setup, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(moved_in_service, rig_armed),
		CASE(coincidence, rig_armed),
		CASE(coincidence, lazy),
		CASE(same_vector_an_edge_follows_a_level, rig_armed),
		CASE(a_resampler_sets_a_line_of_the_other_ioapic, rig_armed),
		CASE(reset_resolves_what_is_in_flight, rig_armed),
		CASE(reset_resolves_what_is_in_flight, armed_hardware),
		CASE(an_enabled_lapic_takes_what_was_refused, rig_armed),
		CASE(an_eoi_that_hardware_took, armed_hardware),
		CASE(a_handed_delivery_that_is_refused_goes_elsewhere, armed_hardware),
		CASE(directed_eoi_alone_resolves_under_suppression, rig_armed),
		CASE(directed_eoi_alone_resolves_under_suppression, lazy),
		CASE(an_eoi_unheard_is_not_made_up_for, lazy),
		CASE(suppression_ends_what_was_let_go, lazy),
		CASE(a_line_that_drops_in_its_handler_costs_no_exit, lazy),
		CASE(somebody_else_asks_and_the_owner_answers, lazy),
		CASE(a_new_ldr_is_scanned_for, NULL),
		CASE(settle_leaves_what_silicon_would_show, lazy),
		CASE(two_ioapics_share_a_pair_and_both_lines_must_drop, lazy),
		CASE(what_is_found_gone_is_gone_in_both_ioapics, lazy),
		CASE(reset_takes_what_nobody_routes_out_of_the_set, rig_armed),
		CASE(reloads_of_every_vcpu_are_counted, armed_hardware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
