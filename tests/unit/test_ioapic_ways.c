/* SPDX-License-Identifier: MIT */
/* With a lock and without one the I/O APIC takes different short ways, and does the same: two of
 * them, told the same things, say the same things. */
#include "test.h"

#include <lapwing/ioapic.h>
#include <stdio.h>
#include <string.h>

#define PINS   24u
#define VCPUS  5u
#define VECTOR 0x31u /* the first of four */

static struct twin {
	struct lw_ioapic *io;
	char said[1024];
	bool locked, lets_go;
	enum lw_recall where;
} twins[2];

static void say(struct twin *t, const char *format, ...)
{
	size_t used = strlen(t->said);
	va_list args;

	va_start(args, format);
	vsnprintf(t->said + used, sizeof(t->said) - used, format, args);
	va_end(args);
}

static void on_lock(void *ctx)
{
	struct twin *t = ctx;

	assert_false(t->locked);
	t->locked = true;
}

static void on_unlock(void *ctx)
{
	struct twin *t = ctx;

	assert_true(t->locked);
	t->locked = false;
}

/* 0 to 4 take it alone, 5 is all of them, 6 nobody knows who, 7 nobody. */
static void on_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers)
{
	say(ctx, "%s%u:%02x>%u ", msg->level ? "level" : "edge", gsi, msg->vector, msg->dest);
	takers->any = msg->dest == VCPUS + 1;
	takers->count = msg->dest < VCPUS ? 1 : msg->dest == VCPUS ? VCPUS : 0;
	takers->vcpu = msg->dest < VCPUS ? msg->dest : 0;
	if (msg->dest == VCPUS)
		*takers->map |= (1u << VCPUS) - 1;
}

static void on_fell(void *ctx, uint32_t vcpu, uint8_t vector)
{
	struct twin *t = ctx;

	say(t, "fell%u:%02x ", vcpu, vector);
	if (t->lets_go && lw_ioapic_releasable_locked(t->io, vcpu, vector))
		lw_ioapic_release_locked(t->io, vcpu, vector);
}

static enum lw_recall on_recall(void *ctx, uint32_t vcpu, uint8_t vector)
{
	struct twin *t = ctx;

	say(t, "recall%u:%02x ", vcpu, vector);
	return t->where;
}

static void on_closed(void *ctx, uint32_t vcpu, uint8_t vector)
{
	say(ctx, "closed%u:%02x ", vcpu, vector);
}

static void on_record(void *ctx, uint32_t vcpu, uint8_t vector, bool open)
{
	say(ctx, "%s%u:%02x ", open ? "open" : "end", vcpu, vector);
}

static void on_resample(void *ctx, uint32_t gsi)
{
	struct twin *t = ctx;

	assert_false(t->locked);
	say(t, "resample%u ", gsi);
}

#define OPS                                                                                   \
	.deliver = on_deliver, .recall = on_recall, .closed = on_closed, .record = on_record, \
	.resample = on_resample

static const struct lw_ioapic_ops ops[2][2] = {
	{{OPS, .lock = on_lock, .unlock = on_unlock}, {OPS}},
	{{OPS, .lock = on_lock, .unlock = on_unlock, .fell = on_fell}, {OPS, .fell = on_fell}},
};

static void open_twins(uint32_t which, uint32_t flags)
{
	struct lw_ioapic_config config = {
		.pins = PINS, .nvcpus = VCPUS, .flags = flags, .version = 0x20};

	memset(twins, 0, sizeof(twins));
	for (int n = 0; n < 2; n++) {
		config.ops = &ops[which][n];
		config.ctx = &twins[n];
		twins[n].lets_go = true;
		twins[n].io = aligned_alloc(LW_IOAPIC_ALIGN, lw_ioapic_size(&config));
		assert_non_null(twins[n].io);
		assert_int_equal(lw_ioapic_init(twins[n].io, &config), 0);
	}
}

static void close_twins(void)
{
	free(twins[0].io);
	free(twins[1].io);
}

static uint32_t next(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	return *random >> 8;
}

struct step {
	uint32_t what, pin, vcpu, value;
	uint8_t vector;
};

static struct step any_step(uint32_t *random)
{
	struct step s = {.what = next(random) % 16,
			 .pin = next(random) % 4,
			 .vcpu = next(random) % VCPUS,
			 .vector = (uint8_t)(VECTOR + next(random) % 4)};

	s.value = next(random);
	return s;
}

static int take_step(struct twin *t, const struct step *s)
{
	uint32_t low =
		s->vector | (s->value & 7 ? LW_RTE_LEVEL : 0) | (s->value & 0x38 ? 0 : LW_RTE_MASK);

	switch (s->what) {
	case 0:
		lw_ioapic_write(t->io, 0x10 + 2 * s->pin, low);
		return 0;
	case 1:
		lw_ioapic_write(t->io, 0x11 + 2 * s->pin, s->value % (VCPUS + 3) << 24);
		return 0;
	case 2:
		return lw_ioapic_notify(t->io, s->pin, s->value % 4 == 0);
	case 3:
		t->where = (enum lw_recall)(s->value % 3);
		lw_ioapic_hold(t->io, s->vcpu, s->vector);
		return 0;
	case 4:
		lw_ioapic_retry(t->io);
		return 0;
	case 5:
		if (s->value % 8 == 0)
			lw_ioapic_forget(t->io, s->vcpu);
		return 0;
	default:
		if (s->what & 1)
			return (int)lw_ioapic_eoi(t->io, s->vcpu, s->vector);
		return lw_ioapic_line(t->io, s->pin, s->value >> 4 & 1, s->value & 1);
	}
}

static void assert_same(void)
{
	struct lw_ioapic_counters a = lw_ioapic_counters(twins[0].io),
				  b = lw_ioapic_counters(twins[1].io);

	assert_string_equal(twins[0].said, twins[1].said);
	assert_memory_equal(&a, &b, sizeof(a));
	twins[0].said[0] = twins[1].said[0] = '\0';
}

static void run(uint32_t which, uint32_t flags)
{
	uint32_t random = 5 + which;
	uint64_t rte[2] = {0};

	open_twins(which, flags);
	for (int n = 0; n < 100000; n++) {
		struct step s = any_step(&random);
		int answer = take_step(&twins[0], &s);

		assert_int_equal(take_step(&twins[1], &s), answer);
		assert_same();
		if (n % 16 == 0) {
			assert_int_equal(lw_ioapic_rte(twins[0].io, s.pin, &rte[0]), 0);
			assert_int_equal(lw_ioapic_rte(twins[1].io, s.pin, &rte[1]), 0);
			assert_true(rte[0] == rte[1]);
		}
	}
	assert_true(lw_ioapic_counters(twins[1].io).resolved > 1000);
	assert_true(!which || lw_ioapic_counters(twins[1].io).recalls > 100);
	close_twins();
}

static void locked_or_not_it_does_the_same(void **state)
{
	(void)state;
	run(0, 0);
	run(0, LW_IOAPIC_STRICT);
	run(0, LW_IOAPIC_ELECTRICAL);
}

static void locked_or_not_it_lets_go_of_the_same(void **state)
{
	(void)state;
	run(1, 0);
	run(1, LW_IOAPIC_ELECTRICAL);
}

/* Without ops->recall nothing is let go: it could not be asked after. */
static void without_recall_nothing_is_let_go(void **state)
{
	struct lw_ioapic_ops deaf = ops[1][1];
	struct lw_ioapic_config config = {
		.ops = &deaf, .ctx = &twins[1], .pins = PINS, .nvcpus = VCPUS, .version = 0x20};

	(void)state;
	open_twins(1, 0);
	deaf.recall = NULL;
	assert_int_equal(lw_ioapic_init(twins[1].io, &config), 0);
	lw_ioapic_write(twins[1].io, 0x10, VECTOR | LW_RTE_LEVEL);
	assert_int_equal(lw_ioapic_line(twins[1].io, 0, 0, true), 0);
	assert_int_equal(lw_ioapic_line(twins[1].io, 0, 0, false), 0);
	assert_int_equal(lw_ioapic_line(twins[1].io, 0, 0, true), 0);
	assert_string_equal(twins[1].said, "level0:31>0 open0:31 fell0:31 ");
	assert_int_equal(lw_ioapic_eoi(twins[1].io, 0, VECTOR), LW_EOI_NECESSARY);
	close_twins();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locked_or_not_it_does_the_same),
		cmocka_unit_test(locked_or_not_it_lets_go_of_the_same),
		cmocka_unit_test(without_recall_nothing_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
