/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/route.h>
#include <string.h>

#include "bits.h"
#include "route_priv.h"
#include "twin.h"

#define WORDS    2u /* of an entry: type, chip, pin and data; address and GSI */
#define MAX_CHIP 0x3fffu

struct lw_routes {
	_Alignas(LW_ROUTES_ALIGN) struct lw_twin twin;
	uint32_t gsis, routes;
	_Atomic uint64_t word[]; /* twice: entries, then where each GSI's start */
};

static size_t table_words(uint32_t gsis, uint32_t routes)
{
	return (size_t)routes * WORDS + gsis + 1u;
}

static bool sane(uint32_t gsis, uint32_t routes)
{
	return gsis && gsis <= LW_ROUTES_MAX_GSI && routes && routes <= gsis * LW_ROUTES_PER_GSI;
}

size_t lw_routes_size(uint32_t gsis, uint32_t routes)
{
	if (!sane(gsis, routes))
		return 0;
	return lw_round_up(sizeof(struct lw_routes) +
				   2u * table_words(gsis, routes) * sizeof(uint64_t),
			   LW_ROUTES_ALIGN);
}

int lw_routes_init(struct lw_routes *storage, uint32_t gsis, uint32_t routes)
{
	if (!storage || (uintptr_t)storage % LW_ROUTES_ALIGN || !sane(gsis, routes))
		return -EINVAL;
	memset(storage, 0, lw_routes_size(gsis, routes));
	storage->gsis = gsis;
	storage->routes = routes;
	return 0;
}

uint32_t lw_routes_gsis(const struct lw_routes *r)
{
	return r->gsis;
}

uint32_t lw_routes_room(const struct lw_routes *r)
{
	return r->routes;
}

bool lw_routes_takes(const struct lw_routes *r, const struct lw_route *e)
{
	if (e->gsi >= r->gsis || e->chip > MAX_CHIP)
		return false;
	switch (e->type) {
	case LW_ROUTE_IOAPIC:
		return e->pin < 240;
	case LW_ROUTE_PIC:
		return e->chip < 2 && e->pin < 8;
	case LW_ROUTE_MSI:
		return e->address >> 32 == 0;
	default:
		return false;
	}
}

static int check(const struct lw_routes *r, const struct lw_route_source *from)
{
	if (from->count > r->routes)
		return -E2BIG;
	for (size_t n = 0; n < from->count; n++) {
		struct lw_route route = from->get(from->arg, n);

		if (!lw_routes_takes(r, &route))
			return -EINVAL;
	}
	return 0;
}

static _Atomic uint64_t *table(struct lw_routes *r, uint32_t version)
{
	return r->word + (version & 1u) * table_words(r->gsis, r->routes);
}

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(_Atomic uint64_t *word, const struct lw_route *e)
{
	uint64_t first = (uint64_t)e->data << 32 | (uint64_t)e->type << 30 |
			 (uint64_t)e->chip << 16 | e->pin;

	atomic_store_explicit(&word[0], first, memory_order_relaxed);
	atomic_store_explicit(&word[1], (uint32_t)e->address | (uint64_t)e->gsi << 32,
			      memory_order_relaxed);
}

static void get(const _Atomic uint64_t *word, struct lw_route *e)
{
	uint64_t first = load(&word[0]), second = load(&word[1]);

	e->data = (uint32_t)(first >> 32);
	e->type = (enum lw_route_type)(first >> 30 & 3u);
	e->chip = (uint16_t)(first >> 16 & MAX_CHIP);
	e->pin = (uint16_t)first;
	e->address = (uint32_t)second;
	e->gsi = (uint32_t)(second >> 32);
}

/* Counting sort by GSI: how many each has, where each starts, then every entry to its place. The
 * table that nobody reads serves as the counters. */
static int build(struct lw_routes *r, _Atomic uint64_t *t, const struct lw_route_source *from)
{
	_Atomic uint64_t *start = t + (size_t)r->routes * WORDS;
	uint64_t sum = 0;

	for (uint32_t g = 0; g <= r->gsis; g++)
		atomic_store_explicit(&start[g], 0, memory_order_relaxed);
	for (size_t n = 0; n < from->count; n++)
		if (atomic_fetch_add_explicit(&start[from->get(from->arg, n).gsi + 1u], 1,
					      memory_order_relaxed) >= LW_ROUTES_PER_GSI)
			return -EEXIST;
	for (uint32_t g = 0; g <= r->gsis; g++) {
		sum += load(&start[g]);
		atomic_store_explicit(&start[g], sum, memory_order_relaxed);
	}
	for (size_t n = from->count; n-- > 0;) {
		struct lw_route route = from->get(from->arg, n);
		uint64_t end =
			atomic_fetch_sub_explicit(&start[route.gsi + 1u], 1, memory_order_relaxed);

		put(t + (end - 1u) * WORDS, &route);
	}
	/* Each start[g + 1] has come down to where GSI g starts: shift the ends back. */
	for (uint32_t g = 0; g < r->gsis; g++)
		atomic_store_explicit(&start[g], load(&start[g + 1u]), memory_order_relaxed);
	atomic_store_explicit(&start[r->gsis], from->count, memory_order_relaxed);
	return 0;
}

int lw_routes_fill(struct lw_routes *r, const struct lw_route_source *from)
{
	uint32_t version;
	int err = check(r, from);

	if (err)
		return err;
	version = lw_twin_begin(&r->twin);
	err = build(r, table(r, version), from);
	if (err)
		return err; /* the spare table is spoilt, and nobody reads it */
	lw_twin_end(&r->twin, version);
	return 0;
}

static struct lw_route from_array(const void *arg, size_t n)
{
	return ((const struct lw_route *)arg)[n];
}

int lw_routes_set(struct lw_routes *r, const struct lw_route *route, size_t count)
{
	struct lw_route_source from = {.get = from_array, .arg = route, .count = count};

	return lw_routes_fill(r, &from);
}

/* The new routes of one GSI, then those of all others as they are in the table that is read. */
struct replaced {
	const struct lw_route *route;
	size_t count;
	const _Atomic uint64_t *kept;
	size_t from, gap; /* of the kept ones, those of the GSI are left out */
};

static struct lw_route from_both(const void *arg, size_t n)
{
	const struct replaced *r = arg;
	struct lw_route route;

	if (n < r->count)
		return r->route[n];
	n -= r->count;
	get(r->kept + (n < r->from ? n : n + r->gap) * WORDS, &route);
	return route;
}

int lw_routes_replace(struct lw_routes *r, uint32_t gsi, const struct lw_route *route, size_t count)
{
	const _Atomic uint64_t *kept = table(r, lw_twin_read(&r->twin));
	const _Atomic uint64_t *start = kept + (size_t)r->routes * WORDS;
	struct replaced both = {.route = route, .count = count, .kept = kept};
	struct lw_route_source from = {.get = from_both, .arg = &both};

	if (gsi >= r->gsis)
		return -EINVAL;
	if (count > LW_ROUTES_PER_GSI)
		return -EEXIST;
	for (size_t n = 0; n < count; n++)
		if (route[n].gsi != gsi)
			return -EINVAL;
	both.from = load(&start[gsi]);
	both.gap = load(&start[gsi + 1u]) - both.from;
	from.count = load(&start[r->gsis]) - both.gap + count;
	return lw_routes_fill(r, &from);
}

size_t lw_routes_find(const struct lw_routes *r, uint32_t gsi,
		      struct lw_route found[LW_ROUTES_PER_GSI])
{
	uint32_t version;
	size_t count;

	if (gsi >= r->gsis)
		return 0;
	do {
		const _Atomic uint64_t *t, *start;
		uint64_t from, to;

		version = lw_twin_read(&r->twin);
		t = r->word + (version & 1u) * table_words(r->gsis, r->routes);
		start = t + (size_t)r->routes * WORDS;
		from = load(&start[gsi]);
		to = load(&start[gsi + 1u]);
		count = 0;
		for (; from < to && to <= r->routes && count < LW_ROUTES_PER_GSI; from++)
			get(t + from * WORDS, &found[count++]);
	} while (lw_twin_torn(&r->twin, version));
	return count;
}
