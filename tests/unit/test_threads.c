/* SPDX-License-Identifier: MIT */
/*
 * The controller under real threads: two vCPUs, a device that toggles lines, a guest that rewrites
 * RTEs from elsewhere. Whatever the interleaving, no pin may be left waiting for an EOI that has
 * been. Meant to be run under ThreadSanitizer, too.
 */
#include "test.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "threads_rig.h"

#define USED 6u /* pins that do anything */

static struct {
	atomic_uint taken, left;
	unsigned rounds;
	bool inits; /* vCPUs are reset now and then */
} world;

static uint32_t seed;

static const struct lw_chip_ops ops = {CREW_OPS, .notify = crew_notify_nobody};

static void open_world(enum lw_eoi_policy policy, uint32_t flags)
{
	assert_true(crew_open(&ops, policy, flags, false));
	world.rounds = 400;
}

/* ---- a vCPU ---- */

static void reset_now_and_then(uint32_t vcpu, uint32_t *random)
{
	if (!world.inits || crew_below(random, 50))
		return;
	lw_chip_init_vcpu(crew.chip, vcpu);
	lw_lapic_write(lw_chip_lapic(crew.chip, vcpu), LW_LAPIC_SVR, CREW_ENABLED);
}

/* Trap: what the handler does to its device, and what else happens outside. */
static void visit_host(uint32_t vcpu, uint32_t *random)
{
	lw_chip_exit(crew.chip, vcpu);
	atomic_store(&crew.kicked[vcpu], false);
	lw_chip_exit(crew.chip, vcpu); /* a kick may have come before the flag was cleared */
	for (uint32_t pin = 0; pin < USED; pin++)
		if (crew_below(random, 2))
			lw_chip_line(crew.chip, pin, 0, false);
	reset_now_and_then(vcpu, random);
	lw_chip_enter(crew.chip, vcpu);
}

/* The hardware asks the bitmap before it ends the vector. */
static void end_of_interrupt(uint32_t vcpu, uint32_t *random)
{
	struct lw_lapic *l = lw_chip_lapic(crew.chip, vcpu);
	uint32_t isr = 0;

	for (uint32_t n = 8; n-- > 0 && !isr;) {
		isr = lw_lapic_read(l, LW_LAPIC_ISR + n * 16);
		if (isr) {
			uint8_t vector = (uint8_t)(n * 32 + 31 - (uint32_t)__builtin_clz(isr));
			bool left = lw_chip_eoi_leaves(crew.chip, vcpu, vector);

			lw_lapic_eoi(l);
			if (left) {
				atomic_fetch_add(&world.left, 1);
				visit_host(vcpu, random);
			}
		}
	}
}

static void *run_vcpu(void *arg)
{
	uint32_t random = seed * 77, vcpu = (uint32_t)(uintptr_t)arg;

	crew_self = vcpu;
	random += vcpu;
	lw_chip_enter(crew.chip, vcpu);
	while (!atomic_load(&crew.stop)) {
		if (lw_lapic_accept(lw_chip_lapic(crew.chip, vcpu)) >= 0) {
			atomic_fetch_add(&world.taken, 1);
			if (crew_below(&random, 8) == 0)
				visit_host(vcpu, &random);
			end_of_interrupt(vcpu, &random);
		} else {
			sched_yield();
		}
		if (atomic_load(&crew.kicked[vcpu]))
			visit_host(vcpu, &random);
	}
	lw_chip_exit(crew.chip, vcpu);
	return NULL;
}

/* ---- the others ---- */

static void *run_device(void *arg)
{
	uint32_t random = seed * 5;

	(void)arg;
	for (unsigned n = 0; n < world.rounds; n++) {
		uint32_t pin = crew_below(&random, USED);

		lw_chip_line(crew.chip, pin, 0, crew_below(&random, 3) != 0);
		if (crew_below(&random, 4) == 0) /* an MSI that shares a vector */
			lw_chip_msi(crew.chip, 0xfee00000u | crew_below(&random, CREW_VCPUS) << 12,
				    0x31 + crew_below(&random, USED) * 16);
		if (crew_below(&random, 8) == 0)
			sched_yield();
	}
	return NULL;
}

static void write_rte(uint32_t pin, uint32_t dest, uint32_t low)
{
	struct lw_ioapic *io = lw_chip_ioapic(crew.chip, 0);

	lw_ioapic_write(io, 0x11 + 2 * pin, dest << 24);
	lw_ioapic_write(io, 0x10 + 2 * pin, low);
}

static void *run_guest_rewriter(void *arg)
{
	uint32_t random = seed * 9;

	(void)arg;
	while (!atomic_load(&crew.stop)) {
		uint32_t low = (0x31 + crew_below(&random, USED) * 16) | LW_RTE_LEVEL;

		if (crew_below(&random, 64) == 0) /* rare: this mends what is lost */
			low &= ~(uint32_t)LW_RTE_LEVEL;
		if (crew_below(&random, 8) == 0)
			low |= LW_RTE_MASK;
		write_rte(crew_below(&random, USED), crew_below(&random, CREW_VCPUS), low);
		lw_ioapic_read(lw_chip_ioapic(crew.chip, 0), 0x10 + 2 * crew_below(&random, USED));
		for (uint32_t n = crew_below(&random, 20); n > 0; n--)
			sched_yield();
	}
	return NULL;
}

/* ---- the end ---- */

static bool remote_irr(uint32_t pin)
{
	uint64_t rte;

	assert_int_equal(lw_ioapic_rte(lw_chip_ioapic(crew.chip, 0), pin, &rte), 0);
	return (rte & LW_RTE_REMOTE_IRR) != 0;
}

/* Serve and end all that is pending anywhere. */
static void drain(void)
{
	uint32_t random = 1;

	for (uint32_t n = 0; n < 2 * CREW_VCPUS; n++) {
		struct lw_lapic *l = lw_chip_lapic(crew.chip, n % CREW_VCPUS);

		lw_chip_enter(crew.chip, n % CREW_VCPUS);
		while (lw_lapic_accept(l) >= 0)
			end_of_interrupt(n % CREW_VCPUS, &random);
		lw_chip_exit(crew.chip, n % CREW_VCPUS);
	}
}

static void assert_no_pin_is_dead(void)
{
	crew_self = CREW_EVERYBODY;
	world.inits = false;
	for (uint32_t pin = 0; pin < USED; pin++)
		assert_int_equal(lw_chip_line(crew.chip, pin, 0, false), 0);
	drain();
	lw_chip_settle(crew.chip);
	for (uint32_t pin = 0; pin < USED; pin++)
		assert_false(remote_irr(pin));
	for (uint32_t pin = 0; pin < USED; pin++) {
		write_rte(pin, pin % CREW_VCPUS, 0x50 + pin * 16 + LW_RTE_LEVEL);
		lw_chip_line(crew.chip, pin, 0, true);
		assert_true(remote_irr(pin));
		lw_chip_line(crew.chip, pin, 0, false);
		drain();
		lw_chip_settle(crew.chip);
		assert_false(remote_irr(pin));
	}
	crew_self = CREW_NOBODY;
}

static void run_once(enum lw_eoi_policy policy, uint32_t flags, bool inits)
{
	pthread_t vcpu[CREW_VCPUS], device, rewriter;

	open_world(policy, flags);
	world.inits = inits;
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		assert_int_equal(pthread_create(&vcpu[n], NULL, run_vcpu, (void *)(uintptr_t)n), 0);
	assert_int_equal(pthread_create(&rewriter, NULL, run_guest_rewriter, NULL), 0);
	assert_int_equal(pthread_create(&device, NULL, run_device, NULL), 0);
	pthread_join(device, NULL);
	atomic_store(&crew.stop, true);
	pthread_join(rewriter, NULL);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		pthread_join(vcpu[n], NULL);
	assert_no_pin_is_dead();
	crew_close();
}

/* Many short lives: a later interrupt of the same pair would mend what an earlier one lost. */
static void run_world(enum lw_eoi_policy policy, uint32_t flags, bool inits)
{
	atomic_store(&world.taken, 0);
	atomic_store(&world.left, 0);
	for (int n = 0; n < (lw_test_quick() ? 20 : 200); n++) {
		seed = (uint32_t)n;
		run_once(policy, flags, inits);
	}
	assert_true(atomic_load(&world.taken) > 0 && atomic_load(&world.left) > 0);
	print_message("# %u taken, %u EOIs left\n", atomic_load(&world.taken),
		      atomic_load(&world.left));
}

static void armed_on_a_software_set(void **state)
{
	(void)state;
	run_world(LW_EOI_ARMED, 0, false);
}

static void armed_on_a_hardware_bitmap(void **state)
{
	(void)state;
	run_world(LW_EOI_ARMED, LW_EOI_HARDWARE, false);
}

static void lazy_on_a_software_set(void **state)
{
	(void)state;
	run_world(LW_EOI_LAZY, 0, false);
}

static void lazy_on_a_hardware_bitmap(void **state)
{
	(void)state;
	run_world(LW_EOI_LAZY, LW_EOI_HARDWARE, false);
}

static void vcpus_reset_meanwhile(void **state)
{
	(void)state;
	run_world(LW_EOI_ARMED, LW_EOI_HARDWARE, true);
	run_world(LW_EOI_LAZY, 0, true);
	run_world(LW_EOI_LAZY, LW_EOI_HARDWARE, true);
}

/* ---- posts from two threads ---- */

static _Alignas(LW_LAPIC_ALIGN) unsigned char storage[LW_LAPIC_SIZE];
static struct lw_lapic *const shared = (void *)storage;
static atomic_uint owed[2]; /* by poster: vectors in flight */

/* Each poster has a vector of its own that it posts again once it has been served. */
static void *run_poster(void *arg)
{
	uint32_t n = (uint32_t)(uintptr_t)arg;

	for (unsigned i = 0; i < world.rounds; i++) {
		atomic_store(&owed[n], 1);
		if (lw_lapic_post(shared, (uint8_t)(0x31 + n * 0x10), n) == LW_POST_NOTIFY)
			atomic_store(&crew.kicked[0], true);
		while (atomic_load(&owed[n]) && !atomic_load(&crew.stop))
			sched_yield();
	}
	return NULL;
}

/* The owner looks only when kicked: a post whose kick was not owed by anybody would hang. */
static void serve_posts(unsigned wanted)
{
	time_t last = time(NULL);

	for (unsigned served = 0; served < wanted && time(NULL) < last + 20;) {
		int vector;

		if (!atomic_exchange(&crew.kicked[0], false)) {
			sched_yield();
			continue;
		}
		last = time(NULL);
		while ((vector = lw_lapic_accept(shared)) >= 0) {
			assert_int_equal(lw_lapic_tmr(shared, (uint8_t)vector), vector == 0x41);
			lw_lapic_eoi(shared);
			atomic_store(&owed[(vector - 0x31) / 16], 0);
			served++;
		}
	}
}

static void two_posters_lose_nothing(void **state)
{
	struct lw_lapic_config config = {.id = 0};
	pthread_t poster[2];

	(void)state;
	assert_int_equal(lw_lapic_init(shared, &config), 0);
	lw_lapic_write(shared, LW_LAPIC_SVR, CREW_ENABLED);
	atomic_store(&crew.stop, false);
	world.rounds = lw_test_quick() ? 5000 : 50000;
	for (uintptr_t n = 0; n < 2; n++)
		assert_int_equal(pthread_create(&poster[n], NULL, run_poster, (void *)n), 0);
	serve_posts(2 * world.rounds);
	atomic_store(&crew.stop, true);
	for (uint32_t n = 0; n < 2; n++)
		pthread_join(poster[n], NULL);
	assert_int_equal(lw_lapic_counters(shared).accepted, 2 * world.rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_posters_lose_nothing),
		cmocka_unit_test(armed_on_a_software_set),
		cmocka_unit_test(armed_on_a_hardware_bitmap),
		cmocka_unit_test(lazy_on_a_software_set),
		cmocka_unit_test(lazy_on_a_hardware_bitmap),
		cmocka_unit_test(vcpus_reset_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
