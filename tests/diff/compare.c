/* SPDX-License-Identifier: MIT */
/* Field by field, and what known deviations leave of a difference. */
#include <inttypes.h>

#include "diff.h"

static const char *const places[] = {
	[AT_VALUE] = "the guest read",
	[AT_FAULT] = "#GP",
	[AT_VECTOR] = "vector taken",
	[AT_NMI] = "NMI",
	[AT_NMI_PENDING] = "NMI pending",
	[AT_BASE] = "IA32_APIC_BASE",
	[AT_REG] = "LAPIC register",
	[AT_ICR_HIGH] = "ICR's destination",
	[AT_RTE] = "RTE",
	[AT_IOREGSEL] = "IOREGSEL",
	[AT_IOAPIC_ID] = "I/O APIC id",
	[AT_PIC_IRR] = "8259 IRR",
	[AT_PIC_ISR] = "8259 ISR",
	[AT_PIC_IMR] = "8259 IMR",
	[AT_PIC_ELCR] = "ELCR",
};

void diff_tell(FILE *to, const struct diff_one *d)
{
	fprintf(to, "%s", places[d->where]);
	if (d->where == AT_REG)
		fprintf(to, " 0x%03x", d->index);
	if (d->where == AT_REG || d->where == AT_BASE || d->where == AT_NMI_PENDING ||
	    d->where == AT_ICR_HIGH)
		fprintf(to, " of vCPU %u", d->cpu);
	if (d->where == AT_RTE || d->where >= AT_PIC_IRR)
		fprintf(to, " %u", d->index);
	fprintf(to, ": Lapwing 0x%" PRIx64 ", KVM 0x%" PRIx64 "\n", d->ours, d->theirs);
}

struct comparison {
	const struct diff_case *c;
	struct diff_verdict *verdict;
	uint64_t used; /* bit per rule */
};

static void look(struct comparison *k, struct diff_one d)
{
	struct diff_verdict *v = k->verdict;
	uint64_t left = d.ours ^ d.theirs;

	if (!left)
		return;
	for (unsigned n = 0; n < diff_rule_count && left; n++) {
		struct diff_rule *r = &diff_rules[n];
		uint64_t bits = r->explains(k->c, &d) & left;

		if (!bits)
			continue;
		left &= ~bits;
		k->used |= 1ull << n;
		if (r->then > v->then) {
			v->then = r->then;
			v->rule = r;
		}
	}
	if (!left || v->unexplained)
		return;
	v->unexplained = true;
	v->first = d;
	v->first.theirs = d.ours ^ left;
}

static void look_at_lapic(struct comparison *k, uint32_t cpu)
{
	const struct diff_lapic *a = &k->c->ours.lapic[cpu], *b = &k->c->theirs.lapic[cpu];

	look(k, (struct diff_one){AT_BASE, cpu, 0, a->base, b->base});
	look(k, (struct diff_one){AT_NMI_PENDING, cpu, 0, a->nmi, b->nmi});
	if (!(a->base & 1u << 11))
		return; /* off: there are no registers */
	look(k, (struct diff_one){AT_ICR_HIGH, cpu, 0, a->icr_high, b->icr_high});
	for (uint32_t n = 0; n < DIFF_REGS; n++)
		if (a->state >> n & 1u)
			look(k, (struct diff_one){AT_REG, cpu, n * 16u, a->reg[n], b->reg[n]});
}

static void look_at_pic(struct comparison *k, uint32_t n)
{
	const struct lw_pic_regs *a = &k->c->ours.pic[n], *b = &k->c->theirs.pic[n];

	look(k, (struct diff_one){AT_PIC_IRR, 0, n, a->irr, b->irr});
	look(k, (struct diff_one){AT_PIC_ISR, 0, n, a->isr, b->isr});
	look(k, (struct diff_one){AT_PIC_IMR, 0, n, a->imr, b->imr});
	look(k, (struct diff_one){AT_PIC_ELCR, 0, n, a->elcr, b->elcr});
}

static void look_at_outcome(struct comparison *k)
{
	const struct diff_outcome *a = &k->c->our_outcome, *b = &k->c->their_outcome;

	look(k, (struct diff_one){AT_FAULT, 0, 0, a->fault, b->fault});
	if (!a->fault && !b->fault)
		look(k, (struct diff_one){AT_VALUE, k->c->op.cpu, 0, a->value, b->value});
	look(k, (struct diff_one){AT_VECTOR, 0, 0, (uint64_t)a->vector, (uint64_t)b->vector});
	look(k, (struct diff_one){AT_NMI, k->c->op.cpu, 0, a->nmi, b->nmi});
}

void diff_compare(const struct diff_case *c, bool count, struct diff_verdict *verdict)
{
	struct comparison k = {.c = c, .verdict = verdict};

	*verdict = (struct diff_verdict){.then = THEN_GO_ON};
	look_at_outcome(&k);
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++)
		look_at_lapic(&k, cpu);
	look(&k, (struct diff_one){AT_IOREGSEL, 0, 0, c->ours.ioregsel, c->theirs.ioregsel});
	look(&k, (struct diff_one){AT_IOAPIC_ID, 0, 0, c->ours.id, c->theirs.id});
	for (uint32_t n = 0; n < DIFF_PINS; n++)
		look(&k, (struct diff_one){AT_RTE, 0, n, c->ours.rte[n], c->theirs.rte[n]});
	for (uint32_t n = 0; n < 2; n++)
		look_at_pic(&k, n);
	for (unsigned n = 0; count && n < diff_rule_count; n++)
		diff_rules[n].used += k.used >> n & 1u;
}
