/* SPDX-License-Identifier: MIT */
/* Inputs that broke others, through the whole controller, where no chip's own test has them:
 * docs/reliability.md has the rest. */
#include "chip_rig.h"

#include <sys/mman.h>
#include <unistd.h>

#define LDRS(bits) ((bits) << 24)

/*
 * Maps and I/O APICs that are not there yet: a controller is whole once lw_chip_init() has
 * returned, so nothing can come before. Every call straight after it, with all LAPICs disabled and
 * no logical id given.
 */
static void test_cve_2018_19406_and_19407_before_a_guest_has_set_up_anything(void **state)
{
	struct lw_msg msg = {.vector = 0x31};

	(void)state;
	for (int n = 0; n < LW_EOI_POLICIES; n++) {
		rig_close(NULL);
		rig_open(rig_config(), (enum lw_eoi_policy)n, 0);
		for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
			lw_chip_init_vcpu(rig.chip, vcpu);
		for (uint32_t dest = 0; dest < 0x100; dest++) {
			msg.dest = dest;
			msg.logical = dest & 1;
			msg.level = dest & 2;
			assert_int_equal(lw_chip_send(rig.chip, &msg), 0);
			msg.delivery ^= LW_DM_LOWEST;
		}
		for (uint32_t gsi = 0; gsi < 2 * PINS; gsi++)
			line(gsi, true);
		lw_eoi_hooks()->remap(rig.eoi);
		lw_chip_enter(rig.chip, 1);
		assert_int_equal(lw_chip_eoi_exit(rig.chip, 1, 0x31), LW_EOI_SUPERFLUOUS);
		lw_lapic_send(lapic(1), LW_SHORTHAND_OTHERS << 18 | 0x31u);
		lw_chip_exit(rig.chip, 1);
		lw_chip_settle(rig.chip);
		for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
			assert_int_equal(take(vcpu), -1);
	}
}

/* One vCPU more than fills the words of every map, and a write that leads a level pin from nobody
 * to everybody and back, in service. */
static void test_cve_2021_47390_an_rte_write_that_names_every_vcpu(void **state)
{
	static const uint32_t sizes[] = {1, 63, 64, 65, 128, 129, 254};

	(void)state;
	for (size_t n = 0; n < 2 * sizeof(sizes) / sizeof(*sizes); n++) {
		struct lw_chip_config config = rig_config();

		config.nvcpus = sizes[n / 2];
		rig_close(NULL);
		rig_open(config, n & 1 ? LW_EOI_TRACK : LW_EOI_ARMED, LW_EOI_IN_KERNEL);
		program(5, 0xfe, 0x31 | LEVEL);
		line(5, true);
		assert_false(remote_irr(5));
		program(5, 0xff, 0x31 | LEVEL);
		assert_true(remote_irr(5));
		program(5, 0, 0x41 | LEVEL);
		line(5, false);
		for (uint32_t vcpu = 0; vcpu < config.nvcpus; vcpu++) {
			assert_int_equal(take(vcpu), 0x31);
			lw_lapic_eoi(lapic(vcpu));
		}
		lw_ioapic_reset(lw_chip_ioapic(rig.chip, 0));
		program(5, config.nvcpus - 1, 0x31 | LEVEL);
		line(5, true);
		assert_int_equal(take(config.nvcpus - 1), 0x31);
	}
}

/* Redelivery is delayed, and before the delay is over the vCPU is reset; so is the chip. */
static void test_cve_2026_74517_a_delay_outlives_its_vcpu(void **state)
{
	struct lw_ioapic *io = lw_chip_ioapic(rig.chip, 0);

	(void)state;
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	for (int n = 0; n < 10000; n++) {
		assert_int_equal(take(1), 0x31);
		assert_true(eoi(1));
	}
	assert_diary("storm5 ");
	lw_chip_init_vcpu(rig.chip, 1);
	assert_int_equal(lw_ioapic_resume(io, 5), 0);
	assert_false(remote_irr(5)); /* refused, not lost */
	assert_int_equal(take(1), -1);
	lw_lapic_write(lapic(1), LW_LAPIC_SVR, ENABLED);
	assert_int_equal(take(1), 0x31);
	lw_ioapic_reset(io);
	assert_int_equal(lw_ioapic_resume(io, 5), 0);
	assert_int_equal(lw_ioapic_resume(io, PINS), -EINVAL);
}

/* Logical destinations and LDRs of every cluster there is in 8 and in 32 bits: a guest names
 * clusters past those that exist. */
static void test_jailhouse_851d7594_clusters_past_every_array(void **state)
{
	struct lw_msg msg = {.vector = 0x31, .logical = true};

	(void)state;
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		lw_lapic_write(lapic(vcpu), LW_LAPIC_DFR, 0);
	for (uint32_t ldr = 0; ldr < 0x100; ldr++) {
		lw_lapic_write(lapic(1), LW_LAPIC_LDR, LDRS(ldr));
		for (msg.dest = 0; msg.dest < 0x100; msg.dest++) {
			bool named = msg.dest == 0xff ||
				     (msg.dest >> 4 == ldr >> 4 && msg.dest & ldr & 0xf);

			lw_chip_send(rig.chip, &msg);
			assert_int_equal(take(1), named ? 0x31 : -1);
			lw_lapic_eoi(lapic(1));
		}
	}
	rig_close(NULL);
	rig_x2apic(20);
	for (msg.dest = 0x1ffff; msg.dest < 0xffffffff - 0x10000; msg.dest += 0x10000) {
		if (msg.dest >> 16 > 1) /* the third cluster and up have nobody */
			assert_int_equal(lw_chip_send(rig.chip, &msg), 0);
	}
}

/* Storage that ends where an unreadable page begins: no offset, width or bank leads past it. */
static void test_acrn_6131_and_jailhouse_08a0c14d_offsets_past_the_page(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct lw_lapic_config config = {.id = 3};
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct lw_lapic *l;
	uint64_t value;

	(void)state;
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	l = (void *)(map + page - LW_LAPIC_SIZE);
	assert_int_equal(lw_lapic_init(l, &config), 0);
	for (uint32_t offset = 0; offset < 0x20000; offset++) {
		uint32_t far = offset < 0x10000 ? offset : 0u - (offset - 0x10000);

		lw_lapic_read(l, far);
		lw_lapic_write(l, far, far);
		lw_lapic_page_read(l, far);
		lw_lapic_page_write(l, far, ~far);
		lw_lapic_msr_read(l, far, &value);
		if (far != LW_MSR_APIC_BASE)
			lw_lapic_msr_write(l, far, far);
	}
	lw_lapic_reset(l);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	assert_int_equal(lw_lapic_post(l, 0x31, false), LW_POST_NOTIFY);
	assert_int_equal(lw_lapic_accept(l), 0x31);
	munmap(map, 2 * page);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_armed, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_cve_2018_19406_and_19407_before_a_guest_has_set_up_anything),
		CASE(test_cve_2021_47390_an_rte_write_that_names_every_vcpu),
		CASE(test_cve_2026_74517_a_delay_outlives_its_vcpu),
		CASE(test_jailhouse_851d7594_clusters_past_every_array),
		cmocka_unit_test(test_acrn_6131_and_jailhouse_08a0c14d_offsets_past_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
