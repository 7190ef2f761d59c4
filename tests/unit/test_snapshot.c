/* SPDX-License-Identifier: MIT */
/*
 * What is no snapshot is refused, and changes nothing; what is forged is
 * refused, or is a state that the chips bear.
 */
#include "core/snapshot.h"

#include "model/invariants.h"
#include "snapshot_rig.h"

#define MAX    (1u << 16)
#define HEADER 16u

/* ---- the header, as written down in snapshot.c ---- */

static uint32_t naive_crc(const uint8_t *p, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t n = 0; n < size; n++) {
		if (n >= 12 && n < HEADER)
			continue;
		for (uint32_t bit = 0; bit < 8; bit++) {
			uint32_t feedback = (crc ^ p[n] >> bit) & 1u;

			crc = crc >> 1 ^ (feedback ? 0xedb88320u : 0);
		}
	}
	return ~crc;
}

static void seal(uint8_t *p, size_t size)
{
	uint32_t crc = naive_crc(p, size);

	for (uint32_t n = 0; n < 4; n++) {
		p[8 + n] = (uint8_t)(size >> 8 * n);
		p[12 + n] = (uint8_t)(crc >> 8 * n);
	}
}

/* With the policy's snapshot in it, whose own CRC must be right too. */
static void seal_chip(uint8_t *p, size_t size, size_t eoi)
{
	seal(p + size - eoi, eoi);
	seal(p, size);
}

/* ---- the rig, and a bystander ---- */

static struct rig rig;
static uint8_t good[MAX], bad[MAX], before[MAX], after[MAX];

static int open_rig(void **state)
{
	(void)state;
	rig_open(&rig, 11); /* lazy, on a hardware bitmap, in xAPIC mode */
	for (uint32_t n = 0; n < 400; n++)
		rig_step(&rig);
	rig.deaf = true;
	return 0;
}

static int close_rig(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

typedef size_t saver(struct rig *r, uint8_t *buf);
typedef int restorer(struct rig *r, const uint8_t *buf, size_t size);

static size_t save_lapic(struct rig *r, uint8_t *buf)
{
	return lw_lapic_save(lw_chip_lapic(r->chip, 1), buf, MAX);
}

static int restore_lapic(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_lapic_restore(lw_chip_lapic(r->chip, 1), buf, size);
}

static size_t save_ioapic(struct rig *r, uint8_t *buf)
{
	return lw_ioapic_save(lw_chip_ioapic(r->chip, 1), buf, MAX);
}

static int restore_ioapic(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_ioapic_restore(lw_chip_ioapic(r->chip, 1), buf, size);
}

static size_t save_pic(struct rig *r, uint8_t *buf)
{
	return lw_pic_save(lw_chip_pic(r->chip), buf, MAX);
}

static int restore_pic(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_pic_restore(lw_chip_pic(r->chip), buf, size);
}

static size_t save_routes(struct rig *r, uint8_t *buf)
{
	return lw_routes_save(lw_chip_routes(r->chip), buf, MAX);
}

static int restore_routes(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_routes_restore(lw_chip_routes(r->chip), buf, size);
}

static size_t save_eoi(struct rig *r, uint8_t *buf)
{
	return lw_eoi_save(r->eoi, buf, MAX);
}

static int restore_eoi(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_eoi_restore(r->eoi, buf, size);
}

static size_t save_chip(struct rig *r, uint8_t *buf)
{
	return lw_chip_save(r->chip, buf, MAX);
}

static int restore_chip(struct rig *r, const uint8_t *buf, size_t size)
{
	return lw_chip_restore(r->chip, buf, size);
}

static const struct kind {
	const char *name;
	saver *save;
	restorer *restore;
} kinds[] = {
	{"lapic", save_lapic, restore_lapic}, {"ioapic", save_ioapic, restore_ioapic},
	{"pic", save_pic, restore_pic},       {"routes", save_routes, restore_routes},
	{"eoi", save_eoi, restore_eoi},       {"chip", save_chip, restore_chip},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* All storage there is, so that "changes nothing" is said of every byte. */
static size_t storage(uint8_t *buf)
{
	size_t chip = lw_chip_size(&rig.config), eoi = lw_eoi_size(VCPUS);

	assert_in_range(chip + eoi, 1, MAX);
	memcpy(buf, rig.chip, chip);
	memcpy(buf + chip, rig.eoi, eoi);
	return chip + eoi;
}

static void refuses(const struct kind *k, const uint8_t *buf, size_t size, int err)
{
	size_t bytes = storage(before);
	uint8_t *exact = malloc(size ? size : 1); /* where ASan sees a read past it */

	assert_non_null(exact);
	memcpy(exact, buf, size);
	assert_int_equal(k->restore(&rig, exact, size), err);
	free(exact);
	assert_int_equal(storage(after), bytes);
	assert_memory_equal(before, after, bytes);
}

/* ---- damage ---- */

static void truncated_at_every_length(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t size = kinds[k].save(&rig, good);

		for (size_t cut = 0; cut < size; cut++)
			refuses(&kinds[k], good, cut, -EBADMSG);
	}
}

/* The length is right, and so is the CRC: the fields are not all there. */
static void truncated_and_sealed_again(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t size = kinds[k].save(&rig, good);

		for (size_t cut = HEADER; cut < size; cut += size / 64 + 1) {
			memcpy(bad, good, cut);
			seal(bad, cut);
			refuses(&kinds[k], bad, cut, -EBADMSG);
		}
		memcpy(bad, good, size);
		bad[size] = 0;
		seal(bad, size + 1);
		refuses(&kinds[k], bad, size + 1, -EBADMSG);
	}
}

static void every_bit_flipped(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t size = kinds[k].save(&rig, good);
		uint32_t step = lw_test_quick() && k + 1 == KINDS ? 7 : 1;

		for (size_t bit = 0; bit < size * 8; bit += step) {
			bool version = bit / 16 == 3;

			memcpy(bad, good, size);
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
			refuses(&kinds[k], bad, size, version ? -ENOTSUP : -EBADMSG);
		}
	}
}

static void each_field_of_the_header(void **state)
{
	static const struct {
		uint32_t at;
		int err;
	} fields[] = {{0, -EBADMSG}, {4, -EINVAL}, {6, -ENOTSUP}, {8, -EBADMSG}, {12, -EBADMSG}};

	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t size = kinds[k].save(&rig, good);

		for (size_t n = 0; n < sizeof(fields) / sizeof(*fields); n++) {
			memcpy(bad, good, size);
			bad[fields[n].at] ^= 0x40;
			if (fields[n].at < 8)
				seal(bad, size);
			refuses(&kinds[k], bad, size, fields[n].err);
		}
		assert_int_equal(kinds[k].restore(&rig, NULL, 0), -EINVAL);
		assert_int_equal(kinds[k].restore(&rig, good, size), 0);
	}
}

static void no_kind_is_taken_for_another(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		size_t size = kinds[k].save(&rig, good);

		for (size_t other = 0; other < KINDS; other++)
			if (other != k)
				refuses(&kinds[other], good, size, -EINVAL);
	}
}

static void a_buffer_too_small_is_not_written_past(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++)
		assert_true(kinds[k].save(&rig, good) > HEADER);
	for (size_t room = 0; room < 400; room++) {
		uint8_t *exact = malloc(room ? room : 1);
		size_t size = lw_lapic_save(lw_chip_lapic(rig.chip, 1), exact, room);

		assert_int_equal(size, save_lapic(&rig, good));
		if (size <= room)
			assert_memory_equal(exact, good, size);
		free(exact);
	}
	assert_int_equal(lw_chip_save(rig.chip, NULL, 0), save_chip(&rig, good));
}

/* ---- another shape ---- */

/* Every change of a configuration that makes another chip of it. */
static void change_shape(struct rig *r, uint32_t n)
{
	switch (n) {
	case 0:
		r->config.nvcpus = r->engine.nvcpus = VCPUS - 1;
		break;
	case 1:
		r->config.nioapics = 1;
		break;
	case 2:
		r->ioapic[0].pins = PINS + 1;
		break;
	case 3:
		r->ioapic[1].flags ^= LW_IOAPIC_STRICT;
		break;
	case 4:
		r->ioapic[1].gsi_base++;
		break;
	case 5:
		r->ioapic[0].version = 0x20;
		break;
	case 6:
		r->ioapic[0].id = 5;
		break;
	case 7:
		r->config.x2apic = !r->config.x2apic;
		break;
	case 8:
		r->config.gsis++;
		break;
	case 9:
		r->config.clock.tsc_khz++;
		break;
	case 10:
		r->config.clock.bus_ns++;
		break;
	case 11:
		r->config.clock.bus_ticks++;
		break;
	case 12:
		r->config.phys_bits++;
		break;
	case 13:
		r->config.xapic_only = !r->config.xapic_only;
		break;
	case 14:
		r->config.pic = false;
		break;
	case 15:
		r->config.pic_flags ^= LW_PIC_STRICT;
		break;
	case 16:
		r->engine.policy = LW_EOI_ARMED;
		break;
	default:
		r->engine.flags ^= LW_EOI_HARDWARE;
	}
}

#define SHAPES 18u

static void another_shape_is_refused(void **state)
{
	size_t size = lw_chip_save(rig.chip, good, MAX);

	(void)state;
	for (uint32_t n = 0; n < SHAPES; n++) {
		struct rig other = rig;
		size_t bytes;

		change_shape(&other, n);
		other.config.ioapic = other.ioapic;
		rig_make(&other);
		bytes = lw_chip_save(other.chip, before, MAX);
		assert_int_equal(lw_chip_restore(other.chip, good, size), -EINVAL);
		assert_int_equal(lw_chip_save(other.chip, after, MAX), bytes);
		assert_memory_equal(before, after, bytes);
		rig_close(&other);
	}
}

/* ---- forged, with the right CRC ---- */

/* A snapshot may say that a line was overlooked: the guest it is forged for
 * goes without. */
static bool is_the_guests_own_loss(const char *rule)
{
	return strstr(rule, "asserted and unmasked") || strstr(rule, "a pin that asks");
}

/* All that a chip's own state has to be. */
static void is_sound(struct rig *r)
{
	struct broken why = {0};

	for (uint32_t n = 0; n < 2; n++)
		if (!lw_ioapic_holds(lw_chip_ioapic(r->chip, n), &why) &&
		    !is_the_guests_own_loss(why.rule))
			fail_msg("a forged snapshot breaks: %s", why.rule);
	for (uint32_t n = 0; n < VCPUS; n++)
		if (!lw_lapic_is_sound(lw_chip_lapic(r->chip, n), &why))
			fail_msg("a forged snapshot breaks: %s", why.rule);
}

/* A few bytes at random, sealed: then refused with nothing changed, or a run
 * goes on on it. */
static void forge(struct rig *r, size_t size, size_t eoi)
{
	uint32_t edits = 1 + below(r, 3);
	int err;

	memcpy(bad, good, size);
	while (edits-- > 0) {
		uint32_t at = HEADER + below(r, (uint32_t)size - HEADER);

		if (below(r, 2))
			bad[at] ^= (uint8_t)(1u << below(r, 8));
		else
			bad[at] = (uint8_t)below(r, 256);
	}
	seal_chip(bad, size, eoi);
	storage(before);
	err = lw_chip_restore(r->chip, bad, size);
	if (err) {
		assert_true(err == -EBADMSG || err == -EINVAL || err == -ENOTSUP);
		assert_memory_equal(before, after, storage(after));
		return;
	}
	assert_int_equal(lw_chip_save(r->chip, after, MAX), size);
	is_sound(r);
	for (uint32_t n = 0; n < 60; n++)
		rig_step(r);
	is_sound(r);
}

/* Under each policy and in each mode. */
static void forged_is_refused_or_borne(void **state)
{
	uint32_t rounds = lw_test_quick() ? 300 : 8000;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		size_t size, eoi;

		rig_open(&rig, seed);
		for (uint32_t n = 0; n < 300; n++)
			rig_step(&rig);
		size = lw_chip_save(rig.chip, good, MAX);
		eoi = lw_eoi_save(rig.eoi, bad, MAX);
		for (uint32_t n = 0; n < rounds; n++) {
			forge(&rig, size, eoi);
			assert_int_equal(lw_chip_restore(rig.chip, good, size), 0);
		}
		rig_close(&rig);
	}
}

/* The policy by itself is checked and then applied. */
static void a_policy_alone_is_put_back(void **state)
{
	uint32_t moved = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		size_t size;

		rig_open(&rig, seed);
		for (uint32_t n = 0; n < 300; n++)
			rig_step(&rig);
		size = lw_eoi_save(rig.eoi, good, MAX);
		for (uint32_t n = 0; n < 300; n++)
			rig_step(&rig);
		lw_eoi_save(rig.eoi, bad, MAX);
		moved += memcmp(good, bad, size) != 0;
		assert_int_equal(lw_eoi_restore(rig.eoi, good, size), 0);
		assert_int_equal(lw_eoi_save(rig.eoi, bad, MAX), size);
		assert_memory_equal(good, bad, size);
		rig_close(&rig);
	}
	assert_true(moved > 0);
}

/* ---- the whole controller ---- */

static void all_timers_move_to_another_clock_or_none(void **state)
{
	uint64_t deadlines[VCPUS];

	(void)state;
	rig_open(&rig, 1);
	for (uint32_t n = 0; n < VCPUS; n++) {
		struct lw_lapic *l = lw_chip_lapic(rig.chip, n);

		lw_lapic_time(l, 1000 * (n + 1));
		lw_lapic_write(l, LW_LAPIC_LVT_TIMER, 0x40);
		lw_lapic_write(l, LW_LAPIC_TMICT, 5000);
		deadlines[n] = lw_lapic_deadline(l);
	}
	assert_int_equal(lw_chip_shift_time(rig.chip, -1001), -EINVAL); /* vCPU 0 can't */
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(lw_lapic_deadline(lw_chip_lapic(rig.chip, n)), deadlines[n]);
	assert_int_equal(lw_chip_shift_time(rig.chip, 500), 0);
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(lw_lapic_deadline(lw_chip_lapic(rig.chip, n)), deadlines[n] + 500);
	rig_close(&rig);
}

/* Its part of the snapshot is empty; and one that has something is refused. */
static void a_policy_that_cannot_be_saved_is_left_out(void **state)
{
	struct lw_eoi_hooks hooks = *lw_eoi_hooks();
	struct rig whole = rig, bare = rig;
	size_t size, without;

	(void)state;
	whole.config.ioapic = bare.config.ioapic = rig.ioapic;
	bare.config.hooks = &hooks;
	hooks.save = NULL;
	assert_int_equal(lw_chip_init(bare.chip, &bare.config), -EINVAL);
	hooks.restore = NULL;
	rig_make(&whole);
	rig_make(&bare);
	size = lw_chip_save(whole.chip, good, MAX);
	without = lw_chip_save(bare.chip, bad, MAX);
	assert_int_equal(without, size - lw_eoi_save(whole.eoi, NULL, 0));
	assert_int_equal(lw_chip_restore(bare.chip, good, size), -EINVAL);
	assert_int_equal(lw_chip_restore(bare.chip, bad, without), 0);
	assert_int_equal(lw_chip_restore(whole.chip, bad, without), -EBADMSG);
	rig_close(&whole);
	rig_close(&bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(truncated_at_every_length, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(truncated_and_sealed_again, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(every_bit_flipped, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(each_field_of_the_header, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(no_kind_is_taken_for_another, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(a_buffer_too_small_is_not_written_past, open_rig,
						close_rig),
		cmocka_unit_test_setup_teardown(another_shape_is_refused, open_rig, close_rig),
		cmocka_unit_test(forged_is_refused_or_borne),
		cmocka_unit_test(a_policy_alone_is_put_back),
		cmocka_unit_test(all_timers_move_to_another_clock_or_none),
		cmocka_unit_test_setup_teardown(a_policy_that_cannot_be_saved_is_left_out, open_rig,
						close_rig),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
