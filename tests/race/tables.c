/* SPDX-License-Identifier: MIT */
/* Twin tables, as GSI routes are kept. */
#include <lapwing/route.h>
#include <string.h>

#include "core/twin.h"
#include "scenarios.h"

static struct {
	_Alignas(LW_ROUTES_ALIGN) unsigned char routes[256];
} world;

static struct lw_routes *const routes = (void *)world.routes;

/* A route says thrice which version it is. */
static void replace(uint32_t version)
{
	struct lw_route route = {.type = LW_ROUTE_MSI,
				 .chip = (uint16_t)version,
				 .pin = (uint16_t)version,
				 .address = version,
				 .data = version};

	race_check(!lw_routes_replace(routes, 0, &route, 1), "a route is refused");
}

static void open_routes(void)
{
	struct lw_twin *twin = (void *)world.routes;

	memset(&world, 0, sizeof(world));
	race_check(lw_routes_size(1, 1) <= sizeof(world.routes), "the table is larger");
	race_check(!lw_routes_init(routes, 1, 1), "no table can be made");
	replace(1);
	race_region(&world, sizeof(world));
	race_name(world.routes, sizeof(world.routes), "word");
	race_name(&twin->begun, sizeof(twin->begun), "begun");
	race_name(&twin->done, sizeof(twin->done), "done");
}

static void replace_twice(void)
{
	replace(2);
	replace(3);
}

static void replace_thrice(void)
{
	for (uint32_t version = 2; version < 5; version++)
		replace(version);
}

static uint32_t find(void)
{
	struct lw_route found[LW_ROUTES_PER_GSI];
	size_t count = lw_routes_find(routes, 0, found);

	race_check(count == 1, "a route is missing");
	race_check(found->data == found->address && found->data == found->pin,
		   "a route is half another");
	return found->data;
}

static void find_once(void)
{
	find();
}

static void find_twice(void)
{
	uint32_t first = find();

	race_check(find() >= first, "an older table follows a newer one");
}

const struct race routes_replaced = {
	.name = "routes replaced twice, looked up once",
	.open = open_routes,
	.run = {replace_twice, find_once},
};

const struct race routes_replaced_more = {
	.name = "routes replaced thrice, looked up twice",
	.size = RACE_LARGE,
	.open = open_routes,
	.run = {replace_thrice, find_twice},
};
