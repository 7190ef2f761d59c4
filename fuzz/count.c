/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz.h"

static struct {
	uint64_t operations;
	struct timespec began;
	bool counting;
} total;

/* When, which harness, how it was built, operations, seconds. */
static void write_total(void)
{
	const char *path = getenv("LAPWING_FUZZ_LOG"), *build = getenv("LAPWING_FUZZ_BUILD");
	struct timespec now;
	char when[32];
	FILE *log;

	if (!path)
		return;
	log = fopen(path, "a");
	if (!log)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now.tv_sec));
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(log, "%s\t%s\t%s\t%llu\t%lld\n", when, FUZZ_NAME, build ? build : "-",
		(unsigned long long)total.operations, (long long)(now.tv_sec - total.began.tv_sec));
	fclose(log);
}

void fuzz_count(uint64_t operations)
{
	if (!total.counting) {
		total.counting = true;
		clock_gettime(CLOCK_MONOTONIC, &total.began);
		atexit(write_total);
	}
	total.operations += operations;
}

void fuzz_mute(bool on)
{
	static FILE *nowhere, *out, *err;

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	if (!nowhere || on == (stdout == nowhere))
		return;
	if (on) {
		out = stdout;
		err = stderr;
	}
	stdout = on ? nowhere : out;
	stderr = on ? nowhere : err;
}

void fuzz_fail(const char *format, ...)
{
	va_list args;

	fuzz_mute(false);

	va_start(args, format);
	fputs(FUZZ_NAME ": ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}
