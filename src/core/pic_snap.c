/* SPDX-License-Identifier: MIT */
/* The state of the pair of 8259As as bytes. */
#include "pic_priv.h"
#include "snapshot.h"

static bool chip_can_be(const struct chip *c, uint8_t elcr)
{
	return c->lowest < CHIP_PINS && c->step <= WAIT_ICW4 && c->read_isr <= 1 && c->poll <= 1 &&
	       c->special <= 1 && c->rotate_aeoi <= 1 && !(c->elcr & ~elcr) &&
	       !(c->latch & lw_pic_level_pins(c));
}

/* Lines are what the sources make them. The cascade has none: settling has to say the same. */
static bool lines_can_be(const struct state *state)
{
	for (uint32_t pin = 0; pin < LW_PIC_PINS; pin++) {
		bool high = state->chip[pin / CHIP_PINS].line & 1u << pin % CHIP_PINS;

		if (pin == LW_PIC_CASCADE_PIN ? state->sources[pin] != 0
					      : high != (state->sources[pin] != 0))
			return false;
	}
	return true;
}

/* In a pair of its own, for pins and INT follow from all of it. */
static bool can_be(const struct lw_pic *p, const struct state *state)
{
	struct lw_pic pair = {.state = *state, .flags = p->flags};

	return chip_can_be(&state->chip[MASTER], LW_PIC_ELCR_MASTER) &&
	       chip_can_be(&state->chip[SLAVE], LW_PIC_ELCR_SLAVE) && lines_can_be(state) &&
	       !(state->ended & CASCADE) && lw_pic_is_settled(&pair);
}

static void walk_chip(struct lw_snap *s, struct chip *c)
{
	uint8_t *const fields[] = {
		&c->line,   &c->latch,    &c->isr,  &c->imr,     &c->elcr,
		&c->lowest, &c->icw1,     &c->icw2, &c->icw3,    &c->icw4,
		&c->step,   &c->read_isr, &c->poll, &c->special, &c->rotate_aeoi,
	};

	_Static_assert(sizeof(fields) / sizeof(*fields) == sizeof(*c), "a field is missing");
	for (size_t n = 0; n < sizeof(fields) / sizeof(*fields); n++)
		lw_snap_u8(s, fields[n]);
}

void lw_pic_walk(struct lw_snap *s, void *pic)
{
	struct lw_pic *p = pic;
	struct state state = p->state;

	lw_snap_same(s, p->flags);
	for (uint32_t n = 0; n < CHIPS; n++)
		walk_chip(s, &state.chip[n]);
	for (uint32_t n = 0; n < LW_PIC_PINS; n++)
		lw_snap_u32(s, &state.sources[n]);
	lw_snap_u16(s, &state.ended);
	lw_snap_bool(s, &state.intr);
	lw_snap_must(s, can_be(p, &state));
	if (lw_snap_applies(s))
		p->state = state;
}

size_t lw_pic_save(struct lw_pic *p, void *buf, size_t size)
{
	size_t bytes;

	lw_pic_enter(p);
	bytes = lw_snap_save(SNAP_PIC, lw_pic_walk, p, buf, size);
	lw_pic_unlock(p);
	return bytes;
}

int lw_pic_restore(struct lw_pic *p, const void *buf, size_t size)
{
	bool intr;
	int err;

	lw_pic_enter(p);
	intr = p->state.intr;
	err = lw_snap_check(SNAP_PIC, lw_pic_walk, p, buf, size);
	if (!err) {
		lw_snap_apply(lw_pic_walk, p, buf, size);
		if (p->ops->intr && p->state.intr != intr)
			p->ops->intr(p->ctx, p->state.intr);
	}
	lw_pic_leave(p);
	return err;
}
