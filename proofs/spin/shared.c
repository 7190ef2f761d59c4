/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char world_digest[WORLD_DIGEST];
struct world_saved world_saved;
const char *world_broken;

static const char *words;

bool world_has(const char *word)
{
	size_t length = strlen(word);
	const char *at = words;

	for (; (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

void world_breaks(const char *rule)
{
	if (!world_broken)
		world_broken = rule;
}

/* ---- what may happen ---- */

static struct event events[WORLD_EVENTS];
static unsigned used;

void world_begin(const char *model)
{
	words = model ? model : "";
	used = 0;
	world_broken = NULL;
	stack_begin();
	world_forget_states(world_has("digest"));
}

void world_add(const char *name, void (*act)(uint32_t, uint32_t), bool (*may)(uint32_t, uint32_t),
	       uint32_t a, uint32_t b)
{
	if (used == WORLD_EVENTS)
		abort();
	events[used++] = (struct event){.name = name, .act = act, .may = may, .a = a, .b = b};
}

const char *world_event(unsigned n)
{
	return n < used ? events[n].name : "none";
}

bool world_may(unsigned n)
{
	return n < used && events[n].may(events[n].a, events[n].b);
}

const struct event *world_at(unsigned n)
{
	return &events[n];
}

/* ---- memory ---- */

static void carry(world_range *range, unsigned ranges, bool out)
{
	unsigned char *at = stack_image(), *end = at + WORLD_IMAGE;
	size_t size;

	for (unsigned n = 0; n < ranges; n++, at += size) {
		void *mine = range(n, &size);

		if (size > (size_t)(end - at))
			abort();
		memcpy(out ? at : mine, out ? mine : at, size);
	}
}

void world_keep(world_range *range, unsigned ranges)
{
	world_saved.may = 0;
	for (unsigned n = 0; n < WORLD_EVENTS; n++)
		world_saved.may |= (uint64_t)world_may(n) << n;
	carry(range, ranges, true);
	world_saved.depth = stack_push(world_saved.depth);
}

void world_bring_back(world_range *range, unsigned ranges)
{
	stack_pop_to(world_saved.depth);
	carry(range, ranges, false);
}

void world_tell_memory(void)
{
	printf("world: %.3f MB for the states in between\n", (double)stack_bytes() / 1e6);
}

/* ---- does the digest omit anything? ---- */

/* States that have been looked at. Direct-mapped and exact: at worst one is looked at again. */
#define TABLE (1u << 20)

static struct seen {
	unsigned char digest[WORLD_DIGEST];
	bool used;
	uint64_t state;
} * table;

static bool check_states;

uint64_t world_hash(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t n = 0; n < size; n++)
		h = (h ^ p[n]) * 0x100000001b3ull;
	return h;
}

void world_forget_states(bool check)
{
	free(table);
	check_states = check;
	table = calloc(TABLE, sizeof(*table));
	if (!table)
		abort();
}

bool world_checks_states(void)
{
	return check_states;
}

bool world_is_new(uint64_t state)
{
	struct seen *seen = &table[world_hash(1, world_digest, sizeof(world_digest)) % TABLE];

	if (seen->used && !memcmp(seen->digest, world_digest, sizeof(world_digest))) {
		if (check_states && seen->state != state)
			world_breaks("one digest, two states");
		return false;
	}
	seen->used = true;
	seen->state = state;
	memcpy(seen->digest, world_digest, sizeof(world_digest));
	return true;
}
