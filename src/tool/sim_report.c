/* SPDX-License-Identifier: MIT */
#include "tool/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- costs ---- */

#define SPLIT_EXIT     5800 /* published: a round trip to userspace */
#define IN_KERNEL_EXIT 2919 /* published: an exit handled in the kernel */
#define SCANNED_PAIR   20   /* assumed */

struct sim_costs lw_sim_default_costs(bool in_kernel)
{
	return (struct sim_costs){
		.exit = in_kernel ? IN_KERNEL_EXIT : SPLIT_EXIT,
		.kick = IN_KERNEL_EXIT,
		.scan = SCANNED_PAIR,
	};
}

struct sim_cycles lw_sim_cycles(const struct sim_costs *costs, const struct scenario_result *r)
{
	const struct truth_counts *t = &r->truth;
	uint64_t exits = t->necessary + t->redundant + t->superfluous;
	uint64_t kicks = r->engine.kicks_reconfig + r->engine.kicks_arm;
	struct sim_cycles c = {
		.exits = (double)exits * (double)costs->exit,
		.kicks = (double)kicks * (double)costs->kick,
		.scans = (double)r->engine.routes_scanned * (double)costs->scan,
		.each = -1,
	};

	if (r->interrupts)
		c.each = (c.exits + c.kicks + c.scans) / (double)r->interrupts;
	return c;
}

uint32_t lw_sim_vcpus(const struct sim *sim, const struct sim_run *run)
{
	return sim->params.vcpus ? sim->params.vcpus : run->scenario->vcpus;
}

uint32_t lw_sim_pins(const struct sim *sim, const struct sim_run *run)
{
	return sim->params.pins ? sim->params.pins : run->scenario->pins;
}

bool lw_sim_is_broken(const struct sim_run *run)
{
	const struct truth_counts *t = &run->result.truth;

	/* A policy that loses an EOI may well have a pin delivered twice. */
	return t->phantom || (run->policy >= LW_EOI_ARMED && (t->lost || t->doubled));
}

/* ---- JSON ---- */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *run_json(const struct sim *sim, const struct sim_run *run)
{
	const struct scenario_result *r = &run->result;
	const struct truth_counts *t = &r->truth;
	struct sim_cycles cycles = lw_sim_cycles(&sim->costs, r);
	json_t *o =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "scenario",
			  run->scenario->name, "policy", lw_eoi_policy_name(run->policy), "bitmap",
			  sim->params.hardware ? "hardware" : "software", "irqchip",
			  sim->params.in_kernel ? "in-kernel" : "split", "order",
			  sim->params.low_first ? "low-first" : "high-first", "seed",
			  number(sim->params.seed), "count", number(sim->params.count), "vcpus",
			  number(lw_sim_vcpus(sim, run)), "pins", number(lw_sim_pins(sim, run)));
	json_t *truth = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "interrupts", number(r->interrupts),
		"necessary", number(t->necessary), "redundant", number(t->redundant), "superfluous",
		number(t->superfluous), "elided", number(t->elided), "lost", number(t->lost),
		"doubled", number(t->doubled), "phantom", number(t->phantom));
	json_t *engine = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kicks_reconfig",
		number(r->engine.kicks_reconfig), "kicks_arm", number(r->engine.kicks_arm),
		"routes_scanned", number(r->engine.routes_scanned), "reloads",
		number(r->engine.reloads), "cost_exit", number(sim->costs.exit), "cost_kick",
		number(sim->costs.kick), "cost_scan", number(sim->costs.scan),
		"cycles_per_interrupt", cycles.each < 0 ? json_null() : json_real(cycles.each));

	if (!o || !truth || !engine || json_object_update(o, truth) < 0 ||
	    json_object_update(o, engine) < 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(truth);
	json_decref(engine);
	return o;
}

json_t *lw_sim_json(const struct sim *sim)
{
	json_t *list = json_array();

	for (size_t n = 0; list && n < sim->count; n++) {
		if (json_array_append_new(list, run_json(sim, &sim->runs[n])) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/* ---- numbers for people ---- */

#define BIG 100 /* vCPUs */

void lw_sim_about(const struct sim *sim, const struct sim_run *run, char text[SIM_ABOUT_SIZE])
{
	uint32_t vcpus = lw_sim_vcpus(sim, run);

	if (vcpus < BIG)
		snprintf(text, SIM_ABOUT_SIZE, "%s", run->scenario->summary);
	else
		snprintf(text, SIM_ABOUT_SIZE, "%s (%s vCPUs, %s pins)", run->scenario->summary,
			 lw_cell_grouped(vcpus).text, lw_cell_grouped(lw_sim_pins(sim, run)).text);
}

/* Nothing is a dot, so that what is there is seen. */
static struct lw_cell count_cell(const char *mark, uint64_t n)
{
	struct lw_cell value = n ? lw_cell_brief((double)n) : (struct lw_cell){"."}, c;

	snprintf(c.text, sizeof(c.text), "%s%s%.32s", n ? mark : "", n && mark[0] ? " " : "",
		 value.text);
	return c;
}

static struct lw_cell cycles_cell(double each)
{
	if (each < 0)
		return (struct lw_cell){"-"};
	if (each > 0 && each < 0.5)
		return (struct lw_cell){"< 1"};
	return each > 0 ? lw_cell_brief(each) : (struct lw_cell){"."};
}

/* ---- table ---- */

static bool same(const struct sim_run *a, const struct sim_run *b)
{
	struct scenario_result x = a->result, y = b->result;

	x.engine.reloads = y.engine.reloads = 0;
	return a->scenario == b->scenario && x.interrupts == y.interrupts &&
	       memcmp(&x.truth, &y.truth, sizeof(x.truth)) == 0 &&
	       memcmp(&x.engine, &y.engine, sizeof(x.engine)) == 0;
}

/* How many runs from here on have the same figures. */
static size_t alike(const struct sim *sim, size_t first)
{
	size_t n = first + 1;

	while (n < sim->count && same(&sim->runs[first], &sim->runs[n]))
		n++;
	return n - first;
}

static bool any_redundant(const struct sim *sim)
{
	for (size_t n = 0; n < sim->count; n++)
		if (sim->runs[n].result.truth.redundant)
			return true;
	return false;
}

static int head(struct lw_table *t, bool redundant)
{
	static const char *const with[] = {"",  ">inter-", ">exits:", ">",      ">",        ">",
					   ">", ">kicks:", ">",       ">pairs", ">cycles/", NULL};
	static const char *const without[] = {"",        ">inter-", ">exits:", ">",        ">", ">",
					      ">kicks:", ">",       ">pairs",  ">cycles/", NULL};
	int err = lw_table_init(t, redundant ? with : without);

	if (err < 0)
		return err;
	if (redundant)
		return lw_table_row(t, (const char *const[]){"  policy", "rupts", "necessary",
							     "redundant", "superfluous", "elided",
							     "lost", "rescan", "arm", "scanned",
							     "interrupt"});
	return lw_table_row(t, (const char *const[]){"  policy", "rupts", "necessary",
						     "superfluous", "elided", "lost", "rescan",
						     "arm", "scanned", "interrupt"});
}

/* One row for all runs that are alike: "static … track". */
static int add_row(struct lw_table *table, const struct sim *sim, size_t first, size_t count,
		   bool redundant)
{
	const struct sim_run *run = &sim->runs[first];
	const struct scenario_result *r = &run->result;
	const struct truth_counts *t = &r->truth;
	const char *cells[LW_TABLE_COLUMNS];
	struct lw_cell cell[LW_TABLE_COLUMNS];
	char name[40];
	size_t n = 0;

	snprintf(name, sizeof(name),
		 count == 1   ? "  %s"
		 : count == 2 ? "  %s, %s"
			      : "  %s … %s",
		 lw_eoi_policy_name(run->policy), lw_eoi_policy_name(run[count - 1].policy));
	cell[n++] = count_cell("", r->interrupts);
	cell[n++] = count_cell("", t->necessary);
	if (redundant)
		cell[n++] = count_cell("", t->redundant);
	cell[n++] = count_cell("!", t->superfluous);
	cell[n++] = count_cell("", t->elided);
	cell[n++] = count_cell("!!", t->lost);
	cell[n++] = count_cell("", r->engine.kicks_reconfig);
	cell[n++] = count_cell("", r->engine.kicks_arm);
	cell[n++] = count_cell("", r->engine.routes_scanned);
	cell[n++] = cycles_cell(lw_sim_cycles(&sim->costs, r).each);
	cells[0] = name;
	for (size_t i = 0; i < n; i++)
		cells[i + 1] = cell[i].text;
	return lw_table_row(table, cells);
}

static int fill(struct lw_table *table, const struct sim *sim)
{
	bool redundant = any_redundant(sim);
	int err = head(table, redundant);

	for (size_t n = 0; err == 0 && n < sim->count; n += alike(sim, n))
		err = add_row(table, sim, n, alike(sim, n), redundant);
	return err;
}

static const char *print_line(const char *text, FILE *out)
{
	const char *end = strchr(text, '\n');

	fwrite(text, 1, (size_t)(end - text) + 1, out);
	return end + 1;
}

static void print_heading(const struct sim *sim, const struct sim_run *run, FILE *out)
{
	char about[SIM_ABOUT_SIZE];

	lw_sim_about(sim, run, about);
	fprintf(out, "%s: %s\n", run->scenario->name, about);
}

/* The table's lines, with a line before those of each scenario. */
static void print_grouped(const struct sim *sim, const char *text, FILE *out)
{
	const struct scenario *last = NULL;

	text = print_line(text, out);
	text = print_line(text, out);
	for (size_t n = 0; n < sim->count; n += alike(sim, n)) {
		const struct scenario *s = sim->runs[n].scenario;

		if (s != last)
			print_heading(sim, &sim->runs[n], out);
		last = s;
		text = print_line(text, out);
	}
}

static int print_table(const struct sim *sim, FILE *out)
{
	struct lw_table table;
	char *text = NULL;
	size_t size;
	FILE *lines;
	int err = fill(&table, sim);

	lines = err == 0 ? open_memstream(&text, &size) : NULL;
	if (lines) {
		lw_table_print(&table, lines);
		if (fclose(lines) == 0)
			print_grouped(sim, text, out);
		else
			err = -ENOMEM;
	} else if (err == 0) {
		err = -ENOMEM;
	}
	free(text);
	lw_table_free(&table);
	return err;
}

/* ---- in words ---- */

static uint64_t lost(const struct sim_run *run)
{
	return run->result.truth.lost;
}

static uint64_t superfluous(const struct sim_run *run)
{
	return run->result.truth.superfluous;
}

/* "static 11, scan 10; armed, lazy none." */
static void print_tally(const struct sim *sim, uint64_t (*count)(const struct sim_run *), FILE *out)
{
	uint64_t sum[LW_EOI_POLICIES] = {0};
	bool seen[LW_EOI_POLICIES] = {false};
	const char *before = "";

	for (size_t n = 0; n < sim->count; n++) {
		seen[sim->runs[n].policy] = true;
		sum[sim->runs[n].policy] += count(&sim->runs[n]);
	}
	for (int p = 0; p < LW_EOI_POLICIES; p++) {
		if (!sum[p])
			continue;
		fprintf(out, "%s%s %s", before, lw_eoi_policy_name((enum lw_eoi_policy)p),
			lw_cell_grouped(sum[p]).text);
		before = ", ";
	}
	if (before[0])
		before = "; ";
	for (int p = 0; p < LW_EOI_POLICIES; p++) {
		if (!seen[p] || sum[p])
			continue;
		fprintf(out, "%s%s", before, lw_eoi_policy_name((enum lw_eoi_policy)p));
		before = ", ";
	}
	fputs(before[0] == ',' ? " none.\n" : ".\n", out);
}

static const struct sim_run *dearest(const struct sim *sim)
{
	const struct sim_run *found = NULL;
	double most = 0;

	for (size_t n = 0; n < sim->count; n++) {
		double each = lw_sim_cycles(&sim->costs, &sim->runs[n].result).each;

		if (each > 0 && each >= most && sim->runs[n].result.truth.lost == 0) {
			most = each;
			found = &sim->runs[n];
		}
	}
	return found;
}

/* What the same scenario costs at least, of those that lose nothing. */
static const struct sim_run *cheapest(const struct sim *sim, const struct scenario *s)
{
	const struct sim_run *found = NULL;
	double least = 0;

	for (size_t n = 0; n < sim->count; n++) {
		const struct sim_run *run = &sim->runs[n];
		double each = lw_sim_cycles(&sim->costs, &run->result).each;

		if (run->scenario != s || run->result.truth.lost || each < 0)
			continue;
		if (!found || each < least) {
			least = each;
			found = run;
		}
	}
	return found;
}

static void print_dearest(const struct sim *sim, FILE *out)
{
	const struct sim_run *most = dearest(sim), *least;
	struct sim_cycles c;
	double sum;

	if (!most)
		return;
	least = cheapest(sim, most->scenario);
	c = lw_sim_cycles(&sim->costs, &most->result);
	sum = c.exits + c.kicks + c.scans;
	fprintf(out,
		"Dearest: %s under %s, %s cycles (%.0f %% scans, %.0f %% kicks, %.0f %% EOI exits)",
		most->scenario->name, lw_eoi_policy_name(most->policy), lw_cell_brief(c.each).text,
		100 * c.scans / sum, 100 * c.kicks / sum, 100 * c.exits / sum);
	if (least != most)
		fprintf(out, "; %s there: %s", lw_eoi_policy_name(least->policy),
			lw_cell_brief(lw_sim_cycles(&sim->costs, &least->result).each).text);
	fputs(".\n", out);
}

static void print_costs(const struct sim *sim, FILE *out)
{
	const struct sim_costs *c = &sim->costs;

	fprintf(out, "Cycles: EOI exit %s (%s), kick %s (%s), pair scanned %s (%s).\n",
		lw_cell_grouped(c->exit).text, c->exit_given ? "given" : "published",
		lw_cell_grouped(c->kick).text, c->kick_given ? "given" : "assumed: a kernel exit",
		lw_cell_grouped(c->scan).text, c->scan_given ? "given" : "assumed");
}

static void print_title(const struct sim *sim, FILE *out)
{
	const struct scenario_params *p = &sim->params;

	fprintf(out, "EOI policies: %s repeats, seed %" PRIu64 ", %s irqchip, EOI-exit set in %s%s",
		lw_cell_grouped(p->count).text, p->seed, p->in_kernel ? "in-kernel" : "split",
		p->hardware ? "hardware" : "software", p->low_first ? ", low halves first" : "");
	if (p->vcpus)
		fprintf(out, ", %s vCPUs", lw_cell_grouped(p->vcpus).text);
	if (p->pins)
		fprintf(out, ", %s pins", lw_cell_grouped(p->pins).text);
	fputs("\n\n", out);
}

int lw_sim_print(const struct sim *sim, FILE *out)
{
	int err;

	print_title(sim, out);
	err = print_table(sim, out);
	if (err < 0)
		return err;
	fputs("\nLost (!!), their pins dead from then on: ", out);
	print_tally(sim, lost, out);
	fputs("Superfluous exits (!): ", out);
	print_tally(sim, superfluous, out);
	print_dearest(sim, out);
	print_costs(sim, out);
	return 0;
}
