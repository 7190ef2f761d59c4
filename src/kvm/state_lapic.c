/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <string.h>

#include "core/lapic_priv.h"

#define DESTINATION_XAPIC 0xff000000u
#define LVT_AT(n)         (LW_LAPIC_LVT_TIMER + 16u * (n))

static uint32_t get(const struct kvm_lapic_state *state, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, state->regs + offset, sizeof(value));
	return value;
}

static void put(struct kvm_lapic_state *state, uint32_t offset, uint32_t value)
{
	memcpy(state->regs + offset, &value, sizeof(value));
}

/* What a write of the register would keep. */
static uint32_t kept(const struct kvm_lapic_state *state, uint32_t offset)
{
	return get(state, offset) & lw_lapic_writable(offset);
}

static void put_set(struct kvm_lapic_state *state, uint32_t offset, const uint64_t *set)
{
	for (uint32_t n = 0; n < 8; n++)
		put(state, offset + 16 * n, (uint32_t)(set[n >> 1] >> (n & 1u) * 32u));
}

static void get_set(const struct kvm_lapic_state *state, uint32_t offset, uint64_t *set)
{
	memset(set, 0, LW_SET_WORDS * sizeof(*set));
	for (uint32_t n = 0; n < 8; n++)
		set[n >> 1] |= (uint64_t)get(state, offset + 16 * n) << (n & 1u) * 32u;
	set[0] &= ~(lw_bit(LW_FIRST_VECTOR) - 1u);
}

/* ---- export ---- */

/* IRR and TMR as they would be after a merge. */
static void put_pending(struct kvm_lapic_state *state, const struct lw_lapic_image *i)
{
	uint64_t irr[LW_SET_WORDS], tmr[LW_SET_WORDS];

	for (uint32_t w = 0; w < LW_SET_WORDS; w++) {
		uint64_t edge = i->posted[w], level = i->posted[w + LW_SET_WORDS];

		irr[w] = i->own.irr[w] | edge | level;
		tmr[w] = (i->own.tmr[w] & ~edge) | level;
	}
	put_set(state, LW_LAPIC_IRR, irr);
	put_set(state, LW_LAPIC_TMR, tmr);
}

static void put_addressing(struct kvm_lapic_state *state, const struct lw_lapic *l,
			   const struct lw_lapic_image *i, unsigned flags)
{
	bool shifted = i->mode != LW_LAPIC_X2APIC || !(flags & LW_KVM_32BIT_IDS);

	put(state, LW_LAPIC_ID, shifted ? load(l->shared.id) << 24 : load(l->shared.id));
	put(state, LW_LAPIC_LDR, i->mode == LW_LAPIC_X2APIC ? lw_lapic_logical_id(l) : i->ldr);
	put(state, LW_LAPIC_DFR, i->mode == LW_LAPIC_X2APIC ? UINT32_MAX : i->dfr);
	put(state, LW_LAPIC_ICR, i->own.icr);
	put(state, LW_LAPIC_ICR2, i->own.dest);
}

int lw_kvm_lapic_export(const struct lw_lapic *l, unsigned flags, struct kvm_lapic_state *state)
{
	struct lw_lapic_image i;

	if (!l || !state || flags & ~LW_KVM_32BIT_IDS)
		return -EINVAL;
	lw_lapic_copy_out(l, &i);
	if (i.mode == LW_LAPIC_X2APIC && !(flags & LW_KVM_32BIT_IDS) && load(l->shared.id) > 0xff)
		return -EINVAL;
	memset(state, 0, sizeof(*state));
	put_addressing(state, l, &i, flags);
	put_pending(state, &i);
	put_set(state, LW_LAPIC_ISR, i.own.isr);
	put(state, LW_LAPIC_VERSION, lw_lapic_version());
	put(state, LW_LAPIC_TPR, i.own.tpr);
	put(state, LW_LAPIC_PPR, load(l->shared.ppr));
	put(state, LW_LAPIC_SVR, i.svr);
	put(state, LW_LAPIC_ESR, i.own.esr);
	for (uint32_t n = 0; n < LVTS; n++)
		put(state, LVT_AT(n), i.own.lvt[n]);
	put(state, LW_LAPIC_TMICT, i.own.timer.tmict);
	put(state, LW_LAPIC_TMCCT, lw_lapic_tmcct(l));
	put(state, LW_LAPIC_DCR, i.own.timer.dcr);
	return 0;
}

/* ---- import ---- */

/* IA32_APIC_BASE, by which all else is read; false if no guest could have written it. */
static bool take_base(struct lw_lapic_image *i, uint64_t base)
{
	uint64_t mode = base & (APIC_BASE_EN | APIC_BASE_EXTD);

	i->own.base = base & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD);
	i->mode = LW_LAPIC_DISABLED;
	if (mode & APIC_BASE_EN)
		i->mode = mode & APIC_BASE_EXTD ? LW_LAPIC_X2APIC : LW_LAPIC_XAPIC;
	return mode != APIC_BASE_EXTD;
}

static bool is_mine(const struct lw_lapic *l, const struct lw_lapic_image *i, unsigned flags,
		    uint32_t reg)
{
	uint32_t id = load(l->shared.id);

	if (i->mode == LW_LAPIC_X2APIC && flags & LW_KVM_32BIT_IDS)
		return reg == id;
	if (i->mode == LW_LAPIC_X2APIC && id > 0xff)
		return false;
	return reg >> 24 == (id & 0xffu);
}

static void take_lvts(struct lw_lapic_image *i, const struct kvm_lapic_state *state)
{
	uint32_t *lint = &i->own.lvt[LVT_LINT0];
	uint8_t vector = (uint8_t)get(state, LVT_AT(LVT_LINT0));
	bool held = lw_set_test(i->own.irr, vector) || lw_set_test(i->own.isr, vector);

	for (uint32_t n = 0; n < LVTS; n++) {
		i->own.lvt[n] = kept(state, LVT_AT(n));
		if (!(i->svr & LW_SVR_ENABLE))
			i->own.lvt[n] |= LVT_MASKED;
	}
	i->own.lint_vector = 0;
	if (held && get(state, LVT_AT(LVT_LINT0)) & LVT_REMOTE_IRR && *lint & LVT_LEVEL) {
		*lint |= LVT_REMOTE_IRR;
		i->own.lint_vector = vector;
	}
}

static void take_registers(struct lw_lapic_image *i, const struct kvm_lapic_state *state)
{
	uint32_t dfr = lw_lapic_writable(LW_LAPIC_DFR);

	i->svr = kept(state, LW_LAPIC_SVR);
	i->ldr = i->mode == LW_LAPIC_XAPIC ? kept(state, LW_LAPIC_LDR) : 0;
	i->dfr = i->mode == LW_LAPIC_XAPIC ? get(state, LW_LAPIC_DFR) | ~dfr : UINT32_MAX;
	i->own.tpr = kept(state, LW_LAPIC_TPR);
	i->own.esr = get(state, LW_LAPIC_ESR) & ESR_ALL;
	i->own.icr = kept(state, LW_LAPIC_ICR);
	i->own.dest = get(state, LW_LAPIC_ICR2);
	if (i->mode != LW_LAPIC_X2APIC)
		i->own.dest &= DESTINATION_XAPIC;
	get_set(state, LW_LAPIC_IRR, i->own.irr);
	get_set(state, LW_LAPIC_ISR, i->own.isr);
	get_set(state, LW_LAPIC_TMR, i->own.tmr);
	take_lvts(i, state);
}

/* Nothing posted, no error, and a timer that stands still: lw_lapic_resume_count() and
 * IA32_TSC_DEADLINE start it. */
static void clear(struct lw_lapic_image *i, const struct kvm_lapic_state *state)
{
	struct timer *t = &i->own.timer;

	memset(i->posted, 0, sizeof(i->posted));
	i->dirty = i->errors = 0;
	i->idle = 1;
	i->own.raised = i->own.threshold = 0;
	t->expiry = t->deadline_tsc = 0;
	t->tmict = 0;
	t->dcr = kept(state, LW_LAPIC_DCR);
}

/* One that is off has no registers. */
static void switch_off(struct lw_lapic_image *i)
{
	static const struct kvm_lapic_state none;

	take_registers(i, &none);
	i->svr = 0xff;
	i->own.timer.dcr = 0;
}

int lw_kvm_lapic_import(struct lw_lapic *l, unsigned flags, const struct kvm_lapic_state *state,
			uint64_t apic_base, uint64_t tsc_deadline)
{
	struct lw_lapic_image i;
	int err;

	if (!l || !state || flags & ~LW_KVM_32BIT_IDS)
		return -EINVAL;
	lw_lapic_copy_out(l, &i);
	if (!take_base(&i, apic_base) || !is_mine(l, &i, flags, get(state, LW_LAPIC_ID)))
		return -EINVAL;
	take_registers(&i, state);
	clear(&i, state);
	if (i.mode == LW_LAPIC_DISABLED)
		switch_off(&i);
	err = lw_lapic_put(l, &i);
	if (err)
		return err;
	if (i.mode != LW_LAPIC_DISABLED) {
		lw_lapic_resume_count(l, get(state, LW_LAPIC_TMICT), get(state, LW_LAPIC_TMCCT));
		lw_lapic_write_tsc_deadline(l, tsc_deadline);
	}
	lw_lapic_pending(l); /* tells the threshold */
	return 0;
}
