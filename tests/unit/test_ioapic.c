/* SPDX-License-Identifier: MIT */
/* The I/O APIC's registers; test_ioapic_lines.c has its lines, test_ioapic_records.c what is in
 * flight. */
#include "ioapic_rig.h"

static int setup_ext(void **state)
{
	(void)state;
	return rig_setup_flags(LW_IOAPIC_EXT_DEST);
}

static int setup_electrical(void **state)
{
	(void)state;
	return rig_setup_flags(LW_IOAPIC_ELECTRICAL);
}

/* ---- init ---- */

static void refuse(struct lw_ioapic_config config, bool size_too)
{
	static _Alignas(LW_IOAPIC_ALIGN) unsigned char storage[16384];

	assert_int_equal(lw_ioapic_init((void *)storage, &config), -EINVAL);
	if (size_too)
		assert_int_equal(lw_ioapic_size(&config), 0);
}

static void a_configuration_out_of_range_is_refused(void **state)
{
	static const uint32_t pins[] = {0, 23, 241}, vcpus[] = {0, 65537};
	struct lw_ioapic_config config;

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		config = rig_config(0);
		config.pins = pins[n];
		refuse(config, true);
	}
	for (size_t n = 0; n < 2; n++) {
		config = rig_config(0);
		config.nvcpus = vcpus[n];
		refuse(config, true);
	}
	refuse(rig_config(16), true);
	config = rig_config(0);
	config.id = 16;
	refuse(config, true);
	config = rig_config(0);
	config.version = 0x12;
	refuse(config, true);
	assert_int_equal(lw_ioapic_size(NULL), 0);
}

static void missing_ops_and_misaligned_storage_are_refused(void **state)
{
	struct lw_ioapic_config config = rig_config(0);
	struct lw_ioapic_ops ops = rig_ops;

	(void)state;
	assert_int_equal(lw_ioapic_init(NULL, &config), -EINVAL);
	assert_int_equal(lw_ioapic_init((void *)((char *)rig.io + 8), &config), -EINVAL);
	assert_int_equal(lw_ioapic_init(rig.io, NULL), -EINVAL);
	config.ops = NULL;
	refuse(config, false);
	config.ops = &ops;
	ops.deliver = NULL;
	refuse(config, false);
	ops = rig_ops;
	ops.lock = NULL;
	refuse(config, false);
	ops = rig_ops;
	ops.unlock = NULL;
	refuse(config, false);
}

static void size_of_24_pins_is_two_kibibytes_maps_apart(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.nvcpus = 1;
	assert_true(lw_ioapic_size(&config) <= 2048 + 24 * 8);
	config.nvcpus = 65536;
	assert_true(lw_ioapic_size(&config) >= 24 * 65536 / 8);
}

static void at_reset_every_pin_is_masked_and_every_line_low(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < PINS; pin++)
		assert_int_equal(rte_at(pin), LW_RTE_MASK);
	assert_diary("");
}

static void deliver_take_to_zero(void *ctx, uint32_t gsi, const struct lw_msg *msg,
				 struct lw_takers *takers)
{
	(void)gsi;
	(void)msg;
	++*(int *)ctx;
	takers->count = 1;
}

/* Only ops->deliver is required. */
static void one_op_is_enough(void **state)
{
	static const struct lw_ioapic_ops bare = {.deliver = deliver_take_to_zero};
	int delivered = 0;
	struct lw_ioapic_config config = rig_config(0);

	(void)state;
	config.ops = &bare;
	config.ctx = &delivered;
	assert_int_equal(lw_ioapic_init(rig.io, &config), 0);
	lw_ioapic_notify(rig.io, 5, true);
	program(5, rte_of(0, 0x31, LEVEL));
	line(5, true);
	assert_int_equal(eoi(0, 0x31), LW_EOI_NECESSARY);
	line(5, false);
	assert_true(remote_irr(5));
	assert_false(lw_ioapic_routed_locked(rig.io, 0, 0x31));
	write_low(5, MASKED);
	assert_false(remote_irr(5));
	assert_int_equal(delivered, 2);
	lw_ioapic_drain(rig.io);
}

/* ---- registers ---- */

static uint32_t window_read(uint32_t index)
{
	uint32_t value = 0xdeadbeef;

	lw_ioapic_mmio_write(rig.io, 0, &index, 4);
	lw_ioapic_mmio_read(rig.io, 0x10, &value, 4);
	return value;
}

static void window_write(uint32_t index, uint32_t value)
{
	lw_ioapic_mmio_write(rig.io, 0, &index, 4);
	lw_ioapic_mmio_write(rig.io, 0x10, &value, 4);
}

static void id_version_and_arbitration(void **state)
{
	(void)state;
	assert_int_equal(window_read(0), 0x02000000);
	assert_int_equal(window_read(1), 0x00170020);
	assert_int_equal(window_read(2), 0x02000000);
	window_write(0, 0xf5ffffff);
	window_write(1, 0xffffffff);
	window_write(2, 0xffffffff);
	assert_int_equal(window_read(0), 0x05000000);
	assert_int_equal(window_read(1), 0x00170020);
	assert_int_equal(window_read(2), 0x05000000);
}

static void each_half_of_each_rte_is_its_own(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < PINS; n++) {
		window_write(0x11 + 2 * n, (n + 1) << 24);
		window_write(0x10 + 2 * n, MASKED | (0x40 + n));
	}
	for (uint32_t n = 0; n < PINS; n++) {
		assert_int_equal(window_read(0x10 + 2 * n), MASKED | (0x40 + n));
		assert_int_equal(window_read(0x11 + 2 * n), (n + 1) << 24);
		assert_int_equal(rte_at(n), rte_of(n + 1, (uint8_t)(0x40 + n), MASKED));
	}
}

static void reserved_and_read_only_rte_bits_are_not_kept(void **state)
{
	(void)state;
	rig.refuse = true;
	write_low(3, 0xffffffff & ~LW_RTE_REMOTE_IRR & ~LW_RTE_PENDING);
	write_high(3, UINT64_MAX);
	assert_int_equal(rte_at(3), 0xff0000000001afffull);
	write_low(3, 0xffffffff);
	assert_int_equal(rte_at(3), 0xff0000000001afffull);
}

static void ext_dest_keeps_fifteen_bits(void **state)
{
	(void)state;
	write_high(3, UINT64_MAX);
	assert_int_equal(rte_at(3) >> 32, 0xfffe0000);
	program(3, rte_of(0x45, 0x31, LEVEL) | 0x23ull << LW_RTE_EXT_SHIFT);
	line(3, true);
	assert_diary("level103:31>2345 ");
}

static void test_cve_2013_1798_index_past_the_table(void **state)
{
	(void)state;
	for (uint32_t index = 3; index < 0x200; index++) {
		if (index >= 0x10 && index < 0x10 + 2 * PINS)
			continue;
		lw_ioapic_write(rig.io, index, 0xffffffff);
		assert_int_equal(lw_ioapic_read(rig.io, index), 0);
		assert_int_equal(window_read(index), index > 0xff ? window_read(index & 0xff) : 0);
	}
	lw_ioapic_write(rig.io, UINT32_MAX, 0xffffffff);
	assert_int_equal(lw_ioapic_read(rig.io, UINT32_MAX), 0);
	assert_diary("");
}

static void all_of_240_pins_can_be_reached(void **state)
{
	struct lw_ioapic_config config = rig_config(0);

	free(rig.io);
	config.pins = 240;
	rig_open(&config);
	(void)state;
	assert_int_equal(window_read(1), 239u << 16 | 0x20);
	window_write(0x11 + 2 * 239, 5u << 24); /* past what eight bits of IOREGSEL reach */
	window_write(0x10 + 2 * 239, 0x77 | LEVEL);
	forget_diary();
	line(239, true);
	assert_diary("level339:77>5 ");
	line(239, false);
	assert_int_equal(lw_ioapic_line(rig.io, 240, 0, true), -EINVAL);
	assert_int_equal(eoi(5, 0x77), LW_EOI_NECESSARY);
}

/* The rig asserts that each delivery finds its map clear. */
static void the_indices_leave_the_maps_alone(void **state)
{
	(void)state;
	for (uint32_t pins = 24; pins <= 240; pins += 7) {
		struct lw_ioapic_config config = rig_config(0);

		free(rig.io);
		config.pins = pins;
		rig_open(&config);
		for (uint32_t pin = 0; pin < pins; pin++)
			program(pin, rte_of(pin % VCPUS, 0x31, LEVEL));
		for (uint32_t pin = 0; pin < pins; pin++)
			line(pin, true);
		assert_int_equal(rig.open[0x31], pins);
	}
}

static void test_cve_2014_0155_reserved_delivery_mode(void **state)
{
	(void)state;
	for (uint64_t mode = 0; mode < 8; mode++) {
		bool ends_by_eoi = mode == LW_DM_FIXED || mode == LW_DM_LOWEST;
		bool reserved = mode == LW_DM_RESERVED || mode == LW_DM_SIPI;

		program(4, rte_of(1, 0x31, LEVEL) | mode << LW_RTE_DM_SHIFT);
		line(4, true);
		assert_diary(ends_by_eoi ? "level104:31>1 " : reserved ? "" : "edge104:31>1 ");
		assert_int_equal(remote_irr(4), ends_by_eoi);
		line(4, false);
		forget_diary();
		assert_int_equal(eoi(1, 0x31), ends_by_eoi ? LW_EOI_NECESSARY : LW_EOI_SUPERFLUOUS);
	}
}

/* ---- the window's widths and offsets ---- */

static void narrow_writes_reach_the_index_only(void **state)
{
	uint8_t index = 0x11;
	uint64_t wide = 0xffffffff07000000ull;
	uint32_t value = 0x09000000;

	(void)state;
	lw_ioapic_mmio_write(rig.io, 0, &index, 1);
	lw_ioapic_mmio_write(rig.io, 0x10, &wide, 8);
	assert_int_equal(rte_at(0) >> 56, 7);
	for (size_t len = 1; len < 4; len++)
		lw_ioapic_mmio_write(rig.io, 0x10, &value, len);
	assert_int_equal(rte_at(0) >> 56, 7);
	lw_ioapic_mmio_write(rig.io, 0x10, &value, 4);
	assert_int_equal(rte_at(0) >> 56, 9);
}

static void reads_of_any_width_are_filled_with_zeros(void **state)
{
	(void)state;
	window_write(0x11, 0xab000000);
	for (size_t len = 1; len <= 8; len++) {
		unsigned char data[9], expected[9] = {0, 0, 0, 0xab};

		memset(data, 0x55, sizeof(data));
		memset(expected + len, 0x55, sizeof(data) - len);
		lw_ioapic_mmio_read(rig.io, 0x10, data, len);
		assert_memory_equal(data, expected, sizeof(data));
	}
}

static void no_width_and_too_wide_do_nothing(void **state)
{
	unsigned char data[16], before[16];
	uint64_t rte = rte_at(0);

	(void)state;
	memset(data, 0x10, sizeof(data));
	memset(before, 0x10, sizeof(before));
	lw_ioapic_mmio_read(rig.io, 0, data, 0);
	lw_ioapic_mmio_read(rig.io, 0, data, 9);
	assert_memory_equal(data, before, sizeof(data));
	window_read(0x10);
	lw_ioapic_mmio_write(rig.io, 0x10, data, 9);
	lw_ioapic_mmio_write(rig.io, 0x10, data, 0);
	assert_int_equal(rte_at(0), rte);
}

static uint32_t next(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	return *random >> 3;
}

/* Any offset, width and value; lines, EOIs and vCPU numbers that nobody has. */
static void any_access(struct lw_ioapic *io, uint32_t *random)
{
	uint32_t value[2] = {next(random), next(random)};
	uint64_t offset = next(random) % 3 ? (next(random) & 1) * 0x10 : next(random) % 0x50;
	size_t len = next(random) % 11;

	if (!(next(random) % 64))
		offset = (uint64_t)value[1] << 32 | value[0];
	switch (next(random) % 6) {
	case 0:
		lw_ioapic_mmio_read(io, offset, value, len > 8 ? 8 : len);
		break;
	case 1:
	case 2:
		lw_ioapic_mmio_write(io, offset, value, len > 8 ? 8 : len);
		break;
	case 3:
		lw_ioapic_line(io, value[0] % (PINS + 2), value[1] % 40, value[0] >> 20 & 1);
		break;
	case 4:
		lw_ioapic_eoi(io, value[0] % (VCPUS + 9), (uint8_t)value[1]);
		break;
	default:
		lw_ioapic_write(io, value[0] % 0x50, value[1]);
	}
}

static void any_access_is_survived(void **state)
{
	uint32_t random = 3;

	(void)state;
	for (int n = 0; n < 200000; n++) {
		rig.refuse = next(&random) % 8 == 0;
		rig.several = next(&random) % 4 ? 0 : next(&random) % VCPUS;
		rig.any = next(&random) % 16 == 0;
		any_access(rig.io, &random);
		if (next(&random) % 512 == 0)
			lw_ioapic_reset(rig.io);
		if (next(&random) % 64 == 0)
			lw_ioapic_forget(rig.io, next(&random) % (VCPUS + 9));
		forget_diary();
	}
	rig.refuse = rig.any = false;
	rig.several = 0;
	lw_ioapic_reset(rig.io);
	for (int v = 0; v < 256; v++)
		assert_int_equal(rig.open[v], 0);
	for (uint32_t source = 0; source < 32; source++)
		lw_ioapic_line(rig.io, 3, source, false);
	program(3, rte_of(1, 0x31, LEVEL));
	line(3, true);
	assert_diary("level103:31>1 ");
}

/* ---- pins and sources that are not there ---- */

static void calls_for_what_is_not_there_are_refused(void **state)
{
	uint64_t rte;

	(void)state;
	assert_int_equal(lw_ioapic_line(rig.io, PINS, 0, true), -EINVAL);
	assert_int_equal(lw_ioapic_line(rig.io, 0, 32, true), -EINVAL);
	assert_int_equal(lw_ioapic_line(rig.io, UINT32_MAX, UINT32_MAX, true), -EINVAL);
	assert_int_equal(lw_ioapic_rte(rig.io, PINS, &rte), -EINVAL);
	assert_int_equal(lw_ioapic_rte(rig.io, 0, NULL), -EINVAL);
	assert_int_equal(lw_ioapic_notify(rig.io, PINS, true), -EINVAL);
	assert_int_equal(lw_ioapic_resume(rig.io, PINS), -EINVAL);
	assert_int_equal(lw_ioapic_resume(rig.io, 0), 0);
	assert_diary("");
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define CASE_BY(name, by) cmocka_unit_test_setup_teardown(name, by, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_configuration_out_of_range_is_refused),
		CASE(missing_ops_and_misaligned_storage_are_refused),
		CASE(size_of_24_pins_is_two_kibibytes_maps_apart),
		CASE(at_reset_every_pin_is_masked_and_every_line_low),
		CASE(one_op_is_enough),
		CASE(id_version_and_arbitration),
		CASE(each_half_of_each_rte_is_its_own),
		CASE(reserved_and_read_only_rte_bits_are_not_kept),
		CASE_BY(ext_dest_keeps_fifteen_bits, setup_ext),
		CASE(test_cve_2013_1798_index_past_the_table),
		CASE(all_of_240_pins_can_be_reached),
		CASE(the_indices_leave_the_maps_alone),
		CASE(test_cve_2014_0155_reserved_delivery_mode),
		CASE(narrow_writes_reach_the_index_only),
		CASE(reads_of_any_width_are_filled_with_zeros),
		CASE(no_width_and_too_wide_do_nothing),
		CASE(any_access_is_survived),
		CASE_BY(any_access_is_survived, setup_ext),
		CASE_BY(any_access_is_survived, setup_electrical),
		CASE(calls_for_what_is_not_there_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
