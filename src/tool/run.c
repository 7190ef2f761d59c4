/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"
#include "vmm.h"

int lw_cmd_run(int argc, char **argv)
{
	return tv_main(argc, argv);
}
