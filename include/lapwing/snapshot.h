/* SPDX-License-Identifier: MIT */
/*
 * Snapshots: the state of a chip as bytes, and back.
 *
 * A snapshot holds all that governs what a chip does next, as it is at that instant: what was
 * posted and not yet merged, in-flight records with what `lazy` has let go of, line levels,
 * half-written sequences, the timer, the EOI policy's sets and requests. To take one changes
 * nothing. Counters are not part of it, and a restore leaves them alone. Equal states give equal
 * bytes, on every machine: little-endian, with a header of magic, kind, version, length and CRC-32.
 *
 * A restore goes into a chip that was set up by the same configuration, and puts its state in place
 * of whatever was there. It first checks everything: on any error nothing has changed, and a
 * snapshot that passes, be it forged with a right CRC, is a state that chip's calls can bear.
 *
 * Threads: with all vCPUs of the chip stopped and nobody else in it. A call of ops->resample may be
 * under way: it is made again after a restore.
 *
 * What a restore does not bring back: kicks, notifications and timers of the VMM's that are under
 * way. So afterwards treat every vCPU as kicked: it passes lw_chip_enter() or lw_chip_exit() and
 * looks at lw_lapic_pending() and lw_lapic_extint() before it halts. A vCPU whose thread starts out
 * of guest mode calls lw_chip_exit() first. What is kept outside by an op is told again:
 *
 *   LAPIC      deadline, threshold; restored alone also changed, and broadcast if that differs
 *   I/O APIC   resample for each pin that owes it, storm for each pin that is delayed; restored
 *              alone also record for each taker, and route for each pin
 *   PIC        intr if it has changed; eoi for each pin that owes it
 *
 * lw_ioapic_notify() is part of it, as it was where the snapshot was taken: a VMM whose resampled
 * pins are others says so again after the restore.
 *
 * Parts of a struct lw_chip are restored by lw_chip_restore() only: it keeps them in step.
 */
#ifndef LAPWING_SNAPSHOT_H
#define LAPWING_SNAPSHOT_H

#include <lapwing/chip.h>
#include <lapwing/eoi.h>
#include <lapwing/ioapic.h>
#include <lapwing/lapic.h>
#include <lapwing/pic.h>
#include <lapwing/route.h>
#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Each lw_X_save() returns how many bytes the snapshot takes. If that is more than `size`, what
 * `buf` then holds is no snapshot; with a size of 0 `buf` may be null.
 *
 * Each lw_X_restore() takes a snapshot of exactly `size` bytes and returns 0 or
 *   -EBADMSG  no snapshot, truncated, damaged, or of a state that no such chip can be in
 *   -ENOTSUP  of a version that this library does not know
 *   -EINVAL   of another kind of chip, or of one set up otherwise (pins, vCPUs, flags, ids, clock
 *             rates, policy …); or `buf` is null
 */
size_t lw_lapic_save(const struct lw_lapic *lapic, void *buf, size_t size);
int lw_lapic_restore(struct lw_lapic *lapic, const void *buf, size_t size);

/* Under ops->lock, which they take. */
size_t lw_ioapic_save(struct lw_ioapic *io, void *buf, size_t size);
int lw_ioapic_restore(struct lw_ioapic *io, const void *buf, size_t size);

/* Under ops->lock, which they take. */
size_t lw_pic_save(struct lw_pic *pic, void *buf, size_t size);
int lw_pic_restore(struct lw_pic *pic, const void *buf, size_t size);

/* As lw_routes_set(): lw_routes_find() goes on meanwhile. */
size_t lw_routes_save(const struct lw_routes *routes, void *buf, size_t size);
int lw_routes_restore(struct lw_routes *routes, const void *buf, size_t size);

/* An EOI engine of its own; that of a chip is part of the chip's snapshot. Under the lock. */
size_t lw_eoi_save(const struct lw_eoi *eoi, void *buf, size_t size);
int lw_eoi_restore(struct lw_eoi *eoi, const void *buf, size_t size);

/* The whole controller with its EOI engine, if that can be saved (struct lw_eoi_hooks). Under
 * ops->lock, which they take. */
size_t lw_chip_save(struct lw_chip *chip, void *buf, size_t size);
int lw_chip_restore(struct lw_chip *chip, const void *buf, size_t size);

/*
 * The clock that lw_lapic_time() is told by reads `delta_ns` more from now on than it would have: a
 * snapshot holds instants of the clock it was taken under, and a restored machine may have another.
 * Give what the clock says now less what it said when the snapshot was taken. What is left of a
 * running count stays; the guest's TSC has stood still meanwhile, unless lw_lapic_set_tsc() says
 * otherwise, and a TSC deadline moves along with it.
 *
 * Returns 0, or -EINVAL if the time told last would become negative or too large; nothing has
 * changed then. Owner; lw_chip_shift_time() with all of them stopped, and for all or for none.
 */
int lw_lapic_shift_time(struct lw_lapic *lapic, int64_t delta_ns);
int lw_chip_shift_time(struct lw_chip *chip, int64_t delta_ns);

#ifdef __cplusplus
}
#endif

#endif
