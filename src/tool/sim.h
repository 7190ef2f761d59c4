/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TOOL_SIM_H
#define LAPWING_TOOL_SIM_H

#include "machine/scenario.h"
#include "tool/tool.h"

/* What an estimate charges, in cycles. */
struct sim_costs {
	uint64_t exit;                           /* an EOI that leaves the guest */
	uint64_t kick;                           /* a vCPU interrupted in guest mode */
	uint64_t scan;                           /* one (vCPU, route) pair looked at */
	bool exit_given, kick_given, scan_given; /* by the user: no other source */
};

/* One scenario under one policy. */
struct sim_run {
	const struct scenario *scenario;
	enum lw_eoi_policy policy;
	struct scenario_result result;
};

struct sim {
	struct scenario_params params;
	struct sim_costs costs;
	struct sim_run *runs; /* by scenario, then by policy */
	size_t count;
};

/* ---- sim_report.c ---- */

/* The published and the assumed costs, for split mode or for the in-kernel irqchip. */
struct sim_costs lw_sim_default_costs(bool in_kernel);

/* What the interrupts cost together, and each; negative where none was taken. */
struct sim_cycles {
	double exits, kicks, scans;
	double each;
};
struct sim_cycles lw_sim_cycles(const struct sim_costs *costs, const struct scenario_result *r);

uint32_t lw_sim_vcpus(const struct sim *sim, const struct sim_run *run);
uint32_t lw_sim_pins(const struct sim *sim, const struct sim_run *run);

/* What a scenario is about, and how big it is where that matters. */
#define SIM_ABOUT_SIZE 160
void lw_sim_about(const struct sim *sim, const struct sim_run *run, char text[SIM_ABOUT_SIZE]);

/* Something was lost or delivered twice under a policy that must not, or came from nowhere. */
bool lw_sim_is_broken(const struct sim_run *run);

/* What lapwing sim prints; see man/lapwing-sim.1. */
json_t *lw_sim_json(const struct sim *sim);
int lw_sim_print(const struct sim *sim, FILE *out);

/* ---- sim_svg.c ---- */

/* A gnuplot script that draws the runs as SVG on its standard output. `command` is its source line.
 */
void lw_sim_script(const struct sim *sim, const char *command, FILE *out);

#endif
