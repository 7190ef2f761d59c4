/* SPDX-License-Identifier: MIT */
/* The registers as a guest sees them (SDM tables 11-1 and 11-6). */
#include "lapic_priv.h"

/* Version 0x14, six LVT entries, EOI-broadcast suppression offered. */
#define VERSION (0x14u | (LVTS - 1u) << 16 | 1u << 24)

#define LAST_OFFSET 0xff0u

/* In which mode a register is there, and what can be done with it. */
#define XAPIC  1u
#define X2APIC 2u
#define READ   4u
#define WRITE  8u
#define BOTH   (XAPIC | X2APIC)
#define RW     (READ | WRITE)

/* A row for each register: the bits that a write keeps. ISR, TMR and IRR stand for eight each. */
struct reg {
	uint32_t writable;
	uint8_t flags;
};

#define ROW(offset) [(offset) >> 4]

static const struct reg regs[] = {
	ROW(LW_LAPIC_ID) = {0, BOTH | READ},
	ROW(LW_LAPIC_VERSION) = {0, BOTH | READ},
	ROW(LW_LAPIC_TPR) = {0xffu, BOTH | RW},
	ROW(LW_LAPIC_APR) = {0, XAPIC | READ},
	ROW(LW_LAPIC_PPR) = {0, BOTH | READ},
	ROW(LW_LAPIC_EOI) = {0, BOTH | WRITE},
	ROW(LW_LAPIC_RRD) = {0, XAPIC | READ},
	ROW(LW_LAPIC_LDR) = {0xff000000u, BOTH | RW},
	ROW(LW_LAPIC_DFR) = {0xf0000000u, XAPIC | RW},
	ROW(LW_LAPIC_SVR) = {0x13ffu, BOTH | RW}, /* vector, enable, focus, suppression */
	ROW(LW_LAPIC_ISR) = {0, BOTH | READ},
	ROW(LW_LAPIC_TMR) = {0, BOTH | READ},
	ROW(LW_LAPIC_IRR) = {0, BOTH | READ},
	ROW(LW_LAPIC_ESR) = {0, BOTH | RW},
	ROW(LW_LAPIC_ICR) = {LW_ICR_WRITABLE, BOTH | RW},
	ROW(LW_LAPIC_ICR2) = {0xff000000u, XAPIC | RW},
	ROW(LW_LAPIC_LVT_TIMER) = {0x700ffu, BOTH | RW},   /* vector, mask, timer mode */
	ROW(LW_LAPIC_LVT_THERMAL) = {0x107ffu, BOTH | RW}, /* vector, delivery mode, mask */
	ROW(LW_LAPIC_LVT_PMC) = {0x107ffu, BOTH | RW},
	ROW(LW_LAPIC_LVT_LINT0) = {0x1a7ffu, BOTH | RW}, /* polarity and trigger mode, too */
	ROW(LW_LAPIC_LVT_LINT1) = {0x1a7ffu, BOTH | RW},
	ROW(LW_LAPIC_LVT_ERROR) = {0x100ffu, BOTH | RW},
	ROW(LW_LAPIC_TMICT) = {0xffffffffu, BOTH | RW},
	ROW(LW_LAPIC_TMCCT) = {0, BOTH | READ},
	ROW(LW_LAPIC_DCR) = {0xbu, BOTH | RW},
	ROW(LW_LAPIC_SELF_IPI) = {0xffu, X2APIC | WRITE},
};

#define REGS (sizeof(regs) / sizeof(*regs))

/* The row of an offset; one with no flags if there is no such register in this mode. */
static struct reg row_of(const struct lw_lapic *l, uint32_t offset)
{
	static const struct reg none;
	uint32_t row = offset >> 4;

	if (offset >= LW_LAPIC_ISR && offset < LW_LAPIC_IRR + 0x80)
		row &= ~7u;
	if (offset % 16 || row >= REGS || !(regs[row].flags & (l->own.x2apic ? X2APIC : XAPIC)))
		return none;
	return regs[row];
}

/* An access to the page where there is no register (11.5.3). */
static void stray(struct lw_lapic *l, uint32_t offset)
{
	if (!l->own.x2apic && offset % 16 == 0 && offset <= LAST_OFFSET)
		lw_lapic_error(l, ESR_ILLEGAL_REGISTER);
}

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
		return load(l->shared.dfr);
	case LW_LAPIC_ICR2:
		return l->own.dest;
	default:
		return 0;
	}
}

static enum lvt lvt_of(uint32_t offset)
{
	return (enum lvt)((offset - LW_LAPIC_LVT_TIMER) >> 4);
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
	case LW_LAPIC_LVT_TIMER:   /* delivery status 0, as ICR's */
	case LW_LAPIC_LVT_THERMAL:
	case LW_LAPIC_LVT_PMC:
	case LW_LAPIC_LVT_LINT0:
	case LW_LAPIC_LVT_LINT1:
	case LW_LAPIC_LVT_ERROR:
		return l->own.lvt[lvt_of(offset)];
	case LW_LAPIC_TMICT:
		return l->own.timer.tmict;
	case LW_LAPIC_TMCCT:
		return lw_lapic_tmcct(l);
	case LW_LAPIC_DCR:
		return l->own.timer.dcr;
	default:
		return read_addressing(l, offset);
	}
}

uint32_t lw_lapic_read(struct lw_lapic *l, uint32_t offset)
{
	uint8_t flags = row_of(l, offset).flags;

	if (!flags)
		stray(l, offset);
	if (!(flags & READ))
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
	if (!(value & LW_SVR_ENABLE))
		lw_lapic_mask_lvts(l);
	if ((before ^ value) & LW_SVR_ENABLE)
		lw_lapic_tell_changed(l);
}

static void write_destination(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	if (l->own.x2apic)
		return; /* LDR is read-only there */
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
	case LW_LAPIC_ESR:
		lw_lapic_write_esr(l);
		break;
	case LW_LAPIC_ICR:
		lw_lapic_send(l, (uint64_t)l->own.dest << 32 | value);
		break;
	case LW_LAPIC_ICR2:
		l->own.dest = value;
		break;
	case LW_LAPIC_SELF_IPI:
		lw_lapic_self_ipi(l, (uint8_t)value);
		break;
	case LW_LAPIC_TMICT:
		lw_lapic_write_tmict(l, value);
		break;
	case LW_LAPIC_DCR:
		lw_lapic_write_dcr(l, value);
		break;
	default:
		lw_lapic_write_lvt(l, lvt_of(offset), value);
		break;
	}
}

void lw_lapic_write(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	struct reg r = row_of(l, offset);

	if (r.flags & WRITE)
		write_register(l, offset, value & r.writable);
	else if (!r.flags)
		stray(l, offset);
}
