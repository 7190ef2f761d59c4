/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <stdlib.h>
#include <string.h>

unsigned char world_digest[WORLD_DIGEST];
unsigned char world_saved[WORLD_SAVED];
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

void world_note_events(void)
{
	for (unsigned n = 0; n < WORLD_EVENTS; n++)
		world_saved[n] = world_may(n);
}

void world_carry(world_range *range, unsigned ranges, bool out)
{
	size_t at = WORLD_EVENTS, size;

	for (unsigned n = 0; n < ranges; n++, at += size) {
		void *mine = range(n, &size);

		if (at + size > WORLD_SAVED)
			abort();
		memcpy(out ? &world_saved[at] : mine, out ? mine : &world_saved[at], size);
	}
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
