/* SPDX-License-Identifier: MIT */
/*
 * Snapshots after every step of a run on which everything is tried at random: the restored chips
 * are those that were saved, to the last byte of their storage that is not a counter, and the run
 * that goes on on them is the same as one without.
 */
#include "core/chip_priv.h"
#include "core/ioapic_priv.h"
#include "core/lapic_priv.h"
#include "core/pic_priv.h"
#undef load
#undef store
#include "eoi/engine.h"
#include "snapshot_rig.h"

#define STEPS 250u
#define MAX   (1u << 16)

/* ---- storage against storage ---- */

#define SAME(a, b, first, end, type)                                   \
	assert_memory_equal((const char *)(a) + offsetof(type, first), \
			    (const char *)(b) + offsetof(type, first), \
			    offsetof(type, end) - offsetof(type, first))

/* Both indices have the same pins under each vector, in whatever order. */
static void same_index(const struct lw_ioapic *a, const struct lw_ioapic *b, enum lw_index index)
{
	for (uint32_t vector = 0; vector < 256; vector++) {
		uint64_t pins[2][PIN_WORDS] = {{0}};

		for (uint8_t n = a->head[index][vector]; n != NONE; n = lw_pin_next(a, index, n))
			lw_set_add(pins[0], n);
		for (uint8_t n = b->head[index][vector]; n != NONE; n = lw_pin_next(b, index, n))
			lw_set_add(pins[1], n);
		assert_memory_equal(pins[0], pins[1], sizeof(pins[0]));
	}
}

static void same_ioapic(struct lw_ioapic *a, struct lw_ioapic *b)
{
	SAME(a, b, gsi_base, counters, struct lw_ioapic);
	assert_memory_equal(a->pin, b->pin, a->pins * sizeof(*a->pin));
	assert_memory_equal(lw_pin_map(a, a->pin), lw_pin_map(b, b->pin),
			    a->pins * a->map_words * sizeof(uint64_t));
	same_index(a, b, BY_ROUTE);
	same_index(a, b, BY_RECORD);
}

static void same_engine(const struct lw_eoi *a, const struct lw_eoi *b)
{
	for (uint32_t n = 0; n < VCPUS; n++) {
		SAME(&a->vcpu[n], &b->vcpu[n], set, reloads, struct vcpu);
		assert_memory_equal(a->vcpu[n].handed, b->vcpu[n].handed,
				    offsetof(struct vcpu, last_pending) + sizeof(int) -
					    offsetof(struct vcpu, handed));
	}
}

static void same_storage(struct rig *a, struct rig *b)
{
	for (uint32_t n = 0; n < VCPUS; n++)
		SAME(lw_chip_lapic(a->chip, n), lw_chip_lapic(b->chip, n), shared, der,
		     struct lw_lapic);
	for (uint32_t n = 0; n < 2; n++)
		same_ioapic(lw_chip_ioapic(a->chip, n), lw_chip_ioapic(b->chip, n));
	SAME(a->chip, b->chip, nvcpus, exits, struct lw_chip);
	assert_memory_equal(pair(a->chip, 0, 0), pair(b->chip, 0, 0),
			    VCPUS * 256u * sizeof(struct pair));
	SAME(lw_chip_pic(a->chip), lw_chip_pic(b->chip), state, counters, struct lw_pic);
	same_engine(a->eoi, b->eoi);
}

/* ---- the runs ---- */

static void replace(struct rig *r)
{
	static uint8_t a[MAX], b[MAX];
	size_t size = lw_chip_save(r->chip, a, MAX);
	struct rig old = *r;

	rig_make(r);
	r->deaf = true;
	assert_int_equal(lw_chip_restore(r->chip, a, size), 0);
	r->deaf = false;
	assert_int_equal(lw_chip_save(r->chip, b, MAX), size);
	assert_memory_equal(a, b, size);
	same_storage(&old, r);
	rig_close(&old);
}

static uint64_t run(uint64_t seed, bool snapshots, uint8_t *buf, size_t *size)
{
	struct rig r;
	uint64_t digest;

	rig_open(&r, seed);
	for (uint32_t n = 0; n < STEPS; n++) {
		rig_step(&r);
		if (snapshots)
			replace(&r);
	}
	*size = lw_chip_save(r.chip, buf, MAX);
	digest = r.digest;
	rig_close(&r);
	return digest;
}

static void a_restored_controller_goes_on_the_same(void **state)
{
	static uint8_t a[MAX], b[MAX];
	uint64_t seeds = lw_test_quick() ? 20 : 1000;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		size_t sizes[2];
		uint64_t plain = run(seed, false, a, &sizes[0]);

		assert_int_equal(run(seed, true, b, &sizes[1]), plain);
		assert_int_equal(sizes[0], sizes[1]);
		assert_memory_equal(a, b, sizes[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restored_controller_goes_on_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
