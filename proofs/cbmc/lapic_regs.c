/* SPDX-License-Identifier: MIT */
/*
 * The LAPIC: its registers, by offset, page and MSR. Reads are of any offset. Writes are of any
 * value to one register after the other, for all of them at once are too many for the solver: how
 * an offset leads to a register is the same function as for reads, and whatever way a write comes,
 * it ends in the write of that register.
 */
#include "lapic.h"

void prove_lw_lapic_read(void)
{
	any_state();
	lw_lapic_read(&l, nondet_u32());
	still_sound();
}

void prove_lw_lapic_page_read(void)
{
	any_state();
	lw_lapic_page_read(&l, nondet_u32());
	still_sound();
}

void prove_lw_lapic_msr_read(void)
{
	uint64_t value;

	any_state();
	lw_lapic_msr_read(&l, nondet_u32(), &value);
	still_sound();
}

static void write(uint32_t offset)
{
	any_state();
	lw_lapic_write(&l, offset, nondet_u32());
	still_sound();
}

void prove_lw_lapic_write_tpr(void)
{
	write(LW_LAPIC_TPR);
}

void prove_lw_lapic_write_eoi(void)
{
	write(LW_LAPIC_EOI);
}

void prove_lw_lapic_write_ldr(void)
{
	write(LW_LAPIC_LDR);
}

void prove_lw_lapic_write_dfr(void)
{
	write(LW_LAPIC_DFR);
}

void prove_lw_lapic_write_svr(void)
{
	write(LW_LAPIC_SVR);
}

void prove_lw_lapic_write_esr(void)
{
	write(LW_LAPIC_ESR);
}

void prove_lw_lapic_write_icr(void)
{
	write(LW_LAPIC_ICR);
}

void prove_lw_lapic_write_icr2(void)
{
	write(LW_LAPIC_ICR2);
}

void prove_lw_lapic_write_lvt_timer(void)
{
	write(LW_LAPIC_LVT_TIMER);
}

/* LVT PMC's and LVT error's go the same way. */
void prove_lw_lapic_write_lvt_thermal(void)
{
	write(LW_LAPIC_LVT_THERMAL);
}

void prove_lw_lapic_write_lvt_lint0(void)
{
	write(LW_LAPIC_LVT_LINT0);
}

void prove_lw_lapic_write_lvt_lint1(void)
{
	write(LW_LAPIC_LVT_LINT1);
}

void prove_lw_lapic_write_tmict(void)
{
	write(LW_LAPIC_TMICT);
}

void prove_lw_lapic_write_dcr(void)
{
	write(LW_LAPIC_DCR);
}

void prove_lw_lapic_write_self_ipi(void)
{
	write(LW_LAPIC_SELF_IPI);
}

/* Where there is no register. */
void prove_lw_lapic_write_stray(void)
{
	write(LW_LAPIC_VERSION + 0x10);
}

void prove_lw_lapic_page_write(void)
{
	any_state();
	lw_lapic_page_write(&l, LW_LAPIC_TPR, nondet_u32());
	still_sound();
}

static void write_msr(uint32_t msr)
{
	any_state();
	lw_lapic_msr_write(&l, msr, nondet_u64());
	still_sound();
}

void prove_lw_lapic_msr_write_base(void)
{
	write_msr(LW_MSR_APIC_BASE);
}

void prove_lw_lapic_msr_write_deadline(void)
{
	write_msr(LW_MSR_TSC_DEADLINE);
}

void prove_lw_lapic_msr_write_tpr(void)
{
	write_msr(LW_MSR_X2APIC + (LW_LAPIC_TPR >> 4));
}

void prove_lw_lapic_msr_write_icr(void)
{
	write_msr(LW_MSR_X2APIC + (LW_LAPIC_ICR >> 4));
}
