/* SPDX-License-Identifier: MIT */
/* When the split backend gives its made-up kernel a route, and what it makes of an EOI exit. */
#include "split_rig.h"

#include <unistd.h>

#define V 0x50

static uint32_t R(uint32_t vcpu, uint32_t vector)
{
	return (APIC_ID + vcpu) << 8 | vector;
}

static int fast_6_1(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_1, LW_SPLIT_FAST);
	return 0;
}

static int fast_6_12(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_12, LW_SPLIT_FAST);
	return 0;
}

static int immediate_6_1(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_1, 0);
	return 0;
}

static int immediate_6_12(void **state)
{
	(void)state;
	rig_open_with(SCAN_6_12, 0);
	return 0;
}

static struct lw_split_counters counters(void)
{
	return lw_split_counters(split);
}

/* A level interrupt of pin 5 in service on vCPU 0 while the device has been satisfied. */
static void in_service(void)
{
	assert_int_equal(program(5, rte_to(0, V)), 0);
	line(5, true);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
	line(5, false);
}

/* So many edge interrupts on vCPU 0; how many left the guest. */
static uint32_t reuse(uint32_t times, bool always_pending)
{
	uint32_t exits = 0;

	if (always_pending)
		edge_msi(0, V);
	for (uint32_t n = 0; n < times; n++) {
		if (!always_pending)
			edge_msi(0, V);
		assert_int_equal(fake_accept(0), V);
		if (always_pending)
			edge_msi(0, V);
		exits += guest_eoi(0) >= 0;
	}
	return exits;
}

/* ---- deferred commit ---- */

static void a_pin_in_flight_keeps_its_route_until_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(1, V));
	assert_false(remote_irr(5));
	assert_int_equal(counters().deferred, 1);
	assert_int_equal(reuse(200, false), 0);
	line(5, true);
	assert_int_equal(fake_accept(1), V);
	line(5, false);
	assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
}

static void at_once_the_eoi_is_lost_on_6_1(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(1, V));
	assert_int_equal(guest_eoi(0), -1);
	assert_true(remote_irr(5));
}

static void at_once_every_reuse_leaves_on_6_12(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(reuse(200, false), 200);
	assert_int_equal(counters().superfluous, 200);
}

static void at_once_a_rewritten_vector_loses_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(0, V + 8)), 0);
	assert_int_equal(guest_eoi(0), -1);
	assert_true(remote_irr(5));
}

static void a_rewritten_vector_waits_for_its_eoi(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(0, V + 8)), 0);
	line(5, true); /* again, while in service */
	assert_int_equal(fake.vcpu[0].irr[1], 0);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_int_equal(routed(5), R(0, V + 8));
	assert_int_equal(fake_accept(0), V + 8);
	line(5, false);
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
}

static void what_clears_remote_irr_ends_the_deferral(void **state)
{
	(void)state;
	in_service();
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(write_low(5, V), 0); /* edge */
	assert_int_equal(routed(5), 0);
	assert_false(remote_irr(5));
	assert_int_equal(write_low(5, rte_to(1, V)), 0);
	assert_int_equal(routed(5), R(1, V));
	line(5, true);
	assert_int_equal(lw_split_reset(split), 0);
	assert_int_equal(routed(5), 0);
	assert_int_equal(fake.routes, 0);
}

/* ---- recommit ---- */

static void an_edge_in_service_is_caught_once(void **state)
{
	(void)state;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(fake.coincidences, 1);
	assert_int_equal(counters().recommits, 1);
	assert_int_equal(reuse(200, false), 0);
	assert_int_equal(routed(5), R(1, V));
}

static void without_recommit_it_leaves_for_ever(void **state)
{
	(void)state;
	rig_close();
	rig_open_with(SCAN_6_12, LW_SPLIT_DEFER | LW_SPLIT_QUIET);
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(reuse(200, false), 200);
	assert_int_equal(counters().recommits, 0);
}

static void a_vector_pending_at_every_exit_is_busy(void **state)
{
	(void)state;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(5, rte_to(1, V)), 0);
	assert_int_equal(reuse(0, true), 0);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	for (uint32_t n = 0; n < 100; n++) {
		assert_int_equal(fake_accept(0), V);
		edge_msi(0, V);
		assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	}
	assert_int_equal(counters().busy, 101);
	assert_int_equal(counters().recommits, 0);
	assert_int_equal(fake_accept(0), V); /* idle at last */
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().recommits, 1);
	assert_int_equal(reuse(50, false), 0);
}

static void a_routed_pair_leaves_because_it_must(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(reuse(10, false), 10);
	assert_int_equal(counters().covered, 10);
	assert_int_equal(counters().recommits, 0);
}

static void a_masked_pins_route_goes_when_it_is_in_the_way(void **state)
{
	uint64_t commits;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	commits = fake.commits;
	assert_int_equal(write_low(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(fake.commits, commits);
	assert_int_equal(reuse(10, false), 1);
	assert_int_equal(counters().left_over, 1);
	assert_int_equal(routed(5), 0);
	assert_int_equal(write_low(5, rte_to(0, V)), 0);
	assert_int_equal(routed(5), R(0, V));
}

static void recommits_are_rate_limited(void **state)
{
	uint32_t exits = 0;

	(void)state;
	for (uint32_t n = 0; n < 20; n++) {
		edge_msi(0, V);
		assert_int_equal(fake_accept(0), V);
		assert_int_equal(program(5, rte_to(1 + n % 2, V)), 0);
		exits += guest_eoi(0) >= 0;
	}
	assert_int_equal(exits, 20);
	assert_int_equal(counters().recommits, 16);
	assert_true(counters().limited >= 4);
	rig_clock += 1000000;
	edge_msi(0, V);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().recommits, 17);
	assert_int_equal(reuse(5, false), 0);
}

/* ---- quiet commits ---- */

static void what_kvm_cant_see_commits_nothing(void **state)
{
	uint64_t commits;

	(void)state;
	assert_int_equal(program(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(program(6, V), 0); /* edge */
	assert_int_equal(fake.commits, 0);
	assert_int_equal(write_low(5, rte_to(0, V)), 0);
	assert_int_equal(fake.commits, 1);
	commits = counters().commits;
	for (uint32_t n = 0; n < 10; n++) {
		assert_int_equal(write_low(5, rte_to(0, V) | LW_RTE_MASK), 0);
		assert_int_equal(program(5, rte_to(0, V)), 0);
	}
	assert_int_equal(counters().commits, commits);
	assert_int_equal(counters().rte_writes, 35);
	assert_int_equal(counters().quiet, 34);
}

static void the_low_half_waits_for_the_high_one(void **state)
{
	(void)state;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_int_equal(write_low(5, rte_to(1, V + 1)), 0);
	assert_int_equal(routed(5), R(0, V));
	assert_int_equal(write_high(5, rte_to(1, V + 1)), 0);
	assert_int_equal(routed(5), R(1, V + 1));
	assert_int_equal(counters().commits, 2);
	/* It never comes: the next delivery finds out. */
	assert_int_equal(write_low(5, rte_to(1, V + 2)), 0);
	assert_int_equal(routed(5), R(1, V + 1));
	line(5, true);
	assert_int_equal(routed(5), R(1, V + 2));
	assert_int_equal(fake_accept(1), V + 2);
	assert_int_equal(counters().latched, 1);
}

static void at_once_each_write_commits(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 10; n++)
		assert_int_equal(program(5, rte_to(0, V) | LW_RTE_MASK), 0);
	assert_int_equal(counters().commits, 20);
	assert_int_equal(counters().quiet, 0);
}

/* ---- nothing is delivered under a route that is not installed ---- */

static void raise_5(void)
{
	fake.in_commit = NULL;
	/* lw_split_line() would wait for the commit after that. */
	assert_int_equal(lw_ioapic_line(lw_split_ioapic(split), 5, 0, true), 0);
	assert_false(remote_irr(5));
}

static void a_pin_being_committed_only_latches(void **state)
{
	(void)state;
	fake.in_commit = raise_5;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(counters().latched, 1);
}

/* ---- who took it ---- */

static uint64_t logical(uint32_t set, uint8_t vector, uint64_t more)
{
	return LW_RTE_LEVEL | LW_RTE_LOGICAL | more | vector | (uint64_t)set << LW_RTE_DEST_SHIFT;
}

static void a_logical_delivery_is_ended_by_its_members_alone(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(3, V, 1u << LW_RTE_DM_SHIFT)), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(program(6, rte_to(2, V)), 0);
	edge_msi(2, V);
	assert_int_equal(fake_accept(2), V);
	assert_int_equal(guest_eoi(2), LW_EOI_SUPERFLUOUS);
	assert_true(remote_irr(5));
	assert_int_equal(guest_eoi(0), LW_EOI_NECESSARY);
	assert_false(remote_irr(5));
}

static void the_first_of_several_ends_it(void **state)
{
	(void)state;
	assert_int_equal(program(5, logical(3, V, 0)), 0);
	line(5, true);
	line(5, false);
	assert_int_equal(fake_accept(0), V);
	assert_int_equal(fake_accept(1), V);
	assert_int_equal(guest_eoi(1), LW_EOI_NECESSARY);
	assert_int_equal(guest_eoi(0), LW_EOI_SUPERFLUOUS);
	assert_int_equal(counters().covered, 1);
}

static void what_nobody_took_is_tried_again(void **state)
{
	(void)state;
	fake.vcpu[0].off = true;
	assert_int_equal(program(5, rte_to(0, V)), 0);
	line(5, true);
	assert_false(remote_irr(5));
	assert_int_equal(counters().refused, 1);
	fake.vcpu[0].off = false;
	assert_int_equal(lw_split_retry(split), 0);
	assert_true(remote_irr(5));
	assert_int_equal(fake_accept(0), V);
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

static void the_8259_reaches_lint0_of_vcpu_0(void **state)
{
	static const struct lw_split_ops ops = {.kick = kick};
	struct lw_split_config config = rig_config(LW_SPLIT_FAST | LW_SPLIT_PIC);
	struct kvm_run run = {0};

	(void)state;
	rig_close();
	fake_reset(SCAN_6_12);
	config.ops = &ops;
	rig_open(&config);
	kicked = 0;
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 4);
	out(0x21, 1);
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
		CASE(a_pin_in_flight_keeps_its_route_until_its_eoi, fast_6_1),
		CASE(a_pin_in_flight_keeps_its_route_until_its_eoi, fast_6_12),
		CASE(at_once_the_eoi_is_lost_on_6_1, immediate_6_1),
		CASE(at_once_every_reuse_leaves_on_6_12, immediate_6_12),
		CASE(at_once_a_rewritten_vector_loses_its_eoi, immediate_6_1),
		CASE(at_once_a_rewritten_vector_loses_its_eoi, immediate_6_12),
		CASE(a_rewritten_vector_waits_for_its_eoi, fast_6_1),
		CASE(a_rewritten_vector_waits_for_its_eoi, fast_6_12),
		CASE(what_clears_remote_irr_ends_the_deferral, fast_6_12),
		CASE(an_edge_in_service_is_caught_once, fast_6_12),
		CASE(without_recommit_it_leaves_for_ever, fast_6_12),
		CASE(a_vector_pending_at_every_exit_is_busy, fast_6_12),
		CASE(a_routed_pair_leaves_because_it_must, fast_6_12),
		CASE(a_masked_pins_route_goes_when_it_is_in_the_way, fast_6_12),
		CASE(recommits_are_rate_limited, fast_6_12),
		CASE(what_kvm_cant_see_commits_nothing, fast_6_12),
		CASE(the_low_half_waits_for_the_high_one, fast_6_12),
		CASE(at_once_each_write_commits, immediate_6_12),
		CASE(a_pin_being_committed_only_latches, fast_6_12),
		CASE(a_logical_delivery_is_ended_by_its_members_alone, fast_6_12),
		CASE(the_first_of_several_ends_it, fast_6_12),
		CASE(what_nobody_took_is_tried_again, fast_6_12),
		CASE(init_of_a_vcpu_is_found_out, fast_6_12),
		CASE(reconciling_keeps_what_is_there, fast_6_12),
		CASE(a_restored_record_gets_a_route_for_its_eoi, fast_6_1),
		CASE(only_msis_with_an_irqfd_are_in_the_table, fast_6_12),
		CASE(msi_gsis_run_out, fast_6_12),
		CASE(extended_destinations_go_where_kvm_wants_them, fast_6_12),
		CASE(the_8259_reaches_lint0_of_vcpu_0, fast_6_12),
		CASE(exits_that_are_not_its_own_are_left, fast_6_12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
