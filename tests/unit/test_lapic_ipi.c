/* SPDX-License-Identifier: MIT */
/* ICR and self-IPI: what a LAPIC sends. What the chip makes of it is in test_chip_ipi.c. */
#include "lapic_rig.h"

#define LOGICAL (1u << 11)
#define STATUS  (1u << 12)
#define ASSERT  (1u << 14)
#define LEVEL   (1u << 15)
#define TO(n)   ((uint32_t)(n) << 18)
#define MODE(n) ((uint32_t)(n) << 8)

#define SEND_ILLEGAL (1u << 5)

static void the_xapic_form_sends_at_the_low_half(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR2, 0x05123456);
	assert_diary("");
	assert_int_equal(get(LW_LAPIC_ICR2), 0x05000000);
	put(LW_LAPIC_ICR, ASSERT | 0x31);
	assert_diary("ipi5:0:31/0 ");
	put(LW_LAPIC_ICR, ASSERT | LOGICAL | 0x32);
	assert_diary("ipi5L:0:32/0 ");
	assert_int_equal(get(LW_LAPIC_ICR), ASSERT | LOGICAL | 0x32);
	put(LW_LAPIC_ICR2, 0xff000000);
	put(LW_LAPIC_ICR, ASSERT | 0x33);
	assert_diary("ipi255:0:33/0 ");
	assert_int_equal(lw_lapic_counters(l).ipis, 3);
}

static void the_x2apic_form_is_one_write_with_32_bits_of_destination(void **state)
{
	(void)state;
	lw_lapic_send(l, 0x12345678ull << 32 | LOGICAL | 0x31);
	assert_diary("ipi305419896L:0:31/0 ");
	assert_int_equal(get(LW_LAPIC_ICR), LOGICAL | 0x31);
	assert_true(lw_lapic_icr(l) == (0x12345678ull << 32 | LOGICAL | 0x31));
	put(LW_LAPIC_ICR2, 0); /* is not a register of this mode */
	assert_int_equal(get(LW_LAPIC_ICR2), 0);
	assert_true(lw_lapic_icr(l) >> 32 == 0x12345678);
}

static void the_whole_icr_in_xapic_mode(void **state)
{
	(void)state;
	lw_lapic_send(l, 0x05abcdefull << 32 | 0x31);
	assert_diary("ipi5:0:31/0 ");
	assert_int_equal(get(LW_LAPIC_ICR2), 0x05000000);
}

static void every_delivery_mode(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR2, 0x05000000);
	for (uint32_t mode = 0; mode < 8; mode++)
		put(LW_LAPIC_ICR, ASSERT | MODE(mode) | 0x31);
	assert_diary("ipi5:0:31/0 ipi5:1:31/0 ipi5:2:31/0 ipi5:4:31/0 ipi5:5:31/0 ipi5:6:31/0 ");
}

static void every_shorthand(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR2, 0x05000000);
	for (uint32_t to = 0; to < 4; to++)
		put(LW_LAPIC_ICR, ASSERT | MODE(LW_DM_NMI) | TO(to));
	assert_diary("ipi5:4:00/0 ipi0:4:00/1 ipi0:4:00/2 ipi0:4:00/3 ");
	for (uint32_t to = 2; to < 4; to++)
		put(LW_LAPIC_ICR, ASSERT | TO(to) | 0x31);
	assert_diary("ipi0:0:31/2 ipi0:0:31/3 ");
}

static void a_fixed_one_to_itself_stays_inside(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	put(LW_LAPIC_ICR, ASSERT | TO(LW_SHORTHAND_SELF) | 0x31);
	assert_false(lw_lapic_tmr(l, 0x31)); /* it came after the posted one */
	put(LW_LAPIC_ICR, ASSERT | MODE(LW_DM_LOWEST) | TO(LW_SHORTHAND_SELF) | 0x41);
	assert_diary("");
	assert_int_equal(lw_lapic_accept(l), 0x41);
	assert_int_equal(lw_lapic_eoi(l), 0x41);
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

static void the_self_ipi_register(void **state)
{
	(void)state;
	lw_lapic_send(l, 7ull << 32 | 0x31);
	forget_diary();
	put(LW_LAPIC_SELF_IPI, 0xffffff51);
	assert_int_equal(lw_lapic_pending(l), 0x51);
	assert_int_equal(get(LW_LAPIC_SELF_IPI), 0);
	assert_int_equal(get(LW_LAPIC_ICR), 0x31);
	put(LW_LAPIC_SELF_IPI, 15);
	assert_int_equal(errors(), SEND_ILLEGAL);
	assert_int_equal(lw_lapic_counters(l).ipis, 2);
	assert_diary("");
}

static void there_is_no_self_ipi_register_in_xapic_mode(void **state)
{
	(void)state;
	put(LW_LAPIC_SELF_IPI, 0x51);
	assert_int_equal(lw_lapic_pending(l), -1);
	lw_lapic_self_ipi(l, 0x51);
	assert_int_equal(lw_lapic_pending(l), 0x51);
}

static void delivery_status_and_reserved_bits_read_zero(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR, 0xffffffff & ~MODE(7));
	assert_int_equal(get(LW_LAPIC_ICR), LW_ICR_WRITABLE & ~MODE(7));
	assert_int_equal(get(LW_LAPIC_ICR) & STATUS, 0);
	assert_diary("ipi0L:0:ff/3 ");
}

static void an_init_level_de_assert_is_ignored(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR2, 0x05000000);
	put(LW_LAPIC_ICR, MODE(LW_DM_INIT) | LEVEL);
	put(LW_LAPIC_ICR, MODE(LW_DM_INIT) | LEVEL | TO(LW_SHORTHAND_ALL));
	assert_diary("");
	put(LW_LAPIC_ICR, MODE(LW_DM_INIT) | LEVEL | ASSERT);
	put(LW_LAPIC_ICR, MODE(LW_DM_INIT));
	assert_diary("ipi5:5:00/0 ipi5:5:00/0 ");
}

static void an_illegal_vector_is_noted_and_not_sent(void **state)
{
	(void)state;
	for (uint32_t vector = 0; vector < LW_FIRST_VECTOR; vector++) {
		put(LW_LAPIC_ICR, ASSERT | vector);
		assert_int_equal(errors(), SEND_ILLEGAL);
		put(LW_LAPIC_ICR, ASSERT | MODE(LW_DM_LOWEST) | TO(LW_SHORTHAND_SELF) | vector);
		assert_int_equal(errors(), SEND_ILLEGAL);
	}
	assert_int_equal(errors(), 0);
	assert_diary("");
	assert_int_equal(lw_lapic_counters(l).ipis, 0);
	put(LW_LAPIC_ICR, ASSERT | MODE(LW_DM_SIPI) | 8); /* a page number */
	put(LW_LAPIC_ICR, ASSERT | MODE(LW_DM_NMI));
	put(LW_LAPIC_ICR, ASSERT | 16);
	assert_diary("ipi0:6:08/0 ipi0:4:00/0 ipi0:0:10/0 ");
	assert_int_equal(errors(), 0);
}

static void a_software_disabled_lapic_sends_but_does_not_take(void **state)
{
	(void)state;
	put(LW_LAPIC_SVR, 0xff);
	forget_diary();
	put(LW_LAPIC_ICR, ASSERT | 0x31);
	put(LW_LAPIC_ICR, ASSERT | TO(LW_SHORTHAND_SELF) | 0x41);
	assert_diary("ipi0:0:31/0 ");
	assert_false(lw_lapic_holds(l, 0x41));
}

static void init_clears_icr(void **state)
{
	(void)state;
	put(LW_LAPIC_ICR2, 0x05000000);
	put(LW_LAPIC_ICR, ASSERT | 0x31);
	lw_lapic_reset(l);
	assert_int_equal(get(LW_LAPIC_ICR), 0);
	assert_int_equal(get(LW_LAPIC_ICR2), 0);
}

static void without_an_op_nobody_gets_it(void **state)
{
	struct lw_lapic_config config = {.id = 3};

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	put(LW_LAPIC_ICR, ASSERT | TO(LW_SHORTHAND_ALL) | 0x31);
	assert_diary("");
	assert_int_equal(lw_lapic_pending(l), -1);
}

/* CVE-2013-6376: any ICR, in either mode. */
static void test_cve_2013_6376_any_icr_write(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (int n = 0; n < 100000; n++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		lw_lapic_send(l, random >> 7 ^ random << 40);
		forget_diary();
	}
	lw_lapic_send(l, UINT64_MAX & ~(uint64_t)MODE(7));
	assert_true(strstr(diary, "ipi0L:0:ff/3 ") != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(the_xapic_form_sends_at_the_low_half),
		X2APIC(the_x2apic_form_is_one_write_with_32_bits_of_destination),
		XAPIC(the_whole_icr_in_xapic_mode),
		XAPIC(every_delivery_mode),
		XAPIC(every_shorthand),
		XAPIC(a_fixed_one_to_itself_stays_inside),
		X2APIC(the_self_ipi_register),
		XAPIC(there_is_no_self_ipi_register_in_xapic_mode),
		XAPIC(delivery_status_and_reserved_bits_read_zero),
		XAPIC(an_init_level_de_assert_is_ignored),
		XAPIC(an_illegal_vector_is_noted_and_not_sent),
		XAPIC(a_software_disabled_lapic_sends_but_does_not_take),
		XAPIC(init_clears_icr),
		XAPIC(without_an_op_nobody_gets_it),
		XAPIC(test_cve_2013_6376_any_icr_write),
		X2APIC(test_cve_2013_6376_any_icr_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
