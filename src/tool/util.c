/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char lw_tool_version[] = LW_VERSION;

void lw_tool_error(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("lapwing: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int lw_tool_parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	unsigned long long value;
	char *end;

	/* strtoull() would take a sign and leading blanks. */
	if (!isdigit((unsigned char)s[0])) {
		lw_tool_error("%s: '%s' is not a number", what, s);
		return -EINVAL;
	}
	errno = 0;
	value = strtoull(s, &end, base);
	if (*end != '\0') {
		lw_tool_error("%s: '%s' is not a number", what, s);
		return -EINVAL;
	}
	if (errno == ERANGE || value < min || value > max) {
		lw_tool_error("%s: %s is not between %" PRIu64 " and %" PRIu64, what, s, min, max);
		return -ERANGE;
	}
	*out = value;
	return 0;
}

static int unknown_name(const char *what, const char *name, size_t length,
			const char *(*known)(size_t))
{
	char *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	if (!out)
		return -ENOMEM;
	for (size_t n = 0; known(n); n++)
		fprintf(out, "%s%s", n ? ", " : "", known(n));
	fclose(out);
	lw_tool_error("%s: '%.*s' is none of %s", what, (int)length, name, list);
	free(list);
	return -EINVAL;
}

int lw_tool_read_names(const char *what, const char *list, const char *(*known)(size_t),
		       bool *flags)
{
	for (;;) {
		size_t length = strcspn(list, ","), n = 0;

		while (known(n) &&
		       (strlen(known(n)) != length || memcmp(known(n), list, length) != 0))
			n++;
		if (!known(n))
			return unknown_name(what, list, length, known);
		flags[n] = true;
		if (list[length] == '\0')
			return 0;
		list += length + 1;
	}
}

int lw_tool_usage_error(const char *command)
{
	fprintf(stderr, "Try 'lapwing %s%s--help'.\n", command ? command : "", command ? " " : "");
	return LW_EXIT_UNTOLD;
}

int lw_tool_no_operands(int argc, char **argv, int optind_now)
{
	if (optind_now >= argc)
		return 0;
	lw_tool_error("'%s' was not expected", argv[optind_now]);
	return -EINVAL;
}

int lw_tool_flush_stdout(void)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return 0;
	return errno != 0 ? -errno : -EIO;
}
