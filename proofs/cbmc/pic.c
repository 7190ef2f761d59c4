/* SPDX-License-Identifier: MIT */
/* The pair of 8259As: lines, ports and INTA. */
#include "pic.h"

struct lw_pic_config nondet_config(void);

/* In storage of any content. A misaligned one is refused before it is touched: test_pic. */
void prove_lw_pic_init(void)
{
	struct lw_pic_config config = nondet_config();
	struct lw_pic *storage = nondet_bool() ? &p : NULL;
	struct broken why;

	any_ops();
	if (nondet_bool())
		ops.lock = NULL;
	p = nondet_pic();
	config.ops = nondet_bool() ? &ops : NULL;
	if (!lw_pic_init(storage, nondet_bool() ? &config : NULL))
		must_hold(lw_pic_holds(&p, &why), "the invariants hold");
	reached();
}

void prove_lw_pic_reset(void)
{
	any_state();
	looks = true;
	lw_pic_reset(&p);
	still_sound();
}

/* Any byte, or an access of a width that the pair does not know. */
void prove_lw_pic_read_byte(void)
{
	any_state();
	if (nondet_bool())
		lw_pic_read(&p, nondet_u16(), 1);
	else
		lw_pic_read(&p, nondet_u16(), 3);
	still_sound();
}

void prove_lw_pic_write_byte(void)
{
	any_state();
	if (nondet_bool())
		lw_pic_write(&p, nondet_u16(), nondet_u32(), 1);
	else
		lw_pic_write(&p, nondet_u16(), nondet_u32(), 3);
	still_sound();
}

/* However wide an access, what it reaches of the pair is one port or two that follow each other. */
static void read_both(uint16_t port)
{
	any_state();
	lw_pic_read(&p, port, 2);
	still_sound();
}

static void write_both(uint16_t port)
{
	any_state();
	lw_pic_write(&p, port, nondet_u32(), 2);
	still_sound();
}

void prove_lw_pic_read_master(void)
{
	read_both(LW_PIC_PORT_MASTER);
}

void prove_lw_pic_read_slave(void)
{
	read_both(LW_PIC_PORT_SLAVE);
}

void prove_lw_pic_read_elcr(void)
{
	read_both(LW_PIC_PORT_ELCR);
}

void prove_lw_pic_write_master(void)
{
	write_both(LW_PIC_PORT_MASTER);
}

void prove_lw_pic_write_slave(void)
{
	write_both(LW_PIC_PORT_SLAVE);
}

void prove_lw_pic_write_elcr(void)
{
	write_both(LW_PIC_PORT_ELCR);
}

void prove_lw_pic_line(void)
{
	any_state();
	lw_pic_line(&p, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_pic_line_locked(void)
{
	any_state();
	lw_pic_line_locked(&p, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_pic_inta(void)
{
	any_state();
	lw_pic_inta(&p);
	still_sound();
}

void prove_lw_pic_accept(void)
{
	any_state();
	lw_pic_accept(&p);
	still_sound();
}

void prove_lw_pic_pending(void)
{
	any_state();
	lw_pic_pending(&p);
	still_sound();
}

void prove_lw_pic_intr(void)
{
	any_state();
	lw_pic_intr(&p);
	still_sound();
}

void prove_lw_pic_regs(void)
{
	struct lw_pic_regs regs;

	any_state();
	lw_pic_regs(&p, nondet_u32(), nondet_bool() ? &regs : NULL);
	still_sound();
}

void prove_lw_pic_counters(void)
{
	any_state();
	lw_pic_counters(&p);
	still_sound();
}
