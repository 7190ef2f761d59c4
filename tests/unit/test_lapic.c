/* SPDX-License-Identifier: MIT */
/* One LAPIC: what is posted, accepted and ended, SVR and INIT, and a guest's accesses. */
#include "test.h"

#include <errno.h>
#include <lapwing/lapic.h>
#include <string.h>

#define ENABLED (LW_SVR_ENABLE | 0xffu)

/* What the LAPIC told, last and how often. */
static struct {
	int eois, changes, broadcasts;
	uint32_t vcpu;
	uint8_t vector;
	bool broadcast, suppressed;
} told;

static void on_eoi(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	assert_ptr_equal(ctx, &told);
	told.eois++;
	told.vcpu = vcpu;
	told.vector = vector;
	told.broadcast = broadcast;
}

static void on_changed(void *ctx, uint32_t vcpu)
{
	assert_ptr_equal(ctx, &told);
	told.changes++;
	told.vcpu = vcpu;
}

static void on_broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	assert_ptr_equal(ctx, &told);
	told.broadcasts++;
	told.vcpu = vcpu;
	told.suppressed = suppressed;
}

static const struct lw_lapic_ops ops = {
	.eoi = on_eoi,
	.changed = on_changed,
	.broadcast = on_broadcast,
};

static _Alignas(LW_LAPIC_ALIGN) unsigned char storage[2][LW_LAPIC_SIZE];
static struct lw_lapic *const l = (void *)storage[0];
static struct lw_lapic *const other = (void *)storage[1];

static void open_lapic(struct lw_lapic *lapic, uint32_t id, bool x2apic)
{
	struct lw_lapic_config config = {
		.ops = &ops, .ctx = &told, .vcpu = 9, .id = id, .x2apic = x2apic};

	assert_int_equal(lw_lapic_init(lapic, &config), 0);
	lw_lapic_write(lapic, LW_LAPIC_SVR, ENABLED);
	memset(&told, 0, sizeof(told));
}

static int fresh(void **state)
{
	(void)state;
	memset(storage, 0, sizeof(storage));
	open_lapic(l, 3, false);
	open_lapic(other, 3, false);
	return 0;
}

static int fresh_x2apic(void **state)
{
	(void)state;
	memset(storage, 0, sizeof(storage));
	open_lapic(l, 0x123, true);
	return 0;
}

static void tpr(uint32_t value)
{
	lw_lapic_write(l, LW_LAPIC_TPR, value);
}

/* ---- init ---- */

static int try_init(void *where, uint32_t id, bool x2apic)
{
	struct lw_lapic_config config = {.id = id, .x2apic = x2apic};

	return lw_lapic_init(where, &config);
}

static void init_refuses_what_the_header_says(void **state)
{
	struct lw_lapic_config config = {0};

	(void)state;
	assert_int_equal(lw_lapic_init(NULL, &config), -EINVAL);
	assert_int_equal(lw_lapic_init(l, NULL), -EINVAL);
	assert_int_equal(try_init(storage[0] + 8, 0, false), -EINVAL);
	assert_int_equal(try_init(l, 255, false), -EINVAL);
	assert_int_equal(try_init(l, 0xffffffff, true), -EINVAL);
	assert_int_equal(try_init(l, 254, false), 0);
	assert_int_equal(try_init(l, 0xfffffffe, true), 0);
}

static void power_on_state_whatever_the_storage_held(void **state)
{
	(void)state;
	memset(storage[0], 0xa5, sizeof(storage[0]));
	assert_int_equal(try_init(l, 3, false), 0);
	assert_false(lw_lapic_accepts(l));
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_SVR), 0xff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_DFR), 0xffffffff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_ID), 3u << 24);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_VERSION), 0x01050014);
	for (uint32_t reg = 0x40; reg < 0xff0; reg += 16)
		if (reg >= LW_LAPIC_LVT_TIMER && reg <= LW_LAPIC_LVT_ERROR)
			assert_int_equal(lw_lapic_read(l, reg), 0x10000);
		else if (reg != LW_LAPIC_SVR && reg != LW_LAPIC_DFR)
			assert_int_equal(lw_lapic_read(l, reg), 0);
	assert_int_equal(lw_lapic_counters(l).accepted, 0);
}

/* All ops may be null. */
static void nobody_need_listen(void **state)
{
	static const struct lw_lapic_ops deaf;
	struct lw_lapic_config config = {.ops = &deaf};

	(void)state;
	for (int n = 0; n < 2; n++, config.ops = NULL) {
		assert_int_equal(lw_lapic_init(l, &config), 0);
		lw_lapic_write(l, LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
		lw_lapic_post(l, 0x31, true);
		assert_int_equal(lw_lapic_accept(l), 0x31);
		assert_int_equal(lw_lapic_eoi(l), 0x31);
		lw_lapic_reset(l);
	}
	assert_int_equal(told.eois + told.changes + told.broadcasts, 0);
}

/* ---- post ---- */

static void the_first_poster_owes_the_kick(void **state)
{
	(void)state;
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_NOTIFY);
	assert_int_equal(lw_lapic_post(l, 0x41, true), LW_POST_QUIET);
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_QUIET);
	lw_lapic_sync(l);
	assert_int_equal(lw_lapic_post(l, 0x51, false), LW_POST_NOTIFY);
	assert_int_equal(lw_lapic_counters(l).merges, 1);
	lw_lapic_sync(l);
	lw_lapic_sync(l);
	assert_int_equal(lw_lapic_counters(l).merges, 2);
}

/* docs/reliability.md, 7.21. */
static void a_software_disabled_lapic_takes_nothing(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, false);
	lw_lapic_write(l, LW_LAPIC_SVR, 0xff);
	assert_false(lw_lapic_accepts(l));
	assert_int_equal(lw_lapic_post(l, 0x41, true), LW_POST_REFUSED);
	assert_false(lw_lapic_holds(l, 0x41));
	assert_true(lw_lapic_holds(l, 0x31)); /* what was there is kept (SDM 11.4.7.2) */
}

static void vectors_below_16_are_refused_and_noted_in_esr(void **state)
{
	(void)state;
	assert_int_equal(lw_lapic_post(l, 15, false), LW_POST_ILLEGAL);
	assert_int_equal(lw_lapic_post(l, 0, true), LW_POST_REFUSED);
	assert_int_equal(lw_lapic_post(l, 16, false), LW_POST_NOTIFY);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_ESR), 0);
	lw_lapic_write(l, LW_LAPIC_ESR, 0);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_ESR), 1 << 6);
	lw_lapic_write(l, LW_LAPIC_ESR, 0);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_ESR), 0);
}

static void a_posted_vector_is_held_before_it_is_merged(void **state)
{
	(void)state;
	assert_false(lw_lapic_holds(l, 0x31));
	lw_lapic_post(l, 0x31, false);
	lw_lapic_post(l, 0xf1, true);
	assert_true(lw_lapic_holds(l, 0x31) && lw_lapic_holds(l, 0xf1));
	assert_false(lw_lapic_irr(l, 0x31) || lw_lapic_irr(l, 0xf1));
	lw_lapic_sync(l);
	assert_true(lw_lapic_irr(l, 0x31) && lw_lapic_irr(l, 0xf1));
	assert_true(lw_lapic_holds(l, 0x31));
	assert_int_equal(lw_lapic_accept(l), 0xf1);
	assert_true(lw_lapic_holds(l, 0xf1) && lw_lapic_isr(l, 0xf1));
	lw_lapic_eoi(l);
	assert_false(lw_lapic_holds(l, 0xf1));
}

/* docs/reliability.md, 7.13 and 7.14. */
static void tmr_is_what_was_accepted_last_and_comes_with_irr(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	assert_false(lw_lapic_tmr(l, 0x31));
	lw_lapic_sync(l);
	assert_true(lw_lapic_tmr(l, 0x31) && lw_lapic_irr(l, 0x31));
	assert_int_equal(lw_lapic_accept(l), 0x31);
	assert_int_equal(lw_lapic_eoi(l), 0x31);
	assert_true(lw_lapic_tmr(l, 0x31));
	lw_lapic_post(l, 0x31, false);
	lw_lapic_sync(l);
	assert_false(lw_lapic_tmr(l, 0x31));
	lw_lapic_post(l, 0x31, false);
	lw_lapic_post(l, 0x31, true);
	lw_lapic_sync(l);
	assert_true(lw_lapic_tmr(l, 0x31));
}

/* ---- accept, priorities, EOI ---- */

static void pending_does_not_accept(void **state)
{
	(void)state;
	assert_int_equal(lw_lapic_pending(l), -1);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), 0x31);
	assert_int_equal(lw_lapic_pending(l), 0x31);
	assert_false(lw_lapic_isr(l, 0x31));
	assert_int_equal(lw_lapic_counters(l).accepted, 0);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	assert_true(lw_lapic_isr(l, 0x31) && !lw_lapic_irr(l, 0x31));
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_int_equal(lw_lapic_counters(l).accepted, 1);
}

/* docs/reliability.md, 7.22. */
static void a_pending_low_one_does_not_hide_a_high_one(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, false);
	lw_lapic_sync(l);
	tpr(0x30);
	assert_int_equal(lw_lapic_pending(l), -1);
	lw_lapic_post(l, 0x41, false);
	assert_int_equal(lw_lapic_accept(l), 0x41);
	lw_lapic_post(l, 0x4f, false); /* the same class */
	assert_int_equal(lw_lapic_accept(l), -1);
	lw_lapic_post(l, 0x50, false);
	assert_int_equal(lw_lapic_accept(l), 0x50);
}

static void ppr_is_the_higher_of_tpr_and_isr(void **state)
{
	(void)state;
	tpr(0x35);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_PPR), 0x35);
	lw_lapic_post(l, 0x4a, false);
	assert_int_equal(lw_lapic_accept(l), 0x4a);
	assert_int_equal(lw_lapic_ppr(l), 0x40);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_PPR), 0x40);
	tpr(0x47); /* the same class: TPR whole */
	assert_int_equal(lw_lapic_ppr(l), 0x47);
	tpr(0x1ff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_TPR), 0xff);
	tpr(0);
	assert_int_equal(lw_lapic_eoi(l), 0x4a);
	assert_int_equal(lw_lapic_ppr(l), 0);
}

static void test_cve_2026_64513_a_lower_tpr_counts_at_once(void **state)
{
	(void)state;
	tpr(0xf0);
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_pending(l), -1);
	tpr(0x2f);
	assert_int_equal(lw_lapic_pending(l), 0x31);
}

/* docs/reliability.md, 7.18: the other bits in service stay, and count. */
static void eoi_ends_the_highest_in_service_only(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	lw_lapic_post(l, 0x91, true);
	assert_int_equal(lw_lapic_accept(l), 0x91);
	assert_int_equal(lw_lapic_eoi(l), 0x91);
	assert_int_equal(told.vector, 0x91);
	assert_true(lw_lapic_isr(l, 0x31) && !lw_lapic_isr(l, 0x91));
	assert_int_equal(lw_lapic_ppr(l), 0x30);
	lw_lapic_write(l, LW_LAPIC_EOI, 0x12345678);
	assert_int_equal(told.vector, 0x31);
	assert_int_equal(told.vcpu, 9);
	assert_int_equal(told.eois, 2);
	assert_int_equal(lw_lapic_counters(l).eois, 2);
}

static void eoi_with_none_in_service_is_nothing(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	assert_int_equal(lw_lapic_eoi(l), -1);
	assert_int_equal(told.eois, 0);
	assert_true(lw_lapic_holds(l, 0x31));
}

static void every_vector_goes_all_the_way(void **state)
{
	(void)state;
	for (int v = 16; v < 256; v++)
		lw_lapic_post(l, (uint8_t)v, v & 1);
	for (int v = 255; v >= 16; v--) {
		assert_int_equal(lw_lapic_accept(l), v);
		assert_int_equal(lw_lapic_tmr(l, (uint8_t)v), v & 1);
		assert_int_equal(lw_lapic_eoi(l), v);
	}
	assert_int_equal(lw_lapic_accept(l), -1);
}

/* ---- SVR ---- */

static void suppression_is_told_when_it_changes(void **state)
{
	(void)state;
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	assert_int_equal(told.broadcasts, 1);
	assert_true(told.suppressed && lw_lapic_suppresses(l));
	assert_int_equal(told.changes, 0);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS | 1);
	assert_int_equal(told.broadcasts, 1);
	lw_lapic_post(l, 0x31, true);
	lw_lapic_accept(l);
	lw_lapic_eoi(l);
	assert_false(told.broadcast);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	assert_int_equal(told.broadcasts, 2);
	assert_false(told.suppressed || lw_lapic_suppresses(l));
	lw_lapic_post(l, 0x31, true);
	lw_lapic_accept(l);
	lw_lapic_eoi(l);
	assert_true(told.broadcast);
}

static void suppression_ends_with_init_and_by_going_off(void **state)
{
	(void)state;
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	lw_lapic_reset(l);
	assert_int_equal(told.broadcasts, 2);
	assert_false(told.suppressed);
	lw_lapic_reset(l);
	assert_int_equal(told.broadcasts, 2);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS);
	assert_int_equal(lw_lapic_set_base(l, 0xfee00000), 0);
	assert_int_equal(told.broadcasts, 4);
	assert_false(told.suppressed);
}

static void what_moves_destinations_is_told(void **state)
{
	(void)state;
	lw_lapic_write(l, LW_LAPIC_LDR, 0x01000000);
	assert_int_equal(told.changes, 1);
	lw_lapic_write(l, LW_LAPIC_DFR, 0x0fffffff);
	assert_int_equal(told.changes, 2);
	lw_lapic_write(l, LW_LAPIC_SVR, 0xff);
	assert_int_equal(told.changes, 3);
	lw_lapic_write(l, LW_LAPIC_SVR, 0xfe);
	assert_int_equal(told.changes, 3);
	lw_lapic_reset(l);
	assert_int_equal(told.changes, 4);
	assert_int_equal(told.vcpu, 9);
}

static void init_keeps_nothing_but_the_id(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	lw_lapic_accept(l);
	lw_lapic_post(l, 0x41, true);
	lw_lapic_sync(l);
	lw_lapic_post(l, 0x51, false);
	lw_lapic_write(l, LW_LAPIC_LDR, 0xff000000);
	lw_lapic_write(l, LW_LAPIC_DFR, 0);
	tpr(0x20);
	lw_lapic_reset(l);
	assert_int_equal(lw_lapic_id(l), 3);
	assert_false(lw_lapic_accepts(l) || lw_lapic_suppresses(l));
	assert_false(lw_lapic_holds(l, 0x31) || lw_lapic_holds(l, 0x41) || lw_lapic_holds(l, 0x51));
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_LDR), 0);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_DFR), 0xffffffff);
	assert_int_equal(lw_lapic_ppr(l), 0);
	assert_int_equal(told.eois, 0);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_NOTIFY);
}

/* ---- a guest's accesses ---- */

static void the_sets_are_eight_registers_each(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 8; n++)
		if (n)
			lw_lapic_post(l, (uint8_t)(n * 32 + n), n & 1);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_IRR), 0);
	for (uint32_t n = 1; n < 8; n++) {
		assert_int_equal(lw_lapic_read(l, LW_LAPIC_IRR + n * 16), 1u << n);
		assert_int_equal(lw_lapic_read(l, LW_LAPIC_TMR + n * 16), n & 1 ? 1u << n : 0);
		assert_int_equal(lw_lapic_read(l, LW_LAPIC_ISR + n * 16), 0);
	}
	lw_lapic_reset(l);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	for (uint32_t n = 1; n < 8; n++) {
		lw_lapic_post(l, (uint8_t)(n * 32 + n), false);
		assert_int_equal(lw_lapic_accept(l), n * 32 + n);
		assert_int_equal(lw_lapic_read(l, LW_LAPIC_ISR + n * 16), 1u << n);
	}
}

static void reserved_bits_are_not_kept(void **state)
{
	(void)state;
	lw_lapic_write(l, LW_LAPIC_SVR, 0xffffffff);
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_SVR), 0x13ff);
	lw_lapic_write(l, LW_LAPIC_ID, 0xffffffff);
	lw_lapic_write(l, LW_LAPIC_VERSION, 0xffffffff);
	lw_lapic_write(l, LW_LAPIC_PPR, 0xffffffff);
	lw_lapic_write(l, LW_LAPIC_IRR, 0xffffffff);
	lw_lapic_write(l, LW_LAPIC_ISR + 0x70, 0xffffffff);
	assert_int_equal(lw_lapic_id(l), 3);
	assert_int_equal(lw_lapic_ppr(l), 0);
	assert_int_equal(lw_lapic_accept(l), -1);
}

static void test_cve_2021_47255_bytes_4_to_15_of_a_register(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < 0x1000; offset++)
		if (offset % 16) {
			assert_int_equal(lw_lapic_read(l, offset), 0);
			lw_lapic_write(l, offset, 0xffffffff);
		}
	assert_int_equal(told.eois + told.changes + told.broadcasts, 0);
	assert_int_equal(memcmp(storage[0], storage[1], LW_LAPIC_SIZE), 0);
}

static void test_xsa_108_offsets_past_the_page(void **state)
{
	static const uint32_t past[] = {0x1000, 0x1080, 0x10f0,     0x10b0,
					0x1100, 0x4000, 0x80000080, 0xfffffff0};

	(void)state;
	for (size_t n = 0; n < sizeof(past) / sizeof(*past); n++) {
		assert_int_equal(lw_lapic_read(l, past[n]), 0);
		lw_lapic_write(l, past[n], 0xffffffff);
	}
	assert_int_equal(memcmp(storage[0], storage[1], LW_LAPIC_SIZE), 0);
}

/* XSA-412, ACRN 6131: any offset and value, in any state, in both modes. */
static void any_access_is_survived(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int n = 0; n < 200000; n++) {
		uint32_t offset;

		random = random * 1664525u + 1013904223u;
		offset = random >> 8 & 1 ? random >> 16 & 0xff0 : random >> 2;
		random = random * 1664525u + 1013904223u;
		if (random >> 30 & 1)
			lw_lapic_write(l, offset, random);
		else
			lw_lapic_read(l, offset);
		lw_lapic_post(l, (uint8_t)(random >> 10), random >> 20 & 1);
		if (random >> 21 & 1)
			lw_lapic_accept(l);
	}
	lw_lapic_write(l, LW_LAPIC_TPR, 0);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	while (lw_lapic_eoi(l) >= 0 || lw_lapic_accept(l) >= 0)
		continue;
	lw_lapic_post(l, 0x31, false);
	assert_int_equal(lw_lapic_accept(l), 0x31);
}

/* ---- equal states ---- */

static void equal_states_are_equal_bytes(void **state)
{
	(void)state;
	lw_lapic_post(l, 0x31, true);
	lw_lapic_post(l, 0x91, false);
	lw_lapic_post(l, 0x32, false);
	lw_lapic_accept(l);
	lw_lapic_write(l, LW_LAPIC_LDR, 0x01000000);
	tpr(0x20);

	tpr(0x70);
	lw_lapic_write(other, LW_LAPIC_TPR, 0x10);
	lw_lapic_write(other, LW_LAPIC_LDR, 0x01123456);
	lw_lapic_post(other, 0x32, false);
	lw_lapic_post(other, 0x91, false);
	lw_lapic_post(other, 0x31, true);
	lw_lapic_post(other, 0x31, true);
	lw_lapic_accept(other);
	lw_lapic_write(other, LW_LAPIC_TPR, 0x25);
	lw_lapic_write(other, LW_LAPIC_TPR, 0x20);
	assert_int_not_equal(memcmp(storage[0], storage[1], LW_LAPIC_SIZE), 0);
	tpr(0x20);
	assert_int_equal(memcmp(storage[0], storage[1], LW_LAPIC_SIZE), 0);
}

#define XAPIC(name)  cmocka_unit_test_setup(name, fresh)
#define X2APIC(name) cmocka_unit_test_setup(name, fresh_x2apic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		XAPIC(init_refuses_what_the_header_says),
		XAPIC(power_on_state_whatever_the_storage_held),
		XAPIC(nobody_need_listen),
		XAPIC(the_first_poster_owes_the_kick),
		XAPIC(a_software_disabled_lapic_takes_nothing),
		XAPIC(vectors_below_16_are_refused_and_noted_in_esr),
		XAPIC(a_posted_vector_is_held_before_it_is_merged),
		XAPIC(tmr_is_what_was_accepted_last_and_comes_with_irr),
		XAPIC(pending_does_not_accept),
		XAPIC(a_pending_low_one_does_not_hide_a_high_one),
		XAPIC(ppr_is_the_higher_of_tpr_and_isr),
		XAPIC(test_cve_2026_64513_a_lower_tpr_counts_at_once),
		XAPIC(eoi_ends_the_highest_in_service_only),
		XAPIC(eoi_with_none_in_service_is_nothing),
		XAPIC(every_vector_goes_all_the_way),
		XAPIC(suppression_is_told_when_it_changes),
		XAPIC(suppression_ends_with_init_and_by_going_off),
		XAPIC(what_moves_destinations_is_told),
		XAPIC(init_keeps_nothing_but_the_id),
		XAPIC(the_sets_are_eight_registers_each),
		XAPIC(reserved_bits_are_not_kept),
		XAPIC(test_cve_2021_47255_bytes_4_to_15_of_a_register),
		XAPIC(test_xsa_108_offsets_past_the_page),
		XAPIC(any_access_is_survived),
		X2APIC(any_access_is_survived),
		XAPIC(equal_states_are_equal_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
