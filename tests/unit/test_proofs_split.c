/* SPDX-License-Identifier: MIT */
/*
 * What SPIN found in the second world of proofs/spin, the split backend over KVM's scan of 6.1 and
 * of 6.12, as sequences that anybody can read: what each of its three rules is there for, and how a
 * commit is met by others.
 */
#include "story.h"

#define LOST    "an EOI is lost: a delivery is in flight to nobody"
#define STALE   "a stale vector stays when all is quiet"
#define NOTHING "a commit tells KVM nothing new"

/* The handler moves its own interrupt, which 6.1 then forgets. */
static void without_deferral_6_1_loses_what_moves_in_service(void **state)
{
	const char *events = "up0 take0 high0=1";

	(void)state;
	story("split 6.1 reroute without-defer", events, LOST);
	story("split 6.12 reroute without-defer", events, NULL);
	story("split 6.1 reroute", "up0 take0 high0=1 eoi0 serve0 scan0 scan1 take1", NULL);
}

static void without_deferral_both_lose_a_rewritten_vector(void **state)
{
	const char *events = "up0 take0 low0=b high0=1";

	(void)state;
	story("split 6.1 reroute revector without-defer", events, LOST);
	story("split 6.12 reroute revector without-defer", events, LOST);
	story("split 6.1 reroute revector",
	      "up0 take0 low0=b high0=1 eoi0 serve0 scan0 scan1 take1", NULL);
	story("split 6.12 reroute revector",
	      "up0 take0 low0=b high0=1 eoi0 serve0 scan0 scan1 take1", NULL);
}

static void without_recommit_6_12_keeps_a_stale_vector(void **state)
{
	const char *events = "msi0 take0 high0=1 scan0 scan1 eoi0 serve0";

	(void)state;
	story("split 6.12 reroute msi without-recommit", events, STALE);
	story("split 6.12 reroute msi", "msi0 take0 high0=1 scan0 scan1 eoi0 serve0 scan0 scan1",
	      NULL);
	/* And while it is pending at its exits, no recommit would help. */
	story("split 6.12 reroute msi",
	      "msi0 take0 high0=1 scan0 msi0 eoi0 serve0 take0 msi0 eoi0 serve0 take0 eoi0 serve0 "
	      "scan0 scan1",
	      NULL);
}

static void without_quiet_masking_commits(void **state)
{
	(void)state;
	story("split 6.12 mask without-quiet", "low0=a,masked", NOTHING);
	story("split 6.12 mask", "low0=a,masked low0=a", NULL);
}

/* A line that rises while its route is on its way to KVM waits for it, and is not forgotten. */
static void a_line_rises_while_its_route_is_installed(void **state)
{
	(void)state;
	story("split 6.1 threads reroute", "high0=1 settle-vcpu1 up0 on on on scan1 take1", NULL);
	story("split 6.1 threads reroute",
	      "high0=1 settle-vcpu1 on up0 on settle-device0 on scan1 take1", NULL);
}

/* The EOI comes while another pin's route is being installed, and ends what kept its own. */
static void an_eoi_comes_while_a_table_is_installed(void **state)
{
	(void)state;
	story("split 6.1 threads reroute both",
	      "up0 take0 high0=1 high1=1 settle-vcpu1 on eoi0 serve0 on on on on on settle-vcpu0 "
	      "scan0 scan1 take1",
	      NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_deferral_6_1_loses_what_moves_in_service),
		cmocka_unit_test(without_deferral_both_lose_a_rewritten_vector),
		cmocka_unit_test(without_recommit_6_12_keeps_a_stale_vector),
		cmocka_unit_test(without_quiet_masking_commits),
		cmocka_unit_test(a_line_rises_while_its_route_is_installed),
		cmocka_unit_test(an_eoi_comes_while_a_table_is_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
