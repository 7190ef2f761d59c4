/* SPDX-License-Identifier: MIT */
/*
 * GSI routes: a table of two GSIs and three routes. lw_routes_init()'s and lw_routes_size()'s
 * harnesses are of any size.
 */
#include "core/route.c"

#include <stdlib.h>

#include "prove.h"

#define GSIS           2u
#define ROUTES         3u
#define WORDS_OF_TABLE (ROUTES * WORDS + GSIS + 1u)

static struct {
	struct lw_routes r;
	_Atomic uint64_t room[2 * WORDS_OF_TABLE]; /* which begins before, at r.word */
} w;

static struct lw_route given[ROUTES + 1], found[LW_ROUTES_PER_GSI];

/* What the table that is read says: starts that rise, to no more than there is room for and no
 * more of one GSI than there may be, and routes that lw_routes_set() takes. */
static bool table_holds(void)
{
	const _Atomic uint64_t *t = w.r.word + (w.r.twin.done & 1u) * WORDS_OF_TABLE;
	const _Atomic uint64_t *start = t + ROUTES * WORDS;

	if (start[0] != 0 || start[GSIS] > ROUTES)
		return false;
	for (uint32_t g = 0; g < GSIS; g++)
		if (start[g] > start[g + 1] || start[g + 1] - start[g] > LW_ROUTES_PER_GSI)
			return false;
	for (uint32_t n = 0; n < ROUTES; n++) {
		struct lw_route route;

		get(t + n * WORDS, &route);
		if (n < start[GSIS] && !lw_routes_takes(&w.r, &route))
			return false;
	}
	return true;
}

static void any_table(void)
{
	w.r.gsis = GSIS;
	w.r.routes = ROUTES;
	w.r.twin.done = nondet_u32();
	w.r.twin.begun = w.r.twin.done + nondet_bool(); /* one that failed may have begun */
	for (uint32_t n = 0; n < 2 * WORDS_OF_TABLE; n++)
		w.r.word[n] = nondet_u64();
	assume(table_holds());
}

static void still_holds(void)
{
	must_hold(table_holds(), "the table to read is whole");
	reached();
}

static size_t any_routes(size_t most)
{
	for (size_t n = 0; n < most; n++) {
		given[n].gsi = nondet_u32();
		given[n].type = nondet_u32();
		given[n].chip = nondet_u16();
		given[n].pin = nondet_u16();
		given[n].address = nondet_u64();
		given[n].data = nondet_u32();
	}
	return any_below((uint32_t)most + 1);
}

void prove_lw_routes_size(void)
{
	uint32_t gsis = nondet_u32(), routes = nondet_u32();
	size_t size = lw_routes_size(gsis, routes);

	must_hold(!size || size >= sizeof(struct lw_routes) +
					   2u * table_words(gsis, routes) * sizeof(uint64_t),
		  "both tables have room");
	reached();
}

/* From storage of any content, and of GSIS and ROUTES. */
void prove_lw_routes_init(void)
{
	for (uint32_t n = 0; n < 2 * WORDS_OF_TABLE; n++)
		w.r.word[n] = nondet_u64();
	w.r.twin.done = w.r.twin.begun = nondet_u32();
	must_hold(!lw_routes_init(&w.r, GSIS, ROUTES), "sizes in range are taken");
	still_holds();
}

void prove_lw_routes_set(void)
{
	size_t count;

	any_table();
	count = any_routes(ROUTES + 1);
	lw_routes_set(&w.r, count ? given : NULL, count);
	still_holds();
}

void prove_lw_routes_replace(void)
{
	size_t count;

	any_table();
	count = any_routes(ROUTES + 1);
	lw_routes_replace(&w.r, nondet_u32(), count ? given : NULL, count);
	still_holds();
}

void prove_lw_routes_find(void)
{
	size_t count;

	any_table();
	count = lw_routes_find(&w.r, nondet_u32(), found);
	must_hold(count <= LW_ROUTES_PER_GSI, "what is found has room");
	still_holds();
}
