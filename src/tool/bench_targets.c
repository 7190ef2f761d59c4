/* SPDX-License-Identifier: MIT */
/* What the figures shall be, and whether they are. */
#include "tool/bench.h"

#define EDGE_INSTRUCTIONS  100
#define LEVEL_INSTRUCTIONS 300
#define FLAT               1.2
#define TWO_POSTERS        1.6
#define TWO_CORES          1.8 /* below it there were no two, and nothing can be told */
#define STATE_BYTES        2048
#define MACHINE            2e6

/* Both sizes are among the cases. */
#define PAIR_VCPUS 8u
#define PAIR_FEW   24u
#define PAIR_MANY  4096u

/* Without the maps, one bit for each pin and vCPU: the same again is what twice the vCPUs add. */
static double ioapic_bytes(void)
{
	struct lw_ioapic_config config = {.pins = 24, .nvcpus = 64, .version = 0x20};
	size_t once = lw_ioapic_size(&config);

	config.nvcpus = 128;
	return (double)(2 * once - lw_ioapic_size(&config));
}

/* The most instructions of an operation; unknown if one was not counted. */
static double most(const struct bench *b, enum bench_op_number op)
{
	double found = BENCH_UNKNOWN;

	for (size_t n = 0; n < b->count; n++) {
		const struct bench_row *r = &b->rows[n];

		if (r->what.op == op && r->instructions < 0)
			return BENCH_UNKNOWN;
		if (r->what.op == op && r->instructions > found)
			found = r->instructions;
	}
	return found;
}

/* The dearest affinity change of armed by the cheapest. */
static double flatness(const struct bench *b)
{
	double low = 0, high = 0;

	for (size_t n = 0; n < b->count; n++) {
		const struct bench_row *r = &b->rows[n];

		if (r->what.op != BENCH_AFFINITY || r->what.policy != LW_EOI_ARMED)
			continue;
		if (r->instructions <= 0)
			return BENCH_UNKNOWN;
		if (low <= 0 || r->instructions < low)
			low = r->instructions;
		if (r->instructions > high)
			high = r->instructions;
	}
	return low > 0 ? high / low : BENCH_UNKNOWN;
}

const struct bench_row *lw_bench_find(const struct bench *b, enum lw_eoi_policy policy,
				      uint32_t vcpus, uint32_t routes)
{
	for (size_t n = 0; n < b->count; n++) {
		const struct bench_case *c = &b->rows[n].what;

		if (c->op == BENCH_AFFINITY && c->policy == policy && c->vcpus == vcpus &&
		    c->routes == routes)
			return &b->rows[n];
	}
	return NULL;
}

struct bench_pair lw_bench_pair(const struct bench *b)
{
	const struct bench_row *few = lw_bench_find(b, LW_EOI_SCAN, PAIR_VCPUS, PAIR_FEW);
	const struct bench_row *many = lw_bench_find(b, LW_EOI_SCAN, PAIR_VCPUS, PAIR_MANY);
	const double pairs = PAIR_VCPUS * (PAIR_MANY - PAIR_FEW);
	struct bench_pair pair = {BENCH_UNKNOWN, BENCH_UNKNOWN};

	if (few && many && few->instructions >= 0 && many->instructions >= 0)
		pair.instructions = (many->instructions - few->instructions) / pairs;
	if (few && many && few->ns >= 0 && many->ns >= 0)
		pair.ns = (many->ns - few->ns) / pairs;
	return pair;
}

static double two_posters(const struct bench *b)
{
	const struct bench_posters *p = &b->posters;
	double ratio = p->one > 0 ? p->two_vcpus / p->one : BENCH_UNKNOWN;

	return ratio < TWO_POSTERS && p->control < TWO_CORES ? BENCH_UNKNOWN : ratio;
}

static size_t add(struct bench_target *target, const char *name, const char *summary, bool at_most,
		  double limit, double measured)
{
	bool met = at_most ? measured <= limit : measured >= limit;

	*target = (struct bench_target){
		.name = name,
		.summary = summary,
		.at_most = at_most,
		.limit = limit,
		.measured = measured,
		.verdict = measured < 0 ? BENCH_UNTOLD
			   : met        ? BENCH_MET
					: BENCH_MISSED,
	};
	return 1;
}

size_t lw_bench_targets(const struct bench *b, struct bench_target t[BENCH_TARGETS])
{
	size_t n = 0;

	if (b->groups & BENCH_GROUP_EDGE)
		n += add(&t[n], "edge-instructions",
			 "instructions of an edge MSI in the LAPIC: post, accept, EOI", true,
			 EDGE_INSTRUCTIONS, most(b, BENCH_EDGE_EOI));
	if (b->groups & BENCH_GROUP_LEVEL)
		n += add(&t[n], "level-instructions",
			 "instructions of a level interrupt in an I/O APIC and a LAPIC", true,
			 LEVEL_INSTRUCTIONS, most(b, BENCH_LEVEL_PAIR));
	if (b->groups & BENCH_GROUP_AFFINITY)
		n += add(&t[n], "affinity-flat",
			 "affinity change, armed: instructions, dearest by cheapest", true, FLAT,
			 flatness(b));
	if (b->groups & BENCH_GROUP_POSTERS)
		n += add(&t[n], "two-posters", "two posters to two vCPUs, by one poster", false,
			 TWO_POSTERS, two_posters(b));
	if (b->groups & BENCH_GROUP_MACHINE)
		n += add(&t[n], "machine", "interrupts simulated a second", false, MACHINE,
			 b->machine);
	n += add(&t[n], "lapic-bytes", "bytes of a LAPIC", true, STATE_BYTES, LW_LAPIC_SIZE);
	n += add(&t[n], "ioapic-bytes", "bytes of an I/O APIC of 24 pins, maps apart", true,
		 STATE_BYTES, ioapic_bytes());
	return n;
}

bool lw_bench_missed(const struct bench *b)
{
	struct bench_target targets[BENCH_TARGETS];
	size_t count = lw_bench_targets(b, targets);

	for (size_t n = 0; n < count; n++)
		if (targets[n].verdict == BENCH_MISSED)
			return true;
	return false;
}
