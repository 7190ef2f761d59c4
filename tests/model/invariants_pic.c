/* SPDX-License-Identifier: MIT */
#include "model/invariants.h"

#include "core/pic_priv.h"

struct look {
	const struct lw_pic *pic;
	struct broken *why;
};

static bool breaks(const struct look *l, uint32_t chip, uint32_t pin, const char *rule)
{
	*l->why = (struct broken){.rule = rule, .chip = chip, .pin = pin};
	return false;
}

#define must(held, rule)                                \
	do {                                            \
		if (!(held))                            \
			return breaks(l, n, pin, rule); \
	} while (0)

static bool chip_holds(const struct look *l, uint32_t n)
{
	static const uint8_t elcr[CHIPS] = {LW_PIC_ELCR_MASTER, LW_PIC_ELCR_SLAVE};
	const struct chip *c = &l->pic->state.chip[n];
	const uint32_t pin = 0;

	must(c->lowest < CHIP_PINS, "a pin has the lowest priority");
	must(c->step <= WAIT_ICW4, "there are four command words");
	must(c->read_isr <= 1 && c->poll <= 1 && c->special <= 1 && c->rotate_aeoi <= 1,
	     "a mode is on or off");
	must(!(c->elcr & ~elcr[n]), "some pins are never level");
	must(!(c->latch & lw_pic_level_pins(c)), "a level pin latches no edge");
	return true;
}

/* The cascade's line has no source: it is what the slave requests. */
static bool lines_hold(const struct look *l)
{
	for (uint32_t pin = 0; pin < LW_PIC_PINS; pin++) {
		uint32_t n = pin / CHIP_PINS;
		bool high = l->pic->state.chip[n].line >> pin % CHIP_PINS & 1u;
		bool driven = l->pic->state.sources[pin] != 0;

		must(pin != LW_PIC_CASCADE_PIN || !driven, "no device drives the cascade");
		must(pin == LW_PIC_CASCADE_PIN || high == driven,
		     "a line is the OR of its sources");
	}
	return true;
}

static bool pair_holds(const struct look *l)
{
	const struct lw_pic *p = l->pic;
	const uint32_t n = 0, pin = 0;

	must(lw_pic_is_settled(p), "the cascade and INT follow from the rest");
	must(!(p->state.ended & CASCADE), "nobody is told of the cascade's end");
	must(!p->state.ended || p->draining, "who is to be told of an end is told");
	must(!(p->flags & ~LW_PIC_STRICT), "there is one flag");
	must(!p->ops->lock == !p->ops->unlock, "there are both lock ops or neither");
	return true;
}

bool lw_pic_holds(const struct lw_pic *pic, struct broken *why)
{
	const struct look look = {.pic = pic, .why = why};

	return chip_holds(&look, MASTER) && chip_holds(&look, SLAVE) && lines_hold(&look) &&
	       pair_holds(&look);
}
