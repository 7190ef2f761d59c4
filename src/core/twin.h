/* SPDX-License-Identifier: MIT */
/*
 * Two tables, one that is read and one that is written; each new version goes to the spare one and
 * takes the other's place. Writers take turns; readers wait for nobody. All words are atomic, so
 * that a torn copy is stale and not undefined. docs/concurrency.md says why this holds.
 */
#ifndef LW_TWIN_H
#define LW_TWIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lw_twin {
	_Atomic uint32_t begun; /* the version that is being written */
	_Atomic uint32_t done;  /* the one to read; its low bit says which table */
};

static inline uint32_t lw_twin_begin(struct lw_twin *t)
{
	uint32_t version = atomic_load_explicit(&t->done, memory_order_relaxed) + 1u;

	atomic_store_explicit(&t->begun, version, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return version;
}

static inline void lw_twin_end(struct lw_twin *t, uint32_t version)
{
	atomic_store_explicit(&t->done, version, memory_order_release);
}

static inline uint32_t lw_twin_read(const struct lw_twin *t)
{
	return atomic_load_explicit(&t->done, memory_order_acquire);
}

/* Whether what has been read of that version may be of a later one: then read anew. Only the second
 * version after it is written over it. */
static inline bool lw_twin_torn(const struct lw_twin *t, uint32_t version)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&t->begun, memory_order_relaxed) - version > 1u;
}

#endif
