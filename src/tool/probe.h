/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TOOL_PROBE_H
#define LAPWING_TOOL_PROBE_H

#include "kvm/cases.h"
#include "tool/tool.h"

/* What lapwing probe prints; see man/lapwing-probe.1. */
struct lw_probe_report {
	const char *kernel;
	uint64_t count;
	const struct lw_mode_result *modes; /* split first */
	size_t mode_count;
	const struct lw_mode_result *lapwing; /* the same host through Lapwing */
};

json_t *lw_probe_json(const struct lw_probe_report *report);
int lw_probe_print(const struct lw_probe_report *report, FILE *out);

#endif
