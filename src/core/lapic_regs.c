/* SPDX-License-Identifier: MIT */
/* The registers as a guest sees them (SDM tables 11-1 and 11-6). */
#include "lapic_priv.h"

/* Version 0x14, six LVT entries, EOI-broadcast suppression offered. */
#define VERSION (0x14u | (LVTS - 1u) << 16 | 1u << 24)

#define LAST_OFFSET 0xff0u

/* What a guest may do with a register, in either mode. */
#define R           1u
#define W           2u
#define RW          (R | W)
#define RIGHTS      3u
#define XAPIC(can)  (can)
#define X2APIC(can) ((can) << 2)
#define BOTH(can)   (XAPIC(can) | X2APIC(can))

#define STATUS     (1u << 12) /* delivery status */
#define LINT_READS (STATUS | LVT_REMOTE_IRR)

/* A row for each register: the bits that a write keeps; those that read-only ones of hardware's
 * are, and a write in x2APIC mode may set; all else is reserved. ISR, TMR and IRR stand for eight
 * each. */
struct reg {
	uint32_t writable, read_only;
	uint8_t rights;
};

#define ROW(offset) [(offset) >> 4]

static const struct reg regs[] = {
	ROW(LW_LAPIC_ID) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_VERSION) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_TPR) = {0xffu, 0, BOTH(RW)},
	ROW(LW_LAPIC_APR) = {0, 0, XAPIC(R)},
	ROW(LW_LAPIC_PPR) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_EOI) = {0, 0, BOTH(W)},
	ROW(LW_LAPIC_RRD) = {0, 0, XAPIC(R)},
	ROW(LW_LAPIC_LDR) = {0xff000000u, 0, XAPIC(RW) | X2APIC(R)},
	ROW(LW_LAPIC_DFR) = {0xf0000000u, 0, XAPIC(RW)},
	ROW(LW_LAPIC_SVR) = {0x13ffu, 0, BOTH(RW)}, /* vector, enable, focus, suppression */
	ROW(LW_LAPIC_ISR) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_TMR) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_IRR) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_ESR) = {0, 0, BOTH(RW)},
	ROW(LW_LAPIC_ICR) = {LW_ICR_WRITABLE, STATUS, BOTH(RW)},
	ROW(LW_LAPIC_ICR2) = {0xff000000u, 0, XAPIC(RW)},
	ROW(LW_LAPIC_LVT_TIMER) = {0x700ffu, STATUS, BOTH(RW)},   /* vector, mask, timer mode */
	ROW(LW_LAPIC_LVT_THERMAL) = {0x107ffu, STATUS, BOTH(RW)}, /* vector, delivery, mask */
	ROW(LW_LAPIC_LVT_PMC) = {0x107ffu, STATUS, BOTH(RW)},
	ROW(LW_LAPIC_LVT_LINT0) = {0x1a7ffu, LINT_READS, BOTH(RW)}, /* polarity, trigger, too */
	ROW(LW_LAPIC_LVT_LINT1) = {0x1a7ffu, LINT_READS, BOTH(RW)},
	ROW(LW_LAPIC_LVT_ERROR) = {0x100ffu, STATUS, BOTH(RW)},
	ROW(LW_LAPIC_TMICT) = {0xffffffffu, 0, BOTH(RW)},
	ROW(LW_LAPIC_TMCCT) = {0, 0, BOTH(R)},
	ROW(LW_LAPIC_DCR) = {0xbu, 0, BOTH(RW)},
	ROW(LW_LAPIC_SELF_IPI) = {0xffu, 0, X2APIC(W)},
};

#define REGS (sizeof(regs) / sizeof(*regs))

uint32_t lw_lapic_writable(uint32_t offset)
{
	return regs[offset >> 4].writable;
}

uint32_t lw_lapic_version(void)
{
	return VERSION;
}

/* The row of an offset, with the rights in the present mode; with none if there is no such register
 * in it. */
static struct reg row_of(const struct lw_lapic *l, uint32_t offset)
{
	static const struct reg none = {0};
	uint32_t row = offset >> 4, mode = load(l->shared.mode);
	struct reg r;

	if (offset >= LW_LAPIC_ISR && offset < LW_LAPIC_IRR + 0x80)
		row &= ~7u;
	if (offset % 16 || row >= REGS || mode == LW_LAPIC_DISABLED)
		return none;
	r = regs[row];
	r.rights = mode == LW_LAPIC_X2APIC ? r.rights >> 2 : r.rights & RIGHTS;
	return r;
}

/* An access to the page where there is no register (11.5.3). */
static void stray(struct lw_lapic *l, uint32_t offset)
{
	if (load(l->shared.mode) == LW_LAPIC_XAPIC && offset % 16 == 0 && offset <= LAST_OFFSET)
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
	bool x2apic = is_x2apic(l);

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
	uint8_t rights = row_of(l, offset).rights;

	if (!rights)
		stray(l, offset);
	if (!(rights & R))
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

	lw_lapic_set_svr(l, value);
	if ((before ^ value) & LW_SVR_SUPPRESS && l->ops->broadcast)
		l->ops->broadcast(l->ctx, l->vcpu, (value & LW_SVR_SUPPRESS) != 0);
	if (!(value & LW_SVR_ENABLE))
		lw_lapic_mask_lvts(l);
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

	if (r.rights & W)
		write_register(l, offset, value & r.writable);
	else if (!r.rights)
		stray(l, offset);
}

/* ---- the page, and MSRs ---- */

uint32_t lw_lapic_page_read(struct lw_lapic *l, uint32_t offset)
{
	return load(l->shared.mode) == LW_LAPIC_XAPIC ? lw_lapic_read(l, offset) : UINT32_MAX;
}

void lw_lapic_page_write(struct lw_lapic *l, uint32_t offset, uint32_t value)
{
	if (load(l->shared.mode) == LW_LAPIC_XAPIC)
		lw_lapic_write(l, offset, value);
}

/* The row of an MSR in x2APIC mode; outside of it, and past the registers, none. */
static struct reg msr_row(const struct lw_lapic *l, uint32_t msr)
{
	static const struct reg none = {0};

	if (!is_x2apic(l) || msr < LW_MSR_X2APIC || msr > LW_MSR_X2APIC_LAST)
		return none;
	return row_of(l, (msr - LW_MSR_X2APIC) << 4);
}

int lw_lapic_msr_read(struct lw_lapic *l, uint32_t msr, uint64_t *value)
{
	uint32_t offset = (msr - LW_MSR_X2APIC) << 4;

	if (msr == LW_MSR_APIC_BASE)
		*value = lw_lapic_base(l);
	else if (msr == LW_MSR_TSC_DEADLINE)
		*value = lw_lapic_tsc_deadline(l);
	else if (!(msr_row(l, msr).rights & R))
		return 1;
	else
		*value = offset == LW_LAPIC_ICR ? lw_lapic_icr(l) : lw_lapic_read(l, offset);
	return 0;
}

int lw_lapic_msr_write(struct lw_lapic *l, uint32_t msr, uint64_t value)
{
	uint32_t offset = (msr - LW_MSR_X2APIC) << 4;
	struct reg r;

	if (msr == LW_MSR_APIC_BASE)
		return lw_lapic_set_base(l, value);
	if (msr == LW_MSR_TSC_DEADLINE) {
		lw_lapic_write_tsc_deadline(l, value);
		return 0;
	}
	r = msr_row(l, msr);
	if (!(r.rights & W) || (uint32_t)value & ~(r.writable | r.read_only))
		return 1;
	if (offset == LW_LAPIC_ICR)
		lw_lapic_send(l, value);
	else if (value >> 32)
		return 1;
	else
		write_register(l, offset, (uint32_t)value & r.writable);
	return 0;
}
