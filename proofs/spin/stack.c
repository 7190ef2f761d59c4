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
#include <sys/mman.h>

#define WORDS (WORLD_IMAGE / sizeof(uint64_t))
#define MASKS ((WORDS + 63) / 64)
#define STEP  (64u << 20) /* bytes by which a stack grows */

_Static_assert(WORLD_IMAGE % sizeof(uint64_t) == 0, "an image is so many words");

struct room {
	uint64_t *at; /* null: none yet */
	size_t bytes;
};

static struct room places; /* by depth, where its words begin */
static struct room words;  /* what of each state is not as in the first */

static union {
	unsigned char bytes[WORLD_IMAGE];
	uint64_t words[WORDS];
} image, first;

static uint32_t deep; /* whose image it is */
static bool any;
static size_t most; /* bytes, of both */

/* Room for words up to this one. */
static void grow(struct room *room, size_t upto)
{
	size_t wanted = room->bytes;
	void *more;

	while (wanted <= upto * sizeof(uint64_t))
		wanted += STEP;
	if (wanted == room->bytes)
		return;
	more = room->at ? mremap(room->at, room->bytes, wanted, MREMAP_MAYMOVE)
			: mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
	if (more == MAP_FAILED) {
		fprintf(stderr, "world: no memory for a state at depth %u\n", deep);
		exit(2);
	}
	room->at = more;
	room->bytes = wanted;
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
	grow(&places, (size_t)deep + 1);
	if (!any)
		places.at[0] = 0;
	any = true;
	place = places.at[deep];
	grow(&words, place + MASKS + WORDS);
	mask = &words.at[place];
	memset(mask, 0, MASKS * sizeof(*mask));
	place += MASKS;
	for (size_t n = 0; n < WORDS; n++) {
		if (image.words[n] == first.words[n])
			continue;
		mask[n / 64] |= 1ull << n % 64;
		words.at[place++] = image.words[n];
	}
	places.at[deep + 1] = place;
	if (most < (deep + 2 + place) * sizeof(uint64_t))
		most = (deep + 2 + place) * sizeof(uint64_t);
	return deep;
}

void stack_pop_to(uint32_t depth)
{
	const uint64_t *mask, *from;

	if (depth == deep)
		return;
	mask = &words.at[places.at[depth]];
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
