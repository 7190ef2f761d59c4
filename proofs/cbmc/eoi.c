/* SPDX-License-Identifier: MIT */
/* The EOI engine's hooks that neither serve a vCPU's owner nor save. */
#include "eoi.h"

static const struct lw_eoi_hooks *hooks(void)
{
	return lw_eoi_hooks();
}

/* Where no function of the policy is called. */
static const struct policy *any_policy(void)
{
	static const struct policy *const policies[] = {&lw_policy_static,   &lw_policy_scan,
							&lw_policy_track_v4, &lw_policy_track,
							&lw_policy_armed,    &lw_policy_lazy};

	return policies[any_below(LW_EOI_POLICIES)];
}

static struct lw_msg any_msg(void)
{
	return (struct lw_msg){.dest = nondet_u32(),
			       .vector = nondet_u8(),
			       .delivery = nondet_u8(),
			       .logical = nondet_bool(),
			       .level = nondet_bool()};
}

void prove_lw_eoi_route(void)
{
	struct lw_msg before = any_msg(), after = any_msg();

	locked = true;
	FOR_ANY_POLICY(hooks()->route(&engine, &before, &after));
	still_sound();
}

void prove_lw_eoi_deliver(void)
{
	locked = true;
	FOR_ANY_POLICY(FOR_ANY_VCPU(hooks()->deliver(&engine, vcpu, nondet_u8())));
	still_sound();
}

void prove_lw_eoi_leaves(void)
{
	any_engine(any_policy());
	FOR_ANY_VCPU(hooks()->leaves(&engine, vcpu, nondet_u8()));
	still_sound();
}

void prove_lw_eoi_ended(void)
{
	uint32_t found = any_below(LW_EOI_SUPERFLUOUS + 1u);

	locked = true;
	FOR_ANY_POLICY(
		FOR_ANY_VCPU(hooks()->ended(&engine, vcpu, nondet_u8(), (enum lw_eoi_class)found)));
	still_sound();
}

void prove_lw_eoi_fell(void)
{
	locked = true;
	FOR_ANY_POLICY(FOR_ANY_VCPU(hooks()->fell(&engine, vcpu, nondet_u8())));
	still_sound();
}

void prove_lw_eoi_recall(void)
{
	locked = true;
	FOR_ANY_POLICY(FOR_ANY_VCPU(hooks()->recall(&engine, vcpu, nondet_u8())));
	still_sound();
}

void prove_lw_eoi_closed(void)
{
	locked = true;
	FOR_ANY_POLICY(FOR_ANY_VCPU(hooks()->closed(&engine, vcpu, nondet_u8())));
	still_sound();
}

void prove_lw_eoi_exit(void)
{
	any_engine(any_policy());
	FOR_ANY_VCPU(hooks()->exit(&engine, vcpu));
	still_sound();
}

void prove_lw_eoi_remap(void)
{
	locked = true;
	FOR_ANY_POLICY(hooks()->remap(&engine));
	still_sound();
}

/* ---- what is asked of an engine ---- */

void prove_lw_eoi_in_set(void)
{
	any_engine(any_policy());
	lw_eoi_in_set(&engine, nondet_u32(), nondet_u8(), nondet_bool());
	still_sound();
}

void prove_lw_eoi_bitmap(void)
{
	uint64_t bitmap[4];

	any_engine(any_policy());
	lw_eoi_bitmap(&engine, nondet_u32(), bitmap);
	still_sound();
}

void prove_lw_eoi_counters(void)
{
	any_engine(any_policy());
	lw_eoi_counters(&engine);
	still_sound();
}

void prove_lw_eoi_policy_name(void)
{
	lw_eoi_policy_name((enum lw_eoi_policy)nondet_u32());
	reached();
}

void prove_lw_eoi_policy_by_name(void)
{
	char name[12];

	name[11] = '\0';
	for (uint32_t n = 0; n < 11; n++)
		name[n] = (char)nondet_u8();
	lw_eoi_policy_by_name(nondet_bool() ? name : NULL);
	reached();
}

void prove_lw_eoi_size(void)
{
	lw_eoi_size(nondet_u32());
	reached();
}
