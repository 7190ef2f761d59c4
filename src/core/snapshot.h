/* SPDX-License-Identifier: MIT */
/*
 * What all snapshots share. Each chip has one function that walks its state, for saving, for
 * checking and for restoring alike: so the three can't differ. It copies the state, walks the copy,
 * says what must hold, and writes the copy back if lw_snap_applies().
 */
#ifndef LW_SNAPSHOT_PRIV_H
#define LW_SNAPSHOT_PRIV_H

#include <errno.h>
#include <lapwing/snapshot.h>

enum snap_kind { SNAP_LAPIC = 1, SNAP_IOAPIC, SNAP_PIC, SNAP_ROUTES, SNAP_EOI, SNAP_CHIP };

enum snap_phase { SNAP_SAVE, SNAP_CHECK, SNAP_APPLY };

struct lw_snap {
	enum snap_phase phase;
	uint8_t *out;      /* SNAP_SAVE */
	const uint8_t *in; /* the others */
	size_t size, at;
	int err; /* the first thing that was wrong; what is read after it is zero */
};

typedef void lw_snap_walk(struct lw_snap *s, void *chip);

static inline bool lw_snap_applies(const struct lw_snap *s)
{
	return s->phase == SNAP_APPLY;
}

#pragma GCC visibility push(hidden)

/* The whole of a save; of the first half of a restore, which checks; and of the second, which comes
 * after a successful first. */
size_t lw_snap_save(enum snap_kind kind, lw_snap_walk *walk, const void *chip, void *buf,
		    size_t size);
int lw_snap_check(enum snap_kind kind, lw_snap_walk *walk, void *chip, const void *buf,
		  size_t size);
void lw_snap_apply(lw_snap_walk *walk, void *chip, const void *buf, size_t size);

/* One field, saved or read. */
void lw_snap_u8(struct lw_snap *s, uint8_t *value);
void lw_snap_u16(struct lw_snap *s, uint16_t *value);
void lw_snap_u32(struct lw_snap *s, uint32_t *value);
void lw_snap_u64(struct lw_snap *s, uint64_t *value);
void lw_snap_u64s(struct lw_snap *s, uint64_t *value, size_t count);
void lw_snap_bool(struct lw_snap *s, bool *value);

/* A field that the configuration gives: the snapshot's must be the same. */
void lw_snap_same(struct lw_snap *s, uint64_t value);

/* A state where this is not so can't be. Looked at in no save. */
void lw_snap_must(struct lw_snap *s, bool so);

/* The chips' own. The I/O APIC's and the PIC's under their lock. */
void lw_lapic_walk(struct lw_snap *s, void *lapic);
void lw_ioapic_walk(struct lw_snap *s, void *chip);
void lw_pic_walk(struct lw_snap *s, void *pic);
void lw_routes_walk(struct lw_snap *s, void *routes);

/* What whoever keeps something outside is told after a restore. */
void lw_lapic_tell_restored(const struct lw_lapic *lapic);

/* ops->record for every taker of every record. */
void lw_ioapic_tell_records(struct lw_ioapic *io, bool open);

/* Whether lw_lapic_shift_time() can be done. */
bool lw_lapic_can_shift(const struct lw_lapic *lapic, int64_t delta_ns);

#pragma GCC visibility pop

#endif
