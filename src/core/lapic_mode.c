/* SPDX-License-Identifier: MIT */
/* IA32_APIC_BASE: xAPIC mode, x2APIC mode, off, and the ways between them (SDM 11.4.4, 11.12.5). */
#include "lapic_priv.h"

#define LOW_RESERVED (0xffu | 1u << 9)

enum lw_lapic_mode lw_lapic_mode(const struct lw_lapic *l)
{
	return (enum lw_lapic_mode)load(l->shared.mode);
}

uint64_t lw_lapic_base(const struct lw_lapic *l)
{
	static const uint32_t bits[] = {
		[LW_LAPIC_DISABLED] = 0,
		[LW_LAPIC_XAPIC] = APIC_BASE_EN,
		[LW_LAPIC_X2APIC] = APIC_BASE_EN | APIC_BASE_EXTD,
	};

	return l->own.base | bits[load(l->shared.mode)];
}

bool lw_lapic_base_can_be(const struct owned *o)
{
	return !(o->base & (LOW_RESERVED | APIC_BASE_EN | APIC_BASE_EXTD)) &&
	       !(o->base >> o->phys_bits);
}

static bool reserved(const struct lw_lapic *l, uint64_t value)
{
	return value & LOW_RESERVED || value >> l->own.phys_bits ||
	       (l->own.xapic_only && value & APIC_BASE_EXTD);
}

/* x2APIC mode is entered from xAPIC mode only, and left only by switching off (11.12.5). */
static bool leads(enum lw_lapic_mode from, enum lw_lapic_mode to)
{
	return to == from || to == LW_LAPIC_DISABLED ||
	       (from == LW_LAPIC_DISABLED && to == LW_LAPIC_XAPIC) ||
	       (from == LW_LAPIC_XAPIC && to == LW_LAPIC_X2APIC);
}

/* What was in the LAPIC is lost when it goes off, so that it comes back as from a reset. */
static void enter_mode(struct lw_lapic *l, enum lw_lapic_mode mode)
{
	store(l->shared.mode, mode);
	if (mode == LW_LAPIC_DISABLED)
		lw_lapic_clear(l);
	else if (mode == LW_LAPIC_X2APIC)
		l->own.dest >>= 24;
	lw_lapic_derive(l);
	lw_lapic_listen(l);
	lw_lapic_tell_changed(l);
}

int lw_lapic_set_base(struct lw_lapic *l, uint64_t value)
{
	enum lw_lapic_mode from = lw_lapic_mode(l), to = LW_LAPIC_DISABLED;

	if (reserved(l, value))
		return 1;
	if (value & APIC_BASE_EN)
		to = value & APIC_BASE_EXTD ? LW_LAPIC_X2APIC : LW_LAPIC_XAPIC;
	else if (value & APIC_BASE_EXTD)
		return 1;
	if (!leads(from, to))
		return 1;
	l->own.base = value & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD);
	if (to != from)
		enter_mode(l, to);
	return 0;
}
