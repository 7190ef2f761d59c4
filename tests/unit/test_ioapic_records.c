/* SPDX-License-Identifier: MIT */
/* What is in flight: records, and how EOIs, lines and rewrites meet them. */
#include "ioapic_rig.h"

#include "core/ioapic_priv.h"

static int setup_strict(void **state)
{
	(void)state;
	return rig_setup_flags(LW_IOAPIC_STRICT);
}

/* Pin 7 is delivered to vCPU 1 as 31 and its line is up. */
static void deliver_7(void)
{
	program(7, rte_of(1, 0x31, LEVEL));
	line(7, true);
	assert_diary("level107:31>1 ");
}

/* ---- an EOI resolves what was delivered ---- */

static void a_delivery_waits_for_its_own_eoi(void **state)
{
	(void)state;
	deliver_7();
	assert_true(remote_irr(7));
	assert_int_equal(eoi(2, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(1, 0x32), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(7) && in_flight(1, 0x31));
	assert_false(in_flight(2, 0x31) || in_flight(1, 0x32));
	line(7, false);
	assert_diary("fell1:31 ");
	line(7, true); /* coalesces */
	assert_diary("");
	line(7, false);
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7) || in_flight(1, 0x31));
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(lw_ioapic_counters(rig.io).resolved, 1);
	assert_int_equal(lw_ioapic_counters(rig.io).deliveries, 1);
}

/* docs/reliability.md, 7.1, and the production case: the RTE moves, the EOI comes from where it
 * was. */
static void moved_in_service(void **state)
{
	(void)state;
	deliver_7();
	write_high(7, rte_of(2, 0, 0));
	write_low(7, rte_of(2, 0x31, LEVEL));
	assert_diary("route31L-31L route31L-31L ");
	assert_int_equal(eoi(2, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>2 ");
	assert_int_equal(eoi(2, 0x31), LW_EOI_NECESSARY);
}

static void vector_rewrite_in_service(void **state)
{
	(void)state;
	deliver_7();
	write_low(7, rte_of(1, 0x41, LEVEL));
	line(7, false);
	assert_int_equal(eoi(1, 0x41), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(7));
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7));
}

/* acrn-hypervisor#1269: the same vector on two vCPUs. */
static void the_same_vector_on_two_vcpus(void **state)
{
	(void)state;
	deliver_7();
	program(8, rte_of(2, 0x31, LEVEL));
	line(8, true);
	line(7, false);
	line(8, false);
	assert_int_equal(eoi(2, 0x31), LW_EOI_NECESSARY);
	assert_true(remote_irr(7) && !remote_irr(8));
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7));
}

/* docs/reliability.md, 7.5 and libkrun#692: one EOI resolves every record of the pair, and none of
 * the deliveries that it provokes. */
static void two_rtes_share_a_vector(void **state)
{
	(void)state;
	deliver_7();
	program(3, rte_of(1, 0x31, LEVEL));
	program(20, rte_of(1, 0x31, LEVEL));
	line(20, true);
	line(3, true);
	line(20, false);
	forget_diary();
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level103:31>1 level107:31>1 ");
	assert_true(remote_irr(3) && remote_irr(7) && !remote_irr(20));
	assert_int_equal(lw_ioapic_counters(rig.io).resolved, 3);
}

/* docs/reliability.md, 7.3 and 7.16. */
static void masked_in_handler(void **state)
{
	(void)state;
	deliver_7();
	write_low(7, rte_of(1, 0x31, LEVEL | MASKED));
	forget_diary();
	assert_true(remote_irr(7));
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("");
	assert_false(remote_irr(7));
	write_low(7, rte_of(1, 0x31, LEVEL));
	assert_diary("route31L-31L level107:31>1 ");
}

/* docs/reliability.md, 7.19: EOIs and notifications go by pin, numbers outside by GSI. */
static void the_pin_is_not_the_gsi(void **state)
{
	(void)state;
	program(0, rte_of(1, 0x31, LEVEL));
	lw_ioapic_notify(rig.io, 0, true);
	line(0, true);
	line(0, false);
	eoi(1, 0x31);
	assert_diary("level100:31>1 resample100 ");
}

/* ---- several takers ---- */

/* docs/reliability.md, 7.25. */
static void multi_destination_the_first_eoi_resolves(void **state)
{
	(void)state;
	rig.several = 66;
	deliver_7();
	line(7, false);
	forget_diary();
	assert_true(in_flight(0, 0x31) && in_flight(65, 0x31) && !in_flight(66, 0x31));
	assert_int_equal(rig.open[0x31], 66);
	assert_int_equal(eoi(66, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(65, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7) || in_flight(0, 0x31));
	assert_int_equal(rig.open[0x31], 0);
	assert_int_equal(eoi(65, 0x31), LW_EOI_SUPERFLUOUS);
	for (uint32_t n = 0; n < 65; n++)
		assert_int_equal(eoi(n, 0x31), LW_EOI_REDUNDANT);
	for (uint32_t n = 0; n < 66; n++)
		assert_int_equal(eoi(n, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(lw_ioapic_counters(rig.io).redundant, 65);
	assert_int_equal(lw_ioapic_counters(rig.io).resolved, 1);
	assert_diary(""); /* no `fell`: there is more than one taker */
}

static void a_new_delivery_ends_the_residue_of_the_last(void **state)
{
	(void)state;
	rig.several = 3;
	deliver_7();
	rig.several = 0;
	assert_int_equal(eoi(2, 0x31), LW_EOI_NECESSARY);
	assert_true(in_flight(1, 0x31) && !in_flight(0, 0x31));
	assert_int_equal(eoi(0, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
}

static void a_flip_tells_every_taker(void **state)
{
	(void)state;
	rig.several = 3;
	deliver_7();
	write_low(7, rte_of(1, 0x31, MASKED));
	assert_diary("closed0:31 closed1:31 closed2:31 route31L-31E ");
	assert_int_equal(eoi(1, 0x31), LW_EOI_REDUNDANT);
	assert_int_equal(rig.open[0x31], 0);
}

static void test_cve_2016_9777_vcpus_past_the_map(void **state)
{
	(void)state;
	rig.several = VCPUS;
	deliver_7();
	assert_int_equal(eoi(VCPUS, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(127, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(UINT32_MAX, 0x31), LW_EOI_SUPERFLUOUS);
	lw_ioapic_forget(rig.io, VCPUS);
	lw_ioapic_forget(rig.io, UINT32_MAX);
	assert_true(remote_irr(7));
	assert_int_equal(eoi(VCPUS - 1, 0x31), LW_EOI_NECESSARY);
}

/* The split backend's lowest priority: the kernel took it, and does not say who. */
static void anybody_may_end_what_an_unknown_taker_has(void **state)
{
	(void)state;
	rig.any = true;
	deliver_7();
	line(7, false);
	assert_diary("");
	assert_true(remote_irr(7) && in_flight(0, 0x31) && in_flight(69, 0x31));
	lw_ioapic_forget(rig.io, 1);
	assert_true(remote_irr(7));
	assert_int_equal(eoi(3, 0x32), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(42, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7));
	line(7, true);
	forget_diary();
	write_low(7, rte_of(1, 0x31, 0)); /* nobody can be told that it ended */
	assert_diary("route31L-31E ");
	assert_false(remote_irr(7));
}

static bool only_42_took_it(void *ctx, uint32_t gsi, uint32_t vcpu)
{
	(void)ctx;
	assert_true(rig.locked);
	assert_int_equal(gsi, GSI_BASE + 7);
	return vcpu == 42;
}

static int setup_took(void **state)
{
	static const struct lw_ioapic_ops ops = {RIG_OPS, .took = only_42_took_it};
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.ops = &ops;
	rig_open(&config);
	return 0;
}

static void who_may_have_taken_it_is_asked(void **state)
{
	(void)state;
	rig.any = true;
	deliver_7();
	line(7, false);
	assert_int_equal(eoi(3, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(eoi(42, 0x31), LW_EOI_NECESSARY);
}

static void a_record_can_be_read(void **state)
{
	struct lw_ioapic_record record = {.vcpu = 99};

	(void)state;
	assert_false(lw_ioapic_record_locked(rig.io, 7, &record));
	assert_false(lw_ioapic_record_locked(rig.io, PINS, &record));
	assert_int_equal(record.vcpu, 99);
	deliver_7();
	assert_true(lw_ioapic_record_locked(rig.io, 7, &record));
	assert_true(record.vcpu == 1 && record.vector == 0x31 && !record.any);
	assert_int_equal(lw_ioapic_rte_locked(rig.io, 7), rte_of(1, 0x31, LEVEL));
	assert_int_equal(lw_ioapic_rte_locked(rig.io, PINS), 0);
	eoi(1, 0x31);
	line(7, false);
	eoi(1, 0x31);
	rig.several = 3;
	line(7, true);
	assert_true(lw_ioapic_record_locked(rig.io, 7, &record));
	assert_true(record.any);
}

/* ---- nobody takes it ---- */

static void refused_shows_as_pending_and_is_tried_again(void **state)
{
	(void)state;
	rig.refuse = true;
	deliver_7();
	assert_int_equal(rte_at(7) & (LW_RTE_PENDING | LW_RTE_REMOTE_IRR), LW_RTE_PENDING);
	lw_ioapic_retry(rig.io);
	assert_diary("level107:31>1 ");
	assert_int_equal(lw_ioapic_counters(rig.io).refused, 2);
	rig.refuse = false;
	lw_ioapic_retry(rig.io);
	assert_diary("level107:31>1 ");
	assert_int_equal(rte_at(7) & (LW_RTE_PENDING | LW_RTE_REMOTE_IRR), LW_RTE_REMOTE_IRR);
	lw_ioapic_retry(rig.io);
	assert_diary("");
}

static void what_was_refused_is_forgotten_when_the_line_drops(void **state)
{
	(void)state;
	rig.refuse = true;
	deliver_7();
	program(9, rte_of(1, 0x41, LEVEL));
	line(9, true);
	line(7, false);
	assert_int_equal(rte_at(7) & LW_RTE_PENDING, 0);
	program(11, rte_of(1, 0x42, LEVEL));
	line(11, true);
	write_low(11, rte_of(1, 0x42, LEVEL | MASKED)); /* masked: nothing waits to be sent */
	assert_int_equal(rte_at(11) & LW_RTE_PENDING, 0);
	write_low(9, rte_of(1, 0x41, MASKED));
	assert_int_equal(rte_at(9) & LW_RTE_PENDING, 0);
	rig.refuse = false;
	forget_diary();
	lw_ioapic_retry(rig.io);
	assert_diary("");
	line(7, true);
	assert_diary("level107:31>1 ");
}

static void test_cve_2022_2153_a_destination_without_a_lapic(void **state)
{
	(void)state;
	program(7, rte_of(200, 0x31, LEVEL));
	line(7, true);
	assert_diary("level107:31>c8 ");
	assert_int_equal(rte_at(7) & (LW_RTE_PENDING | LW_RTE_REMOTE_IRR), LW_RTE_PENDING);
}

/* ---- forget ---- */

/* docs/reliability.md, 7.24, CVE-2026-74517. */
static void forget_resolves_a_vcpus_records_and_redelivers(void **state)
{
	(void)state;
	deliver_7();
	program(8, rte_of(2, 0x31, LEVEL));
	line(8, true);
	lw_ioapic_notify(rig.io, 7, true);
	write_high(7, rte_of(3, 0, 0));
	forget_diary();
	lw_ioapic_forget(rig.io, 1);
	assert_diary("resample107 level107:31>3 ");
	assert_true(remote_irr(8) && in_flight(3, 0x31) && !in_flight(1, 0x31));
	line(7, false);
	lw_ioapic_forget(rig.io, 3);
	assert_false(remote_irr(7));
	assert_int_equal(eoi(2, 0x31), LW_EOI_NECESSARY);
}

static void forget_leaves_a_delivery_to_several_to_the_others(void **state)
{
	(void)state;
	rig.several = 3;
	deliver_7();
	line(7, false);
	lw_ioapic_forget(rig.io, 0);
	lw_ioapic_forget(rig.io, 0);
	assert_true(remote_irr(7) && !in_flight(0, 0x31));
	assert_int_equal(rig.open[0x31], 2);
	assert_int_equal(eoi(0, 0x31), LW_EOI_SUPERFLUOUS);
	lw_ioapic_forget(rig.io, 2);
	lw_ioapic_forget(rig.io, 1);
	assert_false(remote_irr(7));
	assert_int_equal(rig.open[0x31], 0);

	line(7, true);
	line(7, false);
	assert_int_equal(eoi(0, 0x31), LW_EOI_NECESSARY);
	lw_ioapic_forget(rig.io, 1);
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	lw_ioapic_forget(rig.io, 2);
	assert_int_equal(eoi(2, 0x31), LW_EOI_SUPERFLUOUS);
}

/* ---- the datasheet's way ---- */

static void strict_82093aa_matches_the_current_vector_from_anywhere(void **state)
{
	(void)state;
	deliver_7();
	program(8, rte_of(2, 0x31, LEVEL));
	line(8, true);
	line(8, false);
	forget_diary();
	assert_int_equal(eoi(42, 0x31), LW_EOI_NECESSARY);
	assert_non_null(strstr(diary, "level107:31>1 "));
	assert_true(remote_irr(7) && !remote_irr(8));
	assert_int_equal(eoi(42, 0x32), LW_EOI_SUPERFLUOUS);
	line(7, false);
	write_low(7, rte_of(1, 0x41, LEVEL));
	assert_int_equal(eoi(1, 0x31), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(7)); /* stranded, as on silicon */
	assert_int_equal(eoi(1, 0x41), LW_EOI_NECESSARY);
	assert_int_equal(eoi(1, 0x41), LW_EOI_SUPERFLUOUS);
}

/* ---- the policy's questions ---- */

static void routed_counts_masked_level_routes(void **state)
{
	(void)state;
	assert_false(lw_ioapic_routed_locked(rig.io, 1, 0x31));
	program(7, rte_of(1, 0x31, LEVEL | MASKED));
	program(8, rte_of(2, 0x31, LEVEL));
	program(9, rte_of(3, 0x31, 0));
	assert_true(lw_ioapic_routed_locked(rig.io, 1, 0x31));
	assert_true(lw_ioapic_routed_locked(rig.io, 2, 0x31));
	assert_false(lw_ioapic_routed_locked(rig.io, 3, 0x31));
	assert_false(lw_ioapic_routed_locked(rig.io, 1, 0x32));
	program(7, rte_of(1, 0x32, LEVEL | MASKED));
	assert_false(lw_ioapic_routed_locked(rig.io, 1, 0x31));
	assert_true(lw_ioapic_routed_locked(rig.io, 2, 0x31));
}

static void see_route(void *arg, const struct lw_msg *msg)
{
	uint32_t *seen = arg;

	if (msg->vector)
		note("%u:%02x%c ", *seen, msg->vector, msg->level ? 'L' : 'E');
	++*seen;
}

static void a_scan_sees_every_pin_in_order(void **state)
{
	uint32_t seen = 0;

	(void)state;
	program(23, rte_of(1, 0x31, LEVEL));
	program(0, rte_of(1, 0x91, MASKED));
	program(5, rte_of(1, 0x41, LEVEL | MASKED));
	lw_ioapic_scan_locked(rig.io, see_route, &seen);
	assert_diary("0:91E 5:41L 23:31L ");
	assert_int_equal(seen, PINS);
}

/* ---- equal states ---- */

static void same_end(bool other_way)
{
	uint32_t a = other_way ? 9 : 3, b = other_way ? 3 : 9;
	uint8_t vector = other_way ? 0x77 : 0x66;

	program(12, rte_of(other_way ? 5 : 4, vector, LEVEL));
	line(12, true);
	line(12, false);
	eoi(other_way ? 5 : 4, vector);
	program(12, MASKED);
	program(a, rte_of(1, 0x31, LEVEL));
	program(b, rte_of(1, 0x31, LEVEL));
	line(b, true);
	line(a, true);
	rig.several = 2;
	program(14, rte_of(0, 0x51, LEVEL));
	line(14, true);
	line(14, false);
	eoi(other_way ? 1 : 0, 0x51);
	eoi(other_way ? 0 : 1, 0x51);
	rig.several = 0;
	program(14, MASKED);
}

/* Pins and maps are plain state; the indices follow from them and lie apart. */
static void equal_states_are_equal_bytes(void **state)
{
	struct lw_ioapic_config config = rig_config(0);
	struct lw_ioapic *first = rig.io;
	size_t maps = maps_offset(PINS);

	(void)state;
	same_end(false);
	rig_open(&config);
	same_end(true);
	assert_memory_equal(rig.io->pin, first->pin, PINS * sizeof(struct lw_pin));
	assert_memory_equal((char *)rig.io + maps, (char *)first + maps,
			    lw_ioapic_size(&config) - maps);
	line(9, false);
	assert_memory_not_equal(rig.io->pin, first->pin, PINS * sizeof(struct lw_pin));
	free(first);
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define CASE_BY(name, by) cmocka_unit_test_setup_teardown(name, by, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_delivery_waits_for_its_own_eoi),
		CASE(moved_in_service),
		CASE(vector_rewrite_in_service),
		CASE(the_same_vector_on_two_vcpus),
		CASE(two_rtes_share_a_vector),
		CASE(masked_in_handler),
		CASE(the_pin_is_not_the_gsi),
		CASE(multi_destination_the_first_eoi_resolves),
		CASE(a_new_delivery_ends_the_residue_of_the_last),
		CASE(a_flip_tells_every_taker),
		CASE(test_cve_2016_9777_vcpus_past_the_map),
		CASE(anybody_may_end_what_an_unknown_taker_has),
		CASE_BY(who_may_have_taken_it_is_asked, setup_took),
		CASE(a_record_can_be_read),
		CASE(refused_shows_as_pending_and_is_tried_again),
		CASE(what_was_refused_is_forgotten_when_the_line_drops),
		CASE(test_cve_2022_2153_a_destination_without_a_lapic),
		CASE(forget_resolves_a_vcpus_records_and_redelivers),
		CASE(forget_leaves_a_delivery_to_several_to_the_others),
		CASE_BY(strict_82093aa_matches_the_current_vector_from_anywhere, setup_strict),
		CASE(routed_counts_masked_level_routes),
		CASE(a_scan_sees_every_pin_in_order),
		CASE(equal_states_are_equal_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
