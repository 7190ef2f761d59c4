/* SPDX-License-Identifier: MIT */
/* Records whose EOI a policy has let go, and what asks after them. */
#include "ioapic_rig.h"

/* Pin 7 is delivered to vCPU 1 as 31, its line has dropped, and the policy has let go. */
static int setup(void **state)
{
	rig_setup(state);
	rig.lets_go = true;
	program(7, rte_of(1, 0x31, LEVEL));
	line(7, true);
	line(7, false);
	assert_diary("level107:31>1 fell1:31 ");
	return 0;
}

static void a_rise_asks_and_there_coalesces(void **state)
{
	(void)state;
	rig.where = LW_RECALL_THERE;
	line(7, true);
	assert_diary("recall1:31 ");
	assert_true(remote_irr(7));
	assert_diary(""); /* held again: nobody asks twice */
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>1 ");
}

static void a_rise_asks_and_gone_redelivers(void **state)
{
	(void)state;
	rig.where = LW_RECALL_GONE;
	line(7, true);
	assert_diary("recall1:31 level107:31>1 ");
	assert_true(in_flight(1, 0x31));
	assert_int_equal(lw_ioapic_counters(rig.io).recalls, 1);
	assert_int_equal(lw_ioapic_counters(rig.io).deliveries, 2);
}

static void a_rise_asks_and_the_owner_answers_gone(void **state)
{
	(void)state;
	rig.where = LW_RECALL_ASKED;
	line(7, true);
	assert_diary("recall1:31 ");
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_diary("level107:31>1 ");
}

static void a_rise_asks_and_the_owner_answers_there(void **state)
{
	(void)state;
	rig.where = LW_RECALL_ASKED;
	line(7, true);
	line(7, false); /* still let go: the policy is not asked whether to */
	assert_diary("recall1:31 ");
	line(7, true);
	assert_diary("recall1:31 ");
	lw_ioapic_hold(rig.io, 2, 0x31);
	lw_ioapic_hold(rig.io, 1, 0x32);
	assert_true(remote_irr(7));
	assert_diary("recall1:31 ");
	lw_ioapic_hold(rig.io, 1, 0x31);
	assert_true(remote_irr(7));
	assert_diary("");
	line(7, false);
	assert_diary("fell1:31 ");
}

static void a_read_of_the_rte_asks(void **state)
{
	uint32_t low;

	(void)state;
	rig.where = LW_RECALL_ASKED;
	assert_true(remote_irr(7));
	rig.where = LW_RECALL_GONE;
	low = lw_ioapic_read(rig.io, 0x10 + 2 * 7);
	assert_int_equal(low & LW_RTE_REMOTE_IRR, 0);
	assert_diary("recall1:31 recall1:31 ");
	assert_false(remote_irr(7));
	assert_diary("");
}

static void an_unmask_with_the_line_up_asks(void **state)
{
	(void)state;
	write_low(7, rte_of(1, 0x31, LEVEL | MASKED));
	line(7, true);
	assert_diary("route31L-31L ");
	rig.where = LW_RECALL_GONE;
	write_low(7, rte_of(1, 0x41, LEVEL));
	assert_diary("route31L-41L recall1:31 level107:41>1 ");
}

static void whoever_wants_to_be_told_gets_an_answer(void **state)
{
	(void)state;
	rig.where = LW_RECALL_THERE;
	lw_ioapic_notify(rig.io, 7, true);
	assert_diary("recall1:31 ");
	line(7, true);
	line(7, false);
	assert_diary(""); /* with a listener nothing is let go */
	eoi(1, 0x31);
	assert_diary("resample107 ");
}

/* Found by fuzz_ioapic. */
static void an_eoi_before_anybody_listened_is_told_to_nobody(void **state)
{
	(void)state;
	rig.where = LW_RECALL_GONE;
	lw_ioapic_notify(rig.io, 7, true);
	assert_diary("recall1:31 ");
	assert_false(remote_irr(7));
	line(7, true);
	line(7, false);
	eoi(1, 0x31);
	assert_diary("level107:31>1 resample107 ");
}

static void an_eoi_that_leaves_all_the_same_resolves(void **state)
{
	(void)state;
	assert_true(in_flight(1, 0x31));
	assert_int_equal(eoi(1, 0x31), LW_EOI_NECESSARY);
	assert_false(remote_irr(7));
	assert_diary("");
}

static void settle_asks_after_all_that_were_let_go(void **state)
{
	(void)state;
	program(3, rte_of(1, 0x41, LEVEL));
	program(9, rte_of(2, 0x51, LEVEL));
	line(3, true);
	line(9, true);
	line(9, false);
	rig.where = LW_RECALL_GONE;
	forget_diary();
	lw_ioapic_settle_locked((rig_lock(&rig), rig.io));
	rig_unlock(&rig);
	assert_diary("recall1:31 recall2:51 ");
	assert_false(remote_irr(7) || remote_irr(9));
	assert_true(remote_irr(3));
	assert_diary("");
}

static bool releasable(uint32_t vcpu, uint8_t vector)
{
	return lw_ioapic_releasable_locked(rig.io, vcpu, vector);
}

static void a_pair_is_let_go_as_a_whole_or_not_at_all(void **state)
{
	(void)state;
	rig.where = LW_RECALL_THERE;
	assert_true(releasable(1, 0x31) && releasable(5, 0x99));
	program(8, rte_of(1, 0x31, LEVEL));
	line(8, true);
	assert_false(releasable(1, 0x31)); /* a line is up */
	line(8, false);
	assert_true(releasable(1, 0x31));
	lw_ioapic_notify(rig.io, 8, true);
	assert_false(releasable(1, 0x31));
	lw_ioapic_notify(rig.io, 8, false);
	lw_ioapic_keep_locked(rig.io, 2, 0x31);
	assert_true(releasable(1, 0x31));
	lw_ioapic_keep_locked(rig.io, 1, 0x31);
	assert_false(releasable(1, 0x31));
	eoi(1, 0x31);
	assert_true(releasable(1, 0x31));
}

static void several_or_unknown_takers_are_not_let_go(void **state)
{
	(void)state;
	rig.several = 3;
	program(8, rte_of(1, 0x41, LEVEL));
	line(8, true);
	line(8, false);
	assert_false(releasable(1, 0x41) || releasable(0, 0x41));
	assert_true(releasable(3, 0x41));
	rig.several = 0;
	rig.any = true;
	program(9, rte_of(1, 0x51, LEVEL));
	line(9, true);
	line(9, false);
	assert_false(releasable(1, 0x51) || releasable(60, 0x51));
}

/* Only what was let go, though it may have been held since. */
static void finish_resolves_what_was_in_doubt(void **state)
{
	(void)state;
	program(8, rte_of(1, 0x31, LEVEL));
	line(8, true);
	lw_ioapic_hold(rig.io, 1, 0x31);
	forget_diary();
	rig_lock(&rig);
	lw_ioapic_finish_locked(rig.io, 2, 0x31);
	assert_true(in_flight(1, 0x31));
	lw_ioapic_finish_locked(rig.io, 1, 0x31);
	rig_unlock(&rig);
	assert_false(remote_irr(7));
	assert_true(remote_irr(8));
	assert_diary("");
}

/* The same by its locked name. */
static void the_locked_forms_do_the_same(void **state)
{
	(void)state;
	rig_lock(&rig);
	lw_ioapic_hold_locked(rig.io, 1, 0x31);
	lw_ioapic_retry_locked(rig.io);
	lw_ioapic_forget_locked(rig.io, 1);
	rig_unlock(&rig);
	assert_false(remote_irr(7));
	assert_diary("");
}

static void a_flip_to_edge_ends_what_was_let_go(void **state)
{
	(void)state;
	write_low(7, rte_of(1, 0x31, 0));
	assert_diary("closed1:31 route31L-31E ");
	assert_false(remote_irr(7));
	assert_diary("");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_rise_asks_and_there_coalesces),
		CASE(a_rise_asks_and_gone_redelivers),
		CASE(a_rise_asks_and_the_owner_answers_gone),
		CASE(a_rise_asks_and_the_owner_answers_there),
		CASE(a_read_of_the_rte_asks),
		CASE(an_unmask_with_the_line_up_asks),
		CASE(whoever_wants_to_be_told_gets_an_answer),
		CASE(an_eoi_before_anybody_listened_is_told_to_nobody),
		CASE(an_eoi_that_leaves_all_the_same_resolves),
		CASE(settle_asks_after_all_that_were_let_go),
		CASE(a_pair_is_let_go_as_a_whole_or_not_at_all),
		CASE(several_or_unknown_takers_are_not_let_go),
		CASE(finish_resolves_what_was_in_doubt),
		CASE(the_locked_forms_do_the_same),
		CASE(a_flip_to_edge_ends_what_was_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
