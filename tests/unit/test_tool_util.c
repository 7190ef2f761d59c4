/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "tool/tool.h"

#include <errno.h>
#include <string.h>

static void parse_takes_decimal_and_hex(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(lw_tool_parse_u64("--count", "200", 1, 1000, &value), 0);
	assert_int_equal(value, 200);
	assert_int_equal(lw_tool_parse_u64("--count", "0x50", 1, 1000, &value), 0);
	assert_int_equal(value, 0x50);
	assert_int_equal(lw_tool_parse_u64("n", "18446744073709551615", 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
}

static void parse_refuses_what_is_no_number(void **state)
{
	static const char *const bad[] = {"", " 1", "+1", "-1", "1x", "0x", "0xg", "ten", "1 "};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(lw_tool_parse_u64("n", bad[i], 0, 100, &value), -EINVAL);
	assert_int_equal(value, 7);
}

static void parse_keeps_the_range(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(lw_tool_parse_u64("n", "0", 1, 10, &value), -ERANGE);
	assert_int_equal(lw_tool_parse_u64("n", "11", 1, 10, &value), -ERANGE);
	assert_int_equal(lw_tool_parse_u64("n", "18446744073709551616", 0, UINT64_MAX, &value),
			 -ERANGE);
	assert_int_equal(value, 7);
}

static void table_aligns(void **state)
{
	static const char *const titles[] = {"case", ">exits", "why", NULL};
	static const char *const first[] = {"µ", "200", NULL};
	static const char *const second[] = {"longer", "0", "x"};
	struct lw_table table;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_int_equal(lw_table_init(&table, titles), 0);
	assert_int_equal(lw_table_row(&table, first), 0);
	assert_int_equal(lw_table_row(&table, second), 0);
	lw_table_print(&table, out);
	fclose(out);
	assert_string_equal(text, "case    exits  why\n"
				  "µ         200  \n"
				  "longer      0  x\n");
	free(text);
	lw_table_free(&table);
}

static void table_refuses_too_many_columns(void **state)
{
	const char *titles[LW_TABLE_COLUMNS + 2] = {NULL};
	struct lw_table table;

	(void)state;
	for (size_t i = 0; i <= LW_TABLE_COLUMNS; i++)
		titles[i] = "x";
	assert_int_equal(lw_table_init(&table, titles), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_takes_decimal_and_hex),
		cmocka_unit_test(parse_refuses_what_is_no_number),
		cmocka_unit_test(parse_keeps_the_range),
		cmocka_unit_test(table_aligns),
		cmocka_unit_test(table_refuses_too_many_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
