/* SPDX-License-Identifier: MIT */
/* IPIs from one vCPU's ICR to the others' LAPICs and signals. */
#include "chip_rig.h"

#define TO(n)   ((uint64_t)(n) << 18)
#define MODE(n) ((uint64_t)(n) << 8)

static int setup_x2apic(void **state)
{
	(void)state;
	return rig_x2apic(300);
}

static void from(uint32_t vcpu, uint64_t dest, uint64_t icr)
{
	lw_lapic_send(lapic(vcpu), dest << 32 | icr);
}

/* Who of the first four has this vector; they have it no longer. */
static uint32_t who(uint8_t vector)
{
	uint32_t found = 0;

	for (uint32_t n = 0; n < VCPUS; n++)
		if (take(n) == vector) {
			found |= 1u << n;
			assert_false(lw_lapic_tmr(lapic(n), vector));
			assert_int_equal(lw_lapic_eoi(lapic(n)), vector);
		}
	return found;
}

static void destinations_and_shorthands(void **state)
{
	(void)state;
	from(1, 2u << 24, 0x31);
	assert_int_equal(who(0x31), 1 << 2);
	assert_int_equal(rig.notices, 1);
	from(1, 0xffu << 24, 0x32);
	assert_int_equal(who(0x32), 0xf);
	from(1, 0, TO(LW_SHORTHAND_ALL) | 0x33);
	assert_int_equal(who(0x33), 0xf);
	from(1, 0, TO(LW_SHORTHAND_OTHERS) | 0x34);
	assert_int_equal(who(0x34), 0xd);
	from(1, 0, TO(LW_SHORTHAND_SELF) | 0x35);
	assert_int_equal(who(0x35), 2);
	from(1, 77u << 24, 0x36);
	assert_int_equal(who(0x36), 0);
}

static void lowest_priority_among_the_others(void **state)
{
	(void)state;
	lw_lapic_write(lapic(0), LW_LAPIC_TPR, 0x20);
	lw_lapic_write(lapic(2), LW_LAPIC_TPR, 0x10);
	lw_lapic_write(lapic(3), LW_LAPIC_TPR, 0x20);
	for (int n = 0; n < 3; n++) {
		from(1, 0, TO(LW_SHORTHAND_OTHERS) | MODE(LW_DM_LOWEST) | 0x31);
		assert_int_equal(who(0x31), 1 << 2);
	}
	from(1, 0xffu << 24, MODE(LW_DM_LOWEST) | 0x31);
	assert_int_equal(who(0x31), 1 << 1);
}

static void signals_go_out(void **state)
{
	(void)state;
	from(0, 2u << 24, MODE(LW_DM_INIT) | 1u << 14);
	from(0, 2u << 24, MODE(LW_DM_SIPI) | 0x9a);
	from(3, 0, TO(LW_SHORTHAND_OTHERS) | MODE(LW_DM_NMI));
	from(3, 0, TO(LW_SHORTHAND_SELF) | MODE(LW_DM_NMI));
	from(3, 1u << 24, MODE(LW_DM_SMI));
	assert_diary("signal2:5:00 signal2:6:9a signal0:4:00 signal1:4:00 signal2:4:00 "
		     "signal3:4:00 signal1:2:00 ");
	from(0, 0, TO(LW_SHORTHAND_ALL) | MODE(LW_DM_INIT) | 1u << 15);
	assert_diary("");
}

static void lvt_signals_go_out(void **state)
{
	static const struct lw_chip_ops bare = {.kick = rig_kick};
	struct lw_chip_config config = rig_config();

	(void)state;
	lw_lapic_write(lapic(2), LW_LAPIC_LVT_LINT1, (uint32_t)MODE(LW_DM_NMI));
	lw_lapic_lint(lapic(2), 1, true);
	assert_diary("signal2:4:00 ");
	rig_close(NULL);
	config.ops = &bare;
	rig_open(config, LW_EOI_ARMED, 0);
	lw_lapic_write(lapic(2), LW_LAPIC_LVT_LINT1, (uint32_t)MODE(LW_DM_NMI));
	lw_lapic_lint(lapic(2), 1, true);
	assert_diary("");
}

static void note_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	(void)ctx;
	note("deadline%u:%u ", vcpu, (unsigned)deadline_ns);
}

static void deadlines_go_out_on_the_configured_clock(void **state)
{
	struct lw_chip_ops ops = rig_ops;
	struct lw_chip_config config = rig_config();

	(void)state;
	lw_lapic_write(lapic(2), LW_LAPIC_TMICT, 100); /* to nobody, by 2 */
	assert_true(lw_lapic_deadline(lapic(2)) == 200);
	config.clock.bus_ns = 40;
	config.eoi = rig.eoi;
	assert_int_equal(lw_chip_init(rig.chip, &config), -EINVAL);
	rig_close(NULL);
	ops.deadline = note_deadline;
	config.ops = &ops;
	config.clock.bus_ticks = 1;
	rig_open(config, LW_EOI_ARMED, 0);
	lw_lapic_write(lapic(2), LW_LAPIC_TMICT, 100);
	lw_chip_init_vcpu(rig.chip, 2);
	assert_diary("deadline2:8000 deadline2:0 ");
}

static void note_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	(void)ctx;
	note("threshold%u:%u ", vcpu, class_);
}

static void thresholds_go_out_if_wanted(void **state)
{
	struct lw_chip_ops ops = rig_ops;
	struct lw_chip_config config = rig_config();

	(void)state;
	rig_close(NULL);
	ops.threshold = note_threshold;
	config.ops = &ops;
	rig_open(config, LW_EOI_ARMED, 0);
	lw_lapic_write(lapic(2), LW_LAPIC_TPR, 0x50);
	from(1, 2u << 24, 0x41);
	assert_int_equal(take(2), -1);
	assert_diary("threshold2:4 ");
}

/* CVE-2013-6376 in full: x2APIC destinations past every array, cluster and vCPU. */
static void test_cve_2013_6376_x2apic_destinations(void **state)
{
	static const uint32_t past[] = {300, 511, 0x10000, 0x7fffffff, 0xfffffffe};

	(void)state;
	for (size_t n = 0; n < sizeof(past) / sizeof(*past); n++)
		from(1, past[n], MODE(LW_DM_NMI));
	from(1, 0x13ffff, 1u << 11 | MODE(LW_DM_NMI)); /* no such cluster */
	from(1, 0x12f000, 1u << 11 | MODE(LW_DM_NMI)); /* half of the last one */
	from(1, 0xffff0001u, 1u << 11 | MODE(LW_DM_LOWEST) | 0x31);
	assert_diary("");
	from(1, 299, MODE(LW_DM_NMI));
	from(1, 0x120801, 1u << 11 | MODE(LW_DM_NMI));
	assert_diary("signal299:4:00 signal288:4:00 signal299:4:00 ");
	from(1, 0xffffffff, 0x31);
	assert_int_equal(who(0x31), 0xf);
	for (uint32_t n = VCPUS; n < 300; n++)
		assert_int_equal(take(n), 0x31);
}

/* docs/reliability.md, CVE-2022-2153 and 2025-21779: who takes nothing is passed over. */
static void test_cve_2022_2153_to_a_disabled_lapic(void **state)
{
	(void)state;
	lw_lapic_write(lapic(2), LW_LAPIC_SVR, 0xff);
	from(1, 2u << 24, 0x31);
	from(1, 2u << 24, MODE(LW_DM_LOWEST) | 0x31);
	from(1, 0, TO(LW_SHORTHAND_ALL) | 0x31);
	assert_int_equal(who(0x31), 0xb);
	lw_lapic_write(lapic(2), LW_LAPIC_SVR, ENABLED);
	assert_int_equal(take(2), -1);
}

/* ---- modes ---- */

#define PAGE 0xfee00000u
#define EN   0x800u
#define EXTD 0x400u

static void mode(uint32_t vcpu, uint32_t bits)
{
	assert_int_equal(lw_lapic_set_base(lapic(vcpu), PAGE | bits), 0);
}

static void a_lapic_that_is_off_gets_nothing(void **state)
{
	(void)state;
	assert_true(lw_lapic_base(lapic(0)) == (PAGE | EN | 0x100));
	assert_true(lw_lapic_base(lapic(1)) == (PAGE | EN));
	mode(2, 0);
	from(1, 2u << 24, MODE(LW_DM_NMI));
	from(1, 2u << 24, 0x31);
	from(1, 0, TO(LW_SHORTHAND_OTHERS) | MODE(LW_DM_NMI));
	from(1, 0xffu << 24, MODE(LW_DM_NMI));
	assert_diary("signal0:4:00 signal3:4:00 signal0:4:00 signal1:4:00 signal3:4:00 ");
	mode(2, EN);
	lw_lapic_write(lapic(2), LW_LAPIC_SVR, ENABLED);
	from(1, 2u << 24, 0x31);
	assert_int_equal(who(0x31), 1 << 2);
}

/* A level in flight to it is resolved, as at an INIT. */
static void going_off_with_a_level_in_flight(void **state)
{
	(void)state;
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x31);
	assert_true(remote_irr(5));
	line(5, false);
	mode(1, 0);
	assert_false(remote_irr(5));
	mode(1, EN);
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED);
	line(5, true);
	assert_int_equal(take(1), 0x31);
	line(5, false);
	assert_true(eoi(1));
	assert_false(remote_irr(5));
}

/* A guest that starts in xAPIC mode and goes on in x2APIC mode, one vCPU after the other. */
static void from_xapic_to_x2apic_mode(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++) {
		lw_lapic_write(lapic(n), LW_LAPIC_LDR, 1u << (24 + n));
		mode(n, EN | EXTD);
		assert_int_equal(
			lw_chip_send(rig.chip, &(struct lw_msg){.dest = n, .vector = 0x31}), 1);
		assert_int_equal(who(0x31), 1 << n);
		assert_int_equal(
			lw_chip_send(rig.chip, &(struct lw_msg){.dest = 0xff, .vector = 0x32}),
			VCPUS - 1 - n); /* those still in xAPIC mode */
		assert_int_equal(who(0x32), 0xf & ~((2u << n) - 1));
	}
	from(0, 0xffffffff, 0x33);
	assert_int_equal(who(0x33), 0xf);
	from(0, 5, 1u << 11 | 0x34);
	assert_int_equal(who(0x34), 5);
	program(5, 1, 0x41 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x41);
	line(5, false);
	assert_true(eoi(1));
}

/* One of a chip that starts in x2APIC mode goes back, and is found by what it is then. */
static void from_x2apic_to_xapic_mode(void **state)
{
	(void)state;
	mode(3, 0);
	from(1, 3, MODE(LW_DM_NMI));
	from(1, 8, 1u << 11 | MODE(LW_DM_NMI));
	assert_diary("");
	mode(3, EN);
	lw_lapic_write(lapic(3), LW_LAPIC_SVR, ENABLED);
	lw_lapic_write(lapic(3), LW_LAPIC_LDR, 0x20000000);
	from(1, 3, MODE(LW_DM_NMI));
	from(1, 0x20, 1u << 11 | MODE(LW_DM_NMI));
	assert_diary("signal3:4:00 signal3:4:00 signal5:4:00 ");
	from(1, 299, MODE(LW_DM_NMI));
	assert_diary("signal299:4:00 ");
	lw_lapic_write(lapic(3), LW_LAPIC_LDR, 0x40000000); /* routes are counted anew */
	program(5, 3, 0x41 | LEVEL);
	line(5, true);
	assert_int_equal(take(3), 0x41);
	line(5, false);
	assert_true(eoi(3));
}

#define CASE(name)   cmocka_unit_test_setup_teardown(name, rig_armed, rig_close)
#define X2APIC(name) cmocka_unit_test_setup_teardown(name, setup_x2apic, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(destinations_and_shorthands),
		CASE(lowest_priority_among_the_others),
		CASE(signals_go_out),
		CASE(lvt_signals_go_out),
		CASE(thresholds_go_out_if_wanted),
		CASE(deadlines_go_out_on_the_configured_clock),
		X2APIC(test_cve_2013_6376_x2apic_destinations),
		CASE(test_cve_2022_2153_to_a_disabled_lapic),
		CASE(a_lapic_that_is_off_gets_nothing),
		CASE(going_off_with_a_level_in_flight),
		CASE(from_xapic_to_x2apic_mode),
		X2APIC(from_x2apic_to_xapic_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
