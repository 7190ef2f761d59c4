/* SPDX-License-Identifier: MIT */
/* Deviations of the 8259s. */
#include "rules.h"

/* ---- 8259s ---- */

static bool is_pic_port(const struct diff_case *c)
{
	return c->op.kind == OP_PORT_READ || c->op.kind == OP_PORT_WRITE;
}

/* Where the pair's state, what a guest reads of it or what it makes a vCPU take may differ. */
static uint64_t anything_of_pic(const struct diff_case *c, const struct diff_one *d)
{
	if (d->where >= AT_PIC_IRR || d->where == AT_VECTOR || c->op.kind == OP_WINDOW)
		return ALL;
	return d->where == AT_VALUE && is_pic_port(c) ? ALL : 0;
}

/* At ICW1 KVM keeps what is in service, and drops what only an edge requested. */
uint64_t rule_pic_icw1(const struct diff_case *c, const struct diff_one *d)
{
	return c->op.kind == OP_PORT_WRITE && c->op.value & 0x10 &&
			       (c->op.address == 0x20 || c->op.address == 0xa0) &&
			       (d->where == AT_PIC_IRR || d->where == AT_PIC_ISR)
		       ? ALL
		       : 0;
}

/* After the last ICW KVM does not look for requests: the slave's does not come to the master. */
uint64_t rule_pic_initialized(const struct diff_case *c, const struct diff_one *d)
{
	return (c->pic_before[0].icw || c->pic_before[1].icw) && d->where == AT_PIC_IRR &&
			       d->index == 0
		       ? 1u << LW_PIC_CASCADE_PIN & d->ours & ~d->theirs
		       : 0;
}

uint64_t rule_pic_initializing(const struct diff_case *c, const struct diff_one *d)
{
	return c->pic[0].icw || c->pic[1].icw ? anything_of_pic(c, d) : 0;
}

/* A pin that becomes edge or level keeps in KVM the request that it had; and so, seen from the
 * master, does the slave. */
uint64_t rule_pic_elcr(const struct diff_case *c, const struct diff_one *d)
{
	uint32_t n = c->op.address & 1u;
	uint64_t changed = c->before.pic[n].elcr ^ c->ours.pic[n].elcr;

	if (c->op.kind != OP_PORT_WRITE || (c->op.address & ~1u) != 0x4d0 || d->where != AT_PIC_IRR)
		return 0;
	return d->index == n ? changed : 1u << LW_PIC_CASCADE_PIN;
}

uint64_t rule_pic_special_mask(const struct diff_case *c, const struct diff_one *d)
{
	return c->pic[0].special || c->pic[1].special ? anything_of_pic(c, d) : 0;
}

uint64_t rule_pic_sfnm(const struct diff_case *c, const struct diff_one *d)
{
	return c->pic[0].sfnm ? anything_of_pic(c, d) : 0;
}

uint64_t rule_pic_poll(const struct diff_case *c, const struct diff_one *d)
{
	return c->pic[0].polled || c->pic[1].polled ? anything_of_pic(c, d) : 0;
}

uint64_t rule_pic_rotation(const struct diff_case *c, const struct diff_one *d)
{
	return c->pic[0].rotates_still || c->pic[1].rotates_still ? anything_of_pic(c, d) : 0;
}

/* LTIM, SNGL, no ICW4, other cascades. */
uint64_t rule_pic_options(const struct diff_case *c, const struct diff_one *d)
{
	for (uint32_t n = 0; n < 2; n++)
		if ((c->pic[n].icw1 & 0x0bu) != 1 || c->pic[n].rewired)
			return anything_of_pic(c, d);
	return 0;
}

uint64_t rule_pic_wide(const struct diff_case *c, const struct diff_one *d)
{
	return d->where == AT_VALUE && c->op.kind == OP_PORT_READ && c->op.width > 1 && !d->theirs
		       ? ALL
		       : 0;
}
