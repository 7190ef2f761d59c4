/* SPDX-License-Identifier: MIT */
/* What the rules must know and no chip tells: lines, routes, and how the 8259s were programmed. */
#include "diff.h"

enum { ICW2 = 1, ICW3 = 2, ICW4 = 4 };

static void watch_line(struct diff_case *c)
{
	uint32_t gsi = c->op.address;

	if (c->msi_routes >> gsi & 1u)
		return; /* no pin's */
	c->lines = (c->lines & ~(1u << gsi)) | (uint32_t)(c->op.value != 0) << gsi;
}

static void watch_route(struct diff_case *c)
{
	uint32_t gsi = c->op.width;

	c->msi_routes = (c->msi_routes & ~(1u << gsi)) | (uint32_t)(c->op.address != 0) << gsi;
	c->msi_address[gsi] = c->op.address;
	c->msi_data[gsi] = (uint32_t)c->op.value;
}

static void watch_command(struct diff_pic_watch *w, uint8_t value)
{
	if (value & 0x10) {
		*w = (struct diff_pic_watch){
			.icw1 = value, .rotates = w->rotates, .rotates_still = w->rotates};
		w->icw = (uint8_t)(ICW2 | (value & 2 ? 0 : ICW3) | (value & 1 ? ICW4 : 0));
	} else if (value & 0x08) {
		w->poll = w->poll || value & 0x04;
		if (value & 0x40)
			w->special = (value & 0x20) != 0;
	} else if (!(value & 0x60)) {
		w->rotates = (value & 0x80) != 0;
	}
}

/* ICWs come in order. */
static void watch_data(struct diff_pic_watch *w, bool slave, uint8_t value)
{
	if (w->icw & ICW2) {
		w->icw &= (uint8_t)~ICW2;
	} else if (w->icw & ICW3) {
		w->icw &= (uint8_t)~ICW3;
		w->rewired = value != (slave ? 2 : 4);
	} else if (w->icw & ICW4) {
		w->icw &= (uint8_t)~ICW4;
		w->sfnm = (value & 0x10) != 0;
	}
}

void diff_watch(struct diff_case *c)
{
	uint32_t port = c->op.address;
	bool slave = port >= 0xa0;
	struct diff_pic_watch *w = &c->pic[slave];

	c->pic_before[0] = c->pic[0];
	c->pic_before[1] = c->pic[1];
	if (c->op.kind == OP_LINE)
		watch_line(c);
	else if (c->op.kind == OP_ROUTE)
		watch_route(c);
	else if (port > 0xa1)
		return;
	else if (c->op.kind == OP_PORT_WRITE && port & 1u)
		watch_data(w, slave, (uint8_t)c->op.value);
	else if (c->op.kind == OP_PORT_WRITE)
		watch_command(w, (uint8_t)c->op.value);
	else if (c->op.kind == OP_PORT_READ && w->poll) {
		w->poll = false;
		w->polled = true;
	}
}
