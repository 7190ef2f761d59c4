/* SPDX-License-Identifier: MIT */
/* What a restore tells to whoever keeps something outside of the chips, and what it does not. */
#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/snapshot.h>
#include <stdio.h>
#include <string.h>

#define MAX (1u << 14)

static uint8_t buf[MAX];
static struct lw_ioapic *io, *twin;
static size_t saved_within;

/* ---- LAPIC ---- */

static void changed(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	note("changed%u ", vcpu);
}

static void broadcast(void *ctx, uint32_t vcpu, bool suppressed)
{
	(void)ctx;
	note("broadcast%u:%d ", vcpu, suppressed);
}

static void deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	note("deadline%u:%llu ", vcpu, (unsigned long long)deadline_ns);
}

static void threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx;
	note("threshold%u:%u ", vcpu, class_);
}

static const struct lw_lapic_ops lapic_ops = {
	.changed = changed,
	.broadcast = broadcast,
	.deadline = deadline,
	.threshold = threshold,
};

static _Alignas(LW_LAPIC_ALIGN) uint8_t storage[2][LW_LAPIC_SIZE];

static struct lw_lapic *make_lapic(uint32_t n)
{
	struct lw_lapic_config config = {.ops = &lapic_ops,
					 .vcpu = n,
					 .id = 7,
					 .x2apic = true,
					 .clock = {.tsc_khz = 2000000}};
	struct lw_lapic *l = (struct lw_lapic *)storage[n];

	assert_int_equal(lw_lapic_init(l, &config), 0);
	lw_lapic_write(l, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	forget_diary();
	return l;
}

static void move(struct lw_lapic *from, struct lw_lapic *to)
{
	size_t size = lw_lapic_save(from, buf, MAX);

	assert_int_equal(lw_lapic_restore(to, buf, size), 0);
}

static void a_lapic_tells_its_deadline_and_threshold(void **state)
{
	struct lw_lapic *a = make_lapic(0), *b = make_lapic(1);

	(void)state;
	lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 0x40);
	lw_lapic_write(a, LW_LAPIC_DCR, 0xb);
	lw_lapic_time(a, 1000);
	lw_lapic_write(a, LW_LAPIC_TMICT, 500);
	lw_lapic_write(a, LW_LAPIC_TPR, 0x50);
	lw_lapic_post(a, 0x45, false);
	assert_int_equal(lw_lapic_pending(a), -1);
	assert_diary("deadline0:1500 threshold0:4 ");
	move(a, b);
	assert_diary("deadline1:1500 threshold1:4 changed1 ");
	lw_lapic_time(b, 1499);
	assert_int_equal(lw_lapic_read(b, LW_LAPIC_TMCCT), 1);
	lw_lapic_write(b, LW_LAPIC_TPR, 0);
	assert_int_equal(lw_lapic_accept(b), 0x45);
}

static void a_lapic_tells_what_it_suppresses_if_that_is_new(void **state)
{
	struct lw_lapic *a = make_lapic(0), *b = make_lapic(1);

	(void)state;
	lw_lapic_write(a, LW_LAPIC_SVR, LW_SVR_ENABLE | LW_SVR_SUPPRESS | 0xff);
	forget_diary();
	move(a, b);
	assert_diary("deadline1:0 threshold1:0 broadcast1:1 changed1 ");
	move(a, b);
	assert_diary("deadline1:0 threshold1:0 changed1 ");
}

/* kata-containers#13798. */
static void a_tsc_deadline_survives_whatever_the_order(void **state)
{
	(void)state;
	for (int msrs_first = 0; msrs_first < 2; msrs_first++) {
		struct lw_lapic *a = make_lapic(0), *b = make_lapic(1);

		lw_lapic_write(a, LW_LAPIC_LVT_TIMER, 2u << 17 | 0x40);
		lw_lapic_time(a, 1000);
		lw_lapic_set_tsc(a, 5000);
		assert_int_equal(lw_lapic_msr_write(a, LW_MSR_TSC_DEADLINE, 9000), 0);
		if (msrs_first)
			assert_int_equal(lw_lapic_msr_write(b, LW_MSR_TSC_DEADLINE, 9000), 0);
		move(a, b);
		if (!msrs_first)
			assert_int_equal(lw_lapic_msr_write(b, LW_MSR_TSC_DEADLINE, 9000), 0);
		assert_int_equal(lw_lapic_tsc_deadline(b), 9000);
		assert_int_equal(lw_lapic_deadline(b), 3000); /* 4,000 ticks of half a ns */
		lw_lapic_time(b, 3000);
		assert_int_equal(lw_lapic_accept(b), 0x40);
	}
}

/* ---- another clock ---- */

static void a_count_goes_on_under_another_clock(void **state)
{
	static const int64_t deltas[] = {1000000, -9000, -10000};
	struct lw_lapic *l;

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		l = make_lapic(0);
		lw_lapic_write(l, LW_LAPIC_LVT_TIMER, 1u << 17 | 0x40);
		lw_lapic_write(l, LW_LAPIC_DCR, 0xb);
		lw_lapic_time(l, 10000);
		lw_lapic_write(l, LW_LAPIC_TMICT, 500);
		assert_int_equal(lw_lapic_shift_time(l, deltas[n]), 0);
		assert_int_equal(lw_lapic_deadline(l), 10500 + deltas[n]);
		lw_lapic_time(l, (uint64_t)(10000 + deltas[n] + 1700));
		assert_int_equal(lw_lapic_accept(l), 0x40);
		assert_int_equal(lw_lapic_deadline(l), 12000 + deltas[n]);
	}
	assert_int_equal(lw_lapic_shift_time(l, -1701), -EINVAL);
	assert_int_equal(lw_lapic_deadline(l), 2000);
}

/* The TSC was 0 at time 0, which the new clock has not got. */
static void a_tsc_deadline_moves_to_another_clock(void **state)
{
	static const int64_t deltas[] = {1000000, -9000, -10000};

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		struct lw_lapic *l = make_lapic(0);

		lw_lapic_write(l, LW_LAPIC_LVT_TIMER, 2u << 17 | 0x40);
		lw_lapic_time(l, 10000);
		lw_lapic_write_tsc_deadline(l, 22000);
		assert_int_equal(lw_lapic_deadline(l), 11000);
		assert_int_equal(lw_lapic_shift_time(l, deltas[n]), 0);
		assert_int_equal(lw_lapic_deadline(l), 11000 + deltas[n]);
		lw_lapic_write_tsc_deadline(l, 24000);
		assert_int_equal(lw_lapic_deadline(l), 12000 + deltas[n]);
	}
}

static void a_clock_at_its_end_is_refused(void **state)
{
	struct lw_lapic *l = make_lapic(0);

	(void)state;
	lw_lapic_time(l, UINT64_MAX - 5);
	assert_int_equal(lw_lapic_shift_time(l, 6), -EINVAL);
	lw_lapic_write(l, LW_LAPIC_LVT_TIMER, 0x40);
	lw_lapic_write(l, LW_LAPIC_TMICT, 500);
	assert_int_equal(lw_lapic_shift_time(l, 5), 0);
	assert_true(lw_lapic_deadline(l) == UINT64_MAX);
}

/* Else it would be over under the new clock, and nobody told. */
static void an_instant_that_is_cut_off_stays_so(void **state)
{
	struct lw_lapic *l = make_lapic(0);
	size_t size;

	(void)state;
	lw_lapic_time(l, UINT64_MAX);
	lw_lapic_write(l, LW_LAPIC_LVT_TIMER, 0x40);
	lw_lapic_write(l, LW_LAPIC_TMICT, 500);
	assert_int_equal(lw_lapic_shift_time(l, -1000), 0);
	assert_true(lw_lapic_deadline(l) == UINT64_MAX);
	size = lw_lapic_save(l, buf, MAX);
	assert_int_equal(lw_lapic_restore(l, buf, size), 0);
}

/* ---- I/O APIC ---- */

static void deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers)
{
	(void)ctx;
	(void)gsi;
	takers->count = msg->dest == 3 ? 2 : 1;
	takers->vcpu = msg->dest == 3 ? 1 : msg->dest;
	if (msg->dest == 3)
		takers->map[0] = 6;
}

static void record(void *ctx, uint32_t vcpu, uint8_t vector, bool open)
{
	(void)ctx;
	note("%s%u:%02x ", open ? "open" : "end", vcpu, vector);
}

static void route(void *ctx, const struct lw_msg *before, const struct lw_msg *after)
{
	(void)ctx;
	note("route%02x>%02x ", before->level ? before->vector : 0,
	     after->level ? after->vector : 0);
}

static void resample(void *ctx, uint32_t gsi)
{
	note("resample%u ", gsi);
	if (ctx == &io && !saved_within)
		saved_within = lw_ioapic_save(io, buf, MAX);
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	note("storm%u ", gsi);
}

static const struct lw_ioapic_ops ioapic_ops = {
	.deliver = deliver,
	.record = record,
	.route = route,
	.resample = resample,
	.storm = storm,
};

static void make_ioapics(void)
{
	struct lw_ioapic_config config = {
		.ops = &ioapic_ops, .ctx = &io, .pins = 24, .nvcpus = 4, .version = 0x20};

	io = aligned_alloc(LW_IOAPIC_ALIGN, lw_ioapic_size(&config));
	twin = aligned_alloc(LW_IOAPIC_ALIGN, lw_ioapic_size(&config));
	assert_true(io && twin);
	assert_int_equal(lw_ioapic_init(io, &config), 0);
	config.ctx = &twin;
	assert_int_equal(lw_ioapic_init(twin, &config), 0);
	saved_within = 0;
}

static int free_ioapics(void **state)
{
	(void)state;
	free(io);
	free(twin);
	return 0;
}

static void program(struct lw_ioapic *chip, uint32_t pin, uint32_t dest, uint8_t vector)
{
	lw_ioapic_write(chip, 0x11 + 2 * pin, dest << 24);
	lw_ioapic_write(chip, 0x10 + 2 * pin, (uint32_t)LW_RTE_LEVEL | vector);
	assert_int_equal(lw_ioapic_line(chip, pin, 0, true), 0);
}

static void an_ioapic_tells_its_routes_and_records(void **state)
{
	size_t size;

	(void)state;
	make_ioapics();
	program(io, 5, 3, 0x50);
	program(twin, 9, 2, 0x60);
	forget_diary();
	size = lw_ioapic_save(io, buf, MAX);
	assert_diary("");
	assert_int_equal(lw_ioapic_restore(twin, buf, size), 0);
	assert_diary("end2:60 route60>00 open1:50 open2:50 route00>50 ");
	assert_int_equal(lw_ioapic_eoi(twin, 2, 0x60), LW_EOI_SUPERFLUOUS);
	lw_ioapic_line(twin, 5, 0, false);
	assert_int_equal(lw_ioapic_eoi(twin, 2, 0x50), LW_EOI_NECESSARY);
	assert_int_equal(lw_ioapic_eoi(twin, 1, 0x50), LW_EOI_REDUNDANT);
}

/* Saved from inside of the callback: whoever is restored has not been told. */
static void a_resample_under_way_is_made_again(void **state)
{
	(void)state;
	make_ioapics();
	lw_ioapic_notify(io, 5, true);
	program(io, 5, 1, 0x50);
	lw_ioapic_line(io, 5, 0, false);
	forget_diary();
	assert_int_equal(lw_ioapic_eoi(io, 1, 0x50), LW_EOI_NECESSARY);
	assert_diary("end1:50 resample5 ");
	assert_true(saved_within > 0);
	assert_int_equal(lw_ioapic_restore(twin, buf, saved_within), 0);
	assert_diary("route00>50 resample5 ");
	assert_int_equal(lw_ioapic_line(twin, 5, 0, true), 0);
	assert_diary("open1:50 ");
}

/* A reset resolves what is in flight, and its pins wait for nothing after: who is to be told of the
 * second one is known by the set alone while he of the first is being told. */
static void a_resample_that_a_reset_owes_is_made(void **state)
{
	(void)state;
	make_ioapics();
	lw_ioapic_notify(io, 5, true);
	lw_ioapic_notify(io, 9, true);
	program(io, 5, 1, 0x50);
	program(io, 9, 1, 0x60);
	lw_ioapic_reset(io);
	assert_true(saved_within > 0);
	forget_diary();
	assert_int_equal(lw_ioapic_restore(twin, buf, saved_within), 0);
	assert_diary("resample9 ");
}

static void a_storms_delay_is_told_again(void **state)
{
	size_t size;

	(void)state;
	make_ioapics();
	program(io, 5, 1, 0x50);
	for (uint32_t n = 0; n < 10000; n++) {
		forget_diary();
		lw_ioapic_eoi(io, 1, 0x50);
	}
	assert_diary("end1:50 storm5 ");
	size = lw_ioapic_save(io, buf, MAX);
	assert_int_equal(lw_ioapic_restore(twin, buf, size), 0);
	assert_diary("route00>50 storm5 ");
	assert_int_equal(lw_ioapic_resume(twin, 5), 0);
	assert_diary("open1:50 ");
}

/* ---- 8259s ---- */

static void intr(void *ctx, bool level)
{
	(void)ctx;
	note("intr%d ", level);
}

static void the_8259s_tell_int_where_it_differs(void **state)
{
	static const struct lw_pic_ops ops = {.intr = intr};
	struct lw_pic_config config = {.ops = &ops};
	static _Alignas(LW_PIC_ALIGN) uint8_t pics[2][LW_PIC_SIZE];
	struct lw_pic *a = (struct lw_pic *)pics[0], *b = (struct lw_pic *)pics[1];
	size_t size;

	(void)state;
	assert_int_equal(lw_pic_init(a, &config), 0);
	assert_int_equal(lw_pic_init(b, &config), 0);
	assert_int_equal(lw_pic_line(a, 9, 0, true), 0);
	forget_diary();
	size = lw_pic_save(a, buf, MAX);
	assert_int_equal(lw_pic_restore(b, buf, size), 0);
	assert_diary("intr1 ");
	assert_int_equal(lw_pic_restore(b, buf, size), 0);
	assert_diary("");
	assert_int_equal(lw_pic_accept(b), lw_pic_accept(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lapic_tells_its_deadline_and_threshold),
		cmocka_unit_test(a_lapic_tells_what_it_suppresses_if_that_is_new),
		cmocka_unit_test(a_tsc_deadline_survives_whatever_the_order),
		cmocka_unit_test(a_count_goes_on_under_another_clock),
		cmocka_unit_test(a_tsc_deadline_moves_to_another_clock),
		cmocka_unit_test(a_clock_at_its_end_is_refused),
		cmocka_unit_test(an_instant_that_is_cut_off_stays_so),
		cmocka_unit_test_teardown(an_ioapic_tells_its_routes_and_records, free_ioapics),
		cmocka_unit_test_teardown(a_resample_under_way_is_made_again, free_ioapics),
		cmocka_unit_test_teardown(a_resample_that_a_reset_owes_is_made, free_ioapics),
		cmocka_unit_test_teardown(a_storms_delay_is_told_again, free_ioapics),
		cmocka_unit_test(the_8259s_tell_int_where_it_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
