/* SPDX-License-Identifier: MIT */
/*
 * The split backend's calls against each other, at every instant between their locks.
 */
#include "split_rig.h"

#include "instants.h"

#include <sys/eventfd.h>
#include <unistd.h>

static int old_trigger, old_resample, new_trigger, new_resample;

static void open_round(void)
{
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	old_trigger = eventfd(0, EFD_CLOEXEC);
	old_resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	new_trigger = eventfd(0, EFD_CLOEXEC);
	new_resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(old_trigger >= 0 && old_resample >= 0 && new_trigger >= 0 && new_resample >= 0);
}

static void close_round(void)
{
	rig_close();
	close(old_trigger);
	close(old_resample);
	close(new_trigger);
	close(new_resample);
}

/* ---- what the threads do ---- */

static void attached_and_signalled(void)
{
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, old_trigger, old_resample), 0);
	assert_int_equal(eventfd_write(old_trigger, 1), 0);
}

/* So that nothing but the line remembers the signal. */
static void attached_and_masked(void)
{
	attached_and_signalled();
	assert_int_equal(program(5, rte_to(0, V) | LW_RTE_MASK), 0);
}

static void attached_and_in_service(void)
{
	attached_and_signalled();
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
}

static void serve(void)
{
	assert_true(lw_split_serve(split) >= 0);
}

static void eoi(void)
{
	(void)guest_eoi(0);
}

/* The source goes to another device, which signals at once. */
static void hand_over(void)
{
	assert_int_equal(lw_split_detach(split, 5, 0), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, new_trigger, new_resample), 0);
	assert_int_equal(eventfd_write(new_trigger, 1), 0);
	assert_int_equal(lw_split_serve(split), 1);
}

static void take_over(void)
{
	assert_int_equal(lw_split_attach(split, 5, 0, new_trigger, new_resample), 0);
}

/* The source goes to a device of the VMM's own, which asserts it and leaves it so. */
static void take_back(void)
{
	assert_int_equal(lw_split_detach(split, 5, 0), 0);
	line(5, true);
}

static void give_back(void)
{
	assert_int_equal(lw_split_detach(split, 5, 0), 0);
}

/* ---- what must hold ---- */

static void serve_the_guest(void)
{
	for (uint32_t n = 0; n < 4 && fake_accept(0) == V; n++)
		if (guest_eoi(0) < 0)
			break;
}

/* It signals once and then waits to be told, so a signal that is forgotten is a device gone dumb.
 */
static void the_new_device_has_been_told(void)
{
	eventfd_t count;

	serve();
	assert_int_equal(program(5, rte_to(0, V)), 0);
	if (bit(fake.vcpu[0].isr, V))
		(void)guest_eoi(0);
	serve_the_guest();
	assert_int_equal(eventfd_read(new_resample, &count), 0);
}

static void the_new_device_is_told(void)
{
	assert_int_equal(eventfd_write(new_trigger, 1), 0);
	the_new_device_has_been_told();
}

static void the_line_is_still_asserted(void)
{
	for (uint32_t n = 0; n < 3; n++) {
		if (!bit(fake.vcpu[0].isr, V))
			assert_int_equal(fake_accept(0), V);
		assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	}
}

/* Nobody asserts it any more, and it has fallen. */
static void the_line_has_fallen(void)
{
	serve();
	if (bit(fake.vcpu[0].isr, V))
		(void)guest_eoi(0);
	if (fake_accept(0) == V)
		(void)guest_eoi(0);
	assert_int_equal(fake_accept(0), -1);
	assert_false(remote_irr(5));
}

/* ---- the cases ---- */

static void a_signal_of_who_takes_over_is_not_lost_to_serve(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_signalled, serve, hand_over,
				     the_new_device_has_been_told) >= 3);
	assert_true(at_every_instant(attached_and_masked, serve, hand_over,
				     the_new_device_has_been_told) >= 3);
}

static void a_signal_of_who_takes_over_is_not_lost_to_an_eoi(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_in_service, eoi, hand_over,
				     the_new_device_has_been_told) >= 3);
}

static void a_line_of_who_takes_over_is_not_lowered_by_serve(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_signalled, serve, take_back,
				     the_line_is_still_asserted) >= 3);
}

static void a_line_of_who_takes_over_is_not_lowered_by_an_eoi(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_in_service, eoi, take_back,
				     the_line_is_still_asserted) >= 3);
}

static void a_detached_source_does_not_stay_asserted(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_signalled, serve, give_back,
				     the_line_has_fallen) >= 3);
	assert_true(at_every_instant(attached_and_in_service, eoi, give_back,
				     the_line_has_fallen) >= 3);
}

static void who_takes_a_source_over_is_told(void **state)
{
	(void)state;
	assert_true(at_every_instant(attached_and_signalled, give_back, take_over,
				     the_new_device_is_told) >= 3);
}

/* ---- any call beside any other ---- */

static int msi, msi_fd;

static void two_routes_and_an_irqfd(void)
{
	in_service();
	assert_int_equal(program(6, rte_to(1, V + 16)), 0);
	msi = lw_split_msi_alloc(split);
	assert_true(msi >= 0);
	msi_fd = old_trigger;
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)msi, msi_fd), 0);
}

static void and_the_line_is_up(void)
{
	two_routes_and_an_irqfd();
	line(5, true);
}

static void new_vector(void)
{
	assert_int_equal(write_low(5, rte_to(0, V + 1)), 0);
}

static void new_destination(void)
{
	assert_int_equal(write_high(5, rte_to(2, V)), 0);
}

static void mask(void)
{
	assert_int_equal(write_low(5, rte_to(0, V) | LW_RTE_MASK), 0);
}

static void make_an_edge(void)
{
	assert_int_equal(write_low(5, rte_to(0, V) & ~LW_RTE_LEVEL), 0);
	assert_int_equal(write_low(5, rte_to(0, V)), 0);
}

static void line_up(void)
{
	line(5, true);
}

static void line_down(void)
{
	line(5, false);
}

static void other_line(void)
{
	line(6, true);
	if (fake_accept(1) == V + 16)
		assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
	line(6, false);
}

static void eoi_if_in_service(void)
{
	if (highest(fake.vcpu[0].isr) >= 0)
		(void)guest_eoi(0);
}

static void edge_on_the_same_vector(void)
{
	edge_msi(2, V);
	if (fake_accept(2) == V)
		(void)guest_eoi(2);
}

static void other_vcpu_reconciles(void)
{
	assert_int_equal(lw_split_reconcile_vcpu(split, 2), 0);
}

static void msi_is_led(void)
{
	const uint64_t address = 0xfee00000u | (APIC_ID + 1) << 12;

	assert_int_equal(lw_split_msi_route(split, (uint32_t)msi, address, V), 0);
}

static void retry(void)
{
	assert_int_equal(lw_split_retry(split), 0);
}

/* Every vCPU takes and ends what it has; how often pin 5's last route came. */
static uint32_t drive(void)
{
	uint32_t found = 0, quiet = 0;

	for (uint32_t n = 0; quiet < VCPUS && n < 60; n++) {
		int vector = fake_accept(n % VCPUS);

		found += n % VCPUS == 1 && vector == V + 2;
		quiet = vector < 0 && highest(fake.vcpu[n % VCPUS].isr) < 0 ? quiet + 1 : 0;
		if (highest(fake.vcpu[n % VCPUS].isr) >= 0)
			(void)guest_eoi(n % VCPUS);
	}
	return found;
}

/* Whatever came in between, the pin can be given another route and works by it. */
static void pin_5_works(void)
{
	line(5, false);
	line(6, false);
	(void)drive();
	assert_false(remote_irr(5));
	assert_false(remote_irr(6));
	assert_int_equal(program(5, rte_to(1, V + 2)), 0);
	line(5, true);
	assert_true(remote_irr(5));
	assert_true(drive() > 1);
	line(5, false);
	(void)drive();
	assert_false(remote_irr(5));
	assert_int_equal(routed(5), R(1, V + 2));
}

static void any_two_calls_lose_nothing(void **state)
{
	static void (*const calls[])(void) = {
		new_vector,        new_destination, mask,
		make_an_edge,      line_up,         line_down,
		other_line,        msi_is_led,      edge_on_the_same_vector,
		eoi_if_in_service, retry,           other_vcpu_reconciles,
	};
	const size_t count = sizeof(calls) / sizeof(*calls);
	uint32_t places = 0;

	(void)state;
	for (size_t n = 0; n < count * count; n++) {
		void (*call)(void) = calls[n / count], (*other)(void) = calls[n % count];

		places += at_every_instant(two_routes_and_an_irqfd, call, other, pin_5_works);
		places += at_every_instant(and_the_line_is_up, call, other, pin_5_works);
	}
	assert_true(places > 1000);
}

/* ---- while KVM is given a table ---- */

static pthread_t meanwhile;
static void (*done_meanwhile)(void);
static atomic_bool is_over;

static void *do_it(void *unused)
{
	(void)unused;
	is_watched = true;
	done_meanwhile();
	atomic_store(&is_over, true);
	return NULL;
}

/* Another thread's call, to its end or to where it waits for the commit's. */
static void start_another(void)
{
	fake.in_commit = NULL;
	atomic_store(&is_over, false);
	atomic_store(&waits, false);
	assert_int_equal(pthread_create(&meanwhile, NULL, do_it, NULL), 0);
	while (!atomic_load(&is_over) && !atomic_load(&waits))
		sched_yield();
}

static void reset(void)
{
	assert_int_equal(lw_split_reset(split), 0);
}

static void a_reset_takes_back_what_is_being_installed(void **state)
{
	(void)state;
	open_round();
	done_meanwhile = reset;
	fake.in_commit = start_another;
	alarm(20);
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(pthread_join(meanwhile, NULL), 0);
	alarm(0);
	assert_int_equal(routed(5), 0);
	pin_5_works();
	close_round();
}

static void end_and_look(void)
{
	start_another();
	assert_false(bit(fake.vcpu[0].irr, V));
}

static void end_pin_5(void)
{
	assert_int_equal(lw_split_eoi(split, 0, V), LW_EOI_NECESSARY);
}

/* What a restored record says is what KVM has only once the table is installed. */
static void nothing_is_delivered_while_kvms_table_is_unknown(void **state)
{
	(void)state;
	open_round();
	in_service();
	fake.routes = 0;
	line(5, true);
	done_meanwhile = end_pin_5;
	fake.in_commit = end_and_look;
	alarm(20);
	assert_int_equal(lw_split_restored(split), 0);
	assert_int_equal(pthread_join(meanwhile, NULL), 0);
	alarm(0);
	assert_true(bit(fake.vcpu[0].irr, V));
	close_round();
}

/* ---- a guest without rest ---- */

static pthread_t another;
static uint32_t tables;

static void *rewrite_pin_8(void *arg)
{
	stops = true;
	return program(8, rte_to(2, V + 32)) == 0 ? arg : NULL;
}

/* While KVM is given a table, another vCPU's thread has something to install as well, but not yet
 * the mutex for it; and its guest rewrites pin 7 each time. */
static void rewrite_another_pin(void)
{
	if (tables++ == 0) {
		barrier = outermost;
		assert_int_equal(pthread_create(&another, NULL, rewrite_pin_8, &tables), 0);
		while (!atomic_load(&stopped))
			sched_yield();
	}
	if (!atomic_load(&may_go))
		lw_ioapic_write(lw_split_ioapic(split), 0x11 + 2 * 7,
				(uint32_t)(rte_to((tables + 1) % VCPUS, V) >> 32));
}

static void a_guest_without_rest_keeps_no_thread(void **state)
{
	void *done;

	(void)state;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	assert_int_equal(program(7, rte_to(0, V)), 0);
	fake.in_commit = rewrite_another_pin;
	alarm(20);
	assert_int_equal(write_high(7, rte_to(1, V)), 0);
	alarm(0);
	/* The last is left to the other thread. */
	assert_int_not_equal(routed(7) >> 8, (uint32_t)(rte_at(7) >> LW_RTE_DEST_SHIFT));
	atomic_store(&may_go, true);
	assert_int_equal(pthread_join(another, &done), 0);
	assert_ptr_equal(done, &tables);
	assert_int_equal(routed(8), R(2, V + 32));
	assert_int_equal(routed(7) >> 8, (uint32_t)(rte_at(7) >> LW_RTE_DEST_SHIFT));
	rig_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_of_who_takes_over_is_not_lost_to_serve),
		cmocka_unit_test(a_signal_of_who_takes_over_is_not_lost_to_an_eoi),
		cmocka_unit_test(a_line_of_who_takes_over_is_not_lowered_by_serve),
		cmocka_unit_test(a_line_of_who_takes_over_is_not_lowered_by_an_eoi),
		cmocka_unit_test(a_detached_source_does_not_stay_asserted),
		cmocka_unit_test(who_takes_a_source_over_is_told),
		cmocka_unit_test(any_two_calls_lose_nothing),
		cmocka_unit_test(a_reset_takes_back_what_is_being_installed),
		cmocka_unit_test(nothing_is_delivered_while_kvms_table_is_unknown),
		cmocka_unit_test(a_guest_without_rest_keeps_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
