/* SPDX-License-Identifier: MIT */
/* The naive LAPIC's modes, and the registers that each of them shows to a guest. */
#include "model/naive_lapic_priv.h"

#include <string.h>

/* ---- power, and modes ---- */

static void power_on(struct naive_lapic *n)
{
	memset(n->irr, 0, sizeof(n->irr));
	memset(n->isr, 0, sizeof(n->isr));
	memset(n->tmr, 0, sizeof(n->tmr));
	memset(n->edge, 0, sizeof(n->edge));
	memset(n->level, 0, sizeof(n->level));
	memset(n->error, 0, sizeof(n->error));
	memset(n->raised, 0, sizeof(n->raised));
	n->ldr = n->tpr = n->esr = n->icr = n->dest = n->dcr = 0;
	n->dfr = 0xffffffff;
	n->log.broadcasts += (n->svr & LW_SVR_SUPPRESS) != 0;
	n->svr = 0xff;
	for (int entry = 0; entry < N_LVTS; entry++)
		n->lvt[entry] = MASKED;
	naive_lapic_stop(n);
}

void naive_lapic_init(struct naive_lapic *n, const struct lw_lapic_config *config)
{
	memset(n, 0, sizeof(*n));
	n->config = *config;
	if (!config->clock.bus_ns && !config->clock.bus_ticks)
		n->config.clock.bus_ns = n->config.clock.bus_ticks = 1;
	if (!config->clock.tsc_khz)
		n->config.clock.tsc_khz = 1000000;
	n->mode = config->x2apic ? LW_LAPIC_X2APIC : LW_LAPIC_XAPIC;
	n->base = 0xfee00000u + (config->bsp ? 0x100 : 0);
	power_on(n);
}

void naive_lapic_reset(struct naive_lapic *n)
{
	power_on(n);
	n->log.changed++;
}

uint64_t naive_lapic_base(const struct naive_lapic *n)
{
	uint64_t bits = n->mode == LW_LAPIC_X2APIC ? 0xc00 : n->mode == LW_LAPIC_XAPIC ? 0x800 : 0;

	return n->base | bits;
}

/* Figure 11-5 for the bits, 11-27 for the ways between the modes. */
int naive_lapic_set_base(struct naive_lapic *n, uint64_t value)
{
	uint32_t bits = n->config.phys_bits ? n->config.phys_bits : 52;
	bool en = value & 0x800, extd = value & 0x400;
	enum lw_lapic_mode to = !en ? LW_LAPIC_DISABLED : extd ? LW_LAPIC_X2APIC : LW_LAPIC_XAPIC;

	if (value & 0x2ff || value >> bits || (extd && (!en || n->config.xapic_only)))
		return 1;
	if ((n->mode == LW_LAPIC_DISABLED && to == LW_LAPIC_X2APIC) ||
	    (n->mode == LW_LAPIC_X2APIC && to == LW_LAPIC_XAPIC))
		return 1;
	n->base = value & ~0xc00ull;
	if (to == n->mode)
		return 0;
	n->mode = to;
	if (to == LW_LAPIC_DISABLED)
		power_on(n);
	else if (to == LW_LAPIC_X2APIC)
		n->dest /= 0x1000000;
	n->log.changed++;
	return 0;
}

int naive_lapic_set_cr8(struct naive_lapic *n, uint64_t value)
{
	if (value > 15)
		return 1;
	n->tpr = (uint32_t)value * 16;
	return 0;
}

static uint32_t id(const struct naive_lapic *n)
{
	return n->mode == LW_LAPIC_X2APIC ? n->config.id : n->config.id & 0xff;
}

static uint32_t logical_id(const struct naive_lapic *n)
{
	if (n->mode == LW_LAPIC_X2APIC)
		return n->config.id / 16 * 0x10000 + (1u << n->config.id % 16);
	return n->ldr / 0x1000000;
}

bool naive_lapic_matches(const struct naive_lapic *n, const struct lw_msg *msg)
{
	uint32_t mine = logical_id(n);

	if (n->mode == LW_LAPIC_DISABLED)
		return false;
	if (msg->dest == 0xffffffff || (n->mode == LW_LAPIC_XAPIC && msg->dest == 0xff))
		return true;
	if (!msg->logical)
		return msg->dest == id(n);
	if (n->mode == LW_LAPIC_X2APIC)
		return msg->dest / 0x10000 == mine / 0x10000 && (msg->dest & mine & 0xffff);
	if (n->dfr / 0x10000000 == 15) /* flat */
		return msg->dest & mine & 0xff;
	return msg->dest / 16 % 16 == mine / 16 && (msg->dest & mine & 15);
}

/* ---- registers: tables 11-1 and 11-6 ---- */

enum { NO = 0, READ = 1, WRITE = 2 };

/* In x2APIC mode DFR and ICR's high half are gone, SELF IPI is there, and LDR can't be written. */
static int may(const struct naive_lapic *n, uint32_t offset)
{
	bool x2apic = n->mode == LW_LAPIC_X2APIC;

	if (n->mode == LW_LAPIC_DISABLED || offset % 16)
		return NO;
	if (offset >= 0x100 && offset <= 0x270)
		return READ;
	switch (offset) {
	case LW_LAPIC_ID:
	case LW_LAPIC_VERSION:
	case LW_LAPIC_PPR:
	case LW_LAPIC_TMCCT:
		return READ;
	case LW_LAPIC_APR:
	case LW_LAPIC_RRD:
		return x2apic ? NO : READ;
	case LW_LAPIC_EOI:
		return WRITE;
	case LW_LAPIC_LDR:
		return x2apic ? READ : READ | WRITE;
	case LW_LAPIC_DFR:
	case LW_LAPIC_ICR2:
		return x2apic ? NO : READ | WRITE;
	case LW_LAPIC_SELF_IPI:
		return x2apic ? WRITE : NO;
	case LW_LAPIC_TPR:
	case LW_LAPIC_SVR:
	case LW_LAPIC_ESR:
	case LW_LAPIC_ICR:
	case LW_LAPIC_LVT_TIMER:
	case LW_LAPIC_LVT_THERMAL:
	case LW_LAPIC_LVT_PMC:
	case LW_LAPIC_LVT_LINT0:
	case LW_LAPIC_LVT_LINT1:
	case LW_LAPIC_LVT_ERROR:
	case LW_LAPIC_TMICT:
	case LW_LAPIC_DCR:
		return READ | WRITE;
	default:
		return NO;
	}
}

static void stray(struct naive_lapic *n, uint32_t offset)
{
	if (n->mode == LW_LAPIC_XAPIC && offset % 16 == 0 && offset < 0x1000)
		naive_lapic_error(n, ILLEGAL_REGISTER);
}

static uint32_t eight_words(const bool set[256], uint32_t offset)
{
	uint32_t word = offset / 16 % 8, value = 0;

	for (uint32_t bit = 0; bit < 32; bit++)
		value += set[word * 32 + bit] ? 1u << bit : 0;
	return value;
}

static uint32_t value_of(const struct naive_lapic *n, uint32_t offset)
{
	bool x2apic = n->mode == LW_LAPIC_X2APIC;

	switch (offset) {
	case LW_LAPIC_ID:
		return x2apic ? n->config.id : n->config.id << 24;
	case LW_LAPIC_VERSION:
		return 0x01050014; /* suppression, LVT entries 0 to 5, an integrated APIC */
	case LW_LAPIC_TPR:
		return n->tpr;
	case LW_LAPIC_PPR:
		return naive_lapic_ppr(n);
	case LW_LAPIC_LDR:
		return x2apic ? logical_id(n) : n->ldr;
	case LW_LAPIC_DFR:
		return n->dfr;
	case LW_LAPIC_SVR:
		return n->svr;
	case LW_LAPIC_ESR:
		return n->esr;
	case LW_LAPIC_ICR:
		return n->icr;
	case LW_LAPIC_ICR2:
		return n->dest;
	case LW_LAPIC_TMICT:
		return n->tmict;
	case LW_LAPIC_TMCCT:
		return naive_lapic_count(n);
	case LW_LAPIC_DCR:
		return n->dcr;
	default:
		return offset >= LW_LAPIC_LVT_TIMER && offset <= LW_LAPIC_LVT_ERROR
			       ? n->lvt[(offset - LW_LAPIC_LVT_TIMER) / 16]
			       : 0;
	}
}

uint32_t naive_lapic_read(struct naive_lapic *n, uint32_t offset)
{
	if (!may(n, offset))
		stray(n, offset);
	if (!(may(n, offset) & READ))
		return 0;
	naive_lapic_sync(n);
	if (offset >= 0x100 && offset < 0x180)
		return eight_words(n->isr, offset);
	if (offset >= 0x180 && offset < 0x200)
		return eight_words(n->tmr, offset);
	if (offset >= 0x200 && offset < 0x280)
		return eight_words(n->irr, offset);
	return value_of(n, offset);
}

static void write_svr(struct naive_lapic *n, uint32_t value)
{
	uint32_t flips = n->svr ^ (value & 0x13ff);

	n->svr = value & 0x13ff;
	n->log.broadcasts += (flips & LW_SVR_SUPPRESS) != 0;
	n->log.changed += (flips & LW_SVR_ENABLE) != 0;
	for (int entry = 0; !enabled(n) && entry < N_LVTS; entry++)
		n->lvt[entry] |= MASKED;
}

static void write_esr(struct naive_lapic *n)
{
	n->esr = 0;
	for (int bit = 0; bit < 8; bit++) {
		n->esr |= n->error[bit] ? 1u << bit : 0;
		n->error[bit] = n->raised[bit] = false;
	}
}

/* To a register that can be written. */
static void write_known(struct naive_lapic *n, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case LW_LAPIC_TPR:
		n->tpr = value & 0xff;
		break;
	case LW_LAPIC_EOI:
		naive_lapic_eoi(n);
		break;
	case LW_LAPIC_LDR:
		n->ldr = value & 0xff000000;
		n->log.changed++;
		break;
	case LW_LAPIC_DFR:
		n->dfr = value | 0x0fffffff;
		n->log.changed++;
		break;
	case LW_LAPIC_SVR:
		write_svr(n, value);
		break;
	case LW_LAPIC_ESR:
		write_esr(n);
		break;
	case LW_LAPIC_ICR:
		naive_lapic_send(n, (uint64_t)n->dest << 32 | value);
		break;
	case LW_LAPIC_ICR2:
		n->dest = value & 0xff000000;
		break;
	case LW_LAPIC_SELF_IPI:
		naive_lapic_self_ipi(n, (uint8_t)value);
		break;
	case LW_LAPIC_TMICT:
		naive_lapic_write_tmict(n, value);
		break;
	case LW_LAPIC_DCR:
		naive_lapic_write_dcr(n, value & 0xb);
		break;
	default:
		naive_lapic_write_lvt(n, (enum naive_lvt)((offset - LW_LAPIC_LVT_TIMER) / 16),
				      value);
	}
}

void naive_lapic_write(struct naive_lapic *n, uint32_t offset, uint32_t value)
{
	if (!may(n, offset))
		stray(n, offset);
	if (may(n, offset) & WRITE)
		write_known(n, offset, value);
}

uint32_t naive_lapic_page_read(struct naive_lapic *n, uint32_t offset)
{
	return n->mode == LW_LAPIC_XAPIC ? naive_lapic_read(n, offset) : 0xffffffff;
}

void naive_lapic_page_write(struct naive_lapic *n, uint32_t offset, uint32_t value)
{
	if (n->mode == LW_LAPIC_XAPIC)
		naive_lapic_write(n, offset, value);
}

int naive_lapic_msr_read(struct naive_lapic *n, uint32_t msr, uint64_t *value)
{
	uint32_t offset = (msr - 0x800) * 16;

	if (msr == LW_MSR_APIC_BASE)
		*value = naive_lapic_base(n);
	else if (msr == LW_MSR_TSC_DEADLINE)
		*value = n->deadline_tsc;
	else if (n->mode != LW_LAPIC_X2APIC || msr < 0x800 || msr > 0x83f ||
		 !(may(n, offset) & READ))
		return 1;
	else
		*value = msr == 0x830 ? (uint64_t)n->dest << 32 | n->icr
				      : naive_lapic_read(n, offset);
	return 0;
}

/* Bits that a write in x2APIC mode may set: those that mean something, read-only status too. */
static uint64_t legal_bits(uint32_t offset)
{
	switch (offset) {
	case LW_LAPIC_TPR:
	case LW_LAPIC_SELF_IPI:
		return 0xff;
	case LW_LAPIC_EOI:
	case LW_LAPIC_ESR:
		return 0;
	case LW_LAPIC_SVR:
		return 0x13ff;
	case LW_LAPIC_ICR:
		return 0xffffffff000cdfff;
	case LW_LAPIC_LVT_TIMER:
		return 0x710ff;
	case LW_LAPIC_LVT_THERMAL:
	case LW_LAPIC_LVT_PMC:
		return 0x117ff;
	case LW_LAPIC_LVT_LINT0:
	case LW_LAPIC_LVT_LINT1:
		return 0x1f7ff;
	case LW_LAPIC_LVT_ERROR:
		return 0x110ff;
	case LW_LAPIC_DCR:
		return 0xb;
	default:
		return 0xffffffff; /* TMICT */
	}
}

int naive_lapic_msr_write(struct naive_lapic *n, uint32_t msr, uint64_t value)
{
	uint32_t offset = (msr - 0x800) * 16;

	if (msr == LW_MSR_APIC_BASE)
		return naive_lapic_set_base(n, value);
	if (msr == LW_MSR_TSC_DEADLINE) {
		naive_lapic_write_tsc_deadline(n, value);
		return 0;
	}
	if (n->mode != LW_LAPIC_X2APIC || msr < 0x800 || msr > 0x83f || !(may(n, offset) & WRITE) ||
	    value & ~legal_bits(offset))
		return 1;
	if (offset == LW_LAPIC_ICR)
		naive_lapic_send(n, value);
	else
		write_known(n, offset, (uint32_t)value);
	return 0;
}
