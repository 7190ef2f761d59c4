/* SPDX-License-Identifier: MIT */
/* Stories of a world of proofs/spin: events by name, and what is broken by the last of them. */
#ifndef LAPWING_STORY_H
#define LAPWING_STORY_H

#include "test.h"

#include <string.h>

#include "world.h"

/* With a '?' after its name, an event happens if it may. */
static inline void happen(const char *name, size_t length)
{
	bool if_it_may = name[length - 1] == '?';

	length -= if_it_may;
	for (unsigned n = 0; n < WORLD_EVENTS; n++) {
		if (strlen(world_event(n)) != length || strncmp(world_event(n), name, length) != 0)
			continue;
		if (!(world_saved.may >> n & 1) && if_it_may)
			return;
		if (!(world_saved.may >> n & 1))
			fail_msg("%.*s may not happen now", (int)length, name);
		world_do(n);
		return;
	}
	fail_msg("there is no %.*s", (int)length, name);
}

/* Goes through the events, and expects `broken` after the last of them, or never. */
static inline void story(const char *model, const char *events, const char *broken)
{
	const char *next;

	world_init(model);
	for (; *events; events = next) {
		size_t length = strcspn(events, " ");

		happen(events, length);
		next = events + length + strspn(events + length, " ");
		if (*next && world_broken)
			fail_msg("%s: broken before '%s': %s", model, next, world_broken);
	}
	if (!broken && world_broken)
		fail_msg("%s: %s", model, world_broken);
	if (broken && !world_broken)
		fail_msg("%s: not found: %s", model, broken);
	if (broken)
		assert_string_equal(world_broken, broken);
}

#endif
