/* SPDX-License-Identifier: MIT */
/* IA32_APIC_BASE, the modes it leads to, and what each lets a guest reach. */
#include "lapic_rig.h"

#include <lapwing/snapshot.h>

#define PAGE 0xfee00000ull
#define BSP  0x100ull
#define EXTD 0x400ull
#define EN   0x800ull

#define MASK    (1u << 16)
#define TRIGGER (1u << 15)
#define GP      1

static int off(void **state)
{
	fresh(state);
	assert_int_equal(lw_lapic_set_base(l, PAGE), 0);
	forget_diary();
	return 0;
}

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value = 0x5555;

	assert_int_equal(lw_lapic_msr_read(l, msr, &value), 0);
	return value;
}

static int wrmsr(uint32_t msr, uint64_t value)
{
	return lw_lapic_msr_write(l, msr, value);
}

/* ---- IA32_APIC_BASE ---- */

static void go_to(enum lw_lapic_mode mode)
{
	static const uint64_t bits[] = {0, EN, EN | EXTD};

	assert_int_equal(wrmsr(LW_MSR_APIC_BASE, PAGE), 0);
	if (mode)
		assert_int_equal(wrmsr(LW_MSR_APIC_BASE, PAGE | EN), 0);
	assert_int_equal(wrmsr(LW_MSR_APIC_BASE, PAGE | bits[mode]), 0);
	assert_int_equal(lw_lapic_mode(l), mode);
	forget_diary();
}

/* SDM figure 11-27, every arrow and every one that is not there. */
static void each_transition(void **state)
{
	static const struct {
		enum lw_lapic_mode from;
		uint64_t bits;
		int answer;
	} steps[] = {
		{LW_LAPIC_DISABLED, 0, 0},     {LW_LAPIC_DISABLED, EN, 0},
		{LW_LAPIC_DISABLED, EXTD, GP}, {LW_LAPIC_DISABLED, EN | EXTD, GP},
		{LW_LAPIC_XAPIC, 0, 0},        {LW_LAPIC_XAPIC, EN, 0},
		{LW_LAPIC_XAPIC, EXTD, GP},    {LW_LAPIC_XAPIC, EN | EXTD, 0},
		{LW_LAPIC_X2APIC, 0, 0},       {LW_LAPIC_X2APIC, EN, GP},
		{LW_LAPIC_X2APIC, EXTD, GP},   {LW_LAPIC_X2APIC, EN | EXTD, 0},
	};

	(void)state;
	for (size_t n = 0; n < sizeof(steps) / sizeof(*steps); n++) {
		uint64_t before;
		bool moves;

		go_to(steps[n].from);
		before = lw_lapic_base(l);
		assert_int_equal(wrmsr(LW_MSR_APIC_BASE, PAGE | steps[n].bits), steps[n].answer);
		moves = steps[n].answer == 0 && (PAGE | steps[n].bits) != before;
		assert_true(rdmsr(LW_MSR_APIC_BASE) == (moves ? PAGE | steps[n].bits : before));
		assert_diary(moves ? "changed " : "");
	}
}

static void reserved_bits_of_the_base(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++)
		if (bit < 8 || bit == 9 || bit >= 52)
			assert_int_equal(lw_lapic_set_base(l, PAGE | EN | 1ull << bit), GP);
	assert_true(lw_lapic_base(l) == (PAGE | EN));
	assert_int_equal(lw_lapic_set_base(l, 0xffffffffff000 | EN | BSP), 0);
	assert_true(lw_lapic_base(l) == (0xffffffffff000 | EN | BSP));
	assert_diary("");
	open_with((struct lw_lapic_config){.phys_bits = 36, .bsp = true, .xapic_only = true});
	assert_true(lw_lapic_base(l) == (PAGE | EN | BSP));
	assert_int_equal(lw_lapic_set_base(l, 1ull << 36 | EN), GP);
	assert_int_equal(lw_lapic_set_base(l, 1ull << 35 | EN), 0);
	assert_int_equal(lw_lapic_set_base(l, PAGE | EN | EXTD), GP);
}

static void init_refuses_what_can_not_be(void **state)
{
	struct lw_lapic_config config = {.x2apic = true, .xapic_only = true};

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config = (struct lw_lapic_config){.phys_bits = 53};
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
}

/* Its own IA32_APIC_BASE would be one that no guest can write, and its snapshots none. */
static void init_refuses_addresses_too_short_for_the_page(void **state)
{
	struct lw_lapic_config config = {.phys_bits = 31};
	uint8_t bytes[512];
	size_t size;

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), -EINVAL);
	config.phys_bits = 32;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	size = lw_lapic_save(l, bytes, sizeof(bytes));
	assert_int_equal(lw_lapic_restore(l, bytes, size), 0);
}

static void init_does_not_change_the_mode(void **state)
{
	(void)state;
	for (uint32_t mode = LW_LAPIC_DISABLED; mode <= LW_LAPIC_X2APIC; mode++) {
		go_to((enum lw_lapic_mode)mode);
		lw_lapic_reset(l);
		assert_int_equal(lw_lapic_mode(l), mode);
	}
}

/* ---- into x2APIC mode ---- */

static void x2apic_mode_keeps_all_but_ldr(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	lw_lapic_post(l, 0x41, false);
	put(LW_LAPIC_LDR, 0x04000000);
	put(LW_LAPIC_TPR, 0x20);
	put(LW_LAPIC_ICR2, 0x05000000);
	put(LW_LAPIC_LVT_TIMER, 0x51);
	assert_int_equal(lw_lapic_set_base(l, PAGE | EN | EXTD), 0);
	assert_true(rdmsr(0x802) == 3);
	assert_true(rdmsr(0x80d) == 1u << 3);
	assert_true(rdmsr(0x808) == 0x20);
	assert_true(rdmsr(0x80f) == ENABLED);
	assert_true(rdmsr(0x830) == 5ull << 32);
	assert_true(rdmsr(0x832) == 0x51);
	assert_true(lw_lapic_isr(l, 0x31));
	assert_int_equal(lw_lapic_accept(l), 0x41);
	assert_true(lw_lapic_matches(l, &(struct lw_msg){.dest = 8, .logical = true}));
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 4, .logical = true}));
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 0xff}));
}

/* A 32-bit id keeps eight of its bits in xAPIC mode. */
static void a_wide_id_in_xapic_mode(void **state)
{
	(void)state;
	go_to(LW_LAPIC_XAPIC);
	assert_int_equal(lw_lapic_id(l), 0x23);
	assert_int_equal(get(LW_LAPIC_ID), 0x23000000);
	assert_true(lw_lapic_matches(l, &(struct lw_msg){.dest = 0x23}));
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 0x123}));
	go_to(LW_LAPIC_X2APIC);
	assert_int_equal(lw_lapic_id(l), 0x123);
}

/* ---- off ---- */

static void going_off_loses_everything(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	lw_lapic_post(l, 0x41, true);
	put(LW_LAPIC_LDR, 0x04000000);
	put(LW_LAPIC_LVT_TIMER, 0x51);
	put(LW_LAPIC_TMICT, 1000);
	forget_diary();
	assert_int_equal(lw_lapic_set_base(l, PAGE), 0);
	assert_diary("deadline0 changed ");
	assert_int_equal(lw_lapic_set_base(l, PAGE | EN), 0);
	assert_int_equal(get(LW_LAPIC_SVR), 0xff);
	assert_int_equal(get(LW_LAPIC_LDR), 0);
	assert_int_equal(get(LW_LAPIC_LVT_TIMER), MASK);
	put(LW_LAPIC_SVR, ENABLED);
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_int_equal(lw_lapic_eoi(l), -1);
}

static void off_it_neither_takes_nor_sends(void **state)
{
	(void)state;
	put(LW_LAPIC_SVR, ENABLED);
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_REFUSED);
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 3}));
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 0xffffffff}));
	assert_false(lw_lapic_matches(l, &(struct lw_msg){.dest = 0xff, .logical = true}));
	lw_lapic_send(l, 3ull << 56 | LW_DM_NMI << 8);
	lw_lapic_self_ipi(l, 0x31);
	lw_lapic_self_ipi(l, 3);
	lw_lapic_write_tsc_deadline(l, 5);
	put(LW_LAPIC_TMICT, 5);
	lw_lapic_time(l, 1000);
	lw_lapic_thermal(l);
	lw_lapic_pmi(l);
	assert_diary("");
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_int_equal(lw_lapic_counters(l).ipis, 0);
	assert_int_equal(get(LW_LAPIC_VERSION), 0);
	assert_int_equal(lw_lapic_set_base(l, PAGE | EN), 0);
	assert_int_equal(errors(), 0);
}

/* SDM 11.4.3: INTR and NMI. */
static void off_its_pins_are_the_processors(void **state)
{
	(void)state;
	lw_lapic_lint(l, 0, true);
	assert_true(lw_lapic_extint(l));
	lw_lapic_lint(l, 0, true);
	lw_lapic_lint(l, 1, true);
	lw_lapic_lint(l, 1, false);
	assert_diary("signal7:00 signal4:00 ");
	lw_lapic_lint(l, 0, false);
	assert_false(lw_lapic_extint(l));
	lw_lapic_lint(l, 0, true);
	assert_int_equal(lw_lapic_set_base(l, PAGE | EN), 0);
	assert_false(lw_lapic_extint(l)); /* masked now */
}

/* ---- the page ---- */

static void test_xsa_412_the_page_outside_xapic_mode(void **state)
{
	(void)state;
	lw_lapic_page_write(l, LW_LAPIC_TPR, 0x20);
	assert_int_equal(lw_lapic_page_read(l, LW_LAPIC_TPR), 0x20);
	for (int n = 0; n < 2; n++) {
		go_to(n ? LW_LAPIC_X2APIC : LW_LAPIC_DISABLED);
		for (uint32_t offset = 0; offset < 0x1100; offset += 4) {
			unsigned char before[sizeof(storage)];

			memcpy(before, storage, sizeof(storage));
			lw_lapic_page_write(l, offset, 0xffffffff);
			assert_int_equal(lw_lapic_page_read(l, offset), 0xffffffff);
			assert_int_equal(memcmp(before, storage, sizeof(storage)), 0);
		}
	}
	assert_diary("");
}

/* ---- MSRs ---- */

/* SDM table 11-6: r readable, w writable, with the bits that are not reserved. */
static void expected(uint32_t n, bool *r, bool *w, uint32_t *bits)
{
	static const struct {
		uint32_t n, bits;
		bool r, w;
	} rows[] = {
		{0x02, 0, 1, 0},       {0x03, 0, 1, 0},       {0x08, 0xff, 1, 1},
		{0x0a, 0, 1, 0},       {0x0b, 0, 0, 1},       {0x0d, 0, 1, 0},
		{0x0f, 0x13ff, 1, 1},  {0x28, 0, 1, 1},       {0x30, 0xcdfff, 1, 1},
		{0x32, 0x710ff, 1, 1}, {0x33, 0x117ff, 1, 1}, {0x34, 0x117ff, 1, 1},
		{0x35, 0x1f7ff, 1, 1}, {0x36, 0x1f7ff, 1, 1}, {0x37, 0x110ff, 1, 1},
		{0x38, ~0u, 1, 1},     {0x39, 0, 1, 0},       {0x3e, 0xb, 1, 1},
		{0x3f, 0xff, 0, 1},
	};

	*r = n >= 0x10 && n <= 0x27;
	*w = false;
	*bits = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].n == n) {
			*r = rows[i].r;
			*w = rows[i].w;
			*bits = rows[i].bits;
		}
}

static void each_msr_and_each_bit(void **state)
{
	(void)state;
	for (uint32_t n = 0; n <= 0xff; n++) {
		uint64_t value = 0x5555;
		uint32_t bits;
		bool r, w;

		expected(n, &r, &w, &bits);
		assert_int_equal(lw_lapic_msr_read(l, 0x800 + n, &value), r ? 0 : GP);
		assert_true(r || value == 0x5555);
		for (uint32_t bit = 0; bit < 32; bit++)
			assert_int_equal(wrmsr(0x800 + n, 1u << bit),
					 w && bits >> bit & 1 ? 0 : GP);
		assert_int_equal(wrmsr(0x800 + n, 1ull << 32), n == 0x30 ? 0 : GP);
		assert_int_equal(wrmsr(0x800 + n, 0), w ? 0 : GP);
	}
}

static void msrs_do_what_the_page_does(void **state)
{
	(void)state;
	assert_int_equal(wrmsr(0x808, 0x20), 0);
	assert_true(rdmsr(0x808) == 0x20 && rdmsr(0x80a) == 0x20);
	assert_int_equal(wrmsr(0x830, 0x12345678ull << 32 | 1u << 12 | 0x31), 0);
	assert_diary("ipi305419896:0:31/0 ");
	assert_true(rdmsr(0x830) == (0x12345678ull << 32 | 0x31));
	assert_int_equal(wrmsr(0x83f, 0x41), 0);
	assert_int_equal(lw_lapic_accept(l), 0x41);
	assert_true(rdmsr(0x812) == 1 << 1);
	assert_int_equal(wrmsr(0x80b, 1), GP);
	assert_true(lw_lapic_isr(l, 0x41));
	assert_int_equal(wrmsr(0x80b, 0), 0);
	assert_false(lw_lapic_isr(l, 0x41));
	assert_int_equal(wrmsr(0x832, 2u << 17 | 0x51), 0);
	assert_int_equal(wrmsr(LW_MSR_TSC_DEADLINE, 700), 0);
	assert_diary("deadline700 ");
	assert_true(rdmsr(LW_MSR_TSC_DEADLINE) == 700);
}

/* ICR with a reserved bit: nothing is sent. */
static void test_cve_2013_6376_reserved_bits_of_icr(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 32; bit++)
		if (1u << bit & ~0xcdfffu)
			assert_int_equal(wrmsr(0x830, 1u << bit | 0x31), GP);
	assert_true(rdmsr(0x830) == 0);
	assert_diary("");
}

static void test_xsa_108_msrs_past_the_registers(void **state)
{
	static const uint32_t past[] = {0x840, 0x8ff, 0x900, 0xbff,      0xc00,      0x7ff,
					0,     0x1a,  0x1c,  0x10000800, 0x80000802, UINT32_MAX};
	unsigned char before[sizeof(storage)];
	uint64_t value = 0x5555;

	(void)state;
	memcpy(before, storage, sizeof(storage));
	for (size_t n = 0; n < sizeof(past) / sizeof(*past); n++) {
		assert_int_equal(lw_lapic_msr_read(l, past[n], &value), GP);
		assert_int_equal(wrmsr(past[n], 0), GP);
		assert_int_equal(wrmsr(past[n], UINT64_MAX), GP);
	}
	assert_true(value == 0x5555);
	assert_int_equal(memcmp(before, storage, sizeof(storage)), 0);
}

static void no_msr_outside_x2apic_mode(void **state)
{
	uint64_t value;

	(void)state;
	for (int n = 0; n < 2; n++) {
		go_to(n ? LW_LAPIC_XAPIC : LW_LAPIC_DISABLED);
		for (uint32_t msr = 0x800; msr < 0x900; msr++) {
			assert_int_equal(lw_lapic_msr_read(l, msr, &value), GP);
			assert_int_equal(wrmsr(msr, 0), GP);
		}
		assert_true(rdmsr(LW_MSR_TSC_DEADLINE) == 0);
	}
	assert_diary("");
}

/* Any MSR, page access and mode, in any order. */
static void any_sequence_is_survived(void **state)
{
	uint64_t random = 3, value;

	(void)state;
	for (int n = 0; n < 200000; n++) {
		uint32_t msr, low;

		random = random * 6364136223846793005u + 1442695040888963407u;
		msr = 0x800 + (random >> 50 & 0x7f);
		low = (uint32_t)(random >> 20);
		if (random >> 45 & 1)
			low &= 0xff;
		if ((random >> 33 & 0xff) == 0)
			wrmsr(LW_MSR_APIC_BASE, PAGE | (random >> 41 & 3) << 10);
		lw_lapic_lint(l, random >> 34 & 1, random >> 35 & 1);
		lw_lapic_time(l, random >> 10);
		wrmsr(msr, low);
		lw_lapic_msr_read(l, msr, &value);
		lw_lapic_page_write(l, msr << 4 & 0xff0, low);
		lw_lapic_page_read(l, msr << 4 & 0xff0);
		if (lw_lapic_accept(l) < 0)
			lw_lapic_eoi(l);
		forget_diary();
	}
	go_to(LW_LAPIC_X2APIC);
	assert_int_equal(wrmsr(0x80f, ENABLED), 0);
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_NOTIFY);
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(each_transition),
		XAPIC(reserved_bits_of_the_base),
		XAPIC(init_refuses_what_can_not_be),
		XAPIC(init_refuses_addresses_too_short_for_the_page),
		XAPIC(init_does_not_change_the_mode),
		XAPIC(x2apic_mode_keeps_all_but_ldr),
		X2APIC(a_wide_id_in_xapic_mode),
		XAPIC(going_off_loses_everything),
		cmocka_unit_test_setup(off_it_neither_takes_nor_sends, off),
		cmocka_unit_test_setup(off_its_pins_are_the_processors, off),
		XAPIC(test_xsa_412_the_page_outside_xapic_mode),
		X2APIC(each_msr_and_each_bit),
		X2APIC(msrs_do_what_the_page_does),
		X2APIC(test_cve_2013_6376_reserved_bits_of_icr),
		X2APIC(test_xsa_108_msrs_past_the_registers),
		XAPIC(no_msr_outside_x2apic_mode),
		XAPIC(any_sequence_is_survived),
		X2APIC(any_sequence_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
