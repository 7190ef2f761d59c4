/* SPDX-License-Identifier: MIT */
/* The EOI engine, and the policies that scan. test_eoi_armed.c has the others. */
#include "eoi_rig.h"

static void sizes(void **state)
{
	(void)state;
	assert_true(lw_eoi_size(1) > 0 && lw_eoi_size(65536) > 65535 * (lw_eoi_size(2) / 4));
	assert_int_equal(lw_eoi_size(0), 0);
	assert_int_equal(lw_eoi_size(65537), 0);
}

static void init_refuses_what_the_header_says(void **state)
{
	static _Alignas(LW_EOI_ALIGN) unsigned char storage[8192];
	const struct lw_eoi_config good = {.policy = LW_EOI_LAZY, .nvcpus = 1, .env = &world_env};
	struct lw_eoi_config bad = good;
	struct lw_eoi *e = (void *)storage;

	(void)state;
	assert_int_equal(lw_eoi_init(e, &good), 0);
	assert_int_equal(lw_eoi_init(NULL, &good), -EINVAL);
	assert_int_equal(lw_eoi_init((void *)(storage + 8), &good), -EINVAL);
	assert_int_equal(lw_eoi_init(e, NULL), -EINVAL);
	bad.policy = LW_EOI_POLICIES;
	assert_int_equal(lw_eoi_init(e, &bad), -EINVAL);
	bad.policy = (enum lw_eoi_policy) - 1;
	assert_int_equal(lw_eoi_init(e, &bad), -EINVAL);
	bad = good;
	bad.flags = 4;
	assert_int_equal(lw_eoi_init(e, &bad), -EINVAL);
	bad = good;
	bad.nvcpus = 0;
	assert_int_equal(lw_eoi_init(e, &bad), -EINVAL);
	bad = good;
	bad.env = NULL;
	assert_int_equal(lw_eoi_init(e, &bad), -EINVAL);
}

static void every_member_of_the_environment_is_needed(void **state)
{
	static _Alignas(LW_EOI_ALIGN) unsigned char storage[8192];
	struct lw_eoi_env env;
	struct lw_eoi_config config = {.policy = LW_EOI_ARMED, .nvcpus = 1, .env = &env};

	(void)state;
	for (size_t n = 0; n < sizeof(env) / sizeof(void (*)(void)); n++) {
		env = world_env;
		memset((char *)&env + n * sizeof(void (*)(void)), 0, sizeof(void (*)(void)));
		assert_int_equal(lw_eoi_init((void *)storage, &config), -EINVAL);
	}
	env = world_env;
	assert_int_equal(lw_eoi_init((void *)storage, &config), 0);
}

static void names(void **state)
{
	static const char *const name[] = {"static", "scan", "track-v4", "track", "armed", "lazy"};

	(void)state;
	for (int n = 0; n < LW_EOI_POLICIES; n++) {
		assert_string_equal(lw_eoi_policy_name((enum lw_eoi_policy)n), name[n]);
		assert_int_equal(lw_eoi_policy_by_name(name[n]), n);
	}
	assert_null(lw_eoi_policy_name(LW_EOI_POLICIES));
	assert_int_equal(lw_eoi_policy_by_name("trac"), -EINVAL);
	assert_int_equal(lw_eoi_policy_by_name("track-v45"), -EINVAL);
	assert_int_equal(lw_eoi_policy_by_name(""), -EINVAL);
	assert_int_equal(lw_eoi_policy_by_name(NULL), -EINVAL);
}

/* ---- sets ---- */

static void vcpus_that_are_not_there_have_empty_sets(void **state)
{
	uint64_t bitmap[4] = {1, 2, 3, 4};

	(void)state;
	world_open(LW_EOI_ARMED, LW_EOI_HARDWARE);
	assert_false(in_set(VCPUS, 0x31) || loaded(VCPUS, 0x31) || in_set(UINT32_MAX, 0x31));
	lw_eoi_bitmap(world.eoi, VCPUS, bitmap);
	for (int n = 0; n < 4; n++)
		assert_int_equal(bitmap[n], 0);
}

static void a_bitmap_has_what_was_loaded(void **state)
{
	uint64_t bitmap[4];

	(void)state;
	world_open(LW_EOI_ARMED, LW_EOI_HARDWARE);
	deliver(1, 0x31);
	deliver(1, 0xff);
	/* Out of guest mode the VMM carries out EOIs, and knows what is not loaded yet. */
	assert_true(in_set(1, 0x31) && !loaded(1, 0x31) && leaves(1, 0x31));
	lw_eoi_bitmap(world.eoi, 1, bitmap);
	assert_int_equal(bitmap[0] | bitmap[3], 0);
	enter(1);
	lw_eoi_bitmap(world.eoi, 1, bitmap);
	assert_int_equal(bitmap[0], 1ull << 0x31);
	assert_int_equal(bitmap[1] | bitmap[2], 0);
	assert_int_equal(bitmap[3], 1ull << 63);
	assert_true(loaded(1, 0x31) && leaves(1, 0x31) && !leaves(0, 0x31));
	assert_int_equal(counters().reloads, 1);
	leave(1);
	enter(1);
	assert_int_equal(counters().reloads, 1); /* unchanged */
}

static void a_software_set_needs_no_load(void **state)
{
	(void)state;
	world_open(LW_EOI_ARMED, 0);
	enter(1);
	deliver(1, 0x31);
	assert_true(loaded(1, 0x31) && leaves(1, 0x31));
	leave(1);
	enter(1);
	assert_int_equal(counters().reloads, 0);
	assert_diary("");
}

static void ended_is_counted_by_its_class(void **state)
{
	(void)state;
	world_open(LW_EOI_STATIC, 0);
	for (int n = 0; n < 6; n++)
		hooks()->ended(world.eoi, 0, 0x31,
			       n < 3   ? LW_EOI_NECESSARY
			       : n < 5 ? LW_EOI_REDUNDANT
				       : LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().necessary, 3);
	assert_int_equal(counters().redundant, 2);
	assert_int_equal(counters().superfluous, 1);
}

/* ---- what scans, and when ---- */

static void a_reconfiguration_kicks_who_is_in_guest_mode(void **state)
{
	(void)state;
	world_open(LW_EOI_STATIC, 0);
	enter(0);
	enter(2);
	set_route(0, fixed(2, 0x31, true));
	assert_diary("kick0 kick2 ");
	assert_int_equal(counters().kicks_reconfig, 2);
	set_route(1, fixed(1, 0x41, true));
	assert_diary(""); /* they have been told */
	assert_int_equal(counters().routes_scanned, 0);
	leave(2);
	assert_diary(""); /* a scan waits for the entry */
	for (uint32_t n = 0; n < VCPUS; n++)
		enter(n);
	assert_diary("lock scan0 unlock lock scan1 unlock lock scan2 unlock lock scan3 unlock ");
	assert_int_equal(counters().routes_scanned, VCPUS * PINS);
	assert_int_equal(counters().kicks_arm, 0);
	for (uint32_t n = 0; n < VCPUS; n++) {
		assert_int_equal(leaves(n, 0x31), n == 2);
		assert_int_equal(leaves(n, 0x41), n == 1);
	}
}

static void in_the_kernel_a_fixed_write_scans_old_and_new_targets(void **state)
{
	struct lw_msg lowest = fixed(3, 0x31, true);

	(void)state;
	world_open(LW_EOI_SCAN, LW_EOI_IN_KERNEL);
	for (uint32_t n = 0; n < VCPUS; n++)
		enter(n);
	set_route(0, fixed(0, 0x31, true));
	assert_diary("kick0 ");
	enter((leave(0), 0));
	set_route(0, fixed(2, 0x31, true));
	assert_diary("lock scan0 unlock kick2 kick0 ");
	enter((leave(0), 0));
	enter((leave(2), 2));
	forget_diary();
	set_route(0, fixed(2, 0x41, true));
	assert_diary("kick2 ");
	enter((leave(2), 2));
	forget_diary();
	lowest.delivery = LW_DM_LOWEST;
	set_route(0, lowest);
	assert_diary("kick0 kick1 kick2 kick3 ");
}

static void a_remap_scans_everywhere_but_for_armed(void **state)
{
	(void)state;
	for (int policy = LW_EOI_STATIC; policy < LW_EOI_POLICIES; policy++) {
		bool scans = policy <= LW_EOI_TRACK;

		world_open((enum lw_eoi_policy)policy, 0);
		enter(3);
		hooks()->remap(world.eoi);
		assert_diary(scans ? "kick3 " : "");
		leave(3);
		enter(3);
		assert_diary(scans ? "lock scan3 unlock " : "");
		if (policy + 1 < LW_EOI_POLICIES)
			world_close(NULL);
	}
}

/* What a policy has nothing to say about. */
static void a_scanning_policy_lets_everything_be_published(void **state)
{
	(void)state;
	world_open(LW_EOI_SCAN, LW_EOI_HARDWARE);
	enter(1);
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_NOW);
	assert_false(hooks()->fell(world.eoi, 1, 0x31));
	assert_int_equal(hooks()->recall(world.eoi, 1, 0x31), LW_RECALL_THERE);
	hooks()->closed(world.eoi, 1, 0x31);
	hooks()->init(world.eoi, 1);
	hooks()->broadcast(world.eoi, 1, true);
	hooks()->broadcast(world.eoi, 1, false);
	assert_diary("");
	assert_false(in_set(1, 0x31));
}

static void a_scan_reaches_a_hardware_bitmap_at_entry(void **state)
{
	(void)state;
	world_open(LW_EOI_SCAN, LW_EOI_HARDWARE);
	set_route(0, fixed(1, 0x31, true));
	assert_false(loaded(1, 0x31));
	enter(1);
	assert_true(loaded(1, 0x31));
	assert_int_equal(counters().reloads, 1);
}

/* ---- what each takes in: pin 0 has moved from vCPU 1 to 2 while 31 was in flight on 1 ---- */

static void move_in_service(enum lw_eoi_policy policy, uint32_t flags)
{
	world_open(policy, flags);
	set_route(0, fixed(1, 0x31, true));
	enter(1);
	deliver(1, 0x31);
	set_route(0, fixed(2, 0x31, true));
	leave(1);
	enter(1);
	forget_diary();
}

static void static_loses_the_eoi(void **state)
{
	(void)state;
	move_in_service(LW_EOI_STATIC, 0);
	assert_false(eoi(1, 0x31));
	assert_true(world.in_flight[1][0x31]);
}

static void scan_keeps_the_stale_vector_until_a_scan_finds_it_idle(void **state)
{
	(void)state;
	move_in_service(LW_EOI_SCAN, 0);
	assert_true(eoi(1, 0x31));
	assert_int_equal(counters().necessary, 1);
	for (int n = 0; n < 3; n++) {
		enter(1);
		world.holds[1][0x31] = true; /* an edge of the same vector */
		assert_true(eoi(1, 0x31));
	}
	assert_int_equal(counters().superfluous, 3);
	set_route(1, fixed(3, 0x41, true));
	enter(1);
	assert_false(eoi(1, 0x31));
}

/* The coincidence: somebody else's vector is pending here. Edge routes don't count. */
static void scan_catches_a_coincidence_of_level_routes(void **state)
{
	(void)state;
	world_open(LW_EOI_SCAN, 0);
	world.holds[1][0x31] = world.holds[1][0x41] = true;
	set_route(0, fixed(2, 0x31, true));
	set_route(1, fixed(2, 0x41, false));
	enter(1);
	assert_true(in_set(1, 0x31) && !in_set(1, 0x41));
}

static void scan_loses_a_rewritten_vector(void **state)
{
	(void)state;
	world_open(LW_EOI_SCAN, 0);
	set_route(0, fixed(1, 0x31, true));
	enter(1);
	deliver(1, 0x31);
	set_route(0, fixed(1, 0x41, true));
	leave(1);
	enter(1);
	assert_false(leaves(1, 0x31));
}

static void try_tracking_rescans(enum lw_eoi_policy policy)
{
	move_in_service(policy, 0);
	enter(2);
	forget_diary();
	assert_true(eoi(1, 0x31));
	assert_diary("");
	enter(1);
	assert_diary("lock scan1 unlock ");
	assert_false(leaves(1, 0x31));
	assert_int_equal(counters().superfluous, 0);
	/* and the record is gone: another EOI asks for nothing */
	hooks()->ended(world.eoi, 1, 0x31, LW_EOI_SUPERFLUOUS);
	leave(1);
	enter(1);
	assert_diary("");
}

static void track_v4_rescans_its_vcpu_at_the_recorded_eoi(void **state)
{
	(void)state;
	try_tracking_rescans(LW_EOI_TRACK_V4);
}

static void track_rescans_its_vcpu_at_the_recorded_eoi(void **state)
{
	(void)state;
	try_tracking_rescans(LW_EOI_TRACK);
}

static void track_records_the_highest(void **state)
{
	(void)state;
	for (int policy = LW_EOI_TRACK_V4; policy <= LW_EOI_TRACK; policy++) {
		if (policy > LW_EOI_TRACK_V4)
			world_close(NULL);
		world_open((enum lw_eoi_policy)policy, 0);
		world.holds[1][0x31] = world.holds[1][0x91] = world.holds[1][0x61] = true;
		set_route(0, fixed(2, 0x31, true));
		set_route(1, fixed(2, 0x91, true));
		set_route(2, fixed(2, 0x61, true));
		enter(1);
		forget_diary();
		assert_true(eoi(1, 0x31) && eoi(1, 0x61));
		enter(1);
		assert_diary("");
		assert_true(eoi(1, 0x91));
		enter(1);
		assert_diary("lock scan1 unlock ");
		assert_false(leaves(1, 0x31) || leaves(1, 0x61) || leaves(1, 0x91));
	}
}

/* A high stale vector is recorded and idle at the next scan; then a lower one is caught. */
static bool lower_one_is_cleaned(enum lw_eoi_policy policy)
{
	bool cleaned;

	world_open(policy, 0);
	world.holds[1][0x91] = true;
	set_route(0, fixed(2, 0x91, true));
	enter(1);
	world.holds[1][0x91] = false; /* INIT */
	world.holds[1][0x31] = true;
	set_route(0, fixed(3, 0x31, true));
	leave(1);
	enter(1);
	assert_true(eoi(1, 0x31));
	enter(1);
	cleaned = !leaves(1, 0x31);
	world_close(NULL);
	return cleaned;
}

static void reset_latch_keeps_a_lower_stale_vector_in_track_v4_only(void **state)
{
	(void)state;
	assert_false(lower_one_is_cleaned(LW_EOI_TRACK_V4));
	assert_true(lower_one_is_cleaned(LW_EOI_TRACK));
	world_open(LW_EOI_STATIC, 0);
}

static bool takes_edge_route(enum lw_eoi_policy policy, uint32_t flags)
{
	bool takes;

	world_open(policy, flags);
	world.holds[1][0x31] = true;
	set_route(0, fixed(1, 0x31, false));
	enter(1);
	takes = in_set(1, 0x31);
	world_close(NULL);
	return takes;
}

static void edge_route_arms_in_split_track_v4_only(void **state)
{
	(void)state;
	assert_true(takes_edge_route(LW_EOI_TRACK_V4, 0));
	assert_false(takes_edge_route(LW_EOI_TRACK_V4, LW_EOI_IN_KERNEL));
	assert_false(takes_edge_route(LW_EOI_TRACK, 0));
	assert_false(takes_edge_route(LW_EOI_SCAN, 0));
	assert_false(takes_edge_route(LW_EOI_STATIC, 0));
	world_open(LW_EOI_STATIC, 0);
}

#define CASE(name) cmocka_unit_test_teardown(name, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(init_refuses_what_the_header_says),
		cmocka_unit_test(every_member_of_the_environment_is_needed),
		cmocka_unit_test(names),
		CASE(vcpus_that_are_not_there_have_empty_sets),
		CASE(a_bitmap_has_what_was_loaded),
		CASE(a_software_set_needs_no_load),
		CASE(ended_is_counted_by_its_class),
		CASE(a_reconfiguration_kicks_who_is_in_guest_mode),
		CASE(in_the_kernel_a_fixed_write_scans_old_and_new_targets),
		CASE(a_remap_scans_everywhere_but_for_armed),
		CASE(a_scanning_policy_lets_everything_be_published),
		CASE(a_scan_reaches_a_hardware_bitmap_at_entry),
		CASE(static_loses_the_eoi),
		CASE(scan_keeps_the_stale_vector_until_a_scan_finds_it_idle),
		CASE(scan_catches_a_coincidence_of_level_routes),
		CASE(scan_loses_a_rewritten_vector),
		CASE(track_v4_rescans_its_vcpu_at_the_recorded_eoi),
		CASE(track_rescans_its_vcpu_at_the_recorded_eoi),
		CASE(track_records_the_highest),
		CASE(reset_latch_keeps_a_lower_stale_vector_in_track_v4_only),
		CASE(edge_route_arms_in_split_track_v4_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
