/* SPDX-License-Identifier: MIT */
/* What the two worlds have in common: the model's words, the events by name, what SPIN saves, and
 * the states that have been seen. */
#ifndef LAPWING_SPIN_SHARED_H
#define LAPWING_SPIN_SHARED_H

#include "world.h"

/* Start anew; say what is broken; is the word in the model? */
void world_begin(const char *model);
void world_breaks(const char *rule);
bool world_has(const char *word);

/* ---- what may happen ---- */

struct event {
	const char *name;
	void (*act)(uint32_t a, uint32_t b);
	bool (*may)(uint32_t a, uint32_t b);
	uint32_t a, b;
};

void world_add(const char *name, void (*act)(uint32_t a, uint32_t b),
	       bool (*may)(uint32_t a, uint32_t b), uint32_t a, uint32_t b);
bool world_may(unsigned n);
const struct event *world_at(unsigned n);

/* ---- memory ---- */

/* The n-th range of what changes. */
typedef void *world_range(unsigned n, size_t *size);

/* A step is over: save which events may happen, and these ranges; the others as they were. And
 * back: what was saved of the state that SPIN is at. */
void world_keep(world_range *range, unsigned ranges);
void world_bring_back(world_range *range, unsigned ranges);

/* stack.c: forget all; the image of the state that was pushed or popped last, for changing; push it
 * on top of a depth; make the one of a depth the image; what all take. */
void stack_begin(void);
unsigned char *stack_image(void);
uint32_t stack_push(uint32_t under);
void stack_pop_to(uint32_t depth);
size_t stack_bytes(void);

/* ---- states ---- */

uint64_t world_hash(uint64_t h, const void *data, size_t size);
void world_forget_states(bool check);

/* Is the state new, whose digest stands in world_digest? If not, and states are checked, it must be
 * what it was then: `state` is a hash of it. */
bool world_is_new(uint64_t state);
bool world_checks_states(void);

#endif
