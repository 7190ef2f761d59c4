/* SPDX-License-Identifier: MIT */
#include "kvm/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

const char *lw_verdict_name(enum lw_verdict verdict)
{
	static const char *const names[] = {
		[LW_CLEAN] = "clean",
		[LW_CANNOT_TELL] = "cannot-tell",
		[LW_STALE] = "stale",
		[LW_LOSES_EOI] = "loses-eoi",
	};

	return names[verdict];
}

const char *lw_observer_name(enum lw_observer observer)
{
	static const char *const names[] = {
		[LW_OBSERVER_NONE] = NULL,
		[LW_OBSERVER_EOI_EXIT] = "eoi-exit",
		[LW_OBSERVER_PV_EOI] = "pv-eoi",
		[LW_OBSERVER_EXIT_COUNTER] = "exit-counter",
	};

	return names[observer];
}

/* Reuses that took more exits than their untouched neighbour. */
static uint64_t took_more(const struct lw_reuses *seen)
{
	uint64_t count = 0;

	for (unsigned slot = LW_EXITS_EQUAL + 1; slot < LW_EXITS_SLOTS; slot++)
		count += seen->exits[slot];
	return count;
}

struct lw_calibration lw_calibrate(const struct lw_reuses *untouched,
				   const struct lw_reuses *intercepted)
{
	struct lw_calibration none = {.observer = LW_OBSERVER_NONE};

	if (untouched->reuses == 0 || intercepted->reuses == 0)
		return none;
	/* A stray exit between delivery and EOI withdraws the flag, hence the margins. */
	if (untouched->eoi_writes * 4 <= untouched->reuses &&
	    intercepted->eoi_writes * 4 >= intercepted->reuses * 3)
		return (struct lw_calibration){.observer = LW_OBSERVER_PV_EOI};
	/* Strict, for a busy host must not pass noise off as a verdict. */
	if (untouched->exits_known && intercepted->exits_known &&
	    took_more(untouched) * 10 <= untouched->reuses &&
	    took_more(intercepted) * 10 >= intercepted->reuses * 9)
		return (struct lw_calibration){.observer = LW_OBSERVER_EXIT_COUNTER};
	return none;
}

static uint64_t count_intercepted(const struct lw_reuses *seen, const struct lw_calibration *how)
{
	switch (how->observer) {
	case LW_OBSERVER_EOI_EXIT:
		return seen->eoi_exits;
	case LW_OBSERVER_PV_EOI:
		return seen->eoi_writes;
	case LW_OBSERVER_EXIT_COUNTER:
		return took_more(seen);
	default:
		return 0;
	}
}

/*
 * A stale vector stays, so nearly every reuse exits; a kernel that cleans up takes one exit at
 * most, and the observers that are not exact see a few strays.
 */
static enum lw_verdict judge_reuses(struct lw_case_result *result, enum lw_observer observer)
{
	uint64_t reuses = result->seen.reuses;
	uint64_t strays = observer == LW_OBSERVER_EOI_EXIT ? 0 : reuses / 10;

	if (result->superfluous <= 1)
		return LW_CLEAN;
	if (result->superfluous > reuses / 2)
		return LW_STALE;
	if (result->superfluous <= strays)
		return LW_CLEAN;
	lw_reason_set(&result->reason, -EPROTO,
		      "%" PRIu64 " of %" PRIu64 " reuses exited: too many for a kernel that cleans "
		      "up, too few for one that does not",
		      result->superfluous, reuses);
	return LW_CANNOT_TELL;
}

void lw_judge_case(struct lw_case_result *result, const struct lw_calibration *calibration)
{
	result->superfluous_known = calibration->observer != LW_OBSERVER_NONE;
	result->superfluous = count_intercepted(&result->seen, calibration);
	if (result->arrival == LW_LOST) {
		result->verdict = LW_LOSES_EOI;
	} else if (result->superfluous_known) {
		result->verdict = judge_reuses(result, calibration->observer);
	} else if (result->control) {
		result->verdict = LW_CLEAN;
	} else {
		result->verdict = LW_CANNOT_TELL;
		lw_reason_set(
			&result->reason, -EPROTO,
			"stale vectors do not show: no paravirtual EOI here, and an intercepted "
			"EOI adds no exit to the counters");
	}
}

void lw_judge_mode(struct lw_mode_result *mode)
{
	const struct lw_case_result *control = &mode->cases[0];

	if (mode->case_count == 0) {
		mode->verdict = LW_CANNOT_TELL;
		return;
	}
	/* An unclean control says that the ruler is bent. */
	if (control->verdict != LW_CLEAN) {
		mode->verdict = LW_CANNOT_TELL;
		mode->reason = control->reason;
		if (!mode->reason.text[0])
			lw_reason_set(&mode->reason, -EPROTO,
				      "the control, where nothing is reconfigured, was not clean");
		return;
	}
	mode->verdict = LW_CLEAN;
	for (size_t i = 0; i < mode->case_count; i++) {
		const struct lw_case_result *result = &mode->cases[i];

		if (!result->counted || result->verdict <= mode->verdict)
			continue;
		mode->verdict = result->verdict;
		mode->reason = result->reason;
	}
}

int lw_verdict_exit_status(const struct lw_mode_result *modes, size_t count)
{
	int status = 2;

	for (size_t i = 0; i < count; i++) {
		if (modes[i].verdict >= LW_STALE)
			return 1;
		if (modes[i].verdict == LW_CLEAN)
			status = 0;
	}
	return status;
}
