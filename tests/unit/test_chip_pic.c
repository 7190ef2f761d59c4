/* SPDX-License-Identifier: MIT */
/* The 8259s in the controller: their routes, and INT as the virtual wire to every LINT0. */
#include "chip_rig.h"

#define EXTINT 0x700u
#define LMASK  0x10000u
#define LFIXED 0x8000u /* level-triggered */

/* What firmware does: vectors 0x30 and 0x38, every pin unmasked. */
static void set_up_pic(uint8_t icw4)
{
	struct lw_pic *pic = lw_chip_pic(rig.chip);

	for (uint16_t n = 0; n < 2; n++) {
		uint16_t port = n ? LW_PIC_PORT_SLAVE : LW_PIC_PORT_MASTER;

		lw_pic_write(pic, port, 0x11, 1);
		lw_pic_write(pic, (uint16_t)(port + 1), 0x30u + n * 8u, 1);
		lw_pic_write(pic, (uint16_t)(port + 1), n ? 2 : 4, 1);
		lw_pic_write(pic, (uint16_t)(port + 1), icw4, 1);
		lw_pic_write(pic, (uint16_t)(port + 1), 0, 1);
	}
}

static void note_pic_eoi(void *ctx, uint32_t pin)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	note("eoi%u ", pin);
}

static void open_with(uint32_t pic_flags, bool tell)
{
	static struct lw_chip_ops ops;
	struct lw_chip_config config = rig_config();

	ops = rig_ops;
	if (tell)
		ops.pic_eoi = note_pic_eoi;
	config.ops = &ops;
	config.pic = true;
	config.pic_flags = pic_flags;
	rig_open(config, LW_EOI_ARMED, 0);
	set_up_pic(0x01);
}

static int setup(void **state)
{
	(void)state;
	open_with(0, false);
	return 0;
}

static void lint0(uint32_t vcpu, uint32_t lvt)
{
	lw_lapic_write(lapic(vcpu), LW_LAPIC_LVT_LINT0, lvt);
}

static int pending(uint32_t vcpu)
{
	return lw_chip_pending(rig.chip, vcpu);
}

static int accept_next(uint32_t vcpu)
{
	return lw_chip_accept(rig.chip, vcpu);
}

/* The handler's non-specific EOI to both chips. */
static void pic_eoi(void)
{
	lw_pic_write(lw_chip_pic(rig.chip), LW_PIC_PORT_SLAVE, 0x20, 1);
	lw_pic_write(lw_chip_pic(rig.chip), LW_PIC_PORT_MASTER, 0x20, 1);
}

static void pulse(uint32_t gsi)
{
	line(gsi, true);
	line(gsi, false);
}

static void without_one_there_is_none(void **state)
{
	struct lw_chip_config config = rig_config();
	size_t without = lw_chip_size(&config);

	(void)state;
	config.pic = true;
	assert_true(lw_chip_size(&config) > without);
	assert_non_null(lw_chip_pic(rig.chip));
	rig_close(NULL);
	rig_armed(NULL);
	assert_null(lw_chip_pic(rig.chip));
	assert_int_equal(pending(0), -1);
	assert_int_equal(msi(0, 0x51), 1);
	assert_int_equal(pending(0), 0x51);
	assert_int_equal(accept_next(0), 0x51);
	assert_int_equal(accept_next(VCPUS), -1);
	assert_int_equal(pending(VCPUS), -1);
}

static void unknown_flags_are_refused(void **state)
{
	struct lw_chip_config config = rig_config();

	(void)state;
	config.pic = true;
	config.pic_flags = 2;
	config.eoi = rig.eoi;
	assert_int_equal(lw_chip_init(rig.chip, &config), -EINVAL);
}

/* As KVM's default table has it, but that nothing leads to the cascade. */
static void the_first_sixteen_gsis_lead_to_both(void **state)
{
	struct lw_route found[LW_ROUTES_PER_GSI];

	(void)state;
	for (uint32_t gsi = 0; gsi < 2 * PINS; gsi++) {
		size_t count = lw_routes_find(lw_chip_routes(rig.chip), gsi, found);

		assert_int_equal(count, gsi < 16 && gsi != 2 ? 2 : 1);
		assert_int_equal(found[count - 1].type, LW_ROUTE_IOAPIC);
		if (count == 1)
			continue;
		assert_int_equal(found[0].type, LW_ROUTE_PIC);
		assert_int_equal(found[0].chip * 8 + found[0].pin, gsi);
	}
}

static void a_line_reaches_both_and_each_ignores_what_the_guest_masked(void **state)
{
	(void)state;
	lint0(0, EXTINT);
	program(4, 1, 0x44 | LEVEL);
	line(4, true);
	assert_int_equal(take(1), 0x44);
	assert_int_equal(accept_next(0), 0x34);
	line(4, false);
	line(2, true); /* GSI 2: the I/O APIC's alone */
	assert_int_equal(pending(0), -1);
}

static void a_route_to_the_cascade_or_to_no_pic_is_an_error(void **state)
{
	const struct lw_route set[] = {
		{.gsi = 9, .type = LW_ROUTE_PIC, .chip = 0, .pin = 2},
		{.gsi = 9, .type = LW_ROUTE_MSI, .address = 0xfee01000, .data = 0x41},
		{.gsi = 10, .type = LW_ROUTE_PIC, .chip = 1, .pin = 7},
	};

	(void)state;
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), set, 3), 0);
	assert_int_equal(lw_chip_line(rig.chip, 9, 0, true), -EINVAL);
	assert_int_equal(take(1), 0x41); /* the other route is served */
	lint0(0, EXTINT);
	line(10, true);
	assert_int_equal(accept_next(0), 0x3f);
	rig_close(NULL);
	rig_armed(NULL);
	assert_int_equal(lw_routes_set(lw_chip_routes(rig.chip), set, 3), 0);
	assert_int_equal(lw_chip_line(rig.chip, 10, 0, true), -EINVAL);
	assert_int_equal(lw_chip_line(rig.chip, 10, 0, false), -EINVAL);
}

static void several_sources_hold_one_line(void **state)
{
	(void)state;
	lw_pic_write(lw_chip_pic(rig.chip), LW_PIC_PORT_ELCR, 0x20, 1);
	lint0(0, EXTINT);
	assert_int_equal(lw_chip_line(rig.chip, 5, 0, true), 0);
	assert_int_equal(lw_chip_line(rig.chip, 5, 7, true), 0);
	assert_int_equal(accept_next(0), 0x35);
	assert_int_equal(lw_chip_line(rig.chip, 5, 0, false), 0);
	pic_eoi();
	assert_int_equal(accept_next(0), 0x35);
	assert_int_equal(lw_chip_line(rig.chip, 5, 7, false), 0);
	pic_eoi();
	assert_int_equal(accept_next(0), -1);
}

/* ExtINT goes before whatever the LAPIC has, past TPR, and into no ISR. */
static void lint0_as_extint(void **state)
{
	(void)state;
	lint0(0, EXTINT);
	lw_lapic_write(lapic(0), LW_LAPIC_TPR, 0xff);
	assert_int_equal(msi(0, 0x91), 1);
	rig.notices = 0;
	pulse(4);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(pending(0), 0x34);
	assert_diary("signal0:7:00 ");
	assert_int_equal(pending(0), 0x34);
	assert_int_equal(accept_next(0), 0x34);
	assert_false(lw_lapic_isr(lapic(0), 0x34));
	assert_int_equal(accept_next(0), -1);
	lw_lapic_write(lapic(0), LW_LAPIC_TPR, 0);
	assert_int_equal(accept_next(0), 0x91);
	pulse(4); /* its own is in service, and locks it out */
	assert_int_equal(accept_next(0), -1);
	rig.notices = 0;
	pic_eoi();
	assert_int_equal(rig.notices, 1);
	assert_int_equal(accept_next(0), 0x34);
}

static void lint0_masked_hears_nothing_and_catches_up(void **state)
{
	(void)state;
	pulse(4);
	assert_int_equal(rig.notices, 0);
	assert_int_equal(pending(0), -1);
	lint0(0, EXTINT | LMASK);
	assert_false(lw_lapic_listens(lapic(0)));
	assert_int_equal(pending(0), -1);
	lint0(0, EXTINT);
	assert_true(lw_lapic_listens(lapic(0)));
	assert_int_equal(accept_next(0), 0x34);
	lw_lapic_write(lapic(0), LW_LAPIC_SVR, 0xff); /* masks every entry */
	assert_false(lw_lapic_listens(lapic(0)));
	pic_eoi();
	pulse(5);
	assert_int_equal(accept_next(0), -1);
}

/* Off, LINT0 is the INTR pin (SDM 11.4.3). */
static void a_lapic_that_is_off_listens(void **state)
{
	(void)state;
	assert_int_equal(lw_lapic_set_base(lapic(1), 0xfee00000u), 0);
	assert_true(lw_lapic_listens(lapic(1)));
	pulse(4);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(accept_next(0), -1);
	assert_int_equal(accept_next(1), 0x34);
	assert_int_equal(accept_next(1), -1);
	assert_int_equal(lw_lapic_set_base(lapic(1), 0xfee00800u), 0);
	assert_false(lw_lapic_listens(lapic(1)));
}

/* The first to come gets it, and the other no spurious one. */
static void two_vcpus_listen(void **state)
{
	(void)state;
	lint0(0, EXTINT);
	lint0(2, EXTINT);
	pulse(4);
	assert_int_equal(rig.notices, 2);
	assert_int_equal(pending(0), 0x34);
	assert_int_equal(pending(2), 0x34);
	assert_int_equal(accept_next(2), 0x34);
	assert_int_equal(accept_next(0), -1);
	assert_true(lw_pic_counters(lw_chip_pic(rig.chip)).spurious == 0);
}

/* Fixed: the LAPIC's own vector at INT's rise, however short, and whoever takes over when. */
static void lint0_as_fixed(void **state)
{
	(void)state;
	lint0(1, 0x55);
	pulse(4);
	assert_int_equal(rig.notices, 1);
	lw_chip_exit(rig.chip, 1);
	assert_int_equal(lw_lapic_pending(lapic(1)), 0x55);
	assert_int_equal(accept_next(1), 0x55);
	eoi(1);
	assert_int_equal(lw_pic_inta(lw_chip_pic(rig.chip)), 0x34);
	pic_eoi(); /* INT fell, and rises once more, before the vCPU looks */
	pulse(5);
	lw_chip_enter(rig.chip, 1);
	assert_int_equal(take(1), 0x55);
	eoi(1);
	assert_int_equal(take(1), -1);
	assert_int_equal(lw_pic_inta(lw_chip_pic(rig.chip)), 0x35);
	pic_eoi();
	pulse(4); /* rose and fell: an edge all the same */
	assert_int_equal(lw_pic_inta(lw_chip_pic(rig.chip)), 0x34);
	assert_int_equal(accept_next(1), 0x55);
	eoi(1);
	assert_int_equal(accept_next(1), -1);
}

static void lint0_as_a_fixed_level(void **state)
{
	(void)state;
	lint0(1, LFIXED | 0x55);
	pulse(4);
	assert_int_equal(accept_next(1), 0x55);
	eoi(1);
	assert_int_equal(accept_next(1), 0x55); /* still up */
	assert_int_equal(lw_pic_inta(lw_chip_pic(rig.chip)), 0x34);
	lw_chip_exit(rig.chip, 1);
	eoi(1);
	assert_int_equal(accept_next(1), -1);
}

/* Automatic EOI: INT falls and rises again inside the acknowledgement. */
static void the_next_request_is_heard_after_an_automatic_eoi(void **state)
{
	(void)state;
	set_up_pic(0x03);
	lint0(0, EXTINT);
	pulse(4);
	pulse(5);
	rig.notices = 0;
	assert_int_equal(accept_next(0), 0x34);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(accept_next(0), 0x35);
	assert_int_equal(accept_next(0), -1);
}

/* An edge whose line has fallen again is kept; with LW_PIC_STRICT it is withdrawn. */
static void edges_are_kept_unless_strict(void **state)
{
	(void)state;
	lint0(0, EXTINT);
	pulse(4);
	assert_int_equal(accept_next(0), 0x34);
	rig_close(NULL);
	open_with(LW_PIC_STRICT, false);
	lint0(0, EXTINT);
	pulse(4);
	assert_int_equal(accept_next(0), -1);
	line(4, true);
	assert_int_equal(accept_next(0), 0x34);
}

static void ends_are_told(void **state)
{
	(void)state;
	rig_close(NULL);
	open_with(0, true);
	lint0(0, EXTINT);
	pulse(12);
	assert_int_equal(accept_next(0), 0x3c);
	assert_diary("signal0:7:00 ");
	pic_eoi();
	assert_diary("eoi12 ");
}

/* Whatever the storage held: no vCPU has an edge to catch up with. */
static void no_lint0_sees_an_edge_at_the_start(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VCPUS; n++) {
		lint0(n, EXTINT);
		assert_int_equal(lw_chip_pending(rig.chip, n), -1);
	}
	assert_diary("");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_one_there_is_none),
		CASE(unknown_flags_are_refused),
		CASE(the_first_sixteen_gsis_lead_to_both),
		CASE(a_line_reaches_both_and_each_ignores_what_the_guest_masked),
		CASE(a_route_to_the_cascade_or_to_no_pic_is_an_error),
		CASE(several_sources_hold_one_line),
		CASE(lint0_as_extint),
		CASE(lint0_masked_hears_nothing_and_catches_up),
		CASE(a_lapic_that_is_off_listens),
		CASE(two_vcpus_listen),
		CASE(lint0_as_fixed),
		CASE(lint0_as_a_fixed_level),
		CASE(the_next_request_is_heard_after_an_automatic_eoi),
		CASE(edges_are_kept_unless_strict),
		CASE(ends_are_told),
		CASE(no_lint0_sees_an_edge_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
