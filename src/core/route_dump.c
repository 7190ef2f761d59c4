/* SPDX-License-Identifier: MIT */
/* A route table as text. */
#include "route_priv.h"
#include "text.h"

static void route(struct lw_text *t, const struct lw_route *r)
{
	if (r->type == LW_ROUTE_IOAPIC)
		lw_text(t, " ioapic %u pin %u", r->chip, r->pin);
	else if (r->type == LW_ROUTE_PIC)
		lw_text(t, " pic %s pin %u", r->chip ? "slave" : "master", r->pin);
	else
		lw_text(t, " msi 0x%08llx 0x%x", (unsigned long long)r->address, r->data);
}

void lw_routes_text(struct lw_text *t, const struct lw_routes *routes)
{
	struct lw_route found[LW_ROUTES_PER_GSI];

	lw_text(t, "routes:\n");
	for (uint32_t gsi = 0; gsi < LW_ROUTES_MAX_GSI; gsi++) {
		size_t count = lw_routes_find(routes, gsi, found);

		if (count)
			lw_text(t, "  gsi %u:", gsi);
		for (size_t n = 0; n < count; n++) {
			route(t, &found[n]);
			lw_text(t, n + 1 < count ? "," : "\n");
		}
	}
}

size_t lw_routes_dump(const struct lw_routes *routes, char *buf, size_t size)
{
	struct lw_text text = {.buf = buf, .size = size};

	lw_routes_text(&text, routes);
	return lw_text_end(&text);
}
