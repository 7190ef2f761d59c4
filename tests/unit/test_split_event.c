/* SPDX-License-Identifier: MIT */
/* Eventfds that the split backend shares with somebody who means no good, and what is no eventfd.
 */
#include "split_rig.h"

#include "event_rig.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

static int trigger, resample, told;

static int setup(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	peer_is_nobody();
	trigger = eventfd(0, EFD_CLOEXEC);
	resample = eventfd(0, EFD_CLOEXEC);
	assert_true(trigger >= 0 && resample >= 0);
	alarm(20); /* whoever waits for a peer waits for ever */
	return 0;
}

static int teardown(void **state)
{
	alarm(0);
	peer_is_nobody();
	close(trigger);
	close(resample);
	return rig_teardown(state);
}

static void one_interrupt(int found)
{
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(eventfd_write(trigger, 1), 0);
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), found);
	assert_false(remote_irr(5));
}

static void detach_both(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(lw_split_detach(split, gsi, 0), 0);
	assert_int_equal(lw_split_notify(split, gsi, false), 0);
	told++;
}

static void a_resampler_may_detach_what_it_hears_of(void **state)
{
	static const struct lw_split_ops ops = {.resample = detach_both};
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);

	(void)state;
	rig_close();
	fake_reset(SCAN_6_12);
	config.ops = &ops;
	rig_open(&config);
	told = 0;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	assert_int_equal(lw_split_notify(split, 5, true), 0);
	one_interrupt(LW_EOI_NECESSARY);
	assert_int_equal(told, 1);
	assert_int_equal(count_of(resample), 1);
	assert_int_equal(lw_split_detach(split, 5, 0), -ENOENT);
	line(5, true);
	assert_int_equal(fake_accept(0), V);
	line(5, false);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(told, 1);
}

static void a_peer_that_fills_it_meanwhile_stops_nobody(void **state)
{
	(void)state;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	peer.fills = resample;
	one_interrupt(LW_EOI_NECESSARY);
	assert_int_equal(peer.filled, 1);
	assert_true(count_of(resample) >= UINT64_MAX - 1);
	assert_int_equal(counters().failed, 0);
}

/* As the kernel's own: it says no more than that there was a signal, again and again. */
static void one_that_stays_full_is_told_again(void **state)
{
	(void)state;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	assert_int_equal(eventfd_write(resample, UINT64_MAX - 1), 0);
	for (uint32_t n = 0; n < 300; n++)
		one_interrupt(LW_EOI_NECESSARY);
	assert_true(peer.submitted >= 300);
	assert_true(count_of(resample) == UINT64_MAX);
	one_interrupt(LW_EOI_NECESSARY);
	assert_int_equal(count_of(resample), 1);
}

static void without_asynchronous_io_a_full_one_is_left(void **state)
{
	(void)state;
	peer.no_aio = true;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	one_interrupt(LW_EOI_NECESSARY);
	assert_int_equal(count_of(resample), 1);
	assert_int_equal(eventfd_write(resample, UINT64_MAX - 1), 0);
	one_interrupt(LW_EOI_NECESSARY);
	assert_true(count_of(resample) == UINT64_MAX - 1);
	assert_int_equal(peer.submitted, 0);
}

static void a_peer_that_reads_it_first_stops_nobody(void **state)
{
	(void)state;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	peer.steals = true;
	for (int old = 0; old < 2; old++) {
		peer.no_nowait = old;
		assert_int_equal(eventfd_write(trigger, 1), 0);
		assert_int_equal(lw_split_serve(split), 0);
	}
	assert_int_equal(peer.stolen, 2);
	peer.steals = false;
	one_interrupt(LW_EOI_NECESSARY);
	peer.no_nowait = false;
	one_interrupt(LW_EOI_NECESSARY);
}

static void is_refused(int fd)
{
	assert_int_equal(lw_split_attach(split, 5, 0, fd, resample), -EINVAL);
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, fd), -EINVAL);
	close(fd);
}

/* To write to some of these raises SIGPIPE, and some are readable for ever. */
static void pipes_sockets_and_files_are_refused(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	is_refused(ends[1]);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	is_refused(ends[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[0]);
	is_refused(ends[1]);
	is_refused(open("/dev/full", O_WRONLY | O_CLOEXEC));
	is_refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
}

static void is_detached(int fd)
{
	struct pollfd ready = {.fd = lw_split_poll_fd(split), .events = POLLIN};

	assert_int_equal(lw_split_attach(split, 5, 0, fd, -1), 0);
	assert_int_equal(__real_poll(&ready, 1, 0), 1);
	assert_int_equal(lw_split_serve(split), -EINVAL);
	assert_int_equal(__real_poll(&ready, 1, 0), 0);
	assert_int_equal(lw_split_detach(split, 5, 0), -ENOENT);
	close(fd);
}

/* What can be waited for, but not read as an eventfd is: nobody waits for it, nor goes in circles.
 */
static void what_can_not_be_read_is_detached(void **state)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), watch = inotify_init1(IN_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	char name[] = "/tmp/lapwing-XXXXXX";

	(void)state;
	assert_int_equal(eventfd_write(resample, 1), 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, resample, &event), 0);
	is_detached(epoll);
	assert_true(inotify_add_watch(watch, "/tmp", IN_CREATE) >= 0);
	close(mkstemp(name));
	unlink(name);
	is_detached(watch);
}

static void what_can_not_be_told_is_an_error(void **state)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, epoll), 0);
	one_interrupt(-EINVAL);
	assert_int_equal(counters().failed, 1);
	close(epoll);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_resampler_may_detach_what_it_hears_of),
		CASE(a_peer_that_fills_it_meanwhile_stops_nobody),
		CASE(one_that_stays_full_is_told_again),
		CASE(without_asynchronous_io_a_full_one_is_left),
		CASE(a_peer_that_reads_it_first_stops_nobody),
		CASE(pipes_sockets_and_files_are_refused),
		CASE(what_can_not_be_read_is_detached),
		CASE(what_can_not_be_told_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
