/* SPDX-License-Identifier: MIT */
#include "model/naive_lapic.h"

#include <string.h>

#define MASKED     0x10000u
#define REMOTE_IRR 0x4000u
#define LEVEL      0x8000u

#define FIXED(lvt)  (((lvt) >> 8 & 7) == LW_DM_FIXED)
#define EXTINT(lvt) (!((lvt)&MASKED) && ((lvt) >> 8 & 7) == LW_DM_EXTINT)

enum { ONE_SHOT, PERIODIC, TSC_DEADLINE };

enum { SEND_ILLEGAL = 5, RECEIVED_ILLEGAL = 6, ILLEGAL_REGISTER = 7 }; /* ESR, figure 11-9 */

static bool enabled(const struct naive_lapic *n)
{
	return n->svr & LW_SVR_ENABLE;
}

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

static void fire(struct naive_lapic *n, enum naive_lvt entry, bool level)
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
		fire(n, N_ERROR, false);
}

static void error(struct naive_lapic *n, int bit)
{
	n->error[bit] = true;
	raise_errors(n);
}

static void sense(struct naive_lapic *n)
{
	uint32_t lvt = n->lvt[N_LINT0];

	if (!n->lint[0] || lvt & (MASKED | REMOTE_IRR) || !FIXED(lvt) || !(lvt & LEVEL))
		return;
	fire(n, N_LINT0, true);
	if ((lvt & 0xff) >= 16) {
		n->lvt[N_LINT0] |= REMOTE_IRR;
		n->lint_vector = (uint8_t)lvt;
	}
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
		fire(n, pin ? N_LINT1 : N_LINT0, false);
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
	fire(n, N_PMC, false);
	n->lvt[N_PMC] |= MASKED;
}

void naive_lapic_thermal(struct naive_lapic *n)
{
	fire(n, N_THERMAL, false);
}

/* ---- timer: in 128 bits, without a thought ---- */

static uint64_t cut(unsigned __int128 ns)
{
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static uint32_t divisor(const struct naive_lapic *n)
{
	static const uint32_t by[8] = {2, 4, 8, 16, 32, 64, 128, 1}; /* figure 11-10 */

	return by[(n->dcr & 3) + (n->dcr & 8 ? 4 : 0)];
}

static unsigned __int128 duration(const struct naive_lapic *n, uint32_t count)
{
	unsigned __int128 ns = (unsigned __int128)count * divisor(n) * n->config.clock.bus_ns /
			       n->config.clock.bus_ticks;

	return ns ? ns : 1;
}

static uint32_t timer_mode(const struct naive_lapic *n)
{
	return n->lvt[N_TIMER] >> 17 & 3;
}

static uint32_t current_count(const struct naive_lapic *n)
{
	unsigned __int128 unit = (unsigned __int128)n->config.clock.bus_ns * divisor(n);
	unsigned __int128 left;

	if (timer_mode(n) > PERIODIC || n->expiry <= n->now)
		return 0;
	left = (unsigned __int128)(n->expiry - n->now) * n->config.clock.bus_ticks;
	left = (left + unit - 1) / unit;
	return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

static void expire(struct naive_lapic *n)
{
	unsigned __int128 period, next;

	if (!n->expiry || n->expiry > n->now)
		return;
	n->deadline_tsc = 0;
	if (timer_mode(n) == PERIODIC) {
		period = duration(n, n->tmict);
		next = ((n->now - n->expiry) / period + 1) * period + n->expiry;
		n->expiry = cut(next);
	} else {
		n->expiry = 0;
	}
	fire(n, N_TIMER, false);
}

static void stop(struct naive_lapic *n)
{
	n->tmict = 0;
	n->deadline_tsc = n->expiry = 0;
}

static void write_tmict(struct naive_lapic *n, uint32_t value)
{
	if (timer_mode(n) > PERIODIC)
		return;
	n->tmict = value;
	n->expiry = value ? cut(n->now + duration(n, value)) : 0;
}

static void write_dcr(struct naive_lapic *n, uint32_t value)
{
	uint32_t left = current_count(n);

	n->dcr = value;
	if (left)
		n->expiry = cut(n->now + duration(n, left));
}

void naive_lapic_time(struct naive_lapic *n, uint64_t now_ns)
{
	if (now_ns > n->now)
		n->now = now_ns;
	expire(n);
}

static void aim_at_tsc(struct naive_lapic *n)
{
	unsigned __int128 ns = n->base_ns, ticks = 0;

	if (n->deadline_tsc > n->base_tsc)
		ticks = n->deadline_tsc - n->base_tsc;
	ns += (ticks * 1000000 + n->config.clock.tsc_khz - 1) / n->config.clock.tsc_khz;
	n->expiry = ns ? cut(ns) : 1;
	expire(n);
}

void naive_lapic_set_tsc(struct naive_lapic *n, uint64_t tsc)
{
	n->base_tsc = tsc;
	n->base_ns = n->now;
	if (n->deadline_tsc)
		aim_at_tsc(n);
}

void naive_lapic_write_tsc_deadline(struct naive_lapic *n, uint64_t tsc)
{
	if (timer_mode(n) != TSC_DEADLINE)
		return;
	n->deadline_tsc = tsc;
	n->expiry = 0;
	if (tsc)
		aim_at_tsc(n);
}

/* ---- IPIs ---- */

void naive_lapic_self_ipi(struct naive_lapic *n, uint8_t vector)
{
	if (n->mode == LW_LAPIC_DISABLED)
		return;
	if (vector < 16)
		error(n, SEND_ILLEGAL);
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
		error(n, SEND_ILLEGAL);
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
	stop(n);
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
		error(n, ILLEGAL_REGISTER);
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
		return current_count(n);
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

static void write_lvt(struct naive_lapic *n, enum naive_lvt entry, uint32_t value)
{
	static const uint32_t bits[N_LVTS] = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};
	uint32_t was = n->lvt[entry], before = timer_mode(n), now;

	now = (value & bits[entry]) | (enabled(n) ? 0 : MASKED);
	if (entry == N_LINT0 && FIXED(now) && now & LEVEL)
		now |= was & REMOTE_IRR;
	n->lvt[entry] = now;
	if (before != timer_mode(n) && (before > PERIODIC || timer_mode(n) > PERIODIC))
		stop(n);
	if (entry == N_LINT0)
		sense(n);
	if ((entry == N_LINT0 || entry == N_LINT1) && n->lint[entry - N_LINT0] && EXTINT(now) &&
	    !EXTINT(was))
		fire(n, entry, false);
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
		write_tmict(n, value);
		break;
	case LW_LAPIC_DCR:
		write_dcr(n, value & 0xb);
		break;
	default:
		write_lvt(n, (enum naive_lvt)((offset - LW_LAPIC_LVT_TIMER) / 16), value);
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
