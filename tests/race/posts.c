/* SPDX-License-Identifier: MIT */
/* Posting to a LAPIC: two posters, its owner. */
#include <string.h>

#include "core/lapic_priv.h"
#include "scenarios.h"

#define ENABLED (LW_SVR_ENABLE | 0xffu)
#define OWNER   0u
#define ERROR   0x81u
#define FIRST   0x30u
#define VECTORS 0x60u

static struct {
	_Alignas(LW_LAPIC_ALIGN) struct lw_lapic lapic;
	uint32_t telling;
	uint32_t told[VECTORS]; /* written before the vector is posted */
	uint32_t taken[VECTORS], posted[VECTORS];
} world;

static void open_world(void)
{
	struct lw_lapic_config config = {.id = 0};

	memset(&world, 0, sizeof(world));
	lw_lapic_init(&world.lapic, &config);
	lw_lapic_write(&world.lapic, LW_LAPIC_SVR, ENABLED);
	race_region(&world, sizeof(world));
	lw_lapic_write(&world.lapic, LW_LAPIC_LVT_ERROR, ERROR);
	race_name(world.lapic.shared.posted, sizeof(world.lapic.shared.posted), "posted");
	race_name(&world.lapic.shared.dirty, sizeof(world.lapic.shared.dirty), "dirty");
	race_name(&world.lapic.shared.idle, sizeof(world.lapic.shared.idle), "idle");
	race_name(&world.lapic.shared.floor, sizeof(world.lapic.shared.floor), "floor");
}

static void post(uint8_t vector, bool level)
{
	if (world.telling)
		world.told[vector - FIRST] = vector;
	world.posted[vector - FIRST]++;
	if (lw_lapic_post(&world.lapic, vector, level) == LW_POST_NOTIFY)
		race_kick(OWNER);
}

/* What was written before the post is there; and ends like an interrupt does. */
static void serve(uint8_t vector)
{
	race_check(!world.telling || world.told[vector - FIRST] == vector,
		   "a vector came without what was written before");
	world.taken[vector - FIRST]++;
	lw_lapic_eoi(&world.lapic);
}

/* Looks once, as before an entry, and then only when kicked. */
static void run_owner(void)
{
	do {
		int vector;

		while ((vector = lw_lapic_accept(&world.lapic)) >= 0)
			serve((uint8_t)vector);
	} while (race_sleep());
}

static void all_were_taken(void)
{
	for (uint32_t v = 0; v < VECTORS; v++)
		race_check(world.taken[v] == world.posted[v], "a vector is left behind");
}

static void post_one_word(void)
{
	post(0x31, false);
	post(0x32, false);
}

static void post_one_word_too(void)
{
	post(0x33, false);
	post(0x34, false);
}

static void post_one(void)
{
	post(0x31, false);
}

static void post_another(void)
{
	post(0x33, false);
}

static void post_two_words(void)
{
	post(0x41, false);
	post(0x81, true);
}

static void open_telling(void)
{
	open_world();
	world.telling = true;
}

const struct race posts_that_tell = {
	.name = "two posters, each tells something by its vector",
	.open = open_telling,
	.run = {run_owner, post_one, post_another},
	.close = all_were_taken,
};

const struct race posts_in_one_word = {
	.name = "two posters, two vectors each, one word",
	.size = RACE_LARGE,
	.open = open_world,
	.run = {run_owner, post_one_word, post_one_word_too},
	.close = all_were_taken,
};

const struct race posts_in_three_words = {
	.name = "two posters, two vectors each, three words",
	.size = RACE_MIDDLING,
	.open = open_world,
	.run = {run_owner, post_one_word, post_two_words},
	.close = all_were_taken,
};

/* An error by itself tells nobody; the next post does. */
static void post_illegal(void)
{
	lw_lapic_post(&world.lapic, 5, false);
	post(0x31, false);
}

static void the_error_was_told(void)
{
	world.posted[ERROR - FIRST]++;
	all_were_taken();
}

const struct race posts_of_no_vector = {
	.name = "two posters, one posts what is no vector",
	.open = open_world,
	.run = {run_owner, post_illegal, post_another},
	.close = the_error_was_told,
};

/* The first until the owner has looked owes the kick. */
static void post_illegal_alone(void)
{
	if (lw_lapic_post(&world.lapic, 5, false) == LW_POST_ILLEGAL)
		race_kick(OWNER);
}

static void no_error_waits(void)
{
	race_check(world.taken[ERROR - FIRST] > 0, "nobody is told of an error");
	race_check(!(load(world.lapic.shared.dirty) & DIRTY_ERRORS), "an error is left behind");
}

const struct race posts_of_no_vectors = {
	.name = "two posters of what is no vector",
	.open = open_world,
	.run = {run_owner, post_illegal_alone, post_illegal_alone},
	.close = no_error_waits,
};

/* INIT, and the guest enables it again. What was posted before may be dropped. */
static void run_resetting_owner(void)
{
	lw_lapic_accept(&world.lapic);
	lw_lapic_reset(&world.lapic);
	lw_lapic_write(&world.lapic, LW_LAPIC_SVR, ENABLED);
	run_owner();
}

static void nothing_waits(void)
{
	race_check(lw_lapic_counters(&world.lapic).waiting == 0, "a vector is left behind");
}

const struct race posts_and_reset = {
	.name = "two posters, and a reset",
	.size = RACE_MIDDLING,
	.open = open_world,
	.run = {run_resetting_owner, post_one_word, post_another},
	.close = nothing_waits,
};
