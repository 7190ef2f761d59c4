/* SPDX-License-Identifier: MIT */
/* The local vector table: masks, LINT0 and LINT1, PMI, thermal, and errors. */
#include "lapic_rig.h"

#define MASK       (1u << 16)
#define TRIGGER    (1u << 15)
#define REMOTE_IRR (1u << 14)
#define POLARITY   (1u << 13)
#define MODE(n)    ((uint32_t)(n) << 8)

#define SEND_ILLEGAL     (1u << 5)
#define RECEIVED_ILLEGAL (1u << 6)
#define ILLEGAL_REGISTER (1u << 7)

static const struct {
	uint32_t offset, writable;
} entries[] = {
	{LW_LAPIC_LVT_TIMER, 0x700ff}, {LW_LAPIC_LVT_THERMAL, 0x107ff},
	{LW_LAPIC_LVT_PMC, 0x107ff},   {LW_LAPIC_LVT_LINT0, 0x1a7ff},
	{LW_LAPIC_LVT_LINT1, 0x1a7ff}, {LW_LAPIC_LVT_ERROR, 0x100ff},
};

#define ENTRIES (sizeof(entries) / sizeof(*entries))

/* ---- the registers ---- */

static void each_entry_keeps_its_bits(void **state)
{
	(void)state;
	assert_int_equal(get(LW_LAPIC_VERSION) >> 16 & 0xff, ENTRIES - 1);
	for (size_t n = 0; n < ENTRIES; n++) {
		assert_int_equal(get(entries[n].offset), MASK);
		put(entries[n].offset, 0xffffffff);
		assert_int_equal(get(entries[n].offset), entries[n].writable);
		put(entries[n].offset, 0);
		assert_int_equal(get(entries[n].offset), 0);
	}
	assert_int_equal(get(0x2f0), 0); /* no CMCI */
}

static void software_disabled_means_masked(void **state)
{
	(void)state;
	for (size_t n = 0; n < ENTRIES; n++)
		put(entries[n].offset, 0x31);
	put(LW_LAPIC_SVR, 0xff);
	for (size_t n = 0; n < ENTRIES; n++) {
		assert_int_equal(get(entries[n].offset), MASK | 0x31);
		put(entries[n].offset, 0x32);
		assert_int_equal(get(entries[n].offset), MASK | 0x32);
	}
	put(LW_LAPIC_SVR, ENABLED);
	for (size_t n = 0; n < ENTRIES; n++) {
		assert_int_equal(get(entries[n].offset), MASK | 0x32);
		put(entries[n].offset, 0x32);
		assert_int_equal(get(entries[n].offset), 0x32);
	}
}

static void init_masks_them_and_keeps_the_lines(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x31);
	lw_lapic_lint(l, 0, true);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	lw_lapic_reset(l);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), MASK);
	put(LW_LAPIC_SVR, ENABLED);
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x41);
	assert_int_equal(lw_lapic_accept(l), 0x41);
}

/* ---- LINT0, LINT1 ---- */

static void a_fixed_edge_is_a_rise(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < 2; pin++) {
		put(LW_LAPIC_LVT_LINT0 + pin * 16, 0x31 + pin);
		lw_lapic_lint(l, pin, true);
		lw_lapic_lint(l, pin, true);
		assert_int_equal(lw_lapic_accept(l), 0x31 + pin);
		assert_false(lw_lapic_tmr(l, (uint8_t)(0x31 + pin)));
		lw_lapic_eoi(l);
		lw_lapic_lint(l, pin, true);
		assert_int_equal(lw_lapic_accept(l), -1);
		lw_lapic_lint(l, pin, false);
		lw_lapic_lint(l, pin, true);
		assert_int_equal(lw_lapic_accept(l), 0x31 + pin);
		lw_lapic_eoi(l);
	}
	assert_diary("");
}

static void an_edge_while_masked_is_lost(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, MASK | 0x31);
	lw_lapic_lint(l, 0, true);
	put(LW_LAPIC_LVT_LINT0, 0x31);
	assert_int_equal(lw_lapic_accept(l), -1);
}

static void a_level_is_delivered_once_until_its_eoi(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x31);
	lw_lapic_lint(l, 0, true);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | REMOTE_IRR | 0x31);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	assert_true(lw_lapic_tmr(l, 0x31));
	lw_lapic_lint(l, 0, true);
	assert_int_equal(lw_lapic_pending(l), -1);
	lw_lapic_eoi(l); /* still up */
	assert_int_equal(lw_lapic_accept(l), 0x31);
	lw_lapic_lint(l, 0, false);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | REMOTE_IRR | 0x31);
	lw_lapic_eoi(l);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | 0x31);
	assert_int_equal(lw_lapic_pending(l), -1);
}

static void its_eoi_is_matched_against_what_was_delivered(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x31);
	lw_lapic_lint(l, 0, true);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x41); /* rewritten in service */
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | REMOTE_IRR | 0x41);
	lw_lapic_lint(l, 0, false);
	lw_lapic_post(l, 0x41, false);
	assert_int_equal(lw_lapic_accept(l), 0x41);
	lw_lapic_eoi(l);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | REMOTE_IRR | 0x41);
	lw_lapic_eoi(l);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | 0x41);
}

static void a_level_that_is_up_is_seen_at_the_unmask(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, MASK | TRIGGER | 0x31);
	lw_lapic_lint(l, 0, true);
	assert_int_equal(lw_lapic_pending(l), -1);
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 0x31);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	put(LW_LAPIC_LVT_LINT0, 0x31); /* edge: remote IRR goes */
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), 0x31);
	lw_lapic_eoi(l);
	assert_int_equal(lw_lapic_pending(l), -1);
}

static void lint1_is_never_level(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT1, TRIGGER | 0x31);
	lw_lapic_lint(l, 1, true);
	assert_int_equal(get(LW_LAPIC_LVT_LINT1), TRIGGER | 0x31);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	assert_false(lw_lapic_tmr(l, 0x31));
	lw_lapic_eoi(l);
	assert_int_equal(lw_lapic_pending(l), -1);
}

static void other_modes_are_signals_at_a_rise(void **state)
{
	(void)state;
	for (uint32_t mode = 0; mode < 8; mode++) {
		if (mode == LW_DM_FIXED)
			continue;
		put(LW_LAPIC_LVT_LINT1, MODE(mode) | TRIGGER | POLARITY | 0x44);
		lw_lapic_lint(l, 1, true);
		lw_lapic_lint(l, 1, true);
		lw_lapic_lint(l, 1, false);
	}
	assert_diary("signal2:44 signal4:44 signal5:44 signal7:44 ");
	put(LW_LAPIC_LVT_LINT1, MASK | MODE(LW_DM_NMI));
	lw_lapic_lint(l, 1, true);
	assert_diary("");
	put(LW_LAPIC_LVT_LINT1, MODE(LW_DM_NMI)); /* it rose before */
	assert_diary("");
	assert_int_equal(lw_lapic_pending(l), -1);
}

static void extint_holds_while_the_line_does(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < 2; pin++) {
		uint32_t lvt = LW_LAPIC_LVT_LINT0 + pin * 16;

		lw_lapic_lint(l, pin, true);
		assert_false(lw_lapic_extint(l));
		put(lvt, MODE(LW_DM_EXTINT));
		assert_diary("signal7:00 "); /* it was up */
		put(lvt, MODE(LW_DM_EXTINT) | 1);
		assert_diary("");
		put(LW_LAPIC_TPR, 0xff);
		assert_true(lw_lapic_extint(l));
		lw_lapic_lint(l, pin, false);
		assert_false(lw_lapic_extint(l));
		lw_lapic_lint(l, pin, true);
		assert_diary("signal7:01 ");
		put(lvt, MODE(LW_DM_EXTINT) | MASK);
		assert_false(lw_lapic_extint(l));
		put(lvt, MODE(LW_DM_NMI));
		assert_false(lw_lapic_extint(l));
		assert_diary("");
	}
}

static void pins_that_are_not_there(void **state)
{
	(void)state;
	for (size_t n = 0; n < ENTRIES; n++)
		put(entries[n].offset, 0x31);
	lw_lapic_lint(l, 2, true);
	lw_lapic_lint(l, UINT32_MAX, true);
	assert_int_equal(lw_lapic_pending(l), -1);
}

/* ---- PMI, thermal ---- */

static void a_pmi_masks_its_entry(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_PMC, MODE(LW_DM_NMI));
	lw_lapic_pmi(l);
	assert_diary("signal4:00 ");
	assert_int_equal(get(LW_LAPIC_LVT_PMC), MASK | MODE(LW_DM_NMI));
	lw_lapic_pmi(l);
	assert_diary("");
	put(LW_LAPIC_LVT_PMC, 0x31);
	lw_lapic_pmi(l);
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

static void thermal(void **state)
{
	(void)state;
	lw_lapic_thermal(l);
	assert_int_equal(lw_lapic_pending(l), -1);
	put(LW_LAPIC_LVT_THERMAL, 0x31);
	lw_lapic_thermal(l);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	assert_int_equal(get(LW_LAPIC_LVT_THERMAL), 0x31);
}

/* ---- errors ---- */

static void esr_shows_what_was_latched(void **state)
{
	(void)state;
	lw_lapic_post(l, 3, false);
	put(LW_LAPIC_ICR, 3);
	get(0x3f0);
	put(0x400, 0);
	assert_int_equal(get(LW_LAPIC_ESR), 0);
	put(LW_LAPIC_ESR, 0xffffffff);
	assert_int_equal(get(LW_LAPIC_ESR), SEND_ILLEGAL | RECEIVED_ILLEGAL | ILLEGAL_REGISTER);
	assert_int_equal(get(LW_LAPIC_ESR), SEND_ILLEGAL | RECEIVED_ILLEGAL | ILLEGAL_REGISTER);
	assert_int_equal(errors(), 0);
}

/* Exactly the offsets of SDM table 11-1 that are there, and no others, are registers. */
static void offsets_without_a_register_are_noted(void **state)
{
	uint32_t there = 0;

	(void)state;
	for (uint32_t offset = 0; offset < 0x1000; offset += 16) {
		bool is = (offset >= 0x20 && offset <= 0x30) ||
			  (offset >= 0x80 && offset <= 0x280) ||
			  (offset >= 0x300 && offset <= 0x390) || offset == 0x3e0;

		get(offset);
		assert_int_equal(errors(), is ? 0 : ILLEGAL_REGISTER);
		there += is;
	}
	assert_int_equal(there, 2 + 33 + 10 + 1);
	put(LW_LAPIC_VERSION, 1); /* read-only, not absent */
	assert_int_equal(errors(), 0);
	put(0x400, 1);
	assert_int_equal(errors(), ILLEGAL_REGISTER);
}

static void x2apic_mode_does_not_note_them(void **state)
{
	(void)state;
	get(0x400);
	put(LW_LAPIC_DFR, 0);
	assert_int_equal(errors(), 0);
}

static void an_error_is_raised_once_until_esr_is_written(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_ERROR, 0xe1);
	put(LW_LAPIC_ICR, 3);
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	lw_lapic_eoi(l);
	put(LW_LAPIC_ICR, 3);
	assert_int_equal(lw_lapic_pending(l), -1);
	get(0x400); /* of another kind */
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	lw_lapic_eoi(l);
	assert_int_equal(errors(), SEND_ILLEGAL | ILLEGAL_REGISTER);
	put(LW_LAPIC_ICR, 3);
	assert_int_equal(lw_lapic_accept(l), 0xe1);
}

static void a_posters_error_is_raised_when_the_owner_looks(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_ERROR, 0xe1);
	assert_int_equal(lw_lapic_post(l, 3, false), LW_POST_ILLEGAL);
	assert_int_equal(lw_lapic_post(l, 3, false), LW_POST_REFUSED);
	assert_int_equal(lw_lapic_pending(l), 0xe1);
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	lw_lapic_eoi(l);
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_int_equal(errors(), RECEIVED_ILLEGAL);
	lw_lapic_post(l, 0x31, false);
	lw_lapic_post(l, 4, false); /* with something to merge */
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	assert_int_equal(lw_lapic_post(l, 0x41, false), LW_POST_NOTIFY); /* which is still owed */
}

static void illegal_vectors_of_lvt_entries(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_ERROR, 0xe1);
	put(LW_LAPIC_LVT_THERMAL, 15);
	lw_lapic_thermal(l);
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	lw_lapic_eoi(l);
	assert_int_equal(errors(), RECEIVED_ILLEGAL);
	put(LW_LAPIC_LVT_LINT0, TRIGGER | 15);
	lw_lapic_lint(l, 0, true);
	assert_int_equal(get(LW_LAPIC_LVT_LINT0), TRIGGER | 15);
	assert_int_equal(lw_lapic_accept(l), 0xe1);
	assert_int_equal(errors(), RECEIVED_ILLEGAL);
}

/* It is noted, and raises nothing: neither now nor at the next error. */
static void test_xsa_462_an_illegal_vector_in_lvt_error(void **state)
{
	(void)state;
	for (uint32_t vector = 0; vector < LW_FIRST_VECTOR; vector++) {
		put(LW_LAPIC_LVT_ERROR, vector);
		put(LW_LAPIC_ICR, 3);
		lw_lapic_post(l, 3, false);
		lw_lapic_post(l, 0x31, false);
		assert_int_equal(lw_lapic_accept(l), 0x31);
		lw_lapic_eoi(l);
		assert_int_equal(errors(), SEND_ILLEGAL | RECEIVED_ILLEGAL);
		assert_int_equal(errors(), 0);
	}
}

static void the_lowest_legal_vector_holds_lint0(void **state)
{
	(void)state;
	put(LW_LAPIC_LVT_LINT0, 0x8010);
	lw_lapic_lint(l, 0, true);
	assert_true(get(LW_LAPIC_LVT_LINT0) & 0x4000);
	assert_int_equal(lw_lapic_accept(l), 0x10);
	lw_lapic_lint(l, 0, false);
	lw_lapic_eoi(l);
	assert_false(get(LW_LAPIC_LVT_LINT0) & 0x4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(each_entry_keeps_its_bits),
		X2APIC(each_entry_keeps_its_bits),
		XAPIC(software_disabled_means_masked),
		XAPIC(init_masks_them_and_keeps_the_lines),
		XAPIC(a_fixed_edge_is_a_rise),
		XAPIC(an_edge_while_masked_is_lost),
		XAPIC(a_level_is_delivered_once_until_its_eoi),
		XAPIC(its_eoi_is_matched_against_what_was_delivered),
		XAPIC(a_level_that_is_up_is_seen_at_the_unmask),
		XAPIC(lint1_is_never_level),
		XAPIC(other_modes_are_signals_at_a_rise),
		XAPIC(extint_holds_while_the_line_does),
		XAPIC(pins_that_are_not_there),
		XAPIC(a_pmi_masks_its_entry),
		XAPIC(thermal),
		XAPIC(esr_shows_what_was_latched),
		XAPIC(offsets_without_a_register_are_noted),
		X2APIC(x2apic_mode_does_not_note_them),
		XAPIC(an_error_is_raised_once_until_esr_is_written),
		XAPIC(a_posters_error_is_raised_when_the_owner_looks),
		XAPIC(illegal_vectors_of_lvt_entries),
		XAPIC(test_xsa_462_an_illegal_vector_in_lvt_error),
		XAPIC(the_lowest_legal_vector_holds_lint0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
