/* SPDX-License-Identifier: MIT */
/* An I/O APIC's state as bytes. */
#include <string.h>

#include "ioapic_priv.h"
#include "snapshot.h"

#define FLAGS (UNUSUAL - 1u) /* which follows from the RTE, as all after it would */

/* ---- what can be ---- */

static bool has(const struct lw_pin *p, unsigned flag)
{
	return (p->flags & flag) != 0;
}

/* Only a level pin has a record, and it has one of three kinds of takers. */
static bool record_can_be(const struct lw_ioapic *io, const struct lw_pin *p)
{
	if (!has(p, RECORD))
		return !has(p, LET_GO | SEVERAL | ANYBODY | KEPT | DOUBTED);
	if (has(p, RESIDUE | REFUSED | SAMPLING) || (has(p, SEVERAL) && has(p, ANYBODY)))
		return false;
	if (has(p, DOUBTED) && (has(p, SEVERAL | ANYBODY) || !io->ops->recall))
		return false;
	return p->msg.level && (!has(p, LET_GO) || has(p, DOUBTED));
}

static bool pin_can_be(const struct lw_ioapic *io, const struct lw_pin *p)
{
	bool asks = p->msg.level && !(p->rte & LW_RTE_MASK) && lw_pin_asserted(io, p);

	if (p->rte & ~lw_rte_writable(io, p->rte) || p->storm >= STORM_LIMIT)
		return false;
	if (!has(p, RECORD | RESIDUE) && (p->vcpu || p->vector))
		return false;
	if (has(p, REFUSED) ? !asks : asks && !has(p, RECORD | DELAYED | SAMPLING))
		return false; /* or nothing would ever deliver it */
	if ((has(p, SAMPLING) && !io->ops->resample) || (has(p, DELAYED) && !io->ops->storm))
		return false;
	return p->vcpu < io->nvcpus && record_can_be(io, p);
}

/* ---- the walk ---- */

static void walk_map(struct lw_snap *s, struct lw_ioapic *io, struct lw_pin *p,
		     const struct lw_pin *image)
{
	uint64_t *map = lw_pin_map(io, p), any = 0;
	bool wanted = has(image, SEVERAL | RESIDUE);
	uint32_t rest = io->nvcpus % 64u;

	for (size_t w = 0; w < io->map_words; w++) {
		uint64_t word = s->phase == SNAP_SAVE ? map[w] : 0;

		if (wanted)
			lw_snap_u64(s, &word);
		any |= word;
		if (rest && w + 1 == io->map_words)
			lw_snap_must(s, !(word >> rest));
		if (lw_snap_applies(s))
			map[w] = word;
	}
	lw_snap_must(s, !wanted || any);
}

/* What the IOMMU answered is kept: it need not be asked. */
static struct lw_msg walk_answer(struct lw_snap *s, const struct lw_pin *image)
{
	struct lw_msg msg = image->msg;

	lw_snap_u32(s, &msg.dest);
	lw_snap_u8(s, &msg.vector);
	lw_snap_u8(s, &msg.delivery);
	lw_snap_bool(s, &msg.logical);
	lw_snap_bool(s, &msg.level);
	lw_snap_must(s, msg.delivery <= LW_DM_EXTINT);
	lw_snap_must(s, msg.level == ((image->rte & LW_RTE_LEVEL) && lw_msg_ends(&msg)));
	return msg;
}

static void walk_pin(struct lw_snap *s, struct lw_ioapic *io, struct lw_pin *p)
{
	struct lw_pin image = *p;

	image.flags &= FLAGS;
	lw_snap_u64(s, &image.rte);
	lw_snap_u32(s, &image.sources);
	lw_snap_u32(s, &image.vcpu);
	lw_snap_u16(s, &image.storm);
	lw_snap_u16(s, &image.flags);
	lw_snap_u8(s, &image.vector);
	lw_snap_must(s, !(image.flags & ~FLAGS));
	lw_pin_set_rte(io, &image, image.rte,
		       lw_rte_is_remappable(io, image.rte) ? walk_answer(s, &image)
							   : lw_pin_message(io, image.rte));
	lw_snap_must(s, pin_can_be(io, &image));
	walk_map(s, io, p, &image);
	if (lw_snap_applies(s))
		*p = image;
}

/* Who is to be told although the pin waits no more. One that does is told again, even if he is
 * being told now. */
static void walk_resample(struct lw_snap *s, struct lw_ioapic *io)
{
	for (uint32_t w = 0; w < PIN_WORDS; w++) {
		uint64_t owed = io->resample[w];

		for (uint32_t n = w * 64u; n < io->pins && n < (w + 1u) * 64u; n++)
			if (has(lw_pin_at(io, n), SAMPLING))
				owed &= ~lw_bit(n);
		lw_snap_u64(s, &owed);
		for (uint32_t n = 0; n < 64; n++)
			if (owed & lw_bit(n))
				lw_snap_must(s, w * 64u + n < io->pins && io->ops->resample);
		if (lw_snap_applies(s))
			io->resample[w] = owed;
	}
}

/* What follows from the pins. An index is in the order of pins then, which nobody can tell. */
void lw_ioapic_derive(struct lw_ioapic *io)
{
	io->owed = false;
	io->refused = 0;
	memset(io->head, NONE, sizeof(io->head));
	memset(io->storm, 0, sizeof(io->storm));
	for (uint32_t n = io->pins; n-- > 0;) {
		const struct lw_pin *p = lw_pin_at(io, n);

		if (p->msg.level)
			lw_pin_link(io, BY_ROUTE, p->msg.vector, p);
		if (has(p, RECORD | RESIDUE))
			lw_pin_link(io, BY_RECORD, p->vector, p);
		io->refused += has(p, REFUSED);
		if (has(p, SAMPLING))
			lw_set_add(io->resample, n);
		if (has(p, DELAYED))
			lw_set_add(io->storm, n); /* whoever times it is told again */
		io->owed |= has(p, DELAYED);
	}
	io->owed |= !lw_map_empty(io->resample, PIN_WORDS);
}

void lw_ioapic_walk(struct lw_snap *s, void *chip)
{
	struct lw_ioapic *io = chip;
	uint32_t select = io->select;
	uint8_t id = io->id;

	lw_snap_same(s, io->gsi_base);
	lw_snap_same(s, io->pins);
	lw_snap_same(s, io->nvcpus);
	lw_snap_same(s, io->flags);
	lw_snap_same(s, io->id_at_reset);
	lw_snap_same(s, io->version);
	lw_snap_u32(s, &select);
	lw_snap_u8(s, &id);
	lw_snap_must(s, select <= lw_ioapic_selectable(io) && id < 16);
	walk_resample(s, io);
	for (uint32_t n = 0; n < io->pins; n++)
		walk_pin(s, io, lw_pin_at(io, n));
	if (!lw_snap_applies(s))
		return;
	io->select = select;
	io->id = id;
	lw_ioapic_derive(io);
}

/* ---- the calls ---- */

static void lock(struct lw_ioapic *io)
{
	if (io->ops->lock)
		io->ops->lock(io->ctx);
}

static void unlock(struct lw_ioapic *io)
{
	if (io->ops->unlock)
		io->ops->unlock(io->ctx);
}

size_t lw_ioapic_save(struct lw_ioapic *io, void *buf, size_t size)
{
	size_t bytes;

	lock(io);
	bytes = lw_snap_save(SNAP_IOAPIC, lw_ioapic_walk, io, buf, size);
	unlock(io); /* and run nothing */
	return bytes;
}

void lw_ioapic_tell_routes(struct lw_ioapic *io, bool there)
{
	const struct lw_msg none = {0};

	for (uint32_t n = 0; io->ops->route && n < io->pins; n++) {
		const struct lw_msg *msg = &lw_pin_at(io, n)->msg;

		if (msg->level)
			io->ops->route(io->ctx, there ? &none : msg, there ? msg : &none);
	}
}

int lw_ioapic_restore(struct lw_ioapic *io, const void *buf, size_t size)
{
	int err;

	lock(io);
	err = lw_snap_check(SNAP_IOAPIC, lw_ioapic_walk, io, buf, size);
	if (!err) {
		lw_ioapic_tell_records(io, false);
		lw_ioapic_tell_routes(io, false);
		lw_snap_apply(lw_ioapic_walk, io, buf, size);
		lw_ioapic_tell_records(io, true);
		lw_ioapic_tell_routes(io, true);
	}
	unlock(io);
	lw_ioapic_drain(io);
	return err;
}
