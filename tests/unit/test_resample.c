/* SPDX-License-Identifier: MIT */
/*
 * An assigned device's level-triggered interrupts with real threads, for ThreadSanitizer: a device
 * that raises its line again each time it has been told of the EOI, two vCPUs that take what comes,
 * a guest that moves the pin between them. Each interrupt is served once and told once: through the
 * LAPICs in Lapwing, and through the split backend on a made-up kernel with its eventfds.
 */
#include "split_rig.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "threads_rig.h"

#define PIN      5u
#define VECTOR   0x51u /* and one more */
#define PATIENCE 60000 /* ms */

static struct {
	int trigger, told;
	uint64_t count;
	atomic_uint_least64_t served, resampled;
} world;

static uint64_t how_many(void)
{
	return lw_test_quick() ? 3000 : 100000;
}

static void open_world(void)
{
	world.trigger = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.told = eventfd(0, EFD_CLOEXEC);
	world.count = how_many();
	assert_true(world.trigger >= 0 && world.told >= 0);
	atomic_store(&crew.stop, false);
	atomic_store(&world.served, 0);
	atomic_store(&world.resampled, 0);
}

static void close_world(void)
{
	close(world.trigger);
	close(world.told);
}

/* `raise` once for each time it was told. */
static void run_device(void (*raise)(void))
{
	for (uint64_t n = 0; n < world.count; n++) {
		struct pollfd ready = {.fd = world.told, .events = POLLIN};
		eventfd_t times;

		raise();
		assert_int_equal(poll(&ready, 1, PATIENCE), 1);
		assert_int_equal(eventfd_read(world.told, &times), 0);
		assert_int_equal(times, 1);
		atomic_fetch_add(&world.resampled, 1);
	}
	atomic_store(&crew.stop, true);
}

static void assert_each_was_served_once(void)
{
	assert_int_equal(atomic_load(&world.served), world.count);
	assert_int_equal(atomic_load(&world.resampled), world.count);
}

/* ---- LAPICs of ours ---- */

/* The device is sampled: its line falls, and its thread may raise it again. */
static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(lw_chip_line(crew.chip, gsi, 0, false), 0);
	assert_int_equal(eventfd_write(world.told, 1), 0);
}

static void open_chip(enum lw_eoi_policy policy, uint32_t flags)
{
	static const struct lw_chip_ops ops = {CREW_OPS, .notify = crew_notify_nobody,
					       .resample = resample};

	assert_true(crew_open(&ops, policy, flags, false));
	assert_int_equal(lw_ioapic_notify(lw_chip_ioapic(crew.chip, 0), PIN, true), 0);
}

static void end_of_interrupt(uint32_t vcpu, uint8_t vector)
{
	bool left = lw_chip_eoi_leaves(crew.chip, vcpu, vector);

	lw_lapic_eoi(lw_chip_lapic(crew.chip, vcpu));
	if (left) {
		lw_chip_exit(crew.chip, vcpu);
		lw_chip_enter(crew.chip, vcpu);
	}
}

static void *run_lapic(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;

	crew_self = vcpu;
	lw_chip_enter(crew.chip, vcpu);
	while (!atomic_load(&crew.stop)) {
		int vector = lw_lapic_accept(lw_chip_lapic(crew.chip, vcpu));

		if (vector >= 0) {
			atomic_fetch_add(&world.served, 1);
			end_of_interrupt(vcpu, (uint8_t)vector);
		} else {
			sched_yield();
		}
		if (atomic_exchange(&crew.kicked[vcpu], false)) {
			lw_chip_exit(crew.chip, vcpu);
			lw_chip_enter(crew.chip, vcpu);
		}
	}
	lw_chip_exit(crew.chip, vcpu);
	return NULL;
}

static void *move_in_chip(void *arg)
{
	struct lw_ioapic *io = lw_chip_ioapic(crew.chip, 0);

	(void)arg;
	for (uint32_t n = 0; !atomic_load(&crew.stop); n++) {
		lw_ioapic_write(io, 0x11 + 2 * PIN, n % CREW_VCPUS << 24);
		lw_ioapic_write(io, 0x10 + 2 * PIN,
				(VECTOR + n / CREW_VCPUS % 2) | (uint32_t)LW_RTE_LEVEL);
		for (uint32_t m = n % 7; m > 0; m--)
			sched_yield();
	}
	return NULL;
}

static void raise_in_chip(void)
{
	assert_int_equal(lw_chip_line(crew.chip, PIN, 0, true), 0);
}

static void run_chip(enum lw_eoi_policy policy, uint32_t flags)
{
	pthread_t vcpu[CREW_VCPUS], guest;

	open_world();
	open_chip(policy, flags);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		assert_int_equal(pthread_create(&vcpu[n], NULL, run_lapic, (void *)(uintptr_t)n),
				 0);
	assert_int_equal(pthread_create(&guest, NULL, move_in_chip, NULL), 0);
	run_device(raise_in_chip);
	pthread_join(guest, NULL);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		pthread_join(vcpu[n], NULL);
	assert_each_was_served_once();
	crew_close();
	close_world();
}

static void lapics_of_ours_armed(void **state)
{
	(void)state;
	run_chip(LW_EOI_ARMED, 0);
}

static void lapics_of_ours_lazy_on_a_hardware_bitmap(void **state)
{
	(void)state;
	run_chip(LW_EOI_LAZY, LW_EOI_HARDWARE);
}

/* ---- LAPICs of the made-up kernel ---- */

static void *run_kernels_vcpu(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;

	while (!atomic_load(&crew.stop)) {
		if (fake_accept(vcpu) < 0) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(&world.served, 1);
		assert_int_equal(guest_eoi(vcpu), LW_EOI_NECESSARY);
	}
	return NULL;
}

static void *run_server(void *arg)
{
	(void)arg;
	while (!atomic_load(&crew.stop)) {
		struct pollfd ready = {.fd = lw_split_poll_fd(split), .events = POLLIN};

		if (poll(&ready, 1, 10) == 1)
			assert_true(lw_split_serve(split) >= 0);
	}
	return NULL;
}

/* And edge interrupts of other vectors, MSI routes, LAPIC reads: all that there is to race. */
static void *move_in_split(void *arg)
{
	int gsi = lw_split_msi_alloc(split);

	(void)arg;
	for (uint32_t n = 0; !atomic_load(&crew.stop); n++) {
		assert_int_equal(program(PIN, rte_to(n % CREW_VCPUS,
						     (uint8_t)(VECTOR + n / CREW_VCPUS % 2))),
				 0);
		assert_int_equal(lw_split_msi_route(split, (uint32_t)gsi, 0xfee04000, 0x80 + n % 2),
				 0);
		assert_int_equal(program(PIN + 1, rte_to(2, VECTOR)), 0);
		(void)lw_split_counters(split);
		for (uint32_t m = n % 7; m > 0; m--)
			sched_yield();
	}
	return NULL;
}

static void raise_event(void)
{
	assert_int_equal(eventfd_write(world.trigger, 1), 0);
}

static void run_split(enum scan_rule rule)
{
	pthread_t vcpu[CREW_VCPUS], guest, server;

	open_world();
	rig_open_with(rule, LW_SPLIT_FAST);
	assert_int_equal(program(PIN, rte_to(0, VECTOR)), 0);
	assert_int_equal(lw_split_attach(split, PIN, 0, world.trigger, world.told), 0);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		assert_int_equal(
			pthread_create(&vcpu[n], NULL, run_kernels_vcpu, (void *)(uintptr_t)n), 0);
	assert_int_equal(pthread_create(&server, NULL, run_server, NULL), 0);
	assert_int_equal(pthread_create(&guest, NULL, move_in_split, NULL), 0);
	run_device(raise_event);
	pthread_join(guest, NULL);
	pthread_join(server, NULL);
	for (uint32_t n = 0; n < CREW_VCPUS; n++)
		pthread_join(vcpu[n], NULL);
	assert_each_was_served_once();
	assert_true(lw_split_counters(split).deferred > 0);
	rig_close();
	close_world();
}

static void split_on_6_1(void **state)
{
	(void)state;
	run_split(SCAN_6_1);
}

static void split_on_6_12(void **state)
{
	(void)state;
	run_split(SCAN_6_12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lapics_of_ours_armed),
		cmocka_unit_test(lapics_of_ours_lazy_on_a_hardware_bitmap),
		cmocka_unit_test(split_on_6_1),
		cmocka_unit_test(split_on_6_12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
