/* SPDX-License-Identifier: MIT */
/* How the scanning policies make a vCPU's set anew: step_rebuild() of eoi.h stands for it where a
 * vCPU is served, and changes no more than is shown here. */
#include "eoi/engine.c"

#include "eoi.h"

static void rebuilds(const struct policy *policy)
{
	struct vcpu before;

	any_engine(policy);
	before = vcpus[1];
	locked = true;
	rebuild(&engine, 1);
	is_locked();
	must_hold(vcpus[1].mode == before.mode && vcpus[1].requests == before.requests,
		  "a scan asks for nothing");
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		must_hold(vcpus[1].loaded[w] == before.loaded[w] &&
				  vcpus[1].handed[w] == before.handed[w] &&
				  vcpus[1].asked[w] == before.asked[w],
			  "of the sets it changes its own");
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
