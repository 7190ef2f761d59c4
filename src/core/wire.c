/* SPDX-License-Identifier: MIT */
/*
 * The pair of 8259s in the controller, and the virtual wire: INT leads to LINT0 of every vCPU. It
 * changes on any thread, and LINT0 is its vCPU's: so changes are counted in one word, and each vCPU
 * catches up with it by itself.
 */
#include "chip_priv.h"
#include "pic_priv.h"
#include "snapshot.h"

/* ---- what the 8259s tell, under the lock ---- */

/* First the change, then the question who listens: docs/concurrency.md. */
static void pic_intr(void *ctx, bool level)
{
	struct lw_chip *c = ctx;

	atomic_fetch_add(&c->wire, 1);
	if (!level)
		return;
	for (uint32_t n = 0; n < c->nvcpus; n++)
		if (lw_lapic_listens(lapic(c, n)))
			lw_chip_notify(c, n);
}

static void pic_eoi(void *ctx, uint32_t pin)
{
	const struct lw_chip *c = ctx;

	c->ops->pic_eoi(c->ctx, pin);
}

#define PIC_OPS .lock = lw_chip_lock, .unlock = lw_chip_unlock_only, .intr = pic_intr

/* Without somebody to hear of ends none is queued. */
static const struct lw_pic_ops pic_ops[2] = {
	{PIC_OPS},
	{PIC_OPS, .eoi = pic_eoi},
};

/* ---- storage ---- */

static size_t seen_size(uint32_t nvcpus)
{
	return lw_round_up((size_t)nvcpus * sizeof(uint32_t), LW_CHIP_ALIGN);
}

size_t lw_chip_lay_out_pic(struct lw_chip *c, const struct lw_chip_config *config, size_t size)
{
	c->pic = size;
	c->seen = size + LW_PIC_SIZE;
	return c->seen + seen_size(config->nvcpus);
}

int lw_chip_init_pic(struct lw_chip *c, const struct lw_chip_config *config)
{
	struct lw_pic_config one = {
		.ops = &pic_ops[c->ops->pic_eoi != NULL], .ctx = c, .flags = config->pic_flags};
	uint32_t *seen = at(c, c->seen);

	for (uint32_t n = 0; n < c->nvcpus; n++)
		seen[n] = 0;
	return lw_pic_init(pic(c), &one);
}

struct lw_pic *lw_chip_pic(struct lw_chip *c)
{
	return c->pic ? pic(c) : NULL;
}

/* ---- the vCPU's thread ---- */

/* How many changes a vCPU has yet to see. A pulse that has come and gone since is an edge all the
 * same; but several are no more than one, so the last three steps will do. */
static uint32_t behind(uint32_t seen, uint32_t now)
{
	uint32_t steps = now - seen;

	return steps > 3 ? 2u + (steps & 1u) : steps;
}

static void catch_up(struct lw_lapic *l, uint32_t seen, uint32_t now)
{
	uint32_t steps = behind(seen, now);

	while (steps-- > 0)
		lw_lapic_lint(l, 0, (now - steps) & 1u);
}

void lw_chip_sense(struct lw_chip *c, uint32_t vcpu)
{
	uint32_t now = atomic_load(&c->wire), *seen = at(c, c->seen);

	catch_up(lapic(c, vcpu), seen[vcpu], now);
	seen[vcpu] = now;
}

/* What counts of `wire` is its low bit, which follows from the 8259s. */
void lw_chip_walk_wire(struct lw_snap *s, struct lw_chip *c)
{
	uint32_t now = atomic_load(&c->wire), *seen = at(c, c->seen);

	lw_pic_walk(s, pic(c));
	if (lw_snap_applies(s))
		atomic_store(&c->wire, pic(c)->state.intr);
	for (uint32_t n = 0; n < c->nvcpus; n++) {
		uint8_t steps = (uint8_t)behind(seen[n], now);

		lw_snap_u8(s, &steps);
		lw_snap_must(s, steps <= 3);
		if (lw_snap_applies(s))
			seen[n] = pic(c)->state.intr - (uint32_t)steps;
	}
}

/* What the 8259s have for this vCPU, asked for or taken by `get`; -1: nothing. */
static int extint(struct lw_chip *c, uint32_t vcpu, int (*get)(struct lw_pic *pic))
{
	if (!c->pic)
		return -1;
	lw_chip_sense(c, vcpu);
	return lw_lapic_extint(lapic(c, vcpu)) ? get(pic(c)) : -1;
}

int lw_chip_pending(struct lw_chip *c, uint32_t vcpu)
{
	int vector;

	if (vcpu >= c->nvcpus)
		return -1;
	vector = extint(c, vcpu, lw_pic_pending);
	return vector < 0 ? lw_lapic_pending(lapic(c, vcpu)) : vector;
}

int lw_chip_accept(struct lw_chip *c, uint32_t vcpu)
{
	int vector;

	if (vcpu >= c->nvcpus)
		return -1;
	vector = extint(c, vcpu, lw_pic_accept);
	return vector < 0 ? lw_lapic_accept(lapic(c, vcpu)) : vector;
}
