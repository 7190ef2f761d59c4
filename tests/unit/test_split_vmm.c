/* SPDX-License-Identifier: MIT */
/* The split backend as a VMM uses it: vCPUs stopped, MSIs, notifications, exits. */
#include "split_rig.h"

#include <lapwing/snapshot.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int fast_6_1(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_1, LW_SPLIT_FAST);
	return 0;
}

/* ---- with vCPUs stopped ---- */

static void init_of_a_vcpu_is_found_out(void **state)
{
	(void)state;
	in_service();
	memset(fake.vcpu[0].isr, 0, sizeof(fake.vcpu[0].isr));
	assert_int_equal(lw_split_reconcile_vcpu(split, 1), 0);
	assert_true(remote_irr(5));
	assert_int_equal(lw_split_reconcile_vcpu(split, 0), 0);
	assert_false(remote_irr(5));
	assert_int_equal(counters().reconciled, 1);
	assert_int_equal(lw_split_reconcile_vcpu(split, VCPUS), -EINVAL);
}

static void reconciling_keeps_what_is_there(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(6, logical(6, V, 0)), 0);
	line(6, true);
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_true(remote_irr(5) && remote_irr(6));
	memset(fake.vcpu[1].irr, 0, sizeof(fake.vcpu[1].irr));
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_true(remote_irr(6));
	memset(fake.vcpu[2].irr, 0, sizeof(fake.vcpu[2].irr));
	line(6, false);
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_true(remote_irr(5));
	assert_false(remote_irr(6));
	assert_int_equal(counters().reconciled, 1);
}

/* The chip's state comes from elsewhere; this KVM has no routes yet. */
static void a_restored_record_gets_a_route_for_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V + 8)), 0);
	fake.routes = 0;
	assert_int_equal(lw_split_restored(split), 0);
	assert_true(remote_irr(5));
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(1, V + 8));
}

/* A VM whose LAPICs' EOIs end nothing, once the guest has asked for that. */
static int suppressing(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);

	(void)state;
	config.version = 0x20;
	fake_reset(SCAN_6_12);
	fake.x2apic_flags = 3 | 4 | 8;
	rig_open(&config);
	return 0;
}

static void reconciling_waits_for_the_eoi_register(void **state)
{
	const uint32_t vector = V;

	(void)state;
	in_service();
	assert_int_equal(program(6, logical(6, V + 16, 0)), 0);
	line(6, true);
	assert_int_equal(fake_accept(1), V + 16);
	assert_int_equal(fake_accept(2), V + 16);
	fake.vcpu[0].suppress = fake.vcpu[2].suppress = true;
	for (uint32_t n = 0; n < VCPUS; n++) {
		(void)fake_eoi(n); /* and KVM tells nobody */
		fake_enter(n);
	}
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_int_equal(lw_split_reconcile_vcpu(split, 0), 0);
	assert_true(remote_irr(5) && remote_irr(6));
	assert_int_equal(counters().reconciled, 0);
	assert_int_equal(lw_split_mmio_write(split, 0x40, &vector, sizeof(vector)), 0);
	assert_false(remote_irr(5));
	fake.vcpu[2].suppress = false; /* INIT */
	line(6, false);
	assert_int_equal(lw_split_reconcile(split), 0);
	assert_false(remote_irr(6));
}

/* KVM refuses the table, or a LAPIC: the EOI that was not served is found all the same, and nothing
 * is delivered under a route that KVM has not got. */
static void a_restore_goes_as_far_as_kvm_lets_it(void **state)
{
	(void)state;
	in_service();
	line(5, true);
	assert_int_equal(program(6, rte_to(1, V + 16)), 0);
	line(6, true);
	line(6, false);
	assert_int_equal(fake_accept(1), V + 16);
	assert_int_equal(fake_eoi(0), V);
	assert_int_equal(fake_eoi(1), V + 16);
	fake.routes = 0;
	fake.fail_request = KVM_SET_GSI_ROUTING;
	fake.fail_with = ENOMEM;
	fake.fail_always = true;
	assert_int_equal(lw_split_restored(split), -ENOMEM);
	assert_int_equal(counters().reconciled, 2);
	assert_false(remote_irr(5));
	assert_int_equal(fake_accept(0), -1);
	fake.fail_always = false;
	assert_int_equal(lw_split_retry(split), -ENOMEM); /* the one of the second try */
	assert_int_equal(lw_split_retry(split), 0);
	fake_enter(0);
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(fake_accept(0), V);
	line(5, false);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
}

static void a_lapic_that_cant_be_read_hides_no_other(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(6, rte_to(1, V + 16)), 0);
	line(6, true);
	line(6, false);
	assert_int_equal(fake_accept(1), V + 16);
	assert_int_equal(fake_eoi(1), V + 16);
	fake.fail_request = KVM_GET_LAPIC;
	fake.fail_in = 1; /* vCPU 0's */
	fake.fail_with = EIO;
	assert_int_equal(lw_split_reconcile(split), -EIO);
	assert_true(remote_irr(5));
	assert_false(remote_irr(6));
}

/* Saved in flight under a route that has since been rewritten; another kernel has the LAPICs, and
 * an EOI exit that was pending in the first one is in no saved state. */
static void a_saved_machine_goes_on_in_another_kernel(void **state)
{
	struct fake_vcpu lapics[VCPUS];
	uint8_t saved[4096];
	uint64_t writes;
	size_t size;

	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(program(6, logical(6, V + 16, 1u << LW_RTE_DM_SHIFT)), 0);
	line(6, true);
	assert_int_equal(program(7, rte_to(2, V + 32)), 0);
	line(7, true);
	assert_int_equal(fake_accept(2), V + 32);
	assert_int_equal(fake_eoi(2), V + 32); /* not served */
	size = lw_ioapic_save(lw_split_ioapic(split), saved, sizeof(saved));
	assert_true(size <= sizeof(saved));
	memcpy(lapics, fake.vcpu, sizeof(lapics));
	rig_close();
	rig_open_with(SCAN_6_1, LW_SPLIT_FAST);
	assert_int_equal(lw_ioapic_restore(lw_split_ioapic(split), saved, size), 0);
	for (uint32_t n = 0; n < VCPUS; n++) {
		memcpy(fake.vcpu[n].irr, lapics[n].irr, sizeof(lapics[n].irr));
		memcpy(fake.vcpu[n].isr, lapics[n].isr, sizeof(lapics[n].isr));
	}
	writes = counters().rte_writes;
	assert_int_equal(lw_split_restored(split), 0);
	assert_int_equal(writes, 0);
	assert_true(remote_irr(5) && remote_irr(6));
	assert_int_equal(counters().reconciled, 1);
	assert_true(remote_irr(7)); /* its line is still asserted: delivered again */
	assert_int_equal(fake_accept(2), V + 32);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(1, V));
	assert_int_equal(fake_accept(1), V + 16);
	line(6, false);
	assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
	assert_int_equal(reuse(20, false), 0);
}

/* The machine that was saved had nobody who hears of pin 5's EOIs, and one for pin 6's. */
static void who_is_told_is_no_matter_of_the_saved_state(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint8_t saved[4096];
	eventfd_t count;
	size_t size;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(lw_split_attach(split, 6, 0, trigger, resample), 0);
	size = lw_ioapic_save(lw_split_ioapic(split), saved, sizeof(saved));
	assert_int_equal(lw_split_detach(split, 6, 0), 0);
	assert_int_equal(lw_split_attach(split, 5, 0, trigger, resample), 0);
	assert_int_equal(lw_ioapic_restore(lw_split_ioapic(split), saved, size), 0);
	assert_int_equal(lw_split_restored(split), 0);
	assert_int_equal(eventfd_write(trigger, 1), 0);
	assert_int_equal(lw_split_serve(split), 1);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(fake_accept(0), -1);
	assert_int_equal(eventfd_read(resample, &count), 0);
	close(trigger);
	close(resample);
}

/* ---- MSIs ---- */

static void only_msis_with_an_irqfd_are_in_the_table(void **state)
{
	int gsi = lw_split_msi_alloc(split), fd = dup(0);

	(void)state;
	assert_int_equal(gsi, PINS);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x61), 0);
	assert_int_equal(fake.commits, 0);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), -EBUSY);
	close(fd);
	assert_int_equal(fake.irqfds, 1);
	assert_int_equal(routed(PINS), R(1, 0x61));
	assert_int_equal(lw_split_msi_mask(split, PINS), 0);
	assert_int_equal(routed(PINS), 0);
	lw_split_hold(split);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x62), 0);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x63), 0);
	assert_int_equal(routed(PINS), 0);
	assert_int_equal(lw_split_release(split), 0);
	assert_int_equal(routed(PINS), R(1, 0x63));
	assert_int_equal(counters().msi_commits, 3);
	assert_int_equal(lw_split_msi_free(split, PINS), 0);
	assert_int_equal(fake.irqfds, 0);
	assert_int_equal(lw_split_msi_free(split, PINS), -EINVAL);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x62), -EINVAL);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, -1), -EINVAL);
}

static void an_irqfd_never_follows_an_old_route(void **state)
{
	uint64_t commits;
	int fd = dup(0);

	(void)state;
	assert_int_equal(lw_split_msi_alloc(split), PINS);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x61), 0);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(routed(PINS), R(1, 0x61));
	assert_int_equal(lw_split_msi_irqfd(split, PINS, -1), 0);
	commits = fake.commits;
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(fake.commits, commits); /* KVM has it */
	assert_int_equal(lw_split_msi_irqfd(split, PINS, -1), 0);
	assert_int_equal(lw_split_msi_mask(split, PINS), 0);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(routed(PINS), 0);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x61), 0);
	assert_int_equal(routed(PINS), R(1, 0x61));
	assert_int_equal(lw_split_msi_free(split, PINS), 0);
	assert_int_equal(lw_split_msi_alloc(split), PINS);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(routed(PINS), 0);
	close(fd);
}

static void an_irqfd_that_begins_does_not_wait(void **state)
{
	int fd = dup(0);

	(void)state;
	lw_split_hold(split);
	assert_int_equal(lw_split_msi_alloc(split), PINS);
	assert_int_equal(lw_split_msi_route(split, PINS, 0xfee05000, 0x61), 0);
	assert_int_equal(lw_split_msi_irqfd(split, PINS, fd), 0);
	assert_int_equal(fake.irqfds, 1);
	assert_int_equal(routed(PINS), R(1, 0x61));
	assert_int_equal(lw_split_msi_mask(split, PINS), 0);
	assert_int_equal(routed(PINS), R(1, 0x61));
	assert_int_equal(lw_split_release(split), 0);
	assert_int_equal(routed(PINS), 0);
	close(fd);
}

static void msi_gsis_run_out(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < MSIS; n++)
		assert_int_equal(lw_split_msi_alloc(split), PINS + n);
	assert_int_equal(lw_split_msi_alloc(split), -ENOSPC);
	assert_int_equal(lw_split_msi_irqfd(split, PINS + 3, -1), -ENOENT);
	assert_int_equal(lw_split_msi_route(split, PINS + 3, 0xfed00000, 0x61), -EINVAL);
	assert_int_equal(lw_split_msi_send(split, 0xfed00000, 0x61), -EINVAL);
	assert_int_equal(lw_split_msi_free(split, PINS + 3), 0);
	assert_int_equal(lw_split_msi_alloc(split), PINS + 3);
}

static void extended_destinations_go_where_kvm_wants_them(void **state)
{
	struct lw_split_config config = rig_config(LW_SPLIT_FAST | LW_SPLIT_EXT_DEST);

	(void)state;
	rig_close();
	fake_reset(SCAN_6_12);
	config.version = 0x20;
	fake.x2apic_flags = 3 | 4 | 8;
	rig_open(&config);
	assert_int_equal(fake.enabled_flags, 3 | 4);
	assert_int_equal(program(5, LW_RTE_LEVEL | V | 0x12ull << LW_RTE_DEST_SHIFT |
					    3ull << LW_RTE_EXT_SHIFT),
			 0);
	assert_int_equal(fake.route[0].u.msi.address_lo, 0xfee12000);
	assert_int_equal(fake.route[0].u.msi.address_hi, 0x300);
}

/* ---- notifications ---- */

static uint32_t resampled, stormed;

static void on_resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	resampled++;
	line(gsi, false);
}

static void on_storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(gsi, 5);
	stormed++;
}

static int with_notifications(void **state)
{
	static const struct lw_split_ops ops = {.resample = on_resample, .storm = on_storm};
	struct lw_split_config config = rig_config(LW_SPLIT_FAST);

	(void)state;
	fake_reset(SCAN_6_12);
	config.ops = &ops;
	rig_open(&config);
	resampled = stormed = 0;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	return 0;
}

static void a_device_of_the_vmms_is_told_of_its_eoi(void **state)
{
	(void)state;
	assert_int_equal(lw_split_notify(split, 5, true), 0);
	line(5, true);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(resampled, 1);
	assert_int_equal(fake_accept(0), -1);
	assert_int_equal(lw_split_notify(split, 5, false), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(resampled, 1);
}

static void a_storm_is_delayed(void **state)
{
	uint32_t served = 0;

	(void)state;
	line(5, true);
	for (; fake_accept(0) == V; served++)
		guest_eoi(0);
	assert_int_equal(served, 10000);
	assert_int_equal(stormed, 1);
	assert_int_equal(lw_split_resume(split, 5), 0);
	assert_int_equal(fake_accept(0), V);
}

/* ---- exits ---- */

static uint32_t kicked;

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	assert_int_equal(vcpu, 0);
	kicked++;
}

static void out(uint16_t port, uint8_t value)
{
	struct {
		struct kvm_run run;
		uint8_t data;
	} box = {.run = {.exit_reason = KVM_EXIT_IO}, .data = value};

	box.run.io.direction = KVM_EXIT_IO_OUT;
	box.run.io.size = 1;
	box.run.io.count = 1;
	box.run.io.port = port;
	box.run.io.data_offset = (uint64_t)((char *)&box.data - (char *)&box);
	assert_int_equal(lw_split_handle(split, 0, &box.run), 1);
}

static int with_a_pic(void **state)
{
	static const struct lw_split_ops ops = {.kick = kick};
	struct lw_split_config config = rig_config(LW_SPLIT_FAST | LW_SPLIT_PIC);

	(void)state;
	fake_reset(SCAN_6_12);
	config.ops = &ops;
	rig_open(&config);
	kicked = 0;
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 4);
	out(0x21, 1);
	return 0;
}

/* A vector that KVM has been given and did not begin to deliver could not be saved. */
static void a_vector_waits_where_kvm_run_would_return_at_once(void **state)
{
	struct kvm_run run = {
		.ready_for_interrupt_injection = 1, .if_flag = 1, .immediate_exit = 1};

	(void)state;
	assert_int_equal(lw_split_isa_line(split, 4, 0, true), 0);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, -1);
	assert_int_equal(run.request_interrupt_window, 1);
	run.immediate_exit = 0;
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x34);
}

static void the_8259s_vectors_go_in_one_by_one(void **state)
{
	struct kvm_run run = {.ready_for_interrupt_injection = 1, .if_flag = 1};

	(void)state;
	assert_int_equal(lw_split_isa_line(split, 4, 0, true), 0);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x34);
	/* It does not run, and a higher one comes. */
	assert_int_equal(lw_split_isa_line(split, 3, 0, true), 0);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x34);
	assert_int_equal(run.request_interrupt_window, 1);
	run.ready_for_interrupt_injection = 1;
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x33);
}

static void a_vector_of_the_8259_that_kvm_refuses_is_kept(void **state)
{
	struct kvm_run run = {.ready_for_interrupt_injection = 1, .if_flag = 1};

	(void)state;
	assert_int_equal(lw_split_isa_line(split, 4, 0, true), 0);
	fake.fail_request = KVM_INTERRUPT;
	fake.fail_in = 1;
	fake.fail_with = EINTR;
	assert_int_equal(lw_split_enter(split, 0, &run), -EINTR);
	assert_int_equal(run.request_interrupt_window, 1);
	assert_int_equal(counters().failed, 1);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x34);
	assert_int_equal(run.request_interrupt_window, 0);
}

static void the_8259_reaches_lint0_of_vcpu_0(void **state)
{
	struct kvm_run run = {0};

	(void)state;
	assert_int_equal(lw_split_isa_line(split, 4, 0, true), 0);
	assert_int_equal(kicked, 1);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(run.request_interrupt_window, 1);
	assert_int_equal(fake.vcpu[0].extint, -1);
	run.ready_for_interrupt_injection = run.if_flag = 1;
	assert_int_equal(lw_split_enter(split, 1, &run), 0);
	assert_int_equal(lw_split_enter(split, 0, &run), 0);
	assert_int_equal(fake.vcpu[0].extint, 0x34);
	assert_int_equal(run.request_interrupt_window, 0);
	run.exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	assert_int_equal(lw_split_handle(split, 0, &run), 1);
	assert_int_equal(lw_split_isa_line(split, 2, 0, true), -EINVAL);
	assert_int_equal(lw_split_isa_line(split, 16, 0, true), -EINVAL);
}

static void exits_that_are_not_its_own_are_left(void **state)
{
	struct kvm_run run = {.exit_reason = KVM_EXIT_MMIO};

	(void)state;
	run.mmio.phys_addr = LW_SPLIT_IOAPIC + 0x1000;
	run.mmio.len = 4;
	assert_int_equal(lw_split_handle(split, 0, &run), 0);
	run.mmio.phys_addr = LW_SPLIT_IOAPIC - 1;
	assert_int_equal(lw_split_handle(split, 0, &run), 0);
	run.mmio.phys_addr = LW_SPLIT_IOAPIC;
	run.mmio.is_write = 1;
	run.mmio.data[0] = 1;
	assert_int_equal(lw_split_handle(split, 0, &run), 1);
	run.mmio.is_write = 0;
	run.mmio.phys_addr = LW_SPLIT_IOAPIC + 0x10;
	assert_int_equal(lw_split_handle(split, 0, &run), 1);
	assert_int_equal(run.mmio.data[0], 0x11);
	run.exit_reason = KVM_EXIT_HLT;
	assert_int_equal(lw_split_handle(split, 0, &run), 0);
	run.exit_reason = KVM_EXIT_IOAPIC_EOI;
	run.eoi.vector = V;
	assert_int_equal(lw_split_handle(split, 0, &run), 1);
	assert_int_equal(lw_split_handle(split, VCPUS, &run), -EINVAL);
	assert_int_equal(counters().superfluous, 1);
}

#define CASE(name, start) cmocka_unit_test_setup_teardown(name, start, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(init_of_a_vcpu_is_found_out, fast_6_12),
		CASE(reconciling_keeps_what_is_there, fast_6_12),
		CASE(reconciling_waits_for_the_eoi_register, suppressing),
		CASE(a_restore_goes_as_far_as_kvm_lets_it, fast_6_1),
		CASE(a_lapic_that_cant_be_read_hides_no_other, fast_6_12),
		CASE(a_restored_record_gets_a_route_for_its_eoi, fast_6_1),
		CASE(a_saved_machine_goes_on_in_another_kernel, fast_6_12),
		CASE(who_is_told_is_no_matter_of_the_saved_state, fast_6_12),
		CASE(a_device_of_the_vmms_is_told_of_its_eoi, with_notifications),
		CASE(a_storm_is_delayed, with_notifications),
		CASE(only_msis_with_an_irqfd_are_in_the_table, fast_6_12),
		CASE(an_irqfd_never_follows_an_old_route, fast_6_12),
		CASE(an_irqfd_that_begins_does_not_wait, fast_6_12),
		CASE(msi_gsis_run_out, fast_6_12),
		CASE(extended_destinations_go_where_kvm_wants_them, fast_6_12),
		CASE(the_8259_reaches_lint0_of_vcpu_0, with_a_pic),
		CASE(a_vector_waits_where_kvm_run_would_return_at_once, with_a_pic),
		CASE(the_8259s_vectors_go_in_one_by_one, with_a_pic),
		CASE(a_vector_of_the_8259_that_kvm_refuses_is_kept, with_a_pic),
		CASE(exits_that_are_not_its_own_are_left, fast_6_12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
