/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_TEST_H
#define LAPWING_TEST_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

/* Leaves the case as skipped, with the reason where tests/run_tests.py reads it. */
#define lw_test_skip(reason)                          \
	do {                                          \
		print_message("# SKIP %s\n", reason); \
		skip();                               \
	} while (0)

/* ./x test --quick, and builds that run the tests once more, want shorter loops. */
static inline bool lw_test_quick(void)
{
	return getenv("LAPWING_QUICK") != NULL;
}

#endif
