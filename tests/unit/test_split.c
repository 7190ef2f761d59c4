/* SPDX-License-Identifier: MIT */
/* When the split backend gives its made-up kernel a route, and what it makes of an EOI exit. */
#include "split_rig.h"

static int fast_6_1(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_1, LW_SPLIT_FAST);
	return 0;
}

static int immediate_6_1(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_1, 0);
	return 0;
}

static int immediate_6_12(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_12, 0);
	return 0;
}

/* ---- deferred commit ---- */

static void a_pin_in_flight_keeps_its_route_until_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(1, V));
	assert_false(remote_irr(5));
	assert_int_equal(counters().deferred, 1);
	assert_int_equal(reuse(200, false), 0);
	line(5, true);
	assert_int_equal(fake_accept(1), V);
	line(5, false);
	assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
}

static void at_once_the_eoi_is_lost_on_6_1(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(1, V));
	assert_int_equal(guest_eoi(0), -1);
	assert_true(remote_irr(5));
}

static void at_once_every_reuse_leaves_on_6_12(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(reuse(200, false), 200);
	assert_int_equal(counters().superfluous, 200);
}

static void at_once_a_rewritten_vector_loses_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(0, V + 8)), 0);
	assert_int_equal(guest_eoi(0), -1);
	assert_true(remote_irr(5));
}

static void a_rewritten_vector_waits_for_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(0, V + 8)), 0);
	line(5, true); /* again, while in service */
	assert_int_equal(fake.vcpu[0].irr[1], 0);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(0, V + 8));
	assert_int_equal(fake_accept(0), V + 8);
	line(5, false);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
}

static void what_clears_remote_irr_ends_the_deferral(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(write_low(5, V), 0); /* edge */
	assert_int_equal(routed(5), 0);
	assert_false(remote_irr(5));
	assert_int_equal(write_low(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(1, V));
	line(5, true);
	assert_int_equal(lw_split_reset(split), 0);
	assert_int_equal(routed(5), 0);
	assert_int_equal(fake.routes, 0);
}

/* ---- recommit ---- */

static void an_edge_in_service_is_caught_once(void **state)
{
	(void)state;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(fake.coincidences, 1);
	assert_int_equal(counters().recommits, 1);
	assert_int_equal(reuse(200, false), 0);
	assert_int_equal(routed(5), R(1, V));
}

static void without_recommit_it_leaves_for_ever(void **state)
{
	(void)state;
	rig_close();
	rig_open_with(SCAN_6_12, LW_SPLIT_DEFER | LW_SPLIT_QUIET);
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(reuse(200, false), 200);
	assert_int_equal(counters().recommits, 0);
}

static void a_vector_pending_at_every_exit_is_busy(void **state)
{
	(void)state;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(reuse(0, true), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	for (uint32_t n = 0; n < 100; n++) {
		assert_int_equal(fake_accept(0), V);
		edge_msi(0, V);
		assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	}
	assert_int_equal(counters().busy, 101);
	assert_int_equal(counters().recommits, 0);
	assert_int_equal(fake_accept(0), V); /* idle at last */
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().recommits, 1);
	assert_int_equal(reuse(50, false), 0);
}

static void a_routed_pair_leaves_because_it_must(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(reuse(10, false), 10);
	assert_int_equal(counters().covered, 10);
	assert_int_equal(counters().recommits, 0);
}

static void a_masked_pins_route_goes_when_it_is_in_the_way(void **state)
{
	uint64_t commits;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	commits = fake.commits;
	assert_int_equal(write_low(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(fake.commits, commits);
	assert_int_equal(reuse(10, false), 1);
	assert_int_equal(counters().left_over, 1);
	assert_int_equal(routed(5), 0);
	assert_int_equal(write_low(5, rte_to(0, V)), 0);
	assert_int_equal(routed(5), R(0, V));
}

static void recommits_are_rate_limited(void **state)
{
	uint32_t exits = 0;

	(void)state;
	for (uint32_t n = 0; n < 20; n++) {
		edge_msi(0, V);
		assert_int_equal(fake_accept(0), V);
		assert_int_equal(program(5, rte_to(1 + n % 2, V)), 0);
		exits += guest_eoi(0) >= 0;
	}
	assert_int_equal(exits, 20);
	assert_int_equal(counters().recommits, 16);
	assert_true(counters().limited >= 4);
	rig_clock += 1000000;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().recommits, 17);
	assert_int_equal(reuse(5, false), 0);
}

/* ---- quiet commits ---- */

static void what_kvm_cant_see_commits_nothing(void **state)
{
	uint64_t commits;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(program(6, V), 0); /* edge */
	assert_int_equal(fake.commits, 0);
	assert_int_equal(write_low(5, rte_to(0, V)), 0);
	assert_int_equal(fake.commits, 1);
	commits = counters().commits;
	for (uint32_t n = 0; n < 10; n++) {
		assert_int_equal(write_low(5, rte_to(0, V) | LW_RTE_MASK), 0);
		assert_int_equal(program(5, rte_to(0, V)), 0);
	}
	assert_int_equal(counters().commits, commits);
	assert_int_equal(counters().rte_writes, 35);
	assert_int_equal(counters().quiet, 34);
}

static void the_low_half_waits_for_the_high_one(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(write_low(5, rte_to(1, V + 1)), 0);
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(write_high(5, rte_to(1, V + 1)), 0);
	assert_int_equal(routed(5), R(1, V + 1));
	assert_int_equal(counters().commits, 2);
	/* It never comes: the next delivery finds out. */
	assert_int_equal(write_low(5, rte_to(1, V + 2)), 0);
	assert_int_equal(routed(5), R(1, V + 1));
	line(5, true);
	assert_int_equal(routed(5), R(1, V + 2));
	assert_int_equal(fake_accept(1), V + 2);
	assert_int_equal(counters().latched, 1);
}

static void at_once_each_write_commits(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 10; n++)
		assert_int_equal(program(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(counters().commits, 20);
	assert_int_equal(counters().quiet, 0);
}

/* ---- nothing is delivered under a route that is not installed ---- */

static void raise_5(void)
{
	fake.in_commit = NULL;
	/* lw_split_line() would wait for the commit after that. */
	assert_int_equal(lw_ioapic_line(lw_split_ioapic(split), 5, 0, true), 0);
	assert_false(remote_irr(5));
}

static void a_pin_being_committed_only_latches(void **state)
{
	(void)state;
	fake.in_commit = raise_5;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(counters().latched, 1);
}

static void an_illegal_vector_is_not_sent(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, 15)), 0);
	line(5, true);
	assert_int_equal(counters().signals, 0);
	assert_false(remote_irr(5));
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(fake_accept(0), V);
}

/* ---- who took it ---- */

static void a_logical_delivery_is_ended_by_its_members_alone(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(3, V, 1u << LW_RTE_DM_SHIFT)), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(6, rte_to(2, V)), 0);
	edge_msi(2, V);
	assert_int_equal(fake_accept(2), V);
	assert_int_equal(guest_eoi(2), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(5));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_false(remote_irr(5));
}

static void the_first_of_several_ends_it(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(3, V, 0)), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(fake_accept(1), V);
	assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().covered, 1);
}

/* 6.12 lets that EOI out; by LDR as it is now it is nobody's. */
static void a_taker_that_has_another_logical_id_ends_it(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(1, V, 0)), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	fake.vcpu[0].ldr = 4;
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_false(remote_irr(5));
}

/* In x2APIC mode a logical id never changes, so this is an MSI's. */
static void in_x2apic_mode_nobody_else_ends_it(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(2, V, 0)), 0);
	fake.x2apic = true;
	line(5, true);
	assert_int_equal(fake_accept(1), V);
	assert_int_equal(lw_split_eoi(split, 0, V), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(5));
}

static void what_nobody_took_is_tried_again(void **state)
{
	(void)state;
	fake.vcpu[0].off = true;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	line(5, true);
	assert_false(remote_irr(5));
	assert_int_equal(counters().refused, 1);
	fake.vcpu[0].off = false;
	assert_int_equal(lw_split_retry(split), 0);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
}

#define CASE(name, start) cmocka_unit_test_setup_teardown(name, start, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pin_in_flight_keeps_its_route_until_its_eoi, fast_6_1),
		CASE(a_pin_in_flight_keeps_its_route_until_its_eoi, fast_6_12),
		CASE(at_once_the_eoi_is_lost_on_6_1, immediate_6_1),
		CASE(at_once_every_reuse_leaves_on_6_12, immediate_6_12),
		CASE(at_once_a_rewritten_vector_loses_its_eoi, immediate_6_1),
		CASE(at_once_a_rewritten_vector_loses_its_eoi, immediate_6_12),
		CASE(a_rewritten_vector_waits_for_its_eoi, fast_6_1),
		CASE(a_rewritten_vector_waits_for_its_eoi, fast_6_12),
		CASE(what_clears_remote_irr_ends_the_deferral, fast_6_12),
		CASE(an_edge_in_service_is_caught_once, fast_6_12),
		CASE(without_recommit_it_leaves_for_ever, fast_6_12),
		CASE(a_vector_pending_at_every_exit_is_busy, fast_6_12),
		CASE(a_routed_pair_leaves_because_it_must, fast_6_12),
		CASE(a_masked_pins_route_goes_when_it_is_in_the_way, fast_6_12),
		CASE(recommits_are_rate_limited, fast_6_12),
		CASE(what_kvm_cant_see_commits_nothing, fast_6_12),
		CASE(the_low_half_waits_for_the_high_one, fast_6_12),
		CASE(at_once_each_write_commits, immediate_6_12),
		CASE(a_pin_being_committed_only_latches, fast_6_12),
		CASE(an_illegal_vector_is_not_sent, fast_6_12),
		CASE(a_logical_delivery_is_ended_by_its_members_alone, fast_6_12),
		CASE(the_first_of_several_ends_it, fast_6_12),
		CASE(a_taker_that_has_another_logical_id_ends_it, fast_6_12),
		CASE(in_x2apic_mode_nobody_else_ends_it, fast_6_12),
		CASE(what_nobody_took_is_tried_again, fast_6_12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
