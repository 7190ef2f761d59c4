/* SPDX-License-Identifier: MIT */
/*
 * The operations that lapwing bench measures, each as often as it is told to. What runs while one
 * is measured and is the caller's, not the library's, has a name that starts with bench_ or
 * lw_bench_: bench_count.c leaves it out.
 */
#include "tool/bench.h"

#include <errno.h>
#include <stdlib.h>

#define VECTOR  0x51u
#define ADDRESS 0xfee00000u
#define LOGICAL (1u << 2) /* in an MSI's address */
#define PRIME   7919u     /* so that neighbours don't follow each other */

/* ---- an interrupt from its source to its EOI ---- */

static void bench_eoi_told(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	(void)ctx;
	(void)vcpu;
	(void)vector;
	(void)broadcast;
}

static int open_lapic(struct bench_rig *rig, const struct bench_case *c)
{
	(void)c;
	return lw_bench_open_lapic(rig, NULL);
}

static int open_lapic_eoi(struct bench_rig *rig, const struct bench_case *c)
{
	static const struct lw_lapic_ops with_eoi = {.eoi = bench_eoi_told};

	(void)c;
	return lw_bench_open_lapic(rig, &with_eoi);
}

static void bench_take(struct lw_lapic *lapic)
{
	lw_lapic_accept(lapic);
	lw_lapic_eoi(lapic);
}

static void bench_edge_alone(struct bench_rig *rig, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		lw_lapic_post(rig->alone, VECTOR, false);
		bench_take(rig->alone);
	}
}

static int open_chip(struct bench_rig *rig, const struct bench_case *c)
{
	int err = lw_bench_open(rig, c->policy, false, c->vcpus, c->routes);

	rig->targets = c->targets;
	return err;
}

static void bench_edge_chip(struct bench_rig *rig, uint64_t count)
{
	struct lw_lapic *lapic = lw_chip_lapic(rig->chip, 1);

	for (uint64_t n = 0; n < count; n++) {
		lw_chip_msi(rig->chip, ADDRESS | 1u << 12, VECTOR);
		bench_take(lapic);
	}
}

/* The two chips by themselves, each the other's only neighbour. */
static void bench_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg,
			  struct lw_takers *takers)
{
	const struct bench_rig *rig = ctx;

	(void)gsi;
	if (lw_lapic_post(rig->alone, msg->vector, msg->level) < LW_POST_REFUSED)
		takers->count = 1;
}

static void bench_eoi_comes(void *ctx, uint32_t vcpu, uint8_t vector, bool broadcast)
{
	const struct bench_rig *rig = ctx;

	if (broadcast)
		lw_ioapic_eoi(rig->beside, vcpu, vector);
}

static int open_level_pair(struct bench_rig *rig, const struct bench_case *c)
{
	static const struct lw_lapic_ops lapic = {.eoi = bench_eoi_comes};
	static const struct lw_ioapic_ops ioapic = {.deliver = bench_deliver};
	int err = lw_bench_open_lapic(rig, &lapic);

	(void)c;
	if (!err)
		err = lw_bench_open_ioapic(rig, &ioapic);
	if (!err)
		lw_ioapic_write(rig->beside, 0x10 + 2 * 3, VECTOR | (uint32_t)LW_RTE_LEVEL);
	return err;
}

static void bench_level_pair(struct bench_rig *rig, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		lw_ioapic_line(rig->beside, 3, 0, true);
		lw_lapic_accept(rig->alone);
		lw_ioapic_line(rig->beside, 3, 0, false);
		lw_lapic_eoi(rig->alone);
	}
}

static int open_level(struct bench_rig *rig, const struct bench_case *c)
{
	int err = open_chip(rig, c);

	if (!err)
		lw_bench_write_rte(rig, 3, 1, VECTOR);
	return err;
}

static void bench_level(struct bench_rig *rig, uint64_t count)
{
	struct lw_lapic *lapic = lw_chip_lapic(rig->chip, 1);

	for (uint64_t n = 0; n < count; n++) {
		lw_chip_line(rig->chip, 3, 0, true);
		lw_lapic_accept(lapic);
		lw_chip_line(rig->chip, 3, 0, false);
		lw_lapic_eoi(lapic);
	}
}

/* To the first `targets` vCPUs of the first cluster. */
static void bench_msi_many(struct bench_rig *rig, uint64_t count)
{
	uint32_t dest = (1u << rig->targets) - 1u;
	/* Bits 14…8 of the destination as LW_MSI_EXT_DEST has them. */
	uint32_t address = ADDRESS | LOGICAL | (dest & 0xff) << 12 | (dest >> 8) << 5;

	for (uint64_t n = 0; n < count; n++) {
		lw_chip_msi(rig->chip, address, VECTOR);
		for (uint32_t v = 0; v < rig->targets; v++)
			bench_take(lw_chip_lapic(rig->chip, v));
	}
}

/* All including self, from vCPU 0. */
static void bench_ipi(struct bench_rig *rig, uint64_t count)
{
	struct lw_lapic *from = lw_chip_lapic(rig->chip, 0);

	for (uint64_t n = 0; n < count; n++) {
		lw_lapic_send(from, (uint64_t)LW_SHORTHAND_ALL << 18 | VECTOR);
		for (uint32_t v = 0; v < rig->vcpus; v++)
			bench_take(lw_chip_lapic(rig->chip, v));
	}
}

/* ---- a snapshot ---- */

static int open_snapshot(struct bench_rig *rig, const struct bench_case *c)
{
	int err = open_chip(rig, c);

	if (err)
		return err;
	for (uint32_t n = 0; n < rig->routes; n++)
		lw_bench_write_rte(rig, n, n % rig->vcpus, lw_bench_vector(rig, n));
	rig->snapshot_size = lw_chip_save(rig->chip, NULL, 0);
	rig->snapshot = malloc(rig->snapshot_size);
	return rig->snapshot && rig->snapshot_size ? 0 : -ENOMEM;
}

static void bench_snapshot(struct bench_rig *rig, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		lw_chip_save(rig->chip, rig->snapshot, rig->snapshot_size);
		lw_chip_restore(rig->chip, rig->snapshot, rig->snapshot_size);
	}
}

/* ---- an affinity change ---- */

static int open_affinity(struct bench_rig *rig, const struct bench_case *c)
{
	int err = lw_bench_open(rig, c->policy, true, c->vcpus, c->routes);

	if (err)
		return err;
	for (uint32_t n = 0; n < rig->routes; n++)
		lw_bench_write_rte(rig, n, n % rig->vcpus, lw_bench_vector(rig, n));
	for (uint32_t n = 0; n < rig->vcpus; n++)
		lw_chip_enter(rig->chip, n);
	rig->kicks = 0;
	return 0;
}

/*
 * Whoever is kicked for it leaves and enters guest mode again, and so does the new target, as if
 * for something else. A change takes another vector, and another one when all pins have been
 * through, so that with one vCPU, too, there is something to change.
 */
static void bench_affinity(struct bench_rig *rig, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		uint32_t change = rig->done++, gsi = change * PRIME % rig->routes;
		uint32_t to = (gsi + 1 + change) % rig->vcpus;
		uint32_t other = 1 + change / rig->routes % 2;

		lw_bench_write_rte(rig, gsi, to, (uint8_t)(lw_bench_vector(rig, gsi) + other));
		while (rig->kicks)
			lw_bench_pass(rig, rig->kicked[--rig->kicks]);
		lw_bench_pass(rig, to);
	}
}

/* ---- the table ---- */

const struct bench_op lw_bench_ops[] = {
	[BENCH_EDGE_LAPIC] = {"edge-lapic", BENCH_GROUP_EDGE, open_lapic, bench_edge_alone},
	[BENCH_EDGE_EOI] = {"edge-lapic-eoi", BENCH_GROUP_EDGE, open_lapic_eoi, bench_edge_alone},
	[BENCH_EDGE_CHIP] = {"edge-chip", BENCH_GROUP_EDGE, open_chip, bench_edge_chip},
	[BENCH_LEVEL_PAIR] = {"level-pair", BENCH_GROUP_LEVEL, open_level_pair, bench_level_pair},
	[BENCH_LEVEL] = {"level", BENCH_GROUP_LEVEL, open_level, bench_level},
	[BENCH_MSI] = {"msi", BENCH_GROUP_MSI, open_chip, bench_msi_many},
	[BENCH_IPI] = {"ipi-broadcast", BENCH_GROUP_IPI, open_chip, bench_ipi},
	[BENCH_SNAPSHOT] = {"snapshot", BENCH_GROUP_SNAPSHOT, open_snapshot, bench_snapshot},
	[BENCH_AFFINITY] = {"affinity", BENCH_GROUP_AFFINITY, open_affinity, bench_affinity},
};

void lw_bench_measured(struct bench_rig *rig, const struct bench_case *c, uint64_t count)
{
	lw_bench_ops[c->op].run(rig, count);
}

/* ---- which of them ---- */

#define MOST_CASES 256

struct list {
	struct bench_case *cases;
	size_t count;
};

static void add(struct list *list, enum bench_op_number op, enum lw_eoi_policy policy,
		uint32_t vcpus, uint32_t routes, uint32_t targets)
{
	list->cases[list->count++] = (struct bench_case){
		.op = op, .policy = policy, .vcpus = vcpus, .routes = routes, .targets = targets};
}

static void list_affinity(struct list *list)
{
	/* By routes, by vCPUs, and by both where that does not take minutes. */
	static const struct {
		uint32_t vcpus, routes;
		bool unscanned;
	} sizes[] = {{1, 24, false},    {8, 24, false},  {64, 24, false},  {512, 24, false},
		     {4096, 24, false}, {8, 64, false},  {8, 256, false},  {8, 1024, false},
		     {8, 4096, false},  {1, 4096, true}, {64, 1024, true}, {4096, 4096, true}};

	for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++)
		for (int p = 0; p < LW_EOI_POLICIES; p++)
			if (!sizes[n].unscanned || p >= LW_EOI_ARMED)
				add(list, BENCH_AFFINITY, (enum lw_eoi_policy)p, sizes[n].vcpus,
				    sizes[n].routes, 1);
}

size_t lw_bench_list(unsigned groups, struct bench_case **cases)
{
	static const uint32_t takers[] = {1, 2, 4, 8, 15};
	struct list list = {.cases = calloc(MOST_CASES, sizeof(struct bench_case))};

	*cases = list.cases;
	if (!list.cases)
		return 0;
	if (groups & BENCH_GROUP_EDGE) {
		add(&list, BENCH_EDGE_LAPIC, LW_EOI_ARMED, 1, 0, 1);
		add(&list, BENCH_EDGE_EOI, LW_EOI_ARMED, 1, 0, 1);
		add(&list, BENCH_EDGE_CHIP, LW_EOI_ARMED, 8, 24, 1);
	}
	if (groups & BENCH_GROUP_LEVEL) {
		add(&list, BENCH_LEVEL_PAIR, LW_EOI_ARMED, 1, 0, 1);
		for (int p = LW_EOI_ARMED; p < LW_EOI_POLICIES; p++)
			add(&list, BENCH_LEVEL, (enum lw_eoi_policy)p, 8, 24, 1);
	}
	for (size_t n = 0; n < sizeof(takers) / sizeof(takers[0]) && groups & BENCH_GROUP_MSI; n++)
		add(&list, BENCH_MSI, LW_EOI_ARMED, 16, 24, takers[n]);
	for (uint32_t n = 1; n <= 4096 && groups & BENCH_GROUP_IPI; n *= 8)
		add(&list, BENCH_IPI, LW_EOI_ARMED, n, 24, n);
	for (uint32_t n = 1; n <= 512 && groups & BENCH_GROUP_SNAPSHOT; n *= 8)
		add(&list, BENCH_SNAPSHOT, LW_EOI_ARMED, n, 24, 1);
	if (groups & BENCH_GROUP_AFFINITY)
		list_affinity(&list);
	return list.count;
}

/* Enough to tell an average, few enough not to wait for. */
uint32_t lw_bench_iterations(const struct bench_case *c)
{
	uint32_t pairs = c->vcpus * c->routes;

	if (c->op == BENCH_SNAPSHOT)
		return 2;
	if (c->op == BENCH_IPI)
		return 1 + 1024 / c->vcpus;
	if (c->op != BENCH_AFFINITY)
		return 100;
	if (c->policy >= LW_EOI_ARMED || pairs < 8192)
		return 32;
	return 2 + 262144 / pairs / 2;
}
