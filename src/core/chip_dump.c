/* SPDX-License-Identifier: MIT */
/* The controller's counters, and all of it as text. */
#include "chip_priv.h"
#include "text.h"

/* ---- counters ---- */

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Each delivery, and each interrupt of a LAPIC's own, was accepted, waits, was dropped, or met
 * another one of its vector. */
static void add_lapic(struct lw_chip_counters *sum, const struct lw_lapic *l, uint64_t deliveries)
{
	struct lw_lapic_counters one = lw_lapic_counters(l);
	uint64_t came = deliveries + one.own;
	uint64_t known = one.accepted + one.dropped + one.waiting;

	sum->deliveries += deliveries;
	sum->own += one.own;
	sum->accepted += one.accepted;
	sum->dropped += one.dropped;
	sum->coalesced += came > known ? came - known : 0;
	sum->eois += one.eois;
	sum->ipis += one.ipis;
}

struct lw_chip_counters lw_chip_counters(struct lw_chip *c)
{
	struct lw_chip_counters sum = {0};

	for (uint32_t n = 0; n < c->nvcpus; n++) {
		const struct ledger *t = ledger(c, n);

		add_lapic(&sum, lapic(c, n), value(&t->deliveries));
		sum.notices += value(&t->notices);
		sum.kicks += value(&t->kicks);
		sum.signals += value(&t->signals);
	}
	lw_chip_lock(c);
	sum.necessary = c->exits[LW_EOI_NECESSARY];
	sum.redundant = c->exits[LW_EOI_REDUNDANT];
	sum.superfluous = c->exits[LW_EOI_SUPERFLUOUS];
	lw_chip_unlock_only(c);
	return sum;
}

/* ---- text ---- */

static void counters(struct lw_text *t, struct lw_chip *c)
{
	struct lw_chip_counters s = lw_chip_counters(c);

	lw_text(t, "chip: %u vcpus, %u ioapics\n", c->nvcpus, c->nioapics);
	lw_text(t, "  deliveries %llu own %llu accepted %llu", (unsigned long long)s.deliveries,
		(unsigned long long)s.own, (unsigned long long)s.accepted);
	lw_text(t, " coalesced %llu dropped %llu ipis %llu signals %llu\n",
		(unsigned long long)s.coalesced, (unsigned long long)s.dropped,
		(unsigned long long)s.ipis, (unsigned long long)s.signals);
	lw_text(t, "  eois %llu necessary %llu redundant %llu", (unsigned long long)s.eois,
		(unsigned long long)s.necessary, (unsigned long long)s.redundant);
	lw_text(t, " superfluous %llu notices %llu kicks %llu\n", (unsigned long long)s.superfluous,
		(unsigned long long)s.notices, (unsigned long long)s.kicks);
}

/* What the counts of a vCPU's level routes and records say. Under the lock. */
static void pairs(struct lw_text *t, const struct lw_chip *c, uint32_t vcpu)
{
	for (uint32_t vector = 0; vector < 256; vector++) {
		const struct pair *p = pair(c, vcpu, (uint8_t)vector);

		if (p->routes || p->records)
			lw_text(t, "  vector %02x: level routes %u, in flight %u\n", vector,
				p->routes, p->records);
	}
}

static void parts(struct lw_text *t, struct lw_chip *c)
{
	for (uint32_t n = 0; n < c->nvcpus; n++) {
		lw_lapic_text(t, lapic(c, n));
		pairs(t, c, n);
	}
	for (uint32_t n = 0; n < c->nioapics; n++)
		lw_ioapic_text(t, ioapic(c, n));
	if (c->pic)
		lw_pic_text(t, pic(c));
}

size_t lw_chip_dump(struct lw_chip *c, char *buf, size_t size)
{
	struct lw_text text = {.buf = buf, .size = size};

	counters(&text, c);
	lw_chip_lock(c);
	parts(&text, c);
	lw_chip_unlock_only(c);
	lw_routes_text(&text, lw_chip_routes(c));
	return lw_text_end(&text);
}
