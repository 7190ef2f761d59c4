/* SPDX-License-Identifier: MIT */
/* Snapshots with a right checksum of states that no chip can be in: each is refused for itself. */
#include "test.h"

#include <errno.h>
#include <lapwing/pic.h>
#include <lapwing/snapshot.h>
#include <string.h>

#include "core/ioapic_priv.h"
#include "core/lapic_priv.h"
#include "core/pic_priv.h"
#include "eoi/engine.h"
#include "model/invariants.h"

static _Alignas(64) unsigned char lapic_storage[LW_LAPIC_SIZE], pic_storage[LW_PIC_SIZE];
static struct lw_lapic *const l = (void *)lapic_storage;
static struct lw_pic *const pic = (void *)pic_storage;
static _Alignas(64) unsigned char eoi_storage[1024];
static struct lw_eoi *const eoi = (void *)eoi_storage;
static uint8_t bytes[4096];

/* ---- LAPIC ---- */

static void reserved_divide_bits(void)
{
	l->own.timer.dcr = 4;
}

static void a_tsc_from_the_future(void)
{
	l->own.timer.base_ns = 101;
}

static void expired_and_not_delivered(void)
{
	l->own.timer.tmict = 1;
	l->own.timer.expiry = 99;
}

static void expires_at_this_instant(void)
{
	l->own.timer.tmict = 1;
	l->own.timer.expiry = 100;
}

static void a_count_that_began_nowhere(void)
{
	l->own.timer.expiry = 200;
}

static void a_tsc_deadline_in_another_mode(void)
{
	l->own.timer.deadline_tsc = 7;
	l->own.timer.tmict = 1;
	l->own.timer.expiry = 200;
}

static void unmasked_while_disabled(void)
{
	lw_lapic_set_svr(l, 0xff);
	l->own.lvt[LVT_PMC] = 0x31;
}

static void reserved_lvt_bits(void)
{
	l->own.lvt[LVT_ERROR] |= 0x100;
}

static void remote_irr_of_another_entry(void)
{
	l->own.lvt[LVT_LINT1] |= LVT_REMOTE_IRR;
}

static void remote_irr_of_no_vector(void)
{
	l->own.lvt[LVT_LINT0] = LVT_LEVEL | LVT_REMOTE_IRR | 0x31;
	l->own.lint_vector = 15;
}

static void a_vector_without_remote_irr(void)
{
	l->own.lint_vector = 0x31;
}

static void vector_15_in_irr(void)
{
	l->own.irr[0] |= 1u << 15;
}

static void vector_15_in_isr(void)
{
	l->own.isr[0] |= 1u << 15;
}

static void posted_and_idle(void)
{
	store(l->shared.posted[1], 2);
	store(l->shared.dirty, 2);
}

static void posted_and_unmarked(void)
{
	store(l->shared.posted[1], 2);
	store(l->shared.idle, 0);
}

static void marked_where_nothing_is(void)
{
	store(l->shared.dirty, 2u * DIRTY_ERRORS);
}

static void idle_twice(void)
{
	store(l->shared.idle, 2);
}

static void a_fourth_mode(void)
{
	store(l->shared.mode, 3);
}

static void off_and_enabled(void)
{
	store(l->shared.mode, LW_LAPIC_DISABLED);
}

static void off_and_in_service(void)
{
	lw_lapic_set_svr(l, 0xff);
	store(l->shared.mode, LW_LAPIC_DISABLED);
	l->own.isr[1] = 1;
}

static void (*const lapic_lies[])(void) = {
	reserved_divide_bits,
	a_tsc_from_the_future,
	expired_and_not_delivered,
	expires_at_this_instant,
	a_count_that_began_nowhere,
	a_tsc_deadline_in_another_mode,
	unmasked_while_disabled,
	reserved_lvt_bits,
	remote_irr_of_another_entry,
	remote_irr_of_no_vector,
	a_vector_without_remote_irr,
	vector_15_in_irr,
	vector_15_in_isr,
	posted_and_idle,
	posted_and_unmarked,
	marked_where_nothing_is,
	idle_twice,
	a_fourth_mode,
	off_and_enabled,
	off_and_in_service,
};

static void fresh_lapic(void)
{
	const struct lw_lapic_config config = {.id = 3};

	assert_int_equal(lw_lapic_init(l, &config), 0);
	lw_lapic_write(l, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	lw_lapic_time(l, 100);
}

static void a_lapic_that_can_not_be(void **state)
{
	size_t size;

	(void)state;
	fresh_lapic();
	size = lw_lapic_save(l, bytes, sizeof(bytes));
	assert_int_equal(lw_lapic_restore(l, bytes, size), 0);
	for (size_t n = 0; n < sizeof(lapic_lies) / sizeof(*lapic_lies); n++) {
		fresh_lapic();
		lapic_lies[n]();
		size = lw_lapic_save(l, bytes, sizeof(bytes));
		fresh_lapic();
		if (lw_lapic_restore(l, bytes, size) != -EBADMSG)
			fail_msg("lie %zu is believed", n);
	}
}

/* One who posts may overlook that a LAPIC went off meanwhile: the post is as good as refused. */
static void off_and_posted(void)
{
	fresh_lapic();
	assert_int_equal(lw_lapic_set_base(l, 0), 0);
	store(l->shared.posted[1], 2);
	store(l->shared.dirty, 2);
	store(l->shared.idle, 0);
}

static void what_was_posted_to_one_that_is_off_is_not_taken(void **state)
{
	uint64_t dropped;
	struct broken why;

	(void)state;
	off_and_posted();
	dropped = lw_lapic_counters(l).dropped;
	assert_int_equal(lw_lapic_accept(l), -1);
	assert_int_equal(lw_lapic_pending(l), -1);
	assert_int_equal(lw_lapic_counters(l).dropped, dropped + 1);
	assert_true(lw_lapic_is_sound(l, &why));
}

static void what_was_posted_to_one_that_is_off_is_dropped(void **state)
{
	struct lw_lapic_image forged;
	size_t size;

	(void)state;
	off_and_posted();
	size = lw_lapic_save(l, bytes, sizeof(bytes));
	assert_int_equal(lw_lapic_restore(l, bytes, size), 0);
	assert_int_equal(lw_lapic_accept(l), -1);
	lw_lapic_copy_out(l, &forged);
	assert_int_equal(lw_lapic_put(l, &forged), 0);
	forged.posted[1] = forged.dirty = 2;
	forged.idle = 0;
	assert_int_equal(lw_lapic_put(l, &forged), -EINVAL);
}

/* ---- 8259 ---- */

static const struct lw_pic_config pic_config;

static void special_mask_beyond_one(void)
{
	pic->state.chip[0].special = 2;
}

static void rotation_beyond_one(void)
{
	pic->state.chip[1].rotate_aeoi = 2;
}

static void an_elcr_bit_that_is_not_there(void)
{
	pic->state.chip[0].elcr = 1;
}

static void (*const pic_lies[])(void) = {
	special_mask_beyond_one,
	rotation_beyond_one,
	an_elcr_bit_that_is_not_there,
};

static void a_pic_that_can_not_be(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(lw_pic_init(pic, &pic_config), 0);
	size = lw_pic_save(pic, bytes, sizeof(bytes));
	assert_int_equal(lw_pic_restore(pic, bytes, size), 0);
	for (size_t n = 0; n < sizeof(pic_lies) / sizeof(*pic_lies); n++) {
		assert_int_equal(lw_pic_init(pic, &pic_config), 0);
		pic_lies[n]();
		size = lw_pic_save(pic, bytes, sizeof(bytes));
		assert_int_equal(lw_pic_init(pic, &pic_config), 0);
		if (lw_pic_restore(pic, bytes, size) != -EBADMSG)
			fail_msg("lie %zu is believed", n);
	}
}

/* ---- I/O APIC ---- */

static _Alignas(LW_IOAPIC_ALIGN) unsigned char ioapic_storage[4096];
static struct lw_ioapic *const io = (void *)ioapic_storage;

static void nobody_takes(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			 struct lw_takers *takers)
{
	(void)ctx, (void)gsi, (void)msg, (void)takers;
}

static void asks_and_waits_for_nothing(struct lw_pin *p)
{
	p->flags &= (uint16_t)~REFUSED;
}

static void refused_and_idle(struct lw_pin *p)
{
	p->sources = 0;
}

static void refused_and_masked(struct lw_pin *p)
{
	p->rte |= LW_RTE_MASK;
}

/* Nobody could be asked of it. */
static void let_go_for_ever(struct lw_pin *p)
{
	p->flags = (uint16_t)((p->flags & ~REFUSED) | RECORD | LET_GO | DOUBTED);
	p->vector = 0x31;
}

static void (*const ioapic_lies[])(struct lw_pin *p) = {
	let_go_for_ever,
	asks_and_waits_for_nothing,
	refused_and_idle,
	refused_and_masked,
};

/* A level pin that is asserted, and refused. */
static void fresh_ioapic(void)
{
	static const struct lw_ioapic_ops ops = {.deliver = nobody_takes};
	const struct lw_ioapic_config config = {
		.ops = &ops, .pins = 24, .nvcpus = 1, .version = 0x20};

	assert_in_range(lw_ioapic_size(&config), 1, sizeof(ioapic_storage));
	assert_int_equal(lw_ioapic_init(io, &config), 0);
	lw_ioapic_write(io, 0x10, LW_RTE_LEVEL | 0x31);
	assert_int_equal(lw_ioapic_line(io, 0, 0, true), 0);
}

static void an_ioapic_that_can_not_be(void **state)
{
	size_t size;

	(void)state;
	fresh_ioapic();
	size = lw_ioapic_save(io, bytes, sizeof(bytes));
	assert_int_equal(lw_ioapic_restore(io, bytes, size), 0);
	for (size_t n = 0; n < sizeof(ioapic_lies) / sizeof(*ioapic_lies); n++) {
		fresh_ioapic();
		ioapic_lies[n](&io->pin[0]);
		size = lw_ioapic_save(io, bytes, sizeof(bytes));
		fresh_ioapic();
		if (lw_ioapic_restore(io, bytes, size) != -EBADMSG)
			fail_msg("lie %zu is believed", n);
	}
}

/* ---- EOI engine ---- */

static void handed_and_not_served(void)
{
	eoi->vcpu[0].handed[0] = lw_bit(0x31);
}

static void asked_and_not_answered(void)
{
	eoi->vcpu[0].asked[0] = lw_bit(0x31);
}

static void kicked_and_not_asked(void)
{
	eoi->vcpu[0].ask_kicked[0] = lw_bit(0x31);
}

static void a_scan_by_who_scans_nothing(void)
{
	atomic_store(&eoi->vcpu[0].requests, REQUEST_SCAN);
}

static void a_fourth_request(void)
{
	atomic_store(&eoi->vcpu[0].requests, REQUEST_ALL + 1u);
}

static void gone_astray(void)
{
	atomic_store(&eoi->vcpu[0].mode, LEAVING + 1u);
}

static void more_than_counts(void)
{
	eoi->vcpu[0].balance = LW_CREDIT_KEPT + 1;
}

static void no_vector(void)
{
	eoi->vcpu[0].last_pending = 256;
}

static void (*const eoi_lies[])(void) = {
	handed_and_not_served, asked_and_not_answered,
	kicked_and_not_asked,  a_scan_by_who_scans_nothing,
	a_fourth_request,      gone_astray,
	more_than_counts,      no_vector,
};

static void fresh_eoi(void)
{
	const struct lw_eoi_config config = {
		.policy = LW_EOI_LAZY, .nvcpus = 1, .env = lw_chip_env()};

	assert_in_range(lw_eoi_size(1), 1, sizeof(eoi_storage));
	assert_int_equal(lw_eoi_init(eoi, &config), 0);
}

static void an_eoi_engine_that_can_not_be(void **state)
{
	struct broken why;
	size_t size;

	(void)state;
	fresh_eoi();
	size = lw_eoi_save(eoi, bytes, sizeof(bytes));
	assert_int_equal(lw_eoi_restore(eoi, bytes, size), 0);
	for (size_t n = 0; n < sizeof(eoi_lies) / sizeof(*eoi_lies); n++) {
		fresh_eoi();
		eoi_lies[n]();
		assert_false(lw_eoi_holds(eoi, &why));
		size = lw_eoi_save(eoi, bytes, sizeof(bytes));
		fresh_eoi();
		if (lw_eoi_restore(eoi, bytes, size) != -EBADMSG)
			fail_msg("lie %zu is believed", n);
	}
}

/* ---- and what can be ---- */

static void a_table_may_be_full(void **state)
{
	static _Alignas(LW_ROUTES_ALIGN) unsigned char storage[4096];
	struct lw_routes *routes = (void *)storage;
	struct lw_route found[LW_ROUTES_PER_GSI],
		set[4] = {{.gsi = 0}, {.gsi = 1}, {.gsi = 2}, {.gsi = 3}};
	size_t size;

	(void)state;
	assert_in_range(lw_routes_size(4, 4), 1, sizeof(storage));
	assert_int_equal(lw_routes_init(routes, 4, 4), 0);
	assert_int_equal(lw_routes_set(routes, set, 4), 0);
	size = lw_routes_save(routes, bytes, sizeof(bytes));
	assert_int_equal(lw_routes_set(routes, NULL, 0), 0);
	assert_int_equal(lw_routes_restore(routes, bytes, size), 0);
	for (uint32_t gsi = 0; gsi < 4; gsi++)
		assert_int_equal(lw_routes_find(routes, gsi, found), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lapic_that_can_not_be),
		cmocka_unit_test(what_was_posted_to_one_that_is_off_is_not_taken),
		cmocka_unit_test(what_was_posted_to_one_that_is_off_is_dropped),
		cmocka_unit_test(a_pic_that_can_not_be),
		cmocka_unit_test(an_ioapic_that_can_not_be),
		cmocka_unit_test(an_eoi_engine_that_can_not_be),
		cmocka_unit_test(a_table_may_be_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
