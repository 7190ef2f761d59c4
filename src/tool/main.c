/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

int main(int argc, char **argv)
{
	return lw_tool_main(argc, argv);
}
