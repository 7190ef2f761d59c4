/* SPDX-License-Identifier: MIT */
/* An I/O APIC as text. What has been let go is not asked after: it is shown so. */
#include "ioapic_priv.h"
#include "text.h"

static void takers(struct lw_text *t, const struct lw_ioapic *io, const struct lw_pin *p)
{
	if (p->flags & ANYBODY) {
		lw_text(t, " anybody");
		return;
	}
	if (!(p->flags & (SEVERAL | RESIDUE))) {
		lw_text(t, " vcpu %u", p->vcpu);
		return;
	}
	lw_text(t, " vcpus");
	for (uint32_t n = 0; n < io->nvcpus; n++)
		if (lw_set_test(lw_pin_const_map(io, p), n))
			lw_text(t, " %u", n);
}

static void record(struct lw_text *t, const struct lw_ioapic *io, const struct lw_pin *p)
{
	if (!(p->flags & (RECORD | RESIDUE)))
		return;
	lw_text(t, ", %s %02x", p->flags & RECORD ? "in flight" : "redundant EOIs to come of",
		p->vector);
	lw_text(t, " to");
	takers(t, io, p);
}

static void flags(struct lw_text *t, const struct lw_pin *p)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{LET_GO, "let go"},   {DOUBTED, "was let go"}, {KEPT, "kept"},
		{REFUSED, "refused"}, {NOTIFY, "notified"},    {SAMPLING, "being sampled"},
		{DELAYED, "delayed"},
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++)
		if (p->flags & names[n].flag)
			lw_text(t, ", %s", names[n].name);
}

static void pin(struct lw_text *t, const struct lw_ioapic *io, const struct lw_pin *p)
{
	uint32_t n = lw_pin_number(io, p);

	lw_text(t, "  pin %u gsi %u rte 0x%016llx: %s%s, line %s", n, io->gsi_base + n,
		(unsigned long long)p->rte, p->rte & LW_RTE_MASK ? "masked " : "",
		p->msg.level ? "level" : "edge", lw_pin_asserted(io, p) ? "asserted" : "idle");
	if (lw_rte_is_remappable(io, p->rte))
		lw_text(t, ", remapped to %s 0x%x vector %02x", p->msg.logical ? "logical" : "id",
			p->msg.dest, p->msg.vector);
	if (p->sources)
		lw_text(t, " by 0x%x", p->sources);
	record(t, io, p);
	flags(t, p);
	lw_text(t, "\n");
}

static void counters(struct lw_text *t, const struct lw_ioapic_counters *c)
{
	lw_text(t, "  deliveries %llu edges %llu lost %llu", (unsigned long long)c->deliveries,
		(unsigned long long)c->edges, (unsigned long long)c->lost);
	lw_text(t, " refused %llu resolved %llu redundant %llu", (unsigned long long)c->refused,
		(unsigned long long)c->resolved, (unsigned long long)c->redundant);
	lw_text(t, " recalls %llu storms %llu\n", (unsigned long long)c->recalls,
		(unsigned long long)c->storms);
}

void lw_ioapic_text(struct lw_text *t, const struct lw_ioapic *io)
{
	lw_text(t, "ioapic: gsis %u to %u, id %u, version 0x%x, select 0x%02x\n", io->gsi_base,
		io->gsi_base + io->pins - 1u, io->id, io->version, io->select);
	for (uint32_t n = 0; n < io->pins; n++) {
		const struct lw_pin *p = lw_pin_at(io, n);

		if (p->rte != LW_RTE_MASK || p->sources || p->flags & ~UNUSUAL)
			pin(t, io, p);
	}
	counters(t, &io->counters);
}

size_t lw_ioapic_dump(struct lw_ioapic *io, char *buf, size_t size)
{
	struct lw_text text = {.buf = buf, .size = size};

	if (io->ops->lock)
		io->ops->lock(io->ctx);
	lw_ioapic_text(&text, io);
	if (io->ops->unlock) /* and run nothing */
		io->ops->unlock(io->ctx);
	return lw_text_end(&text);
}
