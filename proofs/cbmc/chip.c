/* SPDX-License-Identifier: MIT */
/* The controller's calls: see chip.h for what these proofs rest on. */
#include "chip.h"

void prove_lw_chip_send(void)
{
	struct lw_msg msg = any_msg();

	any_chip();
	must_hold(lw_chip_send(&chip, &msg) <= (int)VCPUS, "no more takers than vCPUs");
	still_sound();
}

void prove_lw_chip_msi(void)
{
	any_chip();
	lw_chip_msi(&chip, nondet_u64(), nondet_u32());
	still_sound();
}

void prove_lw_chip_line(void)
{
	any_chip();
	lw_chip_line(&chip, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_chip_enter(void)
{
	any_chip();
	lw_chip_enter(&chip, any_below(VCPUS + 1u));
	still_sound();
}

void prove_lw_chip_exit(void)
{
	any_chip();
	lw_chip_exit(&chip, any_below(VCPUS + 1u));
	still_sound();
}

void prove_lw_chip_pending(void)
{
	any_chip();
	lw_chip_pending(&chip, any_below(VCPUS + 1u));
	still_sound();
}

void prove_lw_chip_accept(void)
{
	any_chip();
	lw_chip_accept(&chip, any_below(VCPUS + 1u));
	still_sound();
}

void prove_lw_chip_eoi_leaves(void)
{
	any_chip();
	lw_chip_eoi_leaves(&chip, nondet_u32(), nondet_u8());
	still_sound();
}

void prove_lw_chip_eoi_exit(void)
{
	any_chip();
	lw_chip_eoi_exit(&chip, any_below(VCPUS + 1u), nondet_u8());
	still_sound();
}

void prove_lw_chip_init_vcpu(void)
{
	any_chip();
	lw_chip_init_vcpu(&chip, any_below(VCPUS + 1u));
	still_sound();
}

void prove_lw_chip_remapped(void)
{
	any_chip();
	lw_chip_remapped(&chip);
	still_sound();
}

void prove_lw_chip_settle(void)
{
	any_chip();
	lw_chip_settle(&chip);
	still_sound();
}

void prove_lw_chip_counters(void)
{
	any_chip();
	lw_chip_counters(&chip);
	still_sound();
}

/* ---- what the chips tell it ---- */

void prove_lw_chip_lapic_eoi(void)
{
	any_chip();
	to_lapic->eoi(&chip, 1, nondet_u8(), nondet_bool());
	still_sound();
}

void prove_lw_chip_lapic_changed(void)
{
	any_chip();
	to_lapic->changed(&chip, 1);
	still_sound();
}

void prove_lw_chip_lapic_broadcast(void)
{
	any_chip();
	to_lapic->broadcast(&chip, 1, nondet_bool());
	still_sound();
}

void prove_lw_chip_lapic_ipi(void)
{
	struct lw_ipi ipi = {.msg = any_msg(), .shorthand = (enum lw_shorthand)any_below(4)};

	any_chip();
	to_lapic->ipi(&chip, 1, &ipi);
	still_sound();
}

void prove_lw_chip_lapic_tells(void)
{
	any_chip();
	to_lapic->signal(&chip, 1, nondet_u8(), nondet_u8());
	to_lapic->deadline(&chip, 1, nondet_u64());
	to_lapic->threshold(&chip, 1, nondet_u8());
	still_sound();
}

/* The 8259s', where they have something to say that no call of the controller brings. */
void prove_lw_chip_pic_intr(void)
{
	any_chip();
	locked = true;
	to_pic->intr(&chip, nondet_bool());
	locked = false;
	still_sound();
}

void prove_lw_chip_ioapic_tells(void)
{
	any_chip();
	locked = true;
	ioapic_tells();
	locked = false;
	still_sound();
}

void prove_lw_chip_ioapic_asks(void)
{
	const struct lw_remap entry = {.index = nondet_u16()};
	struct lw_msg msg = any_msg();

	any_chip();
	locked = true;
	to_ioapic->gone(&chip, 1, nondet_u8());
	to_ioapic->matches(&chip, 1, &msg);
	to_ioapic->remap(&chip, &entry, &msg);
	locked = false;
	still_sound();
}

static void see(void *arg, const struct lw_scanned *route)
{
	(void)arg, (void)route;
}

void prove_lw_chip_env(void)
{
	const struct lw_eoi_env *env = lw_chip_env();
	uint8_t vector = nondet_u8();

	any_chip();
	env->owned(&chip, 1);
	env->suppresses(&chip, 1);
	env->holds(&chip, 1, vector);
	locked = true;
	env->routed(&chip, 1, vector);
	env->in_flight(&chip, 1, vector);
	env->scan(&chip, 1, see, NULL);
	policy_asks();
	locked = false;
	still_sound();
}
