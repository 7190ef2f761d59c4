/* SPDX-License-Identifier: MIT */
/* GSI routes as bytes: how many, then each, by GSI and among one GSI's in their order. */
#include "route_priv.h"
#include "snapshot.h"

#define ROUTE_BYTES 21u

static void walk_route(struct lw_snap *s, struct lw_route *r)
{
	uint8_t type = (uint8_t)r->type;

	lw_snap_u32(s, &r->gsi);
	lw_snap_u8(s, &type);
	lw_snap_u16(s, &r->chip);
	lw_snap_u16(s, &r->pin);
	lw_snap_u64(s, &r->address);
	lw_snap_u32(s, &r->data);
	r->type = (enum lw_route_type)type;
}

static void save(struct lw_snap *s, const struct lw_routes *r)
{
	struct lw_route found[LW_ROUTES_PER_GSI];
	uint32_t gsis = lw_routes_gsis(r), count = 0;

	for (uint32_t gsi = 0; gsi < gsis; gsi++)
		count += (uint32_t)lw_routes_find(r, gsi, found);
	lw_snap_u32(s, &count);
	for (uint32_t gsi = 0; gsi < gsis; gsi++) {
		size_t here = lw_routes_find(r, gsi, found);

		for (size_t n = 0; n < here; n++)
			walk_route(s, &found[n]);
	}
}

/* In order, no more of one GSI than can be, and each such as lw_routes_set() takes. */
static void check(struct lw_snap *s, const struct lw_routes *r)
{
	struct lw_route route = {0};
	uint32_t count = 0, last = 0, in_row = 0;

	lw_snap_u32(s, &count);
	lw_snap_must(s, count <= lw_routes_room(r));
	for (uint32_t n = 0; n < count && !s->err; n++) {
		walk_route(s, &route);
		in_row = n && route.gsi == last ? in_row + 1u : 1u;
		lw_snap_must(s, route.gsi >= last && in_row <= LW_ROUTES_PER_GSI &&
					lw_routes_takes(r, &route));
		last = route.gsi;
	}
}

static struct lw_route from_snapshot(const void *arg, size_t n)
{
	struct lw_snap s = *(const struct lw_snap *)arg;
	struct lw_route route = {0};

	s.at += n * ROUTE_BYTES;
	walk_route(&s, &route);
	return route;
}

static void apply(struct lw_snap *s, struct lw_routes *r)
{
	struct lw_route_source from = {.get = from_snapshot, .arg = s};
	uint32_t count = 0;

	lw_snap_u32(s, &count);
	from.count = count;
	lw_routes_fill(r, &from);
	s->at += (size_t)count * ROUTE_BYTES;
}

void lw_routes_walk(struct lw_snap *s, void *routes)
{
	struct lw_routes *r = routes;

	lw_snap_same(s, lw_routes_gsis(r));
	lw_snap_same(s, lw_routes_room(r));
	if (s->phase == SNAP_SAVE)
		save(s, r);
	else if (s->phase == SNAP_CHECK)
		check(s, r);
	else
		apply(s, r);
}

size_t lw_routes_save(const struct lw_routes *r, void *buf, size_t size)
{
	return lw_snap_save(SNAP_ROUTES, lw_routes_walk, r, buf, size);
}

int lw_routes_restore(struct lw_routes *r, const void *buf, size_t size)
{
	int err = lw_snap_check(SNAP_ROUTES, lw_routes_walk, r, buf, size);

	if (!err)
		lw_snap_apply(lw_routes_walk, r, buf, size);
	return err;
}
