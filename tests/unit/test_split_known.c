/* SPDX-License-Identifier: MIT */
/*
 * Where an MSI leads, KVM knows when the call returns that says so: also where another thread was
 * giving KVM a table at any instant of it, and also where KVM refuses that table.
 */
#include "split_rig.h"

#include "instants.h"

#include <sys/eventfd.h>
#include <unistd.h>

static pthread_t installer;
static atomic_bool is_in_ioctl, is_over, may_end;
static bool shall_fail;
static int msi, fd, installed;
static uint32_t wanted;

static void open_round(void)
{
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	fd = eventfd(0, EFD_CLOEXEC);
	assert_true(fd >= 0);
	atomic_store(&waits, false);
	atomic_store(&is_in_ioctl, false);
	atomic_store(&is_over, false);
	atomic_store(&may_end, false);
	is_watched = true;
	alarm(20);
}

static void close_round(void)
{
	alarm(0);
	close(fd);
	rig_close();
}

/* ---- the other thread ---- */

static void *rewrite_pin_6(void *unused)
{
	(void)unused;
	installed = write_high(6, rte_to(2, V + 16));
	if (installed < 0) /* perhaps before the RTE was written */
		assert_int_equal(write_high(6, rte_to(2, V + 16)), 0);
	atomic_store(&is_over, true);
	return NULL;
}

/* KVM takes its time, until the first thread's call waits for it or has come to its end. */
static void take_long(void)
{
	if (atomic_exchange(&is_in_ioctl, true))
		return;
	while (!atomic_load(&waits) && !atomic_load(&may_end))
		sched_yield();
	if (shall_fail)
		fake.refuse = ENOMEM;
}

static void another_installs(void)
{
	fake.in_commit = take_long;
	assert_int_equal(pthread_create(&installer, NULL, rewrite_pin_6, NULL), 0);
	while (!atomic_load(&is_in_ioctl) && !atomic_load(&is_over))
		sched_yield();
}

/* ---- the calls ---- */

static void kvm_knows(void)
{
	assert_int_equal(routed((uint32_t)msi), wanted);
}

static void lead_to(uint32_t vcpu)
{
	const uint64_t address = 0xfee00000u | (APIC_ID + vcpu) << 12;

	wanted = R(vcpu, V);
	assert_int_equal(lw_split_msi_route(split, (uint32_t)msi, address, V), 0);
}

static void lead_elsewhere(void)
{
	lead_to(1);
}

static void begin(void)
{
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)msi, fd), 0);
}

static void mask(void)
{
	wanted = 0;
	assert_int_equal(lw_split_msi_mask(split, (uint32_t)msi), 0);
}

static void release(void)
{
	assert_int_equal(lw_split_release(split), 0);
}

static void led(void)
{
	assert_int_equal(program(6, rte_to(1, V + 16)), 0);
	msi = lw_split_msi_alloc(split);
	assert_true(msi >= 0);
	lead_to(0);
	fake.before_irqfd = kvm_knows;
}

static void led_and_begun(void)
{
	led();
	begin();
}

static void masked_and_held(void)
{
	led_and_begun();
	lw_split_hold(split);
	mask();
}

static void it_was_known(void)
{
	kvm_knows();
	is_watched = false;
	atomic_store(&may_end, true);
	assert_int_equal(pthread_join(installer, NULL), 0);
	assert_int_equal(installed, shall_fail ? -ENOMEM : 0);
	kvm_knows();
	assert_int_equal(lw_split_retry(split), 0);
	kvm_knows();
	assert_int_equal(routed(6), R(2, V + 16));
}

static void at_any_instant(void (*prepare)(void), void (*call)(void))
{
	for (int fails = 0; fails < 2; fails++) {
		shall_fail = fails;
		assert_true(at_every_instant(prepare, call, another_installs, it_was_known) >= 2);
	}
}

static void an_irqfd_that_begins(void **state)
{
	(void)state;
	at_any_instant(led, begin);
}

static void a_route_that_is_another(void **state)
{
	(void)state;
	at_any_instant(led_and_begun, lead_elsewhere);
}

static void a_mask(void **state)
{
	(void)state;
	at_any_instant(led_and_begun, mask);
}

static void what_is_released(void **state)
{
	(void)state;
	at_any_instant(masked_and_held, release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_irqfd_that_begins),
		cmocka_unit_test(a_route_that_is_another),
		cmocka_unit_test(a_mask),
		cmocka_unit_test(what_is_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
