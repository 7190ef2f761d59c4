/* SPDX-License-Identifier: MIT */
#include "model/naive_pic.h"

#include <string.h>

static bool naive_is_level(const struct naive_chip *c, int pin)
{
	return c->ltim || c->elcr[pin];
}

static bool naive_requests(const struct naive_chip *c, int pin)
{
	return naive_is_level(c, pin) ? c->high[pin] : c->edge_seen[pin];
}

/* Go from the highest priority down: the first one in service stops the search. */
static int naive_pic_next(const struct naive_pic *m, int n)
{
	const struct naive_chip *c = &m->chip[n];

	if (c->next_icw)
		return -1;
	for (int step = 1; step <= 8; step++) {
		int pin = (c->lowest + step) % 8;
		bool asks = naive_requests(c, pin) && !c->masked[pin];
		bool blocks = c->serving[pin] && !(c->special_mask && c->masked[pin]);

		if (blocks && !(n == 0 && c->nested_special && c->has_slave[pin]))
			return -1;
		if (asks)
			return pin;
		if (blocks)
			return -1;
	}
	return -1;
}

void naive_pic_line(struct naive_pic *m, int n, int pin, bool level)
{
	struct naive_chip *c = &m->chip[n];

	if (level && !c->high[pin] && !naive_is_level(c, pin))
		c->edge_seen[pin] = true;
	if (!level && m->strict)
		c->edge_seen[pin] = false;
	c->high[pin] = level;
}

void naive_pic_outputs(struct naive_pic *m)
{
	bool intr;

	m->slave_int = naive_pic_next(m, 1) >= 0;
	naive_pic_line(m, 0, 2, m->slave_int);
	intr = naive_pic_next(m, 0) >= 0;
	if (intr && !m->intr)
		m->rises++;
	m->intr = intr;
}

static void naive_over(struct naive_pic *m, int n, int pin)
{
	if (n == 1 || pin != 2)
		m->over[8 * n + pin] = true;
}

static void naive_end(struct naive_pic *m, int n, int pin)
{
	if (m->chip[n].serving[pin])
		naive_over(m, n, pin);
	m->chip[n].serving[pin] = false;
}

static void naive_begin(struct naive_pic *m, int n, int pin)
{
	m->chip[n].serving[pin] = true;
	m->chip[n].edge_seen[pin] = false;
}

static void naive_after(struct naive_pic *m, int n, int pin)
{
	if (!m->chip[n].auto_eoi)
		return;
	naive_end(m, n, pin);
	if (m->chip[n].auto_rotate)
		m->chip[n].lowest = pin;
}

int naive_pic_inta(struct naive_pic *m)
{
	int pin = naive_pic_next(m, 0), below = -1, vector;

	if (pin < 0)
		return m->chip[0].base + 7;
	vector = m->chip[0].base + pin;
	if (m->chip[0].has_slave[pin] && (pin != 2 || m->chip[1].id != 2)) {
		vector = 0xff;
	} else if (m->chip[0].has_slave[pin]) {
		below = naive_pic_next(m, 1);
		vector = m->chip[1].base + (below < 0 ? 7 : below);
	}
	naive_begin(m, 0, pin);
	if (below >= 0)
		naive_begin(m, 1, below);
	naive_pic_outputs(m);
	if (below >= 0)
		naive_after(m, 1, below);
	naive_after(m, 0, pin);
	naive_pic_outputs(m);
	return vector;
}

int naive_pic_bits(const bool b[8])
{
	int value = 0;

	for (int n = 0; n < 8; n++)
		value += b[n] ? 1 << n : 0;
	return value;
}

static void naive_icw1(struct naive_pic *m, int n, int v)
{
	struct naive_chip *c = &m->chip[n], old = *c;

	memset(c, 0, sizeof(*c));
	memcpy(c->high, old.high, sizeof(c->high));
	memcpy(c->elcr, old.elcr, sizeof(c->elcr));
	if (n == 0)
		c->high[2] = false;
	c->base = old.base;
	c->lowest = 7;
	c->id = 7;
	c->ltim = (v & 8) != 0;
	c->single = (v & 2) != 0;
	c->wants_icw4 = (v & 1) != 0;
	c->next_icw = 2;
	for (int pin = 0; pin < 8; pin++)
		if (old.serving[pin] || (naive_requests(&old, pin) && !naive_requests(c, pin)))
			naive_over(m, n, pin);
}

static void naive_ocw2(struct naive_pic *m, int n, int v)
{
	struct naive_chip *c = &m->chip[n];
	int chosen = v & 7, top = -1;

	for (int step = 8; step >= 1; step--) {
		int pin = (c->lowest + step) % 8;

		if (c->serving[pin] && !(c->special_mask && c->masked[pin]))
			top = pin;
	}
	switch (v >> 5) {
	case 0:
		c->auto_rotate = false;
		break;
	case 1:
		if (top >= 0)
			naive_end(m, n, top);
		break;
	case 3:
		naive_end(m, n, chosen);
		break;
	case 4:
		c->auto_rotate = true;
		break;
	case 5:
		if (top >= 0) {
			naive_end(m, n, top);
			c->lowest = top;
		}
		break;
	case 6:
		c->lowest = chosen;
		break;
	case 7:
		naive_end(m, n, chosen);
		c->lowest = chosen;
		break;
	default:
		break;
	}
}

static void naive_data(struct naive_chip *c, int v)
{
	if (c->next_icw == 2) {
		c->base = v / 8 * 8;
		c->next_icw = !c->single ? 3 : c->wants_icw4 ? 4 : 0;
	} else if (c->next_icw == 3) {
		c->id = v % 8;
		for (int pin = 0; pin < 8; pin++)
			c->has_slave[pin] = v >> pin & 1;
		c->next_icw = c->wants_icw4 ? 4 : 0;
	} else if (c->next_icw == 4) {
		c->auto_eoi = (v & 2) != 0;
		c->nested_special = (v & 0x10) != 0;
		c->next_icw = 0;
	} else {
		for (int pin = 0; pin < 8; pin++)
			c->masked[pin] = v >> pin & 1;
	}
}

static void naive_elcr(struct naive_pic *m, int n, int v)
{
	struct naive_chip *c = &m->chip[n];

	for (int pin = 0; pin < 8; pin++) {
		int irq = 8 * n + pin;
		bool asked = naive_requests(c, pin);
		bool fixed = irq == 0 || irq == 1 || irq == 2 || irq == 8 || irq == 13;

		c->elcr[pin] = !fixed && (v >> pin & 1);
		c->edge_seen[pin] = asked && !naive_is_level(c, pin);
		if (asked && !naive_requests(c, pin))
			naive_over(m, n, pin);
	}
}

void naive_pic_out(struct naive_pic *m, int port, int v)
{
	int n = port == 0xa0 || port == 0xa1;

	if (port == 0x4d0 || port == 0x4d1) {
		naive_elcr(m, port == 0x4d1, v);
	} else if (port == 0x21 || port == 0xa1) {
		naive_data(&m->chip[n], v);
	} else if (port == 0x20 || port == 0xa0) {
		if (v & 0x10) {
			naive_icw1(m, n, v);
		} else if (v & 8) {
			if (v & 4)
				m->chip[n].polled = true;
			if (v & 2)
				m->chip[n].shows_isr = v & 1;
			if (v & 0x40)
				m->chip[n].special_mask = (v & 0x20) != 0;
		} else {
			naive_ocw2(m, n, v);
		}
	}
	naive_pic_outputs(m);
}

static int naive_poll(struct naive_pic *m, int n)
{
	int pin = naive_pic_next(m, n);

	m->chip[n].polled = false;
	if (pin < 0)
		return 7;
	naive_begin(m, n, pin);
	if (n == 1)
		m->chip[0].edge_seen[2] = false;
	naive_pic_outputs(m);
	naive_after(m, n, pin);
	naive_pic_outputs(m);
	return 0x80 + pin;
}

int naive_pic_in(struct naive_pic *m, int port)
{
	int n = port == 0xa0 || port == 0xa1;
	struct naive_chip *c = &m->chip[n];
	bool requests[8];

	if (port == 0x4d0 || port == 0x4d1)
		return naive_pic_bits(m->chip[port - 0x4d0].elcr);
	if (port != 0x20 && port != 0x21 && port != 0xa0 && port != 0xa1)
		return 0xff;
	if (c->polled)
		return naive_poll(m, n);
	if (port == 0x21 || port == 0xa1)
		return naive_pic_bits(c->masked);
	for (int pin = 0; pin < 8; pin++)
		requests[pin] = naive_requests(c, pin);
	return naive_pic_bits(c->shows_isr ? c->serving : requests);
}

void naive_pic_reset(struct naive_pic *m)
{
	for (int irq = 0; irq < 16; irq++)
		if (m->chip[irq / 8].serving[irq % 8] || naive_requests(&m->chip[irq / 8], irq % 8))
			naive_over(m, irq / 8, irq % 8);
	for (int n = 0; n < 2; n++) {
		struct naive_chip fresh = {.lowest = 7};

		memcpy(fresh.high, m->chip[n].high, sizeof(fresh.high));
		m->chip[n] = fresh;
	}
	naive_pic_outputs(m);
}

void naive_pic_init(struct naive_pic *m, bool strict)
{
	memset(m, 0, sizeof(*m));
	m->strict = strict;
	m->chip[0].lowest = m->chip[1].lowest = 7;
}
