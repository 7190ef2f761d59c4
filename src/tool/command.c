/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

#include <errno.h>
#include <string.h>

static int cmd_help(int argc, char **argv);

static const struct lw_command commands[] = {
	{"probe", lw_cmd_probe, "tell whether this host's KVM loses EOIs or keeps stale vectors"},
	{"run", lw_cmd_run, "run a guest on KVM with Lapwing's interrupt controllers"},
	{"sim", lw_cmd_sim, "simulate what each EOI policy costs, and loses"},
	{"bench", lw_cmd_bench, "measure what operations cost, beside KVM's"},
	{"help", cmd_help, "tell what a command does"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	fputs("Usage: lapwing COMMAND [OPTION...]\n"
	      "Finds end-of-interrupt exits that need not happen on Linux/KVM "
	      "hosts.\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s%s\n", commands[i].name, commands[i].summary);
	fputs("\n'lapwing help COMMAND' tells more; 'lapwing --version' the version.\n"
	      "Exit status: 0 fine, 1 the thing looked for was found, 2 usage, environment,\n"
	      "or nothing could be told.\n",
	      out);
}

static const struct lw_command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	lw_tool_error("'%s' is not a command", name);
	return lw_tool_usage_error(NULL);
}

static int run_command(const struct lw_command *command, int argc, char **argv)
{
	char name[64];
	int status;

	snprintf(name, sizeof(name), "lapwing %s", command->name);
	argv[0] = name;
	status = command->run(argc, argv);
	if (status >= 0)
		return status;
	lw_tool_error("%s: %s", command->name, strerror(-status));
	return LW_EXIT_UNTOLD;
}

static int cmd_help(int argc, char **argv)
{
	static char help_flag[] = "--help";
	const struct lw_command *command;
	char *args[3] = {NULL, help_flag, NULL};

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return LW_EXIT_FINE;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, 2, args);
}

static int dispatch(int argc, char **argv)
{
	const struct lw_command *command;

	if (argc < 2) {
		print_usage(stderr);
		return LW_EXIT_UNTOLD;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return LW_EXIT_FINE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("lapwing %s\n", lw_tool_version);
		return LW_EXIT_FINE;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, argc - 1, argv + 1);
}

int lw_tool_main(int argc, char **argv)
{
	int status = dispatch(argc, argv);
	int err = lw_tool_flush_stdout();

	if (err == 0)
		return status;
	lw_tool_error("cannot write to standard output: %s", strerror(-err));
	return LW_EXIT_UNTOLD;
}
