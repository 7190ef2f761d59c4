/* SPDX-License-Identifier: MIT */
/* What a chip tells its owner, as text, for a test to compare with what it should tell. */
#ifndef LAPWING_DIARY_H
#define LAPWING_DIARY_H

#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char diary[4096];

static inline void note(const char *format, ...)
{
	size_t used = strlen(diary);
	va_list args;
	int wanted;

	va_start(args, format);
	wanted = vsnprintf(diary + used, sizeof(diary) - used, format, args);
	va_end(args);
	assert_in_range(wanted, 0, sizeof(diary) - used - 1);
}

static inline void forget_diary(void)
{
	diary[0] = '\0';
}

/* What has been noted since the last time. A macro, so that it is the test's line that fails. */
#define assert_diary(text)                        \
	do {                                      \
		assert_string_equal(diary, text); \
		forget_diary();                   \
	} while (0)

#endif
