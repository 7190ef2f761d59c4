/* SPDX-License-Identifier: MIT */
/* The controller whole: who gets a message, and what reaches the VMM. */
#include "chip_rig.h"

#include <lapwing/snapshot.h>

static int setup_x2apic(void **state)
{
	(void)state;
	return rig_x2apic(40);
}

/* ---- init ---- */

static void refuse(struct lw_chip_config config, bool size_too)
{
	assert_int_equal(lw_chip_init(rig.chip, &config), -EINVAL);
	if (size_too)
		assert_int_equal(lw_chip_size(&config), 0);
}

#define REFUSE_WITH(member, value)                        \
	do {                                              \
		struct lw_chip_config bad = rig_config(); \
		bad.member = (value);                     \
		refuse(bad, true);                        \
	} while (0)

static void a_configuration_out_of_range_is_refused(void **state)
{
	struct lw_chip_ioapic few = {.pins = 23, .version = 0x20};

	(void)state;
	REFUSE_WITH(nvcpus, 0);
	REFUSE_WITH(nvcpus, 256);
	REFUSE_WITH(nvcpus, 65537);
	REFUSE_WITH(nioapics, 0);
	REFUSE_WITH(nioapics, LW_CHIP_MAX_IOAPICS + 1);
	REFUSE_WITH(ioapic, NULL);
	REFUSE_WITH(ioapic, &few);
	REFUSE_WITH(gsis, 0);
	REFUSE_WITH(gsis, 4097);
	assert_int_equal(lw_chip_size(NULL), 0);
	assert_int_equal(lw_chip_init(rig.chip, NULL), -EINVAL);
}

static void a_missing_op_or_hook_is_refused(void **state)
{
	struct lw_chip_config config = rig_config();
	struct lw_chip_ops ops = rig_ops;
	struct lw_eoi_hooks hooks;

	(void)state;
	assert_int_equal(lw_chip_init(NULL, &config), -EINVAL);
	assert_int_equal(lw_chip_init((void *)((char *)rig.chip + 8), &config), -EINVAL);
	config.ops = NULL;
	refuse(config, false);
	config.ops = &ops;
	ops.kick = NULL;
	refuse(config, false);
	ops = rig_ops;
	ops.lock = NULL;
	refuse(config, false);
	config = rig_config();
	config.hooks = NULL;
	refuse(config, false);
	config.hooks = &hooks;
	for (size_t n = 0; n < sizeof(hooks) / sizeof(void (*)(void)); n++) {
		hooks = *lw_eoi_hooks();
		memset((char *)&hooks + n * sizeof(void (*)(void)), 0, sizeof(void (*)(void)));
		refuse(config, false);
	}
}

static void parts_that_are_not_there_are_null(void **state)
{
	(void)state;
	assert_non_null(lw_chip_lapic(rig.chip, VCPUS - 1));
	assert_null(lw_chip_lapic(rig.chip, VCPUS));
	assert_non_null(lw_chip_ioapic(rig.chip, 1));
	assert_null(lw_chip_ioapic(rig.chip, 2));
	assert_non_null(lw_chip_routes(rig.chip));
	assert_int_equal(lw_lapic_id(lapic(3)), 3);
}

/* CVE-2015-4692, CVE-2018-19406: calls for vCPUs that are not there. */
static void test_cve_2015_4692_vcpus_that_are_not_there(void **state)
{
	(void)state;
	lw_chip_enter(rig.chip, VCPUS);
	lw_chip_exit(rig.chip, VCPUS);
	lw_chip_init_vcpu(rig.chip, UINT32_MAX);
	assert_false(lw_chip_eoi_leaves(rig.chip, VCPUS, 0x31));
	assert_int_equal(lw_chip_eoi_exit(rig.chip, VCPUS, 0x31), LW_EOI_SUPERFLUOUS);
	assert_int_equal(rig.traced[LW_TRACE_EOI], 0);
}

/* Nothing but `kick`. */
static void one_op_is_enough(void **state)
{
	static const struct lw_chip_ops bare = {.kick = rig_kick};
	struct lw_chip_config config = rig_config();

	(void)state;
	rig_close(NULL);
	config.ops = &bare;
	rig_open(config, LW_EOI_LAZY, 0);
	program(5, 1, 0x31 | LEVEL);
	assert_int_equal(lw_ioapic_notify(lw_chip_ioapic(rig.chip, 0), 5, true), 0);
	line(5, true);
	assert_int_equal(rig.kicks[1], 1);
	assert_int_equal(take(1), 0x31);
	for (int n = 0; n < 10001; n++) { /* nobody to time a storm: no delay */
		assert_int_equal(lw_lapic_eoi(lapic(1)), 0x31);
		assert_int_equal(take(1), 0x31);
	}
	line(5, false);
	lw_lapic_eoi(lapic(1));
	program(5, 1, 0x31 | (uint64_t)LW_DM_NMI << LW_RTE_DM_SHIFT);
	line(5, true);
	assert_false(remote_irr(5));
	lw_ioapic_notify(lw_chip_ioapic(rig.chip, 0), 6, false);
	program(6, 1, 0x41 | LEVEL);
	line(6, true);
	line(6, false);
	assert_true(remote_irr(6)); /* `owned` is never true: the owner is asked */
	lw_chip_exit(rig.chip, 1);
	assert_true(remote_irr(6));
}

/* ---- lines and MSIs ---- */

static void a_level_line_goes_all_the_way(void **state)
{
	(void)state;
	program(30, 2, 0x31 | LEVEL);
	line(30, true);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(rig.traced[LW_TRACE_POSTED], 1);
	assert_int_equal(rig.last.kind, LW_TRACE_PUBLISHED);
	assert_true(rig.last.level && rig.last.vcpu == 2 && rig.last.vector == 0x31);
	assert_int_equal(take(2), 0x31);
	assert_true(lw_lapic_tmr(lapic(2), 0x31) && remote_irr(30));
	line(30, false);
	assert_true(eoi(2));
	assert_int_equal(rig.last.kind, LW_TRACE_EOI);
	assert_int_equal(rig.last.found, LW_EOI_NECESSARY);
	assert_true(rig.last.broadcast);
	assert_false(remote_irr(30));
}

static void an_msi_goes_all_the_way_and_its_eoi_stays_inside(void **state)
{
	(void)state;
	assert_int_equal(msi(3, 0x61), 1);
	assert_int_equal(rig.last.gsi, -1);
	assert_int_equal(take(3), 0x61);
	assert_false(eoi(3));
	assert_int_equal(rig.traced[LW_TRACE_EOI], 1);
	assert_int_equal(msi(VCPUS, 0x61), 0);
	assert_int_equal(lw_chip_msi(rig.chip, 0, 0x61), -EINVAL);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee00000, 0xc071), 1);
	assert_int_equal(take(0), 0x71);
	assert_false(eoi(0)); /* a level MSI has no pin behind it */
}

static uint32_t by_gsi[64], by_vector[256];

static void count_by_irq(void *ctx, const struct lw_trace *event)
{
	(void)ctx;
	if (event->kind != LW_TRACE_POSTED)
		return;
	by_vector[event->vector]++;
	if (event->gsi >= 0)
		by_gsi[event->gsi]++;
}

static void a_trace_counts_by_irq(void **state)
{
	struct lw_chip_ops ops = rig_ops;
	struct lw_chip_config config = rig_config();

	(void)state;
	rig_close(NULL);
	ops.trace = count_by_irq;
	config.ops = &ops;
	rig_open(config, LW_EOI_ARMED, 0);
	program(5, 1, 0x31);
	program(27, 2, 0x31 | LEVEL);
	for (uint32_t n = 0; n < 3; n++) {
		line(5, true);
		line(5, false);
	}
	line(27, true);
	msi(1, 0x41);
	assert_int_equal(by_gsi[5], 3);
	assert_int_equal(by_gsi[27], 1);
	assert_int_equal(by_vector[0x31], 4);
	assert_int_equal(by_vector[0x41], 1);
}

static void gsi_routes_lead_to_pins_and_msis(void **state)
{
	const struct lw_route set[] = {
		{.gsi = 9, .type = LW_ROUTE_IOAPIC, .chip = 1, .pin = 5},
		{.gsi = 9, .type = LW_ROUTE_MSI, .address = 0xfee01000, .data = 0x41},
		{.gsi = 12, .type = LW_ROUTE_PIC, .chip = 1, .pin = 1},
		{.gsi = 10, .type = LW_ROUTE_IOAPIC, .chip = 2, .pin = 5},
		{.gsi = 11, .type = LW_ROUTE_MSI, .address = 0, .data = 0x41},
	};

	(void)state;
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), set, 5), 0);
	program(29, 2, 0x31 | LEVEL);
	line(9, true);
	assert_int_equal(take(2), 0x31);
	assert_int_equal(take(1), 0x41);
	line(9, false);
	assert_int_equal(take(1), -1);
	assert_int_equal(lw_chip_line(rig.chip, 9, 32, true), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, 10, 0, true), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, 11, 0, true), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, 11, 32, false), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, 12, 0, true), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, UINT32_MAX, 0, true), -EINVAL);
}

/* ---- who is meant ---- */

static uint32_t takers_of(struct lw_msg msg)
{
	uint32_t who = 0;

	lw_chip_send(rig.chip, &msg);
	for (uint32_t n = 0; n < 32 && lapic(n); n++)
		if (take(n) >= 0) {
			who |= 1u << n;
			lw_lapic_eoi(lapic(n));
		}
	return who;
}

static void xapic_destinations(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
	assert_int_equal(takers_of((struct lw_msg){.dest = 2, .vector = 0x31}), 1 << 2);
	assert_int_equal(takers_of((struct lw_msg){.dest = 0xff, .vector = 0x31}), 0xf);
	assert_int_equal(takers_of((struct lw_msg){.dest = 0xffffffff, .vector = 0x31}), 0xf);
	assert_int_equal(takers_of((struct lw_msg){.dest = 5, .vector = 0x31, .logical = true}), 5);
	assert_int_equal(takers_of((struct lw_msg){.dest = 77, .vector = 0x31}), 0);
	lw_lapic_write(lapic(2), LW_LAPIC_SVR, 0xff);
	assert_int_equal(takers_of((struct lw_msg){.dest = 0xff, .vector = 0x31}), 0xb);
	assert_int_equal(takers_of((struct lw_msg){.dest = 0, .vector = 15}), 0);
	lw_lapic_write(lapic(0), LW_LAPIC_ESR, 0);
	assert_int_equal(lw_lapic_read(lapic(0), LW_LAPIC_ESR), 1 << 6);
}

static void x2apic_destinations(void **state)
{
	(void)state;
	assert_int_equal(takers_of((struct lw_msg){.dest = 17, .vector = 0x31}), 1u << 17);
	assert_int_equal(takers_of((struct lw_msg){.dest = 255, .vector = 0x31}), 0);
	assert_int_equal(takers_of((struct lw_msg){.dest = 0xffffffff, .vector = 0x31}),
			 0xffffffff);
	assert_int_equal(
		takers_of((struct lw_msg){.dest = 0x10003, .vector = 0x31, .logical = true}),
		3u << 16);
	assert_int_equal(
		lw_chip_send(rig.chip,
			     &(struct lw_msg){.dest = 0x2ffff, .vector = 0x31, .logical = true}),
		8); /* vCPUs 32 to 39 */
	assert_int_equal(
		lw_chip_send(rig.chip,
			     &(struct lw_msg){.dest = 0xffffffef, .vector = 0x31, .logical = true}),
		0);
}

static void lowest_priority_takes_turns_among_the_lowest(void **state)
{
	struct lw_msg msg = {.dest = 0xff, .vector = 0x31, .delivery = LW_DM_LOWEST};
	uint32_t seen = 0;

	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		seen |= takers_of(msg);
	assert_int_equal(seen, 0xf);
	lw_lapic_write(lapic(0), LW_LAPIC_TPR, 0x20);
	lw_lapic_write(lapic(1), LW_LAPIC_TPR, 0x10);
	lw_lapic_write(lapic(2), LW_LAPIC_TPR, 0x30);
	lw_lapic_write(lapic(3), LW_LAPIC_SVR, 0xff);
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(takers_of(msg), 1 << 1);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_SVR, 0xff);
	assert_int_equal(lw_chip_send(rig.chip, &msg), 0);
}

static void other_modes_are_signals(void **state)
{
	static const uint8_t modes[] = {LW_DM_SMI, LW_DM_NMI, LW_DM_INIT, LW_DM_SIPI, LW_DM_EXTINT};
	struct lw_msg msg = {.dest = 1, .vector = 0x31};

	(void)state;
	for (size_t n = 0; n < sizeof(modes); n++) {
		msg.delivery = modes[n];
		assert_int_equal(lw_chip_send(rig.chip, &msg), 1);
	}
	assert_diary("signal1:2:31 signal1:4:31 signal1:5:31 signal1:6:31 signal1:7:31 ");
	msg.delivery = LW_DM_RESERVED;
	assert_int_equal(lw_chip_send(rig.chip, &msg), 0);
	msg.delivery = 77;
	assert_int_equal(lw_chip_send(rig.chip, &msg), 0);
	assert_diary("");
}

/* As chip.h says: then all is as it was set up, but for whose turn it is among equals. */
static void a_machine_is_reset(void **state)
{
	static uint8_t before[65536], after[65536];
	const uint64_t page = 0xfee00000u, en = 0x800, extd = 0x400;
	size_t size;

	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_lapic_write(lapic(n), LW_LAPIC_SVR, 0xff);
	size = lw_chip_save(rig.chip, before, sizeof(before));
	assert_in_range(size, 1, sizeof(before));
	for (uint32_t n = 0; n < VCPUS; n++) {
		lw_lapic_write(lapic(n), LW_LAPIC_SVR, ENABLED | LW_SVR_SUPPRESS * (n & 1));
		lw_lapic_write(lapic(n), LW_LAPIC_LVT_ERROR, 3);
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
		lw_lapic_write(lapic(n), LW_LAPIC_TPR, 0x20);
	}
	program(5, 1, 0x31 | LEVEL);
	program(6, 2, 0x31 | LEVEL);
	program(7, 0xf, 0x41 | LEVEL | LW_RTE_LOGICAL);
	for (uint32_t gsi = 5; gsi < 8; gsi++)
		line(gsi, true);
	take(1);
	msi(2, 7);
	lw_lapic_set_base(lapic(2), page | en | extd);
	for (uint32_t gsi = 5; gsi < 8; gsi++)
		line(gsi, false);
	for (uint32_t n = 0; n < VCPUS; n++) {
		uint64_t bsp = n == 0 ? 0x100 : 0;

		assert_int_equal(lw_lapic_set_base(lapic(n), page | bsp), 0);
		assert_int_equal(lw_lapic_set_base(lapic(n), page | bsp | en), 0);
	}
	lw_ioapic_reset(lw_chip_ioapic(rig.chip, 0));
	assert_int_equal(lw_chip_save(rig.chip, after, sizeof(after)), size);
	assert_memory_equal(before + 16, after + 16, size - 16);
}

/* The vCPU may be halted: it must come and look, or LVT error waits for another interrupt. */
static void an_illegal_vector_interrupts_by_lvt_error(void **state)
{
	(void)state;
	lw_lapic_write(lapic(1), LW_LAPIC_LVT_ERROR, 0xe1);
	assert_int_equal(msi(1, 7), 0);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(msi(1, 7), 0);
	assert_int_equal(msi(1, 8), 0);
	assert_int_equal(rig.notices, 1); /* it knows */
	assert_int_equal(take(1), 0xe1);
	lw_lapic_eoi(lapic(1));
	assert_int_equal(msi(1, 7), 0);
	assert_int_equal(rig.notices, 2);
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, 0xff);
	assert_int_equal(msi(1, 7), 0);
	assert_int_equal(rig.notices, 2); /* disabled, it notes nothing */
}

/* In an RTE start-up's encoding is reserved: a pin starts no processor. */
static void a_pin_starts_no_vcpu(void **state)
{
	(void)state;
	program(5, 1, 0x31 | LW_DM_SIPI << LW_RTE_DM_SHIFT);
	line(5, true);
	assert_diary("");
	program(5, 1, 0x31 | LW_DM_NMI << LW_RTE_DM_SHIFT);
	line(5, false);
	line(5, true);
	assert_diary("signal1:4:31 ");
}

/* ---- several I/O APICs ---- */

static void one_eoi_resolves_records_of_every_ioapic(void **state)
{
	(void)state;
	program(3, 1, 0x31 | LEVEL);
	program(27, 1, 0x31 | LEVEL);
	line(3, true);
	line(27, true);
	assert_int_equal(take(1), 0x31);
	line(3, false);
	line(27, false);
	assert_true(eoi(1));
	assert_false(remote_irr(3) || remote_irr(27));
}

/* A notification of the last I/O APIC is told by the exit that resolved it. */
static void the_last_of_many_ioapics_is_heard(void **state)
{
	static struct lw_chip_ioapic many[LW_CHIP_MAX_IOAPICS];
	struct lw_chip_config config = rig_config();
	uint32_t last = LW_CHIP_MAX_IOAPICS * PINS - 1;

	(void)state;
	for (uint32_t n = 0; n < LW_CHIP_MAX_IOAPICS; n++)
		many[n] = (struct lw_chip_ioapic){
			.gsi_base = n * PINS, .pins = PINS, .version = 0x20};
	rig_close(NULL);
	config.nioapics = LW_CHIP_MAX_IOAPICS;
	config.ioapic = many;
	config.gsis = last + 1;
	rig_open(config, LW_EOI_ARMED, 0);
	lw_ioapic_notify(lw_chip_ioapic(rig.chip, LW_CHIP_MAX_IOAPICS - 1), PINS - 1, true);
	program(last, 1, 0x31 | LEVEL);
	line(last, true);
	line(last, false);
	assert_int_equal(take(1), 0x31);
	assert_true(eoi(1));
	assert_int_equal(last, 1535);
	assert_diary("resample1535 ");
}

/* ---- guests' accesses at random, with everything wired ---- */

static uint32_t next(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	return *random >> 3;
}

static void any_step(uint32_t *random)
{
	uint32_t vcpu = next(random) % VCPUS, value = next(random);

	switch (next(random) % 9) {
	case 0:
		lw_lapic_write(lapic(vcpu), next(random) % 0x120 * 16, value);
		break;
	case 1:
		lw_ioapic_write(lw_chip_ioapic(rig.chip, value & 1), next(random) % 0x48,
				next(random) << 3);
		break;
	case 2:
		lw_chip_line(rig.chip, value % 66, next(random) % 40, next(random) & 1);
		break;
	case 3:
		lw_chip_msi(rig.chip, 0xfee00000u | (value & 0xfffff), next(random) & 0xffff);
		break;
	case 4:
		lw_chip_init_vcpu(rig.chip, vcpu);
		lw_lapic_write(lapic(vcpu), LW_LAPIC_SVR, ENABLED);
		break;
	case 5:
		lw_ioapic_mmio_write(lw_chip_ioapic(rig.chip, 0), 0x40, &value, 4);
		break;
	case 6:
		lw_chip_enter(rig.chip, vcpu);
		lw_chip_exit(rig.chip, vcpu);
		break;
	default:
		if (take(vcpu) < 0)
			lw_lapic_eoi(lapic(vcpu));
	}
}

static void any_access_is_survived_by_every_policy(void **state)
{
	uint32_t random = 11;

	(void)state;
	for (int n = 0; n < 2 * LW_EOI_POLICIES; n++) {
		rig_close(NULL);
		rig_open(rig_config(), (enum lw_eoi_policy)(n / 2), n & 1 ? LW_EOI_HARDWARE : 0);
		for (int steps = 0; steps < 20000; steps++) {
			any_step(&random);
			forget_diary();
		}
		for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
			lw_chip_init_vcpu(rig.chip, vcpu);
			lw_lapic_write(lapic(vcpu), LW_LAPIC_SVR, ENABLED);
		}
		lw_ioapic_reset(lw_chip_ioapic(rig.chip, 0));
		program(5, 1, 0x31 | LEVEL);
		for (uint32_t source = 0; source < 32; source++)
			lw_chip_line(rig.chip, 5, source, false);
		line(5, true);
		assert_int_equal(take(1), 0x31);
	}
}

static void the_first_vcpu_may_have_the_highest_id(void **state)
{
	static const uint32_t ids[VCPUS] = {200, 1, 2, 3};
	struct lw_chip_config config = rig_config();

	(void)state;
	rig_close(NULL);
	config.ids = ids;
	rig_open(config, LW_EOI_ARMED, 0);
	assert_int_equal(lw_lapic_id(lapic(0)), 200);
	assert_true(msi(200, 0x41) >= 0);
	assert_int_equal(take(0), 0x41);
}

static void a_pins_route_can_be_asked_of_its_ioapic(void **state)
{
	const struct lw_ioapic *io = lw_chip_ioapic(rig.chip, 0);

	(void)state;
	program(5, 1, 0x31 | LEVEL);
	assert_true(lw_ioapic_routed_locked(io, 1, 0x31));
	assert_false(lw_ioapic_routed_locked(io, 0, 0x31));
	assert_false(lw_ioapic_routed_locked(io, 1, 0x32));
}

static uint64_t told[VCPUS];

static void tell_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	told[vcpu] = deadline_ns;
}

static void a_restored_controller_tells_its_deadlines(void **state)
{
	struct lw_chip_config config = rig_config();
	struct lw_chip_ops ops = rig_ops;
	static unsigned char bytes[65536];
	size_t size;

	(void)state;
	rig_close(NULL);
	ops.deadline = tell_deadline;
	config.ops = &ops;
	rig_open(config, LW_EOI_ARMED, 0);
	lw_lapic_write(lapic(1), LW_LAPIC_LVT_TIMER, 0x40);
	lw_lapic_write(lapic(1), LW_LAPIC_TMICT, 500);
	assert_true(told[1] > 0);
	size = lw_chip_save(rig.chip, bytes, sizeof(bytes));
	assert_true(size <= sizeof(bytes));
	told[1] = 0;
	assert_int_equal(lw_chip_restore(rig.chip, bytes, size), 0);
	assert_int_equal(told[1], lw_lapic_deadline(lapic(1)));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_armed, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_configuration_out_of_range_is_refused),
		CASE(a_missing_op_or_hook_is_refused),
		CASE(parts_that_are_not_there_are_null),
		CASE(the_first_vcpu_may_have_the_highest_id),
		CASE(a_pins_route_can_be_asked_of_its_ioapic),
		CASE(a_restored_controller_tells_its_deadlines),
		CASE(test_cve_2015_4692_vcpus_that_are_not_there),
		CASE(one_op_is_enough),
		CASE(a_level_line_goes_all_the_way),
		CASE(an_msi_goes_all_the_way_and_its_eoi_stays_inside),
		CASE(a_trace_counts_by_irq),
		CASE(gsi_routes_lead_to_pins_and_msis),
		CASE(xapic_destinations),
		cmocka_unit_test_setup_teardown(x2apic_destinations, setup_x2apic, rig_close),
		CASE(lowest_priority_takes_turns_among_the_lowest),
		CASE(other_modes_are_signals),
		CASE(a_machine_is_reset),
		CASE(a_pin_starts_no_vcpu),
		CASE(an_illegal_vector_interrupts_by_lvt_error),
		CASE(one_eoi_resolves_records_of_every_ioapic),
		CASE(the_last_of_many_ioapics_is_heard),
		CASE(any_access_is_survived_by_every_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
