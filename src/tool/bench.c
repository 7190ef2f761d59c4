/* SPDX-License-Identifier: MIT */
#include "tool/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DEVICE "/dev/kvm"
#define LEAST_ROUTES   24u
#define GROUPS         9

struct options {
	const char *only; /* as given */
	const char *svg;
	const char *device;
	unsigned groups;
	bool json;
	bool help;
	bool counted; /* this is the run under callgrind */
};

static const struct option long_options[] = {
	{"counted", no_argument, NULL, 'c'},
	{"device", required_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},
	{"json", no_argument, NULL, 'j'},
	{"only", required_argument, NULL, 'o'},
	{"svg", required_argument, NULL, 's'},
	{NULL, 0, NULL, 0},
};

/* By enum bench_group's bits. */
static const struct {
	const char *name, *summary;
} groups[GROUPS] = {
	{"edge", "an edge MSI from its post to its EOI"},
	{"level", "a level interrupt from its line up to its EOI"},
	{"msi", "an MSI to one vCPU and to many"},
	{"ipi", "an IPI to all vCPUs, 1 to 4,096 of them"},
	{"snapshot", "a snapshot saved and restored, 1 to 512 vCPUs"},
	{"affinity", "an affinity change, by policy, over vCPUs and routes"},
	{"posters", "two threads that post at once"},
	{"machine", "the machine that lapwing sim runs on"},
	{"kvm", "KVM's calls for the same"},
};

static void print_usage(void)
{
	printf("Usage: lapwing bench [--only GROUP,...] [--json] [--svg FILE] [--device PATH]\n"
	       "Measures what operations cost, in instructions and ns, beside KVM's, and says\n"
	       "whether Lapwing's targets are met.\n\n"
	       "  --only G,...   only these groups; by default all\n"
	       "  --json         print JSON, as lapwing-bench(1) describes it\n"
	       "  --svg FILE     also draw what an affinity change costs, with gnuplot\n"
	       "  --device PATH  the KVM device (" DEFAULT_DEVICE ")\n"
	       "  --help         print this\n\nGroups:\n");
	for (size_t n = 0; n < GROUPS; n++)
		printf("    %-10s %s\n", groups[n].name, groups[n].summary);
	printf("\nInstructions are counted by valgrind's callgrind, where it is installed.\n"
	       "Exit status: 0 fine, 1 a target is missed, 2 it could not run.\n");
}

/* ---- options ---- */

static const char *group_name(size_t n)
{
	return n < GROUPS ? groups[n].name : NULL;
}

static int read_only(const char *list, struct options *o)
{
	bool flags[GROUPS] = {false};
	int err = lw_tool_read_names("--only", list, group_name, flags);

	o->only = list;
	o->groups = 0;
	for (unsigned n = 0; n < GROUPS; n++)
		o->groups |= (unsigned)flags[n] << n;
	return err;
}

static int read_options(int argc, char **argv, struct options *o)
{
	int option;

	*o = (struct options){.groups = BENCH_GROUP_ALL, .device = DEFAULT_DEVICE};
	optind = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			o->counted = true;
			break;
		case 'd':
			o->device = optarg;
			break;
		case 'h':
			o->help = true;
			break;
		case 'j':
			o->json = true;
			break;
		case 'o':
			if (read_only(optarg, o) < 0)
				return -EINVAL;
			break;
		case 's':
			o->svg = optarg;
			break;
		default:
			return -EINVAL;
		}
	}
	if (o->svg && !(o->groups & BENCH_GROUP_AFFINITY)) {
		lw_tool_error("--svg draws affinity changes, which --only leaves out");
		return -EINVAL;
	}
	return lw_tool_no_operands(argc, argv, optind);
}

/* ---- running ---- */

static int list_rows(struct bench *b)
{
	struct bench_case *cases;

	b->count = lw_bench_list(b->groups, &cases);
	b->rows = calloc(b->count + 1, sizeof(*b->rows));
	for (size_t n = 0; cases && b->rows && n < b->count; n++)
		b->rows[n] = (struct bench_row){
			.what = cases[n], .instructions = BENCH_UNKNOWN, .ns = BENCH_UNKNOWN};
	free(cases);
	return cases && b->rows ? 0 : -ENOMEM;
}

static int list_kvm(struct bench *b)
{
	static const uint32_t routes[] = {LEAST_ROUTES, 64, 256, 1024, LW_COST_MAX_ROUTES};
	const size_t lengths = sizeof(routes) / sizeof(routes[0]);

	if (!(b->groups & BENCH_GROUP_KVM))
		return 0;
	b->kvm = calloc(LW_COST_KINDS + lengths, sizeof(*b->kvm));
	if (!b->kvm)
		return -ENOMEM;
	for (int k = 0; k < LW_COST_ROUTING; k++)
		b->kvm[b->kvm_count++].kind = (enum lw_cost_kind)k;
	for (size_t n = 0; n < lengths; n++)
		b->kvm[b->kvm_count++] =
			(struct bench_kvm_row){.kind = LW_COST_ROUTING, .routes = routes[n]};
	for (size_t n = 0; n < b->kvm_count; n++)
		b->kvm[n].ns[0] = b->kvm[n].ns[1] = BENCH_UNKNOWN;
	return 0;
}

static void time_kvm(struct bench *b, const char *device)
{
	struct lw_kvm kvm;

	if (lw_kvm_open(&kvm, device, &lw_kvm_host, &b->no_kvm[0]) < 0) {
		b->no_kvm[1] = b->no_kvm[0];
		return;
	}
	lw_bench_time_kvm(b, &kvm, LW_VM_SPLIT);
	lw_bench_time_kvm(b, &kvm, LW_VM_INKERNEL);
	close(kvm.fd);
}

/* Times first: counting takes longest. */
static int measure(struct bench *b, const struct options *o)
{
	char name[] = "bench", counted[] = "--counted", only[] = "--only";
	char *list = o->only ? strdup(o->only) : NULL;
	char *arguments[] = {name, counted, list ? only : NULL, list, NULL};
	struct lw_progress bar;
	int err = o->only && !list ? -ENOMEM : 0;

	lw_progress_start(&bar, "measuring", 2 * b->count + 10);
	for (size_t n = 0; err == 0 && n < b->count; n++) {
		err = lw_bench_time_row(&b->rows[n]);
		lw_progress_update(&bar, n + 1);
	}
	if (err == 0 && b->groups & BENCH_GROUP_MACHINE)
		err = lw_bench_time_machine(b);
	if (err == 0 && b->groups & BENCH_GROUP_POSTERS)
		lw_bench_post(b);
	if (err == 0 && b->groups & BENCH_GROUP_KVM)
		time_kvm(b, o->device);
	lw_progress_update(&bar, b->count + 10);
	if (err == 0 && b->count)
		err = lw_bench_count(b, arguments, &bar);
	lw_progress_end(&bar);
	free(list);
	return err;
}

static int draw(const struct options *o, const struct bench *b)
{
	char command[256], *script = NULL;
	size_t size;
	FILE *out = open_memstream(&script, &size);
	int err = -ENOMEM;

	snprintf(command, sizeof(command), "lapwing bench%s%.200s", o->only ? " --only " : "",
		 o->only ? o->only : "");
	if (out) {
		lw_bench_script(b, command, out);
		fclose(out);
		if (script)
			err = lw_plot_draw(o->svg, script, size);
	}
	free(script);
	return err;
}

static int run(const struct options *o)
{
	struct bench b = {.groups = o->groups};
	int status = LW_EXIT_FINE;
	int err = list_rows(&b);

	if (err == 0 && o->counted) {
		err = lw_bench_be_counted(&b);
		free(b.rows);
		return err;
	}
	if (err == 0)
		err = list_kvm(&b);
	if (err == 0)
		err = measure(&b, o);
	if (err == 0)
		err = o->json ? lw_tool_print_json(lw_bench_json(&b)) : lw_bench_print(&b, stdout);
	if (err == 0 && lw_bench_missed(&b))
		status = LW_EXIT_FOUND;
	if (err == 0 && o->svg && draw(o, &b) < 0)
		status = LW_EXIT_UNTOLD;
	free(b.rows);
	free(b.kvm);
	return err < 0 ? err : status;
}

int lw_cmd_bench(int argc, char **argv)
{
	struct options options;

	if (read_options(argc, argv, &options) < 0)
		return lw_tool_usage_error("bench");
	if (options.help) {
		print_usage();
		return LW_EXIT_FINE;
	}
	if (options.svg && lw_plot_check(options.svg) < 0)
		return LW_EXIT_UNTOLD;
	return run(&options);
}
