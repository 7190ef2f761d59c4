/* SPDX-License-Identifier: MIT */
/* `armed` and `lazy`: what enters a set without a scan, and how it reaches hardware. */
#include "eoi_rig.h"

static int armed(void **state)
{
	(void)state;
	world_open(LW_EOI_ARMED, 0);
	return 0;
}

static int armed_hardware(void **state)
{
	(void)state;
	world_open(LW_EOI_ARMED, LW_EOI_HARDWARE);
	return 0;
}

static int lazy(void **state)
{
	(void)state;
	world_open(LW_EOI_LAZY, 0);
	return 0;
}

static int lazy_hardware(void **state)
{
	(void)state;
	world_open(LW_EOI_LAZY, LW_EOI_HARDWARE);
	return 0;
}

static void closed(uint32_t vcpu, uint8_t vector)
{
	world.in_flight[vcpu][vector] = false;
	hooks()->closed(world.eoi, vcpu, vector);
}

/* ---- what enters and what leaves ---- */

static void a_reconfiguration_scans_nothing_and_kicks_nobody(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		enter(n);
	for (uint32_t n = 0; n < 100; n++)
		set_route(n % PINS, fixed(n % VCPUS, (uint8_t)(0x20 + n), n % 3 != 0));
	hooks()->remap(world.eoi);
	assert_diary("");
	assert_int_equal(counters().routes_scanned + counters().kicks_reconfig, 0);
	assert_int_equal(counters().kicks_arm, 0);
}

static void a_route_wants_its_bit_and_takes_the_old_one_back(void **state)
{
	struct lw_msg two = fixed(6, 0x31, true); /* vCPUs 1 and 2 */

	(void)state;
	two.logical = true;
	set_route(0, fixed(1, 0x41, false));
	assert_false(in_set(1, 0x41));
	set_route(0, two);
	assert_true(in_set(1, 0x31) && in_set(2, 0x31) && !in_set(0, 0x31));
	set_route(0, fixed(2, 0x31, true));
	assert_true(!in_set(1, 0x31) && in_set(2, 0x31));
	set_route(0, fixed(2, 0x32, true));
	assert_true(!in_set(2, 0x31) && in_set(2, 0x32));
	set_route(1, fixed(2, 0x32, true));
	world.routed[2][0x32] = true;
	set_route(1, fixed(2, 0x33, true));
	world.routed[2][0x32] = true; /* by pin 0 */
	assert_true(in_set(2, 0x33));
	set_route(0, fixed(2, 0x32, false));
	assert_false(in_set(2, 0x32));
}

static void moved_in_service_keeps_the_bit_for_its_one_eoi(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	enter(1);
	deliver(1, 0x31);
	set_route(0, fixed(2, 0x31, true));
	assert_true(leaves(1, 0x31) && in_set(2, 0x31));
	assert_true(eoi(1, 0x31));
	assert_false(eoi(1, 0x31));
	assert_int_equal(counters().necessary, 1);
	assert_int_equal(counters().superfluous, 0);
}

static void vector_rewrite_in_service(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	deliver(1, 0x31);
	set_route(0, fixed(1, 0x41, true));
	assert_true(eoi(1, 0x31));
	assert_false(leaves(1, 0x31));
	assert_true(leaves(1, 0x41));
}

static void the_bit_stays_while_its_pair_is_routed(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	deliver(1, 0x31);
	assert_true(eoi(1, 0x31));
	assert_true(in_set(1, 0x31));
	deliver(1, 0x41); /* not routed, say through a logical destination since changed */
	assert_true(eoi(1, 0x41));
	assert_false(in_set(1, 0x41));
}

static void a_superfluous_exit_clears_the_bit_unless_in_flight(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	assert_true(eoi(1, 0x31));
	assert_false(in_set(1, 0x31));
	deliver(1, 0x31);
	hooks()->ended(world.eoi, 1, 0x31, LW_EOI_SUPERFLUOUS);
	assert_true(in_set(1, 0x31));
	world.routed[1][0x31] = false;
	hooks()->ended(world.eoi, 1, 0x31, LW_EOI_NECESSARY); /* of another record */
	assert_true(in_set(1, 0x31));
	hooks()->ended(world.eoi, 1, 0x31, LW_EOI_REDUNDANT);
	assert_true(in_set(1, 0x31));
}

static void a_closed_record_takes_its_bit_along(void **state)
{
	(void)state;
	deliver(1, 0x31);
	deliver(2, 0x31);
	set_route(0, fixed(2, 0x31, true));
	closed(1, 0x31);
	closed(2, 0x31);
	assert_false(in_set(1, 0x31));
	assert_true(in_set(2, 0x31));
}

static void reset_clears_what_nothing_needs(void **state)
{
	(void)state;
	deliver(1, 0x31);
	deliver(1, 0xe1);
	set_route(0, fixed(1, 0x41, true));
	deliver(2, 0x31);
	world.in_flight[1][0x31] = false;
	hooks()->init(world.eoi, 1);
	assert_false(in_set(1, 0x31));
	assert_true(in_set(1, 0xe1) && in_set(1, 0x41) && in_set(2, 0x31));
}

static void directed_eoi_arms_nothing_until_broadcasts_are_back(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x41, true));
	world.suppresses[1] = true;
	hooks()->broadcast(world.eoi, 1, true);
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_NOW);
	set_route(1, fixed(1, 0x51, true));
	assert_false(in_set(1, 0x31) || in_set(1, 0x51));
	assert_false(in_set(1, 0x41)); /* armed before, of no use now */
	hooks()->ended(world.eoi, 1, 0x41, LW_EOI_SUPERFLUOUS);
	assert_false(in_set(1, 0x41));
	world.suppresses[1] = false;
	hooks()->broadcast(world.eoi, 1, false);
	assert_true(in_set(1, 0x31) && !in_set(1, 0x51));
}

static void a_delivery_to_a_vcpu_outside_is_published_at_once(void **state)
{
	(void)state;
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_NOW);
	assert_false(loaded(1, 0x31));
	enter(1);
	assert_true(loaded(1, 0x31));
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_NOW);
	assert_diary("");
}

static void load_before_publish(void **state)
{
	(void)state;
	enter(1);
	assert_int_equal(deliver(1, 0x91), LW_PUBLISH_OWNER);
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_OWNER); /* it is on its way out */
	assert_diary("kick1 ");
	assert_int_equal(counters().kicks_arm, 1);
	assert_false(loaded(1, 0x31) || loaded(1, 0x91));
	leave(1);
	assert_diary("lock publish1:31 publish1:91 unlock ");
	enter(1);
	assert_diary("");
	assert_true(loaded(1, 0x31) && loaded(1, 0x91));
	assert_int_equal(counters().kicks_reconfig, 0);
}

/* An entry serves what an exit did not, as after an EOI exit. */
static void an_entry_publishes_what_was_handed_over(void **state)
{
	(void)state;
	enter(1);
	deliver(1, 0x31);
	hooks()->exit(world.eoi, 1);
	assert_int_equal(deliver(1, 0x41), LW_PUBLISH_NOW);
	assert_diary("kick1 ");
	enter(1);
	assert_diary("lock publish1:31 unlock ");
	assert_true(loaded(1, 0x41));
}

static void raise_another(uint32_t vcpu, uint8_t vector)
{
	if (vector < 0x38)
		assert_int_equal(deliver(vcpu, (uint8_t)(vector + 1)), LW_PUBLISH_NOW);
}

static void raise_once_more(void)
{
	world.on_unlock = NULL;
	assert_int_equal(deliver(1, 0x51), LW_PUBLISH_NOW);
}

/* Deliveries that arrive while the vCPU is on its way in are loaded before it is. */
static void an_entry_looks_again_until_nothing_has_changed(void **state)
{
	(void)state;
	enter(1);
	deliver(1, 0x31);
	hooks()->exit(world.eoi, 1);
	world.on_publish = raise_another;
	world.on_unlock = raise_once_more;
	enter(1);
	assert_true(loaded(1, 0x31) && loaded(1, 0x32) && loaded(1, 0x51));
	assert_int_equal(deliver(1, 0x61), LW_PUBLISH_OWNER); /* it is inside */
}

static void a_wanted_bit_is_loaded_at_the_next_entry(void **state)
{
	(void)state;
	enter(1);
	set_route(0, fixed(1, 0x31, true));
	assert_diary("");
	assert_false(loaded(1, 0x31));
	leave(1);
	assert_false(loaded(1, 0x31));
	enter(1);
	assert_true(loaded(1, 0x31));
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_NOW);
	assert_diary("");
}

static void reset_forgets_what_was_handed_over(void **state)
{
	(void)state;
	enter(1);
	deliver(1, 0x31);
	hooks()->exit(world.eoi, 1);
	world.in_flight[1][0x31] = false;
	hooks()->init(world.eoi, 1);
	enter(1);
	assert_null(strstr(diary, "publish"));
	assert_false(loaded(1, 0x31));
}

/* ---- lazy, on a software set ---- */

/* A delivery of 31 to vCPU 1 whose line has dropped. */
static bool let_go(void)
{
	deliver(1, 0x31);
	return hooks()->fell(world.eoi, 1, 0x31);
}

static enum lw_recall recall(void)
{
	return hooks()->recall(world.eoi, 1, 0x31);
}

static void a_line_that_drops_takes_the_bit_along(void **state)
{
	(void)state;
	assert_true(let_go());
	assert_diary("release1:31 ");
	assert_false(eoi(1, 0x31));
	assert_int_equal(counters().necessary, 0);
}

static void what_may_not_be_released_stays(void **state)
{
	(void)state;
	world.keeps = true;
	assert_false(let_go());
	assert_true(in_set(1, 0x31));
	world.keeps = false;
	world.suppresses[1] = true;
	assert_false(let_go());
}

static void the_owner_finds_it_there_or_gone_at_once(void **state)
{
	(void)state;
	world.owned[1] = true;
	let_go();
	assert_int_equal(recall(), LW_RECALL_THERE);
	assert_true(in_set(1, 0x31)); /* armed again: this EOI will leave */
	let_go();
	world.holds[1][0x31] = false;
	assert_int_equal(recall(), LW_RECALL_GONE);
	assert_false(in_set(1, 0x31));
	set_route(0, fixed(1, 0x31, true));
	let_go();
	world.holds[1][0x31] = false;
	assert_int_equal(recall(), LW_RECALL_GONE);
	assert_true(in_set(1, 0x31)); /* routed */
	assert_diary("release1:31 release1:31 release1:31 ");
}

/* Load, then check: on the owner's thread, the bit in the set before anybody looks. */
static void somebody_else_must_ask_the_owner(void **state)
{
	(void)state;
	let_go();
	enter(1);
	assert_int_equal(recall(), LW_RECALL_ASKED);
	assert_true(in_set(1, 0x31));
	assert_int_equal(recall(), LW_RECALL_ASKED);
	assert_diary("release1:31 kick1 ");
	leave(1);
	assert_diary("lock there1:31 unlock ");
	assert_int_equal(counters().kicks_arm, 1);
	assert_true(eoi(1, 0x31));
}

/* While the answer is owed, the delivery ends and the next one is let go as well. */
static void let_go_again_before_the_answer(void **state)
{
	(void)state;
	let_go();
	enter(1);
	assert_int_equal(recall(), LW_RECALL_ASKED);
	assert_true(eoi(1, 0x31));
	assert_true(let_go());
	leave(1);
	assert_non_null(strstr(diary, "there1:31 "));
	assert_true(leaves(1, 0x31));
}

static void an_owner_that_is_out_is_woken(void **state)
{
	(void)state;
	let_go();
	world.holds[1][0x31] = false;
	assert_int_equal(recall(), LW_RECALL_ASKED);
	assert_diary("release1:31 kick1 ");
	hooks()->serve(world.eoi, 1);
	assert_diary("lock gone1:31 unlock ");
	assert_false(in_set(1, 0x31));
	assert_int_equal(counters().kicks_arm, 0);
}

static void gone_keeps_the_bit_of_a_routed_pair(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	let_go();
	world.holds[1][0x31] = false;
	recall();
	hooks()->serve(world.eoi, 1);
	assert_non_null(strstr(diary, "gone1:31 "));
	assert_true(in_set(1, 0x31));
}

static void an_exit_after_all_arms_a_routed_pair_again(void **state)
{
	(void)state;
	set_route(0, fixed(1, 0x31, true));
	let_go();
	assert_false(in_set(1, 0x31));
	hooks()->ended(world.eoi, 1, 0x31, LW_EOI_NECESSARY);
	assert_true(in_set(1, 0x31));
}

static void reset_forgets_what_was_asked(void **state)
{
	(void)state;
	let_go();
	recall();
	world.in_flight[1][0x31] = false;
	hooks()->init(world.eoi, 1);
	forget_diary();
	hooks()->serve(world.eoi, 1);
	assert_diary("lock unlock ");
}

static void directed_eoi_ends_what_was_let_go(void **state)
{
	(void)state;
	let_go();
	deliver(1, 0x41);
	world.suppresses[1] = true;
	hooks()->broadcast(world.eoi, 1, true);
	assert_diary("release1:31 finish1:31 finish1:41 ");
	deliver(1, 0x51);
	deliver(1, 0x61);
	world.holds[1][0x61] = false; /* its EOI has been, and told nobody */
	world.suppresses[1] = false;
	hooks()->broadcast(world.eoi, 1, false);
	assert_diary("keep1:61 ");
	assert_true(in_set(1, 0x51) && in_set(1, 0x61));
}

/* ---- lazy, on a hardware bitmap ---- */

static void in_guest_mode_the_bitmap_is_out_of_reach(void **state)
{
	(void)state;
	enter(1);
	assert_false(let_go());
	leave(1);
	enter(1);
	assert_true(leaves(1, 0x31));
}

static void a_handed_delivery_is_there(void **state)
{
	(void)state;
	enter(1);
	assert_int_equal(deliver(1, 0x31), LW_PUBLISH_OWNER);
	assert_int_equal(recall(), LW_RECALL_THERE);
}

/* The bit has been loaded all along: the EOI would have left. */
static void what_the_bitmap_never_lost_is_there(void **state)
{
	(void)state;
	deliver(1, 0x31);
	enter(1);
	leave(1);
	hooks()->fell(world.eoi, 1, 0x31);
	assert_int_equal(recall(), LW_RECALL_THERE);
	enter(1);
	assert_true(leaves(1, 0x31));
}

/* One interrupt whose line drops in an exit of its own vCPU; true if its EOI stayed inside. */
static bool one_interrupt(void)
{
	deliver(1, 0x31);
	enter(1);
	leave(1);
	hooks()->fell(world.eoi, 1, 0x31);
	enter(1);
	return !eoi(1, 0x31);
}

/*
 * When it lets go is a matter of taste; what it may not do is to say THERE of a vector that is gone
 * and whose EOI it has not seen.
 */
static void what_is_gone_is_never_taken_for_there(void **state)
{
	int unseen = 0;

	(void)state;
	for (int n = 0; n < 40; n++) {
		leave(1);
		if (!one_interrupt()) {
			assert_false(world.in_flight[1][0x31]);
			continue;
		}
		unseen++;
		assert_true(world.in_flight[1][0x31]);
		forget_diary();
		assert_int_equal(recall(), LW_RECALL_ASKED);
		assert_diary("kick1 ");
		leave(1);
		assert_diary("lock gone1:31 unlock ");
	}
	assert_true(unseen > 0);
	assert_int_equal(counters().superfluous, 0);
}

/* Asked while its vCPU was on its way to load a bitmap without it, and found in service. */
static void what_is_there_leaves_once_it_has_been_asked_after(void **state)
{
	(void)state;
	for (int n = 0; n < 40; n++) {
		leave(1);
		deliver(1, 0x31);
		enter(1);
		leave(1);
		if (!hooks()->fell(world.eoi, 1, 0x31)) {
			enter(1);
			assert_true(eoi(1, 0x31));
			continue;
		}
		enter(1);
		assert_int_equal(recall(), LW_RECALL_ASKED);
		forget_diary();
		leave(1);
		assert_diary("lock there1:31 unlock ");
		enter(1);
		assert_true(eoi(1, 0x31));
		assert_true(counters().kicks_arm > 0);
		return;
	}
	fail();
}

static void reset_starts_the_books_anew(void **state)
{
	(void)state;
	for (int n = 0; n < 20; n++) {
		leave(1);
		if (one_interrupt())
			break;
	}
	leave(1);
	world.in_flight[1][0x31] = false;
	hooks()->init(world.eoi, 1);
	forget_diary();
	assert_false(in_set(1, 0x31));
	deliver(1, 0x31);
	enter(1);
	assert_true(eoi(1, 0x31));
	assert_diary("");
}

static void equal_states_are_equal_bytes(void **state)
{
	struct lw_eoi *first = world.eoi;

	(void)state;
	deliver(1, 0x31);
	deliver(1, 0x32);
	set_route(0, fixed(2, 0x41, true));
	assert_true(eoi(1, 0x31));
	world_open(LW_EOI_ARMED, 0);
	set_route(0, fixed(3, 0x41, true));
	set_route(0, fixed(2, 0x41, true));
	deliver(1, 0x32);
	deliver(1, 0x33);
	assert_memory_not_equal(world.eoi, first, lw_eoi_size(VCPUS));
	assert_true(eoi(1, 0x33));
	assert_memory_equal(world.eoi, first, lw_eoi_size(VCPUS));
	free(first);
}

#define CASE(name, setup) cmocka_unit_test_setup_teardown(name, setup, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_reconfiguration_scans_nothing_and_kicks_nobody, armed),
		CASE(a_reconfiguration_scans_nothing_and_kicks_nobody, armed_hardware),
		CASE(a_reconfiguration_scans_nothing_and_kicks_nobody, lazy_hardware),
		CASE(a_route_wants_its_bit_and_takes_the_old_one_back, armed),
		CASE(moved_in_service_keeps_the_bit_for_its_one_eoi, armed),
		CASE(moved_in_service_keeps_the_bit_for_its_one_eoi, lazy),
		CASE(vector_rewrite_in_service, armed),
		CASE(vector_rewrite_in_service, lazy),
		CASE(the_bit_stays_while_its_pair_is_routed, armed),
		CASE(a_superfluous_exit_clears_the_bit_unless_in_flight, armed),
		CASE(a_closed_record_takes_its_bit_along, armed),
		CASE(reset_clears_what_nothing_needs, armed),
		CASE(directed_eoi_arms_nothing_until_broadcasts_are_back, armed),
		CASE(a_delivery_to_a_vcpu_outside_is_published_at_once, armed_hardware),
		CASE(load_before_publish, armed_hardware),
		CASE(load_before_publish, lazy_hardware),
		CASE(an_entry_publishes_what_was_handed_over, armed_hardware),
		CASE(an_entry_looks_again_until_nothing_has_changed, armed_hardware),
		CASE(an_entry_looks_again_until_nothing_has_changed, lazy_hardware),
		CASE(a_wanted_bit_is_loaded_at_the_next_entry, armed_hardware),
		CASE(reset_forgets_what_was_handed_over, armed_hardware),
		CASE(a_line_that_drops_takes_the_bit_along, lazy),
		CASE(what_may_not_be_released_stays, lazy),
		CASE(the_owner_finds_it_there_or_gone_at_once, lazy),
		CASE(somebody_else_must_ask_the_owner, lazy),
		CASE(let_go_again_before_the_answer, lazy),
		CASE(an_owner_that_is_out_is_woken, lazy),
		CASE(gone_keeps_the_bit_of_a_routed_pair, lazy),
		CASE(an_exit_after_all_arms_a_routed_pair_again, lazy),
		CASE(reset_forgets_what_was_asked, lazy),
		CASE(directed_eoi_ends_what_was_let_go, lazy),
		CASE(in_guest_mode_the_bitmap_is_out_of_reach, lazy_hardware),
		CASE(a_handed_delivery_is_there, lazy_hardware),
		CASE(what_the_bitmap_never_lost_is_there, lazy_hardware),
		CASE(what_is_gone_is_never_taken_for_there, lazy_hardware),
		CASE(what_is_there_leaves_once_it_has_been_asked_after, lazy_hardware),
		CASE(reset_starts_the_books_anew, lazy_hardware),
		CASE(equal_states_are_equal_bytes, armed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
