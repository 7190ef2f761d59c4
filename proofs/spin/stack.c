/* SPDX-License-Identifier: MIT */
/*
 * The states between the first and the one that SPIN is at. SPIN itself would save all that changes
 * at each step, and its searches are millions of steps deep. So it saves a number only: how deep
 * the state is. The rest is here, at that depth, without the words that are as in the first state.
 *
 * That is enough, for SPIN goes depth first: while a state is one of those that it may come back
 * to, nothing else is at its depth.
 */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (WORLD_IMAGE / sizeof(uint64_t))
#define MASKS ((WORDS + 63) / 64)
#define STEP  (8u << 20) /* words by which a stack grows */

_Static_assert(WORLD_IMAGE % sizeof(uint64_t) == 0, "an image is so many words");

static uint64_t *places; /* by depth, where its words begin */
static uint64_t *words;  /* what of each state is not as in the first */
static size_t place_room, word_room;

static union {
	unsigned char bytes[WORLD_IMAGE];
	uint64_t words[WORDS];
} image, first;

static uint32_t deep; /* whose image it is */
static bool any;
static size_t most; /* bytes, of both */

/* With room for that many. Large pieces of memory grow where they are, or are moved by their pages.
 */
static uint64_t *grown(uint64_t *at, size_t *room, size_t wanted)
{
	if (wanted <= *room)
		return at;
	*room = wanted + STEP;
	at = realloc(at, *room * sizeof(*at));
	if (!at) {
		fprintf(stderr, "world: no memory for a state at depth %u\n", deep);
		abort();
	}
	return at;
}

void stack_begin(void)
{
	any = false;
	memset(&image, 0, sizeof(image));
}

unsigned char *stack_image(void)
{
	return image.bytes;
}

uint32_t stack_push(uint32_t under)
{
	size_t place;
	uint64_t *mask;

	if (!any)
		first = image;
	deep = any ? under + 1 : 0;
	places = grown(places, &place_room, (size_t)deep + 2);
	if (!any)
		places[0] = 0;
	any = true;
	place = places[deep];
	words = grown(words, &word_room, place + MASKS + WORDS);
	mask = &words[place];
	memset(mask, 0, MASKS * sizeof(*mask));
	place += MASKS;
	for (size_t n = 0; n < WORDS; n++) {
		if (image.words[n] == first.words[n])
			continue;
		mask[n / 64] |= 1ull << n % 64;
		words[place++] = image.words[n];
	}
	places[deep + 1] = place;
	if (most < (deep + 2 + place) * sizeof(uint64_t))
		most = (deep + 2 + place) * sizeof(uint64_t);
	return deep;
}

void stack_pop_to(uint32_t depth)
{
	const uint64_t *mask, *from;

	if (depth == deep)
		return;
	mask = &words[places[depth]];
	from = mask + MASKS;
	image = first;
	for (size_t m = 0; m < MASKS; m++)
		for (uint64_t left = mask[m]; left; left &= left - 1)
			image.words[m * 64 + (size_t)__builtin_ctzll(left)] = *from++;
	deep = depth;
}

size_t stack_bytes(void)
{
	return most;
}
