/* SPDX-License-Identifier: MIT */
/*
 * Instructions, by callgrind: this program runs itself again under valgrind, which collects while
 * lw_bench_measured() runs and writes a file at each of its ends, one for each case in order.
 */
#include "tool/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEASURED  "lw_bench_measured"
#define ARGUMENTS 16
#define PATH_SIZE 4200

/* ---- in the child ---- */

int lw_bench_be_counted(const struct bench *b)
{
	for (size_t n = 0; n < b->count; n++) {
		const struct bench_case *c = &b->rows[n].what;
		uint32_t count = lw_bench_iterations(c);
		struct bench_rig rig;
		int err = lw_bench_ops[c->op].open(&rig, c);

		if (err == 0) {
			lw_bench_ops[c->op].run(&rig, 2); /* what happens only once has happened */
			lw_bench_measured(&rig, c, count);
			printf("%zu\n", n);
			fflush(stdout);
		}
		lw_bench_close(&rig);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- callgrind's files ---- */

/* "fn=(12) name", and from then on "fn=(12)". Is it ours, by what was said last? */
#define MOST_NAMES 8192

struct names {
	bool ours[MOST_NAMES];
};

static bool starts_with(const char *line, const char *start)
{
	return strncmp(line, start, strlen(start)) == 0;
}

static int read_name(struct names *names, const char *line, bool *ours)
{
	char *end;
	unsigned long id = strtoul(line, &end, 10);

	if (end[0] != ')' || id >= MOST_NAMES)
		return -EPROTO;
	if (end[1] == ' ')
		names->ours[id] =
			starts_with(end + 2, "bench_") || starts_with(end + 2, "lw_bench_");
	*ours = names->ours[id];
	return 0;
}

/* A cost line is a position and a number; after "calls=" it is what the callee's is already. */
static bool is_cost(const char *line)
{
	return line[0] == '+' || line[0] == '-' || line[0] == '*' ||
	       (line[0] >= '0' && line[0] <= '9');
}

static int add_cost(const char *line, uint64_t *sum)
{
	const char *cost = strchr(line, ' ');
	char *end;

	if (!cost)
		return -EPROTO;
	*sum += strtoull(cost, &end, 10);
	return end == cost ? -EPROTO : 0;
}

int lw_bench_read_counts(FILE *in, uint64_t *instructions)
{
	struct names *names = calloc(1, sizeof(*names));
	char *line = NULL;
	size_t size = 0;
	bool ours = false, callee, called = false, whole = false;
	int err = names ? 0 : -ENOMEM;

	*instructions = 0;
	while (err == 0 && getline(&line, &size, in) > 0) {
		if (starts_with(line, "fn=(")) {
			err = read_name(names, line + 4, &ours);
		} else if (starts_with(line, "cfn=(")) {
			err = read_name(names, line + 5, &callee);
		} else if (starts_with(line, "totals:")) {
			whole = true;
		} else if (starts_with(line, "calls=")) {
			called = true;
		} else if (is_cost(line)) {
			if (!called && !ours)
				err = add_cost(line, instructions);
			called = false;
		}
	}
	free(line);
	free(names);
	return err == 0 && !whole ? -EPROTO : err;
}

/* ---- in the parent ---- */

static int spawn(char *const argv[], int out, const char *log, pid_t *child)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
						       O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!err)
		err = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Each line says that a case is done. */
static int follow(int from, pid_t child, struct lw_progress *bar, uint64_t done)
{
	FILE *lines = fdopen(from, "r");
	char line[64];
	int status;

	while (lines && fgets(line, sizeof(line), lines))
		lw_progress_update(bar, ++done);
	if (lines)
		fclose(lines);
	else
		close(from);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

static int run_valgrind(const char *folder, char *const arguments[], struct lw_progress *bar,
			uint64_t done)
{
	static char valgrind[] = "valgrind", tool[] = "--tool=callgrind",
		    toggle[] = "--toggle-collect=" MEASURED, dump[] = "--dump-after=" MEASURED;
	char self[PATH_SIZE], out[PATH_SIZE], log[PATH_SIZE];
	char *argv[ARGUMENTS + 8] = {valgrind, tool, toggle, dump, out, self};
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int pipes[2], err;
	pid_t child;

	if (length < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	self[length] = '\0';
	snprintf(out, sizeof(out), "--callgrind-out-file=%s/out", folder);
	snprintf(log, sizeof(log), "%s/log", folder);
	for (int n = 0; n < ARGUMENTS && arguments[n]; n++)
		argv[6 + n] = arguments[n];
	err = spawn(argv, pipes[1], log, &child);
	close(pipes[1]);
	if (err == 0)
		return follow(pipes[0], child, bar, done);
	close(pipes[0]);
	return err;
}

static int read_all(struct bench *b, const char *folder)
{
	for (size_t n = 0; n < b->count; n++) {
		char path[PATH_SIZE];
		uint64_t count;
		FILE *in;
		int err;

		snprintf(path, sizeof(path), "%s/out.%zu", folder, n + 1);
		in = fopen(path, "r");
		err = in ? lw_bench_read_counts(in, &count) : -EPROTO;
		if (in)
			fclose(in);
		if (err == 0 && count == 0)
			err = -EPROTO;
		if (err < 0)
			return err;
		b->rows[n].instructions =
			(double)count / (double)lw_bench_iterations(&b->rows[n].what);
	}
	return 0;
}

static void remove_all(const struct bench *b, const char *folder)
{
	char path[PATH_SIZE];

	for (size_t n = 1; n <= b->count; n++) {
		snprintf(path, sizeof(path), "%s/out.%zu", folder, n);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/out", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/log", folder);
	unlink(path);
	rmdir(folder);
}

/* The last thing it said; nothing if it said nothing. */
static void last_words(const char *folder, char text[100])
{
	char path[PATH_SIZE], line[100];
	FILE *log;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s/log", folder);
	log = fopen(path, "r");
	while (log && fgets(line, sizeof(line), log))
		if (line[0] != '\n')
			snprintf(text, 100, "%s", line);
	if (log)
		fclose(log);
	text[strcspn(text, "\n")] = '\0';
}

int lw_bench_count(struct bench *b, char *const arguments[], struct lw_progress *bar)
{
	const char *place = getenv("TMPDIR");
	char folder[PATH_SIZE / 2], said[100];
	int err;

	snprintf(folder, sizeof(folder), "%s/lapwing-bench.XXXXXX", place ? place : "/tmp");
	if (!mkdtemp(folder)) {
		err = -errno;
		lw_tool_error("cannot make a folder for callgrind's files: %s", strerror(-err));
		return err;
	}
	err = run_valgrind(folder, arguments, bar, bar->total - b->count);
	last_words(folder, said);
	if (err == -ENOENT)
		lw_reason_set(&b->uncounted, -EPROTO, "valgrind is not installed");
	else if (err < 0)
		lw_reason_set(&b->uncounted, -EPROTO, "valgrind failed: %s",
			      said[0] ? said : "it does not say why");
	else if (read_all(b, folder) < 0)
		lw_reason_set(&b->uncounted, -EPROTO, "callgrind did not find " MEASURED "()");
	if (b->uncounted.text[0])
		for (size_t n = 0; n < b->count; n++)
			b->rows[n].instructions = BENCH_UNKNOWN;
	remove_all(b, folder);
	return 0;
}
