/* SPDX-License-Identifier: MIT */
#include "tool/bench.h"

#include "machine/scenario.h"

#include <errno.h>
#include <time.h>

#define ROUND_NS           300000.0 /* long enough for the clock, short enough to be undisturbed */
#define MOST_A_ROUND       (1u << 24)
#define ROUNDS             9
#define ROUTING_ROUNDS     300 /* of one call: it waits for others, which a busy host makes long */
#define MACHINE_ROUNDS     5
#define MACHINE_INTERRUPTS 500000

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Negative: the run failed. */
static double round_of(bench_run *run, void *arg, uint64_t count)
{
	double start = seconds(CLOCK_MONOTONIC);
	int err = run(arg, count);

	return err < 0 ? err : (seconds(CLOCK_MONOTONIC) - start) * 1e9;
}

double lw_bench_time(bench_run *run, void *arg, double round_ns, int rounds)
{
	uint64_t count = 1;
	double best = round_of(run, arg, count);

	while (best >= 0 && best < round_ns && count < MOST_A_ROUND) {
		count *= 2;
		best = round_of(run, arg, count);
	}
	for (int n = 1; n < rounds && best >= 0; n++) {
		double ns = round_of(run, arg, count);

		if (ns < best)
			best = ns; /* a failure, too */
	}
	return best < 0 ? best : best / (double)count;
}

struct timed {
	struct bench_rig rig;
	const struct bench_case *what;
};

static int run_timed(void *arg, uint64_t count)
{
	struct timed *t = arg;

	lw_bench_measured(&t->rig, t->what, count);
	return 0;
}

int lw_bench_time_row(struct bench_row *row)
{
	struct timed t = {.what = &row->what};
	int err = lw_bench_ops[row->what.op].open(&t.rig, &row->what);

	if (err == 0)
		row->ns = lw_bench_time(run_timed, &t, ROUND_NS, ROUNDS);
	lw_bench_close(&t.rig);
	return err;
}

/* Coincidence under armed, eight vCPUs, the ground truth on. A busy host only slows. */
int lw_bench_time_machine(struct bench *b)
{
	struct scenario_params p = {.count = MACHINE_INTERRUPTS, .vcpus = 8};
	int err = 0;

	for (int n = 0; n < MACHINE_ROUNDS && err == 0; n++) {
		struct scenario_result r;
		double start = seconds(CLOCK_PROCESS_CPUTIME_ID), rate;

		err = scenario_run(scenario_by_name("coincidence"), LW_EOI_ARMED, &p, &r);
		rate = (double)r.interrupts / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
		if (err == 0 && rate > b->machine)
			b->machine = rate;
	}
	return err;
}

/* ---- KVM ---- */

static int run_cost(void *arg, uint64_t count)
{
	return lw_cost_run(arg, count);
}

static double time_cost(struct lw_vm *vm, enum lw_cost_kind kind, uint32_t routes,
			struct lw_reason *reason)
{
	struct lw_cost cost;
	double ns = BENCH_UNKNOWN;

	if (lw_cost_prepare(&cost, vm, kind, routes, reason) == 0) {
		if (kind == LW_COST_ROUTING)
			ns = lw_bench_time(run_cost, &cost, 0, ROUTING_ROUNDS);
		else
			ns = lw_bench_time(run_cost, &cost, ROUND_NS, ROUNDS);
		if (ns < 0)
			lw_reason_set(reason, (int)ns, "%s", lw_cost_name(kind));
	}
	lw_cost_release(&cost);
	return ns < 0 ? BENCH_UNKNOWN : ns;
}

void lw_bench_time_kvm(struct bench *b, const struct lw_kvm *kvm, enum lw_vm_irqchip irqchip)
{
	/* A vCPU that does not stop goes on using it. */
	static struct lw_vm vms[2];
	struct lw_vm *vm = &vms[irqchip];
	struct lw_reason *reason = &b->no_kvm[irqchip];

	if (irqchip == LW_VM_SPLIT ? !kvm->split : !kvm->inkernel) {
		lw_reason_set(reason, -EPROTO, "this kernel does not offer it");
		return;
	}
	if (lw_vm_create(vm, kvm, irqchip, reason) == 0)
		for (size_t n = 0; n < b->kvm_count; n++)
			b->kvm[n].ns[irqchip] =
				time_cost(vm, b->kvm[n].kind, b->kvm[n].routes, reason);
	lw_vm_destroy(vm);
}
