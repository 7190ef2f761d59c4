/* SPDX-License-Identifier: MIT */
/* A LAPIC as text. Nothing is merged for it: what is posted is shown as posted. */
#include "lapic_priv.h"
#include "text.h"

static const char *const modes[] = {
	[LW_LAPIC_DISABLED] = "off",
	[LW_LAPIC_XAPIC] = "xAPIC mode",
	[LW_LAPIC_X2APIC] = "x2APIC mode",
};

static void registers(struct lw_text *t, const struct lw_lapic *l)
{
	lw_text(t, "  base 0x%llx svr 0x%x tpr 0x%02x ppr 0x%02x",
		(unsigned long long)lw_lapic_base(l), load(l->shared.svr), l->own.tpr,
		load(l->shared.ppr));
	lw_text(t, " ldr 0x%08x dfr 0x%08x", load(l->shared.ldr), load(l->shared.dfr));
	lw_text(t, " icr 0x%llx esr 0x%02x, not latched 0x%02x\n",
		(unsigned long long)lw_lapic_icr(l), l->own.esr, load(l->shared.errors));
}

static void vectors(struct lw_text *t, const struct lw_lapic *l)
{
	uint64_t posted[POSTED_WORDS], any[LW_SET_WORDS];

	for (uint32_t w = 0; w < POSTED_WORDS; w++)
		posted[w] = load(l->shared.posted[w]);
	for (uint32_t w = 0; w < LW_SET_WORDS; w++)
		any[w] = posted[w] | posted[w + LW_SET_WORDS];
	lw_text(t, "  isr");
	lw_text_vectors(t, l->own.isr, l->own.tmr);
	lw_text(t, "\n  irr");
	lw_text_vectors(t, l->own.irr, l->own.tmr);
	lw_text(t, "\n  posted");
	lw_text_vectors(t, any, posted + LW_SET_WORDS);
	lw_text(t, "\n");
}

static void local(struct lw_text *t, const struct lw_lapic *l)
{
	static const char *const names[] = {"timer", "thermal", "pmc", "lint0", "lint1", "error"};
	const struct timer *timer = &l->own.timer;

	lw_text(t, "  lvt");
	for (uint32_t n = 0; n < LVTS; n++)
		lw_text(t, " %s 0x%05x", names[n], l->own.lvt[n]);
	lw_text(t, "\n  lint0 %s lint1 %s", l->own.lint[0] ? "up" : "down",
		l->own.lint[1] ? "up" : "down");
	lw_text(t, " timer count 0x%x divide 0x%x", timer->tmict, timer->dcr);
	lw_text(t, " expiry %llu now %llu\n", (unsigned long long)timer->expiry,
		(unsigned long long)timer->now);
}

static void counters(struct lw_text *t, const struct lw_lapic *l)
{
	struct lw_lapic_counters c = lw_lapic_counters(l);

	lw_text(t, "  accepted %llu eois %llu merges %llu", (unsigned long long)c.accepted,
		(unsigned long long)c.eois, (unsigned long long)c.merges);
	lw_text(t, " ipis %llu own %llu dropped %llu\n", (unsigned long long)c.ipis,
		(unsigned long long)c.own, (unsigned long long)c.dropped);
}

void lw_lapic_text(struct lw_text *t, const struct lw_lapic *l)
{
	lw_text(t, "lapic %u: id 0x%x, %s, %s\n", l->vcpu, load(l->shared.id),
		modes[lw_lapic_mode(l)], lw_lapic_accepts(l) ? "enabled" : "software-disabled");
	registers(t, l);
	vectors(t, l);
	local(t, l);
	counters(t, l);
}

size_t lw_lapic_dump(const struct lw_lapic *l, char *buf, size_t size)
{
	struct lw_text text = {.buf = buf, .size = size};

	lw_lapic_text(&text, l);
	return lw_text_end(&text);
}
