/* SPDX-License-Identifier: MIT */
#include "tool/probe.h"

#include <errno.h>
#include <getopt.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DEFAULT_COUNT  200
#define MIN_COUNT      2 /* a single exit is what a kernel that cleans up may take */
#define MAX_COUNT      1000000
#define DEFAULT_DEVICE "/dev/kvm"

struct options {
	const char *device;
	uint64_t count;
	unsigned ignored;
	bool json;
	bool help;
};

static const struct option long_options[] = {
	{"count", required_argument, NULL, 'n'}, {"device", required_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},        {"ignore", required_argument, NULL, 'i'},
	{"json", no_argument, NULL, 'j'},        {NULL, 0, NULL, 0},
};

static void print_usage(void)
{
	printf("Usage: lapwing probe [--json] [--count N] [--ignore CASE] [--device PATH]\n"
	       "Tells whether this host's KVM loses EOIs or keeps stale vectors.\n\n"
	       "  --count N      reuse each vector N times, %d to %d (%d)\n"
	       "  --device PATH  the KVM device (" DEFAULT_DEVICE ")\n"
	       "  --ignore CASE  show this case, but let no verdict depend on it; more than once\n"
	       "  --json         print JSON, as lapwing-probe(1) describes it\n"
	       "  --help         print this\n\n"
	       "Exit status: 0 not affected, 1 affected, 2 could not run or could not tell.\n",
	       MIN_COUNT, MAX_COUNT, DEFAULT_COUNT);
}

static int ignore(struct options *options, const char *name)
{
	unsigned bit = lw_case_bit(name);

	if (!bit || bit == lw_case_bit("control")) {
		lw_tool_error("--ignore: '%s' is not moved-in-service, coincidence or "
			      "vector-rewrite",
			      name);
		return -EINVAL;
	}
	options->ignored |= bit;
	return 0;
}

static int read_options(int argc, char **argv, struct options *options)
{
	int option, err;

	*options = (struct options){.device = DEFAULT_DEVICE, .count = DEFAULT_COUNT};
	optind = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			err = lw_tool_parse_u64("--count", optarg, MIN_COUNT, MAX_COUNT,
						&options->count);
			if (err < 0)
				return err;
			break;
		case 'd':
			options->device = optarg;
			break;
		case 'h':
			options->help = true;
			break;
		case 'i':
			err = ignore(options, optarg);
			if (err < 0)
				return err;
			break;
		case 'j':
			options->json = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return lw_tool_no_operands(argc, argv, optind);
}

static void on_progress(void *context, unsigned done, unsigned total)
{
	struct lw_progress *bar = context;

	bar->total = total;
	lw_progress_update(bar, done);
}

static int probe_and_report(const struct options *options, const struct lw_kvm *kvm)
{
	struct lw_mode_result modes[LW_PROBE_MODES], lapwing;
	struct lw_progress bar;
	struct lw_probe probe = {
		.kvm = kvm,
		.count = options->count,
		.ignored = options->ignored,
		.progress = on_progress,
		.context = &bar,
	};
	struct lw_probe_report report = {
		.count = options->count,
		.modes = modes,
		.mode_count = LW_PROBE_MODES,
		.lapwing = &lapwing,
	};
	struct utsname host;
	int err;

	if (uname(&host) < 0)
		return -errno;
	report.kernel = host.release;
	lw_progress_start(&bar, "probing", 0);
	lw_probe_run(&probe, modes);
	lw_probe_lapwing(&probe, &lapwing);
	lw_progress_end(&bar);
	if (options->json)
		err = lw_tool_print_json(lw_probe_json(&report));
	else
		err = lw_probe_print(&report, stdout);
	return err < 0 ? err : lw_verdict_exit_status(modes, LW_PROBE_MODES);
}

int lw_cmd_probe(int argc, char **argv)
{
	struct options options;
	struct lw_reason reason;
	struct lw_kvm kvm;
	int status;

	if (read_options(argc, argv, &options) < 0)
		return lw_tool_usage_error("probe");
	if (options.help) {
		print_usage();
		return LW_EXIT_FINE;
	}
	if (lw_kvm_open(&kvm, options.device, &lw_kvm_host, &reason) < 0) {
		lw_tool_error("%s", reason.text);
		return LW_EXIT_UNTOLD;
	}
	status = probe_and_report(&options, &kvm);
	close(kvm.fd);
	return status;
}
