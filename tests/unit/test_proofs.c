/* SPDX-License-Identifier: MIT */
/*
 * What SPIN found in the world of proofs/spin, as sequences that anybody can read: how the policies
 * that lose, lose; what each rule is there for; and what was mended. `./x prove` looks through all
 * orders of events; here each stands for itself.
 */
#include "story.h"

#include <stdio.h>

#define LOST    "an EOI is lost: an asserted pin waits for nothing"
#define STALE   "a stale vector stays when all is quiet"
#define IN_SET  "a record whose EOI is awaited is in the set"
#define ON_WAY  "a record whose EOI is awaited is posted, pending, in service or handed over"
#define LOADED  "an EOI that is awaited is in what the hardware has loaded"
#define FLIPPED "only a level pin has a record"
#define COSTS   "letting go goes on costing more than it could gain"
#define LOSES   "letting go has cost more than it gained"
#define MUTED   "a delivery is made again that the EOI register is to end"
#define ASLEEP  "an EOI is lost: a vCPU sleeps on"
#define EOIR    "the EOI register has not resolved what was delivered as the vector"

/* The same without a rule is broken, with all of them it is not. */
static void needs(const char *model, unsigned rule, const char *events, const char *broken)
{
	char without[128];

	snprintf(without, sizeof(without), "%s without-%u", model, rule);
	story(without, events, broken);
	story(model, events, NULL);
}

/* KVM's commit 0fc5a36dd6b3: the handler writes the upper half, and its own EOI is lost. */
static void static_loses_what_moves_in_service(void **state)
{
	const char *events = "up0 take0 high0=1 enter0 eoi0";

	(void)state;
	story("static reroute", events, LOST);
	story("scan reroute", events, NULL);
	story("armed reroute", events, NULL);
	story("lazy reroute", events, NULL);
}

static void scanning_loses_a_vector_that_is_rewritten(void **state)
{
	const char *events = "up0 take0 low0=b enter0 eoi0";

	(void)state;
	story("scan reroute revector", events, LOST);
	story("track-v4 reroute revector", events, LOST);
	story("track reroute revector", events, LOST);
	story("armed reroute revector", events, NULL);
	story("lazy reroute revector", events, NULL);
}

static void scan_keeps_a_stale_vector(void **state)
{
	const char *events = "msi0 take0 high0=1 enter0 eoi0 enter1";

	(void)state;
	story("scan reroute msi stale", events, STALE);
	story("armed reroute msi stale", events, NULL);
}

/* A reset leaves the record as it is, and a lower vector is then never recorded. */
static void track_v4_keeps_a_stale_vector_after_a_reset(void **state)
{
	const char *events = "up1 down1 high1=1 enter0 exit0 init0 enable0 up0 take0 down0 high0=1 "
			     "enter0 eoi0 enter1";

	(void)state;
	story("track-v4 reroute both apart init stale", events, STALE);
	story("track reroute both apart init stale", events, NULL);
	story("armed reroute both apart init stale", events, NULL);
}

static void each_rule_is_needed(void **state)
{
	(void)state;
	needs("armed share", 0, "up0 up1 down0 down1 take0 enter0 eoi0", ON_WAY);
	needs("armed reroute", 1, "up0 high0=1", IN_SET);
	needs("armed hardware reroute", 2, "enter1 high0=1 up0", LOADED);
	needs("lazy", 3, "up0 down0 take0 enter0 eoi0 up0", LOST);
	needs("armed logical", 4, "high0=0,1 low0=a,logical up0", IN_SET);
	needs("armed flip", 5, "up0 low0=a,edge", FLIPPED);
	needs("armed suppress revector", 6, "up0 low0=b eoir=a", EOIR);
	needs("armed init", 7, "up0 init0", LOST);
	needs("armed revector", 9, "up0 low0=b take0 enter0 eoi0", LOST);
	needs("armed init", 10, "init0 up0 enable0", LOST);
	needs("lazy suppress", 11, "up0 take0 suppress0 down0 up0 enter0 eoi0 down0 up0", MUTED);
	needs("lazy suppress", 12, "up0 down0 up0 take0 suppress0 enter0 eoi0", LOST);
	needs("lazy suppress", 13, "up0 take0 suppress0 enter0 eoi0 exit0 broadcast0 down0 up0",
	      MUTED);
	needs("lazy reroute halts", 14, "up0 down0 take0 enter0 exit0 up0", ASLEEP);
}

/* The record's EOI has been, unseen. A route that comes by and goes again leaves nothing: not of
 * one record, and not where another of the pair was closed meanwhile. */
static void what_is_let_go_leaves_no_stale_vector(void **state)
{
	(void)state;
	story("lazy reroute stale", "up0 down0 take0 enter0 eoi0 high0=1 high0=0 high0=1", NULL);
	story("lazy both flip reroute stale",
	      "up0 up1 down0 down1 take0 enter0 eoi0 low0=a,edge high1=1 high1=0 high1=1", NULL);
}

/* A vector that was handed over is a message on its way: it comes when its record is closed. */
static void what_is_handed_over_may_outlive_its_record(void **state)
{
	const char *flip =
		"low0=a,edge enter0 low0=a up0 down0 low0=a,edge exit0 enter0 take0 eoi0";
	const char *suppress = "suppress0 enter0 suppress1 exit0 broadcast0 enter0 up0 down0 "
			       "enter1 eoir=a exit0 enter0 take0 eoi0";

	(void)state;
	story("armed hardware flip", flip, NULL);
	story("lazy hardware flip", flip, NULL);
	story("armed hardware logical",
	      "low0=a,logical up0 enter0 high0=0,1 enter1 take1 low0=a eoi1", NULL);
	story("armed hardware suppress", suppress, NULL);
	story("lazy hardware suppress", suppress, NULL);
}

/* Found by SPIN: somebody asked after a vector, then EOIs were suppressed, and the answer put it
 * into the set: its EOI left the guest to resolve nothing. */
static void an_answer_arms_nothing_that_is_suppressed(void **state)
{
	(void)state;
	story("lazy suppress",
	      "up0 down0 take0 enter0 up0 eoi0 down0 up0 take0 suppress0 down0 exit0 enter0 eoi0 "
	      "exit0? "
	      "take0 broadcast0 enter0 eoir=a eoi0",
	      NULL);
}

/* A VMM leaves guest mode before the guest's writes to its LAPIC's registers. */
static void suppression_changes_out_of_guest_mode(void **state)
{
	(void)state;
	story("armed hardware suppress", "up0 suppress0 enter0 broadcast0?", NULL);
}

/* Found by SPIN: a vector that was asked after was found again by an MSI of the same number, when
 * its record had long ended and its route moved; it came back into the set. */
static void an_answer_about_an_msi_leaves_no_stale_vector(void **state)
{
	(void)state;
	story("lazy reroute msi", "up0 down0 take0 enter0 up0 down0 eoi0 msi0 take0 high0=1 exit0",
	      NULL);
}

/* A gain first: the line falls while the vCPU is out of guest mode, and its EOI need not leave. */
#define GAIN4 GAIN GAIN GAIN GAIN
#define GAIN  "up0 down0 enter0 take0 eoi0 "

/* Rule 7. Each rise before the EOI costs a kick, and gains nothing. */
static void what_only_costs_is_not_let_go_for_ever(void **state)
{
#define LOSS "down0 enter0 up0 exit0 "
	const char *events = "enter0 exit0 up0 " LOSS LOSS LOSS LOSS LOSS LOSS LOSS;
#undef LOSS

	(void)state;
	needs("lazy hardware cost", 8, events, COSTS);
}

/* Two pins share the vector: the delivery for the one settles what the other was let go for, and
 * the kick that asks for the other was in no book. */
static void a_kick_for_a_shared_vector_is_in_the_books(void **state)
{
#define A "down0 enter0 exit0 up1 enter0 up0 down0 take0 eoi0 exit0? "
#define B "down1 enter0 exit0 up0 enter0 up1 down1 take0 eoi0 exit0? "
	(void)state;
	story("lazy hardware share cost", "enter0 exit0 " GAIN4 "up0 " A B A B A B A B A, NULL);
#undef A
#undef B
}

/* INIT ends what was let go; the vector is wanted again as `armed` would have it. */
static void an_init_costs_no_kick(void **state)
{
#define INIT "down0 init0 enter0 exit0 enable0 enter0 up0 exit0 "
	(void)state;
	story("lazy hardware init cost",
	      "enter0 exit0 " GAIN4 "up0 " INIT INIT INIT INIT INIT INIT INIT, NULL);
#undef INIT
}

/* No rule that decides when the line falls can do better: what it has earned it may lose, again and
 * again, for what it *would* have gained pays nobody. */
static void lazy_may_cost_more_than_armed_against_a_guest_that_means_it(void **state)
{
#define LOSE "up0 down0 enter0 up0 exit0 enter0 take0 down0 eoi0 "
	(void)state;
	story("lazy hardware ledger",
	      "enter0 exit0 " GAIN4 LOSE GAIN LOSE GAIN LOSE GAIN LOSE GAIN LOSE GAIN LOSE GAIN
	      "up0 down0 enter0 up0 exit0",
	      LOSES);
#undef LOSE
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_loses_what_moves_in_service),
		cmocka_unit_test(scanning_loses_a_vector_that_is_rewritten),
		cmocka_unit_test(scan_keeps_a_stale_vector),
		cmocka_unit_test(track_v4_keeps_a_stale_vector_after_a_reset),
		cmocka_unit_test(each_rule_is_needed),
		cmocka_unit_test(what_is_let_go_leaves_no_stale_vector),
		cmocka_unit_test(what_is_handed_over_may_outlive_its_record),
		cmocka_unit_test(an_answer_arms_nothing_that_is_suppressed),
		cmocka_unit_test(suppression_changes_out_of_guest_mode),
		cmocka_unit_test(what_only_costs_is_not_let_go_for_ever),
		cmocka_unit_test(a_kick_for_a_shared_vector_is_in_the_books),
		cmocka_unit_test(an_init_costs_no_kick),
		cmocka_unit_test(lazy_may_cost_more_than_armed_against_a_guest_that_means_it),
		cmocka_unit_test(an_answer_about_an_msi_leaves_no_stale_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
