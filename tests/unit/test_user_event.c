/* SPDX-License-Identifier: MIT */
/*
 * The user backend's eventfds: their calls against each other at every instant between locks, and
 * peers that mean no good. vCPU 0 is played by the test, on the chips themselves.
 */
#include "event_rig.h"
#include "instants.h"

#include <lapwing/kvm_user.h>

#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#define PIN    5u
#define VECTOR 0x50

static struct lw_user *user;
static struct kvm_run run;
static int old_trigger, old_resample, new_trigger, new_resample, victim[2];

static int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	(void)fd;
	(void)argument;
	return request == KVM_GET_TSC_KHZ ? 2000000 : 0;
}

static void make(void)
{
	static const struct lw_kvm_sys fake = {.ioctl = fake_ioctl};
	const struct lw_user_config config = {.sys = &fake,
					      .kick = SIGRTMIN,
					      .flags = LW_USER_PIC,
					      .nvcpus = 1,
					      .pins = 24,
					      .version = 0x20};

	user = aligned_alloc(LW_USER_ALIGN, lw_user_size(&config));
	assert_non_null(user);
	assert_int_equal(lw_user_init(user, &config), 0);
	assert_int_equal(lw_user_vcpu(user, 0, 100, &run), 0);
}

static struct lw_ioapic *io(void)
{
	return lw_chip_ioapic(lw_user_chip(user), 0);
}

static void open_round(void)
{
	make();
	peer_is_nobody();
	lw_lapic_write(lw_chip_lapic(lw_user_chip(user), 0), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	lw_pic_write(lw_chip_pic(lw_user_chip(user)), 0x21, 0xff, 1); /* it would come first */
	lw_ioapic_write(io(), 0x10 + 2 * PIN, (uint32_t)LW_RTE_LEVEL | VECTOR);
	old_trigger = eventfd(0, EFD_CLOEXEC);
	old_resample = eventfd(0, EFD_CLOEXEC);
	new_trigger = eventfd(0, EFD_CLOEXEC);
	new_resample = eventfd(0, EFD_CLOEXEC);
	assert_true(old_trigger >= 0 && new_resample >= 0);
	victim[0] = victim[1] = -1;
	alarm(20);
}

static void close_round(void)
{
	const int fds[] = {old_trigger,  old_resample, new_trigger,
			   new_resample, victim[0],    victim[1]};

	alarm(0);
	lw_user_close(user);
	free(user);
	for (size_t n = 0; n < sizeof(fds) / sizeof(*fds); n++)
		if (fds[n] >= 0)
			close(fds[n]);
}

static int setup(void **state)
{
	(void)state;
	open_round();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_round();
	return 0;
}

static int take(void)
{
	return lw_chip_accept(lw_user_chip(user), 0);
}

static void eoi(void)
{
	lw_lapic_write(lw_chip_lapic(lw_user_chip(user), 0), LW_LAPIC_EOI, 0);
}

/* ---- what the threads do ---- */

static void attached(void)
{
	assert_int_equal(lw_user_attach(user, PIN, 0, old_trigger, old_resample), 0);
	assert_int_equal(eventfd_write(old_trigger, 1), 0);
}

static void attached_and_in_service(void)
{
	attached();
	assert_int_equal(lw_user_serve(user), 1);
	assert_int_equal(take(), VECTOR);
}

static void serve(void)
{
	assert_true(lw_user_serve(user) >= 0);
}

static void give_back(void)
{
	assert_int_equal(lw_user_detach(user, PIN, 0), 0);
}

/* And somebody opens files, which get the numbers that have become free. */
static void give_back_and_open(void)
{
	give_back();
	victim[0] = eventfd(0, EFD_CLOEXEC);
	victim[1] = eventfd(0, EFD_CLOEXEC);
}

static void take_back(void)
{
	give_back();
	assert_int_equal(lw_user_line(user, PIN, 0, true), 0);
}

static void hand_over(void)
{
	give_back();
	assert_int_equal(lw_user_attach(user, PIN, 0, new_trigger, new_resample), 0);
	assert_int_equal(eventfd_write(new_trigger, 1), 0);
	assert_int_equal(lw_user_serve(user), 1);
}

static void attach_another_source(void)
{
	assert_int_equal(lw_user_attach(user, PIN, 1, new_trigger, new_resample), 0);
}

/* ---- what must hold ---- */

static void serve_the_guest(void)
{
	serve();
	eoi();
	for (int n = 0; n < 4 && take() == VECTOR; n++)
		eoi();
}

static void nobody_else_was_told(void)
{
	assert_int_equal(count_of(victim[0]), 0);
	assert_int_equal(count_of(victim[1]), 0);
	serve_the_guest();
	assert_int_equal(take(), -1);
	assert_int_equal(count_of(victim[0]), 0);
	assert_int_equal(count_of(victim[1]), 0);
}

static void the_line_is_still_asserted(void)
{
	eoi();
	for (int n = 0; n < 3; n++) {
		assert_int_equal(take(), VECTOR);
		eoi();
	}
}

static void the_new_device_has_been_told(void)
{
	serve_the_guest();
	assert_true(count_of(new_resample) > 0);
}

static void the_new_device_is_told(void)
{
	assert_int_equal(eventfd_write(new_trigger, 1), 0);
	the_new_device_has_been_told();
}

/* ---- the cases ---- */

static void a_detached_eventfd_is_written_to_no_more(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_in_service, eoi, give_back_and_open,
				     nobody_else_was_told) >= 3);
	assert_true(at_every_instant(attached, serve, give_back_and_open, nobody_else_was_told) >=
		    2);
}

static void a_line_of_who_takes_over_is_not_lowered(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_in_service, eoi, take_back,
				     the_line_is_still_asserted) >= 3);
	assert_true(at_every_instant(attached, serve, take_back, the_line_is_still_asserted) >= 2);
}

static void a_signal_of_who_takes_over_is_not_lost(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_in_service, eoi, hand_over,
				     the_new_device_has_been_told) >= 3);
	assert_true(at_every_instant(attached, serve, hand_over, the_new_device_has_been_told) >=
		    2);
}

static void who_attaches_while_another_detaches_is_told(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached, give_back, attach_another_source,
				     the_new_device_is_told) >= 3);
}

/* The eventfd's pins are those of that number, whatever the VMM has led the GSI to. */
static void detaching_lowers_the_pins_of_a_gsi_that_leads_elsewhere(void **state)
{
	struct lw_pic *pic = lw_chip_pic(lw_user_chip(user));
	struct lw_pic_regs regs;

	(void)state;
	lw_pic_write(pic, LW_PIC_PORT_ELCR, 1u << PIN, 1);
	attached_and_in_service();
	assert_int_equal(lw_pic_regs(pic, 0, &regs), 0);
	assert_true(regs.irr & 1u << PIN);
	assert_int_equal(lw_routes_replace(lw_chip_routes(lw_user_chip(user)), PIN, NULL, 0), 0);
	assert_int_equal(lw_user_line(user, PIN, 0, false), -EINVAL);
	assert_int_equal(lw_user_detach(user, PIN, 0), 0);
	assert_int_equal(lw_pic_regs(pic, 0, &regs), 0);
	assert_false(regs.irr & 1u << PIN);
	eoi();
	assert_int_equal(take(), -1);
}

static void a_peer_that_fills_it_meanwhile_stops_nobody(void **state)
{
	(void)state;
	attached_and_in_service();
	peer.fills = old_resample;
	eoi();
	assert_int_equal(peer.filled, 1);
	assert_true(count_of(old_resample) >= UINT64_MAX - 1);
}

static void what_is_no_eventfd_is_refused_or_detached(void **state)
{
	struct pollfd ready = {.fd = lw_user_poll_fd(user), .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN};
	int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(lw_user_attach(user, PIN, 0, ends[0], old_resample), -EINVAL);
	assert_int_equal(lw_user_attach(user, PIN, 0, old_trigger, ends[1]), -EINVAL);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(eventfd_write(new_trigger, 1), 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, new_trigger, &event), 0);
	assert_int_equal(lw_user_attach(user, PIN, 0, epoll, old_resample), 0);
	assert_int_equal(__real_poll(&ready, 1, 0), 1);
	assert_int_equal(lw_user_serve(user), -EINVAL);
	assert_int_equal(__real_poll(&ready, 1, 0), 0);
	assert_int_equal(lw_user_detach(user, PIN, 0), -ENOENT);
	close(epoll);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_detached_eventfd_is_written_to_no_more),
		cmocka_unit_test(a_line_of_who_takes_over_is_not_lowered),
		cmocka_unit_test(a_signal_of_who_takes_over_is_not_lost),
		cmocka_unit_test(who_attaches_while_another_detaches_is_told),
		CASE(detaching_lowers_the_pins_of_a_gsi_that_leads_elsewhere),
		CASE(a_peer_that_fills_it_meanwhile_stops_nobody),
		CASE(what_is_no_eventfd_is_refused_or_detached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
