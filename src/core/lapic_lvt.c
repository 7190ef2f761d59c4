/* SPDX-License-Identifier: MIT */
/* What a LAPIC finds in its own house: LVT entries, LINT0 and LINT1, errors (SDM 11.5). */
#include "lapic_priv.h"

#define LVT_DELIVERY(lvt) ((lvt) >> 8 & 7u)

/* ---- one entry ---- */

/* Once, without asking what the entry's mask says. */
static void deliver(struct lw_lapic *l, enum lvt entry, bool level)
{
	uint32_t lvt = l->own.lvt[entry];

	switch (LVT_DELIVERY(lvt)) {
	case LW_DM_FIXED:
		if ((lvt & 0xffu) >= LW_FIRST_VECTOR) {
			lw_lapic_take(l, (uint8_t)lvt, level);
			break;
		}
		lw_lapic_log(l, ESR_RECEIVED_ILLEGAL);
		if (entry == LVT_ERROR) /* it would raise itself for ever: XSA-462 */
			l->own.raised |= ESR_RECEIVED_ILLEGAL;
		break;
	case LW_DM_SMI:
	case LW_DM_NMI:
	case LW_DM_INIT:
	case LW_DM_EXTINT:
		if (l->ops->signal)
			l->ops->signal(l->ctx, l->vcpu, (uint8_t)LVT_DELIVERY(lvt), (uint8_t)lvt);
		break;
	default:
		break; /* reserved */
	}
}

void lw_lapic_fire(struct lw_lapic *l, enum lvt entry)
{
	if (l->own.lvt[entry] & LVT_MASKED)
		return;
	deliver(l, entry, false);
	if (entry != LVT_ERROR)
		lw_lapic_raise_errors(l);
}

void lw_lapic_thermal(struct lw_lapic *l)
{
	lw_lapic_fire(l, LVT_THERMAL);
}

/* Delivery masks the entry: the handler unmasks it when it has seen to the counters. */
void lw_lapic_pmi(struct lw_lapic *l)
{
	lw_lapic_fire(l, LVT_PMC);
	l->own.lvt[LVT_PMC] |= LVT_MASKED;
}

/* ---- errors ---- */

void lw_lapic_raise_errors(struct lw_lapic *l)
{
	uint32_t fresh = load(l->shared.errors) & ~l->own.raised;

	if (!fresh)
		return;
	l->own.raised |= fresh;
	lw_lapic_fire(l, LVT_ERROR);
}

void lw_lapic_error(struct lw_lapic *l, uint32_t bits)
{
	lw_lapic_log(l, bits);
	lw_lapic_raise_errors(l);
}

/* Latches what has come in since the last write, and arms LVT error anew (11.5.3). */
void lw_lapic_write_esr(struct lw_lapic *l)
{
	l->own.raised = 0;
	l->own.esr = atomic_exchange_explicit(&l->shared.errors, 0, memory_order_relaxed);
}

/* ---- LINT0 and LINT1 ---- */

/* Only LINT0, and only as fixed, can be level-triggered (11.5.1). */
static bool is_level(const struct lw_lapic *l, enum lvt entry)
{
	uint32_t lvt = l->own.lvt[entry];

	return entry == LVT_LINT0 && lvt & LVT_LEVEL && LVT_DELIVERY(lvt) == LW_DM_FIXED;
}

/* LINT0 as a level: once until its EOI. */
static void sense_level(struct lw_lapic *l)
{
	uint32_t *lvt = &l->own.lvt[LVT_LINT0];

	if (!l->own.lint[0] || *lvt & (LVT_MASKED | LVT_REMOTE_IRR))
		return;
	deliver(l, LVT_LINT0, true);
	lw_lapic_raise_errors(l);
	if ((*lvt & 0xffu) < LW_FIRST_VECTOR)
		return;
	*lvt |= LVT_REMOTE_IRR;
	l->der.busy |= BUSY_LINT;
	l->own.lint_vector = (uint8_t)*lvt;
}

void lw_lapic_lint_eoi(struct lw_lapic *l, uint8_t vector)
{
	if (vector != l->own.lint_vector)
		return;
	l->der.busy &= ~(uint32_t)BUSY_LINT;
	l->own.lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
	l->own.lint_vector = 0;
	sense_level(l);
}

void lw_lapic_lint(struct lw_lapic *l, uint32_t pin, bool asserted)
{
	enum lvt entry = pin ? LVT_LINT1 : LVT_LINT0;
	bool rises;

	if (pin > 1)
		return;
	rises = asserted && !l->own.lint[pin];
	l->own.lint[pin] = asserted;
	if (rises && load(l->shared.mode) == LW_LAPIC_DISABLED) {
		if (l->ops->signal) /* plain INTR and NMI pins (11.4.3) */
			l->ops->signal(l->ctx, l->vcpu, pin ? LW_DM_NMI : LW_DM_EXTINT, 0);
	} else if (is_level(l, entry))
		sense_level(l);
	else if (rises)
		lw_lapic_fire(l, entry);
}

/* Ordered against whoever makes LINT0 rise and then asks: docs/concurrency.md. */
void lw_lapic_listen(struct lw_lapic *l)
{
	bool listens =
		load(l->shared.mode) == LW_LAPIC_DISABLED || !(l->own.lvt[LVT_LINT0] & LVT_MASKED);

	if (listens != load(l->shared.listens))
		atomic_store(&l->shared.listens, listens);
}

bool lw_lapic_listens(const struct lw_lapic *l)
{
	return atomic_load(&l->shared.listens);
}

static bool is_extint(uint32_t lvt)
{
	return !(lvt & LVT_MASKED) && LVT_DELIVERY(lvt) == LW_DM_EXTINT;
}

bool lw_lapic_extint(const struct lw_lapic *l)
{
	if (load(l->shared.mode) == LW_LAPIC_DISABLED)
		return l->own.lint[0];
	return (l->own.lint[0] && is_extint(l->own.lvt[LVT_LINT0])) ||
	       (l->own.lint[1] && is_extint(l->own.lvt[LVT_LINT1]));
}

/* ---- writes ---- */

/* A line that is up is seen when its entry begins to look at levels: fixed level, or ExtINT. */
static void wire_anew(struct lw_lapic *l, enum lvt entry, uint32_t before)
{
	uint32_t now = l->own.lvt[entry];

	if (is_level(l, entry)) {
		l->own.lvt[entry] |= before & LVT_REMOTE_IRR;
		sense_level(l);
		return;
	}
	if (entry == LVT_LINT0)
		l->own.lint_vector = 0;
	if (l->own.lint[entry - LVT_LINT0] && is_extint(now) && !is_extint(before))
		lw_lapic_fire(l, entry);
}

void lw_lapic_write_lvt(struct lw_lapic *l, enum lvt entry, uint32_t value)
{
	uint32_t before = l->own.lvt[entry];

	if (!lw_lapic_accepts(l))
		value |= LVT_MASKED;
	l->own.lvt[entry] = value;
	lw_lapic_listen(l);
	if (entry == LVT_TIMER)
		lw_lapic_timer_mode(l, before);
	else if (entry == LVT_LINT0 || entry == LVT_LINT1)
		wire_anew(l, entry, before);
}

void lw_lapic_mask_lvts(struct lw_lapic *l)
{
	for (uint32_t n = 0; n < LVTS; n++)
		l->own.lvt[n] |= LVT_MASKED;
	lw_lapic_listen(l);
}
