/* SPDX-License-Identifier: MIT */
#include "vmm.h"

int main(int argc, char **argv)
{
	return tv_main(argc, argv);
}
