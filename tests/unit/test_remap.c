/* SPDX-License-Identifier: MIT */
/* The remappable format: an IOMMU that says what RTEs and MSIs mean. */
#include "chip_rig.h"
#include "model/invariants.h"

#define FORMAT  (1u << 16) /* bit 48, in the high half of an RTE */
#define ENTRIES 0x20000u

/* The VMM's table. An entry that is not there is blocked. */
static struct {
	struct lw_msg msg[8];
	uint32_t index[8], count;
	uint32_t asked;
	struct lw_remap last;
} iommu;

static int remap(void *ctx, const struct lw_remap *entry, struct lw_msg *msg)
{
	assert_ptr_equal(ctx, &rig);
	assert_true(entry->index < ENTRIES);
	assert_int_equal(rig.locked, entry->gsi >= 0);
	iommu.asked++;
	iommu.last = *entry;
	for (uint32_t n = 0; n < iommu.count; n++)
		if (iommu.index[n] == entry->index) {
			*msg = iommu.msg[n];
			return 0;
		}
	return -EPERM;
}

static void maps(uint32_t index, struct lw_msg msg)
{
	for (uint32_t n = 0; n < iommu.count; n++)
		if (iommu.index[n] == index) {
			iommu.msg[n] = msg;
			return;
		}
	iommu.index[iommu.count] = index;
	iommu.msg[iommu.count++] = msg;
}

static void block_all(void)
{
	iommu.count = 0;
}

static void to(uint32_t index, uint32_t vcpu, uint8_t vector)
{
	maps(index, (struct lw_msg){.dest = vcpu, .vector = vector});
}

static const struct lw_chip_ioapic *ioapics(uint32_t flags)
{
	static struct lw_chip_ioapic two[2];

	memcpy(two, rig_ioapics, sizeof(two));
	two[0].flags = two[1].flags = flags;
	return two;
}

static void open_with(uint32_t flags, bool op, enum lw_eoi_policy policy)
{
	static struct lw_chip_ops ops;
	struct lw_chip_config config = rig_config();

	memset(&iommu, 0, sizeof(iommu));
	ops = rig_ops;
	if (op)
		ops.remap = remap;
	config.ops = &ops;
	config.ioapic = ioapics(flags);
	rig_open(config, policy, 0);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_enter(rig.chip, n);
}

static int setup(void **state)
{
	(void)state;
	open_with(LW_IOAPIC_REMAPPABLE, true, LW_EOI_ARMED);
	return 0;
}

static void sound(void)
{
	struct broken why = {0};

	if (!lw_chip_holds(rig.chip, rig.eoi, 0, &why))
		fail_msg("%s (pin %u, vector %#x)", why.rule, why.pin, why.vector);
}

static void write_half(uint32_t gsi, bool high, uint32_t value)
{
	lw_ioapic_write(lw_chip_ioapic(rig.chip, gsi / PINS), 0x10 + 2 * (gsi % PINS) + high,
			value);
	sound();
}

static uint32_t read_half(uint32_t gsi, bool high)
{
	return lw_ioapic_read(lw_chip_ioapic(rig.chip, gsi / PINS), 0x10 + 2 * (gsi % PINS) + high);
}

/* As VT-d 5.1.5.1 lays a handle out. */
static void program_handle(uint32_t gsi, uint32_t handle, uint32_t low)
{
	write_half(gsi, true, (handle & 0x7fff) << 17 | FORMAT);
	write_half(gsi, false, low | (handle >> 15) << 11);
}

/* ---- RTEs ---- */

static void the_handle_is_taken_apart_and_the_answer_is_sent(void **state)
{
	(void)state;
	to(0x8005, 2, 0x55);
	program_handle(29, 0x8005, 0x44);
	assert_int_equal(iommu.last.index, 0x8005);
	assert_int_equal(iommu.last.gsi, 29);
	assert_int_equal(iommu.last.vector, 0x44);
	assert_false(iommu.last.level);
	line(29, true);
	assert_int_equal(take(2), 0x55);
	assert_false(lw_lapic_tmr(lapic(2), 0x55));
	program_handle(30, 0x7fff, 0x44 | LEVEL);
	assert_int_equal(iommu.last.index, 0x7fff);
	assert_true(iommu.last.level);
	program_handle(30, 0xffff, 0x44);
	assert_int_equal(iommu.last.index, 0xffff);
	assert_int_equal(read_half(30, true), 0xffff0000);
	assert_int_equal(read_half(30, false), 0x0844);
}

static void a_level_goes_round_by_the_vector_that_was_delivered(void **state)
{
	(void)state;
	to(3, 1, 0x61);
	program_handle(5, 3, 0x31 | LEVEL);
	line(5, true);
	sound();
	assert_true(remote_irr(5));
	assert_int_equal(take(1), 0x61);
	assert_true(lw_lapic_tmr(lapic(1), 0x61));
	line(5, false);
	assert_true(eoi(1));
	assert_int_equal(rig.last.found, LW_EOI_NECESSARY);
	assert_false(remote_irr(5));
	sound();
}

/* Not at each interrupt, and not by anybody else's write. */
static void the_answer_is_kept_until_it_is_asked_for_again(void **state)
{
	(void)state;
	to(3, 1, 0x61);
	program_handle(5, 3, 0x31 | LEVEL);
	program(6, 1, 0x41 | LEVEL);
	iommu.asked = 0;
	to(3, 2, 0x62);
	for (int n = 0; n < 3; n++) {
		line(5, true);
		assert_int_equal(take(1), 0x61);
		line(5, false);
		assert_true(eoi(1));
	}
	assert_int_equal(iommu.asked, 0);
	lw_chip_remapped(rig.chip);
	sound();
	assert_int_equal(iommu.asked, 1);
	line(5, true);
	assert_int_equal(take(1), -1);
	assert_int_equal(take(2), 0x62);
	line(5, false);
	assert_true(eoi(2));
	sound();
}

/* The affinity change of interrupt remapping: the RTE stays, the table's entry moves. */
static void what_is_in_flight_ends_where_it_went(void **state)
{
	(void)state;
	to(3, 1, 0x61);
	program_handle(5, 3, 0x31 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x61);
	to(3, 2, 0x62);
	lw_chip_remapped(rig.chip);
	sound();
	assert_true(remote_irr(5));
	assert_int_equal(take(2), -1);
	assert_true(eoi(1)); /* still up: delivered anew, as the table has it now */
	assert_int_equal(take(2), 0x62);
	line(5, false);
	assert_true(eoi(2));
	assert_false(remote_irr(5));
	assert_int_equal(msi(1, 0x61), 1);
	assert_int_equal(take(1), 0x61);
	assert_false(eoi(1)); /* and nothing is stale */
	sound();
}

static void a_blocked_level_waits_and_goes_when_it_may(void **state)
{
	(void)state;
	program_handle(5, 3, 0x31 | LEVEL);
	line(5, true);
	sound();
	assert_false(remote_irr(5));
	assert_true(read_half(5, false) & LW_RTE_PENDING);
	for (uint32_t n = 0; n < VCPUS; n++)
		assert_int_equal(take(n), -1);
	lw_chip_remapped(rig.chip); /* still blocked */
	sound();
	assert_true(read_half(5, false) & LW_RTE_PENDING);
	to(3, 2, 0x62);
	lw_chip_remapped(rig.chip);
	sound();
	assert_int_equal(take(2), 0x62);
	block_all(); /* while it is in flight */
	lw_chip_remapped(rig.chip);
	sound();
	assert_true(remote_irr(5));
	assert_true(eoi(2));
	assert_false(remote_irr(5));
	assert_true(read_half(5, false) & LW_RTE_PENDING);
	line(5, false);
	assert_false(read_half(5, false) & LW_RTE_PENDING);
	sound();
}

static void a_blocked_edge_is_gone(void **state)
{
	(void)state;
	program_handle(5, 3, 0x31);
	line(5, true);
	assert_int_equal(lw_ioapic_counters(lw_chip_ioapic(rig.chip, 0)).refused, 1);
	to(3, 2, 0x62);
	lw_chip_remapped(rig.chip);
	assert_int_equal(take(2), -1);
	line(5, false);
	line(5, true);
	assert_int_equal(take(2), 0x62);
}

/* The pin's trigger mode is the RTE's; what does not end by an EOI is an edge all the same. */
static void the_rte_says_whether_it_is_a_level(void **state)
{
	(void)state;
	maps(3, (struct lw_msg){.dest = 1, .vector = 0x61, .level = true});
	maps(4, (struct lw_msg){.dest = 2, .delivery = LW_DM_NMI, .level = true});
	maps(7, (struct lw_msg){.dest = 0xff, .delivery = LW_DM_LOWEST, .vector = 0x71});
	program_handle(5, 3, 0x31);
	line(5, true);
	assert_int_equal(take(1), 0x61);
	assert_false(lw_lapic_tmr(lapic(1), 0x61));
	assert_false(remote_irr(5));
	program_handle(6, 4, 0x31 | LEVEL);
	line(6, true);
	assert_diary("signal2:4:00 ");
	assert_false(remote_irr(6));
	program_handle(7, 7, 0x31 | LEVEL);
	line(7, true);
	assert_true(remote_irr(7));
	sound();
}

/* A translation that turns a level into an NMI ends its record, as a flip of the RTE does. */
static void an_answer_that_is_no_level_any_more_ends_the_record(void **state)
{
	(void)state;
	to(3, 1, 0x61);
	program_handle(5, 3, 0x31 | LEVEL);
	line(5, true);
	assert_true(remote_irr(5));
	maps(3, (struct lw_msg){.dest = 2, .delivery = LW_DM_NMI});
	lw_chip_remapped(rig.chip);
	assert_false(remote_irr(5));
	sound();
}

/* Either half may be written first, and the format is in the high one. */
static void from_one_format_to_the_other_and_back(void **state)
{
	(void)state;
	to(3, 1, 0x61);
	to(0x8003, 3, 0x63);
	program(5, 2, 0x52 | LEVEL);
	write_half(5, true, 3 << 17 | FORMAT);
	line(5, true);
	assert_int_equal(take(1), 0x61);
	write_half(5, false, 0x0800 | 0x31 | LEVEL);
	assert_int_equal(take(3), -1); /* in flight to vCPU 1 */
	write_half(5, true, 2u << 24);
	write_half(5, false, 0x52 | LEVEL);
	assert_true(eoi(1));
	assert_int_equal(take(2), 0x52);
	line(5, false);
	assert_true(eoi(2));
	/* The compatible one keeps no bit of a handle, and a lowest-priority mode survives. */
	write_half(5, true, 0xfffe0000);
	assert_int_equal(read_half(5, true), 0xff000000);
	write_half(5, true, 3 << 17 | FORMAT);
	write_half(5, false, 0x152 | LEVEL);
	write_half(5, true, 0xff000000);
	assert_int_equal(read_half(5, false), 0x152 | LEVEL);
	iommu.asked = 0;
	lw_chip_remapped(rig.chip);
	assert_int_equal(iommu.asked, 0);
}

static void without_the_flag_bit_48_is_not_there(void **state)
{
	(void)state;
	rig_close(NULL);
	open_with(0, true, LW_EOI_ARMED);
	program_handle(5, 0x203, 0x31);
	assert_int_equal(read_half(5, true), 0x04000000);
	assert_int_equal(iommu.asked, 0);
	lw_chip_remapped(rig.chip);
	assert_int_equal(iommu.asked, 0);
}

static void without_an_op_all_is_blocked(void **state)
{
	(void)state;
	rig_close(NULL);
	open_with(LW_IOAPIC_REMAPPABLE, false, LW_EOI_LAZY);
	program_handle(5, 0, 0x31 | LEVEL);
	line(5, true);
	assert_true(read_half(5, false) & LW_RTE_PENDING);
	lw_chip_remapped(rig.chip);
	assert_int_equal(take(0), -1);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee00010, 0), -EINVAL);
	sound();
}

static void reach_nobody(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			 struct lw_takers *takers)
{
	(void)gsi;
	*(struct lw_msg *)ctx = *msg;
	takers->count = 0;
}

/* An I/O APIC alone: what is blocked is a message that no LAPIC takes for its own. */
static void alone_and_without_an_op(void **state)
{
	static const struct lw_ioapic_ops ops = {.deliver = reach_nobody};
	static _Alignas(LW_IOAPIC_ALIGN) unsigned char storage[8192];
	struct lw_msg seen = {0};
	struct lw_ioapic_config config = {.ops = &ops,
					  .ctx = &seen,
					  .pins = PINS,
					  .nvcpus = 1,
					  .flags = LW_IOAPIC_REMAPPABLE,
					  .version = 0x20};
	struct lw_ioapic *io = (void *)storage;

	(void)state;
	assert_true(lw_ioapic_size(&config) <= sizeof(storage));
	assert_int_equal(lw_ioapic_init(io, &config), 0);
	lw_ioapic_write(io, 0x11, FORMAT);
	lw_ioapic_write(io, 0x10, 0x31 | LEVEL);
	assert_int_equal(lw_ioapic_line(io, 0, 0, true), 0);
	assert_true(seen.logical && !seen.dest && seen.level);
	assert_int_equal(seen.vector, 0x31);
	for (uint32_t n = 0; n < VCPUS; n++) {
		assert_false(lw_lapic_matches(lapic(n), &seen));
		lw_lapic_write(lapic(n), LW_LAPIC_DFR, 0);
		assert_false(lw_lapic_matches(lapic(n), &seen));
		assert_int_equal(lw_lapic_set_base(lapic(n), 0xfee00c00), 0);
		assert_false(lw_lapic_matches(lapic(n), &seen));
	}
	memset(&seen, 0, sizeof(seen));
	lw_ioapic_remapped(io);
	assert_int_equal(seen.vector, 0x31); /* tried again */
}

static void a_dump_shows_the_answer(void **state)
{
	static char text[8192];

	(void)state;
	to(3, 2, 0x62);
	program_handle(5, 3, 0x31 | LEVEL);
	assert_true(lw_ioapic_dump(lw_chip_ioapic(rig.chip, 0), text, sizeof(text)) < sizeof(text));
	assert_non_null(strstr(text, "line idle, remapped to id 0x2 vector 62\n"));
	block_all();
	lw_chip_remapped(rig.chip);
	assert_true(lw_ioapic_dump(lw_chip_ioapic(rig.chip, 0), text, sizeof(text)) < sizeof(text));
	assert_non_null(strstr(text, "line idle, remapped to logical 0x0 vector 31\n"));
}

/* What the IOMMU says by then is for lw_chip_remapped(). */
static void a_snapshot_keeps_the_answer(void **state)
{
	static unsigned char bytes[65536];
	size_t size;

	(void)state;
	to(3, 1, 0x61);
	program_handle(5, 3, 0x31 | LEVEL);
	program_handle(6, 4, 0x41 | LEVEL); /* blocked */
	line(5, true);
	line(6, true);
	size = lw_chip_save(rig.chip, bytes, sizeof(bytes));
	assert_in_range(size, 1, sizeof(bytes));
	lw_ioapic_reset(lw_chip_ioapic(rig.chip, 0));
	to(3, 2, 0x62);
	iommu.asked = 0;
	assert_int_equal(lw_chip_restore(rig.chip, bytes, size), 0);
	sound();
	assert_int_equal(iommu.asked, 0);
	assert_int_equal(take(1), 0x61);
	assert_true(read_half(6, false) & LW_RTE_PENDING);
	assert_true(eoi(1));
	assert_int_equal(take(1), 0x61); /* still by the old answer */
	lw_chip_remapped(rig.chip);
	line(5, false);
	assert_true(eoi(1));
	line(5, true);
	assert_int_equal(take(2), 0x62);
	sound();
}

static void an_answer_out_of_range_is_blocked(void **state)
{
	(void)state;
	maps(3, (struct lw_msg){.dest = 1, .delivery = 8, .vector = 0x61});
	program_handle(5, 3, 0x31 | LEVEL);
	line(5, true);
	assert_true(read_half(5, false) & LW_RTE_PENDING);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee00070, 0), 0); /* to nobody */
}

/* ---- MSIs ---- */

static void an_msi_is_asked_about_each_time(void **state)
{
	(void)state;
	to(0x8123, 2, 0x62);
	to(0x8123 + 0x1234, 3, 0x63);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee00014 | 0x123 << 5, 0x1234), 1);
	assert_int_equal(iommu.last.index, 0x8123);
	assert_int_equal(iommu.last.gsi, -1);
	assert_int_equal(take(2), 0x62);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee0001c | 0x123 << 5, 0x1234), 1);
	assert_int_equal(take(3), 0x63);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee00010, 0), -EPERM);
	assert_int_equal(lw_chip_msi(rig.chip, 0xfee0001c | 0x7fff << 5, 0xffff), -EPERM);
	assert_int_equal(iommu.last.index, 0x1fffe); /* the most there is */
	assert_int_equal(lw_chip_msi(rig.chip, 0x1fee00010, 0), -EINVAL);
	iommu.asked = 0;
	assert_int_equal(msi(1, 0x41), 1);
	assert_int_equal(iommu.asked, 0);
}

static void an_msi_route_is_remapped_as_well(void **state)
{
	const struct lw_route route = {.gsi = 9, .type = LW_ROUTE_MSI, .address = 0xfee00070};

	(void)state;
	to(3, 2, 0x62);
	assert_int_equal(lw_routes_replace(lw_chip_routes(rig.chip), 9, &route, 1), 0);
	line(9, true);
	assert_int_equal(take(2), 0x62);
	block_all();
	assert_int_equal(lw_chip_line(rig.chip, 9, 0, true), -EPERM);
}

static void only_the_remappable_format_is_taken_apart(void **state)
{
	struct lw_remap entry = {.index = 77};

	(void)state;
	assert_int_equal(lw_msi_remap(0xfee00000, 0, &entry), -EINVAL);
	assert_int_equal(lw_msi_remap(0xfed00010, 0, &entry), -EINVAL);
	assert_int_equal(lw_msi_remap(0x1fee00010, 0, &entry), -EINVAL);
	assert_int_equal(lw_msi_remap(0xfee00010, 0, NULL), -EINVAL);
	assert_int_equal(entry.index, 77);
	assert_int_equal(lw_msi_remap(0xfeefffe0 | 0x10, 0xffffffff, &entry), 0);
	assert_int_equal(entry.index, 0x7fff);
	assert_int_equal(lw_msi_remap(0xfee00018, 0xffff0001, &entry), 0);
	assert_int_equal(entry.index, 1);
	assert_false(entry.level);
}

/* ---- at random ---- */

static uint32_t seed = 1;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_entry(void)
{
	maps(below(4), (struct lw_msg){.dest = below(VCPUS + 1),
				       .vector = (uint8_t)(0x30 + below(4) * 16),
				       .delivery = below(8) ? LW_DM_FIXED : LW_DM_LOWEST});
}

static void random_step(uint32_t gsi)
{
	switch (below(7)) {
	case 0:
		write_half(gsi, true, below(4) ? below(6) << 17 | FORMAT : below(VCPUS) << 24);
		break;
	case 1:
		write_half(gsi, false,
			   (0x30 + below(4) * 16) | (below(8) ? (uint32_t)LEVEL : 0) |
				   (below(8) ? 0 : (uint32_t)MASKED));
		break;
	case 2:
		random_entry();
		if (below(16) == 0)
			block_all();
		lw_chip_remapped(rig.chip);
		break;
	case 3:
	case 4:
		line(gsi, below(2));
		break;
	default:
		if (take(below(VCPUS)) < 0)
			lw_lapic_eoi(lapic(below(VCPUS)));
	}
}

/* Index, pair counts and records hold after every step. */
static void the_invariants_hold_whatever_comes(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < (lw_test_quick() ? 3000 : 60000); n++) {
		random_step(below(6));
		sound();
	}
	assert_true(lw_chip_counters(rig.chip).necessary > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_handle_is_taken_apart_and_the_answer_is_sent),
		CASE(a_level_goes_round_by_the_vector_that_was_delivered),
		CASE(the_answer_is_kept_until_it_is_asked_for_again),
		CASE(what_is_in_flight_ends_where_it_went),
		CASE(a_blocked_level_waits_and_goes_when_it_may),
		CASE(a_blocked_edge_is_gone),
		CASE(the_rte_says_whether_it_is_a_level),
		CASE(an_answer_that_is_no_level_any_more_ends_the_record),
		CASE(from_one_format_to_the_other_and_back),
		CASE(without_the_flag_bit_48_is_not_there),
		CASE(without_an_op_all_is_blocked),
		CASE(alone_and_without_an_op),
		CASE(a_dump_shows_the_answer),
		CASE(a_snapshot_keeps_the_answer),
		CASE(an_answer_out_of_range_is_blocked),
		CASE(an_msi_is_asked_about_each_time),
		CASE(an_msi_route_is_remapped_as_well),
		CASE(only_the_remappable_format_is_taken_apart),
		CASE(the_invariants_hold_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
