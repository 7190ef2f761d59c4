/* SPDX-License-Identifier: MIT */
/* The pair of 8259As as text, read without what a guest's read does. */
#include "pic_priv.h"
#include "text.h"

static void modes(struct lw_text *t, const struct chip *c)
{
	static const char *const steps[] = {
		[READY] = "ready",
		[WAIT_ICW2] = "waits for ICW2",
		[WAIT_ICW3] = "waits for ICW3",
		[WAIT_ICW4] = "waits for ICW4",
	};

	lw_text(t, "  %s, icw1 %02x icw2 %02x icw3 %02x icw4 %02x, IR%u lowest", steps[c->step],
		c->icw1, c->icw2, c->icw3, c->icw4, c->lowest);
	if (c->special)
		lw_text(t, ", special mask");
	if (c->rotate_aeoi)
		lw_text(t, ", rotates at automatic EOI");
	if (c->poll)
		lw_text(t, ", poll asked for");
	lw_text(t, ", reads %s\n", c->read_isr ? "ISR" : "IRR");
}

static void chip(struct lw_text *t, const char *name, const struct chip *c)
{
	uint32_t levels = lw_pic_level_pins(c);

	lw_text(t, "pic %s: irr %02x isr %02x imr %02x elcr %02x, lines %02x\n", name,
		(c->line & levels) | c->latch, c->isr, c->imr, c->elcr, c->line);
	modes(t, c);
}

static void sources(struct lw_text *t, const struct state *s)
{
	lw_text(t, "  INT %s", s->intr ? "high" : "low");
	for (uint32_t pin = 0; pin < LW_PIC_PINS; pin++)
		if (s->sources[pin])
			lw_text(t, ", pin %u by 0x%x", pin, s->sources[pin]);
	lw_text(t, "\n");
}

static void counters(struct lw_text *t, const struct lw_pic_counters *c)
{
	lw_text(t, "  acknowledged %llu polled %llu spurious %llu",
		(unsigned long long)c->acknowledged, (unsigned long long)c->polled,
		(unsigned long long)c->spurious);
	lw_text(t, " ended %llu coalesced %llu\n", (unsigned long long)c->ended,
		(unsigned long long)c->coalesced);
}

void lw_pic_text(struct lw_text *t, const struct lw_pic *p)
{
	chip(t, "master", &p->state.chip[MASTER]);
	chip(t, "slave", &p->state.chip[SLAVE]);
	sources(t, &p->state);
	counters(t, &p->counters);
}

size_t lw_pic_dump(struct lw_pic *p, char *buf, size_t size)
{
	struct lw_text text = {.buf = buf, .size = size};

	lw_pic_enter(p);
	lw_pic_text(&text, p);
	lw_pic_unlock(p); /* and run nothing */
	return lw_text_end(&text);
}
