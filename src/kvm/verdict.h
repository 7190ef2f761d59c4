/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_VERDICT_H
#define LAPWING_KVM_VERDICT_H

#include "kvm/sys.h"

#include <stddef.h>
#include <stdint.h>

/* What was seen, and what follows from it. No system call in here. */

/* In order of badness. */
enum lw_verdict {
	LW_CLEAN,
	LW_CANNOT_TELL,
	LW_STALE,
	LW_LOSES_EOI,
};

/* How an EOI that left the guest shows. */
enum lw_observer {
	LW_OBSERVER_NONE,
	LW_OBSERVER_EOI_EXIT, /* KVM_EXIT_IOAPIC_EOI: exact, split irqchip only */
	/*
	 * KVM spares the guest the EOI write by the paravirtual flag, but for vectors in its
	 * EOI-exit set: a guest that had to write left for it. Only where APICv is off.
	 */
	LW_OBSERVER_PV_EOI,
	LW_OBSERVER_EXIT_COUNTER, /* the vCPU's "exits" statistic: more than for an untouched one */
};

/*
 * Reuses by how many exits they took more than the reuse of an untouched vector just before:
 * slot LW_EXITS_EQUAL took as many, the outermost slots also what lies beyond. Neighbours are
 * compared because a busy host adds exits that come and go.
 */
#define LW_EXITS_SLOTS 17
#define LW_EXITS_EQUAL 8

struct lw_reuses {
	uint64_t reuses;
	uint64_t eoi_exits;
	uint64_t eoi_writes;
	uint64_t exits[LW_EXITS_SLOTS];
	bool exits_known;
};

/* What tells an intercepted EOI from another in this mode on this host. */
struct lw_calibration {
	enum lw_observer observer;
};

enum lw_arrival {
	LW_ARRIVAL_NONE, /* nothing was in flight */
	LW_ARRIVED,
	LW_LOST,
};

struct lw_case_result {
	const char *name;
	const char *order; /* of the halves of the RTE; NULL where the guest writes none */
	bool control;      /* nothing is reconfigured */
	bool counted;      /* part of the mode's verdict */
	enum lw_arrival arrival;
	struct lw_reuses seen;
	uint64_t superfluous;
	bool superfluous_known;
	enum lw_verdict verdict;
	struct lw_reason reason; /* why nothing can be told, else empty */
};

#define LW_MAX_CASES 8

struct lw_mode_result {
	const char *name;
	struct lw_calibration calibration;
	/*
	 * The interrupt was pending, not in service, when its pin was rerouted: where KVM ends an
	 * interrupt as it delivers it, none is ever in service.
	 */
	bool pending;
	struct lw_case_result cases[LW_MAX_CASES];
	size_t case_count;
	enum lw_verdict verdict;
	struct lw_reason reason;
};

const char *lw_verdict_name(enum lw_verdict verdict);
const char *lw_observer_name(enum lw_observer observer); /* NULL for none */

/*
 * Picks the observer that tells reuses of a vector that no route touched from reuses of a vector
 * that a route makes KVM intercept.
 */
struct lw_calibration lw_calibrate(const struct lw_reuses *untouched,
				   const struct lw_reuses *intercepted);

/* Fills in superfluous and verdict (and reason) from what was seen. */
void lw_judge_case(struct lw_case_result *result, const struct lw_calibration *calibration);
/* The worst of the counted cases; cannot-tell when the control, the first, was not clean. */
void lw_judge_mode(struct lw_mode_result *mode);

/* An enum lw_tool_exit. */
int lw_verdict_exit_status(const struct lw_mode_result *modes, size_t count);

#endif
