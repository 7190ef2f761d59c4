/* SPDX-License-Identifier: MIT */
#include "vmm.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Even exit statuses are ours, odd ones the guest's (value * 2 + 1). */
#define EXIT_POWER_OFF 0
#define EXIT_FAILED    2
#define EXIT_RESET     4

#define MAX_CPUS    4096
#define MAX_MEMORY  (1u << 20) /* MiB */
#define MIN_MEMORY  2          /* MiB */
#define MAX_TIMEOUT 1000000
#define APPEND      "console=ttyS0 panic=-1"

static const struct option long_options[] = {
	{"append", required_argument, NULL, 'a'},  {"cpus", required_argument, NULL, 'c'},
	{"device", required_argument, NULL, 'd'},  {"disk", required_argument, NULL, 'D'},
	{"help", no_argument, NULL, 'h'},          {"immediate", no_argument, NULL, 'I'},
	{"initrd", required_argument, NULL, 'i'},  {"irqchip", required_argument, NULL, 'q'},
	{"json", no_argument, NULL, 'j'},          {"kernel", required_argument, NULL, 'k'},
	{"memory", required_argument, NULL, 'm'},  {"policy", required_argument, NULL, 'p'},
	{"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
};

int tv_error(const struct tv *vm, int err, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", vm->options.program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (err && err != -EPROTO)
		fprintf(stderr, ": %s", strerror(-err));
	fputc('\n', stderr);
	return err;
}

static void print_usage(const char *program)
{
	printf("Usage: %s --kernel FILE [--initrd FILE] [--append LINE] [OPTION...]\n"
	       "Runs a Linux bzImage or a multiboot image on KVM with Lapwing's interrupt "
	       "controllers.\n\n"
	       "  --irqchip WHERE  kernel: all in KVM; split: the I/O APIC in Lapwing; user: all "
	       "in\n"
	       "                   Lapwing (split)\n"
	       "  --cpus N         vCPUs (1)\n"
	       "  --memory MIB     memory (512)\n"
	       "  --append LINE    the kernel's command line (" APPEND ")\n"
	       "  --disk FILE      what the virtio disk holds, read once (a pattern of 1 MiB)\n"
	       "  --timeout S      give up after S seconds (never)\n"
	       "  --immediate      split: tell KVM of each change of a route at once, as others "
	       "do\n"
	       "  --policy NAME    user: armed or lazy (armed)\n"
	       "  --device PATH    the KVM device (/dev/kvm)\n"
	       "  --json           print the counters as JSON, after what the guest printed\n"
	       "  --help           print this\n\n"
	       "Exit status: 0 powered off, 4 reset, 2 it could not run or did not end; what the\n"
	       "guest writes to port 0xf4, times two plus one.\n",
	       program);
}

static int number(const struct tv *vm, const char *what, unsigned long min, unsigned long max,
		  unsigned long *out)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(optarg, &end, 10);
	if (errno || *optarg < '0' || *optarg > '9' || *end || value < min || value > max) {
		tv_error(vm, 0, "%s: '%s' is not a number from %lu to %lu", what, optarg, min, max);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int choose(const struct tv *vm, const char *what, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(optarg, names[i]) == 0)
			return i;
	}
	tv_error(vm, 0, "%s: '%s' is not known", what, optarg);
	return -EINVAL;
}

static int set_number(struct tv *vm, int option)
{
	unsigned long value = 0;
	int err;

	switch (option) {
	case 'c':
		err = number(vm, "--cpus", 1, MAX_CPUS, &value);
		vm->options.cpus = (unsigned)value;
		return err;
	case 'm':
		err = number(vm, "--memory", MIN_MEMORY, MAX_MEMORY, &value);
		vm->options.memory = (uint64_t)value << 20;
		return err;
	default:
		err = number(vm, "--timeout", 1, MAX_TIMEOUT, &value);
		vm->options.timeout = (unsigned)value;
		return err;
	}
}

static int set_choice(struct tv *vm, int option)
{
	static const char *const irqchips[] = {"kernel", "split", "user"};
	static const char *const policies[] = {"armed", "lazy"};
	int chosen = option == 'q' ? choose(vm, "--irqchip", irqchips, 3)
				   : choose(vm, "--policy", policies, 2);

	if (chosen < 0)
		return chosen;
	if (option == 'q') {
		vm->options.irqchip = (enum tv_irqchip)chosen;
		return 0;
	}
	vm->options.policy = true;
	vm->options.lazy = chosen == 1;
	return 0;
}

static int set_option(struct tv *vm, int option, bool *help)
{
	switch (option) {
	case 'a':
		vm->options.append = optarg;
		return 0;
	case 'd':
		vm->options.device = optarg;
		return 0;
	case 'D':
		vm->options.disk = optarg;
		return 0;
	case 'h':
		*help = true;
		return 0;
	case 'I':
		vm->options.immediate = true;
		return 0;
	case 'i':
		vm->options.initrd = optarg;
		return 0;
	case 'j':
		vm->options.json = true;
		return 0;
	case 'k':
		vm->options.kernel = optarg;
		return 0;
	case 'c':
	case 'm':
	case 't':
		return set_number(vm, option);
	case 'p':
	case 'q':
		return set_choice(vm, option);
	default:
		return -EINVAL;
	}
}

/* What would change nothing is a mistake. */
static int check_options(const struct tv *vm)
{
	const struct tv_options *o = &vm->options;

	if (!o->kernel)
		tv_error(vm, 0, "--kernel FILE is wanted");
	else if (o->immediate && o->irqchip != TV_SPLIT)
		tv_error(vm, 0, "--immediate: only with --irqchip split");
	else if (o->policy && o->irqchip != TV_USER)
		tv_error(vm, 0, "--policy: only with --irqchip user");
	else
		return 0;
	return -EINVAL;
}

static int read_options(struct tv *vm, int argc, char **argv, bool *help)
{
	int option;

	vm->options = (struct tv_options){.program = argv[0],
					  .device = "/dev/kvm",
					  .append = APPEND,
					  .irqchip = TV_SPLIT,
					  .cpus = 1,
					  .memory = 512u << 20};
	optind = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (set_option(vm, option, help) < 0)
			return -EINVAL;
	}
	if (*help)
		return 0;
	if (optind < argc) {
		tv_error(vm, 0, "'%s' is not expected", argv[optind]);
		return -EINVAL;
	}
	return check_options(vm);
}

static int exit_status(struct tv *vm)
{
	switch ((enum tv_end)vm->end) {
	case TV_POWERED_OFF:
		return EXIT_POWER_OFF;
	case TV_WAS_RESET:
		return EXIT_RESET;
	case TV_EXIT_PORT:
		return vm->status;
	case TV_TIMED_OUT:
		tv_error(vm, 0, "the guest was still running after %u s (--timeout)",
			 vm->options.timeout);
		return EXIT_FAILED;
	default:
		tv_error(vm, 0, "%s", vm->broken);
		return EXIT_FAILED;
	}
}

int tv_main(int argc, char **argv)
{
	struct tv vm = {.kvm = -1, .fd = -1, .ended_fd = -1};
	bool help = false;
	int status = EXIT_FAILED;

	if (read_options(&vm, argc, argv, &help) < 0) {
		fprintf(stderr, "Try '%s --help'.\n", vm.options.program);
		return EXIT_FAILED;
	}
	if (help) {
		print_usage(vm.options.program);
		return EXIT_POWER_OFF;
	}
	if (tv_create(&vm) == 0 && tv_run(&vm) == 0) {
		status = exit_status(&vm);
		tv_report(&vm);
	}
	tv_destroy(&vm);
	return status;
}
