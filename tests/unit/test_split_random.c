/* SPDX-License-Identifier: MIT */
/*
 * Random guests on the split backend, over the made-up kernel's scans of 6.1 and of 6.12: with the
 * rules on, no EOI is lost and no more exits are superfluous than coincidences account for; without
 * them the kernels' faults show; and each rule that is left out makes its own figure worse.
 */
#include "split_rig.h"

#include <stdio.h>

#define STEPS  2000u
#define ROUNDS 5u /* of so many steps, each brought to rest */

/* ---- chance ---- */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (uint32_t)(chance_state >> 32) % below;
}

/* ---- the guest ---- */

static struct figures {
	uint64_t lost, superfluous, excused, commits, writes, exits, busy;
} sum;

/* The handler of a vector: it satisfies the devices whose interrupt this may be. */
static void handle(uint8_t vector)
{
	for (uint32_t pin = FIRST_PIN; pin < FIRST_PIN + PINS_USED; pin++)
		if (chance(8) && (remote_irr(pin) || (rte_at(pin) & 0xff) == vector))
			line(pin, false);
}

static void accept_one(uint32_t vcpu)
{
	int vector = fake_accept(vcpu);

	if (vector >= 0)
		handle((uint8_t)vector);
}

static bool end_one(uint32_t vcpu)
{
	if (highest(fake.vcpu[vcpu].isr) < 0)
		return false;
	guest_eoi(vcpu);
	return true;
}

static void step(void)
{
	uint32_t vcpu = chance(VCPUS);

	rig_clock += 10000000;
	if (chance(150) == 0) {
		reconfigure(chance);
		return;
	}
	switch (chance(10)) {
	case 0:
		line(drawn_pin(chance), true);
		break;
	case 1:
		line(drawn_pin(chance), false);
		break;
	case 2:
	case 3:
		edge_msi(vcpu, drawn_vector(chance));
		break;
	case 4:
	case 5:
	case 6:
		accept_one(vcpu);
		break;
	default:
		end_one(vcpu);
	}
}

/* Everybody takes and ends what there is; a pin that is still in flight then will be for ever. */
static uint64_t rest(void)
{
	uint64_t lost = 0;
	bool busy = true;

	for (uint32_t pin = FIRST_PIN; pin < FIRST_PIN + PINS_USED; pin++)
		line(pin, false);
	while (busy) {
		busy = false;
		for (uint32_t n = 0; n < VCPUS; n++) {
			accept_one(n);
			busy |= end_one(n);
		}
	}
	for (uint32_t pin = FIRST_PIN; pin < FIRST_PIN + PINS_USED; pin++)
		lost += remote_irr(pin);
	if (lost)
		assert_int_equal(lw_split_reconcile(split), 0);
	return lost;
}

static void run(enum scan_rule rule, uint32_t flags, uint64_t seed)
{
	struct lw_split_counters c;

	chance_state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	rig_open_with(rule, flags);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t n = 0; n < STEPS; n++)
			step();
		sum.lost += rest();
	}
	c = lw_split_counters(split);
	sum.superfluous += c.superfluous - c.covered;
	sum.excused += fake.coincidences + c.left_over + c.busy;
	sum.busy += c.busy;
	sum.commits += c.commits - c.recommits;
	sum.writes += c.rte_writes;
	sum.exits += c.eoi_exits;
	if (flags == LW_SPLIT_FAST)
		assert_true(c.superfluous - c.covered <= fake.coincidences + c.left_over + c.busy);
	assert_int_equal(c.eoi_exits, c.necessary + c.redundant + c.superfluous);
	assert_int_equal(c.commits, fake.commits);
	rig_close();
}

static struct figures run_all(enum scan_rule rule, uint32_t flags)
{
	uint64_t seeds = lw_test_quick() ? 40 : 400;

	memset(&sum, 0, sizeof(sum));
	for (uint64_t seed = 0; seed < seeds; seed++)
		run(rule, flags, seed);
	print_message(
		"# scan of %s, rules %u: lost %lu, superfluous %lu of %lu (%lu busy), commits "
		"%lu for %lu writes\n",
		rule == SCAN_6_1 ? "6.1" : "6.12", flags, sum.lost, sum.superfluous, sum.exits,
		sum.busy, sum.commits, sum.writes);
	return sum;
}

/* One ioctl fails; what it was for is done later, and nothing is lost by it. */
static void run_with_failure(unsigned long request, int at)
{
	chance_state = 0x1234567u;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	fake.fail_request = request;
	fake.fail_in = at;
	fake.fail_with = ENOMEM;
	for (uint32_t n = 0; n < STEPS; n++)
		step();
	assert_int_equal(fake.failures, 1);
	(void)lw_split_retry(split);
	assert_int_equal(rest(), 0);
	assert_int_equal(lw_split_counters(split).failed, 1);
	rig_close();
}

static void any_ioctl_may_fail(void **state)
{
	static const unsigned long requests[] = {KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI,
						 KVM_GET_LAPIC};

	(void)state;
	for (size_t r = 0; r < sizeof(requests) / sizeof(requests[0]); r++)
		for (int at = 1; at <= 12; at++)
			run_with_failure(requests[r], at);
}

/* ---- */

static void on_6_1_nothing_is_lost(void **state)
{
	struct figures mine = run_all(SCAN_6_1, LW_SPLIT_FAST);
	struct figures at_once = run_all(SCAN_6_1, 0);

	(void)state;
	assert_int_equal(mine.lost, 0);
	assert_true(at_once.lost > 0);
}

static void on_6_12_nothing_is_lost_or_left(void **state)
{
	struct figures mine = run_all(SCAN_6_12, LW_SPLIT_FAST);
	struct figures at_once = run_all(SCAN_6_12, 0);

	(void)state;
	assert_int_equal(mine.lost, 0);
	assert_true(mine.superfluous <= mine.excused);
	/* A vector rewritten in flight. */
	assert_true(at_once.lost > 0);
	assert_true(at_once.superfluous > mine.superfluous + mine.superfluous / 2);
	assert_true(at_once.commits > 2 * mine.commits);
}

static void each_rule_is_worth_something(void **state)
{
	struct figures all = run_all(SCAN_6_12, LW_SPLIT_FAST);
	struct figures no_defer = run_all(SCAN_6_12, LW_SPLIT_FAST & ~LW_SPLIT_DEFER);
	struct figures no_recommit = run_all(SCAN_6_12, LW_SPLIT_FAST & ~LW_SPLIT_RECOMMIT);
	struct figures no_quiet = run_all(SCAN_6_12, LW_SPLIT_FAST & ~LW_SPLIT_QUIET);

	(void)state;
	assert_true(no_defer.lost > all.lost);
	assert_true(no_recommit.superfluous > all.superfluous);
	assert_true(no_quiet.commits > 2 * all.commits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_6_1_nothing_is_lost),
		cmocka_unit_test(on_6_12_nothing_is_lost_or_left),
		cmocka_unit_test(each_rule_is_worth_something),
		cmocka_unit_test(any_ioctl_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
