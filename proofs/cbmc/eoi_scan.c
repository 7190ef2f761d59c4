/* SPDX-License-Identifier: MIT */
/* How the scanning policies make a vCPU's set anew: step_rebuild() of eoi.h stands for it where a
 * vCPU is served. */
#include "eoi/engine.c"

#include "eoi.h"

static void rebuilds(const struct policy *policy)
{
	any_engine(policy);
	locked = true;
	rebuild(&engine, 1);
	still_sound();
}

void prove_rebuild_static(void)
{
	rebuilds(&lw_policy_static);
}

void prove_rebuild_scan(void)
{
	rebuilds(&lw_policy_scan);
}

void prove_rebuild_track_v4(void)
{
	rebuilds(&lw_policy_track_v4);
}

void prove_rebuild_track(void)
{
	rebuilds(&lw_policy_track);
}
