/* SPDX-License-Identifier: MIT */
/* Races and edge cases that others had to fix, through the whole controller, where no chip's own
 * test shows them: docs/reliability.md has the rest. */
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

static int lazy_hardware(void **state)
{
	(void)state;
	rig_open(rig_config(), LW_EOI_LAZY, LW_EOI_HARDWARE);
	return 0;
}

static void write_half(uint32_t gsi, uint32_t half, uint32_t value)
{
	lw_ioapic_write(lw_chip_ioapic(rig.chip, gsi / PINS), 0x10 + 2 * (gsi % PINS) + half,
			value);
}

/* GSI 5 is delivered to vCPU 1 as 31; its line is up and it is in service. */
static void in_service(void)
{
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x31);
}

/* Lines low, then one more interrupt of GSI 5 to `vcpu` as `vector`: nothing is stuck. */
static void still_works(uint32_t vcpu, uint8_t vector)
{
	line(5, false);
	for (uint32_t n = 0; n < VCPUS; n++)
		rig.owned[n] = true;
	lw_chip_settle(rig.chip);
	assert_false(remote_irr(5));
	line(5, true);
	assert_int_equal(take(vcpu), vector);
	eoi(vcpu);
	assert_int_equal(take(vcpu), vector); /* the line is up, and the EOI was heard */
	line(5, false);
	eoi(vcpu);
	assert_int_equal(take(vcpu), -1);
	assert_false(remote_irr(5));
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(take(n), -1);
	assert_int_equal(lw_eoi_counters(rig.eoi).superfluous, 0);
}

/* Of the pair of writes that move an interrupt only the first has been made when the EOI comes. */
static void facts_7_1_upper_half_rewritten_in_service(void **state)
{
	(void)state;
	in_service();
	write_half(5, 1, 2u << 24);
	lw_chip_enter(rig.chip, 1); /* whatever was loaded, is loaded anew */
	assert_true(eoi(1));
	lw_chip_exit(rig.chip, 1);
	assert_int_equal(take(1), -1);
	assert_int_equal(take(2), 0x31);
	line(5, false);
	eoi(2);
	still_works(2, 0x31);
}

/* The old route was level and its EOI was to be seen; the new one is edge, elsewhere, as another
 * vector: the flip ends the old delivery, so that nobody waits for its EOI. */
static void facts_7_2_a_route_without_interception_takes_over(void **state)
{
	(void)state;
	in_service();
	lw_chip_enter(rig.chip, 1);
	program(5, 2, 0x41);
	lw_chip_exit(rig.chip, 1);
	assert_false(remote_irr(5));
	lw_chip_enter(rig.chip, 1); /* a bitmap of hardware has it until here */
	assert_false(eoi(1));
	lw_chip_exit(rig.chip, 1);
	assert_int_equal(take(2), -1); /* no edge: the line was up before */
	line(5, false);
	line(5, true);
	assert_int_equal(take(2), 0x41);
	assert_false(eoi(2));
	line(5, false);
	program(5, 1, 0x31 | LEVEL);
	still_works(1, 0x31);
}

/* The same, but the new route is level and masked: the EOI of the old delivery is still needed. */
static void facts_7_2_a_masked_route_takes_over(void **state)
{
	(void)state;
	in_service();
	program(5, 2, 0x41 | LEVEL | MASKED);
	assert_true(remote_irr(5));
	assert_true(eoi(1));
	assert_false(remote_irr(5));
	write_half(5, 0, 0x41 | LEVEL);
	assert_int_equal(take(2), 0x41);
	line(5, false);
	eoi(2);
	still_works(2, 0x41);
}

/* A vCPU's first entry with a bitmap: what software accepted before is in what it loads, and its
 * bit is there although its route has been led away. */
static void facts_7_9_in_service_when_acceleration_is_switched_on(void **state)
{
	uint64_t bitmap[4];

	(void)state;
	in_service();
	program(5, 2, 0x41 | LEVEL);
	lw_chip_enter(rig.chip, 1);
	lw_eoi_bitmap(rig.eoi, 1, bitmap);
	assert_true(bitmap[0] >> 0x31 & 1);
	assert_false(bitmap[1] >> (0x41 - 64) & 1);
	line(5, false);
	assert_true(lw_lapic_isr(lapic(1), 0x31)); /* SVI */
	assert_int_equal(lw_lapic_pending(lapic(1)), -1);
	assert_int_equal(lw_chip_eoi_exit(rig.chip, 1, 0x31), LW_EOI_NECESSARY);
	lw_chip_exit(rig.chip, 1);
	assert_int_equal(lw_lapic_eoi(lapic(1)), 0x31); /* the LAPIC's own books */
	assert_false(remote_irr(5));
	lw_chip_enter(rig.chip, 1);
	lw_eoi_bitmap(rig.eoi, 1, bitmap);
	assert_false(bitmap[0] >> 0x31 & 1);
}

/* ---- migration ---- */

static struct {
	void *bytes;
	size_t size;
} image;

static void save(void)
{
	image.size = lw_chip_save(rig.chip, NULL, 0);
	image.bytes = malloc(image.size);
	assert_non_null(image.bytes);
	assert_int_equal(lw_chip_save(rig.chip, image.bytes, image.size), image.size);
}

/* Into a controller of the same making, on another host. */
static void move(enum lw_eoi_policy policy, uint32_t flags)
{
	rig_close(NULL);
	rig_open(rig_config(), policy, flags);
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), NULL, 0), 0);
	assert_int_equal(lw_chip_restore(rig.chip, image.bytes, image.size), 0);
	free(image.bytes);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(rig.chip, n);
}

/* The EOI has been taken by hardware and its exit comes on the other host, where no route had been
 * set when the snapshot came. */
static void facts_7_10_an_eoi_exit_after_migration(void **state)
{
	const struct lw_route odd = {.gsi = 60, .type = LW_ROUTE_IOAPIC, .chip = 0, .pin = 5};

	(void)state;
	assert_int_equal(lw_routes_replace(lw_chip_routes(rig.chip), 60, &odd, 1), 0);
	in_service();
	line(5, false);
	lw_chip_enter(rig.chip, 1);
	assert_true(lw_chip_eoi_leaves(rig.chip, 1, 0x31));
	save();
	move(LW_EOI_ARMED, LW_EOI_HARDWARE);
	assert_true(remote_irr(5));
	line(60, true); /* its routes have come along */
	assert_int_equal(lw_chip_eoi_exit(rig.chip, 1, 0x31), LW_EOI_NECESSARY);
	lw_lapic_eoi(lapic(1));
	assert_int_equal(take(1), 0x31); /* the line is up */
	line(60, false);
	eoi(1);
	assert_false(remote_irr(5));
}

/* In flight, posted and not yet merged, in IRR and ISR: all of it goes on there. */
static void facts_7_11_what_is_in_flight_is_saved(void **state)
{
	uint64_t bitmap[4];

	(void)state;
	in_service();
	program(5, 2, 0x31 | LEVEL); /* the bit is there for the delivery alone */
	program(6, 1, 0x41 | LEVEL);
	line(6, true);
	lw_lapic_sync(lapic(1)); /* in IRR */
	program(27, 1, 0x51 | LEVEL);
	line(27, true); /* posted */
	msi(1, 0x61);
	save();
	move(LW_EOI_ARMED, LW_EOI_HARDWARE);
	lw_chip_enter(rig.chip, 1);
	lw_eoi_bitmap(rig.eoi, 1, bitmap);
	assert_true(bitmap[0] >> 0x31 & 1);
	assert_true(bitmap[1] == (1ull << (0x41 - 64) | 1ull << (0x51 - 64)));
	assert_true(remote_irr(5) && remote_irr(6) && remote_irr(27));
	lw_chip_exit(rig.chip, 1);
	line(6, false);
	line(27, false);
	assert_int_equal(take(1), 0x61);
	assert_false(eoi(1));
	assert_int_equal(take(1), 0x51);
	assert_true(eoi(1));
	assert_int_equal(take(1), 0x41);
	assert_true(eoi(1));
	assert_true(eoi(1)); /* 0x31; its line was saved high */
	assert_int_equal(take(2), 0x31);
	line(5, false);
	assert_true(eoi(2));
	assert_false(remote_irr(5) || remote_irr(6) || remote_irr(27));
}

/* A flat logical level delivery to three. */
static void facts_7_25_the_first_of_several_eois_resolves(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
	program(5, 0xe, 0x31 | LEVEL | LW_RTE_LOGICAL);
	line(5, true);
	line(5, false);
	assert_int_equal(take(0), -1);
	for (uint32_t n = 1; n < VCPUS; n++)
		assert_int_equal(take(n), 0x31);
	assert_true(remote_irr(5));
	assert_true(eoi(2));
	assert_int_equal(rig.last.found, LW_EOI_NECESSARY);
	assert_false(remote_irr(5));
	line(5, true); /* delivered again, though two have still to end the first */
	assert_true(remote_irr(5));
	assert_int_equal(take(2), 0x31);
	line(5, false);
	for (uint32_t n = 1; n < VCPUS; n++) {
		bool again = n != 2;

		assert_true(eoi(n));
		if (again && take(n) == 0x31)
			eoi(n);
	}
	assert_false(remote_irr(5));
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(take(n), -1);
}

/* Lowest priority: one takes it, and only that one's EOI counts. */
static void facts_7_25_lowest_priority_has_one_taker(void **state)
{
	uint32_t taker = VCPUS;

	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
	program(5, 0xf, 0x31 | LEVEL | LW_RTE_LOGICAL | LW_DM_LOWEST << LW_RTE_DM_SHIFT);
	line(5, true);
	for (uint32_t n = 0; n < VCPUS; n++)
		if (take(n) == 0x31) {
			assert_int_equal(taker, VCPUS);
			taker = n;
		}
	assert_in_range(taker, 0, VCPUS - 1);
	assert_int_equal(msi((taker + 1) % VCPUS, 0x31), 1);
	assert_int_equal(take((taker + 1) % VCPUS), 0x31);
	eoi((taker + 1) % VCPUS);
	assert_true(remote_irr(5));
	line(5, false);
	rig.owned[taker] = true;
	eoi(taker);
	assert_false(remote_irr(5));
}

#define CASE(name, setup) cmocka_unit_test_setup_teardown(name, setup, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(facts_7_1_upper_half_rewritten_in_service, rig_armed),
		CASE(facts_7_1_upper_half_rewritten_in_service, armed_hardware),
		CASE(facts_7_1_upper_half_rewritten_in_service, lazy),
		CASE(facts_7_1_upper_half_rewritten_in_service, lazy_hardware),
		CASE(facts_7_2_a_route_without_interception_takes_over, rig_armed),
		CASE(facts_7_2_a_route_without_interception_takes_over, armed_hardware),
		CASE(facts_7_2_a_route_without_interception_takes_over, lazy),
		CASE(facts_7_2_a_masked_route_takes_over, rig_armed),
		CASE(facts_7_2_a_masked_route_takes_over, armed_hardware),
		CASE(facts_7_2_a_masked_route_takes_over, lazy),
		CASE(facts_7_9_in_service_when_acceleration_is_switched_on, armed_hardware),
		CASE(facts_7_10_an_eoi_exit_after_migration, armed_hardware),
		CASE(facts_7_11_what_is_in_flight_is_saved, armed_hardware),
		CASE(facts_7_25_the_first_of_several_eois_resolves, rig_armed),
		CASE(facts_7_25_the_first_of_several_eois_resolves, armed_hardware),
		CASE(facts_7_25_lowest_priority_has_one_taker, rig_armed),
		CASE(facts_7_25_lowest_priority_has_one_taker, lazy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
