/* SPDX-License-Identifier: MIT */
/*
 * Must this end-of-interrupt leave the guest? One engine that keeps a 256-bit EOI-exit set for
 * each vCPU, and six policies of what belongs in it.
 *
 *   static    the vectors of the level routes that lead to the vCPU. Loses EOIs. KVM once did this.
 *   scan      also those of level routes elsewhere that are pending or in service here, and they
 *             stay. KVM up to 6.15.
 *   track-v4  scan, and the highest vector so added is rescanned for at its EOI: the change as it
 *             was posted in March 2025, flaws kept.
 *   track     the same as KVM merged it for 6.16.
 *   armed     no scan: a vector enters when a level interrupt is delivered, and leaves at its EOI
 *             if no level route needs it.
 *   lazy      armed, and a vector may also leave when the line drops before the EOI.
 *
 * The first four lose EOIs in known ways and are here to be compared with. Use `armed` or `lazy`.
 */
#ifndef LAPWING_EOI_H
#define LAPWING_EOI_H

#include <lapwing/seam.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_EOI_ALIGN 64u

enum lw_eoi_policy {
	LW_EOI_STATIC,
	LW_EOI_SCAN,
	LW_EOI_TRACK_V4,
	LW_EOI_TRACK,
	LW_EOI_ARMED,
	LW_EOI_LAZY,
	LW_EOI_POLICIES /* how many */
};

struct lw_eoi; /* opaque; lw_eoi_size() bytes */

/* The set is a bitmap that only the vCPU's owner can load; the scanning policies scan as KVM's
 * in-kernel I/O APIC does, and else as its split mode does. */
#define LW_EOI_HARDWARE  1u
#define LW_EOI_IN_KERNEL 2u

struct lw_eoi_config {
	enum lw_eoi_policy policy;
	uint32_t flags;               /* LW_EOI_… */
	uint32_t nvcpus;              /* 1 … 65,536 */
	const struct lw_eoi_env *env; /* must outlive the engine */
	void *ctx;                    /* handed to env */
};

/* Bytes for an engine of so many vCPUs; 0 if there are none or too many. */
size_t lw_eoi_size(uint32_t nvcpus);

/* Set up an engine: all sets empty, all vCPUs out of guest mode.
 * Returns 0, or -EINVAL (misaligned, no such policy or flag, an env member missing). */
int lw_eoi_init(struct lw_eoi *storage, const struct lw_eoi_config *config);

/* What to hand to the chips: their `eoi` argument is the engine. One constant table. */
const struct lw_eoi_hooks *lw_eoi_hooks(void);

/* "static" … "lazy", or null; and the reverse, or -EINVAL. */
const char *lw_eoi_policy_name(enum lw_eoi_policy policy);
int lw_eoi_policy_by_name(const char *name);

/* Is the vector in the vCPU's set? `loaded`: in what its hardware holds. Any thread; with vCPUs
 * running, an instant's truth. */
bool lw_eoi_in_set(const struct lw_eoi *eoi, uint32_t vcpu, uint8_t vector, bool loaded);

/* A bitmap to load into hardware: four words of the vCPU's loaded set, bit v of word v / 64. Call
 * it in the owner, after hooks->enter has returned. */
void lw_eoi_bitmap(const struct lw_eoi *eoi, uint32_t vcpu, uint64_t bitmap[4]);

struct lw_eoi_counters {
	uint64_t necessary;      /* EOI exits that resolved a record */
	uint64_t redundant;      /* … that another taker had forestalled */
	uint64_t superfluous;    /* … that had nothing to resolve */
	uint64_t routes_scanned; /* (vCPU, route) pairs looked at */
	uint64_t kicks_reconfig; /* vCPUs interrupted in guest mode for a reconfiguration */
	uint64_t kicks_arm;      /* … to load a bit, or to look where a vector is */
	uint64_t reloads;        /* sets loaded at an entry because they had changed */
};

/* A copy of the counters, summed over the vCPUs. Under the lock. */
struct lw_eoi_counters lw_eoi_counters(const struct lw_eoi *eoi);

#ifdef __cplusplus
}
#endif

#endif
