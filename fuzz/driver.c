/* SPDX-License-Identifier: MIT */
/*
 * Runs a harness without a fuzzing engine: over files, over standard input (AFL), or over inputs
 * made at random and from the files that were given, for so many seconds.
 *
 *     fuzz_NAME [--time SECONDS] [--seed N] [FILE...]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

#define MAX_SIZE 4096u

static struct {
	uint8_t *data[1024];
	size_t size[1024];
	size_t count;
	uint64_t seed;
	uint8_t input[MAX_SIZE];
} d;

static uint32_t below(uint32_t n)
{
	d.seed ^= d.seed << 13;
	d.seed ^= d.seed >> 7;
	d.seed ^= d.seed << 17;
	return (uint32_t)(d.seed >> 32) % n;
}

static size_t read_all(FILE *from, uint8_t *into)
{
	return fread(into, 1, MAX_SIZE, from);
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	size = read_all(file, d.input);
	fclose(file);
	LLVMFuzzerTestOneInput(d.input, size);
	if (size && d.count < sizeof(d.data) / sizeof(*d.data)) {
		d.data[d.count] = malloc(size);
		if (!d.data[d.count])
			return 2;
		memcpy(d.data[d.count], d.input, size);
		d.size[d.count++] = size;
	}
	return 0;
}

/* Bytes at random, or pieces of what was given with some bytes changed. */
static size_t make_input(void)
{
	size_t size = 0, wanted = 1 + below(MAX_SIZE);

	while (size < wanted) {
		size_t from = d.count ? below((uint32_t)d.count) : 0, length;

		if (!d.count || below(3) == 0) {
			d.input[size++] = (uint8_t)below(256);
			continue;
		}
		length = 1 + below((uint32_t)d.size[from]);
		if (length > wanted - size)
			length = wanted - size;
		memcpy(d.input + size, d.data[from] + below((uint32_t)(d.size[from] - length + 1)),
		       length);
		size += length;
	}
	for (uint32_t changes = below(8); changes; changes--)
		d.input[below((uint32_t)size)] = (uint8_t)below(256);
	return size;
}

static void run_for(double seconds)
{
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		for (int n = 0; n < 16; n++)
			LLVMFuzzerTestOneInput(d.input, make_input());
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9 <
		 seconds);
}

int main(int argc, char **argv)
{
	double seconds = 0;
	int files = 0, status = 0;

	d.seed = 0x9e3779b97f4a7c15u;
	for (int n = 1; n < argc && !status; n++) {
		if (n + 1 < argc && strcmp(argv[n], "--time") == 0) {
			seconds = atof(argv[++n]);
		} else if (n + 1 < argc && strcmp(argv[n], "--seed") == 0) {
			d.seed = strtoull(argv[++n], NULL, 0) * 0x9e3779b97f4a7c15u + 1;
		} else {
			status = run_file(argv[n]);
			files++;
		}
	}
	if (!status && seconds > 0)
		run_for(seconds);
	else if (!status && !files)
		LLVMFuzzerTestOneInput(d.input, read_all(stdin, d.input));
	while (d.count)
		free(d.data[--d.count]);
	return status;
}
