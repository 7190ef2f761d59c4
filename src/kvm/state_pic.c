/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <string.h>

#include "core/pic_priv.h"

static const uint8_t elcr_mask[CHIPS] = {LW_PIC_ELCR_MASTER, LW_PIC_ELCR_SLAVE};

static void export(const struct chip *c, uint32_t n, struct kvm_pic_state *s)
{
	*s = (struct kvm_pic_state){
		.last_irr = c->line,
		.irr = lw_pic_irr(c),
		.imr = c->imr,
		.isr = c->isr,
		.priority_add = (uint8_t)((c->lowest + 1u) % CHIP_PINS),
		.irq_base = c->icw2 & ICW2_VECTOR,
		.read_reg_select = c->read_isr,
		.poll = c->poll,
		.special_mask = c->special,
		.init_state = c->step,
		.auto_eoi = (c->icw4 & ICW4_AEOI) != 0,
		.rotate_on_auto_eoi = c->rotate_aeoi,
		.special_fully_nested_mode = (c->icw4 & ICW4_SFNM) != 0,
		.init4 = (c->icw1 & ICW1_IC4) != 0,
		.elcr = c->elcr,
		.elcr_mask = elcr_mask[n],
	};
	if (n == MASTER)
		s->last_irr &= (uint8_t)~CASCADE;
}

int lw_kvm_pic_export(struct lw_pic *pic, struct kvm_pic_state *master, struct kvm_pic_state *slave)
{
	if (!pic || !master || !slave)
		return -EINVAL;
	lw_pic_enter(pic);
	export(&pic->state.chip[MASTER], MASTER, master);
	export(&pic->state.chip[SLAVE], SLAVE, slave);
	lw_pic_unlock(pic);
	return 0;
}

/* The cascade's line follows. */
static void import(struct chip *c, uint32_t n, const struct kvm_pic_state *s)
{
	*c = (struct chip){
		.line = s->last_irr,
		.imr = s->imr,
		.isr = s->isr,
		.elcr = s->elcr & elcr_mask[n],
		.lowest = (uint8_t)((s->priority_add + CHIP_PINS - 1u) % CHIP_PINS),
		.icw1 = (uint8_t)(ICW1 | (s->init4 ? ICW1_IC4 : 0)),
		.icw2 = s->irq_base & ICW2_VECTOR,
		.icw3 = n == MASTER ? CASCADE : LW_PIC_CASCADE_PIN,
		.icw4 = (uint8_t)((s->auto_eoi ? ICW4_AEOI : 0) |
				  (s->special_fully_nested_mode ? ICW4_SFNM : 0)),
		.step = s->init_state,
		.read_isr = s->read_reg_select != 0,
		.poll = s->poll != 0,
		.special = s->special_mask != 0,
		.rotate_aeoi = s->rotate_on_auto_eoi != 0,
	};
	c->latch = s->irr & (uint8_t)~lw_pic_level_pins(c);
	if (n == MASTER)
		c->line &= (uint8_t)~CASCADE;
}

int lw_kvm_pic_import(struct lw_pic *pic, const struct kvm_pic_state *master,
		      const struct kvm_pic_state *slave)
{
	struct state *s;

	if (!pic || !master || !slave || master->init_state > WAIT_ICW4 ||
	    slave->init_state > WAIT_ICW4)
		return -EINVAL;
	lw_pic_enter(pic);
	s = &pic->state;
	import(&s->chip[MASTER], MASTER, master);
	import(&s->chip[SLAVE], SLAVE, slave);
	for (uint32_t pin = 0; pin < LW_PIC_PINS; pin++)
		s->sources[pin] = s->chip[pin / CHIP_PINS].line >> (pin % CHIP_PINS) & 1;
	s->ended = 0;
	lw_pic_settle(pic);
	lw_pic_leave(pic);
	return 0;
}
