/* SPDX-License-Identifier: MIT */
/* The cases that matter, each by name, each run on a machine with one policy. */
#ifndef LW_SCENARIO_H
#define LW_SCENARIO_H

#include "machine/machine.h"

#define SCENARIO_MAX_VCPUS 4096u
#define SCENARIO_MAX_PINS  LW_ROUTES_MAX_GSI

struct scenario_params {
	uint64_t count; /* how often the repeated part repeats */
	uint64_t seed;
	uint32_t vcpus; /* 0: the scenario's own */
	uint32_t pins;  /* of all I/O APICs together; 0: the scenario's own */
	bool hardware;
	bool in_kernel;
	bool low_first; /* guests write the low half of an RTE first */
};

struct scenario {
	const char *name;
	const char *summary;
	bool story;           /* among the few that are shown unless all are asked for */
	uint32_t vcpus, pins; /* its own; and the least it can do with */
	uint32_t min_vcpus, min_pins;
	uint32_t min_ioapics;
	void (*run)(struct machine *m, const struct scenario_params *p);
	/* How many interrupts or steps it takes for such a count: for a progress bar. Null: count.
	 */
	uint64_t (*length)(const struct scenario_params *p);
};

struct scenario_result {
	uint64_t interrupts; /* taken by guests */
	struct truth_counts truth;
	struct lw_eoi_counters engine;
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

const struct scenario *scenario_by_name(const char *name);

/*
 * Run one. 0; -ENOMEM; -ERANGE where vcpus or pins are fewer than the scenario needs, or more than
 * the machine can have.
 */
int scenario_run(const struct scenario *s, enum lw_eoi_policy policy,
		 const struct scenario_params *p, struct scenario_result *result);

/* The scenarios, a file for each kind. */
void scenario_moved_in_service(struct machine *m, const struct scenario_params *p);
void scenario_coincidence(struct machine *m, const struct scenario_params *p);
void scenario_vector_rewrite(struct machine *m, const struct scenario_params *p);
void scenario_same_vector(struct machine *m, const struct scenario_params *p);
void scenario_reset_latch(struct machine *m, const struct scenario_params *p);
void scenario_edge_route(struct machine *m, const struct scenario_params *p);
void scenario_shared_line(struct machine *m, const struct scenario_params *p);
void scenario_masked_in_handler(struct machine *m, const struct scenario_params *p);
void scenario_storm(struct machine *m, const struct scenario_params *p);
void scenario_directed_eoi(struct machine *m, const struct scenario_params *p);
void scenario_multi_destination(struct machine *m, const struct scenario_params *p);
void scenario_irqbalance(struct machine *m, const struct scenario_params *p);
void scenario_wide(struct machine *m, const struct scenario_params *p);
void scenario_random(struct machine *m, const struct scenario_params *p);

/* One step of the random scenario, and its end: for tests that look after every step. */
void scenario_random_step(struct machine *m);
void scenario_random_end(struct machine *m);

#endif
