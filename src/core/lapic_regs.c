/* SPDX-License-Identifier: MIT */
/* The registers as a guest sees them (SDM tables 11-1 and 11-6). */
#include "lapic_priv.h"

/* Version 0x14, six LVT entries, EOI-broadcast suppression offered. */
#define VERSION (0x14u | 5u << 16 | 1u << 24)

/* Where a register is to be had. */
#define XAPIC  1u
#define X2APIC 2u
#define BOTH   (XAPIC | X2APIC)

/* A row for each register that can be written: the bits that a write keeps, and in which mode. */
struct reg {
	uint32_t writable;
	uint8_t modes;
};

#define ROW(offset) [(offset) >> 4]

static const struct reg regs[] = {
	ROW(LW_LAPIC_TPR) = {0xffu, BOTH},
	ROW(LW_LAPIC_EOI) = {0, BOTH},
	ROW(LW_LAPIC_LDR) = {0xff000000u, XAPIC},
	ROW(LW_LAPIC_DFR) = {0xf0000000u, XAPIC},
	ROW(LW_LAPIC_SVR) = {0x13ffu, BOTH}, /* vector, enable, focus, broadcast suppression */
	ROW(LW_LAPIC_ESR) = {0, BOTH},
	ROW(LW_LAPIC_ICR) = {LW_ICR_WRITABLE, BOTH},
	ROW(LW_LAPIC_ICR2) = {0xff000000u, XAPIC},
	ROW(LW_LAPIC_SELF_IPI) = {0xffu, X2APIC},
};

#define REGS (sizeof(regs) / sizeof(*regs))

static uint32_t read_set(const uint64_t *set, uint32_t offset)
{
	uint32_t n = offset >> 4 & 7u;

	return (uint32_t)(set[n >> 1] >> (n & 1u) * 32u);
}

/* Those which the two modes show differently. */
static uint32_t read_addressing(const struct lw_lapic *l, uint32_t offset)
{
	bool x2apic = l->own.x2apic;

	switch (offset) {
	case LW_LAPIC_ID:
		return x2apic ? load(l->shared.id) : load(l->shared.id) << 24;
	case LW_LAPIC_LDR:
		return x2apic ? lw_lapic_logical_id(l) : load(l->shared.ldr);
	case LW_LAPIC_DFR:
		return x2apic ? 0 : load(l->shared.dfr);
	case LW_LAPIC_ICR2:
		return l->own.dest;
	default:
		return 0;
	}
}

static uint32_t read_register(const struct lw_lapic *l, uint32_t offset)
{
	switch (offset) {
	case LW_LAPIC_VERSION:
		return VERSION;
	case LW_LAPIC_TPR:
		return l->own.tpr;
	case LW_LAPIC_PPR:
		return load(l->shared.ppr);
	case LW_LAPIC_SVR:
		return load(l->shared.svr);
	case LW_LAPIC_ESR:
		return l->own.esr;
	case LW_LAPIC_ICR:
		return l->own.icr; /* delivery status 0: what is sent is sent at once */
	default:
		return read_addressing(l, offset);
	}
}

uint32_t lw_lapic_read(struct lw_lapic *l, uint32_t offset)
{
	if (offset % 16 || offset > 0xff0)
		return 0;
	lw_lapic_sync(l);
	switch (offset & ~0x70u) { /* three ranges of eight registers each start at …00 or …80 */
	case LW_LAPIC_ISR:
		return read_set(l->own.isr, offset);
	case LW_LAPIC_TMR:
		return read_set(l->own.tmr, offset);
	case LW_LAPIC_IRR:
		return read_set(l->own.irr, offset);
	default:
		return read_register(l, offset);
	}
}

static void write_svr(struct lw_lapic *l, uint32_t value)
{
	uint32_t before = load(l->shared.svr);

	store(l->shared.svr, value);
	if ((before ^ value) & LW_SVR_SUPPRESS && l->ops->broadcast)
		l->ops->broadcast(l->ctx, l->vcpu, (value & LW_SVR_SUPPRESS) != 0);
	if ((before ^ value) & LW_SVR_ENABLE)
		lw_lapic_tell_changed(l);
}

static void write_destination(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	if (offset == LW_LAPIC_LDR)
		store(l->shared.ldr, value);
	else
		store(l->shared.dfr, value | ~regs[LW_LAPIC_DFR >> 4].writable);
	lw_lapic_tell_changed(l);
}

static void write_register(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case LW_LAPIC_TPR:
		lw_lapic_set_tpr(l, value);
		break;
	case LW_LAPIC_EOI:
		lw_lapic_eoi(l);
		break;
	case LW_LAPIC_LDR:
	case LW_LAPIC_DFR:
		write_destination(l, offset, value);
		break;
	case LW_LAPIC_SVR:
		write_svr(l, value);
		break;
	case LW_LAPIC_ESR: /* latches what has come in since the last write (11.5.3) */
		l->own.esr = atomic_exchange_explicit(&l->shared.errors, 0, memory_order_relaxed);
		break;
	case LW_LAPIC_ICR:
		lw_lapic_send(l, (uint64_t)l->own.dest << 32 | value);
		break;
	case LW_LAPIC_ICR2:
		l->own.dest = value;
		break;
	default: /* LW_LAPIC_SELF_IPI */
		lw_lapic_self_ipi(l, (uint8_t)value);
		break;
	}
}

void lw_lapic_write(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	uint32_t row = offset >> 4;

	if (offset % 16 || row >= REGS || !(regs[row].modes & (l->own.x2apic ? X2APIC : XAPIC)))
		return;
	write_register(l, offset, value & regs[row].writable);
}
