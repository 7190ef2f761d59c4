/* SPDX-License-Identifier: MIT */
/* Counters of the whole, and what debuggers read. */
#include "chip_rig.h"

#define SPACE 65536u

static char text[SPACE];

static bool says(const char *words)
{
	if (!strstr(text, words))
		print_message("# not in this:\n%s", text);
	return strstr(text, words) != NULL;
}

static const char *dump_lapic(uint32_t vcpu)
{
	size_t length = lw_lapic_dump(lapic(vcpu), text, SPACE);

	assert_true(length < SPACE);
	assert_int_equal(length, strlen(text));
	return text;
}

static const char *dump_ioapic(uint32_t n)
{
	assert_true(lw_ioapic_dump(lw_chip_ioapic(rig.chip, n), text, SPACE) < SPACE);
	return text;
}

static const char *dump_chip(void)
{
	assert_true(lw_chip_dump(rig.chip, text, SPACE) < SPACE);
	return text;
}

/* ---- counters ---- */

static struct lw_chip_counters counters(void)
{
	return lw_chip_counters(rig.chip);
}

static void deliveries_are_accepted_or_coalesce(void **state)
{
	(void)state;
	for (int n = 0; n < 3; n++)
		assert_int_equal(msi(1, 0x41), 1); /* in the request map */
	assert_int_equal(counters().deliveries, 3);
	assert_int_equal(counters().coalesced, 2);
	lw_lapic_sync(lapic(1));
	assert_int_equal(msi(1, 0x41), 1); /* with IRR */
	assert_int_equal(counters().coalesced, 3);
	assert_int_equal(take(1), 0x41);
	assert_int_equal(msi(1, 0x41), 1); /* anew */
	assert_int_equal(counters().coalesced, 3);
	assert_int_equal(counters().accepted, 1);
	eoi(1);
	assert_int_equal(take(1), 0x41);
	eoi(1);
	assert_int_equal(counters().eois, 2);
	assert_int_equal(counters().notices, 3);
	assert_int_equal(msi(VCPUS, 0x41), 0);
	assert_int_equal(counters().deliveries, 5);
}

static void own_interrupts_and_dropped_ones_are_counted(void **state)
{
	(void)state;
	lw_lapic_self_ipi(lapic(0), 0x51);
	lw_lapic_self_ipi(lapic(0), 0x51);
	assert_int_equal(counters().own, 2);
	assert_int_equal(counters().coalesced, 1);
	assert_int_equal(counters().ipis, 2);
	assert_int_equal(msi(0, 0x52), 1);
	assert_int_equal(lw_lapic_counters(lapic(0)).waiting, 2);
	lw_chip_init_vcpu(rig.chip, 0);
	assert_int_equal(lw_lapic_counters(lapic(0)).waiting, 0);
	assert_int_equal(counters().dropped, 2);
	assert_int_equal(counters().coalesced, 1);
	assert_int_equal(counters().accepted, 0);
}

static void eois_are_counted_by_class(void **state)
{
	(void)state;
	program(5, 0xff, 0x31 | LEVEL);
	line(5, true);
	for (uint32_t n = 0; n < 2; n++)
		assert_int_equal(take(n), 0x31);
	line(5, false);
	assert_true(eoi(0));
	assert_true(eoi(1));
	assert_int_equal(counters().necessary, 1);
	assert_int_equal(counters().redundant, 1);
	assert_int_equal(counters().superfluous, 0);
	lw_chip_eoi_exit(rig.chip, 3, 0x77);
	assert_int_equal(counters().superfluous, 1);
	assert_int_equal(counters().eois, 2);
	assert_int_equal(counters().deliveries, 4);
}

static void signals_and_kicks_are_counted(void **state)
{
	struct lw_msg nmi = {.dest = 0xff, .delivery = LW_DM_NMI};

	(void)state;
	assert_int_equal(lw_chip_send(rig.chip, &nmi), VCPUS);
	assert_int_equal(counters().signals, VCPUS);
	rig_close(NULL);
	rig_open(rig_config(), LW_EOI_ARMED, LW_EOI_HARDWARE);
	program(5, 2, 0x31 | LEVEL);
	lw_chip_enter(rig.chip, 2);
	program(5, 1, 0x32 | LEVEL);
	lw_chip_enter(rig.chip, 1);
	program(5, 2, 0x33 | LEVEL); /* not loaded there: a delivery must kick */
	line(5, true);
	assert_int_equal(rig.kicks[2], 1);
	assert_int_equal(counters().kicks, 1);
	assert_int_equal(counters().deliveries, 0); /* the owner has yet to publish it */
	lw_chip_exit(rig.chip, 2);
	assert_int_equal(counters().deliveries, 1);
}

static void edges_on_masked_pins_are_lost_and_counted(void **state)
{
	(void)state;
	program(6, 1, 0x41 | MASKED);
	line(6, true);
	line(6, false);
	program(6, 1, 0x41);
	line(6, true);
	assert_int_equal(lw_ioapic_counters(lw_chip_ioapic(rig.chip, 0)).lost, 1);
	assert_int_equal(lw_ioapic_counters(lw_chip_ioapic(rig.chip, 0)).edges, 1);
}

/* ---- text ---- */

static void a_lapic_is_shown_unmerged(void **state)
{
	(void)state;
	assert_int_equal(msi(3, 0x41), 1);
	assert_int_equal(take(3), 0x41);
	lw_lapic_self_ipi(lapic(3), 0x52);
	program(5, 3, 0x31 | LEVEL);
	line(5, true);
	dump_lapic(3);
	assert_true(says("lapic 3: id 0x3, xAPIC mode, enabled\n"));
	assert_true(says("\n  isr 41\n  irr 52\n  posted 31L\n"));
	assert_true(says(" lint0 0x10000 "));
	assert_true(says("base 0xfee00800 svr 0x1ff tpr 0x00 ppr 0x40"));
	dump_lapic(3);
	assert_true(says("posted 31L\n")); /* still */
	lw_lapic_sync(lapic(3));
	dump_lapic(3);
	assert_true(says("\n  irr 31L 52\n  posted\n"));
	assert_int_equal(lw_lapic_set_base(lapic(3), 0xfee00000), 0);
	dump_lapic(3);
	assert_true(says("lapic 3: id 0x3, off, software-disabled\n"));
	assert_int_equal(lw_lapic_set_base(lapic(3), 0xfee00800), 0);
	assert_int_equal(lw_lapic_set_base(lapic(3), 0xfee00c00), 0);
	dump_lapic(3);
	assert_true(says(", x2APIC mode, "));
}

static void an_ioapic_shows_what_is_in_flight(void **state)
{
	(void)state;
	program(25, 3, 0x31 | LEVEL);
	program(26, 0xff, 0x32 | LEVEL);
	program(27, 77, 0x33 | LEVEL);
	line(25, true);
	line(26, true);
	line(27, true);
	dump_ioapic(1);
	assert_true(says("ioapic: gsis 24 to 47, id 1, version 0x20"));
	assert_true(says("  pin 1 gsi 25 rte 0x0300000000008031: level, line asserted by 0x1, in "
			 "flight 31 to vcpu 3\n"));
	assert_true(says("in flight 32 to vcpus 0 1 2 3\n"));
	assert_true(says("rte 0x4d00000000008033: level, line asserted by 0x1, refused\n"));
	assert_null(strstr(text, "pin 0 "));
	assert_true(says("deliveries 2 edges 0 lost 0 refused 1 "));
	assert_int_equal(take(2), 0x32);
	line(26, false);
	eoi(2);
	dump_ioapic(1);
	assert_true(says("idle, redundant EOIs to come of 32 to vcpus 0 1 3\n"));
}

/* A dump must not ask after it: the record would be settled. */
static void what_was_let_go_is_shown_so(void **state)
{
	struct lw_ioapic *io;

	(void)state;
	rig_close(NULL);
	rig_open(rig_config(), LW_EOI_LAZY, 0);
	io = lw_chip_ioapic(rig.chip, 0);
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	assert_int_equal(take(1), 0x31);
	line(5, false);
	assert_false(eoi(1));
	dump_ioapic(0);
	assert_true(says("in flight 31 to vcpu 1, let go, was let go\n"));
	dump_chip();
	assert_true(says("let go"));
	assert_int_equal(lw_ioapic_counters(io).recalls, 0);
	rig.owned[1] = true;
	assert_false(remote_irr(5));
	dump_ioapic(0);
	assert_null(strstr(text, "let go"));
}

static void anybody_may_have_taken_it(void *ctx, uint32_t gsi, const struct lw_msg *msg,
				      struct lw_takers *takers)
{
	(void)ctx;
	(void)gsi;
	(void)msg;
	takers->any = true;
}

static void an_unknown_taker_is_anybody(void **state)
{
	static const struct lw_ioapic_ops ops = {.deliver = anybody_may_have_taken_it};
	static _Alignas(LW_IOAPIC_ALIGN) unsigned char storage[8192];
	struct lw_ioapic_config config = {.ops = &ops, .pins = PINS, .nvcpus = 1, .version = 0x11};
	struct lw_ioapic *io = (void *)storage;

	(void)state;
	assert_true(lw_ioapic_size(&config) <= sizeof(storage));
	assert_int_equal(lw_ioapic_init(io, &config), 0);
	lw_ioapic_write(io, 0x10, 0x8031);
	assert_int_equal(lw_ioapic_line(io, 0, 0, true), 0);
	assert_true(lw_ioapic_dump(io, text, SPACE) < SPACE);
	assert_true(says("in flight 31 to anybody\n"));
}

static void routes_are_shown_by_gsi(void **state)
{
	const struct lw_route set[] = {
		{.gsi = 9, .type = LW_ROUTE_IOAPIC, .chip = 1, .pin = 5},
		{.gsi = 9, .type = LW_ROUTE_MSI, .address = 0xfee01000, .data = 0x41},
		{.gsi = 63, .type = LW_ROUTE_PIC, .chip = 1, .pin = 1},
		{.gsi = 62, .type = LW_ROUTE_PIC, .chip = 0, .pin = 7},
	};

	(void)state;
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), set, 4), 0);
	assert_true(lw_routes_dump(lw_chip_routes(rig.chip), text, SPACE) < SPACE);
	assert_string_equal(text, "routes:\n"
				  "  gsi 9: ioapic 1 pin 5, msi 0xfee01000 0x41\n"
				  "  gsi 62: pic master pin 7\n"
				  "  gsi 63: pic slave pin 1\n");
}

static void open_with_pic(void)
{
	struct lw_chip_config config = rig_config();

	rig_close(NULL);
	config.pic = true;
	rig_open(config, LW_EOI_ARMED, 0);
}

/* The guest's next read is still a poll after it. */
static void the_8259s_are_shown_and_not_polled(void **state)
{
	struct lw_pic *pic;

	(void)state;
	open_with_pic();
	pic = lw_chip_pic(rig.chip);
	lw_pic_write(pic, 0x20, 0x11, 1);
	assert_true(lw_pic_dump(pic, text, SPACE) < SPACE);
	assert_true(says("waits for ICW2, icw1 11 "));
	lw_pic_write(pic, 0x21, 0x30, 1);
	lw_pic_write(pic, 0x21, 0x04, 1);
	lw_pic_write(pic, 0x21, 0x01, 1);
	lw_pic_write(pic, 0x4d0, 0x20, 1);
	lw_pic_write(pic, 0x20, 0x80, 1); /* rotate in automatic EOI mode */
	lw_pic_write(pic, 0x20, 0x6f, 1); /* special mask, a poll, ISR to be read */
	assert_int_equal(lw_pic_line(pic, 3, 0, true), 0);
	assert_int_equal(lw_pic_line(pic, 5, 7, true), 0);
	assert_true(lw_pic_dump(pic, text, SPACE) < SPACE);
	assert_true(
		says("pic master: irr 28 isr 00 imr 00 elcr 20, lines 28\n"
		     "  ready, icw1 11 icw2 30 icw3 04 icw4 01, IR7 lowest, special mask, rotates "
		     "at automatic EOI, poll asked for, reads ISR\n"
		     "pic slave: irr 00 isr 00 imr 00 elcr 00, lines 00\n"
		     "  ready, "));
	assert_true(says("  INT high, pin 3 by 0x1, pin 5 by 0x80\n"
			 "  acknowledged 0 polled 0 spurious 0 ended 0 coalesced 0\n"));
	assert_int_equal(lw_pic_read(pic, 0x20, 1), 0x83);
	dump_chip();
	assert_true(says("poll"));
	assert_true(says("pic master: irr 20 isr 08 "));
}

static void the_chip_shows_all_its_parts(void **state)
{
	(void)state;
	program(5, 1, 0x31 | LEVEL);
	line(5, true);
	dump_chip();
	assert_true(says("chip: 4 vcpus, 2 ioapics\n  deliveries 1 own 0 accepted 0 coalesced 0"));
	assert_true(says("lapic 0: "));
	assert_true(says("lapic 3: "));
	assert_true(says("  vector 31: level routes 1, in flight 1\nlapic 2: "));
	assert_true(says("ioapic: gsis 24 to 47"));
	assert_true(says("  gsi 47: ioapic 1 pin 23\n"));
}

/* snprintf's rule: the length is that of the whole, and what fits is terminated. */
static void what_does_not_fit_is_cut_off(void **state)
{
	size_t whole = lw_chip_dump(rig.chip, NULL, 0);
	char *copy;

	(void)state;
	assert_int_equal(lw_chip_dump(rig.chip, text, SPACE), whole);
	assert_int_equal(strlen(text), whole);
	for (size_t size = 1; size <= whole + 1; size += size < 40 ? 1 : 97) {
		copy = malloc(size); /* ASan sees what goes past it */
		assert_non_null(copy);
		memset(copy, 'x', size);
		assert_int_equal(lw_chip_dump(rig.chip, copy, size), whole);
		assert_int_equal(strlen(copy), size - 1 < whole ? size - 1 : whole);
		assert_memory_equal(copy, text, strlen(copy));
		free(copy);
	}
}

static void a_lapic_shows_by_what_it_is_addressed(void **state)
{
	(void)state;
	lw_lapic_write(lapic(1), LW_LAPIC_LDR, 0x04000000);
	dump_lapic(1);
	assert_true(says("ldr 0x04000000 dfr 0xffffffff"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_armed, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(deliveries_are_accepted_or_coalesce),
		CASE(own_interrupts_and_dropped_ones_are_counted),
		CASE(eois_are_counted_by_class),
		CASE(signals_and_kicks_are_counted),
		CASE(edges_on_masked_pins_are_lost_and_counted),
		CASE(a_lapic_is_shown_unmerged),
		CASE(an_ioapic_shows_what_is_in_flight),
		CASE(what_was_let_go_is_shown_so),
		CASE(an_unknown_taker_is_anybody),
		CASE(routes_are_shown_by_gsi),
		CASE(the_8259s_are_shown_and_not_polled),
		CASE(the_chip_shows_all_its_parts),
		CASE(what_does_not_fit_is_cut_off),
		CASE(a_lapic_shows_by_what_it_is_addressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
