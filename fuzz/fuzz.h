/* SPDX-License-Identifier: MIT */
/*
 * What the harnesses share. Each is one file with an LLVMFuzzerTestOneInput(): libFuzzer's and
 * AFL++'s drivers call it, and so does driver.c where there is neither.
 *
 * An input is a program: its bytes are taken in turn for operations and their operands, and are
 * zero past its end.
 */
#ifndef LAPWING_FUZZ_H
#define LAPWING_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

static inline bool in_more(const struct input *in)
{
	return in->at < in->end;
}

static inline uint8_t in_byte(struct input *in)
{
	return in_more(in) ? *in->at++ : 0;
}

/* 0 … n-1, n at most 256. */
static inline uint32_t in_below(struct input *in, uint32_t n)
{
	return in_byte(in) % n;
}

static inline uint64_t in_bytes(struct input *in, uint32_t n)
{
	uint64_t value = 0;

	for (uint32_t byte = 0; byte < n; byte++)
		value |= (uint64_t)in_byte(in) << 8 * byte;
	return value;
}

static inline uint32_t in_word(struct input *in)
{
	return (uint32_t)in_bytes(in, 4);
}

/* So many operations have been carried out. At exit a line with their sum is appended to the file
 * that $LAPWING_FUZZ_LOG names, if it does; a run that ends in a finding adds nothing. */
void fuzz_count(uint64_t operations);

/* What is printed meanwhile goes nowhere; findings are still told. */
void fuzz_mute(bool on);

/* A finding: say what, as printf() does, and abort. */
__attribute__((format(printf, 1, 2))) _Noreturn void fuzz_fail(const char *format, ...);

static inline void fuzz_same(const char *what, uint64_t ours, uint64_t theirs)
{
	if (ours != theirs)
		fuzz_fail("%s: %#llx, the naive one says %#llx", what, (unsigned long long)ours,
			  (unsigned long long)theirs);
}

#endif
