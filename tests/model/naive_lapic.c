/* SPDX-License-Identifier: MIT */
/* What the naive LAPIC takes, holds, ends and sends: vectors, the LVT, errors and IPIs. */
#include "model/naive_lapic_priv.h"

#define REMOTE_IRR 0x4000u
#define LEVEL      0x8000u

#define FIXED(lvt)  (((lvt) >> 8 & 7) == LW_DM_FIXED)
#define EXTINT(lvt) (!((lvt)&MASKED) && ((lvt) >> 8 & 7) == LW_DM_EXTINT)

static struct naive_event *note(struct naive_lapic *n, enum naive_kind kind)
{
	struct naive_event *e = &n->log.event[n->log.count % NAIVE_EVENTS];

	n->log.count++;
	*e = (struct naive_event){.kind = kind};
	return e;
}

static void signal(struct naive_lapic *n, uint8_t delivery, uint8_t vector)
{
	struct naive_event *e = note(n, NAIVE_SIGNAL);

	e->delivery = delivery;
	e->vector = vector;
}

/* ---- vectors ---- */

static int highest(const bool set[256])
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

static void raise_errors(struct naive_lapic *n);

void naive_lapic_sync(struct naive_lapic *n)
{
	for (int v = 0; v < 256; v++) {
		if (n->edge[v] || n->level[v])
			n->irr[v] = true;
		if (n->edge[v] || n->level[v])
			n->tmr[v] = n->level[v];
		n->edge[v] = n->level[v] = false;
	}
	raise_errors(n);
}

bool naive_lapic_post(struct naive_lapic *n, uint8_t vector, bool level)
{
	if (!enabled(n))
		return false;
	if (vector < 16) {
		n->error[RECEIVED_ILLEGAL] = true;
		return false;
	}
	if (level)
		n->level[vector] = true;
	else
		n->edge[vector] = true;
	return true;
}

static void take(struct naive_lapic *n, uint8_t vector, bool level)
{
	if (!enabled(n))
		return;
	naive_lapic_sync(n);
	n->irr[vector] = true;
	n->tmr[vector] = level;
}

uint8_t naive_lapic_ppr(const struct naive_lapic *n)
{
	int serving = highest(n->isr), class = serving < 0 ? 0 : serving / 16;

	return (uint8_t)((int)n->tpr / 16 >= class ? (int)n->tpr : class * 16);
}

uint8_t naive_lapic_threshold(const struct naive_lapic *n)
{
	int waits = highest(n->irr), serving = highest(n->isr);

	if (waits < 0 || waits / 16 > (int)n->tpr / 16 ||
	    (serving >= 0 && waits / 16 <= serving / 16))
		return 0;
	return (uint8_t)(waits / 16);
}

int naive_lapic_pending(struct naive_lapic *n)
{
	int vector;

	naive_lapic_sync(n);
	vector = highest(n->irr);
	return vector >= 0 && vector / 16 > naive_lapic_ppr(n) / 16 ? vector : -1;
}

int naive_lapic_accept(struct naive_lapic *n)
{
	int vector = naive_lapic_pending(n);

	if (vector >= 0) {
		n->irr[vector] = false;
		n->isr[vector] = true;
	}
	return vector;
}

bool naive_lapic_holds(const struct naive_lapic *n, uint8_t v)
{
	return n->edge[v] || n->level[v] || n->irr[v] || n->isr[v];
}

/* ---- LVT and errors ---- */

void naive_lapic_fire(struct naive_lapic *n, enum naive_lvt entry, bool level)
{
	uint32_t lvt = n->lvt[entry], delivery = lvt >> 8 & 7;

	if (lvt & MASKED)
		return;
	if (delivery == LW_DM_FIXED && (lvt & 0xff) >= 16) {
		take(n, (uint8_t)lvt, level);
	} else if (delivery == LW_DM_FIXED) {
		n->error[RECEIVED_ILLEGAL] = true;
		if (entry == N_ERROR)
			n->raised[RECEIVED_ILLEGAL] = true;
	} else if (delivery == LW_DM_SMI || delivery == LW_DM_NMI || delivery == LW_DM_INIT ||
		   delivery == LW_DM_EXTINT) {
		signal(n, (uint8_t)delivery, (uint8_t)lvt);
	}
	if (entry != N_ERROR)
		raise_errors(n);
}

static void raise_errors(struct naive_lapic *n)
{
	bool fresh = false;

	for (int bit = 0; bit < 8; bit++) {
		if (n->error[bit] && !n->raised[bit])
			fresh = n->raised[bit] = true;
	}
	if (fresh)
		naive_lapic_fire(n, N_ERROR, false);
}

void naive_lapic_error(struct naive_lapic *n, int bit)
{
	n->error[bit] = true;
	raise_errors(n);
}

static void sense(struct naive_lapic *n)
{
	uint32_t lvt = n->lvt[N_LINT0];

	if (!n->lint[0] || lvt & (MASKED | REMOTE_IRR) || !FIXED(lvt) || !(lvt & LEVEL))
		return;
	naive_lapic_fire(n, N_LINT0, true);
	if ((lvt & 0xff) >= 16) {
		n->lvt[N_LINT0] |= REMOTE_IRR;
		n->lint_vector = (uint8_t)lvt;
	}
}

void naive_lapic_write_lvt(struct naive_lapic *n, enum naive_lvt entry, uint32_t value)
{
	static const uint32_t bits[N_LVTS] = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};
	uint32_t was = n->lvt[entry], before = naive_lapic_timer_mode(n), now;

	now = (value & bits[entry]) | (enabled(n) ? 0 : MASKED);
	if (entry == N_LINT0 && FIXED(now) && now & LEVEL)
		now |= was & REMOTE_IRR;
	n->lvt[entry] = now;
	if (before != naive_lapic_timer_mode(n) &&
	    (before > PERIODIC || naive_lapic_timer_mode(n) > PERIODIC))
		naive_lapic_stop(n);
	if (entry == N_LINT0)
		sense(n);
	if ((entry == N_LINT0 || entry == N_LINT1) && n->lint[entry - N_LINT0] && EXTINT(now) &&
	    !EXTINT(was))
		naive_lapic_fire(n, entry, false);
}

int naive_lapic_eoi(struct naive_lapic *n)
{
	int vector = highest(n->isr);
	struct naive_event *e;

	if (vector < 0)
		return -1;
	n->isr[vector] = false;
	if (n->lvt[N_LINT0] & REMOTE_IRR && n->lint_vector == vector) {
		n->lvt[N_LINT0] &= ~REMOTE_IRR;
		sense(n);
	}
	e = note(n, NAIVE_EOI);
	e->vector = (uint8_t)vector;
	e->broadcast = !(n->svr & LW_SVR_SUPPRESS);
	return vector;
}

void naive_lapic_lint(struct naive_lapic *n, uint32_t pin, bool asserted)
{
	bool rises;

	if (pin > 1)
		return;
	rises = asserted && !n->lint[pin];
	n->lint[pin] = asserted;
	if (n->mode == LW_LAPIC_DISABLED) {
		if (rises)
			signal(n, pin ? LW_DM_NMI : LW_DM_EXTINT, 0);
	} else if (pin == 0 && FIXED(n->lvt[N_LINT0]) && n->lvt[N_LINT0] & LEVEL) {
		sense(n);
	} else if (rises) {
		naive_lapic_fire(n, pin ? N_LINT1 : N_LINT0, false);
	}
}

bool naive_lapic_extint(const struct naive_lapic *n)
{
	if (n->mode == LW_LAPIC_DISABLED)
		return n->lint[0];
	return (n->lint[0] && EXTINT(n->lvt[N_LINT0])) || (n->lint[1] && EXTINT(n->lvt[N_LINT1]));
}

bool naive_lapic_listens(const struct naive_lapic *n)
{
	return n->mode == LW_LAPIC_DISABLED || !(n->lvt[N_LINT0] & MASKED);
}

void naive_lapic_pmi(struct naive_lapic *n)
{
	naive_lapic_fire(n, N_PMC, false);
	n->lvt[N_PMC] |= MASKED;
}

void naive_lapic_thermal(struct naive_lapic *n)
{
	naive_lapic_fire(n, N_THERMAL, false);
}

/* ---- IPIs ---- */

void naive_lapic_self_ipi(struct naive_lapic *n, uint8_t vector)
{
	if (n->mode == LW_LAPIC_DISABLED)
		return;
	if (vector < 16)
		naive_lapic_error(n, SEND_ILLEGAL);
	else
		take(n, vector, false);
}

void naive_lapic_send(struct naive_lapic *n, uint64_t icr)
{
	uint32_t low = (uint32_t)icr, delivery = low >> 8 & 7, shorthand = low >> 18 & 3;
	struct naive_event *e;

	if (n->mode == LW_LAPIC_DISABLED)
		return;
	n->icr = low & 0xccfff;
	n->dest = (uint32_t)(icr >> 32);
	if (n->mode == LW_LAPIC_XAPIC)
		n->dest = n->dest / 0x1000000 * 0x1000000;
	if (delivery == LW_DM_RESERVED || delivery == LW_DM_EXTINT)
		return;
	if (delivery == LW_DM_INIT && !(low & 0x4000) && low & 0x8000)
		return;
	if (delivery <= LW_DM_LOWEST && (low & 0xff) < 16) {
		naive_lapic_error(n, SEND_ILLEGAL);
		return;
	}
	if (delivery <= LW_DM_LOWEST && shorthand == LW_SHORTHAND_SELF) {
		take(n, (uint8_t)low, false);
		return;
	}
	e = note(n, NAIVE_IPI);
	e->vector = (uint8_t)low;
	e->delivery = (uint8_t)delivery;
	e->logical = (low & 0x800) != 0;
	e->shorthand = (uint8_t)shorthand;
	if (shorthand == LW_SHORTHAND_NONE)
		e->dest = n->mode == LW_LAPIC_XAPIC ? n->dest / 0x1000000 : n->dest;
}
