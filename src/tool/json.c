/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

#include <errno.h>

int lw_tool_print_json(json_t *value)
{
	int err;

	if (!value)
		return -ENOMEM;
	err = json_dumpf(value, stdout, JSON_INDENT(2)) == 0 ? 0 : -EIO;
	json_decref(value);
	putchar('\n');
	return err;
}
