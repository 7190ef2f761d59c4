/* SPDX-License-Identifier: MIT */
/* Running gnuplot: its script in, its picture out, without a shell and without names to quote. */
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void lw_plot_quoted(const char *s, FILE *out)
{
	putc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', out);
		putc(*s, out);
	}
	putc('"', out);
}

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
		return errno == ENOENT && path[0] ? strdup(path) : NULL;
	if (S_ISREG(st.st_mode))
		return realpath(path, NULL);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return NULL;
}

/* A new file in the place's folder, so that it can be renamed. Its name is the caller's to free. */
static int open_beside(const char *place, char **name)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(name, "%s.XXXXXX", place) < 0) {
		*name = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(*name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0666 & ~mask) == 0)
		return fd;
	close(fd);
	unlink(*name);
	return -EIO;
}

static int cannot_write(const char *path, int err)
{
	lw_tool_error("--svg: cannot write %s: %s", path,
		      err == -EINVAL ? "not a regular file" : strerror(-err));
	return err;
}

int lw_plot_check(const char *path)
{
	char *place, *name;
	int err = is_installed();

	if (err < 0)
		return err;
	place = resolve(path);
	if (!place)
		return cannot_write(path, -errno);
	err = open_beside(place, &name);
	if (err >= 0) {
		close(err);
		err = unlink(name) < 0 ? -errno : 0;
	}
	free(name);
	free(place);
	return err < 0 ? cannot_write(path, err) : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* The whole file or none. */
static int put_in_place(const char *place, const char *data, size_t size)
{
	char *name = NULL;
	int fd = open_beside(place, &name);
	int err = fd < 0 ? fd : write_all(fd, data, size);

	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	if (fd >= 0 && close(fd) < 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(name, place) < 0)
		err = -errno;
	if (err < 0 && fd >= 0)
		unlink(name);
	free(name);
	return err;
}

/* What gnuplot said; its first line will do. */
static int tell_failure(int said)
{
	char text[512];
	ssize_t size = pread(said, text, sizeof(text) - 1, 0);
	char *line = text;

	text[size > 0 ? size : 0] = '\0';
	line += strspn(line, " \t\n^");
	line[strcspn(line, "\n")] = '\0';
	lw_tool_error("gnuplot failed: %s", line[0] ? line : "it does not say why");
	return -EIO;
}

/* Puts what gnuplot drew in place, if it is whole: gnuplot does not notice when it cannot write. */
static int install(const char *path, int picture, int said)
{
	static const char end[] = "</svg>";
	off_t size = lseek(picture, 0, SEEK_END);
	char *place, *data;
	int err;

	data = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, picture, 0) : MAP_FAILED;
	if (data == MAP_FAILED)
		return tell_failure(said);
	if (!memmem(data, (size_t)size, end, sizeof(end) - 1)) {
		munmap(data, (size_t)size);
		return tell_failure(said);
	}
	place = resolve(path);
	err = place ? put_in_place(place, data, (size_t)size) : -errno;
	free(place);
	munmap(data, (size_t)size);
	return err < 0 ? cannot_write(path, err) : 0;
}

int lw_plot_draw(const char *path, const char *script, size_t size)
{
	static char name[] = "gnuplot", defaults[] = "-d", standard[] = "-";
	char *argv[] = {name, defaults, standard, NULL};
	int in = memfd_create("script", MFD_CLOEXEC);
	int out = memfd_create("picture", MFD_CLOEXEC);
	int said = memfd_create("messages", MFD_CLOEXEC);
	int err = in < 0 || out < 0 || said < 0 ? -errno : write_all(in, script, size);

	if (err == 0 && lseek(in, 0, SEEK_SET) < 0)
		err = -errno;
	if (err < 0) {
		lw_tool_error("cannot hand gnuplot its script: %s", strerror(-err));
	} else {
		err = run_gnuplot(argv, in, out, said);
		err = err < 0 ? tell_failure(said) : install(path, out, said);
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (said >= 0)
		close(said);
	return err;
}
