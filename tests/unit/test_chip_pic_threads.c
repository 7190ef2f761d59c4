/* SPDX-License-Identifier: MIT */
/*
 * The virtual wire under real threads: a device raises edges of the 8259s, two vCPUs that mask and
 * unmask LINT0 look only when they are told to, and each edge is taken once. A rise that nobody was
 * told of would hang.
 */
#include "test.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include "threads_rig.h"

#define PATIENT 20 /* seconds without an interrupt */
#define EXTINT  0x700u
#define LMASK   0x10000u

static struct {
	atomic_bool busy;
	atomic_uint taken, wrong;
	unsigned rounds;
} world;

static const struct lw_chip_ops ops = {CREW_OPS, .notify = crew_kick};

/* Vectors 0x30 to 0x37, automatic EOI, so that each acknowledgement lets the next one through. */
static void set_up_pic(struct lw_pic *pic)
{
	static const uint8_t words[] = {0x30, 0x04, 0x03, 0x00};

	lw_pic_write(pic, LW_PIC_PORT_MASTER, 0x11, 1);
	for (size_t n = 0; n < sizeof(words); n++)
		lw_pic_write(pic, LW_PIC_PORT_MASTER + 1u, words[n], 1);
}

static void open_world(void)
{
	assert_true(crew_open(&ops, LW_EOI_ARMED, 0, true));
	set_up_pic(lw_chip_pic(crew.chip));
	world.rounds = lw_test_quick() ? 5000 : 50000;
}

/* One edge at a time: the next when the last has been taken. */
static void *run_device(void *arg)
{
	time_t last = time(NULL);

	(void)arg;
	for (unsigned n = 0; n < world.rounds; n++) {
		uint32_t gsi = n % 2 ? 3 : 4;

		atomic_store(&world.busy, true);
		lw_chip_line(crew.chip, gsi, 0, true);
		lw_chip_line(crew.chip, gsi, 0, false);
		while (atomic_load(&world.busy) && time(NULL) < last + PATIENT)
			sched_yield();
		if (atomic_load(&world.busy))
			break;
		last = time(NULL);
	}
	atomic_store(&crew.stop, true);
	return NULL;
}

static void take_all(uint32_t vcpu)
{
	int vector;

	while ((vector = lw_chip_accept(crew.chip, vcpu)) >= 0) {
		if (vector != 0x33 && vector != 0x34)
			atomic_fetch_add(&world.wrong, 1);
		atomic_fetch_add(&world.taken, 1);
		atomic_store(&world.busy, false);
	}
}

/* Guest code that masks and unmasks LINT0. After the unmasking it looks once, as a VMM does before
 * it enters again or halts; then it sleeps until it is told. */
static void *run_vcpu(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg, random = vcpu * 77;
	struct lw_lapic *l = lw_chip_lapic(crew.chip, vcpu);

	lw_lapic_write(l, LW_LAPIC_LVT_LINT0, EXTINT);
	while (!atomic_load(&crew.stop)) {
		lw_chip_exit(crew.chip, vcpu);
		take_all(vcpu);
		random = random * 1664525u + 1013904223u;
		if (random >> 30 == 0) {
			lw_lapic_write(l, LW_LAPIC_LVT_LINT0, EXTINT | LMASK);
			for (uint32_t n = random >> 20 & 7u; n > 0; n--)
				sched_yield();
			lw_lapic_write(l, LW_LAPIC_LVT_LINT0, EXTINT);
			take_all(vcpu);
		}
		lw_chip_enter(crew.chip, vcpu);
		while (!atomic_exchange(&crew.kicked[vcpu], false) && !atomic_load(&crew.stop))
			sched_yield();
	}
	return NULL;
}

static void no_rise_is_missed_and_none_is_taken_twice(void **state)
{
	pthread_t vcpu[CREW_VCPUS], device;
	struct lw_pic_counters counters;

	(void)state;
	open_world();
	for (uintptr_t n = 0; n < CREW_VCPUS; n++)
		assert_int_equal(pthread_create(&vcpu[n], NULL, run_vcpu, (void *)n), 0);
	assert_int_equal(pthread_create(&device, NULL, run_device, NULL), 0);
	pthread_join(device, NULL);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		pthread_join(vcpu[n], NULL);
	counters = lw_pic_counters(lw_chip_pic(crew.chip));
	assert_int_equal(atomic_load(&world.taken), world.rounds);
	assert_int_equal(atomic_load(&world.wrong), 0);
	assert_true(counters.spurious == 0 && counters.acknowledged == world.rounds);
	crew_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rise_is_missed_and_none_is_taken_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
