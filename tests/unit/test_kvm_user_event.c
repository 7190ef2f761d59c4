/* SPDX-License-Identifier: MIT */
/* The user backend's eventfds, from trigger to EOI; test_user_event.c has what races for them. */
#include "event_rig.h"
#include "kvm_user_rig.h"

#include <lapwing/snapshot.h>

static void test_eventfds(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	struct pollfd ready = {lw_user_poll_fd(user), POLLIN, 0};

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), -EBUSY);
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(lw_user_serve(user), 0);
	for (unsigned round = 1; round <= 3; round++) {
		eventfd_write(trigger, 1);
		assert_int_equal(poll(&ready, 1, 0), 1);
		assert_int_equal(lw_user_serve(user), 1);
		kvm.injected = -1;
		step(0, NULL);
		assert_int_equal(kvm.injected, VECTOR);
		assert_int_equal(count_of(resample), 0);
		guest_write(0, APIC + LW_LAPIC_EOI, 0);
		assert_int_equal(count_of(resample), 1);
		kvm.injected = -1;
		step(0, NULL);
		assert_int_equal(kvm.injected, -1); /* the EOI lowered the line */
	}
	close(trigger);
	close(resample);
}

static void test_detached_eventfds_are_gone(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	route_pin(PIN, VECTOR);
	for (unsigned i = 0; i < 2 * LW_USER_EVENTFDS; i++) {
		assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
		assert_int_equal(lw_user_attach(user, PIN, 4, trigger, resample), 0);
		assert_int_equal(lw_user_detach(user, PIN, 4), 0);
		eventfd_write(trigger, 1);
		assert_int_equal(lw_user_serve(user), 1);
		assert_int_equal(lw_user_detach(user, PIN, 3), 0);
		assert_int_equal(lw_user_detach(user, PIN, 3), -ENOENT);
	}
	run_until_injected(); /* it was delivered before */
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	kvm.injected = -1;
	step(0, NULL);
	assert_int_equal(kvm.injected, -1); /* and the line has fallen */
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 0);
	assert_int_equal(count_of(trigger), 1);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(count_of(resample), 1);
	close(trigger);
	close(resample);
}

/* Whoever has the other end may fill it, and must not stop a vCPU by it. */
static void test_a_full_eventfd_stops_nobody(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(eventfd_write(resample, UINT64_MAX - 1), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	alarm(20);
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	alarm(0);
	close(trigger);
	close(resample);
}

static void test_eventfds_survive_a_restore(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	uint8_t image[65536];
	size_t size;
	uint32_t mp;

	(void)state;
	route_pin(PIN, VECTOR);
	size = lw_chip_save(lw_user_chip(user), image, sizeof(image));
	assert_true(size <= sizeof(image));
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(lw_user_get_mp(user, 0, &mp), 0);
	assert_int_equal(lw_chip_restore(lw_user_chip(user), image, size), 0);
	assert_int_equal(lw_user_set_mp(user, 0, mp), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(count_of(resample), 1);
	kvm.injected = -1;
	step(0, NULL);
	assert_int_equal(kvm.injected, -1);
	close(trigger);
	close(resample);
}

static void test_8259_resamples(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	start_8259();
	guest_out(LW_PIC_PORT_ELCR, 1u << 5);
	step(0, exit_port);
	assert_int_equal(lw_user_attach(user, 5, 3, trigger, resample), 0);
	for (unsigned round = 0; round < 3; round++) {
		eventfd_write(trigger, 1);
		assert_int_equal(lw_user_serve(user), 1);
		run_until_injected();
		assert_int_equal(kvm.injected, 0x35);
		assert_int_equal(count_of(resample), 0);
		guest_out(0x20, 0x20);
		step(0, exit_port);
		assert_int_equal(count_of(resample), 1);
		kvm.injected = -1;
		step(0, NULL);
		step(0, NULL);
		assert_int_equal(kvm.injected, -1);
	}
	close(trigger);
	close(resample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_eventfds),
		CASE(test_eventfds_survive_a_restore),
		CASE(test_8259_resamples),
		CASE(test_a_full_eventfd_stops_nobody),
		CASE(test_detached_eventfds_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
