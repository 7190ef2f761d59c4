/* SPDX-License-Identifier: MIT */
/* The whole controller as bytes: its parts in order, and the EOI policy's own snapshot. */
#include "chip_priv.h"
#include "pic_priv.h"
#include "snapshot.h"

#define LENGTH 4u /* of a policy's snapshot, before it */

static int restore_eoi(const struct lw_chip *c, const uint8_t *in, size_t size, bool apply)
{
	if (!c->hooks->restore)
		return size ? -EINVAL : 0;
	return c->hooks->restore(c->eoi, in, size, apply);
}

/* A policy that can't be saved has a snapshot of no bytes. */
static void walk_eoi(struct lw_snap *s, const struct lw_chip *c)
{
	size_t room = s->size > s->at + LENGTH ? s->size - s->at - LENGTH : 0;
	uint32_t bytes = 0;

	if (s->phase == SNAP_SAVE && c->hooks->save)
		bytes = (uint32_t)c->hooks->save(c->eoi, room ? s->out + s->at + LENGTH : NULL,
						 room);
	lw_snap_u32(s, &bytes);
	lw_snap_must(s, bytes <= room);
	if (s->phase != SNAP_SAVE && !s->err)
		s->err = restore_eoi(c, s->in + s->at, bytes, lw_snap_applies(s));
	s->at += bytes;
}

static void walk_parts(struct lw_snap *s, struct lw_chip *c)
{
	for (uint32_t n = 0; n < c->nvcpus; n++)
		lw_lapic_walk(s, lapic(c, n));
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_walk(s, ioapic(c, n));
	if (c->pic)
		lw_chip_walk_wire(s, c);
	lw_routes_walk(s, at(c, c->routes));
	walk_eoi(s, c);
}

static void walk(struct lw_snap *s, void *chip)
{
	struct lw_chip *c = chip;
	uint32_t turn = atomic_load_explicit(&c->turn, memory_order_relaxed);

	lw_snap_same(s, c->nvcpus);
	lw_snap_same(s, c->nioapics);
	lw_snap_same(s, c->x2apic);
	lw_snap_same(s, c->pic != 0);
	lw_snap_u32(s, &turn);
	lw_snap_must(s, turn <= c->nvcpus);
	walk_parts(s, c);
	if (!lw_snap_applies(s))
		return;
	atomic_store_explicit(&c->turn, turn, memory_order_relaxed);
	for (uint32_t n = 0; n < c->nvcpus; n++)
		lw_chip_place(c, n);
	lw_chip_count(c);
}

size_t lw_chip_save(struct lw_chip *c, void *buf, size_t size)
{
	size_t bytes;

	lw_chip_lock(c);
	bytes = lw_snap_save(SNAP_CHIP, walk, c, buf, size);
	lw_chip_unlock_only(c);
	return bytes;
}

int lw_chip_restore(struct lw_chip *c, const void *buf, size_t size)
{
	int err;

	lw_chip_lock(c);
	err = lw_snap_check(SNAP_CHIP, walk, c, buf, size);
	if (!err)
		lw_snap_apply(walk, c, buf, size);
	lw_chip_unlock(c);
	if (c->pic)
		lw_pic_drain(pic(c));
	for (uint32_t n = 0; !err && n < c->nvcpus; n++)
		lw_lapic_tell_restored(lapic(c, n));
	return err;
}

int lw_chip_shift_time(struct lw_chip *c, int64_t delta_ns)
{
	for (uint32_t n = 0; n < c->nvcpus; n++)
		if (!lw_lapic_can_shift(lapic(c, n), delta_ns))
			return -EINVAL;
	for (uint32_t n = 0; n < c->nvcpus; n++)
		lw_lapic_shift_time(lapic(c, n), delta_ns);
	return 0;
}
