/* SPDX-License-Identifier: MIT */
/* An acceptance and an EOI have a short way and a long one: random work through both, beside three
 * arrays of bools that know nothing of ways. */
#include "lapic_rig.h"

static bool irr[256], isr[256], tmr[256], edge[256], level[256];
static uint8_t tpr;
static uint64_t generator;

static uint32_t random_below(uint32_t limit)
{
	generator ^= generator << 13;
	generator ^= generator >> 7;
	generator ^= generator << 17;
	return (uint32_t)(generator >> 32) % limit;
}

static int highest(const bool *set)
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

static uint8_t ppr(void)
{
	int top = highest(isr);

	if (top >= 0 && top >> 4 > tpr >> 4)
		return (uint8_t)(top & 0xf0);
	return tpr;
}

static void merge(void)
{
	for (int v = 0; v < 256; v++) {
		if (edge[v] || level[v]) {
			irr[v] = true;
			tmr[v] = level[v];
		}
		edge[v] = level[v] = false;
	}
}

static int accept(void)
{
	int v;

	merge();
	v = highest(irr);
	if (v < 0 || v >> 4 <= ppr() >> 4)
		return -1;
	irr[v] = false;
	isr[v] = true;
	return v;
}

static int eoi(void)
{
	int v = highest(isr);

	if (v >= 0)
		isr[v] = false;
	return v;
}

static void compare(void)
{
	for (uint32_t v = 0; v < 256; v++) {
		assert_int_equal(lw_lapic_irr(l, (uint8_t)v), irr[v]);
		assert_int_equal(lw_lapic_isr(l, (uint8_t)v), isr[v]);
		assert_int_equal(lw_lapic_tmr(l, (uint8_t)v), tmr[v]);
	}
	assert_int_equal(lw_lapic_ppr(l), ppr());
	assert_int_equal(lw_lapic_read(l, LW_LAPIC_PPR), ppr());
}

static void post(uint32_t spread)
{
	uint8_t v = (uint8_t)(16u + 240u * random_below(spread) / spread + random_below(4));
	bool is_level = random_below(2);

	if (v < 16) /* past the end */
		v = 255;
	lw_lapic_post(l, v, is_level);
	(is_level ? level : edge)[v] = true;
}

/* Of one seed; some LAPICs are idle most of the time and others never. */
static void work(uint64_t seed, uint32_t steps)
{
	uint32_t spread = 1u + (uint32_t)seed % 16u, posts = 1u + (uint32_t)seed % 3u;

	generator = seed * 0x9e3779b97f4a7c15ull + 1;
	while (steps-- > 0) {
		switch (random_below(8u)) {
		case 0:
		case 1:
			for (uint32_t n = 0; n < posts; n++)
				post(spread);
			break;
		case 2:
		case 3:
			assert_int_equal(lw_lapic_accept(l), accept());
			break;
		case 4:
			tpr = random_below(4) ? 0 : (uint8_t)random_below(256);
			lw_lapic_write(l, LW_LAPIC_TPR, tpr);
			break;
		case 5:
			lw_lapic_sync(l);
			merge();
			compare();
			break;
		default:
			assert_int_equal(lw_lapic_eoi(l), eoi());
			break;
		}
	}
}

static void the_short_way_and_the_long_one_agree(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (lw_test_quick() ? 200u : 2000u); seed++) {
		struct lw_lapic_config config = {0};

		memset(irr, 0, sizeof(irr));
		memset(isr, 0, sizeof(isr));
		memset(tmr, 0, sizeof(tmr));
		memset(edge, 0, sizeof(edge));
		memset(level, 0, sizeof(level));
		tpr = 0;
		assert_int_equal(lw_lapic_init(l, &config), 0);
		lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
		work(seed, 400);
	}
}

/* The least that goes wrong if the short way forgets what is below. */
static void a_vector_below_is_in_service_again_after_the_eoi(void **state)
{
	struct lw_lapic_config config = {0};

	(void)state;
	assert_int_equal(lw_lapic_init(l, &config), 0);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	for (uint8_t v = 0x31; v < 0x60; v = (uint8_t)(v + 0x10)) {
		lw_lapic_post(l, v, false);
		assert_int_equal(lw_lapic_accept(l), v);
	}
	for (uint8_t v = 0x51; v > 0x30; v = (uint8_t)(v - 0x10)) {
		assert_int_equal(lw_lapic_ppr(l), v & 0xf0);
		assert_int_equal(lw_lapic_eoi(l), v);
	}
	assert_int_equal(lw_lapic_eoi(l), -1);
	assert_int_equal(lw_lapic_ppr(l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_short_way_and_the_long_one_agree),
		cmocka_unit_test(a_vector_below_is_in_service_again_after_the_eoi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
