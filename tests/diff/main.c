/* SPDX-License-Identifier: MIT */
/* Draws sequences, runs them in both worlds, shrinks what differs. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "diff.h"
#include "doubles.h"

#define MAX_LENGTH 4096u
#define SHRINKS    600u

unsigned lw_left_out;

struct options {
	uint64_t ops, seed, failures;
	uint32_t length;
	const char *replay;
	bool mutants;
};

struct totals {
	uint64_t ops, vectors, faults, sequences, ended;
};

struct sequence {
	struct diff_op op[MAX_LENGTH];
	uint32_t count;
	enum lw_eoi_policy policy;
};

/* What a run of a sequence came to. */
struct result {
	bool differs;
	uint32_t at; /* the operation */
	struct diff_one what;
	uint32_t ran;
};

/* ---- one sequence ---- */

struct run {
	struct diff_ours *ours;
	struct diff_kvm *kvm;
	struct diff_case c;
	bool count;
	struct totals *totals;
};

static void look(struct run *r)
{
	diff_ours_state(r->ours, &r->c.ours);
	diff_kvm_state(r->kvm, &r->c.theirs);
}

/* Lines that are up and that KVM can't be given without more happening: it would take that of an
 * edge pin for an edge, and send anew, with a remote IRR that stays, what nobody takes. */
static bool must_fall(const struct run *r, uint32_t gsi)
{
	uint64_t rte = r->c.ours.rte[gsi];

	return !(rte & LW_RTE_LEVEL) || rte & LW_RTE_PENDING ||
	       (rte & LW_RTE_DM) >> LW_RTE_DM_SHIFT > LW_DM_LOWEST;
}

static void lower_lines(struct run *r)
{
	for (uint32_t gsi = 0; gsi < DIFF_PINS; gsi++) {
		struct diff_op down = {.kind = OP_LINE, .address = gsi};
		struct diff_outcome ignored;

		if (!(r->c.lines >> gsi & 1u) || !must_fall(r, gsi))
			continue;
		r->c.lines &= ~(1u << gsi);
		diff_ours_run(r->ours, &down, &ignored);
		diff_kvm_run(r->kvm, &down, &ignored);
	}
}

static bool mend(struct run *r, struct diff_verdict *v)
{
	lower_lines(r);
	look(r);
	diff_kvm_mend(r->kvm, &r->c.ours, r->c.lines);
	diff_ours_forget_nmis(r->ours);
	look(r);
	r->c.our_outcome = r->c.their_outcome = (struct diff_outcome){.vector = -1};
	diff_compare(&r->c, false, v);
	return !v->unexplained;
}

/* May KVM wait to inject something? Then QEMU 7.2, as the nested machine, aborts at a write of CR8
 * by its guest's guest. */
static bool may_wait(struct run *r, uint32_t cpu)
{
	const struct lw_pic_regs *pic = &r->c.theirs.pic[0];

	return diff_ours_pending(r->ours, cpu) || pic->irr & ~pic->imr;
}

/* False if the sequence is over. */
static bool step(struct run *r, const struct diff_op *op, struct result *result)
{
	struct diff_verdict v;

	if (op->kind == OP_CR8_WRITE && may_wait(r, op->cpu))
		return true;
	r->c.op = *op;
	r->c.before = r->c.ours;
	r->c.theirs_before = r->c.theirs;
	diff_watch(&r->c);
	diff_ours_run(r->ours, op, &r->c.our_outcome);
	diff_kvm_run(r->kvm, op, &r->c.their_outcome);
	look(r);
	diff_compare(&r->c, r->count, &v);
	if (r->count) {
		r->totals->ops++;
		r->totals->vectors += r->c.our_outcome.vector >= 0;
		r->totals->faults += r->c.our_outcome.fault;
	}
	if (!v.unexplained && v.then == THEN_MEND)
		mend(r, &v);
	if (v.unexplained) {
		result->differs = true;
		result->what = v.first;
		return false;
	}
	if (v.then != THEN_END)
		return true;
	if (r->count) {
		r->totals->ended++;
		v.rule->ended++;
	}
	return false;
}

static struct result run_sequence(const struct sequence *s, unsigned mutant, struct totals *totals)
{
	struct run *r = calloc(1, sizeof(*r));
	struct result result = {0};

	if (!r)
		exit(3);
	r->ours = diff_ours_create(s->policy, mutant);
	r->kvm = diff_kvm_create();
	r->count = totals != NULL;
	r->totals = totals;
	look(r);
	while (result.at < s->count && step(r, &s->op[result.at], &result))
		result.at++;
	diff_ours_destroy(r->ours);
	diff_kvm_destroy(r->kvm);
	free(r);
	return result;
}

/* ---- shrinking ---- */

static bool still_differs(struct sequence *s, const struct sequence *from, uint32_t cut,
			  uint32_t length, enum diff_where where)
{
	struct result result;

	s->policy = from->policy;
	s->count = from->count - length;
	memcpy(s->op, from->op, cut * sizeof(*s->op));
	memcpy(s->op + cut, from->op + cut + length, (s->count - cut) * sizeof(*s->op));
	result = run_sequence(s, 0, NULL);
	result.differs = result.differs && result.what.where == where;
	if (result.differs)
		s->count = result.at + 1u;
	return result.differs;
}

/* Leave out ever smaller parts, as long as the same thing differs. */
static void shrink(struct sequence *s, enum diff_where where)
{
	struct sequence *smaller = calloc(1, sizeof(*smaller));
	uint32_t tries = 0;

	if (!smaller)
		exit(3);
	for (uint32_t part = s->count / 2u; part > 0; part = part > 1 ? part / 2u : 0) {
		bool again = true;

		while (again) {
			again = false;
			for (uint32_t at = 0; at + part <= s->count && tries < SHRINKS;) {
				tries++;
				if (still_differs(smaller, s, at, part, where)) {
					*s = *smaller;
					again = part == 1;
				} else {
					at += part;
				}
			}
		}
	}
	free(smaller);
}

/* ---- reporting ---- */

static void report(struct sequence *s, uint64_t seed)
{
	struct result result = run_sequence(s, 0, NULL);

	printf("DIFFERENCE: sequence %" PRIu64 ", policy %s, operation %u of %u: ", seed,
	       lw_eoi_policy_name(s->policy), result.at + 1u, s->count);
	diff_tell(stdout, &result.what);
	fflush(stdout);
	if (!result.differs)
		return;
	s->count = result.at + 1u;
	shrink(s, result.what.where);
	result = run_sequence(s, 0, NULL);
	printf("shrunk to %u operations (save the lines, and run with --replay FILE): ", s->count);
	diff_tell(stdout, &result.what);
	printf("# policy %s\n", lw_eoi_policy_name(s->policy));
	for (uint32_t n = 0; n < s->count; n++)
		diff_print(stdout, &s->op[n]);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void summary(const struct totals *t, double took)
{
	printf("%" PRIu64 " operations in %" PRIu64 " sequences, %" PRIu64
	       " interrupts taken, %" PRIu64 " faults, %.0f s\n",
	       t->ops, t->sequences, t->vectors, t->faults, took);
	printf("%" PRIu64 " sequences ended early by a known deviation\n", t->ended);
	for (unsigned n = 0; n < diff_rule_count; n++) {
		printf("deviation %-32s %8" PRIu64 " operations%s", diff_rules[n].name,
		       diff_rules[n].used, diff_rules[n].used ? "" : " (never)");
		if (diff_rules[n].ended)
			printf(", ended %" PRIu64 " sequences", diff_rules[n].ended);
		printf("\n");
	}
}

/* ---- main ---- */

static void draw_sequence(struct sequence *s, uint64_t seed, uint32_t length)
{
	static const enum lw_eoi_policy policies[] = {LW_EOI_ARMED, LW_EOI_LAZY};
	struct diff_generator *g = calloc(1, sizeof(*g));

	if (!g)
		exit(3);
	diff_start(g, seed);
	s->policy = policies[seed % 2u];
	for (s->count = 0; s->count < length; s->count++)
		s->op[s->count] = diff_next(g);
	free(g);
}

static int replay(const char *path)
{
	struct sequence *s = calloc(1, sizeof(*s));
	FILE *from = fopen(path, "r");
	struct result result;
	char line[200], policy[20];

	if (!s || !from) {
		perror(path);
		return 3;
	}
	s->policy = LW_EOI_ARMED;
	while (s->count < MAX_LENGTH && fgets(line, sizeof(line), from)) {
		if (sscanf(line, "# policy %19s", policy) == 1)
			s->policy = (enum lw_eoi_policy)lw_eoi_policy_by_name(policy);
		else if (diff_parse(line, &s->op[s->count]))
			s->count++;
	}
	fclose(from);
	result = run_sequence(s, 0, NULL);
	if (result.differs) {
		printf("operation %u: ", result.at + 1u);
		diff_print(stdout, &s->op[result.at]);
		diff_tell(stdout, &result.what);
	} else {
		printf("no difference in %u of %u operations\n", result.at, s->count);
	}
	free(s);
	return result.differs;
}

static int run_all(const struct options *o)
{
	struct sequence *s = calloc(1, sizeof(*s));
	struct totals t = {0};
	double begun = seconds(), told = begun;
	uint64_t failures = 0;

	if (!s)
		return 3;
	for (uint64_t seed = o->seed; t.ops < o->ops && failures < o->failures; seed++) {
		draw_sequence(s, seed, o->length);
		t.sequences++;
		if (run_sequence(s, 0, &t).differs) {
			report(s, seed);
			failures++;
		}
		if (seconds() - told > 30) {
			told = seconds();
			printf("# %" PRIu64 " operations, %.0f s\n", t.ops, told - begun);
			fflush(stdout);
		}
	}
	summary(&t, seconds() - begun);
	free(s);
	return failures != 0;
}

/* ---- can it fail? ---- */

/* Operations until the difference, or 0. */
static uint64_t find(struct sequence *s, const struct options *o, unsigned mutant)
{
	uint64_t ops = 0;

	for (uint64_t seed = o->seed; ops < o->ops; seed++) {
		struct result result;

		draw_sequence(s, seed, o->length);
		result = run_sequence(s, mutant, NULL);
		ops += result.at + 1u;
		if (result.differs)
			return ops;
	}
	return 0;
}

static bool tell_found(const char *kind, const char *name, uint64_t after)
{
	if (after)
		printf("%s %s: found after %" PRIu64 " operations\n", kind, name, after);
	else
		printf("%s %s: NOT FOUND\n", kind, name);
	fflush(stdout);
	return after != 0;
}

/* Lapwing made wrong in many ways, one at a time; 1 if one of them is not noticed. */
static int find_all(const struct options *o)
{
	static const struct {
		const char *name;
		enum lw_rule rule;
	} rules[] = {
		{"every-record", LW_RULE_EVERY_RECORD},
		{"every-taker", LW_RULE_EVERY_TAKER},
		{"edge-flip", LW_RULE_EDGE_FLIP},
		{"load-then-check", LW_RULE_LOAD_THEN_CHECK},
	};
	struct sequence *s = calloc(1, sizeof(*s));
	bool all = true;

	if (!s)
		return 3;
	for (unsigned n = 0; n < diff_mutant_count; n++)
		all = tell_found("mutant", diff_mutants[n].name, find(s, o, n + 1u)) && all;
	for (unsigned n = 0; n < sizeof(rules) / sizeof(*rules); n++) {
		lw_left_out = 1u << rules[n].rule;
		all = tell_found("without rule", rules[n].name, find(s, o, 0)) && all;
	}
	free(s);
	return !all;
}

static int usage(void)
{
	fprintf(stderr, "Usage: diff [--ops N] [--seed N] [--length N] [--failures N] "
			"[--mutants | --replay FILE]\n");
	return 3;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"ops", required_argument, NULL, 'o'},
					      {"seed", required_argument, NULL, 's'},
					      {"length", required_argument, NULL, 'l'},
					      {"replay", required_argument, NULL, 'r'},
					      {"mutants", no_argument, NULL, 'm'},
					      {"failures", required_argument, NULL, 'f'},
					      {NULL, 0, NULL, 0}};
	struct options o = {.ops = 10000, .seed = 1, .length = 500, .failures = 1};
	int got;

	while ((got = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (got) {
		case 'o':
			o.ops = strtoull(optarg, NULL, 0);
			break;
		case 's':
			o.seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			o.length = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o.failures = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			o.replay = optarg;
			break;
		case 'm':
			o.mutants = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc || o.length < 1 || o.length > MAX_LENGTH)
		return usage();
	if (o.mutants)
		return find_all(&o);
	return o.replay ? replay(o.replay) : run_all(&o);
}
