/* SPDX-License-Identifier: MIT */
/* The split backend where the host, the VMM or a device lets it down; and eventfds. */
#include "split_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int start(void **state)
{
	static int before;

	before = open_descriptors();
	*state = &before;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	return 0;
}

/* And nothing has been left open. */
static int finish(void **state)
{
	int before = *(int *)*state;

	rig_close();
	assert_int_equal(open_descriptors(), before);
	return 0;
}

static void fail_next(unsigned long request, int with)
{
	fake.fail_request = request;
	fake.fail_in = 1;
	fake.fail_with = with;
}

/* ---- setting up ---- */

static void configurations_out_of_range_have_no_size(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);

	(void)state;
	assert_true(lw_split_size(&config) > 0);
	assert_int_equal(lw_split_size(NULL), 0);
	config.nvcpus = 0;
	assert_int_equal(lw_split_size(&config), 0);
	config.nvcpus = 5000;
	assert_int_equal(lw_split_size(&config), 0);
	config.nvcpus = 4096;
	config.msis = 4096;
	assert_int_equal(lw_split_size(&config), 0);
	config.msis = UINT32_MAX - 10;
	assert_int_equal(lw_split_size(&config), 0);
	config.msis = 4096 - PINS;
	assert_true(lw_split_size(&config) > 0);
	config.pins = 23;
	assert_int_equal(lw_split_size(&config), 0);
	config.pins = 241;
	assert_int_equal(lw_split_size(&config), 0);
	config.pins = PINS;
	config.flags = 1u << 31;
	assert_int_equal(lw_split_size(&config), 0);
	config.flags = 0;
	config.version = 0x12;
	assert_int_equal(lw_split_size(&config), 0);
}

/* Init again, in the same storage: returns what it says, everything closed. */
static int init_again(const struct lw_split_config *config)
{
	int before = open_descriptors(), err;
	struct lw_split *other = aligned_alloc(LW_SPLIT_ALIGN, lw_split_size(config));

	assert_non_null(other);
	err = lw_split_init(other, config);
	if (err == 0)
		lw_split_close(other);
	free(other);
	assert_int_equal(open_descriptors(), before);
	return err;
}

static void a_host_that_lacks_something_is_told(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);

	(void)state;
	assert_int_equal(init_again(&config), 0);
	fake.no_split = true;
	assert_int_equal(init_again(&config), -ENOTSUP);
	fake.no_split = false;
	fail_next(KVM_ENABLE_CAP, EINVAL); /* not with so many pins */
	assert_int_equal(init_again(&config), -ENOTSUP);
	fail_next(KVM_ENABLE_CAP, EEXIST); /* the VM has an irqchip, or vCPUs */
	assert_int_equal(init_again(&config), -EEXIST);
	config.flags |= LW_SPLIT_EXT_DEST;
	assert_int_equal(init_again(&config), 0);
	fake.x2apic_flags = 0;
	assert_int_equal(init_again(&config), -ENOTSUP);
}

static void the_vmms_mistakes_are_told(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST | LW_SPLIT_PIC);

	(void)state;
	assert_int_equal(init_again(&config), -EINVAL); /* nobody to kick */
	assert_int_equal(lw_split_init(NULL, &config), -EINVAL);
	assert_int_equal(lw_split_init((void *)((char *)split + 8), &config), -EINVAL);
	assert_int_equal(lw_split_vcpu(split, 0, VCPU_FD, 9), -EEXIST);
	assert_int_equal(lw_split_vcpu(split, VCPUS, VCPU_FD, 9), -EINVAL);
	assert_int_equal(lw_split_vcpu(split, 5000, VCPU_FD, 9), -EINVAL);
	assert_int_equal(lw_split_eoi(split, VCPUS, V), -EINVAL);
	assert_int_equal(lw_split_eoi(split, 5000, V), -EINVAL);
	assert_int_equal(lw_split_line(split, PINS, 0, true), -EINVAL);
	assert_int_equal(lw_split_line(split, 0, 32, true), -EINVAL);
	assert_int_equal(lw_split_notify(split, PINS, false), -EINVAL);
	assert_int_equal(lw_split_notify(split, 0, true), -EINVAL); /* no ops->resample */
	assert_int_equal(lw_split_resume(split, PINS), -EINVAL);
	assert_null(lw_split_pic(split));
}

static void a_vcpu_is_named_once(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);
	struct lw_split *other;

	(void)state;
	other = aligned_alloc(LW_SPLIT_ALIGN, lw_split_size(&config));
	assert_non_null(other);
	assert_int_equal(lw_split_init(other, &config), 0);
	assert_int_equal(lw_split_vcpu(other, 0, -1, 0), -EINVAL);
	assert_int_equal(lw_split_vcpu(other, 0, VCPU_FD, 0xff), -EINVAL);
	assert_int_equal(lw_split_eoi(other, 0, V), -EINVAL);
	assert_int_equal(lw_split_vcpu(other, 0, VCPU_FD, 7), 0);
	assert_int_equal(lw_split_vcpu(other, 1, VCPU_FD + 1, 7), -EEXIST);
	assert_int_equal(lw_split_eoi(other, 0, V), LW_EOI_SUPERFLUOUS);
	lw_split_close(other);
	free(other);
}

/* ---- ioctls that fail ---- */

static void a_commit_that_fails_leaves_the_line_latched(void **state)
{
	(void)state;
	assert_int_equal(write_high(5, rte_to(0, V)), 0);
	fail_next(KVM_SET_GSI_ROUTING, ENOMEM);
	assert_int_equal(write_low(5, rte_to(0, V)), -ENOMEM);
	fail_next(KVM_SET_GSI_ROUTING, ENOMEM);
	assert_int_equal(lw_split_line(split, 5, 0, true), -ENOMEM);
	assert_int_equal(routed(5), 0);
	assert_false(remote_irr(5));
	assert_int_equal(fake_accept(0), -1);
	assert_int_equal(lw_split_retry(split), 0);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(lw_split_counters(split).failed, 2);
}

static void a_message_that_fails_is_sent_again(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	fail_next(KVM_SIGNAL_MSI, EIO);
	assert_int_equal(lw_split_line(split, 5, 0, true), -EIO);
	assert_false(remote_irr(5));
	assert_int_equal(lw_split_retry(split), 0);
	assert_true(remote_irr(5));
	fail_next(KVM_SIGNAL_MSI, EIO);
	assert_int_equal(lw_split_msi_send(split, 0xfee04000, V), -EIO);
	assert_int_equal(lw_split_retry(split), 0);
}

/* KVM_SIGNAL_MSI returns -1 for "nobody" where KVM has no map of the LAPICs. */
static void a_message_to_nobody_is_no_trouble(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	fake.fail_request = KVM_SIGNAL_MSI;
	fake.fail_always = true;
	fake.fail_with = EPERM;
	assert_int_equal(lw_split_line(split, 5, 0, true), 0);
	assert_int_equal(write_register(0, 0), 0);
	assert_int_equal(lw_split_eoi(split, 0, V), LW_EOI_SUPERFLUOUS);
	assert_int_equal(lw_split_msi_send(split, 0xfee04000, V), 0);
	assert_int_equal(counters().refused, counters().signals);
	assert_int_equal(counters().failed, 0);
	assert_false(remote_irr(5));
	fake.fail_request = 0;
	fake.fail_always = false;
	assert_int_equal(lw_split_retry(split), 0);
	assert_int_equal(fake_accept(0), V);
}

/* A delivery fails in a thread that has not come to tell it. */
static void leave_trouble(void)
{
	fail_next(KVM_SIGNAL_MSI, EIO);
	assert_int_equal(lw_ioapic_line(lw_split_ioapic(split), 5, 0, true), 0);
	assert_int_equal(lw_ioapic_line(lw_split_ioapic(split), 5, 0, false), 0);
}

static void an_errno_is_told_though_others_have_theirs(void **state)
{
	uint32_t low = (uint32_t)rte_to(0, V + 1);

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	leave_trouble();
	fail_next(KVM_SIGNAL_MSI, ENOMEM);
	assert_int_equal(lw_split_msi_send(split, 0xfee04000, V), -ENOMEM);
	assert_int_equal(lw_split_retry(split), -EIO);
	leave_trouble();
	fail_next(KVM_GET_LAPIC, ENOMEM);
	assert_int_equal(lw_split_reconcile(split), -ENOMEM);
	assert_int_equal(lw_split_retry(split), -EIO);
	assert_int_equal(write_register(0x10 + 2 * 6, LW_RTE_MASK), 0);
	leave_trouble();
	fail_next(KVM_SET_GSI_ROUTING, ENOMEM);
	assert_int_equal(lw_split_mmio_write(split, 0x10, &low, sizeof(low)), -ENOMEM);
	assert_int_equal(lw_split_retry(split), -EIO);
	assert_int_equal(lw_split_retry(split), 0);
	assert_int_equal(counters().failed, 6);
}

static void an_irqfd_begins_though_others_have_trouble(void **state)
{
	int gsi = lw_split_msi_alloc(split), fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	leave_trouble();
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, fd), 0);
	assert_int_equal(fake.irqfds, 1);
	assert_int_equal(lw_split_retry(split), -EIO);
	close(fd);
}

static void a_lapic_that_cant_be_read_is_told(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(1, V)), 0);
	fail_next(KVM_GET_LAPIC, EIO);
	assert_int_equal(lw_split_eoi(split, 0, V), -EIO);
	assert_int_equal(lw_split_counters(split).recommits, 0);
	assert_int_equal(lw_split_eoi(split, 0, V), LW_EOI_SUPERFLUOUS);
	assert_int_equal(lw_split_counters(split).recommits, 1);
	line(5, true);
	assert_int_equal(fake_accept(1), V);
	memset(fake.vcpu[1].isr, 0, sizeof(fake.vcpu[1].isr));
	fail_next(KVM_GET_LAPIC, EIO);
	fake.fail_in = 2; /* vCPU 1's */
	assert_int_equal(lw_split_reconcile(split), -EIO);
	assert_true(remote_irr(5)); /* nothing is concluded from what could not be read */
	line(5, false);
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_false(remote_irr(5));
}

static void a_recommit_that_fails_is_owed_to_a_later_exit(void **state)
{
	(void)state;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	fail_next(KVM_SET_GSI_ROUTING, EINTR);
	assert_int_equal(guest_eoi(0), -EINTR);
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), -1);
}

static void an_irqfd_that_kvm_refuses_leaves_nothing(void **state)
{
	int gsi = lw_split_msi_alloc(split), fd = eventfd(0, EFD_CLOEXEC), before;

	(void)state;
	before = open_descriptors();
	assert_int_equal(lw_split_msi_route(split, (uint32_t)gsi, 0xfee04000, V), 0);
	fail_next(KVM_SET_GSI_ROUTING, ENOMEM);
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, fd), -ENOMEM);
	assert_int_equal(open_descriptors(), before);
	fail_next(KVM_IRQFD, EBUSY);
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, fd), -EBUSY);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, 9999), -EBADF);
	assert_int_equal(fake.irqfds, 0);
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, fd), 0);
	close(fd); /* under us */
	fail_next(KVM_IRQFD, EIO);
	assert_int_equal(lw_split_msi_irqfd(split, (uint32_t)gsi, -1), -EIO);
	assert_int_equal(open_descriptors(), before - 1);
}

/* ---- eventfds ---- */

static void raise_event(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

static bool is_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, 0) == 1;
}

static void an_assigned_device_is_told_of_its_eoi(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	eventfd_t count;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(lw_split_attach(split, 5, 3, trigger, resample), 0);
	assert_int_equal(lw_split_attach(split, 5, 3, trigger, resample), -EBUSY);
	assert_int_equal(lw_split_serve(split), 0);
	assert_false(is_readable(lw_split_poll_fd(split)));
	raise_event(trigger);
	assert_true(is_readable(lw_split_poll_fd(split)));
	assert_int_equal(lw_split_serve(split), 1);
	assert_false(is_readable(lw_split_poll_fd(split)));
	assert_int_equal(fake_accept(0), V);
	raise_event(trigger); /* already asserted: no second delivery */
	assert_int_equal(lw_split_serve(split), 1);
	assert_false(is_readable(resample));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(eventfd_read(resample, &count), 0);
	assert_int_equal(count, 1);
	assert_false(remote_irr(5)); /* it fell with the EOI */
	assert_int_equal(fake_accept(0), -1);
	raise_event(trigger);
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(lw_split_detach(split, 5, 3), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_false(is_readable(resample));
	assert_int_equal(lw_split_detach(split, 5, 3), -ENOENT);
	close(trigger);
	close(resample);
}

static void devices_that_share_a_pin_are_all_told(void **state)
{
	int trigger[2], resample[2];

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	for (uint32_t n = 0; n < 2; n++) {
		trigger[n] = eventfd(0, EFD_CLOEXEC);
		resample[n] = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(lw_split_attach(split, 5, n, trigger[n], resample[n]), 0);
		raise_event(trigger[n]);
	}
	assert_int_equal(lw_split_serve(split), 2);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(fake_accept(0), -1);
	for (uint32_t n = 0; n < 2; n++) {
		assert_true(is_readable(resample[n]));
		close(trigger[n]);
		close(resample[n]);
	}
}

static void an_eventfd_of_an_edge_pin_is_a_pulse(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(program(5, rte_to(0, V) & ~LW_RTE_LEVEL), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, -1), 0);
	for (uint32_t n = 0; n < 3; n++) {
		raise_event(trigger);
		assert_int_equal(lw_split_serve(split), 1);
		assert_int_equal(fake_accept(0), V);
		assert_int_equal(guest_eoi(0), -1);
	}
	close(trigger);
}

static void an_eventfd_closed_under_us_goes_on(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	int also = dup(trigger);

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	close(trigger);
	close(resample);
	raise_event(also);
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	close(also);
}

/* Whoever has the other end may fill it, and must not stop a vCPU by it. */
static void a_resample_eventfd_that_is_full_stops_nobody(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	eventfd_t count;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	assert_int_equal(eventfd_write(resample, UINT64_MAX - 1), 0);
	raise_event(trigger);
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
	alarm(20);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	alarm(0);
	assert_int_equal(eventfd_read(resample, &count), 0);
	assert_true(count >= UINT64_MAX - 1);
	close(trigger);
	close(resample);
}

static void what_is_no_eventfd_is_refused(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), pipes[2], before;
	int good = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	before = open_descriptors();
	assert_int_equal(lw_split_attach(split, 5, 0, file, -1), -EINVAL);
	assert_int_equal(lw_split_attach(split, 5, 0, 9999, -1), -EBADF);
	assert_int_equal(lw_split_attach(split, 5, 0, good, 9999), -EBADF);
	assert_int_equal(lw_split_attach(split, 5, 0, good, pipes[0]), -EINVAL);
	assert_int_equal(lw_split_attach(split, PINS, 0, good, -1), -EINVAL);
	assert_int_equal(lw_split_attach(split, 5, 32, good, -1), -EINVAL);
	assert_int_equal(lw_split_detach(split, PINS, 0), -EINVAL);
	assert_int_equal(open_descriptors(), before);
	close(file);
	close(good);
	close(pipes[0]);
	close(pipes[1]);
}

static void attachments_are_limited(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC);

	(void)state;
	for (uint32_t n = 0; n < 4 * PINS; n++)
		assert_int_equal(lw_split_attach(split, n % PINS, n / PINS, trigger, -1), 0);
	assert_int_equal(lw_split_attach(split, 0, 9, trigger, -1), -ENOSPC);
	assert_int_equal(lw_split_detach(split, 7, 2), 0);
	assert_int_equal(lw_split_attach(split, 0, 9, trigger, -1), 0);
	close(trigger);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(configurations_out_of_range_have_no_size),
		CASE(a_host_that_lacks_something_is_told),
		CASE(the_vmms_mistakes_are_told),
		CASE(a_vcpu_is_named_once),
		CASE(a_commit_that_fails_leaves_the_line_latched),
		CASE(a_message_that_fails_is_sent_again),
		CASE(a_message_to_nobody_is_no_trouble),
		CASE(an_errno_is_told_though_others_have_theirs),
		CASE(an_irqfd_begins_though_others_have_trouble),
		CASE(a_lapic_that_cant_be_read_is_told),
		CASE(a_recommit_that_fails_is_owed_to_a_later_exit),
		CASE(an_irqfd_that_kvm_refuses_leaves_nothing),
		CASE(an_assigned_device_is_told_of_its_eoi),
		CASE(devices_that_share_a_pin_are_all_told),
		CASE(an_eventfd_of_an_edge_pin_is_a_pulse),
		CASE(an_eventfd_closed_under_us_goes_on),
		CASE(a_resample_eventfd_that_is_full_stops_nobody),
		CASE(what_is_no_eventfd_is_refused),
		CASE(attachments_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
