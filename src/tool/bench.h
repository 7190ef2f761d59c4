/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TOOL_BENCH_H
#define LAPWING_TOOL_BENCH_H

#include <lapwing/lapwing.h>

#include "kvm/cost.h"
#include "tool/tool.h"

/* ---- bench_rig.c: what is measured ---- */

/* A controller with its policy, or one LAPIC alone, or with an I/O APIC, driven by one thread. */
struct bench_rig {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct lw_lapic *alone;
	struct lw_ioapic *beside;
	uint32_t vcpus, routes;
	uint32_t pins;    /* of each I/O APIC */
	uint32_t targets; /* of a message */
	uint32_t *kicked;
	uint32_t kicks, kicked_size;
	uint32_t done; /* affinity changes so far */
	void *snapshot;
	size_t snapshot_size;
};

/* Both 0 or -errno; lw_bench_close() either way. The lock ops are null: what a lock costs is the
 * VMM's. `hardware`: the EOI-exit set is a bitmap. */
int lw_bench_open(struct bench_rig *rig, enum lw_eoi_policy policy, bool hardware, uint32_t vcpus,
		  uint32_t routes);
int lw_bench_open_lapic(struct bench_rig *rig, const struct lw_lapic_ops *ops);
/* An I/O APIC of 24 pins beside the LAPIC that lw_bench_open_lapic() has opened. */
int lw_bench_open_ioapic(struct bench_rig *rig, const struct lw_ioapic_ops *ops);
void lw_bench_close(struct bench_rig *rig);

/* A guest writes an RTE, high half first, through the chip's window. */
void lw_bench_write_rte(struct bench_rig *rig, uint32_t gsi, uint32_t vcpu, uint8_t vector);
/* A vCPU leaves guest mode and enters it again. */
void lw_bench_pass(struct bench_rig *rig, uint32_t vcpu);
/* As an allocator hands them out on each vCPU. */
uint8_t lw_bench_vector(const struct bench_rig *rig, uint32_t gsi);

/* ---- bench_ops.c: the operations ---- */

enum bench_op_number {
	BENCH_EDGE_LAPIC, /* post, accept, EOI: one LAPIC without ops */
	BENCH_EDGE_EOI,   /* … with an eoi op */
	BENCH_EDGE_CHIP,  /* … through lw_chip_msi() */
	BENCH_LEVEL_PAIR, /* line up, accept, line down, EOI: one I/O APIC and one LAPIC */
	BENCH_LEVEL,      /* … through lw_chip_line() */
	BENCH_MSI,        /* to `targets` vCPUs, which accept and end it */
	BENCH_IPI,        /* to all vCPUs, which accept and end it */
	BENCH_SNAPSHOT,   /* the whole controller, saved and restored */
	BENCH_AFFINITY,
	BENCH_OPS
};

/* What --only names. */
enum bench_group {
	BENCH_GROUP_EDGE = 1,
	BENCH_GROUP_LEVEL = 2,
	BENCH_GROUP_MSI = 4,
	BENCH_GROUP_IPI = 8,
	BENCH_GROUP_SNAPSHOT = 16,
	BENCH_GROUP_AFFINITY = 32,
	BENCH_GROUP_POSTERS = 64,
	BENCH_GROUP_MACHINE = 128,
	BENCH_GROUP_KVM = 256,
	BENCH_GROUP_ALL = 511
};

struct bench_case {
	enum bench_op_number op;
	enum lw_eoi_policy policy;
	uint32_t vcpus, routes, targets;
};

struct bench_op {
	const char *name;
	enum bench_group group;
	int (*open)(struct bench_rig *rig, const struct bench_case *c);
	void (*run)(struct bench_rig *rig, uint64_t count);
};

extern const struct bench_op lw_bench_ops[BENCH_OPS];

/* The cases of these groups, in order; the list is the caller's to free. 0: no memory, or none. */
size_t lw_bench_list(unsigned groups, struct bench_case **cases);

/* How often to run a case where its instructions are counted. */
uint32_t lw_bench_iterations(const struct bench_case *c);

/* Runs the operation `count` times. What callgrind watches, so a call of its own. */
void lw_bench_measured(struct bench_rig *rig, const struct bench_case *c, uint64_t count);

/* ---- what was found ---- */

#define BENCH_UNKNOWN (-1.0)

/* Of one operation, or BENCH_UNKNOWN. */
struct bench_row {
	struct bench_case what;
	double instructions, ns;
};

struct bench_kvm_row {
	enum lw_cost_kind kind;
	uint32_t routes;
	double ns[2]; /* by enum lw_vm_irqchip */
};

/* Posts a second, by the best of many rounds. */
struct bench_posters {
	double one, same_vcpu, two_vcpus; /* one poster; two, to one vCPU, to two */
	double control;                   /* what two threads that share nothing make of one's */
};

struct bench {
	unsigned groups;
	struct bench_row *rows;
	size_t count;
	struct lw_reason uncounted; /* why there are no instructions, or empty */
	struct bench_kvm_row *kvm;
	size_t kvm_count;
	struct lw_reason no_kvm[2], unposted; /* by enum lw_vm_irqchip */
	struct bench_posters posters;
	double machine; /* interrupts simulated a second of CPU time */
};

/* ---- bench_time.c ---- */

/* The ns of one of what `run` does `count` times, by the quickest of so many rounds, each of which
 * takes round_ns or more; or -errno. */
typedef int bench_run(void *arg, uint64_t count);
double lw_bench_time(bench_run *run, void *arg, double round_ns, int rounds);

/* Fill in the rows' ns, and the rest of what time tells. 0 or -errno. */
int lw_bench_time_row(struct bench_row *row);
int lw_bench_time_machine(struct bench *b);
void lw_bench_time_kvm(struct bench *b, const struct lw_kvm *kvm, enum lw_vm_irqchip irqchip);

/* ---- bench_posters.c ---- */

void lw_bench_post(struct bench *b);

/* ---- bench_count.c: instructions, by callgrind ---- */

/*
 * Runs this program again, under valgrind and with the arguments that have it run
 * lw_bench_be_counted(), and fills in the rows' instructions, or b->uncounted. 0 or -errno.
 */
int lw_bench_count(struct bench *b, char *const arguments[], struct lw_progress *bar);
/* The other end: runs every case, and says so line by line on standard output. */
int lw_bench_be_counted(const struct bench *b);

/* The instructions in one of callgrind's files, those in functions named bench_… or lw_bench_…
 * left out; or -EPROTO. */
int lw_bench_read_counts(FILE *in, uint64_t *instructions);

/* ---- bench_report.c ---- */

enum bench_verdict { BENCH_MET, BENCH_MISSED, BENCH_UNTOLD };

struct bench_target {
	const char *name, *summary;
	bool at_most; /* else at least */
	double limit, measured;
	enum bench_verdict verdict;
};

#define BENCH_TARGETS 8

/* Those of the groups that were run; returns how many. */
size_t lw_bench_targets(const struct bench *b, struct bench_target targets[BENCH_TARGETS]);
bool lw_bench_missed(const struct bench *b);

/* The affinity change of this policy and size, or null. */
const struct bench_row *lw_bench_find(const struct bench *b, enum lw_eoi_policy policy,
				      uint32_t vcpus, uint32_t routes);

/* Of one (vCPU, route) pair that scan looks at: what an affinity change costs more for each route
 * more and vCPU. */
struct bench_pair {
	double instructions, ns;
};
struct bench_pair lw_bench_pair(const struct bench *b);

/* What lapwing bench prints; see man/lapwing-bench.1. */
json_t *lw_bench_json(const struct bench *b);
int lw_bench_print(const struct bench *b, FILE *out);

/* ---- bench_svg.c ---- */

/* A gnuplot script that draws what affinity changes cost as SVG on its standard output. */
void lw_bench_script(const struct bench *b, const char *command, FILE *out);

#endif
