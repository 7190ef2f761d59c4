/* SPDX-License-Identifier: MIT */
/* What a policy asks of an I/O APIC, and what delivers nothing. */
#define LAST_VECTOR 255u
#include "ioapic.h"

void prove_lw_ioapic_hold_locked(void)
{
	any_state();
	lw_ioapic_hold_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_hold(void)
{
	any_state();
	lw_ioapic_hold(&io, A_VCPU, nondet_u8());
	still_sound();
}

/* It may be let go where lw_ioapic_releasable_locked() says so, and not else. */
void prove_lw_ioapic_release_locked(void)
{
	uint32_t vcpu = A_VCPU;
	uint8_t vector = nondet_u8();

	any_state();
	if (lw_ioapic_releasable_locked(&io, vcpu, vector))
		lw_ioapic_release_locked(&io, vcpu, vector);
	still_sound();
}

void prove_lw_ioapic_releasable_locked(void)
{
	any_state();
	lw_ioapic_releasable_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_keep_locked(void)
{
	any_state();
	lw_ioapic_keep_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_in_flight_locked(void)
{
	any_state();
	lw_ioapic_in_flight_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_routed_locked(void)
{
	any_state();
	lw_ioapic_routed_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_record_locked(void)
{
	struct lw_ioapic_record found = {.vcpu = VCPUS};

	any_state();
	if (lw_ioapic_record_locked(&io, nondet_u32(), &found))
		must_hold(found.any || found.vcpu < VCPUS, "who took it exists");
	still_sound();
}

void prove_lw_ioapic_rte_locked(void)
{
	any_state();
	lw_ioapic_rte_locked(&io, nondet_u32());
	still_sound();
}

static void see(void *arg, const struct lw_msg *msg)
{
	(void)arg, (void)*msg;
}

void prove_lw_ioapic_scan_locked(void)
{
	any_state();
	lw_ioapic_scan_locked(&io, see, NULL);
	still_sound();
}

void prove_lw_ioapic_owes_locked(void)
{
	any_state();
	lw_ioapic_owes_locked(&io);
	still_sound();
}

void prove_lw_ioapic_counters(void)
{
	any_state();
	lw_ioapic_counters(&io);
	still_sound();
}
