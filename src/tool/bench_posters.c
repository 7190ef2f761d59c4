/* SPDX-License-Identifier: MIT */
/*
 * Two threads that post at once. Each round is short and each figure the best of many, so that
 * rounds in which the host was busy elsewhere don't count. Two threads that share nothing, in the
 * same rounds, tell whether two cores were there at all.
 */
#include "tool/bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS  150
#define BURSTS  600
#define BURST   32u /* then the owner merges */
#define ADDRESS 0xfee00000u

struct poster {
	struct team *team;
	uint32_t vcpu;
	bool owner;  /* stands in for the vCPU's thread */
	bool shares; /* posts; else it computes, alone */
	double start, end;
	uint64_t sum;
};

struct team {
	struct bench_rig rig;
	struct poster member[2];
	uint32_t count;
	atomic_uint ready;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void post(struct poster *p)
{
	struct lw_chip *chip = p->team->rig.chip;
	uint32_t address = ADDRESS | p->vcpu << 12;

	for (uint32_t n = 0; n < BURSTS; n++) {
		for (uint32_t v = 0; v < BURST; v++)
			lw_chip_msi(chip, address, 0x40 + 3 * v);
		if (p->owner)
			lw_lapic_sync(lw_chip_lapic(chip, p->vcpu));
	}
}

static void compute(struct poster *p)
{
	uint64_t x = p->vcpu + 1;

	for (uint32_t n = 0; n < BURSTS * BURST * 16; n++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	p->sum = x;
}

static void *run(void *arg)
{
	struct poster *p = arg;

	atomic_fetch_add(&p->team->ready, 1);
	while (atomic_load(&p->team->ready) < p->team->count)
		sched_yield();
	p->start = now();
	if (p->shares)
		post(p);
	else
		compute(p);
	p->end = now();
	return NULL;
}

/* What the team does a second, or 0 if it could not be started. */
static double rate(struct team *team, uint32_t count, bool apart, bool shares)
{
	pthread_t thread[2];
	double start, end;
	uint32_t begun = 0;

	team->count = count;
	atomic_store(&team->ready, 0);
	for (uint32_t n = 0; n < count; n++)
		team->member[n] = (struct poster){.team = team,
						  .vcpu = apart ? n : 0,
						  .owner = apart || n == 0,
						  .shares = shares};
	while (begun < count &&
	       pthread_create(&thread[begun], NULL, run, &team->member[begun]) == 0)
		begun++;
	if (begun < count)
		atomic_store(&team->ready, count);
	for (uint32_t n = 0; n < begun; n++)
		pthread_join(thread[n], NULL);
	if (begun < count)
		return 0;
	start = team->member[0].start;
	end = team->member[0].end;
	if (count == 2 && team->member[1].start < start)
		start = team->member[1].start;
	if (count == 2 && team->member[1].end > end)
		end = team->member[1].end;
	return count * (double)BURSTS * BURST / (end - start);
}

static void keep_best(double *best, double one)
{
	if (one > *best)
		*best = one;
}

void lw_bench_post(struct bench *b)
{
	struct team team = {0};
	struct bench_posters *p = &b->posters;
	double alone = 0, both = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0 || CPU_COUNT(&cpus) < 2) {
		lw_reason_set(&b->unposted, -EPROTO, "this takes two CPUs");
		return;
	}
	if (lw_bench_open(&team.rig, LW_EOI_ARMED, false, 2, 24)) {
		lw_reason_set(&b->unposted, -ENOMEM, "cannot set up a controller");
	} else {
		for (int n = 0; n < ROUNDS; n++) {
			keep_best(&p->one, rate(&team, 1, true, true));
			keep_best(&p->same_vcpu, rate(&team, 2, false, true));
			keep_best(&p->two_vcpus, rate(&team, 2, true, true));
			keep_best(&alone, rate(&team, 1, true, false));
			keep_best(&both, rate(&team, 2, true, false));
		}
		if (alone > 0)
			p->control = both / alone;
		if (p->one <= 0 || p->control <= 0)
			lw_reason_set(&b->unposted, -EPROTO, "cannot start threads");
	}
	lw_bench_close(&team.rig);
}
