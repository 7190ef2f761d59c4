/* SPDX-License-Identifier: MIT */
/* What world.pml calls: included by the verifier that SPIN writes, and by nothing else. */
#ifndef LAPWING_SPIN_GLUE_H
#define LAPWING_SPIN_GLUE_H

#include "world.h"

#define HAPPENS(n)                                               \
	do {                                                     \
		if (readtrail)                                   \
			printf("event: %s\n", world_event(n));   \
		world_do(n);                                     \
		if (world_broken)                                \
			uerror((char *)(uintptr_t)world_broken); \
	} while (0)

#endif
