/* SPDX-License-Identifier: MIT */
/* Running gnuplot: its script in, its picture out, without a shell and without names to quote. */
#include "tool/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* 0; -EIO where it ran and failed; or why it could not be started. */
static int run_gnuplot(char *const argv[], int in, int out, int err_out)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, err_out, STDERR_FILENO);
	if (!err)
		err = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err ? -err : wait_for(child);
}

static int is_installed(void)
{
	static char name[] = "gnuplot", version[] = "--version";
	char *argv[] = {name, version, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err;

	if (null < 0) {
		err = -errno;
		lw_tool_error("/dev/null: %s", strerror(-err));
		return err;
	}
	err = run_gnuplot(argv, null, null, null);
	close(null);
	if (err == -ENOENT)
		lw_tool_error("--svg needs gnuplot; it is in Debian's package gnuplot-nox");
	else if (err < 0)
		lw_tool_error("--svg needs gnuplot, which does not run: %s", strerror(-err));
	return err;
}

/* The file itself where the name is a link; a device or a directory is no place for a picture. */
static char *resolve(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? strdup(path) : NULL;
	if (S_ISREG(st.st_mode))
		return realpath(path, NULL);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return NULL;
}

static int open_beside(struct lw_plot *plot)
{
	mode_t mask = umask(0);

	umask(mask);
	if (asprintf(&plot->temporary, "%s.XXXXXX", plot->path) < 0) {
		plot->temporary = NULL;
		return -ENOMEM;
	}
	plot->fd = mkostemp(plot->temporary, O_CLOEXEC);
	if (plot->fd < 0)
		return -errno;
	return fchmod(plot->fd, 0666 & ~mask) < 0 ? -errno : 0;
}

int lw_plot_begin(struct lw_plot *plot, const char *path)
{
	int err;

	*plot = (struct lw_plot){.fd = -1};
	err = is_installed();
	if (err < 0)
		return err;
	plot->path = resolve(path);
	err = plot->path ? open_beside(plot) : -errno;
	if (err < 0) {
		lw_tool_error("--svg: cannot write %s: %s", path,
			      err == -EINVAL ? "not a regular file" : strerror(-err));
		lw_plot_end(plot);
	}
	return err;
}

/* What gnuplot said; its first line will do. */
static void tell_failure(int said)
{
	char text[512];
	ssize_t size = pread(said, text, sizeof(text) - 1, 0);
	char *line = text;

	text[size > 0 ? size : 0] = '\0';
	line += strspn(line, " \t\n");
	line[strcspn(line, "\n")] = '\0';
	lw_tool_error("gnuplot failed: %s", line[0] ? line : "it does not say why");
}

static int feed(struct lw_plot *plot, int script, const char *text, size_t size)
{
	static char name[] = "gnuplot", defaults[] = "-d", standard[] = "-";
	char *argv[] = {name, defaults, standard, NULL};
	int said = memfd_create("gnuplot-stderr", MFD_CLOEXEC);
	int err = said < 0 ? -errno : 0;

	for (size_t done = 0; err == 0 && done < size;) {
		ssize_t n = write(script, text + done, size - done);

		if (n < 0)
			err = -errno;
		else
			done += (size_t)n;
	}
	if (err == 0 && lseek(script, 0, SEEK_SET) < 0)
		err = -errno;
	if (err < 0) {
		lw_tool_error("cannot hand gnuplot its script: %s", strerror(-err));
	} else {
		err = run_gnuplot(argv, script, plot->fd, said);
		if (err < 0)
			tell_failure(said);
	}
	if (said >= 0)
		close(said);
	return err;
}

/* It may have failed to write, and not noticed. */
static int put_in_place(struct lw_plot *plot)
{
	struct stat st;
	int err = 0;

	if (fstat(plot->fd, &st) < 0 || fsync(plot->fd) < 0)
		err = -errno;
	else if (st.st_size == 0)
		err = -EIO;
	else if (rename(plot->temporary, plot->path) < 0)
		err = -errno;
	if (err < 0) {
		lw_tool_error("--svg: cannot write %s: %s", plot->path, strerror(-err));
		return err;
	}
	free(plot->temporary);
	plot->temporary = NULL;
	return 0;
}

int lw_plot_draw(struct lw_plot *plot, const char *text, size_t size)
{
	int script = memfd_create("gnuplot-script", MFD_CLOEXEC);
	int err;

	if (script < 0) {
		err = -errno;
		lw_tool_error("cannot hand gnuplot its script: %s", strerror(-err));
		return err;
	}
	err = feed(plot, script, text, size);
	close(script);
	return err < 0 ? err : put_in_place(plot);
}

void lw_plot_end(struct lw_plot *plot)
{
	if (plot->temporary && plot->fd >= 0)
		unlink(plot->temporary);
	if (plot->fd >= 0)
		close(plot->fd);
	free(plot->temporary);
	free(plot->path);
	*plot = (struct lw_plot){.fd = -1};
}
