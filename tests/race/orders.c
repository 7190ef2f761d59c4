/* SPDX-License-Identifier: MIT */
/*
 * Goes through every schedule of each scenario; then weakens each order that an atomic of the
 * library has by one step, one at a time, and wants a scenario to fail for each. What none fails
 * for must be in the table below, and what none of them comes to in argued.h; docs/concurrency.md
 * says why it is so.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "argued.h"
#include "machine.h"
#include "scenarios.h"

static const struct race *const scenarios[] = {
	&posts_that_tell,   &posts_of_no_vector,   &posts_of_no_vectors, &track_routed,
	&armed_routed,      &armed_entered,        &armed_two_entered,   &armed_back,
	&armed_on_hardware, &armed_pulse,          &armed_pulses,        &armed_twice,
	&armed_with_msi,    &armed_rewritten,      &armed_reset,         &lazy_on_software,
	&lazy_on_hardware,  &wire_unmasked,        &wire_masked_between, &routes_replaced,
	&map_moved,         &armed_two_lines,      &lazy_pulses,         &lazy_reset,
	&posts_and_reset,   &posts_in_three_words, &posts_in_one_word,   &routes_replaced_more,
	&armed_two_routed,
};

/* Orders that could be weaker by one step: no scenario fails without, and docs/concurrency.md says
 * why none can. */
static const struct {
	const char *site;
	int order;
} argued[] = {
	{"is_posted: load idle", memory_order_relaxed},
	{"lw_lapic_post: xchg idle", memory_order_release},
	{"claim: xchg idle", memory_order_acquire},
	{"power_on: xchg idle", memory_order_acq_rel},
	{"power_on: xchg dirty", memory_order_acq_rel},
	{"power_on: xchg posted", memory_order_acq_rel},
	{"power_on: xchg posted (2)", memory_order_acq_rel},
	{"lw_lapic_holds: load posted", memory_order_relaxed},
	{"leave: store mode", memory_order_release},
	{"serve_handed: load requests", memory_order_acquire},
	{"enter: load requests", memory_order_acquire},
	{"enter: store mode (2)", memory_order_release},
	{"serve: xchg requests", memory_order_acq_rel},
	{"is_loaded: load loaded", memory_order_acquire},
	{"load: xchg loaded", memory_order_acq_rel},
	{"load: load set", memory_order_acquire},
	{"test: load set", memory_order_acquire},
	{"lw_eoi_del: and set", memory_order_acq_rel},
	{"init: or set", memory_order_acq_rel},
	{"lw_armed_init: load set", memory_order_acquire},
	{"leaves: load mode", memory_order_acquire},
	{"reaches_hardware: load mode", memory_order_acquire},
	{"lw_eoi_darken: and dark", memory_order_acq_rel},
	{"lw_eoi_darken: or dark", memory_order_acq_rel},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

static unsigned cases;
static int failed;

static void begin_case(bool ok)
{
	failed |= !ok;
	printf("%sok %u - ", ok ? "" : "not ", ++cases);
}

static void explore(size_t n)
{
	struct outcome o;

	site_scenario((uint32_t)n);
	o = race_explore(scenarios[n], true);
	begin_case(o.held);
	printf("%s%s%s\n# %llu states, %llu steps\n", scenarios[n]->name, o.held ? "" : ": ",
	       o.held ? "" : o.what, (unsigned long long)o.states, (unsigned long long)o.steps);
	fflush(stdout);
}

/* What an order is when it is one step weaker; there may be two such. Returns how many. */
static uint32_t weaker(const struct site *s, int by[2])
{
	switch (s->order) {
	case memory_order_seq_cst:
		by[0] = memory_order_acq_rel;
		if (s->kind == LOAD)
			by[0] = memory_order_acquire;
		if (s->kind == STORE)
			by[0] = memory_order_release;
		return 1;
	case memory_order_acq_rel:
		by[0] = memory_order_acquire;
		by[1] = memory_order_release;
		return 2;
	case memory_order_acquire:
	case memory_order_release:
		by[0] = memory_order_relaxed;
		return 1;
	default:
		return 0;
	}
}

/* Returns what went wrong with the site weakened, and in which scenario; or null. */
static const char *try_weak(const struct site *s, int order, const char **where)
{
	const char *what = NULL;

	site_weaken(s, order);
	for (size_t n = 0; n < SCENARIOS && !what; n++) {
		if (!(s->scenarios >> n & 1u))
			continue;
		site_scenario((uint32_t)n);
		what = race_explore(scenarios[n], false).what;
		*where = scenarios[n]->name;
	}
	site_weaken(NULL, 0);
	return what;
}

#define ARGUED (sizeof(argued) / sizeof(*argued))

static bool met[ARGUED];

static bool is_argued(const struct site *s, int order)
{
	for (size_t n = 0; n < ARGUED; n++)
		if (!strcmp(argued[n].site, s->name) && argued[n].order == order)
			return met[n] = true;
	return false;
}

/* What is argued must not be caught, or the argument is wrong. */
static void weaken(const struct site *s, bool all)
{
	int by[2];
	uint32_t count = weaker(s, by);

	for (uint32_t n = 0; n < count; n++) {
		const char *where = "", *what = NULL;
		bool survives = is_argued(s, by[n]);

		if (!survives || all)
			what = try_weak(s, by[n], &where);
		begin_case(!what == survives);
		printf("%s, %s to %s: ", s->name, site_order_name(s->order),
		       site_order_name(by[n]));
		if (what)
			printf("%s\n# in: %s\n", what, where);
		else
			puts(survives ? "argued" : "nothing fails");
		fflush(stdout);
	}
}

static void weaken_all(bool all)
{
	size_t count;
	const struct site *s = site_list(&count);

	begin_case(s != NULL);
	puts("addr2line knows the places");
	for (size_t n = 0; s && n < count; n++)
		weaken(&s[n], all);
	for (size_t n = 0; n < ARGUED; n++) {
		if (met[n])
			continue;
		begin_case(false);
		printf("%s is argued and nowhere to be found\n", argued[n].site);
	}
}

/* ---- what no scenario has come to ---- */

#define UNMET (sizeof(unmet) / sizeof(*unmet))

static unsigned found[UNMET];

static void tell_unmet(const char *site, const char *line)
{
	for (size_t n = 0; n < UNMET; n++)
		if (!strcmp(unmet[n].site, site)) {
			found[n]++;
			return;
		}
	begin_case(false);
	printf("%s (%s) is met by no scenario and argued nowhere\n", site, line);
}

/* clang takes the names and lines of what it has inlined from elsewhere. */
static void look_for_unmet(void)
{
#ifdef __clang__
	begin_case(true);
	puts("atomics that no scenario comes to # SKIP gcc knows where they are");
	(void)tell_unmet;
#else
	begin_case(site_unmet(tell_unmet));
	puts("objdump knows the atomics");
	for (size_t n = 0; n < UNMET; n++) {
		begin_case(found[n] == unmet[n].count);
		printf("%s is met by no scenario, %u of %u: %s\n", unmet[n].site, found[n],
		       unmet[n].count, unmet[n].why);
	}
#endif
}

/* --all: large scenarios for weakened orders, too, and those orders that are argued. */
int main(int argc, char **argv)
{
	bool quick = getenv("LAPWING_QUICK") != NULL;
	bool all = argc == 2 && !strcmp(argv[1], "--all");

	if (argc > 1 && !all) {
		fputs("Usage: orders [--all]\n", stderr);
		return 2;
	}
	for (size_t n = 0; n < SCENARIOS; n++)
		if (all || scenarios[n]->size <= (quick ? RACE_SMALL : RACE_MIDDLING))
			explore(n);
	if (!quick && !failed) {
		look_for_unmet();
		weaken_all(all);
	}
	printf("1..%u\n", cases);
	return failed;
}
