/* SPDX-License-Identifier: MIT */
/* A guest's accesses, and what else writes all RTEs. */
#include "ioapic.h"

void prove_lw_ioapic_read(void)
{
	any_state();
	lw_ioapic_read(&io, nondet_u32());
	still_sound();
}

void prove_lw_ioapic_write(void)
{
	any_state();
	lw_ioapic_write(&io, nondet_u32(), nondet_u32());
	still_sound();
}

/* A guest names any offset, and the VMM has as many bytes as it says. */
static uint8_t bytes[8];

static size_t any_len(void)
{
	__CPROVER_havoc_object(bytes);
	return any_below(sizeof(bytes) + 1);
}

void prove_lw_ioapic_mmio_read(void)
{
	size_t len = any_len();

	any_state();
	lw_ioapic_mmio_read(&io, nondet_u64(), bytes + sizeof(bytes) - len, len);
	still_sound();
}

void prove_lw_ioapic_mmio_write(void)
{
	size_t len = any_len();

	any_state();
	lw_ioapic_mmio_write(&io, nondet_u64(), bytes + sizeof(bytes) - len, len);
	still_sound();
}

void prove_eoi_register(void)
{
	any_state();
	lw_pin_eoi_register(&io, A_VECTOR);
	still_sound();
}

void prove_lw_ioapic_rte(void)
{
	uint64_t rte;

	any_state();
	lw_ioapic_rte(&io, nondet_u32(), nondet_bool() ? &rte : NULL);
	still_sound();
}

void prove_lw_ioapic_reset(void)
{
	any_state();
	told = false; /* who is still owed a sample waits for none */
	lw_ioapic_reset(&io);
	still_sound();
}

void prove_lw_ioapic_remapped_locked(void)
{
	any_state();
	lw_ioapic_remapped_locked(&io);
	still_sound();
}

void prove_lw_ioapic_remapped(void)
{
	any_state();
	lw_ioapic_remapped(&io);
	still_sound();
}

void prove_lw_ioapic_settle_locked(void)
{
	any_state();
	lw_ioapic_settle_locked(&io);
	still_sound();
}
