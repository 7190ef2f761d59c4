/* SPDX-License-Identifier: MIT */
/*
 * Who is meant by a message: the map's answer against asking every LAPIC, how many LAPICs it asks,
 * and that it is whole while it is made anew.
 */
#include "chip_rig.h"

#include "core/map.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define PAGE 0xfee00000u
#define EN   0x800u
#define EXTD 0x400u
#define MOST 700u

/* The linker puts this before the real one: how many LAPICs the chip asks. */
bool __real_lw_lapic_matches(const struct lw_lapic *lapic, const struct lw_msg *msg);
bool __wrap_lw_lapic_matches(const struct lw_lapic *lapic, const struct lw_msg *msg);
static _Thread_local uint32_t asked;

bool __wrap_lw_lapic_matches(const struct lw_lapic *lapic, const struct lw_msg *msg)
{
	asked++;
	return __real_lw_lapic_matches(lapic, msg);
}

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void open_chip(uint32_t nvcpus, bool x2apic, const uint32_t *ids)
{
	struct lw_chip_config config = rig_config();

	config.nvcpus = nvcpus;
	config.x2apic = x2apic;
	config.ids = ids;
	rig_open(config, LW_EOI_ARMED, 0);
}

/* ---- APIC ids ---- */

static void ids_are_the_configured_ones(void **state)
{
	static const uint32_t ids[] = {7, 0, 200, 254};

	(void)state;
	open_chip(4, false, ids);
	for (uint32_t n = 0; n < 4; n++) {
		assert_int_equal(lw_lapic_id(lapic(n)), ids[n]);
		assert_int_equal(
			lw_chip_send(rig.chip, &(struct lw_msg){.dest = ids[n], .vector = 0x31}),
			1);
		assert_int_equal(take(n), 0x31);
		assert_true(lw_lapic_base(lapic(n)) == (PAGE | EN | (n ? 0 : 0x100)));
	}
	assert_int_equal(lw_chip_send(rig.chip, &(struct lw_msg){.dest = 1, .vector = 0x31}), 0);
	program(5, 200, 0x41 | LEVEL);
	line(5, true);
	assert_int_equal(take(2), 0x41);
	line(5, false);
	assert_true(eoi(2));
	assert_false(remote_irr(5));
	rig_close(NULL);
}

static size_t size_with(uint32_t last, bool x2apic)
{
	const uint32_t ids[] = {0, 1, 2, last};
	struct lw_chip_config config = rig_config();

	config.ids = ids;
	config.x2apic = x2apic;
	return lw_chip_size(&config);
}

static void ids_out_of_range_or_twice_are_refused(void **state)
{
	static const uint32_t twice[] = {0, 3, 2, 3};
	struct lw_chip_config config = rig_config();
	struct lw_chip *storage;

	(void)state;
	assert_true(size_with(254, false) > 0);
	assert_int_equal(size_with(255, false), 0);
	assert_int_equal(size_with(UINT32_MAX, false), 0);
	assert_true(size_with(255, true) > 0);
	assert_true(size_with(LW_CHIP_MAX_IDS - 1, true) >= 4 * (size_t)LW_CHIP_MAX_IDS);
	assert_int_equal(size_with(LW_CHIP_MAX_IDS, true), 0);
	assert_int_equal(size_with(UINT32_MAX, true), 0);
	config.ids = twice;
	config.eoi = &config; /* not looked at before the ids */
	storage = aligned_alloc(LW_CHIP_ALIGN, lw_chip_size(&config));
	assert_non_null(storage);
	assert_int_equal(lw_chip_init(storage, &config), -EINVAL);
	free(storage);
}

/* ---- against the naive way ---- */

struct list {
	uint32_t count;
	uint32_t vcpu[MOST];
};

static void see(void *arg, uint32_t vcpu)
{
	struct list *l = arg;

	assert_true(l->count < MOST);
	l->vcpu[l->count++] = vcpu;
}

static uint32_t reached(uint32_t nvcpus, const struct lw_msg *msg)
{
	struct list found = {0};
	uint32_t n = 0;

	lw_chip_env()->targets(rig.chip, msg, see, &found);
	for (uint32_t vcpu = 0; vcpu < nvcpus; vcpu++) {
		if (!__real_lw_lapic_matches(lapic(vcpu), msg))
			continue;
		assert_true(n < found.count);
		assert_int_equal(found.vcpu[n++], vcpu); /* each once, in order */
	}
	assert_int_equal(found.count, n);
	return n;
}

static void change(uint32_t vcpu)
{
	struct lw_lapic *l = lapic(vcpu);

	switch (below(8)) {
	case 0:
		lw_lapic_set_base(l, PAGE);
		break;
	case 1:
		lw_lapic_set_base(l, PAGE | EN);
		break;
	case 2:
		lw_lapic_set_base(l, PAGE | EN | EXTD);
		break;
	case 3:
		lw_lapic_write(l, LW_LAPIC_DFR, below(2) ? 0xffffffff : 0x0fffffff);
		break;
	case 4:
		lw_lapic_reset(l);
		break;
	case 5:
		lw_lapic_write(l, LW_LAPIC_LDR, below(256) << 24);
		break;
	default:
		lw_lapic_write(l, LW_LAPIC_LDR, (below(16) << 4 | 1u << below(4)) << 24);
	}
}

static uint32_t random_dest(uint32_t nvcpus)
{
	uint32_t id = lw_lapic_address(lapic(below(nvcpus))).id;

	switch (below(8)) {
	case 0:
		return below(256);
	case 1:
		return id & 0xffu;
	case 2:
		return below(2) ? 0xff : 0xffffffff;
	case 3:
		return seed; /* anything */
	case 4:
		return (id >> 4) << 16 | below(0x10000);
	case 5:
		return 1u << below(8);
	default:
		return id;
	}
}

/* Random modes, LDRs, DFRs; whoever is asked. `busy`: chances in 16 of a change a step. */
static void compare(uint32_t nvcpus, bool x2apic, const uint32_t *ids, uint32_t busy)
{
	uint32_t steps = lw_test_quick() ? 3000 : 30000, hits = 0;

	open_chip(nvcpus, x2apic, ids);
	for (uint32_t n = 0; n < steps; n++) {
		struct lw_msg msg = {.dest = random_dest(nvcpus), .logical = below(2)};

		if (below(16) < busy)
			change(below(nvcpus));
		hits += reached(nvcpus, &msg) > 0;
	}
	assert_true(hits > steps / 20);
	rig_close(NULL);
}

static void xapic_chips(void **state)
{
	uint32_t ids[255];

	(void)state;
	seed = 1;
	compare(1, false, NULL, 8);
	compare(8, false, NULL, 8);
	compare(60, false, NULL, 8);
	for (uint32_t n = 0; n < 255; n++)
		ids[n] = n * 7 % 255;
	compare(255, false, ids, 12);
}

/* With ids far above 255, several of which show the same low eight bits in xAPIC mode. */
static void x2apic_chips(void **state)
{
	uint32_t ids[MOST];

	(void)state;
	seed = 2;
	compare(16, true, NULL, 8);
	compare(MOST, true, NULL, 1);
	for (uint32_t n = 0; n < MOST; n++)
		ids[n] = (MOST - n) * 37;
	compare(MOST, true, ids, 8);
	compare(40, true, ids, 12);
}

/* The one in xAPIC mode shows 5, and a logical destination may mean it by its LDR or as x2APIC. */
static void an_id_above_255_shows_eight_bits_in_xapic_mode(void **state)
{
	static const uint32_t ids[] = {5, 0x105, 0x205, 0x306};

	(void)state;
	open_chip(4, true, ids);
	assert_int_equal(reached(4, &(struct lw_msg){.dest = 5}), 1);
	for (uint32_t n = 1; n < 3; n++) {
		lw_lapic_set_base(lapic(n), PAGE);
		lw_lapic_set_base(lapic(n), PAGE | EN);
		assert_int_equal(reached(4, &(struct lw_msg){.dest = 5}), 1 + n);
		assert_int_equal(reached(4, &(struct lw_msg){.dest = ids[n]}), 0);
	}
	assert_int_equal(reached(4, &(struct lw_msg){.dest = 0xff}), 2);
	lw_lapic_set_base(lapic(1), PAGE | EN | EXTD);
	assert_int_equal(reached(4, &(struct lw_msg){.dest = 5}), 2);
	assert_int_equal(reached(4, &(struct lw_msg){.dest = 0x105}), 1);
	rig_close(NULL);
}

/* ---- how many are asked ---- */

static uint32_t asked_for(uint32_t nvcpus, uint32_t dest, bool logical)
{
	struct lw_msg msg = {.dest = dest, .logical = logical};
	struct list found = {0};

	asked = 0;
	lw_chip_env()->targets(rig.chip, &msg, see, &found);
	assert_true(asked >= found.count && asked <= nvcpus);
	return asked;
}

static void only_members_are_asked_in_xapic_mode(void **state)
{
	(void)state;
	open_chip(200, false, NULL);
	assert_int_equal(asked_for(200, 150, false), 1);
	assert_int_equal(asked_for(200, 222, false), 0);
	assert_int_equal(asked_for(200, 0xff, false), 200);
	assert_int_equal(asked_for(200, 0x01, true), 0); /* no LDR has been written */
	for (uint32_t n = 0; n < 8; n++)
		lw_lapic_write(lapic(n * 9), LW_LAPIC_LDR, 1u << (24 + n));
	assert_int_equal(asked_for(200, 0x01, true), 1);
	assert_int_equal(asked_for(200, 0x7f, true), 7);
	lw_lapic_write(lapic(77), LW_LAPIC_LDR, 0x02000000); /* shared with vCPU 9 */
	assert_int_equal(asked_for(200, 0x01, true), 1);
	assert_int_equal(asked_for(200, 0x03, true), 200);
	lw_lapic_write(lapic(77), LW_LAPIC_LDR, 0);
	assert_int_equal(asked_for(200, 0x03, true), 2);
	lw_lapic_write(lapic(0), LW_LAPIC_LDR, 0x81000000); /* several bits */
	assert_int_equal(asked_for(200, 0x01, true), 200);
	rig_close(NULL);
}

static void only_members_are_asked_in_a_cluster(void **state)
{
	(void)state;
	open_chip(200, false, NULL);
	for (uint32_t n = 0; n < 60; n++) {
		lw_lapic_write(lapic(n), LW_LAPIC_DFR, 0);
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, (n / 4 << 4 | 1u << n % 4) << 24);
	}
	assert_int_equal(asked_for(200, 0x3f, true), 4);
	assert_int_equal(asked_for(200, 0xe1, true), 1);
	rig_close(NULL);
	open_chip(600, true, NULL);
	assert_int_equal(asked_for(600, 0x00110000 | 0x8001, true), 2);
	assert_int_equal(asked_for(600, 0x0011ffff, true), 16);
	assert_int_equal(asked_for(600, 0x0025ffff, true), 8); /* vCPU 599 is the last */
	assert_int_equal(asked_for(600, 599, false), 1);
	assert_int_equal(asked_for(600, 0xff, false), 1);
	assert_int_equal(asked_for(600, 0xffffffff, false), 600);
	rig_close(NULL);
}

/* ---- read while it is made anew ---- */

#define STEADY 3u /* vCPUs that nobody touches: LDR bits 0 to 2 */
#define TOGGLE 3u /* has bit 3 in all that it is given */
#define MOVER  7u /* has either bit 4 or bit 5, and nobody else has them */

static atomic_bool stop;
static atomic_uint lost, doubled;

static uint32_t nmis(uint32_t dest)
{
	struct lw_msg msg = {.dest = dest, .logical = true, .delivery = LW_DM_NMI};

	return (uint32_t)lw_chip_send(rig.chip, &msg);
}

static void *run_sender(void *arg)
{
	uint32_t rounds = 0;

	(void)arg;
	while (!atomic_load(&stop) || rounds++ < 100) {
		for (uint32_t n = 0; n <= STEADY; n++)
			if (nmis(1u << n) < 1)
				atomic_fetch_add(&lost, 1);
		if (nmis(0xf) < STEADY + 1)
			atomic_fetch_add(&lost, 1);
		if (nmis(0x30) != 1)
			atomic_fetch_add(&lost, 1);
		if (nmis(0xf) > 8)
			atomic_fetch_add(&doubled, 1);
	}
	return NULL;
}

/* As the owner of those that it changes. */
static void churn(uint32_t rounds)
{
	for (uint32_t n = 0; n < rounds; n++) {
		lw_lapic_write(lapic(TOGGLE), LW_LAPIC_LDR, (below(2) ? 0x08u : 0x88u) << 24);
		lw_lapic_write(lapic(MOVER), LW_LAPIC_LDR, (n % 2 ? 0x10u : 0x20u) << 24);
		lw_lapic_write(lapic(4), LW_LAPIC_LDR, (below(256) & ~0x30u) << 24);
		lw_lapic_write(lapic(5), LW_LAPIC_DFR, below(2) ? 0xffffffff : 0x0fffffff);
		lw_lapic_write(lapic(5), LW_LAPIC_LDR, 0x40u << (24 + below(2)));
		lw_lapic_set_base(lapic(6), PAGE | EN);
		lw_lapic_write(lapic(6), LW_LAPIC_LDR, 0x80000000);
		lw_lapic_set_base(lapic(6), PAGE | EN | EXTD);
		lw_lapic_set_base(lapic(6), PAGE);
		if (n % 64 == 0)
			sched_yield();
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock_mutex(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&mutex);
}

static void unlock_mutex(void *ctx)
{
	(void)ctx;
	pthread_mutex_unlock(&mutex);
}

static void nobody_is_missed_while_ldrs_change(void **state)
{
	static struct lw_chip_ops ops;
	struct lw_chip_config config = rig_config();
	pthread_t sender[2];

	(void)state;
	ops = (struct lw_chip_ops){.lock = lock_mutex, .unlock = unlock_mutex, .kick = rig_kick};
	config.ops = &ops;
	config.nvcpus = 8;
	rig_open(config, LW_EOI_ARMED, 0);
	for (uint32_t n = 0; n <= STEADY; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
	lw_lapic_write(lapic(MOVER), LW_LAPIC_LDR, 0x20000000);
	atomic_store(&stop, false);
	for (int n = 0; n < 2; n++)
		assert_int_equal(pthread_create(&sender[n], NULL, run_sender, NULL), 0);
	churn(lw_test_quick() ? 3000 : 30000);
	atomic_store(&stop, true);
	for (int n = 0; n < 2; n++)
		pthread_join(sender[n], NULL);
	assert_int_equal(atomic_load(&lost), 0);
	assert_int_equal(atomic_load(&doubled), 0);
	rig_close(NULL);
}

/* As if it had been made anew twice since each look at it: the reader asks all, and goes on. */
static void a_map_that_never_rests_holds_nobody_up(void **state)
{
	struct lw_map *m = malloc(lw_map_size(4, 4));
	struct lw_msg msg = {.dest = 1, .logical = true};
	struct lw_map_found found;

	(void)state;
	assert_non_null(m);
	assert_int_equal(lw_map_init(m, 4, 4, NULL), 0);
	lw_map_find(m, &msg, &found);
	assert_false(found.everybody);
	assert_int_equal(found.count, 0);
	atomic_store(&m->twin.begun, atomic_load(&m->twin.done) + 2u);
	lw_map_find(m, &msg, &found);
	assert_true(found.everybody);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_the_configured_ones),
		cmocka_unit_test(ids_out_of_range_or_twice_are_refused),
		cmocka_unit_test(xapic_chips),
		cmocka_unit_test(x2apic_chips),
		cmocka_unit_test(an_id_above_255_shows_eight_bits_in_xapic_mode),
		cmocka_unit_test(only_members_are_asked_in_xapic_mode),
		cmocka_unit_test(only_members_are_asked_in_a_cluster),
		cmocka_unit_test(a_map_that_never_rests_holds_nobody_up),
		cmocka_unit_test(nobody_is_missed_while_ldrs_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
