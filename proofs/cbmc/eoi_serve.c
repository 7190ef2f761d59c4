/* SPDX-License-Identifier: MIT */
/*
 * The EOI engine's hooks that go through whole sets, or serve a vCPU's owner.
 *
 * Each of these loops goes round once for a vector, and the vectors are given, or the formula grows
 * too large: four are handed over, or none; four are asked; twelve are in the set that is emptied;
 * and the environment comes back with one of the four. All else is any. enter() goes round until
 * there is nothing left to do: here the environment asks for no more meanwhile, so it enters at
 * once; in serve() it may. The vCPU is the second of two.
 */
#define ANOTHER_VECTOR 0x31
#include "eoi.h"

static const struct lw_eoi_hooks *hooks(void)
{
	return lw_eoi_hooks();
}

/* Bits 0x31, 0x71, 0xb1 and 0xf1. */
#define ONE (1ull << 0x31)

/* lapwing/seam.h: only a vCPU that is out of guest mode is about to enter it, or to halt. */
static void work_for(const struct policy *policy, uint64_t handed, uint64_t asked)
{
	any_engine(policy);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		assume(vcpus[1].handed[w] == handed && vcpus[1].asked[w] == asked);
		vcpus[1].handed[w] = handed;
		vcpus[1].asked[w] = asked;
	}
	assume(vcpus[1].mode == OUT);
	vcpus[1].mode = OUT;
}

static void enters(const struct policy *policy, uint64_t handed, uint64_t asked)
{
	work_for(policy, handed, asked);
	came_back = true;
	hooks()->enter(&engine, 1);
	is_unlocked();
	must_hold(vcpus[1].mode == IN_GUEST, "it is in guest mode");
	still_sound();
}

void prove_lw_eoi_enter_static(void)
{
	enters(&lw_policy_static, 0, 0);
}

void prove_lw_eoi_enter_scan(void)
{
	enters(&lw_policy_scan, 0, 0);
}

void prove_lw_eoi_enter_track_v4(void)
{
	enters(&lw_policy_track_v4, 0, 0);
}

void prove_lw_eoi_enter_track(void)
{
	enters(&lw_policy_track, 0, 0);
}

void prove_lw_eoi_enter_armed(void)
{
	if (nondet_bool())
		enters(&lw_policy_armed, 0, 0);
	else
		enters(&lw_policy_armed, ONE, 0);
}

void prove_lw_eoi_enter_lazy(void)
{
	if (nondet_bool())
		enters(&lw_policy_lazy, 0, 0);
	else
		enters(&lw_policy_lazy, ONE, ONE);
}

static void serves(const struct policy *policy, uint64_t handed, uint64_t asked)
{
	work_for(policy, handed, asked);
	hooks()->serve(&engine, 1);
	is_unlocked();
	still_sound();
}

/* The scanning policies have nothing handed over and are asked nothing. */
void prove_lw_eoi_serve_scanning(void)
{
	if (nondet_bool())
		serves(&lw_policy_static, 0, 0);
	else
		serves(&lw_policy_track, 0, 0);
}

void prove_lw_eoi_serve_armed(void)
{
	if (nondet_bool())
		serves(&lw_policy_armed, 0, 0);
	else
		serves(&lw_policy_armed, ONE, 0);
}

void prove_lw_eoi_serve_lazy(void)
{
	if (nondet_bool())
		serves(&lw_policy_lazy, 0, 0);
	else
		serves(&lw_policy_lazy, ONE, ONE);
}

static void broadcasts(const struct policy *policy)
{
	any_engine(policy);
	locked = came_back = true;
	hooks()->broadcast(&engine, 1, nondet_bool());
	still_sound();
}

void prove_lw_eoi_broadcast_armed(void)
{
	broadcasts(&lw_policy_armed);
}

void prove_lw_eoi_broadcast_lazy(void)
{
	broadcasts(&lw_policy_lazy);
}

static void inits(const struct policy *policy)
{
	any_engine(policy);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		vcpus[1].set[w] = FEW;
	locked = true;
	hooks()->init(&engine, 1);
	still_sound();
}

void prove_lw_eoi_init_armed(void)
{
	inits(&lw_policy_armed);
}

void prove_lw_eoi_init_lazy(void)
{
	inits(&lw_policy_lazy);
}
