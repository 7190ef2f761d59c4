/* SPDX-License-Identifier: MIT */
#include "tool/sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_COUNT 1000
#define MAX_COUNT     10000000
#define DEFAULT_SEED  1
#define MAX_COST      1000000000
#define MAX_SCENARIOS 32

struct options {
	struct scenario_params params;
	struct sim_costs costs;
	const char *svg;
	bool scenario[MAX_SCENARIOS];
	bool policy[LW_EOI_POLICIES];
	bool scenarios_named, policies_named;
	bool all;
	bool json;
	bool help;
};

enum {
	OPT_SCENARIO,
	OPT_POLICY,
	OPT_COUNT,
	OPT_SEED,
	OPT_VCPUS,
	OPT_PINS,
	OPT_BITMAP,
	OPT_IRQCHIP,
	OPT_ORDER,
	OPT_ALL,
	OPT_JSON,
	OPT_SVG,
	OPT_COST_EXIT,
	OPT_COST_KICK,
	OPT_COST_SCAN,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"scenario", required_argument, NULL, OPT_SCENARIO},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"count", required_argument, NULL, OPT_COUNT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"vcpus", required_argument, NULL, OPT_VCPUS},
	{"pins", required_argument, NULL, OPT_PINS},
	{"bitmap", required_argument, NULL, OPT_BITMAP},
	{"irqchip", required_argument, NULL, OPT_IRQCHIP},
	{"order", required_argument, NULL, OPT_ORDER},
	{"all", no_argument, NULL, OPT_ALL},
	{"json", no_argument, NULL, OPT_JSON},
	{"svg", required_argument, NULL, OPT_SVG},
	{"cost-exit", required_argument, NULL, OPT_COST_EXIT},
	{"cost-kick", required_argument, NULL, OPT_COST_KICK},
	{"cost-scan", required_argument, NULL, OPT_COST_SCAN},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* ---- usage ---- */

static void print_usage(void)
{
	struct sim_costs split = lw_sim_default_costs(false), kernel = lw_sim_default_costs(true);

	printf("Usage: lapwing sim [OPTION...]\n"
	       "Simulates what each EOI policy costs, and loses, in the cases that matter.\n\n"
	       "  --scenario S,...  only these; by default those marked * below, or all with\n"
	       "                    --json\n"
	       "  --all             all scenarios\n"
	       "  --policy P,...    only these; by default all\n"
	       "  --count N         repeat what repeats N times, 1 to %d (%d)\n"
	       "  --seed K          of all that is random (%d)\n"
	       "  --vcpus V         how many vCPUs, up to %u, instead of the scenario's own\n"
	       "  --pins P          how many I/O APIC pins, up to %u, instead of its own\n",
	       MAX_COUNT, DEFAULT_COUNT, DEFAULT_SEED, SCENARIO_MAX_VCPUS, SCENARIO_MAX_PINS);
	printf("  --bitmap B        where the EOI-exit set is: software (default), or hardware\n"
	       "  --irqchip I       scan as KVM does in its modes: split (default), or in-kernel\n"
	       "  --order O         the half of an RTE that guests write first: high-first\n"
	       "                    (default), or low-first\n"
	       "  --json            print JSON, as lapwing-sim(1) describes it\n"
	       "  --svg FILE        also draw the comparison, with gnuplot\n"
	       "  --cost-exit C     cycles for an EOI exit (%" PRIu64 "; in-kernel %" PRIu64 ")\n"
	       "  --cost-kick C     cycles for a kick (%" PRIu64 ")\n"
	       "  --cost-scan C     cycles for a (vCPU, route) pair scanned (%" PRIu64 ")\n"
	       "  --help            print this\n\nScenarios:\n",
	       split.exit, kernel.exit, split.kick, split.scan);
	for (size_t n = 0; n < scenario_count; n++)
		printf("  %c %-17s %s\n", scenarios[n].story ? '*' : ' ', scenarios[n].name,
		       scenarios[n].summary);
	printf("\nPolicies:");
	for (int n = 0; n < LW_EOI_POLICIES; n++)
		printf(" %s", lw_eoi_policy_name((enum lw_eoi_policy)n));
	printf("\n\nExit status: 0 fine, 1 armed or lazy lost an interrupt or delivered one "
	       "twice,\n"
	       "or one came from nowhere, 2 it could not run.\n");
}

/* ---- options ---- */

static const char *scenario_name(size_t n)
{
	return n < scenario_count ? scenarios[n].name : NULL;
}

static const char *policy_name(size_t n)
{
	return lw_eoi_policy_name((enum lw_eoi_policy)n);
}

/* One of two words: whether it is the second. */
static int read_choice(const char *what, const char *word, const char *no, const char *yes,
		       bool *out)
{
	*out = strcmp(word, yes) == 0;
	if (*out || strcmp(word, no) == 0)
		return 0;
	lw_tool_error("%s: '%s' is neither %s nor %s", what, word, no, yes);
	return -EINVAL;
}

static int read_u32(const char *what, const char *word, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int err = lw_tool_parse_u64(what, word, 1, max, &value);

	if (err == 0)
		*out = (uint32_t)value;
	return err;
}

static int read_cost(const char *what, const char *word, uint64_t *cost, bool *given)
{
	*given = true;
	return lw_tool_parse_u64(what, word, 0, MAX_COST, cost);
}

static int read_parameter(int option, const char *word, struct options *o)
{
	switch (option) {
	case OPT_COUNT:
		return lw_tool_parse_u64("--count", word, 1, MAX_COUNT, &o->params.count);
	case OPT_SEED: /* as much as JSON can tell */
		return lw_tool_parse_u64("--seed", word, 0, INT64_MAX, &o->params.seed);
	case OPT_VCPUS:
		return read_u32("--vcpus", word, SCENARIO_MAX_VCPUS, &o->params.vcpus);
	case OPT_PINS:
		return read_u32("--pins", word, SCENARIO_MAX_PINS, &o->params.pins);
	case OPT_BITMAP:
		return read_choice("--bitmap", word, "software", "hardware", &o->params.hardware);
	case OPT_IRQCHIP:
		return read_choice("--irqchip", word, "split", "in-kernel", &o->params.in_kernel);
	case OPT_ORDER:
		return read_choice("--order", word, "high-first", "low-first",
				   &o->params.low_first);
	case OPT_COST_EXIT:
		return read_cost("--cost-exit", word, &o->costs.exit, &o->costs.exit_given);
	case OPT_COST_KICK:
		return read_cost("--cost-kick", word, &o->costs.kick, &o->costs.kick_given);
	case OPT_COST_SCAN:
		return read_cost("--cost-scan", word, &o->costs.scan, &o->costs.scan_given);
	default:
		return -EINVAL;
	}
}

static int read_option(int option, const char *word, struct options *o)
{
	switch (option) {
	case OPT_SCENARIO:
		o->scenarios_named = true;
		return lw_tool_read_names("--scenario", word, scenario_name, o->scenario);
	case OPT_POLICY:
		o->policies_named = true;
		return lw_tool_read_names("--policy", word, policy_name, o->policy);
	case OPT_SVG:
		o->svg = word;
		return 0;
	case OPT_ALL:
		o->all = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	default:
		return read_parameter(option, word, o);
	}
}

static void choose(struct options *o)
{
	struct sim_costs costs = lw_sim_default_costs(o->params.in_kernel);

	for (size_t n = 0; n < scenario_count; n++)
		if (!o->scenarios_named)
			o->scenario[n] = o->all || o->json || scenarios[n].story;
	for (size_t n = 0; n < LW_EOI_POLICIES; n++)
		if (!o->policies_named)
			o->policy[n] = true;
	if (!o->costs.exit_given)
		o->costs.exit = costs.exit;
	if (!o->costs.kick_given)
		o->costs.kick = costs.kick;
	if (!o->costs.scan_given)
		o->costs.scan = costs.scan;
}

static int read_options(int argc, char **argv, struct options *o)
{
	int option, err;

	*o = (struct options){.params = {.count = DEFAULT_COUNT, .seed = DEFAULT_SEED}};
	optind = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		err = read_option(option, optarg, o);
		if (err < 0)
			return err;
	}
	if (o->all && o->scenarios_named) {
		lw_tool_error("--all and --scenario exclude each other");
		return -EINVAL;
	}
	choose(o);
	return lw_tool_no_operands(argc, argv, optind);
}

/* ---- running ---- */

/* Can each scenario do with so many vCPUs and pins? */
static int check_limits(const struct options *o)
{
	for (size_t n = 0; n < scenario_count; n++) {
		const struct scenario *s = &scenarios[n];

		if (!o->scenario[n])
			continue;
		if (o->params.vcpus && o->params.vcpus < s->min_vcpus) {
			lw_tool_error("--vcpus: %s takes %u to %u", s->name, s->min_vcpus,
				      SCENARIO_MAX_VCPUS);
			return -ERANGE;
		}
		if (o->params.pins && o->params.pins < s->min_pins) {
			lw_tool_error("--pins: %s takes %u to %u", s->name, s->min_pins,
				      SCENARIO_MAX_PINS);
			return -ERANGE;
		}
	}
	return 0;
}

static int list_runs(const struct options *o, struct sim *sim)
{
	*sim = (struct sim){.params = o->params, .costs = o->costs};
	sim->runs = calloc(scenario_count * LW_EOI_POLICIES, sizeof(*sim->runs));
	if (!sim->runs)
		return -ENOMEM;
	for (size_t s = 0; s < scenario_count; s++)
		for (int p = 0; p < LW_EOI_POLICIES; p++)
			if (o->scenario[s] && o->policy[p])
				sim->runs[sim->count++] = (struct sim_run){
					.scenario = &scenarios[s],
					.policy = (enum lw_eoi_policy)p,
				};
	return 0;
}

/* Roughly how long it takes, for the bar: scans are what takes long. */
static uint64_t weight(const struct sim *sim, const struct sim_run *run)
{
	uint64_t pairs = (uint64_t)lw_sim_vcpus(sim, run) * lw_sim_pins(sim, run);

	return sim->params.count + (run->policy < LW_EOI_ARMED ? pairs : 0);
}

static int run_all(struct sim *sim)
{
	struct lw_progress bar;
	uint64_t total = 0, done = 0;
	int err = 0;

	for (size_t n = 0; n < sim->count; n++)
		total += weight(sim, &sim->runs[n]);
	lw_progress_start(&bar, "simulating", total);
	for (size_t n = 0; err == 0 && n < sim->count; n++) {
		struct sim_run *run = &sim->runs[n];

		err = scenario_run(run->scenario, run->policy, &sim->params, &run->result);
		done += weight(sim, run);
		lw_progress_update(&bar, done);
	}
	lw_progress_end(&bar);
	return err;
}

static void print_names(const char *flag, const char *(*known)(size_t), const bool *chosen,
			FILE *out)
{
	const char *before = " ";

	fprintf(out, " %s", flag);
	for (size_t n = 0; known(n); n++) {
		if (!chosen[n])
			continue;
		fprintf(out, "%s%s", before, known(n));
		before = ",";
	}
}

static void print_number(const char *flag, bool given, uint64_t value, FILE *out)
{
	if (given)
		fprintf(out, " %s %" PRIu64, flag, value);
}

/* What to type to get the same picture. */
static void print_command(const struct options *o, FILE *out)
{
	const struct sim_costs *c = &o->costs;

	fputs("lapwing sim", out);
	if (o->scenarios_named)
		print_names("--scenario", scenario_name, o->scenario, out);
	else if (o->all || o->json)
		fputs(" --all", out);
	if (o->policies_named)
		print_names("--policy", policy_name, o->policy, out);
	print_number("--count", true, o->params.count, out);
	print_number("--seed", true, o->params.seed, out);
	print_number("--vcpus", o->params.vcpus, o->params.vcpus, out);
	print_number("--pins", o->params.pins, o->params.pins, out);
	fprintf(out, " --bitmap %s --irqchip %s --order %s",
		o->params.hardware ? "hardware" : "software",
		o->params.in_kernel ? "in-kernel" : "split",
		o->params.low_first ? "low-first" : "high-first");
	print_number("--cost-exit", c->exit_given, c->exit, out);
	print_number("--cost-kick", c->kick_given, c->kick, out);
	print_number("--cost-scan", c->scan_given, c->scan, out);
}

static int draw(const struct options *o, const struct sim *sim)
{
	char *command = NULL, *script = NULL;
	size_t size;
	FILE *out = open_memstream(&command, &size);
	int err = -ENOMEM;

	if (out) {
		print_command(o, out);
		fclose(out);
		out = command ? open_memstream(&script, &size) : NULL;
	}
	if (out) {
		lw_sim_script(sim, command, out);
		fclose(out);
		if (script)
			err = lw_plot_draw(o->svg, script, size);
	}
	free(command);
	free(script);
	return err;
}

static int report(const struct options *o, const struct sim *sim)
{
	return o->json ? lw_tool_print_json(lw_sim_json(sim)) : lw_sim_print(sim, stdout);
}

static int simulate(const struct options *o)
{
	struct sim sim;
	int status = LW_EXIT_FINE;
	int err = list_runs(o, &sim);

	if (err == 0)
		err = run_all(&sim);
	if (err == 0)
		err = report(o, &sim);
	for (size_t n = 0; n < sim.count; n++)
		if (lw_sim_is_broken(&sim.runs[n]))
			status = LW_EXIT_FOUND;
	if (err == 0 && o->svg && draw(o, &sim) < 0)
		status = LW_EXIT_UNTOLD;
	free(sim.runs);
	return err < 0 ? err : status;
}

int lw_cmd_sim(int argc, char **argv)
{
	struct options options;

	if (read_options(argc, argv, &options) < 0)
		return lw_tool_usage_error("sim");
	if (options.help) {
		print_usage();
		return LW_EXIT_FINE;
	}
	if (check_limits(&options) < 0)
		return LW_EXIT_UNTOLD;
	if (options.svg && lw_plot_check(options.svg) < 0)
		return LW_EXIT_UNTOLD;
	return simulate(&options);
}
