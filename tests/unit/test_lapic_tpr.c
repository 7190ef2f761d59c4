/* SPDX-License-Identifier: MIT */
/* TPR, CR8, the threshold below which a pending interrupt gets through, and the bus's registers. */
#include "lapic_rig.h"

static void cr8_is_tprs_class(void **state)
{
	(void)state;
	put(LW_LAPIC_TPR, 0x5a);
	assert_int_equal(lw_lapic_cr8(l), 5);
	assert_int_equal(lw_lapic_set_cr8(l, 0xf), 0);
	assert_int_equal(get(LW_LAPIC_TPR), 0xf0);
	assert_int_equal(get(LW_LAPIC_PPR), 0xf0);
	for (uint32_t bit = 4; bit < 64; bit++)
		assert_int_equal(lw_lapic_set_cr8(l, 1ull << bit), 1);
	assert_int_equal(get(LW_LAPIC_TPR), 0xf0);
}

static void what_tpr_holds_back_has_a_threshold(void **state)
{
	(void)state;
	put(LW_LAPIC_TPR, 0x40);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_diary("threshold3 ");
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_diary(""); /* nothing new */
	lw_lapic_post(l, 0x45, false);
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_diary("threshold4 ");
	assert_int_equal(lw_lapic_set_cr8(l, 4), 0); /* not below it */
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_diary("");
	assert_int_equal(lw_lapic_set_cr8(l, 3), 0);
	assert_diary("threshold0 ");
	assert_int_equal(lw_lapic_accept(l), 0x45);
	assert_diary(""); /* 0x31 waits for an EOI */
	lw_lapic_eoi(l);
	assert_diary("threshold3 "); /* and now for TPR */
	put(LW_LAPIC_TPR, 0x2f);
	assert_diary("threshold0 ");
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

static void what_waits_for_an_eoi_has_none(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x91, false);
	assert_int_equal(lw_lapic_accept(l), 0x91);
	lw_lapic_post(l, 0x92, false);
	put(LW_LAPIC_TPR, 0xf0);
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_diary("");
	lw_lapic_post(l, 0xa1, false);
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_diary("threshold10 ");
}

/* What acceptance leaves behind waits for the EOI first. */
static void no_threshold_at_acceptance(void **state)
{
	(void)state;
	put(LW_LAPIC_TPR, 0x30);
	lw_lapic_post(l, 0x31, false);
	lw_lapic_post(l, 0x45, false);
	assert_int_equal(lw_lapic_accept(l), 0x45);
	assert_diary("");
	lw_lapic_eoi(l);
	assert_diary("threshold3 ");
}

static void test_cve_2026_64513_no_stale_threshold(void **state)
{
	(void)state;
	put(LW_LAPIC_TPR, 0xf0);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_diary("threshold3 ");
	lw_lapic_reset(l);
	assert_diary("threshold0 changed ");
	put(LW_LAPIC_SVR, ENABLED);
	put(LW_LAPIC_TPR, 0xf0);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), -1);
	forget_diary();
	assert_int_equal(lw_lapic_set_base(l, 0xfee00000), 0);
	assert_diary("threshold0 changed ");
}

/* Each TPR against each vector: the threshold is right about what comes when TPR falls below it. */
static void the_threshold_is_where_it_gets_through(void **state)
{
	(void)state;
	for (uint32_t vector = 16; vector < 256; vector++)
		for (uint32_t class = 0; class < 16; class ++) {
			char expected[16] = "";

			put(LW_LAPIC_TPR, class << 4);
			lw_lapic_post(l, (uint8_t)vector, false);
			lw_lapic_pending(l);
			if (class >= vector >> 4)
				snprintf(expected, sizeof(expected), "threshold%u ", vector >> 4);
			assert_diary(expected);
			lw_lapic_set_cr8(l, (vector >> 4) - 1);
			assert_int_equal(lw_lapic_accept(l), vector);
			lw_lapic_eoi(l);
			assert_diary(*expected ? "threshold0 " : "");
		}
}

static void focus_is_accepted_and_the_bus_is_not_there(void **state)
{
	(void)state;
	put(LW_LAPIC_SVR, ENABLED | 1u << 9);
	assert_int_equal(get(LW_LAPIC_SVR), ENABLED | 1u << 9);
	put(LW_LAPIC_TPR, 0x40);
	put(LW_LAPIC_APR, 0xffffffff);
	put(LW_LAPIC_RRD, 0xffffffff);
	assert_int_equal(get(LW_LAPIC_APR), 0);
	assert_int_equal(get(LW_LAPIC_RRD), 0);
	assert_int_equal(errors(), 0);
}

/* SDM 11.9 has the spurious vector for a request that is withdrawn before the processor asks which
 * it was. Here asking and taking are one step, so that there is nothing to inject instead. */
static void a_request_that_is_withdrawn_injects_nothing(void **state)
{
	(void)state;
	put(LW_LAPIC_SVR, LW_SVR_ENABLE | 0x5f);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), 0x31);
	put(LW_LAPIC_TPR, 0x40);
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_false(lw_lapic_isr(l, 0x5f) || lw_lapic_isr(l, 0x31));
	assert_int_equal(get(LW_LAPIC_SVR), LW_SVR_ENABLE | 0x5f);
	assert_int_equal(lw_lapic_eoi(l), -1);
	put(LW_LAPIC_TPR, 0);
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(cr8_is_tprs_class),
		XAPIC(what_tpr_holds_back_has_a_threshold),
		X2APIC(what_waits_for_an_eoi_has_none),
		XAPIC(no_threshold_at_acceptance),
		XAPIC(test_cve_2026_64513_no_stale_threshold),
		XAPIC(the_threshold_is_where_it_gets_through),
		XAPIC(a_request_that_is_withdrawn_injects_nothing),
		XAPIC(focus_is_accepted_and_the_bus_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
