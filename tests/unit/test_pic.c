/* SPDX-License-Identifier: MIT */
/* The pair of 8259As: initialization, lines and INTA. test_pic_modes.c has EOIs, priorities and
 * ports, test_pic_naive.c the pair against a second one. */
#include "pic_rig.h"

static int setup_strict(void **state)
{
	(void)state;
	return fresh(LW_PIC_STRICT);
}

/* ---- the VMM's mistakes ---- */

static void bad_configurations_are_refused(void **state)
{
	static const struct lw_pic_ops half[] = {{.lock = rig_lock}, {.unlock = rig_unlock}};
	struct lw_pic_config config = {.flags = 2};

	(void)state;
	assert_int_equal(lw_pic_init(rig.pic, &config), -EINVAL);
	config.flags = 0;
	assert_int_equal(lw_pic_init(NULL, &config), -EINVAL);
	assert_int_equal(lw_pic_init(rig.pic, NULL), -EINVAL);
	assert_int_equal(lw_pic_init((void *)(rig.storage + 8), &config), -EINVAL);
	for (int n = 0; n < 2; n++) {
		config.ops = &half[n];
		assert_int_equal(lw_pic_init(rig.pic, &config), -EINVAL);
	}
}

static void xsa_261_pins_past_the_array_are_refused(void **state)
{
	static const uint32_t pins[] = {2, 16, 20, 23, 24, 0x80000001, UINT32_MAX};

	(void)state;
	for (size_t n = 0; n < sizeof(pins) / sizeof(pins[0]); n++)
		assert_int_equal(lw_pic_line(rig.pic, pins[n], 0, true), -EINVAL);
	assert_int_equal(lw_pic_line(rig.pic, 3, 32, true), -EINVAL);
	assert_int_equal(lw_pic_line(rig.pic, 3, UINT32_MAX, true), -EINVAL);
	assert_int_equal(lw_pic_regs(rig.pic, 2, &(struct lw_pic_regs){0}), -EINVAL);
	assert_int_equal(lw_pic_regs(rig.pic, 0, NULL), -EINVAL);
	assert_int_equal(irr(MASTER) | irr(SLAVE), 0);
	assert_diary("");
}

static void no_op_is_needed(void **state)
{
	struct lw_pic_config config = {0};

	(void)state;
	assert_int_equal(lw_pic_init(rig.pic, &config), 0);
	pulse(7);
	pulse(0);
	assert_int_equal(inta(), 0); /* the order is the fully nested one from the start */
	init_master(0);
	pulse(3);
	assert_true(lw_pic_intr(rig.pic));
	assert_int_equal(inta(), 0x23);
	out(MASTER, EOI);
	assert_false(lw_pic_intr(rig.pic));
}

/* ---- initialization ---- */

static void before_icw1_nothing_is_masked_and_vectors_start_at_zero(void **state)
{
	struct lw_pic_regs regs;

	(void)state;
	lw_pic_reset(rig.pic);
	assert_int_equal(lw_pic_regs(rig.pic, 0, &regs), 0);
	assert_int_equal(regs.irr | regs.isr | regs.imr | regs.elcr, 0);
	pulse(4);
	assert_int_equal(lw_pic_regs(rig.pic, 0, &regs), 0);
	assert_int_equal(regs.irr, 0x10);
	assert_int_equal(inta(), 4);
}

/* SNGL leaves out ICW3, IC4 clear leaves out ICW4: the next write is OCW1 in each case. */
static void each_form_of_the_sequence_takes_its_words(void **state)
{
	(void)state;
	for (uint32_t form = 0; form < 4; form++) {
		out(MASTER + 1, 0xff);
		out(MASTER, 0x10 | form);
		assert_int_equal(in(MASTER + 1), 0);
		out(MASTER + 1, 0x47);
		if (!(form & 2))
			out(MASTER + 1, 0);
		if (form & 1)
			out(MASTER + 1, 1);
		assert_int_equal(in(MASTER + 1), 0);
		out(MASTER + 1, 0xa5);
		assert_int_equal(in(MASTER + 1), 0xa5);
		out(MASTER + 1, 0);
		pulse(1);
		assert_int_equal(inta(), 0x41);
	}
}

static void nothing_is_requested_in_the_middle_of_the_sequence(void **state)
{
	static const uint32_t words[] = {0x20, 0x04};

	(void)state;
	out(MASTER, 0x11);
	pulse(3);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(lw_pic_pending(rig.pic), -1);
		out(MASTER + 1, words[n]);
	}
	assert_diary("");
	out(MASTER + 1, 1);
	assert_diary("+");
	assert_int_equal(inta(), 0x23);
}

static void without_icw4_its_modes_are_off(void **state)
{
	(void)state;
	init_master(AEOI | SFNM);
	out(MASTER, 0x10);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x04);
	pulse(1);
	assert_int_equal(inta(), 0x21);
	assert_int_equal(isr(MASTER), 0x02);
}

static void mcs_80_bits_mean_nothing(void **state)
{
	(void)state;
	out(MASTER, 0xf5);
	out(MASTER + 1, 0x27);
	out(MASTER + 1, 0x04);
	out(MASTER + 1, 0x0c);
	pulse(1);
	assert_int_equal(inta(), 0x21);
	assert_int_equal(isr(MASTER), 0x02);
}

static void icw1_takes_back_every_mode(void **state)
{
	(void)state;
	out(MASTER, SMM_ON);
	out(MASTER, 0x80);
	out(MASTER, SET_LOWEST | 3);
	out(MASTER, READ_ISR);
	out(MASTER, POLL);
	init_master(AEOI);
	pulse(0);
	assert_int_equal(in(MASTER), 0x01);
	pulse(5);
	assert_int_equal(inta(), 0x20); /* IR7 is the lowest again */
	assert_int_equal(inta(), 0x25);
	pulse(0);
	pulse(6);
	assert_int_equal(inta(), 0x20); /* nor has automatic rotation gone on */
	init_master(0);
	pulse(1);
	inta();
	out(MASTER + 1, 0x02);
	pulse(3);
	assert_int_equal(lw_pic_pending(rig.pic), -1); /* no special mask mode */
}

static void facts_7_17_icw1_tells_what_it_drops(void **state)
{
	(void)state;
	out(ELCR, 0x20);
	pulse(3);
	inta();
	line(4, true);
	line(5, true);
	assert_diary("+-");
	out(MASTER, 0x11);
	assert_diary("3 4 "); /* pin 5, level and high, requests as before */
	assert_int_equal(isr(MASTER), 0);
	assert_int_equal(irr(MASTER), 0x20);
	line(5, false);
	init_master(0);
	line(4, true); /* still high: no edge */
	assert_diary("");
	line(4, false);
	line(4, true);
	assert_diary("+");
	assert_int_equal(inta(), 0x24);
}

static void icw1_of_the_slave_tells_its_own_pins(void **state)
{
	(void)state;
	pulse(12);
	assert_int_equal(inta(), 0x2c);
	pulse(13);
	line(10, true); /* the slave's own input 2, a pin like any other */
	assert_diary("+-");
	init_slave(0);
	assert_diary("10 12 13 ");
	assert_int_equal(isr(MASTER), 0x04);
	line(10, true);
	assert_int_equal(irr(SLAVE), 0);
}

/* A master set up again while the slave's output is high must not wait for it to fall. */
static void icw1_of_the_master_does_not_strand_the_slave(void **state)
{
	(void)state;
	line(14, true);
	init_master(0);
	assert_diary("+-+");
	assert_int_equal(inta(), 0x2e);
}

static void reset_tells_what_it_drops_and_keeps_lines(void **state)
{
	(void)state;
	out(ELCR + 1, 0x02);
	line(9, true);
	pulse(3);
	pulse(12);
	assert_int_equal(inta(), 0x29);
	assert_diary("+-");
	lw_pic_reset(rig.pic);
	assert_diary("3 9 12 ");
	assert_int_equal(in(ELCR + 1), 0);
	init_master(0);
	init_slave(0);
	line(9, true);
	assert_diary("");
	line(9, false);
	line(9, true);
	assert_int_equal(inta(), 0x29);
	pulse(1);
	assert_diary("+-+");
	lw_pic_reset(rig.pic);
	assert_diary("-1 9 ");
}

static void reset_keeps_every_source_of_every_line(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < 16; pin++)
		lw_pic_line(rig.pic, pin, 5, true);
	lw_pic_reset(rig.pic);
	for (uint32_t pin = 0; pin < 16; pin++) {
		if (pin == 2)
			continue;
		pulse(pin); /* under the other source: the line does not move */
		line(pin, true);
	}
	assert_int_equal(irr(MASTER) | irr(SLAVE), 0);
}

/* ---- edge and level ---- */

static void an_edge_requests_once(void **state)
{
	(void)state;
	line(3, true);
	assert_int_equal(inta(), 0x23);
	out(MASTER, EOI);
	line(3, true);
	assert_diary("+-3 ");
	line(3, false);
	line(3, true);
	assert_diary("+");
	pulse(3);
	pulse(3);
	assert_int_equal(lw_pic_counters(rig.pic).coalesced, 1);
	assert_int_equal(inta(), 0x23);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x27);
}

static void a_level_requests_while_it_is_high(void **state)
{
	(void)state;
	out(ELCR, 0x08);
	line(3, true);
	assert_int_equal(inta(), 0x23);
	assert_int_equal(irr(MASTER), 0x08);
	out(MASTER, EOI);
	assert_diary("+-+3 ");
	line(3, false);
	assert_diary("-");
	assert_int_equal(irr(MASTER), 0);
}

static void ltim_makes_every_pin_level(void **state)
{
	(void)state;
	out(MASTER, 0x19);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x04);
	out(MASTER + 1, 0x01);
	line(0, true);
	assert_int_equal(inta(), 0x20);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x20);
	line(0, false);
	out(MASTER, EOI);
	pulse(9); /* the slave's output is a level then too, and falls only when it is taken */
	assert_int_equal(inta(), 0x29);
	assert_int_equal(irr(MASTER), 0);
}

static void elcr_refuses_0_1_2_8_and_13(void **state)
{
	(void)state;
	lw_pic_write(rig.pic, ELCR, 0xffff, 2);
	assert_int_equal(lw_pic_read(rig.pic, ELCR, 2), 0xdef8);
	for (uint32_t pin = 0; pin < 16; pin++) {
		if (pin == 2)
			continue;
		line(pin, true);
		assert_int_equal(inta(), 0x20 + pin);
		out(SLAVE, EOI);
		out(MASTER, EOI);
		assert_int_equal(lw_pic_intr(rig.pic), 0xdef8u >> pin & 1u);
		line(pin, false);
		init_master(0); /* the cascade's edge stays otherwise */
	}
}

static void a_request_outlives_elcr(void **state)
{
	(void)state;
	line(3, true);
	pulse(4);
	assert_diary("+");
	out(ELCR, 0x18);
	assert_diary("4 "); /* its line is low */
	assert_int_equal(irr(MASTER), 0x08);
	out(ELCR, 0);
	line(3, false);
	assert_int_equal(inta(), 0x23);
}

static void facts_7_6_sources_share_a_line(void **state)
{
	(void)state;
	out(ELCR, 0x08);
	line(3, true);
	lw_pic_line(rig.pic, 3, 31, true);
	line(3, false);
	assert_int_equal(inta(), 0x23);
	out(MASTER, EOI);
	assert_diary("+-+3 ");
	lw_pic_line(rig.pic, 3, 31, false);
	assert_diary("-");
}

static void facts_7_23_a_masked_request_is_kept(void **state)
{
	(void)state;
	out(MASTER + 1, 0x08);
	out(SLAVE + 1, 0x10);
	pulse(3);
	pulse(12);
	assert_diary("");
	assert_int_equal(irr(MASTER), 0x08);
	assert_int_equal(irr(SLAVE), 0x10);
	out(SLAVE + 1, 0);
	assert_int_equal(inta(), 0x2c);
	out(MASTER + 1, 0);
	out(SLAVE, EOI);
	out(MASTER, EOI);
	assert_int_equal(inta(), 0x23);
}

static void a_mask_lowers_intr_and_its_end_raises_it(void **state)
{
	(void)state;
	pulse(3);
	out(MASTER + 1, 0x08);
	out(MASTER + 1, 0xf7);
	assert_diary("+-+");
	assert_int_equal(in(MASTER + 1), 0xf7);
}

static void strict_withdraws_an_edge_whose_line_falls(void **state)
{
	(void)state;
	pulse(3);
	assert_diary("+-");
	assert_int_equal(inta(), 0x27);
	pulse(12);
	assert_diary("+-");
	assert_int_equal(inta(), 0x27);
	line(3, true);
	assert_int_equal(inta(), 0x23);
}

/* ---- INTA ---- */

static void spurious_irq7(void **state)
{
	(void)state;
	out(ELCR, 0x08);
	pulse(3);
	assert_diary("+-");
	assert_int_equal(inta(), 0x27);
	assert_int_equal(isr(MASTER), 0);
	assert_int_equal(lw_pic_counters(rig.pic).spurious, 1);
	assert_int_equal(lw_pic_counters(rig.pic).acknowledged, 0);
}

static void spurious_irq15_is_in_service_on_the_master_only(void **state)
{
	(void)state;
	out(ELCR + 1, 0x08);
	pulse(11);
	assert_int_equal(lw_pic_pending(rig.pic), 0x2f);
	assert_int_equal(inta(), 0x2f);
	assert_int_equal(isr(SLAVE), 0);
	assert_int_equal(isr(MASTER), 0x04);
	assert_int_equal(lw_pic_counters(rig.pic).spurious, 1);
	out(MASTER, EOI);
	assert_diary("+-");
}

static void every_pin_has_its_vector(void **state)
{
	(void)state;
	for (uint32_t pin = 0; pin < 16; pin++) {
		char over[16];

		if (pin == 2)
			continue;
		line(pin, true);
		assert_int_equal(lw_pic_pending(rig.pic), 0x20 + pin);
		assert_int_equal(inta(), 0x20 + pin);
		assert_int_equal(isr(pin < 8 ? MASTER : SLAVE), 1u << pin % 8);
		assert_int_equal(isr(MASTER), pin < 8 ? 1u << pin : 4);
		if (pin >= 8)
			out(SLAVE, EOI);
		out(MASTER, EOI);
		snprintf(over, sizeof(over), "+-%u ", pin);
		assert_diary(over);
		line(pin, false);
	}
	assert_int_equal(lw_pic_counters(rig.pic).acknowledged, 15);
	assert_int_equal(lw_pic_counters(rig.pic).ended, 23);
}

static void a_slave_that_is_not_called_does_not_answer(void **state)
{
	(void)state;
	out(SLAVE, 0x11);
	out(SLAVE + 1, 0x28);
	out(SLAVE + 1, 0x03);
	out(SLAVE + 1, 0x01);
	line(12, true);
	assert_int_equal(inta(), 0xff);
	assert_int_equal(isr(SLAVE), 0);
	out(MASTER, EOI);
	init_master(0);
	out(MASTER, 0x11);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x0c); /* no slave is wired to pin 3 */
	out(MASTER + 1, 0x01);
	out(MASTER + 1, 0x04);
	pulse(3);
	assert_int_equal(inta(), 0xff);
}

static void a_single_master_serves_pin_2_itself(void **state)
{
	(void)state;
	out(MASTER, 0x13);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x01);
	line(12, true);
	assert_int_equal(inta(), 0x22);
	assert_int_equal(isr(SLAVE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bad_configurations_are_refused, setup),
		cmocka_unit_test_setup(xsa_261_pins_past_the_array_are_refused, setup),
		cmocka_unit_test_setup(no_op_is_needed, setup),
		cmocka_unit_test_setup(before_icw1_nothing_is_masked_and_vectors_start_at_zero,
				       setup),
		cmocka_unit_test_setup(each_form_of_the_sequence_takes_its_words, setup),
		cmocka_unit_test_setup(nothing_is_requested_in_the_middle_of_the_sequence, setup),
		cmocka_unit_test_setup(without_icw4_its_modes_are_off, setup),
		cmocka_unit_test_setup(mcs_80_bits_mean_nothing, setup),
		cmocka_unit_test_setup(icw1_takes_back_every_mode, setup),
		cmocka_unit_test_setup(facts_7_17_icw1_tells_what_it_drops, setup),
		cmocka_unit_test_setup(icw1_of_the_slave_tells_its_own_pins, setup),
		cmocka_unit_test_setup(icw1_of_the_master_does_not_strand_the_slave, setup),
		cmocka_unit_test_setup(reset_tells_what_it_drops_and_keeps_lines, setup),
		cmocka_unit_test_setup(reset_keeps_every_source_of_every_line, setup),
		cmocka_unit_test_setup(an_edge_requests_once, setup),
		cmocka_unit_test_setup(a_level_requests_while_it_is_high, setup),
		cmocka_unit_test_setup(ltim_makes_every_pin_level, setup),
		cmocka_unit_test_setup(elcr_refuses_0_1_2_8_and_13, setup),
		cmocka_unit_test_setup(a_request_outlives_elcr, setup),
		cmocka_unit_test_setup(facts_7_6_sources_share_a_line, setup),
		cmocka_unit_test_setup(facts_7_23_a_masked_request_is_kept, setup),
		cmocka_unit_test_setup(a_mask_lowers_intr_and_its_end_raises_it, setup),
		cmocka_unit_test_setup(strict_withdraws_an_edge_whose_line_falls, setup_strict),
		cmocka_unit_test_setup(spurious_irq7, setup),
		cmocka_unit_test_setup(spurious_irq15_is_in_service_on_the_master_only, setup),
		cmocka_unit_test_setup(every_pin_has_its_vector, setup),
		cmocka_unit_test_setup(a_slave_that_is_not_called_does_not_answer, setup),
		cmocka_unit_test_setup(a_single_master_serves_pin_2_itself, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
