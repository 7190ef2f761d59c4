/* SPDX-License-Identifier: MIT */
/* Values that may be any, and bodies for gcc's builtins that bound what they return. */
#ifndef LW_EVA_ANY_H
#define LW_EVA_ANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eva takes a volatile for any value at each read. */
extern volatile uint64_t lw_any;

static inline bool any_bool(void)
{
	return lw_any & 1u;
}

static inline uint8_t any_u8(void)
{
	return (uint8_t)lw_any;
}

static inline uint16_t any_u16(void)
{
	return (uint16_t)lw_any;
}

static inline uint32_t any_u32(void)
{
	return (uint32_t)lw_any;
}

static inline uint64_t any_u64(void)
{
	return lw_any;
}

/* 0 to limit - 1, which must not be 0. */
static inline uint32_t any_below(uint32_t limit)
{
	return any_u32() % limit;
}

/* first to last; Eva keeps the interval. */
static inline uint32_t any_from(uint32_t first, uint32_t last)
{
	uint32_t n = any_u32();

	return n < first || n > last ? first : n;
}

/* Fill `size` bytes with anything. */
void any_bytes(uint8_t *bytes, size_t size);

#endif
