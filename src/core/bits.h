/* SPDX-License-Identifier: MIT */
/* Sets of 256 vectors in four words, and of any number of vCPUs in as many as it takes. */
#ifndef LW_BITS_H
#define LW_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LW_SET_WORDS 4u

/* Keeps what is rare, or takes long, out of the way of what is neither. */
#define LW_APART __attribute__((noinline))
#define LW_COLD  __attribute__((cold, noinline))

static inline uint64_t lw_bit(uint32_t n)
{
	return 1ull << (n & 63u);
}

static inline bool lw_set_test(const uint64_t *set, uint32_t n)
{
	return (set[n >> 6] & lw_bit(n)) != 0;
}

static inline void lw_set_add(uint64_t *set, uint32_t n)
{
	set[n >> 6] |= lw_bit(n);
}

static inline void lw_set_del(uint64_t *set, uint32_t n)
{
	set[n >> 6] &= ~lw_bit(n);
}

/* Highest and lowest bit of a word that has one. */
static inline uint32_t lw_word_high(uint64_t word)
{
	return 63u ^ (uint32_t)__builtin_clzll(word);
}

static inline uint32_t lw_word_low(uint64_t word)
{
	return (uint32_t)__builtin_ctzll(word);
}

/* Highest vector in a set of 256, or -1. */
static inline int lw_set_highest(const uint64_t set[LW_SET_WORDS])
{
	for (uint32_t w = LW_SET_WORDS; w-- > 0;)
		if (set[w])
			return (int)(w << 6 | lw_word_high(set[w]));
	return -1;
}

static inline int lw_set_lowest(const uint64_t set[LW_SET_WORDS])
{
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		if (set[w])
			return (int)(w << 6 | lw_word_low(set[w]));
	return -1;
}

static inline uint32_t lw_word_count(uint64_t word)
{
	uint32_t n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

static inline bool lw_map_empty(const uint64_t *map, size_t words)
{
	for (size_t w = 0; w < words; w++)
		if (map[w])
			return false;
	return true;
}

static inline size_t lw_round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

#endif
