/* SPDX-License-Identifier: MIT */
/*
 * How fast the machine runs: `throughput [INTERRUPTS [ROUNDS]]`. Coincidence, two vCPUs, armed, the
 * ground truth on. Prints interrupts per second of the best round, for a busy host only slows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "machine/scenario.h"

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct scenario_params p = {.count = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000};
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 5;
	double best = 0;

	for (unsigned long n = 0; n < rounds; n++) {
		struct scenario_result r;
		double start = seconds(), rate;

		if (scenario_run(scenario_by_name("coincidence"), LW_EOI_ARMED, &p, &r))
			return 2;
		rate = (double)r.interrupts / (seconds() - start);
		if (rate > best)
			best = rate;
	}
	printf("%.0f\n", best);
	return best > 0 ? 0 : 2;
}
