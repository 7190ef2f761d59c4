/* SPDX-License-Identifier: MIT */
/* The invariants of the pair of 8259As see what is broken. */
#include "test.h"

#include <string.h>

#include "core/pic_priv.h"
#include "model/invariants.h"

static struct chip *the_master(struct lw_pic *pic)
{
	return &pic->state.chip[MASTER];
}

static void no_lowest(struct lw_pic *pic)
{
	the_master(pic)->lowest = 8;
}

static void a_fifth_word(struct lw_pic *pic)
{
	the_master(pic)->step = WAIT_ICW4 + 1;
}

static void half_a_poll(struct lw_pic *pic)
{
	the_master(pic)->poll = 2;
}

static void level_timer(struct lw_pic *pic)
{
	the_master(pic)->elcr = 1;
}

static void latched_level(struct lw_pic *pic)
{
	the_master(pic)->elcr = the_master(pic)->latch = 1u << 5;
}

static void driven_cascade(struct lw_pic *pic)
{
	pic->state.sources[LW_PIC_CASCADE_PIN] = 1;
}

static void line_from_nowhere(struct lw_pic *pic)
{
	the_master(pic)->line |= 1u << 5;
}

static void unsettled(struct lw_pic *pic)
{
	pic->state.intr = !pic->state.intr;
}

static void end_of_the_cascade(struct lw_pic *pic)
{
	pic->state.ended = CASCADE;
}

static void end_untold(struct lw_pic *pic)
{
	pic->state.ended = 1u << 5;
}

static void a_second_flag(struct lw_pic *pic)
{
	pic->flags = 2;
}

static void no_lock(void *ctx)
{
	(void)ctx;
}

static void half_a_lock(struct lw_pic *pic)
{
	static const struct lw_pic_ops half = {.lock = no_lock};

	pic->ops = &half;
}

static const struct {
	void (*breaks)(struct lw_pic *pic);
	const char *rule;
} broken_pics[] = {
	{no_lowest, "lowest priority"},
	{a_fifth_word, "four command words"},
	{half_a_poll, "on or off"},
	{level_timer, "never level"},
	{latched_level, "latches no edge"},
	{driven_cascade, "drives the cascade"},
	{line_from_nowhere, "OR of its sources"},
	{unsettled, "follow from the rest"},
	{end_of_the_cascade, "cascade's end"},
	{end_untold, "is told"},
	{a_second_flag, "one flag"},
	{half_a_lock, "both lock ops"},
};

static void test_see_what_is_broken_of_8259s(void **state)
{
	static _Alignas(LW_PIC_ALIGN) unsigned char storage[LW_PIC_SIZE];
	const struct lw_pic_config config = {0};
	struct lw_pic *pic = (void *)storage;

	(void)state;
	for (size_t n = 0; n < sizeof(broken_pics) / sizeof(*broken_pics); n++) {
		struct broken why = {0};

		assert_int_equal(lw_pic_init(pic, &config), 0);
		assert_int_equal(lw_pic_line(pic, 8, 0, true), 0);
		assert_true(lw_pic_holds(pic, &why));
		broken_pics[n].breaks(pic);
		assert_false(lw_pic_holds(pic, &why));
		if (!strstr(why.rule, broken_pics[n].rule))
			fail_msg("\"%s\" is said where \"%s\" is broken", why.rule,
				 broken_pics[n].rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_see_what_is_broken_of_8259s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
