/* SPDX-License-Identifier: MIT */
/* The user backend's vCPUs when they are left, restored and bound again: what survives. */
#include "kvm_user_rig.h"

#include <lapwing/kvm_state.h>
#include <lapwing/snapshot.h>

#include <time.h>

static void start_timer(void)
{
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, APIC + LW_LAPIC_DCR, 0xb);
	guest_write(0, APIC + LW_LAPIC_LVT_TIMER, VECTOR);
	guest_write(0, APIC + LW_LAPIC_TMICT, 50000000);
}

/* Halts; without the timer a kick ends it after 5 s, lest the test hang. */
static void check_timer_wakes(void)
{
	const struct itimerspec when = {.it_value = {.tv_sec = 5}, .it_interval = {.tv_sec = 1}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec left;
	timer_t timer;

	kvm.injected = -1;
	step(0, exit_halt);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &when, NULL), 0);
	run_until_injected();
	assert_int_equal(timer_gettime(timer, &left), 0);
	assert_int_equal(timer_delete(timer), 0);
	assert_int_equal(kvm.injected, VECTOR);
	assert_true(left.it_value.tv_sec >= 1); /* not by the kick */
}

/* Into a new backend, of which no vCPU is bound. */
static void move_chip(void)
{
	size_t size = lw_chip_save(lw_user_chip(user), NULL, 0);
	struct lw_user_config c = config();
	uint32_t mp[CPUS];
	uint8_t *image = malloc(size);

	assert_non_null(image);
	assert_int_equal(lw_chip_save(lw_user_chip(user), image, size), size);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_get_mp(user, i, &mp[i]), 0);
	teardown(NULL);
	memset(kvm.run, 0, sizeof(kvm.run));
	make(&c);
	for (uint32_t i = 0; i < CPUS; i++)
		lw_user_unbind(user, i);
	assert_int_equal(lw_chip_restore(lw_user_chip(user), image, size), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_set_mp(user, i, mp[i]), 0);
	free(image);
}

static void test_timer_survives_a_restore(void **state)
{
	(void)state;
	start_timer();
	move_chip();
	assert_int_equal(lw_user_bind(user, 0), 0);
	check_timer_wakes();
}

static void test_timer_survives_another_bind(void **state)
{
	(void)state;
	start_timer();
	lw_user_unbind(user, 0);
	assert_int_equal(lw_user_bind(user, 0), 0);
	check_timer_wakes();
}

static void test_mp_state_survives_a_restore(void **state)
{
	uint32_t mp;

	(void)state;
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99);
	step(1, NULL);
	guest_write(0, ICR, 0x4400); /* an NMI that is not taken yet */
	step(0, exit_halt);
	move_chip();
	assert_int_equal(lw_user_get_mp(user, 0, &mp), 0);
	assert_int_equal(mp, LW_USER_MP_HALTED | LW_USER_MP_IF);
	assert_int_equal(lw_user_get_mp(user, 1, &mp), 0);
	assert_int_equal(mp, LW_USER_MP_NMI | LW_USER_MP_IF);
	assert_int_equal(lw_user_bind(user, 1), 0);
	kvm.runs = 0;
	step(1, NULL);
	assert_int_equal(kvm.runs, 1);
	assert_int_equal(kvm.nmis, 1);
	assert_int_equal(lw_user_get_mp(user, CPUS, &mp), -EINVAL);
	assert_int_equal(lw_user_get_mp(user, 0, NULL), -EINVAL);
	assert_int_equal(lw_user_set_mp(user, CPUS, 0), -EINVAL);
	assert_int_equal(lw_user_set_mp(user, 0, 0x80000), -EINVAL);
}

static void test_pending_sipi_survives_a_restore(void **state)
{
	(void)state;
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99);
	move_chip();
	assert_int_equal(lw_user_bind(user, 1), 0);
	step(1, NULL);
	assert_int_equal(kvm.sregs[1].cs.base, 0x99000);
}

static int lazy_setup(void **state)
{
	struct lw_user_config c = config();

	setup(state);
	teardown(state);
	c.flags |= LW_USER_LAZY;
	make(&c);
	return 0;
}

/* With the vCPUs' threads gone anybody may ask what has become of a delivery that was let go. */
static void test_what_was_let_go_is_settled_once_unbound(void **state)
{
	struct kvm_ioapic_state io;

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_line(user, PIN, 0, true), 0);
	run_until_injected();
	assert_int_equal(lw_user_line(user, PIN, 0, false), 0);
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(lw_user_counters(user).eoi.necessary, 0); /* it stayed inside */
	lw_user_unbind(user, 0);
	assert_int_equal(lw_kvm_chip_ioapic_export(lw_user_chip(user), 0, &io), 0);
	assert_false(io.redirtbl[PIN].bits & LW_RTE_REMOTE_IRR);
}

static void test_a_bind_that_fails_leaves_nothing(void **state)
{
	(void)state;
	lw_user_unbind(user, 0);
	kvm.fails = KVM_GET_MSRS;
	assert_int_equal(lw_user_bind(user, 0), -EIO);
	assert_int_equal(lw_user_run(user, 0), -EINVAL);
	kvm.fails = 0;
	assert_int_equal(lw_user_bind(user, 0), 0);
}

static void test_refuses_a_vcpu_that_is_not_bound(void **state)
{
	(void)state;
	lw_user_unbind(user, 0);
	lw_user_unbind(user, 0);
	lw_user_unbind(user, CPUS);
	lw_user_unbind(user, UINT32_MAX);
	assert_int_equal(lw_user_run(user, 0), -EINVAL);
	assert_int_equal(lw_user_run(user, CPUS), -EINVAL);
	assert_int_equal(lw_user_run(user, UINT32_MAX), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_timer_survives_a_restore),
		CASE(test_timer_survives_another_bind),
		CASE(test_mp_state_survives_a_restore),
		CASE(test_pending_sipi_survives_a_restore),
		cmocka_unit_test_setup_teardown(test_what_was_let_go_is_settled_once_unbound,
						lazy_setup, teardown),
		CASE(test_a_bind_that_fails_leaves_nothing),
		CASE(test_refuses_a_vcpu_that_is_not_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
