/* SPDX-License-Identifier: MIT */
/* The pair of 8259As: EOIs, priorities, modes, polls, ports and what ops->eoi may do. */
#include "pic_rig.h"

/* ---- EOI and priority ---- */

static void a_higher_pin_nests_and_a_lower_one_waits(void **state)
{
	(void)state;
	pulse(3);
	assert_int_equal(inta(), 0x23);
	pulse(5);
	pulse(3);
	assert_int_equal(lw_pic_pending(rig.pic), -1);
	pulse(1);
	assert_int_equal(inta(), 0x21);
	assert_int_equal(isr(MASTER), 0x0a);
	out(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0x08);
	assert_int_equal(lw_pic_pending(rig.pic), -1);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x23);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x25);
}

static void facts_7_18_an_eoi_leaves_the_others_in_service(void **state)
{
	(void)state;
	for (uint32_t pin = 8; pin-- > 3;) {
		pulse(pin);
		assert_int_equal(inta(), 0x20 + pin);
	}
	out(MASTER, SPECIFIC | 5);
	assert_int_equal(isr(MASTER), 0xd8);
	out(MASTER, SPECIFIC | 5); /* not in service: nothing to end, nothing to tell */
	assert_int_equal(isr(MASTER), 0xd8);
	assert_string_equal(diary + strlen(diary) - 2, "5 ");
	assert_int_equal(lw_pic_counters(rig.pic).ended, 1);
}

static void facts_7_22_a_low_request_does_not_hide_a_high_one(void **state)
{
	(void)state;
	pulse(6);
	pulse(13);
	pulse(1);
	pulse(8);
	assert_int_equal(inta(), 0x21);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x28);
	out(SLAVE, EOI);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x2d);
}

static void facts_7_3_and_7_16_an_eoi_while_masked_counts(void **state)
{
	(void)state;
	out(ELCR, 0x08);
	line(3, true);
	inta();
	out(MASTER + 1, 0x08);
	out(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0);
	assert_diary("+-3 ");
	out(MASTER + 1, 0);
	assert_diary("+");
}

static void an_eoi_of_nothing_changes_nothing(void **state)
{
	(void)state;
	out(MASTER, EOI);
	out(MASTER, ROTATE);
	out(MASTER, SPECIFIC | 3);
	out(MASTER, 0x40 | 3); /* no operation */
	assert_diary("");
	pulse(7);
	pulse(0);
	assert_int_equal(inta(), 0x20);
	assert_int_equal(lw_pic_counters(rig.pic).ended, 0);
}

/* Raises every pin but the cascade and says in which order they are taken. */
static uint32_t order(void)
{
	uint32_t all = 0;

	for (uint32_t pin = 0; pin < 8; pin++)
		if (pin != 2)
			pulse(pin);
	for (int n = 0; n < 7; n++) {
		uint32_t pin = inta() - 0x20;

		all = all << 4 | pin;
		out(MASTER, SPECIFIC | pin);
	}
	return all;
}

static void set_priority_names_the_lowest(void **state)
{
	(void)state;
	assert_int_equal(order(), 0x0134567);
	out(MASTER, SET_LOWEST | 4);
	assert_int_equal(order(), 0x5670134);
	out(MASTER, SET_LOWEST | 0);
	assert_int_equal(order(), 0x1345670);
	pulse(4);
	inta();
	out(MASTER, SET_LOWEST | 4); /* no EOI */
	assert_int_equal(isr(MASTER), 0x10);
}

static void rotate_on_non_specific_eoi(void **state)
{
	(void)state;
	pulse(4);
	inta();
	out(MASTER, ROTATE);
	assert_int_equal(isr(MASTER), 0);
	assert_int_equal(order(), 0x5670134);
}

static void rotate_on_specific_eoi(void **state)
{
	(void)state;
	pulse(4);
	inta();
	pulse(3);
	inta();
	out(MASTER, ROTATE_ON | 4);
	assert_int_equal(isr(MASTER), 0x08);
	out(MASTER, SPECIFIC | 3);
	assert_int_equal(order(), 0x5670134);
}

/* After a rotation the highest in service is the one by the new order. */
static void a_non_specific_eoi_goes_by_the_present_order(void **state)
{
	(void)state;
	pulse(6);
	inta();
	pulse(1);
	inta();
	out(MASTER, SET_LOWEST | 3);
	out(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0x02);
}

/* ---- modes ---- */

static void auto_eoi_ends_at_inta(void **state)
{
	(void)state;
	init_master(AEOI);
	init_slave(AEOI);
	pulse(3);
	pulse(4);
	assert_int_equal(inta(), 0x23);
	assert_int_equal(isr(MASTER), 0);
	assert_diary("+-+3 "); /* INTR falls between two */
	assert_int_equal(inta(), 0x24);
	pulse(12);
	pulse(13);
	assert_int_equal(inta(), 0x2c);
	assert_int_equal(inta(), 0x2d);
	assert_diary("-4 +-+12 -13 ");
	assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
}

static void rotate_in_automatic_eoi_mode(void **state)
{
	(void)state;
	init_master(AEOI);
	out(MASTER, 0x80);
	pulse(4);
	assert_int_equal(inta(), 0x24);
	pulse(4);
	pulse(5);
	assert_int_equal(inta(), 0x25);
	out(MASTER, 0x00);
	assert_int_equal(inta(), 0x24);
	pulse(6);
	pulse(5);
	assert_int_equal(inta(), 0x26);
}

static void special_mask_mode_lets_lower_pins_through(void **state)
{
	(void)state;
	pulse(3);
	inta();
	pulse(5);
	out(MASTER + 1, 0x08);
	assert_int_equal(lw_pic_pending(rig.pic), -1);
	out(MASTER, SMM_ON);
	assert_int_equal(inta(), 0x25);
	out(MASTER, 0x28); /* ESMM clear: SMM means nothing */
	out(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0x08);
	out(MASTER, EOI); /* a masked one is not ended by it */
	assert_int_equal(isr(MASTER), 0x08);
	out(MASTER, SMM_OFF);
	out(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0);
}

static void special_mask_mode_still_nests_what_is_not_masked(void **state)
{
	(void)state;
	pulse(3);
	inta();
	out(MASTER, SMM_ON);
	pulse(5);
	assert_int_equal(lw_pic_pending(rig.pic), -1);
	pulse(1);
	assert_int_equal(lw_pic_pending(rig.pic), 0x21);
}

static void special_fully_nested_mode_does_not_lock_out_the_slave(void **state)
{
	(void)state;
	for (uint32_t icw4 = 0; icw4 <= SFNM; icw4 += SFNM) {
		init_master(icw4);
		init_slave(0);
		pulse(12);
		assert_int_equal(inta(), 0x2c);
		pulse(9);
		assert_int_equal(lw_pic_pending(rig.pic), icw4 ? 0x29 : -1);
	}
	assert_int_equal(inta(), 0x29);
	assert_int_equal(isr(SLAVE), 0x12);
	pulse(9);
	pulse(14);
	pulse(5); /* below the slave's: it waits, as in any mode */
	assert_int_equal(lw_pic_pending(rig.pic), -1);
	pulse(1);
	assert_int_equal(inta(), 0x21);
}

/* The slave's number, 2, is not a map of inputs. */
static void special_fully_nested_mode_means_nothing_to_the_slave(void **state)
{
	(void)state;
	init_master(SFNM);
	init_slave(SFNM);
	pulse(9);
	assert_int_equal(inta(), 0x29);
	pulse(9);
	assert_int_equal(lw_pic_pending(rig.pic), -1);
}

/* ---- polls and reads ---- */

static void a_poll_acknowledges(void **state)
{
	(void)state;
	out(MASTER, POLL);
	assert_int_equal(in(MASTER), 0x07);
	pulse(3);
	out(MASTER, POLL | 0x03);
	assert_int_equal(in(MASTER + 1), 0x83);
	assert_diary("+-");
	assert_int_equal(in(MASTER), 0x08); /* the ISR that was asked for together with it */
	assert_int_equal(in(MASTER + 1), 0);
	assert_int_equal(lw_pic_counters(rig.pic).polled, 1);
	out(MASTER, EOI);
	assert_diary("3 ");
}

static void a_poll_in_automatic_eoi_mode_ends(void **state)
{
	(void)state;
	init_slave(AEOI);
	pulse(12);
	pulse(13);
	out(SLAVE, POLL);
	assert_int_equal(in(SLAVE), 0x84);
	assert_diary("+-+12 ");
	assert_int_equal(inta(), 0x2d);
}

static void the_slave_is_polled_alone_or_after_the_master(void **state)
{
	(void)state;
	pulse(12);
	out(SLAVE, POLL);
	assert_int_equal(in(SLAVE), 0x84);
	assert_diary("+-");
	assert_int_equal(isr(MASTER) | irr(MASTER), 0);
	out(SLAVE, EOI);
	pulse(11);
	out(MASTER, POLL);
	assert_int_equal(in(MASTER), 0x82);
	out(SLAVE, POLL);
	assert_int_equal(in(SLAVE), 0x83);
	out(SLAVE, EOI);
	out(MASTER, EOI);
	assert_diary("12 +-11 ");
}

static void a_poll_of_the_master_leaves_the_slave_s_request(void **state)
{
	(void)state;
	pulse(12);
	pulse(1);
	out(MASTER, POLL);
	assert_int_equal(in(MASTER), 0x81);
	assert_int_equal(irr(MASTER), 0x04);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x2c);
}

static void an_ocw3_changes_only_what_it_names(void **state)
{
	(void)state;
	pulse(3);
	inta();
	out(MASTER, READ_ISR);
	out(MASTER, SMM_OFF);
	assert_int_equal(in(MASTER), 0x08);
	out(MASTER, 0x09); /* RIS without RR */
	out(MASTER, 0x08);
	assert_int_equal(in(MASTER), 0x08);
}

static void wide_accesses_go_to_one_port_after_another(void **state)
{
	(void)state;
	lw_pic_write(rig.pic, MASTER, 0x5511, 2);
	out(MASTER + 1, 0x04);
	out(MASTER + 1, 0x01);
	lw_pic_write(rig.pic, SLAVE, 0xffffa50b, 4);
	pulse(3);
	assert_int_equal(lw_pic_read(rig.pic, MASTER, 2), 0x0008);
	assert_int_equal(lw_pic_read(rig.pic, MASTER, 4), 0xffff0008);
	assert_int_equal(lw_pic_read(rig.pic, MASTER - 1, 4), 0xff0008ff);
	assert_int_equal(lw_pic_read(rig.pic, SLAVE, 2), 0xa500);
	assert_int_equal(inta(), 0x53);
	out(MASTER, POLL);
	pulse(1);
	assert_int_equal(lw_pic_read(rig.pic, MASTER, 2), 0x0081); /* the first byte is the poll */
}

static void other_ports_and_widths_are_not_there(void **state)
{
	static const uint32_t widths[] = {0, 3, 5, 8, UINT32_MAX};

	(void)state;
	pulse(3);
	out(MASTER, POLL);
	for (size_t n = 0; n < sizeof(widths) / sizeof(widths[0]); n++) {
		assert_int_equal(lw_pic_read(rig.pic, MASTER, widths[n]), UINT32_MAX);
		lw_pic_write(rig.pic, MASTER, 0x11, widths[n]);
	}
	assert_int_equal(in(MASTER), 0x83);
	for (uint32_t port = 0; port <= 0xffff; port++) {
		if ((port & ~0x81u) == 0x20 || (port & ~1u) == ELCR)
			continue;
		out(port, 0x11);
		assert_int_equal(in(port), 0xff);
	}
	assert_int_equal(lw_pic_read(rig.pic, 0xffff, 4), UINT32_MAX);
	assert_int_equal(isr(MASTER), 0x08);
}

/* Whatever is written where, the pair stands it, and a new initialization finds it well. */
static void every_value_at_every_port_at_every_width(void **state)
{
	static const uint16_t bases[] = {0x1d, 0x9d, 0x4cd};

	(void)state;
	for (uint32_t at = 0; at < 3 * 6; at++) {
		for (uint32_t value = 0; value < 256; value++) {
			for (uint32_t width = 1; width <= 4; width++) {
				uint16_t port = (uint16_t)(bases[at / 6] + at % 6);

				lw_pic_write(rig.pic, port, value * 0x01010101u, width);
				lw_pic_line(rig.pic, value, width, value & 1);
				inta();
				lw_pic_read(rig.pic, port, width);
				forget_diary();
			}
		}
	}
	lw_pic_reset(rig.pic);
	for (uint32_t pin = 0; pin < 16; pin++)
		for (uint32_t source = 0; source < 32; source++)
			lw_pic_line(rig.pic, pin, source, false);
	init_master(0);
	init_slave(0);
	pulse(12);
	assert_int_equal(inta(), 0x2c);
}

/* ---- ops->eoi may call back ---- */

static void raise_again(uint32_t pin)
{
	line(pin, true);
	if (lw_pic_counters(rig.pic).ended < 5) {
		assert_int_equal(inta(), 0x20 + pin);
		out(MASTER, EOI);
	}
}

/* The rig fails if callbacks nest. */
static void facts_7_7_a_callback_sets_a_line_again(void **state)
{
	(void)state;
	out(ELCR, 0x08);
	rig.on_eoi = raise_again;
	line(3, true);
	inta();
	out(MASTER, EOI);
	assert_diary("+-+3 -+3 -+3 -+3 -+3 ");
}

static void flip(uint32_t pin)
{
	static unsigned left = 50;

	if (!left--)
		return;
	pulse(pin);
	out(ELCR, left % 2 ? 0x08 : 0);
}

static void cve_2020_27152_elcr_flips_in_a_callback_end(void **state)
{
	(void)state;
	rig.on_eoi = flip;
	pulse(3);
	out(ELCR, 0x08);
	assert_int_equal(rig.depth, 0);
	assert_int_equal(irr(MASTER), 0);
}

/* One hold of the lock for an INTA, one for a write: nobody can come between IRR and ISR. */
static void facts_7_15_the_lock_is_held_throughout(void **state)
{
	unsigned before;

	(void)state;
	init_master(AEOI);
	pulse(12);
	before = rig.locks;
	inta();
	assert_int_equal(rig.locks, before + 1);
	pulse(3);
	before = rig.locks;
	out(SLAVE, EOI);
	assert_int_equal(rig.locks, before + 2); /* once more after ops->eoi */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_higher_pin_nests_and_a_lower_one_waits, setup),
		cmocka_unit_test_setup(facts_7_18_an_eoi_leaves_the_others_in_service, setup),
		cmocka_unit_test_setup(facts_7_22_a_low_request_does_not_hide_a_high_one, setup),
		cmocka_unit_test_setup(facts_7_3_and_7_16_an_eoi_while_masked_counts, setup),
		cmocka_unit_test_setup(an_eoi_of_nothing_changes_nothing, setup),
		cmocka_unit_test_setup(set_priority_names_the_lowest, setup),
		cmocka_unit_test_setup(rotate_on_non_specific_eoi, setup),
		cmocka_unit_test_setup(rotate_on_specific_eoi, setup),
		cmocka_unit_test_setup(a_non_specific_eoi_goes_by_the_present_order, setup),
		cmocka_unit_test_setup(auto_eoi_ends_at_inta, setup),
		cmocka_unit_test_setup(rotate_in_automatic_eoi_mode, setup),
		cmocka_unit_test_setup(special_mask_mode_lets_lower_pins_through, setup),
		cmocka_unit_test_setup(special_mask_mode_still_nests_what_is_not_masked, setup),
		cmocka_unit_test_setup(special_fully_nested_mode_does_not_lock_out_the_slave,
				       setup),
		cmocka_unit_test_setup(special_fully_nested_mode_means_nothing_to_the_slave, setup),
		cmocka_unit_test_setup(a_poll_acknowledges, setup),
		cmocka_unit_test_setup(a_poll_in_automatic_eoi_mode_ends, setup),
		cmocka_unit_test_setup(the_slave_is_polled_alone_or_after_the_master, setup),
		cmocka_unit_test_setup(a_poll_of_the_master_leaves_the_slave_s_request, setup),
		cmocka_unit_test_setup(an_ocw3_changes_only_what_it_names, setup),
		cmocka_unit_test_setup(wide_accesses_go_to_one_port_after_another, setup),
		cmocka_unit_test_setup(other_ports_and_widths_are_not_there, setup),
		cmocka_unit_test_setup(every_value_at_every_port_at_every_width, setup),
		cmocka_unit_test_setup(facts_7_7_a_callback_sets_a_line_again, setup),
		cmocka_unit_test_setup(cve_2020_27152_elcr_flips_in_a_callback_end, setup),
		cmocka_unit_test_setup(facts_7_15_the_lock_is_held_throughout, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
