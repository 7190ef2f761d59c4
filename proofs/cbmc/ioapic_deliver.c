/* SPDX-License-Identifier: MIT */
/* What may deliver: the calls of the VMM and of a policy. */
#include "ioapic.h"

void prove_lw_ioapic_line_locked(void)
{
	any_state();
	lw_ioapic_line_locked(&io, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_ioapic_line(void)
{
	any_state();
	lw_ioapic_line(&io, nondet_u32(), nondet_u32(), nondet_bool());
	still_sound();
}

void prove_lw_ioapic_resume(void)
{
	any_state();
	lw_ioapic_resume(&io, nondet_u32());
	still_sound();
}

void prove_lw_ioapic_notify(void)
{
	any_state();
	lw_ioapic_notify(&io, nondet_u32(), nondet_bool());
	still_sound();
}

/* An EOI recalls nothing: what it redelivers has no record. */
void prove_lw_ioapic_eoi_locked(void)
{
	any_state();
	recalling = true;
	lw_ioapic_eoi_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_eoi(void)
{
	any_state();
	recalling = true;
	lw_ioapic_eoi(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_gone_locked(void)
{
	any_state();
	recalling = true;
	lw_ioapic_gone_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_finish_locked(void)
{
	any_state();
	recalling = true;
	lw_ioapic_finish_locked(&io, A_VCPU, nondet_u8());
	still_sound();
}

void prove_lw_ioapic_forget_locked(void)
{
	any_state();
	recalling = true;
	lw_ioapic_forget_locked(&io, A_VCPU);
	still_sound();
}

void prove_lw_ioapic_forget(void)
{
	any_state();
	recalling = true;
	lw_ioapic_forget(&io, A_VCPU);
	still_sound();
}

/* Nor does a retry, for what is refused has no record. */
void prove_lw_ioapic_retry_locked(void)
{
	any_state();
	recalling = true;
	lw_ioapic_retry_locked(&io);
	still_sound();
}

void prove_lw_ioapic_retry(void)
{
	any_state();
	recalling = true;
	lw_ioapic_retry(&io);
	still_sound();
}
