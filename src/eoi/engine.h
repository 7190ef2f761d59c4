/* SPDX-License-Identifier: MIT */
/*
 * What the policies share: the vCPUs' sets, how a set reaches hardware, and how work is handed to
 * the one thread that may load it. A policy says only what belongs in a set, and when.
 */
#ifndef LW_EOI_ENGINE_H
#define LW_EOI_ENGINE_H

#include <lapwing/eoi.h>
#include <stdatomic.h>

#include "core/bits.h"
#include "core/doubles.h"

enum mode { OUT, IN_GUEST, LEAVING /* kicked, and perhaps still running guest code */ };

enum request {
	REQUEST_SCAN = 1u << 0, /* rebuild the set */
	REQUEST_HAND = 1u << 1, /* publish what is in `handed`, after a load */
	REQUEST_ASK = 1u << 2,  /* look where the vectors in `asked` are, after a load */
	REQUEST_ALL = REQUEST_SCAN | REQUEST_HAND | REQUEST_ASK
};

#define LW_CREDIT_KEPT 6 /* lazy: a good past counts for no more than so many */

struct vcpu {
	/* Any thread reads; `set` is written under the lock, the others by the owner. All of it
	 * sequentially consistent: docs/concurrency.md says why. */
	_Alignas(LW_EOI_ALIGN) _Atomic uint64_t set[LW_SET_WORDS];
	_Atomic uint64_t loaded[LW_SET_WORDS];
	_Atomic uint64_t dark[LW_SET_WORDS]; /* left `loaded` at some entry since lazy let go */
	_Atomic uint32_t mode;
	_Atomic uint32_t requests;
	_Atomic uint64_t reloads;
	/* Under the lock. */
	uint64_t handed[LW_SET_WORDS];     /* deliveries to publish after the next load */
	uint64_t asked[LW_SET_WORDS];      /* recalled vectors to look for */
	uint64_t ask_kicked[LW_SET_WORDS]; /* … for which the vCPU was kicked */
	/* Lazy, on a hardware bitmap: vectors whose EOI was let go; that would have been; that
	 * would not be loaded now if they had been; and what that gained, in exits less kicks. */
	uint64_t let_go[LW_SET_WORDS];
	uint64_t would[LW_SET_WORDS];
	uint64_t unloaded[LW_SET_WORDS];
	int outstanding; /* vectors in let_go */
	int balance;
	int last_pending; /* the tracking policies' record */
};

struct lw_eoi {
	const struct policy *policy;
	const struct lw_eoi_env *env;
	void *ctx;
	uint32_t flags;
	uint32_t nvcpus;
	struct lw_eoi_counters counters;
#ifdef LW_PARTS_APART
	struct vcpu *vcpu; /* for the proofs: ioapic_priv.h says why */
#else
	_Alignas(LW_EOI_ALIGN) struct vcpu vcpu[];
#endif
};

/* One scan of all routes for one vCPU, into a set of its own. */
struct scan {
	struct lw_eoi *eoi;
	uint32_t vcpu;
	uint64_t *set;
};

/* Members as in struct lw_eoi_hooks; a null one does nothing. */
struct policy {
	const char *name;
	int no_record; /* what last_pending is when there is none */
	void (*route)(struct lw_eoi *e, const struct lw_msg *before, const struct lw_msg *after);
	enum lw_publish (*deliver)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
	void (*ended)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found);
	bool (*fell)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
	enum lw_recall (*recall)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
	void (*closed)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
	void (*remap)(struct lw_eoi *e);
	void (*init)(struct lw_eoi *e, uint32_t vcpu);
	void (*broadcast)(struct lw_eoi *e, uint32_t vcpu, bool suppressed);
	/* REQUEST_ASK: a recalled vector was found, or not; `kicked` for it. */
	void (*found)(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, bool there, bool kicked);
	/* REQUEST_SCAN: before a scan, and for each route of it. */
	void (*begin)(struct lw_eoi *e, uint32_t vcpu);
	void (*see)(struct scan *scan, const struct lw_scanned *route);
};

#pragma GCC visibility push(hidden)

extern const struct policy lw_policy_static, lw_policy_scan, lw_policy_track_v4, lw_policy_track,
	lw_policy_armed, lw_policy_lazy;

/* Add to and take from a vCPU's set. Under the lock. */
void lw_eoi_add(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
void lw_eoi_del(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);

/* Ask a vCPU's owner for something. Returns whether it had to be kicked out of guest mode. */
bool lw_eoi_request(struct lw_eoi *e, uint32_t vcpu, uint32_t request);

/* Has the vector been out of the hardware's bitmap since lw_eoi_darken()? Under the lock. */
bool lw_eoi_is_dark(const struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
/* Take a vector out of the set, and begin to watch whether that reaches the hardware. */
void lw_eoi_darken(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);

/* The index of the engine's policy. */
enum lw_eoi_policy lw_eoi_policy_of(const struct lw_eoi *e);

/* eoi_snap.c: members of the hooks. */
size_t lw_eoi_hook_save(const void *eoi, void *buf, size_t size);
int lw_eoi_hook_restore(void *eoi, const void *buf, size_t size, bool apply);

/* scan.c: what the four scanning policies share. */
void lw_scan_route(struct lw_eoi *e, const struct lw_msg *before, const struct lw_msg *after);
void lw_scan_all(struct lw_eoi *e);
/* A route that leads here, or else may be awaited here: then the highest such is recorded. */
void lw_scan_track(struct scan *scan, uint8_t vector, bool leads_here);

/* armed.c: what lazy builds on. */
void lw_armed_route(struct lw_eoi *e, const struct lw_msg *before, const struct lw_msg *after);
enum lw_publish lw_armed_deliver(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
void lw_armed_ended(struct lw_eoi *e, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found);
void lw_armed_closed(struct lw_eoi *e, uint32_t vcpu, uint8_t vector);
void lw_armed_init(struct lw_eoi *e, uint32_t vcpu);
void lw_armed_broadcast(struct lw_eoi *e, uint32_t vcpu, bool suppressed);

#pragma GCC visibility pop

#endif
