/* SPDX-License-Identifier: MIT */
/*
 * Which vCPUs a destination may mean, without asking each: by APIC id, by logical id in xAPIC mode,
 * flat or cluster, and by x2APIC cluster. An answer holds everyone that is meant, and perhaps
 * others: lw_lapic_matches() decides.
 *
 * Threads: lw_map_find() and lw_map_by_id() from any thread, without a lock and in bounded time;
 * lw_map_put() under the chip's.
 */
#ifndef LW_MAP_H
#define LW_MAP_H

#include <lapwing/lapic.h>
#include <stdatomic.h>

#include "twin.h"

#define LW_MAP_NOBODY UINT32_MAX
#define LW_MAP_MOST   28u /* 16 in an x2APIC cluster, 8 flat, 4 in an xAPIC cluster */

/* Places in which a LAPIC in xAPIC mode can be found. */
enum {
	LW_MAP_FLAT = 0,                        /* by bit */
	LW_MAP_CLUSTER = 8,                     /* by cluster and bit */
	LW_MAP_ALIAS = LW_MAP_CLUSTER + 16 * 4, /* by the low 8 bits of an id above 255 */
	LW_MAP_SLOTS = LW_MAP_ALIAS + 256
};

/* Who is in a place. One that has several bits in its LDR counts double in each. */
struct lw_map_slot {
	uint32_t count;
	uint32_t vcpus; /* all of them, by exclusive or */
};

struct lw_map {
	struct lw_twin twin;
	_Atomic uint32_t aliases; /* not 0 while a LAPIC is in LW_MAP_ALIAS */
	uint32_t nvcpus, ids;
	uint32_t modes[3]; /* LAPICs in each enum lw_lapic_mode */
	struct lw_map_slot slot[LW_MAP_SLOTS];
	_Atomic uint32_t word[2][1 + LW_MAP_SLOTS]; /* modes in use; then the vCPU of each slot */
	uint32_t rest[];                            /* vCPU of each id; of each vCPU, its view */
};

/* What lw_map_find() found, in the order of vCPUs. */
struct lw_map_found {
	bool everybody; /* ask each vCPU */
	uint32_t count;
	uint32_t vcpu[LW_MAP_MOST];
};

static inline uint32_t lw_map_by_id(const struct lw_map *m, uint32_t id)
{
	return id < m->ids ? m->rest[id] : LW_MAP_NOBODY;
}

#pragma GCC visibility push(hidden)

size_t lw_map_size(uint32_t nvcpus, uint32_t ids);

/* All LAPICs are off. `id`: of each vCPU, below `ids`; null: its number. Returns 0, or -EINVAL if
 * two have the same. */
int lw_map_init(struct lw_map *map, uint32_t nvcpus, uint32_t ids, const uint32_t *id);

/* This vCPU's mode, LDR or DFR may have changed. Returns whether one has. */
bool lw_map_put(struct lw_map *map, uint32_t vcpu, const struct lw_lapic_address *now);

void lw_map_find(const struct lw_map *map, const struct lw_msg *msg, struct lw_map_found *found);

#pragma GCC visibility pop

#endif
