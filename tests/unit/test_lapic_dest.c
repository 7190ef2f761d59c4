/* SPDX-License-Identifier: MIT */
/* Whether a message is for a LAPIC: physical and logical destinations, in both modes. */
#include "lapic_rig.h"

static bool matches(uint32_t dest, bool logical)
{
	return lw_lapic_matches(l, &(struct lw_msg){.dest = dest, .logical = logical});
}

static void physical_destinations(void **state)
{
	(void)state;
	assert_true(matches(3, false));
	assert_false(matches(2, false) || matches(0x103, false));
	assert_true(matches(0xff, false) && matches(0xffffffff, false));
	lw_lapic_reset(l);
	assert_true(matches(3, false)); /* enabled or not is another question */
}

static void flat_logical_destinations(void **state)
{
	(void)state;
	assert_false(matches(1, true));
	put(LW_LAPIC_LDR, 0x24ffffff);
	assert_int_equal(get(LW_LAPIC_LDR), 0x24000000);
	assert_true(matches(0x04, true) && matches(0x20, true) && matches(0x2f, true));
	assert_false(matches(0x08, true) || matches(0, true));
	assert_true(matches(0xff, true));
}

static void cluster_logical_destinations(void **state)
{
	(void)state;
	put(LW_LAPIC_LDR, 0x24000000);
	put(LW_LAPIC_DFR, 0);
	assert_int_equal(get(LW_LAPIC_DFR), 0x0fffffff);
	assert_true(matches(0x24, true) && matches(0x2f, true));
	assert_false(matches(0x14, true) || matches(0x28, true) || matches(0x20, true));
	assert_true(matches(0xff, true));
}

/* docs/reliability.md, 7.20: the LDR follows from the whole id and can't be written. */
static void x2apic_destinations_are_32_bits_wide(void **state)
{
	(void)state;
	assert_int_equal(get(LW_LAPIC_ID), 0x123);
	assert_int_equal(get(LW_LAPIC_LDR), 0x12u << 16 | 1u << 3);
	assert_int_equal(get(LW_LAPIC_DFR), 0);
	put(LW_LAPIC_LDR, 0xff000000);
	put(LW_LAPIC_DFR, 0);
	assert_diary("");
	assert_int_equal(get(LW_LAPIC_LDR), 0x12u << 16 | 1u << 3);
	assert_true(matches(0x123, false) && matches(0xffffffff, false));
	assert_false(matches(0x23, false) || matches(0xff, false));
	assert_true(matches(0x12u << 16 | 1u << 3, true) && matches(0x12ffff, true));
	assert_false(matches(0x13u << 16 | 1u << 3, true) || matches(0x12u << 16 | 4, true));
	assert_false(matches(0x12u << 16, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(physical_destinations),
		XAPIC(flat_logical_destinations),
		XAPIC(cluster_logical_destinations),
		X2APIC(x2apic_destinations_are_32_bits_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
