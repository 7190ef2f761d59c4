/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TOOL_PROBE_H
#define LAPWING_TOOL_PROBE_H

#include "kvm/cases.h"
#include "tool/tool.h"

/* What lapwing probe prints; see man/lapwing-probe.1. */
json_t *lw_probe_json(const char *kernel, uint64_t count, const struct lw_mode_result *modes,
		      size_t mode_count);
int lw_probe_print(const char *kernel, uint64_t count, const struct lw_mode_result *modes,
		   size_t mode_count, FILE *out);

#endif
