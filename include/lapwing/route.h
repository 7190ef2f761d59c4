/* SPDX-License-Identifier: MIT */
/*
 * GSI routing: what an interrupt line's number leads to. A GSI may lead to several places, as
 * GSI 0 to 15 do to an I/O APIC and to the 8259 pair.
 *
 * Threads: lw_routes_find() from any thread, never blocked; lw_routes_set() and lw_routes_replace()
 * by one thread at a time.
 */
#ifndef LAPWING_ROUTE_H
#define LAPWING_ROUTE_H

#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_ROUTES_ALIGN   64u
#define LW_ROUTES_MAX_GSI 4096u
#define LW_ROUTES_PER_GSI 4u

enum lw_route_type { LW_ROUTE_IOAPIC, LW_ROUTE_PIC, LW_ROUTE_MSI };

struct lw_route {
	uint32_t gsi;
	enum lw_route_type type;
	uint16_t chip;    /* I/O APIC: which; PIC: 0 master, 1 slave; MSI: 0 */
	uint16_t pin;     /* I/O APIC, PIC; MSI: 0 */
	uint64_t address; /* MSI; below 2^32 */
	uint32_t data;    /* MSI */
};

struct lw_routes; /* opaque; lw_routes_size() bytes */

/* Bytes for a table of so many GSIs and routes, or 0 if out of range (1 … 4,096 GSIs, 1 … four
 * routes for each). */
size_t lw_routes_size(uint32_t gsis, uint32_t routes);

/* An empty table. Returns 0, or -EINVAL (misaligned, or sizes out of range). */
int lw_routes_init(struct lw_routes *storage, uint32_t gsis, uint32_t routes);

/*
 * Replace the whole table: readers see the old one or the new one. The array is the caller's and
 * may be in any order; it is copied.
 *
 * Returns 0; -EINVAL (a GSI or type out of range, a chip above 16,383, a pin above 239, a PIC's
 * above 7, an MSI address above 32 bits), -E2BIG (more than the table holds), -EEXIST (more than
 * four routes of one GSI). The table is then as it was.
 */
int lw_routes_set(struct lw_routes *routes, const struct lw_route *route, size_t count);

/*
 * Replace the routes of one GSI, and no other's: readers see the old ones or the new ones. `count`
 * may be 0, and the array then null: the GSI leads nowhere. Costs as much as lw_routes_set() does,
 * for the table is copied.
 *
 * Returns 0, or as lw_routes_set() does; -EINVAL, too, for a GSI that is out of range or is not
 * that of each route. The table is then as it was.
 */
int lw_routes_replace(struct lw_routes *routes, uint32_t gsi, const struct lw_route *route,
		      size_t count);

/* Copy the routes of one GSI. Returns how many, 0 for a GSI that leads nowhere or is out of
 * range. Retries while the table is replaced twice under it. */
size_t lw_routes_find(const struct lw_routes *routes, uint32_t gsi,
		      struct lw_route found[LW_ROUTES_PER_GSI]);

/*
 * All of them as text for people, a line for each GSI that leads somewhere; the form may change.
 * Returns the length; what does not fit in `size` bytes, the terminating zero included, is cut off.
 * With a size of 0 `buf` may be null. Any thread; each GSI is seen whole, the table perhaps not.
 */
size_t lw_routes_dump(const struct lw_routes *routes, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
