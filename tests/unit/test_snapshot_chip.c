/* SPDX-License-Identifier: MIT */
/* A controller's snapshot where its EOI policy can't be saved, and its clock. */
#include "chip_rig.h"

#include <lapwing/snapshot.h>

static struct lw_eoi_hooks unsaved;

/* The engine's hooks but for the two that save it: as a VMM's own policy may have them. */
static void open_unsaved(void)
{
	struct lw_chip_config config = rig_config();

	rig_close(NULL);
	unsaved = *lw_eoi_hooks();
	unsaved.save = NULL;
	unsaved.restore = NULL;
	config.hooks = &unsaved;
	rig_open(config, LW_EOI_ARMED, 0);
}

static size_t save(uint8_t *buf, size_t room)
{
	size_t size = lw_chip_save(rig.chip, buf, room);

	assert_in_range(size, 1, room);
	return size;
}

static void a_policy_that_is_not_saved_leaves_no_bytes(void **state)
{
	static uint8_t with[1 << 16], without[1 << 16];
	size_t with_size, without_size;

	(void)state;
	program(5, 1, 0x31 | LEVEL);
	with_size = save(with, sizeof(with));
	open_unsaved();
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	without_size = save(without, sizeof(without));
	assert_true(without_size < with_size);
	assert_int_equal(lw_chip_restore(rig.chip, with, with_size), -EINVAL);
	assert_true(remote_irr(5));
	assert_int_equal(take(1), 0x31);
	assert_int_equal(lw_chip_restore(rig.chip, without, without_size), 0);
	assert_int_equal(take(1), 0x31); /* pending again, as it was */
	line(5, false);
	assert_true(eoi(1));
	assert_false(remote_irr(5));
}

/* All of the LAPICs' clocks, or none. */
static void the_clock_is_shifted_as_a_whole(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++) {
		lw_lapic_time(lapic(n), 1000 + n);
		lw_lapic_write(lapic(n), LW_LAPIC_TMICT, 500);
	}
	assert_true(lw_lapic_deadline(lapic(0)) == 2000);
	assert_int_equal(lw_chip_shift_time(rig.chip, -1002), -EINVAL);
	assert_true(lw_lapic_deadline(lapic(0)) == 2000);
	assert_true(lw_lapic_deadline(lapic(3)) == 2003);
	assert_int_equal(lw_chip_shift_time(rig.chip, -1000), 0);
	assert_true(lw_lapic_deadline(lapic(0)) == 1000);
	assert_true(lw_lapic_deadline(lapic(3)) == 1003);
	assert_int_equal(lw_chip_shift_time(rig.chip, 7), 0);
	assert_true(lw_lapic_deadline(lapic(3)) == 1010);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_armed, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_policy_that_is_not_saved_leaves_no_bytes),
		CASE(the_clock_is_shifted_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
